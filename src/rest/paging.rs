//! Pages of a list: in v1 by number, in v2 by cursor. A resource says how it is counted, loaded and sorted; which rows those
//! are is decided here.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::Value as Json;

use crate::db::Conn;
use crate::db::keyset::{Keyset, Kind, Piece, Place, SortColumn, Value};
use crate::error::{Error, Result};
use crate::rest::list::{ListQuery, PAGE_SIZE};
use crate::rest::version::Version;

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Page<T> {
    /// Rows on all pages together; a page by cursor counts none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<i64>,
    /// Where the next page is.
    pub next: Option<String>,
    /// Where the page before is.
    pub previous: Option<String>,
    /// The rows of this page.
    pub results: Vec<T>,
}

impl<T> Page<T> {
    /// The same page with each row as something else.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U> {
        let Self { count, next, previous, results } = self;
        Page { count, next, previous, results: results.into_iter().map(change).collect() }
    }
}

/// A column that a list is sorted by. It has the same name in the database, in `?ordering=` and in answers.
pub struct SortKey<R> {
    column: SortColumn,
    value: fn(&R) -> Value,
}

impl<R> SortKey<R> {
    /// This column, and what a row has there.
    pub const fn of(column: SortColumn, value: fn(&R) -> Value) -> Self {
        Self { column, value }
    }

    /// A column of numbers or times, and what a row has there.
    pub const fn number(name: &'static str, value: fn(&R) -> Value) -> Self {
        Self { column: SortColumn::new(name, Kind::Number, "id"), value }
    }

    /// A column of text.
    pub const fn text(name: &'static str, value: fn(&R) -> Value) -> Self {
        Self { column: SortColumn::new(name, Kind::Text, "id"), value }
    }

    /// A column of yes or no.
    pub const fn flag(name: &'static str, value: fn(&R) -> Value) -> Self {
        Self { column: SortColumn::new(name, Kind::Flag, "id"), value }
    }

    /// A column of days.
    pub const fn day(name: &'static str, value: fn(&R) -> Value) -> Self {
        Self { column: SortColumn::new(name, Kind::Day, "id"), value }
    }

    /// The same, but some rows have nothing there: v1 has those first, as SQLite under Django, v2 always last.
    pub const fn nullable(self) -> Self {
        Self { column: self.column.nullable(), value: self.value }
    }
}

/// How a list is sorted.
pub struct Sorting<R: 'static> {
    /// The id of a row.
    pub id: fn(&R) -> Value,
    /// The order if none is asked for, and whether it descends.
    pub usual: (SortKey<R>, bool),
    /// What may be asked for.
    pub keys: &'static [SortKey<R>],
}

impl<R> Sorting<R> {
    /// By id, the oldest first, unless one of these is asked for.
    pub const fn by(id: fn(&R) -> Value, keys: &'static [SortKey<R>]) -> Self {
        Self { id, usual: (SortKey::number("id", id), false), keys }
    }

    /// By id, the newest first, and in no other order.
    pub const fn newest_first(id: fn(&R) -> Value) -> Self {
        Self { id, usual: (SortKey::number("id", id), true), keys: &[] }
    }

    /// What is asked for and known, in that order; the usual order if that is nothing.
    fn asked(&self, query: &ListQuery) -> Vec<(&SortKey<R>, bool)> {
        let known = |(name, descending): (String, bool)| {
            self.keys.iter().find(|key| key.column.column == name).map(|key| (key, descending))
        };
        let asked: Vec<_> = query.ordering().into_iter().filter_map(known).collect();
        if asked.is_empty() { vec![(&self.usual.0, self.usual.1)] } else { asked }
    }
}

impl ListQuery {
    /// The page that is asked for. `count` says how many rows there are in all, `rows` loads those of a piece.
    ///
    /// # Errors
    /// 404 for a page that is not there; what the two return.
    pub fn page<R>(
        &self,
        conn: &mut Conn,
        sorting: &Sorting<R>,
        count: impl FnOnce(&mut Conn) -> Result<i64>,
        mut rows: impl FnMut(&mut Conn, &Piece) -> Result<Vec<R>>,
    ) -> Result<Page<R>> {
        match self.version() {
            Version::V1 => {
                let window = self.page_window(count(conn)?)?;
                let asked = sorting.asked(self);
                let mut order: Vec<_> = asked.iter().map(|(key, descending)| (key.column, *descending)).collect();
                // The id at the end, so that pages never overlap.
                let id = sorting.usual.0.column.id();
                if order.last().is_none_or(|(last, _)| last.column != id.column) {
                    order.push((id, sorting.usual.1));
                }
                let found = rows(conn, &Piece::counted(&order, window.limit, window.offset))?;
                Ok(self.numbered(window, found))
            }
            Version::V2 => self.by_cursor(sorting, |piece| rows(conn, piece)),
        }
    }

    /// The page at a cursor: by the first column that is asked for alone, since a cursor is a place in one index.
    fn by_cursor<R>(&self, sorting: &Sorting<R>, load: impl FnMut(&Piece) -> Result<Vec<R>>) -> Result<Page<R>> {
        let asked = sorting.asked(self);
        let (key, descending) = asked.first().copied().unwrap_or((&sorting.usual.0, sorting.usual.1));
        let by = key.column;
        let (from, backwards) = match self.param("cursor").filter(|cursor| !cursor.is_empty()) {
            Some(cursor) => read(cursor, &by).map(|(place, backwards)| (Some(place), backwards)),
            None => Some((None, false)),
        }
        .ok_or(Error::NotFound("Invalid cursor".into()))?;
        let rows = usize::try_from(PAGE_SIZE).unwrap_or_default();
        let found = Keyset { by, descending, from: from.clone(), backwards, rows }.load(load)?;
        let place = |row: &R| Place { value: (key.value)(row), id: (sorting.id)(row) };
        let (first, last) = (found.rows.first().map(place), found.rows.last().map(place));
        let link = |is_there: bool, edge: Option<Place>, backwards| {
            edge.or_else(|| from.clone())
                .filter(|_| is_there)
                .map(|place| self.link_with("cursor", write(&place, backwards)))
        };
        let (next, previous) = (link(found.has_after, last, false), link(found.has_before, first, true));
        Ok(Page { count: None, next, previous, results: found.rows })
    }
}

/// A cursor: base64url of where a row stands, and whether the page lies before it.
fn write(place: &Place, backwards: bool) -> String {
    let json = Json::from(vec![place.value.to_json(), place.id.to_json(), backwards.into()]);
    URL_SAFE_NO_PAD.encode(json.to_string())
}

fn read(cursor: &str, by: &SortColumn) -> Option<(Place, bool)> {
    let json = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (value, id, backwards): (Json, Json, bool) = serde_json::from_slice(&json).ok()?;
    Some((Place::from_json(&value, &id, by)?, backwards))
}
