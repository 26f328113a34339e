//! Articles: everyone signed in reads all of them, the author alone writes.

use serde_json::{Value, json};

use crate::support::app::{TestApp, minutes};
use crate::support::client::Client;

fn forbidden() -> Value {
    json!({ "detail": "You do not have permission to perform this action." })
}

async fn made(client: &Client, title: &str) -> Value {
    client.post("/api/articles/", json!({ "title": title, "body": "Once upon a time" })).await.status(201).json()
}

fn path(article: &Value) -> String {
    format!("/api/articles/{}/", article["id"])
}

#[actix_web::test]
async fn the_author_of_an_article_is_whose_token_it_was_written_with() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    let given = json!({ "title": "Milk", "body": "It is white.", "author": 77 });
    ann.signed_in().await.post("/api/articles/", given).await.is(
        201,
        json!({
            "id": 1,
            "title": "Milk",
            "body": "It is white.",
            "author": ann.id,
            "created_at": "2026-01-01T12:00:00Z",
            "updated_at": "2026-01-01T12:00:00Z",
        }),
    );
}

#[actix_web::test]
async fn an_article_needs_a_title_and_a_body() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await.signed_in().await;
    let told = json!({ "title": ["This field is required."], "body": ["This field may not be blank."] });
    ann.post("/api/articles/", json!({ "body": "" })).await.is(400, told);
}

/// API-02.
#[actix_web::test]
async fn everybody_signed_in_reads_an_article_and_nobody_but_its_author_writes() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await.signed_in().await;
    let article = made(&ann, "Milk").await;
    let path = path(&article);
    let others = [app.user("bob").await.signed_in().await, app.user("root").superuser().await.signed_in().await];
    for other in others {
        other.get(&path).await.is(200, article.clone());
        for answer in [
            other.put(&path, json!({ "title": "Mine", "body": "now" })).await,
            other.put(&path, json!({})).await,
            other.patch(&path, json!({ "title": "Mine" })).await,
            other.delete(&path).await,
        ] {
            answer.is(403, forbidden());
        }
        let options = other.options(&path).await.status(200).json();
        assert_eq!(options.get("actions"), None);
    }
    app.anonymous().get(&path).await.status(401);
    app.anonymous().get("/api/articles/").await.status(401);

    app.clock.advance(minutes(1));
    let mut changed = article;
    changed["title"] = json!("Oat milk");
    changed["updated_at"] = json!("2026-01-01T12:01:00Z");
    ann.patch(&path, json!({ "title": "Oat milk" })).await.is(200, changed);
    ann.delete(&path).await.is_empty(204);
    ann.get(&path).await.is(404, json!({ "detail": "No Article matches the given query." }));
}

#[actix_web::test]
async fn an_empty_patch_touches_the_time_alone() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await.signed_in().await;
    let mut article = made(&ann, "Milk").await;
    app.clock.advance(minutes(1));
    article["updated_at"] = json!("2026-01-01T12:01:00Z");
    ann.patch(&path(&article), json!({})).await.is(200, article);
}

#[actix_web::test]
async fn a_list_of_one_authors_articles_needs_an_author_who_exists() {
    let app = TestApp::new().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let client = ann.signed_in().await;
    made(&client, "Milk").await;
    made(&bob.signed_in().await, "Bread").await;
    let titles = async |query: &str| {
        let list = client.get(&format!("/api/articles/{query}")).await.status(200).json();
        list["results"].as_array().unwrap().iter().map(|article| article["title"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(titles("").await, ["Milk", "Bread"]);
    assert_eq!(titles(&format!("?author={}", bob.id)).await, ["Bread"]);
    assert_eq!(titles("?author=").await, ["Milk", "Bread"]);
    for author in ["999", "ann", "-1"] {
        client
            .get(&format!("/api/articles/?author={author}"))
            .await
            .is(400, json!({ "author": ["Select a valid choice. That choice is not one of the available choices."] }));
    }
}

#[actix_web::test]
async fn the_articles_of_a_deleted_author_are_gone() {
    let app = TestApp::new().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await.signed_in().await);
    let article = made(&ann.signed_in().await, "Milk").await;
    ann.delete().await;
    bob.get(&path(&article)).await.is(404, json!({ "detail": "No Article matches the given query." }));
}
