//! The pages about roles.

use crate::support::panel::Panel;

#[actix_web::test]
async fn a_role_is_added_changed_copied_and_deleted() {
    let panel = Panel::new().await;
    let root = panel.signed_in("root").await;
    root.get("/admin/roles/").await.says("No roles yet");
    root.submit("/admin/roles/new/", &[("name", "")]).await.is(422).says("Name: This field may not be blank.");
    let fields = [("name", "Support"), ("description", "Helps"), ("p", "users.change"), ("p", "nothing.at-all")];
    root.submit("/admin/roles/new/", &fields).await.leads_to("/admin/roles/");
    root.get("/admin/roles/").await.says("The role Support was added.").says("Support Helps 0");
    root.submit("/admin/roles/new/", &fields).await.is(422).says("Another role already has the name Support.");

    // Whoever may change users may see them.
    let page = root.get("/admin/roles/1/").await.says("2 of 50 granted").says("Held by 0 users");
    assert!(page.text.contains(r#"value="users.view" checked aria-label="View users""#));
    assert!(page.text.contains(r#"value="users.delete" aria-label="Delete users""#));
    let copy = root.get("/admin/roles/new/?from=1").await;
    assert!(copy.text.contains(r#"value="users.change" checked"#) && copy.text.contains(r#"value="Helps""#));

    root.submit("/admin/roles/1/", &[("name", "Help"), ("p", "sessions.view")]).await.leads_to("/admin/roles/");
    root.get("/admin/roles/1/").await.says("1 of 50 granted");
    let page = root.get("/admin/roles/1/delete/").await.is(200);
    assert!(!page.text.contains("Type <code>"), "nobody holds it: a button is enough");
    root.submit("/admin/roles/1/delete/", &[]).await.leads_to("/admin/roles/");
    root.get("/admin/roles/").await.says("The role Help was deleted.").says("No roles yet");
}

#[actix_web::test]
async fn a_role_that_somebody_holds_is_deleted_once_its_name_is_typed() {
    let panel = Panel::new().await;
    panel.staff("ann", &["users.view"]).await;
    let (root, ann) = (panel.signed_in("root").await, panel.signed_in("ann").await);
    root.get("/admin/roles/1/").await.says("Held by 1 user .");
    root.get("/admin/roles/1/delete/").await.says("Users 1 lose the role with their next request");
    root.submit("/admin/roles/1/delete/", &[("confirm", "role of ann")]).await.is(422);
    ann.get("/admin/users/").await.is(200);
    root.submit("/admin/roles/1/delete/", &[("confirm", "Role of ann")]).await.is(303);
    ann.get("/admin/users/").await.is(403);
}

#[actix_web::test]
async fn roles_deleted_in_bulk_are_counted_by_whoever_does_it() {
    let panel = Panel::new().await;
    for name in ["One", "Two", "Three"] {
        panel.role(name, &[]).await;
    }
    let root = panel.signed_in("root").await;
    let mut fields = vec![("list", "roles"), ("action", "delete"), ("id", "1"), ("id", "2"), ("sure", "yes")];
    let page = root.send("/admin/roles/", "/admin/confirm/", &fields).await.is(422);
    page.says("Delete 2 roles?").says("Type 2 to confirm").says("One held by 0 users");
    fields.push(("confirm", "2"));
    root.send("/admin/roles/", "/admin/confirm/", &fields).await.is(303);
    root.get("/admin/roles/").await.says("2 roles were deleted.").says("1 role ").says("Three");
}

#[actix_web::test]
async fn roles_are_sorted_by_name_or_holders_and_found_by_name() {
    let panel = Panel::new().await;
    for name in ["Bravo", "Alpha", "Charlie"] {
        panel.role(name, &[]).await;
    }
    panel.give(3, 1).await;
    let root = panel.signed_in("root").await;
    for (query, order) in [
        ("", ["Alpha", "Bravo", "Charlie"]),
        ("?sort=-name", ["Charlie", "Bravo", "Alpha"]),
        ("?sort=-users", ["Charlie", "Bravo", "Alpha"]),
    ] {
        let words = root.get(&format!("/admin/roles/{query}")).await.words();
        let places = order.map(|name| words.find(name).unwrap());
        assert!(places.is_sorted(), "{query}: {words}");
    }
    root.get("/admin/roles/?q=CHAR").await.says("Charlie").is_silent_on("Alpha").says("1 of 3 roles matches");
}

#[actix_web::test]
async fn who_saves_a_role_second_sees_both_versions() {
    let panel = Panel::new().await;
    panel.role("Support", &["users.view"]).await;
    let (first, second) = (panel.signed_in("root").await, panel.signed_in("root").await);
    let version = second.get("/admin/roles/1/").await.hidden("version");
    first.submit("/admin/roles/1/", &[("name", "Support"), ("p", "users.view"), ("p", "roles.view")]).await.is(303);
    let mine = [("name", "Helpdesk"), ("p", "users.view"), ("version", version.as_str())];
    let page = second.send("/admin/roles/", "/admin/roles/1/", &mine).await.is(409).says("Helpdesk");
    let current = page.says("roles.view, users.view , their version of “Permissions”").hidden("version");
    let answer = [("name", "Helpdesk"), ("p", "users.view"), ("version", &current), ("take-p", "theirs")];
    second.send("/admin/roles/", "/admin/roles/1/", &answer).await.leads_to("/admin/roles/");
    second.get("/admin/roles/1/").await.says("Helpdesk").says("2 of 50 granted");
}

#[actix_web::test]
async fn what_a_role_allows_is_told_on_its_holders_page() {
    let panel = Panel::new().await;
    let ann = panel.staff("ann", &["users.view", "users.change", "sessions.view"]).await;
    let root = panel.signed_in("root").await;
    let page = root.get(&format!("/admin/users/{ann}/")).await.says("What this allows: 3 permissions");
    page.says("Users view, change (Role of ann) Sessions view (Role of ann)");
}

#[actix_web::test]
async fn roles_are_found_by_what_they_hold_and_by_what_they_lack() {
    let panel = Panel::new().await;
    panel.role("Reads", &["users.view", "audit.view"]).await;
    panel.role("Writes", &["users.view", "users.change"]).await;
    panel.role("Nothing", &[]).await;
    let root = panel.signed_in("root").await;
    for (query, shown) in [
        ("has=users.view", ["Reads", "Writes"].as_slice()),
        ("has=users.view&lacks=users.change", &["Reads"]),
        ("lacks=users.view", &["Nothing"]),
        ("has=users.fly", &["Nothing", "Reads", "Writes"]),
    ] {
        let page = root.get(&format!("/admin/roles/?{query}")).await.is(200);
        for role in ["Nothing", "Reads", "Writes"] {
            assert_eq!(page.link(role).is_some(), shown.contains(&role), "{query}: {role}");
        }
    }
}
