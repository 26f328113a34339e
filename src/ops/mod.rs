//! What runs beside requests.

pub mod sweeper;
