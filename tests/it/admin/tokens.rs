//! Outstanding tokens: listed, found, looked at, revoked alone or with what belongs to them, and restored.

use portcullis::db::Conn;
use portcullis::model::audit::Outcome;
use portcullis::model::session::Ended;
use serde_json::json;

use crate::support::panel::{PASSWORD, Panel};
use crate::support::token::claims;

fn jti(token: &str) -> String {
    claims(token)["jti"].as_str().unwrap().to_owned()
}

async fn refreshes(panel: &Panel, token: &str) -> u16 {
    panel.api("/api/token/refresh/", "", Some(json!({ "refresh": token }))).await.0
}

#[actix_web::test]
async fn tokens_are_found_by_id_name_state_and_end() {
    let panel = Panel::new().await;
    panel.user("ann", |_| ()).await;
    panel.user("bob", |_| ()).await;
    let (_, live) = panel.tokens("ann").await;
    panel.wait(1);
    let (_, used) = panel.tokens("bob").await;
    let (_, next) = panel.api("/api/token/refresh/", "", Some(json!({ "refresh": used }))).await;
    panel.wait(1);
    let (_, revoked) = panel.tokens("bob").await;
    panel.api("/api/token/blacklist/", "", Some(json!({ "refresh": revoked }))).await;
    let root = panel.signed_in("root").await;
    let (live, used, revoked) = (jti(&live), jti(&used), jti(&revoked));
    let next = jti(next["refresh"].as_str().unwrap());
    let all = [&live, &used, &next, &revoked];
    for (query, shown) in [
        ("q=ann".to_owned(), vec![&live]),
        (format!("q={}", &used[..6]), vec![&used]),
        (format!("q={live}"), vec![&live]),
        ("state=live".to_owned(), vec![&live, &next]),
        ("state=used".to_owned(), vec![&used]),
        ("state=revoked".to_owned(), vec![&revoked]),
        ("state=expired".to_owned(), vec![]),
        ("expires=7d".to_owned(), vec![&live, &used, &next, &revoked]),
        ("expires=1h".to_owned(), vec![]),
        ("q=bob&state=live".to_owned(), vec![&next]),
    ] {
        let page = root.get(&format!("/admin/tokens/?{query}")).await.is(200);
        for one in all {
            assert_eq!(page.text.contains(one.as_str()), shown.contains(&one), "{query}: {one}");
        }
    }
    root.get(&format!("/admin/tokens/?q={}", &live[..5])).await.says("No token matches");
    for (sort, first, second) in
        [("", &revoked, &live), ("?sort=issued", &live, &revoked), ("?sort=-expires", &revoked, &live)]
    {
        let text = root.get(&format!("/admin/tokens/{sort}")).await.text;
        assert!(text.find(first.as_str()) < text.find(second.as_str()), "{sort}");
    }
    panel.wait(60 * 25);
    panel.signed_in("root").await.get("/admin/tokens/?state=expired").await.says("3 of 4 tokens match");
}

#[actix_web::test]
async fn lists_know_what_a_user_was_signed_out_of_in_whichever_way() {
    let panel = Panel::new().await;
    let root = panel.signed_in("root").await;
    for (name, way) in [("ann", "everywhere"), ("bob", "password"), ("eve", "inactive")] {
        let id = panel.user(name, |_| ()).await;
        let (_, used) = panel.tokens(name).await;
        let (_, next) = panel.api("/api/token/refresh/", "", Some(json!({ "refresh": used }))).await;
        let (used, next) = (jti(&used), jti(next["refresh"].as_str().unwrap()));
        let (grants, now) = (panel.app.site.grants.clone(), panel.now());
        let end = move |conn: &mut Conn| match way {
            "everywhere" => grants.end_all_in(conn, id, now),
            "password" => grants.set_password_in(conn, id, "!", now),
            _ => grants.set_active_in(conn, id, false, now),
        };
        assert_eq!(panel.app.site.db.write(end).await.unwrap(), 1, "{way}");
        for (query, shown) in [("state=live", None), ("state=used", Some(&used)), ("state=revoked", Some(&next))] {
            let page = root.get(&format!("/admin/tokens/?q={name}&{query}")).await.is(200);
            for one in [&used, &next] {
                assert_eq!(page.text.contains(one.as_str()), shown == Some(one), "{way}, {query}: {one}");
            }
        }
        // What was exchanged stays exchanged, and there is nothing left to revoke of it.
        for one in [&used, &next] {
            root.get(&format!("/admin/tokens/{one}/")).await.is(200).is_silent_on("Revoke token…");
            let path = format!("/admin/tokens/{one}/revoke/");
            let said = if one == &used { "The session of the token" } else { "is revoked already" };
            root.send("/admin/tokens/", &path, &[("what", "token")]).await.is(409).says(said);
        }
        root.get(&format!("/admin/sessions/?q={name}&state=live")).await.says("No session matches");
        root.get(&format!("/admin/sessions/?q={name}&state=ended")).await.says("1 of ");
    }
}

