//! What the panel asks of the database: few statements, and none that reads a large table. Every list is walked, with each of its
//! filters, in each of its orders, searched, forth and back; and every page of one thing.

use std::collections::BTreeSet;

use portcullis::db::Conn;

use crate::support::panel::{Answer, Browser, Panel};
use crate::support::plans::{by_indexes, plan_on, whole};
use crate::support::statements;

#[path = "../../../benches/support/seed.rs"]
pub mod seed;

const SCALE: seed::Scale = seed::Scale { users: 4_000, sessions: 4_000, sign_ins: 12_000, audit: 8_000 };

/// Each list, and what is searched for in it: something rare, something frequent, nothing that is there.
const LISTS: [(&str, &[&str]); 13] = [
    ("users", &["anna.adeyemi400", "example.org", "a", "zz", "2000", "anna+2000", "xyzzy"]),
    ("roles", &["number"]),
    ("tokens", &["abcdef", "anna.adeyemi400"]),
    ("blacklist", &["abcdef", "anna.adeyemi400"]),
    ("sessions", &["anna.adeyemi400", "10.1.2", "xyzzy"]),
    ("articles", &["2000", "gates", "on+gates", "g", "xyzzy"]),
    ("tasks", &["2000", "letter", "w", "xyzzy"]),
    ("api-keys", &["pk400", "anna.adeyemi400"]),
    ("audit", &["user400", "r400"]),
    ("sign-ins", &["anna.adeyemi400", "10.1.2", "10.1.2.3", "xyzzy"]),
    ("mail", &["anna"]),
    ("throttling", &["anna.adeyemi400", "10.1.2"]),
    ("users/invitations", &["anna"]),
];

/// Tables that grow without end.
const LARGE: [&str; 9] = [
    "users",
    "sessions",
    "outstanding_tokens",
    "blacklisted_tokens",
    "sign_ins",
    "audit_entries",
    "articles",
    "tasks",
    "api_keys",
];

/// Statements of a page of one thing, or of what is found by any name.
const MOST_OF_ONE: usize = 20;

/// Choices of a filter that are tried; there may be a hundred.
const CHOICES: usize = 4;

/// The statements of the last request, but for those about the visitor's own session.
fn asked(panel: &Panel) -> Vec<String> {
    let own = |sql: &String| {
        let plain = sql.replace(['"', '`'], "");
        plain.starts_with("SELECT panel_sessions.state")
    };
    let all = statements::sent(&panel.app).into_iter();
    all.filter(|sql| sql.trim_start().starts_with("SELECT") && !own(sql)).collect()
}

/// What of a plan reads a large table without an index.
fn faults(conn: &mut Conn, statement: &str) -> Vec<String> {
    let statement = whole(statement);
    let plan = plan_on(conn, &statement);
    let is_sqlite = matches!(conn, Conn::Sqlite(_));
    let reads = |line: &&String| {
        let words: Vec<&str> = line.split_whitespace().collect();
        LARGE.iter().any(|table| match is_sqlite {
            true => words.starts_with(&["SCAN", table]) && !words.contains(&"INDEX"),
            false => line.contains(&format!("Seq Scan on {table} ")),
        })
    };
    let found =
        plan.iter().filter(reads).map(|line| format!("{}\n    of {statement}\n{}", line.trim(), plan.join("\n")));
    found.collect()
}

/// Every filter of a list with its choices, as its form offers them.
fn filters(page: &Answer) -> Vec<(String, Vec<String>)> {
    let selects = page.text.split("<select class=\"c-select\" id=\"f-").skip(1);
    selects
        .map(|select| {
            let select = select.split("</select>").next().unwrap();
            let name = select.split('"').next().unwrap().to_owned();
            let values = select.split("<option value=\"").skip(2).map(|option| option.split('"').next().unwrap());
            (name, values.take(CHOICES).map(|value| value.replace(' ', "+")).collect())
        })
        .collect()
}

struct Walk<'p> {
    panel: &'p Panel,
    root: Browser<'p>,
    conn: Conn,
    /// The statements whose plans were looked at, without their values.
    seen: BTreeSet<String>,
    faults: BTreeSet<String>,
}

impl<'p> Walk<'p> {
    async fn new(panel: &'p Panel) -> Self {
        seed::seed(panel.app.site.db.target(), SCALE, panel.now().micros(), |_| ());
        let root = panel.signed_in("root").await;
        root.get("/admin/").await.is(200); // who somebody is, is read once
        let conn = by_indexes(panel.app.site.db.target());
        Self { panel, root, conn, seen: BTreeSet::new(), faults: BTreeSet::new() }
    }
}

