//! One's own account: registered, looked at, changed, given another password.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use chrono::NaiveDate;
use serde::Serialize;
use serde_json::json;

use crate::api::own_data::Own;
use crate::api::refresh_cookie;
use crate::api::token::{deliver_pair, with_device};
use crate::auth::account_rules::{self, check_new_password, is_username, lower_domain, normal_username};
use crate::auth::by_letter::{self, Joining, NotJoined};
use crate::auth::letter_token::{Opened, not_good};
use crate::auth::token::Invitation;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::model::known_address;
use crate::model::user::{self, NewUser, User, UserChanges};
use crate::rest::answer::Answer;
use crate::rest::caller::{Caller, Client};
use crate::rest::fields::{Fields, Input};
use crate::rest::payload::Body;
use crate::rest::permission::IsSignedIn;
use crate::settings::{Registration as Doors, Secret};
use crate::site::Site;

/// What a registration says.
#[derive(Clone)]
pub struct Registration {
    username: String,
    password: Secret,
    email: String,
    first_name: String,
    last_name: String,
    phone_number: String,
    date_of_birth: Option<NaiveDate>,
    invitation: String,
}

impl Input for Registration {
    fn read(fields: &mut Fields) -> Self {
        Self {
            username: normal_username(&fields.text("username").required().max(150).matching(is_username).value()),
            password: fields.text("password").required().value().into(),
            email: fields.email("email").blank().value(),
            first_name: fields.text("first_name").blank().max(150).value(),
            last_name: fields.text("last_name").blank().max(150).value(),
            phone_number: fields.text("phone_number").blank().max(15).value(),
            date_of_birth: fields.date("date_of_birth").nullable().value(),
            invitation: fields.text("invitation").blank().value(),
        }
    }
}

/// The invitation that a registration brings, if it brings one, still good; its address becomes the account's.
async fn invited(site: &Site, given: &mut Registration) -> Result<Option<Opened<Invitation>>> {
    if given.invitation.is_empty() {
        return match site.settings.accounts.registration {
            Doors::Invitation => Err(Error::field("invitation", "This field is required.")),
            Doors::Open | Doors::Closed => Ok(None),
        };
    }
    let now = site.clock.now();
    let opened = site.letters.open::<Invitation>(&given.invitation, now).ok_or_else(|| not_good("invitation"))?;
    let (letters, asked) = (site.letters.clone(), opened.clone());
    let row = site.db.read(move |conn| letters.invitation(conn, &asked, now)).await?;
    let row = row.ok_or_else(|| not_good("invitation"))?;
    if !given.email.is_empty() && !given.email.eq_ignore_ascii_case(&row.email) {
        return Err(Error::field("email", "This is not the address that was invited."));
    }
    given.email = row.email;
    Ok(Some(opened))
}

/// POST `/api/register/`: makes an account and signs it in.
///
/// # Errors
/// 400 by field, or for a name that is taken; 403 where registration is closed, and for a page of another site in browser
/// mode; 429, 503 if too many try.
pub async fn register(site: Data<Site>, request: HttpRequest, client: Client, body: Body) -> Result<Answer> {
    refresh_cookie::check_origin(&site, &request)?;
    if site.settings.accounts.registration == Doors::Closed {
        return Err(Error::Forbidden);
    }
    let mut given: Registration = body.read().await?;
    site.sign_in.count(None, client.ip).await?;
    let invitation = invited(&site, &mut given).await?;
    let own = account_rules::Own {
        username: &given.username,
        first_name: &given.first_name,
        last_name: &given.last_name,
        email: &given.email,
    };
    check_new_password(&site.settings.passwords, "password", &given.password, &own)?;
    let password = site.passwords.hash(given.password.clone()).await?;
    let now = site.clock.now();
    let new = NewUser {
        username: given.username,
        password,
        first_name: given.first_name,
        last_name: given.last_name,
        email: lower_domain(&given.email),
        phone_number: given.phone_number,
        date_of_birth: given.date_of_birth,
        date_joined: now,
        updated_at: now,
        ..NewUser::default()
    };
    let joining = Joining { new, invitation, verify: site.settings.mail.verify_new_addresses };
    let (grants, letters) = (site.grants.clone(), site.letters.clone());
    let made = site.db.write(move |conn| match by_letter::join(conn, &letters, joining, now)? {
        Ok(user) => grants.begin_pair(conn, &user, &client.device, now).map(Some),
        Err(NotJoined::Taken) => Ok(None),
        Err(NotJoined::NotInvited) => Err(not_good("invitation")),
    });
    let made = made.await?;
    site.mail.ring();
    match made {
        Some(begun) => deliver_pair(&site, StatusCode::CREATED, &begun),
        None => Answer::with(StatusCode::BAD_REQUEST, &json!({ "error": "Username already exists" })),
    }
}

/// GET `/api/profile/`: the tutorial's view of the caller.
///
/// # Errors
/// 404 if the account has just gone.
pub async fn profile(site: Data<Site>, caller: Caller) -> Result<Answer> {
    let id = caller.user;
    let user = site.db.read(move |conn| user::by_id(conn, id)).await?.ok_or(Error::not_found())?;
    Answer::ok(&json!({
        "username": user.username,
        "email": user.email,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "date_joined": user.date_joined,
    }))
}

/// The caller's whole own record (CONTRACT 22).
#[derive(Serialize)]
pub struct Me {
    id: i64,
    username: String,
    email: String,
    first_name: String,
    last_name: String,
    phone_number: String,
    date_of_birth: Option<NaiveDate>,
    email_verified: bool,
    is_staff: bool,
    is_premium: bool,
    roles: Vec<String>,
    date_joined: Timestamp,
    last_login: Option<Timestamp>,
}

