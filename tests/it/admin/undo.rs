//! *Undo*: what was just done to accounts, taken back by whoever did it, once, while nobody has changed it again.

use diesel::prelude::*;
use portcullis::db::schema::audit_entries;

use crate::support::panel::{Answer, Browser, Panel};

/// The fields of the flash's *Undo* on the page at `path`; none where it offers none.
async fn offer(browser: &Browser<'_>, path: &str) -> Option<[(&'static str, String); 3]> {
    let page = browser.get(path).await.is(200);
    let form = page.text.split(r#"action="/admin/undo/""#).nth(1)?.split("</form>").next()?.to_owned();
    let form = Answer { status: 200, headers: page.headers, text: form };
    Some(["csrf_token", "act", "back"].map(|name| (name, form.hidden(name))))
}

async fn press(browser: &Browser<'_>, fields: &[(&'static str, String)]) -> Answer {
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    browser.post("/admin/undo/", &fields).await
}

/// Presses *Undo* in the flash of the page at `path`; the page that follows.
async fn undo(browser: &Browser<'_>, path: &str) -> Answer {
    let offer = offer(browser, path).await.expect("no Undo is offered");
    press(browser, &offer).await.leads_to(path);
    browser.get(path).await
}

/// Does something to users by the list.
async fn bulk(browser: &Browser<'_>, action: &str, ids: &[i64], more: &[(&str, &str)]) {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let mut fields = vec![("list", "users"), ("action", action), ("back", "/admin/users/"), ("sure", "yes")];
    fields.extend(ids.iter().map(|id| ("id", id.as_str())));
    fields.extend_from_slice(more);
    browser.send("/admin/roles/", "/admin/confirm/", &fields).await.leads_to("/admin/users/");
}

/// Saves a profile as it is, but for these boxes.
async fn save(browser: &Browser<'_>, id: i64, name: &str, boxes: &[(&str, &str)]) -> Answer {
    let email = format!("{name}@example.org");
    let fields = [&[("username", name), ("email", email.as_str())], boxes].concat();
    browser.submit(&format!("/admin/users/{id}/"), &fields).await
}

const ACTIVE: (&str, &str) = ("is_active", "on");

async fn is_active(panel: &Panel, id: i64) -> bool {
    panel.row(id).await.unwrap().is_active
}

async fn roles(panel: &Panel, id: i64) -> Vec<i64> {
    let held = panel.app.read(move |conn| portcullis::model::role::of_user(conn, id)).await;
    held.into_iter().map(|role| role.id).collect()
}

#[actix_web::test]
async fn a_deactivation_is_taken_back_by_its_page_its_form_and_its_list_and_revives_no_session() {
    let panel = Panel::new().await;
    let (ann, bob) = (panel.user("ann", |_| ()).await, panel.user("bob", |_| ()).await);
    let (access, _) = panel.tokens("ann").await;
    let root = panel.signed_in("root").await;
    let profile = format!("/admin/users/{ann}/");

    root.submit(&format!("{profile}deactivate/"), &[]).await.leads_to(&profile);
    assert!(!is_active(&panel, ann).await);
    undo(&root, &profile).await.says("Undone: ann is as before. Sessions that ended stay ended.");
    assert!(is_active(&panel, ann).await);
    assert_eq!(panel.api("/api/hello/", &access, None).await.0, 401);
    assert!(offer(&root, &profile).await.is_none(), "an undo is not undone");

    save(&root, ann, "ann", &[("then", "stay")]).await.leads_to(&profile);
    let page = undo(&root, &profile).await.says("Undone: ann is as before.");
    assert!(page.text.contains("Active") && is_active(&panel, ann).await);

    bulk(&root, "deactivate", &[ann, bob], &[]).await;
    undo(&root, "/admin/users/").await.says("Undone: 2 users are as before.");
    assert!(is_active(&panel, ann).await && is_active(&panel, bob).await);
    bulk(&root, "deactivate", &[ann, bob], &[]).await;
    bulk(&root, "activate", &[ann, bob], &[]).await;
    undo(&root, "/admin/users/").await.says("2 users are as before");
    assert!(!is_active(&panel, ann).await && !is_active(&panel, bob).await);
}

