//! Figures over time: what was counted within slots of five minutes, hours and days.

use std::time::Duration;

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::db::schema::metrics;
use crate::error::Result;

/// How long a slot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// Five minutes, kept for a day.
    FiveMinutes,
    /// An hour, kept for a month.
    Hour,
    /// A day of UTC, kept for two years.
    Day,
}

impl Span {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::FiveMinutes, Self::Hour, Self::Day];

    /// The length.
    pub fn length(self) -> Duration {
        Duration::from_secs(match self {
            Self::FiveMinutes => 300,
            Self::Hour => 3600,
            Self::Day => 86_400,
        })
    }

    fn kept(self) -> Duration {
        Duration::from_secs(match self {
            Self::FiveMinutes => 86_400,
            Self::Hour => 32 * 86_400,
            Self::Day => 730 * 86_400,
        })
    }

    fn micros(self) -> i64 {
        self.length().as_micros().try_into().unwrap_or(i64::MAX)
    }

    /// The beginning of the slot that `at` lies in.
    pub fn slot(self, at: Timestamp) -> Timestamp {
        Timestamp::from_micros(at.micros().div_euclid(self.micros()) * self.micros())
    }
}

/// What was counted in a slot.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct Figure {
    /// When the slot began.
    pub at: Timestamp,
    /// What was counted.
    pub name: String,
    /// How many.
    pub value: i64,
}

/// How a value joins the one that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// More of something.
    Add,
    /// How many there are now.
    Set,
}

/// Notes a value in the slots of all lengths that `now` lies in.
///
/// # Errors
/// The database's.
pub fn note(conn: &mut Conn, name: &str, value: i64, join: Join, now: Timestamp) -> Result<()> {
    for span in Span::ALL {
        let at = span.slot(now);
        // Another server may make the row meanwhile: then it is there to be changed.
        if !change(conn, span, at, name, value, join)? && !make(conn, span, at, name, value)? {
            change(conn, span, at, name, value, join)?;
        }
    }
    Ok(())
}

fn change(conn: &mut Conn, span: Span, at: Timestamp, name: &str, value: i64, join: Join) -> Result<bool> {
    let row = metrics::table.find((span.micros(), at, name));
    let changed = match join {
        Join::Add => diesel::update(row).set(metrics::value.eq(metrics::value + value)).execute(conn)?,
        Join::Set => diesel::update(row).set(metrics::value.eq(value)).execute(conn)?,
    };
    Ok(changed > 0)
}

fn make(conn: &mut Conn, span: Span, at: Timestamp, name: &str, value: i64) -> Result<bool> {
    use diesel::result::{DatabaseErrorKind, Error};
    let row = (metrics::span.eq(span.micros()), metrics::at.eq(at), metrics::name.eq(name), metrics::value.eq(value));
    let made = conn.transaction(|conn| diesel::insert_into(metrics::table).values(row).execute(conn));
    match made {
        Ok(_) => Ok(true),
        Err(Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// What was counted in slots of this length from `from` on, by time.
///
/// # Errors
/// The database's.
pub fn since(conn: &mut Conn, span: Span, from: Timestamp) -> Result<Vec<Figure>> {
    let rows = metrics::table.filter(metrics::span.eq(span.micros()).and(metrics::at.ge(from)));
    Ok(rows.order((metrics::at, metrics::name)).select((metrics::at, metrics::name, metrics::value)).load(conn)?)
}

/// Deletes what is older than it is kept.
///
/// # Errors
/// The database's.
pub fn purge(conn: &mut Conn, now: Timestamp) -> Result<()> {
    for span in Span::ALL {
        let old = metrics::table.filter(metrics::span.eq(span.micros()).and(metrics::at.lt(now - span.kept())));
        diesel::delete(old).execute(conn)?;
    }
    Ok(())
}
