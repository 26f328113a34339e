//! How a page of a narrowed list is found. PostgreSQL knows by its statistics how many rows a condition lets through; SQLite does
//! not, and either sorts half a table or reads all of one for a handful of rows. But a list counts what it shows, up to a limit,
//! and that is the one figure that a plan needs: few rows are found by the condition and then sorted, many are met soon enough
//! on a walk in the order of the list.

use diesel::expression::{AppearsOnTable, Expression, SelectableExpression, ValidGrouping, is_aggregate};
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sql_types::Bool;

use super::sql::Condition;
use super::{Backend, Conn};

/// So many rows are sorted sooner than met on a walk.
const FEW: i64 = 2_000;

/// How rows are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// As the database plans it.
    Planned,
    /// By an index of the condition, then sorted.
    Few,
    /// In the order of the list, each judged by the condition, until the page is full.
    Many,
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

    /// A column to sort by: on SQLite a plus sign keeps its index out of the plan.
    pub(super) fn sorting(self, column: &str) -> String {
        format!("{}{column}", if self == Self::Few { "+" } else { "" })
    }

    /// The condition that narrows: where the order leads the way, a plus sign keeps its indexes out of the plan.
    pub fn narrowing<T: 'static>(self, condition: Condition<T>) -> Condition<T> {
        if self == Self::Many { Box::new(Judged(condition)) } else { condition }
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
        out.push_sql("+(");
        self.0.walk_ast(out.reborrow())?;
        out.push_sql(")");
        Ok(())
    }
}
