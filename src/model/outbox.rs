//! The outbox: letters that are to be written, written in the transaction of their cause.
//!
//! A row says what the letter is about and whom it is for. It holds no token and no text: both are made as the letter goes
//! out, so that whoever reads the database can use none. A letter to whoever has an address (a reset that a stranger asks
//! for) is one row, whether anybody has it or not.

use std::time::Duration;

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::db::schema::outbox;
use crate::db::tally;
use crate::error::{Error, Result};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// What a letter is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Asks whether an address is the user's.
    Verification,
    /// Lets the user set a new password.
    Reset,
    /// Tells an old address that it is no longer the account's.
    AddressChanged,
    /// Asks somebody to make an account.
    Invitation,
    /// Shows an administrator that letters arrive.
    Test,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Verification, Self::Reset, Self::AddressChanged, Self::Invitation, Self::Test];

    /// The word for it, in the database and in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Verification => "verification",
            Self::Reset => "reset",
            Self::AddressChanged => "address_changed",
            Self::Invitation => "invitation",
            Self::Test => "test",
        }
    }

    /// How long after its cause the letter is still worth a try.
    const fn worth(self) -> Duration {
        match self {
            Self::Reset | Self::Test => HOUR,
            Self::Verification => DAY,
            Self::AddressChanged | Self::Invitation => Duration::from_secs(3 * 24 * 3600),
        }
    }
}

/// How many letters of one kind an address gets in [`WINDOW`], however often they are asked for: three of each of the two
/// that strangers can ask for. Each kind has a count of its own, so that nobody can use up the others.
pub const MOST: i64 = 3;
/// The time in which they are counted.
pub const WINDOW: Duration = DAY;
/// How long a letter that is done with stands in the log.
pub const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long one process may take over a letter before another may try it.
pub const LEASE: Duration = Duration::from_secs(180);
/// The first pause after a failure; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(15);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);

/// A letter that was taken to be delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Its number.
    pub id: i64,
    /// What it is about.
    pub kind: Kind,
    /// The address that it goes to; for a letter to whoever has it, as it was asked for.
    pub address: String,
    /// The account that it is about; without one, it is for whoever has the address.
    pub user: Option<i64>,
    /// The invitation that it brings.
    pub invitation: Option<i64>,
    /// When its cause was.
    pub created_at: Timestamp,
    /// Which try this is, from 1.
    pub attempt: i32,
}

type Row = (i64, String, String, Option<i64>, Option<i64>, Timestamp, i32, String);

/// An address as letters are counted by it: ASCII letters in lower case.
pub fn mailbox(address: &str) -> String {
    address.to_ascii_lowercase()
}

fn write(
    conn: &mut Conn,
    kind: Kind,
    address: &str,
    user: Option<i64>,
    invitation: Option<i64>,
    now: Timestamp,
) -> Result<i64> {
    let row = diesel::insert_into(outbox::table)
        .values((
            outbox::kind.eq(kind.as_str()),
            outbox::address.eq(address),
            outbox::mailbox.eq(mailbox(address)),
            outbox::user_id.eq(user),
            outbox::invitation_id.eq(invitation),
            outbox::created_at.eq(now),
            outbox::due_at.eq(now),
        ))
        .returning(outbox::id);
    Ok(row.get_result(conn)?)
}

/// Writes a letter about one account to `address`.
pub fn to_user(conn: &mut Conn, kind: Kind, user: i64, address: &str, now: Timestamp) -> Result<()> {
    write(conn, kind, address, Some(user), None, now).map(drop)
}

/// Writes the letter that `user` asks for, to see whether one arrives at `address`; returns its number.
pub fn test(conn: &mut Conn, user: i64, address: &str, now: Timestamp) -> Result<i64> {
    write(conn, Kind::Test, address, Some(user), None, now)
}

/// Writes a letter to whoever has `address`: the same work, whether anybody does.
pub fn to_whoever_has(conn: &mut Conn, kind: Kind, address: &str, now: Timestamp) -> Result<()> {
    write(conn, kind, address, None, None, now).map(drop)
}

