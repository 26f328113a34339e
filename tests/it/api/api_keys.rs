//! API keys: made and shown once, what becomes of a wrong one, and how each ends.

use aws_lc_rs::digest::{SHA256, digest};
use diesel::prelude::*;
use portcullis::db::schema::{api_key_secrets, api_keys};
use portcullis::model::api_key::{self, NewApiKey};
use serde_json::{Value, json};

use crate::support::app::{TestApp, days, hours, minutes, no_limits, seconds};
use crate::support::client::{Answer, Client};
use crate::support::people::{ApiKey, Person};
use crate::support::process::eventually;
use crate::support::statements::{sent, watch};
use crate::support::token::not_valid;

fn invalid() -> Value {
    json!({ "detail": "Invalid API key" })
}

/// KEY-01: the whole life of what is shown, and what is kept.
#[actix_web::test]
async fn a_key_is_shown_once_and_its_digest_alone_is_kept() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await.signed_in().await;
    let given = json!({
        "name": "nightly", "scopes": ["tasks.view", "articles.add"], "expires_at": "2026-02-01T12:00:00+02:00",
        "ip_ranges": ["192.0.2.0/24", "2001:db8::1", "10.1.2.3/8"], "id": 77, "prefix": "mine",
    });
    let answer = ann.post("/api/keys/", given).await.status(201);
    let key: ApiKey = serde_json::from_value(answer.json()).unwrap();
    let shown = json!({
        "id": 1, "name": "nightly", "prefix": key.prefix, "scopes": ["articles.add", "tasks.view"],
        "created_at": "2026-01-01T12:00:00Z", "expires_at": "2026-02-01T10:00:00Z", "last_used_at": null,
        "ip_ranges": ["192.0.2.0/24", "2001:db8::1/128", "10.0.0.0/8"],
    });
    let mut with_key = shown.clone();
    with_key["key"] = json!(key.key);
    answer.is(201, with_key);
    let secret = key.key.strip_prefix(&format!("{}_", key.prefix)).unwrap();
    assert!(key.prefix.starts_with("pcl_") && secret.len() * 4 >= 128, "{}", key.key);

    ann.get("/api/keys/1/").await.is(200, shown.clone());
    let page = json!({ "count": 1, "next": null, "previous": null, "results": [shown] });
    ann.get("/api/keys/").await.is(200, page.clone());
    ann.get("/api/v1/keys/").await.is(200, page);

    type Row = (i64, i64, String, String, Option<i64>);
    let kept: Vec<Row> = app.read(|conn| Ok(api_key_secrets::table.load(conn)?)).await;
    let sha = hex::encode(digest(&SHA256, key.key.as_bytes()));
    assert_eq!(kept, [(1, 1, key.prefix.clone(), sha, None)]);
    let rows: Vec<api_key::ApiKey> = app.read(|conn| Ok(api_keys::table.load(conn)?)).await;
    assert!(!format!("{rows:?}").contains(secret), "{rows:?}");
}

async fn hello(client: &Client) -> Answer {
    client.get("/api/hello/").await
}

