//! The pages for those who build on the API, and the client that such a page takes from the server.

use crate::support::app::TestApp;

/// A policy without a word that would let a page's own text become a script.
#[track_caller]
fn is_strict(policy: &str) {
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
    for directive in policy.split("; ") {
        let is_attributes = directive.starts_with("style-src-attr ");
        assert!(is_attributes || !directive.contains("unsafe"), "{directive}");
    }
    for told in ["connect-src 'self'", "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'"] {
        assert!(policy.contains(told), "{told} is not in {policy}");
    }
}

#[actix_web::test]
async fn the_page_of_the_api_leads_to_the_document_and_runs_no_script_but_ours() {
    let app = TestApp::new().await;
    let page = app.anonymous().get("/api/docs/").await.status(200);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    is_strict(page.header("content-security-policy").unwrap());
    assert!(page.text().contains(r#"<a href="/api/schema/">"#));
    let slashless = app.anonymous().get("/api/docs").await.status(301);
    assert_eq!(slashless.header("location"), Some("/api/docs/"));
}

/// Who sets the address under which people know the server has it for more than trying.
#[actix_web::test]
async fn the_example_is_there_until_the_server_has_an_address_or_as_it_is_set() {
    use portcullis::settings::Demo::{Auto, Off, On};
    for (demo, is_public, expected) in
        [(Auto, false, 200), (Auto, true, 404), (On, true, 200), (On, false, 200), (Off, false, 404), (Off, true, 404)]
    {
        let app = TestApp::with(|settings| {
            settings.server.demo = demo;
            settings.server.public_url = is_public.then(|| "https://auth.example".into());
        })
        .await;
        let page = app.anonymous().get("/demo/").await.status(expected);
        if expected == 200 {
            is_strict(page.header("content-security-policy").unwrap());
        }
    }
}

/// Applications name the client by this address, so what is there is asked for again each time, and sent when it is another.
#[actix_web::test]
async fn the_client_has_one_address_and_is_sent_again_only_when_it_has_changed() {
    let app = TestApp::with(|settings| settings.cors.allowed_origins = vec!["https://app.example".into()]).await;
    let client = app.anonymous();
    let first = client.get("/static/portcullis.js").header("Origin", "https://app.example").await.status(200);
    assert_eq!(first.header("content-type"), Some("text/javascript; charset=utf-8"));
    assert_eq!(first.header("cache-control"), Some("no-cache"));
    // A module of another origin is fetched by the rules of CORS.
    assert_eq!(first.header("access-control-allow-origin"), Some("https://app.example"));
    assert!(first.text().contains("export class Portcullis"));
    let tag = first.header("etag").unwrap();
    client.get("/static/portcullis.js").header("If-None-Match", tag).await.is_empty(304);
}

#[actix_web::test]
async fn what_is_no_view_answers_get_and_head_alone() {
    let app = TestApp::new().await;
    for path in ["/healthz", "/readyz", "/.well-known/jwks.json", "/api/docs/", "/demo/"] {
        app.anonymous().get(path).await.status(200);
        let refused = app.anonymous().delete(path).await.status(405);
        assert_eq!(refused.header("allow"), Some("GET, HEAD"), "{path}");
    }
}
