//! Failed sign-ins, as they are kept for the next start: a row for each key that has any, written every second at most.

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::db::schema::sign_in_failures;
use crate::error::Result;

/// What a key has failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failures {
    /// The key, as hexadecimal text.
    pub key: String,
    /// When, oldest first; none is a row that goes.
    pub times: Vec<Timestamp>,
    /// From when on none of them counts.
    pub expires: Timestamp,
}

/// Stores these in place of what their keys had.
pub fn store(conn: &mut Conn, all: &[Failures]) -> Result<()> {
    for one in all {
        let row = sign_in_failures::table.find(&one.key);
        if one.times.is_empty() {
            diesel::delete(row).execute(conn)?;
            continue;
        }
        let times = one.times.iter().map(|time| time.micros().to_string()).collect::<Vec<_>>().join(" ");
        let told = (sign_in_failures::times.eq(times), sign_in_failures::expires_at.eq(one.expires));
        if diesel::update(row).set(told.clone()).execute(conn)? == 0 {
            let new = (sign_in_failures::key.eq(&one.key), told.0, told.1);
            diesel::insert_into(sign_in_failures::table).values(new).execute(conn)?;
        }
    }
    Ok(())
}

/// What still counts at `now`, at most `limit` keys of it: those that count longest.
pub fn live(conn: &mut Conn, now: Timestamp, limit: i64) -> Result<Vec<Failures>> {
    let rows: Vec<(String, String, Timestamp)> = sign_in_failures::table
        .filter(sign_in_failures::expires_at.gt(now))
        .order(sign_in_failures::expires_at.desc())
        .limit(limit)
        .load(conn)?;
    let read = |(key, times, expires): (String, String, Timestamp)| {
        let times = times.split(' ').filter_map(|time| time.parse().ok()).map(Timestamp::from_micros).collect();
        Failures { key, times, expires }
    };
    Ok(rows.into_iter().map(read).collect())
}

/// Deletes at most `batch` of those that count no longer at `now`; returns how many there were.
pub fn purge(conn: &mut Conn, now: Timestamp, batch: i64) -> Result<usize> {
    let dead = sign_in_failures::table.filter(sign_in_failures::expires_at.le(now));
    let keys: Vec<String> = dead.select(sign_in_failures::key).limit(batch).load(conn)?;
    Ok(diesel::delete(sign_in_failures::table.filter(sign_in_failures::key.eq_any(keys))).execute(conn)?)
}
