//! The key ring: keys take their turn and nobody is signed out; a retired one takes its tokens along.

use std::time::Duration;

use jsonwebtoken::Algorithm;
use portcullis::auth::key_changes;
use portcullis::error::Error;
use portcullis::settings::Secret;
use serde_json::{Value, json};

use crate::support::app::{TestApp, hours, minutes};
use crate::support::people::Pair;
use crate::support::token::{KEY, header, not_valid, own_key, sealed, token_of};

const BEARER: Duration = Duration::from_secs(300);

/// What `portcullis keys rotate` does: made, made known, and let sign.
async fn rotate(app: &TestApp, algorithm: Algorithm) -> String {
    let kid = app.site.keys.make(algorithm).unwrap();
    let (known, name, now) = (kid.clone(), format!("{algorithm:?}"), app.clock.now());
    app.write(move |conn| key_changes::add(conn, &known, &name, now)).await;
    let next = kid.clone();
    app.write(move |conn| key_changes::activate(conn, &next, now)).await;
    kid
}

async fn retire(app: &TestApp, kid: &str, force: bool) -> Result<(), Error> {
    let (kid, now) = (kid.to_owned(), app.clock.now());
    app.site.db.write(move |conn| key_changes::retire(conn, &kid, force, BEARER, now)).await
}

async fn published(app: &TestApp) -> Vec<Value> {
    app.anonymous().get("/.well-known/jwks.json").await.ok::<Value>()["keys"].as_array().unwrap().clone()
}

/// JWT-23.
#[actix_web::test]
async fn keys_of_every_algorithm_take_their_turn_and_no_token_dies_of_it() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    let mut pairs: Vec<Pair> = vec![ann.obtain().await];
    for algorithm in [
        Algorithm::HS384,
        Algorithm::HS512,
        Algorithm::RS256,
        Algorithm::PS256,
        Algorithm::ES256,
        Algorithm::ES384,
        Algorithm::EdDSA,
    ] {
        let kid = rotate(&app, algorithm).await;
        let pair = ann.obtain().await;
        assert_eq!(header(&pair.access), json!({ "alg": format!("{algorithm:?}"), "typ": "JWT", "kid": kid }));
        pairs.push(pair);
    }
    for pair in &pairs {
        ann.with(&pair.access).get("/api/hello/").await.status(200);
        ann.refresh(&pair.refresh).await.status(200);
    }
    let again = app.again().await;
    for pair in &pairs {
        again.anonymous().bearing(&pair.access).get("/api/hello/").await.status(200);
    }
}

/// JWT-22.
#[actix_web::test]
async fn other_services_read_the_public_keys_and_never_a_secret() {
    let app = TestApp::new().await;
    assert_eq!(published(&app).await, [] as [Value; 0]); // an HMAC key has no public part
    let rsa = rotate(&app, Algorithm::RS256).await;
    let ec = rotate(&app, Algorithm::ES256).await;

    let keys = published(&app).await;
    let named: Vec<&Value> = keys.iter().map(|key| &key["kid"]).collect();
    assert_eq!(named, [&json!(ec), &json!(rsa)]);
    for key in &keys {
        let mut members: Vec<&str> = key.as_object().unwrap().keys().map(String::as_str).collect();
        members.sort_unstable();
        let public = if key["kty"] == "RSA" {
            vec!["alg", "e", "kid", "kty", "n", "use"]
        } else {
            vec!["alg", "crv", "kid", "kty", "use", "x", "y"]
        };
        assert_eq!(members, public);
        assert_eq!(key["use"], "sig");
    }
    let answer = app.anonymous().get("/.well-known/jwks.json").await;
    assert_eq!(answer.header("cache-control"), Some("public, max-age=300"));
}

#[actix_web::test]
async fn a_key_is_not_retired_while_tokens_depend_on_it_unless_one_insists() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    let old = app.site.signer.ring().active().kid().unwrap().to_owned();
    let pair = ann.obtain().await;

    let why = |refused: Result<(), Error>| match refused {
        Err(Error::Conflict(words)) => words.to_string(),
        other => panic!("{other:?}"),
    };
    assert!(why(retire(&app, &old, true).await).contains("signs"));
    rotate(&app, Algorithm::ES256).await;
    assert_eq!(why(retire(&app, &old, false).await), format!("1 live tokens depend on {old}; --force ends them"));
    ann.with(&pair.access).get("/api/hello/").await.status(200);

    retire(&app, &old, true).await.unwrap();
    ann.with(&pair.access).get("/api/hello/").await.is(401, not_valid("Token is invalid"));
    ann.refresh(&pair.refresh).await.status(401);
}

