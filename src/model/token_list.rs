//! The list of outstanding tokens, as the panel searches, filters and pages through it, and what one of them is part of.

use std::time::Duration;

use diesel::dsl::not;
use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::keyset::{Keyset, Kind, Page, Place, SortColumn};
use crate::db::schema::{blacklisted_tokens, outstanding_tokens, sessions, users};
use crate::db::sql::{self, Condition, among};
use crate::db::tally::{Counted, Counts, Tally};
use crate::db::way::Way;
use crate::db::{Backend, Conn};
use crate::error::Result;
use crate::model::token::OutstandingToken;

/// Sorted by when they were issued.
pub const BY_ISSUED: SortColumn =
    SortColumn::new("outstanding_tokens.created_at", Kind::Number, "outstanding_tokens.id");
/// Sorted by when they expire.
pub const BY_EXPIRES: SortColumn =
    SortColumn::new("outstanding_tokens.expires_at", Kind::Number, "outstanding_tokens.id");

/// Fewer characters of a token's id find nothing.
pub const SHORTEST_PREFIX: usize = 6;

/// How a token stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenState {
    /// It can be exchanged.
    Live,
    /// It was exchanged for another.
    Used,
    /// It is on the blacklist, or its session was ended.
    Revoked,
    /// Its time is over.
    Expired,
}

/// What of a token a list shows.
#[derive(Clone, Debug, Queryable)]
pub struct TokenLine {
    /// Its place on record.
    pub id: i64,
    /// Its own id.
    pub jti: String,
    /// Its session.
    pub session_id: String,
    /// Whose it is.
    pub user: Option<i64>,
    /// That user's name.
    pub username: Option<String>,
    /// The key that signed it.
    pub kid: Option<String>,
    /// When it was issued.
    pub created_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
    refreshed_at: Option<Timestamp>,
    is_revoked: bool,
    ended_at: Option<Timestamp>,
}

impl TokenLine {
    /// How the token stands at `now`.
    pub fn state(&self, now: Timestamp) -> TokenState {
        if self.is_revoked {
            TokenState::Revoked
        } else if self.expires_at <= now {
            TokenState::Expired
        } else if self.refreshed_at.is_some() {
            TokenState::Used
        } else {
            TokenState::Live
        }
    }

    /// Whether anything can still be had with it at `now`, so that there is something to revoke.
    pub fn is_good(&self, now: Timestamp) -> bool {
        matches!(self.state(now), TokenState::Live | TokenState::Used) && self.ended_at.is_none()
    }

    /// Where the token stands in this order.
    pub fn place(&self, by: &SortColumn) -> Place {
        let at = if by.column == BY_EXPIRES.column { self.expires_at } else { self.created_at };
        Place { value: at.into(), id: self.id.into() }
    }
}

/// Which tokens are wanted.
#[derive(Clone, Debug, Default)]
pub struct TokenQuery {
    /// A token's id from its beginning, or exactly a username.
    pub search: String,
    /// Of this user.
    pub user: Option<i64>,
    /// Of the user with exactly this name.
    pub username: Option<String>,
    /// Standing so.
    pub state: Option<TokenState>,
    /// Expiring within this time.
    pub expires_within: Option<Duration>,
    /// Signed by this key.
    pub kid: Option<String>,
}

type Rows = outstanding_tokens::BoxedQuery<'static, Backend>;

/// The tokens that a search means: those of a user, and those whose id begins so.
fn sought(search: &str) -> Condition<outstanding_tokens::table> {
    let owner = users::table.filter(users::username.eq(search.to_owned())).select(users::id).single_value();
    let owned = outstanding_tokens::user_id.eq(owner);
    if search.chars().count() < SHORTEST_PREFIX {
        return Box::new(owned.assume_not_null());
    }
    let begins =
        outstanding_tokens::jti.ge(search.to_owned()).and(outstanding_tokens::jti.lt(format!("{search}{}", char::MAX)));
    Box::new(begins.or(owned.assume_not_null()))
}

/// What narrows the list, but for how they stand.
fn in_any_state(query: &TokenQuery, now: Timestamp) -> Vec<Condition<outstanding_tokens::table>> {
    let mut all: Vec<Condition<outstanding_tokens::table>> = Vec::new();
    if !query.search.is_empty() {
        all.push(sought(&query.search));
    }
    if let Some(user) = query.user {
        all.push(Box::new(outstanding_tokens::user_id.eq(user).assume_not_null()));
    }
    if let Some(name) = &query.username {
        let owner = users::table.filter(users::username.eq(name.clone())).select(users::id).single_value();
        all.push(Box::new(outstanding_tokens::user_id.eq(owner).assume_not_null()));
    }
    if let Some(within) = query.expires_within {
        let soon = outstanding_tokens::expires_at.gt(now).and(outstanding_tokens::expires_at.le(now + within));
        all.push(Box::new(soon));
    }
    if let Some(kid) = &query.kid {
        all.push(Box::new(outstanding_tokens::kid.eq(kid.clone()).assume_not_null()));
    }
    all
}