#[actix_web::test]
async fn the_page_of_a_token_tells_its_chain_and_why_it_is_what_it_is() {
    let panel = Panel::new().await;
    let ann = panel.user("ann", |_| ()).await;
    let (_, first) = panel.tokens("ann").await;
    let (_, next) = panel.api("/api/token/refresh/", "", Some(json!({ "refresh": first }))).await;
    let second = next["refresh"].as_str().unwrap();
    let root = panel.signed_in("root").await;
    let page = root.get(&format!("/admin/tokens/{}/", jti(&first))).await.is(200);
    page.says("Used").says("Issued by signing in").says(&format!("Replaced by {}", &jti(second)[..8]));
    let page = root.get(&format!("/admin/tokens/{}/", jti(second))).await.is(200);
    assert_eq!(page.link("ann"), Some(format!("/admin/users/{ann}/")));
    let page = page.says("Live").says(&format!("Issued by refresh of {}", &jti(&first)[..8]));
    assert!(!page.text.contains(second), "the page holds the token");
    root.get("/admin/tokens/nobodys/").await.is(404);
    root.get(&format!("/admin/blacklist/{}/", jti(second))).await.is(404);
}

#[actix_web::test]
async fn a_token_is_revoked_alone_with_its_session_or_with_all_of_its_user() {
    let panel = Panel::new().await;
    let ann = panel.user("ann", |_| ()).await;
    let root = panel.signed_in("root").await;
    for (what, this_opens, other_opens, said) in [
        ("token", 200, 200, "Access tokens already handed out are good until they expire."),
        ("session", 401, 200, "1 session ended"),
        ("user", 401, 401, "2 sessions ended"),
    ] {
        let (access, refresh) = panel.tokens("ann").await;
        let (other, other_refresh) = panel.tokens("ann").await;
        let path = format!("/admin/tokens/{}/revoke/", jti(&refresh));
        let page = root.get(&path).await.is(200).says("The whole session: curl 8.5.0").says("All sessions of ann");
        assert!(!page.text.contains(&refresh));
        let back = format!("/admin/tokens/{}/", jti(&refresh));
        root.submit(&path, &[("what", what), ("reason", "lost laptop")]).await.leads_to(&back);
        root.get(&back).await.says("was revoked").says(said).says("Revoked");
        assert_eq!(refreshes(&panel, &refresh).await, 401, "{what}");
        assert_eq!(panel.api("/api/hello/", &access, None).await.0, this_opens, "{what}");
        assert_eq!(panel.api("/api/hello/", &other, None).await.0, other_opens, "{what}");
        let entry = panel.last_entry().await;
        assert_eq!((entry.action.as_str(), entry.object_id), ("token.revoke", jti(&refresh)), "{what}");
        assert_eq!(
            (entry.actor_id, entry.reason.as_str(), entry.result),
            (Some(1), "lost laptop", Outcome::Done.as_str().to_owned())
        );
        root.get(&path).await.is(409).says("revoked already");
        root.send("/admin/users/", &path, &[("what", what)]).await.is(409);
        let (grants, now) = (panel.app.site.grants.clone(), panel.now());
        panel.app.write(move |conn| grants.end_all_in(conn, ann, now)).await;
        assert_eq!(refreshes(&panel, &other_refresh).await, 401);
    }
}

