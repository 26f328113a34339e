//! The list of blacklisted tokens, as the panel searches, filters and pages through it.

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::keyset::{Keyset, Kind, Page, Place, SortColumn};
use crate::db::schema::{blacklisted_tokens, outstanding_tokens, users};
use crate::db::sql::count_of;
use crate::db::{Backend, Conn};
use crate::error::Result;

/// What of a blacklisted token a list shows.
#[derive(Clone, Debug, Queryable)]
pub struct BlacklistLine {
    /// Its place on the blacklist.
    pub id: i64,
    /// Its place among the outstanding tokens.
    pub token_id: i64,
    /// Its own id.
    pub jti: String,
    /// Whose it was; nobody's if the user is gone.
    pub user: Option<i64>,
    /// When it was revoked.
    pub blacklisted_at: Timestamp,
    /// By which administrator.
    pub by_user: Option<i64>,
    /// Why.
    pub reason: String,
    /// When it would have expired.
    pub expires_at: Timestamp,
}

/// Which are wanted.
#[derive(Clone, Debug, Default)]
pub struct BlacklistQuery {
    /// The token's id from its beginning, or exactly the username.
    pub search: String,
    /// Revoked for this reason.
    pub reason: Option<String>,
}

/// Sorted by when they were revoked.
pub const BY_REVOKED: SortColumn =
    SortColumn::new("blacklisted_tokens.blacklisted_at", Kind::Number, "blacklisted_tokens.id");
/// Sorted by when they expire.
pub const BY_EXPIRES: SortColumn =
    SortColumn::new("outstanding_tokens.expires_at", Kind::Number, "outstanding_tokens.id");

/// Fewer characters of a token's id find nothing.
const SHORTEST_PREFIX: usize = 6;

impl BlacklistLine {
    /// Where the token stands in this order.
    pub fn place(&self, by: &SortColumn) -> Place {
        if by.column == BY_EXPIRES.column {
            return Place { value: self.expires_at.into(), id: self.token_id.into() };
        }
        Place { value: self.blacklisted_at.into(), id: self.id.into() }
    }
}

type Rows = diesel::helper_types::IntoBoxed<
    'static,
    diesel::helper_types::InnerJoin<blacklisted_tokens::table, outstanding_tokens::table>,
    Backend,
>;

/// What is searched for, as conditions that indexes answer.
struct Wanted {
    reason: Option<String>,
    /// Ids of tokens from here on, and before there.
    ids: Option<(String, String)>,
    owner: Option<i64>,
    everything: bool,
}

impl Wanted {
    fn new(conn: &mut Conn, query: &BlacklistQuery) -> Result<Self> {
        let search = &query.search;
        let by_id = search.chars().count() >= SHORTEST_PREFIX;
        let owner = users::table.filter(users::username.eq(search)).select(users::id).first(conn).optional()?;
        Ok(Self {
            reason: query.reason.clone(),
            ids: by_id.then(|| (search.clone(), format!("{search}{}", char::MAX))),
            owner,
            everything: search.is_empty(),
        })
    }

    fn rows(&self) -> Rows {
        let mut rows = blacklisted_tokens::table.inner_join(outstanding_tokens::table).into_boxed();
        if let Some(reason) = &self.reason {
            rows = rows.filter(blacklisted_tokens::reason.eq(reason.clone()));
        }
        if self.everything {
            return rows;
        }
        let owned = outstanding_tokens::user_id.eq(self.owner.unwrap_or(NOBODY));
        match &self.ids {
            Some((from, before)) => {
                let begins = outstanding_tokens::jti.ge(from.clone()).and(outstanding_tokens::jti.lt(before.clone()));
                rows.filter(begins.or(owned))
            }
            None => rows.filter(owned),
        }
    }
}

/// No user has this id.
const NOBODY: i64 = -1;

/// One page of those that are wanted.
pub fn page(conn: &mut Conn, query: &BlacklistQuery, keyset: &Keyset) -> Result<Page<BlacklistLine>> {
    let columns = (
        blacklisted_tokens::id,
        outstanding_tokens::id,
        outstanding_tokens::jti,
        outstanding_tokens::user_id,
        blacklisted_tokens::blacklisted_at,
        blacklisted_tokens::by_user,
        blacklisted_tokens::reason,
        outstanding_tokens::expires_at,
    );
    let wanted = Wanted::new(conn, query)?;
    keyset.load(|piece| {
        let rows = wanted.rows().filter(piece.condition()).order(piece.order()).limit(piece.limit);
        Ok(rows.select(columns).load(conn)?)
    })
}

/// How many there are.
pub fn total(conn: &mut Conn) -> Result<i64> {
    Ok(blacklisted_tokens::table.count().get_result(conn)?)
}

/// How many are wanted, counted up to `most`.
pub fn count(conn: &mut Conn, query: &BlacklistQuery, most: i64) -> Result<i64> {
    let wanted = Wanted::new(conn, query)?;
    Ok(count_of(wanted.rows().select(blacklisted_tokens::id).limit(most)).get_result(conn)?)
}
