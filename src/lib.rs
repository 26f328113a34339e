//! Portcullis: users, tokens and a first API in one binary.
#![forbid(unsafe_code)]

#[macro_use]
pub mod language;

pub mod admin;
pub mod api;
pub mod assets;
pub mod auth;
pub mod cli;
pub mod clock;
pub mod data_dir;
pub mod db;
pub mod device;
pub mod error;
pub mod follower;
pub mod hub;
pub mod letters;
pub mod logging;
pub mod mail;
pub mod metrics;
pub mod middleware;
pub mod model;
pub mod ops;
pub mod pages;
pub mod problem;
pub mod rest;
pub mod server;
pub mod settings;
pub mod site;
pub mod throttle;
pub mod zone;