#[actix_web::test]
async fn what_is_not_offered_is_not_done() {
    let panel = Panel::new().await;
    panel.user("ann", |_| ()).await;
    panel.staff("revokes", &["tokens.view", "tokens.revoke"]).await;
    let (_, refresh) = panel.tokens("ann").await;
    let (_, of_root) = panel.tokens("root").await;
    let path = format!("/admin/tokens/{}/revoke/", jti(&refresh));
    let revokes = panel.signed_in("revokes").await;
    revokes.get(&path).await.is(200).is_silent_on("All sessions of ann");
    for what in ["user", "", "everything"] {
        revokes.send("/admin/tokens/", &path, &[("what", what)]).await.is(422).says("Choose what to revoke");
    }
    revokes.get(&format!("/admin/tokens/{}/revoke/", jti(&of_root))).await.is(403).says("root is a superuser");
    let path = format!("/admin/tokens/{}/revoke/", jti(&of_root));
    revokes.send("/admin/tokens/", &path, &[("what", "session")]).await.is(403);
    assert_eq!(refreshes(&panel, &refresh).await, 200);
    assert_eq!(refreshes(&panel, &of_root).await, 200);
    assert_eq!(panel.entries("token.revoke").await, 0);
}

#[actix_web::test]
async fn ticked_tokens_are_revoked_with_their_sessions_and_what_is_dead_is_left_out() {
    let panel = Panel::new().await;
    panel.user("ann", |_| ()).await;
    let (access, refresh) = panel.tokens("ann").await;
    panel.api("/api/token/refresh/", "", Some(json!({ "refresh": refresh }))).await;
    let (_, dead) = panel.tokens("ann").await;
    panel.api("/api/token/blacklist/", "", Some(json!({ "refresh": dead }))).await;
    let root = panel.signed_in("root").await;
    let ticked = [("list", "tokens"), ("action", "revoke"), ("id", "1"), ("id", "2"), ("id", "3")];
    let asked = root.send("/admin/tokens/", "/admin/confirm/", &ticked).await.is(200);
    asked.says("Revoke 2 tokens?").says("left out: revoked already");
    let sure = [&ticked[..], &[("sure", "yes"), ("back", "/admin/tokens/")]].concat();
    root.send("/admin/tokens/", "/admin/confirm/", &sure).await.leads_to("/admin/tokens/");
    root.get("/admin/tokens/").await.says("2 tokens were revoked. 1 session ended. 1 was left out.");
    assert_eq!(panel.api("/api/hello/", &access, None).await.0, 401);
    assert_eq!(panel.entries("token.revoke").await, 2);
}

#[actix_web::test]
async fn a_superuser_restores_what_was_revoked_alone() {
    let panel = Panel::new().await;
    panel.user("ann", |_| ()).await;
    panel.staff("deletes", &["blacklist.view", "blacklist.delete"]).await;
    let (_, refresh) = panel.tokens("ann").await;
    let root = panel.signed_in("root").await;
    root.submit(&format!("/admin/tokens/{}/revoke/", jti(&refresh)), &[("what", "token")]).await.is(303);
    let path = format!("/admin/blacklist/{}/restore/", jti(&refresh));
    let deletes = panel.signed_in("deletes").await;
    deletes.get(&path).await.is(403).says("Only a superuser");
    deletes.send("/admin/blacklist/", &path, &[("confirm", &jti(&refresh)[..8])]).await.is(403);

    panel.wait(11);
    let again = format!("/admin/again/?next={}", path.replace('/', "%2F"));
    root.get(&path).await.leads_to(&again);
    root.send("/admin/blacklist/", &path, &[("confirm", &jti(&refresh)[..8])]).await.leads_to(&again);
    assert_eq!(refreshes(&panel, &refresh).await, 401);
    root.submit(&again, &[("password", PASSWORD), ("next", &path)]).await.leads_to(&path);
    root.submit(&path, &[("confirm", "something else")]).await.is(422).says("exactly as it stands");
    assert_eq!(panel.entries("token.restore").await, 0);
    let back = format!("/admin/tokens/{}/", jti(&refresh));
    root.submit(&path, &[("confirm", &jti(&refresh)[..8])]).await.leads_to(&back);
    root.get(&back).await.says("was restored").says("Live");
    assert_eq!(panel.entries("token.restore").await, 1);
    assert_eq!(refreshes(&panel, &refresh).await, 200);
}

