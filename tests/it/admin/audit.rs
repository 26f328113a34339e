//! What the panel writes down of itself: one entry an act, none where nothing was done, one for what was refused.

use std::collections::BTreeSet;

use diesel::prelude::*;
use diesel::sql_query;
use portcullis::admin::audits::ACTS;
use portcullis::db::Conn;
use portcullis::db::schema::audit_entries;
use portcullis::model::{panel_session, user};

use super::paths;
use crate::support::authenticator::Authenticator;
use crate::support::panel::{Browser, PASSWORD, Panel};

/// Action, object and result of each entry after the first `after`.
async fn entries(panel: &Panel, after: i64) -> Vec<(String, String, String)> {
    let load = move |conn: &mut Conn| {
        let rows = audit_entries::table.filter(audit_entries::id.gt(after)).order(audit_entries::id);
        Ok(rows.select((audit_entries::action, audit_entries::object, audit_entries::result)).load(conn)?)
    };
    panel.app.read(load).await
}

async fn count(panel: &Panel) -> i64 {
    panel.app.read(|conn| Ok(audit_entries::table.count().get_result(conn)?)).await
}

/// Fails unless the log goes on, from its first `before` entries, with exactly this one.
async fn is_one_entry(panel: &Panel, before: i64, action: &str, object: &str, result: &str) {
    let expected = (action.to_owned(), object.to_owned(), result.to_owned());
    assert_eq!(entries(panel, before).await, [expected]);
}

/// The chain as the server itself sees it.
async fn holds(panel: &Panel) -> i64 {
    let chain = panel.app.site.audit.clone();
    panel.app.read(move |conn| chain.verify(conn)).await.unwrap().entries
}

/// Every act that is a form with fixed fields, in an order in which each finds something to do: its route, the page of the
/// form, where it is sent, its fields, and what the log says of it.
pub type Walk =
    [(&'static str, &'static str, &'static str, &'static [(&'static str, &'static str)], &'static str, &'static str)];

const NEW: &[(&str, &str)] =
    &[("username", "eve"), ("is_active", "on"), ("password", PASSWORD), ("password2", PASSWORD)];
const BULK: &[(&str, &str)] = &[
    ("list", "users"),
    ("action", "activate"),
    ("id", "2"),
    ("back", "/admin/users/"),
    ("sure", "yes"),
    ("reason", "He came back."),
];

pub const WALK: &Walk = &[
    ("/users/new/", "/admin/users/new/", "/admin/users/new/", NEW, "user.create", "eve"),
    (
        "/users/{id}/",
        "/admin/users/2/",
        "/admin/users/2/",
        &[("username", "anna"), ("is_active", "on")],
        "user.change",
        "anna",
    ),
    ("/users/{id}/sign-out/", "/admin/users/2/sign-out/", "/admin/users/2/sign-out/", &[], "user.sign_out", "anna"),
    (
        "/users/{id}/password/",
        "/admin/users/2/password/",
        "/admin/users/2/password/",
        &[("password", "another horse 5"), ("password2", "another horse 5")],
        "user.password",
        "anna",
    ),
    ("/users/{id}/send-reset/", "/admin/users/1/", "/admin/users/1/send-reset/", &[], "user.send_reset", "root"),
    (
        "/users/{id}/deactivate/",
        "/admin/users/2/deactivate/",
        "/admin/users/2/deactivate/",
        &[],
        "user.deactivate",
        "anna",
    ),
    ("/confirm/", "/admin/users/", "/admin/confirm/", BULK, "user.activate", "anna"),
    (
        "/users/{id}/delete/",
        "/admin/users/2/delete/",
        "/admin/users/2/delete/",
        &[("confirm", "anna")],
        "user.delete",
        "anna",
    ),
    (
        "/roles/new/",
        "/admin/roles/new/",
        "/admin/roles/new/",
        &[("name", "Help"), ("p", "users.view")],
        "role.create",
        "Help",
    ),
    ("/roles/{id}/", "/admin/roles/1/", "/admin/roles/1/", &[("name", "Helpers")], "role.change", "Helpers"),
    ("/roles/{id}/delete/", "/admin/roles/1/delete/", "/admin/roles/1/delete/", &[], "role.delete", "Helpers"),
    ("/again/", "/admin/again/", "/admin/again/", &[("password", PASSWORD)], "panel.password_again", "root"),
    ("/getting-started/", "/admin/", "/admin/getting-started/", &[("told", "backup")], "panel.started", ""),
    (
        "/me/preferences/",
        "/admin/me/preferences/",
        "/admin/me/preferences/",
        &[("time_zone", "Europe/Oslo")],
        "user.preferences",
        "root",
    ),
];

