//! The entries of one act, and whether what they tell of still stands: what it takes to take an act back.

use diesel::prelude::*;

use super::entry::{Change, Outcome, read_changes};
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::db::schema::audit_entries;
use crate::error::Result;

/// An entry of an act, with what it says was changed.
#[derive(Clone, Debug)]
pub struct Told {
    /// Its place in the chain.
    pub id: i64,
    /// The code of what was done.
    pub action: String,
    /// The kind of the object.
    pub object_kind: String,
    /// The object's id.
    pub object_id: String,
    /// The object's name.
    pub object: String,
    /// What was changed.
    pub changes: Vec<Change>,
}

/// How an act is named: the numbers of requests begin anew with each start, and the moment tells them apart.
pub(super) fn named(request: &str, at: Timestamp) -> String {
    format!("{request}-{}", at.micros())
}

/// When the act of this name was done; `None` if it is no name of an act.
pub fn moment(act: &str) -> Option<Timestamp> {
    act.split_once('-')?.1.parse().ok().map(Timestamp::from_micros)
}

/// What was done by an act of this name, in this session by this user, in order. Another's acts are nobody's to name.
pub fn entries(conn: &mut Conn, act: &str, actor: i64, session: &str) -> Result<Vec<Told>> {
    let (Some((request, _)), Some(at)) = (act.split_once('-'), moment(act)) else { return Ok(Vec::new()) };
    let theirs = audit_entries::table
        .filter(audit_entries::request.eq(request).and(audit_entries::at.eq(at)))
        .filter(audit_entries::actor_id.eq(actor).and(audit_entries::session.eq(session)))
        .filter(audit_entries::result.eq(Outcome::Done.as_str()));
    let columns = (
        audit_entries::id,
        audit_entries::action,
        audit_entries::object_kind,
        audit_entries::object_id,
        audit_entries::object,
        audit_entries::changes,
    );
    let rows: Vec<(i64, String, String, String, String, String)> =
        theirs.order(audit_entries::id).select(columns).load(conn)?;
    let told = |(id, action, object_kind, object_id, object, changes): (i64, _, _, _, _, String)| Told {
        id,
        action,
        object_kind,
        object_id,
        object,
        changes: read_changes(&changes),
    };
    Ok(rows.into_iter().map(told).collect())
}

/// Whether an entry after this one tells that one of these fields of its object was changed again.
pub fn is_overtaken(conn: &mut Conn, told: &Told, fields: &[&str]) -> Result<bool> {
    let later: Vec<String> = audit_entries::table
        .filter(audit_entries::object_id.eq(&told.object_id).and(audit_entries::id.gt(told.id)))
        .filter(audit_entries::object_kind.eq(&told.object_kind))
        .filter(audit_entries::result.eq(Outcome::Done.as_str()))
        .select(audit_entries::fields)
        .load(conn)?;
    Ok(later.iter().flat_map(|names| names.split(", ")).any(|name| fields.contains(&name)))
}
