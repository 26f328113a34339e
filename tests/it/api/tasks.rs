//! Tasks: everyone has their own, and nobody else's exist.

use std::future::IntoFuture;

use futures_util::future::join;
use serde_json::{Value, json};

use crate::support::app::{TestApp, minutes};
use crate::support::client::{Body, Client, form, multipart};
use crate::support::people::Person;

const NO_TASK: &str = "No Task matches the given query.";

fn missing() -> Value {
    json!({ "detail": NO_TASK })
}

async fn made(client: &Client, title: &str) -> Value {
    client.post("/api/tasks/", json!({ "title": title })).await.status(201).json()
}

fn path(task: &Value) -> String {
    format!("/api/tasks/{}/", task["id"])
}

async fn ann() -> (TestApp, Person, Client) {
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    let client = ann.signed_in().await;
    (app, ann, client)
}

#[actix_web::test]
async fn a_task_comes_back_as_it_was_given_with_what_the_server_adds() {
    let (_, person, ann) = ann().await;
    let given = json!({
        "title": "  Buy milk \u{1f95b} ",
        "description": "<b>two</b> litres",
        "completed": "yes",
        "due_date": "2026-02-28",
        "id": 77,
        "user": 77,
        "created_at": "1999-01-01T00:00:00Z",
        "unknown": true,
    });
    let task = ann.post("/api/tasks/", given).await.status(201);
    let expected = json!({
        "id": 1,
        "title": "Buy milk \u{1f95b}",
        "description": "<b>two</b> litres",
        "completed": true,
        "due_date": "2026-02-28",
        "user": person.id,
        "created_at": "2026-01-01T12:00:00Z",
        "updated_at": "2026-01-01T12:00:00Z",
    });
    let task = task.is(201, expected.clone()).json();
    ann.get(&path(&task)).await.is(200, expected.clone());
    ann.get("/api/tasks/").await.is(200, json!({ "count": 1, "next": null, "previous": null, "results": [expected] }));
}

#[actix_web::test]
async fn what_is_left_out_of_a_new_task_has_its_default() {
    let (_, person, ann) = ann().await;
    ann.post("/api/tasks/", json!({ "title": "Buy milk" })).await.is(
        201,
        json!({
            "id": 1,
            "title": "Buy milk",
            "description": "",
            "completed": false,
            "due_date": null,
            "user": person.id,
            "created_at": "2026-01-01T12:00:00Z",
            "updated_at": "2026-01-01T12:00:00Z",
        }),
    );
}

#[actix_web::test]
async fn every_fault_of_a_body_is_told_at_once_and_field_by_field() {
    let (_, _, ann) = ann().await;
    let given =
        json!({ "title": "x".repeat(201), "description": null, "completed": "maybe", "due_date": "2026-02-30" });
    ann.post("/api/tasks/", given).await.is(
        400,
        json!({
            "title": ["Ensure this field has no more than 200 characters."],
            "description": ["This field may not be null."],
            "completed": ["Must be a valid boolean."],
            "due_date": ["Date has wrong format. Use one of these formats instead: YYYY-MM-DD."],
        }),
    );
    for (body, told) in [
        (Body::from(()), json!({ "title": ["This field is required."] })),
        (json!({ "title": " " }).into(), json!({ "title": ["This field may not be blank."] })),
        (json!({ "title": ["a"] }).into(), json!({ "title": ["Not a valid string."] })),
        (json!({ "title": "a\u{0}" }).into(), json!({ "title": ["Null characters are not allowed."] })),
        (json!(null).into(), json!({ "non_field_errors": ["No data provided"] })),
        (
            json!([{ "title": "a" }]).into(),
            json!({ "non_field_errors": ["Invalid data. Expected a dictionary, but got list."] }),
        ),
    ] {
        ann.post("/api/tasks/", body).await.is(400, told);
    }
    let malformed = ann.post("/api/tasks/", Body::of("application/json", "{\"title\":")).await.status(400).json();
    assert!(malformed["detail"].as_str().unwrap().starts_with("JSON parse error - "), "{malformed}");
    ann.post("/api/tasks/", Body::of("text/plain", "title=a"))
        .await
        .is(415, json!({ "detail": "Unsupported media type \"text/plain\" in request." }));
    assert_eq!(ann.get("/api/tasks/").await.json()["count"], 0);
}

#[actix_web::test]
async fn a_patch_changes_what_it_names_and_an_empty_one_the_time_alone() {
    let (app, _, ann) = ann().await;
    let mut task = made(&ann, "Buy milk").await;
    app.clock.advance(minutes(1));
    task["completed"] = json!(true);
    task["updated_at"] = json!("2026-01-01T12:01:00Z");
    ann.patch(&path(&task), json!({ "completed": true })).await.is(200, task.clone());
    app.clock.advance(minutes(1));
    task["updated_at"] = json!("2026-01-01T12:02:00Z");
    ann.patch(&path(&task), json!({})).await.is(200, task.clone());
    ann.get(&path(&task)).await.is(200, task);
}

