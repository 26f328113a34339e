//! What a request costs the database, counted by diesel's own instrumentation.

use serde_json::json;

use crate::support::app::TestApp;
use crate::support::statements::{sent, watch};
use crate::support::token::not_valid;

#[actix_web::test]
async fn a_signed_in_request_runs_no_sql_of_its_own() {
    watch();
    let app = TestApp::new().await;
    let ann = app.user("ann").staff().premium().await.signed_in().await;
    ann.get("/api/hello/").await.status(200);
    assert_ne!(sent(&app), Vec::<String>::new()); // the first request of a user costs one read

    for path in ["/api/hello/", "/hello/", "/api/admin-only/", "/api/premium/", "/api/token/info/", "/api/v1/data/"] {
        ann.get(path).await.status(200);
        assert_eq!(sent(&app), Vec::<String>::new(), "{path}");
    }
}

#[actix_web::test]
async fn a_list_runs_its_own_two_statements() {
    watch();
    let app = TestApp::new().await;
    let ann = app.user("ann").await.signed_in().await;
    ann.post("/api/tasks/", json!({ "title": "Buy milk" })).await.status(201);
    sent(&app);

    assert_eq!(ann.get("/api/tasks/").await.status(200).json()["count"], 1);

    let sent = sent(&app);
    assert_eq!(sent.len(), 2, "{sent:#?}");
    assert!(sent[0].starts_with("SELECT COUNT(*) FROM") && sent[0].contains("tasks"), "{}", sent[0]);
    assert!(sent[1].starts_with("SELECT ") && sent[1].contains("tasks"), "{}", sent[1]);
}

#[actix_web::test]
async fn a_tag_costs_no_statement_and_a_key_is_asked_for_only_where_one_is_sent() {
    watch();
    let app = TestApp::new().await;
    let ann = app.user("ann").await.signed_in().await;
    let tag =
        ann.post("/api/tasks/", json!({ "title": "Buy milk" })).await.status(201).header("etag").map(str::to_owned);
    assert!(!sent(&app).iter().any(|statement| statement.contains("idempotency_keys")));
    ann.get("/api/tasks/1/").header("if-none-match", &tag.unwrap()).await.is_empty(304);
    assert_eq!(sent(&app).len(), 1);
    ann.post("/api/tasks/", json!({ "title": "Buy milk" })).header("idempotency-key", "a").await.status(201);
    assert!(sent(&app).iter().any(|statement| statement.contains("idempotency_keys")));
}

#[actix_web::test]
async fn a_refused_token_runs_no_sql() {
    watch();
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    let (pair, other) = (ann.obtain().await, ann.obtain().await);
    ann.with(&pair.access).post("/api/logout/", json!({ "refresh": pair.refresh })).await.is_empty(205);
    ann.with(&other.access).get("/api/hello/").await.status(200);
    sent(&app);

    let ended = ann.with(&pair.access);
    ended.get("/api/tasks/").await.is(401, not_valid("Token is blacklisted"));
    ended.post("/api/tasks/", json!({ "title": "Buy milk" })).await.status(401);
    ann.with("nonsense").get("/api/tasks/").await.is(401, not_valid("Token is invalid"));
    app.anonymous().get("/api/tasks/").await.status(401);
    app.anonymous().post("/api/token/refresh/", json!({ "refresh": "nonsense" })).await.status(401);
    assert_eq!(sent(&app), Vec::<String>::new());
}