/// CONTRACT 14, KEY-05.
#[actix_web::test]
async fn a_key_is_read_only_where_no_bearer_token_is_given() {
    let app = TestApp::new().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let key = ann.api_key(&["*"]).await.key;
    let bearer = bob.obtain().await.access;
    let hi = |name: &str| json!({ "message": format!("Hello, {name}") });
    let nobody = json!({ "detail": "Authentication credentials were not provided." });

    hello(&app.anonymous().keyed(&key)).await.is(200, hi("ann"));
    let wrong = hello(&app.anonymous().keyed("nope")).await.is(401, invalid());
    assert_eq!(wrong.header("www-authenticate"), Some("Bearer realm=\"api\""));
    for empty in ["", "  "] {
        hello(&app.anonymous().keyed(empty)).await.is(401, nobody.clone());
    }
    hello(&app.anonymous().keyed(&key).bearing(&bearer)).await.is(200, hi("bob"));
    hello(&app.anonymous().keyed("nope").bearing(&bearer)).await.is(200, hi("bob"));
    hello(&app.anonymous().keyed(&key).bearing("x")).await.is(401, not_valid("Token is invalid"));
    let other_scheme = |key: &str| app.anonymous().keyed(key).get("/api/hello/").header("authorization", "Basic x");
    other_scheme(&key).await.is(200, hi("ann"));
    other_scheme("nope").await.is(401, invalid());
    // Two are one with a comma between, which is no key.
    app.anonymous().keyed(&key).get("/api/hello/").header("x-api-key", &key).await.is(401, invalid());
    // On a view open to all a wrong key is still a 401; where credentials are not looked at, it is not.
    app.anonymous().keyed("nope").get("/api/").await.is(401, invalid());
    app.anonymous().keyed(&key).get("/api/").await.status(200);
    app.anonymous().keyed("nope").post("/api/token/verify/", json!({ "token": bearer })).await.status(200);
    app.anonymous().get(&format!("/api/hello/?x-api-key={key}")).await.is(401, nobody);
}

/// CONTRACT 22.
#[actix_web::test]
async fn who_comes_with_a_key_has_no_token_to_tell_of() {
    let app = TestApp::new().await;
    let key = app.user("ann").await.api_key(&["tasks.view"]).await.key;
    let told = json!({ "error": "No token provided" });
    app.anonymous().keyed(&key).get("/api/token/info/").await.is(200, told);
}

fn headers(answer: &Answer) -> Vec<String> {
    let mut lines: Vec<String> = answer.headers.iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
    lines.sort();
    lines
}

/// KEY-02: whatever is wrong with a key, the answer is one and the same, and so is what it costs: one read.
#[actix_web::test]
async fn wrong_keys_fail_alike() {
    watch();
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    let [good, expired, revoked, elsewhere] =
        [ann.api_key(&["*"]).await, ann.api_key(&["*"]).await, ann.api_key(&["*"]).await, ann.api_key(&["*"]).await];
    let client = ann.signed_in().await;
    let soon = (app.clock.now() + minutes(1)).rfc3339();
    client.patch(&format!("/api/keys/{}/", expired.id), json!({ "expires_at": soon })).await.status(200);
    client.patch(&format!("/api/keys/{}/", elsewhere.id), json!({ "ip_ranges": ["198.51.100.7"] })).await.status(200);
    client.delete(&format!("/api/keys/{}/", revoked.id)).await.is_empty(204);
    app.clock.advance(minutes(2));

    let sibling = format!("{}_{}", good.prefix, "0".repeat(48));
    let longer = format!("{}0", good.key);
    let upper = good.key.to_uppercase();
    let keys = [
        "nope",
        "ключ",
        &"x".repeat(5000),
        &good.prefix,
        &sibling,
        &longer,
        &upper,
        &expired.key,
        &revoked.key,
        &elsewhere.key,
    ];
    let first = hello(&app.anonymous().keyed("anything")).await;
    sent(&app);
    for key in keys {
        let answer = hello(&app.anonymous().keyed(key)).await.is(401, invalid());
        assert_eq!(headers(&answer), headers(&first), "{key}");
        let cost = sent(&app);
        assert!(cost.len() <= 2, "{key}: {cost:#?}"); // one for the key, one for its owner the first time
    }
    hello(&app.anonymous().keyed(&good.key)).await.status(200);
    hello(&app.anonymous().keyed(&elsewhere.key).at("198.51.100.7")).await.status(200);
}

