//! What exactly a text names, for the panel's search: users, keys, sessions.

use diesel::prelude::*;

use crate::db::Conn;
use crate::db::schema::{api_key_secrets, api_keys, sessions, users};
use crate::error::Result;

/// A user, or something of a user's: its id, what it is called, and a word about it.
pub type Named = (i64, String, String);

/// The users with exactly this name, address or id, with their addresses.
pub fn users(conn: &mut Conn, text: &str, most: i64) -> Result<Vec<Named>> {
    let columns = (users::id, users::username, users::email);
    let named = users::table.filter(users::username.eq(text).or(users::email.eq(text)));
    let mut found: Vec<Named> = named.order(users::id).limit(most).select(columns).load(conn)?;
    if let Ok(id) = text.parse::<i64>() {
        let one: Option<Named> = users::table.find(id).select(columns).first(conn).optional()?;
        found.extend(one.filter(|(id, ..)| !found.iter().any(|(known, ..)| known == id)));
    }
    Ok(found)
}

/// The API keys with a secret of exactly this prefix, with their owners' names.
pub fn api_keys(conn: &mut Conn, prefix: &str, most: i64) -> Result<Vec<Named>> {
    let secrets = api_key_secrets::table.filter(api_key_secrets::prefix.eq(prefix)).select(api_key_secrets::key_id);
    let ids: Vec<i64> = secrets.limit(most).load(conn)?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let keys = api_keys::table.inner_join(users::table.on(api_keys::user_id.eq(users::id)));
    let keys = keys.filter(api_keys::id.eq_any(ids)).order(api_keys::id);
    Ok(keys.select((api_keys::id, api_keys::name, users::username)).load(conn)?)
}

/// The newest sessions from exactly this address: id, User-Agent, and the user's name if there is one.
pub fn sessions_from(conn: &mut Conn, ip: &str, most: i64) -> Result<Vec<(String, String, Option<String>)>> {
    let theirs = sessions::table.left_join(users::table.on(sessions::user_id.eq(users::id.nullable())));
    let theirs = theirs.filter(sessions::ip.eq(ip)).order(sessions::last_seen_at.desc()).limit(most);
    Ok(theirs.select((sessions::id, sessions::user_agent, users::username.nullable())).load(conn)?)
}
