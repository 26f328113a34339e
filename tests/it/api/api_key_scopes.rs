//! What a key opens: what its scopes say, as far as its owner may, and never what only a sign-in opens (KEY-04).

use actix_web::http::Method;
use portcullis::model::role;
use serde_json::{Value, json};

use super::api_keys::keyed;
use crate::support::app::{TestApp, hours, no_limits};
use crate::support::client::Client;
use crate::support::people::PASSWORD;

fn forbidden() -> Value {
    json!({ "detail": "You do not have permission to perform this action." })
}

async fn status(client: &Client, method: &str, path: &str) -> u16 {
    let method = method.parse::<Method>().unwrap();
    client.request(method, path).body(json!({})).await.status.as_u16()
}

#[actix_web::test]
async fn a_key_does_what_its_scopes_say_and_nothing_else() {
    let app = TestApp::with(no_limits).await;
    let ann = app.user("ann").staff().premium().await;
    ann.signed_in().await.post("/api/tasks/", json!({ "title": "Buy milk" })).await.status(201);
    // What is asked, the one scope that opens it (or any, or none but all), and what it is told then.
    let asked: &[(&str, &str, &str, u16)] = &[
        ("GET", "/api/hello/", "any", 200),
        ("GET", "/hello/", "any", 200),
        ("GET", "/api/protected/", "any", 200),
        ("GET", "/api/read-only/", "any", 200),
        ("GET", "/api/v1/data/", "any", 200),
        ("GET", "/api/token/info/", "any", 200),
        ("GET", "/api/", "any", 200),
        ("POST", "/api/token/check/", "any", 400),
        ("POST", "/api/register/", "any", 400),
        ("GET", "/api/tasks/", "tasks.view", 200),
        ("HEAD", "/api/tasks/", "tasks.view", 200),
        ("OPTIONS", "/api/tasks/", "tasks.view", 200),
        ("GET", "/api/tasks/1/", "tasks.view", 200),
        ("POST", "/api/tasks/", "tasks.add", 400),
        ("PUT", "/api/tasks/1/", "tasks.change", 400),
        ("PATCH", "/api/tasks/1/", "tasks.change", 200),
        ("DELETE", "/api/tasks/99/", "tasks.delete", 404),
        ("GET", "/api/articles/", "articles.view", 200),
        ("POST", "/api/articles/", "articles.add", 400),
        ("PATCH", "/api/articles/99/", "articles.change", 404),
        ("DELETE", "/api/articles/99/", "articles.delete", 404),
        ("GET", "/api/admin-only/", "*", 200),
        ("GET", "/api/premium/", "*", 200),
        ("GET", "/api/profile/", "*", 200),
        ("GET", "/api/users/me/", "*", 200),
        ("PATCH", "/api/users/me/", "*", 200),
        ("GET", "/api/users/me/export/", "*", 200),
        ("POST", "/api/token/introspect/", "services.view", 400),
        ("GET", "/api/revocations/", "services.view", 200),
        ("POST", "/api/token/revoke/", "services.revoke", 400),
    ];
    let scopes = [
        "tasks.view",
        "tasks.add",
        "tasks.change",
        "tasks.delete",
        "articles.view",
        "articles.add",
        "articles.change",
        "articles.delete",
        "services.view",
        "services.revoke",
        "*",
    ];
    for scope in scopes {
        let client = keyed(&app, &ann, &[scope]).await;
        for (method, path, needed, told) in asked {
            let opens = *needed == "any" || *needed == scope || scope == "*";
            let expected = if opens { *told } else { 403 };
            assert_eq!(status(&client, method, path).await, expected, "{scope}: {method} {path}");
        }
    }
}