/// Writes the letter that brings an invitation.
pub fn to_invited(conn: &mut Conn, invitation: i64, address: &str, now: Timestamp) -> Result<()> {
    write(conn, Kind::Invitation, address, None, Some(invitation), now).map(drop)
}

/// What is to be done next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// This letter; it is lent for [`LEASE`].
    Deliver(Taken),
    /// Nothing now: a letter was due, and its address has had its share or its time is over.
    Drop,
    /// Nothing is due.
    Rest,
}

/// Whether any letter is due: a look that keeps no writer busy.
pub fn is_due(conn: &mut Conn, now: Timestamp) -> Result<bool> {
    let waiting = outbox::sent_at.is_null().and(outbox::given_up_at.is_null());
    let due = outbox::table.filter(waiting.and(outbox::due_at.le(now)));
    Ok(diesel::select(diesel::dsl::exists(due)).get_result(conn)?)
}

/// Takes the letter that has been due for longest. Writers take turns, so no two processes get the same one; one that dies
/// over it gives it back when the lease is over.
pub fn take(conn: &mut Conn, now: Timestamp) -> Result<Next> {
    let waiting = outbox::sent_at.is_null().and(outbox::given_up_at.is_null());
    let row: Option<Row> = outbox::table
        .filter(waiting.and(outbox::due_at.le(now)))
        .order((outbox::due_at, outbox::id))
        .select((
            outbox::id,
            outbox::kind,
            outbox::address,
            outbox::user_id,
            outbox::invitation_id,
            outbox::created_at,
            outbox::attempts,
            outbox::trouble,
        ))
        .first(conn)
        .optional()?;
    let Some((id, kind, address, user, invitation, created_at, attempts, trouble)) = row else { return Ok(Next::Rest) };
    let known = Kind::ALL.into_iter().find(|known| known.as_str() == kind);
    let kind = known.ok_or_else(|| Error::internal(format!("letter {id} is of no known kind: {kind}")))?;
    if now >= created_at + kind.worth() {
        // What was in the way until then is what an administrator will want to know.
        let why = if trouble.is_empty() { String::new() } else { format!("; the last try: {trouble}") };
        give_up(conn, id, &format!("its time was over{why}"), now)?;
        return Ok(Next::Drop);
    }
    if has_had_its_share(conn, kind, &address, Some(id), now)? {
        // Nothing to remember: whoever asks a thousand times must not fill a table.
        remove(conn, id)?;
        return Ok(Next::Drop);
    }
    let attempt = attempts.saturating_add(1);
    diesel::update(outbox::table.find(id))
        .set((outbox::attempts.eq(attempt), outbox::tried_at.eq(now), outbox::due_at.eq(now + LEASE)))
        .execute(conn)?;
    Ok(Next::Deliver(Taken { id, kind, address, user, invitation, created_at, attempt }))
}

/// Whether an address has had as many letters of this kind as it gets, not counting the one that is `about` to go.
///
/// # Errors
/// The database's.
pub fn has_had_its_share(
    conn: &mut Conn,
    kind: Kind,
    address: &str,
    about: Option<i64>,
    now: Timestamp,
) -> Result<bool> {
    let lately = outbox::tried_at.gt(now - WINDOW).and(outbox::given_up_at.is_null());
    let same = outbox::mailbox.eq(mailbox(address)).and(outbox::kind.eq(kind.as_str()));
    let others = outbox::table.filter(same.and(lately)).filter(outbox::id.ne(about.unwrap_or(0)));
    let others: i64 = others.count().get_result(conn)?;
    Ok(others >= MOST)
}

/// Has a letter that went out go out again, as a new one; returns the new one's number.
pub fn copy(conn: &mut Conn, letter: &Taken, now: Timestamp) -> Result<i64> {
    write(conn, letter.kind, &letter.address, letter.user, letter.invitation, now)
}

