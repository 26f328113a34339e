//! Verifying an address: at registration, on request, after a change.

use serde_json::{Value, json};

use crate::support::app::{TestApp, hours, minutes, no_limits};
use crate::support::letters::{link, links, token_of};
use crate::support::panel::Panel;
use crate::support::people::{PASSWORD, Pair};
use crate::support::token::claims;

async fn app() -> TestApp {
    TestApp::with(no_limits).await
}

fn dead() -> Value {
    json!({ "token": ["This link is invalid, has expired or was used before."] })
}

fn sent() -> Value {
    json!({ "message": "Verification email sent" })
}

async fn confirm(app: &TestApp, token: &str) -> crate::support::client::Answer {
    app.anonymous().post("/api/email/verify/confirm/", json!({ "token": token })).await
}

async fn ask(app: &TestApp, address: &str) {
    app.anonymous().post("/api/email/verify/", json!({ "email": address })).await.is(200, sent());
}

#[actix_web::test]
async fn who_registers_with_an_address_gets_a_letter_and_verifies_it() {
    let app = app().await;
    let given = json!({ "username": "ann", "password": PASSWORD, "email": "ann@EXAMPLE.org" });
    let pair: Pair = app.anonymous().post("/api/register/", given).await.status(201).ok();
    let ann = app.anonymous().bearing(&pair.access);
    assert_eq!(ann.get("/api/users/me/").await.json()["email_verified"], false);

    let letter = app.letter_to("ann@example.org").await;
    assert_eq!(letter.subject, "Verify your e-mail address for 127.0.0.1:8000");
    let link = link(&letter);
    assert!(link.starts_with("http://127.0.0.1:8000/verify/"), "{link}");
    assert!(letter.html.contains(&link));

    confirm(&app, &token_of(&link)).await.is(200, json!({ "message": "Email verified" }));
    assert_eq!(ann.get("/api/users/me/").await.json()["email_verified"], true);
}

#[actix_web::test]
async fn no_letter_is_written_without_an_address_or_where_settings_say_so() {
    let app = app().await;
    app.anonymous().post("/api/register/", json!({ "username": "ann", "password": PASSWORD })).await.status(201);
    assert_eq!(app.letters().await, []);

    let quiet = TestApp::with(|settings| settings.mail.verify_new_addresses = false).await;
    let given = json!({ "username": "ann", "password": PASSWORD, "email": "ann@example.org" });
    quiet.anonymous().post("/api/register/", given).await.status(201);
    assert_eq!(quiet.letters().await, []);
}

/// A registration that fails has written no letter.
#[actix_web::test]
async fn a_name_that_is_taken_brings_no_letter() {
    let app = app().await;
    app.user("ann").await;
    let given = json!({ "username": "ann", "password": PASSWORD, "email": "new@example.org" });
    app.anonymous().post("/api/register/", given).await.status(400);
    assert_eq!(app.letters().await, []);
}

/// EML-02: used once, dead with the address or the password, and of its own kind alone.
#[actix_web::test]
async fn the_token_of_a_letter_is_good_once_for_a_day_and_for_this_address_and_password() {
    let app = app().await;
    let person = app.user("ann").await;
    let token = async || {
        ask(&app, "ann@example.org").await;
        token_of(&link(&app.letter_to("ann@example.org").await))
    };
    let unverify = async || person.change(|changes| changes.email_verified = Some(false)).await;

    let first = token().await;
    confirm(&app, &first).await.status(200);
    unverify().await;
    confirm(&app, &first).await.is(400, dead());

    let late = token().await;
    app.clock.advance(hours(24));
    confirm(&app, &late).await.is(400, dead());

    let old_address = token().await;
    person.change(|changes| changes.email = Some("other@example.org".to_owned())).await;
    confirm(&app, &old_address).await.is(400, dead());
    person.change(|changes| changes.email = Some("ann@example.org".to_owned())).await;

    app.clock.advance(hours(24));
    let old_password = token().await;
    let given = json!({ "old_password": PASSWORD, "new_password": "battery staple 7" });
    person.signed_in().await.post("/api/password/change/", given).await.status(200);
    confirm(&app, &old_password).await.is(400, dead());

    let inactive = token().await;
    person.deactivate().await;
    confirm(&app, &inactive).await.is(400, dead());
    person.activate().await;
    confirm(&app, &inactive).await.status(200);
}

