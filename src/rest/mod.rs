//! Our small REST framework: DRF's ideas under DRF's names. It knows the site and who is asking, but no table.

pub mod acting;
pub mod answer;
pub mod caller;
pub mod conditions;
pub mod event;
pub mod fields;
pub mod filled;
pub mod idempotency;
pub mod json;
pub mod link;
pub mod list;
pub mod negotiation;
pub mod nested;
pub mod paging;
pub mod payload;
pub mod permission;
pub mod plain;
pub mod reach;
pub mod resource;
pub mod routes;
pub mod upgrade;
pub mod version;
pub mod view;

pub mod email;
mod text;
