//! Rows and their queries. Each function takes a connection and composes: two of them in one `Db::write` are one
//! transaction. No HTTP here, and no JSON errors.

pub mod api_key;
pub mod belongings;
pub mod blacklist;
pub mod change;
pub mod kept;
pub mod lifetime;
pub mod panel_session;
pub mod role;
pub mod session;
pub mod signing_key;
pub mod token;
pub mod user;
pub mod user_list;
