//! Sessions: one sign-in each. Every token of a session carries its id as `sid`; ending it ends them all.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::db::keyset::{Kind, Piece, SortColumn};
use crate::db::schema::{sessions, users};
use crate::error::{Error, Result};

/// A session's id: 16 bytes, on the wire 22 characters of base64url.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SessionId(pub [u8; 16]);

impl SessionId {
    /// A new one, at random.
    pub fn random() -> Result<Self> {
        let mut bytes = [0; 16];
        aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::internal("the system has no random bytes"))?;
        Ok(Self(bytes))
    }

    /// The id that stands for one token alone: the first half of SHA-256 of its jti. It is also the session of a refresh
    /// token that was made elsewhere and names none.
    pub fn of_token(jti: &str) -> Self {
        let mut bytes = [0; 16];
        let digest = digest::digest(&digest::SHA256, jti.as_bytes());
        for (to, from) in bytes.iter_mut().zip(digest.as_ref()) {
            *to = *from;
        }
        Self(bytes)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl FromStr for SessionId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(drop)?;
        bytes.try_into().map(Self).map_err(drop)
    }
}

/// What a sign-in was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionKind {
    /// A refresh token and its access tokens.
    Pair,
    /// A sliding token.
    Sliding,
}

impl SessionKind {
    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pair => "pair",
            Self::Sliding => "sliding",
        }
    }
}

/// What a request comes from, as far as sessions keep it.
#[derive(Clone, Debug, Default)]
pub struct Device {
    /// The client's address.
    pub ip: String,
    /// Its User-Agent header.
    pub user_agent: String,
}

/// Why a session ended. The words are kept in the database and shown in the panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The user signed out, or blacklisted the refresh token.
    SignedOut,
    /// An administrator ended it.
    ByAdmin,
    /// A spent refresh token came back: somebody has a copy.
    ReuseSeen,
    /// The user has another password since.
    PasswordChanged,
    /// All sessions of the user were ended at once.
    Everywhere,
}

impl Ended {
    /// Why a session is over that ended with all of its user's, by the generation.
    pub const OF_ALL: [Self; 2] = [Self::Everywhere, Self::PasswordChanged];

    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SignedOut => "signed out",
            Self::ByAdmin => "by admin",
            Self::ReuseSeen => "reuse seen",
            Self::PasswordChanged => "password changed",
            Self::Everywhere => "signed out everywhere",
        }
    }
}

/// A row of `sessions`.
#[derive(Clone, Debug, Queryable)]
pub struct Session {
    /// The id, as text.
    pub id: String,
    /// Whose it is; nobody's if the user is gone or was never known here.
    pub user_id: Option<i64>,
    /// The user's generation at sign-in: once the user has a later one, the session is over.
    pub generation: i32,
    /// `pair` or `sliding`.
    pub kind: String,
    /// What its user calls it; empty until somebody names it.
    pub name: String,
    /// The address at sign-in.
    pub ip: String,
    /// The User-Agent at sign-in.
    pub user_agent: String,
    /// When it began.
    pub started_at: Timestamp,
    /// The last refresh, to the minute.
    pub last_seen_at: Timestamp,
    /// The absolute end, which no rotation moves.
    pub expires_at: Timestamp,
    /// When it was ended, if it was.
    pub ended_at: Option<Timestamp>,
    /// Why.
    pub ended_why: Option<String>,
    /// By which administrator.
    pub ended_by: Option<i64>,
}

/// Of a session, whether and until when it goes on.
#[derive(Clone, Copy, Debug, Queryable)]
pub struct Course {
    /// The last refresh, to the minute.
    pub last_seen_at: Timestamp,
    /// The absolute end, which no rotation moves.
    pub expires_at: Timestamp,
    /// When it was ended, if it was.
    pub ended_at: Option<Timestamp>,
}

impl From<&Session> for Course {
    fn from(session: &Session) -> Self {
        Self { last_seen_at: session.last_seen_at, expires_at: session.expires_at, ended_at: session.ended_at }
    }
}

impl Session {
    /// The id, read back from its text.
    pub fn sid(&self) -> Result<SessionId> {
        self.id.parse().map_err(|()| Error::internal("a session's id is none"))
    }

    /// Whether it was ended by itself, and not with all of its user's.
    pub fn has_ended_alone(&self) -> bool {
        let with_all = |why: &str| Ended::OF_ALL.iter().any(|one| one.as_str() == why);
        self.ended_at.is_some() && !self.ended_why.as_deref().is_some_and(with_all)
    }
}

/// What a new session is made of.
#[derive(Clone, Copy, Debug)]
pub struct NewSession<'a> {
    /// Its id.
    pub id: SessionId,
    /// Whose it is, if anybody's who is known here.
    pub user: Option<i64>,
    /// The user's generation.
    pub generation: i32,
    /// What it is for.
    pub kind: SessionKind,
    /// What it comes from.
    pub device: &'a Device,
    /// Its absolute end.
    pub expires: Timestamp,
}

