//! Users over the API, for staff whose roles permit it: the panel's rules, told as an API tells them (A16).

use futures_util::future::join_all;
use portcullis::model::{role, user};
use serde_json::{Value, json};

use super::api_keys::keyed;
use crate::support::app::{TestApp, no_limits};
use crate::support::client::{Client, form};
use crate::support::people::PASSWORD;

fn forbidden() -> Value {
    json!({ "detail": "You do not have permission to perform this action." })
}

fn refused(words: &str) -> Value {
    json!({ "detail": words })
}

/// Staff with a role that holds these permissions, signed in.
async fn staff(app: &TestApp, name: &str, permissions: &[&str]) -> Client {
    let person = app.user(name).staff().await;
    if !permissions.is_empty() {
        person.permit(permissions).await;
    }
    person.signed_in().await
}

const SUPPORT: [&str; 3] = ["users.view", "users.add", "users.change"];

/// A10, REV-12: a role acts on the next request, whatever the token said when it was made.
#[actix_web::test]
async fn only_staff_with_the_permission_come_in_and_a_change_acts_on_the_next_request() {
    let app = TestApp::with(no_limits).await;
    let root = app.user("root").superuser().await;
    let ann = app.user("ann").await;
    let client = ann.signed_in().await;
    let asked = async |client: &Client| {
        let mut told = Vec::new();
        for (method, path) in [
            ("GET", "/api/users/"),
            ("GET", "/api/users/1/"),
            ("POST", "/api/users/"),
            ("PATCH", "/api/users/2/"),
            ("OPTIONS", "/api/users/"),
        ] {
            let request = client.request(method.parse().unwrap(), path).body(json!({}));
            told.push(request.await.status.as_u16());
        }
        told
    };
    assert_eq!(asked(&app.anonymous()).await, [401; 5]);
    assert_eq!(asked(&client).await, [403; 5]);
    ann.permit(&["users.view"]).await; // but not staff
    assert_eq!(asked(&client).await, [403; 5]);
    ann.change(|changes| changes.is_staff = Some(true)).await;
    assert_eq!(asked(&client).await, [200, 200, 403, 403, 200]);
    ann.permit(&["users.add"]).await;
    assert_eq!(asked(&client).await, [200, 200, 400, 403, 200]);
    ann.permit(&["users.change"]).await;
    assert_eq!(asked(&client).await, [200, 200, 400, 200, 200]);
    let (id, grants, now) = (ann.id, app.site.grants.clone(), app.clock.now());
    app.write(move |conn| {
        for role in role::of_user(conn, id)? {
            role::take(conn, role.id, id)?;
        }
        grants.changed_in(conn, id, now)
    })
    .await;
    assert_eq!(asked(&client).await, [403; 5]);
    assert_eq!(asked(&root.signed_in().await).await, [200, 200, 400, 200, 200]);
}

/// To change without to see is to do nothing: a verb needs `view` too.
#[actix_web::test]
async fn who_may_not_see_users_may_do_nothing_to_them() {
    let app = TestApp::new().await;
    let blind = staff(&app, "blind", &["users.add", "users.change"]).await;
    blind.post("/api/users/", json!({ "username": "bob" })).await.is(403, forbidden());
    blind.patch("/api/users/1/", json!({})).await.is(403, forbidden());
}

