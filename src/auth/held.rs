//! Whoever an administrator holds back signs in nowhere, whatever the password.

use std::net::IpAddr;

use crate::clock::Timestamp;
use crate::db::Db;
use crate::error::Result;
use crate::model::user;
use crate::throttle::{Holds, Subject};

/// Goes on only if neither the address nor the account of this name is held back at `now`. Before anything is counted.
///
/// # Errors
/// [`crate::error::Error::Throttled`] if one is; the database's.
pub async fn lets_in(db: &Db, holds: &Holds, username: &str, ip: IpAddr, now: Timestamp) -> Result<()> {
    holds.admit(&Subject::address(ip), now)?;
    if holds.is_empty() {
        return Ok(()); // and nobody is looked up
    }
    let username = username.to_owned();
    let user = db.read(move |conn| user::by_username(conn, &username)).await?;
    user.map_or(Ok(()), |user| holds.admit(&Subject::User(user.id), now))
}
