//! Time: one clock that tests can move, and the timestamp that everything stores and sends.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, SecondsFormat, Utc};
use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::BigInt;
use serde::{Serialize, Serializer};

const MICROS: i64 = 1_000_000;

/// A moment in UTC, in microseconds since 1970.
///
/// Stored as a plain integer in both databases: they agree on its precision and order, it costs nothing to read, and no
/// time zone can creep in. On the wire it is DRF's `YYYY-MM-DDTHH:MM:SS.ffffffZ`, the fraction absent if it is zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, AsExpression, FromSqlRow)]
#[diesel(sql_type = BigInt)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The moment `micros` microseconds after 1970 began.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// The moment `seconds` after 1970 began; what lies beyond the range of the type is its nearest end.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(MICROS))
    }

    /// Microseconds since 1970.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970, rounded down: the form of `iat` and `exp` (RFC 7519 §2).
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(MICROS)
    }

    /// The time from `earlier` until this moment; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0).try_into().unwrap_or(0))
    }

    /// The calendar's view of the moment, for people.
    pub fn utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0).unwrap_or_default()
    }

    /// RFC 3339 in UTC as DRF writes it: six digits of a second, or none.
    pub fn rfc3339(self) -> String {
        let digits = if self.0.rem_euclid(MICROS) == 0 { SecondsFormat::Secs } else { SecondsFormat::Micros };
        self.utc().to_rfc3339_opts(digits, true)
    }
}

fn micros(by: Duration) -> i64 {
    by.as_micros().try_into().unwrap_or(i64::MAX)
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(micros(by)))
    }
}

impl std::ops::Sub<Duration> for Timestamp {
    type Output = Self;
    fn sub(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(micros(by)))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.rfc3339())
    }
}

impl<DB: Backend> ToSql<BigInt, DB> for Timestamp
where
    i64: ToSql<BigInt, DB>,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
        self.0.to_sql(out)
    }
}

impl<DB: Backend> FromSql<BigInt, DB> for Timestamp
where
    i64: FromSql<BigInt, DB>,
{
    fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Self> {
        i64::from_sql(bytes).map(Self)
    }
}

/// Where the time comes from. Nothing else in the house asks the system for it.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's own clocks; the instant is when this clock was made.
    System(Instant),
    /// A clock that stands still until a test moves it; microseconds since 1970.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self::System(Instant::now())
    }

    /// A clock that starts at `at` and moves only by [`Clock::advance`].
    pub fn manual(at: Timestamp) -> Self {
        Self::Manual(Arc::new(AtomicI64::new(at.0)))
    }

    /// The present moment, cut to microseconds.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System(_) => {
                let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp(micros(since_epoch))
            }
            Self::Manual(at) => Timestamp(at.load(Ordering::SeqCst)),
        }
    }

    /// Time that only goes forward, from an arbitrary start: limits and time-outs go by it, whatever the wall clock does.
    pub fn monotonic(&self) -> Duration {
        match self {
            Self::System(start) => start.elapsed(),
            Self::Manual(at) => Duration::from_micros(at.load(Ordering::SeqCst).try_into().unwrap_or(0)),
        }
    }

    /// Moves a manual clock forward. The machine's clock is not ours to move, so there it does nothing.
    pub fn advance(&self, by: Duration) {
        if let Self::Manual(at) = self {
            at.fetch_add(micros(by), Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_reads_as_django_writes_it() {
        assert_eq!(Timestamp::from_micros(1_767_225_600_000_000).rfc3339(), "2026-01-01T00:00:00Z");
        assert_eq!(Timestamp::from_micros(1_767_225_600_000_500).rfc3339(), "2026-01-01T00:00:00.000500Z");
    }

    #[test]
    fn a_manual_clock_stands_still_until_it_is_moved() {
        let clock = Clock::manual(Timestamp::from_seconds(100));
        assert_eq!(clock.now(), Timestamp::from_seconds(100));
        clock.advance(Duration::from_secs(5));
        assert_eq!(clock.now(), Timestamp::from_seconds(105));
        assert_eq!(clock.now().since(Timestamp::from_seconds(100)), Duration::from_secs(5));
    }

    #[test]
    fn times_beyond_the_range_stay_at_its_end() {
        let end = Timestamp::from_seconds(i64::MAX);
        assert_eq!(end + Duration::from_secs(1), end);
    }
}
