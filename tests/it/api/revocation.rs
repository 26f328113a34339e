//! What was ended stays ended: across a restart, in another process, for as long as it matters and no longer.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use diesel::prelude::*;
use futures_util::future::join;
use portcullis::clock::Clock;
use portcullis::db::schema::{blacklisted_tokens, changes, outstanding_tokens, sessions};
use portcullis::follower::wait_for_servers;
use portcullis::model::change;
use portcullis::ops::sweeper;
use serde_json::{Value, json};

use crate::support::app::{TestApp, days, hours, minutes};
use crate::support::people::{PASSWORD, Pair, Person};
use crate::support::process::eventually;
use crate::support::token::{claims, not_valid, own_key, refused, signed};

const DEAD: &str = "Token is blacklisted";

async fn log_out(person: &Person, pair: &Pair) {
    person.with(&pair.access).post("/api/logout/", json!({ "refresh": pair.refresh })).await.is_empty(205);
}

/// REV-10; that it holds after `kill -9` too is told by `crash.rs`.
#[actix_web::test]
async fn a_restart_revives_nobody() {
    let app = TestApp::new().await;
    let (ann, bob, eve) = (app.user("ann").await, app.user("bob").await, app.user("eve").await);
    let (ended, alive) = (ann.obtain().await, ann.obtain().await);
    let (everywhere, changed) = (bob.obtain().await, eve.obtain().await);
    log_out(&ann, &ended).await;
    bob.with(&everywhere.access).post("/api/logout/all/", ()).await.is_empty(205);
    let change = json!({ "old_password": PASSWORD, "new_password": "battery staple 7" });
    eve.with(&changed.access).post("/api/password/change/", change).await.status(200);

    let app = app.again().await;

    let hello = async |pair: &Pair| app.anonymous().bearing(&pair.access).get("/api/hello/").await;
    let refresh =
        async |pair: &Pair| app.anonymous().post("/api/token/refresh/", json!({ "refresh": pair.refresh })).await;
    hello(&ended).await.is(401, not_valid(DEAD));
    refresh(&ended).await.is(401, refused(DEAD));
    hello(&everywhere).await.is(401, not_valid(DEAD));
    refresh(&everywhere).await.is(401, refused(DEAD));
    let told = json!({ "detail": "The user's password has been changed.", "code": "password_changed" });
    hello(&changed).await.is(401, told);
    refresh(&changed).await.is(401, json!({ "detail": "The user's password has been changed." }));
    hello(&alive).await.status(200);
    refresh(&alive).await.status(200);
}

/// REV-03 of a spent token: its successor is kept over a restart, and so is that it was spent.
#[actix_web::test]
async fn a_restart_forgets_neither_a_successor_nor_that_a_token_is_spent() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    let first = ann.obtain().await;
    let second: Pair = ann.refresh(&first.refresh).await.ok();

    let app = app.again().await;
    let refresh = async |token: &str| app.anonymous().post("/api/token/refresh/", json!({ "refresh": token })).await;
    let again: Pair = refresh(&first.refresh).await.ok();
    assert_eq!(claims(&again.refresh), claims(&second.refresh));
    let third: Pair = refresh(&second.refresh).await.ok();
    app.clock.advance(minutes(1));

    let app = app.again().await;
    let refresh = async |token: &str| app.anonymous().post("/api/token/refresh/", json!({ "refresh": token })).await;
    refresh(&first.refresh).await.is(401, refused(DEAD));
    refresh(&third.refresh).await.is(401, refused(DEAD));
}

