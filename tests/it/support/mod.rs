//! What the tests stand on.

pub mod app;
pub mod authenticator;
pub mod client;
pub mod database;
pub mod dice;
pub mod http;
pub mod keys;
pub mod letters;
pub mod mail_server;
pub mod panel;
pub mod people;
pub mod plans;
pub mod postgres;
pub mod process;
pub mod provider;
pub mod pseudo;
pub mod redis;
pub mod socket;
pub mod spec;
pub mod statements;
pub mod token;
