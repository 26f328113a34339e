//! What people type is shown as they typed it, and runs nowhere.

use actix_web::http::Method;

use super::paths;
use crate::support::panel::{PASSWORD, Panel};
use serde_json::json;

const EVIL: &str = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>";

const LISTS: [&str; 10] =
    ["users", "roles", "tokens", "blacklist", "sessions", "articles", "tasks", "api-keys", "mail", "throttling"];

/// What no page may hold: our own markup has none of it.
#[track_caller]
fn is_harmless(path: &str, html: &str) {
    assert!(!html.contains("<script>") && !html.contains("<img"), "{path}: {html}");
    assert!(!html.contains(" style=") && !html.contains("javascript:"), "{path}: {html}");
    for tag in html.split('<').skip(1).filter_map(|rest| rest.split('>').next()) {
        let attributes = tag.split('"').step_by(2).collect::<String>();
        assert!(!attributes.contains(" on"), "{path}: <{tag}>");
    }
}

#[actix_web::test]
async fn names_titles_agents_and_searches_are_text_on_every_page() {
    let panel = Panel::new().await;
    let id = panel
        .user(EVIL, |new| (new.email, new.first_name, new.last_name) = (EVIL.into(), EVIL.into(), EVIL.into()))
        .await;
    panel.change(id, |changes| (changes.is_staff, changes.is_superuser) = (Some(true), Some(true))).await;
    let role = panel.role(EVIL, &["users.view"]).await;
    panel.give(role, id).await;
    let mut browser = panel.browser();
    browser.agent = "<script>alert(1)</script>/1".to_owned();
    browser.sign_in(EVIL, PASSWORD).await.leads_to("/admin/");
    let (_, pair) = panel.api("/api/token/", "", Some(json!({ "username": EVIL, "password": PASSWORD }))).await;
    panel.api("/api/token/blacklist/", "", Some(json!({ "refresh": pair["refresh"] }))).await;

    let encoded: String = form_urlencoded::byte_serialize(EVIL.as_bytes()).collect();
    let own = paths("page()").into_iter().map(|path| path.replace("/1/", &format!("/{id}/")));
    let asked = LISTS.map(|list| format!("/admin/{list}/?q={encoded}&status={encoded}"));
    let more = [
        format!("/admin/login/?next={encoded}"),
        format!("/admin/{encoded}/"),
        format!("/admin/users/?sort={encoded}&after={encoded}&rows={encoded}&role={encoded}"),
        format!("/admin/users/{id}/sessions/"),
        format!("/admin/roles/{role}/"),
        format!("/admin/roles/{role}/delete/"),
        "/admin/users/".to_owned(),
    ];
    for path in own.chain(paths("page()")).chain(asked).chain(more) {
        is_harmless(&path, &browser.get(&path).await.text);
    }
    for (path, fields) in [
        ("/admin/users/new/", [("username", EVIL), ("email", EVIL), ("first_name", EVIL)]),
        ("/admin/roles/new/", [("name", ""), ("description", EVIL), ("p", EVIL)]),
        ("/admin/blacklist/new/", [("token", EVIL), ("x", EVIL), ("y", EVIL)]),
    ] {
        is_harmless(path, &browser.submit(path, &fields).await.is(422).text);
    }
    let id = id.to_string();
    let bulk = [("list", "users"), ("action", "sign-out"), ("id", &id), ("back", EVIL)];
    is_harmless("/admin/confirm/", &browser.send("/admin/users/", "/admin/confirm/", &bulk).await.is(200).text);
    is_harmless("/admin/login/", &panel.browser().sign_in(EVIL, "wrong").await.is(422).text);
    let page = browser.get("/admin/users/").await;
    page.says("<script>alert(1)</script>");
}

