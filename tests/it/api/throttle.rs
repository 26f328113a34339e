//! How often one may ask: signing in by account and address, everything else by user or address.

use portcullis::settings::Settings;
use serde_json::{Value, json};

use crate::support::app::{TestApp, minutes, seconds};
use crate::support::client::Answer;
use crate::support::people::PASSWORD;

fn login(rate: &str) -> impl FnOnce(&mut Settings) {
    let rate = rate.parse().unwrap();
    move |settings| settings.throttle.login = Some(rate)
}

async fn sign_in(app: &TestApp, name: &str, password: &str) -> Answer {
    app.anonymous().post("/api/token/", json!({ "username": name, "password": password })).await
}

fn throttled(seconds: u32) -> Value {
    json!({ "detail": format!("Request was throttled. Expected available in {seconds} seconds.") })
}

/// AUT-04.
#[actix_web::test]
async fn the_fourth_try_in_a_minute_is_refused_with_the_right_password_too() {
    let app = TestApp::with(login("3/min")).await;
    app.user("ann").await;
    for _ in 0..3 {
        sign_in(&app, "ann", "wrong").await.status(401);
        app.clock.advance(seconds(10));
    }
    for password in ["wrong", PASSWORD] {
        let refused = sign_in(&app, "ann", password).await;
        assert_eq!(refused.header("retry-after"), Some("30"));
        refused.is(429, throttled(30));
    }
    app.clock.advance(seconds(29));
    sign_in(&app, "ann", PASSWORD).await.status(429);
    app.clock.advance(seconds(1));
    sign_in(&app, "ann", PASSWORD).await.status(200);
}

/// AUT-06: one count for every door.
#[actix_web::test]
async fn every_place_where_a_password_is_asked_for_counts_alike() {
    let app = TestApp::with(login("3/min")).await;
    let ann = app.user("ann").await;
    let client = ann.signed_in().await;
    let nobody = app.anonymous();
    let wrong = json!({ "username": "ann", "password": "wrong" });
    nobody.post("/api/v1/token/", wrong.clone()).await.status(401);
    nobody.post("/api/token/sliding/", wrong.clone()).await.status(401);
    nobody.post("/api/login/", wrong.clone()).await.status(401);
    let change = json!({ "old_password": PASSWORD, "new_password": "battery staple 7" });
    client.post("/api/password/change/", change).await.is(429, throttled(60));
    let address = json!({ "email": "new@example.org", "current_password": PASSWORD });
    client.patch("/api/users/me/", address).await.is(429, throttled(60));
    nobody.post("/api/token/", wrong).await.is(429, throttled(60));
    // AUT-08: who is signed in already does not notice.
    client.get("/api/hello/").await.status(200);
}

#[actix_web::test]
async fn one_account_from_one_address_says_nothing_of_others() {
    let app = TestApp::with(login("2/min")).await;
    app.user("ann").await;
    app.user("bob").await;
    for _ in 0..2 {
        sign_in(&app, "ann", "wrong").await.status(401);
    }
    sign_in(&app, "ann", PASSWORD).await.status(429);
    sign_in(&app, "bob", PASSWORD).await.status(200);
    let elsewhere = app.anonymous().at("198.51.100.7");
    elsewhere.post("/api/token/", json!({ "username": "ann", "password": PASSWORD })).await.status(200);
}

#[actix_web::test]
async fn one_address_may_not_try_every_account() {
    let app = TestApp::with(|settings| settings.throttle.login_address = Some("6/min".parse().unwrap())).await;
    for number in 0..6 {
        sign_in(&app, &format!("user{number}"), "wrong").await.status(401);
    }
    sign_in(&app, "user6", "wrong").await.is(429, throttled(60));
    let body = json!({ "username": "ann", "password": PASSWORD });
    app.anonymous().post("/api/register/", body).await.is(429, throttled(60));
}

/// AUT-07.
#[actix_web::test]
async fn a_header_that_anybody_can_send_hides_no_address() {
    let app = TestApp::with(login("2/min")).await;
    app.user("ann").await;
    let from = async |forwarded: &str| {
        let body = json!({ "username": "ann", "password": "wrong" });
        app.anonymous().post("/api/token/", body).header("x-forwarded-for", forwarded).await.status.as_u16()
    };
    assert_eq!([from("1.1.1.1").await, from("2.2.2.2").await, from("3.3.3.3").await], [401, 401, 429]);
}

/// AUT-05.
#[actix_web::test]
async fn guesses_at_once_do_not_beat_the_count() {
    let app = TestApp::with(login("5/min")).await;
    app.user("ann").await;
    let answers = futures_util::future::join_all((0..40).map(|_| sign_in(&app, "ann", "wrong"))).await;
    let tried = answers.iter().filter(|answer| answer.status == 401).count();
    assert_eq!((tried, answers.len() - tried), (5, 35));
}

#[actix_web::test]
async fn at_default_settings_the_eleventh_try_in_a_minute_waits() {
    let app = TestApp::new().await;
    app.user("ann").await;
    for _ in 0..10 {
        sign_in(&app, "ann", "wrong").await.status(401);
    }
    sign_in(&app, "ann", PASSWORD).await.is(429, throttled(60));
    app.clock.advance(minutes(1));
    let ann = sign_in(&app, "ann", PASSWORD).await.status(200).json();
    // And nothing else is limited.
    let ann = app.anonymous().bearing(ann["access"].as_str().unwrap());
    for _ in 0..100 {
        ann.get("/api/hello/").await.status(200);
    }
}

/// R7, CONTRACT 12.
#[actix_web::test]
async fn users_and_strangers_have_rates_of_their_own() {
    let app = TestApp::with(|settings| {
        settings.throttle.anon = Some("2/min".parse().unwrap());
        settings.throttle.user = Some("4/min".parse().unwrap());
    })
    .await;
    let ann = app.user("ann").await.signed_in().await; // one of the stranger's two
    for _ in 0..4 {
        ann.get("/api/hello/").await.status(200);
    }
    ann.get("/api/hello/").await.is(429, throttled(60));
    ann.get("/api/v1/tasks/").await.is(429, throttled(60)); // one count for all views
    app.anonymous().get("/api/").await.status(200);
    app.anonymous().get("/api/").await.is(429, throttled(60));
    app.anonymous().at("198.51.100.7").get("/api/").await.status(200);
    // What is refused with 401 or 403 is never counted.
    for _ in 0..5 {
        app.anonymous().at("203.0.113.9").get("/api/hello/").await.status(401);
    }
    app.anonymous().at("203.0.113.9").get("/api/").await.status(200);
}
