//! ID tokens: which are good, and for whom.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, Header};
use portcullis::settings::TokenClaim;
use portcullis::settings::social::Provider as ProviderSettings;
use serde_json::{Value, json};

use super::{SignedIn, app_of, bring, google, invalid, rows};
use crate::support::app::{NOON, TestApp, hours, no_limits, seconds};
use crate::support::keys::public_of;
use crate::support::provider::{CLIENT, EC, Mood, NEXT_RSA, OTHER_CLIENT, Pair, Provider, RSA};
use crate::support::token::{claims, sealed};

#[actix_web::test]
async fn who_comes_with_a_good_id_token_gets_an_account_once_and_a_session_each_time() {
    let provider = Provider::start();
    let app = app_of(&provider).await;

    let first = bring(&app, "google", &provider.id_token(json!({}))).await.status(200);
    let members: Vec<String> = first.json().as_object().unwrap().keys().cloned().collect();
    assert_eq!(members, ["refresh", "access", "created"]);
    let first: SignedIn = first.ok();
    assert!(first.created);
    let ann = app.anonymous().bearing(&first.access);
    ann.get("/api/hello/").await.is(200, json!({ "message": "Hello, ann@example.org" }));
    let me = ann.get("/api/users/me/").await.json();
    assert_eq!((&me["username"], &me["email"]), (&json!("ann@example.org"), &json!("ann@example.org")));
    assert_eq!((&me["email_verified"], &me["is_staff"]), (&json!(true), &json!(false)));
    app.anonymous().post("/api/token/refresh/", json!({ "refresh": first.refresh })).await.status(200);

    // It is the subject that counts: the address may be another by now.
    let again = provider.id_token(json!({ "email": "ann@elsewhere.example" }));
    let second: SignedIn =
        app.anonymous().post("/api/v1/auth/google/", json!({ "token": again })).await.status(200).ok();
    assert!(!second.created);
    assert_eq!(claims(&second.access)["user_id"], claims(&first.access)["user_id"]);
    assert_ne!(claims(&second.access)["sid"], claims(&first.access)["sid"]);
    assert_eq!(rows(&app).await, [1, 2, 1]);
}

#[actix_web::test]
async fn its_sessions_are_like_any_other() {
    let provider = Provider::start();
    let social = google(&provider);
    let app = TestApp::with(|settings| {
        social(settings);
        settings.jwt.token_claims = vec![TokenClaim::Email, TokenClaim::UserRole];
        settings.jwt.static_claims.insert("tenant".into(), "blue".into());
        settings.jwt.update_last_login = true;
    })
    .await;
    let signed_in: SignedIn = bring(&app, "google", &provider.id_token(json!({}))).await.ok();
    for token in [&signed_in.access, &signed_in.refresh] {
        let told = claims(token);
        assert_eq!((&told["email"], &told["user_role"]), (&json!("ann@example.org"), &json!("user")));
        assert_eq!(told["tenant"], "blue");
    }
    let ann = app.anonymous().bearing(&signed_in.access);
    assert_eq!(ann.get("/api/users/me/").await.json()["last_login"], "2026-01-01T12:00:00Z");
    ann.post("/api/logout/", json!({ "refresh": signed_in.refresh })).await.is_empty(205);
    ann.get("/api/hello/").await.status(401);
}

/// What must be wrong with nothing that makes an account.
async fn refused(app: &TestApp, name: &str, token: &str) {
    let answer = bring(app, "google", token).await;
    assert_eq!((answer.status.as_u16(), answer.json()), (400, invalid("Google")), "{name}");
    assert_eq!(rows(app).await, [0, 0, 0], "{name}");
}

