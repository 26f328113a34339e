//! Several servers behind a balancer count together: in the database or in Redis, as `throttle.store` says.

use std::future::IntoFuture;

use futures_util::future::join_all;
use portcullis::ops::rates;
use portcullis::settings::{Settings, Store};
use serde_json::{Value, json};

use crate::support::app::{TestApp, minutes, seconds};
use crate::support::client::Answer;
use crate::support::people::PASSWORD;
use crate::support::redis::{self, Redis};

/// Tells a story in each place there is.
async fn everywhere<F: Future<Output = ()>>(story: impl Fn(TestApp) -> F, change: fn(&mut Settings)) {
    let in_database = move |settings: &mut Settings| {
        settings.throttle.store = Store::Database;
        change(settings);
    };
    story(TestApp::with(in_database).await).await;
    story(TestApp::on_postgres_with(in_database).await).await;
    let in_redis = |settings: &mut Settings| {
        settings.throttle.store = Store::Redis(redis::url().into());
        change(settings);
    };
    story(TestApp::with(in_redis).await).await;
}

fn throttled(seconds: u32) -> Value {
    json!({ "detail": format!("Request was throttled. Expected available in {seconds} seconds.") })
}

async fn sign_in(app: &TestApp, password: &str) -> Answer {
    app.anonymous().post("/api/token/", json!({ "username": "ann", "password": password })).await
}

/// R7: exact under concurrency, over all servers.
#[actix_web::test]
async fn requests_at_once_over_two_servers_do_not_beat_the_count() {
    let story = async |first: TestApp| {
        let token = first.user("ann").await.obtain().await.access;
        first.clock.advance(minutes(1));
        let second = first.again().await;
        let both = [first.anonymous().bearing(&token), second.anonymous().bearing(&token)];
        let ask = |number: usize| both[number % 2].get("/api/hello/").into_future();
        let answers = join_all((0..80).map(ask)).await;
        let passed = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!((passed, answers.iter().filter(|answer| answer.status == 429).count()), (30, 50));
        // One who asks on either has a count of their own.
        second.anonymous().get("/api/").await.status(200);
    };
    everywhere(story, |settings| settings.throttle.user = Some("30/min".parse().unwrap())).await;
}

/// R7: the wait is right to the second, and a start, or a server that comes late, finds what was counted.
#[actix_web::test]
async fn the_wait_is_right_to_the_second_on_every_server() {
    let story = async |first: TestApp| {
        let token = first.user("ann").await.obtain().await.access;
        first.clock.advance(minutes(1));
        let second = first.again().await;
        let ask = async |app: &TestApp| app.anonymous().bearing(&token).get("/api/rate-limited/").await;
        ask(&first).await.status(200);
        first.clock.advance(seconds(10));
        ask(&second).await.status(200);
        first.clock.advance(seconds(5));
        let third = first.again().await;
        for app in [&first, &second, &third] {
            let refused = ask(app).await;
            assert_eq!(refused.header("retry-after"), Some("45"));
            refused.is(429, throttled(45)); // which is not counted
        }
        first.clock.advance(seconds(44));
        assert_eq!(ask(&third).await.status(429).header("retry-after"), Some("1"));
        first.clock.advance(seconds(1));
        ask(&third).await.status(200);
        ask(&second).await.is(429, throttled(10));
        // A clock that is set back lengthens no wait beyond the rate's own time.
        first.set_back(seconds(90));
        ask(&first).await.is(429, throttled(60));
        first.clock.advance(minutes(1));
        ask(&first).await.status(200);
    };
    let rate = |settings: &mut Settings| {
        settings.throttle.scopes.insert("sample".into(), "2/min".parse().unwrap());
    };
    everywhere(story, rate).await;
}

