//! R9: v1 and v2, two faces of the same views. v2 lists by cursor, shows authors as objects, and answers errors as problems.

use actix_web::http::Method;
use serde_json::{Value, json};

use crate::support::app::{TestApp, seconds};
use crate::support::client::{Answer, Client, form};
use crate::support::people::PASSWORD;
use crate::support::spec::operations;

async fn ann() -> (TestApp, Client) {
    let app = TestApp::new().await;
    let ann = app.user("ann").await.signed_in().await;
    (app, ann)
}

fn titles(page: &Value) -> Vec<String> {
    let titles = page["results"].as_array().unwrap().iter().map(|row| row["title"].as_str().unwrap().to_owned());
    titles.collect()
}

/// All pages from this one on, by `next` or `previous`.
async fn walk(client: &Client, from: &str, way: &str) -> Vec<Value> {
    let mut pages = vec![client.get(from).await.ok::<Value>()];
    while let Some(link) = pages.last().unwrap()[way].as_str() {
        let path = link.split_once("//").unwrap().1;
        let path = path.find('/').map(|at| path[at..].to_owned()).unwrap();
        assert!(pages.len() < 20, "the pages have no end: {link}");
        pages.push(client.get(&path).await.ok());
    }
    pages
}

/// A problem (RFC 9457) with these members beside those that all have.
fn problem(status: u16, title: &str, more: Value) -> Value {
    let mut problem = more;
    for (name, value) in [("type", json!("about:blank")), ("title", json!(title)), ("status", json!(status))] {
        problem[name] = value;
    }
    problem
}

#[actix_web::test]
async fn the_same_task_is_seen_through_both_faces() {
    let (_, ann) = ann().await;
    let task: Value = ann.post("/api/v2/tasks/", json!({ "title": "Buy milk" })).await.status(201).json();
    for path in ["/api/tasks/1/", "/api/v1/tasks/1/", "/api/v2/tasks/1/"] {
        ann.get(path).await.is(200, task.clone());
    }
    let numbered = json!({ "count": 1, "next": null, "previous": null, "results": [task] });
    let by_cursor = json!({ "next": null, "previous": null, "results": [task] });
    ann.get("/api/tasks/").await.is(200, numbered.clone());
    ann.get("/api/v1/tasks/").await.is(200, numbered);
    ann.get("/api/v2/tasks/").await.is(200, by_cursor);
    ann.get("/api/v1/data/").await.is(200, json!({ "version": "v1", "data": "old format" }));
    ann.get("/api/v2/data/").await.is(200, json!({ "version": "v2", "data": "new format" }));
    ann.delete("/api/v2/tasks/1/").await.is_empty(204);
    ann.get("/api/tasks/1/").await.status(404);
}

#[actix_web::test]
async fn every_route_has_both_faces() {
    let app = TestApp::new().await;
    let document: Value = app.anonymous().get("/api/schema/").await.ok();
    let of = |prefix: &str| -> Vec<String> {
        let paths = document["paths"].as_object().unwrap().keys();
        let mut paths: Vec<String> = paths.filter_map(|path| path.strip_prefix(prefix)).map(str::to_owned).collect();
        paths.sort();
        paths
    };
    assert!(of("/api/v1/").len() > 40);
    assert_eq!(of("/api/v1/"), of("/api/v2/"));
}

#[actix_web::test]
async fn a_version_that_there_is_not_is_not_found() {
    let (_, ann) = ann().await;
    for path in ["/api/v3/tasks/", "/api/v0/data/", "/api/V2/tasks/", "/api/v2tasks/", "/api/v11/hello/"] {
        ann.get(path).await.status(404);
    }
}

#[actix_web::test]
async fn an_author_is_an_object_in_v2() {
    let (app, ann) = ann().await;
    let bob = app.user("bob").await.signed_in().await;
    let mine: Value = ann.post("/api/v2/articles/", json!({ "title": "Hay", "body": "…" })).await.status(201).json();
    let his: Value = bob.post("/api/articles/", json!({ "title": "Oats", "body": "…" })).await.status(201).json();
    let (by_ann, by_bob) = (json!({ "id": 1, "username": "ann" }), json!({ "id": 2, "username": "bob" }));
    assert_eq!((&mine["author"], &his["author"]), (&by_ann, &json!(2)));
    ann.get("/api/v2/articles/1/").await.is(200, mine.clone());
    let mut nested = his.clone();
    nested["author"] = by_bob;
    let both = json!({ "next": null, "previous": null, "results": [mine, nested] });
    ann.get("/api/v2/articles/").await.is(200, both);
    assert_eq!(ann.get("/api/articles/1/").await.ok::<Value>()["author"], json!(1));
    let patched: Value = ann.patch("/api/v2/articles/1/", json!({ "title": "Straw" })).await.ok();
    assert_eq!((&patched["title"], &patched["author"]), (&json!("Straw"), &by_ann));
}