/// KEY-04.
#[actix_web::test]
async fn no_key_makes_keys_changes_the_password_sees_sessions_or_removes_the_account() {
    let app = TestApp::new().await;
    let root = app.user("root").superuser().await;
    let pair = root.obtain().await;
    let client = keyed(&app, &root, &["*"]).await;
    let sid = crate::support::token::claims(&pair.access)["sid"].as_str().unwrap().to_owned();
    let session = format!("/api/sessions/{sid}/");
    let asked: &[(Method, &str, Value)] = &[
        (Method::GET, "/api/keys/", json!({})),
        (Method::POST, "/api/keys/", json!({ "name": "x", "scopes": ["*"] })),
        (Method::GET, "/api/keys/1/", json!({})),
        (Method::PATCH, "/api/keys/1/", json!({ "name": "x" })),
        (Method::DELETE, "/api/keys/1/", json!({})),
        (Method::POST, "/api/keys/1/rotate/", json!({})),
        (
            Method::POST,
            "/api/password/change/",
            json!({ "old_password": PASSWORD, "new_password": "battery staple 4" }),
        ),
        (Method::GET, "/api/sessions/", json!({})),
        (Method::DELETE, "/api/sessions/", json!({})),
        (Method::GET, &session, json!({})),
        (Method::PATCH, &session, json!({ "name": "x" })),
        (Method::DELETE, &session, json!({})),
        (Method::POST, "/api/logout/", json!({ "refresh": pair.refresh })),
        (Method::POST, "/api/logout/all/", json!({})),
        (Method::DELETE, "/api/users/me/", json!({ "current_password": PASSWORD })),
    ];
    for (method, path, body) in asked {
        client.request(method.clone(), path).body(body.clone()).await.is(403, forbidden());
    }
    // Nothing has come of it.
    root.with(&pair.access).get("/api/keys/").await.status(200);
    assert_eq!(root.with(&pair.access).get("/api/keys/").await.json()["count"], 1);
    client.get("/api/hello/").await.status(200);
    // The panel knows no keys.
    client.get("/admin/").await.status(303);
    client.get("/admin/users/").await.status(303);
}

/// The one who holds the key is not the one who knows the password.
#[actix_web::test]
async fn a_key_changes_no_e_mail_without_the_password() {
    let app = TestApp::new().await;
    let client = keyed(&app, &app.user("ann").await, &["*"]).await;
    let required = json!({ "current_password": ["This field is required."] });
    client.patch("/api/users/me/", json!({ "email": "eve@example.org" })).await.is(400, required);
    client.patch("/api/users/me/", json!({ "first_name": "Ann" })).await.status(200);
}

/// A10 and REV-12: what the owner loses, the key loses, on the next request.
#[actix_web::test]
async fn a_key_is_worth_no_more_than_its_owner_is_now() {
    let app = TestApp::new().await;
    let ann = app.user("ann").staff().await;
    ann.permit(&["users.view"]).await;
    let client = keyed(&app, &ann, &["users.view", "services.view"]).await;
    client.get("/api/users/").await.status(200);
    client.get("/api/revocations/").await.status(200);
    ann.change(|changes| changes.is_staff = Some(false)).await;
    client.get("/api/users/").await.is(403, forbidden());
    client.get("/api/revocations/").await.is(403, forbidden());
    ann.permit(&["services.view"]).await;
    client.get("/api/revocations/").await.status(200);
}

#[actix_web::test]
async fn another_scope_acts_on_the_next_request() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    let key = ann.api_key(&["tasks.view"]).await;
    let client = app.anonymous().keyed(&key.key);
    client.get("/api/tasks/").await.status(200);
    let changed = json!({ "scopes": ["articles.view"], "name": "other" });
    ann.signed_in().await.patch(&format!("/api/keys/{}/", key.id), changed).await.status(200);
    client.get("/api/tasks/").await.is(403, forbidden());
    client.get("/api/articles/").await.status(200);
}