/// Those that take more than a form with fixed fields.
const BY_HAND: [&str; 42] = [
    "/login/",
    "/login/code/",
    "/logout/",
    "/setup/{token}/",
    "/users/{id}/sessions/sign-out/",
    "/users/{id}/two-factor/",
    "/blacklist/new/",
    "/undo/",
    "/jobs/{id}/stop/",
    // Told of where these acts have their stories: tests/it/admin/{undo,jobs,api_keys,attention,content,signing_keys,tokens,session_list,inspector,invitations,mail,me,throttling}.rs.
    "/api-keys/new/",
    "/api-keys/{id}/rotate/",
    "/api-keys/{id}/revoke/",
    "/signing-keys/rotate/",
    "/signing-keys/{kid}/",
    "/signing-keys/{kid}/condemn/",
    "/articles/new/",
    "/articles/{id}/",
    "/articles/{id}/delete/",
    "/tasks/new/",
    "/tasks/{id}/",
    "/tasks/{id}/delete/",
    "/blacklist/sweep/",
    "/blacklist/{jti}/restore/",
    "/tokens/{jti}/revoke/",
    "/sessions/sign-out-all/",
    "/sessions/{sid}/sign-out/",
    "/inspector/",
    "/mail/test/",
    "/mail/{id}/again/",
    "/attention/dismiss/",
    "/users/invitations/{id}/revoke/",
    "/users/invitations/{id}/again/",
    "/throttling/{key}/clear/",
    "/throttling/{key}/hold/",
    "/throttling/{key}/never/",
    "/me/password/",
    "/me/sessions/sign-out/",
    "/me/sessions/sign-out-others/",
    "/me/two-factor/start/",
    "/me/two-factor/confirm/",
    "/me/two-factor/codes/",
    "/me/two-factor/disable/",
];

/// What changes nothing that the server keeps.
const NO_ACT: [&str; 1] = ["/preferences/theme/"];

#[test]
fn every_route_that_changes_something_has_a_code_and_a_story() {
    let table = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/admin/mod.rs")).unwrap();
    let routes = table.lines().filter_map(|line| line.trim().strip_prefix(".route(\"")?.split_once("\", "));
    let posts: BTreeSet<&str> =
        routes.filter(|(_, rest)| rest.starts_with("web::post()")).map(|(path, _)| path).collect();
    assert_eq!(posts.len(), paths("web::post()").len());
    let told: BTreeSet<&str> = WALK.iter().map(|walk| walk.0).chain(BY_HAND).chain(NO_ACT).collect();
    assert_eq!(told, posts, "a route is told of in no story here, or is gone");
    let coded: BTreeSet<&str> = ACTS.iter().map(|(path, ..)| *path).chain(NO_ACT).collect();
    assert_eq!(coded, posts, "a route has no line in admin::audits::ACTS, or is gone");
    for (route, .., action, _) in WALK.iter().filter(|walk| walk.0 != "/confirm/") {
        let code = ACTS.iter().find(|(path, ..)| path == route).map(|(_, code, _)| *code);
        assert_eq!(code, Some(*action), "{route}");
    }
}

#[actix_web::test]
async fn every_act_of_the_panel_is_one_entry() {
    let panel = Panel::new().await;
    panel.user("ann", |_| ()).await;
    let root = panel.signed_in("root").await;
    for (_, from, path, fields, action, object) in WALK {
        let before = count(&panel).await;
        let form = if path == from { root.submit(from, fields).await } else { root.send(from, path, fields).await };
        assert_eq!(form.status, 303, "{path}: {}", form.text);
        let told = entries(&panel, before).await;
        assert_eq!(told, [((*action).to_owned(), (*object).to_owned(), "done".to_owned())], "{path}");
    }
    assert_eq!(holds(&panel).await, count(&panel).await);
}