/// The promise that a signed-in request costs no SQL holds for keys.
#[actix_web::test]
async fn a_warm_key_runs_no_sql_of_its_own() {
    watch();
    let app = TestApp::new().await;
    let key = app.user("ann").staff().premium().await.api_key(&["*"]).await.key;
    let ann = app.anonymous().keyed(&key);
    hello(&ann).await.status(200);
    settled(&app).await;
    assert_ne!(sent(&app), Vec::<String>::new()); // the first request: the key, its owner, its use
    for path in ["/api/hello/", "/api/admin-only/", "/api/premium/", "/api/token/info/", "/api/v1/data/"] {
        ann.get(path).await.status(200);
        assert_eq!(sent(&app), Vec::<String>::new(), "{path}");
    }
    assert_eq!(ann.get("/api/tasks/").await.status(200).json()["count"], 0);
    assert_eq!(sent(&app).len(), 2, "its own count and its own rows");
}

/// What was noted without anybody waiting is written: the writer takes its turns in order.
async fn settled(app: &TestApp) {
    app.write(|_| Ok(())).await;
}

#[actix_web::test]
async fn a_use_is_written_down_once_a_minute() {
    watch();
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    let key = ann.api_key(&["*"]).await.key;
    let client = app.anonymous().keyed(&key);
    let last_use = async || {
        settled(&app).await;
        let at: Option<i64> = app.read(|conn| Ok(api_keys::table.select(api_keys::last_used_at).first(conn)?)).await;
        at
    };
    let notes = || sent(&app).iter().filter(|sql| sql.starts_with("UPDATE") && sql.contains("last_used_at")).count();
    assert_eq!(last_use().await, None);
    sent(&app);

    let noon = app.clock.now();
    for _ in 0..5 {
        hello(&client).await.status(200);
    }
    assert_eq!((last_use().await, notes()), (Some(noon.micros()), 1));
    app.clock.advance(seconds(59));
    hello(&client).await.status(200);
    assert_eq!((last_use().await, notes()), (Some(noon.micros()), 0));
    app.clock.advance(seconds(1));
    hello(&client).await.status(200);
    hello(&client).await.status(200);
    assert_eq!((last_use().await, notes()), (Some((noon + seconds(60)).micros()), 1));
    let shown = ann.signed_in().await.get("/api/keys/1/").await.json();
    assert_eq!(shown["last_used_at"], "2026-01-01T12:01:00Z");
    // A refused key was not used.
    app.clock.advance(minutes(5));
    ann.deactivate().await;
    hello(&client).await.status(401);
    assert_eq!(last_use().await, Some((noon + seconds(60)).micros()));
}

/// KEY-03.
#[actix_web::test]
async fn revocation_expiry_and_the_owners_end_bite_at_once() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    let (one, other) = (ann.api_key(&["*"]).await, ann.api_key(&["*"]).await);
    let (first, second) = (app.anonymous().keyed(&one.key), app.anonymous().keyed(&other.key));
    hello(&first).await.status(200);
    ann.signed_in().await.delete(&format!("/api/keys/{}/", one.id)).await.is_empty(204);
    hello(&first).await.is(401, invalid());
    hello(&second).await.status(200);

    ann.deactivate().await;
    let disabled = hello(&second).await.is(401, json!({ "detail": "User account is disabled." }));
    assert_eq!(disabled.header("www-authenticate"), Some("Bearer realm=\"api\""));
    ann.activate().await;
    hello(&second).await.status(200);

    let end = (app.clock.now() + hours(1)).rfc3339();
    let path = format!("/api/keys/{}/", other.id);
    ann.signed_in().await.patch(&path, json!({ "expires_at": end })).await.status(200);
    hello(&second).await.status(200);
    app.clock.advance(minutes(59));
    hello(&second).await.status(200);
    app.clock.advance(minutes(1));
    hello(&second).await.is(401, invalid());
    ann.signed_in().await.patch(&path, json!({ "expires_at": null })).await.status(200);
    hello(&second).await.status(200);

    ann.delete().await;
    hello(&second).await.is(401, invalid());
}

