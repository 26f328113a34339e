//! The change log: what every process must learn of what any process did.
//!
//! A row is written in the transaction of the change itself. The index in memory is this log replayed at start and read
//! on after each commit; other processes read it too. There is no second way for a sign-out to become known.

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::db::schema::{changes, followers};
use crate::error::{Error, Result};
use crate::model::api_key::KeyDigest;
use crate::model::session::SessionId;

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its place in the log.
    pub id: i64,
    /// What happened.
    pub what: What,
    /// When.
    pub at: Timestamp,
    /// From when on it matters no more: every token it is about has expired by then.
    pub until: Timestamp,
}

/// What a change is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A session has ended, or a single token, which is a session's id of its own (see [`SessionId::of_token`]).
    Ended {
        /// The session.
        session: SessionId,
        /// Whose it was, if anybody's.
        user: Option<i64>,
    },
    /// A user's flags, permissions or generation have changed, or the user is gone.
    User(i64),
    /// The key ring has changed.
    Keys,
    /// What the API key with this secret opens has changed, or it opens nothing any more.
    ApiKey(KeyDigest),
    /// What stands against somebody who is throttled was decided anew, or cleared. It matters to nobody later.
    Throttle {
        /// Who: `user-5`, or an address.
        who: String,
        /// The counts that were cleared.
        counts: Vec<String>,
    },
    /// Something that open sockets are told of. It ends nothing, and matters to nobody later.
    Event {
        /// What it was: `task.created`.
        name: String,
        /// The one user who is told of it; `None` is everyone.
        to: Option<i64>,
        /// The object, as JSON.
        data: String,
    },
}

type Row = (i64, String, String, Option<i64>, Timestamp, Timestamp, Option<String>);

/// Appends an entry.
pub fn append(conn: &mut Conn, what: What, at: Timestamp, until: Timestamp) -> Result<()> {
    let (kind, subject, user, data) = match what {
        What::Ended { session, user } => ("ended", session.to_string(), user, None),
        What::User(id) => ("user", id.to_string(), Some(id), None),
        What::Keys => ("keys", String::new(), None, None),
        What::ApiKey(digest) => ("api key", digest.to_string(), None, None),
        What::Throttle { who, counts } => ("throttle", who, None, Some(counts.join(" "))),
        What::Event { name, to, data } => ("event", name, to, Some(data)),
    };
    diesel::insert_into(changes::table)
        .values((
            changes::kind.eq(kind),
            changes::subject.eq(subject),
            changes::user_id.eq(user),
            changes::at.eq(at),
            changes::until.eq(until),
            changes::data.eq(data),
        ))
        .execute(conn)?;
    Ok(())
}

/// The entries after `position`, oldest first, at most `most` of them.
pub fn since(conn: &mut Conn, position: i64, most: i64) -> Result<Vec<Change>> {
    let rows: Vec<Row> = changes::table.filter(changes::id.gt(position)).order(changes::id).limit(most).load(conn)?;
    rows.into_iter().map(parse).collect()
}

/// The entries that still matter at `now`, oldest first.
pub fn live(conn: &mut Conn, now: Timestamp) -> Result<Vec<Change>> {
    let rows: Vec<Row> = changes::table.filter(changes::until.gt(now)).order(changes::id).load(conn)?;
    rows.into_iter().map(parse).collect()
}

/// Whether a reader who stands at `cursor` can go on from there: nothing after it was purged.
pub fn reaches_back_to(conn: &mut Conn, cursor: i64) -> Result<bool> {
    let oldest: Option<i64> = changes::table.select(diesel::dsl::min(changes::id)).first(conn)?;
    Ok(oldest.is_none_or(|oldest| cursor + 1 >= oldest))
}

/// The place of the newest entry; zero in an empty log.
pub fn position(conn: &mut Conn) -> Result<i64> {
    let newest: Option<i64> = changes::table.select(diesel::dsl::max(changes::id)).first(conn)?;
    Ok(newest.unwrap_or(0))
}

/// Deletes at most `most` entries that have not mattered since `before`; returns how many.
pub fn purge(conn: &mut Conn, before: Timestamp, most: i64) -> Result<usize> {
    let old: Vec<i64> = changes::table
        .filter(changes::until.le(before))
        .select(changes::id)
        .order(changes::until)
        .limit(most)
        .load(conn)?;
    // The newest entry stays: it holds the log's place for those who follow it.
    let newest = position(conn)?;
    let gone = diesel::delete(changes::table.filter(changes::id.eq_any(old)).filter(changes::id.lt(newest)));
    Ok(gone.execute(conn)?)
}

/// Notes that the server `id` has applied everything up to `position`, and whether it `listens`: has open sockets.
pub fn follow(conn: &mut Conn, id: &str, position: i64, listens: bool, now: Timestamp) -> Result<()> {
    let told = (followers::position.eq(position), followers::seen_at.eq(now), followers::listens.eq(listens));
    if diesel::update(followers::table.find(id)).set(told).execute(conn)? == 0 {
        diesel::insert_into(followers::table).values((followers::id.eq(id), told)).execute(conn)?;
    }
    Ok(())
}

/// Takes the server `id` off the list of those that follow.
pub fn unfollow(conn: &mut Conn, id: &str) -> Result<()> {
    diesel::delete(followers::table.find(id)).execute(conn)?;
    Ok(())
}

/// Takes every server off the list: on SQLite, where the one that starts is the only one there is.
pub fn unfollow_all(conn: &mut Conn) -> Result<()> {
    diesel::delete(followers::table).execute(conn)?;
    Ok(())
}

/// The least place that any server seen since `since` has reached; `None` if there is no such server.
pub fn slowest_follower(conn: &mut Conn, since: Timestamp) -> Result<Option<i64>> {
    let living = followers::table.filter(followers::seen_at.ge(since));
    Ok(living.select(diesel::dsl::min(followers::position)).first(conn)?)
}

/// Whether any server seen since `since` has open sockets.
pub fn anyone_listens(conn: &mut Conn, since: Timestamp) -> Result<bool> {
    let listeners = followers::table.filter(followers::listens).filter(followers::seen_at.ge(since));
    Ok(diesel::select(diesel::dsl::exists(listeners)).get_result(conn)?)
}

fn parse((id, kind, subject, user, at, until, data): Row) -> Result<Change> {
    let unknown = || Error::internal(format!("change {id} is of no known form: {kind}"));
    let what = match kind.as_str() {
        "ended" => What::Ended { session: subject.parse().map_err(|()| unknown())?, user },
        "user" => What::User(subject.parse().map_err(|_| unknown())?),
        "keys" => What::Keys,
        "api key" => What::ApiKey(subject.parse().map_err(|()| unknown())?),
        "throttle" => {
            let counts = data.unwrap_or_default().split_whitespace().map(str::to_owned).collect();
            What::Throttle { who: subject, counts }
        }
        "event" => What::Event { name: subject, to: user, data: data.ok_or_else(unknown)? },
        _ => return Err(unknown()),
    };
    Ok(Change { id, what, at, until })
}
