//! Where accounts have signed in from: an owner who comes back to such a place is not kept out by strangers elsewhere.
//!
//! A place counts for the generation in which it was seen: a new password and "sign out everywhere" forget them all.

use std::time::Duration;

use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as Diesel};

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::db::schema::{known_addresses, users};
use crate::error::Result;
use crate::model::user::User;

/// How long a place is remembered without a sign-in.
pub const KEPT: Duration = Duration::from_secs(180 * 24 * 60 * 60);
/// How many places an account has at most: the last.
const MOST: usize = 8;
/// How often a sign-in from the same place is written, at most.
const SEEN_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// Whether the account of this name has signed in from there, and has not forgotten it since.
pub fn is_known(conn: &mut Conn, username: &str, network: &str, now: Timestamp) -> Result<bool> {
    let known = known_addresses::table
        .inner_join(users::table)
        .filter(users::username.eq(username))
        .filter(known_addresses::network.eq(network))
        .filter(known_addresses::generation.eq(users::generation))
        .filter(known_addresses::seen_at.gt(now - KEPT));
    Ok(diesel::select(diesel::dsl::exists(known)).get_result(conn)?)
}

/// Remembers that the account has signed in from there.
pub fn remember(conn: &mut Conn, user: &User, network: &str, now: Timestamp) -> Result<()> {
    let row = known_addresses::table.find((user.id, network));
    let known: Option<(i32, Timestamp)> =
        row.select((known_addresses::generation, known_addresses::seen_at)).first(conn).optional()?;
    let seen = (known_addresses::generation.eq(user.generation), known_addresses::seen_at.eq(now));
    match known {
        Some((generation, at)) if generation == user.generation && now.since(at) < SEEN_EVERY => Ok(()),
        Some(_) => Ok(diesel::update(row).set(seen).execute(conn).map(drop)?),
        None => {
            let new = (known_addresses::user_id.eq(user.id), known_addresses::network.eq(network), seen.0, seen.1);
            // In a savepoint, since another process may just have written it, which spoils a PostgreSQL transaction.
            let made = conn.transaction(|conn| diesel::insert_into(known_addresses::table).values(new).execute(conn));
            match made {
                Ok(_) => forget_oldest(conn, user.id),
                Err(Diesel::DatabaseError(DatabaseErrorKind::UniqueViolation, _)) => Ok(()),
                Err(error) => Err(error.into()),
            }
        }
    }
}

fn forget_oldest(conn: &mut Conn, user: i64) -> Result<()> {
    let own = known_addresses::table.filter(known_addresses::user_id.eq(user));
    let all: Vec<String> = own.order(known_addresses::seen_at.desc()).select(known_addresses::network).load(conn)?;
    let oldest: Vec<String> = all.into_iter().skip(MOST).collect();
    if !oldest.is_empty() {
        diesel::delete(own.filter(known_addresses::network.eq_any(oldest))).execute(conn)?;
    }
    Ok(())
}

/// Deletes at most `batch` places that are remembered no longer at `now`; returns how many there were.
pub fn purge(conn: &mut Conn, now: Timestamp, batch: i64) -> Result<usize> {
    let old = known_addresses::seen_at.le(now - KEPT);
    let keys: Vec<(i64, String)> = known_addresses::table
        .filter(old)
        .select((known_addresses::user_id, known_addresses::network))
        .limit(batch)
        .load(conn)?;
    for key in &keys {
        diesel::delete(known_addresses::table.find((key.0, &key.1))).execute(conn)?;
    }
    Ok(keys.len())
}