#[actix_web::test]
async fn setting_up_signing_in_and_out_and_every_session_that_is_ended_are_one_entry_each() {
    let panel = Panel::without_administrator(|_| ()).await;
    let link = format!("/admin/setup/{}/", panel.app.site.setup.issue(panel.now()).unwrap());
    let first = panel.browser();
    let fields = [("username", "root"), ("password", PASSWORD), ("password2", PASSWORD)];
    first.send(&link, &link, &fields).await.leads_to("/admin/");
    is_one_entry(&panel, 0, "panel.setup", "root", "done").await;

    first.send("/admin/users/", "/admin/logout/", &[]).await.leads_to("/admin/login/?note=out");
    is_one_entry(&panel, 1, "panel.sign_out", "root", "done").await;
    let root = panel.signed_in("root").await;
    is_one_entry(&panel, 2, "panel.sign_in", "root", "done").await;

    panel.user("ann", |_| ()).await;
    let (_, refresh) = panel.tokens("ann").await;
    let (access, _) = panel.tokens("ann").await;
    assert_eq!(count(&panel).await, 3, "what users do is no business of this log");
    root.send("/admin/users/", "/admin/blacklist/new/", &[("token", &refresh)]).await.leads_to("/admin/blacklist/");
    is_one_entry(&panel, 3, "blacklist.add", "ann", "done").await;

    let page = root.get("/admin/users/2/sessions/").await;
    let session = page.hidden("session");
    let ended = [("session", session.as_str())];
    root.send("/admin/users/2/", "/admin/users/2/sessions/sign-out/", &ended)
        .await
        .leads_to("/admin/users/2/sessions/");
    is_one_entry(&panel, 4, "session.end", "ann", "done").await;
    assert_eq!(panel.api("/api/hello/", &access, None).await.0, 401);
    // What had ended before ends no second time.
    root.send("/admin/users/2/", "/admin/users/2/sessions/sign-out/", &ended).await;
    assert_eq!((count(&panel).await, holds(&panel).await), (5, 5));
}

