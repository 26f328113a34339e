//! The list of all users, as the panel searches, filters and pages through it.

use std::collections::HashMap;

use diesel::dsl::{exists, not};
use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::keyset::{Keyset, Kind, Page, Place, SortColumn, Value};
use crate::db::schema::{panel_sessions, roles, sessions, user_roles, users};
use crate::db::search::{self, search};
use crate::db::sql::{self, Condition, among};
use crate::db::tally::{Counted, Counts, Tally};
use crate::db::way::Way;
use crate::db::{Backend, Conn};
use crate::error::Result;
use crate::model::session_list::Moment;

/// What of a user a list shows: no hash.
#[derive(Clone, Debug)]
pub struct UserLine {
    /// The id.
    pub id: i64,
    /// The name.
    pub username: String,
    /// The e-mail address.
    pub email: String,
    /// Whether it is known to be the user's own.
    pub email_verified: bool,
    /// Not switched off.
    pub is_active: bool,
    /// May open the panel.
    pub is_staff: bool,
    /// May do everything.
    pub is_superuser: bool,
    /// The last sign-in.
    pub last_login: Option<Timestamp>,
    /// When the account was made.
    pub date_joined: Timestamp,
    /// No person but a program.
    pub is_service: bool,
    /// How many sessions live, in the API and in the panel.
    pub sessions: i64,
}

/// Which users are wanted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UserQuery {
    /// Each of these words is in the username, e-mail, first or last name, or is the id.
    pub words: Vec<String>,
    /// In this state.
    pub state: Option<UserState>,
    /// With this role.
    pub role: Option<HeldRole>,
    /// Of this rank.
    pub rank: Option<Rank>,
    /// Services, or people.
    pub is_service: Option<bool>,
    /// Last signed in then.
    pub signed_in: Option<SignedIn>,
}

impl UserQuery {
    /// Those who are wanted, at most so many, if an index tells who they are and nobody needs to be looked up to be counted.
    fn by_index(&self, conn: &Conn, most: i64) -> Option<Counted> {
        if !self.words.is_empty() && *self == (Self { words: self.words.clone(), ..Self::default() }) {
            return search::by_index(conn, "users", &self.words, true, most);
        }
        match self.role {
            // Whoever holds a role is a user.
            Some(HeldRole::Role(role)) if *self == (Self { role: self.role, ..Self::default() }) => {
                let holders = user_roles::table.filter(user_roles::role_id.eq(role)).limit(most);
                Some(Box::new(holders.select(user_roles::user_id)))
            }
            _ => None,
        }
    }

    /// Whether no index alone tells who is wanted.
    fn is_costly(&self) -> bool {
        let by_index = [self.state.is_some(), self.rank.is_some(), self.is_service.is_some(), self.signed_in.is_some()];
        let by_index = by_index.into_iter().filter(|is_set| *is_set).count();
        let by_role = usize::from(matches!(self.role, Some(HeldRole::Role(_))));
        !self.words.is_empty() || self.role == Some(HeldRole::None) || by_index + by_role > 1
    }
}

/// A state that users are filtered by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserState {
    /// Not switched off.
    Active,
    /// Switched off.
    Inactive,
    /// With an e-mail that is not verified.
    Unverified,
    /// Held back for failed sign-ins, which these are.
    Locked(Vec<i64>),
}

/// A rank that users are filtered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    /// May open the panel.
    Staff,
    /// May do everything.
    Superuser,
}

/// A last sign-in that users are filtered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignedIn {
    /// From then on.
    Since(Timestamp),
    /// Before then.
    NotSince(Timestamp),
    /// Not once.
    Never,
}

/// A role that users are filtered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldRole {
    /// This one.
    Role(i64),
    /// None at all.
    None,
}

/// Sorted by username.
pub const BY_USERNAME: SortColumn = SortColumn::new("users.username", Kind::Text, "users.id");
/// Sorted by the last sign-in.
pub const BY_LAST_LOGIN: SortColumn = SortColumn::new("users.last_login", Kind::Number, "users.id").nullable();
/// Sorted by when they joined.
pub const BY_JOINED: SortColumn = SortColumn::new("users.date_joined", Kind::Number, "users.id");

impl UserLine {
    /// Where the user stands in this order.
    pub fn place(&self, by: &SortColumn) -> Place {
        let value = match by.column {
            "users.username" => Value::from(self.username.as_str()),
            "users.last_login" => self.last_login.into(),
            _ => self.date_joined.into(),
        };
        Place { value, id: self.id.into() }
    }
}

/// What narrows the list; nothing if nothing does. With `by_look` each row is judged by itself, where an index would give all.
fn condition(conn: &Conn, query: &UserQuery, by_look: bool) -> Option<Condition<users::table>> {
    let mut all: Vec<Condition<users::table>> = Vec::new();
    if let Some(words) = search(conn, "users", &query.words, true, by_look) {
        all.push(Box::new(words));
    }
    match &query.state {
        Some(UserState::Active) => all.push(Box::new(users::is_active)),
        Some(UserState::Inactive) => all.push(Box::new(not(users::is_active))),
        Some(UserState::Unverified) => all.push(Box::new(not(users::email_verified))),
        Some(UserState::Locked(ids)) => all.push(Box::new(users::id.eq_any(ids.clone()))),
        None => {}
    }
    // Word for word the condition of an index (0001).
    let ranked = || -> Condition<users::table> { Box::new(users::is_staff.or(users::is_superuser)) };
    match query.rank {
        Some(Rank::Staff) => all.push(Box::new(ranked().and(users::is_staff))),
        Some(Rank::Superuser) => all.push(Box::new(ranked().and(users::is_superuser))),
        None => {}
    }
    match query.is_service {
        // Word for word the conditions of two indexes (0021, 0022).
        Some(true) => all.push(Box::new(users::is_service)),
        Some(false) => all.push(Box::new(not(users::is_service))),
        None => {}
    }
    match query.signed_in {
        Some(SignedIn::Since(at)) => all.push(Box::new(users::last_login.ge(at).assume_not_null())),
        Some(SignedIn::NotSince(at)) => all.push(Box::new(users::last_login.lt(at).assume_not_null())),
        Some(SignedIn::Never) => all.push(Box::new(users::last_login.is_null())),
        None => {}
    }
    let held = user_roles::table.filter(user_roles::user_id.eq(users::id));
    match query.role {
        Some(HeldRole::Role(role)) if !by_look => {
            let holders = user_roles::table.filter(user_roles::role_id.eq(role)).select(user_roles::user_id);
            all.push(Box::new(among("users.id", holders)));
        }
        Some(HeldRole::Role(role)) => all.push(Box::new(exists(held.filter(user_roles::role_id.eq(role))))),
        Some(HeldRole::None) => all.push(Box::new(not(exists(held)))),
        None => {}
    }
    sql::all(all)
}

