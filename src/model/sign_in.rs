//! Attempts to sign in, those that came in and those that did not, as the panel searches, filters and pages through them.

use std::collections::{HashMap, HashSet};
use std::fmt;

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::keyset::{Keyset, Kind, Page, Place, SortColumn};
use crate::db::schema::{sign_ins, users};
use crate::db::tally::{Counted, Counts, Tally};
use crate::db::{Backend, Conn};
use crate::error::Result;
use crate::model::session::Device;

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The user came in.
    In,
    /// The password was another.
    WrongPassword,
    /// Nobody has the name.
    Unknown,
    /// There were too many failed attempts before it; the password was not looked at.
    Locked,
    /// The password was right, and the account is switched off.
    Inactive,
    /// The password was right, and a code is needed.
    CodeMissing,
    /// The code was wrong, or used before.
    CodeWrong,
    /// The password was right, and the account may not open the panel.
    NotStaff,
    /// The password was right, and the e-mail address is not verified.
    Unverified,
    /// A provider's token was not good.
    TokenRefused,
    /// A spent refresh token came back: somebody else has a copy, and the session was ended.
    Reused,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::In,
        Self::WrongPassword,
        Self::Unknown,
        Self::Locked,
        Self::Inactive,
        Self::CodeMissing,
        Self::CodeWrong,
        Self::NotStaff,
        Self::Unverified,
        Self::TokenRefused,
        Self::Reused,
    ];

    /// Its word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::In => "ok",
            Self::WrongPassword => "wrong password",
            Self::Unknown => "unknown",
            Self::Locked => "locked",
            Self::Inactive => "inactive",
            Self::CodeMissing => "code missing",
            Self::CodeWrong => "code wrong",
            Self::NotStaff => "not staff",
            Self::Unverified => "unverified",
            Self::TokenRefused => "token refused",
            Self::Reused => "reused",
        }
    }
}

/// At which door.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum How {
    /// The API, with a name and a password.
    #[default]
    Password,
    /// The API, with a refresh token.
    Refresh,
    /// The API, with a provider's token.
    Social,
    /// The panel.
    Admin,
}

impl How {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Password, Self::Refresh, Self::Social, Self::Admin];

    /// Its word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Refresh => "refresh",
            Self::Social => "social",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An attempt to be written down.
#[derive(Clone, Debug)]
pub struct NewSignIn {
    /// When.
    pub at: Timestamp,
    /// Whose name it was; nobody's, where the name is nobody's.
    pub user: Option<i64>,
    /// The keyed digest of a name that nobody has; else nothing.
    pub name_digest: String,
    /// What came of it.
    pub outcome: Outcome,
    /// At which door.
    pub how: How,
    /// Where from.
    pub device: Device,
    /// How often within that second.
    pub times: i32,
}

/// Writes an attempt down.
pub fn insert(conn: &mut Conn, new: &NewSignIn) -> Result<()> {
    let row = (
        sign_ins::at.eq(new.at),
        sign_ins::user_id.eq(new.user),
        sign_ins::name_digest.eq(&new.name_digest),
        sign_ins::outcome.eq(new.outcome.as_str()),
        sign_ins::how.eq(new.how.as_str()),
        sign_ins::ip.eq(&new.device.ip),
        sign_ins::user_agent.eq(&new.device.user_agent),
        sign_ins::times.eq(new.times),
    );
    diesel::insert_into(sign_ins::table).values(row).execute(conn)?;
    Ok(())
}

/// Deletes at most `most` attempts from before `before`, the oldest first; returns how many went.
pub fn purge(conn: &mut Conn, before: Timestamp, most: i64) -> Result<usize> {
    let old = sign_ins::table.filter(sign_ins::at.lt(before)).order((sign_ins::at, sign_ins::id)).limit(most);
    let ids: Vec<i64> = old.select(sign_ins::id).load(conn)?;
    Ok(diesel::delete(sign_ins::table.filter(sign_ins::id.eq_any(ids))).execute(conn)?)
}

/// An attempt, as a list shows it.
#[derive(Clone, Debug, Queryable)]
pub struct Line {
    /// Its row.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// Whose name it was.
    pub user_id: Option<i64>,
    /// The keyed digest of a name that nobody has.
    pub name_digest: String,
    /// What came of it.
    pub outcome: String,
    /// At which door.
    pub how: String,
    /// The address.
    pub ip: String,
    /// The User-Agent.
    pub user_agent: String,
    /// How often within that second.
    pub times: i32,
}

impl Line {
    /// Where the attempt stands in the order of time.
    pub fn place(&self) -> Place {
        Place { value: self.at.into(), id: self.id.into() }
    }
}

/// What is searched for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sought {
    /// The attempts at this user's account.
    User(i64),
    /// Those from this address.
    Address(String),
    /// Those from addresses that begin so.
    AddressesFrom(String),
    /// Those with a name that nobody has, whose digest begins so.
    Name(String),
}

/// Which attempts are wanted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// What is searched for.
    pub sought: Option<Sought>,
    /// With this outcome.
    pub outcome: Option<String>,
    /// At this door.
    pub how: Option<String>,
    /// Not from before.
    pub since: Option<Timestamp>,
}

/// Sorted by time, which is all that this list is sorted by.
pub const BY_TIME: SortColumn = SortColumn::new("sign_ins.at", Kind::Number, "sign_ins.id");

type Rows = sign_ins::BoxedQuery<'static, Backend>;

