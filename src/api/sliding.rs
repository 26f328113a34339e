//! Sliding tokens: obtained by name and password, and slid.

use actix_web::web::Data;
use serde_json::json;

use crate::api::token::{Credentials, Entrance, GivenToken, begin};
use crate::auth::grants::Grants;
use crate::auth::sign_in::no_account;
use crate::error::Result;
use crate::model::sign_in::How;
use crate::rest::answer::Answer;
use crate::rest::caller::Client;
use crate::rest::payload::Body;
use crate::site::Site;

/// POST `/api/token/sliding/`.
///
/// # Errors
/// 401 for anything that is not both right and active; 429, 503 if too many try.
pub async fn obtain(site: Data<Site>, client: Client, body: Body) -> Result<Answer> {
    let Entrance { credentials: Credentials { username, password }, otp } = body.read().await?;
    let place = client.place.by(How::Password, &client.device);
    let signed_in = site.sign_in.check(username, password, place).await?.ok_or_else(no_account)?;
    let token = begin(&site, signed_in, otp, client.device, Grants::begin_sliding).await?;
    Answer::ok(&json!({ "token": site.grants.sign(&token)? }))
}

/// POST `/api/token/sliding/refresh/`: the same token with later dates.
///
/// # Errors
/// 401 with the reason.
pub async fn refresh(site: Data<Site>, client: Client, body: Body) -> Result<Answer> {
    let GivenToken(text) = body.read().await?;
    Answer::ok(&json!({ "token": site.grants.slide(&text, client.device).await? }))
}
