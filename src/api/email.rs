//! Verifying an e-mail address: asked for, and confirmed by what the letter brings.

use actix_web::web::Data;
use serde_json::json;

use crate::auth::by_letter;
use crate::auth::letter_token::not_good;
use crate::auth::token::EmailVerification;
use crate::error::{Error, Result};
use crate::model::outbox::{self, Kind};
use crate::model::user;
use crate::rest::answer::Answer;
use crate::rest::caller::{Client, Visitor};
use crate::rest::fields::{Fields, Input};
use crate::rest::payload::Body;
use crate::rest::permission::AllowAny;
use crate::site::Site;

/// The address that somebody asks by.
pub struct Address(pub String);

impl Input for Address {
    fn read(fields: &mut Fields) -> Self {
        Self(fields.email("email").required().value())
    }
}

/// The token that a letter has brought.
pub struct Mailed(String);

impl Input for Mailed {
    fn read(fields: &mut Fields) -> Self {
        Self(fields.text("token").required().value())
    }
}

/// POST `/api/email/verify/`: a letter to the caller's own address or, for a stranger, to the one in the body. The answer
/// and the work are the same for an address that is known, unknown or verified: who gets a letter is found out later.
///
/// # Errors
/// 400 by field; 429 if too many are asked for from one place.
pub async fn verify(site: Data<Site>, visitor: Visitor<AllowAny>, client: Client, body: Body) -> Result<Answer> {
    let own = match &visitor.principal {
        None => None,
        Some(who) => {
            let id = who.user;
            let user = site.db.read(move |conn| user::by_id(conn, id)).await?.ok_or(Error::not_found())?;
            Some(user).filter(|user| !user.email.is_empty())
        }
    };
    let address = match &own {
        Some(user) => user.email.clone(),
        None => body.read::<Address>().await?.0,
    };
    site.sign_in.count(None, client.ip).await?;
    let now = site.clock.now();
    let asked = site.db.write(move |conn| match own {
        Some(user) => outbox::to_user(conn, Kind::Verification, user.id, &address, now),
        None => outbox::to_whoever_has(conn, Kind::Verification, &address, now),
    });
    asked.await?;
    site.mail.ring();
    Answer::ok(&json!({ "message": "Verification email sent" }))
}

/// POST `/api/email/verify/confirm/`: the address that the letter went to is its owner's.
///
/// # Errors
/// 400 by field for a token that is not or no longer good.
pub async fn confirm(site: Data<Site>, body: Body) -> Result<Answer> {
    let Mailed(token) = body.read().await?;
    let now = site.clock.now();
    let opened = site.letters.open::<EmailVerification>(&token, now).ok_or_else(|| not_good("token"))?;
    let (letters, grants) = (site.letters.clone(), site.grants.clone());
    let verified = site.db.write(move |conn| by_letter::verify(conn, &letters, &grants, &opened, now)).await?;
    verified.ok_or_else(|| not_good("token"))?;
    Answer::ok(&json!({ "message": "Email verified" }))
}