/// REV-15: another process over the same data, as a command beside the server is.
async fn told_within_a_second(app: TestApp) {
    let ann = app.user("ann").await;
    let (pair, other) = (ann.obtain().await, ann.obtain().await);
    let beside = app.again().await;
    let hello = async |app: &TestApp, pair: &Pair| app.anonymous().bearing(&pair.access).get("/api/hello/").await;
    hello(&beside, &pair).await.status(200);
    beside.site.follower.follow(beside.site.db.target(), beside.clock.clone()).unwrap();

    log_out(&ann, &pair).await;

    // Only the thread that follows can tell the other one.
    let session = claims(&pair.access)["sid"].as_str().unwrap().parse().unwrap();
    eventually("the other process hears of it", std::time::Duration::from_secs(1), || {
        beside.site.memory.revocations.covers(session).then_some(())
    });
    hello(&beside, &pair).await.is(401, not_valid(DEAD));
    hello(&beside, &other).await.status(200);
    beside.site.follower.stop();
}

#[actix_web::test]
async fn what_another_process_ends_is_refused_within_a_second() {
    told_within_a_second(TestApp::new().await).await;
}

#[actix_web::test]
async fn what_another_process_ends_is_refused_within_a_second_on_postgresql() {
    told_within_a_second(TestApp::on_postgres().await).await;
}

/// O5: a command has taken effect in the server when it returns, whatever the server writes meanwhile.
#[actix_web::test]
async fn a_command_beside_a_busy_server_is_confirmed() {
    let app = TestApp::new().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    app.site.follower.follow(app.site.db.target(), Clock::system()).unwrap();
    let command = app.again().await;
    for _ in 0..10 {
        let (grants, id, now) = (command.site.grants.clone(), ann.id, command.clock.now());
        let position = command.write(move |conn| {
            grants.end_all_in(conn, id, now)?;
            change::position(conn)
        });
        // The server's own commit may take the command's entry in before the thread that follows sees it.
        let (position, ()) = join(position, bob.change(|changes| changes.is_premium = Some(true))).await;
        let confirmed = wait_for_servers(&command.site.db, position, &Clock::system()).await;
        assert!(confirmed.unwrap(), "not within five seconds");
    }
    app.site.follower.stop();
}

#[actix_web::test]
async fn an_end_is_forgotten_once_no_token_can_be_about_it() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    let pair = ann.obtain().await;
    log_out(&ann, &pair).await;
    let remembered = app.site.memory.revocations.len();
    assert!(remembered > 0);

    // The access token has expired, but a clock may be set back by an hour.
    app.clock.advance(minutes(64));
    app.site.memory.revocations.sweep(app.clock.now());
    assert!(!app.site.memory.revocations.is_empty());

    app.clock.advance(days(2));
    app.site.memory.revocations.sweep(app.clock.now());
    sweeper::sweep(&app.site.db, app.clock.now(), |_| ()).await.unwrap();
    assert!(app.site.memory.revocations.is_empty());
    let left: (i64, i64, i64, i64) = app
        .read(|conn| {
            Ok((
                outstanding_tokens::table.count().get_result(conn)?,
                blacklisted_tokens::table.count().get_result(conn)?,
                sessions::table.count().get_result(conn)?,
                changes::table.count().get_result(conn)?,
            ))
        })
        .await;
    // The newest change stays: it holds the log's place.
    assert_eq!(left, (0, 0, 0, 1));
    ann.with(&pair.access).get("/api/hello/").await.is(401, not_valid("Token is expired"));
    assert!(app.again().await.site.memory.revocations.is_empty());
}

/// A token as Django with simplejwt makes it: no session, no generation.
fn foreign(app: &TestApp, person: &Person, kind: &str, jti: &str, lifetime: i64) -> String {
    let now = app.clock.now().seconds();
    signed(&json!({ "token_type": kind, "exp": now + lifetime, "iat": now, "jti": jti, "user_id": person.id }))
}

