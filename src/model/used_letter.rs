//! The tokens of letters that were used, so that each is used once. A token that is not here is good by what it says
//! itself: losing these rows makes no letter good that was bad but by them.

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::db::schema::used_letters;
use crate::error::Result;

/// Whether the token with this id was used.
pub fn is_used(conn: &mut Conn, jti: &str) -> Result<bool> {
    Ok(diesel::select(diesel::dsl::exists(used_letters::table.find(jti))).get_result(conn)?)
}

/// Notes that the token with this id, which expires at `until`, is used.
pub fn use_up(conn: &mut Conn, jti: &str, until: Timestamp) -> Result<()> {
    diesel::insert_into(used_letters::table)
        .values((used_letters::jti.eq(jti), used_letters::until.eq(until)))
        .execute(conn)?;
    Ok(())
}

/// Deletes at most `most` of those that have expired before `before`; returns how many.
pub fn purge(conn: &mut Conn, before: Timestamp, most: i64) -> Result<usize> {
    let old: Vec<String> = used_letters::table
        .filter(used_letters::until.le(before))
        .order(used_letters::until)
        .select(used_letters::jti)
        .limit(most)
        .load(conn)?;
    Ok(diesel::delete(used_letters::table.filter(used_letters::jti.eq_any(old))).execute(conn)?)
}
