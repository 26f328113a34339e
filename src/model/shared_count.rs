//! Requests and failed sign-ins that several servers count together, where `throttle.store` is the database: a row a key.
//!
//! What is here runs in a write, of which there is one at a time over all servers, so it looks and then writes. The rates of
//! PostgreSQL go past that queue, in a statement of their own (`db::counts`), over the same rows.

use std::collections::VecDeque;

use diesel::prelude::*;

use crate::db::Conn;
use crate::db::schema::shared_counts;
use crate::error::Result;
use crate::settings::Rate;

/// A count, and how high it may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// Its key, as hexadecimal text.
    pub key: String,
    /// How many are let in, within `per`.
    pub most: i64,
    /// Over which time, in microseconds.
    pub per: i64,
}

impl Count {
    /// The count of `key` at this rate.
    pub fn new(key: String, rate: Rate) -> Self {
        Self { key, most: rate.requests.into(), per: rate.per.as_micros().try_into().unwrap_or(i64::MAX) }
    }
}

/// What is asked of counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Each that allows one more counts it.
    Each,
    /// All count it, if all allow one more.
    Together,
    /// Whether all would allow one more; none counts it.
    Look,
}

/// Asks `counts`, none of whose keys comes twice, at `now` in microseconds of the calendar's clock. How many microseconds to wait
/// for each; 0 if it allows one more.
pub fn take(conn: &mut Conn, counts: &[Count], mode: Mode, now: i64) -> Result<Vec<i64>> {
    let mut logs = Vec::new();
    for count in counts {
        let row = shared_counts::table.find(&count.key).select(shared_counts::times);
        let times: Option<String> = row.first(conn).optional()?;
        let mut times = read(&times.unwrap_or_default());
        // A time that has not come yet, since a clock was set back or is another's, is now, and stays so.
        let has_future = times.back().is_some_and(|newest| *newest > now);
        times.iter_mut().for_each(|time| *time = now.min(*time));
        times.retain(|time| time.saturating_add(count.per) > now);
        let surplus = usize::try_from(count.most).ok().and_then(|most| times.len().checked_sub(most));
        // The one that must have left the window before there is room.
        let blocking = surplus.and_then(|index| times.get(index));
        let wait = blocking.map_or(0, |time| time.saturating_add(count.per).saturating_sub(now));
        logs.push((count, times, wait, has_future));
    }
    let waits: Vec<i64> = logs.iter().map(|(_, _, wait, _)| *wait).collect();
    let all = waits.iter().all(|wait| *wait == 0);
    for (count, mut times, wait, has_future) in logs {
        let counts_it = match mode {
            Mode::Each => wait == 0,
            Mode::Together => all,
            Mode::Look => false,
        };
        if counts_it {
            times.push_back(now);
        }
        if counts_it || has_future {
            store(conn, &count.key, &times, now.saturating_add(count.per))?;
        }
    }
    Ok(waits)
}

/// What was counted at `at` under these keys counts no longer. What cannot be found, since another server has a slower clock,
/// goes on counting.
pub fn give_back(conn: &mut Conn, keys: &[String], at: i64) -> Result<()> {
    for key in keys {
        let row = shared_counts::table.find(key).select((shared_counts::times, shared_counts::expires_at));
        let Some((times, expires_at)) = row.first::<(String, i64)>(conn).optional()? else { continue };
        let mut times = read(&times);
        if let Some(place) = times.iter().rposition(|time| *time == at) {
            times.remove(place);
            store(conn, key, &times, expires_at)?;
        }
    }
    Ok(())
}

/// Deletes at most `batch` of those that count no longer at `now`; returns how many there were.
pub fn purge(conn: &mut Conn, now: i64, batch: i64) -> Result<usize> {
    let dead = shared_counts::table.filter(shared_counts::expires_at.le(now));
    let keys: Vec<String> = dead.select(shared_counts::key).limit(batch).load(conn)?;
    // A key that has been counted again meanwhile, past the queue of the writer, stays.
    let still = shared_counts::key.eq_any(keys).and(shared_counts::expires_at.le(now));
    Ok(diesel::delete(shared_counts::table.filter(still)).execute(conn)?)
}

fn read(times: &str) -> VecDeque<i64> {
    times.split(' ').filter_map(|time| time.parse().ok()).collect()
}

fn store(conn: &mut Conn, key: &str, times: &VecDeque<i64>, expires_at: i64) -> Result<()> {
    let times = times.iter().map(i64::to_string).collect::<Vec<_>>().join(" ");
    let told = (shared_counts::times.eq(times), shared_counts::expires_at.eq(expires_at));
    if diesel::update(shared_counts::table.find(key)).set(told.clone()).execute(conn)? == 0 {
        diesel::insert_into(shared_counts::table).values((shared_counts::key.eq(key), told.0, told.1)).execute(conn)?;
    }
    Ok(())
}
