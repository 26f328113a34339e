//! How often one may ask: signing in by account and address, everything else by user or address.

use std::future::IntoFuture;

use diesel::prelude::*;
use portcullis::db::schema::throttle_counts;
use portcullis::model::throttle_count::{self, Counted, MOST};
use portcullis::ops::rates;
use portcullis::settings::Settings;
use serde_json::{Value, json};

use crate::support::app::{NOON, TestApp, minutes, seconds};
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

fn rates_of(settings: &mut Settings) {
    settings.throttle.anon = Some("3/min".parse().unwrap());
    settings.throttle.user = Some("5/min".parse().unwrap());
}

async fn rows(app: &TestApp) -> i64 {
    app.read(|conn| Ok(throttle_counts::table.count().get_result(conn)?)).await
}

/// R7: a restart frees nobody, and the wait is right to the second; who has not asked before has all of the rate.
async fn a_restart_frees_nobody(app: TestApp) {
    let (ann, bob) = (app.user("ann").await.obtain().await, app.user("bob").await.obtain().await);
    app.clock.advance(minutes(1));
    for _ in 0..3 {
        app.anonymous().bearing(&ann.access).get("/api/hello/").await.status(200);
        app.anonymous().get("/api/").await.status(200);
        // The stranger counts for both of the rates.
        assert_eq!(rates::keep(&app.site).await.unwrap(), 3);
        assert_eq!(rates::keep(&app.site).await.unwrap(), 0);
        app.clock.advance(seconds(4));
    }
    let before = rows(&app).await;
    for _ in 0..2 {
        app.anonymous().bearing(&ann.access).get("/api/hello/").await.status(200);
    }
    rates::keep_all(&app.site).await.unwrap();
    assert_eq!(rows(&app).await, before + 1); // a row, however often

    let after = app.again().await;
    let again = |token: &str| after.anonymous().bearing(token).get("/api/hello/");
    let refused = again(&ann.access).await;
    assert_eq!(refused.header("retry-after"), Some("48"));
    refused.is(429, throttled(48));
    after.anonymous().get("/api/").await.is(429, throttled(48));
    for _ in 0..5 {
        again(&bob.access).await.status(200);
    }
    after.anonymous().at("198.51.100.7").get("/api/").await.status(200);
    after.clock.advance(seconds(47));
    assert_eq!(again(&ann.access).await.status(429).header("retry-after"), Some("1"));
    after.clock.advance(seconds(1));
    again(&ann.access).await.status(200);
    again(&ann.access).await.is(429, throttled(4));

    // Ann, Bob, the stranger elsewhere twice, and the one whom the first rate refused for the second, as DRF counts.
    after.clock.advance(seconds(1));
    rates::keep_all(&after.site).await.unwrap();
    after.clock.advance(minutes(1));
    assert_eq!(rates::sweep(&after.site.db, after.clock.now()).await.unwrap() as i64, before + 1 + 5);
    assert_eq!(rows(&after).await, 0);
}

#[actix_web::test]
async fn a_restart_frees_nobody_who_has_asked_too_often() {
    a_restart_frees_nobody(TestApp::with(rates_of).await).await;
}

#[actix_web::test]
async fn a_restart_frees_nobody_who_has_asked_too_often_on_postgresql() {
    a_restart_frees_nobody(TestApp::on_postgres_with(rates_of).await).await;
}

#[actix_web::test]
async fn without_rates_nothing_is_counted_or_written() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await.signed_in().await;
    ann.get("/api/hello/").await.status(200);
    assert_eq!(rates::keep(&app.site).await.unwrap(), 0);
}

