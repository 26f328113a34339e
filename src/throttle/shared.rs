//! Counts that several servers keep together, in the database or in Redis: `throttle.store`.
//!
//! The times in them are those of our own clock and not of the place's: it decides the life of tokens too, so servers whose
//! clocks differ have other troubles first; here a difference shortens or lengthens a window by itself. A time that has not come
//! yet counts as now, so a clock that was set back lengthens no wait beyond its rate's span.
//!
//! A place that fails is not asked for a second, and each server counts in its own memory meanwhile: with the place gone, N
//! servers let in at most N times the rate. To let everybody in would hand sign-ins to whoever can bring Redis down; to refuse
//! everybody would make it a part without which nothing works.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use super::redis::Redis;
use super::{micros, span};
use crate::clock::Clock;
use crate::db::{Db, counts};
use crate::model::shared_count::{self, Count, Mode};
use crate::settings::Store;

/// How long a place that has failed is not asked.
pub const AWAY: Duration = Duration::from_secs(1);
/// How often the log is told of it at most.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// What came of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// How long each refuses, in the order in which they were asked.
    pub waits: Vec<Option<Duration>>,
    /// When it was counted, in microseconds of the calendar's clock: to give it back by.
    pub at: i64,
}

/// A place where several servers count. Cheap to clone.
#[derive(Clone)]
pub struct Shared(Arc<Inner>);

struct Inner {
    place: Place,
    clock: Clock,
    /// Until when it is not asked, by the monotonic clock.
    away_until: AtomicI64,
    /// When the log was told last.
    told_at: AtomicI64,
}

enum Place {
    Database(Db),
    Redis(Redis),
}

impl Shared {
    /// The place that the setting names; `None` if that is each server's own memory. One that cannot be reached now is asked
    /// again later.
    ///
    /// # Errors
    /// If there is no thread to be had.
    pub fn open(store: &Store, db: &Db, clock: &Clock) -> anyhow::Result<Option<Self>> {
        let place = match store {
            Store::Memory => return Ok(None),
            Store::Database => Place::Database(db.clone()),
            Store::Redis(url) => Place::Redis(Redis::start(url)?),
        };
        let never = AtomicI64::new(i64::MIN);
        let inner = Inner { place, clock: clock.clone(), away_until: AtomicI64::new(i64::MIN), told_at: never };
        Ok(Some(Self(Arc::new(inner))))
    }

    /// Asks all of `counts` at once; `None` if the place is away, and the caller must count by itself.
    pub async fn take(&self, counts: Vec<Count>, mode: Mode) -> Option<Taken> {
        let (inner, at) = (&self.0, self.0.clock.now().micros());
        if counts.is_empty() || micros(inner.clock.monotonic()) < inner.away_until.load(Ordering::Relaxed) {
            return None;
        }
        let asked = match &inner.place {
            Place::Redis(redis) => redis.take(counts, mode, at).await.map_err(|error| error.to_string()),
            // A statement a rate, past the queue of the writer: this is on every request.
            Place::Database(db) if mode == Mode::Each && !db.is_single() => {
                let each = move |conn: &mut _| {
                    counts.iter().map(|one| Ok(counts::take(conn, &one.key, one.most, one.per, at)?)).collect()
                };
                db.read(each).await.map_err(|error| error.to_string())
            }
            Place::Database(db) => {
                let all = move |conn: &mut _| shared_count::take(conn, &counts, mode, at);
                db.write(all).await.map_err(|error| error.to_string())
            }
        };
        match asked {
            Ok(waits) => {
                let wait = |wait: i64| (wait > 0).then(|| span(wait));
                Some(Taken { waits: waits.into_iter().map(wait).collect(), at })
            }
            Err(why) => {
                inner.is_away(&why);
                None
            }
        }
    }

    /// Has nothing count any longer that was counted under these keys; waits for nothing. In the database that was done with
    /// whatever was the reason.
    pub fn clear(&self, keys: Vec<String>) {
        if let Place::Redis(redis) = &self.0.place {
            redis.clear(keys);
        }
    }

    /// Has what was counted at `at` under these keys count no longer; waits for nothing.
    pub fn give_back(&self, keys: Vec<String>, at: i64) {
        match &self.0.place {
            Place::Redis(redis) => redis.give_back(keys, at),
            Place::Database(db) => db.write_later(move |conn| shared_count::give_back(conn, &keys, at)),
        }
    }
}

impl Inner {
    /// Leaves the place in peace for a second, and says so once a minute.
    fn is_away(&self, why: &str) {
        let now = micros(self.clock.monotonic());
        self.away_until.store(now.saturating_add(micros(AWAY)), Ordering::Relaxed);
        let told_at = self.told_at.load(Ordering::Relaxed);
        let is_due = now.saturating_sub(told_at) >= micros(TOLD_EVERY);
        if is_due && self.told_at.compare_exchange(told_at, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            log::error!("throttle.store is away, so this server counts by itself until it is back: {why}");
        }
    }
}