#[actix_web::test]
async fn what_must_stay_dead_is_not_restored() {
    let panel = Panel::new().await;
    let ann = panel.user("ann", |_| ()).await;
    let root = panel.signed_in("root").await;
    let (grants, now) = (panel.app.site.grants.clone(), panel.now());
    for (why, said) in
        [(Ended::ReuseSeen, "somebody has a copy"), (Ended::ByAdmin, "a session that has ended does not begin again")]
    {
        let (_, refresh) = panel.tokens("ann").await;
        let (end, sid) = (grants.clone(), claims(&refresh)["sid"].as_str().unwrap().parse().unwrap());
        panel.app.write(move |conn| end.end_in(conn, sid, Some(ann), why, None, now)).await;
        let page = format!("/admin/blacklist/{}/", jti(&refresh));
        root.get(&page).await.is(200).says("It cannot be restored").says(said).is_silent_on("Restore token…");
        let path = format!("{page}restore/");
        root.get(&path).await.is(409).says(said);
        root.send("/admin/blacklist/", &path, &[("confirm", &jti(&refresh)[..8])]).await.is(409);
        assert_eq!(refreshes(&panel, &refresh).await, 401);
    }
    let ticked = [("list", "blacklist"), ("action", "restore"), ("id", "1"), ("id", "2")];
    root.send("/admin/blacklist/", "/admin/confirm/", &ticked).await.says("There is nothing to do");
}

#[actix_web::test]
async fn the_ticked_are_restored_once_their_number_is_typed() {
    let panel = Panel::new().await;
    panel.user("ann", |_| ()).await;
    let root = panel.signed_in("root").await;
    let mut tokens = Vec::new();
    for _ in 0..2 {
        let (_, refresh) = panel.tokens("ann").await;
        root.submit(&format!("/admin/tokens/{}/revoke/", jti(&refresh)), &[("what", "token")]).await.is(303);
        tokens.push(refresh);
    }
    let ticked =
        [("list", "blacklist"), ("action", "restore"), ("id", "1"), ("id", "2"), ("back", "/admin/blacklist/")];
    root.send("/admin/blacklist/", "/admin/confirm/", &ticked).await.is(200).says("Type 2 to confirm");
    let typed = |word: &'static str| [&ticked[..], &[("sure", "yes"), ("confirm", word)]].concat();
    root.send("/admin/blacklist/", "/admin/confirm/", &typed("3")).await.is(422);
    root.send("/admin/blacklist/", "/admin/confirm/", &typed("2")).await.leads_to("/admin/blacklist/");
    root.get("/admin/blacklist/").await.says("2 tokens were restored");
    for token in tokens {
        assert_eq!(refreshes(&panel, &token).await, 200);
    }
    assert_eq!(panel.entries("token.restore").await, 2);
}

#[actix_web::test]
async fn what_has_expired_is_swept_at_once_and_counted() {
    let panel = Panel::new().await;
    panel.user("ann", |_| ()).await;
    let (_, refresh) = panel.tokens("ann").await;
    panel.api("/api/token/blacklist/", "", Some(json!({ "refresh": refresh }))).await;
    panel.wait(60 * 24 + 30);
    let root = panel.signed_in("root").await;
    root.send("/admin/blacklist/", "/admin/blacklist/sweep/", &[]).await.leads_to("/admin/blacklist/");
    root.get("/admin/blacklist/").await.says("Nothing has expired that is not kept for another hour");
    panel.wait(29);
    panel.wait(2);
    let root = panel.signed_in("root").await;
    root.send("/admin/blacklist/", "/admin/blacklist/sweep/", &[]).await.leads_to("/admin/blacklist/");
    root.get("/admin/blacklist/").await.says("1 expired token was removed").says("1 session went with them");
    assert_eq!(panel.entries("token.sweep").await, 1);
    panel.staff("looks", &["blacklist.view", "blacklist.add"]).await;
    let looks = panel.signed_in("looks").await;
    looks.get("/admin/blacklist/").await.is_silent_on("Sweep expired now");
    looks.send("/admin/blacklist/", "/admin/blacklist/sweep/", &[]).await.is(403);
}
