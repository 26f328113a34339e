//! What is counted as it happens, in memory: requests and how long they took, tokens, sign-ins. Once a minute it is added to
//! the database (`ops::rollup`), where the dashboard reads it; nothing scans a log for a figure.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// Something that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Tokens given out, access and refresh tokens alike.
    Tokens,
    /// Sign-ins that came in.
    SignedIn,
    /// Sign-ins with a wrong password.
    WrongPassword,
    /// Sign-ins as somebody who does not exist.
    UnknownName,
    /// Sign-ins that were refused for too many failed ones before.
    Throttled,
    /// Sign-ins to an account that is switched off.
    Inactive,
    /// Sign-ins that failed for another reason.
    OtherRefusal,
    /// Requests that a rate, or an administrator's word, has refused.
    HeldBack,
}

impl Count {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Tokens,
        Self::SignedIn,
        Self::WrongPassword,
        Self::UnknownName,
        Self::Throttled,
        Self::Inactive,
        Self::OtherRefusal,
        Self::HeldBack,
    ];

    /// Its name in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::SignedIn => "sign_ins.in",
            Self::WrongPassword => "sign_ins.wrong_password",
            Self::UnknownName => "sign_ins.unknown_name",
            Self::Throttled => "sign_ins.throttled",
            Self::Inactive => "sign_ins.inactive",
            Self::OtherRefusal => "sign_ins.other",
            Self::HeldBack => "requests.held_back",
        }
    }
}

/// Before the number of a bucket of times, in the database.
pub const LATENCY: &str = "latency.";
/// Buckets of times: each ends at √2 times the end of the one before, the first at 50 µs, the last but one beyond a minute.
pub const BUCKETS: usize = 44;
const FIRST: f64 = 50e-6;

/// The end of a bucket, in seconds.
pub fn bucket_end(bucket: usize) -> f64 {
    FIRST * 2f64.powf(i32::try_from(bucket).map_or(f64::MAX, f64::from) / 2.0)
}

fn bucket_of(took: Duration) -> usize {
    let seconds = took.as_secs_f64();
    (0..BUCKETS).find(|bucket| seconds <= bucket_end(*bucket)).unwrap_or(BUCKETS - 1)
}

/// The counts since they were last taken. Cheap to clone.
#[derive(Clone, Default)]
pub struct Metrics(Arc<Cells>);

struct Cells {
    counts: [AtomicI64; Count::ALL.len()],
    latency: [AtomicI64; BUCKETS],
}

impl Default for Cells {
    fn default() -> Self {
        Self { counts: Default::default(), latency: std::array::from_fn(|_| AtomicI64::new(0)) }
    }
}

impl Metrics {
    /// Counts `how_many` more.
    pub fn add(&self, count: Count, how_many: i64) {
        let place = Count::ALL.iter().position(|known| *known == count);
        if let Some(cell) = place.and_then(|place| self.0.counts.get(place)) {
            cell.fetch_add(how_many, Ordering::Relaxed);
        }
    }

    /// Counts a request that took so long.
    pub fn answered(&self, took: Duration) {
        if let Some(cell) = self.0.latency.get(bucket_of(took)) {
            cell.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes what was counted, by name; what is zero is left out.
    pub fn take(&self) -> Vec<(String, i64)> {
        let counts = Count::ALL.iter().map(|count| count.name().to_owned()).zip(&self.0.counts);
        let buckets = (0..BUCKETS).map(|bucket| format!("{LATENCY}{bucket}")).zip(&self.0.latency);
        let taken = counts.chain(buckets).map(|(name, cell)| (name, cell.swap(0, Ordering::Relaxed)));
        taken.filter(|(_, value)| *value != 0).collect()
    }

    /// Gives back what could not be written.
    pub fn give_back(&self, taken: &[(String, i64)]) {
        for (name, value) in taken {
            let count = Count::ALL.iter().position(|count| count.name() == name).and_then(|at| self.0.counts.get(at));
            let bucket = || name.strip_prefix(LATENCY)?.parse().ok().and_then(|at: usize| self.0.latency.get(at));
            if let Some(cell) = count.or_else(bucket) {
                cell.fetch_add(*value, Ordering::Relaxed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_counted_once_and_what_is_given_back_again() {
        let metrics = Metrics::default();
        metrics.add(Count::Tokens, 2);
        metrics.answered(Duration::from_micros(40));
        metrics.answered(Duration::from_secs(3600));
        let taken = metrics.take();
        let told = |name: &str, value| (name.to_owned(), value);
        assert_eq!(taken, [told("tokens", 2), told("latency.0", 1), told("latency.43", 1)]);
        assert!(metrics.take().is_empty());
        metrics.give_back(&taken);
        assert_eq!(metrics.take(), taken);
    }

    #[test]
    fn a_bucket_holds_what_is_not_longer_than_its_end() {
        assert_eq!(bucket_of(Duration::ZERO), 0);
        assert_eq!(bucket_of(Duration::from_micros(50)), 0);
        assert_eq!(bucket_of(Duration::from_micros(51)), 1);
        assert_eq!(bucket_of(Duration::from_micros(100)), 2);
        assert!(bucket_end(BUCKETS - 2) > 60.0);
    }
}
