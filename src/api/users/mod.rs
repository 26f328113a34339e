//! Users, for staff whose roles permit it: so that a script provisions people without the panel, by the panel's own rules.

mod input;

use actix_web::http::Method;
use actix_web::web::Data;
use chrono::NaiveDate;
use diesel::prelude::*;
use serde::Serialize;

pub use input::Account;

use crate::auth::account_rules::{Own, check_new_password};
use crate::auth::actor::{Actor, Flags, Target};
use crate::auth::by_letter;
use crate::auth::gate::Principal;
use crate::auth::permissions::Verb;
use crate::clock::Timestamp;
use crate::db::schema::users;
use crate::db::sql::contains;
use crate::db::{Backend, Conn};
use crate::error::{Error, Result};
use crate::model::audit::{Change, Object, changed, told, user_fields};
use crate::model::user::{self, NewUser, Taken, User};
use crate::model::{panel_session, role, user_list};
use crate::rest::acting::Acting;
use crate::rest::answer::Answer;
use crate::rest::caller::Caller;
use crate::rest::conditions::Conditions;
use crate::rest::json;
use crate::rest::list::ListQuery;
use crate::rest::paging::{Page, SortKey, Sorting};
use crate::rest::payload::Body;
use crate::rest::permission::{HasModelPermission, IsAdminUser, IsAuthenticated, Users};
use crate::rest::resource::Id;
use crate::site::Site;

/// Staff who hold `users.view`, and `users.add` or `users.change` for what they do.
pub type Access = (IsAuthenticated, (IsAdminUser, HasModelPermission<Users>));

/// A user as staff see one.
#[derive(Serialize)]
struct Shown {
    id: i64,
    username: String,
    email: String,
    first_name: String,
    last_name: String,
    phone_number: String,
    date_of_birth: Option<NaiveDate>,
    email_verified: bool,
    is_active: bool,
    is_staff: bool,
    is_superuser: bool,
    is_premium: bool,
    roles: Vec<String>,
    date_joined: Timestamp,
    last_login: Option<Timestamp>,
}

impl Shown {
    fn of(user: User, roles: Vec<String>) -> Self {
        Self {
            id: user.id,
            username: user.username,
            email: user.email,
            first_name: user.first_name,
            last_name: user.last_name,
            phone_number: user.phone_number,
            date_of_birth: user.date_of_birth,
            email_verified: user.email_verified,
            is_active: user.is_active,
            is_staff: user.is_staff,
            is_superuser: user.is_superuser,
            is_premium: user.is_premium,
            roles,
            date_joined: user.date_joined,
            last_login: user.last_login,
        }
    }

    fn load(conn: &mut Conn, user: User) -> Result<Self> {
        let roles = user::role_names(conn, user.id)?;
        Ok(Self::of(user, roles))
    }
}

const SORTING: Sorting<User> = Sorting::by(
    |user| user.id.into(),
    &[
        SortKey::number("id", |user| user.id.into()),
        SortKey::text("username", |user| user.username.as_str().into()),
        SortKey::text("email", |user| user.email.as_str().into()),
        SortKey::number("date_joined", |user| user.date_joined.into()),
        SortKey::number("last_login", |user: &User| user.last_login.into()).nullable(),
    ],
);

/// GET `/api/users/`: `?search=` in names and addresses, `?ordering=`, and the flags as filters.
///
/// # Errors
/// 404 for a page that is not there; 400 for a search that cannot be made.
pub async fn list(site: Data<Site>, _: Caller<Access>, query: ListQuery) -> Result<Answer> {
    Answer::ok(&site.db.read(move |conn| page(conn, &query)).await?)
}

fn page(conn: &mut Conn, query: &ListQuery) -> Result<Page<Shown>> {
    let terms = query.search()?;
    let matching = || {
        let mut rows = users::table.into_boxed::<Backend>();
        if let Some(flag) = query.flag("is_active") {
            rows = rows.filter(users::is_active.eq(flag));
        }
        if let Some(flag) = query.flag("is_staff") {
            rows = rows.filter(users::is_staff.eq(flag));
        }
        if let Some(flag) = query.flag("is_superuser") {
            rows = rows.filter(users::is_superuser.eq(flag));
        }
        if let Some(flag) = query.flag("is_premium") {
            rows = rows.filter(users::is_premium.eq(flag));
        }
        for term in &terms {
            let names = contains(users::first_name, term).or(contains(users::last_name, term));
            rows = rows.filter(contains(users::username, term).or(contains(users::email, term)).or(names));
        }
        rows
    };
    let count = |conn: &mut Conn| Ok(matching().count().get_result(conn)?);
    let page = query.page(conn, &SORTING, count, |conn, piece| {
        let rows = matching().filter(piece.condition()).order(piece.order());
        Ok(rows.limit(piece.limit).offset(piece.offset).load(conn)?)
    })?;
    let ids: Vec<i64> = page.results.iter().map(|user| user.id).collect();
    let mut roles = user_list::held(conn, &ids)?.names;
    Ok(page.map(|user: User| {
        let held = roles.remove(&user.id).unwrap_or_default();
        Shown::of(user, held)
    }))
}

