//! Where a page begins, as it stands in a URL: base64url of the sorted value, the id and the row's number in the list.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value as Json;

use crate::db::keyset::{Place, SortColumn};

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
        let Place { value, id } = &self.place;
        URL_SAFE_NO_PAD.encode(serde_json::json!([value.to_json(), id.to_json(), self.ordinal]).to_string())
    }

    /// Reads one back, if it is of the kind of this column: a cursor of another list or order is none.
    pub fn decode(text: &str, column: &SortColumn) -> Option<Self> {
        let json = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (value, id, ordinal): (Json, Json, i64) = serde_json::from_slice(&json).ok()?;
        Some(Self { place: Place::from_json(&value, &id, column)?, ordinal })
    }
}
