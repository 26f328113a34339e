//! What other services may ask of us: `/api/token/introspect/`, `/api/token/revoke/`, `/api/revocations/`.

use serde_json::{Value, json};

use crate::support::app::{TestApp, hours, minutes};
use crate::support::client::Client;
use crate::support::people::Pair;
use crate::support::token::{claims, own_key, signed, token_of};

async fn staff(app: &TestApp) -> Client {
    app.user("root").staff().await.signed_in().await
}

async fn introspect(client: &Client, token: &str) -> Value {
    client.post("/api/token/introspect/", json!({ "token": token })).await.ok()
}

/// API-18, RFC 7662.
#[actix_web::test]
async fn introspection_says_what_a_good_token_is_worth_and_nothing_of_any_other() {
    let app = TestApp::new().await;
    let (service, ann) = (staff(&app).await, app.user("ann").await);
    let pair = ann.obtain().await;

    let expected = |token: &str, kind: &str| {
        let said = claims(token);
        json!({
            "active": true, "sub": ann.id.to_string(), "username": "ann", "token_type": kind, "exp": said["exp"],
            "iat": said["iat"], "jti": said["jti"], "sid": said["sid"], "user_id": ann.id.to_string(),
        })
    };
    assert_eq!(introspect(&service, &pair.access).await, expected(&pair.access, "access"));
    assert_eq!(introspect(&service, &pair.refresh).await, expected(&pair.refresh, "refresh"));

    let dead = json!({ "active": false });
    let tampered = format!("{}A", pair.access);
    for bad in ["x", "a.b.c", tampered.as_str()] {
        assert_eq!(introspect(&service, bad).await, dead);
    }
    ann.with(&pair.access).post("/api/logout/", json!({ "refresh": pair.refresh })).await.is_empty(205);
    assert_eq!(introspect(&service, &pair.access).await, dead);
    assert_eq!(introspect(&service, &pair.refresh).await, dead);

    let fresh = ann.obtain().await;
    app.clock.advance(minutes(6));
    let service = app.user("other").staff().await.signed_in().await;
    assert_eq!(introspect(&service, &fresh.access).await, dead);
    ann.deactivate().await;
    assert_eq!(introspect(&service, &fresh.refresh).await, dead);
}

#[actix_web::test]
async fn only_staff_may_ask() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await.signed_in().await;
    for path in ["/api/token/introspect/", "/api/token/revoke/"] {
        ann.post(path, json!({ "token": "x" })).await.status(403);
        app.anonymous().post(path, json!({ "token": "x" })).await.status(401);
    }
    ann.get("/api/revocations/").await.status(403);
    app.anonymous().get("/api/revocations/").await.status(401);
}

/// RFC 7009 §2: any token ends its session; one that is none is answered alike.
#[actix_web::test]
async fn revoking_any_token_of_a_session_ends_it() {
    let app = TestApp::new().await;
    let (service, ann) = (staff(&app).await, app.user("ann").await);
    for kind in ["access", "refresh"] {
        let (pair, other): (Pair, Pair) = (ann.obtain().await, ann.obtain().await);
        let token = if kind == "access" { &pair.access } else { &pair.refresh };
        service.post("/api/token/revoke/", json!({ "token": token, "token_type_hint": kind })).await.is_empty(200);
        ann.with(&pair.access).get("/api/hello/").await.status(401);
        ann.refresh(&pair.refresh).await.status(401);
        ann.with(&other.access).get("/api/hello/").await.status(200);
        service.post("/api/token/revoke/", json!({ "token": token })).await.is_empty(200);
    }
    service.post("/api/token/revoke/", json!({ "token": "nonsense" })).await.is_empty(200);
    let required = json!({ "token": ["This field is required."] });
    service.post("/api/token/revoke/", json!({})).await.is(400, required);
}

#[actix_web::test]
async fn a_token_made_elsewhere_is_revoked_by_its_own_id() {
    let app = TestApp::with(own_key).await;
    let (service, ann) = (staff(&app).await, app.user("ann").await);
    let foreign = signed(&token_of(&app, &ann, "access"));
    ann.with(&foreign).get("/api/hello/").await.status(200);
    service.post("/api/token/revoke/", json!({ "token": foreign })).await.is_empty(200);
    ann.with(&foreign).get("/api/hello/").await.status(401);
}

/// The payload of a sealed step, whose signature the tests of the signer look at.
fn opened(answer: &Value) -> Value {
    claims(answer["snapshot"].as_str().unwrap())
}

#[actix_web::test]
async fn a_snapshot_names_what_ended_until_no_token_can_be_about_it() {
    let app = TestApp::new().await;
    let (service, ann, bob) = (staff(&app).await, app.user("ann").await, app.user("bob").await);
    let pair = ann.obtain().await;
    ann.with(&pair.access).post("/api/logout/", json!({ "refresh": pair.refresh })).await.is_empty(205);
    bob.deactivate().await;

    let answer: Value = service.get("/api/revocations/").await.ok();
    let snapshot = opened(&answer);
    assert_eq!(answer["cursor"], snapshot["cursor"]);
    let ended: Vec<&Value> = snapshot["ended"].as_array().unwrap().iter().map(|entry| &entry[0]).collect();
    assert!(ended.contains(&&claims(&pair.access)["sid"]), "{snapshot}");
    assert!(snapshot["users"].as_array().unwrap().contains(&json!([bob.id, i32::MAX])), "{snapshot}");
    assert!(snapshot.get("exp").is_none() && snapshot.get("token_type").is_none());

    app.clock.advance(hours(2));
    let service = app.user("other").staff().await.signed_in().await;
    let later = opened(&service.get("/api/revocations/").await.ok());
    assert_eq!(later["ended"], json!([]));
}

#[actix_web::test]
async fn a_cursor_is_a_number_that_the_log_reaches_back_to() {
    let app = TestApp::new().await;
    let service = staff(&app).await;
    let events =
        |cursor: &str| service.get(&format!("/api/revocations/?cursor={cursor}")).header("Accept", "text/event-stream");
    events("x").await.is(400, json!({ "cursor": ["A valid integer is required."] }));
    for name in ["ann", "bob", "eve"] {
        app.user(name).await.deactivate().await;
    }
    let now = app.clock.now() + hours(1000);
    app.write(move |conn| portcullis::model::change::purge(conn, now, 100)).await;
    let gone = json!({ "detail": "The log no longer reaches back to this cursor: take a new snapshot." });
    events("0").await.is(410, gone);
}
