//! Pages of a list by key: the ten-thousandth costs what the first does, since nothing is counted off.
//!
//! A page begins where a row stood: its value in the sorted column, and its id for ties. Each piece of it is one range of
//! an index on (column, id). A column that may be null is two pieces, the rows with a value and then those without, so
//! that nulls come last in both directions and on both databases.

use chrono::NaiveDate;
use diesel::dsl::sql;
use diesel::expression::SqlLiteral;
use diesel::sql_types::Untyped;
use serde_json::Value as Json;

use super::rows::Rows;
use super::way::Way;
use crate::clock::Timestamp;
use crate::error::Result;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Numbers or times.
    Number,
    /// Text.
    Text,
    /// Yes or no.
    Flag,
    /// Days.
    Day,
}

/// A column by which a list may be sorted; an index on (column, id) must be there.
#[derive(Clone, Copy, Debug)]
pub struct SortColumn {
    /// The column with its table, as SQL has it.
    pub column: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// The table's key, which breaks ties.
    pub id: &'static str,
    /// What the key is.
    pub id_kind: Kind,
    /// Whether there are rows without a value.
    pub nullable: bool,
}

impl SortColumn {
    /// A column that is never null, of a table whose key `id` is a number.
    pub const fn new(column: &'static str, kind: Kind, id: &'static str) -> Self {
        Self { column, kind, id, id_kind: Kind::Number, nullable: false }
    }

    /// The key itself as a column.
    pub const fn id(self) -> Self {
        Self { column: self.id, kind: self.id_kind, nullable: false, ..self }
    }

    /// The same, but there are rows without a value.
    pub const fn nullable(self) -> Self {
        Self { nullable: true, ..self }
    }

    /// The same of a table whose key is text.
    pub const fn with_text_id(self) -> Self {
        Self { id_kind: Kind::Text, ..self }
    }
}

/// What a row has in the sorted column, or as its key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// Nothing.
    Null,
    /// A number or a time.
    Number(i64),
    /// Text.
    Text(String),
    /// Yes or no.
    Flag(bool),
    /// A day.
    Day(NaiveDate),
}

