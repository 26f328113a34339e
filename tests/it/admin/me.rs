//! One's own account: looked at, another password, preferences, sessions; and finding anything from any page.

use serde_json::json;

use crate::support::panel::{PASSWORD, Panel};
use crate::support::token::claims;

#[actix_web::test]
async fn whoever_is_staff_sees_their_own_account_and_what_they_may_do() {
    let panel = Panel::new().await;
    panel.staff("ann", &["users.view", "tokens.view", "tokens.revoke"]).await;
    let ann = panel.signed_in("ann").await;
    let page = ann.get("/admin/me/").await.is(200);
    page.says("ann@example.org")
        .says("Role of ann")
        .says("Outstanding tokens view, revoke")
        .is_silent_on("Users view, change");
}

#[actix_web::test]
async fn a_new_password_takes_the_old_one_and_ends_every_session() {
    let panel = Panel::new().await;
    let id = panel.staff("ann", &[]).await;
    let (access, _) = panel.tokens("ann").await;
    let (ann, other) = (panel.signed_in("ann").await, panel.signed_in("ann").await);
    let fields = |current: &'static str, one: &'static str, two: &'static str| {
        [("current_password", current), ("password", one), ("password2", two)]
    };
    for (given, told) in [
        (fields("wrong horse 9", "another horse 5", "another horse 5"), "Your password: This is not your password."),
        (fields(PASSWORD, "another horse 5", "another horse 6"), "The two passwords are not the same"),
        (fields(PASSWORD, "12345678", "12345678"), "too common"),
        (fields("", "another horse 5", "another horse 5"), "Your password: This field may not be blank."),
    ] {
        let page = ann.submit("/admin/me/password/", &given).await.is(422).says(told);
        assert!(!page.text.contains("another horse"), "{}", page.text);
    }
    assert_eq!(panel.entries("user.password").await, 0);
    let given = fields(PASSWORD, "another horse 5", "another horse 5");
    ann.submit("/admin/me/password/", &given).await.leads_to("/admin/login/?note=ended");
    ann.get("/admin/me/").await.is(303);
    other.get("/admin/me/").await.is(303);
    assert_eq!(panel.api("/api/hello/", &access, None).await.0, 401);
    panel.browser().sign_in("ann", PASSWORD).await.is(422);
    panel.browser().sign_in("ann", "another horse 5").await.leads_to("/admin/");
    assert_eq!(panel.entries("user.password").await, 1);
    assert_eq!(panel.row(id).await.unwrap().password_generation, 1);
}

/// Whoever finds an open browser guesses here no faster than at the door.
#[actix_web::test]
async fn the_old_password_is_guessed_no_faster_than_at_the_door() {
    let panel = Panel::with(|settings| settings.throttle.login = Some("3/min".parse().unwrap())).await;
    let root = panel.signed_in("root").await;
    let new = [("password", "another horse 5"), ("password2", "another horse 5")];
    for _ in 0..3 {
        root.submit("/admin/me/password/", &[&[("current_password", "wrong horse 9")], &new[..]].concat())
            .await
            .is(422);
    }
    let right = [&[("current_password", PASSWORD)], &new[..]].concat();
    root.submit("/admin/me/password/", &right).await.is(429).says("Try again in 60 seconds");
}

