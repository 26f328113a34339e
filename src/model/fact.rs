//! What the panel knows of this server beside its settings: its name, its zone, what was done once.

use diesel::prelude::*;

use crate::db::Conn;
use crate::db::schema::{facts, invitations, outbox, outstanding_tokens, user_roles, users};
use crate::error::Result;
use crate::zone::Zone;

/// Something that is known of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// What it is called.
    Name,
    /// The zone in which times are shown to those who chose none.
    TimeZone,
    /// That the built-in roles were made, or were found not to be needed.
    RolesMade,
    /// That *Getting started* was put away.
    StartedAway,
    /// That somebody said that backups are made.
    BackupSet,
}

impl Fact {
    /// The word for it in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::TimeZone => "time_zone",
            Self::RolesMade => "roles_made",
            Self::StartedAway => "started_away",
            Self::BackupSet => "backup_set",
        }
    }
}

/// What this server is called, and where it reads the clock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// The name that was given to it.
    pub name: Option<String>,
    /// The zone that was chosen for it.
    pub zone: Option<Zone>,
}

/// What is known of this; `None` if nothing is.
pub fn get(conn: &mut Conn, fact: Fact) -> Result<Option<String>> {
    Ok(facts::table.find(fact.as_str()).select(facts::value).first(conn).optional()?)
}

/// Notes it; `false` if the same was known before.
pub fn set(conn: &mut Conn, fact: Fact, value: &str) -> Result<bool> {
    if get(conn, fact)?.as_deref() == Some(value) {
        return Ok(false);
    }
    diesel::delete(facts::table.find(fact.as_str())).execute(conn)?;
    diesel::insert_into(facts::table).values((facts::name.eq(fact.as_str()), facts::value.eq(value))).execute(conn)?;
    Ok(true)
}

/// The server's name and zone.
pub fn about(conn: &mut Conn) -> Result<About> {
    let zone = get(conn, Fact::TimeZone)?;
    Ok(About { name: get(conn, Fact::Name)?, zone: zone.as_deref().and_then(Zone::named) })
}

/// How far a new server has come, each step by what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Queryable)]
pub struct Steps {
    /// The card was put away.
    pub is_away: bool,
    /// Somebody got a token.
    pub token: bool,
    /// Somebody was invited, or somebody else is staff.
    pub colleague: bool,
    /// Somebody holds a role.
    pub role: bool,
    /// A letter was delivered.
    pub letter: bool,
    /// Somebody said that backups are made.
    pub backup: bool,
}

/// How far this server has come, as `viewer` sees it.
pub fn steps(conn: &mut Conn, viewer: i64) -> Result<Steps> {
    use diesel::dsl::exists;
    let others = users::table.filter(users::is_staff.and(users::id.ne(viewer)));
    let told = |fact: Fact| facts::table.filter(facts::name.eq(fact.as_str()));
    let steps = (
        exists(told(Fact::StartedAway)),
        exists(outstanding_tokens::table.select(outstanding_tokens::id)),
        exists(invitations::table.select(invitations::id)).or(exists(others)),
        exists(user_roles::table.select(user_roles::user_id)),
        exists(outbox::table.filter(outbox::sent_at.is_not_null())),
        exists(told(Fact::BackupSet)),
    );
    Ok(diesel::select(steps).get_result(conn)?)
}