/// Those that are wanted, as conditions of which each is answered by one index (0022); none if nothing narrows the list.
fn conditions(query: &TokenQuery, now: Timestamp) -> Vec<Condition<outstanding_tokens::table>> {
    let with = |state: Option<Condition<outstanding_tokens::table>>| {
        sql::all(in_any_state(query, now).into_iter().chain(state).collect())
    };
    let is_used = || outstanding_tokens::refreshed_at.is_not_null().and(not(outstanding_tokens::is_revoked));
    let is_unused = || outstanding_tokens::refreshed_at.is_null().and(not(outstanding_tokens::is_revoked));
    let (in_date, over) = (outstanding_tokens::expires_at.gt(now), outstanding_tokens::expires_at.le(now));
    let states: Vec<Option<Condition<outstanding_tokens::table>>> = match query.state {
        None => vec![None],
        Some(TokenState::Live) => vec![Some(Box::new(is_unused().and(in_date)))],
        Some(TokenState::Used) => vec![Some(Box::new(is_used().and(in_date)))],
        Some(TokenState::Revoked) => vec![Some(Box::new(outstanding_tokens::is_revoked))],
        Some(TokenState::Expired) => {
            vec![Some(Box::new(is_unused().and(over))), Some(Box::new(is_used().and(over)))]
        }
    };
    states.into_iter().filter_map(with).collect()
}

/// One page of those that are wanted; `wanted` tells how many they are.
pub fn page(
    conn: &mut Conn,
    query: &TokenQuery,
    keyset: &Keyset,
    wanted: i64,
    now: Timestamp,
) -> Result<Page<TokenLine>> {
    let way = match query.state {
        // The order has an index of the revoked alone, and what has expired is swept away: it is few, and at the end.
        Some(TokenState::Revoked) if keyset.by.column == BY_ISSUED.column => Way::Planned,
        Some(TokenState::Expired) => Way::to(conn, 0),
        _ => Way::to(conn, wanted),
    };
    keyset.load_by(&[way], |piece| {
        let narrowed = conditions(query, now).into_iter().reduce(|one, other| Box::new(one.or(other)));
        let narrowed = narrowed.map(|condition| way.narrowing(condition));
        let mut ids = outstanding_tokens::table.filter(piece.condition()).into_boxed();
        if let Some(narrowed) = narrowed {
            ids = ids.filter(narrowed);
        }
        lines(conn, ids.order(piece.order()).limit(piece.limit), piece.order())
    })
}

/// The tokens of these ids with what is shown of them, in this order.
fn lines(
    conn: &mut Conn,
    ids: Rows,
    order: diesel::expression::SqlLiteral<diesel::sql_types::Untyped>,
) -> Result<Vec<TokenLine>> {
    Ok(outstanding_tokens::table
        .inner_join(sessions::table)
        .left_join(users::table.on(outstanding_tokens::user_id.eq(users::id.nullable())))
        .into_boxed::<Backend>()
        .filter(among("outstanding_tokens.id", ids.select(outstanding_tokens::id)))
        .order(order)
        .select((
            outstanding_tokens::id,
            outstanding_tokens::jti,
            outstanding_tokens::session_id,
            outstanding_tokens::user_id,
            users::username.nullable(),
            outstanding_tokens::kid,
            outstanding_tokens::created_at,
            outstanding_tokens::expires_at,
            outstanding_tokens::refreshed_at,
            outstanding_tokens::is_revoked,
            sessions::ended_at,
        ))
        .load(conn)?)
}

/// One token as the list shows it.
pub fn line(conn: &mut Conn, id: i64) -> Result<Option<TokenLine>> {
    let one = outstanding_tokens::table.filter(outstanding_tokens::id.eq(id)).into_boxed();
    Ok(lines(conn, one, diesel::dsl::sql("outstanding_tokens.id"))?.pop())
}

/// The tokens of a session, the first one first.
pub fn of_session(conn: &mut Conn, session: &str, most: i64) -> Result<Vec<TokenLine>> {
    let theirs = outstanding_tokens::table.filter(outstanding_tokens::session_id.eq(session.to_owned())).into_boxed();
    let first = theirs.order(outstanding_tokens::id).limit(most);
    lines(conn, first, diesel::dsl::sql("outstanding_tokens.id"))
}

/// How many there are, and how many are wanted, each part of those counted up to `most`.
pub fn counts(conn: &mut Conn, query: &TokenQuery, tally: &Tally, now: Timestamp) -> Result<Counts> {
    let all = outstanding_tokens::table.select(outstanding_tokens::id);
    let wanted = conditions(query, now).into_iter().map(|condition| -> Counted {
        Box::new(
            outstanding_tokens::table
                .into_boxed()
                .filter(condition)
                .select(outstanding_tokens::id)
                .limit(tally.limit()),
        )
    });
    tally.count(conn, "outstanding_tokens", vec![Box::new(all)], wanted)
}

/// The id of the token that was exchanged for this one.
pub fn parent(conn: &mut Conn, token: &OutstandingToken) -> Result<Option<String>> {
    let siblings = outstanding_tokens::table.filter(outstanding_tokens::session_id.eq(&token.session_id));
    let parent = siblings.filter(outstanding_tokens::successor.eq(&token.jti));
    Ok(parent.select(outstanding_tokens::jti).first(conn).optional()?)
}

/// A token's place on the blacklist.
#[derive(Clone, Debug, Queryable)]
pub struct Listed {
    /// When it was put there.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
    /// By which administrator.
    pub by_user: Option<i64>,
}

/// The place of a token on the blacklist, if it has one.
pub fn listed(conn: &mut Conn, token: i64) -> Result<Option<Listed>> {
    let place = blacklisted_tokens::table.filter(blacklisted_tokens::token_id.eq(token));
    let columns = (blacklisted_tokens::blacklisted_at, blacklisted_tokens::reason, blacklisted_tokens::by_user);
    Ok(place.select(columns).first(conn).optional()?)
}