/// SOC-01, SOC-02.
#[actix_web::test]
async fn a_token_that_says_anything_else_is_refused() {
    let provider = Provider::start();
    let app = app_of(&provider).await;
    let now = NOON.seconds();
    for (name, changes) in [
        ("another application's", json!({ "aud": OTHER_CLIENT })),
        ("a part of our id", json!({ "aud": &CLIENT[1..] })),
        ("nobody's", json!({ "aud": null })),
        ("of no audience", json!({ "aud": [] })),
        ("of an odd audience", json!({ "aud": { CLIENT: true } })),
        ("ours among others, and nobody says who asked for it", json!({ "aud": [CLIENT, OTHER_CLIENT] })),
        ("ours among others, and another asked for it", json!({ "aud": [CLIENT, OTHER_CLIENT], "azp": OTHER_CLIENT })),
        ("ours, but another asked for it", json!({ "azp": OTHER_CLIENT })),
        ("another issuer's", json!({ "iss": "https://accounts.google.com" })),
        ("an issuer's with a slash more", json!({ "iss": format!("{}/", provider.origin) })),
        ("no issuer's", json!({ "iss": null })),
        ("expired this second", json!({ "exp": now })),
        ("expired", json!({ "iat": now - 3600, "exp": now - 1 })),
        ("without an end", json!({ "exp": null })),
        ("with an odd end", json!({ "exp": "tomorrow" })),
        ("without a beginning", json!({ "iat": null })),
        ("from the future", json!({ "iat": now + 61 })),
        ("not valid yet", json!({ "nbf": now + 61 })),
        ("from the day before yesterday", json!({ "iat": now - 2 * 86_400 })),
        ("without a subject", json!({ "sub": null })),
        ("of an empty subject", json!({ "sub": "" })),
        ("of an odd subject", json!({ "sub": 1001 })),
        ("of a subject without end", json!({ "sub": "1".repeat(256) })),
        ("of an address that is not verified", json!({ "email_verified": false })),
        ("of an address that is called not verified", json!({ "email_verified": "false" })),
        ("of an address of which nothing is said", json!({ "email_verified": null })),
        ("of an address that is verified by a number", json!({ "email_verified": 1 })),
        ("without an address", json!({ "email": null })),
        ("with two lines for an address", json!({ "email": "ann@example.org\r\nBcc: eve@evil.example" })),
    ] {
        refused(&app, name, &provider.id_token(changes)).await;
    }
}

static PUBLIC: LazyLock<String> = LazyLock::new(|| public_of(&RSA.pem));

/// SOC-01.
#[actix_web::test]
async fn a_token_that_the_provider_has_not_signed_is_refused() {
    let provider = Provider::start();
    let app = app_of(&provider).await;
    let claims = provider.claims(json!({})).to_string();
    let hmac =
        |kid: &str, key: &[u8]| sealed(&json!({ "alg": "HS256", "typ": "JWT", "kid": kid }).to_string(), &claims, key);
    let none = |alg: &str| {
        let signed = sealed(&json!({ "alg": alg, "kid": RSA.kid }).to_string(), &claims, b"");
        signed.rsplit_once('.').unwrap().0.to_owned() + "."
    };
    let good = provider.id_token(json!({}));
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (header, _) = message.split_once('.').unwrap();
    let of = |pair: &Pair, header: Header| pair.sign_as(&header, &provider.claims(json!({})));
    let named = |algorithm, kid: &str| Header { kid: Some(kid.into()), ..Header::new(algorithm) };
    let typed = |typ: &str| Header { typ: Some(typ.into()), ..named(Algorithm::RS256, RSA.kid) };
    let critical = {
        let header = json!({ "alg": "RS256", "kid": RSA.kid, "crit": ["exp"] }).to_string();
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(&claims));
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &RSA.key, Algorithm::RS256).unwrap();
        format!("{message}.{signature}")
    };
    let modulus = RSA.jwk()["n"].as_str().unwrap().to_owned();
    for (name, token) in [
        ("none", none("none")),
        ("none in another case", none("nOnE")),
        ("no algorithm at all", none("")),
        ("HMAC with the public key", hmac(RSA.kid, PUBLIC.as_bytes())),
        ("HMAC with the public key's number", hmac(RSA.kid, modulus.as_bytes())),
        ("HMAC with nothing", hmac(RSA.kid, b"")),
        ("another key under the name of the first", of(&NEXT_RSA, named(Algorithm::RS256, RSA.kid))),
        ("another key under its own name", of(&NEXT_RSA, named(Algorithm::RS256, NEXT_RSA.kid))),
        ("another key without a name", of(&NEXT_RSA, Header::new(Algorithm::RS256))),
        ("a curve under the name of RSA", of(&EC, named(Algorithm::ES256, RSA.kid))),
        ("critical words", critical),
        ("an access token of RFC 9068", of(&RSA, typed("at+jwt"))),
        ("a logout token", of(&RSA, typed("logout+jwt"))),
        ("no signature", format!("{message}.")),
        ("half a signature", format!("{message}.{}", &signature[..signature.len() / 2])),
        ("a signature with something after it", format!("{good}=")),
        ("another payload", format!("{header}.{}.{signature}", "e30")),
        ("four parts", format!("{good}.e30")),
        ("two parts", message.to_owned()),
        ("nonsense", "nonsense".to_owned()),
        ("points", "..".to_owned()),
        ("a book", "x".repeat(20_000)),
        ("our own", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.x".to_owned()),
    ] {
        refused(&app, name, &token).await;
    }
    // The one that they were made of is good.
    bring(&app, "google", &good).await.status(200);
}

