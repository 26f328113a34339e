//! What runs beside requests.

pub mod postman;
pub mod sweeper;
