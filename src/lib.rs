//! Portcullis: users, tokens and a first API in one binary.
#![forbid(unsafe_code)]

pub mod clock;
pub mod error;
pub mod rest;
