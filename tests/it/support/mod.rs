//! What the tests stand on.

pub mod http;
pub mod postgres;
pub mod process;
