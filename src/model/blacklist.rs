//! The list of blacklisted tokens, as the panel searches, filters and pages through it.

use diesel::dsl::exists;
use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::keyset::{Keyset, Kind, Page, Place, SortColumn};
use crate::db::schema::{blacklisted_tokens, outstanding_tokens, sessions, users};
use crate::db::tally::{Counted, Counts, Tally};
use crate::db::{Backend, Conn};
use crate::error::Result;
use crate::model::token_list::SHORTEST_PREFIX;

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
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BlacklistQuery {
    /// The token's id from its beginning, or exactly the username.
    pub search: String,
    /// Revoked for this reason.
    pub reason: Option<String>,
    /// By an administrator, or by nobody but the user and the server.
    pub by_somebody: Option<bool>,
    /// Revoked since then.
    pub since: Option<Timestamp>,
}

/// Sorted by when they were revoked.
pub const BY_REVOKED: SortColumn =
    SortColumn::new("blacklisted_tokens.blacklisted_at", Kind::Number, "blacklisted_tokens.id");
/// Sorted by when they expire.
pub const BY_EXPIRES: SortColumn =
    SortColumn::new("outstanding_tokens.expires_at", Kind::Number, "outstanding_tokens.id");

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
    diesel::helper_types::LeftJoin<blacklisted_tokens::table, outstanding_tokens::table>,
    Backend,
>;

/// Those that are wanted, by conditions that indexes answer. Each has its token; but of a left join whose other side is not asked
/// for, a database reads this side alone.
fn matching(query: &BlacklistQuery) -> Rows {
    let mut rows = blacklisted_tokens::table.left_join(outstanding_tokens::table).into_boxed();
    if let Some(reason) = &query.reason {
        rows = rows.filter(blacklisted_tokens::reason.eq(reason.clone()));
    }
    rows = match query.by_somebody {
        Some(true) => rows.filter(blacklisted_tokens::by_user.is_not_null()),
        Some(false) => rows.filter(blacklisted_tokens::by_user.is_null()),
        None => rows,
    };
    if let Some(since) = query.since {
        rows = rows.filter(blacklisted_tokens::blacklisted_at.ge(since));
    }
    let search = &query.search;
    if search.is_empty() {
        return rows;
    }
    let owner = users::table.filter(users::username.eq(search.clone())).select(users::id).single_value();
    let owned = outstanding_tokens::user_id.nullable().eq(owner).assume_not_null();
    if search.chars().count() < SHORTEST_PREFIX {
        return rows.filter(owned);
    }
    let ends = format!("{search}{}", char::MAX);
    let jti = outstanding_tokens::jti.nullable();
    rows.filter(jti.ge(search.clone()).and(jti.lt(ends)).assume_not_null().or(owned))
}

/// The id of the token with this place on the blacklist.
pub fn jti(conn: &mut Conn, place: i64) -> Result<Option<String>> {
    let one = blacklisted_tokens::table.inner_join(outstanding_tokens::table).filter(blacklisted_tokens::id.eq(place));
    Ok(one.select(outstanding_tokens::jti).first(conn).optional()?)
}

/// Takes a token off the blacklist; `false` if it was not on it.
pub fn remove(conn: &mut Conn, token: i64) -> Result<bool> {
    let place = blacklisted_tokens::table.filter(blacklisted_tokens::token_id.eq(token));
    if diesel::delete(place).execute(conn)? == 0 {
        return Ok(false);
    }
    let ended = sessions::table.filter(sessions::id.eq(outstanding_tokens::session_id));
    let ended = exists(ended.filter(sessions::ended_at.is_not_null()).select(sessions::id));
    let is_revoked = outstanding_tokens::refreshed_at.is_null().and(ended);
    diesel::update(outstanding_tokens::table.find(token))
        .set(outstanding_tokens::is_revoked.eq(is_revoked))
        .execute(conn)?;
    Ok(true)
}

/// One page of those that are wanted.
pub fn page(conn: &mut Conn, query: &BlacklistQuery, keyset: &Keyset) -> Result<Page<BlacklistLine>> {
    let columns = (
        blacklisted_tokens::id,
        blacklisted_tokens::token_id,
        outstanding_tokens::jti.assume_not_null(),
        outstanding_tokens::user_id.nullable(),
        blacklisted_tokens::blacklisted_at,
        blacklisted_tokens::by_user,
        blacklisted_tokens::reason,
        outstanding_tokens::expires_at.assume_not_null(),
    );
    keyset.load(|piece| {
        let mut rows = matching(query).filter(piece.condition()).order(piece.order()).limit(piece.limit);
        if keyset.by.column == BY_EXPIRES.column {
            rows = rows.filter(outstanding_tokens::is_revoked.assume_not_null()); // all are, and these have an index in this order
        }
        Ok(rows.select(columns).load(conn)?)
    })
}

/// How many there are.
pub fn total(conn: &mut Conn) -> Result<i64> {
    Ok(blacklisted_tokens::table.count().get_result(conn)?)
}

/// How many there are, and how many are wanted.
pub fn counts(conn: &mut Conn, query: &BlacklistQuery, tally: &Tally) -> Result<Counts> {
    let all = blacklisted_tokens::table.select(blacklisted_tokens::id);
    let wanted = matching(query).select(blacklisted_tokens::id).limit(tally.limit());
    let wanted = (*query != BlacklistQuery::default()).then(|| -> Counted { Box::new(wanted) });
    tally.count(conn, "blacklisted_tokens", vec![Box::new(all)], wanted)
}
