//! Rows and their queries. Each function takes a connection and composes: two of them in one `Db::write` are one
//! transaction. No HTTP here, and no JSON errors.

pub mod api_key;
pub mod api_key_list;
pub mod audit;
pub mod belongings;
pub mod blacklist;
pub mod change;
pub mod content;
pub mod dismissal;
pub mod found;
pub mod idempotency;
pub mod import;
pub mod invitation;
pub mod kept;
pub mod known_address;
pub mod lifetime;
pub mod metric;
pub mod outbox;
pub mod outbox_list;
pub mod panel_session;
pub mod role;
pub mod session;
pub mod session_list;
pub mod shared_count;
pub mod sign_in;
pub mod sign_in_failure;
pub mod signing_key;
pub mod social;
pub mod throttle_count;
pub mod throttled;
pub mod token;
pub mod token_list;
pub mod two_factor;
pub mod used_letter;
pub mod user;
pub mod user_list;
