//! The state of each user that was seen lately, in memory: flags, permissions, generation.
//!
//! The first request of a user costs one read, later ones none. A change drops the user from here after its commit; a read
//! that was under way meanwhile finds its place gone and keeps nothing.

use std::sync::Arc;

use quick_cache::sync::Cache;

use crate::auth::permissions::PermissionSet;
use crate::db::{Conn, Db};
use crate::error::Result;
use crate::model::user;
use crate::zone::Zone;

/// What a request needs to know of its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserState {
    /// The name.
    pub username: Box<str>,
    /// Not switched off.
    pub active: bool,
    /// May open the panel.
    pub staff: bool,
    /// May do everything.
    pub superuser: bool,
    /// Premium.
    pub premium: bool,
    /// Has a confirmed e-mail.
    pub email_verified: bool,
    /// What the user may do: all for a superuser, else what the roles hold.
    pub permissions: PermissionSet,
    /// Tokens of an earlier generation are dead.
    pub generation: i32,
    /// The generation that began with the last change of the password.
    pub password_generation: i32,
    /// No person but a program: it never signs in.
    pub service: bool,
    /// Where the user reads the clock, if they said so.
    pub zone: Option<Zone>,
}

impl UserState {
    /// The state of a user as the database has it; `None` if there is no such user.
    pub fn load(conn: &mut Conn, id: i64) -> Result<Option<Self>> {
        let Some(user) = user::by_id(conn, id)? else { return Ok(None) };
        let permissions =
            if user.is_superuser { PermissionSet::all() } else { PermissionSet::named(&user::permissions(conn, id)?) };
        Ok(Some(Self {
            username: user.username.into(),
            active: user.is_active,
            staff: user.is_staff,
            superuser: user.is_superuser,
            premium: user.is_premium,
            email_verified: user.email_verified,
            permissions,
            generation: user.generation,
            password_generation: user.password_generation,
            service: user.is_service,
            zone: user.time_zone.as_deref().and_then(Zone::named),
        }))
    }
}

/// The users in memory. Bounded; the least used give way.
pub struct Principals {
    db: Db,
    /// None stands here only for the moment in which all who wait for a user that is none are told so.
    known: Cache<i64, Option<Arc<UserState>>>,
}

/// How many users are kept: some 200 bytes each.
const KEPT: usize = 100_000;

impl Principals {
    /// An empty memory over this database.
    pub fn new(db: Db) -> Self {
        Self { db, known: Cache::new(KEPT) }
    }

    /// The user's state; `None` if there is no such user.
    pub async fn of(&self, user: i64) -> Result<Option<Arc<UserState>>> {
        let place = match self.known.get_value_or_guard_async(&user).await {
            Ok(known) => return Ok(known),
            Err(place) => place,
        };
        let state = self.db.read(move |conn| UserState::load(conn, user)).await?.map(Arc::new);
        // Refused if the user was dropped since: then this state may be an old one, good for this request alone.
        let _ = place.insert(state.clone());
        if state.is_none() {
            // Given back unfilled, the place would go from one who waits to the next, the last first, each with a read.
            self.known.remove(&user);
        }
        Ok(state)
    }

    /// Drops what is known of the user. Only after the commit of a change.
    pub fn forget(&self, user: i64) {
        self.known.remove(&user);
    }
}
