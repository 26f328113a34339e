//! Conditional requests: an answer that is known is not sent again, and nobody overwrites what they have not seen.

use std::future::IntoFuture;

use actix_web::http::Method;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::app::{TestApp, minutes};
use crate::support::client::{Body, Client};

fn failed() -> Value {
    json!({ "detail": "It is not as the request expects it to be. Nothing was changed." })
}

async fn ann() -> (TestApp, Client) {
    let app = TestApp::new().await;
    let ann = app.user("ann").await.signed_in().await;
    (app, ann)
}

/// A new task, and the tag of it.
async fn made(ann: &Client) -> (Value, String) {
    let answer = ann.post("/api/tasks/", json!({ "title": "Buy milk" })).await.status(201);
    (answer.json(), answer.header("etag").unwrap().to_owned())
}

async fn tag_of(client: &Client, path: &str) -> String {
    client.get(path).await.status(200).header("etag").unwrap().to_owned()
}

#[actix_web::test]
async fn whoever_has_an_answer_already_is_not_sent_it_again() {
    let (app, ann) = ann().await;
    let (task, tag) = made(&ann).await;
    let (hex, quotes) = (tag.trim_matches('"'), tag.len() - 2);
    assert!(hex.len() == 32 && quotes == 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()), "{tag}");
    assert_eq!(tag_of(&ann, "/api/tasks/1/").await, tag, "the answer to POST has the tag of what it made");

    let weak = format!("W/{tag}");
    let among = format!("\"a\", {tag}");
    for known in [tag.as_str(), &weak, &among, "*"] {
        for method in [Method::GET, Method::HEAD] {
            let answer = ann.request(method, "/api/tasks/1/").header("if-none-match", known).await;
            let told = (answer.header("etag"), answer.header("vary"), answer.header("cache-control"));
            assert_eq!(told, (Some(tag.as_str()), Some("Accept, origin"), Some("no-store")), "{known}");
            answer.is_empty(304);
        }
    }
    let twice = ann.get("/api/tasks/1/").header("if-none-match", "\"a\"").header("if-none-match", &tag).await;
    twice.is_empty(304);
    for other in ["\"a\"", "nonsense", "", hex] {
        ann.get("/api/tasks/1/").header("if-none-match", other).await.is(200, task.clone());
    }
    app.clock.advance(minutes(1));
    let patched = ann.patch("/api/tasks/1/", json!({})).await.status(200);
    let later = ann.get("/api/tasks/1/").header("if-none-match", &tag).await.status(200);
    assert_eq!(patched.header("etag"), later.header("etag"));
    assert_ne!(later.header("etag"), Some(tag.as_str()));
}

#[actix_web::test]
async fn only_what_is_one_resource_has_a_tag() {
    let (_, ann) = ann().await;
    made(&ann).await;
    for path in ["/api/tasks/", "/api/hello/", "/api/tasks/9/"] {
        assert_eq!(ann.get(path).await.header("etag"), None, "{path}");
    }
    // RFC 9110 §9.3.4: it would be taken for the tag of what was sent.
    assert_eq!(ann.put("/api/tasks/1/", json!({ "title": "x" })).await.status(200).header("etag"), None);
}

#[actix_web::test]
async fn json_spread_over_lines_has_a_weak_tag() {
    let (_, ann) = ann().await;
    let (_, tag) = made(&ann).await;
    let weak = format!("W/{tag}");
    let spread = || ann.get("/api/tasks/1/").header("accept", "application/json; indent=4");
    let answer = spread().await.status(200);
    assert_eq!(answer.header("etag"), Some(weak.as_str()));
    let known = spread().header("if-none-match", &weak).await;
    assert_eq!(known.header("etag"), Some(weak.as_str()));
    known.is_empty(304);
    // RFC 9110 §13.1.1: a weak tag matches nothing.
    ann.delete("/api/tasks/1/").header("if-match", &weak).await.is(412, failed());
}

#[actix_web::test]
async fn a_change_of_what_has_changed_meanwhile_is_refused_and_changes_nothing() {
    let (_, ann) = ann().await;
    let (_, old) = made(&ann).await;
    let new = ann.patch("/api/tasks/1/", json!({ "title": "Buy oat milk" })).header("if-match", &old).await.status(200);
    let (task, new) = (new.json(), new.header("etag").unwrap().to_owned());
    let bare = new.trim_matches('"').to_owned();
    for stale in [old.as_str(), "\"a\"", "", "nonsense", &bare, &format!("W/{new}")] {
        let put = ann.put("/api/tasks/1/", json!({ "title": "x" })).header("if-match", stale).await;
        let patch = ann.patch("/api/tasks/1/", json!({ "title": "x" })).header("if-match", stale).await;
        let delete = ann.delete("/api/tasks/1/").header("if-match", stale).await;
        let get = ann.get("/api/tasks/1/").header("if-match", stale).await;
        for answer in [put, patch, delete, get] {
            answer.is(412, failed());
        }
    }
    for known in [new.as_str(), "*"] {
        ann.delete("/api/tasks/1/").header("if-none-match", known).await.is(412, failed());
    }
    ann.get("/api/tasks/1/").header("if-match", &new).await.is(200, task);
    ann.put("/api/tasks/1/", json!({ "title": "y" })).header("if-match", "*").await.status(200);
    let newest = tag_of(&ann, "/api/tasks/1/").await;
    let among = format!("\"a\", {newest}");
    ann.delete("/api/tasks/1/").header("if-match", &among).header("if-none-match", &old).await.is_empty(204);
}

