//! Lists as CSV: the same rows as on the page, all of them, harmless in a spreadsheet, for whoever may take them.

use diesel::prelude::*;
use portcullis::db::schema::users;
use portcullis::ops::limits;

use crate::support::panel::{PASSWORD, Panel};

#[actix_web::test]
async fn a_list_is_taken_along_with_its_search_filters_and_order() {
    let panel = Panel::new().await;
    panel.user("ann", |new| new.email = "=HYPERLINK(\"http://evil.example\",\"x\")".into()).await;
    let bob = panel.user("bob", |_| ()).await;
    panel.change(bob, |changes| changes.is_active = Some(false)).await;
    let root = panel.signed_in("root").await;
    assert_eq!(
        root.get("/admin/users/?q=b&sort=username").await.link("Export CSV").as_deref(),
        Some("/admin/users/export.csv?q=b&sort=username")
    );
    let file = root.get("/admin/users/export.csv?sort=username").await.is(200);
    assert_eq!(file.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(file.header("content-disposition"), "attachment; filename=\"portcullis-users-20260101T120000Z.csv\"");
    let lines: Vec<&str> = file.text.split("\r\n").collect();
    assert_eq!(
        lines,
        [
            "id,username,email,email_verified,is_active,is_staff,is_superuser,last_login,date_joined",
            "2,ann,\"'=HYPERLINK(\"\"http://evil.example\"\",\"\"x\"\")\",false,true,false,false,,2026-01-01T12:00:00Z",
            "3,bob,bob@example.org,false,false,false,false,,2026-01-01T12:00:00Z",
            "1,root,root@example.org,false,true,true,true,2026-01-01T12:00:00Z,2026-01-01T12:00:00Z",
            "",
        ]
    );
    let file = root.get("/admin/users/export.csv?status=inactive").await.is(200);
    assert_eq!(file.text.lines().count(), 2);
    assert_eq!(panel.entries("list.export").await, 2);
    assert_eq!(panel.last_entry().await.object_id, "users");
    for list in ["tokens", "articles", "tasks"] {
        let file = root.get(&format!("/admin/{list}/export.csv")).await.is(200);
        assert!(file.text.contains(",created_at,"), "{list}: {}", file.text);
    }
}

/// Codes, not sentences; and no name that nobody has.
#[actix_web::test]
async fn the_logs_are_taken_along_in_codes() {
    let panel = Panel::new().await;
    let root = panel.signed_in("root").await;
    panel.wait(1);
    panel.browser().sign_in("no-such-name", "wrong").await;
    limits::write_down(&panel.app.site).await.unwrap();
    let file = root.get("/admin/sign-ins/export.csv?sort=time").await.is(200);
    let lines: Vec<Vec<&str>> = file.text.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(lines[0], ["id", "at", "user_id", "name_digest", "outcome", "how", "ip", "user_agent", "times"]);
    assert_eq!((&lines[1][1..6], lines[1][8]), (&["2026-01-01T12:00:00Z", "1", "", "ok", "admin"][..], "1"));
    assert_eq!((&lines[2][1..3], &lines[2][4..6]), (&["2026-01-01T12:01:00Z", ""][..], &["unknown", "admin"][..]));
    assert_eq!(lines[2][3].len(), 16, "a digest");
    assert!(!file.text.contains("no-such-name"));

    let file = root.get("/admin/audit/export.csv?action=list.export").await.is(200);
    let lines: Vec<&str> = file.text.lines().collect();
    assert_eq!(lines[0], "id,at,actor_id,actor,ip,action,object_kind,object_id,object,fields,result");
    assert!(
        lines[2].ends_with(",root,127.0.0.1,list.export,list,sign-ins,sign-ins,\"rows, query\",done"),
        "{}",
        lines[2]
    );
    assert_eq!(lines.len(), 3, "the export of the sign-ins, and this one, which is written first");
}

#[actix_web::test]
async fn whoever_may_not_export_takes_nothing_and_is_offered_nothing() {
    let panel = Panel::new().await;
    panel
        .staff("looks", &["users.view", "tokens.view", "articles.view", "tasks.view", "audit.view", "sign-ins.view"])
        .await;
    let (root, looks) = (panel.signed_in("root").await, panel.signed_in("looks").await);
    for list in ["users", "tokens", "articles", "tasks", "audit", "sign-ins"] {
        assert!(root.get(&format!("/admin/{list}/")).await.is(200).link("Export CSV").is_some());
        looks.get(&format!("/admin/{list}/")).await.is(200).is_silent_on("Export CSV");
        looks.get(&format!("/admin/{list}/export.csv")).await.is(403);
        panel.browser().get(&format!("/admin/{list}/export.csv")).await.is(303);
    }
    assert_eq!(panel.entries("list.export").await, 0);
}

#[actix_web::test]
async fn thousands_of_rows_come_whole_and_very_many_only_for_the_password() {
    let panel = Panel::new().await;
    let root = panel.signed_in("root").await;
    panel
        .write(|conn| {
            for at in 0..10_005_i64 {
                let row = (
                    users::username.eq(format!("user{at:06}")),
                    users::password.eq("!"),
                    users::date_joined.eq(at),
                    users::updated_at.eq(at),
                );
                diesel::insert_into(users::table).values(row).execute(conn).unwrap();
            }
        })
        .await;
    let file = root.get("/admin/users/export.csv?sort=username").await.is(200);
    let names: Vec<&str> = file.text.split("\r\n").skip(1).filter_map(|line| line.split(',').nth(1)).collect();
    assert_eq!(names.len(), 10_006);
    assert!(names.is_sorted());
    panel.wait(11);
    root.get("/admin/users/export.csv?q=user00000").await.is(200);
    root.get("/admin/users/export.csv").await.leads_to("/admin/again/?next=%2Fadmin%2Fusers%2F");
    root.send("/admin/again/", "/admin/again/", &[("password", PASSWORD), ("next", "/admin/users/")]).await.is(303);
    root.get("/admin/users/export.csv").await.is(200);
}
