//! A list costs what its owner has, however many rows others have: the plans of the very statements that it runs.

use diesel::connection::SimpleConnection;
use portcullis::db::Target;
use serde_json::Value;

use crate::support::app::TestApp;
use crate::support::client::Client;
use crate::support::plans::{plan, whole};
use crate::support::statements::{sent, watch};

/// Twenty-five tasks of Ann's among ten thousand of four hundred others; some of each are due.
fn fill(target: &Target, ann: i64) {
    let (numbers, day) = match target {
        Target::Sqlite(_) => (
            "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) SELECT i FROM n)",
            "date('2026-01-01', '+' || (i / 400) || ' days')",
        ),
        Target::Postgres(_) => ("(SELECT generate_series(1, 10000) AS i)", "DATE '2026-01-01' + i / 400"),
    };
    let sql = format!(
        "INSERT INTO users (username, password, date_joined, updated_at) SELECT 'user' || i, '!', 0, 0 FROM {numbers} AS n WHERE i <= 400;
         INSERT INTO tasks (title, description, due_date, user_id, created_at, updated_at)
             SELECT 'Buy milk ' || i, 'Two litres', CASE WHEN (i / 400) % 3 > 0 THEN {day} END, {ann} + i % 400, i, i FROM {numbers} AS n;
         ANALYZE;"
    );
    target.connect().unwrap().batch_execute(&sql).unwrap();
}

/// Asks for a list, and fails unless each of its statements goes by the owner.
async fn ask(app: &TestApp, client: &Client, path: &str) -> Value {
    sent(app); // the questions about plans
    let answer = client.get(path).await.status(200).json();
    let statements = sent(app);
    assert!(!statements.is_empty());
    for statement in statements {
        let plan = plan(app.site.db.target(), &whole(&statement)).join("\n");
        let by_owner = plan.contains("tasks_user") && plan.contains("user_id");
        let scans = ["SCAN", "Seq Scan", "tasks_pkey"].into_iter().any(|scan| plan.contains(scan));
        assert!(by_owner && !scans, "{path}: {statement}\n{plan}");
    }
    answer
}

async fn no_list_reads_the_rows_of_others(app: TestApp) {
    let ann = app.user("ann").await;
    fill(app.site.db.target(), ann.id);
    let ann = ann.signed_in().await;
    ann.get("/api/hello/").await.status(200);
    let orders = ["id", "title", "completed", "due_date", "created_at", "updated_at"];
    let pages = ["", "page=last", "page=2", "search=milk", "search=milk,litres&page=2", "completed=false"];
    let mut queries: Vec<String> = pages.map(str::to_owned).to_vec();
    for order in orders {
        queries.extend([format!("ordering={order}"), format!("ordering=-{order}&page=last")]);
    }
    queries.push("search=milk&completed=false&ordering=-due_date,title&page=last".into());
    for query in queries {
        let page = ask(&app, &ann, &format!("/api/tasks/?{query}")).await;
        assert_eq!(page["count"], 25, "{query}");
    }
    // By cursor: all three pages there, and the last one back.
    for query in orders.map(|order| format!("search=milk&ordering=-{order}")).into_iter().chain([String::new()]) {
        let mut page = ask(&app, &ann, &format!("/api/v2/tasks/?{query}")).await;
        for way in ["next", "next", "previous"] {
            let link = page[way].as_str().unwrap().to_owned();
            page = ask(&app, &ann, &link[link.find("/api/").unwrap()..]).await;
        }
        assert_eq!(page["results"].as_array().unwrap().len(), 10, "{query}");
    }
}

#[actix_web::test]
async fn no_list_of_tasks_reads_the_rows_of_others() {
    watch();
    no_list_reads_the_rows_of_others(TestApp::new().await).await;
}

#[actix_web::test]
async fn no_list_of_tasks_reads_the_rows_of_others_on_postgresql() {
    watch();
    no_list_reads_the_rows_of_others(TestApp::on_postgres().await).await;
}

/// The test above would see it.
#[actix_web::test]
async fn without_its_index_a_list_would_be_caught() {
    watch();
    for app in [TestApp::new().await, TestApp::on_postgres().await] {
        let ann = app.user("ann").await;
        fill(app.site.db.target(), ann.id);
        let ann = ann.signed_in().await;
        sent(&app);
        ann.get("/api/tasks/").await.status(200);
        let statements = sent(&app);
        app.site.db.target().connect().unwrap().batch_execute("DROP INDEX tasks_user").unwrap();
        let plan = plan(app.site.db.target(), &whole(statements.last().unwrap())).join("\n");
        assert!(plan.contains("SCAN") || plan.contains("Seq Scan") || plan.contains("tasks_pkey"), "{plan}");
    }
}
