//! The outbox as the panel searches, filters and pages through it: what went out, what waits, what was given up.

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::keyset::{Keyset, Kind as Sorted, Page, Place, SortColumn};
use crate::db::schema::outbox;
use crate::db::tally::{Counted, Counts, Tally};
use crate::db::{Backend, Conn};
use crate::error::{Error, Result};
use crate::model::outbox::{Kind, LEASE, Taken, mailbox};

/// How a letter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is yet to go out.
    Waiting,
    /// It went out.
    Sent,
    /// It was given up.
    Failed,
}

/// A letter.
#[derive(Clone, Debug, Queryable)]
pub struct Line {
    /// Its number.
    pub id: i64,
    /// What it is about, as the database has it.
    pub kind: String,
    /// The address.
    pub address: String,
    /// The account that it is about, if it is about one.
    pub user: Option<i64>,
    /// The invitation that it brings.
    pub invitation: Option<i64>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it is tried next.
    pub due_at: Timestamp,
    /// How often it was tried.
    pub attempts: i32,
    /// When it was tried last.
    pub tried_at: Option<Timestamp>,
    /// When it went out.
    pub sent_at: Option<Timestamp>,
    /// When it was given up.
    pub given_up_at: Option<Timestamp>,
    /// What was in the way the last time.
    pub trouble: String,
}

impl Line {
    /// How it stands.
    pub fn state(&self) -> State {
        match self {
            Self { sent_at: Some(_), .. } => State::Sent,
            Self { given_up_at: Some(_), .. } => State::Failed,
            Self { .. } => State::Waiting,
        }
    }

    /// Whether somebody is delivering it just now.
    pub fn is_being_delivered(&self, now: Timestamp) -> bool {
        let lent = self.tried_at.is_some_and(|at| at + LEASE == self.due_at);
        self.state() == State::Waiting && lent && self.due_at > now
    }

    /// Where it stands in the order of time.
    pub fn place(&self) -> Place {
        Place { value: self.created_at.into(), id: self.id.into() }
    }

    /// The letter as the postman has it.
    ///
    /// # Errors
    /// 500 for a kind that this version does not know.
    pub fn letter(&self) -> Result<Taken> {
        let kind = Kind::ALL.into_iter().find(|known| known.as_str() == self.kind);
        Ok(Taken {
            id: self.id,
            kind: kind.ok_or_else(|| Error::internal(format!("letter {} is of no known kind", self.id)))?,
            address: self.address.clone(),
            user: self.user,
            invitation: self.invitation,
            created_at: self.created_at,
            attempt: self.attempts,
        })
    }
}

/// Which letters are wanted.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// To addresses that begin so, whatever the case of their letters.
    pub address: String,
    /// Standing so.
    pub state: Option<State>,
    /// Of this kind.
    pub kind: Option<String>,
    /// Not asked for before.
    pub since: Option<Timestamp>,
}

/// Sorted by when they were asked for, which is all that this list is sorted by.
pub const BY_TIME: SortColumn = SortColumn::new("outbox.created_at", Sorted::Number, "outbox.id");

type Rows = outbox::BoxedQuery<'static, Backend>;

impl Query {
    fn rows(&self) -> Rows {
        let mut rows = outbox::table.into_boxed();
        if !self.address.is_empty() {
            let start = mailbox(&self.address);
            let end = format!("{start}{}", char::MAX);
            rows = rows.filter(outbox::mailbox.ge(start).and(outbox::mailbox.lt(end)));
        }
        rows = match self.state {
            Some(State::Waiting) => rows.filter(outbox::sent_at.is_null().and(outbox::given_up_at.is_null())),
            Some(State::Sent) => rows.filter(outbox::sent_at.is_not_null()),
            Some(State::Failed) => rows.filter(outbox::given_up_at.is_not_null()),
            None => rows,
        };
        if let Some(kind) = &self.kind {
            rows = rows.filter(outbox::kind.eq(kind.clone()));
        }
        if let Some(since) = self.since {
            rows = rows.filter(outbox::created_at.ge(since));
        }
        rows
    }
}

type Columns = (
    outbox::id,
    outbox::kind,
    outbox::address,
    outbox::user_id,
    outbox::invitation_id,
    outbox::created_at,
    outbox::due_at,
    outbox::attempts,
    outbox::tried_at,
    outbox::sent_at,
    outbox::given_up_at,
    outbox::trouble,
);

const COLUMNS: Columns = (
    outbox::id,
    outbox::kind,
    outbox::address,
    outbox::user_id,
    outbox::invitation_id,
    outbox::created_at,
    outbox::due_at,
    outbox::attempts,
    outbox::tried_at,
    outbox::sent_at,
    outbox::given_up_at,
    outbox::trouble,
);

/// One page of those that are wanted.
///
/// # Errors
/// The database's.
pub fn page(conn: &mut Conn, query: &Query, keyset: &Keyset) -> Result<Page<Line>> {
    keyset.load(|piece| {
        let rows = query.rows().filter(piece.condition());
        Ok(rows.order(piece.order()).limit(piece.limit).select(COLUMNS).load(conn)?)
    })
}

/// How many there are, and how many are wanted, counted up to `most`.
///
/// # Errors
/// The database's.
pub fn counts(conn: &mut Conn, query: &Query, tally: &Tally) -> Result<Counts> {
    let all = outbox::table.select(outbox::id);
    let matching: Counted = Box::new(query.rows().select(outbox::id).limit(tally.limit()));
    tally.count(conn, "outbox", vec![Box::new(all)], [matching])
}

/// The letter with this number.
///
/// # Errors
/// The database's.
pub fn by_id(conn: &mut Conn, id: i64) -> Result<Option<Line>> {
    Ok(outbox::table.find(id).select(COLUMNS).first(conn).optional()?)
}
