//! What is kept of a user beside the account itself, for the user's own copy of it. No digest and no hash is read here.

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::db::schema::{blacklisted_tokens, outstanding_tokens, panel_sessions, sessions};
use crate::error::Result;
use crate::model::session::Session;

/// The sessions of a user, those that are over too, as long as they are on record.
pub fn sessions(conn: &mut Conn, user: i64) -> Result<Vec<Session>> {
    let own = sessions::table.filter(sessions::user_id.eq(user));
    Ok(own.order((sessions::started_at, sessions::id)).load(conn)?)
}

/// A sign-in to the panel.
#[derive(Clone, Debug, Queryable)]
pub struct PanelVisit {
    /// The address.
    pub ip: String,
    /// The User-Agent.
    pub user_agent: String,
    /// When it began.
    pub started_at: Timestamp,
    /// The last use.
    pub last_seen_at: Timestamp,
    /// Its end.
    pub expires_at: Timestamp,
}

/// The sign-ins of a user to the panel.
pub fn panel_visits(conn: &mut Conn, user: i64) -> Result<Vec<PanelVisit>> {
    let own = panel_sessions::table.filter(panel_sessions::user_id.eq(user)).order(panel_sessions::started_at);
    let columns = (
        panel_sessions::ip,
        panel_sessions::user_agent,
        panel_sessions::started_at,
        panel_sessions::last_seen_at,
        panel_sessions::expires_at,
    );
    Ok(own.select(columns).load(conn)?)
}

/// A token on record.
#[derive(Clone, Debug, Queryable)]
pub struct KeptToken {
    /// The row's id.
    pub id: i64,
    /// The token's own id.
    pub jti: String,
    /// `refresh` or `sliding`.
    pub kind: String,
    /// The session.
    pub session: String,
    /// When it was issued.
    pub created_at: Timestamp,
    /// Its end.
    pub expires_at: Timestamp,
    /// When it was ended before its time, if it was.
    pub blacklisted_at: Option<Timestamp>,
}

/// The tokens of a user whose rows come after `after`, at most `most` of them, in order of their rows.
pub fn tokens(conn: &mut Conn, user: i64, after: i64, most: i64) -> Result<Vec<KeptToken>> {
    let own = outstanding_tokens::table
        .left_join(blacklisted_tokens::table)
        .filter(outstanding_tokens::user_id.eq(user))
        .filter(outstanding_tokens::id.gt(after))
        .order(outstanding_tokens::id)
        .limit(most);
    let columns = (
        outstanding_tokens::id,
        outstanding_tokens::jti,
        outstanding_tokens::kind,
        outstanding_tokens::session_id,
        outstanding_tokens::created_at,
        outstanding_tokens::expires_at,
        blacklisted_tokens::blacklisted_at.nullable(),
    );
    Ok(own.select(columns).load(conn)?)
}
