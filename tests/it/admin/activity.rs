//! The pages of the audit log and of sign-ins: found, filtered, paged, and seen by those alone who may.

use diesel::prelude::*;
use diesel::sql_query;
use portcullis::db::Conn;
use portcullis::model::audit::{Audit, By, Object};
use portcullis::ops::limits;

use crate::support::panel::{Browser, PASSWORD, Panel};

/// The cells of a list's rows under this label.
async fn cells(browser: &Browser<'_>, path: &str, label: &str) -> Vec<String> {
    let page = browser.get(path).await.is(200);
    let start = format!(r#"data-label="{label}""#);
    let inside = page.text.split(&start).skip(1).map(|cell| cell.split("</td>").next().unwrap());
    let word = |cell: &str| {
        let mut text = String::new();
        let mut in_tag = true;
        for c in cell.chars() {
            match c {
                '<' => in_tag = true,
                '>' => in_tag = false,
                c if !in_tag => text.push(c),
                _ => {}
            }
        }
        text.trim().to_owned()
    };
    inside.map(word).collect()
}

/// A panel with a few acts: root's, sam's who is refused one, and the command line's.
async fn acts() -> Panel {
    let panel = Panel::new().await;
    let ann = panel.user("ann", |_| ()).await;
    panel.staff("sam", &["users.view", "audit.view", "sign-ins.view"]).await;
    let root = panel.signed_in("root").await;
    root.submit(&format!("/admin/users/{ann}/deactivate/"), &[("reason", "Left <us>")]).await.is(303);
    let sam = panel.signed_in("sam").await;
    sam.send("/admin/users/", &format!("/admin/users/{ann}/delete/"), &[("confirm", "ann")]).await.is(403);
    panel.wait(120);
    let (chain, now) = (panel.app.site.audit.clone(), panel.now());
    panel
        .write(move |conn| {
            let audit = Audit::new(&chain, By::system("command line"), "signing_key.add", now);
            audit.on(Object::new("signing key", "k1", "k1")).append(conn).unwrap();
        })
        .await;
    panel
}

#[actix_web::test]
async fn the_audit_log_is_found_by_who_what_on_what_result_time_object_and_request() {
    let panel = acts().await;
    let root = panel.signed_in("root").await;
    let request = root.get("/admin/audit/2/").await.is(200);
    let number = request.link("Users").map(|_| ()).and_then(|()| {
        let after = request.text.split("<dt>Request</dt>").nth(1)?;
        Some(after.split("?q=").nth(1)?.split('"').next()?.to_owned())
    });
    for (query, expected) in [
        ("", vec!["root", "k1", "ann", "sam", "ann", "root"]),
        ("sort=time", vec!["root", "ann", "sam", "ann", "k1", "root"]),
        ("who=system", vec!["k1"]),
        ("who=3", vec!["ann", "sam"]),
        ("action=user.deactivate", vec!["ann"]),
        ("kind=user&result=done", vec!["root", "sam", "ann", "root"]),
        ("result=refused", vec!["ann"]),
        ("when=1h", vec!["root", "k1"]),
        ("q=ann", vec!["ann", "ann"]),
        ("q=k1", vec!["k1"]),
        (&format!("q={}", number.unwrap()), vec!["ann"]),
        ("who=999&action=nothing&kind=x&object=ann", vec!["root", "k1", "ann", "sam", "ann", "root"]),
    ] {
        assert_eq!(cells(&root, &format!("/admin/audit/?{query}"), "On what").await, expected, "{query}");
    }
    let page = root.get("/admin/audit/?q=zanzibar").await;
    page.says("No entry matches “zanzibar”").says("0 of 6 entries match");
}

#[actix_web::test]
async fn an_entry_shows_all_that_it_says_its_neighbours_and_its_link_and_no_markup_of_others() {
    let panel = acts().await;
    let root = panel.signed_in("root").await;
    let page = root.get("/admin/audit/2/").await.is(200);
    for words in ["User deactivated: ann", "active true false", "sessions ended – 0", "Left <us>", "127.0.0.1"] {
        assert!(page.words().contains(words), "{words}: {}", page.words());
    }
    assert!(!page.text.contains("<us>"));
    assert_eq!(page.link("Older"), Some("/admin/audit/1/".to_owned()));
    assert_eq!(page.link("Newer"), Some("/admin/audit/3/".to_owned()));
    let hash = |page: &crate::support::panel::Answer, of: &str| {
        let after = page.text.split(of).nth(1).unwrap().split("<code>").nth(1).unwrap();
        after.split('<').next().unwrap().to_owned()
    };
    let first = root.get("/admin/audit/1/").await.is(200).says("nothing: it is the first");
    assert_eq!(hash(&page, "Before it"), hash(&first, "Its own"));
    assert_eq!(first.link("Older"), None);
    let refused = root.get("/admin/audit/4/").await.is(200).says("Refused").says("needs users.delete");
    assert!(refused.words().contains("User deleted: ann"));
    root.get("/admin/audit/99/").await.is(404);
}

#[actix_web::test]
async fn pages_lead_through_every_entry_once_and_back() {
    let panel = Panel::new().await;
    let (chain, now) = (panel.app.site.audit.clone(), panel.now());
    panel
        .write(move |conn| {
            for number in 0..118_u64 {
                let at = now - std::time::Duration::from_secs(number / 3);
                let audit = Audit::new(&chain, By::system("test"), "user.change", at);
                audit.on(Object::user(7, format!("n{number}"))).append(conn).unwrap();
            }
        })
        .await;
    let root = panel.signed_in("root").await;
    for sort in ["", "time"] {
        let (mut path, mut seen, mut pages) = (format!("/admin/audit/?sort={sort}"), Vec::new(), 1);
        while let Some(next) = {
            seen.extend(cells(&root, &path, "On what").await);
            root.get(&path).await.link("Next")
        } {
            path = next;
            pages += 1;
        }
        assert_eq!((seen.len(), pages), (119, 3));
        let distinct: std::collections::BTreeSet<_> = seen.iter().collect();
        assert_eq!(distinct.len(), 119);
        root.get(&path).await.says("101–119 of");
        let back = root.get(&path).await.link("Previous").unwrap();
        assert_eq!(cells(&root, &back, "On what").await, seen[50..100]);
    }
}

/// A panel where a few have tried to sign in.
async fn attempts() -> Panel {
    let panel = Panel::new().await;
    panel.user("ann", |_| ()).await;
    panel.tokens("ann").await;
    panel.browser().sign_in("ann", PASSWORD).await.is(422);
    for _ in 0..3 {
        panel.browser().sign_in("my secret", PASSWORD).await.is(422);
    }
    panel.signed_in("root").await;
    limits::write_down(&panel.app.site).await.unwrap();
    panel
}

#[actix_web::test]
async fn sign_ins_are_found_by_outcome_door_time_user_address_and_unknown_name() {
    let panel = attempts().await;
    let root = panel.signed_in("root").await;
    let page = root.get("/admin/sign-ins/").await.is(200).says("3 times").is_silent_on("my secret");
    let unknown = page.text.split("?q=%23").nth(1).unwrap().split('"').next().unwrap().to_owned();
    page.says(&format!("unknown #{}", &unknown[..4]));
    let other = "Unknown name 3 times".to_owned();
    for (query, expected) in [
        ("outcome=ok&how=password", vec!["Signed in".to_owned()]),
        ("outcome=not+staff", vec!["Not staff".to_owned()]),
        ("how=admin&outcome=unknown&when=1h", vec![other.clone()]),
        ("q=ann&sort=time", vec!["Signed in".to_owned(), "Not staff".to_owned()]),
        (&format!("q=%23{unknown}"), vec![other.clone()]),
        (&format!("q=unknown+%23{}", &unknown[..4]), vec![other.clone()]),
        ("q=my+secret", vec![other]),
        ("q=another+secret", vec![]),
        ("q=203.0.113.9", vec![]),
    ] {
        assert_eq!(cells(&root, &format!("/admin/sign-ins/?{query}"), "Outcome").await, expected, "{query}");
    }
    for query in ["q=127.0.0.1", "q=127.0", "sort=-time&q=", "sort=password&outcome=x"] {
        assert_eq!(cells(&root, &format!("/admin/sign-ins/?{query}"), "Outcome").await.len(), 5, "{query}");
    }
}

#[actix_web::test]
async fn a_user_has_a_tab_of_sign_ins_and_one_of_what_was_done_by_and_to_them() {
    let panel = acts().await;
    panel.tokens("root").await;
    let root = panel.signed_in("root").await;
    limits::write_down(&panel.app.site).await.unwrap();
    let about = cells(&root, "/admin/users/2/history/", "What").await;
    assert_eq!(about, ["User deleted Refused", "User deactivated"]);
    let by = cells(&root, "/admin/users/3/history/?show=by", "What").await;
    assert_eq!(by, ["User deleted Refused", "Signed in to the panel"]);
    assert_eq!(cells(&root, "/admin/users/3/sign-ins/", "Outcome").await, ["Signed in"]);
    root.get("/admin/users/2/sign-ins/").await.is(200).says("Nobody has tried");
    root.get("/admin/users/2/").await.says("Sign-ins").says("History");
    root.get("/admin/users/99/history/").await.is(404);
}

#[actix_web::test]
async fn only_those_see_them_who_may() {
    let panel = acts().await;
    panel.staff("tim", &["users.view", "roles.view"]).await;
    let paths =
        ["/admin/audit/", "/admin/audit/1/", "/admin/sign-ins/", "/admin/users/2/history/", "/admin/users/2/sign-ins/"];
    let (sam, tim) = (panel.signed_in("sam").await, panel.signed_in("tim").await);
    for path in paths {
        sam.get(path).await.is(200);
        tim.get(path).await.is(403);
        panel.browser().get(path).await.is(303);
    }
    tim.get("/admin/users/2/").await.is(200).is_silent_on("History").is_silent_on("Sign-ins").is_silent_on("Audit log");
    sam.get("/admin/users/2/").await.is(200).says("History").says("Sign-ins").says("Audit log");
}

/// Every filter, and the order, is one range of an index: no list reads the whole table (ADMIN-SPEC 10).
#[tokio::test]
async fn no_filter_reads_a_whole_table_on_either_database() {
    use crate::support::database::{Kind, bare};
    #[derive(QueryableByName)]
    struct Plan {
        #[diesel(sql_type = diesel::sql_types::Text)]
        detail: String,
    }
    const AUDIT: [&str; 8] = [
        "1 = 1",
        "(at, id) < (5, 5)",
        "actor_id = 3",
        "actor_id IS NULL",
        "action = 'user.change'",
        "object_kind = 'role'",
        "result = 'refused'",
        "object_id = '5' AND object_kind = 'user'",
    ];
    const SIGN_INS: [&str; 8] = [
        "1 = 1",
        "(at, id) < (5, 5)",
        "at >= 5",
        "user_id = 3",
        "outcome = 'locked'",
        "how = 'admin'",
        "ip = '192.0.2.1'",
        "name_digest = '6'",
    ];
    fn ask(conn: &mut Conn, explain: &str, table: &str, condition: &str) -> String {
        let query = format!("{explain} SELECT id FROM {table} WHERE {condition} ORDER BY at DESC, id DESC LIMIT 51");
        sql_query(query).load::<Plan>(conn).unwrap().into_iter().map(|plan| plan.detail + "\n").collect()
    }
    let sqlite = |conn: &mut Conn| {
        for (table, conditions) in [("audit_entries", AUDIT), ("sign_ins", SIGN_INS)] {
            for condition in conditions {
                let plan = ask(conn, "EXPLAIN QUERY PLAN", table, condition);
                let by_index = plan.contains("USING INDEX") || plan.contains("USING COVERING INDEX");
                assert!(by_index && !plan.contains("TEMP B-TREE"), "{table}, {condition}: {plan}");
            }
        }
        let named = "object = 'ann' OR object_id = 'ann' OR request = 'ann'";
        let plan = ask(conn, "EXPLAIN QUERY PLAN", "audit_entries", named);
        assert!(plan.contains("MULTI-INDEX OR") && !plan.contains("SCAN"), "{plan}");
        Ok(())
    };
    let (db, _folder) = bare(Kind::Sqlite);
    db.read(sqlite).await.unwrap();

    #[derive(QueryableByName)]
    struct Line {
        #[diesel(sql_type = diesel::sql_types::Text, column_name = "QUERY PLAN")]
        line: String,
    }
    let postgres = |conn: &mut Conn| {
        // With few rows everything is read whole: that is forbidden here, and so is sorting.
        sql_query("SET enable_seqscan = off").execute(conn).unwrap();
        sql_query("SET enable_sort = off").execute(conn).unwrap();
        sql_query("SET enable_bitmapscan = off").execute(conn).unwrap();
        for (table, conditions) in [("audit_entries", AUDIT), ("sign_ins", SIGN_INS)] {
            for condition in conditions {
                let query =
                    format!("EXPLAIN SELECT id FROM {table} WHERE {condition} ORDER BY at DESC, id DESC LIMIT 51");
                let plan: String =
                    sql_query(query).load::<Line>(conn).unwrap().into_iter().map(|line| line.line + "\n").collect();
                let by_index = plan.contains("Index Scan") || plan.contains("Index Only Scan");
                assert!(
                    by_index && !plan.contains("Seq Scan") && !plan.contains("Sort"),
                    "{table}, {condition}: {plan}"
                );
            }
        }
        Ok(())
    };
    let (db, _folder) = bare(Kind::Postgres);
    db.read(postgres).await.unwrap();
}
