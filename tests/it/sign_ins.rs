//! The log of attempts to sign in: what each door writes into it, what strangers cannot make of it, and how long it is kept.

use std::net::IpAddr;

use diesel::prelude::*;
use portcullis::auth::sign_in::Place;
use portcullis::db::Conn;
use portcullis::db::schema::sign_ins;
use portcullis::model::sign_in::{Line, Outcome};
use portcullis::ops::{audit, limits};
use portcullis::settings::{Rate, Throttle};
use serde_json::json;

use crate::support::app::{TestApp, days, minutes, no_limits, seconds};
use crate::support::panel::Panel;
use crate::support::people::PASSWORD;

/// What was written, oldest first, once all is.
async fn lines(app: &TestApp) -> Vec<Line> {
    limits::write_down(&app.site).await.unwrap();
    app.read(|conn: &mut Conn| Ok(sign_ins::table.order(sign_ins::id).load(conn)?)).await
}

fn told(lines: &[Line]) -> Vec<(Option<i64>, &str, &str)> {
    lines.iter().map(|line| (line.user_id, line.outcome.as_str(), line.how.as_str())).collect()
}

async fn obtain(app: &TestApp, name: &str, password: &str, otp: Option<&str>) -> u16 {
    let body = json!({ "username": name, "password": password, "otp": otp });
    app.anonymous().post("/api/token/", body).await.status.as_u16()
}

#[actix_web::test]
async fn every_attempt_at_the_api_is_written_with_what_came_of_it() {
    let app = TestApp::with(no_limits).await;
    app.user("ann").await;
    app.user("off").inactive().await;
    let two = app.user("two").await;
    let authenticator = two.authenticator().await;
    app.clock.advance(minutes(1));
    for (name, password, otp, status) in [
        ("ann", PASSWORD, None, 200),
        ("ann", "wrong horse 9", None, 401),
        ("hunter2 is my password", PASSWORD, None, 401),
        ("off", PASSWORD, None, 401),
        ("off", "wrong horse 9", None, 401),
        ("two", PASSWORD, None, 401),
        ("two", PASSWORD, Some("000000"), 401),
        ("two", PASSWORD, Some(authenticator.code(app.clock.now()).as_str()), 200),
    ] {
        assert_eq!(obtain(&app, name, password, otp).await, status, "{name} {otp:?}");
        app.clock.advance(seconds(1));
        limits::write_down(&app.site).await.unwrap();
    }
    let lines = lines(&app).await;
    let expected = [
        (Some(1), "ok", "password"),
        (Some(1), "wrong password", "password"),
        (None, "unknown", "password"),
        (Some(2), "inactive", "password"),
        (Some(2), "wrong password", "password"),
        (Some(3), "code missing", "password"),
        (Some(3), "code wrong", "password"),
        (Some(3), "ok", "password"),
    ];
    // The first is of setting up the second factor.
    assert_eq!(told(&lines)[1..], expected);
    assert!(lines.iter().all(|line| line.times == 1 && !line.ip.is_empty()));
}

/// People type passwords there.
#[actix_web::test]
async fn a_name_that_nobody_has_is_kept_as_a_digest_by_which_it_is_known_again() {
    let app = TestApp::with(no_limits).await;
    for name in ["hunter2", "hunter3", "hunter2"] {
        obtain(&app, name, "x", None).await;
        app.clock.advance(seconds(1));
        limits::write_down(&app.site).await.unwrap();
    }
    let lines = lines(&app).await;
    let digests: Vec<&str> = lines.iter().map(|line| line.name_digest.as_str()).collect();
    assert!(digests[0] == digests[2] && digests[0] != digests[1] && digests[0].len() == 16, "{digests:?}");
    assert!(!format!("{lines:?}").contains("hunter"));
    // Another server has another key.
    let other = TestApp::with(no_limits).await;
    obtain(&other, "hunter2", "x", None).await;
    assert_ne!(self::lines(&other).await[0].name_digest, digests[0]);
}