#[actix_web::test]
async fn a_script_provisions_people() {
    let app = TestApp::new().await;
    let support = staff(&app, "support", &SUPPORT).await;
    let given = json!({
        "username": "bob", "password": PASSWORD, "email": "Bob@EXAMPLE.org", "first_name": "Bob", "last_name": "Builder",
        "phone_number": "+49", "date_of_birth": "1990-02-28", "email_verified": true, "is_premium": true, "id": 99,
    });
    let bob = json!({
        "id": 2, "username": "bob", "email": "Bob@example.org", "first_name": "Bob", "last_name": "Builder",
        "phone_number": "+49", "date_of_birth": "1990-02-28", "email_verified": true, "is_active": true,
        "is_staff": false, "is_superuser": false, "is_premium": true, "roles": [],
        "date_joined": "2026-01-01T12:00:00Z", "last_login": null,
    });
    support.post("/api/users/", given.clone()).await.is(201, bob.clone());
    support.get("/api/users/2/").await.is(200, bob.clone());
    support.get("/api/v1/users/2/").await.is(200, bob.clone());
    let given = json!({ "username": "bob", "password": PASSWORD });
    app.anonymous().post("/api/token/", given.clone()).await.status(200);

    let taken = json!({ "username": ["A user with that username already exists."] });
    support.post("/api/users/", given).await.is(400, taken.clone());
    support.put("/api/users/2/", json!({ "username": "support" })).await.is(400, taken);
    let required = json!({ "username": ["This field is required."] });
    support.post("/api/users/", json!({})).await.is(400, required.clone());
    support.put("/api/users/2/", json!({})).await.is(400, required);
    let mut renamed = bob;
    renamed["username"] = json!("robert");
    renamed["email"] = json!("r@example.org");
    renamed["email_verified"] = json!(false); // nobody has verified the new one yet
    let given = json!({ "username": "robert", "email": "r@example.org", "email_verified": true });
    app.letters().await;
    support.put("/api/users/2/", given).await.is(200, renamed);
    // AUT-16: the old address is told, the new one asked.
    let told: Vec<_> = app.letters().await.into_iter().map(|letter| (letter.to, letter.subject)).collect();
    let of = |address: &str, subject: &str| (address.to_owned(), subject.to_owned());
    let old = of("Bob@example.org", "Your e-mail address at 127.0.0.1:8000 was changed");
    assert_eq!(told, [old, of("r@example.org", "Verify your e-mail address for 127.0.0.1:8000")]);
    let missing = json!({ "detail": "No User matches the given query." });
    support.get("/api/users/99/").await.is(404, missing.clone());
    support.patch("/api/users/99/", json!({ "email": "x" })).await.is(404, missing);
    support.get("/api/users/x/").await.is(404, json!({ "detail": "Not found." }));
    // An account is switched off, and removed in the panel alone.
    support.delete("/api/users/2/").await.is(403, forbidden());
    app.user("root").superuser().await.signed_in().await.delete("/api/users/2/").await.status(405);
}

/// A form that leaves out a flag does not say no.
#[actix_web::test]
async fn a_form_makes_an_active_account_and_leaves_flags_alone() {
    let app = TestApp::new().await;
    let support = staff(&app, "support", &SUPPORT).await;
    let made = support.post("/api/users/", form("username=bob&is_premium=true")).await.status(201).json();
    assert_eq!((&made["is_active"], &made["is_premium"]), (&json!(true), &json!(true)));
    let changed = support.put("/api/users/2/", form("username=bob")).await.status(200).json();
    assert_eq!((&changed["is_active"], &changed["is_premium"]), (&json!(true), &json!(true)));
}

/// A service: nobody signs in to it, until it is given a password.
#[actix_web::test]
async fn an_account_without_a_password_is_signed_in_to_by_nobody() {
    let app = TestApp::with(no_limits).await;
    let support = staff(&app, "support", &SUPPORT).await;
    support.post("/api/users/", json!({ "username": "mailer" })).await.status(201);
    let sign_in =
        |password: &str| app.anonymous().post("/api/token/", json!({ "username": "mailer", "password": password }));
    for password in ["!", " ", PASSWORD] {
        sign_in(password).await.status(if password == " " { 400 } else { 401 });
    }
    support.patch("/api/users/2/", json!({ "password": PASSWORD })).await.status(200);
    sign_in(PASSWORD).await.status(200);
}

