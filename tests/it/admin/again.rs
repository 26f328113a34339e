//! What matters most asks for the password again, ten minutes after it was last shown (ADMIN-SPEC 3).

use crate::support::panel::{PASSWORD, Panel};

/// What the edit page of a user sends, with the superuser flag.
const AS_SUPERUSER: [(&str, &str); 4] =
    [("username", "ann"), ("is_active", "on"), ("is_staff", "on"), ("is_superuser", "on")];

fn again(next: &str) -> String {
    let query: String = form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
    format!("/admin/again/?{query}")
}

#[actix_web::test]
async fn it_is_asked_for_after_ten_minutes_and_then_counts_for_ten_more() {
    let panel = Panel::new().await;
    panel.user("ann", |_| ()).await;
    let root = panel.signed_in("root").await;
    let delete = "/admin/users/2/delete/";
    panel.wait(9);
    root.get(delete).await.is(200);
    panel.wait(1);
    let page = again(delete);
    root.get(delete).await.leads_to(&page);
    root.get(&page).await.is(200).says("Your password again");

    let with = |password| [("password", password), ("next", delete)];
    root.send(&page, "/admin/again/", &with("wrong horse 9")).await.is(422).says("This is not your password.");
    root.get(delete).await.leads_to(&page);
    root.send(&page, "/admin/again/", &with(PASSWORD)).await.leads_to(delete);
    root.get(delete).await.is(200);
    panel.wait(9);
    root.get(delete).await.is(200);
    panel.wait(1);
    root.get(delete).await.leads_to(&page);
    // It leads only into the panel.
    let elsewhere = [("password", PASSWORD), ("next", "//evil.example/")];
    root.send(&page, "/admin/again/", &elsewhere).await.leads_to("/admin/");
}

#[actix_web::test]
async fn a_form_that_was_open_for_too_long_changes_nothing() {
    let panel = Panel::new().await;
    panel.user("ann", |_| ()).await;
    panel.role("helpers", &[]).await;
    let root = panel.signed_in("root").await;
    let bulk = [("list", "roles"), ("action", "delete"), ("id", "1"), ("back", "/admin/roles/")];
    let password = [("password", "another horse 5"), ("password2", "another horse 5")];
    let new = [("username", "eve"), ("password", PASSWORD), ("password2", PASSWORD), ("is_superuser", "on")];
    let version = panel.row(2).await.unwrap().updated_at.micros().to_string();
    let superuser: Vec<_> = AS_SUPERUSER.into_iter().chain([("version", version.as_str())]).collect();
    panel.wait(10);

    for (from, path, fields, next) in [
        ("/admin/users/2/", "/admin/users/2/delete/", &[("confirm", "ann")][..], "/admin/users/2/delete/"),
        ("/admin/users/2/", "/admin/users/2/password/", &password, "/admin/users/2/password/"),
        ("/admin/users/2/", "/admin/users/2/", &superuser, "/admin/users/2/"),
        ("/admin/users/new/", "/admin/users/new/", &new, "/admin/users/new/"),
        ("/admin/roles/", "/admin/confirm/", &bulk, "/admin/roles/"),
    ] {
        root.send(from, path, fields).await.leads_to(&again(next));
        root.get("/admin/users/").await.says("Nothing was changed yet.");
    }
    let ann = panel.row(2).await.unwrap();
    assert!(!ann.is_superuser && panel.row(3).await.is_none());
    panel.tokens("ann").await;
    root.get("/admin/roles/1/").await.is(200);

    // What does not matter so much is not asked for.
    let staff: Vec<_> = superuser.iter().copied().filter(|(name, _)| *name != "is_superuser").collect();
    root.send("/admin/users/2/", "/admin/users/2/", &staff).await.leads_to("/admin/users/");
    assert!(panel.row(2).await.unwrap().is_staff);
}

/// Whoever finds an open browser guesses here no faster than at the door.
#[actix_web::test]
async fn it_is_guessed_no_faster_than_at_the_door() {
    let panel = Panel::with(|settings| settings.throttle.login = Some("3/min".parse().unwrap())).await;
    let root = panel.signed_in("root").await;
    for _ in 0..3 {
        root.send("/admin/again/", "/admin/again/", &[("password", "wrong horse 9")]).await.is(422);
    }
    let refused = root.send("/admin/again/", "/admin/again/", &[("password", PASSWORD)]).await.is(429);
    assert_eq!(refused.header("retry-after"), "60");
}
