//! The audit log, as the panel searches, filters and pages through it. A list reads no changes, agents and hashes.

use diesel::prelude::*;

use super::chain::{Row, ends};
use super::entry::{Change, read_changes};
use crate::clock::Timestamp;
use crate::db::keyset::{Keyset, Kind, Page, Place, SortColumn};
use crate::db::schema::{audit_entries, users};
use crate::db::tally::{Counted, Counts, Tally};
use crate::db::{Backend, Conn};
use crate::error::Result;

/// What of an entry a list shows.
#[derive(Clone, Debug, Queryable)]
pub struct Line {
    /// Its place in the chain.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// Who; nobody for the command line and the server itself.
    pub actor_id: Option<i64>,
    /// Who, as text.
    pub actor: String,
    /// The code of what was done.
    pub action: String,
    /// The kind of the object.
    pub object_kind: String,
    /// The object's id.
    pub object_id: String,
    /// The object's name.
    pub object: String,
    /// The names of the fields that changed, separated by commas.
    pub fields: String,
    /// The address.
    pub ip: String,
    /// What came of it.
    pub result: String,
}

/// A whole entry, and its place in the chain.
#[derive(Clone, Debug)]
pub struct Stored {
    /// What a list shows of it.
    pub line: Line,
    /// The session it was done in.
    pub session: String,
    /// The User-Agent.
    pub user_agent: String,
    /// What is different now.
    pub changes: Vec<Change>,
    /// Why.
    pub reason: String,
    /// The number of the request.
    pub request: String,
    /// Its hash.
    pub hash: String,
    /// The hash of the entry before it, which its own is over; `None` for the first, and where the sweep has taken that.
    pub previous: Option<String>,
    /// Whether there is one after it.
    pub has_next: bool,
}

/// Whose acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Those of this user.
    User(i64),
    /// Those of the command line and of the server itself.
    System,
}

/// Which entries are wanted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// Exactly the name or id of an object, or the number of a request.
    pub search: String,
    /// Whose.
    pub who: Option<Who>,
    /// Of this code.
    pub action: Option<String>,
    /// About objects of this kind.
    pub kind: Option<String>,
    /// That came to this.
    pub result: Option<String>,
    /// Not from before.
    pub since: Option<Timestamp>,
    /// About this user.
    pub about: Option<i64>,
}

/// Sorted by time, which is all that this list is sorted by.
pub const BY_TIME: SortColumn = SortColumn::new("audit_entries.at", Kind::Number, "audit_entries.id");

impl Line {
    /// Where the entry stands in the order of time.
    pub fn place(&self) -> Place {
        Place { value: self.at.into(), id: self.id.into() }
    }
}

type Rows = audit_entries::BoxedQuery<'static, Backend>;

impl Query {
    fn rows(&self) -> Rows {
        let mut rows = audit_entries::table.into_boxed();
        rows = match self.who {
            Some(Who::User(id)) => rows.filter(audit_entries::actor_id.eq(id)),
            Some(Who::System) => rows.filter(audit_entries::actor_id.is_null()),
            None => rows,
        };
        if let Some(action) = &self.action {
            rows = rows.filter(audit_entries::action.eq(action.clone()));
        }
        if let Some(kind) = &self.kind {
            rows = rows.filter(audit_entries::object_kind.eq(kind.clone()));
        }
        if let Some(result) = &self.result {
            rows = rows.filter(audit_entries::result.eq(result.clone()));
        }
        if let Some(since) = self.since {
            rows = rows.filter(audit_entries::at.ge(since));
        }
        if let Some(about) = self.about {
            let user = audit_entries::object_kind.eq("user");
            rows = rows.filter(audit_entries::object_id.eq(about.to_string()).and(user));
        }
        if !self.search.is_empty() {
            let named = audit_entries::object.eq(self.search.clone());
            let has_id = audit_entries::object_id.eq(self.search.clone());
            rows = rows.filter(named.or(has_id).or(audit_entries::request.eq(self.search.clone())));
        }
        rows
    }
}

/// The columns of [`Line`].
const LINE: (
    audit_entries::id,
    audit_entries::at,
    audit_entries::actor_id,
    audit_entries::actor,
    audit_entries::action,
    audit_entries::object_kind,
    audit_entries::object_id,
    audit_entries::object,
    audit_entries::fields,
    audit_entries::ip,
    audit_entries::result,
) = (
    audit_entries::id,
    audit_entries::at,
    audit_entries::actor_id,
    audit_entries::actor,
    audit_entries::action,
    audit_entries::object_kind,
    audit_entries::object_id,
    audit_entries::object,
    audit_entries::fields,
    audit_entries::ip,
    audit_entries::result,
);

/// One page of those that are wanted.
pub fn page(conn: &mut Conn, query: &Query, keyset: &Keyset) -> Result<Page<Line>> {
    keyset.load(|piece| {
        let rows = query.rows().filter(piece.condition());
        Ok(rows.order(piece.order()).limit(piece.limit).select(LINE).load(conn)?)
    })
}

/// How many there are, and how many are wanted, counted up to `most`.
pub fn counts(conn: &mut Conn, query: &Query, tally: &Tally) -> Result<Counts> {
    let all = audit_entries::table.select(audit_entries::id);
    let wanted = (*query != Query::default())
        .then(|| -> Counted { Box::new(query.rows().select(audit_entries::id).limit(tally.limit())) });
    tally.count(conn, "audit_entries", vec![Box::new(all)], wanted)
}

/// From when the oldest entry is.
pub fn oldest(conn: &mut Conn) -> Result<Option<Timestamp>> {
    let first = audit_entries::table.order(audit_entries::id).select(audit_entries::at);
    Ok(first.first(conn).optional()?)
}

/// The whole entry with this id.
pub fn by_id(conn: &mut Conn, id: i64) -> Result<Option<Stored>> {
    let Some(row) = audit_entries::table.find(id).first::<Row>(conn).optional()? else { return Ok(None) };
    let before = audit_entries::table.find(id.saturating_sub(1)).select(audit_entries::hash);
    let previous = before.first(conn).optional()?;
    let has_next = ends(conn)?.is_some_and(|ends| ends.head_id > id);
    Ok(Some(Stored {
        session: row.session,
        user_agent: row.user_agent,
        changes: read_changes(&row.changes),
        reason: row.reason,
        request: row.request,
        hash: row.hash,
        previous,
        has_next,
        line: Line {
            id: row.id,
            at: row.at,
            actor_id: row.actor_id,
            actor: row.actor,
            action: row.action,
            object_kind: row.object_kind,
            object_id: row.object_id,
            object: row.object,
            fields: row.fields,
            ip: row.ip,
            result: row.result,
        },
    }))
}

/// Those who may have acted: id and name of at most `most` of the present staff, by name.
pub fn actors(conn: &mut Conn, most: i64) -> Result<Vec<(i64, String)>> {
    let staff = users::table.filter(users::is_staff.or(users::is_superuser)).order(users::username).limit(most);
    Ok(staff.select((users::id, users::username)).load(conn)?)
}

/// The name under which a user acted last, who may be gone.
pub fn last_name_of(conn: &mut Conn, actor: i64) -> Result<Option<String>> {
    let last = audit_entries::table.filter(audit_entries::actor_id.eq(actor)).order(audit_entries::at.desc());
    Ok(last.select(audit_entries::actor).first(conn).optional()?)
}
