//! Who may do what to whom: nobody climbs, nobody locks out themselves or everybody, and what is refused is explained.

use crate::support::panel::{Answer, Browser, PASSWORD, Panel};

const SUPPORT: [&str; 5] = ["users.view", "users.change", "users.delete", "sessions.view", "sessions.revoke"];

/// Saves the profile of a user with these boxes ticked.
async fn save(browser: &Browser<'_>, id: i64, name: &str, ticked: &[(&str, &str)]) -> Answer {
    let email = format!("{name}@example.org");
    let mut fields = vec![("username", name), ("email", email.as_str())];
    fields.extend_from_slice(ticked);
    browser.submit(&format!("/admin/users/{id}/"), &fields).await
}

const ACTIVE: (&str, &str) = ("is_active", "on");
const STAFF: (&str, &str) = ("is_staff", "on");
const SUPERUSER: (&str, &str) = ("is_superuser", "on");

#[actix_web::test]
async fn staff_without_the_permission_are_refused_and_told_which_roles_hold_it() {
    let panel = Panel::new().await;
    panel.staff("ann", &["users.view"]).await;
    panel.role("Auditor", &["roles.view", "blacklist.view"]).await;
    let ann = panel.signed_in("ann").await;
    ann.get("/admin/users/").await.is(200).is_silent_on("Add user").is_silent_on("Roles Tokens");
    ann.get("/admin/roles/").await.is(403).says("the permission roles.view").says("held by the role Auditor");
    ann.get("/admin/blacklist/").await.is(403);
    for path in
        ["/admin/users/new/", "/admin/users/1/password/", "/admin/users/1/delete/", "/admin/users/1/deactivate/"]
    {
        ann.get(path).await.is(403);
        ann.send("/admin/users/", path, &[("confirm", "root")]).await.is(403);
    }
    for path in ["/admin/users/1/", "/admin/users/1/sign-out/", "/admin/users/1/sessions/sign-out/", "/admin/roles/1/"]
    {
        ann.send("/admin/users/", path, &[("session", "x"), ("name", "x")]).await.is(403);
    }
    for (list, action) in [("users", "deactivate"), ("users", "give-role"), ("roles", "delete")] {
        let fields = [("list", list), ("action", action), ("id", "1"), ("sure", "yes")];
        ann.send("/admin/users/", "/admin/confirm/", &fields).await.is(403);
    }
    assert!(panel.row(1).await.unwrap().is_active);
}

/// Every page and every act of the table, but those that are anybody's.
#[actix_web::test]
async fn staff_without_a_role_are_refused_everywhere() {
    let panel = Panel::new().await;
    panel.user("ann", |new| new.is_staff = true).await;
    let ann = panel.signed_in("ann").await;
    let token = ann.get("/admin/me/two-factor/").await.hidden("csrf_token");
    // What these need depends on what is sent.
    let anybodys = [
        "/admin/",
        "/admin/login/",
        "/admin/setup/x/",
        "/admin/again/",
        "/admin/confirm/",
        "/admin/undo/",
        "/admin/search/",
    ];
    let is_anybodys = |path: &str| {
        anybodys.contains(&path)
            || [
                "/admin/me/",
                "/admin/attention/",
                "/admin/logout/",
                "/admin/login/",
                "/admin/preferences/",
                "/admin/jobs/",
            ]
            .iter()
            .any(|one| path.starts_with(one))
    };
    for path in super::paths("page()").into_iter().filter(|path| !is_anybodys(path)) {
        ann.get(&path).await.is(403).says("This needs the permission");
    }
    for path in super::paths("web::post()").into_iter().filter(|path| !is_anybodys(path)) {
        ann.post(&path, &[("csrf_token", &token)]).await.is(403).says("This needs the permission");
    }
    for list in ["users", "roles", "tokens", "blacklist", "sessions", "articles", "tasks", "api-keys"] {
        for action in ["deactivate", "delete", "revoke", "restore", "sign-out", "done"] {
            let fields =
                [("csrf_token", token.as_str()), ("list", list), ("action", action), ("id", "1"), ("key", "x")];
            let answer = ann.post("/admin/confirm/", &fields).await;
            assert!(answer.status == 403 || answer.header("location") == "/admin/", "{list} {action}: {}", answer.text);
        }
    }
}

#[actix_web::test]
async fn staff_without_a_role_see_a_welcome_and_nothing_else() {
    let panel = Panel::new().await;
    panel.user("ann", |new| new.is_staff = true).await;
    let ann = panel.signed_in("ann").await;
    ann.get("/admin/").await.is(200).says("holds no role that shows anything").is_silent_on("Users");
    ann.get("/admin/users/").await.is(403);
}