impl Value {
    /// As a cursor has it.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Number(number) => (*number).into(),
            Self::Text(text) => text.as_str().into(),
            Self::Flag(flag) => (*flag).into(),
            Self::Day(day) => day.to_string().into(),
        }
    }

    /// Read back from a cursor, if it is of this kind.
    pub fn from_json(json: &Json, kind: Kind) -> Option<Self> {
        match (json, kind) {
            (Json::Number(number), Kind::Number) => number.as_i64().map(Self::Number),
            (Json::String(text), Kind::Text) if !text.contains('\0') => Some(Self::Text(text.clone())),
            (Json::Bool(flag), Kind::Flag) => Some(Self::Flag(*flag)),
            (Json::String(day), Kind::Day) => day.parse().ok().map(Self::Day),
            _ => None,
        }
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<NaiveDate> for Value {
    fn from(day: NaiveDate) -> Self {
        Self::Day(day)
    }
}

impl From<Timestamp> for Value {
    fn from(at: Timestamp) -> Self {
        Self::Number(at.micros())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// Where a row stands in the order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its value in the sorted column.
    pub value: Value,
    /// Its id.
    pub id: Value,
}

impl Place {
    /// Read back from a cursor, if it is one of a list that is sorted by this column.
    pub fn from_json(value: &Json, id: &Json, by: &SortColumn) -> Option<Self> {
        let value = match value {
            Json::Null if by.nullable => Value::Null,
            value => Value::from_json(value, by.kind)?,
        };
        Some(Self { value, id: Value::from_json(id, by.id_kind)? })
    }
}

/// The rows that a walk nearby ([`Way::Near`]) looks at, for each that is wanted.
const NEAR: i64 = 4;

/// One page that is wanted.
#[derive(Clone, Debug)]
pub struct Keyset {
    /// Sorted by this.
    pub by: SortColumn,
    /// Largest first.
    pub descending: bool,
    /// The row beyond which the page lies; the end of the list if there is none.
    pub from: Option<Place>,
    /// The page before that row, not after.
    pub backwards: bool,
    /// How many rows it has at most.
    pub rows: usize,
}

/// A page as it was found.
#[derive(Clone, Debug)]
pub struct Page<R> {
    /// Its rows, in order.
    pub rows: Vec<R>,
    /// Whether rows come before it.
    pub has_before: bool,
    /// Whether rows come after it.
    pub has_after: bool,
}

/// What a list's query is cut down to: the caller filters and orders by it, and loads.
#[derive(Clone, Debug)]
pub struct Piece {
    rows: Rows,
    id: &'static str,
    order: String,
    /// How its rows are found.
    pub way: Way,
    /// The most rows to load.
    pub limit: i64,
    /// The rows to leave out before.
    pub offset: i64,
}

impl Keyset {
    /// Loads the page. `load` runs the list's query with a piece's condition, order and limit; it is called once, or twice
    /// where the column may be null.
    pub fn load<R>(&self, load: impl FnMut(&Piece) -> Result<Vec<R>>) -> Result<Page<R>> {
        self.load_by(&[Way::Planned], load)
    }

    /// The same of a narrowed list, whose rows are found in the first of these ways that fills the page, or else in the last.
    pub fn load_by<R>(&self, ways: &[Way], mut load: impl FnMut(&Piece) -> Result<Vec<R>>) -> Result<Page<R>> {
        let wanted = self.rows.saturating_add(1); // one more tells whether there is more
        let mut rows = Vec::new();
        for way in ways {
            rows.clear();
            for mut piece in self.pieces(*way) {
                piece.limit = wanted.saturating_sub(rows.len()).try_into().unwrap_or(i64::MAX);
                if piece.limit > 0 {
                    rows.extend(load(&piece)?);
                }
            }
            if rows.len() >= wanted {
                break;
            }
        }
        let more = rows.len() > self.rows;
        rows.truncate(self.rows);
        let began_inside = self.from.is_some();
        if self.backwards {
            rows.reverse();
            return Ok(Page { rows, has_before: more, has_after: began_inside });
        }
        Ok(Page { rows, has_before: began_inside, has_after: more })
    }

    /// One page of two that were loaded from two tables of like rows. `place` tells where a row stands.
    pub fn merge<R>(&self, one: Page<R>, other: Page<R>, place: impl Fn(&R) -> Place) -> Page<R> {
        let (before, after) = (one.has_before || other.has_before, one.has_after || other.has_after);
        let mut rows: Vec<R> = one.rows.into_iter().chain(other.rows).collect();
        rows.sort_by(|a, b| {
            let (a, b) = (place(a), place(b));
            let order = a.value.cmp(&b.value).then_with(|| a.id.cmp(&b.id));
            if self.descending { order.reverse() } else { order }
        });
        let surplus = rows.len().saturating_sub(self.rows);
        if self.backwards {
            rows.drain(..surplus);
            return Page { rows, has_before: before || surplus > 0, has_after: after };
        }
        rows.truncate(self.rows);
        Page { rows, has_before: before, has_after: after || surplus > 0 }
    }

    fn pieces(&self, by: Way) -> Vec<Piece> {
        let descending = self.descending != self.backwards;
        let piece = |nulls, from: Option<&Place>| Piece::of(self.by, nulls, descending, from, by);
        if !self.by.nullable {
            return vec![piece(false, self.from.as_ref())];
        }
        let (mut values, mut nulls) = (Some(piece(false, None)), Some(piece(true, None)));
        match (&self.from, self.backwards) {
            (None, _) => {}
            (Some(at), false) if at.value == Value::Null => (values, nulls) = (None, Some(piece(true, Some(at)))),
            (Some(at), true) if at.value == Value::Null => nulls = Some(piece(true, Some(at))),
            (Some(at), false) => values = Some(piece(false, Some(at))),
            (Some(at), true) => (values, nulls) = (Some(piece(false, Some(at))), None),
        }
        let in_order = if self.backwards { [nulls, values] } else { [values, nulls] };
        in_order.into_iter().flatten().collect()
    }
}

impl Piece {
    /// Rows by number: `limit` of them after the first `offset`, in the order of these columns, each with whether it
    /// descends. Nulls are least.
    pub fn counted(order: &[(SortColumn, bool)], limit: i64, offset: i64) -> Self {
        let terms = order.iter().flat_map(|(by, descending)| {
            let (column, way) = (by.column, way(*descending));
            let nulls = by.nullable.then(|| format!("{column} IS NOT NULL {way}"));
            nulls.into_iter().chain([format!("{column} {way}")])
        });
        let order = terms.collect::<Vec<_>>().join(", ");
        Self { rows: Rows::all(), id: "id", order, way: Way::Planned, limit, offset }
    }

    /// A range of one index, in reading order: backwards it is the list's turned round.
    fn of(by: SortColumn, nulls: bool, descending: bool, from: Option<&Place>, found: Way) -> Self {
        let nullable = by.nullable;
        let (column, id) = (found.sorting(by.column, by.kind), found.sorting(by.id, by.id_kind));
        let (beyond, way) = (if descending { "<" } else { ">" }, way(descending));
        let (values, ids) = (from.map(|at| at.value.clone()), from.map(|at| at.id.clone()));
        let rows = match (values, ids) {
            (Some(_), Some(at)) if nulls => Rows(vec![(format!("{column} IS NULL AND {id} {beyond} "), Some(at))]),
            (Some(_), Some(at)) if column == id => Rows(vec![(format!("{id} {beyond} "), Some(at))]),
            // PostgreSQL judges a pair by its first column alone, which of yes and no says nothing: it would take this for
            // very few rows, and read everybody's for the sake of the order.
            (Some(flag @ Value::Flag(_)), Some(at)) => Rows(vec![
                (format!("({column} {beyond} "), Some(flag.clone())),
                (format!(" OR ({column} = "), Some(flag)),
                (format!(" AND {id} {beyond} "), Some(at)),
                ("))".to_owned(), None),
            ]),
            (Some(value), Some(at)) => Rows(vec![
                (format!("({column}, {id}) {beyond} ("), Some(value)),
                (", ".to_owned(), Some(at)),
                (")".to_owned(), None),
            ]),
            _ if nulls => Rows(vec![(format!("{column} IS NULL"), None)]),
            _ if nullable => Rows(vec![(format!("{column} IS NOT NULL"), None)]),
            _ => Rows::all(),
        };
        let order = if nulls || column == id { format!("{id} {way}") } else { format!("{column} {way}, {id} {way}") };
        Self { rows, id: by.id, order, way: found, limit: 0, offset: 0 }
    }

    /// What the rows of this piece meet.
    pub fn condition(&self) -> Rows {
        if self.way != Way::Near {
            return self.rows.clone();
        }
        let Self { rows, id, order, limit, .. } = self;
        let table = id.split('.').next().unwrap_or(id);
        let mut near = rows.clone();
        near.0.insert(0, (format!("{id} IN (SELECT {id} FROM {table} WHERE "), None));
        near.0.push((format!(" ORDER BY {order} LIMIT "), Some(Value::Number(limit.saturating_mul(NEAR)))));
        near.0.push((")".to_owned(), None));
        near
    }

    /// The order to read this piece in.
    pub fn order(&self) -> SqlLiteral<Untyped> {
        sql(&self.order)
    }
}

fn way(descending: bool) -> &'static str {
    if descending { "DESC" } else { "ASC" }
}
