//! Events: what becomes of the objects of the API, for those who listen at `/ws/`.
//!
//! An event is a line of the change log, written in the transaction of the change itself: so it is told after the commit, in
//! the order of the commits, in every process, and never of what was undone. While nobody listens nothing is written.

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::hub::Hub;
use crate::model::change::{self, What};
use crate::rest::json;
use crate::rest::resource::Resource;

/// Who is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// The object's owner alone.
    Owner,
    /// Everybody.
    Everyone,
}

/// Notes that `object` was `created`, `updated` or `deleted` in this transaction, if anybody listens.
///
/// # Errors
/// The database's.
pub fn note<R: Resource>(conn: &mut Conn, hub: &Hub, verb: &str, object: &R, now: Timestamp) -> Result<()> {
    if !hub.is_heard() {
        return Ok(());
    }
    let to = match R::AUDIENCE {
        Audience::Owner => Some(object.owner()),
        Audience::Everyone => None,
    };
    let name = format!("{}.{verb}", R::NOUN.to_lowercase());
    let data = String::from_utf8(json::to_vec(object)?).map_err(Error::internal)?;
    change::append(conn, What::Event { name, to, data }, now, now)
}

/// Notes what became of an object whoever changed it: it was made, changed or deleted, or is now another's, who alone is told of
/// it from then on.
///
/// # Errors
/// The database's.
pub fn changed<R: Resource>(
    conn: &mut Conn,
    hub: &Hub,
    before: Option<&R>,
    after: Option<&R>,
    now: Timestamp,
) -> Result<()> {
    match (before, after) {
        (Some(before), Some(after)) if R::AUDIENCE == Audience::Owner && before.owner() != after.owner() => {
            note(conn, hub, "deleted", before, now)?;
            note(conn, hub, "created", after, now)
        }
        (Some(_), Some(after)) => note(conn, hub, "updated", after, now),
        (None, Some(after)) => note(conn, hub, "created", after, now),
        (Some(before), None) => note(conn, hub, "deleted", before, now),
        (None, None) => Ok(()),
    }
}
