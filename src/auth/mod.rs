//! Who you are: passwords, tokens, keys, and what is kept in memory so that a signed-in request costs no SQL.

pub mod account_rules;
pub mod actor;
pub mod api_keys;
pub mod bearer;
pub mod claim_names;
pub mod gate;
pub mod grants;
pub mod inspect;
pub mod key_changes;
pub mod key_store;
pub mod keyring;
pub mod marks;
pub mod memory;
pub mod password;
pub mod password_rules;
pub mod permissions;
pub mod principals;
pub mod revocations;
pub mod secrets;
pub mod setup;
pub mod sign_in;
pub mod signer;
pub mod token;
pub mod verdict;