#[actix_web::test]
async fn what_is_missing_foreign_or_forbidden_is_told_before_its_tag_and_the_tag_before_the_body() {
    let (app, ann) = ann().await;
    let (_, tag) = made(&ann).await;
    let bob = app.user("bob").await.signed_in().await;
    let missing = json!({ "detail": "No Task matches the given query." });
    for condition in ["*", "\"a\"", &tag] {
        bob.patch("/api/tasks/1/", json!({})).header("if-match", condition).await.is(404, missing.clone());
        bob.get("/api/tasks/1/").header("if-none-match", condition).await.is(404, missing.clone());
    }
    ann.post("/api/articles/", json!({ "title": "a", "body": "b" })).await.status(201);
    let of_another = tag_of(&bob, "/api/articles/1/").await;
    let forbidden = json!({ "detail": "You do not have permission to perform this action." });
    bob.delete("/api/articles/1/").header("if-match", &of_another).await.is(403, forbidden.clone());
    bob.delete("/api/articles/1/").header("if-match", "\"a\"").await.is(403, forbidden);
    let bad = || Body::of("application/json", "{");
    ann.put("/api/tasks/1/", bad()).header("if-match", "\"a\"").await.is(412, failed());
    ann.put("/api/tasks/1/", bad()).header("if-match", &tag).await.status(400);
}

/// Of those who have read the same, one alone changes it; the others learn that they have not seen the newest.
async fn one_wins(app: TestApp) {
    let ann = app.user("ann").await.signed_in().await;
    for round in 0..10 {
        let task = ann.post("/api/tasks/", json!({ "title": "Buy milk" })).await.status(201);
        let (path, tag) = (format!("/api/tasks/{}/", task.json()["id"]), task.header("etag").unwrap().to_owned());
        let changes = (0..16).map(|number| {
            let change = match number % 3 {
                0 => ann.put(&path, json!({ "title": format!("put {number}") })),
                1 => ann.patch(&path, json!({ "title": format!("patch {number}") })),
                _ => ann.delete(&path),
            };
            change.header("if-match", &tag).into_future()
        });
        let answers = join_all(changes).await;
        let won: Vec<_> = answers.iter().filter(|answer| answer.status.is_success()).collect();
        assert_eq!(won.len(), 1, "round {round}");
        let left = ann.get(&path).await;
        if won[0].status == 204 {
            left.status(404)
        } else {
            left.is(200, won[0].json())
        };
        assert!(answers.iter().all(|answer| [200, 204, 404, 412].contains(&answer.status.as_u16())));
    }
}

#[actix_web::test]
async fn of_many_who_change_what_they_have_read_one_wins() {
    one_wins(TestApp::new().await).await;
}

#[actix_web::test]
async fn of_many_who_change_what_they_have_read_one_wins_on_postgresql() {
    one_wins(TestApp::on_postgres().await).await;
}

#[actix_web::test]
async fn users_and_articles_have_tags_too() {
    let app = TestApp::new().await;
    let root = app.user("root").superuser().await.signed_in().await;
    let made = root.post("/api/users/", json!({ "username": "carla" })).await.status(201);
    let (path, tag) = (format!("/api/users/{}/", made.json()["id"]), made.header("etag").unwrap().to_owned());
    root.get(&path).header("if-none-match", &tag).await.is_empty(304);
    let changed = root.patch(&path, json!({ "is_premium": true })).header("if-match", &tag).await.status(200);
    assert_eq!(changed.header("etag"), Some(tag_of(&root, &path).await.as_str()));
    root.patch(&path, json!({ "is_active": false })).header("if-match", &tag).await.is(412, failed());
    root.put(&path, json!({ "username": "c" })).header("if-match", &tag).await.is(412, failed());
    root.get(&path).await.is(200, changed.json());
    assert_eq!(root.put(&path, json!({ "username": "c" })).await.status(200).header("etag"), None);

    let made = root.post("/api/articles/", json!({ "title": "a", "body": "b" })).await.status(201);
    let tag = made.header("etag").unwrap().to_owned();
    root.get("/api/articles/1/").header("if-none-match", &tag).await.is_empty(304);
    root.patch("/api/articles/1/", json!({ "title": "c" })).header("if-match", &tag).await.status(200);
    root.delete("/api/articles/1/").header("if-match", &tag).await.is(412, failed());
}

#[actix_web::test]
async fn a_page_of_a_listed_origin_may_read_tags_and_times_to_wait() {
    let origin = "https://shop.example";
    let exposed = async |headers: Option<Vec<String>>| {
        let app = TestApp::with(|settings| {
            settings.cors.allowed_origins = vec![origin.into()];
            settings.cors.allowed_headers.extend(["if-match", "if-none-match", "idempotency-key"].map(String::from));
            if let Some(headers) = headers {
                settings.cors.exposed_headers = headers;
            }
        });
        let app = app.await;
        let preflight = app.anonymous().options("/api/tasks/1/").header("origin", origin);
        let preflight = preflight.header("access-control-request-method", "PUT").await;
        let allowed = preflight.header("access-control-allow-headers").unwrap();
        assert!(allowed.ends_with(", if-match, if-none-match, idempotency-key"), "{allowed}");
        let stranger = app.anonymous().get("/api/tasks/").header("origin", "https://evil.example").await;
        assert_eq!(stranger.header("access-control-expose-headers"), None);
        let told = app.anonymous().get("/api/tasks/").header("origin", origin).await;
        told.header("access-control-expose-headers").map(str::to_owned)
    };
    assert_eq!(exposed(None).await.as_deref(), Some("etag, retry-after"));
    assert_eq!(exposed(Some(vec!["x-request-id".into()])).await.as_deref(), Some("x-request-id"));
    assert_eq!(exposed(Some(Vec::new())).await, None);
}
