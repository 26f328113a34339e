//! Requests that were counted by a rate, as they are kept for the next start: a row for all that a key has asked since the
//! row before, so that a request rewrites nothing.

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::db::schema::throttle_counts;
use crate::error::Result;

/// The most rows that are kept: the newest.
pub const MOST: i64 = 500_000;

/// Some requests of a key.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Insertable)]
#[diesel(table_name = throttle_counts)]
pub struct Counted {
    /// The key, as hexadecimal text.
    pub key: String,
    /// When the last of them was.
    pub at: Timestamp,
    /// How many they are.
    pub count: i32,
    /// From when on none of them counts.
    pub expires_at: Timestamp,
}

/// Keeps these.
pub fn store(conn: &mut Conn, all: &[Counted]) -> Result<()> {
    for one in all {
        diesel::insert_into(throttle_counts::table).values(one.clone()).execute(conn)?;
    }
    Ok(())
}

/// What still counts at `now`, oldest first; the newest [`MOST`] of it.
pub fn live(conn: &mut Conn, now: Timestamp) -> Result<Vec<Counted>> {
    let mut rows: Vec<Counted> = throttle_counts::table
        .filter(throttle_counts::expires_at.gt(now))
        .order(throttle_counts::id.desc())
        .limit(MOST)
        .select((throttle_counts::key, throttle_counts::at, throttle_counts::count, throttle_counts::expires_at))
        .load(conn)?;
    rows.sort_by_key(|row| row.at);
    Ok(rows)
}

/// Deletes at most `batch` of those that count no longer at `now`, or that [`MOST`] others have followed; returns how many
/// there were.
pub fn purge(conn: &mut Conn, now: Timestamp, batch: i64) -> Result<usize> {
    let newest: Option<i64> = throttle_counts::table.select(diesel::dsl::max(throttle_counts::id)).first(conn)?;
    let surplus = throttle_counts::id.le(newest.unwrap_or(0) - MOST);
    let mut ids: Vec<i64> =
        throttle_counts::table.filter(surplus).select(throttle_counts::id).limit(batch).load(conn)?;
    if ids.is_empty() {
        let dead = throttle_counts::table.filter(throttle_counts::expires_at.le(now));
        ids = dead.order(throttle_counts::expires_at).select(throttle_counts::id).limit(batch).load(conn)?;
    }
    Ok(diesel::delete(throttle_counts::table.filter(throttle_counts::id.eq_any(ids))).execute(conn)?)
}
