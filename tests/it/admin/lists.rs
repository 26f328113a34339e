//! What a list asks of the database: few statements, and none that reads a whole table or sorts it.

use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::Text;
use portcullis::db::{Conn, Target};

use crate::support::panel::Panel;
use crate::support::statements;

/// Each list, with what can be asked of it: plain, searched, each filter, each order, and a page in the middle.
const ASKED: [(&str, &[&str]); 6] = [
    (
        "tokens",
        &["", "q=abcdef", "state=live", "state=revoked", "expires=7d", "sort=issued", "sort=expires", "sort=-expires"],
    ),
    (
        "blacklist",
        &["", "q=abcdef", "reason=by+admin", "by=staff", "by=self", "when=7d", "sort=revoked", "sort=expires"],
    ),
    ("articles", &["", "author=ann", "created=7d", "sort=title", "sort=created", "sort=-updated"]),
    ("api-keys", &["", "q=ann", "state=active", "sort=used", "sort=-used", "sort=-created"]),
    ("tasks", &["", "owner=ann", "done=no", "due=overdue", "due=7d"]),
    ("sessions", &["", "q=ann", "q=10.0.0.1", "kind=api", "kind=admin", "state=live", "seen=7d", "sort=started"]),
];

/// The statements of a request, but for those about the visitor.
fn asked(panel: &Panel) -> Vec<String> {
    let all = statements::sent(&panel.app).into_iter();
    let own = |sql: &String| {
        let visitors = ["SELECT \"panel_sessions\".\"state\"", "SELECT `panel_sessions`.`state`"];
        visitors.iter().any(|start| sql.starts_with(start))
    };
    let reads = all.filter(|sql| sql.trim_start().starts_with("SELECT") && !own(sql));
    reads.filter(|sql| !sql.contains("EXISTS (SELECT") || sql.contains("count(*)") || sql.contains(" IN (")).collect()
}

#[derive(QueryableByName)]
struct Plan {
    #[diesel(sql_type = Text)]
    detail: String,
}

/// What of the plan of a statement reads more than an index gives.
fn faults(conn: &mut Conn, target: &Target, sql: &str) -> Vec<String> {
    let text = sql.split(" -- binds:").next().unwrap();
    let is_sqlite = matches!(target, Target::Sqlite(_));
    let plan: Vec<Plan> = if is_sqlite {
        sql_query(format!("EXPLAIN QUERY PLAN {text}")).load(conn).unwrap()
    } else {
        let most = (1..40).rev().find(|at| text.contains(&format!("${at}"))).unwrap_or(0);
        let nulls = if most == 0 { String::new() } else { format!("({})", vec!["NULL"; most].join(", ")) };
        sql_query("SET enable_seqscan = off").execute(conn).unwrap();
        sql_query("SET plan_cache_mode = force_generic_plan").execute(conn).unwrap();
        sql_query(format!("PREPARE asked AS {text}")).execute(conn).unwrap();
        let plan = explain_postgres(conn, &nulls);
        sql_query("DEALLOCATE asked").execute(conn).unwrap();
        plan
    };
    let whole = |line: &&str| {
        if is_sqlite {
            line.starts_with("SCAN")
                && !line.contains("INDEX")
                && !line.contains("SUBQUERY")
                && !line.contains("CONSTANT")
                && !["one", "other", "counted"].iter().any(|name| line.ends_with(&format!(" {name}")))
        } else {
            line.contains("Seq Scan")
        }
    };
    plan.iter().map(|line| line.detail.as_str()).filter(whole).map(|line| format!("{line}\n    of {text}")).collect()
}

fn explain_postgres(conn: &mut Conn, nulls: &str) -> Vec<Plan> {
    #[derive(QueryableByName)]
    struct Line {
        #[diesel(sql_type = Text, column_name = "QUERY PLAN")]
        line: String,
    }
    let lines: Vec<Line> = sql_query(format!("EXPLAIN EXECUTE asked{nulls}")).load(conn).unwrap();
    lines.into_iter().map(|line| Plan { detail: line.line }).collect()
}

#[actix_web::test]
async fn a_list_asks_four_statements_at_most_and_each_by_an_index() {
    statements::watch();
    let panel = Panel::new().await;
    panel.user("ann", |_| ()).await;
    for _ in 0..3 {
        panel.tokens("ann").await;
    }
    let root = panel.signed_in("root").await;
    let target = panel.app.site.db.target().clone();
    let mut conn = target.connect().unwrap();
    for (list, queries) in ASKED {
        for query in queries {
            let path = format!("/admin/{list}/?{query}");
            root.get(&path).await.is(200);
            statements::sent(&panel.app);
            root.get(&path).await.is(200);
            let sent = asked(&panel);
            assert!((2..=4).contains(&sent.len()), "{path}: {}\n{}", sent.len(), sent.join("\n"));
            let found: Vec<String> = sent.iter().flat_map(|sql| faults(&mut conn, &target, sql)).collect();
            assert!(found.is_empty(), "{path}:\n{}", found.join("\n"));
        }
    }
}