impl Me {
    /// That of a user.
    ///
    /// # Errors
    /// The database's.
    pub fn of(conn: &mut Conn, user: User) -> Result<Self> {
        Ok(Self {
            roles: user::role_names(conn, user.id)?,
            id: user.id,
            username: user.username,
            email: user.email,
            first_name: user.first_name,
            last_name: user.last_name,
            phone_number: user.phone_number,
            date_of_birth: user.date_of_birth,
            email_verified: user.email_verified,
            is_staff: user.is_staff,
            is_premium: user.is_premium,
            date_joined: user.date_joined,
            last_login: user.last_login,
        })
    }
}

/// GET `/api/users/me/`.
///
/// # Errors
/// 404 if the account has just gone.
pub async fn me(site: Data<Site>, caller: Caller<Own>) -> Result<Answer> {
    let id = caller.user;
    let load = move |conn: &mut Conn| {
        let user = user::by_id(conn, id)?.ok_or(Error::not_found())?;
        Me::of(conn, user)
    };
    Answer::ok(&site.db.read(load).await?)
}

/// What the owner may change of an account: never its flags.
pub struct Changes {
    email: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    phone_number: Option<String>,
    date_of_birth: Option<Option<NaiveDate>>,
    current_password: Option<String>,
}

impl Input for Changes {
    fn read(fields: &mut Fields) -> Self {
        Self {
            email: fields.email("email").blank().get(),
            first_name: fields.text("first_name").blank().max(150).get(),
            last_name: fields.text("last_name").blank().max(150).get(),
            phone_number: fields.text("phone_number").blank().max(15).get(),
            date_of_birth: fields.date("date_of_birth").nullable().get(),
            current_password: fields.text("current_password").get(),
        }
    }
}

/// PUT and PATCH `/api/users/me/`. A new e-mail needs the password, and is then unverified; the old address is told.
///
/// # Errors
/// 400 by field.
pub async fn change(site: Data<Site>, caller: Caller<Own>, client: Client, body: Body) -> Result<Answer> {
    let given: Changes = body.read_partial().await?;
    let (id, now) = (caller.user, site.clock.now());
    let user = site.db.read(move |conn| user::by_id(conn, id)).await?.ok_or(Error::not_found())?;
    let email = given.email.map(|email| lower_domain(&email)).filter(|email| *email != user.email);
    if email.is_some() {
        let password =
            given.current_password.ok_or_else(|| Error::field("current_password", "This field is required."))?;
        if !site.sign_in.confirms(&user, password.into(), client.ip).await? {
            return Err(Error::field("current_password", WRONG_PASSWORD));
        }
    }
    let (moves, verify) = (email.is_some(), site.settings.mail.verify_new_addresses);
    let changes = UserChanges {
        email_verified: email.as_ref().map(|_| false),
        email,
        first_name: given.first_name,
        last_name: given.last_name,
        phone_number: given.phone_number,
        date_of_birth: given.date_of_birth,
        updated_at: now,
        ..UserChanges::default()
    };
    let grants = site.grants.clone();
    let who = caller.principal();
    let save = move |conn: &mut Conn| {
        who.confirm(conn)?;
        let before = user::by_id(conn, id)?.ok_or(Error::not_found())?;
        let Ok(user) = user::update(conn, id, &changes)? else {
            return Err(Error::internal("the name has not changed"));
        };
        if moves {
            by_letter::address_changed(conn, &before.email, &user, verify, now)?;
        }
        grants.changed_in(conn, id, now)?;
        Me::of(conn, user)
    };
    let saved = site.db.write(save).await?;
    if moves {
        site.mail.ring();
    }
    Answer::ok(&saved)
}

/// The old password and the new one.
pub struct NewPassword {
    old: Secret,
    new: Secret,
}

impl Input for NewPassword {
    fn read(fields: &mut Fields) -> Self {
        Self {
            old: fields.text("old_password").required().value().into(),
            new: fields.text("new_password").required().value().into(),
        }
    }
}

/// What is said to a password that is not one's own.
pub const WRONG_PASSWORD: &str = "Your old password was entered incorrectly. Please enter it again.";

/// POST `/api/password/change/`: ends every session and begins a new one.
///
/// # Errors
/// 400 by field; 429, 503 if too many try.
pub async fn change_password(
    site: Data<Site>,
    caller: Caller<IsSignedIn>,
    client: Client,
    body: Body,
) -> Result<Answer> {
    let NewPassword { old, new } = body.read().await?;
    let (id, now) = (caller.user, site.clock.now());
    let user = site.db.read(move |conn| user::by_id(conn, id)).await?.ok_or(Error::not_found())?;
    if !site.sign_in.confirms(&user, old, client.ip).await? {
        return Err(Error::field("old_password", WRONG_PASSWORD));
    }
    check_new_password(&site.settings.passwords, "new_password", &new, &account_rules::Own::of(&user))?;
    let hash = site.passwords.hash(new).await?;
    let (grants, from) = (site.grants.clone(), site.sign_in.limits().place(client.ip));
    let who = caller.principal();
    let save = move |conn: &mut Conn| {
        who.confirm(conn)?;
        // The password that was confirmed must be the one that is replaced.
        let current = user::by_id(conn, id)?.filter(|current| current.password == user.password);
        current.ok_or_else(|| Error::field("old_password", WRONG_PASSWORD))?;
        grants.set_password_in(conn, id, &hash, now)?;
        let user = user::by_id(conn, id)?.ok_or(Error::not_found())?;
        known_address::remember(conn, &user, &from, now)?;
        Ok((grants.begin_pair(conn, &user, &client.device, now)?, user))
    };
    let (begun, user) = site.db.write(save).await?;
    with_device(&site, deliver_pair(&site, StatusCode::OK, &begun)?, &user)
}