/// A session's end is no key's: keys are for what goes on when nobody is there.
#[actix_web::test]
async fn signing_out_everywhere_ends_no_key() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    let key = ann.api_key(&["*"]).await.key;
    ann.signed_in().await.post("/api/logout/all/", ()).await.is_empty(205);
    hello(&app.anonymous().keyed(&key)).await.status(200);
}

#[actix_web::test]
async fn where_an_e_mail_must_be_verified_a_key_needs_it_too() {
    let app = TestApp::with(|settings| settings.accounts.require_verified_email = true).await;
    let ann = app.user("ann").await;
    let secret = api_key::new_secret().unwrap();
    let (id, now, kept) = (ann.id, app.clock.now(), secret.clone());
    let new = NewApiKey { user: id, name: "x".into(), scopes: "*".into(), ip_ranges: String::new(), expires_at: None };
    app.write(move |conn| Ok(api_key::insert(conn, &new, &kept, now)?.unwrap())).await;
    let client = app.anonymous().keyed(secret.expose());
    let told = json!({ "detail": "Email not verified.", "code": "email_not_verified" });
    hello(&client).await.is(401, told);
    ann.change(|changes| changes.email_verified = Some(true)).await;
    hello(&client).await.status(200);
}

#[actix_web::test]
async fn a_key_is_good_within_its_ranges_as_trusted_proxies_tell_them() {
    let app = TestApp::with(|settings| settings.server.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()]).await;
    let ann = app.user("ann").await;
    let key = ann.api_key(&["*"]).await;
    let path = format!("/api/keys/{}/", key.id);
    let ranges = json!({ "ip_ranges": ["203.0.113.0/24", "2001:db8::/32"] });
    ann.signed_in().await.patch(&path, ranges).await.status(200);
    let from = async |peer: &str, forwarded: &str| {
        let client = app.anonymous().keyed(&key.key).at(peer);
        let request = client.get("/api/hello/");
        let request = if forwarded.is_empty() { request } else { request.header("x-forwarded-for", forwarded) };
        request.await.status.as_u16()
    };
    for (peer, forwarded, status) in [
        ("203.0.113.9", "", 200),
        ("::ffff:203.0.113.9", "", 200),
        ("2001:db8::7", "", 200),
        ("203.0.114.9", "", 401),
        ("192.0.2.1", "203.0.113.9", 401), // anybody can write the header
        ("10.0.0.1", "203.0.113.9", 200),
        ("10.0.0.1", "203.0.113.9, 192.0.2.1", 401),
        ("10.0.0.1", "", 401),
    ] {
        assert_eq!(from(peer, forwarded).await, status, "{peer} {forwarded}");
    }
}

/// Of the rates a key is its owner: with ten keys nobody may ask ten times as often.
#[actix_web::test]
async fn a_key_counts_as_its_owner() {
    let app = TestApp::with(|settings| settings.throttle.user = Some("4/min".parse().unwrap())).await;
    let ann = app.user("ann").await;
    let [one, other] = [ann.api_key(&["*"]).await, ann.api_key(&["*"]).await]; // two requests to make them
    let (one, other) = (app.anonymous().keyed(&one.key), app.anonymous().keyed(&other.key));
    hello(&one).await.status(200);
    hello(&other).await.status(200);
    hello(&one).await.status(429);
    hello(&other).await.status(429);
    app.clock.advance(minutes(1));
    hello(&one).await.status(200);
}

