//! The page of the API: its operations are drawn, and tried with the credentials that the page was given.

use crate::support::{Browser, PASSWORD, journey, without_limits};

#[tokio::test]
async fn the_api_is_looked_at_and_tried_with_a_token_and_with_a_key() {
    journey("docs", without_limits, walk).await;
}

async fn walk(browser: &Browser) {
    browser.register("ann").await;
    browser.visit("/api/docs/").await.sees("The API").await;
    if !browser.runs_scripts() {
        browser.sees("scripts are switched off here").await.look("no-script").await;
        browser.follow("document").await;
        assert_eq!(browser.path().await, "/api/schema/");
        return;
    }
    browser.sees_drawn("/api/v1/hello/").await;
    assert_eq!(browser.try_out("/api/v1/hello/").await, 401);
    browser.fill("Username", "ann").await.fill("Password", "wrong horse 9").await.toggle("Sign in").await;
    browser.sees("No active account found with the given credentials").await;
    browser.fill("Username", "ann").await.fill("Password", PASSWORD).await.toggle("Sign in").await;
    browser.sees("Requests from this page carry an access token.").await;
    assert_eq!(browser.try_out("/api/v1/hello/").await, 200);
    browser.look("tried").await;

    let key = browser.api_key("ann");
    browser.visit("/api/docs/").await.sees_drawn("/api/v1/hello/").await;
    browser.sees("Requests from this page carry no credentials.").await;
    browser.fill("API key", &key).await.sees("Requests from this page carry an API key.").await;
    assert_eq!(browser.try_out("/api/v1/hello/").await, 200);
}