/// What an entity tag names is the bytes, and those are not the same.
#[actix_web::test]
async fn each_face_of_an_article_has_a_tag_of_its_own() {
    let (_, ann) = ann().await;
    ann.post("/api/articles/", json!({ "title": "Hay", "body": "…" })).await.status(201);
    let tag = async |path: &str| ann.get(path).await.status(200).header("etag").unwrap().to_owned();
    let (v1, v2) = (tag("/api/articles/1/").await, tag("/api/v2/articles/1/").await);
    assert_ne!(v1, v2);
    let change = |path: &str, tag: &str| ann.patch(path, json!({ "title": "Straw" })).header("if-match", tag);
    let words = "It is not as the request expects it to be. Nothing was changed.";
    let refused = problem(412, "Precondition Failed", json!({ "detail": words }));
    change("/api/v2/articles/1/", &v1).await.is(412, refused);
    change("/api/v1/articles/1/", &v2).await.is(412, json!({ "detail": words }));
    change("/api/v2/articles/1/", &v2).await.status(200);
    let v2 = tag("/api/v2/articles/1/").await;
    ann.delete("/api/v2/articles/1/").header("if-match", &v2).await.is_empty(204);
}

#[actix_web::test]
async fn what_is_sent_twice_with_one_key_has_the_face_that_it_was_asked_for() {
    let (_, ann) = ann().await;
    let make = |path: &str| ann.post(path, json!({ "title": "Hay", "body": "…" })).header("idempotency-key", "\"k1\"");
    let first: Value = make("/api/v2/articles/").await.status(201).json();
    assert_eq!(first["author"]["username"], "ann");
    make("/api/v2/articles/").await.is(201, first);
    let words = "This Idempotency-Key has been used for another request. Nothing was changed.";
    make("/api/v2/tasks/").await.is(422, problem(422, "Unprocessable Entity", json!({ "detail": words })));
    assert_eq!(ann.get("/api/articles/").await.ok::<Value>()["count"], 1);
}

#[actix_web::test]
async fn cursors_lead_through_a_list_and_back_in_any_order() {
    let (app, ann) = ann().await;
    for n in 1..=23 {
        app.clock.advance(seconds(1));
        let due = (n % 3 != 0).then(|| format!("2026-12-{:02}", 1 + n % 5));
        let task = json!({ "title": format!("t{:02}", n % 7), "completed": n % 2 == 0, "due_date": due });
        ann.post("/api/tasks/", task).await.status(201);
    }
    let rows = |pages: &[Value]| -> Vec<Value> {
        pages.iter().flat_map(|page| page["results"].as_array().unwrap().clone()).collect()
    };
    for field in ["id", "title", "completed", "due_date", "created_at", "updated_at"] {
        for (descending, ordering) in [(false, field.to_owned()), (true, format!("-{field}"))] {
            let forward = walk(&ann, &format!("/api/v2/tasks/?ordering={ordering}"), "next").await;
            let there = rows(&forward);
            assert_eq!(forward.iter().map(|page| titles(page).len()).collect::<Vec<_>>(), [10, 10, 3], "{ordering}");
            // In v1 what has nothing there comes first when it ascends; in v2 it is always last.
            let mut expected: Vec<Value> =
                (1..=23).map(|id| there.iter().find(|row| row["id"] == id).unwrap().clone()).collect();
            expected.sort_by_key(|row| {
                let value = &row[field];
                (value.as_i64(), value.as_bool(), value.as_str().map(str::to_owned), row["id"].as_i64())
            });
            if descending {
                expected.reverse();
            }
            expected.sort_by_key(|row| row[field].is_null());
            assert_eq!(there, expected, "{ordering}");

            let last = &forward[1]["next"].as_str().unwrap().to_owned();
            let back = walk(&ann, &last[last.find("/api/").unwrap()..], "previous").await;
            assert_eq!(back.len(), 3, "{ordering}");
            let mut backward = back;
            backward.reverse();
            assert_eq!(rows(&backward), there, "{ordering}");
        }
    }
}

