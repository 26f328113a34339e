//! What may happen to a key of the ring: it is added, takes its turn, and is retired. Each is a few rows in the caller's
//! transaction, with an entry in the change log so that every process learns of it.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::model::change::{self, What};
use crate::model::signing_key::{self, KeyState};
use crate::model::token;

/// Entries about keys matter to those who run now; a start reads the list itself.
const MATTERS_FOR: Duration = Duration::from_secs(3600);

/// Puts a key on the list, to stand by.
///
/// # Errors
/// The database's.
pub fn add(conn: &mut Conn, kid: &str, algorithm: &str, now: Timestamp) -> Result<()> {
    signing_key::insert(conn, kid, algorithm, KeyState::Standby, None, now)?;
    tell(conn, now)
}

/// Puts a secret on the list that verifies what was issued without a `kid` until now.
///
/// # Errors
/// The database's.
pub fn add_legacy(conn: &mut Conn, kid: &str, algorithm: &str, now: Timestamp) -> Result<()> {
    signing_key::insert(conn, kid, algorithm, KeyState::Verifying, Some(now), now)?;
    tell(conn, now)
}

/// Lets the key sign from now on, which every server must know already; the one before it verifies.
///
/// # Errors
/// 409 if it does not stand by.
pub fn activate(conn: &mut Conn, kid: &str, now: Timestamp) -> Result<()> {
    if !signing_key::activate(conn, kid, now)? {
        return Err(Error::Conflict(format!("{kid} does not stand by").into()));
    }
    tell(conn, now)
}

/// Refuses the key's tokens from now on. Unless `force` says so, only once no token depends on it: neither one that could
/// be exchanged, nor an access token, which lives for `bearer` at most.
///
/// # Errors
/// 409 with what stands in the way.
pub fn retire(conn: &mut Conn, kid: &str, force: bool, bearer: Duration, now: Timestamp) -> Result<()> {
    let key =
        signing_key::by_kid(conn, kid)?.ok_or_else(|| Error::Conflict(format!("there is no key {kid}").into()))?;
    if key.is(KeyState::Active) {
        return Err(Error::Conflict(format!("{kid} signs: let another take its turn first (keys rotate)").into()));
    }
    if !force {
        let live = token::count_live_of_key(conn, &key, now)?;
        if live > 0 {
            return Err(Error::Conflict(format!("{live} live tokens depend on {kid}; --force ends them").into()));
        }
        if let Some(at) = key.replaced_at.or(key.issued_before)
            && now < at + bearer
        {
            let until = (at + bearer).rfc3339();
            return Err(Error::Conflict(
                format!("access tokens of {kid} may live until {until}; --force ends them").into(),
            ));
        }
    }
    if !signing_key::retire(conn, kid, now)? {
        return Err(Error::Conflict(format!("{kid} is retired already").into()));
    }
    tell(conn, now)
}

/// Refuses a key's tokens from now on, since it may be known to others. What such a key has signed proves nothing: the
/// sessions that its tokens belong to must end, too (see [`token::sessions_of_key`]).
///
/// # Errors
/// 409 with what stands in the way.
pub fn condemn(conn: &mut Conn, kid: &str, now: Timestamp) -> Result<()> {
    if !signing_key::condemn(conn, kid, now)? {
        return Err(Error::Conflict(format!("{kid} signs, or was condemned before").into()));
    }
    tell(conn, now)
}

fn tell(conn: &mut Conn, now: Timestamp) -> Result<()> {
    change::append(conn, What::Keys, now, now + MATTERS_FOR)
}
