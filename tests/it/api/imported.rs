//! Accounts that came from Django: their hashes are renewed and nobody notices, and no token opens another's account.

use std::fs;
use std::net::IpAddr;

use futures_util::future::join_all;
use portcullis::auth::key_changes;
use portcullis::auth::sign_in::{Code, Entry};
use portcullis::error::Error;
use portcullis::model::import::{self, ImportedUser};
use portcullis::model::user::{self, NewUser};
use portcullis::model::{change, role};
use portcullis::ops::import_django::Import;
use portcullis::ops::import_django::report::Report;
use portcullis::ops::import_django::source::Source;
use portcullis::settings::Settings;
use serde_json::{Value, json};

use crate::support::app::{NOON, TestApp, hours, minutes};
use crate::support::people::{PASSWORD, Pair};
use crate::support::token::{KEY, not_valid, own_key, refused, signed};

/// Made by Django 5.2 with few iterations: of `correct horse 9`.
const HASH: &str = "pbkdf2_sha256$1000$salt$KTtRgfNhz0d+TnCP0ft1fb/G5kTRaEJGvlACyR4M+1I=";
/// Of another password.
const OTHER: &str = "pbkdf2_sha256$1000$salt$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

async fn imported(app: &TestApp, id: i64, username: &str, password: &str) {
    let user = ImportedUser {
        id,
        username: username.into(),
        password: password.into(),
        first_name: String::new(),
        last_name: String::new(),
        email: String::new(),
        email_verified: false,
        phone_number: String::new(),
        date_of_birth: None,
        is_active: true,
        is_staff: false,
        is_superuser: false,
        is_premium: false,
        date_joined: NOON,
        last_login: None,
        updated_at: NOON,
    };
    app.write(move |conn| import::insert(conn, &user)).await;
}

fn credentials(name: &str) -> Value {
    json!({ "username": name, "password": PASSWORD })
}

async fn obtain(app: &TestApp, name: &str) -> Pair {
    app.anonymous().post("/api/token/", credentials(name)).await.status(200).ok()
}

async fn hash_of(app: &TestApp, id: i64) -> String {
    app.read(move |conn| user::by_id(conn, id)).await.unwrap().password
}

fn revoking(settings: &mut Settings) {
    own_key(settings);
    settings.jwt.check_revoke_token = true;
    settings.throttle.login = None;
}

/// CONTRACT 21, `hash_password`: the real thing signs everybody out here (CONTRACT 15).
#[actix_web::test]
async fn a_hash_of_django_is_renewed_at_the_next_sign_in_and_no_session_notices() {
    let app = TestApp::with(revoking).await;
    imported(&app, 7, "ann", HASH).await;
    let first = obtain(&app, "ann").await;
    let renewed = hash_of(&app, 7).await;
    assert!(renewed.starts_with("$argon2id$"), "{renewed}");

    app.write(move |conn| user::renew_hash(conn, 7, &renewed, HASH)).await;
    let second = obtain(&app, "ann").await;

    assert_ne!(hash_of(&app, 7).await, HASH);
    for pair in [first, second] {
        app.anonymous().bearing(&pair.access).get("/api/hello/").await.is(200, json!({ "message": "Hello, ann" }));
        app.anonymous().post("/api/token/refresh/", json!({ "refresh": pair.refresh })).await.status(200);
    }
    let wrong = json!({ "username": "ann", "password": "Correct horse 9" });
    app.anonymous().post("/api/token/", wrong).await.status(401);
}

#[actix_web::test]
async fn of_sign_ins_at_the_same_time_all_succeed_and_one_renews_the_hash() {
    let app = TestApp::with(revoking).await;
    imported(&app, 7, "ann", HASH).await;
    let pairs = join_all((0..8).map(|_| obtain(&app, "ann"))).await;
    for pair in pairs {
        app.anonymous().bearing(&pair.access).get("/api/hello/").await.status(200);
    }
    assert!(hash_of(&app, 7).await.starts_with("$argon2id$"));
}

