//! The first run: the set-up page, the built-in roles, and what a new server still needs.

use portcullis::model::role;
use portcullis::ops::built_in_roles;
use portcullis::site::Site;
use serde_json::json;

use crate::support::panel::{PASSWORD, Panel};

async fn roles(panel: &Panel) -> Vec<String> {
    let all = panel.app.read(role::all).await;
    all.into_iter().map(|role| role.name).collect()
}

async fn start(site: &Site) -> usize {
    built_in_roles::make(site).await.unwrap()
}

#[actix_web::test]
async fn a_new_server_has_four_roles_that_are_made_once() {
    let panel = Panel::new().await;
    assert_eq!(start(&panel.app.site).await, 4);
    assert_eq!(roles(&panel).await, ["Auditor", "Editor", "Operator", "Support"]);
    assert_eq!(panel.entries("role.create").await, 4);
    let root = panel.signed_in("root").await;
    let page = root.get("/admin/roles/").await.says("Reads everything, changes nothing").says("Helps people who");
    // They are roles like any: whoever deletes one does so for good.
    let support = page.link("Support").unwrap();
    root.submit(&format!("{support}delete/"), &[]).await.leads_to("/admin/roles/");
    let editor = page.link("Editor").unwrap();
    let changed = [("name", "Writer"), ("description", "Writes"), ("p", "articles.view")];
    root.submit(&editor, &changed).await.is(303);
    assert_eq!(start(&panel.app.site).await, 0);
    assert_eq!(roles(&panel).await, ["Auditor", "Operator", "Writer"]);
    // Not even when none is left.
    for name in ["Auditor", "Operator", "Writer"] {
        let path = root.get("/admin/roles/").await.link(name).unwrap();
        root.submit(&format!("{path}delete/"), &[]).await.is(303);
    }
    assert_eq!(start(&panel.app.site).await, 0);
    assert_eq!(roles(&panel).await, Vec::<String>::new());
}

#[actix_web::test]
async fn a_database_that_has_roles_keeps_to_its_own() {
    let panel = Panel::new().await;
    let own = panel.role("Help", &["users.view"]).await;
    assert_eq!(start(&panel.app.site).await, 0);
    assert_eq!(roles(&panel).await, ["Help"]);
    panel.write(move |conn| role::delete(conn, own).unwrap()).await;
    assert_eq!(start(&panel.app.site).await, 0, "nor later");
}

#[actix_web::test]
async fn whoever_holds_a_built_in_role_sees_what_it_is_for() {
    let panel = Panel::new().await;
    start(&panel.app.site).await;
    let user = panel.user("sam", |new| new.is_staff = true).await;
    for (name, opens, shut) in [
        ("Support", "/admin/users/", "/admin/articles/"),
        ("Editor", "/admin/articles/new/", "/admin/users/"),
        ("Auditor", "/admin/audit/", "/admin/users/new/"),
        ("Operator", "/admin/signing-keys/", "/admin/users/"),
    ] {
        let role = panel.app.read(move |conn| role::by_name(conn, name)).await.unwrap().id;
        panel.give(role, user).await;
        let sam = panel.signed_in("sam").await;
        sam.get(opens).await.is(200);
        sam.get(shut).await.is(403);
        panel.write(move |conn| role::take(conn, role, user).unwrap()).await;
    }
}

const ADMINISTRATOR: [(&str, &str); 4] =
    [("username", "mira"), ("email", "mira@example.org"), ("password", PASSWORD), ("password2", PASSWORD)];

