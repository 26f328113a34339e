//! What runs beside requests.

pub mod import_django;
pub mod postman;
pub mod limits;
pub mod sweeper;