#[actix_web::test]
async fn a_role_that_was_given_or_taken_is_taken_back_whatever_it_is_called_meanwhile() {
    let panel = Panel::new().await;
    let (ann, bob) = (panel.user("ann", |_| ()).await, panel.user("bob", |_| ()).await);
    let (help, edit) = (panel.role("Help, first", &["users.view"]).await, panel.role("Edit", &[]).await);
    panel.give(edit, ann).await;
    let root = panel.signed_in("root").await;
    let (help_id, profile) = (help.to_string(), format!("/admin/users/{ann}/"));

    // Help is given and Edit is taken, by one form.
    save(&root, ann, "ann", &[ACTIVE, ("roles", &help_id), ("then", "stay")]).await.leads_to(&profile);
    assert_eq!(roles(&panel, ann).await, [help]);
    panel
        .write(move |conn| {
            let now = portcullis::clock::Timestamp::from_seconds(1);
            portcullis::model::role::update(conn, help, "Renamed", "", &["users.view".into()], now).unwrap().unwrap();
        })
        .await;
    undo(&root, &profile).await.says("Undone: ann is as before.");
    assert_eq!(roles(&panel, ann).await, [edit]);

    bulk(&root, "give-role", &[ann, bob], &[("role", &help_id)]).await;
    undo(&root, "/admin/users/").await.says("2 users are as before");
    assert_eq!((roles(&panel, ann).await, roles(&panel, bob).await), (vec![edit], vec![]));
    bulk(&root, "take-role", &[ann], &[("role", &edit.to_string())]).await;
    undo(&root, "/admin/users/").await.says("ann is as before");
    assert_eq!(roles(&panel, ann).await, [edit]);

    bulk(&root, "take-role", &[ann], &[("role", &edit.to_string())]).await;
    panel.write(move |conn| portcullis::model::role::delete(conn, edit).unwrap()).await;
    undo(&root, "/admin/users/").await.says("Nothing was undone. A role that ann had is gone.");
}

#[actix_web::test]
async fn an_undo_is_an_entry_of_its_own_that_says_what_it_undoes_and_works_once() {
    let panel = Panel::new().await;
    let ann = panel.user("ann", |_| ()).await;
    let root = panel.signed_in("root").await;
    let profile = format!("/admin/users/{ann}/");
    root.submit(&format!("{profile}deactivate/"), &[]).await.leads_to(&profile);
    let undone: i64 = panel
        .app
        .read(|conn| {
            Ok(audit_entries::table.select(diesel::dsl::max(audit_entries::id)).first::<Option<i64>>(conn)?.unwrap())
        })
        .await;
    let offer = offer(&root, &profile).await.unwrap();
    press(&root, &offer).await.leads_to(&profile);
    let entry = panel.last_entry().await;
    assert_eq!((entry.action.as_str(), entry.object_id, entry.actor_id), ("panel.undo", ann.to_string(), Some(1)));
    let entry = panel.app.read(move |conn| portcullis::model::audit::list::by_id(conn, undone + 1)).await.unwrap();
    let told: Vec<_> = entry.changes.iter().map(|one| (&*one.field, &*one.before, &*one.after)).collect();
    assert_eq!(told, [("undoes", "", &*undone.to_string()), ("is_active", "false", "true")]);

    root.get(&profile).await.says("Undone");
    press(&root, &offer).await.leads_to(&profile);
    root.get(&profile).await.says("Nothing was undone. ann has changed since.");
    assert_eq!(panel.entries("panel.undo").await, 1);
}

#[actix_web::test]
async fn what_somebody_has_changed_since_or_what_was_long_ago_stays() {
    let panel = Panel::new().await;
    let (ann, bob) = (panel.user("ann", |_| ()).await, panel.user("bob", |_| ()).await);
    panel.user("other", |new| (new.is_staff, new.is_superuser) = (true, true)).await;
    let (root, other) = (panel.signed_in("root").await, panel.signed_in("other").await);

    bulk(&root, "deactivate", &[ann, bob], &[]).await;
    let offer = offer(&root, "/admin/users/").await.unwrap();
    // Somebody else decides: active, and then not after all. It looks as before, and is theirs now.
    bulk(&other, "activate", &[ann], &[]).await;
    bulk(&other, "deactivate", &[ann], &[]).await;
    press(&root, &offer).await.is(303);
    root.get("/admin/users/").await.says("Undone: bob is as before.").says("ann has changed since.");
    assert!(!is_active(&panel, ann).await && is_active(&panel, bob).await);

    bulk(&root, "activate", &[ann], &[]).await;
    let late = self::offer(&root, "/admin/users/").await.unwrap();
    panel.wait(10);
    press(&root, &late).await.is(303);
    root.get("/admin/users/").await.says("Nothing was undone. An act can be undone for 10 minutes.");
    assert!(is_active(&panel, ann).await);
}

