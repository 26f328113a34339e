//! Throttling: who is held back, by a rate or by an administrator; cleared, held back longer, never held back.

use actix_web::http::Method;
use portcullis::ops::{limits, rates, rollup};
use portcullis::settings::{Settings, Store};
use serde_json::{Value, json};

use crate::support::app::{TestApp, seconds};
use crate::support::client::{Answer, Client};
use crate::support::panel::{self, Browser, PASSWORD, Panel};
use crate::support::redis;

const MALLORY: &str = "203.0.113.9";

fn rates_on(settings: &mut Settings) {
    settings.throttle.anon = Some("3/min".parse().unwrap());
    settings.throttle.user = Some("5/min".parse().unwrap());
}

/// A client at this address.
fn from(app: &TestApp, ip: &str) -> Client {
    app.anonymous().at(ip)
}

async fn hello(client: &Client) -> Answer {
    client.get("/api/").await
}

/// Somebody at an address signs in.
async fn sign_in(app: &TestApp, ip: &str, name: &str, password: &str) -> Answer {
    from(app, ip).post("/api/token/", json!({ "username": name, "password": password })).await
}

async fn written(panel: &Panel) {
    rates::write_down(&panel.app.site).await.unwrap();
}

/// Presses a button of the page of `who`.
async fn press(root: &Browser<'_>, who: &str, act: &str, fields: &[(&str, &str)]) -> panel::Answer {
    root.send(&format!("/admin/throttling/{who}/"), &format!("/admin/throttling/{who}/{act}/"), fields).await
}

fn throttled(seconds: u64) -> Value {
    let plural = if seconds == 1 { "" } else { "s" };
    json!({ "detail": format!("Request was throttled. Expected available in {seconds} second{plural}.") })
}

/// What another process over the same data has learnt meanwhile.
async fn follow(app: &TestApp) {
    let follower = app.site.follower.clone();
    app.read(move |conn| follower.catch_up(conn)).await;
}

#[actix_web::test]
async fn whoever_a_rate_refuses_is_listed_wherever_counts_are_kept_and_cleared_everywhere() {
    let stores: [fn() -> Store; 3] = [|| Store::Memory, || Store::Database, || Store::Redis(redis::url().into())];
    for store in stores {
        let panel = Panel::with(|settings| {
            rates_on(settings);
            settings.throttle.user = None;
            settings.throttle.store = store();
        })
        .await;
        let root = panel.signed_in("root").await;
        root.get("/admin/throttling/").await.is(200).says("No entries yet").says("Anonymous 3/min");
        let mallory = from(&panel.app, MALLORY);
        for _ in 0..3 {
            hello(&mallory).await.status(200);
        }
        for _ in 0..2 {
            hello(&mallory).await.status(429);
        }
        written(&panel).await;
        let told = format!("{MALLORY} Anonymous requests 5 / 3 in 1m in 1 minute Held back");
        root.get("/admin/throttling/").await.says(&told);
        hello(&mallory).await.status(429);
        written(&panel).await;
        root.get("/admin/throttling/").await.says(&format!("{MALLORY} Anonymous requests 6 / 3"));
        for (query, is_there) in [
            ("q=203.0.113", true),
            ("q=198.51", false),
            ("state=held", true),
            ("state=hand", false),
            ("state=over", false),
            ("scope=throttle.anon", true),
            ("scope=sign-in.account", false),
            ("sort=used", true),
        ] {
            let page = root.get(&format!("/admin/throttling/?{query}")).await.is(200);
            assert_eq!(page.words().contains("6 / 3 in 1m"), is_there, "{query}");
        }

        let other = panel.app.again().await;
        press(&root, MALLORY, "clear", &[]).await.leads_to(&format!("/admin/throttling/{MALLORY}/"));
        root.get(&format!("/admin/throttling/{MALLORY}/"))
            .await
            .says("is cleared. Counting begins anew.")
            .says("Nothing:");
        assert_eq!(panel.last_entry().await.action, "throttling.clear");
        follow(&other).await;
        hello(&mallory).await.status(200);
        hello(&from(&other, MALLORY)).await.status(200);
        // A start finds nothing either.
        rates::keep(&panel.app.site).await.unwrap();
        let after = panel.app.again().await;
        hello(&from(&after, MALLORY)).await.status(200);
        root.get("/admin/throttling/").await.says("No entries yet");
    }
}

