//! A forgotten password: a letter is asked for, and what it brings sets a new one.

use actix_web::web::Data;
use serde_json::json;

use crate::api::email::Address;
use crate::auth::account_rules::{Own, check_new_password};
use crate::auth::by_letter;
use crate::auth::letter_token::not_good;
use crate::auth::token::PasswordReset;
use crate::error::Result;
use crate::model::outbox::{self, Kind};
use crate::rest::answer::Answer;
use crate::rest::caller::Client;
use crate::rest::fields::{Fields, Input};
use crate::rest::payload::Body;
use crate::settings::Secret;
use crate::site::Site;

/// POST `/api/password/reset/`: a letter to every active account of the address. The answer and the work are the same
/// whether there is one: who gets a letter is found out later.
///
/// # Errors
/// 400 by field; 429 if too many are asked for from one place.
pub async fn ask(site: Data<Site>, client: Client, body: Body) -> Result<Answer> {
    let Address(address) = body.read().await?;
    site.sign_in.count(None, client.ip).await?;
    let now = site.clock.now();
    site.db.write(move |conn| outbox::to_whoever_has(conn, Kind::Reset, &address, now)).await?;
    site.mail.ring();
    Answer::ok(&json!({ "message": "Password reset email sent" }))
}

/// What a letter has brought, and the new password.
pub struct NewPassword {
    token: String,
    password: Secret,
}

impl Input for NewPassword {
    fn read(fields: &mut Fields) -> Self {
        Self {
            token: fields.text("token").required().value(),
            password: fields.text("password").required().value().into(),
        }
    }
}

/// POST `/api/password/reset/confirm/`: sets the password, ends every session and begins none.
///
/// # Errors
/// 400 by field for a token that is not or no longer good, or for a password that will not do; 503 if too many wait.
pub async fn confirm(site: Data<Site>, body: Body) -> Result<Answer> {
    let NewPassword { token, password } = body.read().await?;
    let now = site.clock.now();
    let opened = site.letters.open::<PasswordReset>(&token, now).ok_or_else(|| not_good("token"))?;
    let (letters, asked) = (site.letters.clone(), opened.clone());
    let holder = site.db.read(move |conn| letters.holder(conn, &asked)).await?;
    let user = holder.ok_or_else(|| not_good("token"))?;
    check_new_password(&site.settings.passwords, "password", &password, &Own::of(&user))?;
    let hash = site.passwords.hash(password).await?;
    let (letters, grants) = (site.letters.clone(), site.grants.clone());
    let set = site.db.write(move |conn| by_letter::reset(conn, &letters, &grants, &opened, &hash, now)).await?;
    set.ok_or_else(|| not_good("token"))?;
    Answer::ok(&json!({ "message": "Password has been reset" }))
}
