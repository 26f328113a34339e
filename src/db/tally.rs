//! How many rows a list has, and how many of them are wanted, in one statement.
//!
//! What is wanted is counted up to a limit. How many there are is exact; but to count a million takes longer than all else that a
//! page does, so a table that is large is counted anew once a minute.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::BigInt;
use diesel::{QueryResult, RunQueryDsl};

use super::{Backend, Conn, Target};
use crate::clock::Timestamp;
use crate::error::Result;

/// A table of more rows than this is large.
const LARGE: i64 = 20_000;
/// So long a count of a large table is good.
const GOOD_FOR: Duration = Duration::from_secs(60);

/// How many rows the large tables had, and when: what all lists of a server share.
#[derive(Clone, Debug, Default)]
pub struct Totals(Arc<Mutex<HashMap<&'static str, (i64, Timestamp)>>>);

impl Totals {
    fn of(&self, table: &'static str, now: Timestamp) -> Option<i64> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(table).filter(|(_, at)| now < *at + GOOD_FOR && *at <= now).map(|(total, _)| *total)
    }

    fn learn(&self, table: &'static str, total: i64, now: Timestamp) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if total > LARGE {
            known.insert(table, (total, now));
        } else {
            known.remove(table);
        }
    }
}

/// A query that is counted; it may have a limit of its own: so much is counted, and no more.
pub type Counted = Box<dyn QueryFragment<Backend>>;

/// How many rows a list has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Without search and filters.
    pub total: i64,
    /// With them: so many that were counted.
    pub matching: i64,
    /// Whether there are more than those.
    pub is_more: bool,
}

/// How a list is counted.
#[derive(Clone, Debug)]
pub struct Tally {
    most: i64,
    most_of_costly: i64,
    known: Option<(Totals, Timestamp)>,
}

impl Tally {
    /// Counts all that is wanted, and whatever there is, at this moment.
    pub fn exact() -> Self {
        Self { most: i64::MAX, most_of_costly: i64::MAX, known: None }
    }

    /// Counts large tables once a minute, and what is wanted as far as its database gets in two milliseconds: to count on would
    /// take longer than all else that a page does.
    pub fn of_list(target: &Target, totals: &Totals, now: Timestamp) -> Self {
        let (most, most_of_costly) = match target {
            Target::Sqlite(_) => (10_000, 2_500), // the second must be more than a page sorts (`Way::Few`)
            Target::Postgres(_) => (5_000, 1_000),
        };
        Self { most, most_of_costly, known: Some((totals.clone(), now)) }
    }

    /// The limit of a query that is counted: one more than is told, so that it is known whether there are more.
    pub fn limit(&self) -> i64 {
        self.most.saturating_add(1)
    }

    /// The same where no index alone tells which rows are wanted, so that each is looked at: a list counts fewer of them.
    pub fn of_costly(&self) -> Self {
        Self { most: self.most_of_costly, ..self.clone() }
    }

    /// How many rows there are in `all`, which are those of `table`, and how many in the queries of `wanted` together, each with
    /// [`Tally::limit`]; all of them if there is none of those, since nothing narrows the list then.
    ///
    /// # Errors
    /// The database's.
    pub fn count(
        &self,
        conn: &mut Conn,
        table: &'static str,
        all: Vec<Counted>,
        wanted: impl IntoIterator<Item = Counted>,
    ) -> Result<Counts> {
        let wanted: Vec<Counted> = wanted.into_iter().collect();
        let is_narrowed = !wanted.is_empty();
        let known = self.known.as_ref().and_then(|(totals, now)| totals.of(table, *now));
        let (total, matching) = match known {
            Some(total) if !is_narrowed => (total, total),
            Some(total) => (total, Sums { all: Vec::new(), wanted }.get_result::<(i64, i64)>(conn)?.1),
            None => {
                let (total, matching) = Sums { all, wanted }.get_result(conn)?;
                if let Some((totals, now)) = &self.known {
                    totals.learn(table, total, *now);
                }
                (total, if is_narrowed { matching } else { total })
            }
        };
        let is_more = is_narrowed && matching > self.most;
        Ok(Counts { total, matching: if is_more { self.most } else { matching }, is_more })
    }
}

/// How many rows there are in this query.
///
/// # Errors
/// The database's.
pub fn number(conn: &mut Conn, of: Counted) -> Result<i64> {
    Ok(Sums { all: vec![of], wanted: Vec::new() }.get_result::<(i64, i64)>(conn)?.0)
}

/// How many rows there are in each of two queries.
///
/// # Errors
/// The database's.
pub fn numbers(conn: &mut Conn, one: Counted, other: Counted) -> Result<(i64, i64)> {
    Ok(Sums { all: vec![one], wanted: vec![other] }.get_result(conn)?)
}

/// Two sums of counts in one statement.
struct Sums {
    all: Vec<Counted>,
    wanted: Vec<Counted>,
}

impl QueryId for Sums {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for Sums {
    type SqlType = (BigInt, BigInt);
}

impl RunQueryDsl<Conn> for Sums {}

impl QueryFragment<Backend> for Sums {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Backend>) -> QueryResult<()> {
        out.unsafe_to_cache_prepared();
        for (start, queries) in [("SELECT ", &self.all), (", ", &self.wanted)] {
            out.push_sql(start);
            out.push_sql("CAST(0 AS BIGINT)"); // PostgreSQL takes a bare one for a number of another size
            for query in queries {
                out.push_sql(" + (SELECT count(*) FROM (");
                query.walk_ast(out.reborrow())?;
                out.push_sql(") AS counted)");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::from_seconds(1_795_348_800);

    #[test]
    fn a_large_table_is_counted_once_a_minute_and_a_small_one_each_time() {
        let totals = Totals::default();
        totals.learn("users", LARGE, NOON);
        assert_eq!(totals.of("users", NOON), None);
        totals.learn("users", LARGE + 1, NOON);
        assert_eq!(totals.of("users", NOON + Duration::from_secs(59)), Some(LARGE + 1));
        assert_eq!(totals.of("users", NOON + Duration::from_secs(60)), None);
        assert_eq!(totals.of("sessions", NOON), None);
    }

    #[test]
    fn a_table_that_is_small_again_is_counted_each_time_again() {
        let totals = Totals::default();
        totals.learn("users", LARGE + 1, NOON);
        totals.learn("users", 3, NOON);
        assert_eq!(totals.of("users", NOON), None);
    }

    #[test]
    fn a_clock_that_is_set_back_has_it_counted_anew() {
        let totals = Totals::default();
        totals.learn("users", LARGE + 1, NOON);
        assert_eq!(totals.of("users", NOON - Duration::from_secs(1)), None);
    }
}