#[actix_web::test]
async fn an_address_that_is_held_back_is_refused_on_the_whole_api_and_at_every_door() {
    let panel = Panel::new().await;
    let ann = panel.user("ann", |_| ()).await;
    let root = panel.signed_in("root").await;
    let (access, _) = panel.tokens("ann").await;
    let other = panel.app.again().await;
    let page = root.get(&format!("/admin/throttling/{MALLORY}/")).await.is(200);
    page.says("Nothing: no rate holds it back now").says("Hold back for 24 h");
    press(&root, MALLORY, "hold", &[("hours", "1"), ("reason", "It guesses.")]).await.is(303);
    let entry = panel.last_entry().await;
    assert_eq!((entry.action.as_str(), entry.object_id.as_str()), ("throttling.hold", MALLORY));
    assert_eq!(entry.reason, "It guesses.");
    root.get("/admin/throttling/")
        .await
        .says(&format!("{MALLORY} Everything – in 1 hour Held back by hand"))
        .says("by root");

    follow(&other).await;
    let restarted = panel.app.again().await;
    for app in [&panel.app, &other, &restarted] {
        let mallory = from(app, MALLORY);
        for client in [mallory.clone(), mallory.clone().bearing(&access), mallory.clone().bearing("nonsense")] {
            let refused = client.get("/api/hello/").await;
            assert_eq!(refused.header("retry-after"), Some("3600"));
            refused.is(429, throttled(3600));
        }
        sign_in(app, MALLORY, "ann", PASSWORD).await.is(429, throttled(3600));
        hello(&from(app, "203.0.113.10")).await.status(200);
    }

    panel.app.clock.advance(seconds(3599));
    hello(&from(&panel.app, MALLORY)).await.is(429, throttled(1));
    panel.app.clock.advance(seconds(1));
    hello(&from(&panel.app, MALLORY)).await.status(200);
    let root = panel.signed_in("root").await;
    root.get("/admin/throttling/").await.says("Over");
    assert!(panel.row(ann).await.is_some());
}

#[actix_web::test]
async fn who_is_held_back_does_not_come_into_the_panel_either() {
    let proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let panel = Panel::with(|settings| settings.server.trusted_proxies = proxies.clone()).await;
    let sue = panel.staff("sue", &["users.view"]).await;
    let root = panel.signed_in("root").await;
    press(&root, MALLORY, "hold", &[("hours", "1")]).await.is(303);
    press(&root, &format!("user-{sue}"), "hold", &[("hours", "24")]).await.is(303);
    let enter = async |name: &str, ip: &str| {
        let browser = panel.browser();
        let token = browser.get("/admin/login/").await.hidden("csrf_token");
        let fields = [("csrf_token", token.as_str()), ("username", name), ("password", PASSWORD)];
        browser.ask(Method::POST, "/admin/login/", Some(&fields), &[("x-forwarded-for", ip)]).await
    };
    let refused = enter("root", MALLORY).await.is(429).says("Try again in 3,600 seconds");
    assert_eq!(refused.header("retry-after"), "3600");
    enter("sue", "198.51.100.7").await.is(429);
    enter("root", "198.51.100.7").await.is(303);
    limits::write_down(&panel.app.site).await.unwrap();
    root.get("/admin/sign-ins/?outcome=locked").await.says(MALLORY).says("sue");
}

#[actix_web::test]
async fn an_ipv6_network_is_held_back_as_a_whole() {
    let panel = Panel::new().await;
    let root = panel.signed_in("root").await;
    press(&root, "2001:db8::7", "hold", &[("hours", "24")]).await.leads_to("/admin/throttling/2001%3Adb8%3A%3A/");
    root.get("/admin/throttling/2001%3Adb8%3A%3A/").await.is(200).says("A whole network").says("Held back by hand");
    root.get("/admin/throttling/?q=2001:db8::99").await.says("2001:db8:: Everything");
    hello(&from(&panel.app, "2001:db8::1:2")).await.status(429);
    hello(&from(&panel.app, "2001:db8:0:1::1")).await.status(200);
    press(&root, "2001:db8::1", "clear", &[]).await.is(303);
    hello(&from(&panel.app, "2001:db8::1:2")).await.status(200);
}

#[actix_web::test]
async fn a_user_who_is_held_back_can_neither_ask_sign_in_nor_refresh_from_anywhere() {
    let panel = Panel::new().await;
    let ann = panel.user("ann", |_| ()).await;
    panel.staff("sue", &["users.view"]).await;
    let root = panel.signed_in("root").await;
    let (access, refresh) = panel.tokens("ann").await;
    let (others, _) = panel.tokens("sue").await;
    let who = format!("user-{ann}");
    root.get(&format!("/admin/throttling/{who}/")).await.says("Throttling of ann");
    press(&root, &who, "hold", &[("hours", "1")]).await.is(303);
    let refused = panel.app.anonymous().bearing(&access).get("/api/hello/").await;
    refused.is(429, throttled(3600));
    let refreshed = panel.app.anonymous().post("/api/token/refresh/", json!({ "refresh": refresh })).await;
    refreshed.is(429, throttled(3600));
    for password in [PASSWORD, "wrong"] {
        sign_in(&panel.app, MALLORY, "ann", password).await.is(429, throttled(3600));
    }
    panel.app.anonymous().bearing(&others).get("/api/hello/").await.status(200);
    root.get("/admin/throttling/?q=ann").await.says("ann Everything");
    root.get("/admin/throttling/?q=sue").await.says("No entry matches");

    let sue = root.get("/admin/users/").await;
    assert!(sue.words().contains("sue"));
    press(&root, &who, "clear", &[]).await.is(303);
    panel.app.anonymous().bearing(&access).get("/api/hello/").await.status(200);
    panel.app.anonymous().post("/api/token/refresh/", json!({ "refresh": refresh })).await.status(200);
}

