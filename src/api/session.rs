//! The end of sessions: logout, and logout everywhere.

use actix_web::http::StatusCode;
use actix_web::web::Data;

use crate::api::token::GivenRefresh;
use crate::error::{Error, Result};
use crate::rest::answer::Answer;
use crate::rest::caller::{Caller, Client};
use crate::rest::payload::Body;
use crate::site::Site;

/// POST `/api/logout/`: ends the session of the refresh token in the body, whoever holds it.
///
/// # Errors
/// 503 if it could not be written down. Whatever is wrong with the body or its token is a 400 without a body (CONTRACT 9).
pub async fn logout(site: Data<Site>, _: Caller, client: Client, body: Body) -> Result<Answer> {
    let ended = match body.read().await {
        Ok(GivenRefresh(text)) => site.grants.revoke(&text, client.device).await,
        Err(error) => Err(error),
    };
    match ended {
        Ok(()) => Ok(Answer::empty(StatusCode::RESET_CONTENT)),
        Err(error @ (Error::Unavailable | Error::Internal(_) | Error::TooLarge)) => Err(error),
        Err(_) => Ok(Answer::empty(StatusCode::BAD_REQUEST)),
    }
}

/// POST `/api/logout/all/`: ends every session of the caller.
///
/// # Errors
/// 503 if it could not be written down.
pub async fn logout_all(site: Data<Site>, caller: Caller) -> Result<Answer> {
    let (grants, user, now) = (site.grants.clone(), caller.user, site.clock.now());
    site.db.write(move |conn| grants.end_all_in(conn, user, now).map(drop)).await?;
    Ok(Answer::empty(StatusCode::RESET_CONTENT))
}