#[actix_web::test]
async fn the_set_up_page_asks_for_the_servers_name_and_zone_and_signs_in() {
    let panel = Panel::without_administrator(|_| ()).await;
    let browser = panel.browser();
    let link = format!("/admin/setup/{}/", panel.app.site.setup.issue(panel.now()).unwrap());
    let page = browser.get(&link).await.is(200).says("Name of this server").says("Without one it is panel.test");
    assert!(page.text.contains("js-zone") && page.text.contains(r#"<option value="Europe/Oslo">"#));
    assert!(page.text.contains("At least 8 characters"), "the rules stand beside the password");
    let wrong = [&ADMINISTRATOR[..], &[("server_name", "Harbour"), ("time_zone", "Oslo")]].concat();
    browser.submit(&link, &wrong).await.is(422).says("Time zone: “Oslo” is not a time zone");
    let long = "x".repeat(61);
    let wrong = [&ADMINISTRATOR[..], &[("server_name", long.as_str())]].concat();
    browser
        .submit(&link, &wrong)
        .await
        .is(422)
        .says("Name of this server: Ensure this field has no more than 60 characters.");
    assert!(panel.row(1).await.is_none());

    let name = "Harbour <b>& quay";
    let given = [&ADMINISTRATOR[..], &[("server_name", name), ("time_zone", "Europe/Oslo")]].concat();
    browser.submit(&link, &given).await.leads_to("/admin/");
    let page = browser.get("/admin/").await.says("Times are in Europe/Oslo (UTC+1)").says(name);
    assert!(page.text.contains(r#"<span class="c-brand__host">Harbour &#60;b&#62;&#38; quay</span>"#), "{}", page.text);
    panel.browser().get("/admin/login/").await.says(name);
    browser.get("/admin/audit/1/").await.is(200).says("First administrator made").says("server time zone").says(name);
    // The next start knows both.
    let again = panel.app.again().await;
    assert_eq!(again.site.about().name.as_deref(), Some(name));
    assert_eq!(again.site.zone().name(), "Europe/Oslo");
}

#[actix_web::test]
async fn a_zone_of_the_settings_is_not_asked_for() {
    let panel = Panel::without_administrator(|s| s.admin.time_zone = Some("Asia/Tokyo".parse().unwrap())).await;
    let browser = panel.browser();
    let link = format!("/admin/setup/{}/", panel.app.site.setup.issue(panel.now()).unwrap());
    browser.get(&link).await.is_silent_on("Time zone");
    browser.submit(&link, &[&ADMINISTRATOR[..], &[("time_zone", "Europe/Oslo")]].concat()).await.leads_to("/admin/");
    browser.get("/admin/").await.says("Times are in Asia/Tokyo (UTC+9)").says("panel.test");
}

#[actix_web::test]
async fn getting_started_ticks_itself_off_and_can_be_put_away() {
    let panel = Panel::new().await;
    let root = panel.signed_in("root").await;
    let page = root.get("/admin/").await.says("Getting started 0 of 6 done");
    page.says("curl http://panel.test/api/token/ -H 'Content-Type: application/json' -d '{\"username\": \"root\"");
    panel.tokens("root").await;
    root.get("/admin/").await.says("1 of 6 done").says("Get a first token done").is_silent_on("curl http");
    let ann = panel.user("ann", |new| new.is_staff = true).await;
    root.get("/admin/").await.says("Invite a colleague done");
    let role = panel.role("Help", &["users.view"]).await;
    panel.give(role, ann).await;
    root.get("/admin/").await.says("Give them a role done").says("3 of 6 done");
    let reset = json!({ "email": "ann@example.org" });
    panel.api("/api/password/reset/", "", Some(reset)).await;
    root.get("/admin/").await.says("3 of 6 done");
    panel.app.letters().await;
    root.get("/admin/").await.says("Send a test e-mail done").says("4 of 6 done");
    root.send("/admin/", "/admin/getting-started/", &[("told", "backup")]).await.leads_to("/admin/");
    root.get("/admin/").await.says("Set a backup done").says("5 of 6 done").says("Serve over TLS Put a proxy");
    // The second time says nothing new, and something else means nothing.
    root.send("/admin/", "/admin/getting-started/", &[("told", "backup")]).await.leads_to("/admin/");
    root.send("/admin/", "/admin/getting-started/", &[("told", "<script>")]).await.leads_to("/admin/");
    assert_eq!(panel.entries("panel.started").await, 1);

    let ann = panel.signed_in("ann").await;
    ann.get("/admin/").await.is_silent_on("Getting started");
    ann.send("/admin/", "/admin/getting-started/", &[("told", "away")]).await.is(403);
    root.send("/admin/", "/admin/getting-started/", &[("told", "away")]).await.leads_to("/admin/");
    root.get("/admin/").await.says("Getting started was put away");
    root.get("/admin/").await.is_silent_on("Getting started");
    panel.user("eve", |new| (new.is_staff, new.is_superuser) = (true, true)).await;
    panel.signed_in("eve").await.get("/admin/").await.is_silent_on("Getting started");
    assert_eq!(panel.entries("panel.started").await, 2);
}

#[actix_web::test]
async fn a_server_with_a_public_address_is_served_over_tls_and_named_in_the_line() {
    let panel = Panel::with(|settings| settings.server.public_url = Some("https://auth.example.org".to_owned())).await;
    let login = panel.browser();
    login.sign_in("root", PASSWORD).await.is(303);
    let page = login.get("/admin/").await;
    if page.status == 200 {
        page.says("Serve over TLS done").says("curl https://auth.example.org/api/token/");
    }
}
