//! One row of a Django database as a JSON object: SQLite, PostgreSQL and `dumpdata` write the same values differently.

use chrono::{DateTime, NaiveDate};
use serde_json::{Map, Value};

use crate::clock::Timestamp;

/// A row by the names of its columns; in a dump, of its fields and `id`.
#[derive(Clone, Debug, Default)]
pub struct Record(pub Map<String, Value>);

impl Record {
    /// Reads one object.
    ///
    /// # Errors
    /// The parser's.
    pub fn parse(line: &str) -> anyhow::Result<Self> {
        Ok(Self(serde_json::from_str(line)?))
    }

    /// The value itself; null where there is none.
    pub fn value(&self, name: &str) -> &Value {
        self.0.get(name).unwrap_or(&Value::Null)
    }

    /// Whether the row has such a column at all.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// A whole number.
    pub fn int(&self, name: &str) -> Option<i64> {
        self.value(name).as_i64()
    }

    /// Text; empty for null and for what is no text.
    pub fn text(&self, name: &str) -> &str {
        self.value(name).as_str().unwrap_or_default()
    }

    /// A truth value: SQLite has 0 and 1.
    pub fn flag(&self, name: &str) -> bool {
        match self.value(name) {
            Value::Bool(flag) => *flag,
            Value::Number(number) => number.as_i64() != Some(0),
            _ => false,
        }
    }

    /// A moment. What names no time zone is in UTC: so Django keeps it in SQLite, and everywhere with `USE_TZ`.
    pub fn time(&self, name: &str) -> Option<Timestamp> {
        let text = self.text(name).trim().replacen(' ', "T", 1);
        let (_, clock) = text.split_once('T')?;
        let zoned = if clock.contains(['Z', '+', '-']) { text } else { format!("{text}Z") };
        DateTime::parse_from_rfc3339(&zoned).ok().map(|time| Timestamp::from_micros(time.timestamp_micros()))
    }

    /// A day.
    pub fn day(&self, name: &str) -> Option<NaiveDate> {
        self.text(name).parse().ok()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_reads_the_same_however_it_is_written() {
        for (text, fraction) in [
            ("2026-01-01 12:00:00.123456", 123_456),
            ("2026-01-01T12:00:00.123456+00:00", 123_456),
            ("2026-01-01T13:00:00.123456+01:00", 123_456),
            ("2026-01-01T12:00:00.123Z", 123_000),
            ("2026-01-01 12:00:00", 0),
            ("2026-01-01T12:00:00", 0),
        ] {
            let record = Record::parse(&serde_json::json!({ "at": text }).to_string()).unwrap();
            assert_eq!(record.time("at"), Some(Timestamp::from_micros(1_767_268_800_000_000 + fraction)), "{text}");
        }
        for text in ["", "soon", "2026-01-01", "infinity"] {
            let record = Record::parse(&serde_json::json!({ "at": text }).to_string()).unwrap();
            assert_eq!(record.time("at"), None, "{text}");
        }
    }
}
