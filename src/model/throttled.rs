//! Who is held back: by a rate, as it refuses, and by an administrator's word; and who never is. A row for each count that has
//! refused somebody, and one for what was decided of somebody.

use std::collections::HashSet;
use std::time::Duration;

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::keyset::{Keyset, Kind as Sorted, Page, Place, SortColumn};
use crate::db::schema::{shared_counts, sign_in_failures, throttle_counts, throttled, users};
use crate::db::tally::{Counted, Counts, Tally};
use crate::db::{Backend, Conn};
use crate::error::Result;
use crate::model::change::{self, What};
use crate::model::user;

/// How long a refusal is told of after it is over.
const KEPT: Duration = Duration::from_secs(24 * 3600);
/// The most refusals that are kept: the newest. A flood of addresses fills no database.
const MOST: i64 = 50_000;

/// Why somebody is on the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A rate has refused them.
    Rate,
    /// An administrator holds them back.
    Held,
    /// An administrator lets no rate hold them back.
    Never,
}

impl Kind {
    /// Its word in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Held => "held",
            Self::Never => "never",
        }
    }
}

/// What a count has refused since it was last written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The count, as hexadecimal text.
    pub key: String,
    /// Who: `user-5`, or an address; nothing where there is a name.
    pub who: String,
    /// A name that may be somebody's.
    pub name: Option<String>,
    /// What was counted.
    pub scope: String,
    /// How many are let in, within `per` microseconds.
    pub most: i64,
    /// Over which time.
    pub per: i64,
    /// How many were refused.
    pub times: i64,
    /// When the last of them was.
    pub at: Timestamp,
    /// From when on there is room again.
    pub until: Timestamp,
}

/// Somebody on the list.
#[derive(Clone, Debug, Queryable)]
pub struct Line {
    /// Its row.
    pub id: i64,
    /// Who: `user-5`, or an address.
    pub who: String,
    /// The user, if it is one.
    pub user: Option<i64>,
    /// Why, as the database has it.
    pub kind: String,
    /// What was counted.
    pub scope: String,
    /// The count.
    pub key: String,
    /// How often they have asked.
    pub used: i64,
    /// How often they may.
    pub most: i64,
    /// Within so many microseconds.
    pub per: i64,
    /// When they were refused last, or when it was decided.
    pub at: Timestamp,
    /// Until when; for ever if there is no end.
    pub until: Option<Timestamp>,
    /// The administrator who decided it.
    pub made_by: String,
}

impl Line {
    /// Whether it was decided or refused for this reason.
    pub fn is(&self, kind: Kind) -> bool {
        self.kind == kind.as_str()
    }

    /// Whether it keeps somebody back at `now`.
    pub fn holds(&self, now: Timestamp) -> bool {
        !self.is(Kind::Never) && self.until.is_some_and(|until| until > now)
    }

    /// Where it stands in this order.
    pub fn place(&self, by: &SortColumn) -> Place {
        let value = if by.column == BY_USED.column { self.used.into() } else { self.at.into() };
        Place { value, id: self.id.into() }
    }
}

/// The key of the row that says what was decided of `who`: no count has it.
fn decided(who: &str) -> String {
    format!("decided {who}")
}

