//! Adds what was counted in memory to the figures that the dashboard shows, once a minute.

use std::time::Duration;

use crate::db::Conn;
use crate::error::Result;
use crate::model::metric::{self, Join};
use crate::model::{session, signing_key, user_list};
use crate::site::Site;

/// How often: so much a crash can make forgotten.
const EVERY: Duration = Duration::from_secs(60);

/// Users that there are.
pub const USERS: &str = "users";
/// Sessions that are not over, and have been used within the life of a refresh token.
pub const SESSIONS: &str = "sessions";

/// Writes what was counted since the last time, and how many users and sessions there are.
///
/// # Errors
/// The database's; then what was counted counts the next time.
pub async fn write(site: &Site) -> Result<()> {
    let (now, taken) = (site.clock.now(), site.metrics.take());
    let seen = now - site.settings.jwt.refresh_token_lifetime;
    let standing = move |conn: &mut Conn| {
        Ok([(USERS, user_list::total(conn)?), (SESSIONS, session::count_active(conn, seen, now)?)])
    };
    let rows = taken.clone();
    let written = match site.db.read(standing).await {
        Ok(standing) => {
            let note = move |conn: &mut Conn| {
                for (name, value) in &rows {
                    metric::note(conn, name, *value, Join::Add, now)?;
                }
                for (name, value) in standing {
                    metric::note(conn, name, value, Join::Set, now)?;
                }
                metric::purge(conn, now)
            };
            site.db.write(note).await
        }
        Err(error) => Err(error),
    };
    written.inspect_err(|_| site.metrics.give_back(&taken))
}

/// Writes which signing keys have verified something since the last time; to the minute is all that anybody asks.
///
/// # Errors
/// The database's; then it is known again with the next token.
pub async fn write_key_uses(site: &Site) -> Result<()> {
    let now = site.clock.now();
    let used: Vec<String> = site.signer.ring().keys().filter_map(|key| key.take_use().map(str::to_owned)).collect();
    if used.is_empty() {
        return Ok(());
    }
    site.db.write(move |conn| signing_key::touch(conn, &used, now)).await
}

/// Writes for as long as the server runs.
pub async fn run(site: actix_web::web::Data<Site>) {
    loop {
        if let Err(error) = write(&site).await {
            log::error!("figures could not be written, which is tried again in a minute: {error}");
        }
        if let Err(error) = write_key_uses(&site).await {
            log::error!("the last use of signing keys could not be written: {error}");
        }
        tokio::time::sleep(EVERY).await;
    }
}
