//! Blacklisted tokens: listed, found, and added by session, by a token's id, or by the token itself.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::panel::Panel;

fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

#[actix_web::test]
async fn a_session_ends_by_its_id_by_a_tokens_id_or_by_a_token() {
    let panel = Panel::new().await;
    panel.user("ann", |_| ()).await;
    let root = panel.signed_in("root").await;
    for case in ["sid", "jti", "refresh", "access", "bearer"] {
        let (access, refresh) = panel.tokens("ann").await;
        let given = match case {
            "sid" => claims(&refresh)["sid"].as_str().unwrap().to_owned(),
            "jti" => claims(&refresh)["jti"].as_str().unwrap().to_owned(),
            "refresh" => refresh.clone(),
            "access" => access.clone(),
            _ => format!("  Bearer {access}\n"),
        };
        root.submit("/admin/blacklist/new/", &[("token", &given)]).await.leads_to("/admin/blacklist/");
        root.get("/admin/blacklist/").await.says("A session of ann was ended. 1 refresh token revoked");
        assert_eq!(panel.api("/api/hello/", &access, None).await.0, 401, "{case}");
        assert_eq!(panel.api("/api/token/refresh/", "", Some(json!({ "refresh": refresh }))).await.0, 401, "{case}");
        let again = root.submit("/admin/blacklist/new/", &[("token", &given)]).await.is(422);
        assert!(!again.text.contains(&given), "{case}: what was pasted is shown again");
    }
    let rows = root.get("/admin/blacklist/").await.says("5 tokens").words();
    assert_eq!(rows.matches("root By administrator").count(), 5, "{rows}");
}

#[actix_web::test]
async fn what_is_not_known_revokes_nothing_and_says_so() {
    let panel = Panel::new().await;
    let root = panel.signed_in("root").await;
    for (given, told) in [
        ("", "Token: This field may not be blank."),
        ("nonsense", "No session and no token on record has this id."),
        ("a.b.c", "That token is not good any more"),
        ("AAAAAAAAAAAAAAAAAAAAAA", "No session and no token on record has this id."),
    ] {
        root.submit("/admin/blacklist/new/", &[("token", given)]).await.is(422).says(told);
    }
    root.get("/admin/blacklist/").await.says("No tokens yet");
}

#[actix_web::test]
async fn blacklisted_tokens_are_found_by_id_name_and_reason() {
    let panel = Panel::new().await;
    panel.user("ann", |_| ()).await;
    panel.user("bob", |_| ()).await;
    let (_, of_ann) = panel.tokens("ann").await;
    panel.api("/api/token/blacklist/", "", Some(json!({ "refresh": of_ann }))).await;
    panel.wait(1);
    let (access, of_bob) = panel.tokens("bob").await;
    let root = panel.signed_in("root").await;
    root.submit("/admin/blacklist/new/", &[("token", &access)]).await.is(303);
    let (ann, bob) =
        (claims(&of_ann)["jti"].as_str().unwrap().to_owned(), claims(&of_bob)["jti"].as_str().unwrap().to_owned());
    for (query, shown, hidden) in [
        ("q=ann".to_owned(), &ann, &bob),
        (format!("q={}", &bob[..6]), &bob, &ann),
        (format!("q={ann}"), &ann, &bob),
        ("reason=by+admin".to_owned(), &bob, &ann),
        ("reason=signed+out".to_owned(), &ann, &bob),
    ] {
        let page = root.get(&format!("/admin/blacklist/?{query}")).await.is(200);
        page.says(&shown[..8]).is_silent_on(&hidden[..8]).says("1 of 2 tokens matches");
    }
    root.get(&format!("/admin/blacklist/?q={}", &ann[..5])).await.says("No token matches");
    for (sort, first, second) in
        [("", &bob, &ann), ("?sort=revoked", &ann, &bob), ("?sort=expires", &ann, &bob), ("?sort=-expires", &bob, &ann)]
    {
        let words = root.get(&format!("/admin/blacklist/{sort}")).await.words();
        assert!(words.find(&first[..8]) < words.find(&second[..8]), "{sort}");
    }
}

#[actix_web::test]
async fn who_may_only_look_revokes_nothing_and_nobody_revokes_a_superusers_without_being_one() {
    let panel = Panel::new().await;
    panel.staff("looks", &["blacklist.view"]).await;
    panel.staff("adds", &["blacklist.view", "blacklist.add"]).await;
    let (access, _) = panel.tokens("root").await;
    let (looks, adds) = (panel.signed_in("looks").await, panel.signed_in("adds").await);
    looks.get("/admin/blacklist/").await.is(200).is_silent_on("Revoke a token");
    looks.send("/admin/blacklist/", "/admin/blacklist/new/", &[("token", &access)]).await.is(403);
    adds.submit("/admin/blacklist/new/", &[("token", &access)]).await.is(403).says("root is a superuser");
    assert_eq!(panel.api("/api/hello/", &access, None).await.0, 200);
}
