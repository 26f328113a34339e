//! What runs beside requests.

pub mod limits;
pub mod sweeper;
