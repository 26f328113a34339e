//! Browser mode: the refresh token in a cookie that no script can read (T18, API-19).

use portcullis::settings::Settings;
use portcullis::settings::social::Provider;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::client::{Answer, Client, Request};
use crate::support::people::PASSWORD;

fn browser_mode(settings: &mut Settings) {
    settings.jwt.refresh_cookie = true;
    settings.server.public_url = Some("https://auth.example".into());
    settings.cors.allowed_origins = vec!["https://app.example".into()];
}

const NAME: &str = "__Host-portcullis_refresh";

async fn sign_in(client: &Client) -> Answer {
    client.post("/api/token/", json!({ "username": "ann", "password": PASSWORD })).await.status(200)
}

/// The value of the refresh cookie that an answer sets.
#[track_caller]
fn cookie(answer: &Answer) -> String {
    let set = answer.header("set-cookie").unwrap();
    let (pair, attributes) = set.split_once("; ").unwrap();
    assert_eq!(attributes, "HttpOnly; SameSite=Strict; Secure; Path=/; Max-Age=86400");
    pair.strip_prefix(&format!("{NAME}=")).unwrap().to_owned()
}

fn with_cookie(request: Request, token: &str) -> Request {
    request.header("Cookie", &format!("{NAME}={token}"))
}

#[actix_web::test]
async fn the_refresh_token_is_in_the_cookie_and_never_in_the_body() {
    let app = TestApp::with(browser_mode).await;
    app.user("ann").await;
    let browser = app.anonymous();

    let signed_in = sign_in(&browser).await;
    let body: Value = signed_in.json();
    assert_eq!(body.as_object().unwrap().keys().collect::<Vec<_>>(), ["access"]);
    let refreshed = with_cookie(browser.post("/api/token/refresh/", json!({})), &cookie(&signed_in)).await.status(200);
    assert_eq!(refreshed.json().as_object().unwrap().keys().collect::<Vec<_>>(), ["access"]);
    assert_ne!(cookie(&refreshed), cookie(&signed_in));
    let access = refreshed.json()["access"].as_str().unwrap().to_owned();
    browser.clone().bearing(&access).get("/api/hello/").await.status(200);

    let registered = json!({ "username": "bob", "password": PASSWORD });
    let registered = browser.post("/api/register/", registered).await.status(201);
    assert!(registered.json().get("refresh").is_none());
    cookie(&registered);
}

#[actix_web::test]
async fn a_token_in_the_body_is_not_looked_at() {
    let app = TestApp::with(browser_mode).await;
    app.user("ann").await;
    let browser = app.anonymous();
    let token = cookie(&sign_in(&browser).await);
    let required = json!({ "refresh": ["This field is required."] });
    browser.post("/api/token/refresh/", json!({ "refresh": token })).await.is(400, required);
}

#[actix_web::test]
async fn a_page_of_another_site_gets_nothing_out_of_the_cookie() {
    let app = TestApp::with(browser_mode).await;
    app.user("ann").await;
    let browser = app.anonymous();
    let token = cookie(&sign_in(&browser).await);
    let forbidden = json!({ "detail": "You do not have permission to perform this action." });
    for (name, value) in
        [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Site", "same-site"), ("Origin", "https://evil.example")]
    {
        for path in ["/api/token/refresh/", "/api/token/blacklist/"] {
            let request = with_cookie(browser.post(path, json!({})), &token).header(name, value);
            request.await.is(403, forbidden.clone());
        }
    }
    // The token is still good, for a page that is allowed to.
    let own =
        with_cookie(browser.post("/api/token/refresh/", json!({})), &token).header("Sec-Fetch-Site", "same-origin");
    own.await.status(200);
    let allowed = with_cookie(browser.post("/api/token/refresh/", json!({})), &token)
        .header("Sec-Fetch-Site", "same-site")
        .header("Origin", "https://app.example");
    let answer = allowed.await.status(200);
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.example"));
    assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
}

/// Login CSRF: a form of another site signs nobody in, to whichever account.
#[actix_web::test]
async fn a_page_of_another_site_gets_no_cookie_set() {
    let app = TestApp::with(|settings| {
        browser_mode(settings);
        let google = Provider { client_id: vec!["ours".into()], ..Provider::default() };
        settings.social.insert("google".into(), google);
    })
    .await;
    app.user("ann").await;
    let forbidden = json!({ "detail": "You do not have permission to perform this action." });
    let given = json!({ "username": "ann", "password": PASSWORD, "token": "eyJ" });
    for path in ["/api/token/", "/api/register/", "/api/auth/google/"] {
        for (name, value) in [("Sec-Fetch-Site", "cross-site"), ("Origin", "https://evil.example"), ("Origin", "null")]
        {
            let answer = app.anonymous().post(path, given.clone()).header(name, value).await;
            assert_eq!(answer.header("set-cookie"), None);
            answer.is(403, forbidden.clone());
        }
    }
    let allowed = app.anonymous().post("/api/token/", given).header("Origin", "https://app.example").await.status(200);
    cookie(&allowed);
}

#[actix_web::test]
async fn signing_out_ends_the_session_and_takes_the_cookie_back() {
    let app = TestApp::with(browser_mode).await;
    app.user("ann").await;
    let browser = app.anonymous();
    let signed_in = sign_in(&browser).await;
    let access = signed_in.json()["access"].as_str().unwrap().to_owned();
    let here = browser.clone().bearing(&access);

    let out = with_cookie(here.post("/api/logout/", json!({})), &cookie(&signed_in)).await.is_empty(205);
    let taken = out.header("set-cookie").unwrap();
    assert!(taken.starts_with(&format!("{NAME}=;")) && taken.contains("Max-Age=0"), "{taken}");
    here.get("/api/hello/").await.status(401);
    with_cookie(browser.post("/api/token/refresh/", json!({})), &cookie(&signed_in)).await.status(401);
}

#[actix_web::test]
async fn without_the_setting_a_cookie_is_nothing() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    let pair = ann.obtain().await;
    let required = json!({ "refresh": ["This field is required."] });
    with_cookie(app.anonymous().post("/api/token/refresh/", json!({})), &pair.refresh).await.is(400, required);
}
