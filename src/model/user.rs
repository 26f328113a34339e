//! Users: the account itself, its flags, its password's hash and its generation.
//!
//! A token is good only if its `gen` is its user's. Whatever must end all sessions at once raises the generation: one row,
//! any number of sessions. It is a number and no time because `iat` counts whole seconds: a token made in the second of a
//! password change must live, one made just before must not.

use chrono::NaiveDate;
use diesel::dsl::{And, Eq};
use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::{role_permissions, roles, user_roles, users};
use crate::db::{Conn, sql};
use crate::error::{Error, Result};

/// A row of `users`.
#[derive(Clone, Queryable)]
pub struct User {
    /// Never given twice.
    pub id: i64,
    /// In Unicode form NFKC; letters of either case differ.
    pub username: String,
    /// The hash, in PHC form; text that fits no format matches no password.
    pub password: String,
    /// Given name; may be empty.
    pub first_name: String,
    /// Family name; may be empty.
    pub last_name: String,
    /// May be empty, and is not unique.
    pub email: String,
    /// Whether the present e-mail was confirmed by its owner.
    pub email_verified: bool,
    /// As typed; may be empty.
    pub phone_number: String,
    /// Day of birth, if given.
    pub date_of_birth: Option<NaiveDate>,
    /// Switched off, nobody signs in and every token is dead.
    pub is_active: bool,
    /// May open the panel.
    pub is_staff: bool,
    /// May do everything.
    pub is_superuser: bool,
    /// Has paid, or whatever premium means to the application.
    pub is_premium: bool,
    /// Tokens of an earlier generation are dead.
    pub generation: i32,
    /// The generation that began with the last change of the password.
    pub password_generation: i32,
    /// When the account was made.
    pub date_joined: Timestamp,
    /// The last sign-in, where it is kept.
    pub last_login: Option<Timestamp>,
    /// The last change of the account itself: the row's version.
    pub updated_at: Timestamp,
    /// The name of the zone in which times are shown to the user; `None` is the server's.
    pub time_zone: Option<String>,
    /// No person but a program: it has API keys and no password.
    pub is_service: bool,
}

/// Of a user, what decides whether a token is good.
#[derive(Clone, Copy, Debug, Queryable)]
pub struct Owner {
    /// The user's id.
    pub id: i64,
    /// Switched off, every token is dead.
    pub is_active: bool,
    /// Tokens of an earlier generation are dead.
    pub generation: i32,
    /// The generation that began with the last change of the password.
    pub password_generation: i32,
}

/// What a new account is made of.
#[derive(Clone, Default, Insertable)]
#[diesel(table_name = users)]
pub struct NewUser {
    /// Already checked and in NFKC.
    pub username: String,
    /// The hash.
    pub password: String,
    /// Given name.
    pub first_name: String,
    /// Family name.
    pub last_name: String,
    /// E-mail, or empty.
    pub email: String,
    /// Phone number, or empty.
    pub phone_number: String,
    /// Day of birth.
    pub date_of_birth: Option<NaiveDate>,
    /// May open the panel.
    pub is_staff: bool,
    /// May do everything.
    pub is_superuser: bool,
    /// No person but a program.
    pub is_service: bool,
    /// The moment of its making.
    pub date_joined: Timestamp,
    /// The same moment.
    pub updated_at: Timestamp,
}

/// What may be changed of an account; `None` leaves a field alone.
#[derive(Clone, Default, AsChangeset)]
#[diesel(table_name = users)]
pub struct UserChanges {
    /// Already checked and in NFKC.
    pub username: Option<String>,
    /// Given name.
    pub first_name: Option<String>,
    /// Family name.
    pub last_name: Option<String>,
    /// E-mail.
    pub email: Option<String>,
    /// Whether the e-mail is confirmed.
    pub email_verified: Option<bool>,
    /// Phone number.
    pub phone_number: Option<String>,
    /// Day of birth; `Some(None)` removes it.
    pub date_of_birth: Option<Option<NaiveDate>>,
    /// Active flag. Switching it off must raise the generation too: see [`set_active`].
    pub is_active: Option<bool>,
    /// May open the panel.
    pub is_staff: Option<bool>,
    /// May do everything.
    pub is_superuser: Option<bool>,
    /// Premium flag.
    pub is_premium: Option<bool>,
    /// The zone of the user; `Some(None)` is the server's.
    pub time_zone: Option<Option<String>>,
    /// The moment of the change: the row's new version.
    pub updated_at: Timestamp,
}