/// Nobody gives a key what they lack; what everybody has of their own, and staff of services, is not lacked.
#[actix_web::test]
async fn a_key_is_never_made_for_more_than_its_owner_may() {
    let app = TestApp::new().await;
    let (ann, staff, root) =
        (app.user("ann").await, app.user("staff").staff().await, app.user("root").superuser().await);
    let make = async |client: &Client, scopes: &[&str]| {
        client.post("/api/keys/", json!({ "name": "x", "scopes": scopes })).await
    };
    let (ann, staff_client, root) = (ann.signed_in().await, staff.signed_in().await, root.signed_in().await);
    make(&ann, &["tasks.add", "articles.delete"]).await.status(201);
    make(&ann, &["*"]).await.status(201);
    let lacks = |names: &str| json!({ "scopes": [format!("You lack what they allow: {names}.")] });
    make(&ann, &["services.view", "tasks.view"]).await.is(400, lacks("services.view"));
    make(&staff_client, &["services.view", "services.revoke"]).await.status(201);
    make(&staff_client, &["users.add", "users.view"]).await.is(400, lacks("users.view, users.add"));
    staff.permit(&["users.view"]).await;
    make(&staff_client, &["users.view"]).await.status(201);
    make(&root, &["users.view", "signing-keys.delete", "services.revoke"]).await.status(201);
}

/// API-18: a service has a credential of its own, and its owner need not be staff.
#[actix_web::test]
async fn a_service_asks_with_a_key_of_its_own() {
    let app = TestApp::with(no_limits).await;
    let (service, ann) = (app.user("mailer").await, app.user("ann").await);
    service.permit(&["services.view", "services.revoke"]).await;
    let asks = keyed(&app, &service, &["services.view"]).await;
    let ends = keyed(&app, &service, &["services.revoke"]).await;
    let pair = ann.obtain().await;
    let token = json!({ "token": pair.access });

    assert_eq!(asks.post("/api/token/introspect/", token.clone()).await.status(200).json()["username"], "ann");
    ends.post("/api/token/introspect/", token.clone()).await.is(403, forbidden());
    asks.post("/api/token/revoke/", token.clone()).await.is(403, forbidden());
    ends.post("/api/token/revoke/", token.clone()).await.is_empty(200);
    ann.with(&pair.access).get("/api/hello/").await.status(401);
    asks.post("/api/token/introspect/", token).await.is(200, json!({ "active": false }));
    // The permission opens it to a sign-in as well.
    service.signed_in().await.get("/api/revocations/").await.status(200);
    ann.signed_in().await.get("/api/revocations/").await.is(403, forbidden());
}

/// The stream goes on for as long as its key is good, and no longer.
#[actix_web::test]
async fn the_feed_of_a_key_that_is_revoked_or_narrowed_or_expires_ends() {
    for way in ["revoked", "narrowed", "expired", "deactivated", "without the permission"] {
        let app = TestApp::with(no_limits).await;
        let service = app.user("mailer").await;
        service.permit(&["services.view"]).await;
        let key = service.api_key(&["services.view", "tasks.view"]).await;
        let client = app.anonymous().keyed(&key.key);
        client.get("/api/revocations/").await.status(200);
        let path = format!("/api/keys/{}/", key.id);
        let owner = service.signed_in().await;
        let stream = client.get("/api/revocations/?cursor=0").header("Accept", "text/event-stream");
        // Admitted when it is first polled, since the key is warm; it comes back only when the stream is over.
        let ended = async { assert_eq!(stream.await.status, 200, "{way}") };
        let act = async {
            tokio::task::yield_now().await;
            let (id, grants, now) = (service.id, app.site.grants.clone(), app.clock.now());
            match way {
                "revoked" => drop(owner.delete(&path).await.is_empty(204)),
                "narrowed" => drop(owner.patch(&path, json!({ "scopes": ["tasks.view"] })).await.status(200)),
                "expired" => {
                    let end = (now + hours(1)).rfc3339();
                    owner.patch(&path, json!({ "expires_at": end })).await.status(200);
                    app.clock.advance(hours(1));
                }
                "deactivated" => service.deactivate().await,
                _ => {
                    let taken = move |conn: &mut _| {
                        role::take(conn, 1, id)?;
                        grants.changed_in(conn, id, now)
                    };
                    app.write(taken).await;
                }
            }
        };
        futures_util::future::join(ended, act).await;
    }
}
