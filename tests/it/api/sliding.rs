//! Sliding tokens: one token that opens the API and is exchanged for a later form of itself.

use portcullis::settings::{Settings, TokenClass};
use serde_json::{Value, json};

use crate::support::app::{TestApp, hours, minutes};
use crate::support::people::Person;
use crate::support::token::{claims, own_key, refused, signed};

fn sliding(settings: &mut Settings) {
    settings.jwt.auth_token_classes = vec![TokenClass::Access, TokenClass::Sliding];
}

async fn slide(app: &TestApp, token: &str) -> crate::support::client::Answer {
    app.anonymous().post("/api/token/sliding/refresh/", json!({ "token": token })).await
}

fn token_in(answer: &Value) -> &str {
    answer["token"].as_str().unwrap()
}

/// What is said to a bearer where both classes open the API.
fn not_valid(access: &str, sliding: &str) -> Value {
    json!({
        "detail": "Given token not valid for any token type",
        "code": "token_not_valid",
        "messages": [
            { "token_class": "AccessToken", "token_type": "access", "message": access },
            { "token_class": "SlidingToken", "token_type": "sliding", "message": sliding },
        ],
    })
}

async fn ann() -> (TestApp, Person, String) {
    let app = TestApp::with(sliding).await;
    let ann = app.user("ann").await;
    let token = ann.obtain_sliding().await;
    (app, ann, token)
}

#[actix_web::test]
async fn a_sliding_token_names_its_end_and_has_no_custom_claims() {
    let (app, ann, token) = ann().await;
    let (told, now) = (claims(&token), app.clock.now().seconds());
    let expected = json!({
        "token_type": "sliding",
        "exp": now + 300,
        "iat": now,
        "jti": told["jti"],
        "user_id": ann.id.to_string(),
        "sid": told["sid"],
        "gen": 0,
        "refresh_exp": now + 86_400,
    });
    assert_eq!(told.to_string(), expected.to_string());
}

#[actix_web::test]
async fn sliding_moves_the_dates_and_nothing_else_and_the_old_form_lives_on() {
    let (app, ann, token) = ann().await;
    app.clock.advance(minutes(4));
    let answer = slide(&app, &token).await.status(200).json();
    let now = app.clock.now().seconds();
    let mut expected = claims(&token);
    expected["exp"] = json!(now + 300);
    expected["iat"] = json!(now);
    assert_eq!(claims(token_in(&answer)), expected);
    for form in [token_in(&answer), &token] {
        ann.with(form).get("/api/hello/").await.is(200, json!({ "message": "Hello, ann" }));
    }
}

#[actix_web::test]
async fn an_expired_sliding_token_slides_no_more_nor_one_past_its_end() {
    let (app, _, token) = ann().await;
    app.clock.advance(minutes(5));
    slide(&app, &token).await.is(401, refused("Token is expired"));

    let app = TestApp::with(own_key).await;
    let bob = app.user("bob").await;
    let mut past = claims(&bob.obtain_sliding().await);
    past["refresh_exp"] = past["iat"].clone();
    slide(&app, &signed(&past)).await.is(401, refused("Token 'refresh_exp' claim has expired"));
    past.as_object_mut().unwrap().shift_remove("refresh_exp");
    slide(&app, &signed(&past)).await.is(401, refused("Token has no 'refresh_exp' claim"));
}

#[actix_web::test]
async fn where_access_tokens_alone_open_the_api_a_sliding_one_does_not() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    let token = ann.obtain_sliding().await;
    let told = crate::support::token::not_valid("Token has wrong type");
    ann.with(&token).get("/api/hello/").await.is(401, told);
}

#[actix_web::test]
async fn a_signed_out_sliding_token_is_dead_in_every_form() {
    let (app, ann, token) = ann().await;
    app.clock.advance(minutes(1));
    let answer = slide(&app, &token).await.json();
    let slid = token_in(&answer);
    let elsewhere = ann.obtain_sliding().await;

    ann.end_session_of(&token).await;

    for form in [slid, &token] {
        // The blacklist is asked before the type, for the kinds that can be on it.
        let told = not_valid("Token has wrong type", "Token is blacklisted");
        ann.with(form).get("/api/hello/").await.is(401, told);
        slide(&app, form).await.is(401, refused("Token is blacklisted"));
        let verify = app.anonymous().post("/api/token/verify/", json!({ "token": form })).await;
        verify.is(400, json!({ "non_field_errors": ["Token is blacklisted"] }));
    }
    ann.with(&elsewhere).get("/api/hello/").await.status(200);
}

#[actix_web::test]
async fn signing_out_everywhere_ends_sliding_tokens_too() {
    let (app, ann, token) = ann().await;
    ann.with(&token).post("/api/logout/all/", ()).await.is_empty(205);
    let told = not_valid("Token is blacklisted", "Token is blacklisted");
    ann.with(&token).get("/api/hello/").await.is(401, told);
    slide(&app, &token).await.is(401, refused("Token is blacklisted"));
}

/// REV-14: the end is remembered as long as any form of the token could live.
#[actix_web::test]
async fn a_slid_tokens_end_outlives_its_last_form() {
    let (app, ann, token) = ann().await;
    let mut form = token.clone();
    for _ in 0..20 {
        app.clock.advance(minutes(4));
        form = token_in(&slide(&app, &form).await.json()).to_owned();
    }
    ann.end_session_of(&token).await;
    for _ in 0..8 {
        app.clock.advance(hours(1));
        let now = app.clock.now();
        app.site.memory.revocations.sweep(now);
        portcullis::ops::sweeper::sweep(&app.site.db, now, |_| ()).await.unwrap();
        assert_eq!(ann.with(&form).get("/api/hello/").await.status, 401);
        assert_eq!(slide(&app, &form).await.status, 401);
    }
}
