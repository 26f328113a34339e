//! Nothing is changed but by a form of ours, sent by its own page, in its own session.

use actix_web::http::Method;

use super::paths;
use crate::support::panel::Panel;

#[actix_web::test]
async fn every_form_needs_the_token_of_its_session() {
    let panel = Panel::new().await;
    let (root, other) = (panel.signed_in("root").await, panel.signed_in("root").await);
    let foreign = other.get("/admin/users/").await.hidden("csrf_token");
    for path in paths("web::post()") {
        for token in [None, Some(""), Some("x"), Some(foreign.as_str())] {
            let fields: Vec<(&str, &str)> = token.map(|token| ("csrf_token", token)).into_iter().collect();
            let answer = root.post(&path, &fields).await;
            assert_eq!(answer.status, 403, "{path} {token:?}: {}", answer.text);
        }
    }
    root.get("/admin/users/").await.is(200);
    assert!(panel.row(1).await.is_some());
}

#[actix_web::test]
async fn what_a_page_of_another_site_sends_is_refused_whatever_it_carries() {
    let panel = Panel::new().await;
    let root = panel.signed_in("root").await;
    let token = root.get("/admin/users/").await.hidden("csrf_token");
    for path in paths("web::post()") {
        for headers in [
            [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")],
            [("sec-fetch-site", "same-site"), ("origin", "http://other.panel.test")],
            [("origin", "null"), ("x-other", "")],
            [("origin", "http://panel.test.evil.example"), ("x-other", "")],
        ] {
            let answer = root.ask(Method::POST, &path, Some(&[("csrf_token", &token)]), &headers).await;
            assert_eq!(answer.status, 403, "{path} {headers:?}");
            answer.says("That came from another site");
        }
    }
}

#[actix_web::test]
async fn signing_in_needs_the_token_of_the_page_it_was_typed_into() {
    let panel = Panel::new().await;
    let stranger = panel.browser();
    let fields = [("username", "root"), ("password", crate::support::panel::PASSWORD)];
    stranger.post("/admin/login/", &fields).await.is(403);
    assert_eq!(stranger.session(), None);

    let token = panel.browser().get("/admin/login/").await.hidden("csrf_token");
    stranger.get("/admin/login/").await.is(200);
    stranger.post("/admin/login/", &[("csrf_token", &token), fields[0], fields[1]]).await.is(403);
    assert_eq!(stranger.session(), None);
}

#[actix_web::test]
async fn a_form_sent_after_the_session_has_ended_says_that_nothing_was_saved() {
    let panel = Panel::new().await;
    let root = panel.signed_in("root").await;
    let token = root.get("/admin/users/1/").await.hidden("csrf_token");
    panel.wait(31);
    let answer = root.post("/admin/users/1/", &[("csrf_token", &token), ("username", "toor")]).await;
    answer.is(401).says("Nothing was saved");
    assert_eq!(panel.row(1).await.unwrap().username, "root");
}

#[actix_web::test]
async fn looking_changes_nothing() {
    let panel = Panel::new().await;
    let root = panel.signed_in("root").await;
    let before = panel.row(1).await.unwrap();
    for path in paths("page()") {
        root.get(&path).await;
        root.ask(Method::HEAD, &path, None, &[]).await;
    }
    let after = panel.row(1).await.unwrap();
    assert_eq!((before.updated_at, before.generation), (after.updated_at, after.generation));
}

#[actix_web::test]
async fn the_theme_is_kept_in_a_cookie_signed_in_or_not() {
    let panel = Panel::new().await;
    for browser in [panel.browser(), panel.signed_in("root").await] {
        let page = browser.get("/admin/login/").await;
        assert!(!page.text.contains("data-theme"), "{}", page.text);
        let chosen = [("theme", "dark"), ("next", "/admin/login/?next=/admin/roles/")];
        let answer = browser.send("/admin/login/", "/admin/preferences/theme/", &chosen).await;
        answer.leads_to("/admin/login/?next=/admin/roles/");
        assert!(browser.get("/admin/login/").await.text.contains(r#"<html lang="en" dir="ltr" data-theme="dark""#));
        let chosen = [("theme", "\"><script>"), ("next", "//evil.example/")];
        browser.send("/admin/login/", "/admin/preferences/theme/", &chosen).await.leads_to("/admin/");
        assert!(browser.get("/admin/login/").await.text.contains(r#"data-theme="dark""#));
    }
}
