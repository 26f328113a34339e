//! The sample views of the tutorial, the two addresses of the API, and the headers of every answer.

use serde_json::{Value, json};

use crate::support::app::TestApp;

fn forbidden() -> Value {
    json!({ "detail": "You do not have permission to perform this action." })
}

#[actix_web::test]
async fn each_sample_view_shows_one_permission_at_work() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await.signed_in().await;
    let staff = app.user("root").staff().await.signed_in().await;
    let premium = app.user("rich").premium().await.signed_in().await;
    for (path, told) in [
        ("/hello/", json!({ "message": "Hello, ann" })),
        ("/api/hello/", json!({ "message": "Hello, ann" })),
        ("/api/protected/", json!({ "message": "This is a protected view." })),
        ("/api/read-only/", json!({ "data": "Read-only data" })),
    ] {
        ann.get(path).await.is(200, told);
        let answer = app.anonymous().get(path).await;
        assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"api\""));
        answer.is(401, json!({ "detail": "Authentication credentials were not provided." }));
    }
    staff.get("/api/admin-only/").await.is(200, json!({ "message": "Admin access granted" }));
    premium.get("/api/premium/").await.is(200, json!({ "message": "Premium access granted" }));
    for client in [&ann, &premium] {
        client.get("/api/admin-only/").await.is(403, forbidden());
    }
    for client in [&ann, &staff] {
        client.get("/api/premium/").await.is(403, forbidden());
    }
}

#[actix_web::test]
async fn a_change_of_flags_acts_on_the_next_request() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    let client = ann.signed_in().await;
    client.get("/api/admin-only/").await.is(403, forbidden());
    ann.change(|flags| flags.is_staff = Some(true)).await;
    client.get("/api/admin-only/").await.status(200);
    ann.change(|flags| flags.is_staff = Some(false)).await;
    client.get("/api/admin-only/").await.is(403, forbidden());
}

/// R9: unversioned is the default version.
#[actix_web::test]
async fn the_api_is_the_same_at_both_of_its_addresses_but_for_data() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    let client = ann.signed_in().await;
    for path in ["hello/", "profile/", "tasks/", "articles/", "users/me/", "token/info/", "nothing/", "admin-only/"] {
        let (one, other) = (client.get(&format!("/api/{path}")).await, client.get(&format!("/api/v1/{path}")).await);
        assert_eq!((one.status, one.text()), (other.status, other.text()), "{path}");
    }
    client.get("/api/v1/data/").await.is(200, json!({ "version": "v1", "data": "old format" }));
    client.get("/api/v2/data/").await.is(200, json!({ "version": "v2", "data": "new format" }));
    client.get("/api/v3/data/").await.status(404);
    let roots = [("/api/", "/api"), ("/api/v1/", "/api/v1"), ("/api/.json", "/api")];
    for (path, stem) in roots {
        let at = |name: &str| format!("http://portcullis.test{stem}/{name}/");
        app.anonymous().get(path).await.is(200, json!({ "articles": at("articles"), "tasks": at("tasks") }));
    }
}

#[actix_web::test]
async fn a_path_without_its_slash_is_led_to_the_one_with_it() {
    let app = TestApp::new().await;
    for (path, location) in [
        ("/api/hello", "/api/hello/"),
        ("/api/tasks?page=2&x=%20", "/api/tasks/?page=2&x=%20"),
        ("/api/v1/tasks/5", "/api/v1/tasks/5/"),
        ("/api/token", "/api/token/"),
    ] {
        let answer = app.anonymous().post(path, json!({})).await.status(301);
        assert_eq!(answer.header("location"), Some(location));
    }
    for path in ["/nothing", "/api/nothing", "//api/hello", "/API/hello"] {
        let answer = app.anonymous().get(path).await.status(404);
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"), "{path}");
        assert_eq!(answer.header("allow"), None);
    }
}

/// HDR-01, HDR-03.
#[actix_web::test]
async fn every_answer_carries_the_headers_that_keep_browsers_honest() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await.signed_in().await;
    for path in ["/api/hello/", "/api/tasks/999/", "/api/", "/nothing", "/healthz"] {
        let answer = ann.get(path).await;
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("x-frame-options", "DENY"),
            ("cache-control", "no-store"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path} {name}");
        }
    }
    assert_eq!(ann.get("/api/hello/").await.header("vary"), Some("Accept, origin"));
}

/// HDR-02.
#[actix_web::test]
async fn only_where_clients_come_by_https_are_browsers_told_to_insist_on_it() {
    for (url, told) in [("https://auth.example", Some("max-age=31536000")), ("http://localhost:8000", None)] {
        let app = TestApp::with(|settings| settings.server.public_url = Some(url.into())).await;
        for path in ["/api/hello/", "/admin/login/", "/nothing"] {
            let request = app.anonymous().get(path).header("x-forwarded-proto", "https");
            assert_eq!(request.await.header("strict-transport-security"), told, "{url} {path}");
        }
    }
}

/// COR-01, COR-02.
#[actix_web::test]
async fn pages_of_listed_origins_alone_may_call() {
    let app = TestApp::with(|settings| settings.cors.allowed_origins = vec!["https://shop.example".into()]).await;
    let preflight = async |origin: &str| {
        let request = app.anonymous().options("/api/tasks/").header("origin", origin);
        request.header("access-control-request-method", "POST").await.is_empty(200)
    };
    let listed = preflight("https://shop.example").await;
    assert_eq!(listed.header("access-control-allow-origin"), Some("https://shop.example"));
    assert_eq!(listed.header("access-control-allow-methods"), Some("DELETE, GET, OPTIONS, PATCH, POST, PUT"));
    for other in ["https://evil.example", "https://shop.example.evil", "http://shop.example", "null"] {
        assert_eq!(preflight(other).await.header("access-control-allow-origin"), None, "{other}");
    }
    let refused = app.anonymous().get("/api/tasks/").header("origin", "https://shop.example").await.status(401);
    assert_eq!(refused.header("access-control-allow-origin"), Some("https://shop.example"));
}

#[actix_web::test]
async fn health_is_told_to_anybody_and_readiness_by_a_write() {
    let app = TestApp::new().await;
    app.anonymous().get("/healthz").await.is(200, json!({ "status": "ok" }));
    app.anonymous().get("/readyz").await.is(200, json!({ "status": "ready" }));
}
