//! Where a page begins, as it stands in a URL: base64url of the sorted value, the id and the row's number in the list.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::db::keyset::{Place, SortColumn, Value};

/// A row at the edge of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Where it stands.
    pub place: Place,
    /// Its number in the list, from one: only for "51–100 of".
    pub ordinal: i64,
}

impl Cursor {
    /// As it stands in a URL.
    pub fn encode(&self) -> String {
        let json = |value: &Value| match value {
            Value::Null => serde_json::Value::Null,
            Value::Number(number) => (*number).into(),
            Value::Text(text) => text.as_str().into(),
        };
        let Place { value, id } = &self.place;
        URL_SAFE_NO_PAD.encode(serde_json::json!([json(value), json(id), self.ordinal]).to_string())
    }

    /// Reads one back, if it is of the kind of this column: a cursor of another list or order is none.
    pub fn decode(text: &str, column: &SortColumn) -> Option<Self> {
        let json = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (value, id, ordinal): (serde_json::Value, serde_json::Value, i64) = serde_json::from_slice(&json).ok()?;
        let read = |value, text: bool, nullable: bool| match value {
            serde_json::Value::Null if nullable => Some(Value::Null),
            serde_json::Value::Number(number) if !text => number.as_i64().map(Value::Number),
            serde_json::Value::String(given) if text && !given.contains('\0') => Some(Value::Text(given)),
            _ => None,
        };
        let place = Place { value: read(value, column.text, column.nullable)?, id: read(id, column.text_id, false)? };
        Some(Self { place, ordinal })
    }
}
