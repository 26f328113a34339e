//! Portcullis: users, tokens and a first API in one binary.
#![forbid(unsafe_code)]

pub mod auth;
pub mod clock;
pub mod error;
pub mod settings;
