//! Leaving, and what one may take along (A15).

use aws_lc_rs::digest::{SHA256, digest};
use diesel::prelude::*;
use futures_util::future::join_all;
use portcullis::db::schema::{api_keys, articles, blacklisted_tokens, tasks, users};
use portcullis::model::social;
use serde_json::{Value, json};

use crate::support::app::{TestApp, no_limits};
use crate::support::client::Client;
use crate::support::people::{PASSWORD, Person};

async fn leave(client: &Client) -> u16 {
    client.delete("/api/users/me/").body(json!({ "current_password": PASSWORD })).await.status.as_u16()
}

/// REV-05.
#[actix_web::test]
async fn who_leaves_is_gone_with_every_token_and_key_at_once() {
    let app = TestApp::with(no_limits).await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let (here, there) = (ann.obtain().await, ann.obtain().await);
    let key = ann.api_key(&["*"]).await.key;
    let client = ann.with(&here.access);
    client.post("/api/tasks/", json!({ "title": "Buy milk" })).await.status(201);
    client.post("/api/articles/", json!({ "title": "Hello", "body": "x" })).await.status(201);
    let bobs = bob.signed_in().await;
    bobs.post("/api/tasks/", json!({ "title": "Bob's" })).await.status(201);

    let password = json!({ "current_password": PASSWORD });
    client.delete("/api/users/me/").body(password).await.is_empty(204);

    let unknown = json!({ "detail": "User not found", "code": "user_not_found" });
    for access in [&here.access, &there.access] {
        ann.with(access).get("/api/hello/").await.is(401, unknown.clone());
    }
    ann.refresh(&there.refresh).await.status(401);
    app.anonymous().keyed(&key).get("/api/hello/").await.is(401, json!({ "detail": "Invalid API key" }));
    let given = json!({ "username": "ann", "password": PASSWORD });
    app.anonymous().post("/api/token/", given.clone()).await.status(401);
    let left = app.read(|conn| {
        let users: Vec<String> = users::table.select(users::username).load(conn)?;
        let counts: [i64; 3] = [
            tasks::table.count().get_result(conn)?,
            articles::table.count().get_result(conn)?,
            api_keys::table.count().get_result(conn)?,
        ];
        Ok((users, counts))
    });
    assert_eq!(left.await, (vec!["bob".to_owned()], [1, 0, 0]));
    // The tokens stay on the blacklist until they expire; the name is free, and its next owner inherits nothing.
    assert!(app.read(|conn| Ok(blacklisted_tokens::table.count().get_result::<i64>(conn)?)).await >= 2);
    app.anonymous().post("/api/register/", given).await.status(201);
    ann.with(&here.access).get("/api/hello/").await.is(401, unknown);
    bobs.get("/api/tasks/").await.status(200);
}

#[actix_web::test]
async fn nobody_leaves_without_the_password() {
    let app = TestApp::new().await;
    let client = app.user("ann").await.signed_in().await;
    let required = json!({ "current_password": ["This field is required."] });
    client.delete("/api/users/me/").await.is(400, required);
    let words = "Your old password was entered incorrectly. Please enter it again.";
    let wrong = json!({ "current_password": [words] });
    let guess = || client.delete("/api/users/me/").body(json!({ "current_password": "wrong horse 8" }));
    guess().await.is(400, wrong);
    app.anonymous().delete("/api/users/me/").await.status(401);
    // A guess counts as a failed sign-in does.
    let mut told = 400;
    for _ in 0..10 {
        told = guess().await.status.as_u16();
    }
    assert_eq!(told, 429);
    client.get("/api/hello/").await.status(200);
}

#[actix_web::test]
async fn the_last_superuser_stays() {
    let app = TestApp::with(no_limits).await;
    let (root, off) = (app.user("root").superuser().await, app.user("off").superuser().inactive().await);
    let client = root.signed_in().await;
    let password = json!({ "current_password": PASSWORD });
    let words = "You are the last active superuser. Make another one first, or nobody could administer this server.";
    client.delete("/api/users/me/").body(password).await.is(409, json!({ "detail": words }));
    client.get("/api/hello/").await.status(200);
    off.activate().await;
    assert_eq!(leave(&client).await, 204);
}

async fn one_of_two_stays(app: TestApp) {
    for round in 0..5 {
        let two =
            [app.user(&format!("one{round}")).superuser().await, app.user(&format!("two{round}")).superuser().await];
        let clients = [two[0].signed_in().await, two[1].signed_in().await];
        let told = join_all(clients.iter().map(leave)).await;
        assert_eq!(told.iter().filter(|status| **status == 204).count(), 1, "round {round}: {told:?}");
        assert_eq!(told.iter().filter(|status| **status == 409).count(), 1, "round {round}: {told:?}");
        for person in two {
            person.deactivate().await;
        }
    }
}

