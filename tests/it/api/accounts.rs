//! Accounts: registered, looked at, changed, given another password.

use diesel::prelude::*;
use futures_util::future::join_all;
use portcullis::db::schema::users;
use portcullis::settings::Registration;
use serde_json::{Value, json};

use crate::support::app::{TestApp, minutes};
use crate::support::people::{PASSWORD, Pair};

async fn register(app: &TestApp, body: Value) -> crate::support::client::Answer {
    app.anonymous().post("/api/register/", body).await
}

fn taken() -> Value {
    json!({ "error": "Username already exists" })
}

async fn count(app: &TestApp) -> i64 {
    app.read(|conn| Ok(users::table.count().get_result(conn)?)).await
}

#[actix_web::test]
async fn who_registers_is_signed_in_and_can_sign_in_again() {
    let app = TestApp::new().await;
    let given = json!({ "username": "ann", "password": PASSWORD, "email": "Ann@EXAMPLE.org" });
    let answer = register(&app, given).await.status(201);
    assert_eq!(answer.json().as_object().unwrap().keys().collect::<Vec<_>>(), ["refresh", "access"]);
    let pair: Pair = answer.ok();
    let ann = app.anonymous().bearing(&pair.access);
    ann.get("/api/profile/").await.is(
        200,
        json!({
            "username": "ann",
            "email": "Ann@example.org",
            "first_name": "",
            "last_name": "",
            "date_joined": "2026-01-01T12:00:00Z",
        }),
    );
    app.anonymous().post("/api/token/", json!({ "username": "ann", "password": PASSWORD })).await.status(200);
    app.anonymous().post("/api/token/refresh/", json!({ "refresh": pair.refresh })).await.status(200);
}

/// API-03 as well: what a stranger says of flags is not heard.
#[actix_web::test]
async fn one_may_register_with_all_of_ones_own_but_no_rights() {
    let app = TestApp::new().await;
    let given = json!({
        "username": "ann",
        "password": PASSWORD,
        "first_name": "Ann",
        "last_name": "Example",
        "phone_number": "+49 30 12345",
        "date_of_birth": "1990-02-28",
        "is_staff": true,
        "is_superuser": true,
        "is_premium": true,
        "email_verified": true,
        "id": 77,
    });
    let pair: Pair = register(&app, given).await.status(201).ok();
    app.anonymous().bearing(&pair.access).get("/api/users/me/").await.is(
        200,
        json!({
            "id": 1,
            "username": "ann",
            "email": "",
            "first_name": "Ann",
            "last_name": "Example",
            "phone_number": "+49 30 12345",
            "date_of_birth": "1990-02-28",
            "email_verified": false,
            "is_staff": false,
            "is_premium": false,
            "roles": [],
            "date_joined": "2026-01-01T12:00:00Z",
            "last_login": null,
        }),
    );
}

#[actix_web::test]
async fn a_password_must_follow_djangos_rules() {
    let app = TestApp::new().await;
    let short = "This password is too short. It must contain at least 8 characters.";
    let (common, numeric) = ("This password is too common.", "This password is entirely numeric.");
    for (password, told) in [
        ("12345", vec![short, common, numeric]),
        ("password", vec![common]),
        ("98765432109876", vec![numeric]),
        ("ann.example1", vec!["The password is too similar to the username."]),
        ("sophie99", vec!["The password is too similar to the first name."]),
        ("neill123", vec!["The password is too similar to the last name."]),
        ("post.example.org", vec!["The password is too similar to the email address."]),
    ] {
        let given = json!({
            "username": "ann.example",
            "password": password,
            "first_name": "Ann-Sophie",
            "last_name": "O'Neill",
            "email": "annie@post.example.org",
        });
        register(&app, given).await.is(400, json!({ "password": told }));
        app.clock.advance(minutes(1));
    }
    let long = json!({ "username": "ann", "password": "ä".repeat(1025) });
    let told = json!({ "password": ["This password is too long. It must contain at most 1024 characters."] });
    register(&app, long).await.is(400, told);
    assert_eq!(count(&app).await, 0);
}

#[actix_web::test]
async fn the_rules_of_passwords_can_be_switched_off() {
    let app = TestApp::with(|settings| settings.passwords.rules = false).await;
    register(&app, json!({ "username": "ann", "password": "1" })).await.status(201);
}