#[actix_web::test]
async fn a_put_needs_what_is_required_and_leaves_alone_what_json_leaves_out() {
    let (app, _, ann) = ann().await;
    let given = json!({ "title": "Buy milk", "completed": true, "due_date": "2026-02-28" });
    let mut task = ann.post("/api/tasks/", given).await.status(201).json();
    app.clock.advance(minutes(1));
    ann.put(&path(&task), json!({ "completed": false })).await.is(400, json!({ "title": ["This field is required."] }));
    task["title"] = json!("Buy oat milk");
    task["updated_at"] = json!("2026-01-01T12:01:00Z");
    ann.put(&path(&task), json!({ "title": "Buy oat milk" })).await.is(200, task);
}

#[actix_web::test]
async fn forms_are_bodies_too_and_mean_no_by_leaving_a_box_out() {
    let (_, _, ann) = ann().await;
    let task = ann.post("/api/tasks/", form("title=Buy+milk&completed=on&due_date=")).await.status(201).json();
    assert_eq!(
        (&task["title"], &task["completed"], &task["due_date"]),
        (&json!("Buy milk"), &json!(true), &Value::Null)
    );

    let fields = [("title", "Buy oat milk"), ("due_date", "2026-02-28")];
    let task = ann.put(&path(&task), multipart(&fields)).await.status(200).json();
    assert_eq!(task["title"], "Buy oat milk");
    assert_eq!((&task["completed"], &task["due_date"]), (&json!(false), &json!("2026-02-28")));

    let task = ann.patch(&path(&task), form("completed=1")).await.status(200).json();
    let task = ann.patch(&path(&task), form("title=Milk")).await.status(200).json();
    assert_eq!(task["completed"], true); // a PATCH says nothing by leaving out
    let bad = ann.post("/api/tasks/", Body::of("multipart/form-data", "title=a")).await.status(400).json();
    assert!(bad["detail"].as_str().unwrap().starts_with("Multipart form parse error - "), "{bad}");
}

/// API-01.
#[actix_web::test]
async fn anothers_task_does_not_exist_not_even_for_a_superuser() {
    let (app, _, ann) = ann().await;
    let task = made(&ann, "Buy milk").await;
    let others = [app.user("bob").await.signed_in().await, app.user("root").superuser().await.signed_in().await];
    for other in others {
        for (what, answer) in [
            ("GET", other.get(&path(&task)).await),
            ("PUT", other.put(&path(&task), json!({ "title": "mine" })).await),
            ("PUT of nothing good", other.put(&path(&task), json!({})).await),
            ("PATCH", other.patch(&path(&task), json!({ "title": "mine" })).await),
            ("DELETE", other.delete(&path(&task)).await),
            ("none there", other.get("/api/tasks/999/").await),
        ] {
            assert_eq!((answer.status.as_u16(), answer.json()), (404, missing()), "{what}");
        }
        let list = other.get("/api/tasks/?search=milk").await;
        list.is(200, json!({ "count": 0, "next": null, "previous": null, "results": [] }));
    }
    ann.get(&path(&task)).await.is(200, task);
}

#[actix_web::test]
async fn a_deleted_task_is_gone() {
    let (_, _, ann) = ann().await;
    let task = made(&ann, "Buy milk").await;
    ann.delete(&path(&task)).await.is_empty(204);
    ann.get(&path(&task)).await.is(404, missing());
    ann.delete(&path(&task)).await.is(404, missing());
}

#[actix_web::test]
async fn an_id_is_read_as_django_reads_it() {
    let (_, _, ann) = ann().await;
    let task = made(&ann, "Buy milk").await;
    for id in ["1", "01", "+1", "%2B1"] {
        ann.get(&format!("/api/tasks/{id}/")).await.is(200, task.clone());
    }
    for id in ["0", "-1", "2", "99999999999999999999999"] {
        ann.get(&format!("/api/tasks/{id}/")).await.is(404, missing());
    }
    for id in ["abc", "1e3", "1%00", "%D9%A1", "1%20", "null"] {
        ann.get(&format!("/api/tasks/{id}/")).await.is(404, json!({ "detail": "Not found." }));
    }
}

#[actix_web::test]
async fn two_changes_at_once_both_count() {
    let (_, _, ann) = ann().await;
    for round in 0..20 {
        let task = made(&ann, "Buy milk").await;
        let path = path(&task);
        let title = ann.patch(&path, json!({ "title": format!("Round {round}") })).into_future();
        let done = ann.patch(&path, json!({ "completed": true })).into_future();
        let (title, done) = join(title, done).await;
        title.status(200);
        done.status(200);
        let task = ann.get(&path).await.json();
        assert_eq!((&task["title"], &task["completed"]), (&json!(format!("Round {round}")), &json!(true)));
    }
}

#[actix_web::test]
async fn a_change_and_a_delete_at_once_leave_nothing_half_done() {
    let (_, _, ann) = ann().await;
    for _ in 0..20 {
        let task = made(&ann, "Buy milk").await;
        let path = path(&task);
        let change = ann.patch(&path, json!({ "completed": true })).into_future();
        let (change, delete) = join(change, ann.delete(&path).into_future()).await;
        delete.is_empty(204);
        assert!([200, 404].contains(&change.status.as_u16()), "{change:?}");
        ann.get(&path).await.is(404, missing());
    }
}

