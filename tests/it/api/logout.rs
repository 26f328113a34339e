//! The end of sessions: signed out here, signed out everywhere, another password, switched off, deleted.

use std::future::IntoFuture;

use serde_json::json;

use crate::support::app::{TestApp, hours, no_limits};
use crate::support::client::Body;
use crate::support::people::{PASSWORD, Pair, Person};
use crate::support::token::{claims, not_valid, refused};

const DEAD: &str = "Token is blacklisted";

async fn log_out(person: &Person, pair: &Pair) {
    person.with(&pair.access).post("/api/logout/", json!({ "refresh": pair.refresh })).await.is_empty(205);
}

/// Fails unless every endpoint that reads tokens says that these are dead.
async fn assert_dead(app: &TestApp, person: &Person, pair: &Pair) {
    person.with(&pair.access).get("/api/hello/").await.is(401, not_valid(DEAD));
    person.refresh(&pair.refresh).await.is(401, refused(DEAD));
    let nobody = app.anonymous();
    for token in [&pair.access, &pair.refresh] {
        let verify = nobody.post("/api/token/verify/", json!({ "token": token })).await;
        verify.is(400, json!({ "non_field_errors": [DEAD] }));
    }
    let check = nobody.post("/api/token/check/", json!({ "token": pair.access })).await;
    check.is(400, json!({ "valid": false, "error": DEAD }));
}

async fn assert_alive(app: &TestApp, person: &Person, pair: &Pair) {
    person.with(&pair.access).get("/api/hello/").await.status(200);
    person.refresh(&pair.refresh).await.status(200);
    for token in [&pair.access, &pair.refresh] {
        app.anonymous().post("/api/token/verify/", json!({ "token": token })).await.is(200, json!({}));
    }
}

/// REV-01, REV-02, REV-09.
#[actix_web::test]
async fn after_logout_the_very_next_request_is_refused_and_other_sessions_go_on() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    let (here, elsewhere) = (ann.obtain().await, ann.obtain().await);
    log_out(&ann, &here).await;
    assert_dead(&app, &ann, &here).await;
    app.anonymous().post("/api/token/blacklist/", json!({ "refresh": here.refresh })).await.is(401, refused(DEAD));
    assert_alive(&app, &ann, &elsewhere).await;
}

#[actix_web::test]
async fn logout_ends_what_was_rotated_before_and_after() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    let first = ann.obtain().await;
    let second: Pair = ann.refresh(&first.refresh).await.ok();
    let third: Pair = ann.refresh(&second.refresh).await.ok();
    log_out(&ann, &second).await;
    for pair in [first, second, third] {
        assert_dead(&app, &ann, &pair).await;
    }
}

#[actix_web::test]
async fn blacklisting_a_refresh_token_is_a_logout_without_credentials() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    let pair = ann.obtain().await;
    app.anonymous().post("/api/token/blacklist/", json!({ "refresh": pair.refresh })).await.is(200, json!({}));
    assert_dead(&app, &ann, &pair).await;
}

#[actix_web::test]
async fn logout_with_somebody_elses_refresh_token_ends_that_session() {
    let app = TestApp::new().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let (of_ann, of_bob) = (ann.obtain().await, bob.obtain().await);
    ann.with(&of_ann.access).post("/api/logout/", json!({ "refresh": of_bob.refresh })).await.is_empty(205);
    assert_dead(&app, &bob, &of_bob).await;
    assert_alive(&app, &ann, &of_ann).await;
}

#[actix_web::test]
async fn a_logout_of_nothing_is_a_400_without_a_body() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    let (pair, other) = (ann.obtain().await, ann.obtain().await);
    log_out(&ann, &other).await;
    let client = ann.with(&pair.access);
    let bodies: [Body; 8] = [
        ().into(),
        json!({}).into(),
        json!({ "refresh": "nonsense" }).into(),
        json!({ "refresh": pair.access }).into(),
        json!({ "refresh": other.refresh }).into(),
        json!([1]).into(),
        Body::of("application/json", "{"),
        Body::of("text/plain", "refresh"),
    ];
    for body in bodies {
        client.post("/api/logout/", body).await.is_empty(400);
    }
    let challenge = json!({ "detail": "Authentication credentials were not provided." });
    app.anonymous().post("/api/logout/", json!({ "refresh": pair.refresh })).await.is(401, challenge);
    assert_alive(&app, &ann, &pair).await;
}

/// REV-03 for a sign-out everywhere: `/api/logout/all/`.
#[actix_web::test]
async fn signing_out_everywhere_ends_every_session_and_a_new_one_lives() {
    let app = TestApp::new().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let (one, other, of_bob) = (ann.obtain().await, ann.obtain().await, bob.obtain().await);
    ann.with(&one.access).post("/api/logout/all/", ()).await.is_empty(205);
    assert_dead(&app, &ann, &one).await;
    assert_dead(&app, &ann, &other).await;
    assert_alive(&app, &bob, &of_bob).await;
    // In the same second, which `iat` alone could not tell apart.
    assert_alive(&app, &ann, &ann.obtain().await).await;
}