#[actix_web::test]
async fn a_role_acts_on_the_next_request() {
    let panel = Panel::new().await;
    let ann_id = panel.user("ann", |new| new.is_staff = true).await;
    let (root, ann) = (panel.signed_in("root").await, panel.signed_in("ann").await);
    ann.get("/admin/users/").await.is(403);
    let role = panel.role("Reader", &["users.view"]).await;
    save(&root, ann_id, "ann", &[ACTIVE, STAFF, ("roles", &role.to_string())]).await.leads_to("/admin/users/");
    ann.get("/admin/users/").await.is(200);
    root.submit(&format!("/admin/roles/{role}/"), &[("name", "Reader")]).await.leads_to("/admin/roles/");
    ann.get("/admin/users/").await.is(403);
}

#[actix_web::test]
async fn nobody_touches_a_superuser_without_being_one() {
    let panel = Panel::new().await;
    let other = panel.user("other", |new| (new.is_staff, new.is_superuser) = (true, true)).await;
    panel.staff("ann", &SUPPORT).await;
    let ann = panel.signed_in("ann").await;
    let path = |act: &str| format!("/admin/users/{other}/{act}");
    ann.get(&path("")).await.is(200).says("other is a superuser").is_silent_on("Save changes");
    let password = [("password", "another horse 9"), ("password2", "another horse 9")];
    ann.send("/admin/users/", &path(""), &[("username", "eve"), ("version", "0"), ACTIVE]).await.is(403);
    ann.send("/admin/users/", &path("password/"), &password).await.is(403);
    ann.send("/admin/users/", &path("deactivate/"), &[]).await.is(403);
    ann.send("/admin/users/", &path("sign-out/"), &[]).await.is(403);
    ann.send("/admin/users/", &path("delete/"), &[("confirm", "other")]).await.is(403);
    ann.send("/admin/users/", &path("sessions/sign-out/"), &[("session", "x")]).await.is(403);
    let bulk = [("list", "users"), ("action", "deactivate"), ("id", &other.to_string()), ("sure", "yes")];
    ann.send("/admin/users/", "/admin/confirm/", &bulk).await.is(303);
    ann.get("/admin/users/").await.says("Nothing was changed").says("1 was left out");
    let row = panel.row(other).await.unwrap();
    assert!(row.is_active && row.username == "other" && row.generation == 0);
}

/// ADM-09: an account with a role is out of reach even while it is not staff, or it would be a ladder.
#[actix_web::test]
async fn nobody_takes_over_an_account_that_may_do_more_by_making_it_staff() {
    let panel = Panel::new().await;
    let boss = panel.role("Boss", &["users.view", "users.delete", "roles.change"]).await;
    let former = panel.user("former", |_| ()).await;
    panel.give(boss, former).await;
    panel.staff("ann", &[&SUPPORT[..], &["grants.view", "grants.change"]].concat()).await;
    let ann = panel.signed_in("ann").await;
    let path = format!("/admin/users/{former}/");
    let password = [("password", "another horse 9"), ("password2", "another horse 9")];
    ann.send("/admin/users/", &format!("{path}password/"), &password).await.is(403);
    let promoted = [("username", "former"), ("version", "0"), ACTIVE, STAFF];
    ann.send("/admin/users/", &path, &promoted).await.is(403);
    assert!(!panel.row(former).await.unwrap().is_staff);
}

#[actix_web::test]
async fn nobody_gives_what_they_do_not_have() {
    let panel = Panel::new().await;
    let permissions =
        [&SUPPORT[..], &["grants.view", "grants.change", "roles.view", "roles.add", "roles.change"]].concat();
    let ann_id = panel.staff("ann", &permissions).await;
    let bob = panel.user("bob", |_| ()).await;
    let strong = panel.role("Strong", &["users.view", "signing-keys.change"]).await;
    let weak = panel.role("Weak", &["users.view"]).await;
    let ann = panel.signed_in("ann").await;
    let (strong, weak) = (strong.to_string(), weak.to_string());

    save(&ann, bob, "bob", &[ACTIVE, SUPERUSER]).await.is(403);
    save(&ann, ann_id, "ann", &[ACTIVE, STAFF, SUPERUSER]).await.is(403);
    let refused = save(&ann, bob, "bob", &[ACTIVE, ("roles", &strong)]).await.is(403);
    refused.says("You cannot give the role Strong").says("signing-keys.change");
    save(&ann, bob, "bob", &[ACTIVE, STAFF, ("roles", &weak)]).await.leads_to("/admin/users/");

    for (path, name) in [("/admin/roles/new/".to_owned(), "New"), (format!("/admin/roles/{weak}/"), "Weak")] {
        let climbing = [("name", name), ("p", "users.view"), ("p", "signing-keys.change")];
        ann.submit(&path, &climbing).await.is(403).says("signing-keys.change");
    }
    // What a role allowed before may stay: renaming one gives nobody anything.
    let renamed = [("name", "Stronger"), ("p", "users.view"), ("p", "signing-keys.change")];
    ann.submit(&format!("/admin/roles/{strong}/"), &renamed).await.leads_to("/admin/roles/");

    let bulk =
        [("list", "users"), ("action", "give-role"), ("role", &strong), ("id", &bob.to_string()), ("sure", "yes")];
    ann.send("/admin/users/", "/admin/confirm/", &bulk).await.is(303);
    ann.get("/admin/users/").await.says("Nothing was changed");
    ann.get(&format!("/admin/users/{bob}/"))
        .await
        .says("You lack what it allows: signing-keys.view, signing-keys.change");
}