#[actix_web::test]
async fn nothing_but_a_letters_own_token_verifies() {
    let app = app().await;
    let ann = app.user("ann").await;
    let pair = ann.obtain().await;
    app.anonymous().post("/api/password/reset/", json!({ "email": "ann@example.org" })).await.status(200);
    let reset = token_of(&link(&app.letter_to("ann@example.org").await));
    ask(&app, "ann@example.org").await;
    let token = token_of(&link(&app.letter_to("ann@example.org").await));
    let cut = &token[..token.len() - 2];
    for wrong in [&pair.access, &pair.refresh, &reset, cut, "nonsense", "a.b.c"] {
        confirm(&app, wrong).await.is(400, dead());
    }
    confirm(&app, "").await.is(400, json!({ "token": ["This field may not be blank."] }));
    app.anonymous()
        .post("/api/email/verify/confirm/", json!({}))
        .await
        .is(400, json!({ "token": ["This field is required."] }));
    // Nor does it open anything else.
    assert_eq!(claims(&token)["token_type"], "email_verification");
    ann.with(&token).get("/api/hello/").await.status(401);
    ann.refresh(&token).await.status(401);
    let given = json!({ "token": token, "password": "battery staple 7" });
    app.anonymous().post("/api/password/reset/confirm/", given).await.is(400, dead());
    confirm(&app, &token).await.status(200);
}

/// The same answer to all; a letter only to an active account that has the address and has yet to verify it.
#[actix_web::test]
async fn who_asks_learns_nothing_of_an_address() {
    let app = app().await;
    app.user("ann").await;
    app.user("gone").inactive().await;
    app.user("done").await.change(|changes| changes.email_verified = Some(true)).await;
    for name in ["nobody", "gone", "done"] {
        ask(&app, &format!("{name}@example.org")).await;
    }
    assert_eq!(app.letters().await, []);
    ask(&app, "ANN@example.org").await;
    app.letter_to("ann@example.org").await;
    for (given, told) in [
        (json!({}), "This field is required."),
        (json!({ "email": "" }), "This field may not be blank."),
        (json!({ "email": "ann" }), "Enter a valid email address."),
        (json!({ "email": ["ann@example.org", "eve@example.org"] }), "Enter a valid email address."),
        (json!({ "email": "ann@example.org\nBcc: eve@example.org" }), "Enter a valid email address."),
        (json!({ "email": "ann@example.org,eve@example.org" }), "Enter a valid email address."),
    ] {
        app.anonymous().post("/api/email/verify/", given.clone()).await.is(400, json!({ "email": [told] }));
    }
    assert_eq!(app.letters().await, []);
}

#[actix_web::test]
async fn who_is_signed_in_asks_for_ones_own_address_alone() {
    let app = app().await;
    app.user("bob").await;
    let ann = app.user("ann").await.signed_in().await;
    ann.post("/api/email/verify/", ()).await.is(200, sent());
    ann.post("/api/email/verify/", json!({ "email": "bob@example.org" })).await.is(200, sent());
    let letters = app.letters().await;
    assert_eq!(letters.iter().map(|letter| letter.to.as_str()).collect::<Vec<_>>(), ["ann@example.org"; 2]);

    let nameless = app.user("eve").await;
    nameless.change(|changes| changes.email = Some(String::new())).await;
    let told = json!({ "email": ["This field is required."] });
    nameless.signed_in().await.post("/api/email/verify/", ()).await.is(400, told);
    ann.bearing("nonsense").post("/api/email/verify/", ()).await.status(401);
}

/// AUT-16.
#[actix_web::test]
async fn with_a_new_address_both_it_and_the_old_one_get_a_letter() {
    let app = app().await;
    let ann = app.user("ann").await.signed_in().await;
    let change = json!({ "email": "new@example.org", "current_password": PASSWORD });
    ann.patch("/api/users/me/", change).await.status(200);

    let letters = app.letters().await;
    let told: Vec<_> = letters.iter().map(|letter| (letter.to.as_str(), letter.subject.as_str())).collect();
    let expected = [
        ("ann@example.org", "Your e-mail address at 127.0.0.1:8000 was changed"),
        ("new@example.org", "Verify your e-mail address for 127.0.0.1:8000"),
    ];
    assert_eq!(told, expected);
    assert_eq!(links(&letters[0]), Vec::<String>::new());
    assert!(letters[0].text.contains("The account ann at 127.0.0.1:8000 has another e-mail address now."));
    assert!(!letters[0].text.contains("new@example.org"));
    confirm(&app, &token_of(&link(&letters[1]))).await.status(200);
    assert_eq!(ann.get("/api/users/me/").await.json()["email_verified"], true);

    // A change that was refused, or that is none, tells nobody.
    ann.patch("/api/users/me/", json!({ "email": "x@example.org", "current_password": "wrong" })).await.status(400);
    ann.patch("/api/users/me/", json!({ "email": "new@EXAMPLE.org", "first_name": "Ann" })).await.status(200);
    assert_eq!(app.letters().await, []);
}

