//! Refresh and sliding tokens on record, and those that were blacklisted.
//!
//! The successor that a refresh token was exchanged for is kept on its own row (its jti, `iat` and `exp`), so that any
//! number of parallel refreshes give one and the same successor. That a token is spent is read from the row of its
//! successor; nothing is written for it.

use std::collections::BTreeSet;
use std::time::Duration;

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::db::schema::{blacklisted_tokens, outstanding_tokens, sessions, users};
use crate::db::tally;
use crate::error::{Error, Result};
use crate::model::session::{Course, Ended, SessionId};
use crate::model::signing_key::SigningKey;
use crate::model::user::Owner;

/// A row of `outstanding_tokens`.
#[derive(Clone, Debug, Queryable)]
pub struct OutstandingToken {
    /// The row's id.
    pub id: i64,
    /// The token's id, unique.
    pub jti: String,
    /// The session that it belongs to.
    pub session_id: String,
    /// Whose it is; nobody's if the user is gone or was never known here.
    pub user_id: Option<i64>,
    /// `refresh` or `sliding`.
    pub kind: String,
    /// The key of the ring that signed it; none for a key without a name, and for one made elsewhere.
    pub kid: Option<String>,
    /// When it was issued or, for one made elsewhere, first seen.
    pub created_at: Timestamp,
    /// When the last form of it expires.
    pub expires_at: Timestamp,
    /// The jti of the token that it was exchanged for.
    pub successor: Option<String>,
    /// That token's `iat`.
    pub successor_iat: Option<Timestamp>,
    /// That token's `exp`.
    pub successor_exp: Option<Timestamp>,
    /// When it was first exchanged.
    pub refreshed_at: Option<Timestamp>,
    /// Whether it is on the blacklist, or its session ended before it was exchanged: for lists, which ask no other table.
    pub is_revoked: bool,
}

impl OutstandingToken {
    /// The session that it belongs to.
    ///
    /// # Errors
    /// If the row is damaged.
    pub fn sid(&self) -> Result<SessionId> {
        self.session_id.parse().map_err(|()| Error::internal("the id of a session on record is none"))
    }
}

/// What a new row is made of.
#[derive(Clone, Debug, Insertable)]
#[diesel(table_name = outstanding_tokens)]
pub struct NewOutstandingToken<'a> {
    /// The token's id.
    pub jti: &'a str,
    /// Its session's, as text.
    pub session_id: &'a str,
    /// Its user.
    pub user_id: Option<i64>,
    /// `refresh` or `sliding`.
    pub kind: &'a str,
    /// The key of the ring that signs it.
    pub kid: Option<&'a str>,
    /// Now.
    pub created_at: Timestamp,
    /// When the last form of it expires.
    pub expires_at: Timestamp,
}

/// Puts a token on record.
pub fn insert(conn: &mut Conn, token: &NewOutstandingToken<'_>) -> Result<()> {
    diesel::insert_into(outstanding_tokens::table).values(token).execute(conn)?;
    Ok(())
}

/// The token with this jti.
pub fn by_jti(conn: &mut Conn, jti: &str) -> Result<Option<OutstandingToken>> {
    Ok(outstanding_tokens::table.filter(outstanding_tokens::jti.eq(jti)).first(conn).optional()?)
}

/// A token on record with all that is asked of it at a refresh: read at once, since a refresh waits for it.
#[derive(Clone)]
pub struct Found {
    /// The token.
    pub token: OutstandingToken,
    /// Its session.
    pub session: Course,
    /// Its user, unless the account is gone or was never known here.
    pub owner: Option<Owner>,
    /// Whether it was put on the blacklist.
    pub is_blacklisted: bool,
}

/// The token with this jti, with its session, its user and its place on the blacklist.
pub fn find(conn: &mut Conn, jti: &str) -> Result<Option<Found>> {
    let row: Option<(OutstandingToken, Course, Option<Owner>, Option<i64>)> = outstanding_tokens::table
        .inner_join(sessions::table)
        .left_join(users::table.on(outstanding_tokens::user_id.eq(users::id.nullable())))
        .left_join(blacklisted_tokens::table)
        .filter(outstanding_tokens::jti.eq(jti))
        .select((
            outstanding_tokens::all_columns,
            (sessions::last_seen_at, sessions::expires_at, sessions::ended_at),
            (users::id, users::is_active, users::generation, users::password_generation).nullable(),
            blacklisted_tokens::id.nullable(),
        ))
        .first(conn)
        .optional()?;
    Ok(row.map(|(token, session, owner, place)| Found { token, session, owner, is_blacklisted: place.is_some() }))
}

