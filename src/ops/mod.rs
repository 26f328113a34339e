//! What runs beside requests.

pub mod audit;
pub mod built_in_roles;
pub mod import_django;
pub mod jobs;
pub mod limits;
pub mod postman;
pub mod rates;
pub mod rollup;
pub mod sweeper;
