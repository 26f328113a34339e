//! The figures of a period: what the rollup has, cut into as many slots as a chart shows.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, FixedOffset};

use crate::admin::when::short_day;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::Result;
use crate::metrics::{BUCKETS, Count, LATENCY, bucket_end};
use crate::model::metric::{self, Figure, Span};

/// How much of the past is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// An hour, in slots of five minutes.
    Hour,
    /// A day, in hours.
    Day,
    /// A week, in quarters of a day.
    Week,
    /// Thirty days.
    Month,
}

impl Period {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Hour, Self::Day, Self::Week, Self::Month];

    /// As the address has it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Month => "30d",
        }
    }

    /// As the switch has it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Hour => key!("1 h"),
            Self::Day => key!("24 h"),
            Self::Week => key!("7 d"),
            Self::Month => key!("30 d"),
        }
    }

    /// "Last 24 hours, compared with the 24 before."
    pub fn words(self) -> &'static str {
        match self {
            Self::Hour => key!("Last hour, compared with the hour before."),
            Self::Day => key!("Last 24 hours, compared with the 24 before."),
            Self::Week => key!("Last 7 days, compared with the 7 before."),
            Self::Month => key!("Last 30 days, compared with the 30 before."),
        }
    }

    /// The heading of the chart of sign-ins.
    pub fn sign_ins(self) -> &'static str {
        match self {
            Self::Hour => key!("Sign-ins per 5 minutes"),
            Self::Day => key!("Sign-ins per hour"),
            Self::Week => key!("Sign-ins per 6 hours"),
            Self::Month => key!("Sign-ins per day"),
        }
    }

    /// How a slot is called that begins then.
    pub fn slot(self, at: DateTime<FixedOffset>) -> String {
        let time = at.format("%H:%M");
        match self {
            Self::Hour | Self::Day => time.to_string(),
            Self::Week => say!("{day}, {time}", day = short_day(at.date_naive()), time),
            Self::Month => short_day(at.date_naive()),
        }
    }

    /// The rows it is read from, how many make a slot, and how many slots there are.
    fn shape(self) -> (Span, u32, u32) {
        match self {
            Self::Hour => (Span::FiveMinutes, 1, 12),
            Self::Day => (Span::Hour, 1, 24),
            Self::Week => (Span::Hour, 6, 28),
            Self::Month => (Span::Day, 1, 30),
        }
    }
}

/// What was counted in one slot, or in many.
#[derive(Clone, Debug, PartialEq)]
pub struct Slot {
    /// When it began.
    pub at: Timestamp,
    counts: BTreeMap<String, i64>,
    latency: [i64; BUCKETS],
}

impl Slot {
    fn new(at: Timestamp) -> Self {
        Self { at, counts: BTreeMap::new(), latency: [0; BUCKETS] }
    }

    /// How often something was counted.
    pub fn count(&self, count: Count) -> i64 {
        self.standing(count.name()).unwrap_or_default()
    }

    /// How many there were at last, of what is not counted but stands.
    pub fn standing(&self, name: &str) -> Option<i64> {
        self.counts.get(name).copied()
    }

    /// Sign-ins that failed.
    pub fn failed(&self) -> i64 {
        let other = |count: &&Count| !matches!(count, Count::Tokens | Count::SignedIn | Count::HeldBack);
        Count::ALL.iter().filter(other).map(|count| self.count(*count)).sum()
    }

    /// The time within which this part of the requests was answered, in milliseconds; `None` if there were none. Within a
    /// bucket they are taken to be spread evenly.
    pub fn quantile(&self, part: f64) -> Option<f64> {
        let float = |count: i64| i32::try_from(count).map_or(f64::MAX, f64::from);
        let total: i64 = self.latency.iter().sum();
        let mut left = float(total) * part;
        for (bucket, held) in self.latency.iter().enumerate().filter(|(_, held)| **held > 0) {
            let (held, end) = (float(*held), bucket_end(bucket));
            if left <= held {
                let start = bucket.checked_sub(1).map_or(0.0, bucket_end);
                return Some((start + (end - start) * left / held) * 1000.0);
            }
            left -= held;
        }
        None
    }

