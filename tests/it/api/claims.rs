//! What tokens and the answer to a sign-in say, as settings would have it.

use portcullis::settings::{ObtainMember, Settings, TokenClaim, TokenClass};
use serde_json::{Value, json};

use crate::support::app::{TestApp, minutes};
use crate::support::people::{PASSWORD, Pair, Person};
use crate::support::token::{claims, own_key, refused, signed, token_of};

async fn sign_in(app: &TestApp, person: &Person) -> Value {
    let given = json!({ "username": person.name, "password": PASSWORD });
    app.anonymous().post("/api/token/", given).await.status(200).json()
}

/// T9.
#[actix_web::test]
async fn constant_claims_are_in_every_token_whatever_brought_it() {
    let app = TestApp::with(|settings| {
        let claims = [("tenant".to_owned(), json!("acme")), ("limits".to_owned(), json!({ "tasks": [1, 2.5] }))];
        settings.jwt.static_claims.extend(claims);
    })
    .await;
    let ann = app.user("ann").await;
    let account = json!({ "username": "bob", "password": PASSWORD });
    let registered: Pair = app.anonymous().post("/api/register/", account).await.status(201).ok();
    let obtained = ann.obtain().await;
    let next: Pair = ann.refresh(&obtained.refresh).await.ok();
    let sliding = ann.obtain_sliding().await;
    for token in
        [registered.refresh, registered.access, obtained.refresh, obtained.access, next.refresh, next.access, sliding]
    {
        let claims = claims(&token);
        assert_eq!(claims["tenant"], "acme");
        assert_eq!(claims["limits"], json!({ "tasks": [1, 2.5] }));
    }
}

/// T9.
#[actix_web::test]
async fn the_answer_to_a_sign_in_tells_more_where_it_is_asked_to() {
    let app = TestApp::with(|settings| {
        settings.jwt.obtain_response = vec![ObtainMember::UserId, ObtainMember::Username];
    })
    .await;
    let ann = app.user("ann").await;
    let answer = sign_in(&app, &ann).await;
    let members: Vec<&String> = answer.as_object().unwrap().keys().collect();
    assert_eq!(members, ["refresh", "access", "user_id", "username"]);
    assert_eq!((&answer["user_id"], &answer["username"]), (&json!(ann.id), &json!("ann")));

    let pair = ann.refresh(answer["refresh"].as_str().unwrap()).await.json();
    assert_eq!(pair.as_object().unwrap().keys().collect::<Vec<_>>(), ["access", "refresh"]);
}

/// T12.
#[actix_web::test]
async fn the_user_can_be_a_number_and_both_forms_are_read() {
    let app = TestApp::with(|settings| {
        own_key(settings);
        settings.jwt.user_id_as_number = true;
    })
    .await;
    let ann = app.user("ann").await;
    let pair = ann.obtain().await;
    assert_eq!(claims(&pair.access)["user_id"], json!(ann.id));
    assert_eq!(claims(&pair.refresh)["user_id"], json!(ann.id));
    assert_eq!(claims(&ann.obtain_sliding().await)["user_id"], json!(ann.id));
    ann.with(&pair.access).get("/api/hello/").await.status(200);
    let next: Pair = ann.refresh(&pair.refresh).await.ok();
    assert_eq!(claims(&next.access)["user_id"], json!(ann.id));

    let text = signed(&token_of(&app, &ann, "access"));
    ann.with(&text).get("/api/hello/").await.status(200);
}

fn renamed(settings: &mut Settings) {
    own_key(settings);
    settings.jwt.jti_claim = "id".into();
    settings.jwt.token_type_claim = "kind".into();
    settings.jwt.sliding_token_refresh_exp_claim = "slide_until".into();
    settings.jwt.user_id_claim = "sub".into();
    settings.jwt.auth_token_classes = vec![TokenClass::Access, TokenClass::Sliding];
    settings.jwt.token_claims = vec![TokenClaim::Username];
}

/// T12: the whole life of a session under other names.
#[actix_web::test]
async fn claims_can_have_other_names() {
    let app = TestApp::with(renamed).await;
    let ann = app.user("ann").await;
    let pair = ann.obtain().await;
    let told = claims(&pair.access);
    let names: Vec<&String> = told.as_object().unwrap().keys().collect();
    assert_eq!(names, ["kind", "exp", "iat", "id", "sub", "username", "sid", "gen"]);
    assert_eq!((&told["kind"], &told["sub"]), (&json!("access"), &json!(ann.id.to_string())));

    ann.with(&pair.access).get("/api/hello/").await.status(200);
    app.anonymous().post("/api/token/verify/", json!({ "token": pair.access })).await.status(200);
    let next: Pair = ann.refresh(&pair.refresh).await.ok();
    ann.refresh(&next.access).await.is(401, refused("Token has wrong type"));

    let sliding = ann.obtain_sliding().await;
    assert!(claims(&sliding)["slide_until"].is_number());
    app.clock.advance(minutes(1));
    let slid =
        app.anonymous().post("/api/token/sliding/refresh/", json!({ "token": sliding })).await.status(200).json();
    let slid = slid["token"].as_str().unwrap();
    assert_eq!(claims(slid)["slide_until"], claims(&sliding)["slide_until"]);
    ann.with(slid).get("/api/hello/").await.status(200);

    ann.with(&next.access).post("/api/logout/", json!({ "refresh": next.refresh })).await.is_empty(205);
    ann.with(&next.access).get("/api/hello/").await.status(401);
    ann.refresh(&pair.refresh).await.is(401, refused("Token is blacklisted"));
}

#[actix_web::test]
async fn a_claim_of_the_usual_name_does_not_stand_in_for_the_renamed_one() {
    let app = TestApp::with(renamed).await;
    let ann = app.user("ann").await;
    let told = token_of(&app, &ann, "refresh");
    let made = |renames: &[(&str, &str)]| {
        let mut claims = told.clone();
        for (from, to) in renames.iter().chain(&[("user_id", "sub")]) {
            claims[*to] = claims[*from].clone();
        }
        signed(&claims)
    };
    ann.refresh(&made(&[])).await.is(401, refused("Token has no id"));
    ann.refresh(&made(&[("jti", "id")])).await.is(401, refused("Token has no type"));
    ann.refresh(&made(&[("jti", "id"), ("token_type", "kind")])).await.status(200);
}
