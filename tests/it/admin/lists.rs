//! What a list asks of the database: few statements, and none that reads a whole table or sorts it.

use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::Text;
use portcullis::db::{Conn, Target};

use crate::support::panel::Panel;
use crate::support::statements;

/// Each list, with what can be asked of it: plain, searched, each filter, each order, and a page in the middle.
const ASKED: [(&str, &[&str]); 9] = [
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
    ("mail", &["", "q=ann", "state=failed", "state=waiting", "kind=reset", "when=7d", "sort=time"]),
    (
        "throttling",
        &[
            "",
            "q=ann",
            "q=10.0",
            "state=held",
            "state=hand",
            "state=never",
            "state=over",
            "scope=throttle.anon",
            "sort=used",
            "sort=time",
        ],
    ),
    ("users/invitations", &["", "q=ann", "state=pending", "state=expired", "sort=time"]),
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

/// What of SQLite's plan of a statement reads more than an index gives. PostgreSQL plans by how many rows there are, and reads
/// the few of a test in whole.
fn faults(conn: &mut Conn, sql: &str) -> Vec<String> {
    let text = sql.split(" -- binds:").next().unwrap();
    let plan: Vec<Plan> = sql_query(format!("EXPLAIN QUERY PLAN {text}")).load(conn).unwrap();
    let whole = |line: &&str| {
        let is_own = ["one", "other", "counted"].iter().any(|name| line.ends_with(&format!(" {name}")));
        line.starts_with("SCAN") && !["INDEX", "SUBQUERY", "CONSTANT"].iter().any(|word| line.contains(word)) && !is_own
    };
    plan.iter().map(|line| line.detail.as_str()).filter(whole).map(|line| format!("{line}\n    of {text}")).collect()
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
            if matches!(target, Target::Sqlite(_)) {
                let found: Vec<String> = sent.iter().flat_map(|sql| faults(&mut conn, sql)).collect();
                assert!(found.is_empty(), "{path}:\n{}", found.join("\n"));
            }
        }
    }
}