/// Requests at once, at two workers' worth of hands, do not beat the count; nor do they after a restart in the middle.
#[actix_web::test]
async fn requests_at_once_do_not_beat_the_count_whatever_a_restart_lies_between() {
    let app = TestApp::with(|settings| settings.throttle.user = Some("30/min".parse().unwrap())).await;
    let pair = app.user("ann").await.obtain().await;
    app.clock.advance(minutes(1));
    let passed = async |app: &TestApp, number: usize| {
        let ann = app.anonymous().bearing(&pair.access);
        let answers = futures_util::future::join_all((0..number).map(|_| ann.get("/api/hello/").into_future())).await;
        answers.iter().filter(|answer| answer.status == 200).count()
    };
    assert_eq!(passed(&app, 20).await, 20);
    rates::keep(&app.site).await.unwrap();
    assert_eq!(passed(&app.again().await, 40).await, 10);
}

/// The newest rows alone are kept, however many come.
#[actix_web::test]
async fn the_rows_of_counts_are_bounded() {
    let app = TestApp::with(rates_of).await;
    let row = |key: &str| Counted { key: key.to_owned(), at: NOON, count: 1, expires_at: NOON + minutes(1) };
    app.write(move |conn| {
        throttle_count::store(conn, &[row("old"), row("newer"), row("newest")])?;
        let last = throttle_counts::table.filter(throttle_counts::key.eq("newest"));
        diesel::update(last).set(throttle_counts::id.eq(throttle_counts::id + MOST - 1)).execute(conn)?;
        Ok(())
    })
    .await;
    assert_eq!(rates::sweep(&app.site.db, NOON).await.unwrap(), 2);
    let left: Vec<String> = app.read(|conn| Ok(throttle_counts::table.select(throttle_counts::key).load(conn)?)).await;
    assert_eq!(left, ["newest"]);
}

/// R7: `/api/rate-limited/` has a scope of its own, and a rate for it at default settings.
#[actix_web::test]
async fn a_view_can_have_a_rate_of_its_own() {
    let app = TestApp::new().await;
    let (ann, bob) = (app.user("ann").await.signed_in().await, app.user("bob").await.signed_in().await);
    for path in ["/api/rate-limited/", "/api/v1/rate-limited/"] {
        for _ in 0..5 {
            ann.get(path).await.is(200, json!({ "data": "Rate-limited data" }));
        }
        app.clock.advance(seconds(5));
    }
    let refused = ann.get("/api/rate-limited/").await;
    assert_eq!(refused.header("retry-after"), Some("50"));
    refused.is(429, throttled(50));
    // Nobody else is kept waiting, and she nowhere else; whoever is not let in is not counted.
    bob.get("/api/rate-limited/").await.status(200);
    ann.get("/api/hello/").await.status(200);
    app.anonymous().get("/api/rate-limited/").await.status(401);
    app.clock.advance(seconds(50));
    ann.get("/api/rate-limited/").await.status(200);
}

/// The views of one scope count together, beside the rate of all views, and the longest wait is told.
#[actix_web::test]
async fn any_view_can_be_put_under_a_scope_of_the_settings() {
    use portcullis::rest::answer::Answer;
    use portcullis::rest::permission::AllowAny;
    use portcullis::rest::view::view;
    let app = TestApp::serving_with(
        |settings| {
            settings.throttle.scopes = [("uploads".to_owned(), "2/hour".parse().unwrap())].into();
            settings.throttle.anon = Some("3/min".parse().unwrap());
        },
        |api| {
            let up = || async { Answer::ok(&json!({ "message": "Up." })) };
            api.service(view::<AllowAny>("Hello").scope("uploads").get(up).at(&["/up/"]));
            api.service(view::<AllowAny>("Hello").scope("uploads").get(up).at(&["/also-up/"]));
            api.service(view::<AllowAny>("Hello").scope("downloads").get(up).at(&["/down/"]));
        },
    )
    .await;
    let nobody = app.anonymous();
    nobody.get("/api/up/").await.status(200);
    nobody.get("/api/also-up/").await.status(200);
    nobody.get("/api/up/").await.is(429, throttled(3600)); // which the other rate has counted
    nobody.get("/api/down/").await.is(429, throttled(60));
    nobody.get("/api/up/").await.is(429, throttled(3600));
    app.clock.advance(minutes(1));
    nobody.get("/api/down/").await.status(200);
    nobody.get("/api/up/").await.is(429, throttled(3540));
}
