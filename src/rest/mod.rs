//! A small REST framework in DRF's words: how a request is read and a list is asked for.

pub mod email;
pub mod fields;
pub mod payload;
pub mod text;
