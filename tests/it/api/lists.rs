//! Lists: pages, links, search, order, filters.

use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::client::Client;

/// Somebody with tasks of these titles; every second one is done.
async fn with_tasks(app: &TestApp, titles: &[&str]) -> Client {
    let client = app.user("ann").await.signed_in().await;
    for (place, title) in titles.iter().enumerate() {
        let task = json!({ "title": title, "description": format!("number {place}"), "completed": place % 2 == 1 });
        client.post("/api/tasks/", task).await.status(201);
    }
    client
}

async fn titles(client: &Client, query: &str) -> Vec<Value> {
    let list = client.get(&format!("/api/tasks/{query}")).await.status(200).json();
    list["results"].as_array().unwrap().iter().map(|task| task["title"].clone()).collect()
}

#[actix_web::test]
async fn a_page_has_ten_and_says_where_its_neighbours_are() {
    let app = TestApp::new().await;
    let names: Vec<String> = (0..25).map(|number| format!("Task {number:02}")).collect();
    let ann = with_tasks(&app, &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let page = async |query: &str| {
        let page = ann.get(&format!("/api/tasks/{query}")).await.status(200).json();
        let told = page["results"].as_array().unwrap().len();
        (page["count"].clone(), page["next"].clone(), page["previous"].clone(), told)
    };
    let link = |query: &str| json!(format!("http://portcullis.test/api/tasks/{query}"));
    assert_eq!(page("").await, (json!(25), link("?page=2"), Value::Null, 10));
    assert_eq!(page("?page=2").await, (json!(25), link("?page=3"), link(""), 10));
    assert_eq!(page("?page=3").await, (json!(25), Value::Null, link("?page=2"), 5));
    assert_eq!(page("?page=last").await, (json!(25), Value::Null, link("?page=2"), 5));
    assert_eq!(
        page("?search=task&page=2&ordering=-id&empty=").await,
        (json!(25), link("?empty=&ordering=-id&page=3&search=task"), link("?empty=&ordering=-id&search=task"), 10)
    );
    assert_eq!(page("?page_size=2").await, (json!(25), link("?page=2&page_size=2"), Value::Null, 10));
    for page in ["0", "4", "-1", "x", "99999999999999999999"] {
        let answer = ann.get(&format!("/api/tasks/?page={page}")).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (404, json!({ "detail": "Invalid page." })), "{page}");
    }
}

#[actix_web::test]
async fn links_lead_where_the_public_address_says() {
    let app = TestApp::with(|settings| settings.server.public_url = Some("https://id.example/auth".into())).await;
    let ann = with_tasks(&app, &["a"; 11]).await;
    let page = ann.get("/api/v1/tasks/").await.json();
    assert_eq!(page["next"], "https://id.example/auth/api/v1/tasks/?page=2");
}

#[actix_web::test]
async fn a_search_finds_every_term_in_any_field_to_the_letter() {
    let app = TestApp::new().await;
    let ann = with_tasks(&app, &["Buy milk", "BUY BREAD", "100% wool_hat", "a\\b"]).await;
    for (query, expected) in [
        ("buy", vec!["Buy milk", "BUY BREAD"]),
        ("buy+bread", vec!["BUY BREAD"]),
        ("bread,buy", vec!["BUY BREAD"]),
        ("buy+2", vec![]),
        ("number+2", vec!["100% wool_hat"]),
        ("%22buy+milk%22", vec!["Buy milk"]),
        ("100%25", vec!["100% wool_hat"]),
        ("1%250", vec![]),
        ("l_h", vec!["100% wool_hat"]),
        ("o_l", vec![]),
        ("a%5Cb", vec!["a\\b"]),
        ("'+OR+1=1--", vec![]),
    ] {
        assert_eq!(titles(&ann, &format!("?search={query}")).await, expected, "{query}");
    }
    assert_eq!(titles(&ann, "?search=").await.len(), 4);
    ann.get("/api/tasks/?search=%00").await.is(400, json!(["Null characters are not allowed."]));
}

#[actix_web::test]
async fn a_list_is_ordered_by_the_names_it_knows() {
    let app = TestApp::new().await;
    let ann = with_tasks(&app, &["b", "a", "c"]).await;
    for (query, expected) in [
        ("title", ["a", "b", "c"]),
        ("-title", ["c", "b", "a"]),
        ("completed,-title", ["c", "b", "a"]),
        ("-completed,title", ["a", "b", "c"]),
        ("nonsense", ["b", "a", "c"]),
        ("user__password,-id", ["c", "a", "b"]),
        ("", ["b", "a", "c"]),
    ] {
        assert_eq!(titles(&ann, &format!("?ordering={query}")).await, expected, "{query}");
    }
}

#[actix_web::test]
async fn tasks_without_a_day_come_first_in_ascending_order() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await.signed_in().await;
    for (title, due) in [("late", json!("2026-03-01")), ("never", Value::Null), ("early", json!("2026-02-01"))] {
        ann.post("/api/tasks/", json!({ "title": title, "due_date": due })).await.status(201);
    }
    assert_eq!(titles(&ann, "?ordering=due_date").await, ["never", "early", "late"]);
    assert_eq!(titles(&ann, "?ordering=-due_date").await, ["late", "early", "never"]);
}

#[actix_web::test]
async fn tasks_can_be_filtered_by_whether_they_are_done() {
    let app = TestApp::new().await;
    let ann = with_tasks(&app, &["open", "done"]).await;
    for value in ["true", "True", "1"] {
        assert_eq!(titles(&ann, &format!("?completed={value}")).await, ["done"], "{value}");
    }
    for value in ["false", "FALSE", "0"] {
        assert_eq!(titles(&ann, &format!("?completed={value}")).await, ["open"], "{value}");
    }
    for value in ["", "yes", "2"] {
        assert_eq!(titles(&ann, &format!("?completed={value}")).await, ["open", "done"], "{value}");
    }
}