#[actix_web::test]
async fn a_token_is_asked_for_by_its_field() {
    let provider = Provider::start();
    let app = app_of(&provider).await;
    let post = async |body: Value| app.anonymous().post("/api/auth/google/", body).await;
    post(json!({})).await.is(400, json!({ "token": ["This field is required."] }));
    post(json!({ "token": null })).await.is(400, json!({ "token": ["This field may not be null."] }));
    post(json!({ "token": ["x"] })).await.is(400, json!({ "token": ["Not a valid string."] }));
    let options = app.anonymous().options("/api/auth/google/").await.status(200);
    assert_eq!(options.header("allow"), Some("POST, OPTIONS"));
    // Credentials are not looked at, not even bad ones.
    let token = provider.id_token(json!({}));
    app.anonymous().bearing("nonsense").post("/api/auth/google/", json!({ "token": token })).await.status(200);
}

#[actix_web::test]
async fn a_nonce_that_the_client_had_asked_for_must_be_in_the_token() {
    let provider = Provider::start();
    let app = app_of(&provider).await;
    let bring = async |nonce: Value, changes: Value| {
        let body = json!({ "token": provider.id_token(changes), "nonce": nonce });
        app.anonymous().post("/api/auth/google/", body).await
    };
    bring(json!("n-0S6"), json!({ "nonce": "n-0S7" })).await.is(400, invalid("Google"));
    bring(json!("n-0S6"), json!({})).await.is(400, invalid("Google"));
    let opaque = json!({ "token": "ya29.opaque", "nonce": "n-0S6" });
    app.anonymous().post("/api/auth/google/", opaque).await.is(400, invalid("Google"));
    bring(json!("n-0S6"), json!({ "nonce": "n-0S6" })).await.status(200);
}

#[actix_web::test]
async fn one_audience_among_others_and_each_of_our_own_ids_will_do() {
    let provider = Provider::start();
    let mut social = provider.as_google();
    social.get_mut("google").unwrap().client_id.push("ours-on-android".into());
    let app = TestApp::with(|settings| {
        no_limits(settings);
        settings.social = social;
    })
    .await;
    for changes in [
        json!({ "aud": "ours-on-android" }),
        json!({ "aud": [CLIENT] }),
        json!({ "aud": [CLIENT, OTHER_CLIENT], "azp": "ours-on-android" }),
        json!({ "iat": NOON.seconds() + 59 }),
        json!({ "exp": NOON.seconds() as f64 + 1.5 }),
        json!({ "email_verified": "true" }),
    ] {
        bring(&app, "google", &provider.id_token(changes)).await.status(200);
    }
}

#[actix_web::test]
async fn any_provider_that_speaks_openid_connect_can_be_named() {
    let provider = Provider::start();
    provider.shows(&[EC.jwk()]);
    let app = TestApp::with(|settings| {
        let acme = ProviderSettings {
            client_id: vec![CLIENT.into()],
            issuer: Some(provider.origin.clone()),
            ..ProviderSettings::default()
        };
        settings.social.insert("acme".into(), acme);
    })
    .await;
    let token = EC.sign(&provider.claims(json!({})));
    let signed_in: SignedIn = bring(&app, "acme", &token).await.status(200).ok();
    assert!(signed_in.created);
    bring(&app, "acme", &provider.id_token(json!({}))).await.is(400, invalid("Acme"));
    // It says of no access token for whom it was made.
    bring(&app, "acme", "opaque").await.is(400, invalid("Acme"));
    bring(&app, "google", &token).await.status(404);
}

