//! Two-factor sign-in of an account: its sealed secret, the last step used, and the recovery codes that are left.

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::db::schema::{recovery_codes, two_factor};
use crate::error::Result;

/// A row of `two_factor`.
#[derive(Clone, Queryable)]
pub struct TwoFactor {
    /// Whose it is.
    pub user_id: i64,
    /// The secret, sealed.
    pub secret: String,
    /// The last step (RFC 6238 §4.2) that a code was used of; none before or at it counts any more.
    pub last_step: i64,
    /// When setting it up began.
    pub created_at: Timestamp,
    /// Since when it is on; `None` while it is being set up.
    pub confirmed_at: Option<Timestamp>,
}

/// What an account has, on or being set up.
pub fn of(conn: &mut Conn, user: i64) -> Result<Option<TwoFactor>> {
    Ok(two_factor::table.find(user).first(conn).optional()?)
}

/// Whether an account has two-factor sign-in on.
pub fn is_on(conn: &mut Conn, user: i64) -> Result<bool> {
    let on = two_factor::table.find(user).filter(two_factor::confirmed_at.is_not_null());
    Ok(diesel::select(diesel::dsl::exists(on)).get_result(conn)?)
}

/// Begins to set it up, in place of what was being set up before. The caller has seen that it is not on.
pub fn begin(conn: &mut Conn, user: i64, sealed: &str, now: Timestamp) -> Result<()> {
    remove(conn, user)?;
    let new = (
        two_factor::user_id.eq(user),
        two_factor::secret.eq(sealed),
        two_factor::last_step.eq(0),
        two_factor::created_at.eq(now),
    );
    diesel::insert_into(two_factor::table).values(new).execute(conn)?;
    Ok(())
}

/// Switches it on; `false` if it is on already, or another secret was begun with meanwhile.
pub fn confirm(conn: &mut Conn, user: i64, sealed: &str, now: Timestamp) -> Result<bool> {
    let begun = two_factor::table.find(user).filter(two_factor::secret.eq(sealed));
    let begun = begun.filter(two_factor::confirmed_at.is_null());
    Ok(diesel::update(begun).set(two_factor::confirmed_at.eq(now)).execute(conn)? == 1)
}

/// Notes that a code of this step was used; `false` if one of it, or of a later one, was used before.
pub fn use_step(conn: &mut Conn, user: i64, step: i64) -> Result<bool> {
    let unused = two_factor::table.find(user).filter(two_factor::last_step.lt(step));
    Ok(diesel::update(unused).set(two_factor::last_step.eq(step)).execute(conn)? == 1)
}

/// Puts new recovery codes in place of the old.
pub fn set_codes(conn: &mut Conn, user: i64, digests: &[String]) -> Result<()> {
    diesel::delete(recovery_codes::table.filter(recovery_codes::user_id.eq(user))).execute(conn)?;
    for digest in digests {
        let new = (recovery_codes::user_id.eq(user), recovery_codes::digest.eq(digest));
        diesel::insert_into(recovery_codes::table).values(new).execute(conn)?;
    }
    Ok(())
}

/// Uses a recovery code up; `false` if there is no such code, or no longer.
pub fn use_code(conn: &mut Conn, user: i64, digest: &str) -> Result<bool> {
    Ok(diesel::delete(recovery_codes::table.find((user, digest))).execute(conn)? == 1)
}

/// How many recovery codes are left.
pub fn codes_left(conn: &mut Conn, user: i64) -> Result<i64> {
    Ok(recovery_codes::table.filter(recovery_codes::user_id.eq(user)).count().get_result(conn)?)
}

/// Switches it off, whatever its state, and forgets the recovery codes; `false` if it was not on.
pub fn remove(conn: &mut Conn, user: i64) -> Result<bool> {
    let was_on = is_on(conn, user)?;
    diesel::delete(two_factor::table.find(user)).execute(conn)?;
    Ok(was_on)
}