/// AUT-05 over several servers; the right password counts for nothing.
#[actix_web::test]
async fn guesses_at_two_servers_count_together() {
    let story = async |first: TestApp| {
        first.user("ann").await;
        let second = first.again().await;
        for _ in 0..5 {
            sign_in(&first, PASSWORD).await.status(200);
        }
        let both = [&first, &second];
        let answers = join_all((0..20).map(|number| sign_in(both[number % 2], "wrong"))).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 401).count(), 3);
        for app in both {
            let refused = sign_in(app, PASSWORD).await;
            assert_eq!(refused.header("retry-after"), Some("60"));
            refused.is(429, throttled(60));
        }
        first.clock.advance(minutes(1));
        sign_in(&second, PASSWORD).await.status(200);
    };
    everywhere(story, |settings| {
        settings.throttle.login = Some("3/min".parse().unwrap());
        settings.throttle.login_account = None;
    })
    .await;
}

/// Neither everybody nor nobody: each server has its own limits until Redis is back.
#[actix_web::test]
async fn while_redis_is_away_each_server_counts_by_itself() {
    let mut redis = Redis::start();
    let store = Store::Redis(redis.url().into());
    let first = TestApp::with(|settings| {
        settings.throttle.store = store;
        settings.throttle.login = Some("3/min".parse().unwrap());
        settings.throttle.login_account = None;
    })
    .await;
    first.user("ann").await;
    let second = first.again().await;
    let tries = async |app: &TestApp| {
        let mut answers = Vec::new();
        for _ in 0..4 {
            answers.push(sign_in(app, "wrong").await.status.as_u16());
        }
        answers
    };
    sign_in(&second, "wrong").await.status(401);
    redis.stop();
    assert_eq!(tries(&first).await, [401, 401, 401, 429]);
    assert_eq!(tries(&second).await, [401, 401, 401, 429]);
    first.clock.advance(minutes(1));
    sign_in(&first, PASSWORD).await.status(200);
    // It comes back, empty, and is asked again after a second.
    redis.go_on();
    first.clock.advance(seconds(1));
    assert_eq!(tries(&first).await, [401, 401, 401, 429]);
    sign_in(&second, PASSWORD).await.status(429);
}

/// A Redis that was restarted between two requests has closed the connection; the next request does not notice.
#[actix_web::test]
async fn a_connection_that_redis_has_closed_is_made_anew() {
    let mut redis = Redis::start();
    let store = Store::Redis(redis.url().into());
    let first = TestApp::with(|settings| settings.throttle.store = store).await;
    let token = first.user("ann").await.obtain().await.access;
    let second = first.again().await;
    let ask = async |app: &TestApp| app.anonymous().bearing(&token).get("/api/rate-limited/").await;
    ask(&first).await.status(200);
    redis.stop();
    redis.go_on();
    for _ in 0..10 {
        ask(&first).await.status(200); // ten a minute: the one before was forgotten with the Redis
    }
    ask(&second).await.status(429); // as the ten were counted there
}

/// Rows go when they count no longer.
#[actix_web::test]
async fn rows_of_shared_counts_are_swept() {
    let app = TestApp::with(|settings| settings.throttle.store = Store::Database).await;
    let token = app.user("ann").await.obtain().await.access;
    let ask = async || app.anonymous().bearing(&token).get("/api/rate-limited/").await.status(200);
    ask().await;
    app.clock.advance(seconds(30));
    ask().await;
    app.clock.advance(seconds(59));
    rates::sweep(&app.site.db, app.clock.now()).await.unwrap();
    for _ in 0..9 {
        ask().await;
    }
    app.anonymous().bearing(&token).get("/api/rate-limited/").await.status(429); // the second is still counted
    app.clock.advance(minutes(60));
    rates::sweep(&app.site.db, app.clock.now()).await.unwrap();
    let left: i64 = app
        .read(|conn| {
            use diesel::prelude::*;
            Ok(portcullis::db::schema::shared_counts::table.count().get_result(conn)?)
        })
        .await;
    assert_eq!(left, 0);
}