/// AUT-16, also when staff make the change.
#[actix_web::test]
async fn an_address_that_is_changed_in_the_panel_is_told_and_asked_too() {
    let panel = Panel::new().await;
    let ann = panel.user("ann", |_| ()).await;
    let root = panel.signed_in("root").await;
    let path = format!("/admin/users/{ann}/");
    let fields = [("username", "ann"), ("email", "new@example.org"), ("is_active", "on")];
    root.submit(&path, &fields).await.leads_to("/admin/users/");
    let letters = panel.app.letters().await;
    let addresses: Vec<_> = letters.iter().map(|letter| letter.to.as_str()).collect();
    assert_eq!(addresses, ["ann@example.org", "new@example.org"]);
    confirm(&panel.app, &token_of(&link(&letters[1]))).await.status(200);
    root.submit(
        &path,
        &[("first_name", "Ann"), ("email_verified", "on")].iter().chain(&fields).copied().collect::<Vec<_>>(),
    )
    .await
    .leads_to("/admin/users/");
    assert_eq!(panel.app.letters().await, []);
}

#[actix_web::test]
async fn where_it_is_required_only_the_verified_are_let_in() {
    let app = TestApp::with(|settings| {
        no_limits(settings);
        settings.accounts.require_verified_email = true;
    });
    let app = app.await;
    let given = json!({ "username": "ann", "password": PASSWORD, "email": "ann@example.org" });
    let pair: Pair = app.anonymous().post("/api/register/", given).await.status(201).ok();
    let unverified = json!({ "detail": "Email not verified.", "code": "email_not_verified" });
    let sign_in =
        async || app.anonymous().post("/api/token/", json!({ "username": "ann", "password": PASSWORD })).await;
    app.anonymous().bearing(&pair.access).get("/api/hello/").await.is(401, unverified.clone());
    sign_in().await.is(401, unverified);
    // Lost, and asked for again without being signed in.
    app.letter_to("ann@example.org").await;
    ask(&app, "ann@example.org").await;
    confirm(&app, &token_of(&link(&app.letter_to("ann@example.org").await))).await.status(200);
    sign_in().await.status(200);
    app.anonymous().bearing(&pair.access).get("/api/hello/").await.status(200);
}

/// EML-07.
#[actix_web::test]
async fn an_address_gets_three_letters_of_a_kind_a_day_however_often_they_are_asked_for() {
    let app = app().await;
    app.user("ann").await;
    let mut got = 0;
    for _ in 0..20 {
        for spelling in ["ann@example.org", "Ann@Example.ORG"] {
            ask(&app, spelling).await;
            app.anonymous().post("/api/password/reset/", json!({ "email": spelling })).await.status(200);
        }
        got += app.letters().await.len();
        app.clock.advance(minutes(60));
    }
    assert_eq!(got, 6);
    // What was asked for in vain is not sent later, and leaves nothing behind.
    app.clock.advance(hours(4));
    assert_eq!(app.letters().await, []);
    app.clock.advance(hours(4));
    ask(&app, "ann@example.org").await;
    app.letter_to("ann@example.org").await;
}

#[actix_web::test]
async fn an_address_is_not_flooded_by_registering_with_it() {
    let app = app().await;
    for n in 0..10 {
        let given = json!({ "username": format!("ann{n}"), "password": PASSWORD, "email": "ann@example.org" });
        app.anonymous().post("/api/register/", given).await.status(201);
    }
    assert_eq!(app.letters().await.len(), 3);
}

#[actix_web::test]
async fn who_asks_too_often_from_one_place_is_told_to_wait() {
    let app = TestApp::new().await;
    for n in 0..20 {
        ask(&app, &format!("nobody{n}@example.org")).await;
    }
    let given = json!({ "email": "ann@example.org" });
    app.anonymous().post("/api/email/verify/", given.clone()).await.status(429);
    app.anonymous().post("/api/password/reset/", given.clone()).await.status(429);
    app.anonymous().at("192.0.2.99").post("/api/password/reset/", given).await.status(200);
}