/// How often the provider's keys were asked for since the last call.
fn asked_for_keys(provider: &Provider) -> usize {
    provider.asked().iter().filter(|asked| *asked == "GET /keys").count()
}

#[actix_web::test]
async fn keys_are_kept_and_asked_for_again_when_a_token_names_another() {
    let provider = Provider::start();
    let app = app_of(&provider).await;
    for _ in 0..3 {
        bring(&app, "google", &provider.id_token(json!({}))).await.status(200);
    }
    assert_eq!(asked_for_keys(&provider), 1);

    provider.shows(&[RSA.jwk(), NEXT_RSA.jwk()]);
    app.clock.advance(seconds(31));
    let next = NEXT_RSA.sign(&provider.claims(json!({})));
    bring(&app, "google", &next).await.status(200);
    bring(&app, "google", &provider.id_token(json!({}))).await.status(200);
    assert_eq!(asked_for_keys(&provider), 1);

    // What the provider takes back is believed for an hour at most.
    provider.shows(&[NEXT_RSA.jwk()]);
    app.clock.advance(hours(1));
    let token = |pair: &Pair| pair.sign(&provider.claims(json!({ "exp": NOON.seconds() + 86_400 })));
    bring(&app, "google", &token(&RSA)).await.is(400, invalid("Google"));
    bring(&app, "google", &token(&NEXT_RSA)).await.status(200);
}

#[actix_web::test]
async fn invented_key_names_do_not_hammer_the_provider() {
    let provider = Provider::start();
    let app = app_of(&provider).await;
    for number in 0..20 {
        let header = Header { kid: Some(format!("invented-{number}")), ..Header::new(Algorithm::RS256) };
        let token = NEXT_RSA.sign_as(&header, &provider.claims(json!({})));
        bring(&app, "google", &token).await.is(400, invalid("Google"));
        app.clock.advance(seconds(3));
    }
    // In a minute: at once, after half of it.
    assert_eq!(asked_for_keys(&provider), 2);
    bring(&app, "google", &provider.id_token(json!({}))).await.status(200);
}

#[actix_web::test]
async fn while_the_provider_is_down_its_old_keys_serve_for_a_day() {
    let provider = Provider::start();
    let app = app_of(&provider).await;
    bring(&app, "google", &provider.id_token(json!({}))).await.status(200);
    provider.feels(Mood::Down);
    let good = provider.id_token(json!({ "iat": NOON.seconds() + 3600, "exp": NOON.seconds() + 2 * 86_400 }));
    app.clock.advance(hours(2));
    provider.asked();
    for _ in 0..5 {
        bring(&app, "google", &good).await.status(200);
    }
    assert_eq!(provider.asked().len(), 1, "it was asked once for all");
    app.clock.advance(hours(22));
    bring(&app, "google", &good).await.status(503);
    provider.feels(Mood::Well);
    app.clock.advance(seconds(31));
    bring(&app, "google", &good).await.status(200);
}

#[actix_web::test]
async fn a_token_without_a_key_name_is_good_while_there_is_one_key() {
    let provider = Provider::start();
    let app = app_of(&provider).await;
    let nameless = RSA.sign_as(&Header::new(Algorithm::RS256), &provider.claims(json!({})));
    let encrypting = {
        let mut jwk = NEXT_RSA.jwk();
        jwk["use"] = json!("enc");
        jwk
    };
    provider.shows(&[json!({ "kty": "unheard of" }), json!(5), encrypting, RSA.jwk()]);
    bring(&app, "google", &nameless).await.status(200);
    provider.shows(&[RSA.jwk(), NEXT_RSA.jwk()]);
    app.clock.advance(hours(1) - seconds(1));
    bring(&app, "google", &nameless).await.status(200);
    app.clock.advance(seconds(1));
    let later = provider.claims(json!({ "exp": NOON.seconds() + 86_400 }));
    bring(&app, "google", &RSA.sign_as(&Header::new(Algorithm::RS256), &later)).await.is(400, invalid("Google"));
}