#[actix_web::test]
async fn a_password_that_is_changed_in_the_middle_of_a_sign_in_is_not_undone_by_it() {
    let app = TestApp::with(revoking).await;
    imported(&app, 7, "ann", HASH).await;
    let checked =
        app.site.sign_in.check("ann".into(), PASSWORD.into(), IpAddr::from([192, 0, 2, 1])).await.unwrap().unwrap();

    let new = app.site.passwords.hash("another horse 8".into()).await.unwrap();
    let (grants, stored, now) = (app.site.grants.clone(), new.clone(), app.clock.now());
    app.write(move |conn| grants.set_password_in(conn, 7, &stored, now)).await;

    let now = app.clock.now();
    let entry = app.write(move |conn| checked.confirm(conn, &Code::NotAsked, now)).await;
    assert!(matches!(entry, Entry::Nobody));
    assert_eq!(hash_of(&app, 7).await, new);
    app.anonymous().post("/api/token/", credentials("ann")).await.status(401);
}

#[actix_web::test]
async fn what_is_no_hash_lets_nobody_in() {
    let app = TestApp::with(revoking).await;
    for (id, hash) in (1..).zip(["!", "", PASSWORD, "md5$salt$hash", OTHER, "pbkdf2_sha256$4000000000$salt$AAAA"]) {
        let name = format!("user{id}");
        imported(&app, id, &name, hash).await;
        app.anonymous().post("/api/token/", credentials(&name)).await.status(401);
        assert_eq!(hash_of(&app, id).await, hash);
    }
}

/// An import of these objects, as `dumpdata` would have written them.
async fn import(app: &TestApp, objects: &Value, dry: bool) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("dump.json");
    fs::write(&file, objects.to_string()).unwrap();
    let (db, grants, clock) = (app.site.db.clone(), app.site.grants.clone(), app.clock.clone());
    let import = Import { db, grants, clock, jwt: app.site.settings.jwt.clone(), dry, beside_server: false };
    import.run(Source::open(file.to_str().unwrap(), None).unwrap(), |_| ()).await.unwrap()
}

fn django_user(id: i64, name: &str, groups: &[i64]) -> Value {
    json!({ "model": "auth.user", "pk": id, "fields": {
        "username": name, "password": HASH, "last_login": null, "is_active": true, "groups": groups,
        "date_joined": format!("2020-01-01T00:00:00.{id:03}Z"),
    }})
}

fn django_token(id: i64, user: i64, jti: &str) -> Value {
    json!({ "model": "token_blacklist.outstandingtoken", "pk": id, "fields": {
        "user": user, "jti": jti, "token": "", "created_at": "2026-01-01T11:00:00Z", "expires_at": "2026-01-02T11:00:00Z",
    }})
}

/// A token of a Django user under the key that both servers have.
fn minted(app: &TestApp, kind: &str, user: i64, jti: &str) -> String {
    let now = app.clock.now().seconds();
    let (exp, iat, user) = (now + 3600, now - 60, user.to_string());
    signed(&json!({ "token_type": kind, "exp": exp, "iat": iat, "jti": jti, "user_id": user }))
}