type Columns =
    ((i64, String, String, bool, bool, bool, bool, Option<Timestamp>, Timestamp, bool), (Option<i64>, Option<i64>));

/// One page of the users that are wanted; `matching` tells how many they are, `at` when their sessions are counted.
pub fn page(conn: &mut Conn, query: &UserQuery, keyset: &Keyset, matching: i64, at: Moment) -> Result<Page<UserLine>> {
    keyset.load_by(&Way::to_words(conn, matching, &query.words, &keyset.by), |piece| {
        let mut ids = users::table.filter(piece.condition()).into_boxed::<Backend>();
        if let Some(condition) = condition(conn, query, piece.way.is_walk()) {
            ids = ids.filter(piece.way.narrowing(condition));
        }
        let ids = ids.order(piece.order()).limit(piece.limit).select(users::id);
        let of_api = sessions::table
            .filter(sessions::user_id.eq(users::id.nullable()))
            .filter(sessions::generation.ge(users::generation))
            .filter(sessions::ended_at.is_null().and(sessions::expires_at.gt(at.now)));
        let of_panel = panel_sessions::table
            .filter(panel_sessions::user_id.eq(users::id.nullable()))
            .filter(panel_sessions::expires_at.gt(at.now).and(panel_sessions::last_seen_at.gt(at.idle_since)));
        let columns = (
            users::id,
            users::username,
            users::email,
            users::email_verified,
            users::is_active,
            users::is_staff,
            users::is_superuser,
            users::last_login,
            users::date_joined,
            users::is_service,
        );
        let counts = (of_api.count().single_value(), of_panel.count().single_value());
        let rows = users::table.filter(among("users.id", ids)).order(piece.order());
        let rows: Vec<Columns> = rows.select((columns, counts)).load(conn)?;
        Ok(rows.into_iter().map(UserLine::from).collect())
    })
}

impl From<Columns> for UserLine {
    fn from((user, (of_api, of_panel)): Columns) -> Self {
        let (
            id,
            username,
            email,
            email_verified,
            is_active,
            is_staff,
            is_superuser,
            last_login,
            date_joined,
            is_service,
        ) = user;
        let sessions = of_api.unwrap_or(0) + of_panel.unwrap_or(0);
        Self {
            id,
            username,
            email,
            email_verified,
            is_active,
            is_staff,
            is_superuser,
            last_login,
            date_joined,
            is_service,
            sessions,
        }
    }
}

/// How many users there are.
pub fn total(conn: &mut Conn) -> Result<i64> {
    Ok(users::table.count().get_result(conn)?)
}

/// How many there are, and how many are wanted.
pub fn counts(conn: &mut Conn, query: &UserQuery, tally: &Tally) -> Result<Counts> {
    let tally = if query.is_costly() { tally.of_costly() } else { tally.clone() };
    let wanted = query.by_index(conn, tally.limit()).or_else(|| {
        let condition = condition(conn, query, false)?;
        Some(Box::new(users::table.filter(condition).limit(tally.limit()).select(users::id)))
    });
    tally.count(conn, "users", vec![Box::new(users::table.select(users::id))], wanted)
}

/// The names of some users, by id.
pub fn names(conn: &mut Conn, ids: &[i64]) -> Result<HashMap<i64, String>> {
    let rows: Vec<(i64, String)> =
        users::table.filter(users::id.eq_any(ids.to_vec())).select((users::id, users::username)).load(conn)?;
    Ok(rows.into_iter().collect())
}

/// The roles there are, by name, and which of them some users hold.
#[derive(Clone, Debug, Default)]
pub struct Held {
    /// Every role: its id and name.
    pub roles: Vec<(i64, String)>,
    /// The names of the roles that each user holds, in order.
    pub names: HashMap<i64, Vec<String>>,
}

/// Every role, and those that these users hold.
pub fn held(conn: &mut Conn, ids: &[i64]) -> Result<Held> {
    let theirs = user_roles::role_id.eq(roles::id).and(user_roles::user_id.eq_any(ids.to_vec()));
    let rows: Vec<(i64, String, Option<i64>)> = roles::table
        .left_join(user_roles::table.on(theirs))
        .order((roles::name, roles::id))
        .select((roles::id, roles::name, user_roles::user_id.nullable()))
        .load(conn)?;
    let mut held = Held::default();
    for (role, name, user) in rows {
        if let Some(user) = user {
            held.names.entry(user).or_default().push(name.clone());
        }
        if held.roles.last().is_none_or(|(last, _)| *last != role) {
            held.roles.push((role, name));
        }
    }
    Ok(held)
}