/// Stores the successor of a token that has none yet; `false` if it has one.
pub fn set_successor(
    conn: &mut Conn,
    id: i64,
    successor: &str,
    iat: Timestamp,
    exp: Timestamp,
    now: Timestamp,
) -> Result<bool> {
    let heir = outstanding_tokens::table.find(id).filter(outstanding_tokens::successor.is_null());
    let told = (
        outstanding_tokens::successor.eq(successor),
        outstanding_tokens::successor_iat.eq(iat),
        outstanding_tokens::successor_exp.eq(exp),
        outstanding_tokens::refreshed_at.eq(now),
    );
    Ok(diesel::update(heir).set(told).execute(conn)? == 1)
}

/// Gives the successor of a token later dates, if it was not refreshed itself; `false` if it was.
pub fn renew_successor(conn: &mut Conn, id: i64, successor: &str, iat: Timestamp, exp: Timestamp) -> Result<bool> {
    let heir = outstanding_tokens::table
        .filter(outstanding_tokens::jti.eq(successor))
        .filter(outstanding_tokens::refreshed_at.is_null());
    if diesel::update(heir).set(outstanding_tokens::expires_at.eq(exp)).execute(conn)? == 0 {
        return Ok(false);
    }
    let dates = (outstanding_tokens::successor_iat.eq(iat), outstanding_tokens::successor_exp.eq(exp));
    diesel::update(outstanding_tokens::table.find(id)).set(dates).execute(conn)?;
    Ok(true)
}

/// Whether the token was put on the blacklist.
pub fn is_blacklisted(conn: &mut Conn, id: i64) -> Result<bool> {
    let row = blacklisted_tokens::table.filter(blacklisted_tokens::token_id.eq(id));
    Ok(diesel::select(diesel::dsl::exists(row)).get_result(conn)?)
}

/// Puts a token on the blacklist; `false` if it was there already.
pub fn blacklist(conn: &mut Conn, id: i64, why: Ended, by: Option<i64>, now: Timestamp) -> Result<bool> {
    if is_blacklisted(conn, id)? {
        return Ok(false);
    }
    diesel::insert_into(blacklisted_tokens::table)
        .values((
            blacklisted_tokens::token_id.eq(id),
            blacklisted_tokens::blacklisted_at.eq(now),
            blacklisted_tokens::reason.eq(why.as_str()),
            blacklisted_tokens::by_user.eq(by),
        ))
        .execute(conn)?;
    diesel::update(outstanding_tokens::table.find(id)).set(outstanding_tokens::is_revoked.eq(true)).execute(conn)?;
    Ok(true)
}

/// Marks those tokens of a user as revoked that were not exchanged yet: their sessions have ended.
pub fn revoke_user(conn: &mut Conn, user: i64) -> Result<()> {
    let theirs = outstanding_tokens::table
        .filter(outstanding_tokens::user_id.eq(user))
        .filter(outstanding_tokens::refreshed_at.is_null())
        .filter(diesel::dsl::not(outstanding_tokens::is_revoked));
    diesel::update(theirs).set(outstanding_tokens::is_revoked.eq(true)).execute(conn)?;
    Ok(())
}

/// Puts the tokens of a session that could still be exchanged on the blacklist; returns how many there were.
pub fn blacklist_session(
    conn: &mut Conn,
    session: SessionId,
    why: Ended,
    by: Option<i64>,
    now: Timestamp,
) -> Result<usize> {
    let live: Vec<i64> = outstanding_tokens::table
        .filter(outstanding_tokens::session_id.eq(session.to_string()))
        .filter(outstanding_tokens::expires_at.gt(now))
        .filter(outstanding_tokens::refreshed_at.is_null())
        .select(outstanding_tokens::id)
        .load(conn)?;
    blacklist_all(conn, &live, why, by, now)
}

/// Puts the tokens of a user that could still be exchanged on the blacklist; returns how many there were.
pub fn blacklist_user(conn: &mut Conn, user: i64, why: Ended, by: Option<i64>, now: Timestamp) -> Result<usize> {
    let live: Vec<i64> = outstanding_tokens::table
        .filter(outstanding_tokens::user_id.eq(user))
        .filter(outstanding_tokens::expires_at.gt(now))
        .filter(outstanding_tokens::refreshed_at.is_null())
        .select(outstanding_tokens::id)
        .load(conn)?;
    blacklist_all(conn, &live, why, by, now)
}

fn blacklist_all(conn: &mut Conn, ids: &[i64], why: Ended, by: Option<i64>, now: Timestamp) -> Result<usize> {
    let mut ended = 0;
    for id in ids {
        ended += usize::from(blacklist(conn, *id, why, by, now)?);
    }
    Ok(ended)
}

/// How many tokens that a key signed could still be exchanged. Those of a secret that was brought in name no key.
pub fn count_live_of_key(conn: &mut Conn, key: &SigningKey, now: Timestamp) -> Result<i64> {
    let live = outstanding_tokens::table
        .inner_join(sessions::table)
        .filter(outstanding_tokens::expires_at.gt(now))
        .filter(sessions::ended_at.is_null());
    Ok(match key.issued_before {
        None => live.filter(outstanding_tokens::kid.eq(&key.kid)).count().get_result(conn)?,
        Some(before) => {
            let theirs = outstanding_tokens::kid.is_null().and(outstanding_tokens::created_at.lt(before));
            live.filter(theirs).count().get_result(conn)?
        }
    })
}