/// Rotation with overlap.
#[actix_web::test]
async fn after_a_rotation_the_secret_before_goes_on_for_a_while() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    let first = ann.api_key(&["tasks.view"]).await;
    let path = format!("/api/keys/{}/rotate/", first.id);
    let with = |key: &ApiKey| app.anonymous().keyed(&key.key);
    hello(&with(&first)).await.status(200);

    let answer = ann.signed_in().await.post(&path, ()).await.status(200);
    let second: ApiKey = serde_json::from_value(answer.json()).unwrap();
    assert_ne!(second.prefix, first.prefix);
    let shown = json!({
        "id": first.id, "name": "script", "prefix": second.prefix, "scopes": ["tasks.view"],
        "created_at": "2026-01-01T12:00:00Z", "expires_at": null, "last_used_at": "2026-01-01T12:00:00Z",
        "ip_ranges": [], "key": second.key,
    });
    answer.is(200, shown);
    hello(&with(&first)).await.status(200);
    hello(&with(&second)).await.status(200);
    app.clock.advance(days(1) - seconds(1));
    hello(&with(&first)).await.status(200);
    app.clock.advance(seconds(1));
    hello(&with(&first)).await.is(401, invalid());
    hello(&with(&second)).await.status(200);

    // What leaked is ended at once, and what was still to go on for a day as well.
    let client = ann.signed_in().await;
    let third: ApiKey = client.post(&path, json!({ "overlap_hours": 24 })).await.status(200).ok();
    hello(&with(&second)).await.status(200);
    let fourth: ApiKey = client.post(&path, json!({ "overlap_hours": 0 })).await.status(200).ok();
    for dead in [&first, &second, &third] {
        hello(&with(dead)).await.is(401, invalid());
    }
    hello(&with(&fourth)).await.status(200);
    client.delete(&format!("/api/keys/{}/", first.id)).await.is_empty(204);
    hello(&with(&fourth)).await.is(401, invalid());
    let left: i64 = app.read(|conn| Ok(api_key_secrets::table.count().get_result(conn)?)).await;
    assert_eq!(left, 0);
}

#[actix_web::test]
async fn ten_secrets_of_a_key_are_good_at_a_time() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    let client = ann.signed_in().await;
    let mut keys = vec![ann.api_key(&["*"]).await];
    let path = format!("/api/keys/{}/rotate/", keys[0].id);
    for _ in 0..11 {
        keys.push(client.post(&path, json!({ "overlap_hours": 168 })).await.status(200).ok());
    }
    for (at, key) in keys.iter().enumerate() {
        hello(&app.anonymous().keyed(&key.key)).await.status(if at < 2 { 401 } else { 200 });
    }
}

/// KEY-03: what is another's is not there, whatever is asked of it.
#[actix_web::test]
async fn others_keys_do_not_exist() {
    let app = TestApp::new().await;
    let (ann, root) = (app.user("ann").await, app.user("root").superuser().await);
    let key = ann.api_key(&["*"]).await;
    let missing = json!({ "detail": "No ApiKey matches the given query." });
    for eve in [app.user("eve").await.signed_in().await, root.signed_in().await] {
        assert_eq!(eve.get("/api/keys/").await.status(200).json()["count"], 0);
        for id in [key.id.to_string(), "999".to_owned(), "99999999999999999999".to_owned()] {
            let path = format!("/api/keys/{id}/");
            eve.get(&path).await.is(404, missing.clone());
            eve.patch(&path, json!({ "name": "" })).await.is(404, missing.clone());
            eve.delete(&path).await.is(404, missing.clone());
            eve.post(&format!("{path}rotate/"), json!({ "overlap_hours": -1 })).await.is(404, missing.clone());
        }
        eve.get("/api/keys/x/").await.is(404, json!({ "detail": "Not found." }));
    }
    hello(&app.anonymous().keyed(&key.key)).await.status(200);
}