fn find(conn: &mut Conn, id: i64) -> Result<User> {
    user::by_id(conn, id)?.ok_or_else(|| Error::no_such("User"))
}

/// GET `/api/users/{id}/`.
///
/// # Errors
/// 404 if there is none; 412 if it is not what `If-Match` names.
pub async fn retrieve(site: Data<Site>, _: Caller<Access>, id: Id, conditions: Conditions) -> Result<Answer> {
    let load = move |conn: &mut Conn| {
        let user = find(conn, id.number())?;
        Shown::load(conn, user)
    };
    conditions.answer(Answer::ok(&site.db.read(load).await?)?)
}

fn taken() -> Error {
    Error::field("username", "A user with that username already exists.")
}

/// The ids of these roles.
fn role_ids(conn: &mut Conn, names: &[String]) -> Result<Vec<i64>> {
    let mut ids = Vec::new();
    for name in names {
        let role = role::by_name(conn, name)?;
        ids.push(role.ok_or_else(|| Error::field("roles", format!("There is no role \"{name}\".")))?.id);
    }
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

/// Text that is the hash of no password: whoever has it signs in by other means, or not at all.
const NO_PASSWORD: &str = "!";

/// POST `/api/users/`: makes an account. Without a password nobody signs in to it: a service that has an API key, or
/// somebody who is still to get one.
///
/// # Errors
/// 400 by field; 403 if the account could do more than the caller; 503 if too many passwords wait to be hashed.
pub async fn create(site: Data<Site>, caller: Caller<Access>, acting: Acting, body: Body) -> Result<Answer> {
    let given: Account = body.read().await?;
    let username = given.username.clone().unwrap_or_default();
    let hash = match &given.password {
        Some(password) => {
            let own = Own {
                username: &username,
                first_name: given.first_name.as_deref().unwrap_or_default(),
                last_name: given.last_name.as_deref().unwrap_or_default(),
                email: given.email.as_deref().unwrap_or_default(),
            };
            check_new_password(&site.settings.passwords, "password", password, &own)?;
            site.passwords.hash(password.clone()).await?
        }
        None => NO_PASSWORD.to_owned(),
    };
    let (who, now, audit) = (caller.principal(), site.clock.now(), acting.audits("user.create"));
    let new = NewUser {
        username,
        password: hash,
        email: given.email.clone().unwrap_or_default(),
        date_joined: now,
        updated_at: now,
        ..NewUser::default()
    };
    let make = move |conn: &mut Conn| {
        let actor = Actor::admitted(conn, &who, "users", Verb::Add)?;
        let roles = role_ids(conn, given.roles.as_deref().unwrap_or_default())?;
        let flags = given.flags(Flags { active: true, staff: false, superuser: false });
        actor.make(conn, flags, &roles)?.map_err(|refusal| refusal.into_error())?;
        let made = user::insert(conn, &new)?.map_err(|Taken| taken())?;
        let made = user::update(conn, made.id, &given.changes(&made, now))?.map_err(|Taken| taken())?;
        for role in roles {
            role::give(conn, role, made.id, now)?;
        }
        let fields = user_fields(conn, &made)?;
        audit.on(Object::user(made.id, &made.username)).with(told(&fields)).append(conn)?;
        Shown::load(conn, made)
    };
    let made = site.db.write(make).await?;
    log::info!(target: "users", "user {} has made user {}", caller.user, made.id);
    Ok(Answer::created(&made)?.tagged())
}

/// PUT and PATCH `/api/users/{id}/`. Switching an account off ends its sessions, and so does a new password.
///
/// # Errors
/// 404 if there is none; 412 if it is not as the caller expects; 400 by field; 403 and 409 with the rule that stands in the way.
pub async fn change(
    site: Data<Site>,
    caller: Caller<Access>,
    acting: Acting,
    id: Id,
    method: Method,
    conditions: Conditions,
    body: Body,
) -> Result<Answer> {
    let (who, id, now) = (caller.principal(), id.number(), site.clock.now());
    let (asker, expected) = (who.clone(), conditions.clone());
    // Asked before the body is read (CONTRACT 2), and again in the transaction.
    let before = move |conn: &mut Conn| {
        let (_, _, user) = reached(conn, &asker, id)?;
        expected.allow_change(|| json::to_vec(&Shown::load(conn, user.clone())?))?;
        Ok(user)
    };
    let before = site.db.read(before).await?;
    let given: Account = body.read().await?;
    let hash = match &given.password {
        Some(password) => {
            may_set_password(&who, id)?;
            check_new_password(&site.settings.passwords, "password", password, &Own::of(&before))?;
            Some(site.passwords.hash(password.clone()).await?)
        }
        None => None,
    };
    let (grants, audit) = (site.grants.clone(), acting.audits("user.change"));
    let verify = site.settings.mail.verify_new_addresses;
    let save = move |conn: &mut Conn| {
        let (actor, target, user) = reached(conn, &who, id)?;
        let fields = user_fields(conn, &user)?;
        conditions.allow_change(|| json::to_vec(&Shown::load(conn, user.clone())?))?;
        let flags = given.flags(Flags { active: user.is_active, staff: user.is_staff, superuser: user.is_superuser });
        actor.set_flags(&target, flags).map_err(|refusal| refusal.into_error())?;
        let changes = given.changes(&user, now);
        if id == actor.id && given.email.as_ref().is_some_and(|email| *email != user.email) {
            return Err(Error::Refused("Change your own e-mail at /api/users/me/, with your password.".into()));
        }
        if let Some(names) = &given.roles {
            move_roles(conn, &actor, id, names, now)?;
        }
        let after = user::update(conn, id, &changes)?.map_err(|Taken| taken())?;
        if after.email != user.email {
            by_letter::address_changed(conn, &user.email, &after, verify, now)?;
        }
        let mut ended = 0;
        if let Some(hash) = &hash {
            ended += panel_session::end_all(conn, id)? + grants.set_password_in(conn, id, hash, now)?;
        }
        if user.is_active && !flags.active {
            ended += panel_session::end_all(conn, id)? + grants.end_all_in(conn, id, now)?;
        }
        grants.changed_in(conn, id, now)?;
        let saved = find(conn, id)?;
        let (secret, after) = (hash.map(|_| Change::secret("password")), user_fields(conn, &saved)?);
        let audit = audit.on(Object::user(id, &saved.username)).with(changed(&fields, &after));
        audit.with(secret).with((ended > 0).then(|| Change::fact("sessions_ended", ended))).append(conn)?;
        Shown::load(conn, saved)
    };
    let changed = site.db.write(save).await?;
    site.mail.ring();
    log::info!(target: "users", "user {} has changed user {id}", caller.user);
    let answer = Answer::ok(&changed)?;
    // As with every resource: none in the answer to PUT (RFC 9110 §9.3.4).
    Ok(if method == Method::PUT { answer } else { answer.tagged() })
}

/// The caller as one who acts, and the account, if it is within reach.
fn reached(conn: &mut Conn, who: &Principal, id: i64) -> Result<(Actor, Target, User)> {
    let actor = Actor::admitted(conn, who, "users", Verb::Change)?;
    let user = find(conn, id)?;
    let target = Target::load(conn, id)?;
    actor.reaches(&target).map_err(|refusal| refusal.into_error())?;
    Ok((actor, target, user))
}

/// One's own password is changed with the old one, and none by an API key (KEY-04).
fn may_set_password(who: &Principal, id: i64) -> Result<()> {
    if id == who.user {
        return Err(Error::Refused("Change your own password at /api/password/change/.".into()));
    }
    if who.api_key().is_some() {
        return Err(Error::Refused("An API key changes no password.".into()));
    }
    Ok(())
}

/// Gives and takes roles until the user holds these.
fn move_roles(conn: &mut Conn, actor: &Actor, user: i64, names: &[String], now: Timestamp) -> Result<()> {
    let wanted = role_ids(conn, names)?;
    let held: Vec<i64> = role::of_user(conn, user)?.into_iter().map(|role| role.id).collect();
    let given = wanted.iter().filter(|role| !held.contains(role)).map(|role| (*role, true));
    let taken = held.iter().filter(|role| !wanted.contains(role)).map(|role| (*role, false));
    let moves: Vec<(i64, bool)> = given.chain(taken).collect();
    actor.move_roles(conn, user, &moves)?.map_err(|refusal| refusal.into_error())?;
    for (role, give) in moves {
        if give {
            role::give(conn, role, user, now)?
        } else {
            role::take(conn, role, user)?
        };
    }
    Ok(())
}