/// Has a letter that waits, or was given up, tried now, as if it had just been asked for.
pub fn renew(conn: &mut Conn, id: i64, now: Timestamp) -> Result<()> {
    diesel::update(outbox::table.find(id))
        .set((
            outbox::created_at.eq(now),
            outbox::due_at.eq(now),
            outbox::attempts.eq(0),
            outbox::given_up_at.eq(None::<Timestamp>),
        ))
        .execute(conn)?;
    Ok(())
}

/// Notes that a letter has gone out, and to which address.
pub fn sent(conn: &mut Conn, id: i64, now: Timestamp) -> Result<()> {
    diesel::update(outbox::table.find(id)).set((outbox::sent_at.eq(now), outbox::trouble.eq(""))).execute(conn)?;
    Ok(())
}

/// The pause after so many failed tries.
pub fn pause(attempt: i32) -> Duration {
    let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(0).min(16);
    FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE)
}

/// Notes why a letter did not go out; it is tried again after [`pause`].
pub fn failed(conn: &mut Conn, letter: &Taken, trouble: &str, now: Timestamp) -> Result<()> {
    diesel::update(outbox::table.find(letter.id))
        .set((outbox::due_at.eq(now + pause(letter.attempt)), outbox::trouble.eq(trouble)))
        .execute(conn)?;
    Ok(())
}

/// Notes that a letter will never go out, and why.
pub fn give_up(conn: &mut Conn, id: i64, trouble: &str, now: Timestamp) -> Result<()> {
    diesel::update(outbox::table.find(id))
        .set((outbox::given_up_at.eq(now), outbox::tried_at.eq(now), outbox::trouble.eq(trouble)))
        .execute(conn)?;
    Ok(())
}

/// Makes every waiting letter due: for the start of the one server that a database can have, since nobody else is at work on
/// any, and whatever was in the way may have been mended meanwhile.
pub fn all_are_due(conn: &mut Conn, now: Timestamp) -> Result<()> {
    let waiting = outbox::sent_at.is_null().and(outbox::given_up_at.is_null()).and(outbox::due_at.gt(now));
    diesel::update(outbox::table.filter(waiting)).set(outbox::due_at.eq(now)).execute(conn)?;
    Ok(())
}

/// Takes a letter away that is for nobody.
pub fn remove(conn: &mut Conn, id: i64) -> Result<()> {
    diesel::delete(outbox::table.find(id)).execute(conn)?;
    Ok(())
}

/// Tries after which a letter that still waits is trouble.
const TROUBLED: i32 = 3;

/// How many letters have been given up since `since`, and how many wait for their fourth try or a later one.
///
/// # Errors
/// The database's.
pub fn count_in_trouble(conn: &mut Conn, since: Timestamp) -> Result<(i64, i64)> {
    let lost = outbox::table.filter(outbox::given_up_at.ge(since)).select(outbox::id);
    let waiting = outbox::sent_at.is_null().and(outbox::given_up_at.is_null()).and(outbox::attempts.ge(TROUBLED));
    let waiting = outbox::table.filter(waiting).select(outbox::id);
    tally::numbers(conn, Box::new(lost), Box::new(waiting))
}

/// Deletes at most `most` letters that are done with and count no more; returns how many.
pub fn purge(conn: &mut Conn, before: Timestamp, most: i64) -> Result<usize> {
    let done = outbox::sent_at.is_not_null().or(outbox::given_up_at.is_not_null());
    let old: Vec<i64> = outbox::table
        .filter(outbox::tried_at.le(before - KEPT).and(done))
        .order(outbox::tried_at)
        .select(outbox::id)
        .limit(most)
        .load(conn)?;
    Ok(diesel::delete(outbox::table.filter(outbox::id.eq_any(old))).execute(conn)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pause_is_twice_the_one_before_up_to_a_quarter_of_an_hour() {
        let pauses = (1..9).map(|attempt| pause(attempt).as_secs());
        assert_eq!(pauses.collect::<Vec<_>>(), [15, 30, 60, 120, 240, 480, 900, 900]);
        assert_eq!(pause(i32::MAX), LONGEST_PAUSE);
        assert_eq!(pause(0), FIRST_PAUSE);
    }
}
