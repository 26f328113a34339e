//! People and services: how accounts are made, what a service is kept from, and what a user's page offers.

use portcullis::model::user::{self, User};
use portcullis::model::{invitation, role};
use portcullis::settings::Registration;
use serde_json::json;

use crate::support::letters::{link, path_of, token_of};
use crate::support::panel::{PASSWORD, Panel};

async fn named(panel: &Panel, name: &'static str) -> Option<User> {
    panel.app.read(move |conn| user::by_username(conn, name)).await
}

const SERVICE: [(&str, &str); 4] =
    [("how", "service"), ("username", "nightly"), ("email", "ops@example.org"), ("is_active", "on")];

/// A service with a verified address, as a person would have it.
async fn service(panel: &Panel) -> i64 {
    let root = panel.signed_in("root").await;
    let fields = [&SERVICE[..], &[("is_staff", "on"), ("email_verified", "on")]].concat();
    root.submit("/admin/users/new/", &fields).await.is(303);
    named(panel, "nightly").await.unwrap().id
}

#[actix_web::test]
async fn a_service_is_made_without_a_password_and_wears_a_badge() {
    let panel = Panel::new().await;
    let reads = panel.role("Reader", &["tasks.view"]).await.to_string();
    let root = panel.signed_in("root").await;
    root.get("/admin/users/new/").await.says("A service A program: no password and no sign-in, API keys only.");
    let fields = [&SERVICE[..], &[("roles", reads.as_str())]].concat();
    // What was typed for a password before the kind was chosen is nothing.
    let fields = [&fields[..], &[("password", "x"), ("password2", "y")]].concat();
    root.submit("/admin/users/new/", &fields).await.is(303);
    let made = named(&panel, "nightly").await.unwrap();
    assert!(made.is_service && made.password == user::NO_PASSWORD && !made.is_staff);
    let held = panel.app.read(move |conn| role::of_user(conn, made.id)).await;
    assert_eq!(held.len(), 1);
    let page = root.get(&format!("/admin/users/{}/", made.id)).await.is(200).says("Service").says("nightly was added");
    page.says("nobody signs in as it").says("Create API key").is_silent_on("Set a password");
    assert_eq!(panel.entries("user.create").await, 1);
    panel.user("ann", |_| ()).await;
    root.get("/admin/users/?kind=service")
        .await
        .says("1 of 3 users match")
        .says("nightly ops@example.org Active Service");
    root.get("/admin/users/?kind=person").await.says("2 of 3 users match").is_silent_on("nightly");

    let boss = [&SERVICE[..], &[("username", "boss"), ("is_superuser", "on")]].concat();
    root.submit("/admin/users/new/", &boss).await.is(422).says("Superuser: A service is no superuser.");
    let odd = [&SERVICE[..], &[("username", "odd"), ("how", "robot")]].concat();
    root.submit("/admin/users/new/", &odd).await.is(422).says("Kind of account: Choose how the account is made.");
    assert!(named(&panel, "boss").await.is_none() && named(&panel, "odd").await.is_none());
    let path = format!("/admin/users/{}/", made.id);
    let raised = [("username", "nightly"), ("is_active", "on"), ("is_superuser", "on")];
    root.submit(&path, &raised).await.is(409).says("A service is no superuser");
    assert!(!panel.row(made.id).await.unwrap().is_superuser);
}

#[actix_web::test]
async fn nobody_signs_in_as_a_service_whatever_they_know() {
    let panel = Panel::new().await;
    let id = service(&panel).await;
    for (login, password) in [("nightly", "!"), ("nightly", ""), ("nightly", PASSWORD), ("ops@example.org", "!")] {
        let given = json!({ "username": login, "password": password });
        let (status, _) = panel.api("/api/token/", "", Some(given)).await;
        assert!(matches!(status, 400 | 401), "{login}: {status}");
        panel.browser().sign_in(login, password).await.is(422);
    }
    // No letter lets it have a password.
    let (status, _) = panel.api("/api/password/reset/", "", Some(json!({ "email": "ops@example.org" }))).await;
    assert_eq!(status, 200, "whether anybody has the address is told to nobody");
    assert!(panel.app.letters().await.is_empty());
    let root = panel.signed_in("root").await;
    let path = format!("/admin/users/{id}/");
    root.get(&format!("{path}password/")).await.is(409).says("it has API keys and no password");
    let new = [("password", "another horse 5"), ("password2", "another horse 5")];
    root.send(&path, &format!("{path}password/"), &new).await.is(409);
    root.send(&path, &format!("{path}send-reset/"), &[]).await.is(409);
    // Nor does the API, or a hash that somebody put there.
    let (access, _) = panel.tokens("root").await;
    let admin = panel.app.anonymous().bearing(&access);
    admin.patch(&format!("/api/users/{id}/"), json!({ "password": "another horse 5" })).await.status(409);
    assert_eq!(panel.row(id).await.unwrap().password, user::NO_PASSWORD);
    assert_eq!(panel.entries("user.password").await + panel.entries("user.send_reset").await, 0);
}