    fn take(&mut self, figure: &Figure, is_standing: bool) {
        if let Some(bucket) = figure.name.strip_prefix(LATENCY).and_then(|bucket| bucket.parse::<usize>().ok()) {
            if let Some(cell) = self.latency.get_mut(bucket) {
                *cell += figure.value;
            }
            return;
        }
        let cell = self.counts.entry(figure.name.clone()).or_default();
        *cell = if is_standing { figure.value } else { *cell + figure.value };
    }
}

/// The figures of a period and of the one before it.
#[derive(Clone, Debug)]
pub struct Figures {
    /// The slots, the oldest first; the last is the present one, which is not over.
    pub slots: Vec<Slot>,
    /// All of them together.
    pub now: Slot,
    /// The period before, as one.
    pub before: Slot,
    /// Whether anything was ever counted in either.
    pub is_empty: bool,
}

impl Figures {
    /// Reads those of a period that ends now. `standing` names what is not counted but stands.
    ///
    /// # Errors
    /// The database's.
    pub fn read(conn: &mut Conn, period: Period, standing: &[&str], now: Timestamp) -> Result<Self> {
        let (span, rows, count) = period.shape();
        let length = span.length() * rows;
        let last = span.slot(now);
        let first = last - length * (count - 1);
        let earliest = first - length * count;
        let found = metric::since(conn, span, earliest)?;
        Ok(Self::of(&found, standing, length, (earliest, first, count)))
    }

    fn of(found: &[Figure], standing: &[&str], length: Duration, at: (Timestamp, Timestamp, u32)) -> Self {
        let (earliest, first, count) = at;
        let mut slots: Vec<Slot> = (0..count).map(|number| Slot::new(first + length * number)).collect();
        let (mut now, mut before) = (Slot::new(first), Slot::new(earliest));
        for figure in found {
            let stands = standing.contains(&figure.name.as_str());
            if figure.at < first {
                before.take(figure, stands);
                continue;
            }
            now.take(figure, stands);
            if let Some(slot) = slots.iter_mut().rev().find(|slot| slot.at <= figure.at) {
                slot.take(figure, stands);
            }
        }
        Self { slots, now, before, is_empty: found.is_empty() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::from_seconds(1_795_348_800);
    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn figures_fall_into_their_slots_and_the_rest_is_the_period_before() {
        let figure = |hours: u32, name: &str, value| Figure { at: NOON - HOUR * hours, name: name.to_owned(), value };
        let found = [
            figure(5, "tokens", 7),
            figure(3, "users", 1),
            figure(2, "tokens", 1),
            figure(2, "users", 2),
            figure(0, "tokens", 4),
            figure(0, "users", 5),
            figure(0, "sign_ins.inactive", 2),
        ];
        let figures = Figures::of(&found, &["users"], HOUR, (NOON - HOUR * 5, NOON - HOUR * 2, 3));
        let tokens: Vec<i64> = figures.slots.iter().map(|slot| slot.count(Count::Tokens)).collect();
        assert_eq!(
            (tokens, figures.now.count(Count::Tokens), figures.before.count(Count::Tokens)),
            (vec![1, 0, 4], 5, 7)
        );
        let users: Vec<_> = figures.slots.iter().map(|slot| slot.standing("users")).collect();
        assert_eq!((users, figures.now.standing("users")), (vec![Some(2), None, Some(5)], Some(5)));
        assert_eq!((figures.before.standing("users"), figures.now.failed()), (Some(1), 2));
    }

    #[test]
    fn a_quantile_lies_within_its_bucket() {
        let mut slot = Slot::new(NOON);
        assert_eq!(slot.quantile(0.95), None);
        slot.latency = [0; BUCKETS];
        let mut put = |bucket: usize, held| slot.latency.get_mut(bucket).map(|cell| *cell = held);
        put(4, 90);
        put(10, 10);
        let between = |part, low: usize, high: usize| {
            let found = slot.quantile(part).unwrap_or_default() / 1000.0;
            assert!(found > bucket_end(low) && found <= bucket_end(high), "{part}: {found}");
        };
        between(0.5, 3, 4);
        between(0.95, 9, 10);
        between(1.0, 9, 10);
    }
}
