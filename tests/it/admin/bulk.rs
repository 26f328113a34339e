//! What is done to many rows of a list: ticked, or all that its filter lets through.

use diesel::prelude::*;
use portcullis::db::Conn;
use portcullis::db::schema::{audit_entries, users};
use portcullis::model::user::{NewUser, insert};
use serde_json::json;

use crate::support::panel::{Answer, Browser, Panel};

/// Makes users called so, with numbers.
pub async fn crowd(panel: &Panel, name: &'static str, count: usize) -> Vec<i64> {
    let now = panel.now();
    let make = move |conn: &mut Conn| {
        let new = |number| NewUser {
            username: format!("{name}{number:04}"),
            email: format!("{name}{number:04}@example.org"),
            password: "!".into(),
            date_joined: now,
            updated_at: now,
            ..NewUser::default()
        };
        (0..count).map(|number| insert(conn, &new(number)).unwrap().unwrap().id).collect()
    };
    panel.write(make).await
}

/// Posts an act on rows of a list, as the list or the page that asks would.
pub async fn post(browser: &Browser<'_>, list: &str, action: &str, more: &[(&str, &str)]) -> Answer {
    let back = format!("/admin/{list}/");
    let fields = [&[("list", list), ("action", action), ("back", &back)], more].concat();
    browser.send("/admin/me/", "/admin/confirm/", &fields).await
}

/// How many users are active.
pub async fn active(panel: &Panel) -> i64 {
    panel.app.read(|conn| Ok(users::table.filter(users::is_active).count().get_result(conn)?)).await
}

const SURE: (&str, &str) = ("sure", "yes");

#[actix_web::test]
async fn letters_to_set_a_new_password_go_to_those_who_can_use_them() {
    let panel = Panel::new().await;
    let ann = panel.user("ann", |_| ()).await.to_string();
    let mute = panel.user("mute", |new| new.email.clear()).await.to_string();
    let off = panel.user("off", |_| ()).await;
    panel.change(off, |changes| changes.is_active = Some(false)).await;
    let off = off.to_string();
    let root = panel.signed_in("root").await;
    let ticked = [("id", ann.as_str()), ("id", &mute), ("id", &off)];
    let page = post(&root, "users", "send-reset", &ticked).await.is(200).says("Send ann a password reset?");
    page.says("mute left out: no e-mail address").says("off left out: inactive").says("three such letters a day");
    let sure = [&ticked[..], &[SURE, ("reason", "a leak elsewhere")]].concat();
    post(&root, "users", "send-reset", &sure).await.leads_to("/admin/users/");
    root.get("/admin/users/").await.says("1 user was sent a letter to set a new password. 2 were left out.");
    let letter = panel.app.letter_to("ann@example.org").await;
    assert!(letter.text.contains("/reset/"), "{}", letter.text);
    let entry = panel.last_entry().await;
    assert_eq!((entry.action.as_str(), entry.reason.as_str()), ("user.send_reset", "a leak elsewhere"));
    // Three a day and no more, whoever asks.
    for _ in 0..4 {
        post(&root, "users", "send-reset", &[("id", &ann), SURE]).await.is(303);
    }
    assert_eq!(panel.app.letters().await.len(), 2);
}

