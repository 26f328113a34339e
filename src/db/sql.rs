//! What both databases can say in the same way: substring search, sort keys, unique violations.

use diesel::define_sql_function;
use diesel::dsl::{Escape, Like};
use diesel::expression::{
    AppearsOnTable, AsExpression, BoxableExpression, Expression, SelectableExpression, ValidGrouping, is_aggregate,
};
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::{DatabaseErrorKind, Error};
use diesel::sql_types::{BigInt, Bool, Text};
use diesel::{BoolExpressionMethods, EscapeExpressionMethods, QueryResult, RunQueryDsl, TextExpressionMethods};

use super::{Backend, Conn};

define_sql_function! {
    /// Text in lower case. SQLite lowers ASCII letters alone, and so does PostgreSQL under the collation "C".
    fn lower(text: Text) -> Text;
}

/// A condition on rows of the table `T`.
pub type Condition<T> = Box<dyn BoxableExpression<T, Backend, SqlType = Bool>>;

/// `column` contains `term`, ASCII letters in any case; `%` and `_` in the term are just themselves.
pub fn contains<T, C>(column: C, term: &str) -> Condition<T>
where
    C: AsExpression<Text, Expression = C> + Expression<SqlType = Text> + 'static,
    Escape<Like<lower<C>, String>>: BoxableExpression<T, Backend, SqlType = Bool> + 'static,
{
    let escaped = term.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    Box::new(lower(column).like(format!("%{}%", escaped.to_ascii_lowercase())).escape('\\'))
}

/// Whether `error` says that the value of `table.column` is already there. PostgreSQL names the constraint, SQLite the
/// column, and only in its message.
pub fn taken(error: &Error, table: &str, column: &str) -> bool {
    let Error::DatabaseError(DatabaseErrorKind::UniqueViolation, information) = error else { return false };
    information.constraint_name() == Some(&format!("{table}_{column}_key"))
        || information.message().contains(&format!("{table}.{column}"))
}

/// The highest id that a table with ids of its own has given.
///
/// # Errors
/// The database's.
pub fn last_id(conn: &mut Conn, table: &str) -> QueryResult<i64> {
    #[derive(diesel::QueryableByName)]
    struct Last {
        #[diesel(sql_type = BigInt)]
        last: i64,
    }
    let query = match conn {
        Conn::Postgres(_) => {
            format!("SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS last FROM {table}_id_seq")
        }
        Conn::Sqlite(_) => format!("SELECT coalesce(max(seq), 0) AS last FROM sqlite_sequence WHERE name = '{table}'"),
    };
    Ok(diesel::sql_query(query).get_result::<Last>(conn)?.last)
}

/// Has the ids of a table go on above `last`; where they are above already, nothing happens.
///
/// # Errors
/// The database's.
pub fn skip_ids(conn: &mut Conn, table: &str, last: i64) -> QueryResult<()> {
    if last_id(conn, table)? >= last {
        return Ok(());
    }
    let queries = match conn {
        Conn::Postgres(_) => vec![format!("SELECT setval('{table}_id_seq', {last})")],
        // SQLite keeps no row of a table that was always empty.
        Conn::Sqlite(_) => vec![
            format!("DELETE FROM sqlite_sequence WHERE name = '{table}'"),
            format!("INSERT INTO sqlite_sequence (name, seq) VALUES ('{table}', {last})"),
        ],
    };
    for query in queries {
        diesel::sql_query(query).execute(conn)?;
    }
    Ok(())
}

/// All of these conditions; nothing if there are none.
pub fn all<T: 'static>(conditions: Vec<Condition<T>>) -> Option<Condition<T>> {
    conditions.into_iter().reduce(|one, other| Box::new(one.and(other)))
}

/// `key IN (SELECT …)`: a page of keys is found by an index, and only its rows are joined with others.
#[derive(Debug)]
pub struct Among<Q> {
    key: &'static str,
    query: Q,
}

/// Whether `key`, a column with its table as SQL has it, is among those that `query` selects.
pub fn among<Q>(key: &'static str, query: Q) -> Among<Q> {
    Among { key, query }
}

impl<Q> Expression for Among<Q> {
    type SqlType = Bool;
}

impl<Q> ValidGrouping<()> for Among<Q> {
    type IsAggregate = is_aggregate::Never;
}

impl<Q, T> SelectableExpression<T> for Among<Q> {}
impl<Q, T> AppearsOnTable<T> for Among<Q> {}

impl<Q> QueryId for Among<Q> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Q: QueryFragment<Backend>> QueryFragment<Backend> for Among<Q> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Backend>) -> QueryResult<()> {
        out.unsafe_to_cache_prepared();
        out.push_sql(self.key);
        out.push_sql(" IN (");
        self.query.walk_ast(out.reborrow())?;
        out.push_sql(")");
        Ok(())
    }
}