/// Writes refusals down. A name that nobody has is not: people type passwords there.
///
/// # Errors
/// The database's.
pub fn note(conn: &mut Conn, refused: &[Refused]) -> Result<()> {
    for one in refused {
        let (who, user) = match &one.name {
            Some(name) => match user::by_username(conn, name)? {
                Some(user) => (format!("user-{}", user.id), Some(user.id)),
                None => continue,
            },
            None => (one.who.clone(), one.who.strip_prefix("user-").and_then(|id| id.parse::<i64>().ok())),
        };
        if let (Some(id), None) = (user, &one.name)
            && user::by_id(conn, id)?.is_none()
        {
            continue; // gone since
        }
        let row = throttled::table.filter(throttled::key.eq(&one.key));
        let before =
            row.select((throttled::used, throttled::until)).first::<(i64, Option<Timestamp>)>(conn).optional()?;
        // Whoever has been let in again since begins anew.
        let used = match before {
            Some((used, Some(until))) if until > one.at => used + one.times,
            _ => one.most + one.times,
        };
        let told = (
            throttled::used.eq(used),
            throttled::most.eq(one.most),
            throttled::per.eq(one.per),
            throttled::at.eq(one.at),
            throttled::until.eq(Some(one.until)),
        );
        if before.is_some() {
            diesel::update(row).set(told).execute(conn)?;
        } else {
            let new = (
                throttled::who.eq(who),
                throttled::user_id.eq(user),
                throttled::kind.eq(Kind::Rate.as_str()),
                throttled::scope.eq(&one.scope),
                throttled::key.eq(&one.key),
                told,
            );
            diesel::insert_into(throttled::table).values(new).execute(conn)?;
        }
    }
    Ok(())
}

/// Writes what was decided of `who`, in place of what was before: held back until `until`, or never held back.
///
/// # Errors
/// The database's.
pub fn decide(
    conn: &mut Conn,
    who: &str,
    user: Option<i64>,
    until: Option<Timestamp>,
    by: &str,
    now: Timestamp,
) -> Result<()> {
    diesel::delete(throttled::table.filter(throttled::key.eq(decided(who)))).execute(conn)?;
    let kind = if until.is_some() { Kind::Held } else { Kind::Never };
    let row = (
        throttled::who.eq(who),
        throttled::user_id.eq(user),
        throttled::kind.eq(kind.as_str()),
        throttled::key.eq(decided(who)),
        throttled::at.eq(now),
        throttled::until.eq(until),
        throttled::made_by.eq(by),
    );
    diesel::insert_into(throttled::table).values(row).execute(conn)?;
    tell(conn, who, Vec::new(), now)
}

/// Clears all that stands against `who`: what was decided, what has refused them, and the counts themselves, those of `more`
/// too. Returns whether there was anything on the list.
///
/// # Errors
/// The database's.
pub fn clear(conn: &mut Conn, who: &str, more: Vec<String>, now: Timestamp) -> Result<bool> {
    let rows = throttled::table.filter(throttled::who.eq(who));
    let listed: Vec<String> = rows.select(throttled::key).load(conn)?;
    let was_listed = !listed.is_empty();
    let counts = listed.into_iter().filter(|key| *key != decided(who)).chain(more);
    let keys: Vec<String> = counts.collect::<HashSet<_>>().into_iter().collect();
    diesel::delete(rows).execute(conn)?;
    diesel::delete(throttle_counts::table.filter(throttle_counts::key.eq_any(&keys))).execute(conn)?;
    diesel::delete(shared_counts::table.filter(shared_counts::key.eq_any(&keys))).execute(conn)?;
    diesel::delete(sign_in_failures::table.filter(sign_in_failures::key.eq_any(&keys))).execute(conn)?;
    tell(conn, who, keys, now)?;
    Ok(was_listed)
}

/// Every process hears of it. A later start reads the rows themselves.
fn tell(conn: &mut Conn, who: &str, counts: Vec<String>, now: Timestamp) -> Result<()> {
    change::append(conn, What::Throttle { who: who.to_owned(), counts }, now, now)
}

/// What was decided of `who`, and until when.
///
/// # Errors
/// The database's.
pub fn decision(conn: &mut Conn, who: &str) -> Result<Option<Line>> {
    Ok(throttled::table.filter(throttled::key.eq(decided(who))).first(conn).optional()?)
}

/// All that was decided and still holds at `now`.
///
/// # Errors
/// The database's.
pub fn decisions(conn: &mut Conn, now: Timestamp) -> Result<Vec<Line>> {
    let holds = throttled::until.is_null().or(throttled::until.gt(now));
    Ok(throttled::table.filter(throttled::kind.ne(Kind::Rate.as_str())).filter(holds).load(conn)?)
}

