//! Portcullis: users, tokens and a first API in one binary.
#![forbid(unsafe_code)]

pub mod admin;
pub mod assets;
pub mod auth;
pub mod clock;
pub mod data_dir;
pub mod db;
pub mod error;
pub mod follower;
pub mod middleware;
pub mod model;
pub mod rest;
pub mod settings;
pub mod site;
pub mod throttle;
