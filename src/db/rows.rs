//! Conditions as text, for what both databases can say and diesel cannot.

use diesel::expression::{AppearsOnTable, Expression, SelectableExpression, ValidGrouping, is_aggregate};
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sql_types::{BigInt, Bool, Date, Text};

use super::Backend;
use super::keyset::Value;

/// A condition on rows: SQL, each bit with the value that follows it. The columns are named in it, so it fits any table.
#[derive(Clone, Debug)]
pub struct Rows(pub(super) Vec<(String, Option<Value>)>);

impl Rows {
    /// All of them.
    pub(super) fn all() -> Self {
        Self(vec![("1 = 1".to_owned(), None)])
    }
}

impl Expression for Rows {
    type SqlType = Bool;
}

impl<T> SelectableExpression<T> for Rows {}
impl<T> AppearsOnTable<T> for Rows {}

impl<G> ValidGrouping<G> for Rows {
    type IsAggregate = is_aggregate::Never;
}

impl QueryId for Rows {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl QueryFragment<Backend> for Rows {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Backend>) -> QueryResult<()> {
        for (text, value) in &self.0 {
            out.push_sql(text);
            match value {
                None => {}
                Some(Value::Null) => out.push_sql("NULL"),
                Some(Value::Number(number)) => out.push_bind_param::<BigInt, _>(number)?,
                Some(Value::Text(text)) => out.push_bind_param::<Text, _>(text)?,
                Some(Value::Flag(flag)) => out.push_bind_param::<Bool, _>(flag)?,
                Some(Value::Day(day)) => out.push_bind_param::<Date, _>(day)?,
            }
        }
        Ok(())
    }
}