/// The name is somebody's already.
#[derive(Debug)]
pub struct Taken;

/// Of the user with this id, what decides whether a token is good.
pub fn owner(conn: &mut Conn, id: i64) -> Result<Option<Owner>> {
    let columns = (users::id, users::is_active, users::generation, users::password_generation);
    Ok(users::table.find(id).select(columns).first(conn).optional()?)
}

/// The user with this id.
pub fn by_id(conn: &mut Conn, id: i64) -> Result<Option<User>> {
    Ok(users::table.find(id).first(conn).optional()?)
}

/// The user with exactly this name.
pub fn by_username(conn: &mut Conn, username: &str) -> Result<Option<User>> {
    Ok(users::table.filter(users::username.eq(username)).first(conn).optional()?)
}

/// The username of whoever signs in by this name or e-mail address: an address counts where exactly one active account has
/// it verified (CONTRACT 21), so that nobody can claim another's by registering with it.
pub fn name_for_login(conn: &mut Conn, login: &str) -> Result<Option<String>> {
    if let Some(user) = by_username(conn, login)? {
        return Ok(Some(user.username));
    }
    if !login.contains('@') {
        return Ok(None);
    }
    let owners = users::table.filter(users::email.eq(login)).filter(users::email_verified.and(users::is_active));
    let mut names: Vec<String> = owners.limit(2).select(users::username).load(conn)?;
    Ok(names.pop().filter(|_| names.is_empty()))
}

/// The most accounts that one letter names.
const ACCOUNTS_OF_A_LETTER: i64 = 20;

/// The active accounts of whoever asks by this address: those that have it to the letter, else those that have it but for
/// the case of ASCII letters, all of one stored address. What merely looks alike is another's (CVE-2019-19844).
pub fn active_by_mailbox(conn: &mut Conn, address: &str) -> Result<Vec<User>> {
    if address.is_empty() {
        return Ok(Vec::new());
    }
    let same = sql::lower(users::email).eq(address.to_ascii_lowercase());
    let found: Vec<User> =
        users::table.filter(same).filter(is_person()).order(users::id).limit(ACCOUNTS_OF_A_LETTER).load(conn)?;
    let exact = found.iter().any(|user| user.email == address);
    let stored = if exact { Some(address.to_owned()) } else { found.first().map(|user| user.email.clone()) };
    Ok(found.into_iter().filter(|user| stored.as_deref() == Some(&user.email)).collect())
}

/// Somebody who could sign in: active, and no service.
pub fn is_person() -> And<users::is_active, Eq<users::is_service, bool>> {
    users::is_active.and(users::is_service.eq(false))
}

/// Makes an account; a name that is taken is the inner error, and changes nothing.
pub fn insert(conn: &mut Conn, new: &NewUser) -> Result<Result<User, Taken>> {
    // In a savepoint, since a violation spoils a PostgreSQL transaction.
    let made = conn.transaction(|conn| {
        diesel::insert_into(users::table).values(new).returning(users::all_columns).get_result(conn)
    });
    one_of_its_name(made)
}

/// Changes an account and returns it; a name that is taken is the inner error, and changes nothing.
pub fn update(conn: &mut Conn, id: i64, changes: &UserChanges) -> Result<Result<User, Taken>> {
    let made = conn.transaction(|conn| {
        diesel::update(users::table.find(id)).set(changes).returning(users::all_columns).get_result(conn)
    });
    one_of_its_name(made)
}

fn one_of_its_name(made: QueryResult<User>) -> Result<Result<User, Taken>> {
    match made {
        Ok(user) => Ok(Ok(user)),
        Err(error) if sql::taken(&error, "users", "username") => Ok(Err(Taken)),
        Err(error) => Err(Error::from(error)),
    }
}