#[actix_web::test]
async fn a_cursor_stays_where_it_is_while_rows_come_and_go() {
    let (_, ann) = ann().await;
    for n in 1..=15 {
        ann.post("/api/tasks/", json!({ "title": format!("t{n:02}") })).await.status(201);
    }
    let first: Value = ann.get("/api/v2/tasks/?search=t&ordering=title").await.ok();
    let next = first["next"].as_str().unwrap();
    let next = &next[next.find("/api/").unwrap()..];
    assert!(next.contains("search=t") && next.contains("ordering=title"), "{next}");
    // What was on the first page goes, the row at its edge with it; something comes before.
    for id in [1, 2, 10] {
        ann.delete(&format!("/api/tasks/{id}/")).await.is_empty(204);
    }
    ann.post("/api/tasks/", json!({ "title": "t00" })).await.status(201);
    let second: Value = ann.get(next).await.ok();
    assert_eq!(titles(&second), ["t11", "t12", "t13", "t14", "t15"]);
    let back = second["previous"].as_str().unwrap();
    let before: Value = ann.get(&back[back.find("/api/").unwrap()..]).await.ok();
    assert_eq!(titles(&before), ["t00", "t03", "t04", "t05", "t06", "t07", "t08", "t09"]);
    assert_eq!(before["previous"], Value::Null);
}

#[actix_web::test]
async fn a_cursor_that_was_not_given_is_not_found() {
    let (_, ann) = ann().await;
    for n in 1..=11 {
        ann.post("/api/tasks/", json!({ "title": format!("t{n:02}") })).await.status(201);
    }
    let page: Value = ann.get("/api/v2/tasks/?ordering=title").await.ok();
    let by_title =
        page["next"].as_str().unwrap().rsplit_once("cursor=").unwrap().1.split('&').next().unwrap().to_owned();
    let refused = problem(404, "Not Found", json!({ "detail": "Invalid cursor" }));
    // Rubbish; no JSON; too little; null where nothing is null; a place in another order; a number beyond numbers.
    for cursor in ["x", "e30", "WzFd", "W251bGwsMSxmYWxzZV0", &by_title, "WzFlNDAwLDEsZmFsc2Vd", "%00"] {
        ann.get(&format!("/api/v2/tasks/?cursor={cursor}")).await.is(404, refused.clone());
    }
    assert_eq!(ann.get("/api/v2/tasks/?cursor=&page=7").await.ok::<Value>()["results"].as_array().unwrap().len(), 10);
    ann.get("/api/tasks/?page=2&cursor=x").await.status(200);
}

#[actix_web::test]
async fn a_cursor_shows_nobody_elses_rows() {
    let (app, ann) = ann().await;
    let bob = app.user("bob").await.signed_in().await;
    for n in 1..=11 {
        ann.post("/api/tasks/", json!({ "title": format!("t{n}") })).await.status(201);
    }
    bob.post("/api/tasks/", json!({ "title": "bob's" })).await.status(201);
    let next = ann.get("/api/v2/tasks/").await.ok::<Value>()["next"].as_str().unwrap().to_owned();
    assert_eq!(titles(&bob.get(&next[next.find("/api/").unwrap()..]).await.ok()), ["bob's"]);
}

#[actix_web::test]
async fn every_list_goes_by_cursor() {
    let (app, _) = ann().await;
    let root = app.user("root").superuser().await.signed_in().await;
    for n in 0..11 {
        app.clock.advance(seconds(1));
        app.user(&format!("user{n}")).await.signed_in().await;
        root.post("/api/keys/", json!({ "name": format!("k{n}"), "scopes": ["*"] })).await.status(201);
        root.post("/api/invitations/", json!({ "email": format!("new{n}@example.org") })).await.status(201);
        root.post("/api/token/", json!({ "username": "root", "password": PASSWORD })).await.status(200);
    }
    for (path, total) in
        [("/api/v2/users/", 13), ("/api/v2/keys/", 11), ("/api/v2/invitations/", 11), ("/api/v2/sessions/", 12)]
    {
        let pages = walk(&root, path, "next").await;
        let seen: Vec<Value> = pages.iter().flat_map(|page| page["results"].as_array().unwrap().clone()).collect();
        let numbered: Value = root.get(&path.replace("v2/", "")).await.ok();
        assert_eq!(numbered["results"].as_array().unwrap()[..], seen[..10], "{path}");
        assert_eq!((pages.len(), seen.len(), &numbered["count"]), (2, total, &json!(total)), "{path}");
        let back = pages[1]["previous"].as_str().unwrap();
        let before: Value = root.get(&back[back.find("/api/").unwrap()..]).await.ok();
        assert_eq!(before["results"], pages[0]["results"], "{path}");
    }
}

async fn stranger_checks(app: &TestApp) -> Answer {
    app.anonymous().post("/api/v2/token/check/", json!({ "token": "x" })).await
}

