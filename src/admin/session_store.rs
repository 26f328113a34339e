//! The panel's sessions in the database: ended there, they are dead at once, whoever holds the cookie.
//!
//! The cookie carries a random key of 256 bits; the table knows its digest alone. A session ends when it was not used for
//! a while, at its absolute end, and by sign-out. What it holds is the signed-in user, the generation of that user at
//! sign-in, the token of its forms and a flash; strangers get none.

use std::collections::HashMap;
use std::time::Duration;

use actix_session::storage::{LoadError, SaveError, SessionKey, SessionStore, UpdateError};
use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::clock::Clock;
use crate::db::Db;
use crate::error::Error;
use crate::model::panel_session::{self, NewPanelSession};
use crate::model::session::Device;

/// Where a session keeps what is copied to columns of its own.
pub const IP_KEY: &str = "ip";
/// See [`IP_KEY`].
pub const AGENT_KEY: &str = "user_agent";
/// Where a session finds the digest of its own key, by which the panel names it. Told on every visit, stored nowhere.
pub const DIGEST_KEY: &str = "key_digest";
/// Where actix-identity keeps the user's id.
const USER_KEY: &str = "actix_identity.user_id";

/// How often the use of a session is written, at most.
const SEEN_EVERY: Duration = Duration::from_secs(60);
const KEY_BYTES: usize = 32;

type State = HashMap<String, String>;

/// The store. Cheap to clone.
#[derive(Clone)]
pub struct PanelSessions {
    db: Db,
    clock: Clock,
    idle: Duration,
    lifetime: Duration,
}

impl PanelSessions {
    /// Sessions in this database that live at most `lifetime`, and `idle` without use.
    pub fn new(db: Db, clock: Clock, idle: Duration, lifetime: Duration) -> Self {
        Self { db, clock, idle, lifetime }
    }
}

fn digest_of(key: &str) -> String {
    hex::encode(digest::digest(&digest::SHA256, key.as_bytes()))
}

/// A value of the state, which actix-session keeps as JSON.
fn text(state: &State, key: &str) -> String {
    state.get(key).and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
}

fn as_json(mut state: State) -> Result<String, serde_json::Error> {
    state.remove(DIGEST_KEY);
    serde_json::to_string(&state)
}

fn failed(error: Error) -> anyhow::Error {
    anyhow::anyhow!(error)
}

impl SessionStore for PanelSessions {
    async fn load(&self, key: &SessionKey) -> Result<Option<State>, LoadError> {
        let (digest, now) = (digest_of(key.as_ref()), self.clock.now());
        let idle_since = now - self.idle;
        let asked = digest.clone();
        let find = move |conn: &mut _| panel_session::state(conn, &asked, now, idle_since);
        let found = self.db.read(find).await.map_err(|error| LoadError::Other(failed(error)))?;
        let Some((json, last_seen)) = found else { return Ok(None) };
        let mut state: State = serde_json::from_str(&json).map_err(|error| LoadError::Deserialization(error.into()))?;
        state.insert(DIGEST_KEY.to_owned(), format!("\"{digest}\""));
        if last_seen <= now - SEEN_EVERY {
            let touch = move |conn: &mut _| panel_session::touch(conn, &digest, now);
            if let Err(error) = self.db.write(touch).await {
                log::warn!("that a panel session is in use could not be noted: {error}"); // it may look all the same
            }
        }
        Ok(Some(state))
    }

    async fn save(&self, state: State, _: &actix_web::cookie::time::Duration) -> Result<SessionKey, SaveError> {
        let mut key = [0; KEY_BYTES];
        let random = aws_lc_rs::rand::fill(&mut key).map_err(|_| anyhow::anyhow!("the system has no random bytes"));
        random.map_err(SaveError::Other)?;
        let key = URL_SAFE_NO_PAD.encode(key);
        let now = self.clock.now();
        let idle_since = now - self.idle;
        let new = NewPanelSession {
            key_digest: digest_of(&key),
            user: text(&state, USER_KEY).parse().ok(),
            device: Device { ip: text(&state, IP_KEY), user_agent: text(&state, AGENT_KEY) },
            state: as_json(state).map_err(|error| SaveError::Serialization(error.into()))?,
            now,
            expires: now + self.lifetime,
        };
        let begin = move |conn: &mut _| {
            panel_session::purge(conn, now, idle_since)?;
            panel_session::insert(conn, &new)
        };
        self.db.write(begin).await.map_err(|error| SaveError::Other(failed(error)))?;
        SessionKey::try_from(key).map_err(|error| SaveError::Other(error.into()))
    }

    async fn update(
        &self,
        key: SessionKey,
        state: State,
        _: &actix_web::cookie::time::Duration,
    ) -> Result<SessionKey, UpdateError> {
        let (digest, now) = (digest_of(key.as_ref()), self.clock.now());
        let state = as_json(state).map_err(|error| UpdateError::Serialization(error.into()))?;
        let store = move |conn: &mut _| panel_session::set_state(conn, &digest, &state, now);
        self.db.write(store).await.map_err(|error| UpdateError::Other(failed(error)))?;
        Ok(key)
    }

    /// Nothing: that it is used was noted when it was read.
    async fn update_ttl(&self, _: &SessionKey, _: &actix_web::cookie::time::Duration) -> Result<(), anyhow::Error> {
        Ok(())
    }

    async fn delete(&self, key: &SessionKey) -> Result<(), anyhow::Error> {
        let digest = digest_of(key.as_ref());
        self.db.write(move |conn| panel_session::delete(conn, &digest)).await.map_err(failed)
    }
}
