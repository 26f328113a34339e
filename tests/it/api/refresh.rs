//! Refreshing: one successor a token, however often it is asked for, and the end of a session whose spent token returns.

use std::collections::BTreeSet;

use diesel::prelude::*;
use futures_util::future::join_all;
use portcullis::db::schema::{outstanding_tokens, sessions};
use serde_json::{Value, json};

use crate::support::app::{TestApp, days, hours, minutes, seconds};
use crate::support::people::Pair;
use crate::support::token::{claims, not_valid, refused};

async fn outstanding(app: &TestApp) -> i64 {
    app.read(|conn| Ok(outstanding_tokens::table.count().get_result(conn)?)).await
}

/// The tutorial's own client: it never stores the refresh token that a refresh brings.
#[actix_web::test]
async fn a_client_that_keeps_its_first_refresh_token_is_never_signed_out() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    let first = ann.obtain().await;
    let mut access = first.access;
    for _ in 0..3 {
        ann.with(&access).get("/api/tasks/").await.status(200);
        app.clock.advance(minutes(6));
        ann.with(&access).get("/api/tasks/").await.is(401, not_valid("Token is expired"));
        access = ann.refresh(&first.refresh).await.ok::<Pair>().access;
        ann.with(&access).post("/api/tasks/", json!({ "title": "Buy milk" })).await.status(201);
    }
    ann.with(&access).get("/api/hello/").await.is(200, json!({ "message": "Hello, ann" }));
}

#[actix_web::test]
async fn a_successor_is_the_same_token_with_another_id_and_later_dates() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    let first = ann.obtain().await;
    app.clock.advance(minutes(6));

    let second = ann.refresh(&first.refresh).await;

    assert_eq!(second.json().as_object().unwrap().keys().collect::<Vec<_>>(), ["access", "refresh"]);
    let second: Pair = second.ok();
    let now = app.clock.now().seconds();
    let mut expected = claims(&first.refresh);
    let told = claims(&second.refresh);
    assert_ne!(told["jti"], expected["jti"]);
    expected["exp"] = json!(now + 86_400);
    expected["iat"] = json!(now);
    expected["jti"] = told["jti"].clone();
    assert_eq!(told, expected);
    assert_eq!(claims(&second.access)["sid"], expected["sid"]);
}

async fn fifty_at_once(app: TestApp) {
    let ann = app.user("ann").await;
    let first = ann.obtain().await;
    let before = outstanding(&app).await;
    app.clock.advance(minutes(1));

    let answers = join_all((0..50).map(|_| ann.refresh(&first.refresh))).await;

    let pairs: Vec<Pair> = answers.into_iter().map(|answer| answer.status(200).ok()).collect();
    let ids = |tokens: &mut dyn Iterator<Item = &String>| -> BTreeSet<String> {
        tokens.map(|token| claims(token)["jti"].to_string()).collect()
    };
    assert_eq!(ids(&mut pairs.iter().map(|pair| &pair.refresh)).len(), 1);
    assert_eq!(ids(&mut pairs.iter().map(|pair| &pair.access)).len(), 50);
    assert_eq!(outstanding(&app).await, before + 1);
    ann.with(&pairs[49].access).get("/api/hello/").await.status(200);
    ann.refresh(&pairs[0].refresh).await.status(200);
}

/// REV-08.
#[actix_web::test]
async fn fifty_refreshes_at_once_give_one_successor_from_one_row() {
    fifty_at_once(TestApp::new().await).await;
}

/// REV-08.
#[actix_web::test]
async fn fifty_refreshes_at_once_give_one_successor_from_one_row_on_postgresql() {
    fifty_at_once(TestApp::on_postgres().await).await;
}

/// REV-06, REV-07.
#[actix_web::test]
async fn a_refresh_token_that_returns_after_its_successor_was_refreshed_ends_its_session() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    let first = ann.obtain().await;
    let elsewhere = ann.obtain().await;

    let second: Pair = ann.refresh(&first.refresh).await.ok();
    let third: Pair = ann.refresh(&second.refresh).await.ok();
    app.clock.advance(seconds(11));
    let replay = ann.refresh(&first.refresh).await;

    replay.is(401, refused("Token is blacklisted"));
    for access in [&first.access, &second.access, &third.access] {
        ann.with(access).get("/api/tasks/").await.is(401, not_valid("Token is blacklisted"));
    }
    ann.refresh(&third.refresh).await.is(401, refused("Token is blacklisted"));
    ann.with(&elsewhere.access).get("/api/tasks/").await.status(200);
    ann.refresh(&elsewhere.refresh).await.status(200);
    let why: Vec<Option<String>> = app.read(|conn| Ok(sessions::table.select(sessions::ended_why).load(conn)?)).await;
    assert_eq!(why.iter().flatten().collect::<Vec<_>>(), ["reuse seen"]);
}

#[actix_web::test]
async fn within_the_grace_an_old_refresh_token_still_gives_its_successor() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    let first = ann.obtain().await;
    let second: Pair = ann.refresh(&first.refresh).await.ok();
    ann.refresh(&second.refresh).await.status(200);

    app.clock.advance(seconds(10));
    let again: Pair = ann.refresh(&first.refresh).await.ok();

    assert_eq!(claims(&again.refresh), claims(&second.refresh));
    ann.with(&again.access).get("/api/hello/").await.status(200);
}

