//! What somebody of the staff has put away for a day of what needs attention.

use std::collections::HashMap;

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::db::schema::dismissals;
use crate::error::Result;

/// What is put away: a rule, and what it is about.
pub type What = (String, String);

/// What `user` has put away and is not to be shown at `now`, and how much of it there was then.
///
/// # Errors
/// The database's.
pub fn of(conn: &mut Conn, user: i64, now: Timestamp) -> Result<HashMap<What, i64>> {
    let rows = dismissals::table.filter(dismissals::user_id.eq(user)).filter(dismissals::until.gt(now));
    let rows: Vec<(String, String, i64)> =
        rows.select((dismissals::rule, dismissals::object, dismissals::amount)).load(conn)?;
    Ok(rows.into_iter().map(|(rule, object, amount)| ((rule, object), amount)).collect())
}

/// Puts something away for `user` until `until`, as much of it as there is; what has come back by itself is forgotten.
///
/// # Errors
/// The database's.
pub fn put(conn: &mut Conn, user: i64, what: &What, amount: i64, until: Timestamp, now: Timestamp) -> Result<()> {
    let (rule, object) = what;
    diesel::delete(dismissals::table.filter(dismissals::until.le(now))).execute(conn)?;
    diesel::delete(dismissals::table.find((user, rule, object))).execute(conn)?;
    let row = (
        dismissals::user_id.eq(user),
        dismissals::rule.eq(rule),
        dismissals::object.eq(object),
        dismissals::amount.eq(amount),
        dismissals::until.eq(until),
    );
    diesel::insert_into(dismissals::table).values(row).execute(conn)?;
    Ok(())
}
