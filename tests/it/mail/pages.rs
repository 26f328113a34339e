//! The pages that links lead to.

use actix_web::http::Method;

use crate::support::app::{TestApp, no_limits};
use crate::support::client::{Answer, form};
use crate::support::letters::{link, path_of};
use crate::support::people::PASSWORD;

async fn app() -> TestApp {
    TestApp::with(no_limits).await
}

/// The path of the link that is mailed when this is asked for.
async fn mailed(app: &TestApp, ask: &str) -> String {
    app.anonymous().post(ask, serde_json::json!({ "email": "ann@example.org" })).await.status(200);
    path_of(&link(&app.letter_to("ann@example.org").await))
}

async fn is_verified(app: &TestApp) -> bool {
    app.read(|conn| Ok(portcullis::model::user::by_username(conn, "ann")?.unwrap().email_verified)).await
}

/// What every page carries.
#[track_caller]
fn keeps_its_secret(answer: &Answer) {
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("x-frame-options"), Some("DENY"));
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    let policy = answer.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'self'; script-src 'self'"), "{policy}");
    assert!(policy.contains("form-action 'self'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(answer.header("set-cookie"), None);
}

/// EML-06: a scanner that follows every link uses nothing up.
#[actix_web::test]
async fn reading_a_page_uses_nothing_up_and_its_button_verifies() {
    let app = app().await;
    app.user("ann").await;
    let path = mailed(&app, "/api/email/verify/").await;
    for method in [Method::GET, Method::HEAD, Method::GET] {
        let page = app.anonymous().request(method, &path).await.status(200);
        keeps_its_secret(&page);
    }
    assert!(!is_verified(&app).await);
    let page = app.anonymous().get(&format!("{path}/")).await.status(200);
    assert!(page.text().contains("Press the button to say that ann@example.org is yours."), "{}", page.text());
    assert!(page.text().contains("<form method=\"post\""), "{}", page.text());
    assert!(!page.text().contains(path.trim_start_matches("/verify/")), "the page repeats its token");

    let done = app.anonymous().post(&path, form("")).await.status(200);
    keeps_its_secret(&done);
    assert!(done.text().contains("Your address is verified"), "{}", done.text());
    assert!(is_verified(&app).await);
    for again in [app.anonymous().get(&path).await, app.anonymous().post(&path, form("")).await] {
        assert!(again.text().contains("This link is no longer good"), "{}", again.text());
        keeps_its_secret(&again.status(404));
    }
}

#[actix_web::test]
async fn a_password_is_set_on_the_page() {
    let app = app().await;
    let ann = app.user("ann").await;
    let pair = ann.obtain().await;
    let path = mailed(&app, "/api/password/reset/").await;
    let page = app.anonymous().get(&path).await.status(200);
    keeps_its_secret(&page);
    assert!(page.text().contains("For the account ann at 127.0.0.1:8000"), "{}", page.text());
    app.anonymous().request(Method::HEAD, &path).await.status(200);

    for (sent, told) in [
        ("password=battery+staple+7&password2=battery+staple+8", "The two passwords differ."),
        ("password=battery+staple+7", "The two passwords differ."),
        ("password=12345678&password2=12345678", "This password is entirely numeric."),
        ("", "This field is required."),
    ] {
        let refused = app.anonymous().post(&path, form(sent)).await.status(422);
        keeps_its_secret(&refused);
        assert!(refused.text().contains(told), "{sent}: {}", refused.text());
        assert!(!refused.text().contains("staple"), "a password is shown again");
    }
    ann.with(&pair.access).get("/api/hello/").await.status(200);

    let done = app.anonymous().post(&path, form("password=battery+staple+7&password2=battery+staple+7")).await;
    assert!(done.text().contains("You have a new password"), "{}", done.text());
    keeps_its_secret(&done.status(200));
    ann.with(&pair.access).get("/api/hello/").await.status(401);
    let given = serde_json::json!({ "username": "ann", "password": "battery staple 7" });
    app.anonymous().post("/api/token/", given).await.status(200);
}

#[actix_web::test]
async fn the_page_of_another_site_presses_no_button() {
    let app = app().await;
    app.user("ann").await;
    let path = mailed(&app, "/api/email/verify/").await;
    for (name, value) in
        [("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-site"), ("origin", "https://evil.example")]
    {
        let refused = app.anonymous().post(&path, form("")).header(name, value).await.status(403);
        keeps_its_secret(&refused);
        assert!(refused.text().contains("That came from another site"), "{}", refused.text());
    }
    assert!(!is_verified(&app).await);
    // As a browser sends it from a page that tells no referrer: with the word of the browser, and on plain HTTP without.
    let ours = app.anonymous().post(&path, form("")).header("origin", "null").header("sec-fetch-site", "same-origin");
    ours.await.status(200);
    let path = mailed(&app, "/api/password/reset/").await;
    app.anonymous().post(&path, form("")).header("origin", "null").await.status(422);
}

#[actix_web::test]
async fn a_link_that_is_none_and_a_body_that_is_no_form_are_told_so() {
    let app = app().await;
    app.user("ann").await;
    let verify = mailed(&app, "/api/email/verify/").await;
    let reset = mailed(&app, "/api/password/reset/").await;
    let crossed = verify.replace("/verify/", "/reset/");
    for path in ["/verify/nonsense", "/reset/nonsense/", "/invitation/a.b.c", "/verify/%3Cb%3E", crossed.as_str()] {
        let page = app.anonymous().get(path).await;
        assert!(page.text().contains("This link is no longer good"), "{path}: {}", page.text());
        keeps_its_secret(&page.status(404));
        app.anonymous().post(path, form("password=x&password2=x")).await.status(404);
    }
    let json = serde_json::json!({ "password": PASSWORD, "password2": PASSWORD });
    keeps_its_secret(&app.anonymous().post(&reset, json).await.status(415));
    app.anonymous().put(&reset, form("")).await.status(405);
    app.anonymous().get("/verify/").await.status(404);
}
