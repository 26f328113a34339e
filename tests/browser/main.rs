//! The panel in a real browser: one file a journey, each walked on a desk and on a telephone, with script and without.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::as_conversions)]

mod activity;
mod acts;
mod again;
#[path = "../it/support/authenticator.rs"]
mod authenticator;
mod blacklist;
mod demo;
mod docs;
mod held_back;
mod language;
mod letters;
mod pages;
#[path = "../it/support/process.rs"]
#[allow(dead_code, reason = "shared with the integration tests, which use all of it")]
mod process;
#[path = "../it/support/pseudo.rs"]
#[allow(dead_code, reason = "shared with the integration tests, which use all of it")]
mod pseudo;
mod roles;
mod setup;
mod support;
mod two_factor;
mod users;