/// AUT-10, AUT-15.
#[actix_web::test]
async fn a_name_that_cannot_be_one_is_told_by_field() {
    let app = TestApp::with(|settings| settings.throttle.login = None).await;
    let invalid = "Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters.";
    for (name, told) in [
        (json!("two words"), invalid),
        (json!("semi;colon"), invalid),
        (json!("a\u{200d}b"), invalid),
        (json!("\u{1f600}"), invalid),
        (json!("<script>"), invalid),
        (json!("../etc"), invalid),
        (json!(""), "This field may not be blank."),
        (json!("  "), "This field may not be blank."),
        (json!("a\u{0}b"), invalid),
        (json!("a".repeat(151)), "Ensure this field has no more than 150 characters."),
        (json!(null), "This field may not be null."),
        (json!(["ann"]), "Not a valid string."),
        (json!({ "$ne": "" }), "Not a valid string."),
    ] {
        let answer = register(&app, json!({ "username": name, "password": PASSWORD })).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["username"][0]), (400, &json!(told)), "{name}");
    }
    let long = "Ensure this field has no more than 150 characters.";
    for (name, told) in
        [("a".repeat(151), json!([long])), ("ﬃ".repeat(51), json!([long])), ("a ".repeat(99), json!([invalid, long]))]
    {
        let given = json!({ "username": name, "password": PASSWORD });
        register(&app, given).await.is(400, json!({ "username": told }));
    }
    register(&app, json!({}))
        .await
        .is(400, json!({ "username": ["This field is required."], "password": ["This field is required."] }));
    for address in ["ann", "ann@", "@example.org", "ann@example.org\r\nBcc: eve@evil.example", "a@b@c.example"] {
        let given = json!({ "username": "ann", "password": PASSWORD, "email": address });
        register(&app, given).await.is(400, json!({ "email": ["Enter a valid email address."] }));
    }
    for name in ["Jürgen_漢字.", "a@b.c+d-e_f", &"ж".repeat(150)] {
        register(&app, json!({ "username": name, "password": PASSWORD })).await.status(201);
    }
}

/// AUT-09.
#[actix_web::test]
async fn a_taken_name_is_taken_in_every_spelling_of_unicode() {
    let app = TestApp::new().await;
    register(&app, json!({ "username": "Ångström1", "password": PASSWORD })).await.status(201);
    for twin in ["Ångström1", "  Ångström1 ", "\u{212b}ngström1", "Ångström\u{ff11}"] {
        register(&app, json!({ "username": twin, "password": PASSWORD })).await.is(400, taken());
    }
    // Letters of either case differ, as in Django.
    register(&app, json!({ "username": "ångström1", "password": PASSWORD })).await.status(201);
    assert_eq!(count(&app).await, 2);
}

async fn twenty_at_once(app: TestApp) {
    let body = json!({ "username": "ann", "password": PASSWORD });
    let answers = join_all((0..20).map(|_| register(&app, body.clone()))).await;
    let (made, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 201);
    assert_eq!(made.len(), 1);
    for answer in refused {
        answer.is(400, taken());
    }
    assert_eq!(count(&app).await, 1);
}

/// AUT-09.
#[actix_web::test]
async fn of_twenty_who_register_one_name_at_once_one_gets_it() {
    twenty_at_once(TestApp::new().await).await;
}

/// AUT-09.
#[actix_web::test]
async fn of_twenty_who_register_one_name_at_once_one_gets_it_on_postgresql() {
    twenty_at_once(TestApp::on_postgres().await).await;
}

#[actix_web::test]
async fn where_registration_is_closed_nobody_registers() {
    let app = TestApp::with(|settings| settings.accounts.registration = Registration::Closed).await;
    let told = json!({ "detail": "You do not have permission to perform this action." });
    register(&app, json!({ "username": "ann", "password": PASSWORD })).await.is(403, told);
    assert_eq!(count(&app).await, 0);
}

/// A view open to all: a bad token is a 401 all the same (CONTRACT 7).
#[actix_web::test]
async fn who_registers_with_a_bad_token_is_told_so() {
    let app = TestApp::new().await;
    let body = json!({ "username": "ann", "password": PASSWORD });
    app.anonymous().bearing("nonsense").post("/api/register/", body).await.status(401);
}

#[actix_web::test]
async fn one_changes_ones_own_record_but_never_its_flags() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await.signed_in().await;
    let given = json!({
        "first_name": " Ann ",
        "phone_number": "+49 30 12345",
        "date_of_birth": "1990-02-28",
        "username": "root",
        "is_staff": true,
        "is_premium": true,
        "is_superuser": true,
        "email_verified": true,
        "roles": ["administrators"],
    });
    app.clock.advance(minutes(1));
    let expected = json!({
        "id": 1,
        "username": "ann",
        "email": "ann@example.org",
        "first_name": "Ann",
        "last_name": "",
        "phone_number": "+49 30 12345",
        "date_of_birth": "1990-02-28",
        "email_verified": false,
        "is_staff": false,
        "is_premium": false,
        "roles": [],
        "date_joined": "2026-01-01T12:00:00Z",
        "last_login": null,
    });
    ann.patch("/api/users/me/", given).await.is(200, expected.clone());
    ann.get("/api/users/me/").await.is(200, expected.clone());
    ann.put("/api/users/me/", json!({ "date_of_birth": null, "phone_number": "" })).await.status(200);
    ann.get("/api/admin-only/").await.status(403);
    let told = json!({
        "first_name": ["Ensure this field has no more than 150 characters."],
        "phone_number": ["Ensure this field has no more than 15 characters."],
        "date_of_birth": ["Date has wrong format. Use one of these formats instead: YYYY-MM-DD."],
    });
    let bad = json!({ "first_name": "x".repeat(151), "phone_number": "1".repeat(16), "date_of_birth": "yesterday" });
    ann.put("/api/users/me/", bad).await.is(400, told);
}

