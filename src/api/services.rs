//! For other services: the public keys by which they verify our tokens, what a token is worth at present, and its end.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::Data;
use serde_json::{Map, Value, json};

use crate::auth::inspect::inspect;
use crate::auth::keyring::Key;
use crate::error::Result;
use crate::rest::acting::Acting;
use crate::rest::answer::Answer;
use crate::rest::caller::Caller;
use crate::rest::fields::{Fields, Input};
use crate::rest::payload::Body;
use crate::rest::permission::{HasPermission, Or, Revoke, Services, View};
use crate::site::Site;

use super::samples::Admins;

/// Who may ask what tokens are worth, and follow what is ended: staff, and whoever holds `services.view`.
pub type Askers = Or<Admins, HasPermission<View<Services>>>;
/// Who may end any token: staff, and whoever holds `services.revoke`.
pub type Revokers = Or<Admins, HasPermission<Revoke<Services>>>;

/// So long a service may keep what it read: a key is made known before it signs.
const CACHED: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// GET `/.well-known/jwks.json` (RFC 7517 §5): public parts alone; an HMAC key has none and is not there.
pub async fn jwks(site: Data<Site>) -> HttpResponse {
    let keys: Vec<_> = site.signer.ring().keys().filter_map(Key::jwk).collect();
    HttpResponse::Ok()
        .content_type("application/json")
        .insert_header((header::CACHE_CONTROL, CACHED))
        .body(json!({ "keys": keys }).to_string())
}

/// A token that a service was given. `token_type_hint` may come with it and is not needed: a token says its own kind.
pub struct Asked(String);

impl Input for Asked {
    fn read(fields: &mut Fields) -> Self {
        Self(fields.text("token").required().value())
    }
}

/// POST `/api/token/introspect/` (RFC 7662): what a token is worth at this moment. Of one that is worth nothing, whatever
/// the reason, only that is said (§2.2, §4).
///
/// # Errors
/// 400 if no token is given.
pub async fn introspect(site: Data<Site>, _: Caller<Askers>, body: Body) -> Result<Answer> {
    let Asked(text) = body.read().await?;
    let now = site.clock.now();
    let verdict = inspect(&site.gate, &site.grants, &text, now).await?;
    let (Some(claims), None) = (&verdict.claims, verdict.refused) else {
        return Answer::ok(&json!({ "active": false }));
    };
    let mut told = Map::new();
    told.insert("active".into(), true.into());
    let subject = claims.user(&site.settings.jwt.user_id_claim).id();
    if let Some(id) = subject {
        told.insert("sub".into(), id.to_string().into());
        if let Some(state) = site.memory.principals.of(id).await? {
            told.insert("username".into(), Value::from(&*state.username));
        }
    }
    let names = ["token_type", "exp", "iat", "nbf", "iss", "aud", "jti", "sid", &site.settings.jwt.user_id_claim];
    told.extend(names.into_iter().filter_map(|name| Some((name.to_owned(), claims.get(name)?.clone()))));
    Answer::ok(&told)
}

/// POST `/api/token/revoke/` (RFC 7009): ends the session of a token, of whatever kind. A token that is none, or dead
/// already, is answered alike (§2.2).
///
/// # Errors
/// 400 if no token is given; 503 if it could not be written down.
pub async fn revoke(site: Data<Site>, caller: Caller<Revokers>, acting: Acting, body: Body) -> Result<Answer> {
    let Asked(text) = body.read().await?;
    site.grants.revoke_any(&text, caller.user, acting.audits("token.revoke")).await?;
    Ok(Answer::empty(StatusCode::OK))
}