#[actix_web::test]
async fn once_its_last_token_has_expired_a_key_goes_by_itself() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    let old = app.site.signer.ring().active().kid().unwrap().to_owned();
    ann.obtain().await;
    rotate(&app, Algorithm::HS256).await;
    app.clock.advance(hours(25));
    retire(&app, &old, false).await.unwrap();
}

/// A service that comes from Django keeps its signed-in users; the old secret makes nobody new.
#[actix_web::test]
async fn a_legacy_secret_verifies_what_was_issued_before_it_was_brought_in() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    let django = b"fifty-random-characters-of-some-django-settings-py";
    let claims = |app: &TestApp| token_of(app, &ann, "access").to_string();
    let before = sealed(r#"{"alg":"HS256","typ":"JWT"}"#, &claims(&app), django);
    ann.with(&before).get("/api/hello/").await.status(401);

    app.clock.advance(minutes(1));
    let (kid, now) = (app.site.keys.bring_in(django).unwrap(), app.clock.now());
    app.write(move |conn| key_changes::add_legacy(conn, &kid, "HS256", now)).await;

    ann.with(&before).get("/api/hello/").await.is(200, json!({ "message": "Hello, ann" }));
    app.clock.advance(minutes(1));
    let after = sealed(r#"{"alg":"HS256","typ":"JWT"}"#, &claims(&app), django);
    ann.with(&after).get("/api/hello/").await.is(401, not_valid("Token is invalid"));
    let named = sealed(r#"{"alg":"HS256","kid":"k-1"}"#, &claims(&app), django);
    ann.with(&named).get("/api/hello/").await.is(401, not_valid("Token is invalid"));
}

#[actix_web::test]
async fn beside_a_key_of_the_settings_the_ring_goes_on_verifying() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    let pair = ann.obtain().await;
    let given: Secret = "a-secret-of-one's-own-that-is-long-enough".into();
    let after = app.again_with(|settings| settings.jwt.signing_key = Some(given)).await;
    after.anonymous().bearing(&pair.access).get("/api/hello/").await.status(200);
    let fresh: Pair = after
        .anonymous()
        .post("/api/token/", json!({ "username": "ann", "password": crate::support::people::PASSWORD }))
        .await
        .ok();
    assert_eq!(header(&fresh.access), json!({ "alg": "HS256", "typ": "JWT" }));
    after.anonymous().bearing(&fresh.access).get("/api/hello/").await.status(200);
}

/// Who sets `jwt.signing_key` and brings in the secrets of two Django servers has three keys without a name.
#[actix_web::test]
async fn a_token_without_a_key_id_is_tried_against_every_key_without_one_of_its_algorithm() {
    let app = TestApp::with(own_key).await;
    let ann = app.user("ann").await;
    let secrets =
        ["fifty-random-characters-of-some-django-settings-py", "and-the-fifty-characters-of-another-django-server"];
    let claims = token_of(&app, &ann, "access").to_string();
    let by = |header: &str, secret: &str| sealed(header, &claims, secret.as_bytes());
    let plain = r#"{"alg":"HS256","typ":"JWT"}"#;
    app.clock.advance(minutes(1));
    for secret in secrets {
        let (kid, now) = (app.site.keys.bring_in(secret.as_bytes()).unwrap(), app.clock.now());
        app.write(move |conn| key_changes::add_legacy(conn, &kid, "HS256", now)).await;
    }

    for secret in [KEY, secrets[0], secrets[1]] {
        for header in [plain, r#"{"typ":"JWT","alg":"HS256"}"#] {
            ann.with(&by(header, secret)).get("/api/hello/").await.is(200, json!({ "message": "Hello, ann" }));
        }
        for header in [r#"{"alg":"HS256","kid":"k-1"}"#, r#"{"alg":"HS384","typ":"JWT"}"#, r#"{"alg":"none"}"#] {
            ann.with(&by(header, secret)).get("/api/hello/").await.is(401, not_valid("Token is invalid"));
        }
    }
    let stranger = by(plain, "a secret that nobody has told this server of, ever");
    ann.with(&stranger).get("/api/hello/").await.is(401, not_valid("Token is invalid"));
}