/// REV-03.
#[actix_web::test]
async fn another_password_ends_every_session_and_begins_one() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    let (here, elsewhere) = (ann.obtain().await, ann.obtain().await);
    let change = json!({ "old_password": PASSWORD, "new_password": "battery staple 7" });

    let new: Pair = ann.with(&here.access).post("/api/password/change/", change).await.status(200).ok();

    let changed = json!({ "detail": "The user's password has been changed.", "code": "password_changed" });
    for old in [&here, &elsewhere] {
        ann.with(&old.access).get("/api/hello/").await.is(401, changed.clone());
        let refresh = ann.refresh(&old.refresh).await;
        refresh.is(401, json!({ "detail": "The user's password has been changed." }));
        let verify = app.anonymous().post("/api/token/verify/", json!({ "token": old.access })).await;
        verify.is(400, json!({ "non_field_errors": [DEAD] }));
    }
    assert_alive(&app, &ann, &new).await;
    let sign_in =
        |password: &str| app.anonymous().post("/api/token/", json!({ "username": "ann", "password": password }));
    sign_in(PASSWORD).await.status(401);
    sign_in("battery staple 7").await.status(200);
}

/// REV-04.
#[actix_web::test]
async fn a_user_who_is_switched_off_is_out_at_once_and_switching_on_revives_nothing() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    let pair = ann.obtain().await;

    ann.deactivate().await;
    let inactive = json!({ "detail": "User is inactive", "code": "user_inactive" });
    ann.with(&pair.access).get("/api/hello/").await.is(401, inactive);
    let sign_in = app.anonymous().post("/api/token/", json!({ "username": "ann", "password": PASSWORD })).await;
    sign_in.is(401, json!({ "detail": "No active account found with the given credentials" }));

    ann.activate().await;
    assert_dead(&app, &ann, &pair).await;
    assert_alive(&app, &ann, &ann.obtain().await).await;
}

/// The blacklist asks for no user: what ended with all sessions of its user can be put there nevertheless, and once.
#[actix_web::test]
async fn a_refresh_token_is_blacklisted_once_however_its_session_has_ended() {
    let app = TestApp::new().await;
    let blacklist = |pair: &Pair| app.anonymous().post("/api/token/blacklist/", json!({ "refresh": pair.refresh }));
    for way in ["everywhere", "password", "inactive"] {
        let person = app.user(way).await;
        let (first, here) = (person.obtain().await, person.obtain().await);
        let change = json!({ "old_password": PASSWORD, "new_password": "battery staple 7" });
        let client = person.with(&here.access);
        match way {
            "everywhere" => drop(client.post("/api/logout/all/", ()).await.status(205)),
            "password" => drop(client.post("/api/password/change/", change).await.status(200)),
            _ => person.deactivate().await,
        }
        blacklist(&first).await.is(200, json!({}));
        blacklist(&first).await.is(401, refused(DEAD));
    }
    // Of a session that was ended by itself, a token that had been exchanged is as dead as the last.
    let ann = app.user("ann").await;
    let old = ann.obtain().await;
    let new: Pair = ann.refresh(&old.refresh).await.ok();
    log_out(&ann, &new).await;
    for pair in [&old, &new] {
        blacklist(pair).await.is(401, refused(DEAD));
    }
}

/// REV-05.
#[actix_web::test]
async fn a_deleted_users_tokens_are_dead_and_nobody_inherits_the_id() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    let pair = ann.obtain().await;
    let client = ann.with(&pair.access);
    client.post("/api/tasks/", json!({ "title": "Buy milk" })).await.status(201);

    ann.delete().await;

    let unknown = json!({ "detail": "User not found", "code": "user_not_found" });
    client.get("/api/hello/").await.is(401, unknown.clone());
    let again = app.user("ann").await;
    assert!(again.id > ann.id);
    client.get("/api/hello/").await.is(401, unknown);
    assert_eq!(again.signed_in().await.get("/api/tasks/").await.json()["count"], 0);
}

#[actix_web::test]
async fn a_logout_during_a_refresh_leaves_nothing_alive() {
    for round in 0..20 {
        let app = TestApp::with(no_limits).await;
        let ann = app.user("ann").await;
        let pair = ann.obtain().await;
        app.clock.advance(hours(1));
        let access = ann.obtain().await.access;
        let logout = ann.with(&access).post("/api/logout/", json!({ "refresh": pair.refresh })).into_future();
        let refresh = ann.refresh(&pair.refresh);
        // Whichever is asked first.
        let (out, refreshed) = if round % 2 == 0 {
            futures_util::future::join(logout, refresh).await
        } else {
            let (refreshed, out) = futures_util::future::join(refresh, logout).await;
            (out, refreshed)
        };
        out.is_empty(205);
        if refreshed.status == 200 {
            let next: Pair = refreshed.ok();
            assert_eq!(claims(&next.access)["sid"], claims(&pair.access)["sid"]);
            assert_dead(&app, &ann, &next).await;
        }
    }
}
