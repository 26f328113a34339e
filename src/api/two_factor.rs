//! One's own two-factor sign-in: set up, confirmed, its recovery codes made anew, switched off.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use serde_json::json;

use crate::api::account::WRONG_PASSWORD;
use crate::auth::sign_in;
use crate::auth::two_factor::Act;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::model::{two_factor, user};
use crate::rest::answer::Answer;
use crate::rest::caller::{Caller, Client};
use crate::rest::fields::{Fields, Input};
use crate::rest::payload::Body;
use crate::rest::permission::IsSignedIn;
use crate::settings::Secret;
use crate::site::Site;

/// Whether it is on, and how many recovery codes are left.
///
/// # Errors
/// None of its own.
pub async fn state(site: Data<Site>, caller: Caller<IsSignedIn>) -> Result<Answer> {
    let id = caller.user;
    let load = move |conn: &mut Conn| Ok((two_factor::is_on(conn, id)?, two_factor::codes_left(conn, id)?));
    let (enabled, left) = site.db.read(load).await?;
    Answer::ok(&json!({ "enabled": enabled, "recovery_codes_left": left }))
}

/// POST `/api/users/me/two-factor/`: a secret for an authenticator app, which counts once it is confirmed. It is told here
/// and never again.
///
/// # Errors
/// 409 if it is on already.
pub async fn begin(site: Data<Site>, caller: Caller<IsSignedIn>) -> Result<Answer> {
    let (id, now, two_factor) = (caller.user, site.clock.now(), site.two_factor.clone());
    let who = caller.principal();
    let begin = move |conn: &mut Conn| {
        who.confirm(conn)?;
        let user = user::by_id(conn, id)?.ok_or(Error::not_found())?;
        two_factor.begin_in(conn, &user, now)
    };
    let begun = site.db.write(begin).await?;
    let told = begun.ok_or_else(|| Error::Conflict("Two-factor sign-in is on already.".into()))?;
    Answer::created(&json!({ "secret": told.secret, "otpauth_url": told.url, "qr_svg": told.qr }))
}

/// What shows that it is the owner who asks.
pub struct Proof {
    current_password: Secret,
    otp: Secret,
}

impl Input for Proof {
    fn read(fields: &mut Fields) -> Self {
        Self {
            current_password: fields.text("current_password").required().value().into(),
            otp: fields.text("otp").required().value().into(),
        }
    }
}

/// Does what password and code are shown for; returns the recovery codes that there are now.
async fn act(site: &Site, caller: &Caller<IsSignedIn>, client: &Client, body: Body, act: Act) -> Result<Vec<String>> {
    let Proof { current_password, otp } = body.read().await?;
    let (id, now, two_factor) = (caller.user, site.clock.now(), site.two_factor.clone());
    let user = site.db.read(move |conn| user::by_id(conn, id)).await?.ok_or(Error::not_found())?;
    let wrong_password = || Error::field("current_password", WRONG_PASSWORD);
    let attempt = site.sign_in.attempt_of(&user, current_password, client.ip).await?.ok_or_else(wrong_password)?;
    let who = caller.principal();
    let done = site.db.write(move |conn| {
        who.confirm(conn)?;
        let current = user::by_id(conn, id)?.filter(|current| current.password == user.password);
        two_factor.act_in(conn, &current.ok_or_else(wrong_password)?, act, &otp, now)
    });
    let Some(codes) = done.await? else {
        sign_in::failed(client.ip);
        return Err(Error::field("otp", "This code is not right, or was used before."));
    };
    attempt.give_back();
    Ok(codes)
}

/// POST `/api/users/me/two-factor/confirm/`: switches it on; answers with the recovery codes, once.
///
/// # Errors
/// 400 by field; 429, 503 if too many try.
pub async fn confirm(site: Data<Site>, caller: Caller<IsSignedIn>, client: Client, body: Body) -> Result<Answer> {
    let codes = act(&site, &caller, &client, body, Act::Confirm).await?;
    Answer::ok(&json!({ "recovery_codes": codes }))
}

/// POST `/api/users/me/two-factor/recovery-codes/`: new ones in place of the old, told once.
///
/// # Errors
/// 400 by field; 429, 503 if too many try.
pub async fn new_codes(site: Data<Site>, caller: Caller<IsSignedIn>, client: Client, body: Body) -> Result<Answer> {
    let codes = act(&site, &caller, &client, body, Act::NewCodes).await?;
    Answer::ok(&json!({ "recovery_codes": codes }))
}

/// DELETE `/api/users/me/two-factor/`: switches it off.
///
/// # Errors
/// 400 by field; 429, 503 if too many try.
pub async fn disable(site: Data<Site>, caller: Caller<IsSignedIn>, client: Client, body: Body) -> Result<Answer> {
    act(&site, &caller, &client, body, Act::Disable).await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}
