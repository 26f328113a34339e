//! The integration tests: one binary, so that everything is linked once. Folders mirror `src/`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::as_conversions)]
#![allow(clippy::wrong_self_convention)] // an answer is asked once: `answer.is_empty(204)`

mod admin;
mod api;
mod audit;
mod catalogue;
mod crash;
mod db;
mod described;
mod doors;
mod handbook;
mod hostile;
mod house;
mod import;
mod interop;
mod mail;
mod pages;
mod process;
mod races;
mod readme;
mod recipe;
mod rotation;
mod sign_ins;
mod simulation;
mod support;
mod sweeper;
mod two_users;
mod verifier;
mod wycheproof;