/// CONTRACT 21: tokens made elsewhere.
#[actix_web::test]
async fn a_refresh_token_made_elsewhere_begins_a_session_that_can_be_ended() {
    let app = TestApp::with(own_key).await;
    let ann = app.user("ann").await;
    let jti = "0123456789abcdef0123456789abcdef";
    let refresh = foreign(&app, &ann, "refresh", jti, 86_400);
    let access = foreign(&app, &ann, "access", "fedcba9876543210fedcba9876543210", 300);
    ann.with(&access).get("/api/hello/").await.status(200);

    let next: Pair = ann.refresh(&refresh).await.ok();

    let sid = URL_SAFE_NO_PAD.encode(&digest(&SHA256, jti.as_bytes()).as_ref()[..16]);
    assert_eq!(claims(&next.access)["sid"], json!(sid));
    assert_eq!(claims(&next.access)["user_id"], json!(ann.id)); // its type stays
    ann.with(&next.access).get("/api/hello/").await.status(200);

    log_out(&ann, &next).await;
    ann.with(&next.access).get("/api/hello/").await.is(401, not_valid(DEAD));
    ann.refresh(&refresh).await.is(401, refused(DEAD));
    ann.refresh(&next.refresh).await.is(401, refused(DEAD));
    // Nothing links a foreign access token to its refresh token: it lives to its end.
    ann.with(&access).get("/api/hello/").await.status(200);
    app.clock.advance(minutes(5));
    ann.with(&access).get("/api/hello/").await.is(401, not_valid("Token is expired"));
}

#[actix_web::test]
async fn a_token_made_elsewhere_counts_as_of_the_first_generation() {
    let app = TestApp::with(own_key).await;
    let ann = app.user("ann").await;
    let (refresh, access) =
        (foreign(&app, &ann, "refresh", "a".repeat(32).as_str(), 86_400), foreign(&app, &ann, "access", "b", 300));
    ann.signed_in().await.post("/api/logout/all/", ()).await.is_empty(205);
    ann.with(&access).get("/api/hello/").await.is(401, not_valid(DEAD));
    ann.refresh(&refresh).await.is(401, refused(DEAD));
}

/// The blacklist is by jti: another token that carries the id of an ended one is dead too (CONTRACT 9).
#[actix_web::test]
async fn a_token_with_the_id_of_an_ended_one_is_dead_too() {
    let app = TestApp::with(own_key).await;
    let ann = app.user("ann").await;
    let pair = ann.obtain().await;
    let jti: Value = claims(&pair.refresh)["jti"].clone();
    let twin = foreign(&app, &ann, "access", jti.as_str().unwrap(), 300);
    ann.with(&twin).get("/api/hello/").await.status(200);
    log_out(&ann, &pair).await;
    ann.with(&twin).get("/api/hello/").await.is(401, not_valid(DEAD));
}

/// REV-14.
#[actix_web::test]
async fn tokens_that_are_not_good_write_no_rows() {
    let app = TestApp::with(own_key).await;
    let ann = app.user("ann").await;
    let expired = foreign(&app, &ann, "refresh", "old", -1);
    for (path, field) in [("/api/token/blacklist/", "refresh"), ("/api/token/refresh/", "refresh")] {
        for token in [expired.as_str(), "nonsense", &foreign(&app, &ann, "access", "x", 300)] {
            app.anonymous().post(path, json!({ field: token })).await.status(401);
        }
    }
    let rows: i64 = app.read(|conn| Ok(outstanding_tokens::table.count().get_result(conn)?)).await;
    assert_eq!(rows, 0);
}

/// REL-10: a clock that is set back by less than an hour.
#[actix_web::test]
async fn a_clock_set_back_revives_no_dead_token() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    app.clock.advance(hours(2));
    let pair = ann.obtain().await;
    log_out(&ann, &pair).await;
    app.clock.advance(minutes(64));
    app.site.memory.revocations.sweep(app.clock.now());
    sweeper::sweep(&app.site.db, app.clock.now(), |_| ()).await.unwrap();
    app.set_back(minutes(60));
    ann.with(&pair.access).get("/api/hello/").await.is(401, not_valid(DEAD));
    ann.refresh(&pair.refresh).await.is(401, refused(DEAD));
}