#[actix_web::test]
async fn users_are_deleted_together_once_their_number_is_typed_after_the_password() {
    let panel = Panel::new().await;
    let (ann, bob) = (panel.user("ann", |_| ()).await, panel.user("bob", |_| ()).await);
    let (access, refresh) = panel.tokens("ann").await;
    panel.api("/api/tasks/", &access, Some(json!({ "title": "x" }))).await;
    panel.staff("sam", &["users.view", "users.change"]).await;
    let (root, sam) = (panel.signed_in("root").await, panel.signed_in("sam").await);
    let (a, b) = (ann.to_string(), bob.to_string());
    let ticked = [("id", a.as_str()), ("id", &b), ("id", "1")];
    post(&sam, "users", "delete", &ticked).await.is(403).says("users.delete");
    sam.get("/admin/users/").await.is_silent_on("Delete…");

    let page = post(&root, "users", "delete", &ticked).await.is(200).says("Delete 2 users?").says("Type 2 to confirm");
    page.says("ann with 0 articles and 1 task").says("root left out: You cannot delete yourself");
    post(&root, "users", "delete", &[&ticked[..], &[SURE, ("confirm", "3")]].concat()).await.is(422);
    let sure = [&ticked[..], &[SURE, ("confirm", "2"), ("reason", "asked")]].concat();
    panel.wait(11);
    post(&root, "users", "delete", &sure).await.leads_to("/admin/again/?next=%2Fadmin%2Fusers%2F");
    let again = [("password", crate::support::panel::PASSWORD), ("next", "/admin/users/")];
    root.send("/admin/again/", "/admin/again/", &again).await.is(303);
    post(&root, "users", "delete", &sure).await.leads_to("/admin/users/");
    root.get("/admin/users/").await.says("2 users were deleted.").says("1 was left out.").is_silent_on("Undo");
    assert!(panel.row(ann).await.is_none() && panel.row(bob).await.is_none() && panel.row(1).await.is_some());
    assert_eq!(panel.api("/api/token/refresh/", "", Some(json!({ "refresh": refresh }))).await.0, 401);
    assert_eq!(panel.entries("user.delete").await, 2);
    assert_eq!(panel.last_entry().await.reason, "asked");
}

#[actix_web::test]
async fn api_keys_are_revoked_together_and_one_in_use_takes_more_than_a_button() {
    let panel = Panel::new().await;
    panel.user("ann", |_| ()).await;
    panel.staff("sam", &["api-keys.view", "api-keys.revoke"]).await;
    for name in ["root", "ann", "ann"] {
        let (access, _) = panel.tokens(name).await;
        let (made, key) =
            panel.api("/api/keys/", &access, Some(json!({ "name": format!("of {name}"), "scopes": ["*"] }))).await;
        assert_eq!(made, 201, "{key}");
    }
    let sam = panel.signed_in("sam").await;
    sam.get("/admin/api-keys/").await.says("Revoke…");
    let ticked = [("id", "1"), ("id", "2"), ("id", "3")];
    let page = post(&sam, "api-keys", "revoke", &ticked).await.is(200).says("Revoke 2 keys?");
    page.says("of root left out: root is a superuser").says("of ann, never used").is_silent_on("Type");
    let used = panel.now();
    panel.write(move |conn| portcullis::model::api_key::touch(conn, 2, used, used).unwrap()).await;
    post(&sam, "api-keys", "revoke", &ticked).await.says("used just now").says("Type 2 to confirm");
    post(&sam, "api-keys", "revoke", &[&ticked[..], &[SURE]].concat()).await.is(422);
    post(&sam, "api-keys", "revoke", &[&ticked[..], &[SURE, ("confirm", "2")]].concat()).await.is(303);
    sam.get("/admin/api-keys/").await.says("2 keys were revoked. 1 was left out.");
    assert_eq!(panel.entries("api_key.revoke").await, 2);
    let left: i64 = panel.app.read(|conn| Ok(portcullis::db::schema::api_keys::table.count().get_result(conn)?)).await;
    assert_eq!(left, 1);
}