#[actix_web::test]
async fn who_is_never_held_back_passes_every_rate_but_an_account_stays_guarded() {
    let panel = Panel::with(|settings| {
        rates_on(settings);
        settings.throttle.login = Some("100/min".parse().unwrap());
        settings.throttle.login_address = Some("2/min".parse().unwrap());
        settings.throttle.login_account = Some("6/min".parse().unwrap());
    })
    .await;
    panel.user("ann", |_| ()).await;
    let root = panel.signed_in("root").await;
    press(&root, MALLORY, "never", &[]).await.is(303);
    assert_eq!(panel.last_entry().await.action, "throttling.never");
    root.get("/admin/throttling/?state=never").await.says(&format!("{MALLORY} Everything – never Never held back"));
    for _ in 0..10 {
        hello(&from(&panel.app, MALLORY)).await.status(200);
    }
    for number in 0..6 {
        let name = if number < 3 { "ann" } else { "nobody" };
        from(&panel.app, MALLORY)
            .post("/api/token/", json!({ "username": name, "password": "wrong" }))
            .await
            .status(401);
    }
    for _ in 0..3 {
        sign_in(&panel.app, MALLORY, "ann", "wrong").await.status(401);
    }
    sign_in(&panel.app, MALLORY, "ann", PASSWORD).await.status(429);
    written(&panel).await;
    root.get("/admin/throttling/?q=ann").await.says("ann Sign-ins to an account 7 / 6");
    let restarted = panel.app.again().await;
    for _ in 0..10 {
        hello(&from(&restarted, MALLORY)).await.status(200);
    }
}

#[actix_web::test]
async fn a_user_who_is_never_held_back_passes_the_rates_of_users() {
    let panel = Panel::with(|settings| settings.throttle.user = Some("5/min".parse().unwrap())).await;
    let ann = panel.user("ann", |_| ()).await;
    let root = panel.signed_in("root").await;
    let (access, _) = panel.tokens("ann").await;
    let client = panel.app.anonymous().bearing(&access);
    for _ in 0..5 {
        client.get("/api/hello/").await.status(200);
    }
    client.get("/api/hello/").await.status(429);
    press(&root, &format!("user-{ann}"), "never", &[]).await.is(303);
    for _ in 0..10 {
        client.get("/api/hello/").await.status(200);
    }
    press(&root, &format!("user-{ann}"), "clear", &[]).await.is(303);
    for _ in 0..5 {
        client.get("/api/hello/").await.status(200);
    }
    client.get("/api/hello/").await.status(429);
}

#[actix_web::test]
async fn names_that_nobody_has_are_not_written_down_and_an_account_is_cleared_by_its_name() {
    let panel = Panel::with(|settings| {
        settings.throttle.login = Some("2/min".parse().unwrap());
        settings.throttle.login_account = Some("2/min".parse().unwrap());
    })
    .await;
    let ann = panel.user("ann", |_| ()).await;
    let root = panel.signed_in("root").await;
    for name in ["hunter2 my password", "ann"] {
        for (number, ip) in ["198.51.100.1", "198.51.100.2", "198.51.100.3"].into_iter().enumerate() {
            let answer = sign_in(&panel.app, ip, name, "wrong").await;
            assert_eq!(answer.status, if number < 2 { 401 } else { 429 });
        }
    }
    written(&panel).await;
    let page = root.get("/admin/throttling/").await.is(200);
    page.says("ann Sign-ins to an account 3 / 2 in 1m").is_silent_on("hunter2");
    sign_in(&panel.app, "198.51.100.9", "ann", PASSWORD).await.status(429);
    press(&root, &format!("user-{ann}"), "clear", &[]).await.is(303);
    sign_in(&panel.app, "198.51.100.9", "ann", PASSWORD).await.status(200);
}