#[actix_web::test]
async fn whoever_may_not_grant_makes_nobody_staff_and_moves_no_role() {
    let panel = Panel::new().await;
    panel.staff("ann", &[&SUPPORT[..], &["users.add", "roles.view"]].concat()).await;
    let (bob, role) = (panel.user("bob", |_| ()).await, panel.role("Weak", &["users.view"]).await.to_string());
    let ann = panel.signed_in("ann").await;
    save(&ann, bob, "bob", &[ACTIVE, STAFF]).await.is(403).says("grants.change");
    save(&ann, bob, "bob", &[ACTIVE, ("roles", &role)]).await.is(403).says("grants.change");
    let new = [("username", "eve"), ("password", PASSWORD), ("password2", PASSWORD), ACTIVE];
    for extra in [STAFF, SUPERUSER, ("roles", role.as_str())] {
        ann.submit("/admin/users/new/", &[&new[..], &[extra]].concat()).await.is(403);
    }
    ann.submit("/admin/users/new/", &new).await.leads_to(&format!("/admin/users/{}/", bob + 1));
    save(&ann, bob, "bob", &[ACTIVE]).await.leads_to("/admin/users/");
}

#[actix_web::test]
async fn staff_set_no_password_of_somebody_who_may_do_more() {
    let panel = Panel::new().await;
    panel.staff("ann", &SUPPORT).await;
    let boss = panel.staff("boss", &["settings.view"]).await;
    let ann = panel.signed_in("ann").await;
    let path = format!("/admin/users/{boss}/password/");
    let new = [("password", "another horse 9"), ("password2", "another horse 9")];
    ann.send("/admin/users/", &path, &new).await.is(403).says("boss holds permissions that you lack: settings.view");
    save(&ann, boss, "boss", &[ACTIVE, STAFF]).await.is(403);
}

#[actix_web::test]
async fn nobody_locks_themselves_out() {
    let panel = Panel::new().await;
    panel.user("other", |new| (new.is_staff, new.is_superuser) = (true, true)).await;
    let ann_id = panel.staff("ann", &[&SUPPORT[..], &["grants.view", "grants.change"]].concat()).await;
    let (root, ann) = (panel.signed_in("root").await, panel.signed_in("ann").await);
    for without in [[STAFF, SUPERUSER], [ACTIVE, SUPERUSER], [ACTIVE, STAFF]] {
        save(&root, 1, "root", &without).await.is(409).says("yourself");
    }
    for act in ["deactivate", "delete"] {
        let path = format!("/admin/users/1/{act}/");
        root.get(&path).await.is(409);
        root.send("/admin/users/", &path, &[("confirm", "root")]).await.is(409).says("yourself");
    }
    // Her only role, which a form without it would take.
    save(&ann, ann_id, "ann", &[ACTIVE, STAFF]).await.is(403).says("You cannot take a role from yourself");
    root.get("/admin/users/1/").await.is(200).says("You cannot deactivate or delete yourself");
}

#[actix_web::test]
async fn the_last_active_superuser_stays_whoever_asks() {
    let panel = Panel::new().await;
    let other = panel.user("other", |new| (new.is_staff, new.is_superuser) = (true, true)).await;
    let root = panel.signed_in("root").await;
    // The one who asks is switched off by another process meanwhile, and its memory lags behind.
    panel.change(1, |changes| changes.is_superuser = Some(false)).await;
    root.get("/admin/users/").await.is(403);
    panel.change(1, |changes| changes.is_superuser = Some(true)).await;

    panel.change(other, |changes| changes.is_active = Some(false)).await;
    let second = panel.user("second", |new| (new.is_staff, new.is_superuser) = (true, true)).await;
    panel.change(second, |changes| changes.is_superuser = Some(false)).await;
    save(&root, 1, "root", &[ACTIVE, STAFF]).await.is(409);
    panel.change(second, |changes| changes.is_superuser = Some(true)).await;
    let second_browser = panel.signed_in("second").await;
    panel.change(second, |changes| changes.is_active = Some(true)).await;
    // Two are left: one may go, then the other must stay.
    save(&root, second, "second", &[ACTIVE, STAFF]).await.leads_to("/admin/users/");
    second_browser.get("/admin/users/").await.is(403);
    save(&root, 1, "root", &[ACTIVE, STAFF]).await.is(409);
    root.send("/admin/users/", "/admin/users/1/delete/", &[("confirm", "root")]).await.is(409);
    let row = panel.row(1).await.unwrap();
    assert!(row.is_active && row.is_superuser && row.is_staff);
}