#[actix_web::test]
async fn all_that_match_are_meant_by_the_filter_and_not_by_what_is_ticked() {
    let panel = Panel::new().await;
    crowd(&panel, "crowd", 60).await;
    let keep = panel.user("keep", |_| ()).await;
    let root = panel.signed_in("root").await;
    let list = root.get("/admin/users/?q=crowd&sort=username&rows=50").await.says("All 60 matching");
    assert_eq!(list.hidden("all").replace("&#38;", "&"), "q=crowd");
    root.get("/admin/users/?q=crowd&rows=100").await.is_silent_on("matching");

    // The boxes of the page are sent as well, and somebody's who does not match: they say nothing here.
    let keep_id = keep.to_string();
    let all = [("all", "q=crowd"), ("id", keep_id.as_str())];
    let page = post(&root, "users", "deactivate", &all).await.is(200).says("Deactivate 60 users?");
    page.says("all that match: search for “crowd”").says("Type 60 to confirm").says("and 50 more");
    post(&root, "users", "deactivate", &[&all[..], &[SURE]].concat()).await.is(422);
    // One more has come since the page was shown: it is asked about again.
    crowd(&panel, "crowdy", 1).await;
    let sure = |typed: &'static str| [&all[..], &[SURE, ("confirm", typed)]].concat();
    post(&root, "users", "deactivate", &sure("60")).await.is(422).says("Type 61 exactly");
    post(&root, "users", "deactivate", &sure("61")).await.leads_to("/admin/users/");
    let page = root.get("/admin/users/").await.says("61 users were deactivated.");
    assert!(page.text.contains("/admin/undo/"));
    assert_eq!((active(&panel).await, panel.entries("user.deactivate").await), (2, 61));
    assert!(panel.row(keep).await.unwrap().is_active);

    // What cannot be done is left out; a filter that changes under the act reaches each row all the same.
    let all = [("all", ""), SURE, ("confirm", "63")];
    post(&root, "users", "activate", &all).await.is(303);
    root.get("/admin/users/").await.says("61 users were activated. 2 were left out.");
    let all = [("all", "status=active"), SURE, ("confirm", "63")];
    post(&root, "users", "deactivate", &all).await.is(303);
    root.get("/admin/users/").await.says("62 users were deactivated. 1 was left out.");
}

#[actix_web::test]
async fn a_thousand_are_done_within_the_request_and_taken_back_in_one() {
    let panel = Panel::new().await;
    crowd(&panel, "crowd", 1000).await;
    let root = panel.signed_in("root").await;
    let all = [("all", "q=crowd"), SURE, ("confirm", "1000")];
    post(&root, "users", "deactivate", &all).await.leads_to("/admin/users/");
    let page = root.get("/admin/users/").await.says("1,000 users were deactivated.");
    assert_eq!((active(&panel).await, panel.entries("user.deactivate").await), (1, 1000));
    let undo =
        [("csrf_token", page.hidden("csrf_token")), ("act", page.hidden("act")), ("back", "/admin/users/".into())];
    let undo: Vec<(&str, &str)> = undo.iter().map(|(name, value)| (*name, value.as_str())).collect();
    root.post("/admin/undo/", &undo).await.leads_to("/admin/users/");
    root.get("/admin/users/").await.says("Undone: 1,000 users are as before.");
    assert_eq!(active(&panel).await, 1001);
}