#[actix_web::test]
async fn nobody_shuts_out_themselves_a_proxy_or_somebody_beyond_their_reach() {
    let proxies = vec!["10.0.0.0/8".parse().unwrap()];
    let panel = Panel::with(|settings| settings.server.trusted_proxies = proxies.clone()).await;
    let eve = panel.staff("eve", &["throttling.view", "throttling.change"]).await;
    let (root, staff) = (panel.signed_in("root").await, panel.signed_in("eve").await);
    let own = press(&root, "127.0.0.1", "hold", &[("hours", "1")]).await.is(409);
    own.says("You come from 127.0.0.1 yourself: you would shut yourself out.");
    assert_eq!(panel.last_entry().await.result, "refused");
    root.get("/admin/throttling/127.0.0.1/").await.is_silent_on("Hold back for").says("you would shut yourself out");
    press(&root, "user-1", "hold", &[("hours", "1")]).await.is(409).says("You cannot hold back yourself.");
    press(&root, "10.1.2.3", "hold", &[("hours", "1")]).await.is(409).says("10.1.2.3 is a trusted proxy");
    press(&staff, "user-1", "hold", &[("hours", "1")]).await.is(403).says("Only a superuser");
    press(&root, &format!("user-{eve}"), "hold", &[("hours", "7")]).await.is(409).says("For how long?");
    for nobody in ["user-99", "user-x", "nobody", "203.0.113", "999.1.1.1"] {
        root.get(&format!("/admin/throttling/{nobody}/")).await.is(404);
        root.send("/admin/throttling/", &format!("/admin/throttling/{nobody}/hold/"), &[("hours", "1")]).await.is(404);
    }
    assert_eq!(panel.entries("throttling.hold").await, 0);
    press(&root, "127.0.0.1", "never", &[]).await.is(303);
    press(&root, "127.0.0.1", "clear", &[]).await.is(303);
}

#[actix_web::test]
async fn the_ones_ticked_are_cleared_at_once_and_who_may_only_look_clears_nobody() {
    let panel = Panel::with(rates_on).await;
    panel.staff("eve", &["throttling.view"]).await;
    let (root, eve) = (panel.signed_in("root").await, panel.signed_in("eve").await);
    for ip in [MALLORY, "198.51.100.7"] {
        for _ in 0..4 {
            hello(&from(&panel.app, ip)).await;
        }
    }
    written(&panel).await;
    let ticked = [("list", "throttling"), ("action", "clear"), ("id", "1"), ("id", "2"), ("id", "9"), ("sure", "yes")];
    eve.get("/admin/throttling/").await.is(200).says(MALLORY).is_silent_on("Clear").is_silent_on("Hold back");
    eve.get(&format!("/admin/throttling/{MALLORY}/")).await.is(200).is_silent_on("What to do");
    eve.send("/admin/throttling/", "/admin/confirm/", &ticked).await.is(403).says("throttling.change");
    for act in ["clear", "hold", "never"] {
        press(&eve, MALLORY, act, &[("hours", "1")]).await.is(403).says("throttling.change");
    }
    hello(&from(&panel.app, MALLORY)).await.status(429);
    root.send("/admin/throttling/", "/admin/confirm/", &ticked[..5]).await.is(200).says("Clear 2 entries?");
    root.send("/admin/throttling/", "/admin/confirm/", &ticked).await.leads_to("/admin/");
    root.get("/admin/throttling/").await.says("2 entries were cleared.").says("No entries yet");
    assert_eq!(panel.entries("throttling.clear").await, 2);
    hello(&from(&panel.app, MALLORY)).await.status(200);
}

#[actix_web::test]
async fn what_was_refused_is_drawn_by_the_hour() {
    let panel = Panel::with(rates_on).await;
    let root = panel.signed_in("root").await;
    for _ in 0..5 {
        hello(&from(&panel.app, MALLORY)).await;
    }
    press(&root, "198.51.100.7", "hold", &[("hours", "1")]).await.is(303);
    hello(&from(&panel.app, "198.51.100.7")).await.status(429);
    rollup::write(&panel.app.site).await.unwrap();
    root.get("/admin/throttling/").await.says("3 requests and 0 sign-ins were refused.");
}

/// The rates that an administrator's word is asked beside cost a warm request nothing.
#[actix_web::test]
async fn a_signed_in_request_asks_the_database_nothing_while_others_are_held_back() {
    crate::support::statements::watch();
    let panel = Panel::new().await;
    panel.user("ann", |_| ()).await;
    let root = panel.signed_in("root").await;
    press(&root, MALLORY, "hold", &[("hours", "1")]).await.is(303);
    let (access, _) = panel.tokens("ann").await;
    let ann = panel.app.anonymous().bearing(&access);
    ann.get("/api/hello/").await.status(200);
    crate::support::statements::sent(&panel.app);
    ann.get("/api/hello/").await.status(200);
    assert_eq!(crate::support::statements::sent(&panel.app), Vec::<String>::new());
}
