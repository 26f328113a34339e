//! What the tests stand on.

pub mod http;
pub mod panel;
pub mod postgres;
pub mod process;