/// A device that lost the answer comes back when the successor is near its end: it is given the same one with new dates.
#[actix_web::test]
async fn who_missed_a_successor_is_given_it_with_a_whole_life_before_it() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    let first = ann.obtain().await;
    app.clock.advance(hours(1));
    let lost: Pair = ann.refresh(&first.refresh).await.ok();
    app.clock.advance(hours(22));
    let second: Pair = ann.refresh(&first.refresh).await.ok();
    assert_eq!(claims(&second.refresh)["jti"], claims(&lost.refresh)["jti"]);
    assert_eq!(claims(&second.refresh)["exp"], json!((app.clock.now() + days(1)).seconds()));

    app.clock.advance(hours(20));
    portcullis::ops::sweeper::sweep(&app.site.db, app.clock.now(), |_| ()).await.unwrap();
    let third: Pair = ann.refresh(&second.refresh).await.ok();
    ann.with(&third.access).get("/api/hello/").await.status(200);
    // Once it was refreshed itself, its dates stand.
    let again: Pair = ann.refresh(&second.refresh).await.ok();
    assert_eq!(claims(&again.refresh), claims(&third.refresh));
}

#[actix_web::test]
async fn a_refused_token_spends_nothing() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    let pair = ann.obtain().await;
    let before = outstanding(&app).await;
    ann.refresh(&pair.access).await.is(401, refused("Token has wrong type"));
    ann.refresh("nonsense").await.is(401, refused("Token is invalid"));
    app.anonymous()
        .post("/api/token/refresh/", json!({}))
        .await
        .is(400, json!({ "refresh": ["This field is required."] }));
    assert_eq!(outstanding(&app).await, before);
    app.clock.advance(days(1));
    ann.refresh(&pair.refresh).await.is(401, refused("Token is expired"));
    assert_eq!(outstanding(&app).await, before);
}

#[actix_web::test]
async fn without_blacklisting_nothing_is_ever_spent_and_each_use_makes_a_successor() {
    let app = TestApp::with(|settings| settings.jwt.blacklist_after_rotation = false).await;
    let ann = app.user("ann").await;
    let first = ann.obtain().await;
    let mut successors = BTreeSet::new();
    for _ in 0..3 {
        let next: Pair = ann.refresh(&first.refresh).await.ok();
        ann.refresh(&next.refresh).await.status(200);
        successors.insert(claims(&next.refresh)["jti"].to_string());
        app.clock.advance(hours(1));
    }
    assert_eq!(successors.len(), 3);
}

#[actix_web::test]
async fn without_rotation_a_refresh_brings_an_access_token_alone() {
    let app = TestApp::with(|settings| settings.jwt.rotate_refresh_tokens = false).await;
    let ann = app.user("ann").await;
    let first = ann.obtain().await;
    for _ in 0..2 {
        let answer = ann.refresh(&first.refresh).await.status(200).json();
        assert_eq!(answer.as_object().unwrap().keys().collect::<Vec<_>>(), ["access"]);
        app.clock.advance(hours(1));
    }
    assert_eq!(outstanding(&app).await, 1);
}

#[actix_web::test]
async fn without_parallel_refresh_a_token_is_spent_at_once() {
    let app = TestApp::with(|settings| settings.jwt.parallel_refresh = false).await;
    let ann = app.user("ann").await;
    let first = ann.obtain().await;
    let second: Pair = ann.refresh(&first.refresh).await.ok();
    ann.refresh(&first.refresh).await.is(401, refused("Token is blacklisted"));
    // Reuse ends the session, which may be a lost answer only: that is why the default is another.
    ann.refresh(&second.refresh).await.is(401, refused("Token is blacklisted"));

    let app = TestApp::with(|settings| {
        settings.jwt.parallel_refresh = false;
        settings.jwt.reuse_ends_session = false;
    })
    .await;
    let ann = app.user("ann").await;
    let first = ann.obtain().await;
    let second: Pair = ann.refresh(&first.refresh).await.ok();
    ann.refresh(&first.refresh).await.is(401, refused("Token is blacklisted"));
    ann.refresh(&second.refresh).await.status(200);
}

/// REV-13.
#[actix_web::test]
async fn a_session_has_an_end_that_no_rotation_moves() {
    let app = TestApp::with(|settings| settings.jwt.session_lifetime = days(3)).await;
    let ann = app.user("ann").await;
    let end = (app.clock.now() + days(3)).seconds();
    let mut pair = ann.obtain().await;
    for _ in 0..5 {
        app.clock.advance(hours(14));
        pair = ann.refresh(&pair.refresh).await.ok();
        assert!(claims(&pair.refresh)["exp"].as_i64().unwrap() <= end);
    }
    assert_eq!(claims(&pair.refresh)["exp"], json!(end));
    app.clock.advance(minutes(118)); // two minutes before the end: the access token's is the same
    pair = ann.refresh(&pair.refresh).await.ok();
    assert_eq!(claims(&pair.access)["exp"], json!(end));
    app.clock.advance(minutes(2));
    ann.refresh(&pair.refresh).await.is(401, refused("Token is expired"));
    ann.with(&pair.access).get("/api/hello/").await.is(401, not_valid("Token is expired"));
}

#[actix_web::test]
async fn a_user_who_is_gone_or_switched_off_gets_no_new_tokens() {
    let app = TestApp::new().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let (of_ann, of_bob) = (ann.obtain().await, bob.obtain().await);
    ann.deactivate().await;
    bob.delete().await;
    let told: Value = json!({ "detail": "No active account found for the given token." });
    ann.refresh(&of_ann.refresh).await.is(401, told.clone());
    bob.refresh(&of_bob.refresh).await.is(401, told);
}
