//! `Idempotency-Key`: a POST that was not answered is sent again, and nothing is made twice.

use std::future::IntoFuture;

use diesel::prelude::*;
use futures_util::future::join_all;
use portcullis::db::schema::{idempotency_keys, tasks};
use portcullis::model::idempotency::{self, MOST};
use portcullis::ops::sweeper;
use serde_json::{Value, json};

use crate::support::app::{TestApp, hours, no_limits, seconds};
use crate::support::client::{Answer, Body, Client, form, multipart};

const KEY: &str = "\"8e03978e-40d5-43dd-bc93-6894a57f9324\"";

fn reused() -> Value {
    json!({ "detail": "This Idempotency-Key has been used for another request. Nothing was changed." })
}

fn milk() -> Value {
    json!({ "title": "Buy milk" })
}

async fn post(client: &Client, key: &str, body: impl Into<Body>) -> Answer {
    client.post("/api/tasks/", body).header("idempotency-key", key).await
}

async fn count(client: &Client) -> Value {
    client.get("/api/tasks/").await.status(200).json()["count"].clone()
}

async fn kept(app: &TestApp) -> i64 {
    app.read(|conn| Ok(idempotency_keys::table.count().get_result(conn)?)).await
}

#[actix_web::test]
async fn what_is_sent_again_gets_the_first_answer_whatever_has_become_of_what_it_made() {
    let app = TestApp::new().await;
    let pair = app.user("ann").await.obtain().await;
    let ann = app.anonymous().bearing(&pair.access);
    let first = post(&ann, KEY, milk()).await.status(201);
    app.clock.advance(seconds(5));
    let same = |again: Answer| {
        assert_eq!((again.status, &again.body), (first.status, &first.body));
        for header in ["etag", "content-type"] {
            assert_eq!(again.header(header), first.header(header));
        }
    };
    same(post(&ann, KEY, milk()).await);
    // Spaces are no other body, and quotes no other key.
    same(post(&ann, KEY.trim_matches('"'), Body::of("application/json", "{ \"title\" : \"Buy milk\" }")).await);
    ann.patch("/api/tasks/1/", json!({ "title": "Buy oat milk" })).await.status(200);
    same(post(&ann, KEY, milk()).await);
    ann.delete("/api/tasks/1/").await.is_empty(204);
    same(post(&ann, KEY, milk()).await);
    same(post(&app.again().await.anonymous().bearing(&pair.access), KEY, milk()).await);
    assert_eq!(count(&ann).await, 0);
    post(&ann, "another", milk()).await.status(201);
    for _ in 0..2 {
        ann.post("/api/tasks/", milk()).await.status(201);
    }
    assert_eq!((count(&ann).await, kept(&app).await), (json!(3), 2));
}

#[actix_web::test]
async fn a_key_stands_for_one_body_at_one_path_and_for_one_caller() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await.signed_in().await;
    let bob = app.user("bob").await.signed_in().await;
    post(&ann, KEY, milk()).await.status(201);
    let mine = json!({ "title": "Buy milk", "completed": true });
    for body in [Body::from(mine), form("title=Buy+milk"), multipart(&[("title", "Buy milk")])] {
        post(&ann, KEY, body).await.is(422, reused());
    }
    for (path, body) in [("/api/articles/", json!({ "title": "Buy milk", "body": "x" })), ("/api/v1/tasks/", milk())] {
        ann.post(path, body).header("idempotency-key", KEY).await.is(422, reused());
    }
    assert_eq!(count(&ann).await, 1);
    let bobs = post(&bob, KEY, milk()).await.status(201).json();
    assert_eq!((&bobs["id"], count(&bob).await), (&json!(2), json!(1)));
    // Boundaries are made anew each time, and say nothing.
    let parts = |edge: &str| {
        let text = format!("--{edge}\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nx\r\n--{edge}--\r\n");
        Body::of(&format!("multipart/form-data; boundary={edge}"), text)
    };
    let first = post(&ann, "parts", parts("one")).await.status(201).json();
    post(&ann, "parts", parts("two")).await.is(201, first);
}

#[actix_web::test]
async fn what_was_refused_is_not_kept_and_may_be_mended() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await.signed_in().await;
    post(&ann, KEY, json!({})).await.is(400, json!({ "title": ["This field is required."] }));
    post(&app.anonymous(), KEY, milk()).await.status(401);
    assert_eq!(kept(&app).await, 0);
    post(&ann, KEY, milk()).await.status(201);
}

#[actix_web::test]
async fn a_key_that_is_none_is_a_clear_error_and_makes_nothing() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await.signed_in().await;
    let told = json!({ "detail": "Idempotency-Key must be one string of 1 to 255 visible ASCII characters." });
    for key in ["", "\"\"", "\"open", "two words", "a, b", &"k".repeat(256)] {
        post(&ann, key, milk()).await.is(400, told.clone());
    }
    let two = ann.post("/api/tasks/", milk()).header("idempotency-key", "a").header("idempotency-key", "b");
    two.await.is(400, told);
    assert_eq!(count(&ann).await, 0);
}