#[actix_web::test]
async fn errors_are_problems() {
    let app = TestApp::with(|settings| settings.throttle.anon = Some("6/day".parse().unwrap())).await;
    let ann = app.user("ann").await.signed_in().await;
    let stranger = app.anonymous();
    let not_valid = |errors: Value| json!({ "detail": "The request is not valid.", "errors": errors });
    let required = json!([{ "detail": "This field is required.", "pointer": "#/title" }]);
    for (answer, expected) in [
        (ann.post("/api/v2/tasks/", json!({})).await, problem(400, "Bad Request", not_valid(required))),
        (
            ann.post("/api/v2/token/check/", json!({ "token": "x" })).await,
            problem(400, "Bad Request", json!({ "valid": false, "detail": "Token is invalid" })),
        ),
        (
            ann.get("/api/v2/tasks/?search=%00").await,
            problem(400, "Bad Request", json!({ "detail": "Null characters are not allowed." })),
        ),
        (
            stranger.get("/api/v2/tasks/").await,
            problem(401, "Unauthorized", json!({ "detail": "Authentication credentials were not provided." })),
        ),
        (
            stranger.post("/api/v2/login/", json!({ "username": "ann", "password": "wrong" })).await,
            problem(401, "Unauthorized", json!({ "detail": "Invalid credentials" })),
        ),
        (
            ann.get("/api/v2/admin-only/").await,
            problem(403, "Forbidden", json!({ "detail": "You do not have permission to perform this action." })),
        ),
        (
            ann.get("/api/v2/tasks/9/").await,
            problem(404, "Not Found", json!({ "detail": "No Task matches the given query." })),
        ),
        (ann.get("/api/v2/nowhere/").await, problem(404, "Not Found", json!({ "detail": "Not found." }))),
        (
            ann.put("/api/v2/tasks/", json!({})).await,
            problem(405, "Method Not Allowed", json!({ "detail": "Method \"PUT\" not allowed." })),
        ),
        (
            ann.get("/api/v2/tasks/").header("accept", "text/csv").await,
            problem(406, "Not Acceptable", json!({ "detail": "Could not satisfy the request Accept header." })),
        ),
    ] {
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        answer.is(expected["status"].as_u64().unwrap().try_into().unwrap(), expected);
    }
    let unauthorized = stranger.bearing("x.y.z").get("/api/v2/hello/").await;
    assert!(unauthorized.header("www-authenticate").is_some_and(|value| value.starts_with("Bearer")));
    assert_eq!((unauthorized.status.as_u16(), &unauthorized.json()["code"]), (401, &json!("token_not_valid")));
    let mut last = stranger_checks(&app).await;
    for _ in 0..6 {
        last = stranger_checks(&app).await;
    }
    assert!(last.header("retry-after").is_some());
    assert_eq!(last.json()["title"], "Too Many Requests");
    let form = ann.post("/api/v2/tasks/", form("title=")).await.status(400);
    assert_eq!(form.json()["errors"][0]["detail"], "This field may not be blank.");
    let spread = ann.get("/api/v2/tasks/9/").header("accept", "application/json; indent=2").await;
    assert!(spread.text().starts_with("{\n  \""), "{}", spread.text());
    // The same in v1 stays what it was.
    ann.post("/api/v1/tasks/", json!({})).await.is(400, json!({ "title": ["This field is required."] }));
}

/// Whatever route refuses, in whatever words of its own.
#[actix_web::test]
async fn no_refusal_of_v2_is_anything_but_a_problem() {
    let (app, ann) = ann().await;
    let document: Value = app.anonymous().get("/api/schema/").await.ok();
    let mut refused = 0;
    for (path, _, _) in operations(&document) {
        let Some(rest) = path.strip_prefix("/api/v2/") else { continue };
        let path = format!("/api/v2/{}", rest.replace("{id}", "4711"));
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            for client in [&app.anonymous(), &ann] {
                // Not what would end the session that asks.
                if rest.starts_with("logout/all") || (rest == "users/me/" && method == Method::DELETE) {
                    continue;
                }
                let answer = client.request(method.clone(), &path).body(json!({ "otp": 7, "password": [] })).await;
                if answer.status.is_client_error() {
                    let told = answer.json();
                    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{method} {path}");
                    assert_eq!(told["status"], answer.status.as_u16(), "{method} {path}");
                    assert_eq!(told["title"], answer.status.canonical_reason().unwrap(), "{method} {path}");
                    refused += 1;
                }
            }
        }
    }
    assert!(refused > 300, "{refused}");
}