impl Query {
    fn rows(&self) -> Rows {
        let mut rows = sign_ins::table.into_boxed();
        let end = |start: &str| format!("{start}{}", char::MAX);
        rows = match &self.sought {
            Some(Sought::User(id)) => rows.filter(sign_ins::user_id.eq(*id)),
            Some(Sought::Address(ip)) => rows.filter(sign_ins::ip.eq(ip.clone())),
            Some(Sought::AddressesFrom(ip)) => rows.filter(sign_ins::ip.ge(ip.clone()).and(sign_ins::ip.lt(end(ip)))),
            Some(Sought::Name(digest)) => {
                let begins = sign_ins::name_digest.ge(digest.clone()).and(sign_ins::name_digest.lt(end(digest)));
                rows.filter(begins)
            }
            None => rows,
        };
        if let Some(outcome) = &self.outcome {
            rows = rows.filter(sign_ins::outcome.eq(outcome.clone()));
        }
        if let Some(how) = &self.how {
            rows = rows.filter(sign_ins::how.eq(how.clone()));
        }
        if let Some(since) = self.since {
            rows = rows.filter(sign_ins::at.ge(since));
        }
        rows
    }
}

/// One page of those that are wanted.
pub fn page(conn: &mut Conn, query: &Query, keyset: &Keyset) -> Result<Page<Line>> {
    keyset.load(|piece| {
        let rows = query.rows().filter(piece.condition());
        Ok(rows.order(piece.order()).limit(piece.limit).load(conn)?)
    })
}

/// How many there are, and how many are wanted, counted up to `most`.
pub fn counts(conn: &mut Conn, query: &Query, tally: &Tally) -> Result<Counts> {
    let all = sign_ins::table.select(sign_ins::id);
    let wanted = (*query != Query::default())
        .then(|| -> Counted { Box::new(query.rows().select(sign_ins::id).limit(tally.limit())) });
    tally.count(conn, "sign_ins", vec![Box::new(all)], wanted)
}

/// How many attempts to sign in to this account have failed since then.
pub fn count_failed_of(conn: &mut Conn, user: i64, since: Timestamp) -> Result<i64> {
    let theirs = sign_ins::user_id.eq(user).and(sign_ins::at.ge(since));
    let failed = sign_ins::table.filter(theirs.and(sign_ins::outcome.ne(Outcome::In.as_str())));
    Ok(failed.count().get_result(conn)?)
}

/// The address from which this account was last signed in to.
pub fn last_address_of(conn: &mut Conn, user: i64) -> Result<Option<String>> {
    let ok = sign_ins::table.filter(sign_ins::user_id.eq(user).and(sign_ins::outcome.eq(Outcome::In.as_str())));
    Ok(ok.order((sign_ins::at.desc(), sign_ins::id.desc())).select(sign_ins::ip).first(conn).optional()?)
}

/// The most failed attempts that are looked at for their addresses.
const LOOKED_AT: i64 = 5000;

/// The addresses that attempts since `since` failed from, each with how many did and how many names were tried; most first.
/// Of very many attempts the newest are looked at.
///
/// # Errors
/// The database's.
pub fn failing_addresses(conn: &mut Conn, since: Timestamp) -> Result<Vec<(String, i64, usize)>> {
    type Row = (String, Option<i64>, String, i32);
    let failed = sign_ins::table
        .filter(sign_ins::at.ge(since))
        .filter(sign_ins::outcome.ne_all([Outcome::In.as_str(), Outcome::CodeMissing.as_str()]));
    let columns = (sign_ins::ip, sign_ins::user_id, sign_ins::name_digest, sign_ins::times);
    let newest = failed.order((sign_ins::at.desc(), sign_ins::id.desc())).limit(LOOKED_AT);
    let rows: Vec<Row> = newest.select(columns).load(conn)?;
    type Tried = HashSet<(Option<i64>, String)>;
    let mut addresses: HashMap<String, (i64, Tried)> = HashMap::new();
    for (ip, user, digest, times) in rows {
        let (failed, names) = addresses.entry(ip).or_default();
        *failed += i64::from(times);
        names.insert((user, digest));
    }
    let mut all: Vec<_> = addresses.into_iter().map(|(ip, (failed, names))| (ip, failed, names.len())).collect();
    all.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    Ok(all)
}

/// The users, by id and name, at whose accounts at least so many attempts since `since` have failed. Of very many attempts the
/// newest are looked at.
///
/// # Errors
/// The database's.
pub fn failing_users(conn: &mut Conn, since: Timestamp, failures: i64) -> Result<Vec<(i64, String)>> {
    let failed = sign_ins::table
        .inner_join(users::table.on(sign_ins::user_id.eq(users::id.nullable())))
        .filter(sign_ins::at.ge(since))
        .filter(sign_ins::outcome.ne_all([Outcome::In.as_str(), Outcome::CodeMissing.as_str()]));
    let newest = failed.order((sign_ins::at.desc(), sign_ins::id.desc())).limit(LOOKED_AT);
    let rows: Vec<(i64, String, i32)> = newest.select((users::id, users::username, sign_ins::times)).load(conn)?;
    let mut users: HashMap<(i64, String), i64> = HashMap::new();
    for (id, name, times) in rows {
        *users.entry((id, name)).or_default() += i64::from(times);
    }
    Ok(users.into_iter().filter(|(_, failed)| *failed >= failures).map(|(user, _)| user).collect())
}

/// How many attempts since `since` came to this.
///
/// # Errors
/// The database's.
pub fn count_of_outcome(conn: &mut Conn, outcome: Outcome, since: Timestamp) -> Result<i64> {
    let rows = sign_ins::table.filter(sign_ins::outcome.eq(outcome.as_str())).filter(sign_ins::at.ge(since));
    Ok(rows.count().get_result(conn)?)
}
