//! Tokens taken apart, and tokens that a stranger might make.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis::auth::token::{Kind, Sliding};
use portcullis::settings::Settings;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::people::Person;

/// The secret of the tests that make tokens themselves: `TestApp::with(own_key)`.
pub const KEY: &str = "the secret of these tests, known to nobody else";

pub fn own_key(settings: &mut Settings) {
    settings.jwt.signing_key = Some(KEY.into());
}

/// What a token's first part says.
#[track_caller]
pub fn header(token: &str) -> Value {
    part(token, 0)
}

/// What a token says.
#[track_caller]
pub fn claims(token: &str) -> Value {
    part(token, 1)
}

#[track_caller]
fn part(token: &str, place: usize) -> Value {
    let part = token.split('.').nth(place).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// A token of these claims, signed with [`KEY`].
pub fn signed(claims: &Value) -> String {
    sealed(&json!({ "alg": "HS256", "typ": "JWT" }).to_string(), &claims.to_string(), KEY.as_bytes())
}

/// A token of any two texts, signed with any key.
pub fn sealed(header: &str, payload: &str, key: &[u8]) -> String {
    seal(&format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload)), key)
}

/// Signs what stands before the last point.
pub fn seal(message: &str, key: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(hmac::sign(&key, message.as_bytes())))
}

/// The 401 of a bearer token that is not good.
pub fn not_valid(message: &str) -> Value {
    json!({
        "detail": "Given token not valid for any token type",
        "code": "token_not_valid",
        "messages": [{ "token_class": "AccessToken", "token_type": "access", "message": message }],
    })
}

/// The 401 of a token in a body.
pub fn refused(message: &str) -> Value {
    json!({ "detail": message, "code": "token_not_valid" })
}

/// The claims of a token as this server would make it for `person`, for the test to sign.
pub fn token_of(app: &TestApp, person: &Person, kind: &str) -> Value {
    let now = app.clock.now().seconds();
    let mut claims = json!({
        "token_type": kind,
        "exp": now + 300,
        "iat": now,
        "jti": format!("{kind:0>32}"),
        "user_id": person.id.to_string(),
    });
    if kind == Sliding::TYPE {
        claims["refresh_exp"] = json!(now + 86_400);
    }
    claims
}
