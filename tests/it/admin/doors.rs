//! Who comes in: the sign-in, the first run, and what opens no page.

use std::time::Duration;

use actix_web::http::Method;
use portcullis::settings::Rate;
use serde_json::json;

use super::paths;
use portcullis::model::user::UserChanges;

use crate::support::panel::{PASSWORD, Panel};

const REFUSED: &str = "Wrong username or password, or this account may not open the panel.";

#[actix_web::test]
async fn a_stranger_sees_no_page_however_its_path_is_spelled() {
    let panel = Panel::new().await;
    let stranger = panel.browser();
    let open = ["/admin/login/", "/admin/setup/x/"];
    let odd = ["/admin", "/admin/nothing/here/", "/admin/users", "/admin//users/", "/admin/./users/", "/admin/users/1"];
    let odd = odd.into_iter().map(str::to_owned).chain(["/admin/USERS/".into(), "/admin/%75sers/".into()]);
    for path in paths("page()").into_iter().filter(|path| !open.contains(&path.as_str())).chain(odd) {
        let answer = stranger.get(&path).await;
        assert_eq!(answer.status, 303, "{path}: {}", answer.text);
        assert!(answer.header("location").starts_with("/admin/login/?next="), "{path}");
    }
}

#[actix_web::test]
async fn whoever_may_not_come_in_is_told_the_same() {
    let panel = Panel::new().await;
    panel.user("ann", |_| ()).await;
    let gone = panel.staff("gone", &["users.view"]).await;
    panel.change(gone, |changes| changes.is_active = Some(false)).await;
    let mut told = Vec::new();
    for (username, password) in
        [("root", "wrong horse 9"), ("nobody", PASSWORD), ("ann", PASSWORD), ("gone", PASSWORD), ("", ""), ("root", "")]
    {
        let browser = panel.browser();
        let answer = browser.sign_in(username, password).await.is(422).says(REFUSED);
        assert!(answer.text.contains("There is a problem") && answer.text.contains("<title>Error: "));
        assert_eq!(browser.session(), None, "{username}");
        told.push((answer.words(), answer.header("content-type").to_owned()));
    }
    assert!(told.windows(2).all(|two| two[0] == two[1]), "{told:?}");
}

#[actix_web::test]
async fn an_address_that_is_one_accounts_and_verified_signs_in_like_its_name() {
    let panel = Panel::new().await;
    let verified = |changes: &mut UserChanges| changes.email_verified = Some(true);
    panel.browser().sign_in("root@example.org", PASSWORD).await.is(422).says(REFUSED);
    panel.change(1, verified).await;
    panel.browser().sign_in("root@example.org", PASSWORD).await.leads_to("/admin/");
    // Whoever registers with somebody else's address takes nothing from them ...
    let twin = panel.user("twin", |new| new.email = "root@example.org".into()).await;
    panel.browser().sign_in("root@example.org", PASSWORD).await.leads_to("/admin/");
    // ... and an address that two have verified is nobody's name.
    panel.change(twin, verified).await;
    panel.browser().sign_in("root@example.org", PASSWORD).await.is(422).says(REFUSED);
}

#[actix_web::test]
async fn one_goes_on_to_where_one_wanted_but_never_out_of_the_panel() {
    let panel = Panel::new().await;
    let stranger = panel.browser();
    let asked = stranger.get("/admin/users/?q=a%26b&sort=username").await;
    let page = stranger.get(asked.header("location")).await.is(200);
    assert_eq!(page.hidden("next"), "/admin/users/?q=a%26b&#38;sort=username");
    for (next, expected) in [
        ("/admin/users/?q=a%26b", "/admin/users/?q=a%26b"),
        ("//evil.example/", "/admin/"),
        ("https://evil.example/admin/", "/admin/"),
        ("/admin/../api/", "/admin/"),
        ("/admin/\\evil.example", "/admin/"),
        ("javascript:alert(1)", "/admin/"),
    ] {
        panel.browser().sign_in_and_go_to("root", PASSWORD, next).await.leads_to(expected);
        let query: String = form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
        let page = panel.browser().get(&format!("/admin/login/?{query}")).await;
        assert_eq!(page.hidden("next"), expected);
    }
}

