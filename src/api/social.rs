//! Social sign-in: a session for somebody whom another server knows.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use serde::Serialize;
use serde_json::json;

use crate::api::refresh_cookie;
use crate::auth::gate::unverified;
use crate::auth::grants::Pair;
use crate::auth::password;
use crate::auth::sign_in::{self, Code};
use crate::auth::social::{Brought, Refusal, expected, settle};
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::model::sign_in::{How, Outcome};
use crate::rest::answer::Answer;
use crate::rest::caller::Client;
use crate::rest::fields::{Fields, Input};
use crate::rest::payload::Body;
use crate::settings::{Registration, Secret, Social};
use crate::site::Site;

/// What a client brings from a provider.
pub struct Given {
    brought: Brought,
    otp: Option<Secret>,
}

impl Input for Given {
    fn read(fields: &mut Fields) -> Self {
        Self {
            brought: Brought { token: fields.text("token").required().value(), nonce: fields.text("nonce").get() },
            otp: fields.text("otp").blank().nullable().value().map(Secret::from),
        }
    }
}

/// The path of social sign-in, of the providers that are configured alone: any other is no path at all.
pub fn path(providers: &Social) -> Option<String> {
    let names: Vec<&str> = providers.keys().map(String::as_str).collect();
    (!names.is_empty()).then(|| format!("/auth/{{provider:{}}}/", names.join("|")))
}

/// What it answers.
#[derive(Serialize)]
struct SignedIn {
    #[serde(flatten)]
    pair: Pair,
    /// Whether the account was made just now.
    created: bool,
}

/// POST `/api/auth/{provider}/`: a pair for a token of the provider's, and an account if there was none (CONTRACT 22).
///
/// # Errors
/// 401 for an account that is switched off, and where a code of two-factor sign-in is missing or wrong; 403 where registration is not open to all, and for a page of another site in browser
/// mode; 429 if too many try; 503 if the
/// provider does not answer. A token that is not good is a 400 that says so.
pub async fn sign_in(
    site: Data<Site>,
    request: HttpRequest,
    client: Client,
    provider: Path<String>,
    body: Body,
) -> Result<Answer> {
    refresh_cookie::check_origin(&site, &request)?;
    let Given { brought, otp } = body.read().await?;
    let title = site.social.title(&provider).ok_or(Error::not_found())?;
    site.sign_in.count(None, client.ip).await?;
    let place = client.place.by(How::Social, &client.device);
    let proven = match site.social.prove(&provider, brought).await {
        Ok(proven) => proven,
        Err(Refusal::Token(why)) => {
            log::warn!(target: "token", "refused: {title}: {why}");
            sign_in::failed(client.ip);
            site.sign_in.attempts().failed_of_nobody(Outcome::TokenRefused, &place);
            return Answer::with(StatusCode::BAD_REQUEST, &json!({ "error": format!("Invalid {title} token") }));
        }
        Err(Refusal::Provider(why)) => {
            log::warn!(target: "social", "{title} cannot be asked: {why}");
            return Err(Error::Elsewhere(title.to_owned()));
        }
    };
    let (grants, now, unusable) = (site.grants.clone(), site.clock.now(), password::unusable()?);
    let may_join = site.settings.accounts.registration == Registration::Open;
    let verified_only = site.settings.accounts.require_verified_email;
    let code = if site.settings.accounts.two_factor_api { Code::Asked(otp) } else { Code::NotAsked };
    let sign_in = site.sign_in.clone();
    let (proven, user) = site.db.read(move |conn| expected(conn, &proven).map(|user| (proven, user))).await?;
    let attempt = sign_in.attempt_code(user.as_ref(), &code, &place).await?;
    let begin = move |conn: &mut Conn| {
        let (user, created) = settle(conn, &grants, &proven, may_join, &unusable, now)?;
        if verified_only && !user.email_verified {
            sign_in.attempts().failed_of(user.id, Outcome::Unverified, &place);
            return Err(unverified());
        }
        let user = sign_in.admit_known(conn, user, &code, attempt, &place, now)?.user()?;
        grants.note_login(conn, user.id, now)?;
        Ok((grants.begin_pair(conn, &user, &client.device, now)?, user.id, created))
    };
    let begun = site.db.write(begin).await;
    // A code that is still to come is no failure, here as after a password.
    if let Err(Error::Unauthorized(refused)) = &begun
        && refused.code != Some(sign_in::CODE_REQUIRED)
    {
        sign_in::failed(client.ip);
    }
    let (begun, user, created) = begun?;
    log::info!(target: "sign_in", "user={user} signed in from {}", client.ip);
    let answer = SignedIn { pair: site.grants.sign_pair(&begun)?, created };
    refresh_cookie::deliver(&site, StatusCode::OK, Some(&answer.pair.refresh), &answer)
}
