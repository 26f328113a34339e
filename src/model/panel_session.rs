//! The panel's own sign-ins. Only the digest of the cookie's key is kept, so that the table opens nothing.

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::db::schema::panel_sessions;
use crate::error::Result;
use crate::model::session::Device;

/// What a new session is made of.
#[derive(Clone, Debug)]
pub struct NewPanelSession {
    /// SHA-256 of the cookie's key, in hexadecimal digits.
    pub key_digest: String,
    /// What the session holds, as JSON.
    pub state: String,
    /// Whose it is.
    pub user: Option<i64>,
    /// Where it was begun.
    pub device: Device,
    /// Now.
    pub now: Timestamp,
    /// The end that no use moves.
    pub expires: Timestamp,
}

/// Begins a session.
pub fn insert(conn: &mut Conn, new: &NewPanelSession) -> Result<()> {
    diesel::insert_into(panel_sessions::table)
        .values((
            panel_sessions::key_digest.eq(&new.key_digest),
            panel_sessions::state.eq(&new.state),
            panel_sessions::user_id.eq(new.user),
            panel_sessions::ip.eq(&new.device.ip),
            panel_sessions::user_agent.eq(&new.device.user_agent),
            panel_sessions::started_at.eq(new.now),
            panel_sessions::last_seen_at.eq(new.now),
            panel_sessions::expires_at.eq(new.expires),
        ))
        .execute(conn)?;
    Ok(())
}

/// What a session holds, and when it was last used, if it lives at `now` and was used since `idle_since`.
pub fn state(
    conn: &mut Conn,
    key_digest: &str,
    now: Timestamp,
    idle_since: Timestamp,
) -> Result<Option<(String, Timestamp)>> {
    let living = panel_sessions::table
        .find(key_digest)
        .filter(panel_sessions::expires_at.gt(now))
        .filter(panel_sessions::last_seen_at.gt(idle_since));
    Ok(living.select((panel_sessions::state, panel_sessions::last_seen_at)).first(conn).optional()?)
}

/// Stores what a session holds. One that has ended meanwhile stays dead: nothing is inserted.
pub fn set_state(conn: &mut Conn, key_digest: &str, state: &str, now: Timestamp) -> Result<()> {
    let changes = (panel_sessions::state.eq(state), panel_sessions::last_seen_at.eq(now));
    diesel::update(panel_sessions::table.find(key_digest)).set(changes).execute(conn)?;
    Ok(())
}

/// Notes that a session was used.
pub fn touch(conn: &mut Conn, key_digest: &str, now: Timestamp) -> Result<()> {
    diesel::update(panel_sessions::table.find(key_digest)).set(panel_sessions::last_seen_at.eq(now)).execute(conn)?;
    Ok(())
}

/// Ends a session.
pub fn delete(conn: &mut Conn, key_digest: &str) -> Result<()> {
    diesel::delete(panel_sessions::table.find(key_digest)).execute(conn)?;
    Ok(())
}

/// A living session, as its user's page shows it.
#[derive(Clone, Debug, Queryable)]
pub struct PanelSession {
    /// The digest of its key.
    pub key_digest: String,
    /// What it holds, as JSON.
    pub state: String,
    /// The address at sign-in.
    pub ip: String,
    /// The User-Agent at sign-in.
    pub user_agent: String,
    /// When it began.
    pub started_at: Timestamp,
    /// The last use, to the minute.
    pub last_seen_at: Timestamp,
    /// Its absolute end.
    pub expires_at: Timestamp,
}

/// The living sessions of a user, last seen first.
pub fn live_of(conn: &mut Conn, user: i64, now: Timestamp, idle_since: Timestamp) -> Result<Vec<PanelSession>> {
    Ok(panel_sessions::table
        .filter(panel_sessions::user_id.eq(user))
        .filter(panel_sessions::expires_at.gt(now))
        .filter(panel_sessions::last_seen_at.gt(idle_since))
        .order(panel_sessions::last_seen_at.desc())
        .select((
            panel_sessions::key_digest,
            panel_sessions::state,
            panel_sessions::ip,
            panel_sessions::user_agent,
            panel_sessions::started_at,
            panel_sessions::last_seen_at,
            panel_sessions::expires_at,
        ))
        .load(conn)?)
}

/// Ends one session of a user; `false` if it is not, or no longer, the user's.
pub fn end(conn: &mut Conn, user: i64, key_digest: &str) -> Result<bool> {
    let own = panel_sessions::table.find(key_digest).filter(panel_sessions::user_id.eq(user));
    Ok(diesel::delete(own).execute(conn)? == 1)
}

/// Ends all sessions of a user; returns how many there were.
pub fn end_all(conn: &mut Conn, user: i64) -> Result<usize> {
    Ok(diesel::delete(panel_sessions::table.filter(panel_sessions::user_id.eq(user))).execute(conn)?)
}

/// Deletes what has ended by itself: expired at `now`, or not used since `idle_since`.
pub fn purge(conn: &mut Conn, now: Timestamp, idle_since: Timestamp) -> Result<usize> {
    let dead = panel_sessions::expires_at.le(now).or(panel_sessions::last_seen_at.le(idle_since));
    Ok(diesel::delete(panel_sessions::table.filter(dead)).execute(conn)?)
}
