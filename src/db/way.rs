//! How a page of a narrowed list is found. PostgreSQL knows by its statistics how many rows a condition lets through; SQLite does
//! not, and either sorts half a table or reads all of one for a handful of rows. But a list counts what it shows, up to a limit,
//! and that is the one figure that a plan needs: few rows are found by the condition and then sorted, many are met soon enough
//! on a walk in the order of the list.
//!
//! What neither knows is that words and a text that is sorted by go together: in the order of their names, all whose name is
//! Sofia stand in one place, and a walk may read everybody before it. So a walk looks at the nearest rows alone, and if they do
//! not fill the page, what the words find is sorted, on both databases.

use diesel::expression::{AppearsOnTable, Expression, SelectableExpression, ValidGrouping, is_aggregate};
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sql_types::Bool;

use super::keyset::{Kind, SortColumn};
use super::sql::Condition;
use super::{Backend, Conn};

/// So many rows are sorted sooner than met on a walk.
const FEW: i64 = 2_000;
/// So many are sorted as soon as a walk nearby has looked for them.
const FEWER: i64 = 500;

/// How rows are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// As the database plans it.
    Planned,
    /// By an index of the condition, then sorted.
    Few,
    /// In the order of the list, each judged by the condition, until the page is full.
    Many,
    /// The same of the nearest rows alone: a few for each that the page holds.
    Near,
}

impl Way {
    /// The way to find a page of so many rows.
    pub fn to(conn: &Conn, matching: i64) -> Self {
        match conn {
            Conn::Postgres(_) => Self::Planned,
            Conn::Sqlite(_) if matching <= FEW => Self::Few,
            Conn::Sqlite(_) => Self::Many,
        }
    }

    /// The ways to find a page of so many rows that have these words, in this order: each is tried if the one before has not
    /// filled the page.
    pub fn to_words(conn: &Conn, matching: i64, words: &[String], by: &SortColumn) -> Vec<Self> {
        if words.is_empty() || by.kind != Kind::Text {
            return vec![Self::to(conn, matching)];
        }
        if matching <= FEWER { vec![Self::Few] } else { vec![Self::Near, Self::Few] }
    }

    /// Whether the order of the list leads the way, and its rows are judged one by one.
    pub fn is_walk(self) -> bool {
        matches!(self, Self::Many | Self::Near)
    }

    /// A column to sort by: where what was found is sorted, it is made an expression, which no index is looked up for.
    pub(super) fn sorting(self, column: &str, kind: Kind) -> String {
        match (self, kind) {
            (Self::Few, Kind::Text) => format!("({column} || '')"),
            (Self::Few, _) => format!("+{column}"),
            _ => column.to_owned(),
        }
    }

    /// The condition that narrows: on a walk no index of its own is looked up.
    pub fn narrowing<T: 'static>(self, condition: Condition<T>) -> Condition<T> {
        if self.is_walk() { Box::new(Judged(condition)) } else { condition }
    }
}

/// A condition that no index is looked up for.
struct Judged<T>(Condition<T>);

impl<T> Expression for Judged<T> {
    type SqlType = Bool;
}

impl<T> SelectableExpression<T> for Judged<T> {}
impl<T> AppearsOnTable<T> for Judged<T> {}

impl<T> ValidGrouping<()> for Judged<T> {
    type IsAggregate = is_aggregate::Never;
}

impl<T> QueryId for Judged<T> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<T> QueryFragment<Backend> for Judged<T> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Backend>) -> QueryResult<()> {
        out.push_sql("(");
        self.0.walk_ast(out.reborrow())?;
        out.push_sql(") IS TRUE");
        Ok(())
    }
}
