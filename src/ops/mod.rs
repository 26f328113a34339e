//! What runs beside requests.

pub mod import_django;
pub mod limits;
pub mod postman;
pub mod rates;
pub mod sweeper;
