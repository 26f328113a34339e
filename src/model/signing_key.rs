//! The keys of the ring and their states. The secret parts are files in the data folder, not rows.

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::db::schema::signing_keys;
use crate::error::Result;

/// What a key is for at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Made and made known, to sign one day.
    Standby,
    /// Signs. There is one.
    Active,
    /// Has signed: its tokens are still good.
    Verifying,
    /// Done with: its tokens are refused.
    Retired,
    /// Known to others, or feared to be: its tokens are refused, and the sessions that they began are over.
    Condemned,
}

impl KeyState {
    /// The word in the database, and for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standby => "standby",
            Self::Active => "active",
            Self::Verifying => "verifying",
            Self::Retired => "retired",
            Self::Condemned => "condemned",
        }
    }
}

/// A row of `signing_keys`.
#[derive(Clone, Debug, Queryable)]
pub struct SigningKey {
    /// Its name in token headers. A key without a `kid` has one here all the same.
    pub kid: String,
    /// `HS256`, `ES256` and so on.
    pub algorithm: String,
    /// See [`KeyState`].
    pub state: String,
    /// When it was made or brought in.
    pub created_at: Timestamp,
    /// Since when it signs.
    pub activated_at: Option<Timestamp>,
    /// Since when another signs in its place.
    pub replaced_at: Option<Timestamp>,
    /// Since when its tokens are refused.
    pub retired_at: Option<Timestamp>,
    /// For a secret that was brought in: tokens without a `kid` that were issued before are good.
    pub issued_before: Option<Timestamp>,
    /// When it last verified a token, to the minute.
    pub last_used_at: Option<Timestamp>,
}

impl SigningKey {
    /// Whether it is in this state.
    pub fn is(&self, state: KeyState) -> bool {
        self.state == state.as_str()
    }

    /// Whether it verifies nothing any more: its file is deleted.
    pub fn is_gone(&self) -> bool {
        self.is(KeyState::Retired) || self.is(KeyState::Condemned)
    }
}

/// All keys, the oldest first.
pub fn all(conn: &mut Conn) -> Result<Vec<SigningKey>> {
    Ok(signing_keys::table.order((signing_keys::created_at, signing_keys::kid)).load(conn)?)
}

/// The key with this name.
pub fn by_kid(conn: &mut Conn, kid: &str) -> Result<Option<SigningKey>> {
    Ok(signing_keys::table.find(kid).first(conn).optional()?)
}

/// Puts a key on the list. A second active one is a unique violation.
pub fn insert(
    conn: &mut Conn,
    kid: &str,
    algorithm: &str,
    state: KeyState,
    issued_before: Option<Timestamp>,
    now: Timestamp,
) -> Result<()> {
    let activated = (state == KeyState::Active).then_some(now);
    diesel::insert_into(signing_keys::table)
        .values((
            signing_keys::kid.eq(kid),
            signing_keys::algorithm.eq(algorithm),
            signing_keys::state.eq(state.as_str()),
            signing_keys::created_at.eq(now),
            signing_keys::activated_at.eq(activated),
            signing_keys::issued_before.eq(issued_before),
        ))
        .execute(conn)?;
    Ok(())
}

/// Lets a key that stands by sign from now on; the one that signed before verifies.
pub fn activate(conn: &mut Conn, kid: &str, now: Timestamp) -> Result<bool> {
    let signing = signing_keys::table.filter(signing_keys::state.eq(KeyState::Active.as_str()));
    diesel::update(signing)
        .set((signing_keys::state.eq(KeyState::Verifying.as_str()), signing_keys::replaced_at.eq(now)))
        .execute(conn)?;
    let next = signing_keys::table.find(kid).filter(signing_keys::state.eq(KeyState::Standby.as_str()));
    let told = (signing_keys::state.eq(KeyState::Active.as_str()), signing_keys::activated_at.eq(now));
    Ok(diesel::update(next).set(told).execute(conn)? == 1)
}

/// Refuses a key's tokens from now on; `false` if it signs, or was retired before.
pub fn retire(conn: &mut Conn, kid: &str, now: Timestamp) -> Result<bool> {
    let idle = [KeyState::Standby.as_str(), KeyState::Verifying.as_str()];
    let key = signing_keys::table.find(kid).filter(signing_keys::state.eq_any(idle));
    let told = (signing_keys::state.eq(KeyState::Retired.as_str()), signing_keys::retired_at.eq(now));
    Ok(diesel::update(key).set(told).execute(conn)? == 1)
}

/// Refuses a key's tokens from now on, since it may be known to others; `false` if it signs, or was condemned before.
pub fn condemn(conn: &mut Conn, kid: &str, now: Timestamp) -> Result<bool> {
    let spared = [KeyState::Active.as_str(), KeyState::Condemned.as_str()];
    let key = signing_keys::table.find(kid).filter(signing_keys::state.ne_all(spared));
    let told = (signing_keys::state.eq(KeyState::Condemned.as_str()), signing_keys::retired_at.eq(now));
    Ok(diesel::update(key).set(told).execute(conn)? == 1)
}

/// Notes that these keys have verified tokens lately.
pub fn touch(conn: &mut Conn, kids: &[String], now: Timestamp) -> Result<()> {
    let used = signing_keys::table.filter(signing_keys::kid.eq_any(kids.to_vec()));
    diesel::update(used).set(signing_keys::last_used_at.eq(now)).execute(conn)?;
    Ok(())
}