#[actix_web::test]
async fn every_page_says_that_it_runs_nothing_but_our_script_and_is_kept_by_nobody() {
    let panel = Panel::new().await;
    let (root, stranger) = (panel.signed_in("root").await, panel.browser());
    let policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; \
                  base-uri 'none'; frame-ancestors 'none'";
    for path in paths("page()").into_iter().chain(["/admin/nothing/".to_owned()]) {
        for answer in [root.get(&path).await, stranger.get(&path).await] {
            for (name, value) in [
                ("content-security-policy", policy),
                ("cache-control", "no-store"),
                ("x-content-type-options", "nosniff"),
                ("referrer-policy", "same-origin"),
                ("cross-origin-opener-policy", "same-origin"),
                ("x-frame-options", "DENY"),
            ] {
                assert_eq!(answer.header(name), value, "{path} {name}");
            }
        }
    }
}

/// COR-02: whatever the API allows, the panel is for its own pages alone.
#[actix_web::test]
async fn no_page_of_another_site_may_read_the_panel() {
    let origin = "https://app.example";
    let panel = Panel::with(|settings| {
        settings.cors.allowed_origins = vec![origin.into()];
        settings.jwt.refresh_cookie = true;
    })
    .await;
    let root = panel.signed_in("root").await;
    let preflight = [("origin", origin), ("access-control-request-method", "POST")];
    for path in ["/admin", "/admin/login/", "/admin/users/"] {
        let answer = root.ask(Method::GET, path, None, &[("origin", origin)]).await;
        assert_eq!(answer.header("access-control-allow-origin"), "", "{path}");
        assert_eq!(answer.header("access-control-allow-credentials"), "", "{path}");
        let answer = root.ask(Method::OPTIONS, path, None, &preflight).await;
        assert_eq!(answer.header("access-control-allow-origin"), "", "{path}");
    }
    let answer = root.ask(Method::GET, "/api/hello/", None, &[("origin", origin)]).await;
    assert_eq!(answer.header("access-control-allow-origin"), origin);
}

#[actix_web::test]
async fn no_page_shows_a_hash_a_token_or_a_password() {
    let panel = Panel::new().await;
    let id = panel.user("ann", |_| ()).await;
    let (access, refresh) = panel.tokens("ann").await;
    let root = panel.signed_in("root").await;
    let pasted = root.submit("/admin/blacklist/new/", &[("token", &access)]).await;
    let again = root.submit("/admin/blacklist/new/", &[("token", &refresh)]).await;
    let typed = [("password", "another horse 9"), ("password2", "another horse 8")];
    let refused = root.submit(&format!("/admin/users/{id}/password/"), &typed).await.is(422);
    let mut texts = vec![pasted.text, again.text, refused.text];
    for path in paths("page()") {
        texts.push(root.get(&path.replace("/1/", &format!("/{id}/"))).await.text);
    }
    for text in texts {
        for secret in ["$argon2", access.as_str(), refresh.as_str(), "another horse", PASSWORD] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}

#[actix_web::test]
async fn a_form_of_any_shape_is_no_fault_of_the_server() {
    let panel = Panel::new().await;
    let ann = panel.user("ann", |_| ()).await;
    let root = panel.signed_in("root").await;
    let token = root.get("/admin/users/").await.hidden("csrf_token");
    let long = "x".repeat(70_000);
    for path in paths("web::post()").into_iter().filter(|path| path != "/admin/logout/") {
        let path = path.replace("/users/1/", &format!("/users/{ann}/"));
        for value in ["", "\0", "-1", "99999999999999999999", "on", "\u{feff}", &long] {
            let names =
                ["username", "email", "password", "password2", "name", "version", "id", "list", "action", "token"];
            let more = ["session", "roles", "p", "confirm", "sure", "role", "theme", "next", "back", "take-email"];
            let mut fields = vec![("csrf_token", token.as_str())];
            fields.extend(names.iter().chain(&more).map(|name| (*name, value)));
            let answer = root.post(&path, &fields).await;
            assert!(answer.status < 500 && answer.status != 401, "{path} {value:?}: {}", answer.text);
        }
    }
    for query in ["after=bnVsbA", "after=W251bGwsMSwxXQ", "after=WyJhIiwxLDFd", "rows=-1", "sort=-", "q=%00", "q=%ff"] {
        for list in LISTS {
            root.get(&format!("/admin/{list}/?{query}&sort=username")).await.is(200);
            root.get(&format!("/admin/{list}/?{query}")).await.is(200);
        }
    }
}