#[actix_web::test]
async fn an_answer_too_long_to_be_kept_makes_nothing() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await.signed_in().await;
    let long = |length: usize| json!({ "title": "Buy milk", "description": "x".repeat(length) });
    post(&ann, "long", long(128 * 1024)).await.is(413, json!({ "detail": "The request body is too large." }));
    assert_eq!((count(&ann).await, kept(&app).await), (json!(0), 0));
    post(&ann, "long", long(127 * 1024)).await.status(201);
}

#[actix_web::test]
async fn a_key_counts_for_a_day_and_its_row_goes_an_hour_later() {
    let app = TestApp::with(|settings| settings.jwt.access_token_lifetime = hours(48)).await;
    let ann = app.user("ann").await.signed_in().await;
    post(&ann, KEY, milk()).await.status(201);
    app.clock.advance(hours(24) - seconds(1));
    post(&ann, KEY, milk()).await.status(201);
    assert_eq!(count(&ann).await, 1);
    app.clock.advance(seconds(1));
    post(&ann, KEY, milk()).await.status(201);
    assert_eq!((count(&ann).await, kept(&app).await), (json!(2), 1));
    for (later, answers) in [(hours(25) - seconds(1), 0), (seconds(1), 1)] {
        app.clock.advance(later);
        let swept = sweeper::sweep(&app.site.db, app.clock.now(), |_| ()).await.unwrap();
        assert_eq!(swept.answers, answers);
    }
    assert_eq!(kept(&app).await, 0);
}

/// Fifty posts at once make one task, and all of them are told of it; so it is with two processes over one database.
async fn one_of_fifty(app: TestApp) {
    let pair = app.user("ann").await.obtain().await;
    let ann = app.anonymous().bearing(&pair.access);
    let second = app.again().await.anonymous().bearing(&pair.access);
    for round in 0..4 {
        let key = format!("round {round}");
        let posts = (0..50).map(|number| {
            let client = if number % 2 == 0 { &ann } else { &second };
            let post = client.post("/api/tasks/", milk()).header("idempotency-key", &format!("\"{key}\""));
            post.into_future()
        });
        let answers = join_all(posts).await;
        let first = answers[0].json();
        for answer in answers {
            answer.is(201, first.clone());
        }
        assert_eq!(count(&ann).await, round + 1);
    }
    let made: i64 = app.read(|conn| Ok(tasks::table.count().get_result(conn)?)).await;
    assert_eq!(made, 4);
    // And of fifty that say different things with one key, one has said it first.
    let posts = (0..50).map(|number| {
        let post = ann.post("/api/tasks/", json!({ "title": format!("Buy {number}") }));
        post.header("idempotency-key", KEY).into_future()
    });
    let answers = join_all(posts).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.status == 422).count(), 49);
    assert_eq!(count(&ann).await, 5);
}

#[actix_web::test]
async fn fifty_at_once_make_one() {
    one_of_fifty(TestApp::with(no_limits).await).await;
}

#[actix_web::test]
async fn fifty_at_once_make_one_on_postgresql() {
    one_of_fifty(TestApp::on_postgres_with(no_limits).await).await;
}

/// A user's own keys push each other out, and nobody else's; an account's go with it.
async fn at_most(app: TestApp) {
    let ann = app.user("ann").await;
    let bob = app.user("bob").await;
    let (one, other, now) = (ann.id, bob.id, app.clock.now());
    app.write(move |conn| {
        idempotency::keep(conn, other, "key 0", "r", "{}", now)?;
        for number in 0..MOST + 5 {
            idempotency::keep(conn, one, &format!("key {number}"), "r", "{}", now)?;
        }
        Ok(())
    })
    .await;
    assert_eq!(kept(&app).await, MOST + 1);
    let known = move |user: i64, number: i64| {
        let app = app.clone();
        async move { app.read(move |conn| idempotency::find(conn, user, &format!("key {number}"), now)).await.is_some() }
    };
    assert!(known(other, 0).await && known(one, MOST + 4).await && known(one, 5).await);
    assert!(!known(one, 4).await);
}

#[actix_web::test]
async fn a_user_has_the_last_thousand() {
    at_most(TestApp::new().await).await;
}

#[actix_web::test]
async fn a_user_has_the_last_thousand_on_postgresql() {
    at_most(TestApp::on_postgres().await).await;
}

#[actix_web::test]
async fn the_database_tells_neither_key_nor_body_and_no_secret_is_kept() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await.signed_in().await;
    post(&ann, KEY, milk()).await.status(201);
    // A key's secret is shown once: that answer is none that could be kept.
    let key = json!({ "name": "nightly", "scopes": ["*"] });
    let secrets = async || {
        let made = ann.post("/api/keys/", key.clone()).header("idempotency-key", "secret").await.status(201);
        made.json()["key"].clone()
    };
    assert_ne!(secrets().await, secrets().await);
    let columns = (idempotency_keys::key, idempotency_keys::request, idempotency_keys::answer);
    let rows: Vec<(String, String, String)> =
        app.read(move |conn| Ok(idempotency_keys::table.select(columns).load(conn)?)).await;
    let [(key, request, answer)] = rows.as_slice() else { panic!("{rows:?}") };
    assert!([key, request].iter().all(|digest| digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit())));
    assert_eq!(answer, ann.get("/api/tasks/1/").await.text());
}
