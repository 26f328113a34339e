//! Portcullis: users, tokens and a first API in one binary.
#![forbid(unsafe_code)]

pub mod assets;
pub mod auth;
pub mod clock;
pub mod db;
pub mod error;
pub mod model;
pub mod rest;
pub mod settings;