impl Walk<'_> {
    /// Asks for a page, and notes what it asks of the database too often or at too great length.
    async fn look(&mut self, path: &str, most: usize) -> Answer {
        statements::sent(&self.panel.app);
        let page = self.root.get(path).await.is(200);
        let asked = asked(self.panel);
        // Who is locked out is asked first.
        let most = most + usize::from(path.contains("status=locked"));
        if asked.len() > most {
            self.faults.insert(format!("{path}: {} statements\n{}", asked.len(), asked.join("\n")));
        }
        for statement in asked {
            let text = statement.rsplit_once(" -- binds: ").map_or(statement.as_str(), |(text, _)| text);
            if self.seen.insert(text.to_owned()) {
                let faults = faults(&mut self.conn, &statement);
                self.faults.extend(faults.into_iter().map(|fault| format!("{path}: {fault}")));
            }
        }
        page
    }

    async fn list(&mut self, name: &str, searched: &[&str]) {
        let path = format!("/admin/{name}/");
        let page = self.look(&path, 4).await;
        let sorts: BTreeSet<String> = page
            .hrefs(|link| link.starts_with(&format!("{path}?")) && link.contains("sort="))
            .into_iter()
            .filter_map(|link| Some(link.split("sort=").nth(1)?.split('&').next()?.trim_start_matches('-').to_owned()))
            .collect();
        let orders: Vec<String> = [String::new()]
            .into_iter()
            .chain(sorts.iter().flat_map(|name| [format!("sort={name}"), format!("sort=-{name}")]))
            .collect();
        assert!(orders.len() > 1, "{name} sorts by nothing");
        let mut narrowed: Vec<String> = vec![String::new()];
        narrowed.extend(searched.iter().map(|q| format!("q={q}")));
        for (filter, values) in filters(&page) {
            narrowed.extend(values.iter().map(|value| format!("{filter}={value}")));
        }
        let named = match name {
            "tokens" => Some("user=anna.adeyemi400"),
            "tasks" | "api-keys" => Some("owner=anna.adeyemi400"),
            "articles" => Some("author=anna.adeyemi400"),
            "sessions" => Some("address=10.1.2.3"),
            _ => None,
        };
        narrowed.extend(named.map(str::to_owned));
        for narrow in &narrowed {
            for order in &orders {
                let query: Vec<&str> =
                    [narrow, order].into_iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
                let page = self.look(&format!("{path}?{}", query.join("&")), 4).await;
                let Some(next) = page.link("Next") else { continue };
                let page = self.look(&next, 4).await;
                if let Some(previous) = page.link("Previous") {
                    self.look(&previous, 4).await;
                }
            }
        }
    }
}

async fn no_page_reads_a_large_table(panel: Panel) {
    let mut walk = Walk::new(&panel).await;
    for (name, searched) in LISTS {
        walk.list(name, searched).await;
    }
    walk.look("/admin/", 10).await;
    for period in ["1h", "7d", "30d"] {
        walk.look(&format!("/admin/?period={period}"), 10).await;
    }
    let mut details: Vec<String> =
        ["", "sessions/", "tokens/", "api-keys/", "sign-ins/", "content/", "history/", "delete/", "sign-out/"]
            .map(|tab| format!("/admin/users/401/{tab}"))
            .to_vec();
    for list in ["tokens", "sessions", "articles", "tasks", "api-keys", "audit", "roles", "blacklist"] {
        let page = walk.root.get(&format!("/admin/{list}/")).await.is(200);
        let mut found = page.hrefs(|link| {
            let own = link
                .strip_prefix(&format!("/admin/{list}/"))
                .is_some_and(|rest| rest.len() > 1 && !rest.starts_with(['?', 'n', 'e']));
            own && link.ends_with('/') && link.matches('/').count() == 4
        });
        found.truncate(1);
        assert!(list == "blacklist" || !found.is_empty(), "{list}: nothing to look at");
        details.extend(found);
    }
    details.extend(["anna.adeyemi400", "10.1.2.3", "401", "pk400"].map(|q| format!("/admin/search/?q={q}")));
    for path in details.iter().filter(|path| !path.contains("blacklist")) {
        walk.look(path, MOST_OF_ONE).await;
    }
    let faults: Vec<String> = walk.faults.into_iter().collect();
    assert!(faults.is_empty(), "{} faults\n\n{}", faults.len(), faults.join("\n\n"));
}

#[actix_web::test]
async fn every_list_asks_four_statements_at_most_and_no_page_reads_a_large_table() {
    statements::watch();
    no_page_reads_a_large_table(Panel::new().await).await;
}

#[actix_web::test]
async fn nor_does_one_on_postgresql() {
    statements::watch();
    no_page_reads_a_large_table(Panel::on_postgres().await).await;
}

/// The tests above would see it.
#[actix_web::test]
async fn without_its_index_a_list_would_be_caught() {
    use diesel::connection::SimpleConnection;
    statements::watch();
    let panel = Panel::new().await;
    let mut walk = Walk::new(&panel).await;
    walk.look("/admin/sign-ins/", 4).await;
    assert_eq!(walk.faults, BTreeSet::new());
    panel.app.site.db.target().connect().unwrap().batch_execute("DROP INDEX sign_ins_at").unwrap();
    walk.seen.clear();
    walk.conn = by_indexes(panel.app.site.db.target()); // one that was open plans by the indexes that it knew
    walk.look("/admin/sign-ins/", 4).await;
    assert!(!walk.faults.is_empty());
}