#[actix_web::test]
async fn nobody_undoes_what_another_or_another_session_of_theirs_did() {
    let panel = Panel::new().await;
    let ann = panel.user("ann", |_| ()).await;
    panel.user("other", |new| (new.is_staff, new.is_superuser) = (true, true)).await;
    let (root, twin, other) =
        (panel.signed_in("root").await, panel.signed_in("root").await, panel.signed_in("other").await);
    let profile = format!("/admin/users/{ann}/");
    root.submit(&format!("{profile}deactivate/"), &[]).await.leads_to(&profile);
    let [_, act, back] = offer(&root, &profile).await.unwrap();
    for thief in [&twin, &other] {
        let token = thief.get("/admin/users/").await.hidden("csrf_token");
        press(thief, &[("csrf_token", token), act.clone(), back.clone()]).await.is(303);
        thief.get("/admin/users/").await.says("Nothing was undone.");
    }
    let token = root.get("/admin/users/").await.hidden("csrf_token");
    for wrong in ["", "1", "-", "1-x", "x-1", &format!("{}0", act.1), "99999999999-99999999999999999999"] {
        press(&root, &[("csrf_token", token.clone()), ("act", wrong.to_owned())]).await.leads_to("/admin/");
    }
    assert!(!is_active(&panel, ann).await);
    assert_eq!(panel.entries("panel.undo").await, 0);
    press(&root, &[("csrf_token", token), act, back]).await.leads_to(&profile);
    assert!(is_active(&panel, ann).await);
}

#[actix_web::test]
async fn an_undo_needs_the_permission_of_the_act_and_keeps_its_rules() {
    let panel = Panel::new().await;
    let (ann, bob) = (panel.user("ann", |_| ()).await, panel.user("bob", |_| ()).await);
    let may = ["users.view", "users.change", "roles.view", "grants.view", "grants.change"];
    let sam = panel.staff("sam", &may).await;
    let strong = panel.role("Strong", &["settings.view"]).await;
    let browser = panel.signed_in("sam").await;

    // Meanwhile somebody else has made ann a superuser: beyond reach.
    bulk(&browser, "deactivate", &[ann], &[]).await;
    let act = offer(&browser, "/admin/users/").await.unwrap();
    panel.change(ann, |changes| (changes.is_staff, changes.is_superuser) = (Some(true), Some(true))).await;
    press(&browser, &act).await.is(303);
    browser.get("/admin/users/").await.says("Nothing was undone.").says("ann is a superuser");
    assert!(!is_active(&panel, ann).await);

    // Giving back is giving: nobody gives what they lack.
    panel.give(strong, bob).await;
    let root = panel.signed_in("root").await;
    bulk(&root, "take-role", &[bob], &[("role", &strong.to_string())]).await;
    root.get("/admin/users/").await.says("no more");
    panel.give(strong, sam).await;
    panel.give(strong, bob).await;
    bulk(&browser, "take-role", &[bob], &[("role", &strong.to_string())]).await;
    let act = offer(&browser, "/admin/users/").await.unwrap();
    panel.write(move |conn| portcullis::model::role::take(conn, strong, sam).unwrap()).await;
    panel.change(sam, |_| ()).await;
    press(&browser, &act).await.is(303);
    browser.get("/admin/users/").await.says("You lack what it allows: settings.view");
    assert!(roles(&panel, bob).await.is_empty());

    bulk(&browser, "deactivate", &[bob], &[]).await;
    let act = offer(&browser, "/admin/users/").await.unwrap();
    let held = roles(&panel, sam).await;
    panel.write(move |conn| held.iter().for_each(|role| drop(portcullis::model::role::take(conn, *role, sam)))).await;
    panel.change(sam, |_| ()).await;
    press(&browser, &act).await.is(403).says("users.change");
    assert_eq!(panel.last_entry().await.result, "refused");
    assert!(!is_active(&panel, bob).await);
}

#[actix_web::test]
async fn the_last_superuser_is_not_switched_off_by_taking_back_an_activation() {
    let panel = Panel::new().await;
    let boss = panel.user("boss", |new| (new.is_staff, new.is_superuser) = (true, true)).await;
    panel.change(boss, |changes| changes.is_active = Some(false)).await;
    let root = panel.signed_in("root").await;
    bulk(&root, "activate", &[boss], &[]).await;
    let act = offer(&root, "/admin/users/").await.unwrap();
    // Whoever acts is no superuser any more, and boss the last.
    panel.change(1, |changes| changes.is_superuser = Some(false)).await;
    let all = panel.role("All", &["users.view", "users.change"]).await;
    panel.give(all, 1).await;
    press(&root, &act).await.is(303);
    root.get("/admin/users/").await.says("Nothing was undone. boss is a superuser.");
    assert!(is_active(&panel, boss).await);
}
