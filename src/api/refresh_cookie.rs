//! Browser mode (`jwt.refresh_cookie`): the refresh token in a cookie that no script can read, the access token in the body.
//!
//! The cookie is `SameSite=Strict`, so another site's page does not even send it; that page's requests are refused all the
//! same, by what the browser says of their origin (RFC 9700 §2.2.2). Without the setting tokens travel in bodies alone.

use actix_web::HttpRequest;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::StatusCode;
use actix_web::http::header;
use serde::Serialize;

use crate::api::token::GivenRefresh;
use crate::error::{Error, Result};
use crate::middleware::origin::is_same_origin;
use crate::rest::answer::Answer;
use crate::rest::payload::Body;
use crate::site::Site;

const NAME: &str = "portcullis_refresh";

/// Turns away a page of another site before it gets a cookie set: a form there must not sign a browser in here, to an account
/// of somebody else's choice. Without browser mode there is no cookie, and nothing to turn away.
///
/// # Errors
/// 403.
pub fn check_origin(site: &Site, request: &HttpRequest) -> Result<()> {
    let is_ours = || is_same_origin(request.headers()) || is_allowed(site, request);
    if site.settings.jwt.refresh_cookie && !is_ours() { Err(Error::Forbidden) } else { Ok(()) }
}

/// Answers with tokens: both in the body or, in browser mode, the refresh token in the cookie and the rest in the body.
///
/// # Errors
/// If the body cannot be written.
pub fn deliver(site: &Site, status: StatusCode, refresh: Option<&str>, body: &impl Serialize) -> Result<Answer> {
    if !site.settings.jwt.refresh_cookie {
        return Answer::with(status, body);
    }
    let mut body = serde_json::to_value(body).map_err(Error::internal)?;
    if let Some(members) = body.as_object_mut() {
        members.shift_remove("refresh"); // the order of the others stays
    }
    let answer = Answer::with(status, &body)?;
    Ok(match refresh {
        Some(refresh) => answer.with_cookie(cookie(site, refresh.to_owned(), false)),
        None => answer,
    })
}

/// The refresh token of a request: in the body or, in browser mode, in the cookie that came with it.
///
/// # Errors
/// 400 by field if there is none; 403 if a page of another site has sent the cookie.
pub async fn given(site: &Site, request: &HttpRequest, body: Body) -> Result<String> {
    if !site.settings.jwt.refresh_cookie {
        return body.read::<GivenRefresh>().await.map(|GivenRefresh(text)| text);
    }
    let sent = request.cookie(&name(site)).ok_or_else(|| Error::field("refresh", "This field is required."))?;
    check_origin(site, request)?;
    Ok(sent.value().to_owned())
}

/// The answer to a sign-out: in browser mode it takes the cookie back.
pub fn take_back(site: &Site, answer: Answer) -> Answer {
    if site.settings.jwt.refresh_cookie { answer.with_cookie(cookie(site, String::new(), true)) } else { answer }
}

/// Whether the page that sends it is one of `cors.allowed_origins`.
fn is_allowed(site: &Site, request: &HttpRequest) -> bool {
    let origin = request.headers().get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    origin.is_some_and(|origin| site.settings.cors.allowed_origins.iter().any(|allowed| allowed == origin))
}

/// `__Host-` binds a cookie to this host and to TLS; on plain-HTTP loopback there is no TLS to bind it to.
fn name(site: &Site) -> String {
    if site.settings.server.has_secure_cookies() { format!("__Host-{NAME}") } else { NAME.to_owned() }
}

fn cookie(site: &Site, value: String, gone: bool) -> Cookie<'static> {
    let life = Duration::try_from(site.settings.jwt.refresh_token_lifetime).unwrap_or(Duration::DAY);
    Cookie::build(name(site), value)
        .path("/")
        .http_only(true)
        .secure(site.settings.server.has_secure_cookies())
        .same_site(SameSite::Strict)
        .max_age(if gone { Duration::ZERO } else { life })
        .finish()
}
