//! What every request passes, whatever its path.

pub mod client_ip;
pub mod cors;
pub mod edge;
pub mod headers;
pub mod known_device;
pub mod language;
pub mod origin;
pub mod unread;
