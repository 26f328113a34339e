//! How times, numbers and durations are written for people.

use chrono::{DateTime, Datelike, Utc};

use crate::clock::Timestamp;

/// A moment for a page: for machines, in full, and as people say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct When {
    /// ISO 8601, for `<time datetime>`.
    pub iso: String,
    /// In full, with the zone, for the title.
    pub full: String,
    /// "today, 10:02", "yesterday, 17:12", "9 Nov", "14 Mar 2025".
    pub short: String,
}

impl When {
    /// The moment `at` as it is said at `now`.
    pub fn new(at: Timestamp, now: Timestamp) -> Self {
        let (at, now) = (at.utc(), now.utc());
        let days = at.date_naive().signed_duration_since(now.date_naive()).num_days();
        let short = match days {
            0 => at.format("today, %H:%M"),
            -1 => at.format("yesterday, %H:%M"),
            1 => at.format("tomorrow, %H:%M"),
            _ if at.year() == now.year() => at.format("%-d %b"),
            _ => at.format("%-d %b %Y"),
        };
        Self { iso: iso(at), full: at.format("%-d %b %Y, %H:%M:%S UTC").to_string(), short: short.to_string() }
    }
}

fn iso(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// How long ago something was: "just now", "41 minutes ago", and beyond a day the moment itself.
pub fn ago(at: Timestamp, now: Timestamp) -> String {
    match now.since(at).as_secs() {
        0..60 => "just now".to_owned(),
        seconds @ 60..3600 => count_words(seconds / 60, "minute", "minutes") + " ago",
        seconds @ 3600..86_400 => count_words(seconds / 3600, "hour", "hours") + " ago",
        _ => When::new(at, now).short,
    }
}

/// How far a moment lies from now, in its two largest units: "in 6 days 22 hours", "3 minutes ago", "now".
pub fn distance(at: Timestamp, now: Timestamp) -> String {
    const UNITS: [(u64, &str, &str); 4] =
        [(86_400, "day", "days"), (3600, "hour", "hours"), (60, "minute", "minutes"), (1, "second", "seconds")];
    let is_ahead = at >= now;
    let mut seconds = if is_ahead { at.since(now) } else { now.since(at) }.as_secs();
    let mut words = Vec::new();
    for (size, one, many) in UNITS {
        let count = seconds / size;
        if count > 0 {
            words.push(count_words(count, one, many));
            seconds %= size;
        }
        if words.len() == 2 || (!words.is_empty() && count == 0) {
            break;
        }
    }
    match (words.is_empty(), is_ahead) {
        (true, _) => "now".to_owned(),
        (false, true) => format!("in {}", words.join(" ")),
        (false, false) => format!("{} ago", words.join(" ")),
    }
}

/// Digits in groups of three: "41,206".
pub fn thousands(number: impl TryInto<i64>) -> String {
    let number = number.try_into().unwrap_or(i64::MAX);
    let digits = number.unsigned_abs().to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if number < 0 { format!("-{grouped}") } else { grouped }
}

/// A number with its noun: "1 device", "3 devices".
pub fn count_words(number: impl TryInto<i64>, one: &str, many: &str) -> String {
    let number = number.try_into().unwrap_or(i64::MAX);
    format!("{} {}", thousands(number), if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const NOON: Timestamp = Timestamp::from_seconds(1_795_348_800); // 22 Nov 2026, 12:00 UTC

    #[test]
    fn a_moment_is_said_as_people_say_it() {
        let hours = |count: u64| Duration::from_secs(count * 3600);
        for (at, said) in [
            (NOON, "today, 12:00"),
            (NOON - hours(13), "yesterday, 23:00"),
            (NOON + hours(13), "tomorrow, 01:00"),
            (NOON - hours(24 * 13), "9 Nov"),
            (NOON - hours(24 * 365), "22 Nov 2025"),
        ] {
            assert_eq!(When::new(at, NOON).short, said);
        }
        assert_eq!(When::new(NOON, NOON).full, "22 Nov 2026, 12:00:00 UTC");
    }

    #[test]
    fn what_was_lately_is_told_by_its_distance() {
        let before = |seconds| ago(NOON - Duration::from_secs(seconds), NOON);
        assert_eq!(before(59), "just now");
        assert_eq!(before(61), "1 minute ago");
        assert_eq!(before(2460), "41 minutes ago");
        assert_eq!(before(7300), "2 hours ago");
        assert_eq!(before(90_000), "yesterday, 11:00");
    }

    #[test]
    fn how_far_a_moment_lies_is_told_in_two_units() {
        let ahead = |seconds| distance(NOON + Duration::from_secs(seconds), NOON);
        assert_eq!(ahead(0), "now");
        assert_eq!(ahead(6 * 86_400 + 22 * 3600 + 59), "in 6 days 22 hours");
        assert_eq!(ahead(86_400 + 5), "in 1 day");
        assert_eq!(ahead(300), "in 5 minutes");
        assert_eq!(distance(NOON - Duration::from_secs(61), NOON), "1 minute 1 second ago");
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(41_206), "41,206");
        assert_eq!(thousands(-1_000_000), "-1,000,000");
        assert_eq!(count_words(1, "device", "devices"), "1 device");
    }
}