#[actix_web::test]
async fn a_service_comes_with_an_api_key_and_counts_as_no_administrator() {
    let panel = Panel::new().await;
    let id = service(&panel).await;
    let root = panel.signed_in("root").await;
    let page = root.get("/admin/api-keys/new/?owner=nightly").await.is(200);
    assert!(page.text.contains(r#"value="nightly""#), "{}", page.text);
    let fields = [("name", "jobs"), ("owner", "nightly"), ("whole", "on"), ("expires", "90")];
    let page = root.submit("/admin/api-keys/new/", &fields).await.is(200);
    let secret = page.text.split("id=\"secret\"").nth(1).unwrap().split('>').nth(1).unwrap();
    let secret = secret.split('<').next().unwrap().trim();
    panel.app.anonymous().keyed(secret).get("/api/hello/").await.status(200);
    panel.change(id, |changes| changes.is_superuser = Some(true)).await;
    assert_eq!(panel.app.read(user::active_superusers).await, 1);
}

#[actix_web::test]
async fn a_person_is_invited_by_a_letter_and_joins_by_its_link() {
    let panel = Panel::new().await;
    let root = panel.signed_in("root").await;
    let role = panel.role("Help", &["users.view"]).await.to_string();
    let form = "/admin/users/new/";
    let none = [("how", "invitation"), ("email", ""), ("is_active", "on")];
    root.submit(form, &none).await.is(422).says("E-mail: This field may not be blank.");
    for more in [("is_staff", "on"), ("is_superuser", "on"), ("roles", role.as_str())] {
        let gives = [("how", "invitation"), ("email", "eve@example.org"), more];
        root.submit(form, &gives).await.is(422).says("Give roles once they have made it");
    }
    assert!(panel.app.letters().await.is_empty());
    let good = [("how", "invitation"), ("email", "eve@EXAMPLE.org"), ("is_active", "on")];
    root.submit(form, &good).await.leads_to("/admin/users/");
    root.get("/admin/users/").await.says("eve@example.org is invited.").says("good for 7 days");
    assert_eq!((panel.entries("invitation.create").await, panel.entries("user.create").await), (1, 0));
    let letter = panel.app.letter_to("eve@example.org").await;
    let token = token_of(&link(&letter));
    assert!(path_of(&link(&letter)).contains(&token));
    let row = panel.app.read(|conn| invitation::by_id(conn, 1)).await.unwrap();
    assert_eq!((row.invited_by, row.email.as_str()), (Some(1), "eve@example.org"));
}

#[actix_web::test]
async fn where_registration_is_closed_nobody_is_invited() {
    let panel = Panel::with(|settings| settings.accounts.registration = Registration::Closed).await;
    let root = panel.signed_in("root").await;
    root.get("/admin/users/new/").await.says("Registration is closed (accounts.registration)");
    let fields = [("how", "invitation"), ("email", "eve@example.org")];
    root.submit("/admin/users/new/", &fields).await.is(422).says("nobody could accept an invitation");
    assert_eq!(panel.app.read(invitation::count).await, 0);
}

#[actix_web::test]
async fn a_letter_that_resets_the_password_is_sent_from_the_users_page() {
    let panel = Panel::new().await;
    let ann = panel.user("ann", |_| ()).await;
    let path = format!("/admin/users/{ann}/");
    let reset = format!("{path}send-reset/");
    let root = panel.signed_in("root").await;
    root.get(&path).await.says("Send password reset").says("Create API key").says("Set a password").says("Delete user");
    root.send(&path, &reset, &[]).await.leads_to(&path);
    root.get(&path).await.says("A letter to reset the password goes to ann@example.org.");
    assert!(!token_of(&link(&panel.app.letter_to("ann@example.org").await)).is_empty());
    panel.tokens("ann").await;
    assert_eq!(panel.entries("user.send_reset").await, 1);

    panel.change(ann, |changes| changes.email = Some(String::new())).await;
    root.get(&path).await.is_silent_on("Send password reset");
    root.send(&path, &reset, &[]).await.is(409).says("No letter goes to ann: no e-mail address.");
    panel
        .change(ann, |changes| (changes.email, changes.is_active) = (Some("ann@example.org".into()), Some(false)))
        .await;
    root.send(&path, &reset, &[]).await.is(409).says("inactive");
    panel.staff("sam", &["users.view"]).await;
    let sam = panel.signed_in("sam").await;
    sam.get(&path).await.is_silent_on("Send password reset").is_silent_on("Create API key");
    sam.send(&path, &reset, &[]).await.is(403);
    // Nobody reaches for who may do more.
    panel.staff("tom", &["users.view", "users.change"]).await;
    panel.signed_in("tom").await.send(&path, "/admin/users/1/send-reset/", &[]).await.is(403);
    assert!(panel.app.letters().await.is_empty());
    assert_eq!(panel.entries("user.send_reset").await, 1);
}

#[actix_web::test]
async fn the_side_of_a_users_page_says_where_from_what_failed_and_what_was_done() {
    let panel = Panel::new().await;
    let ann = panel.user("ann", |_| ()).await;
    let path = format!("/admin/users/{ann}/");
    panel.tokens("ann").await;
    let wrong = json!({ "username": "ann", "password": "another" });
    panel.api("/api/token/", "", Some(wrong)).await;
    portcullis::ops::limits::write_down(&panel.app.site).await.unwrap();
    let root = panel.signed_in("root").await;
    root.submit(&path, &[("username", "ann"), ("is_active", "on"), ("first_name", "Ann")]).await.is(303);
    let page = root.get(&path).await.says("From 127.0.0.1").says("Failed, 24 h 1").says("Live tokens 1");
    page.says("API keys 0").says("Latest history All history of ann User changed : ").says("· root");
    panel.staff("sam", &["users.view"]).await;
    let page = panel.signed_in("sam").await.get(&path).await;
    page.is_silent_on("From 127").is_silent_on("Latest history").is_silent_on("API keys 0");
}