#[actix_web::test]
async fn no_token_of_the_other_server_opens_the_account_that_has_its_users_id_here() {
    let app = TestApp::with(own_key).await;
    let ann = app.user("ann").await;
    let own = ann.obtain().await;
    let theirs = minted(&app, "access", ann.id, &"a".repeat(32));
    let refresh = minted(&app, "refresh", ann.id, &"b".repeat(32));
    ann.with(&theirs).get("/api/hello/").await.status(200); // the danger: the same id, the same key

    let objects = json!([django_user(ann.id, "zoe", &[]), django_token(1, ann.id, &"b".repeat(32))]);
    let dry = import(&app, &objects, true).await;
    ann.with(&own.access).get("/api/hello/").await.status(200);
    let report = import(&app, &objects, false).await;

    assert_eq!(report, dry);
    let id = ann.id;
    assert_eq!(report.users.refused, [format!(r#"user {id} "zoe": its id is that of "ann" here"#)]);
    assert_eq!(report.notes, [r#""ann" is signed out everywhere: tokens of the other server name the same id"#]);
    assert_eq!((report.tokens.taken, report.ownerless), (0, 1));
    for dead in [&theirs, &own.access] {
        ann.with(dead).get("/api/hello/").await.is(401, not_valid("Token is blacklisted"));
    }
    ann.refresh(&refresh).await.is(401, refused("Token is blacklisted"));
    let again = ann.obtain().await;
    assert!(import(&app, &objects, false).await.is_empty());
    ann.with(&again.access).get("/api/hello/").await.status(200);
}

#[actix_web::test]
async fn who_was_renamed_here_is_still_the_same_and_a_name_is_not_given_twice() {
    let app = TestApp::new().await;
    let bob = app.user("bob").await;
    let objects = json!([django_user(50, "ann", &[]), django_user(51, "bob", &[])]);
    let report = import(&app, &objects, false).await;
    let id = bob.id;
    assert_eq!(report.users.refused, [format!(r#"user 51 "bob": its name, "bob", is that of user {id} here"#)]);
    assert_eq!(report.users.taken, 1);

    let rename = user::UserChanges { username: Some("anna".into()), updated_at: NOON, ..Default::default() };
    app.write(move |conn| Ok(user::update(conn, 50, &rename)?.unwrap())).await;
    let again = import(&app, &objects, false).await;
    assert!(again.is_empty(), "{again:?}");
    assert_eq!(again.users.here, 1);
}

/// AUTOINCREMENT is for the same reason: nobody inherits tokens.
#[actix_web::test]
async fn a_new_account_gets_no_id_that_the_other_server_has_given() {
    let app = TestApp::new().await;
    let objects = json!([django_user(50, "ann", &[]), django_user(70, "two words", &[])]);
    import(&app, &objects, false).await;
    let carl = app.user("carl").await;
    assert!(carl.id > 70, "{}", carl.id);
}

#[actix_web::test]
async fn the_tokens_of_an_account_that_was_deleted_here_do_not_open_the_one_that_gets_its_id() {
    let app = TestApp::with(own_key).await;
    let ann = app.user("ann").await;
    let pair = ann.obtain().await;
    ann.delete().await;
    let report = import(&app, &json!([django_user(ann.id, "zoe", &[])]), false).await;
    assert_eq!((report.users.taken, report.changed), (1, 1));
    assert_eq!(report.notes, ["sessions that deleted accounts have left are ended: 1"]);
    ann.with(&pair.access).get("/api/hello/").await.is(401, not_valid("Token is blacklisted"));
    ann.refresh(&pair.refresh).await.is(401, refused("Token is blacklisted"));
    let theirs = minted(&app, "access", ann.id, &"c".repeat(32));
    ann.with(&theirs).get("/api/hello/").await.is(200, json!({ "message": "Hello, zoe" }));
}

#[actix_web::test]
async fn a_group_gives_nobody_a_role_that_may_more_than_it_did() {
    let app = TestApp::new().await;
    let all = vec!["users.view".to_owned(), "users.delete".to_owned()];
    app.write(move |conn| Ok(role::insert(conn, "editors", "", &all, NOON)?.unwrap())).await;
    let group = |id: i64, name: &str| json!({ "model": "auth.group", "pk": id, "fields": { "name": name, "permissions": [["view_user", "auth", "user"]] } });
    let objects = json!([group(1, "editors"), group(2, "readers"), django_user(50, "ann", &[1, 2])]);
    let report = import(&app, &objects, false).await;
    assert_eq!(report.roles.refused, [r#"group "editors": a role of this name is here, with other permissions"#]);
    assert_eq!(app.read(|conn| user::role_names(conn, 50)).await, ["readers"]);
    assert_eq!(app.read(|conn| user::permissions(conn, 50)).await, ["users.view"]);
}

/// While both servers run, a token may be refreshed here and signed out there.
#[actix_web::test]
async fn what_was_refreshed_here_and_blacklisted_there_ends_with_all_that_came_of_it() {
    let app = TestApp::with(own_key).await;
    let mut objects = vec![django_user(50, "ann", &[]), django_token(1, 50, &"d".repeat(32))];
    import(&app, &json!(objects), false).await;
    let refresh = minted(&app, "refresh", 50, &"d".repeat(32));
    let next: Pair = app.anonymous().post("/api/token/refresh/", json!({ "refresh": refresh })).await.ok();
    let client = app.anonymous().bearing(&next.access);
    client.get("/api/hello/").await.status(200);

    objects.push(json!({ "model": "token_blacklist.blacklistedtoken", "pk": 1, "fields": {
        "token": 1, "blacklisted_at": "2026-01-01T11:30:00Z",
    }}));
    let report = import(&app, &json!(objects), false).await;
    assert_eq!((report.tokens.taken, report.blacklisted), (1, 1));
    client.get("/api/hello/").await.is(401, not_valid("Token is blacklisted"));
    app.anonymous().post("/api/token/refresh/", json!({ "refresh": next.refresh })).await.status(401);
    let before = app.read(change::position).await;
    assert!(import(&app, &json!(objects), false).await.is_empty());
    assert_eq!(app.read(change::position).await, before);
}

#[actix_web::test]
async fn a_dump_may_have_natural_keys_and_be_in_lines() {
    let app = TestApp::new().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("dump.jsonl");
    let objects = [
        json!({ "model": "auth.group", "pk": 9, "fields": { "name": "keepers", "permissions": [["add_group", "auth", "group"]] } }),
        json!({ "model": "auth.user", "pk": 50, "fields": {
            "username": "ann", "password": HASH, "last_login": null, "is_active": true, "groups": [["keepers"]],
            "date_joined": "2020-01-01T00:00:00Z", "email": "ann@example.org",
        }}),
        json!({ "model": "account.emailaddress", "pk": 1, "fields": {
            "user": ["ann"], "email": "Ann@example.org", "verified": true, "primary": true,
        }}),
        json!({ "model": "token_blacklist.outstandingtoken", "pk": 1, "fields": {
            "user": ["ann"], "jti": "e".repeat(32), "token": "", "created_at": "2026-01-01T11:00:00Z",
            "expires_at": "2026-01-02T11:00:00Z",
        }}),
    ];
    fs::write(&file, objects.map(|object| object.to_string()).join("\n")).unwrap();
    let (db, grants, clock) = (app.site.db.clone(), app.site.grants.clone(), app.clock.clone());
    let import = Import { db, grants, clock, jwt: app.site.settings.jwt.clone(), dry: false, beside_server: false };
    let report = import.run(Source::open(file.to_str().unwrap(), None).unwrap(), |_| ()).await.unwrap();

    assert_eq!((report.roles.taken, report.users.taken, report.tokens.taken), (1, 1, 1));
    let ann = app.read(|conn| user::by_id(conn, 50)).await.unwrap();
    assert!(ann.email_verified);
    assert_eq!(app.read(|conn| user::role_names(conn, 50)).await, ["keepers"]);
}

/// A legacy key knows its tokens by their date; what was made with the same secret later is not taken.
#[actix_web::test]
async fn a_token_minted_after_the_legacy_key_was_added_is_refused() {
    let app = TestApp::new().await;
    let new = NewUser { username: "ann".into(), date_joined: NOON, updated_at: NOON, ..NewUser::default() };
    let ann = app.write(move |conn| Ok(user::insert(conn, &new)?.unwrap())).await;
    let (kid, now) = (app.site.keys.bring_in(KEY.as_bytes()).unwrap(), app.clock.now());
    app.write(move |conn| key_changes::add_legacy(conn, &kid, "HS256", now)).await;
    let client = |token: &str| app.anonymous().bearing(token);
    client(&minted(&app, "access", ann.id, "f")).get("/api/hello/").await.status(200);
    app.clock.advance(minutes(5));
    client(&minted(&app, "access", ann.id, "f")).get("/api/hello/").await.status(401);
}

#[actix_web::test]
async fn a_legacy_key_is_not_retired_while_imported_tokens_depend_on_it() {
    let app = TestApp::new().await;
    import(&app, &json!([django_user(50, "ann", &[]), django_token(1, 50, &"a".repeat(32))]), false).await;
    let (kid, now) = (app.site.keys.bring_in(KEY.as_bytes()).unwrap(), app.clock.now());
    let known = kid.clone();
    app.write(move |conn| key_changes::add_legacy(conn, &known, "HS256", now)).await;

    app.clock.advance(minutes(60));
    let now = app.clock.now();
    let retire = |kid: String| app.site.db.write(move |conn| key_changes::retire(conn, &kid, false, minutes(5), now));
    match retire(kid.clone()).await {
        Err(Error::Conflict(words)) => {
            assert_eq!(words.to_string(), format!("1 live tokens depend on {kid}; --force ends them"))
        }
        other => panic!("{other:?}"),
    }
    app.clock.advance(hours(24));
    let now = app.clock.now();
    app.write(move |conn| key_changes::retire(conn, &kid, false, minutes(5), now)).await;
}