/// Ends every session of the user: tokens made before are dead, whoever holds them.
pub fn raise_generation(conn: &mut Conn, id: i64) -> Result<()> {
    diesel::update(users::table.find(id)).set(users::generation.eq(users::generation + 1)).execute(conn)?;
    Ok(())
}

/// What stands in a row in place of a hash where there is no password: it matches none.
pub const NO_PASSWORD: &str = "!";

/// Why a service gets no password.
pub const NO_PERSON: &str =
    key!("This is a service account: it has API keys and no password, and nobody signs in as it.");

/// Stores a new password's hash and ends every session.
///
/// # Errors
/// 409 for a service, which has none; the database's.
pub fn set_password(conn: &mut Conn, id: i64, hash: &str, now: Timestamp) -> Result<()> {
    if users::table.find(id).select(users::is_service).first(conn).optional()?.unwrap_or(false) {
        return Err(Error::Conflict(NO_PERSON.into()));
    }
    diesel::update(users::table.find(id))
        .set((
            users::password.eq(hash),
            users::generation.eq(users::generation + 1),
            users::password_generation.eq(users::generation + 1),
            users::updated_at.eq(now),
        ))
        .execute(conn)?;
    Ok(())
}

/// Replaces the hash of the same password by a costlier one: no session notices. Nothing happens if the password has been
/// changed since `old` was read.
pub fn renew_hash(conn: &mut Conn, id: i64, old: &str, new: &str) -> Result<()> {
    let unchanged = users::table.find(id).filter(users::password.eq(old));
    diesel::update(unchanged).set(users::password.eq(new)).execute(conn)?;
    Ok(())
}

/// How many hashes made elsewhere are looked at: the newest are the costliest, since Django raises the cost year by year.
const FOREIGN_LOOKED_AT: i64 = 16;

/// Some of the password hashes that were imported and not renewed yet; none on a server that imported none.
pub fn foreign_hashes(conn: &mut Conn) -> Result<Vec<String>> {
    // Word for word the condition of an index (0010): ours begin with `$`, and what is no hash with `!`.
    let foreign = diesel::dsl::sql::<diesel::sql_types::Bool>("users.password > 'a'");
    let newest = users::table.filter(foreign).order(users::id.desc()).limit(FOREIGN_LOOKED_AT);
    Ok(newest.select(users::password).load(conn)?)
}

/// Switches the account on or off. Off ends every session; on again revives none.
pub fn set_active(conn: &mut Conn, id: i64, active: bool, now: Timestamp) -> Result<()> {
    let changes = UserChanges { is_active: Some(active), updated_at: now, ..UserChanges::default() };
    diesel::update(users::table.find(id)).set(&changes).execute(conn)?;
    if active { Ok(()) } else { raise_generation(conn, id) }
}

/// Notes a sign-in.
pub fn touch_last_login(conn: &mut Conn, id: i64, now: Timestamp) -> Result<()> {
    diesel::update(users::table.find(id)).set(users::last_login.eq(now)).execute(conn)?;
    Ok(())
}

/// Deletes the account with its tasks and articles. Its tokens stay on record, without an owner.
pub fn delete(conn: &mut Conn, id: i64) -> Result<()> {
    diesel::delete(users::table.find(id)).execute(conn)?;
    Ok(())
}

/// Every permission that the user's roles hold, as `area.verb`.
pub fn permissions(conn: &mut Conn, id: i64) -> Result<Vec<String>> {
    Ok(user_roles::table
        .inner_join(role_permissions::table.on(role_permissions::role_id.eq(user_roles::role_id)))
        .filter(user_roles::user_id.eq(id))
        .select(role_permissions::permission)
        .distinct()
        .load(conn)?)
}

/// The names of the user's roles, in order.
pub fn role_names(conn: &mut Conn, id: i64) -> Result<Vec<String>> {
    Ok(user_roles::table
        .inner_join(roles::table)
        .filter(user_roles::user_id.eq(id))
        .order(roles::name)
        .select(roles::name)
        .load(conn)?)
}

/// How many users could still administer the server: active superusers who may open the panel. A service never does.
pub fn active_superusers(conn: &mut Conn) -> Result<i64> {
    let able = users::is_superuser.and(is_person()).and(users::is_staff);
    Ok(users::table.filter(able).count().get_result(conn)?)
}