#[actix_web::test]
async fn every_list_reaches_all_that_match_once() {
    let panel = Panel::new().await;
    let sam = panel.user("sam", |new| (new.is_staff, new.is_superuser) = (true, true)).await;
    for _ in 0..3 {
        let (access, _) = panel.tokens("sam").await;
        for path in ["/api/articles/", "/api/tasks/"] {
            panel.api(path, &access, Some(json!({ "title": "x", "body": "y" }))).await;
        }
        panel.api("/api/keys/", &access, Some(json!({ "name": "k", "scopes": ["*"] }))).await;
    }
    let (_, refresh) = panel.tokens("root").await;
    panel.api("/api/token/blacklist/", "", Some(json!({ "refresh": refresh }))).await;
    let (root, _sam) = (panel.signed_in("root").await, panel.signed_in("sam").await);
    for (list, action, typed, code, times, said) in [
        ("tasks", "done", "3", "task.change", 3, "3 tasks were marked done."),
        ("tasks", "delete", "3", "task.delete", 3, "3 tasks were deleted."),
        ("articles", "delete", "3", "article.delete", 3, "3 articles were deleted."),
        ("api-keys", "revoke", "3", "api_key.revoke", 3, "3 keys were revoked."),
        ("tokens", "revoke", "4", "token.revoke", 3, "3 tokens were revoked. 3 sessions ended. 1 was left out."),
        // Three of the API are over with their tokens, one was before; the panel's two live.
        ("sessions", "sign-out", "6", "session.end", 2, "2 sessions ended. 4 were left out."),
    ] {
        let page = post(&root, list, action, &[("all", "")]).await.is(200);
        let page = page.says("all that match: all ").says(&format!("Type {typed} to confirm"));
        let asked_for = page.text.matches(r#"name="id""#).count() + page.text.matches(r#"name="key""#).count();
        assert_eq!(asked_for, 0, "{list}: the filter is posted, no ids");
        let back = format!("/admin/{list}/");
        let answer = post(&root, list, action, &[("all", ""), SURE, ("confirm", typed)]).await;
        assert_eq!(answer.status, 303, "{list} {action}: {}", answer.text);
        if list == "sessions" {
            // Their own session was among them.
            root.get(&back).await.is(303);
        } else {
            root.get(&back).await.says(said);
        }
        assert_eq!(panel.entries(code).await, times, "{list}");
    }
    let root = panel.signed_in("root").await;
    // A role's list is never longer than its page.
    post(&root, "roles", "delete", &[("all", "")]).await.leads_to("/admin/roles/");
    post(&root, "blacklist", "restore", &[("all", "reason=signed+out")]).await.is(200);
    assert!(panel.row(sam).await.is_some());
}

#[actix_web::test]
async fn who_signs_out_all_users_is_done_with_last() {
    let panel = Panel::new().await;
    crowd(&panel, "crowd", 5).await;
    let root = panel.signed_in("root").await;
    let all = [("all", ""), SURE, ("confirm", "6")];
    post(&root, "users", "sign-out", &all).await.leads_to("/admin/login/?note=ended");
    assert_eq!(panel.entries("user.sign_out").await, 6);
    let last = panel.last_entry().await;
    assert_eq!((last.action.as_str(), last.object_id.as_str()), ("user.sign_out", "1"));
}

#[actix_web::test]
async fn an_entry_of_each_row_names_reason_and_request_however_many_transactions_it_took() {
    let panel = Panel::new().await;
    crowd(&panel, "crowd", 600).await;
    let root = panel.signed_in("root").await;
    let all = [("all", "q=crowd"), SURE, ("confirm", "600"), ("reason", "spring")];
    post(&root, "users", "deactivate", &all).await.is(303);
    let (reasons, requests): (Vec<String>, Vec<String>) = panel
        .app
        .read(|conn| {
            let rows = audit_entries::table.filter(audit_entries::action.eq("user.deactivate"));
            let reasons = rows.select(audit_entries::reason).distinct().load(conn)?;
            let rows = audit_entries::table.filter(audit_entries::action.eq("user.deactivate"));
            Ok((reasons, rows.select(audit_entries::request).distinct().load(conn)?))
        })
        .await;
    assert_eq!((reasons, requests.len()), (vec!["spring".to_owned()], 1));
}

#[actix_web::test]
async fn a_slice_ends_after_five_hundred_rows_or_after_15_ms_whichever_comes_first() {
    use portcullis::admin::slices;
    let panel = Panel::new().await;
    for (micros, rows) in [(0, 500), (1000, 15), (40_000, 1)] {
        let clock = panel.app.clock.clone();
        let slice = move |conn: &mut Conn| {
            let each = |_: &mut Conn, row: usize| {
                clock.advance(std::time::Duration::from_micros(micros));
                Ok(row)
            };
            slices::run(&clock, conn, 0..2000, each)
        };
        assert_eq!(panel.app.write(slice).await, (0..rows).collect::<Vec<_>>());
    }
}
