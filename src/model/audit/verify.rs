//! Walking the chain from its beginning to its end, and naming the first link that does not hold.

use std::fmt;

use diesel::prelude::*;

use super::chain::{Chain, Ends, Row, ends};
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::db::schema::audit_entries;
use crate::error::Result;

/// Entries that are read at once.
const BATCH: i64 = 1000;

/// A chain that holds from end to end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Walk {
    /// How many entries it has.
    pub entries: i64,
    /// From when the oldest and the newest are; `None` in an empty log.
    pub span: Option<(Timestamp, Timestamp)>,
    /// The newest entry and its hash: noted elsewhere, they tell later whether the log was put back.
    pub head: (i64, String),
    /// How many older ones the sweep has taken.
    pub swept: i64,
}

/// The first link that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// The entry with this id does not say what was written.
    Altered(i64),
    /// The entry with this id is gone.
    Missing(i64),
    /// The entry with this id was put there by somebody else.
    Foreign(i64),
    /// Where the chain begins and ends was not written by this server.
    Ends,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Altered(id) => write!(f, "entry {id} is not as it was written"),
            Self::Missing(id) => write!(f, "entry {id} is missing"),
            Self::Foreign(id) => write!(f, "entry {id} was not written by this server"),
            Self::Ends => f.write_str(
                "the row of audit_chain, which says where the log begins and ends, was not written by this server",
            ),
        }
    }
}

impl Chain {
    /// Walks the whole chain. What is appended meanwhile does not matter; where something is swept meanwhile, it walks again.
    ///
    /// # Errors
    /// The database's. A broken chain is no error, but the inner `Err`.
    pub fn verify(&self, conn: &mut Conn) -> Result<std::result::Result<Walk, Broken>> {
        loop {
            let before = ends(conn)?.map(|ends| ends.anchor_id);
            let outcome = self.walk(conn)?;
            if outcome.is_ok() || ends(conn)?.map(|ends| ends.anchor_id) == before {
                return Ok(outcome);
            }
        }
    }

    fn walk(&self, conn: &mut Conn) -> Result<std::result::Result<Walk, Broken>> {
        // Read first: what is appended from here on lies behind the end that is read next.
        let last: Option<i64> = audit_entries::table.select(diesel::dsl::max(audit_entries::id)).first(conn)?;
        let Some(ends) = ends(conn)? else {
            return Ok(last.map_or_else(|| Ok(Walk::default()), |_| Err(Broken::Ends)));
        };
        if self.seal(&ends) != ends.seal {
            return Ok(Err(Broken::Ends));
        }
        let mut found = Walk { swept: ends.anchor_id, ..Walk::default() };
        found.head = (ends.head_id, ends.head_hash.clone());
        let (mut at, mut hash) = (ends.anchor_id, ends.anchor_hash.clone());
        // From the least id there is: what was put before the beginning is none of ours.
        let mut from = i64::MIN;
        while at < ends.head_id {
            let rows: Vec<Row> = audit_entries::table
                .filter(audit_entries::id.ge(from))
                .order(audit_entries::id)
                .limit(BATCH)
                .load(conn)?;
            if rows.is_empty() {
                return Ok(Err(Broken::Missing(at + 1)));
            }
            for row in rows.into_iter().filter(|row| row.id <= ends.head_id) {
                if let Some(broken) = self.link(at, &hash, &row) {
                    return Ok(Err(broken));
                }
                found.entries += 1;
                found.span = Some((found.span.map_or(row.at, |(first, _)| first), row.at));
                (at, hash) = (row.id, row.hash);
            }
            if at < from {
                return Ok(Err(Broken::Missing(at + 1)));
            }
            from = at + 1;
        }
        Ok(self.end(&ends, at, &hash, last).map_or(Ok(found), Err))
    }

    /// Whether the entry `id` is there with this hash, as it was noted elsewhere; `None` if the sweep has taken it.
    ///
    /// # Errors
    /// The database's.
    pub fn has(&self, conn: &mut Conn, id: i64, hash: &str) -> Result<Option<bool>> {
        if ends(conn)?.is_some_and(|ends| ends.anchor_id >= id) {
            return Ok(None);
        }
        let found: Option<String> = audit_entries::table.find(id).select(audit_entries::hash).first(conn).optional()?;
        Ok(Some(found.is_some_and(|found| found == hash)))
    }

    fn link(&self, before: i64, hash: &str, row: &Row) -> Option<Broken> {
        if row.id <= before {
            return Some(Broken::Foreign(row.id));
        }
        if row.id > before + 1 {
            return Some(Broken::Missing(before + 1));
        }
        (self.hash(hash, row) != row.hash).then_some(Broken::Altered(row.id))
    }

    fn end(&self, ends: &Ends, at: i64, hash: &str, last: Option<i64>) -> Option<Broken> {
        if hash != ends.head_hash {
            return Some(Broken::Altered(at));
        }
        last.filter(|last| *last > ends.head_id).map(Broken::Foreign)
    }
}