/// Begins a session.
pub fn start(conn: &mut Conn, new: NewSession<'_>, now: Timestamp) -> Result<()> {
    diesel::insert_into(sessions::table)
        .values((
            sessions::id.eq(new.id.to_string()),
            sessions::user_id.eq(new.user),
            sessions::generation.eq(new.generation),
            sessions::kind.eq(new.kind.as_str()),
            sessions::ip.eq(&new.device.ip),
            sessions::user_agent.eq(&new.device.user_agent),
            sessions::started_at.eq(now),
            sessions::last_seen_at.eq(now),
            sessions::expires_at.eq(new.expires),
        ))
        .execute(conn)?;
    Ok(())
}

/// The session with this id.
pub fn by_id(conn: &mut Conn, id: SessionId) -> Result<Option<Session>> {
    Ok(sessions::table.find(id.to_string()).first(conn).optional()?)
}

/// When it was last seen, by which sessions are listed.
pub const BY_LAST_SEEN: SortColumn =
    SortColumn::new("sessions.last_seen_at", Kind::Number, "sessions.id").with_text_id();

/// How many sessions are not over and were seen since `seen`.
pub fn count_active(conn: &mut Conn, seen: Timestamp, now: Timestamp) -> Result<i64> {
    Ok(sessions::table
        .inner_join(users::table)
        .filter(sessions::last_seen_at.ge(seen))
        .filter(sessions::generation.ge(users::generation))
        .filter(sessions::ended_at.is_null())
        .filter(sessions::expires_at.gt(now))
        .count()
        .get_result(conn)?)
}

/// The sessions of a user that are not over, newest first.
pub fn live_of(conn: &mut Conn, user: i64, now: Timestamp) -> Result<Vec<Session>> {
    page_of(conn, user, now, &Piece::counted(&[(BY_LAST_SEEN, true)], i64::MAX, 0))
}

/// A piece of the sessions of a user that are not over.
pub fn page_of(conn: &mut Conn, user: i64, now: Timestamp, piece: &Piece) -> Result<Vec<Session>> {
    Ok(sessions::table
        .inner_join(users::table)
        .filter(sessions::user_id.eq(user))
        .filter(sessions::generation.ge(users::generation))
        .filter(sessions::ended_at.is_null())
        .filter(sessions::expires_at.gt(now))
        .filter(piece.condition())
        .order(piece.order())
        .limit(piece.limit)
        .offset(piece.offset)
        .select(sessions::all_columns)
        .load(conn)?)
}

/// The session of a user with this id, if it is not over.
pub fn live_by_id(conn: &mut Conn, user: i64, id: SessionId, now: Timestamp) -> Result<Option<Session>> {
    Ok(sessions::table
        .inner_join(users::table)
        .filter(sessions::id.eq(id.to_string()))
        .filter(sessions::user_id.eq(user))
        .filter(sessions::generation.ge(users::generation))
        .filter(sessions::ended_at.is_null())
        .filter(sessions::expires_at.gt(now))
        .select(sessions::all_columns)
        .first(conn)
        .optional()?)
}

/// Gives a session another name.
pub fn rename(conn: &mut Conn, id: SessionId, name: &str) -> Result<()> {
    diesel::update(sessions::table.find(id.to_string())).set(sessions::name.eq(name)).execute(conn)?;
    Ok(())
}

/// How many sessions of a user are not over.
pub fn count_live(conn: &mut Conn, user: i64, now: Timestamp) -> Result<usize> {
    let live: i64 = sessions::table
        .inner_join(users::table)
        .filter(sessions::user_id.eq(user))
        .filter(sessions::generation.ge(users::generation))
        .filter(sessions::ended_at.is_null())
        .filter(sessions::expires_at.gt(now))
        .count()
        .get_result(conn)?;
    Ok(live.try_into().unwrap_or(0))
}

/// Marks the session as ended; `false` if it had ended before, or never was.
pub fn end(conn: &mut Conn, id: SessionId, why: Ended, by: Option<i64>, now: Timestamp) -> Result<bool> {
    let living = sessions::table.find(id.to_string()).filter(sessions::ended_at.is_null());
    let told = (sessions::ended_at.eq(now), sessions::ended_why.eq(why.as_str()), sessions::ended_by.eq(by));
    Ok(diesel::update(living).set(told).execute(conn)? == 1)
}

/// Marks the sessions of a user that are not over as ended: they are by the user's generation, and lists ask no other table.
pub fn end_all(conn: &mut Conn, user: i64, why: Ended, now: Timestamp) -> Result<()> {
    let living = sessions::table
        .filter(sessions::user_id.eq(user))
        .filter(sessions::ended_at.is_null())
        .filter(sessions::expires_at.gt(now));
    let told = (sessions::ended_at.eq(now), sessions::ended_why.eq(why.as_str()));
    diesel::update(living).set(told).execute(conn)?;
    Ok(())
}

/// Notes that the session was used.
pub fn touch(conn: &mut Conn, id: SessionId, now: Timestamp) -> Result<()> {
    diesel::update(sessions::table.find(id.to_string())).set(sessions::last_seen_at.eq(now)).execute(conn)?;
    Ok(())
}
