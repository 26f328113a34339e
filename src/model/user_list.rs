//! The list of all users, as the panel searches, filters and pages through it.

use std::collections::HashMap;

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::keyset::{Keyset, Kind, Page, Place, SortColumn, Value};
use crate::db::schema::{roles, sessions, user_roles, users};
use crate::db::sql::{Condition, contains, count_of};
use crate::db::{Backend, Conn};
use crate::error::Result;

/// What of a user a list shows: no hash.
#[derive(Clone, Debug, Queryable)]
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
}

/// Which users are wanted.
#[derive(Clone, Debug, Default)]
pub struct UserQuery {
    /// Each of these words is in the username, e-mail, first or last name, or is the id.
    pub words: Vec<String>,
    /// In this state.
    pub state: Option<UserState>,
    /// With this role.
    pub role: Option<HeldRole>,
}

/// A state that users are filtered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserState {
    /// Not switched off.
    Active,
    /// Switched off.
    Inactive,
    /// With an e-mail that is not verified.
    Unverified,
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

fn matching(query: &UserQuery) -> users::BoxedQuery<'static, Backend> {
    let mut rows = users::table.into_boxed();
    for word in &query.words {
        rows = rows.filter(has_word(word));
    }
    rows = match query.state {
        Some(UserState::Active) => rows.filter(users::is_active),
        Some(UserState::Inactive) => rows.filter(diesel::dsl::not(users::is_active)),
        Some(UserState::Unverified) => rows.filter(diesel::dsl::not(users::email_verified)),
        None => rows,
    };
    let held = user_roles::table.filter(user_roles::user_id.eq(users::id));
    match query.role {
        Some(HeldRole::Role(role)) => rows.filter(diesel::dsl::exists(held.filter(user_roles::role_id.eq(role)))),
        Some(HeldRole::None) => rows.filter(diesel::dsl::not(diesel::dsl::exists(held))),
        None => rows,
    }
}

fn has_word(word: &str) -> Condition<users::table> {
    let names = contains(users::username, word).or(contains(users::email, word));
    let names = names.or(contains(users::first_name, word)).or(contains(users::last_name, word));
    match word.parse::<i64>() {
        Ok(id) => Box::new(names.or(users::id.eq(id))),
        Err(_) => Box::new(names),
    }
}

/// One page of the users that are wanted.
pub fn page(conn: &mut Conn, query: &UserQuery, keyset: &Keyset) -> Result<Page<UserLine>> {
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
    );
    keyset.load(|piece| {
        let rows = matching(query).filter(piece.condition()).order(piece.order()).limit(piece.limit);
        Ok(rows.select(columns).load(conn)?)
    })
}

/// How many users there are.
pub fn total(conn: &mut Conn) -> Result<i64> {
    Ok(users::table.count().get_result(conn)?)
}

/// How many are wanted, counted up to `most`.
pub fn count(conn: &mut Conn, query: &UserQuery, most: i64) -> Result<i64> {
    Ok(count_of(matching(query).select(users::id).limit(most)).get_result(conn)?)
}

/// The names of some users, by id.
pub fn names(conn: &mut Conn, ids: &[i64]) -> Result<HashMap<i64, String>> {
    let rows: Vec<(i64, String)> =
        users::table.filter(users::id.eq_any(ids.to_vec())).select((users::id, users::username)).load(conn)?;
    Ok(rows.into_iter().collect())
}

/// How many living sessions each of these users has; those with none are left out.
pub fn session_counts(conn: &mut Conn, ids: &[i64], now: Timestamp) -> Result<HashMap<i64, i64>> {
    let rows: Vec<(Option<i64>, i64)> = sessions::table
        .inner_join(users::table)
        .filter(sessions::user_id.eq_any(ids.to_vec()))
        .filter(sessions::generation.ge(users::generation))
        .filter(sessions::ended_at.is_null())
        .filter(sessions::expires_at.gt(now))
        .group_by(sessions::user_id)
        .select((sessions::user_id, diesel::dsl::count_star()))
        .load(conn)?;
    Ok(rows.into_iter().filter_map(|(user, count)| Some((user?, count))).collect())
}

/// The names of the roles that each of these users holds, in order.
pub fn role_names(conn: &mut Conn, ids: &[i64]) -> Result<HashMap<i64, Vec<String>>> {
    let rows: Vec<(i64, String)> = user_roles::table
        .inner_join(roles::table)
        .filter(user_roles::user_id.eq_any(ids.to_vec()))
        .order(roles::name)
        .select((user_roles::user_id, roles::name))
        .load(conn)?;
    let mut held: HashMap<i64, Vec<String>> = HashMap::new();
    for (user, role) in rows {
        held.entry(user).or_default().push(role);
    }
    Ok(held)
}