#[actix_web::test]
async fn options_tell_the_fields_of_what_one_may_do() {
    let (app, _, ann) = ann().await;
    let task = made(&ann, "Buy milk").await;
    let fields = json!({
        "id": { "type": "integer", "required": false, "read_only": true, "label": "ID" },
        "title": { "type": "string", "required": true, "read_only": false, "label": "Title", "max_length": 200 },
        "description": { "type": "string", "required": false, "read_only": false, "label": "Description" },
        "completed": { "type": "boolean", "required": false, "read_only": false, "label": "Completed" },
        "due_date": { "type": "date", "required": false, "read_only": false, "label": "Due date" },
        "user": { "type": "field", "required": false, "read_only": true, "label": "User" },
        "created_at": { "type": "datetime", "required": false, "read_only": true, "label": "Created at" },
        "updated_at": { "type": "datetime", "required": false, "read_only": true, "label": "Updated at" },
    });
    let described = |name: &str, actions: Option<Value>| {
        let mut told = json!({
            "name": name,
            "description": "",
            "renders": ["application/json"],
            "parses": ["application/json", "application/x-www-form-urlencoded", "multipart/form-data"],
        });
        if let Some(actions) = actions {
            told["actions"] = actions;
        }
        told
    };
    let list = ann.options("/api/tasks/").await;
    assert_eq!(list.header("allow"), Some("GET, POST, HEAD, OPTIONS"));
    list.is(200, described("Task List", Some(json!({ "POST": fields }))));
    let item = ann.options(&path(&task)).await;
    assert_eq!(item.header("allow"), Some("GET, PUT, PATCH, DELETE, HEAD, OPTIONS"));
    item.is(200, described("Task Instance", Some(json!({ "PUT": fields }))));
    let bob = app.user("bob").await.signed_in().await;
    bob.options(&path(&task)).await.is(200, described("Task Instance", None));
    app.anonymous().options("/api/tasks/").await.status(401);
}

#[actix_web::test]
async fn a_suffix_or_a_parameter_names_the_format_and_json_is_all_there_is() {
    let (_, _, ann) = ann().await;
    let task = made(&ann, "Buy milk").await;
    let item = format!("/api/tasks/{}", task["id"]);
    for path in [format!("{item}.json"), format!("{item}.json/"), format!("{item}/?format=json")] {
        ann.get(&path).await.is(200, task.clone());
    }
    for path in ["/api/tasks.json", "/api/tasks.json/", "/api/v1/tasks.json", "/api/tasks/?format=json"] {
        assert_eq!(ann.get(path).await.status(200).json()["count"], 1, "{path}");
    }
    for path in ["/api/tasks.xml", "/api/tasks/?format=api", "/api/tasks/?format=xml"] {
        ann.get(path).await.is(404, json!({ "detail": "Not found." }));
    }
    let accept = |value: &str| ann.get("/api/hello/").header("accept", value);
    for value in ["application/json", "*/*", "text/html", "application/*;q=0.1", "text/html,application/json"] {
        accept(value).await.is(200, json!({ "message": "Hello, ann" }));
    }
    let unsatisfied = json!({ "detail": "Could not satisfy the request Accept header." });
    accept("image/png").await.is(406, unsatisfied);
    assert_eq!(accept("application/json; indent=4").await.text(), "{\n    \"message\": \"Hello, ann\"\n}");
}

#[actix_web::test]
async fn what_is_asked_wrongly_is_told_in_the_order_of_the_contract() {
    let (app, _, ann) = ann().await;
    let nobody = app.anonymous();
    let not_allowed = |method: &str| json!({ "detail": format!("Method \"{method}\" not allowed.") });
    ann.delete("/api/tasks/").await.is(405, not_allowed("DELETE"));
    nobody.delete("/api/tasks/").await.status(401); // credentials first
    nobody.get("/api/tasks/?format=xml").await.is(404, json!({ "detail": "Not found." })); // the format before them
    ann.request("TRACE".parse().unwrap(), "/api/tasks/").await.is(405, not_allowed("TRACE"));
    ann.put("/api/tasks/999/", Body::of("text/plain", "x")).await.is(404, missing()); // the object before its body
    let override_it =
        ann.post("/api/tasks/", json!({ "title": "Milk" })).header("x-http-method-override", "DELETE").await;
    override_it.status(201); // API-05
}

/// API-07.
#[actix_web::test]
async fn a_body_over_the_limit_is_refused() {
    let app = TestApp::with(|settings| settings.server.body_limit = 1000).await;
    let ann = app.user("ann").await.signed_in().await;
    let long = json!({ "title": "Milk", "description": "x".repeat(1000) });
    ann.post("/api/tasks/", long).await.is(413, json!({ "detail": "The request body is too large." }));
    ann.post("/api/tasks/", form(&"x".repeat(1001))).await.status(413);
    ann.post("/api/tasks/", multipart(&[("title", &"x".repeat(1000))])).await.status(413);
    assert_eq!(ann.get("/api/tasks/").await.json()["count"], 0);
}
