//! Who you are: passwords.

pub mod password;
pub mod password_rules;
