//! Registration by invitation.

use portcullis::settings::Registration;
use serde_json::{Value, json};

use crate::support::app::{TestApp, days, no_limits};
use crate::support::client::{Answer, form};
use crate::support::letters::{link, path_of, token_of};
use crate::support::panel::Panel;
use crate::support::people::{PASSWORD, Pair};

async fn app() -> TestApp {
    TestApp::with(|settings| {
        no_limits(settings);
        settings.accounts.registration = Registration::Invitation;
    })
    .await
}

/// The token of the letter that invites this address.
async fn invite(app: &TestApp, root: &crate::support::client::Client, address: &str) -> (i64, String) {
    let made = root.post("/api/invitations/", json!({ "email": address })).await.status(201).json();
    (made["id"].as_i64().unwrap(), token_of(&link(&app.letter_to(address).await)))
}

async fn register(app: &TestApp, name: &str, more: Value) -> Answer {
    let mut given = json!({ "username": name, "password": PASSWORD });
    given.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    app.anonymous().post("/api/register/", given).await
}

fn dead() -> Value {
    json!({ "invitation": ["This link is invalid, has expired or was used before."] })
}

#[actix_web::test]
async fn the_invited_make_an_account_whose_address_is_verified() {
    let app = app().await;
    let root = app.user("root").superuser().await.signed_in().await;
    register(&app, "eve", json!({})).await.is(400, json!({ "invitation": ["This field is required."] }));

    let made = root.post("/api/invitations/", json!({ "email": "Ann@EXAMPLE.org" })).await;
    let expected = json!({
        "id": 1,
        "email": "Ann@example.org",
        "status": "pending",
        "invited_by": 1,
        "accepted_by": null,
        "created_at": "2026-01-01T12:00:00Z",
        "expires_at": "2026-01-08T12:00:00Z",
    });
    made.is(201, expected);
    let letter = app.letter_to("Ann@example.org").await;
    assert_eq!(letter.subject, "You are invited to 127.0.0.1:8000");
    assert!(letter.text.contains("until 8 January 2026, 12:00 UTC"), "{}", letter.text);
    let token = token_of(&link(&letter));

    let other = json!({ "invitation": token, "email": "eve@example.org" });
    register(&app, "eve", other).await.is(400, json!({ "email": ["This is not the address that was invited."] }));
    let pair: Pair = register(&app, "ann", json!({ "invitation": token })).await.status(201).ok();
    let ann = app.anonymous().bearing(&pair.access).get("/api/users/me/").await.json();
    assert_eq!((&ann["email"], &ann["email_verified"]), (&json!("Ann@example.org"), &json!(true)));
    assert_eq!(app.letters().await, [], "an address that is verified is not asked");

    register(&app, "twin", json!({ "invitation": token })).await.is(400, dead());
    let shown = root.get("/api/invitations/1/").await.json();
    assert_eq!((&shown["status"], &shown["accepted_by"]), (&json!("accepted"), &ann["id"]));
    let told = json!({ "detail": "This invitation was accepted; there is nothing to take back." });
    root.delete("/api/invitations/1/").await.is(409, told);
}

#[actix_web::test]
async fn an_invitation_ends_by_itself_or_is_taken_back() {
    let app = app().await;
    let person = app.user("root").superuser().await;
    let root = person.signed_in().await;
    let (id, token) = invite(&app, &root, "ann@example.org").await;
    root.delete(&format!("/api/invitations/{id}/")).await.is_empty(204);
    root.delete(&format!("/api/invitations/{id}/")).await.is_empty(204);
    register(&app, "ann", json!({ "invitation": token })).await.is(400, dead());

    let (id, token) = invite(&app, &root, "bob@example.org").await;
    app.clock.advance(days(7));
    register(&app, "bob", json!({ "invitation": token })).await.is(400, dead());
    let root = person.signed_in().await;
    assert_eq!(root.get(&format!("/api/invitations/{id}/")).await.json()["status"], "expired");

    // Taken back before its letter went out, it brings none.
    let made = root.post("/api/invitations/", json!({ "email": "eve@example.org" })).await.status(201).json();
    root.delete(&format!("/api/invitations/{}/", made["id"])).await.status(204);
    assert_eq!(app.letters().await, []);
    let list = root.get("/api/invitations/").await.json();
    let states: Vec<_> =
        list["results"].as_array().unwrap().iter().map(|one| one["status"].as_str().unwrap()).collect();
    assert_eq!((list["count"].as_i64(), states), (Some(3), vec!["revoked", "expired", "revoked"]));
}

#[actix_web::test]
async fn who_was_invited_twice_makes_one_account() {
    let app = app().await;
    let root = app.user("root").superuser().await.signed_in().await;
    let (_, first) = invite(&app, &root, "ann@example.org").await;
    let (_, second) = invite(&app, &root, "ann@example.org").await;
    register(&app, "ann", json!({ "invitation": first, "email": "ANN@example.org" })).await.status(201);
    register(&app, "ann2", json!({ "invitation": second })).await.is(400, dead());
}

#[actix_web::test]
async fn a_name_that_is_taken_leaves_the_invitation_as_it_was() {
    let app = app().await;
    let root = app.user("root").superuser().await.signed_in().await;
    let (_, token) = invite(&app, &root, "ann@example.org").await;
    register(&app, "root", json!({ "invitation": token })).await.is(400, json!({ "error": "Username already exists" }));
    register(&app, "ann", json!({ "invitation": token })).await.status(201);
}

