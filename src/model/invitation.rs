//! Invitations: who may make an account, by whose word, and what became of it.

use std::time::Duration;

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::keyset::{Keyset, Kind, Page, Piece, Place, SortColumn};
use crate::db::schema::invitations;
use crate::db::sql::lower;
use crate::db::tally::{Counted, Counts, Tally};
use crate::db::{Backend, Conn};
use crate::error::Result;
use crate::model::outbox;

/// A row of `invitations`.
#[derive(Clone, Debug, Queryable, PartialEq, Eq)]
pub struct Invitation {
    /// Never given twice.
    pub id: i64,
    /// The invited address.
    pub email: String,
    /// Who invited; nobody if it was a command, or somebody who is gone.
    pub invited_by: Option<i64>,
    /// When.
    pub created_at: Timestamp,
    /// Until when it can be accepted.
    pub expires_at: Timestamp,
    /// When it was accepted.
    pub accepted_at: Option<Timestamp>,
    /// The account that was made by it.
    pub accepted_by: Option<i64>,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
}

impl Invitation {
    /// What has become of it: `accepted`, `revoked`, `expired`, or `pending`.
    pub fn status(&self, now: Timestamp) -> &'static str {
        match self {
            Self { accepted_at: Some(_), .. } => "accepted",
            Self { revoked_at: Some(_), .. } => "revoked",
            Self { expires_at, .. } if *expires_at <= now => "expired",
            Self { .. } => "pending",
        }
    }

    /// Where it stands in the order of time.
    pub fn place(&self) -> Place {
        Place { value: self.created_at.into(), id: self.id.into() }
    }

    /// Whether it can be accepted.
    pub fn is_pending(&self, now: Timestamp) -> bool {
        self.status(now) == "pending"
    }
}

/// Invites an address, and writes the letter that says so.
pub fn invite(conn: &mut Conn, email: &str, by: Option<i64>, life: Duration, now: Timestamp) -> Result<Invitation> {
    let made: Invitation = diesel::insert_into(invitations::table)
        .values((
            invitations::email.eq(email),
            invitations::invited_by.eq(by),
            invitations::created_at.eq(now),
            invitations::expires_at.eq(now + life),
        ))
        .returning(invitations::all_columns)
        .get_result(conn)?;
    outbox::to_invited(conn, made.id, email, now)?;
    Ok(made)
}

/// The invitation with this id.
pub fn by_id(conn: &mut Conn, id: i64) -> Result<Option<Invitation>> {
    Ok(invitations::table.find(id).first(conn).optional()?)
}

/// How many there are.
pub fn count(conn: &mut Conn) -> Result<i64> {
    Ok(invitations::table.count().get_result(conn)?)
}

/// A piece of them.
pub fn page_of(conn: &mut Conn, piece: &Piece) -> Result<Vec<Invitation>> {
    let rows = invitations::table.filter(piece.condition()).order(piece.order());
    Ok(rows.limit(piece.limit).offset(piece.offset).load(conn)?)
}

/// What has become of those that are wanted; see [`Invitation::status`].
pub const STATUSES: [&str; 4] = ["pending", "accepted", "expired", "revoked"];

/// Which invitations are wanted.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// To addresses that begin so, whatever the case of their letters.
    pub address: String,
    /// Of which this has become, one of [`STATUSES`].
    pub status: Option<String>,
}

/// Sorted by when they were made.
pub const BY_TIME: SortColumn = SortColumn::new("invitations.created_at", Kind::Number, "invitations.id");

type Rows = invitations::BoxedQuery<'static, Backend>;

impl Query {
    fn rows(&self, now: Timestamp) -> Rows {
        let mut rows = invitations::table.into_boxed();
        if !self.address.is_empty() {
            let start = outbox::mailbox(&self.address);
            let end = format!("{start}{}", char::MAX);
            rows = rows.filter(lower(invitations::email).ge(start).and(lower(invitations::email).lt(end)));
        }
        let open = invitations::accepted_at.is_null().and(invitations::revoked_at.is_null());
        match self.status.as_deref() {
            Some("accepted") => rows.filter(invitations::accepted_at.is_not_null()),
            Some("revoked") => {
                rows.filter(invitations::accepted_at.is_null()).filter(invitations::revoked_at.is_not_null())
            }
            Some("expired") => rows.filter(open).filter(invitations::expires_at.le(now)),
            Some(_) => rows.filter(open).filter(invitations::expires_at.gt(now)),
            None => rows,
        }
    }
}

/// One page of those that are wanted.
///
/// # Errors
/// The database's.
pub fn page(conn: &mut Conn, query: &Query, keyset: &Keyset, now: Timestamp) -> Result<Page<Invitation>> {
    keyset.load(|piece| {
        let rows = query.rows(now).filter(piece.condition());
        Ok(rows.order(piece.order()).limit(piece.limit).load(conn)?)
    })
}

/// How many there are, and how many are wanted, counted up to `most`.
///
/// # Errors
/// The database's.
pub fn counts(conn: &mut Conn, query: &Query, tally: &Tally, now: Timestamp) -> Result<Counts> {
    let all = invitations::table.select(invitations::id);
    let matching: Counted = Box::new(query.rows(now).select(invitations::id).limit(tally.limit()));
    tally.count(conn, "invitations", vec![Box::new(all)], [matching])
}

/// Sends an invitation once more; one that has expired is good for `life` again, by the new letter alone.
///
/// # Errors
/// The database's.
pub fn send_again(conn: &mut Conn, invitation: &Invitation, life: Duration, now: Timestamp) -> Result<()> {
    if invitation.expires_at <= now {
        let row = diesel::update(invitations::table.find(invitation.id));
        row.set(invitations::expires_at.eq(now + life)).execute(conn)?;
    }
    outbox::to_invited(conn, invitation.id, &invitation.email, now)
}

/// Notes that `user` was made by the invitation. Whatever else was pending for the address is void: one person was invited.
pub fn accept(conn: &mut Conn, invitation: &Invitation, user: i64, now: Timestamp) -> Result<()> {
    let accepted = (invitations::accepted_at.eq(now), invitations::accepted_by.eq(user));
    diesel::update(invitations::table.find(invitation.id)).set(accepted).execute(conn)?;
    let same = lower(invitations::email).eq(outbox::mailbox(&invitation.email));
    let open = invitations::accepted_at.is_null().and(invitations::revoked_at.is_null());
    diesel::update(invitations::table.filter(same.and(open))).set(invitations::revoked_at.eq(now)).execute(conn)?;
    Ok(())
}

/// Takes an invitation back; `false` if there was nothing left to take back.
pub fn revoke(conn: &mut Conn, id: i64, now: Timestamp) -> Result<bool> {
    let open = invitations::accepted_at.is_null().and(invitations::revoked_at.is_null());
    let row = invitations::table.find(id).filter(open);
    Ok(diesel::update(row).set(invitations::revoked_at.eq(now)).execute(conn)? > 0)
}