#[actix_web::test]
async fn of_two_superusers_who_leave_at_once_one_stays() {
    one_of_two_stays(TestApp::with(no_limits).await).await;
}

#[actix_web::test]
async fn of_two_superusers_who_leave_at_once_one_stays_on_postgresql() {
    one_of_two_stays(TestApp::on_postgres_with(no_limits).await).await;
}

const NOON_TEXT: &str = "2026-01-01T12:00:00Z";

async fn copy(person: &Person) -> Value {
    person.signed_in().await.get("/api/users/me/export/").await.status(200).ok()
}

#[actix_web::test]
async fn one_takes_along_all_that_is_kept_and_no_digest() {
    let app = TestApp::with(no_limits).await;
    let ann = app.user("ann").staff().await;
    let bob = app.user("bob").await;
    ann.permit(&["audit.view"]).await;
    let pair = ann.obtain().await;
    let key = ann.api_key(&["tasks.view"]).await;
    let client = ann.with(&pair.access);
    let (id, now) = (ann.id, app.clock.now());
    app.write(move |conn| social::link(conn, id, "acme", "https://acme.example", "1001", now)).await;
    let authenticator = ann.authenticator().await;
    client.post("/api/tasks/", json!({ "title": "Buy \u{2028} milk" })).await.status(201);
    client.post("/api/articles/", json!({ "title": "Hello", "body": "world" })).await.status(201);
    bob.signed_in().await.post("/api/tasks/", json!({ "title": "Bob's own" })).await.status(201);

    let answer = client.get("/api/users/me/export/").await.status(200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("content-disposition"), Some("attachment; filename=\"account.json\""));
    let told = answer.json();
    let parts: Vec<&String> = told.as_object().unwrap().keys().collect();
    let all = "exported_at account roles sessions panel_sessions api_keys social_accounts two_factor_since tokens articles tasks";
    assert_eq!(parts, all.split(' ').collect::<Vec<_>>());
    let account = json!({
        "id": ann.id, "username": "ann", "email": "ann@example.org", "first_name": "", "last_name": "",
        "phone_number": "", "date_of_birth": null, "email_verified": false, "is_staff": true, "is_premium": false,
        "roles": ["of ann audit.view"], "date_joined": "2026-01-01T12:00:00Z", "last_login": null, "is_active": true,
        "is_superuser": false, "updated_at": "2026-01-01T12:00:00Z",
    });
    assert_eq!(told["account"], account);
    assert_eq!(told["roles"][0]["permissions"], json!(["audit.view"]));
    assert_eq!(told["sessions"].as_array().unwrap().len(), 3);
    assert_eq!(told["sessions"][0]["ip"], "192.0.2.1");
    assert_eq!(told["tokens"].as_array().unwrap().len(), 3);
    assert_eq!(told["api_keys"][0]["prefix"], json!(key.prefix));
    let link =
        json!({ "provider": "acme", "issuer": "https://acme.example", "subject": "1001", "linked_at": NOON_TEXT });
    assert_eq!(told["social_accounts"], json!([link]));
    assert_eq!(told["two_factor_since"], NOON_TEXT);
    assert_eq!(told["tasks"][0]["title"], "Buy \u{2028} milk");
    assert_eq!((told["tasks"].as_array().unwrap().len(), told["articles"].as_array().unwrap().len()), (1, 1));

    let sha = hex::encode(digest(&SHA256, key.key.as_bytes()));
    for secret in [
        authenticator.secret().as_str(),
        "argon2",
        "password",
        "digest",
        sha.as_str(),
        key.key.as_str(),
        pair.refresh.as_str(),
        "Bob's",
    ] {
        assert!(!answer.text().contains(secret), "{secret}");
    }
    app.anonymous().get("/api/users/me/export/").await.status(401);
}

/// It is sent as it is read, portion by portion.
#[actix_web::test]
async fn a_copy_of_any_length_is_whole() {
    let app = TestApp::with(no_limits).await;
    let ann = app.user("ann").await;
    for count in [0, 1, 499, 500, 501, 1000] {
        let (id, now) = (ann.id, app.clock.now());
        app.write(move |conn| {
            diesel::delete(tasks::table).execute(conn)?;
            for number in 0..count {
                let times = (tasks::created_at.eq(now), tasks::updated_at.eq(now));
                let row = (tasks::title.eq(format!("task {number}")), tasks::user_id.eq(id), times);
                diesel::insert_into(tasks::table).values(row).execute(conn)?;
            }
            Ok(())
        })
        .await;
        let told = copy(&ann).await;
        let titles: Vec<&str> =
            told["tasks"].as_array().unwrap().iter().map(|row| row["title"].as_str().unwrap()).collect();
        let expected: Vec<String> = (0..count).map(|number| format!("task {number}")).collect();
        assert_eq!(titles, expected);
    }
}
