//! The token inspector: each reason has its own heading, and the token is told to nobody.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis::auth::key_changes;
use portcullis::model::session::Ended;
use serde_json::{Value, json};

use crate::support::panel::{Answer, Browser, Panel};
use crate::support::token::{claims, own_key, sealed, signed};

async fn inspect(browser: &Browser<'_>, token: &str) -> Answer {
    browser.submit("/admin/inspector/", &[("token", token)]).await.is(200)
}

/// The verdict as its heading says it.
fn heading(page: &Answer) -> String {
    let after = page.text.split_once(r#"<h2 id="vd">"#).unwrap().1;
    after.split('<').next().unwrap().to_owned()
}

#[actix_web::test]
async fn a_good_token_is_accepted_and_its_owner_is_one_click_away() {
    let panel = Panel::new().await;
    let ann = panel.user("ann", |_| ()).await;
    let (access, refresh) = panel.tokens("ann").await;
    let root = panel.signed_in("root").await;
    for (given, kind) in [(refresh.clone(), "refresh"), (format!("  bearer {access}\n"), "access")] {
        let page = inspect(&root, &given).await;
        assert_eq!(heading(&page), "Accepted");
        let page = page.says(&format!("A live {kind} token of ann")).says("Passed: Signature").is_silent_on("Failed");
        assert_eq!(page.link("ann"), Some(format!("/admin/users/{ann}/")));
        assert!(page.link("curl 8.5.0").unwrap().starts_with("/admin/sessions/"));
    }
    let jti = claims(&refresh)["jti"].as_str().unwrap().to_owned();
    // Who looked at what is told, and never the token.
    assert_eq!((panel.entries("token.inspect").await, panel.last_entry().await.object_id.len()), (2, jti.len()));
    let sid = claims(&refresh)["sid"].as_str().unwrap().to_owned();
    let revoke = inspect(&root, &refresh).await.link("Revoke token…");
    assert_eq!(revoke, Some(format!("/admin/tokens/{jti}/revoke/")));
    let sign_out = inspect(&root, &access).await.link("Sign out the session…");
    assert_eq!(sign_out, Some(format!("/admin/sessions/{sid}/")));
}

#[actix_web::test]
async fn the_token_is_not_in_the_answer() {
    let panel = Panel::new().await;
    let (access, refresh) = panel.tokens("root").await;
    let root = panel.signed_in("root").await;
    for token in [&access, &refresh] {
        let page = inspect(&root, token).await;
        let (message, signature) = token.rsplit_once('.').unwrap();
        for secret in [token.as_str(), message, signature, &signature[..12]] {
            assert!(!page.text.contains(secret), "{secret}");
        }
        page.says(&format!("Inspected: {}…{}", &token[..8], &token[token.len() - 4..]));
    }
    let pasted = inspect(&root, "correct horse battery").await;
    assert!(!pasted.text.contains("horse"), "{}", pasted.text);
    let long = "x".repeat(8193);
    let refused = root.submit("/admin/inspector/", &[("token", &long)]).await.is(422);
    assert!(!refused.text.contains("xxxx"));
}

/// What the inspector says and what a client is told are one thing, since one function decides.
async fn says(panel: &Panel, root: &Browser<'_>, token: &str, expected: &str) {
    let page = inspect(root, token).await;
    assert_eq!(heading(&page), format!("Refused: {expected}"));
    let is_refresh = token.split('.').nth(1).is_some_and(|part| {
        let payload = URL_SAFE_NO_PAD.decode(part).unwrap_or_default();
        serde_json::from_slice::<Value>(&payload).is_ok_and(|claims| claims["token_type"] == "refresh")
    });
    let (status, told) = if is_refresh {
        panel.api("/api/token/refresh/", "", Some(json!({ "refresh": token }))).await
    } else {
        panel.api("/api/hello/", token, None).await
    };
    assert_eq!(status, 401, "{expected}: {told}");
    if let Some(code) = told["code"].as_str() {
        page.says(&format!("A client that sends it gets 401 {code}"));
    }
}

#[actix_web::test]
async fn what_is_wrong_with_a_text_has_a_name() {
    let panel = Panel::with(|settings| {
        own_key(settings);
        settings.jwt.issuer = Some("here".into());
        settings.jwt.audience = vec!["us".into()];
    })
    .await;
    let root = panel.signed_in("root").await;
    let now = panel.now().seconds();
    let good = json!({ "token_type": "access", "exp": now + 300, "iat": now, "jti": "a", "user_id": "1",
                       "iss": "here", "aud": "us" });
    assert_eq!(heading(&inspect(&root, &signed(&good)).await), "Accepted");
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        signed(&claims)
    };
    let header = |header: Value| sealed(&header.to_string(), &good.to_string(), b"whatever");
    for (token, expected) in [
        ("nonsense".to_owned(), "malformed"),
        (header(json!({ "alg": "none" })), "algorithm not allowed"),
        (header(json!({ "alg": "HS512" })), "algorithm not allowed"),
        (header(json!({ "alg": "HS256" })), "bad signature"),
        (with("exp", (now - 60).into()), "expired"),
        (with("nbf", (now + 60).into()), "not yet valid"),
        (with("token_type", "email_verification".into()), "wrong type"),
        (with("iss", "there".into()), "wrong issuer"),
        (with("aud", "them".into()), "wrong audience"),
        (with("user_id", "99".into()), "no such user"),
    ] {
        says(&panel, &root, &token, expected).await;
    }
    inspect(&root, &header(json!({ "alg": "none" }))).await.says("not signed at all (alg none)");
    inspect(&root, &with("exp", (now - 60).into())).await.says("It expired").says("1 minute ago").says("Not made: ");
}

