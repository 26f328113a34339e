//! One's own sessions and devices: `/api/sessions/`; and the older single-token sign-in.

use serde_json::{Value, json};

use crate::support::app::{TestApp, minutes};
use crate::support::client::Client;
use crate::support::people::{PASSWORD, Pair};
use crate::support::token::claims;

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";

async fn sign_in_with(app: &TestApp, agent: &str) -> Pair {
    let credentials = json!({ "username": "ann", "password": PASSWORD });
    app.anonymous().post("/api/token/", credentials).header("User-Agent", agent).await.ok()
}

async fn list(client: &Client) -> Vec<Value> {
    client.get("/api/sessions/").await.ok::<Value>()["results"].as_array().unwrap().clone()
}

#[actix_web::test]
async fn a_user_sees_every_device_and_which_one_is_this() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    let laptop = sign_in_with(&app, FIREFOX).await;
    app.clock.advance(minutes(1));
    let script = sign_in_with(&app, "curl/8.5.0").await;
    let here = ann.with(&script.access);

    let sessions = list(&here).await;
    assert_eq!(sessions.len(), 2);
    assert_eq!(sessions[0]["id"], claims(&script.access)["sid"]);
    assert_eq!(sessions[1]["id"], claims(&laptop.access)["sid"]);
    assert_eq!([&sessions[0]["name"], &sessions[1]["name"]], ["curl 8.5.0", "Firefox on Linux"]);
    assert_eq!([&sessions[0]["current"], &sessions[1]["current"]], [true, false]);
    let keys: Vec<&String> = sessions[0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["id", "name", "created_at", "last_seen", "ip", "user_agent", "current"]);
}

#[actix_web::test]
async fn a_device_that_is_ended_is_out_at_once_and_off_the_list() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    let (here, lost) = (ann.obtain().await, ann.obtain().await);
    let path = format!("/api/sessions/{}/", claims(&lost.access)["sid"].as_str().unwrap());

    ann.with(&here.access).delete(&path).await.is_empty(204);

    ann.with(&lost.access).get("/api/hello/").await.status(401);
    ann.refresh(&lost.refresh).await.status(401);
    assert_eq!(list(&ann.with(&here.access)).await.len(), 1);
    let gone = json!({ "detail": "No Session matches the given query." });
    ann.with(&here.access).delete(&path).await.is(404, gone);
}

#[actix_web::test]
async fn all_other_devices_end_and_this_one_goes_on() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    let (here, one, other) = (ann.obtain().await, ann.obtain().await, ann.obtain().await);

    ann.with(&here.access).delete("/api/sessions/").await.is_empty(204);

    for pair in [&one, &other] {
        ann.with(&pair.access).get("/api/hello/").await.status(401);
        ann.refresh(&pair.refresh).await.status(401);
    }
    ann.with(&here.access).get("/api/hello/").await.status(200);
    ann.refresh(&here.refresh).await.status(200);
}

#[actix_web::test]
async fn a_device_can_be_named_and_get_its_own_name_back() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    let pair = sign_in_with(&app, FIREFOX).await;
    let here = ann.with(&pair.access);
    let path = format!("/api/sessions/{}/", claims(&pair.access)["sid"].as_str().unwrap());

    let renamed: Value = here.patch(&path, json!({ "name": " kitchen " })).await.ok();
    assert_eq!(renamed["name"], "kitchen");
    assert_eq!(here.get(&path).await.ok::<Value>()["name"], "kitchen");
    assert_eq!(here.patch(&path, json!({ "name": "" })).await.ok::<Value>()["name"], "Firefox on Linux");
    let long = json!({ "name": ["Ensure this field has no more than 100 characters."] });
    here.patch(&path, json!({ "name": "x".repeat(101) })).await.is(400, long);
}

#[actix_web::test]
async fn somebody_elses_session_does_not_exist() {
    let app = TestApp::new().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let (hers, his) = (ann.obtain().await, bob.obtain().await);
    let path = format!("/api/sessions/{}/", claims(&hers.access)["sid"].as_str().unwrap());
    let gone = json!({ "detail": "No Session matches the given query." });

    let him = bob.with(&his.access);
    him.get(&path).await.is(404, gone.clone());
    him.patch(&path, json!({ "name": 5.5 })).await.is(404, gone.clone());
    him.delete(&path).await.is(404, gone.clone());
    him.get("/api/sessions/nonsense/").await.is(404, gone);
    ann.with(&hers.access).get("/api/hello/").await.status(200);
}

/// T8: what `djangorestframework-jwt` answered.
#[actix_web::test]
async fn the_older_sign_in_gives_one_token_or_one_refusal() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    let login = |body: Value| app.anonymous().post("/api/login/", body);

    let given: Value = login(json!({ "username": "ann", "password": PASSWORD })).await.ok();
    assert_eq!(given.as_object().unwrap().len(), 1);
    ann.with(given["token"].as_str().unwrap()).get("/api/hello/").await.is(200, json!({ "message": "Hello, ann" }));

    let refused = json!({ "error": "Invalid credentials" });
    for body in
        [json!({ "username": "ann", "password": "wrong" }), json!({ "username": "nobody" }), json!([]), json!({})]
    {
        login(body).await.is(401, refused.clone());
    }
}