async fn ten_at_once(app: TestApp) {
    let root = app.user("root").superuser().await.signed_in().await;
    let (_, token) = invite(&app, &root, "ann@example.org").await;
    let all = (0..10).map(|n| {
        let (app, token) = (app.clone(), token.clone());
        async move { register(&app, &format!("ann{n}"), json!({ "invitation": token })).await.status.as_u16() }
    });
    let mut codes = futures_util::future::join_all(all).await;
    codes.sort_unstable();
    assert_eq!(codes, [vec![201], vec![400; 9]].concat());
}

#[actix_web::test]
async fn of_ten_who_accept_one_invitation_at_once_one_does() {
    ten_at_once(app().await).await;
}

#[actix_web::test]
async fn of_ten_who_accept_one_invitation_at_once_one_does_on_postgresql() {
    ten_at_once(TestApp::on_postgres_with(no_limits).await).await;
}

/// Where registration is open an invitation still vouches for the address; where it is closed it is none.
#[actix_web::test]
async fn doors_that_are_open_or_closed_know_invitations_too() {
    let open = TestApp::with(no_limits).await;
    let root = open.user("root").superuser().await.signed_in().await;
    let (_, token) = invite(&open, &root, "ann@example.org").await;
    let closed = open.again_with(|settings| settings.accounts.registration = Registration::Closed).await;
    register(&closed, "ann", json!({ "invitation": token })).await.status(403);
    closed.anonymous().get(&format!("/invitation/{token}")).await.status(404);
    closed.anonymous().post(&format!("/invitation/{token}"), form("")).await.status(404);
    let told = json!({ "detail": "Registration is closed: nobody could accept an invitation." });
    let root = closed.anonymous().bearing(&root_token(&closed).await);
    root.post("/api/invitations/", json!({ "email": "bob@example.org" })).await.is(409, told);
    register(&open, "ann", json!({ "invitation": token })).await.status(201);
}

async fn root_token(app: &TestApp) -> String {
    let given = json!({ "username": "root", "password": PASSWORD });
    app.anonymous().post("/api/token/", given).await.ok::<Pair>().access
}

#[actix_web::test]
async fn only_staff_who_may_add_users_invite() {
    let panel = Panel::with(|settings| settings.accounts.registration = Registration::Invitation).await;
    panel.staff("adder", &["users.add"]).await;
    panel.staff("viewer", &["users.view", "users.change"]).await;
    let person = panel.user("plain", |_| ()).await;
    let role = panel.role("Adders", &["users.add"]).await;
    panel.give(role, person).await;
    for (name, code) in [("adder", 201), ("viewer", 403), ("plain", 403)] {
        let (access, _) = panel.tokens(name).await;
        let (status, _) = panel.api("/api/invitations/", &access, Some(json!({ "email": "ann@example.org" }))).await;
        assert_eq!(status, code, "{name}");
        let (status, _) = panel.api("/api/invitations/1/", &access, None).await;
        assert_eq!(status, if code == 201 { 200 } else { 403 }, "{name}");
    }
    panel.app.anonymous().get("/api/invitations/").await.status(401);
    let adder = panel.app.anonymous().bearing(&panel.tokens("adder").await.0);
    adder
        .post("/api/invitations/", json!({ "email": "ann" }))
        .await
        .is(400, json!({ "email": ["Enter a valid email address."] }));
    for missing in ["7", "x", "9223372036854775808"] {
        let told = json!({ "detail": "No Invitation matches the given query." });
        adder.get(&format!("/api/invitations/{missing}/")).await.is(404, told.clone());
        adder.delete(&format!("/api/invitations/{missing}/")).await.is(404, told);
    }
}

#[actix_web::test]
async fn the_invited_choose_name_and_password_on_the_page() {
    let app = app().await;
    let root = app.user("root").superuser().await.signed_in().await;
    root.post("/api/invitations/", json!({ "email": "ann@example.org" })).await.status(201);
    let path = path_of(&link(&app.letter_to("ann@example.org").await));
    let page = app.anonymous().get(&path).await.status(200);
    assert!(page.text().contains("At 127.0.0.1:8000, for ann@example.org"), "{}", page.text());

    let post = async |sent: &str| app.anonymous().post(&path, form(sent)).await;
    for (sent, told) in [
        (
            "username=root&password=battery+staple+7&password2=battery+staple+7",
            "A user with that username already exists.",
        ),
        ("username=a+b&password=battery+staple+7&password2=battery+staple+7", "Enter a valid username."),
        ("username=ann&password=ann%40example.org&password2=ann%40example.org", "too similar to the email address"),
    ] {
        let refused = post(sent).await.status(422);
        assert!(refused.text().contains(told), "{}", refused.text());
        assert!(!refused.text().contains("staple"), "a password is shown again");
    }
    let done = post("username=ann&password=battery+staple+7&password2=battery+staple+7").await.status(200);
    assert!(done.text().contains("You are ann at 127.0.0.1:8000."), "{}", done.text());
    post("username=ann2&password=battery+staple+7&password2=battery+staple+7").await.status(404);
    let given = json!({ "username": "ann", "password": "battery staple 7" });
    let pair: Pair = app.anonymous().post("/api/token/", given).await.status(200).ok();
    let ann = app.anonymous().bearing(&pair.access).get("/api/users/me/").await.json();
    assert_eq!((&ann["email"], &ann["email_verified"]), (&json!("ann@example.org"), &json!(true)));
}
