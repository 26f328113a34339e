//! Signing keys in the panel: rotated, retired with what depends on them, and never shown.

use serde_json::json;

use crate::support::panel::{PASSWORD, Panel};
use crate::support::token::{header, own_key};

#[actix_web::test]
async fn another_key_signs_and_the_one_before_verifies_until_it_is_retired() {
    let panel = Panel::new().await;
    panel.user("ann", |_| ()).await;
    panel.staff("looks", &["signing-keys.view"]).await;
    let (access, refresh) = panel.tokens("ann").await;
    let old = header(&access)["kid"].as_str().unwrap().to_owned();
    let (root, looks) = (panel.signed_in("root").await, panel.signed_in("looks").await);
    let list = "/admin/signing-keys/";
    looks.get(list).await.is(200).says(&old).is_silent_on("Rotate now").is_silent_on("Retire");
    looks.send(list, &format!("{list}rotate/"), &[]).await.is(403);
    root.get(&format!("{list}{old}/")).await.is(409).says("Rotate first");

    panel.wait(11);
    root.send(list, &format!("{list}rotate/"), &[]).await.leads_to("/admin/again/?next=%2Fadmin%2Fsigning-keys%2F");
    root.send("/admin/again/", "/admin/again/", &[("password", PASSWORD), ("next", list)]).await.leads_to(list);
    root.send(list, &format!("{list}rotate/"), &[]).await.leads_to(list);
    root.get(list).await.says("signs from now on");
    let (next, _) = panel.tokens("ann").await;
    assert_ne!(header(&next)["kid"], old.as_str());
    assert_eq!(panel.api("/api/token/verify/", "", Some(json!({ "token": refresh }))).await.0, 200);

    let path = format!("{list}{old}/");
    root.get(&path).await.is(200).says("Live refresh tokens 1").says(&format!("Type {old} to confirm"));
    root.submit(&path, &[("confirm", "k-other")]).await.is(422);
    root.submit(&path, &[("confirm", &old), ("reason", "it leaked")]).await.leads_to(list);
    root.get(list).await.says("1 live refresh token is refused").says("Retired");
    assert_eq!(panel.api("/api/token/verify/", "", Some(json!({ "token": refresh }))).await.0, 401);
    assert_eq!(panel.api("/api/hello/", &next, None).await.0, 200);
    root.get(&path).await.is(409).says("retired already");
    assert_eq!((panel.entries("signing_key.rotate").await, panel.entries("signing_key.retire").await), (1, 1));
}

#[actix_web::test]
async fn a_key_of_the_settings_is_not_rotated_here() {
    let panel = Panel::with(own_key).await;
    let root = panel.signed_in("root").await;
    root.get("/admin/signing-keys/").await.is(200).says("The key of the settings").is_silent_on("Rotate now");
    root.send("/admin/signing-keys/", "/admin/signing-keys/rotate/", &[]).await.is(409);
    root.get("/admin/signing-keys/k-none/").await.is(404);
}

#[actix_web::test]
async fn a_key_that_leaked_is_condemned_with_every_session_that_it_began() {
    let panel = Panel::new().await;
    panel.user("ann", |_| ()).await;
    panel.user("bob", |_| ()).await;
    let (of_ann, of_bob) = (panel.tokens("ann").await, panel.tokens("bob").await);
    let old = header(&of_ann.0)["kid"].as_str().unwrap().to_owned();
    let root = panel.signed_in("root").await;
    let list = "/admin/signing-keys/";
    let path = format!("{list}{old}/condemn/");
    root.get(&path).await.is(409).says("Rotate first");
    root.send(list, &format!("{list}rotate/"), &[]).await.leads_to(list);
    // Bob's session goes on under the new key: whoever knew the old one may have taken it over.
    let (_, renewed) = panel.api("/api/token/refresh/", "", Some(json!({ "refresh": of_bob.1 }))).await;
    assert_ne!(header(renewed["access"].as_str().unwrap())["kid"], old.as_str());
    let renewed = renewed["refresh"].as_str().unwrap().to_owned();
    let fresh = panel.tokens("ann").await;

    let page = root.get(&path).await.is(200).says(&format!("Condemn the key {old}?")).says("Sessions 2");
    page.says(&format!("Type {old} to confirm"));
    root.submit(&path, &[("confirm", "k-other")]).await.is(422);
    panel.wait(11);
    root.send(list, &path, &[("confirm", &old)]).await.is(303);
    assert_eq!(panel.entries("signing_key.condemn").await, 0, "the password comes first");
    root.send("/admin/again/", "/admin/again/", &[("password", PASSWORD), ("next", list)]).await.leads_to(list);
    root.submit(&path, &[("confirm", &old), ("reason", "it leaked")]).await.leads_to(list);
    root.get(list).await.says(&format!("The key {old} is condemned.")).says("2 sessions ended.").says("Condemned");
    for (refresh, status) in [(&of_ann.1, 401), (&renewed, 401), (&fresh.1, 200)] {
        let given = json!({ "refresh": refresh });
        assert_eq!(panel.api("/api/token/refresh/", "", Some(given)).await.0, status);
    }
    let entry = panel.last_entry().await;
    assert_eq!((entry.action.as_str(), entry.reason.as_str()), ("signing_key.condemn", "it leaked"));
    root.get(&path).await.is(409).says("condemned already");
    root.get(&format!("{list}{old}/")).await.is(409).says("condemned already");
}

#[actix_web::test]
async fn a_key_that_was_retired_can_be_condemned_later() {
    let panel = Panel::new().await;
    let (access, _) = panel.tokens("root").await;
    let old = header(&access)["kid"].as_str().unwrap().to_owned();
    let root = panel.signed_in("root").await;
    let list = "/admin/signing-keys/";
    root.send(list, &format!("{list}rotate/"), &[]).await.leads_to(list);
    root.submit(&format!("{list}{old}/"), &[("confirm", &old)]).await.leads_to(list);
    root.submit(&format!("{list}{old}/condemn/"), &[("confirm", &old)]).await.leads_to(list);
    root.get(list).await.says("is condemned").says("1 session ended.");
}

#[actix_web::test]
async fn the_list_says_when_a_key_last_verified_a_token() {
    let panel = Panel::new().await;
    let root = panel.signed_in("root").await;
    let list = "/admin/signing-keys/";
    let used = |page: &crate::support::panel::Answer| {
        let cell =
            page.text.split(r#"data-label="Last used""#).nth(1).unwrap().split("</td>").next().unwrap().to_owned();
        cell.contains("<time")
    };
    let (access, _) = panel.tokens("root").await;
    portcullis::ops::rollup::write_key_uses(&panel.app.site).await.unwrap();
    assert!(!used(&root.get(list).await), "signing is no verifying");
    assert_eq!(panel.api("/api/hello/", &access, None).await.0, 200);
    assert!(!used(&root.get(list).await), "it is written once a minute");
    portcullis::ops::rollup::write_key_uses(&panel.app.site).await.unwrap();
    assert!(used(&root.get(list).await));
    // A forged token uses no key.
    panel
        .write(|conn| {
            diesel::RunQueryDsl::execute(diesel::sql_query("UPDATE signing_keys SET last_used_at = NULL"), conn)
                .unwrap()
        })
        .await;
    let (forged, _) = access.rsplit_once('.').unwrap();
    assert_eq!(panel.api("/api/hello/", &format!("{forged}.AAAA"), None).await.0, 401);
    portcullis::ops::rollup::write_key_uses(&panel.app.site).await.unwrap();
    assert!(!used(&root.get(list).await));
}
