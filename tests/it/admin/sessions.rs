//! The panel's own sessions: begun by signing in, ended by everything that should end them.

use diesel::prelude::*;
use portcullis::db::schema::panel_sessions;

use crate::support::panel::{PASSWORD, Panel};

#[actix_web::test]
async fn signing_in_begins_a_session_of_a_new_id_and_the_old_one_is_dead() {
    let panel = Panel::new().await;
    let victim = panel.browser();
    victim.set_session("planted-by-somebody-else");
    victim.sign_in("root", PASSWORD).await.leads_to("/admin/");
    let first = victim.session().unwrap();
    assert_ne!(first, "planted-by-somebody-else");

    victim.sign_in("root", PASSWORD).await.leads_to("/admin/");
    let second = victim.session().unwrap();
    victim.get("/admin/users/").await.is(200);
    let thief = panel.browser();
    for old in ["planted-by-somebody-else", &first] {
        thief.set_session(old);
        thief.get("/admin/users/").await.is(303);
    }
    assert_ne!(first, second);
}

#[actix_web::test]
async fn signing_out_kills_the_cookie() {
    let panel = Panel::new().await;
    let root = panel.signed_in("root").await;
    let cookie = root.session().unwrap();
    root.send("/admin/users/", "/admin/logout/", &[]).await.leads_to("/admin/login/?note=out");
    assert_eq!(root.session(), None);
    root.set_session(&cookie);
    root.get("/admin/users/").await.is(303);
    assert_eq!(panel.write(|conn| panel_sessions::table.count().get_result::<i64>(conn).unwrap()).await, 0);
}

#[actix_web::test]
async fn a_session_ends_half_an_hour_after_its_last_use() {
    let panel = Panel::new().await;
    let root = panel.signed_in("root").await;
    for _ in 0..3 {
        panel.wait(29);
        root.get("/admin/users/").await.is(200);
    }
    panel.wait(30);
    root.get("/admin/users/").await.is(303);
}

#[actix_web::test]
async fn a_session_ends_after_twelve_hours_whatever_is_done() {
    let panel = Panel::new().await;
    let root = panel.signed_in("root").await;
    for _ in 0..71 {
        panel.wait(10);
        root.get("/admin/users/").await.is(200);
    }
    panel.wait(10);
    root.get("/admin/users/").await.is(303);
}

#[actix_web::test]
async fn a_session_ends_at_once_with_what_it_stood_on() {
    for case in ["password", "deactivated", "staff", "everywhere", "deleted"] {
        let panel = Panel::new().await;
        let id = panel.staff("ann", &["users.view"]).await;
        let (root, ann) = (panel.signed_in("root").await, panel.signed_in("ann").await);
        ann.get("/admin/users/").await.is(200);
        let path = |act: &str| format!("/admin/users/{id}/{act}/");
        match case {
            "password" => {
                let new = [("password", "another horse 9"), ("password2", "another horse 9")];
                root.submit(&path("password"), &new).await.is(303)
            }
            "deactivated" => root.submit(&path("deactivate"), &[]).await.is(303),
            "everywhere" => root.submit(&path("sign-out"), &[]).await.is(303),
            "deleted" => root.submit(&path("delete"), &[("confirm", "ann")]).await.is(303),
            _ => {
                let kept = [("username", "ann"), ("email", "ann@example.org"), ("is_active", "on")];
                root.submit(&format!("/admin/users/{id}/"), &kept).await.is(303)
            }
        };
        let answer = ann.get("/admin/users/").await;
        assert_eq!(answer.status, 303, "{case}");
    }
}

#[actix_web::test]
async fn the_table_knows_no_key_and_strangers_fill_it_not() {
    let panel = Panel::new().await;
    for path in ["/admin/", "/admin/login/", "/admin/setup/x/", "/admin/users/"] {
        panel.browser().get(path).await;
    }
    panel.browser().sign_in("root", "wrong horse 9").await.is(422);
    let rows = || panel.write(|conn| panel_sessions::table.load::<Row>(conn).unwrap());
    assert!(rows().await.is_empty());

    let root = panel.signed_in("root").await;
    let rows = rows().await;
    assert_eq!(rows.len(), 1);
    let (digest, state, user, ip, agent, ..) = &rows[0];
    assert_eq!((digest.len(), *user, ip.as_str(), agent.as_str()), (64, Some(1), "127.0.0.1", root.agent.as_str()));
    let cookie = root.session().unwrap();
    assert!(!state.contains(&cookie) && !digest.contains(&cookie));
    root.set_session(digest);
    root.get("/admin/users/").await.is(303);
}

type Row = (String, String, Option<i64>, String, String, i64, i64, i64);

#[actix_web::test]
async fn cookies_are_for_this_host_alone_and_secure_off_loopback() {
    for (url, bind, name, secure) in [
        (None, "127.0.0.1:8000", "portcullis_admin", false),
        (Some("http://127.0.0.1:8000"), "127.0.0.1:8000", "portcullis_admin", false),
        (Some("https://auth.example.org"), "127.0.0.1:8000", "__Host-portcullis_admin", true),
        (None, "0.0.0.0:8000", "__Host-portcullis_admin", true),
    ] {
        let panel = Panel::with(|settings| {
            settings.server.public_url = url.map(str::to_owned);
            settings.server.bind = bind.parse().unwrap();
        })
        .await;
        let answer = panel.browser().sign_in("root", PASSWORD).await.leads_to("/admin/");
        let cookies = answer.headers.get_all("set-cookie").map(|cookie| cookie.to_str().unwrap());
        let cookies: Vec<&str> = cookies.collect();
        let device = name.replace("admin", "device");
        assert!(cookies.iter().any(|cookie| cookie.starts_with(&format!("{device}="))), "{cookies:?}");
        let cookie = *cookies.iter().find(|cookie| cookie.starts_with(&format!("{name}="))).unwrap();
        for part in ["HttpOnly", "SameSite=Lax", "Path=/"] {
            assert!(cookie.split("; ").any(|one| one == part), "{cookie}");
        }
        assert_eq!(cookie.split("; ").any(|one| one == "Secure"), secure, "{cookie}");
        assert!(!cookie.contains("Domain"), "{cookie}");
    }
}

#[actix_web::test]
async fn ending_ones_own_sessions_ends_this_one_and_says_so() {
    let panel = Panel::new().await;
    let root = panel.signed_in("root").await;
    let answer = root.submit("/admin/users/1/sign-out/", &[]).await.leads_to("/admin/login/?note=ended");
    root.get(answer.header("location")).await.says("All your sessions have ended");
    root.get("/admin/users/").await.is(303);
}

#[actix_web::test]
async fn a_session_of_the_panel_is_listed_and_ended_like_any_other() {
    let panel = Panel::new().await;
    let id = panel.staff("ann", &["users.view"]).await;
    let (root, ann) = (panel.signed_in("root").await, panel.signed_in("ann").await);
    root.get("/admin/users/1/sessions/").await.says("Firefox on Linux").says("this device");
    let page = root.get(&format!("/admin/users/{id}/sessions/")).await.says("Panel").is_silent_on("this device");
    let session = page.hidden("session");
    let path = format!("/admin/users/{id}/sessions/sign-out/");
    // Named under another user, it is nobody's.
    root.send("/admin/users/", "/admin/users/1/sessions/sign-out/", &[("session", &session)]).await.is(303);
    ann.get("/admin/users/").await.is(200);
    root.send("/admin/users/", &path, &[("session", &session)]).await.is(303);
    ann.get("/admin/users/").await.is(303);
}
