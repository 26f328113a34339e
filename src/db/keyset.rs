//! Pages of a list by key: the ten-thousandth costs what the first does, since nothing is counted off.
//!
//! A page begins where a row stood: its value in the sorted column, and its id for ties. Each piece of it is one range of
//! an index on (column, id). A column that may be null is two pieces, the rows with a value and then those without, so
//! that nulls come last in both directions and on both databases.

use diesel::dsl::sql;
use diesel::expression::{BoxableExpression, SqlLiteral};
use diesel::sql_types::{BigInt, Bool, Text, Untyped};

use super::Backend;
use super::sql::Condition;
use crate::clock::Timestamp;
use crate::error::Result;

/// A column by which a list may be sorted; an index on (column, id) must be there.
#[derive(Clone, Copy, Debug)]
pub struct SortColumn {
    /// The column with its table, as SQL has it.
    pub column: &'static str,
    /// The table's key, which breaks ties.
    pub id: &'static str,
    /// Whether it holds text, not numbers.
    pub text: bool,
    /// Whether the key does.
    pub text_id: bool,
    /// Whether there are rows without a value.
    pub nullable: bool,
}

/// What a row has in the sorted column.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// Nothing.
    Null,
    /// A number or a time.
    Number(i64),
    /// Text.
    Text(String),
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<Timestamp> for Value {
    fn from(at: Timestamp) -> Self {
        Self::Number(at.micros())
    }
}

impl From<Option<Timestamp>> for Value {
    fn from(at: Option<Timestamp>) -> Self {
        at.map_or(Self::Null, Self::from)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
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

/// A range of one index: the caller filters and orders its query by it and loads.
pub struct Piece {
    by: SortColumn,
    nulls: bool,
    /// Reading order, not the list's: backwards it is turned round.
    descending: bool,
    from: Option<Place>,
    /// The most rows to load.
    pub limit: i64,
}

impl Keyset {
    /// Loads the page. `load` runs the list's query with a piece's condition, order and limit; it is called once, or twice
    /// where the column may be null.
    pub fn load<R>(&self, mut load: impl FnMut(&Piece) -> Result<Vec<R>>) -> Result<Page<R>> {
        let wanted = self.rows.saturating_add(1); // one more tells whether there is more
        let mut rows = Vec::new();
        for mut piece in self.pieces() {
            piece.limit = wanted.saturating_sub(rows.len()).try_into().unwrap_or(i64::MAX);
            if piece.limit > 0 {
                rows.extend(load(&piece)?);
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

    fn pieces(&self) -> Vec<Piece> {
        let piece = |nulls, from: Option<&Place>| Piece {
            by: self.by,
            nulls,
            descending: self.descending != self.backwards,
            from: from.cloned(),
            limit: 0,
        };
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
    /// What the rows of this piece meet.
    pub fn condition<T: 'static>(&self) -> Condition<T>
    where
        SqlLiteral<Bool>: BoxableExpression<T, Backend, SqlType = Bool>,
    {
        let SortColumn { column, id, nullable, .. } = self.by;
        let beyond = if self.descending { "<" } else { ">" };
        match (&self.from, self.nulls) {
            (None, true) => Box::new(sql::<Bool>(&format!("{column} IS NULL"))),
            (None, false) if nullable => Box::new(sql::<Bool>(&format!("{column} IS NOT NULL"))),
            (None, false) => Box::new(sql::<Bool>("1 = 1")),
            (Some(at), true) => {
                let start = sql::<Bool>(&format!("{column} IS NULL AND {id} {beyond} "));
                match &at.id {
                    Value::Text(id) => Box::new(start.bind::<Text, _>(id.clone())),
                    Value::Number(id) => Box::new(start.bind::<BigInt, _>(*id)),
                    Value::Null => Box::new(sql::<Bool>("1 = 1")),
                }
            }
            (Some(at), false) => {
                let start = sql::<Bool>(&format!("({column}, {id}) {beyond} ("));
                match (at.value.clone(), at.id.clone()) {
                    (Value::Text(value), Value::Text(id)) => {
                        Box::new(start.bind::<Text, _>(value).sql(", ").bind::<Text, _>(id).sql(")"))
                    }
                    (Value::Text(value), Value::Number(id)) => {
                        Box::new(start.bind::<Text, _>(value).sql(", ").bind::<BigInt, _>(id).sql(")"))
                    }
                    (Value::Number(value), Value::Text(id)) => {
                        Box::new(start.bind::<BigInt, _>(value).sql(", ").bind::<Text, _>(id).sql(")"))
                    }
                    (Value::Number(value), Value::Number(id)) => {
                        Box::new(start.bind::<BigInt, _>(value).sql(", ").bind::<BigInt, _>(id).sql(")"))
                    }
                    (Value::Null, _) | (_, Value::Null) => Box::new(sql::<Bool>(&format!("{column} IS NOT NULL"))),
                }
            }
        }
    }

    /// The order to read this piece in.
    pub fn order(&self) -> SqlLiteral<Untyped> {
        let SortColumn { column, id, .. } = self.by;
        let way = if self.descending { "DESC" } else { "ASC" };
        if self.nulls { sql(&format!("{id} {way}")) } else { sql(&format!("{column} {way}, {id} {way}")) }
    }
}
