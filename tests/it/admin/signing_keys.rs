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
    root.get(list).await.says("1 live refresh tokens are refused").says("Retired");
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