#[actix_web::test]
async fn what_is_wrong_with_a_key_is_told_field_by_field() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await.signed_in().await;
    let required = "This field is required.";
    let moment = "Datetime has wrong format. Use one of these formats instead: \
                  YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z].";
    let with = |field: &str, value: Value| {
        let mut given = json!({ "name": "x", "scopes": ["tasks.view"] });
        given[field] = value;
        given
    };
    let wrong: &[(Value, Value)] = &[
        (json!({}), json!({ "name": [required], "scopes": [required] })),
        (with("name", json!("")), json!({ "name": ["This field may not be blank."] })),
        (
            with("name", json!("x".repeat(101))),
            json!({ "name": ["Ensure this field has no more than 100 characters."] }),
        ),
        (with("scopes", json!([])), json!({ "scopes": ["This list may not be empty."] })),
        (with("scopes", json!(["", " "])), json!({ "scopes": ["This list may not be empty."] })),
        (with("scopes", json!("*")), json!({ "scopes": ["Expected a list of items but got type \"str\"."] })),
        (with("scopes", json!({})), json!({ "scopes": ["Expected a list of items but got type \"dict\"."] })),
        (with("scopes", json!(1)), json!({ "scopes": ["Expected a list of items but got type \"int\"."] })),
        (with("scopes", json!(null)), json!({ "scopes": ["This field may not be null."] })),
        (with("scopes", json!([["*"]])), json!({ "scopes": ["Not a valid string."] })),
        (
            with("scopes", json!(vec!["tasks.view"; 101])),
            json!({ "scopes": ["Ensure this field has no more than 100 elements."] }),
        ),
        (
            with("scopes", json!(["tasks.view", "tasks.fly", "all"])),
            json!({ "scopes": ["\"tasks.fly\" is not a valid choice.", "\"all\" is not a valid choice."] }),
        ),
        (with("scopes", json!(["users.view"])), json!({ "scopes": ["You lack what they allow: users.view."] })),
        (with("expires_at", json!("tomorrow")), json!({ "expires_at": [moment] })),
        (with("expires_at", json!(1_800_000_000)), json!({ "expires_at": [moment] })),
        (with("expires_at", json!("2026-02-30T00:00:00Z")), json!({ "expires_at": [moment] })),
        (with("expires_at", json!("2026-01-01T12:00:00Z")), json!({ "expires_at": ["This must lie in the future."] })),
        (
            with("ip_ranges", json!(["10.0.0.0/33", "x", "::1"])),
            json!({ "ip_ranges": ["\"10.0.0.0/33\" is no address and no network.", "\"x\" is no address and no network."] }),
        ),
    ];
    for (given, told) in wrong {
        ann.post("/api/keys/", given.clone()).await.is(400, told.clone());
    }
    assert_eq!(ann.get("/api/keys/").await.json()["count"], 0);

    let key: ApiKey = ann.post("/api/keys/", with("expires_at", json!(null))).await.status(201).ok();
    let path = format!("/api/keys/{}/", key.id);
    for (given, told) in wrong.iter().skip(3) {
        ann.patch(&path, given.clone()).await.is(400, told.clone());
    }
    for hours in [json!(-1), json!(169), json!("x")] {
        ann.post(&format!("{path}rotate/"), json!({ "overlap_hours": hours })).await.status(400);
    }
    hello(&app.anonymous().keyed(&key.key)).await.status(200);
    for moment in ["2026-03-01T10:00", "2026-03-01T10:00:00.5", "2026-03-01T11:00+01:00", "2026-03-01T10:00:00Z"] {
        let changed = ann.patch(&path, json!({ "expires_at": moment })).await.status(200).json();
        assert!(changed["expires_at"].as_str().unwrap().starts_with("2026-03-01T10:00:00"), "{moment}: {changed}");
    }
    ann.put(&path, json!({})).await.status(405);
}

#[actix_web::test]
async fn a_form_says_a_list_by_saying_its_name_again() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await.signed_in().await;
    let body = crate::support::client::form("name=x&scopes=tasks.view&scopes=tasks.add&ip_ranges=");
    let made = ann.post("/api/keys/", body).await.status(201).json();
    assert_eq!((&made["scopes"], &made["ip_ranges"]), (&json!(["tasks.view", "tasks.add"]), &json!([])));
}

