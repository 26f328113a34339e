//! How times, numbers and durations are written for people.

use std::time::Duration;

use askama::filters::Safe;
use chrono::{DateTime, Datelike, Days, FixedOffset, NaiveDate, SecondsFormat};

use crate::clock::Timestamp;
use crate::language::{Said, escaped};
use crate::zone::{Zone, offset_words};

const DAY: u64 = 86_400;

/// The viewer's present: the moment, and the zone whose clocks they read.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// The moment.
    pub at: Timestamp,
    /// The zone.
    pub zone: Zone,
}

impl Now {
    /// Today, where the viewer is.
    pub fn today(self) -> NaiveDate {
        self.zone.local(self.at).date_naive()
    }

    /// The zone and how far its clocks are from UTC now: "Europe/Oslo (UTC+1)".
    pub fn zone_words(self) -> String {
        let (name, offset) = (self.zone.name(), offset_words(&self.zone.local(self.at)));
        if name == offset { offset } else { format!("{name} ({offset})") }
    }

    /// So many seconds before: whole days are days of the viewer's zone, the first of them from its beginning on.
    pub fn back(self, seconds: u64) -> Timestamp {
        match seconds / DAY {
            days if days > 1 && seconds.is_multiple_of(DAY) => self.days_ago(days),
            _ => self.at - Duration::from_secs(seconds),
        }
    }

    /// When the day began that is so many days before today: days of the viewer's zone, of 23 or 25 hours where clocks change.
    pub fn days_ago(self, days: u64) -> Timestamp {
        let day = self.today().checked_sub_days(Days::new(days)).unwrap_or(NaiveDate::MIN);
        self.zone.midnight(day)
    }
}

/// A moment for a page: for machines, in full, and as people say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct When {
    /// ISO 8601 with the offset, for `<time datetime>`.
    pub iso: String,
    /// In full, with the offset, for the title.
    pub full: String,
    /// "today, 10:02", "yesterday, 17:12", "9 Nov", "14 Mar 2025".
    pub short: String,
}

impl When {
    /// The moment `at` as it is said at `now`, where the viewer is.
    pub fn new(at: Timestamp, now: Now) -> Self {
        let (at, today) = (now.zone.local(at), now.today());
        let days = at.date_naive().signed_duration_since(today).num_days();
        let (date, time) = (at.date_naive(), at.format("%H:%M"));
        let short = match days {
            0 => say!("today, {time}", time),
            -1 => say!("yesterday, {time}", time),
            1 => say!("tomorrow, {time}", time),
            _ if at.year() == today.year() => short_day(date),
            _ => day_words(date),
        };
        let (day, time, offset) = (day_words(date), at.format("%H:%M:%S"), offset_words(&at));
        Self { iso: iso(&at), full: say!("{day}, {time} {offset}", day, time, offset), short }
    }
}

/// A day with its year: "14 Mar 2025".
pub fn day_words(date: NaiveDate) -> String {
    say!("{day} {month} {year}", day = date.day(), month = month(date), year = date.year())
}

/// A day without its year: "14 Mar".
pub fn short_day(date: NaiveDate) -> String {
    say!("{day} {month}", day = date.day(), month = month(date))
}

/// The month of a day, short: "Mar".
fn month(date: NaiveDate) -> Said {
    const MONTHS: [&str; 12] = [
        key!("Jan"),
        key!("Feb"),
        key!("Mar"),
        key!("Apr"),
        key!("May"),
        key!("Jun"),
        key!("Jul"),
        key!("Aug"),
        key!("Sep"),
        key!("Oct"),
        key!("Nov"),
        key!("Dec"),
    ];
    let month = usize::try_from(date.month0()).ok().and_then(|month| MONTHS.get(month));
    Said::of(month.copied().unwrap_or_default())
}

impl When {
    /// As a `<time>` inside a sentence.
    pub fn markup(&self) -> Safe<String> {
        self.saying(&self.short)
    }

    /// The same with the time of day alone.
    pub fn clock_markup(&self) -> Safe<String> {
        self.saying(self.clock())
    }