/// The sessions that go on and have a token of this key on record, whichever key has signed since; each with its user, by
/// id from `after` on.
pub fn sessions_of_key(
    conn: &mut Conn,
    key: &SigningKey,
    after: &str,
    most: i64,
    now: Timestamp,
) -> Result<Vec<(String, Option<i64>)>> {
    let rows = outstanding_tokens::table.inner_join(sessions::table).into_boxed::<crate::db::Backend>();
    let rows = match key.issued_before {
        None => rows.filter(outstanding_tokens::kid.eq(key.kid.clone())),
        Some(before) => rows.filter(outstanding_tokens::kid.is_null().and(outstanding_tokens::created_at.lt(before))),
    };
    let open = rows.filter(sessions::ended_at.is_null()).filter(sessions::expires_at.gt(now));
    let columns = (sessions::id, sessions::user_id);
    Ok(open
        .filter(sessions::id.gt(after.to_owned()))
        .order(sessions::id)
        .select(columns)
        .distinct()
        .limit(most)
        .load(conn)?)
}

/// What has expired is kept so long, in case the clock is set back: then it must still be known to be dead.
pub const SLACK: Duration = Duration::from_secs(3600);

/// How many tokens expired before `before`, counted up to `most`.
pub fn count_expired(conn: &mut Conn, before: Timestamp, most: i64) -> Result<i64> {
    let old = outstanding_tokens::table.filter(outstanding_tokens::expires_at.le(before));
    let old = old.select(outstanding_tokens::id).limit(most);
    tally::number(conn, Box::new(old))
}

/// Deletes at most `most` tokens that expired before `before`, with their places on the blacklist, and the sessions that
/// thereby have no token left; returns how many of either. Sessions go with their last token, since to look for those that
/// have none would be to read all that live.
pub fn purge(conn: &mut Conn, before: Timestamp, most: i64) -> Result<(usize, usize)> {
    let old: Vec<(i64, String)> = outstanding_tokens::table
        .filter(outstanding_tokens::expires_at.le(before))
        .order((outstanding_tokens::expires_at, outstanding_tokens::id))
        .limit(most)
        .select((outstanding_tokens::id, outstanding_tokens::session_id))
        .load(conn)?;
    let (ids, theirs): (Vec<i64>, BTreeSet<String>) = old.into_iter().unzip();
    let tokens = diesel::delete(outstanding_tokens::table.filter(outstanding_tokens::id.eq_any(ids))).execute(conn)?;
    let kept: Vec<String> = outstanding_tokens::table
        .filter(outstanding_tokens::session_id.eq_any(&theirs))
        .select(outstanding_tokens::session_id)
        .distinct()
        .load(conn)?;
    let over = theirs.into_iter().filter(|session| !kept.contains(session));
    let sessions = diesel::delete(sessions::table.filter(sessions::id.eq_any(over))).execute(conn)?;
    Ok((tokens, sessions))
}

/// How a refresh token stands, by its own row and its successor's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Not exchanged, or exchanged for a successor that was not itself refreshed yet: good.
    Live,
    /// Its successor was refreshed, and the grace is over.
    Spent,
}

/// Whether the token is spent at `now` (CONTRACT 21): at once where `grace` is `None`, else once its successor was
/// refreshed and `grace` has passed since.
pub fn usage(conn: &mut Conn, token: &OutstandingToken, grace: Option<Duration>, now: Timestamp) -> Result<Use> {
    let Some(grace) = grace else {
        return Ok(if token.refreshed_at.is_some() { Use::Spent } else { Use::Live });
    };
    let Some(successor) = &token.successor else { return Ok(Use::Live) };
    let refreshed: Option<Option<Timestamp>> = outstanding_tokens::table
        .filter(outstanding_tokens::jti.eq(successor))
        .select(outstanding_tokens::refreshed_at)
        .first(conn)
        .optional()?;
    match refreshed {
        // The successor has expired and was swept: so long after, no honest client still holds the parent.
        None => Ok(Use::Spent),
        Some(Some(at)) if now > at + grace => Ok(Use::Spent),
        Some(_) => Ok(Use::Live),
    }
}

/// Whether a token that expired before `before` is still on record.
///
/// # Errors
/// The database's.
pub fn is_overdue(conn: &mut Conn, before: Timestamp) -> Result<bool> {
    let first: Option<Timestamp> =
        outstanding_tokens::table.select(diesel::dsl::min(outstanding_tokens::expires_at)).get_result(conn)?;
    Ok(first.is_some_and(|first| first < before))
}
