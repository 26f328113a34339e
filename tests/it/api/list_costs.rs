//! A list costs what its owner has, however many rows others have: the plans of the very statements that it runs.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::Text;
use portcullis::db::Target;
use serde_json::Value;

use crate::support::app::TestApp;
use crate::support::statements::{sent, watch};

/// Twenty-five tasks of Ann's among ten thousand of four hundred others.
fn fill(target: &Target, ann: i64) {
    let numbers = match target {
        Target::Sqlite(_) => {
            "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) SELECT i FROM n)"
        }
        Target::Postgres(_) => "(SELECT generate_series(1, 10000) AS i)",
    };
    let sql = format!(
        "INSERT INTO users (username, password, date_joined, updated_at) SELECT 'user' || i, '!', 0, 0 FROM {numbers} AS n WHERE i <= 400;
         INSERT INTO tasks (title, description, user_id, created_at, updated_at)
             SELECT 'Buy milk ' || i, 'Two litres', CASE WHEN i % 400 = 0 THEN {ann} ELSE {ann} + i % 400 END, i, i FROM {numbers} AS n;
         ANALYZE;"
    );
    target.connect().unwrap().batch_execute(&sql).unwrap();
}

/// A statement with its values in their places.
fn whole(statement: &str) -> String {
    let (sql, values) = statement.split_once(" -- binds: ").unwrap_or((statement, "[]"));
    let values: Vec<Value> = serde_json::from_str(values).unwrap();
    let mut values = values.into_iter().map(|value| match value {
        Value::String(text) => format!("'{}'", text.replace('\'', "''")),
        other => other.to_string(),
    });
    let mut whole = String::new();
    let mut rest = sql;
    while let Some(at) = rest.find(['?', '$']) {
        whole.push_str(&rest[..at]);
        whole.push_str(&values.next().unwrap());
        rest = rest[at + 1..].trim_start_matches(|c: char| c.is_ascii_digit());
    }
    assert_eq!(values.next(), None, "{statement}");
    whole + rest
}

/// How the database goes about it, a step a line.
fn plan(target: &Target, statement: &str) -> Vec<String> {
    #[derive(QueryableByName)]
    struct Sqlite {
        #[diesel(sql_type = Text)]
        detail: String,
    }
    #[derive(QueryableByName)]
    struct Postgres {
        #[diesel(sql_type = Text, column_name = "QUERY PLAN")]
        line: String,
    }
    let mut conn = target.connect().unwrap();
    match target {
        Target::Sqlite(_) => {
            let steps = diesel::sql_query(format!("EXPLAIN QUERY PLAN {statement}")).load(&mut conn).unwrap();
            steps.into_iter().map(|Sqlite { detail }| detail).collect()
        }
        Target::Postgres(_) => {
            let steps = diesel::sql_query(format!("EXPLAIN {statement}")).load(&mut conn).unwrap();
            steps.into_iter().map(|Postgres { line }| line).collect()
        }
    }
}

async fn no_list_reads_the_rows_of_others(app: TestApp) {
    let ann = app.user("ann").await;
    fill(app.site.db.target(), ann.id);
    let ann = ann.signed_in().await;
    ann.get("/api/hello/").await.status(200);
    let orders = ["id", "title", "completed", "due_date", "created_at", "updated_at"];
    let mut queries: Vec<String> =
        ["", "page=last", "page=2", "search=milk", "search=milk,litres&page=2", "completed=false"]
            .map(str::to_owned)
            .to_vec();
    queries
        .extend(orders.iter().flat_map(|order| [format!("ordering={order}"), format!("ordering=-{order}&page=last")]));
    queries.push("search=milk&completed=false&ordering=-due_date,title&page=last".into());
    for query in queries {
        sent(&app); // the questions about plans
        let answer = ann.get(&format!("/api/tasks/?{query}")).await.status(200).json();
        assert_eq!(answer["count"], 25, "{query}");
        let statements = sent(&app);
        assert_eq!(statements.len(), 2, "{statements:#?}");
        for statement in statements {
            let plan = plan(app.site.db.target(), &whole(&statement)).join("\n");
            let by_owner = plan.contains("tasks_user") && plan.contains("user_id");
            let scans = ["SCAN", "Seq Scan", "tasks_pkey"].into_iter().any(|scan| plan.contains(scan));
            assert!(by_owner && !scans, "{query}: {statement}\n{plan}");
        }
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
