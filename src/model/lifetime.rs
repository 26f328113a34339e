//! The longest that tokens in use may live, over changes of the settings.
//!
//! What ends a token is kept in memory until the token would have expired. A server that is started with a shorter lifetime
//! must still reckon with the longer one of tokens that are out, or a token that was ended would revive.

use std::time::Duration;

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::db::schema::lifetimes;
use crate::error::Result;

/// The name of the row for tokens that requests carry.
const BEARER: &str = "bearer";

/// The longest that any bearer token still out may live, for a process whose own settings say `present`.
pub fn longest_bearer(conn: &mut Conn, present: Duration) -> Result<Duration> {
    let kept: Option<i64> = lifetimes::table.find(BEARER).select(lifetimes::micros).first(conn).optional()?;
    Ok(present.max(Duration::from_micros(kept.unwrap_or(0).try_into().unwrap_or(0))))
}

/// Notes that a server starts whose tokens live for `present`. A shorter lifetime than before takes the place of the longer
/// one only at a start after the last of those tokens has expired. Commands do not note anything: they may not know the
/// server's settings.
pub fn note_bearer(conn: &mut Conn, present: Duration, now: Timestamp) -> Result<()> {
    let micros = i64::try_from(present.as_micros()).unwrap_or(i64::MAX);
    let row: Option<(i64, Option<Timestamp>)> =
        lifetimes::table.find(BEARER).select((lifetimes::micros, lifetimes::lowered_at)).first(conn).optional()?;
    let next = match row {
        Some((kept, None)) if kept > micros => (kept, Some(now)),
        Some((kept, Some(at))) if kept > micros && now < at + Duration::from_micros(kept.try_into().unwrap_or(0)) => {
            // From now on anew: a lifetime between the two may have been in force meanwhile.
            (kept, Some(now))
        }
        _ => (micros, None),
    };
    let told = (lifetimes::micros.eq(next.0), lifetimes::lowered_at.eq(next.1));
    match row {
        Some(row) if row == next => {}
        Some(_) => {
            diesel::update(lifetimes::table.find(BEARER)).set(told).execute(conn)?;
        }
        None => {
            diesel::insert_into(lifetimes::table).values((lifetimes::name.eq(BEARER), told)).execute(conn)?;
        }
    }
    Ok(())
}