#[actix_web::test]
async fn two_factor_sign_in_set_up_used_renewed_switched_off_and_reset_is_one_entry_each() {
    let panel = Panel::new().await;
    let root = panel.signed_in("root").await;
    panel.staff("sam", &["users.view"]).await;
    let sam = panel.signed_in("sam").await;
    let me = "/admin/me/two-factor/";
    let begun = sam.send(me, &format!("{me}start/"), &[]).await.is(200);
    is_one_entry(&panel, 2, "user.two_factor_begin", "sam", "done").await;
    let app = Authenticator::new(begun.text.split(r#"class="c-code">"#).nth(1).unwrap().split('<').next().unwrap());
    let prove = |act: &'static str| {
        panel.wait(2);
        let code = app.code(panel.now());
        let (sam, path) = (&sam, format!("{me}{act}/"));
        async move { sam.send(me, &path, &[("code", &code), ("current_password", PASSWORD)]).await }
    };
    prove("confirm").await.is(200);
    is_one_entry(&panel, 3, "user.two_factor_on", "sam", "done").await;
    prove("codes").await.is(200);
    is_one_entry(&panel, 4, "user.two_factor_codes", "sam", "done").await;

    panel.wait(2);
    let other = panel.browser();
    let halfway = other.sign_in("sam", PASSWORD).await.is(200);
    assert_eq!(count(&panel).await, 5, "half a sign-in is none");
    let fields = [("halfway", halfway.hidden("halfway")), ("code", app.code(panel.now()))];
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    other.send("/admin/login/", "/admin/login/code/", &fields).await.leads_to("/admin/");
    is_one_entry(&panel, 5, "panel.sign_in", "sam", "done").await;

    prove("disable").await.leads_to(me);
    is_one_entry(&panel, 6, "user.two_factor_off", "sam", "done").await;
    sam.send(me, &format!("{me}start/"), &[]).await.is(200);
    panel.write(|conn| sql_query("UPDATE two_factor SET confirmed_at = created_at").execute(conn).unwrap()).await;
    let before = count(&panel).await;
    root.send("/admin/users/", "/admin/users/2/two-factor/", &[]).await.leads_to("/admin/users/2/");
    is_one_entry(&panel, before, "user.two_factor_reset", "sam", "done").await;
}

#[actix_web::test]
async fn an_entry_says_who_from_where_in_which_session_and_why_and_what_was_before() {
    let panel = Panel::new().await;
    panel.user("ann", |new| new.email = "ann@example.org".into()).await;
    let root = panel.signed_in("root").await;
    let email = [("username", "ann"), ("email", "a@example.com"), ("is_active", "on"), ("is_premium", "on")];
    root.submit("/admin/users/2/", &email).await.leads_to("/admin/users/");
    root.submit("/admin/users/2/deactivate/", &[("reason", "  She asked. ")]).await.leads_to("/admin/users/2/");
    let new = [("password", "another horse 5"), ("password2", "another horse 5")];
    root.submit("/admin/users/2/password/", &new).await.leads_to("/admin/users/2/");

    let now = panel.now();
    let (all, session) = panel
        .app
        .read(move |conn| {
            let all: Vec<_> =
                (2..5).map(|id| portcullis::model::audit::list::by_id(conn, id).unwrap().unwrap()).collect();
            let sessions = panel_session::live_of(conn, 1, now, now - std::time::Duration::from_secs(60))?;
            Ok((all, format!("panel-{}", sessions[0].key_digest)))
        })
        .await;
    let told = |at: usize| -> Vec<(&str, &str, &str)> {
        all[at].changes.iter().map(|change| (&*change.field, &*change.before, &*change.after)).collect()
    };
    assert_eq!(told(0), [("email", "ann@example.org", "a@example.com"), ("is_premium", "false", "true")]);
    assert_eq!(told(1), [("is_active", "true", "false"), ("sessions_ended", "", "0")]);
    assert_eq!(told(2), [("password", "", "changed"), ("sessions_ended", "", "0")]);
    assert_eq!((all[0].reason.as_str(), all[1].reason.as_str()), ("", "She asked."));
    for entry in &all {
        assert_eq!((entry.line.actor_id, entry.line.actor.as_str()), (Some(1), "root"));
        assert_eq!((entry.line.ip.as_str(), entry.user_agent.as_str()), ("127.0.0.1", root.agent.as_str()));
        assert_eq!((entry.session.as_str(), entry.line.object_id.as_str()), (session.as_str(), "2"));
        assert!(entry.request.parse::<u64>().is_ok(), "{:?}", entry.request);
        assert_eq!(entry.line.at, now);
    }
}

#[actix_web::test]
async fn what_is_done_to_many_is_an_entry_for_each_of_them_of_one_request() {
    let panel = Panel::new().await;
    let ids = [panel.user("ann", |_| ()).await, panel.user("bob", |_| ()).await, panel.user("cid", |_| ()).await];
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let root = panel.signed_in("root").await;
    // The administrator is ticked too, and left out.
    let mut form =
        vec![("list", "users"), ("action", "deactivate"), ("sure", "yes"), ("reason", "Spring"), ("id", "1")];
    form.extend(ids.iter().map(|id| ("id", id.as_str())));
    root.send("/admin/users/", "/admin/confirm/", &form).await.is(303);
    let told: Vec<(String, String, String)> = panel
        .app
        .read(|conn| {
            let rows = audit_entries::table.filter(audit_entries::id.gt(1)).order(audit_entries::id);
            Ok(rows.select((audit_entries::action, audit_entries::object, audit_entries::reason)).load(conn)?)
        })
        .await;
    let entry = |name: &str| ("user.deactivate".to_owned(), name.to_owned(), "Spring".to_owned());
    assert_eq!(told, ["ann", "bob", "cid"].map(entry));
    let requests: Vec<String> = panel
        .app
        .read(|conn| {
            let rows = audit_entries::table.filter(audit_entries::id.gt(1)).select(audit_entries::request);
            Ok(rows.distinct().load(conn)?)
        })
        .await;
    assert_eq!(requests.len(), 1);
}

/// Whatever `browser` sends to `path` is refused with `status`, and one entry tells so.
async fn refused(panel: &Panel, browser: &Browser<'_>, path: &str, fields: &[(&str, &str)], status: u16) {
    let before = count(panel).await;
    browser.send("/admin/me/two-factor/", path, fields).await.is(status);
    let told = entries(panel, before).await;
    assert_eq!(told.len(), 1, "{path}: {told:?}");
    assert_eq!(told[0].2, "refused", "{path}");
}

#[actix_web::test]
async fn what_a_permission_or_a_rule_stands_in_the_way_of_is_one_entry_that_says_so() {
    let panel = Panel::new().await;
    panel.staff("sam", &[]).await;
    panel.user("ann", |_| ()).await;
    panel.role("Help", &[]).await;
    let sam = panel.signed_in("sam").await;
    let mut tried = 0;
    for path in paths("web::post()") {
        let open = [
            "/login/",
            "/logout/",
            "/setup/",
            "/preferences/",
            "/again/",
            "/me/",
            "/confirm/",
            "/undo/",
            "/jobs/",
            "/attention/",
        ];
        if open.iter().any(|open| path.starts_with(&format!("/admin{open}"))) {
            continue;
        }
        refused(&panel, &sam, &path, &[], 403).await;
        tried += 1;
    }
    assert!(tried >= 11, "{tried}");
    let bulk = [("list", "users"), ("action", "deactivate"), ("id", "3")];
    refused(&panel, &sam, "/admin/confirm/", &bulk, 403).await;

    let root = panel.signed_in("root").await;
    refused(&panel, &root, "/admin/users/1/deactivate/", &[], 409).await;
    let before = count(&panel).await;
    root.send("/admin/users/", "/admin/again/", &[("password", "wrong horse 9")]).await.is(422);
    is_one_entry(&panel, before, "panel.password_again", "root", "refused").await;
    let told: (String, Option<i64>, String, String, String) = panel
        .app
        .read(move |conn| {
            let entry = audit_entries::table.find(before);
            let columns = (
                audit_entries::action,
                audit_entries::actor_id,
                audit_entries::object_id,
                audit_entries::object,
                audit_entries::reason,
            );
            Ok(entry.select(columns).first(conn)?)
        })
        .await;
    let why = "You cannot deactivate yourself. Another administrator can.".to_owned();
    assert_eq!(told, ("user.deactivate".into(), Some(1), "1".into(), "root".into(), why));
    assert_eq!(holds(&panel).await, count(&panel).await);
}

#[actix_web::test]
async fn where_nothing_was_done_nothing_is_told() {
    let panel = Panel::new().await;
    panel.user("ann", |_| ()).await;
    panel.staff("sam", &[]).await;
    let root = panel.signed_in("root").await;
    let before = count(&panel).await;
    root.submit("/admin/users/new/", &[("username", "ann"), ("password", PASSWORD), ("password2", PASSWORD)])
        .await
        .is(422);
    root.submit("/admin/users/2/", &[("username", "")]).await.is(422);
    root.send("/admin/users/", "/admin/users/2/", &[("username", "anna"), ("version", "7")]).await.is(409);
    root.submit("/admin/users/2/delete/", &[("confirm", "nobody")]).await.is(422);
    root.send("/admin/users/", "/admin/confirm/", &[("list", "users"), ("action", "deactivate"), ("id", "2")])
        .await
        .is(200);
    root.send("/admin/users/", "/admin/users/99/deactivate/", &[]).await.is(404);
    root.post("/admin/users/2/deactivate/", &[("csrf_token", "another")]).await.is(403);
    // Strangers write to this log neither by guessing nor by asking.
    let stranger = panel.browser();
    stranger.sign_in("root", "wrong horse 9").await.is(422);
    stranger.sign_in("nobody", PASSWORD).await.is(422);
    stranger.post("/admin/users/2/deactivate/", &[]).await.is(401);
    assert_eq!(count(&panel).await, before);
}

#[actix_web::test]
async fn an_act_whose_entry_cannot_be_written_is_not_done() {
    let panel = Panel::new().await;
    panel.user("ann", |_| ()).await;
    let root = panel.signed_in("root").await;
    let form = root.get("/admin/users/2/deactivate/").await.hidden("csrf_token");
    panel.write(|conn| sql_query("ALTER TABLE audit_entries RENAME TO away").execute(conn).unwrap()).await;
    root.post("/admin/users/2/deactivate/", &[("csrf_token", &form)]).await.is(500);
    panel.write(|conn| sql_query("ALTER TABLE away RENAME TO audit_entries").execute(conn).unwrap()).await;
    assert!(panel.app.read(|conn| user::by_id(conn, 2)).await.unwrap().is_active);
    assert_eq!(holds(&panel).await, 1);
    root.post("/admin/users/2/deactivate/", &[("csrf_token", &form)]).await.leads_to("/admin/users/2/");
    is_one_entry(&panel, 1, "user.deactivate", "ann", "done").await;
}
