//! All sessions: found, looked at, ended one by one, ticked, or all at once.

use serde_json::json;

use crate::support::panel::{PASSWORD, Panel};
use crate::support::token::claims;

fn sid(token: &str) -> String {
    claims(token)["sid"].as_str().unwrap().to_owned()
}

#[actix_web::test]
async fn sessions_of_api_and_panel_are_found_in_one_list() {
    let panel = Panel::new().await;
    panel.user("ann", |_| ()).await;
    let (_, over) = panel.tokens("ann").await;
    panel.api("/api/token/blacklist/", "", Some(json!({ "refresh": over }))).await;
    panel.wait(70);
    let (_, live) = panel.tokens("ann").await;
    let root = panel.signed_in("root").await;
    let (over, live) = (sid(&over), sid(&live));
    for (query, shows) in [
        ("", [true, true, true]),
        ("?q=ann", [true, true, false]),
        ("?q=root", [false, false, true]),
        ("?q=127.0.0", [true, true, true]),
        ("?q=10.1", [false, false, false]),
        ("?kind=api", [true, true, false]),
        ("?kind=sliding", [false, false, false]),
        ("?kind=admin", [false, false, true]),
        ("?state=live", [false, true, true]),
        ("?state=ended", [true, false, false]),
        ("?address=127.0.0.1", [true, true, true]),
        ("?address=127.0.0.1&state=ended", [true, false, false]),
        ("?address=127.0.0", [false, false, false]),
        ("?seen=1h", [false, true, true]),
        ("?seen=24h&sort=started", [true, true, true]),
    ] {
        let page = root.get(&format!("/admin/sessions/{query}")).await.is(200);
        let shown =
            [page.text.contains(&over), page.text.contains(&live), page.text.contains("/admin/sessions/panel-")];
        assert_eq!(shown, shows, "{query}");
    }
    root.get(&format!("/admin/sessions/?q={live}")).await.says("1 of 3 sessions matches");
    assert_eq!(root.get("/admin/sessions/").await.link("127.0.0.1").unwrap(), "/admin/sessions/?address=127.0.0.1");
    root.submit("/admin/users/2/sign-out/", &[]).await.is(303);
    root.get("/admin/sessions/?state=ended").await.says("2 of 3 sessions match");
    root.get("/admin/tokens/?state=revoked").await.says("2 of 2 tokens match");
    root.get("/admin/tokens/?state=live").await.says("0 of 2 tokens match");
    root.get("/admin/tokens/?user=ann").await.says("2 of 2 tokens match").says("User: ann");
    root.get("/admin/tokens/?user=an").await.says("0 of 2 tokens match");
}

/// Pages of two tables in one order: every row stands on one page, forwards and back.
#[actix_web::test]
async fn every_session_stands_on_one_page_whichever_way_one_goes() {
    let panel = Panel::new().await;
    panel.user("ann", |_| ()).await;
    for _ in 0..60 {
        panel.tokens("ann").await;
        panel.app.clock.advance(std::time::Duration::from_secs(1));
        panel.browser().sign_in("root", PASSWORD).await.is(303);
    }
    let root = panel.signed_in("root").await;
    let rows = |text: &str| {
        let links = text.split("href=\"/admin/sessions/").skip(1);
        let ids = links.filter_map(|rest| rest.split_once("/\"")).map(|(id, _)| id.to_owned());
        ids.filter(|id| id.len() > 20 && !id.contains('"')).collect::<Vec<_>>()
    };
    for sort in ["", "&sort=started", "&sort=seen"] {
        let (mut path, mut forwards, mut pages) = (format!("/admin/sessions/?rows=50{sort}"), Vec::new(), Vec::new());
        loop {
            let page = root.get(&path).await.is(200);
            forwards.push(rows(&page.text));
            pages.push(page.link("Previous"));
            match page.link("Next") {
                Some(next) => path = next,
                None => break,
            }
        }
        let all: std::collections::BTreeSet<&String> = forwards.iter().flatten().collect();
        assert_eq!((all.len(), forwards.iter().map(Vec::len).sum::<usize>()), (121, 121), "{sort}");
        let mut backwards = vec![forwards.last().unwrap().clone()];
        let mut path = pages.last().unwrap().clone();
        while let Some(previous) = path {
            let page = root.get(&previous).await.is(200);
            backwards.push(rows(&page.text));
            path = page.link("Previous");
        }
        let mut back: Vec<String> = backwards.into_iter().rev().flatten().collect();
        back.dedup();
        assert_eq!(back, forwards.concat(), "{sort}");
    }
}

#[actix_web::test]
async fn the_page_of_a_session_tells_what_happened_in_it() {
    let panel = Panel::new().await;
    let ann = panel.user("ann", |_| ()).await;
    let (_, refresh) = panel.tokens("ann").await;
    panel.wait(2);
    panel.api("/api/token/refresh/", "", Some(json!({ "refresh": refresh }))).await;
    let root = panel.signed_in("root").await;
    let path = format!("/admin/sessions/{}/", sid(&refresh));
    let page = root.get(&path).await.is(200).says("Signed in from 127.0.0.1").says("Refreshed 1 time");
    assert_eq!(page.link("ann"), Some(format!("/admin/users/{ann}/")));
    root.send(&path, &format!("{path}sign-out/"), &[]).await.leads_to(&path);
    root.get(&path).await.says("ann was signed out of curl 8.5.0").says("ended by an administrator, by root");
    root.get("/admin/sessions/nobodys/").await.is(404);
    root.get("/admin/sessions/panel-nobodys/").await.is(404);
}

