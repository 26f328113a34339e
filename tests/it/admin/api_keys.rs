//! API keys in the panel: made and shown once, given another secret, revoked.

use actix_web::http::Method;
use serde_json::json;

use crate::support::panel::{Answer, Browser, PASSWORD, Panel};

/// The secret that a page shows.
fn secret(page: &Answer) -> String {
    page.text.split("id=\"secret\"").nth(1).unwrap().split('>').nth(1).unwrap().split('<').next().unwrap().to_owned()
}

async fn opens(panel: &Panel, secret: &str) -> u16 {
    panel.browser().ask(Method::GET, "/api/hello/", None, &[("x-api-key", secret)]).await.status
}

async fn make(browser: &Browser<'_>, name: &str, owner: &str) -> String {
    let fields = [("name", name), ("owner", owner), ("expires", "90"), ("p", "tasks.view")];
    secret(&browser.submit("/admin/api-keys/new/", &fields).await.is(200))
}

#[actix_web::test]
async fn a_key_is_made_for_somebody_and_its_secret_is_shown_this_once() {
    let panel = Panel::new().await;
    panel.user("ann", |_| ()).await;
    let root = panel.signed_in("root").await;
    for (fields, told) in [
        ([("name", ""), ("owner", "ann"), ("expires", "90"), ("p", "tasks.view")], "Name: This field may not be blank"),
        (
            [("name", "x"), ("owner", "nobody"), ("expires", "90"), ("p", "tasks.view")],
            "Nobody has the username nobody",
        ),
        ([("name", "x"), ("owner", "ann"), ("expires", "soon"), ("p", "tasks.view")], "Choose how long"),
        ([("name", "x"), ("owner", "ann"), ("expires", "90"), ("p", "users.view")], "ann may not do that: users.view"),
        ([("name", "x"), ("owner", "ann"), ("expires", "90"), ("q", "none")], "Tick what the key may do"),
    ] {
        root.submit("/admin/api-keys/new/", &fields).await.is(422).says(told);
    }
    let secret = make(&root, "nightly", "ann").await;
    assert_eq!(opens(&panel, &secret).await, 200);
    for path in ["/admin/api-keys/", "/admin/api-keys/1/", "/admin/users/2/api-keys/"] {
        let page = root.get(path).await.is(200).says("nightly").says(&secret[..12]);
        assert!(!page.text.contains(&secret), "{path}");
    }
    assert_eq!(panel.entries("api_key.create").await, 1);
    panel.wait(60 * 24 * 90 + 1);
    assert_eq!(opens(&panel, &secret).await, 401);
}

#[actix_web::test]
async fn a_key_gets_another_secret_and_the_old_one_its_time() {
    let panel = Panel::new().await;
    panel.user("ann", |_| ()).await;
    let root = panel.signed_in("root").await;
    let first = make(&root, "nightly", "ann").await;
    let rotate = "/admin/api-keys/1/rotate/";
    let second = secret(&root.send("/admin/api-keys/1/", rotate, &[("overlap_hours", "1")]).await.is(200));
    assert_eq!((opens(&panel, &first).await, opens(&panel, &second).await), (200, 200));
    panel.wait(9);
    let third = secret(&root.send("/admin/api-keys/1/", rotate, &[("overlap_hours", "0")]).await.is(200));
    assert_eq!(opens(&panel, &third).await, 200);
    assert_eq!(opens(&panel, &second).await, 401);
    assert_eq!(panel.entries("api_key.rotate").await, 2);
}

#[actix_web::test]
async fn a_key_is_revoked_once_its_name_is_typed_if_it_is_in_use() {
    let panel = Panel::new().await;
    panel.user("ann", |_| ()).await;
    let root = panel.signed_in("root").await;
    let (idle, used) = (make(&root, "idle", "ann").await, make(&root, "used", "ann").await);
    assert_eq!(opens(&panel, &used).await, 200);
    panel.app.write(|_| Ok(())).await;
    root.submit("/admin/api-keys/1/revoke/", &[]).await.leads_to("/admin/api-keys/");
    root.get("/admin/api-keys/").await.says("The API key idle of ann was revoked");
    assert_eq!(opens(&panel, &idle).await, 401);
    root.submit("/admin/api-keys/2/revoke/", &[]).await.is(422).says("Type used exactly as it stands");
    assert_eq!(opens(&panel, &used).await, 200);
    root.submit("/admin/api-keys/2/revoke/", &[("confirm", "used"), ("reason", "left")]).await.is(303);
    assert_eq!(opens(&panel, &used).await, 401);
    root.get("/admin/api-keys/2/").await.is(404);
    assert_eq!(panel.entries("api_key.revoke").await, 2);
}

#[actix_web::test]
async fn keys_of_those_beyond_reach_are_only_looked_at_and_making_one_takes_the_password() {
    let panel = Panel::new().await;
    panel.user("ann", |_| ()).await;
    let all = ["api-keys.view", "api-keys.add", "api-keys.change", "api-keys.revoke"];
    panel.staff("sam", &all).await;
    let (root, sam) = (panel.signed_in("root").await, panel.signed_in("sam").await);
    let of_root = make(&root, "mine", "root").await;
    sam.get("/admin/api-keys/1/").await.is(200).is_silent_on("Revoke key").is_silent_on("Rotate key");
    sam.send("/admin/api-keys/", "/admin/api-keys/1/revoke/", &[]).await.is(403).says("root is a superuser");
    sam.send("/admin/api-keys/", "/admin/api-keys/1/rotate/", &[]).await.is(403);
    let climbing = [("name", "x"), ("owner", "root"), ("expires", "90"), ("whole", "on")];
    sam.submit("/admin/api-keys/new/", &climbing).await.is(403).says("root is a superuser");
    assert_eq!(opens(&panel, &of_root).await, 200);
    make(&sam, "hers", "ann").await;
    panel.wait(11);
    sam.get("/admin/api-keys/new/").await.leads_to("/admin/again/?next=%2Fadmin%2Fapi-keys%2Fnew%2F");
    sam.send("/admin/api-keys/", "/admin/api-keys/2/rotate/", &[]).await.is(303);
    assert_eq!(panel.entries("api_key.rotate").await, 0);
    sam.send("/admin/again/", "/admin/again/", &[("password", PASSWORD), ("next", "/admin/api-keys/2/")]).await.is(303);
    sam.send("/admin/api-keys/", "/admin/api-keys/2/rotate/", &[]).await.is(200);
}

#[actix_web::test]
async fn keys_are_found_by_owner_prefix_and_how_they_stand() {
    let panel = Panel::new().await;
    panel.user("ann", |_| ()).await;
    let root = panel.signed_in("root").await;
    let prefix = make(&root, "anns", "ann").await[..12].to_owned();
    make(&root, "roots", "root").await;
    for (query, anns, roots) in [
        ("", true, true),
        ("?q=ann", true, false),
        (&format!("?q={prefix}"), true, false),
        ("?state=active", true, true),
        ("?state=expired", false, false),
        ("?unused=90d", false, false),
        ("?sort=used", true, true),
        ("?sort=-used", true, true),
    ] {
        let page = root.get(&format!("/admin/api-keys/{query}")).await.is(200);
        assert_eq!((page.link("anns").is_some(), page.link("roots").is_some()), (anns, roots), "{query}");
    }
    let given = json!({ "username": "root", "password": PASSWORD });
    assert_eq!(panel.api("/api/token/", "", Some(given)).await.0, 200);
}