    fn saying(&self, words: &str) -> Safe<String> {
        let Self { iso, full, .. } = self;
        Safe(format!("<time datetime=\"{}\" title=\"{}\">{}</time>", escaped(iso), escaped(full), escaped(words)))
    }

    /// The time of day alone.
    pub fn clock(&self) -> &str {
        self.iso.get(11..16).unwrap_or_default()
    }
}

fn iso(at: &DateTime<FixedOffset>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// How long ago something was: "just now", "41 minutes ago", and beyond a day the moment itself.
pub fn ago(at: Timestamp, now: Now) -> String {
    match now.at.since(at).as_secs() {
        0..60 => say!("just now"),
        seconds @ 60..3600 => say!(count = seconds / 60 => "{count} minute ago" | "{count} minutes ago"),
        seconds @ 3600..86_400 => say!(count = seconds / 3600 => "{count} hour ago" | "{count} hours ago"),
        _ => When::new(at, now).short,
    }
}

/// How far a moment lies from now, in its two largest units: "in 6 days 22 hours", "3 minutes ago", "now".
pub fn distance(at: Timestamp, now: Now) -> String {
    let is_ahead = at >= now.at;
    let seconds = if is_ahead { at.since(now.at) } else { now.at.since(at) }.as_secs();
    match (seconds, is_ahead) {
        (0, _) => say!("now"),
        (_, true) => say!("in {time}", time = time_words(seconds)),
        (_, false) => say!("{time} ago", time = time_words(seconds)),
    }
}

/// So many seconds in their two largest units: "6 days 22 hours", "5 minutes".
pub fn time_words(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / DAY, seconds % DAY / 3600, seconds % 3600 / 60);
    let units = [
        (days, said!(days => "{days} day" | "{days} days")),
        (hours, said!(hours => "{hours} hour" | "{hours} hours")),
        (minutes, said!(minutes => "{minutes} minute" | "{minutes} minutes")),
        (seconds % 60, said!(seconds = seconds % 60 => "{seconds} second" | "{seconds} seconds")),
    ];
    let mut largest = units.into_iter().skip_while(|(count, _)| *count == 0);
    match (largest.next(), largest.next()) {
        (Some((_, large)), Some((count, small))) if count > 0 => say!("{large} {small}", large, small),
        (Some((_, large)), _) => large.to_string(),
        (None, _) => say!(seconds = 0 => "{seconds} second" | "{seconds} seconds"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::from_seconds(1_795_348_800); // 22 Nov 2026, 12:00 UTC

    fn utc(at: Timestamp) -> Now {
        Now { at, zone: Zone::UTC }
    }

    /// The present in Oslo, told in UTC.
    fn oslo(at: &str) -> Now {
        Now { at: moment(at), zone: Zone::named("Europe/Oslo").unwrap() }
    }

    fn moment(at: &str) -> Timestamp {
        Timestamp::from_seconds(DateTime::parse_from_rfc3339(at).unwrap().timestamp())
    }

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
            assert_eq!(When::new(at, utc(NOON)).short, said);
        }
        assert_eq!(When::new(NOON, utc(NOON)).full, "22 Nov 2026, 12:00:00 UTC");
    }

    /// The days on which clocks go forward and back have 23 and 25 hours; both their midnights are days' borders.
    #[test]
    fn days_are_days_of_the_viewers_zone_across_clock_changes() {
        for (now, at, said) in [
            // Forward on 29 March at 01:00 UTC: midnight before is 23:00 UTC, the one after 22:00.
            ("2026-03-29T12:00:00Z", "2026-03-28T22:59:59Z", "yesterday, 23:59"),
            ("2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z", "today, 00:00"),
            ("2026-03-29T12:00:00Z", "2026-03-29T00:59:00Z", "today, 01:59"),
            ("2026-03-29T12:00:00Z", "2026-03-29T01:00:00Z", "today, 03:00"),
            ("2026-03-29T12:00:00Z", "2026-03-29T21:59:59Z", "today, 23:59"),
            ("2026-03-29T12:00:00Z", "2026-03-29T22:00:00Z", "tomorrow, 00:00"),
            ("2026-03-29T22:00:00Z", "2026-03-29T21:59:00Z", "yesterday, 23:59"),
            // Back on 25 October at 01:00 UTC: from 22:00 to 23:00, and two o'clock comes twice.
            ("2026-10-25T12:00:00Z", "2026-10-24T21:59:59Z", "yesterday, 23:59"),
            ("2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z", "today, 00:00"),
            ("2026-10-25T12:00:00Z", "2026-10-25T00:30:00Z", "today, 02:30"),
            ("2026-10-25T12:00:00Z", "2026-10-25T01:30:00Z", "today, 02:30"),
            ("2026-10-25T12:00:00Z", "2026-10-25T22:59:59Z", "today, 23:59"),
            ("2026-10-25T12:00:00Z", "2026-10-25T23:00:00Z", "tomorrow, 00:00"),
            ("2026-01-01T12:00:00Z", "2025-12-31T23:30:00Z", "today, 00:30"),
            ("2026-01-02T12:00:00Z", "2025-12-31T22:30:00Z", "31 Dec 2025"),
        ] {
            assert_eq!(When::new(moment(at), oslo(now)).short, said, "{at} at {now}");
        }
        let twice = ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"];
        let twice = twice.map(|at| When::new(moment(at), oslo("2026-10-25T12:00:00Z")));
        assert_eq!(twice.clone().map(|when| when.iso), ["2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00"]);
        assert_eq!(twice.map(|when| when.full), ["25 Oct 2026, 02:30:00 UTC+2", "25 Oct 2026, 02:30:00 UTC+1"]);
    }

    #[test]
    fn filters_count_days_of_the_viewers_zone_and_hours_of_any() {
        const HOUR: u64 = 3600;
        for (now, seconds, from) in [
            ("2026-03-30T12:00:00Z", 7 * DAY, "2026-03-22T23:00:00Z"),
            ("2026-10-26T12:00:00Z", 7 * DAY, "2026-10-18T22:00:00Z"),
            ("2026-10-26T12:00:00Z", 30 * DAY, "2026-09-25T22:00:00Z"),
            // It is the next day in Oslo already.
            ("2026-03-29T22:30:00Z", 7 * DAY, "2026-03-22T23:00:00Z"),
            ("2026-03-29T21:30:00Z", 7 * DAY, "2026-03-21T23:00:00Z"),
            ("2026-10-25T12:00:00Z", DAY, "2026-10-24T12:00:00Z"),
            ("2026-10-25T12:00:00Z", HOUR, "2026-10-25T11:00:00Z"),
        ] {
            assert_eq!(oslo(now).back(seconds), moment(from), "{seconds} at {now}");
        }
    }

    #[test]
    fn the_zone_is_named_with_its_offset_of_the_moment() {
        assert_eq!(oslo("2026-10-25T00:59:00Z").zone_words(), "Europe/Oslo (UTC+2)");
        assert_eq!(oslo("2026-10-25T01:00:00Z").zone_words(), "Europe/Oslo (UTC+1)");
        assert_eq!(utc(NOON).zone_words(), "UTC");
    }

    #[test]
    fn what_was_lately_is_told_by_its_distance() {
        let before = |seconds| ago(NOON - Duration::from_secs(seconds), utc(NOON));
        assert_eq!(before(59), "just now");
        assert_eq!(before(61), "1 minute ago");
        assert_eq!(before(2460), "41 minutes ago");
        assert_eq!(before(7300), "2 hours ago");
        assert_eq!(before(90_000), "yesterday, 11:00");
    }

    #[test]
    fn how_far_a_moment_lies_is_told_in_two_units() {
        let ahead = |seconds| distance(NOON + Duration::from_secs(seconds), utc(NOON));
        assert_eq!(ahead(0), "now");
        assert_eq!(ahead(6 * 86_400 + 22 * 3600 + 59), "in 6 days 22 hours");
        assert_eq!(ahead(86_400 + 5), "in 1 day");
        assert_eq!(ahead(300), "in 5 minutes");
        assert_eq!(distance(NOON - Duration::from_secs(61), utc(NOON)), "1 minute 1 second ago");
    }
}