#[actix_web::test]
async fn nobody_fills_the_disk_with_keys() {
    let app = TestApp::with(no_limits).await;
    let ann = app.user("ann").await;
    let (id, now) = (ann.id, app.clock.now());
    app.write(move |conn| {
        for _ in 0..100 {
            let new = NewApiKey {
                user: id,
                name: "x".into(),
                scopes: "*".into(),
                ip_ranges: String::new(),
                expires_at: None,
            };
            api_key::insert(conn, &new, &api_key::new_secret()?, now)?.unwrap();
        }
        Ok(())
    })
    .await;
    let told = json!({ "non_field_errors": ["You have 100 keys. Delete one that is not used."] });
    let client = ann.signed_in().await;
    let one_more = || client.post("/api/keys/", json!({ "name": "x", "scopes": ["*"] }));
    one_more().await.is(400, told);
    client.delete("/api/keys/1/").await.is_empty(204);
    one_more().await.status(201);
    assert_eq!(client.get("/api/keys/?page=10").await.status(200).json()["results"].as_array().unwrap().len(), 10);
}

/// What goes on beside the request of a key is asked again in the transaction.
#[actix_web::test]
async fn a_key_that_is_revoked_while_its_request_is_under_way_writes_nothing() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    let key = ann.api_key(&["*"]).await;
    let client = app.anonymous().keyed(&key.key);
    client.post("/api/tasks/", json!({ "title": "Buy milk" })).await.status(201);
    // Gone behind the server's back: memory does not know yet.
    let id = key.id;
    let mut elsewhere = app.site.db.target().connect().unwrap();
    api_key::delete(&mut elsewhere, id).unwrap();
    client.post("/api/tasks/", json!({ "title": "Buy more" })).await.is(401, invalid());
    assert_eq!(ann.signed_in().await.get("/api/tasks/").await.json()["count"], 1);
}

/// Another process over the same data hears of it by the change log, within a second.
async fn told_within_a_second(app: TestApp) {
    let ann = app.user("ann").await;
    let keys = [ann.api_key(&["*"]).await, ann.api_key(&["*"]).await, ann.api_key(&["*"]).await];
    let beside = app.again().await;
    for key in &keys {
        hello(&beside.anonymous().keyed(&key.key)).await.status(200);
    }
    beside.site.follower.follow(beside.site.db.target(), beside.clock.clone()).unwrap();
    let client = ann.signed_in().await;

    client.delete(&format!("/api/keys/{}/", keys[0].id)).await.is_empty(204);
    let path = format!("/api/keys/{}/", keys[1].id);
    client.post(&format!("{path}rotate/"), json!({ "overlap_hours": 0 })).await.status(200);
    let narrow = json!({ "scopes": ["articles.view"] });
    client.patch(&format!("/api/keys/{}/", keys[2].id), narrow).await.status(200);

    // Only the thread that follows can tell the other one.
    let place = app.site.follower.position();
    eventually("the other process hears of it", seconds(1), || {
        (beside.site.follower.position() >= place).then_some(())
    });
    for key in &keys[..2] {
        hello(&beside.anonymous().keyed(&key.key)).await.is(401, invalid());
    }
    beside.anonymous().keyed(&keys[2].key).get("/api/tasks/").await.status(403);
    ann.deactivate().await;
    let place = app.site.follower.position();
    eventually("the other process hears of it", seconds(1), || {
        (beside.site.follower.position() >= place).then_some(())
    });
    hello(&beside.anonymous().keyed(&keys[2].key)).await.is(401, json!({ "detail": "User account is disabled." }));
    beside.site.follower.stop();
}

#[actix_web::test]
async fn what_another_process_does_to_a_key_acts_within_a_second() {
    told_within_a_second(TestApp::new().await).await;
}

#[actix_web::test]
async fn what_another_process_does_to_a_key_acts_within_a_second_on_postgresql() {
    told_within_a_second(TestApp::on_postgres().await).await;
}

/// For what follows: a person's key as a client.
pub async fn keyed(app: &TestApp, person: &Person, scopes: &[&str]) -> Client {
    app.anonymous().keyed(&person.api_key(scopes).await.key)
}