/// AUT-16.
#[actix_web::test]
async fn a_new_address_needs_the_password_and_is_unverified() {
    let app = TestApp::new().await;
    let person = app.user("ann").await;
    person.change(|changes| changes.email_verified = Some(true)).await;
    let ann = person.signed_in().await;
    let patch = async |body: Value| ann.patch("/api/users/me/", body).await;

    patch(json!({ "email": "new@example.org" }))
        .await
        .is(400, json!({ "current_password": ["This field is required."] }));
    let wrong = "Your old password was entered incorrectly. Please enter it again.";
    patch(json!({ "email": "new@example.org", "current_password": "wrong" }))
        .await
        .is(400, json!({ "current_password": [wrong] }));
    assert_eq!(ann.get("/api/users/me/").await.json()["email"], "ann@example.org");

    // The same address again is no change.
    let same = patch(json!({ "email": "ann@EXAMPLE.org", "last_name": "Example" })).await.status(200).json();
    assert_eq!((&same["email_verified"], &same["last_name"]), (&json!(true), &json!("Example")));

    let changed = patch(json!({ "email": "new@EXAMPLE.org", "current_password": PASSWORD })).await.status(200).json();
    assert_eq!((&changed["email"], &changed["email_verified"]), (&json!("new@example.org"), &json!(false)));
    patch(json!({ "email": "not an address" })).await.is(400, json!({ "email": ["Enter a valid email address."] }));
}

#[actix_web::test]
async fn a_new_password_needs_the_old_one_and_must_be_a_good_one() {
    let app = TestApp::new().await;
    let person = app.user("ann").await;
    let pair = person.obtain().await;
    let ann = person.with(&pair.access);
    let change = async |old: &str, new: &str| {
        ann.post("/api/password/change/", json!({ "old_password": old, "new_password": new })).await
    };
    let wrong = "Your old password was entered incorrectly. Please enter it again.";
    change("wrong", "battery staple 7").await.is(400, json!({ "old_password": [wrong] }));
    change(PASSWORD, "12345678")
        .await
        .is(400, json!({ "new_password": ["This password is too common.", "This password is entirely numeric."] }));
    change(PASSWORD, "ann@example.org")
        .await
        .is(400, json!({ "new_password": ["The password is too similar to the email address."] }));
    ann.post("/api/password/change/", json!({}))
        .await
        .is(400, json!({ "old_password": ["This field is required."], "new_password": ["This field is required."] }));
    app.anonymous().post("/api/password/change/", json!({})).await.status(401);
    // What was refused has ended nothing.
    ann.get("/api/hello/").await.status(200);
    person.refresh(&pair.refresh).await.status(200);
}

/// A hash that was made at another cost is renewed by a good sign-in, and no session notices.
#[actix_web::test]
async fn a_hash_of_another_cost_is_renewed_at_sign_in() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    let (pair, id) = (ann.obtain().await, ann.id);
    let stored =
        async || app.read(move |conn| Ok(users::table.find(id).select(users::password).first::<String>(conn)?)).await;
    // "correct horse 9" at twice the memory.
    let dearer = {
        let mut costly = app.site.settings.passwords.clone();
        costly.memory_kib *= 2;
        portcullis::auth::password::Passwords::start(&costly).unwrap().hash(PASSWORD.into()).await.unwrap()
    };
    let hash = dearer.clone();
    app.write(move |conn| Ok(diesel::update(users::table.find(id)).set(users::password.eq(hash)).execute(conn)?)).await;

    ann.obtain().await;

    let renewed = stored().await;
    assert_ne!(renewed, dearer);
    assert!(renewed.contains("m=8,"), "{renewed}");
    ann.with(&pair.access).get("/api/hello/").await.status(200);
    ann.refresh(&pair.refresh).await.status(200);
    ann.obtain().await;
    assert_eq!(stored().await, renewed);
}

/// AUT-11.
#[actix_web::test]
async fn a_password_is_compared_whole_and_as_given() {
    let app = TestApp::new().await;
    let long = format!("{}x", "pässwörd ".repeat(20));
    register(&app, json!({ "username": "ann", "password": long })).await.status(201);
    let sign_in = async |password: &str| {
        app.anonymous().post("/api/token/", json!({ "username": "ann", "password": password })).await.status.as_u16()
    };
    assert_eq!(sign_in(&long).await, 200);
    assert_eq!(sign_in(&long[..long.len() - 1]).await, 401);
    assert_eq!(sign_in(&long.to_uppercase()).await, 401);
    assert_eq!(sign_in(&format!("{long}x")).await, 401);
    assert_eq!(sign_in(&"x".repeat(100_000)).await, 401);
}