#[actix_web::test]
async fn preferences_are_kept_in_the_browser() {
    let panel = Panel::new().await;
    let root = panel.signed_in("root").await;
    root.submit("/admin/me/preferences/", &[("theme", "dark")]).await.leads_to("/admin/me/preferences/");
    let page = root.get("/admin/me/preferences/").await.says("Your preferences are kept");
    assert!(page.text.contains(r#"<html lang="en" dir="ltr" data-theme="dark" data-keys="off""#), "{}", page.text);
    root.submit("/admin/me/preferences/", &[("theme", ""), ("keys", "on")]).await.is(303);
    assert!(root.get("/admin/me/preferences/").await.text.contains(r#"<html lang="en" dir="ltr" data-unsaved"#));
    root.submit("/admin/me/preferences/", &[("theme", "\"><script>")]).await.is(303);
    assert!(root.get("/admin/me/preferences/").await.text.contains(r#"<html lang="en" dir="ltr" data-keys="off""#));
}

#[actix_web::test]
async fn ones_own_sessions_end_one_by_one_or_all_but_this() {
    let panel = Panel::new().await;
    panel.staff("ann", &[]).await;
    let of_bob = panel.user("bob", |_| ()).await;
    let (first, second, bobs) = (panel.tokens("ann").await, panel.tokens("ann").await, panel.tokens("bob").await);
    let (ann, other) = (panel.signed_in("ann").await, panel.signed_in("ann").await);
    let path = "/admin/me/sessions/";
    let page = ann.get(path).await.is(200).says("this device");
    assert_eq!(page.text.matches("this device").count(), 2, "the button and the row");
    let sid = |token: &str| claims(token)["sid"].as_str().unwrap().to_owned();
    let out = format!("{path}sign-out/");
    ann.send(path, &out, &[("session", &sid(&first.1))]).await.leads_to(path);
    ann.get(path).await.says("You were signed out of curl 8.5.0");
    // Another's session is none of one's own.
    ann.send(path, &out, &[("session", &sid(&bobs.1))]).await.leads_to(path);
    ann.get(path).await.says("That session had ended before");
    assert_eq!(panel.api("/api/hello/", &first.0, None).await.0, 401);
    assert_eq!(panel.api("/api/hello/", &bobs.0, None).await.0, 200);
    assert_eq!(panel.entries("session.end").await, 1);

    ann.send(path, &format!("{path}sign-out-others/"), &[]).await.leads_to(path);
    ann.get(path).await.says("2 other sessions ended");
    other.get(path).await.is(303);
    let refresh = json!({ "refresh": second.1 });
    assert_eq!(panel.api("/api/token/refresh/", "", Some(refresh)).await.0, 401);
    assert_eq!(panel.entries("session.end_others").await, 1);
    assert!(panel.row(of_bob).await.is_some());
}

#[actix_web::test]
async fn anything_is_found_by_exactly_what_it_is_called_and_only_by_who_may_see_it() {
    let panel = Panel::new().await;
    let ann = panel.user("ann", |_| ()).await;
    let (access, refresh) = panel.tokens("ann").await;
    let (status, key) =
        panel.api("/api/keys/", &access, Some(json!({ "name": "nightly", "scopes": ["tasks.view"] }))).await;
    assert_eq!(status, 201, "{key}");
    let (jti, sid) =
        (claims(&refresh)["jti"].as_str().unwrap().to_owned(), claims(&refresh)["sid"].as_str().unwrap().to_owned());
    let prefix = key["prefix"].as_str().unwrap().to_owned();
    panel.staff("looks", &["tokens.view"]).await;
    panel.user("bare", |new| new.is_staff = true).await;
    let (root, looks, bare) =
        (panel.signed_in("root").await, panel.signed_in("looks").await, panel.signed_in("bare").await);
    let id = ann.to_string();
    for (q, link, name) in [
        ("ann", format!("/admin/users/{ann}/"), "ann"),
        (" ann@example.org ", format!("/admin/users/{ann}/"), "ann"),
        (id.as_str(), format!("/admin/users/{ann}/"), "ann"),
        (jti.as_str(), format!("/admin/tokens/{jti}/"), jti.as_str()),
        (sid.as_str(), format!("/admin/sessions/{sid}/"), "curl 8.5.0"),
        ("127.0.0.1", format!("/admin/sessions/{sid}/"), "curl 8.5.0"),
        (prefix.as_str(), "/admin/api-keys/1/".to_owned(), "nightly"),
    ] {
        let path = format!("/admin/search/?q={}", q.replace('@', "%40").replace(' ', "+"));
        assert_eq!(root.get(&path).await.is(200).link(name), Some(link.clone()), "{q}");
        let seen = looks.get(&path).await.is(200).link(name);
        assert_eq!(seen, (q == jti).then_some(link), "{q}");
        bare.get(&path).await.is(200).says("Your roles let you see nothing");
    }
    let nothing = root.get("/admin/search/?q=an").await.is(200).says("Nothing is called exactly so");
    assert_eq!(nothing.link("Users").as_deref(), Some("/admin/users/"), "the navigation comes first");
    assert!(nothing.text.contains("/admin/tokens/?q=an"));
    root.get("/admin/search/").await.is(200).says("What are you looking for?");
}

#[actix_web::test]
async fn a_users_tokens_keys_and_content_are_tabs_for_who_may_see_them() {
    let panel = Panel::new().await;
    let ann = panel.user("ann", |_| ()).await;
    let (access, refresh) = panel.tokens("ann").await;
    panel.api("/api/keys/", &access, Some(json!({ "name": "nightly", "scopes": ["tasks.view"] }))).await;
    panel.api("/api/tasks/", &access, Some(json!({ "title": "Buy milk" }))).await;
    panel.api("/api/articles/", &access, Some(json!({ "title": "On gates", "body": "They close." }))).await;
    panel.staff("looks", &["users.view", "tasks.view"]).await;
    let (root, looks) = (panel.signed_in("root").await, panel.signed_in("looks").await);
    let tab = |name: &str| format!("/admin/users/{ann}/{name}/");
    let jti = claims(&refresh)["jti"].as_str().unwrap().to_owned();
    let page = root.get(&tab("tokens")).await.is(200);
    assert_eq!(page.link(&jti[..8]), Some(format!("/admin/tokens/{jti}/")));
    assert_eq!(page.link("All of them, with filters").as_deref(), Some("/admin/tokens/?q=ann"));
    let page = root.get(&tab("api-keys")).await.is(200).says("tasks.view");
    assert_eq!(page.link("nightly").as_deref(), Some("/admin/api-keys/1/"));
    let page = root.get(&tab("content")).await.is(200);
    assert_eq!(page.link("On gates").as_deref(), Some("/admin/articles/1/"));
    assert_eq!(page.link("Buy milk").as_deref(), Some("/admin/tasks/1/"));
    looks.get(&tab("content")).await.is(200).says("Buy milk").is_silent_on("On gates");
    looks.get(&tab("tokens")).await.is(403);
    looks.get(&tab("api-keys")).await.is(403);
    let profile = looks.get(&format!("/admin/users/{ann}/")).await.is(200);
    assert_eq!((profile.link("Tokens"), profile.link("Content")), (None, Some(tab("content"))));
}
