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
        let value = match &self.place.value {
            Value::Null => serde_json::Value::Null,
            Value::Number(number) => (*number).into(),
            Value::Text(text) => text.as_str().into(),
        };
        URL_SAFE_NO_PAD.encode(serde_json::json!([value, self.place.id, self.ordinal]).to_string())
    }

    /// Reads one back, if it is of the kind of this column: a cursor of another list or order is none.
    pub fn decode(text: &str, column: &SortColumn) -> Option<Self> {
        let json = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (value, id, ordinal): (serde_json::Value, i64, i64) = serde_json::from_slice(&json).ok()?;
        let value = match value {
            serde_json::Value::Null if column.nullable => Value::Null,
            serde_json::Value::Number(number) if !column.text => Value::Number(number.as_i64()?),
            serde_json::Value::String(text) if column.text && !text.contains('\0') => Value::Text(text),
            _ => return None,
        };
        Some(Self { place: Place { value, id }, ordinal })
    }
}
