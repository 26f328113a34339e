//! A small REST framework in DRF's words: how a request is read, how a list is asked for, and how the answer is written.

pub mod email;
pub mod fields;
pub mod json;
pub mod link;
pub mod list;
pub mod negotiation;
pub mod payload;
pub mod text;
