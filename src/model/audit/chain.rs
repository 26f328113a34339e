//! The chain: appending an entry, and sweeping the oldest away.

use std::sync::Arc;

use aws_lc_rs::hmac;
use diesel::prelude::*;

use super::entry::{By, Change, Entry, Object};
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::db::schema::{audit_chain, audit_entries};
use crate::error::Result;

/// What seals the entries. Cheap to clone.
#[derive(Clone)]
pub struct Chain(Arc<hmac::Key>);

/// An entry as it is stored.
#[derive(Clone, Debug, Queryable, Insertable)]
#[diesel(table_name = audit_entries)]
pub(super) struct Row {
    pub id: i64,
    pub at: Timestamp,
    pub actor_id: Option<i64>,
    pub actor: String,
    pub session: String,
    pub ip: String,
    pub user_agent: String,
    pub action: String,
    pub object_kind: String,
    pub object_id: String,
    pub object: String,
    pub fields: String,
    pub changes: String,
    pub reason: String,
    pub request: String,
    pub result: String,
    pub hash: String,
}

/// Where the chain begins and ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Queryable, Insertable, AsChangeset)]
#[diesel(table_name = audit_chain)]
pub(super) struct Ends {
    pub id: i64,
    /// The last entry that was swept away; zero if none was.
    pub anchor_id: i64,
    pub anchor_hash: String,
    /// The newest entry.
    pub head_id: i64,
    pub head_hash: String,
    pub seal: String,
}

/// The id of the one row of `audit_chain`.
const ONLY: i64 = 1;

pub(super) fn ends(conn: &mut Conn) -> Result<Option<Ends>> {
    Ok(audit_chain::table.find(ONLY).first(conn).optional()?)
}

impl Chain {
    /// A chain sealed with this secret.
    pub fn new(secret: &[u8]) -> Self {
        Self(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, secret)))
    }

    /// Appends an entry, and returns its id. It belongs in the transaction of the act that it tells of.
    ///
    /// # Errors
    /// The database's; then the act is undone with it.
    pub fn append(&self, conn: &mut Conn, entry: Entry) -> Result<i64> {
        let found = ends(conn)?;
        let is_first = found.is_none();
        let mut ends = found.unwrap_or_else(|| Ends { id: ONLY, ..Ends::default() });
        let mut row = Row {
            id: ends.head_id + 1,
            at: entry.at,
            fields: entry.fields(),
            changes: entry.changes_json(),
            reason: entry.kept_reason(),
            actor_id: entry.by.user,
            actor: entry.by.name,
            session: entry.by.session,
            ip: entry.by.device.ip,
            user_agent: entry.by.device.user_agent,
            action: entry.action,
            object_kind: entry.object.kind.to_owned(),
            object_id: entry.object.id,
            object: entry.object.name,
            request: entry.by.request,
            result: entry.result.as_str().to_owned(),
            hash: String::new(),
        };
        row.hash = self.hash(&ends.head_hash, &row);
        ends.head_id = row.id;
        ends.head_hash.clone_from(&row.hash);
        let id = row.id;
        diesel::insert_into(audit_entries::table).values(row).execute(conn)?;
        self.store(conn, ends, is_first)?;
        Ok(id)
    }

    /// Deletes at most `most` of the oldest entries, as far as they are from before `before`, and notes that in an entry of
    /// its own; returns how many went. The chain then begins behind the last of them.
    ///
    /// # Errors
    /// The database's.
    pub fn purge(&self, conn: &mut Conn, before: Timestamp, most: i64, now: Timestamp) -> Result<usize> {
        let Some(mut ends) = ends(conn)? else { return Ok(0) };
        let oldest: Vec<(i64, Timestamp, String)> = audit_entries::table
            .select((audit_entries::id, audit_entries::at, audit_entries::hash))
            .order(audit_entries::id)
            .limit(most)
            .load(conn)?;
        // In the order of the chain: where the clock was set back, what is younger holds the older behind it.
        let Some((last, _, hash)) = oldest.into_iter().take_while(|(_, at, _)| *at < before).last() else {
            return Ok(0);
        };
        let gone = diesel::delete(audit_entries::table.filter(audit_entries::id.le(last))).execute(conn)?;
        (ends.anchor_id, ends.anchor_hash) = (last, hash);
        self.store(conn, ends, false)?;
        let changes = vec![Change::fact("entries", gone), Change::fact("up_to", last)];
        self.append(
            conn,
            Entry {
                at: now,
                by: By::system("sweeper"),
                action: "audit.sweep".to_owned(),
                object: Object::new("audit", "", "Audit log"),
                changes,
                ..Entry::default()
            },
        )?;
        Ok(gone)
    }

    fn store(&self, conn: &mut Conn, mut ends: Ends, is_first: bool) -> Result<()> {
        ends.seal = self.seal(&ends);
        if is_first {
            diesel::insert_into(audit_chain::table).values(ends).execute(conn)?;
        } else {
            diesel::update(audit_chain::table.find(ONLY)).set(ends).execute(conn)?;
        }
        Ok(())
    }

    pub(super) fn hash(&self, previous: &str, row: &Row) -> String {
        let Row { id, at, actor_id, actor, session, ip, user_agent, action, object_kind, .. } = row;
        let Row { object_id, object, fields, changes, reason, request, result, .. } = row;
        let actor_id = actor_id.map(|id| id.to_string()).unwrap_or_default();
        self.sign(&[
            "entry",
            previous,
            &id.to_string(),
            &at.micros().to_string(),
            &actor_id,
            actor,
            session,
            ip,
            user_agent,
            action,
            object_kind,
            object_id,
            object,
            fields,
            changes,
            reason,
            request,
            result,
        ])
    }

    pub(super) fn seal(&self, ends: &Ends) -> String {
        let Ends { anchor_id, anchor_hash, head_id, head_hash, .. } = ends;
        self.sign(&["ends", &anchor_id.to_string(), anchor_hash, &head_id.to_string(), head_hash])
    }

    /// Each part after its length in bytes: no text can pass for another split of itself.
    fn sign(&self, parts: &[&str]) -> String {
        let mut signing = hmac::Context::with_key(&self.0);
        for part in parts {
            signing.update(format!("{}:", part.len()).as_bytes());
            signing.update(part.as_bytes());
        }
        hex::encode(signing.sign())
    }
}
