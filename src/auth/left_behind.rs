//! What whoever made an account with another's address would come back by, when the owner of the address takes it.

use crate::auth::api_keys;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::Result;
use crate::model::{api_key, social};

/// Ends the API keys and the links to other providers of an account, inside the caller's transaction. Its password, and with
/// that its sessions, is the caller's affair.
///
/// # Errors
/// The database's.
pub fn leave_behind(conn: &mut Conn, user: i64, now: Timestamp) -> Result<()> {
    for key in api_key::all_of(conn, user)? {
        api_keys::changed_in(conn, key.id, now)?;
        api_key::delete(conn, key.id)?;
    }
    social::unlink_all(conn, user)?;
    Ok(())
}