#[actix_web::test]
async fn a_session_is_ended_from_the_list_at_once_and_told_once() {
    let panel = Panel::new().await;
    panel.user("ann", |_| ()).await;
    let (access, refresh) = panel.tokens("ann").await;
    let root = panel.signed_in("root").await;
    let path = format!("/admin/sessions/{}/sign-out/", sid(&refresh));
    root.send("/admin/sessions/", &path, &[("then", "/admin/sessions/?q=ann")])
        .await
        .leads_to("/admin/sessions/?q=ann");
    assert_eq!(panel.api("/api/hello/", &access, None).await.0, 401);
    root.send("/admin/sessions/", &path, &[("then", "//evil.example/")]).await.leads_to("/admin/");
    root.get("/admin/sessions/").await.says("That session had ended before");
    assert_eq!(panel.entries("session.end").await, 1);
}

#[actix_web::test]
async fn a_session_of_the_panel_is_ended_like_any_other() {
    let panel = Panel::new().await;
    panel.staff("ann", &["sessions.view"]).await;
    let (root, ann) = (panel.signed_in("root").await, panel.signed_in("ann").await);
    let page = root.get("/admin/sessions/?q=ann").await.is(200);
    let key = page.text.split("name=\"key\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert!(key.starts_with("panel-"), "{key}");
    let path = format!("/admin/sessions/{key}/sign-out/");
    ann.send("/admin/sessions/", &path, &[]).await.is(403);
    root.get(&format!("/admin/sessions/{key}/")).await.is(200).says("Admin").says("Firefox on Linux");
    root.send("/admin/sessions/", &path, &[]).await.leads_to("/admin/sessions/");
    ann.get("/admin/sessions/").await.is(303);
    assert_eq!(panel.entries("session.end").await, 1);
}

#[actix_web::test]
async fn the_ticked_are_signed_out_and_those_beyond_reach_left_out() {
    let panel = Panel::new().await;
    panel.user("bob", |_| ()).await;
    panel.staff("ann", &["sessions.view", "sessions.revoke"]).await;
    let (of_bob, of_root) = (panel.tokens("bob").await, panel.tokens("root").await);
    let ann = panel.signed_in("ann").await;
    let (one, other) = (sid(&of_bob.1), sid(&of_root.1));
    let ticked = [("list", "sessions"), ("action", "sign-out"), ("key", &one), ("key", &other)];
    let asked = ann.send("/admin/sessions/", "/admin/confirm/", &ticked).await.is(200);
    asked.says("Sign out curl 8.5.0 of bob?").says("left out: root is a superuser");
    let sure = [&ticked[..], &[("sure", "yes"), ("back", "/admin/sessions/")]].concat();
    ann.send("/admin/sessions/", "/admin/confirm/", &sure).await.leads_to("/admin/sessions/");
    ann.get("/admin/sessions/").await.says("1 session ended. 1 was left out.");
    assert_eq!(panel.api("/api/hello/", &of_bob.0, None).await.0, 401);
    assert_eq!(panel.api("/api/hello/", &of_root.0, None).await.0, 200);
    assert_eq!(panel.entries("session.end").await, 1);
}

#[actix_web::test]
async fn all_users_are_signed_out_but_for_the_session_that_asked() {
    let panel = Panel::new().await;
    panel.user("ann", |_| ()).await;
    panel.staff("revokes", &["sessions.view", "sessions.revoke"]).await;
    let (of_ann, of_root) = (panel.tokens("ann").await, panel.tokens("root").await);
    let (root, other, revokes) =
        (panel.signed_in("root").await, panel.signed_in("root").await, panel.signed_in("revokes").await);
    let path = "/admin/sessions/sign-out-all/";
    revokes.get("/admin/sessions/").await.is_silent_on("Sign out all users");
    revokes.get(path).await.is(403).says("Only a superuser");
    revokes.send("/admin/sessions/", path, &[("confirm", "all users")]).await.is(403);
    panel.wait(11);
    root.get(path).await.leads_to("/admin/again/?next=%2Fadmin%2Fsessions%2Fsign-out-all%2F");
    root.send("/admin/again/", "/admin/again/", &[("password", PASSWORD), ("next", path)]).await.leads_to(path);
    root.get(path).await.is(200).says("Live sessions 5").says("Type all users to confirm");
    root.submit(path, &[("confirm", "everybody")]).await.is(422);
    assert_eq!(panel.api("/api/hello/", &of_ann.0, None).await.0, 401, "eleven minutes are more than five");
    assert_eq!(panel.entries("session.end_everybodys").await, 0);
    root.submit(path, &[("confirm", "all users"), ("reason", "a leak")]).await.leads_to("/admin/sessions/");
    root.get("/admin/sessions/").await.says("4 sessions ended. 3 users were signed out everywhere");
    for (_, refresh) in [of_ann, of_root] {
        assert_eq!(panel.api("/api/token/refresh/", "", Some(json!({ "refresh": refresh }))).await.0, 401);
    }
    other.get("/admin/sessions/").await.is(303);
    revokes.get("/admin/sessions/").await.is(303);
    assert_eq!(panel.entries("session.end_everybodys").await, 1);
    assert_eq!(panel.last_entry().await.reason, "a leak");
}