#[actix_web::test]
async fn guessing_is_slowed_and_the_right_password_looks_no_different_meanwhile() {
    let rate = Rate { requests: 3, per: Duration::from_secs(60) };
    let panel = Panel::with(|settings| settings.throttle.login = Some(rate)).await;
    panel.change(1, |changes| changes.email_verified = Some(true)).await;
    for spelling in ["root", "root@example.org", "root"] {
        panel.browser().sign_in(spelling, "wrong horse 9").await.is(422);
    }
    let answer = panel.browser().sign_in("root", PASSWORD).await.is(429).says("Try again in 60 seconds");
    assert_eq!(answer.header("retry-after"), "60");
    let given = json!({ "username": "root", "password": PASSWORD });
    assert_eq!(panel.api("/api/token/", "", Some(given)).await.0, 429);
    panel.wait(1);
    panel.browser().sign_in("root", PASSWORD).await.leads_to("/admin/");
}

#[actix_web::test]
async fn a_bearer_token_opens_no_page_and_a_panel_cookie_no_api() {
    let panel = Panel::new().await;
    let (access, _) = panel.tokens("root").await;
    let bearer = format!("Bearer {access}");
    for path in ["/admin/", "/admin/users/"] {
        let answer = panel.browser().ask(Method::GET, path, None, &[("authorization", &bearer)]).await;
        assert_eq!(answer.status, 303, "{path}");
    }
    let forged = panel.browser();
    forged.set_session(&access);
    forged.get("/admin/users/").await.is(303);

    panel.signed_in("root").await.get("/api/hello/").await.is(401);
}

#[actix_web::test]
async fn the_first_administrator_is_made_by_the_link_and_once() {
    let panel = Panel::without_administrator(|_| ()).await;
    let browser = panel.browser();
    for path in ["/admin/", "/admin/users/", "/admin/login/"] {
        let page = browser.get(path).await.is(403);
        page.says("This server has no administrator yet").is_silent_on("127.0.0.1");
    }
    let link = format!("/admin/setup/{}/", panel.app.site.setup.issue(panel.now()).unwrap());
    browser.get("/admin/setup/guess/").await.is(404);
    let weak = [("username", "mira"), ("email", ""), ("password", "12345678"), ("password2", "12345679")];
    let page = browser.submit(&link, &weak).await.is(422);
    page.says("Password again: The two passwords are not the same.");
    let weak = [("username", "mira"), ("email", ""), ("password", "password1"), ("password2", "password1")];
    browser.submit(&link, &weak).await.is(422);
    let good = [("username", "mira"), ("email", "Mira@EXAMPLE.org"), ("password", PASSWORD), ("password2", PASSWORD)];
    browser.submit(&link, &good).await.leads_to("/admin/");
    browser.get("/admin/users/").await.is(200).says("mira Mira@example.org");

    let second = panel.browser();
    second.get(&link).await.is(404).says("This link is no longer good");
    let token = second.get("/admin/login/").await.hidden("csrf_token");
    let again = [("csrf_token", token.as_str()), ("username", "eve"), good[2], good[3]];
    second.post(&link, &again).await.is(404);
    assert!(panel.row(2).await.is_none());
}

#[actix_web::test]
async fn the_first_link_is_good_for_an_hour() {
    let panel = Panel::without_administrator(|_| ()).await;
    let link = format!("/admin/setup/{}/", panel.app.site.setup.issue(panel.now()).unwrap());
    panel.browser().get(&link).await.is(200);
    panel.wait(60);
    panel.browser().get(&link).await.is(404);
}

#[actix_web::test]
async fn a_page_of_the_panel_has_one_address() {
    let panel = Panel::new().await;
    let root = panel.signed_in("root").await;
    for (asked, given) in [("/admin", "/admin/"), ("/admin/users?q=a", "/admin/users/?q=a"), ("/admin/x", "/admin/x/")]
    {
        let answer = root.get(asked).await;
        assert_eq!((answer.status, answer.header("location")), (308, given));
    }
    root.get("/admin/x/").await.is(404).says("There is no such page");
    root.get("/admin/users/abc/").await.is(404);
    root.get("/admin/users/99/").await.is(404);
    root.get("/admin/").await.is(200).says("Needs attention");
}

/// That a session is in use is noted once a minute; where nothing can be written, whoever is in looks around all the same.
#[actix_web::test]
async fn a_page_is_shown_though_its_visit_cannot_be_noted() {
    let panel = Panel::new().await;
    let root = panel.signed_in("root").await;
    panel.refuse_changes("panel_sessions", "TRUE");
    panel.wait(2);
    root.get("/admin/users/").await.is(200);
    // Which is no way to stay for ever.
    panel.wait(30);
    root.get("/admin/users/").await.leads_to("/admin/login/?next=%2Fadmin%2Fusers%2F");
}