#[actix_web::test]
async fn what_is_wrong_with_an_account_is_told_field_by_field() {
    let app = TestApp::new().await;
    let support = staff(&app, "support", &SUPPORT).await;
    let given = json!({
        "username": "two words", "password": "12345678", "email": "x", "first_name": "x".repeat(151),
        "date_of_birth": "x", "is_active": "perhaps", "roles": "x",
    });
    let told = support.post("/api/users/", given).await.status(400).json();
    let fields: Vec<&String> = told.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["username", "email", "first_name", "date_of_birth", "is_active", "roles"], "{told}");
    for (given, field) in [
        (json!({ "username": "bob", "password": "12345678" }), "password"),
        (json!({ "username": "bobthebuilder", "password": "bobthebuilder1" }), "password"),
        (json!({ "username": "bob", "roles": ["nobody's"] }), "roles"),
    ] {
        let told = support.post("/api/users/", given).await.status(400).json();
        assert_eq!(told.as_object().unwrap().keys().collect::<Vec<_>>(), [field], "{told}");
    }
    assert_eq!(support.get("/api/users/").await.json()["count"], 1);
}

#[actix_web::test]
async fn the_list_is_searched_filtered_ordered_and_paged() {
    let app = TestApp::with(no_limits).await;
    let support = staff(&app, "support", &SUPPORT).await;
    for name in ["ann", "bob", "carl"] {
        app.user(name).await;
    }
    app.user("dora").premium().await;
    app.user("eve").inactive().await;
    let names = async |query: &str| -> Vec<String> {
        let page: Value = support.get(&format!("/api/users/{query}")).await.status(200).ok();
        let rows = page["results"].as_array().unwrap();
        rows.iter().map(|row| row["username"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("").await, ["support", "ann", "bob", "carl", "dora", "eve"]);
    assert_eq!(names("?ordering=-username").await, ["support", "eve", "dora", "carl", "bob", "ann"]);
    assert_eq!(names("?ordering=password").await.len(), 6, "no hidden column orders");
    assert_eq!(names("?search=A%40EXAMPLE").await, ["dora"]);
    assert_eq!(names("?search=%25").await, Vec::<String>::new());
    assert_eq!(names("?is_active=false").await, ["eve"]);
    assert_eq!(names("?is_premium=true").await, ["dora"]);
    assert_eq!(names("?is_staff=1&is_superuser=0").await, ["support"]);
    for number in 0..8 {
        app.user(&format!("more{number}")).await;
    }
    let page: Value = support.get("/api/users/?page=2").await.ok();
    assert_eq!((&page["count"], page["results"].as_array().unwrap().len()), (&json!(14), 4));
    assert_eq!(page["results"][0]["roles"], json!([]));
    assert_eq!(
        support.get("/api/users/1/").await.json()["roles"],
        json!(["of support users.view users.add users.change"])
    );
    support.get("/api/users/?page=3").await.status(404);
    let text = support.get("/api/users/").await.text().to_owned();
    assert!(!text.contains("argon2") && !text.contains("generation"), "{text}");
}

/// REV-04, REV-03: deactivation and a new password end every session at once, also that of the panel.
#[actix_web::test]
async fn switching_off_and_a_new_password_end_sessions_at_once() {
    let app = TestApp::with(no_limits).await;
    let support = staff(&app, "support", &SUPPORT).await;
    let ann = app.user("ann").await;
    let path = format!("/api/users/{}/", ann.id);
    let first = ann.obtain().await;
    support.patch(&path, json!({ "first_name": "Ann", "is_premium": true })).await.status(200);
    ann.with(&first.access).get("/api/premium/").await.status(200);
    support.patch(&path, json!({ "is_active": false })).await.status(200);
    let inactive = json!({ "detail": "User is inactive", "code": "user_inactive" });
    ann.with(&first.access).get("/api/hello/").await.is(401, inactive);
    support.patch(&path, json!({ "is_active": true })).await.status(200);
    ann.with(&first.access).get("/api/hello/").await.status(401);
    ann.refresh(&first.refresh).await.status(401);

    let second = ann.obtain().await;
    support.patch(&path, json!({ "password": "battery staple 4" })).await.status(200);
    ann.with(&second.access).get("/api/hello/").await.status(401);
    let told = |password: &str| app.anonymous().post("/api/token/", json!({ "username": "ann", "password": password }));
    told(PASSWORD).await.status(401);
    told("battery staple 4").await.status(200);
}

/// Nobody climbs (ADMIN-SPEC 3): the refusal says what is missing.
#[actix_web::test]
async fn nobody_climbs_by_the_api() {
    let app = TestApp::with(no_limits).await;
    let support = staff(&app, "support", &SUPPORT).await;
    let root = app.user("root").superuser().await;
    let (editor, ann) = (app.user("editor").staff().await, app.user("ann").await);
    editor.permit(&["articles.change"]).await;
    let path = |id: i64| format!("/api/users/{id}/");

    let above = refused("root is a superuser. Only a superuser can change that account.");
    for change in [json!({ "first_name": "x" }), json!({ "is_active": false }), json!({ "password": PASSWORD })] {
        support.patch(&path(root.id), change).await.is(403, above.clone());
    }
    support.patch(&path(root.id), json!("no object")).await.is(403, above); // before the body is looked at
    let lacks = refused("editor holds permissions that you lack: articles.change.");
    support.patch(&path(editor.id), json!({ "password": PASSWORD })).await.is(403, lacks);
    let superusers = refused("Only a superuser changes who is a superuser.");
    support.patch(&path(ann.id), json!({ "is_superuser": true })).await.is(403, superusers);
    let grants = refused("This needs the permission grants.change.");
    support.patch(&path(ann.id), json!({ "is_staff": true })).await.is(403, grants.clone());
    support.post("/api/users/", json!({ "username": "x", "is_staff": true })).await.is(403, grants);
    let another = refused("Only a superuser makes another.");
    support.post("/api/users/", json!({ "username": "x", "is_superuser": true })).await.is(403, another);

    app.write(|conn| {
        Ok(role::insert(conn, "Auditor", "", &["audit.view".into()], portcullis::clock::Timestamp::default())?.unwrap())
    })
    .await;
    let give = refused("You cannot give the role Auditor. This needs the permission grants.change.");
    support.patch(&path(ann.id), json!({ "roles": ["Auditor"] })).await.is(403, give.clone());
    support.post("/api/users/", json!({ "username": "x", "roles": ["Auditor"] })).await.is(403, give);
    let granter = staff(&app, "granter", &[&SUPPORT[..], &["grants.view", "grants.change"]].concat()).await;
    let give = refused("You cannot give the role Auditor. You lack what it allows: audit.view.");
    granter.patch(&path(ann.id), json!({ "roles": ["Auditor"] })).await.is(403, give);
    granter.patch(&path(ann.id), json!({ "is_staff": true })).await.status(200);

    let client = root.signed_in().await;
    let changed = client.patch(&path(ann.id), json!({ "roles": ["Auditor"], "is_superuser": true })).await.status(200);
    assert_eq!((&changed.json()["roles"], &changed.json()["is_superuser"]), (&json!(["Auditor"]), &json!(true)));
    assert_eq!(client.patch(&path(ann.id), json!({ "roles": [] })).await.status(200).json()["roles"], json!([]));
    // What was refused has changed nothing.
    assert_eq!(
        client.get("/api/users/?search=x").await.json()["results"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|row| row["username"] == "x")
            .count(),
        0
    );
    root.signed_in().await.get("/api/hello/").await.status(200);
}

/// No lock-out: neither oneself nor the last superuser, whoever asks.
#[actix_web::test]
async fn nobody_locks_out_themselves_or_everybody_by_the_api() {
    let app = TestApp::with(no_limits).await;
    let root = app.user("root").superuser().await;
    let client = root.signed_in().await;
    let own = format!("/api/users/{}/", root.id);
    let yourself = "You cannot deactivate yourself. Another administrator can.";
    client.patch(&own, json!({ "is_active": false })).await.is(409, refused(yourself));
    for (flag, name) in [("is_superuser", "Superuser"), ("is_staff", "Staff")] {
        let words = format!("You cannot take {name} from yourself. Another administrator can.");
        client.patch(&own, json!({ flag: false })).await.is(409, refused(&words));
    }
    let words = "Change your own password at /api/password/change/.";
    client.patch(&own, json!({ "password": "battery staple 4" })).await.is(403, refused(words));
    let words = "Change your own e-mail at /api/users/me/, with your password.";
    client.patch(&own, json!({ "email": "new@example.org" })).await.is(403, refused(words));
    client.patch(&own, json!({ "email": "root@example.org", "first_name": "Root" })).await.status(200);
}

/// Two superusers who switch each other off at once: one of them stays.
async fn the_last_one_stays(app: TestApp) {
    for round in 0..10 {
        let one = app.user(&format!("one{round}")).superuser().await;
        let other = app.user(&format!("other{round}")).superuser().await;
        let off = async |client: &Client, id: i64| {
            client.patch(&format!("/api/users/{id}/"), json!({ "is_active": false })).await.status.as_u16()
        };
        let (first, second) = (one.signed_in().await, other.signed_in().await);
        let told = join_all([off(&first, other.id), off(&second, one.id)]).await;
        assert_eq!(told.iter().filter(|status| **status == 200).count(), 1, "round {round}: {told:?}");
        assert_eq!(app.read(user::active_superusers).await, 1, "round {round}");
        one.deactivate().await;
        other.deactivate().await;
    }
}

#[actix_web::test]
async fn two_superusers_who_switch_each_other_off_leave_one() {
    the_last_one_stays(TestApp::with(no_limits).await).await;
}

#[actix_web::test]
async fn two_superusers_who_switch_each_other_off_leave_one_on_postgresql() {
    the_last_one_stays(TestApp::on_postgres_with(no_limits).await).await;
}

/// KEY-04: a key for users does that, and is no superuser even in a superuser's hand.
#[actix_web::test]
async fn a_key_for_users_provisions_and_does_not_climb() {
    let app = TestApp::with(no_limits).await;
    let (root, other) = (app.user("root").superuser().await, app.user("other").superuser().await);
    let narrow = keyed(&app, &root, &["users.view", "users.add", "users.change"]).await;
    let whole = keyed(&app, &root, &["*"]).await;
    let reads = keyed(&app, &root, &["users.view"]).await;

    let made = narrow.post("/api/users/", json!({ "username": "bob", "password": PASSWORD })).await.status(201).json();
    let bob = format!("/api/users/{}/", made["id"]);
    narrow.patch(&bob, json!({ "is_premium": true })).await.status(200);
    narrow.patch(&bob, json!({ "is_active": false })).await.status(200);
    let superusers = refused("Only a superuser changes who is a superuser.");
    narrow.patch(&bob, json!({ "is_superuser": true })).await.is(403, superusers);
    narrow.patch(&bob, json!({ "is_staff": true })).await.is(403, refused("This needs the permission grants.change."));
    let above = refused("other is a superuser. Only a superuser can change that account.");
    narrow.patch(&format!("/api/users/{}/", other.id), json!({ "first_name": "x" })).await.is(403, above);
    for key in [&narrow, &whole] {
        let words = refused("An API key changes no password.");
        key.patch(&bob, json!({ "password": "battery staple 4" })).await.is(403, words);
    }
    whole.patch(&format!("/api/users/{}/", other.id), json!({ "first_name": "x" })).await.status(200);
    reads.get("/api/users/").await.status(200);
    reads.post("/api/users/", json!({ "username": "x" })).await.is(403, forbidden());
    reads.patch(&bob, json!({})).await.is(403, forbidden());
}

#[actix_web::test]
async fn options_tell_the_fields_of_an_account() {
    let app = TestApp::new().await;
    let support = staff(&app, "support", &SUPPORT).await;
    let told = support.options("/api/users/").await.status(200).json();
    assert_eq!(told["name"], "User List");
    let fields = &told["actions"]["POST"];
    let username =
        json!({ "type": "string", "required": true, "read_only": false, "label": "Username", "max_length": 150 });
    assert_eq!(fields["username"], username);
    assert_eq!(fields["roles"]["type"], "list");
    assert_eq!(
        fields["is_active"],
        json!({ "type": "boolean", "required": false, "read_only": false, "label": "Is active" })
    );
    let told = support.options("/api/users/1/").await.status(200);
    assert_eq!(told.header("allow"), Some("GET, PUT, PATCH, HEAD, OPTIONS"));
    assert_eq!(told.json()["name"], "User Instance");
}