#[actix_web::test]
async fn a_retired_key_is_told_from_one_that_never_was() {
    let panel = Panel::new().await;
    let (access, _) = panel.tokens("root").await;
    let root = panel.signed_in("root").await;
    let strange = sealed(&json!({ "alg": "HS256", "kid": "k-nobodys" }).to_string(), "{}", b"x");
    says(&panel, &root, &strange, "unknown key id").await;
    let (keys, now, algorithm) = (panel.app.site.keys.clone(), panel.now(), panel.app.site.settings.jwt.algorithm);
    let new = keys.make(algorithm).unwrap();
    let old = panel.app.site.signer.ring().active().kid().unwrap().to_owned();
    let new = panel.app.write(move |conn| key_changes::add(conn, &new, "HS256", now).map(|()| new)).await;
    panel.app.write(move |conn| key_changes::activate(conn, &new, now)).await;
    panel.app.write(move |conn| key_changes::retire(conn, &old, true, std::time::Duration::ZERO, now)).await;
    says(&panel, &root, &access, "retired key").await;
}

#[actix_web::test]
async fn what_became_of_user_session_and_token_has_a_name_and_who_did_it() {
    let panel = Panel::new().await;
    let root = panel.signed_in("root").await;
    let (grants, now) = (panel.app.site.grants.clone(), panel.now());

    let gone = panel.user("gone", |_| ()).await;
    let tokens = panel.tokens("gone").await;
    panel.change(gone, |changes| changes.is_active = Some(false)).await;
    says(&panel, &root, &tokens.0, "inactive user").await;
    says(&panel, &root, &tokens.1, "inactive user").await;

    let ann = panel.user("ann", |_| ()).await;
    let tokens = panel.tokens("ann").await;
    let hash = panel.row(ann).await.unwrap().password;
    let end = grants.clone();
    panel.app.write(move |conn| end.set_password_in(conn, ann, &hash, now)).await;
    says(&panel, &root, &tokens.0, "password changed since").await;
    says(&panel, &root, &tokens.1, "password changed since").await;

    let tokens = panel.tokens("ann").await;
    let (end, sid) = (grants.clone(), claims(&tokens.0)["sid"].as_str().unwrap().parse().unwrap());
    panel.app.write(move |conn| end.end_in(conn, sid, Some(ann), Ended::ByAdmin, Some(1), now)).await;
    says(&panel, &root, &tokens.0, "session ended").await;
    inspect(&root, &tokens.0).await.says("Its session was ended").says("by root");
    says(&panel, &root, &tokens.1, "revoked").await;
    inspect(&root, &tokens.1).await.says("by root").says("ended by an administrator").is_silent_on("Revoke token…");

    let tokens = panel.tokens("ann").await;
    let (_, next) = panel.api("/api/token/refresh/", "", Some(json!({ "refresh": tokens.1 }))).await;
    panel.api("/api/token/refresh/", "", Some(json!({ "refresh": next["refresh"] }))).await;
    panel.wait(1);
    assert_eq!(heading(&inspect(&root, &tokens.1).await), "Refused: already rotated");
    // Looking is no use: the session goes on, and the copy was not counted as one that came back.
    let still = panel.api("/api/hello/", next["access"].as_str().unwrap(), None).await;
    assert_eq!(still.0, 200);
}

#[actix_web::test]
async fn of_a_text_that_we_have_not_signed_nothing_is_believed() {
    let panel = Panel::with(own_key).await;
    let root = panel.signed_in("root").await;
    let now = panel.now().seconds();
    let (_, refresh) = panel.tokens("root").await;
    let mut forged = claims(&refresh);
    forged["exp"] = (now + 1000).into();
    let token = sealed(&json!({ "alg": "HS256", "typ": "JWT" }).to_string(), &forged.to_string(), b"another key");
    let page = inspect(&root, &token).await.says("Not verified: what it says").says("Not verified: raw");
    let page = page.is_silent_on("Belongs to").is_silent_on("Revoke token…").is_silent_on("Sign out the session…");
    let main = page.text.split_once("<main").unwrap().1;
    assert!(!main.contains("/admin/users/") && !main.contains("/admin/tokens/"), "{main}");
}

#[actix_web::test]
async fn whoever_may_not_see_users_or_revoke_is_offered_neither() {
    let panel = Panel::new().await;
    panel.staff("looks", &["inspector.view"]).await;
    panel.staff("nothing", &["users.view"]).await;
    let (access, refresh) = panel.tokens("root").await;
    let looks = panel.signed_in("looks").await;
    for token in [&access, &refresh] {
        let page = inspect(&looks, token).await.says("root");
        assert!(!page.text.contains("/admin/users/1/"), "{}", page.text);
        page.is_silent_on("Revoke token…").is_silent_on("Sign out the").is_silent_on("Sign out everywhere");
    }
    let nothing = panel.signed_in("nothing").await;
    nothing.get("/admin/inspector/").await.is(403);
    nothing.send("/admin/users/", "/admin/inspector/", &[("token", &access)]).await.is(403);
}
