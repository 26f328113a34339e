//! What an import writes: accounts that keep the ids they had, and the end of whatever could be taken for theirs.

use chrono::NaiveDate;
use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::{sessions, users};
use crate::db::{Conn, sql};
use crate::error::{Error, Result};
use crate::model::session::{Ended, Session, SessionId};

/// An account as another server had it.
#[derive(Clone, Debug, Insertable)]
#[diesel(table_name = users)]
pub struct ImportedUser {
    /// The id there: tokens carry it.
    pub id: i64,
    /// Already checked and in NFKC.
    pub username: String,
    /// A hash that can be verified here, or `!`.
    pub password: String,
    /// Given name.
    pub first_name: String,
    /// Family name.
    pub last_name: String,
    /// E-mail, or empty.
    pub email: String,
    /// Whether the e-mail was confirmed there.
    pub email_verified: bool,
    /// Phone number, or empty.
    pub phone_number: String,
    /// Day of birth.
    pub date_of_birth: Option<NaiveDate>,
    /// Not switched off.
    pub is_active: bool,
    /// May open the panel.
    pub is_staff: bool,
    /// May do everything.
    pub is_superuser: bool,
    /// Premium.
    pub is_premium: bool,
    /// When the account was made there.
    pub date_joined: Timestamp,
    /// The last sign-in there.
    pub last_login: Option<Timestamp>,
    /// Now.
    pub updated_at: Timestamp,
}

/// Makes an account under its own id. That id and name are free is for the caller to have seen, in the same transaction.
///
/// # Errors
/// The database's.
pub fn insert(conn: &mut Conn, user: &ImportedUser) -> Result<()> {
    diesel::insert_into(users::table).values(user).execute(conn)?;
    Ok(())
}

/// Has new accounts get ids above `last`: nobody may be given one that a token of the other server names.
///
/// # Errors
/// The database's.
pub fn reserve_ids(conn: &mut Conn, last: i64) -> Result<()> {
    sql::skip_ids(conn, "users", last).map_err(Error::from)
}

/// Up to `most` sessions that go on although their account was deleted, or were ended by its generation, which went with it.
/// Nobody can use them, until an account with the id that their tokens name is imported.
///
/// # Errors
/// The database's.
pub fn orphans(conn: &mut Conn, now: Timestamp, most: i64) -> Result<Vec<SessionId>> {
    let by_generation = sessions::ended_why.eq_any(Ended::OF_ALL.map(Ended::as_str));
    let by_generation = by_generation.assume_not_null();
    let left: Vec<Session> = sessions::table
        .filter(sessions::user_id.is_null())
        .filter(sessions::ended_at.is_null().or(by_generation))
        .filter(sessions::expires_at.gt(now))
        .limit(most)
        .load(conn)?;
    left.iter().map(Session::sid).collect()
}

/// Marks such a session as ended by itself.
///
/// # Errors
/// The database's.
pub fn end_orphan(conn: &mut Conn, id: SessionId, now: Timestamp) -> Result<()> {
    let told = (sessions::ended_at.eq(now), sessions::ended_why.eq(Ended::ByAdmin.as_str()));
    diesel::update(sessions::table.find(id.to_string())).set(told).execute(conn)?;
    Ok(())
}
