//! First answers to requests that may be sent again, each in the transaction of what it tells of.

use std::time::Duration;

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::db::schema::idempotency_keys;
use crate::error::Result;

/// How long an answer is kept.
pub const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// How many answers a user has at most: the last.
pub const MOST: i64 = 1000;

/// The first answer to a request.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct First {
    /// The digest of the request.
    pub request: String,
    /// Its answer: JSON as it was sent.
    pub answer: String,
}

/// What the user's key (its digest) was answered, if that still counts at `now`.
pub fn find(conn: &mut Conn, user: i64, key: &str, now: Timestamp) -> Result<Option<First>> {
    let own = idempotency_keys::table.filter(idempotency_keys::user_id.eq(user)).filter(idempotency_keys::key.eq(key));
    let live = own.filter(idempotency_keys::expires_at.gt(now));
    Ok(live.select((idempotency_keys::request, idempotency_keys::answer)).first(conn).optional()?)
}

/// Keeps the answer to a request until it counts no longer or [`MOST`] others have come.
pub fn keep(conn: &mut Conn, user: i64, key: &str, request: &str, answer: &str, now: Timestamp) -> Result<()> {
    let own = idempotency_keys::table.filter(idempotency_keys::user_id.eq(user));
    // One that counts no longer, and is not swept yet.
    diesel::delete(own.filter(idempotency_keys::key.eq(key))).execute(conn)?;
    let row = (
        idempotency_keys::user_id.eq(user),
        idempotency_keys::key.eq(key),
        idempotency_keys::request.eq(request),
        idempotency_keys::answer.eq(answer),
        idempotency_keys::expires_at.eq(now + KEPT),
    );
    diesel::insert_into(idempotency_keys::table).values(row).execute(conn)?;
    let newest = own.order(idempotency_keys::id.desc()).select(idempotency_keys::id);
    let surplus: Option<i64> = newest.offset(MOST).limit(1).first(conn).optional()?;
    if let Some(surplus) = surplus {
        diesel::delete(own.filter(idempotency_keys::id.le(surplus))).execute(conn)?;
    }
    Ok(())
}

/// Deletes at most `most` of those that have counted no longer since `before`; returns how many.
pub fn purge(conn: &mut Conn, before: Timestamp, most: i64) -> Result<usize> {
    let old: Vec<i64> = idempotency_keys::table
        .filter(idempotency_keys::expires_at.le(before))
        .order(idempotency_keys::expires_at)
        .select(idempotency_keys::id)
        .limit(most)
        .load(conn)?;
    Ok(diesel::delete(idempotency_keys::table.filter(idempotency_keys::id.eq_any(old))).execute(conn)?)
}