#[actix_web::test]
async fn at_the_panel_the_door_is_another_and_whoever_is_no_staff_is_told_apart() {
    let panel = Panel::new().await;
    panel.user("ann", |_| ()).await;
    let browser = panel.browser();
    browser.sign_in("ann", PASSWORD).await.is(422);
    panel.signed_in("root").await;
    let lines = lines(&panel.app).await;
    assert_eq!(told(&lines), [(Some(1), "ok", "admin"), (Some(2), "not staff", "admin")]);
    assert_eq!((lines[0].ip.as_str(), lines[0].user_agent.as_str()), ("127.0.0.1", browser.agent.as_str()));
}

/// The hot path: an exchange writes nothing here, but the one that tells of a theft.
#[actix_web::test]
async fn of_refresh_tokens_only_a_spent_one_that_comes_back_is_written() {
    let app = TestApp::with(|settings| {
        no_limits(settings);
        settings.jwt.rotate_refresh_tokens = true;
        settings.jwt.blacklist_after_rotation = true;
    })
    .await;
    let ann = app.user("ann").await;
    let first = ann.obtain().await;
    let second = ann.refresh(&first.refresh).await.ok::<crate::support::people::Pair>();
    ann.refresh(&second.refresh).await.status(200);
    ann.refresh("nonsense").await.status(401);
    assert_eq!(told(&lines(&app).await), [(Some(1), "ok", "password")]);
    app.clock.advance(seconds(11));
    ann.refresh(&first.refresh).await.status(401);
    ann.refresh(&first.refresh).await.status(401);
    let lines = lines(&app).await;
    assert_eq!(told(&lines), [(Some(1), "ok", "password"), (Some(1), "reused", "refresh")]);
}

#[actix_web::test]
async fn who_is_held_back_is_one_row_a_second_and_a_storm_is_no_storm_of_writes() {
    let app = TestApp::with(|settings| {
        let login = Some(Rate { requests: 2, per: minutes(1) });
        settings.throttle = Throttle { login, login_account: None, login_address: None, ..settings.throttle.clone() };
    })
    .await;
    app.user("ann").await;
    for _ in 0..50 {
        obtain(&app, "ann", "wrong horse 9", None).await;
    }
    let written = lines(&app).await;
    assert_eq!(told(&written), [(Some(1), "wrong password", "password"), (Some(1), "locked", "password")]);
    assert_eq!(written.iter().map(|line| line.times).collect::<Vec<_>>(), [2, 48]);

    // Attempts that all differ are kept up to what a second's writes can carry.
    for number in 0..1500_u32 {
        let place = Place::from(IpAddr::from(std::net::Ipv4Addr::from_bits(number)));
        app.site.sign_in.attempts().failed("ann", Outcome::Locked, &place);
    }
    assert_eq!(lines(&app).await.len(), 1002);
}

#[actix_web::test]
async fn what_could_not_be_written_is_written_the_next_time() {
    let app = TestApp::with(no_limits).await;
    for name in ["one", "two"] {
        obtain(&app, name, "x", None).await;
    }
    app.write(|conn| Ok(diesel::sql_query("ALTER TABLE sign_ins RENAME TO away").execute(conn)?)).await;
    assert!(limits::write_down(&app.site).await.is_err());
    app.write(|conn| Ok(diesel::sql_query("ALTER TABLE away RENAME TO sign_ins").execute(conn)?)).await;
    assert_eq!(lines(&app).await.len(), 2);
    assert_eq!(lines(&app).await.len(), 2);
}

#[actix_web::test]
async fn attempts_go_after_ninety_days() {
    let app = TestApp::with(no_limits).await;
    for _ in 0..2 {
        obtain(&app, "nobody", "x", None).await;
        limits::write_down(&app.site).await.unwrap();
        app.clock.advance(days(1));
    }
    app.clock.advance(days(88));
    assert_eq!(audit::sweep_sign_ins(&app.site).await.unwrap(), 0);
    app.clock.advance(seconds(1));
    assert_eq!(audit::sweep_sign_ins(&app.site).await.unwrap(), 1);
    assert_eq!(lines(&app).await.len(), 1);
}