/// All that stands against these, or for them, and is not over at `now`.
///
/// # Errors
/// The database's.
pub fn of(conn: &mut Conn, who: &[String], now: Timestamp) -> Result<Vec<Line>> {
    let holds = throttled::until.is_null().or(throttled::until.gt(now));
    let rows = throttled::table.filter(throttled::who.eq_any(who)).filter(holds);
    Ok(rows.order(throttled::id.desc()).limit(200).load(conn)?)
}

/// Deletes at most `batch` of those that have been over for a day at `now`, or that [`MOST`] newer ones have followed;
/// returns how many there were.
///
/// # Errors
/// The database's.
pub fn purge(conn: &mut Conn, now: Timestamp, batch: i64) -> Result<usize> {
    let over = throttled::table.filter(throttled::until.le(now - KEPT)).select(throttled::id);
    let mut ids: Vec<i64> = over.limit(batch).load(conn)?;
    if ids.is_empty() {
        let newest: Option<i64> = throttled::table.select(diesel::dsl::max(throttled::id)).first(conn)?;
        let surplus = throttled::id.le(newest.unwrap_or(0) - MOST).and(throttled::kind.eq(Kind::Rate.as_str()));
        ids = throttled::table.filter(surplus).select(throttled::id).limit(batch).load(conn)?;
    }
    Ok(diesel::delete(throttled::table.filter(throttled::id.eq_any(ids))).execute(conn)?)
}

/// How those stand who are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Held back, by whatever.
    HeldBack,
    /// Held back by an administrator.
    ByHand,
    /// Never held back.
    Never,
    /// Held back no more.
    Over,
}

/// Who is wanted.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Exactly a username, or how an address begins; empty for all.
    pub search: String,
    /// Standing so.
    pub state: Option<State>,
    /// Counted so.
    pub scope: Option<String>,
}

/// Sorted by when they were refused last.
pub const BY_TIME: SortColumn = SortColumn::new("throttled.at", Sorted::Number, "throttled.id");
/// Sorted by how often they have asked.
pub const BY_USED: SortColumn = SortColumn::new("throttled.used", Sorted::Number, "throttled.id");

type Rows = throttled::BoxedQuery<'static, Backend>;

impl Query {
    fn rows(&self, now: Timestamp) -> Rows {
        let mut rows = throttled::table.into_boxed();
        if !self.search.is_empty() {
            let owner = users::table.filter(users::username.eq(self.search.clone())).select(users::id).single_value();
            // As addresses are written; those of users begin with a letter that none has.
            let start = self.search.to_ascii_lowercase();
            let end = format!("{start}{}", char::MAX);
            let begins = throttled::who.ge(start).and(throttled::who.lt(end));
            rows = rows.filter(begins.or(throttled::user_id.eq(owner).assume_not_null()));
        }
        let is = |kind: Kind| throttled::kind.eq(kind.as_str());
        rows = match self.state {
            Some(State::HeldBack) => rows.filter(throttled::until.gt(now)),
            Some(State::ByHand) => rows.filter(is(Kind::Held)).filter(throttled::until.gt(now)),
            Some(State::Never) => rows.filter(is(Kind::Never)),
            Some(State::Over) => rows.filter(throttled::until.le(now)),
            None => rows,
        };
        match &self.scope {
            Some(scope) => rows.filter(throttled::scope.eq(scope.clone())),
            None => rows,
        }
    }
}

/// One page of those that are wanted.
///
/// # Errors
/// The database's.
pub fn page(conn: &mut Conn, query: &Query, keyset: &Keyset, now: Timestamp) -> Result<Page<Line>> {
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
    let all = throttled::table.select(throttled::id);
    let matching: Counted = Box::new(query.rows(now).select(throttled::id).limit(tally.limit()));
    tally.count(conn, "throttled", vec![Box::new(all)], [matching])
}

/// The row with this id.
///
/// # Errors
/// The database's.
pub fn by_id(conn: &mut Conn, id: i64) -> Result<Option<Line>> {
    Ok(throttled::table.find(id).first(conn).optional()?)
}
