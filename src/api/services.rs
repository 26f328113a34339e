//! For other services: the public keys by which they verify our tokens.

use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::Data;
use serde_json::json;

use crate::site::Site;

/// So long a service may keep what it read: a key is made known before it signs.
const CACHED: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// GET `/.well-known/jwks.json` (RFC 7517 §5): public parts alone; an HMAC key has none and is not there.
pub async fn jwks(site: Data<Site>) -> HttpResponse {
    let keys: Vec<_> = site.signer.ring().keys().filter_map(crate::auth::keyring::Key::jwk).collect();
    HttpResponse::Ok()
        .content_type("application/json")
        .insert_header((header::CACHE_CONTROL, CACHED))
        .body(json!({ "keys": keys }).to_string())
}
