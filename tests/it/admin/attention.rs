//! What needs attention, put away for a day; and what is done about an address from where its failures are told of.

use std::time::Duration;

use portcullis::model::outbox;
use portcullis::ops::limits;
use serde_json::json;

use crate::support::panel::{Answer, Browser, Panel};

/// The button beside letters that were lost. What was put away is named in the log, too.
const OPEN: &str = "Open e-mail log";

/// Has `count` more letters given up.
async fn lose(panel: &Panel, count: i64) {
    let now = panel.now();
    panel
        .write(move |conn| {
            for _ in 0..count {
                let id = outbox::test(conn, 1, "ann@example.org", now).unwrap();
                outbox::give_up(conn, id, "no such mailbox", now).unwrap();
            }
        })
        .await;
}

/// Has sign-ins as nobody fail from the address of the stories.
async fn guess(panel: &Panel, count: u64) {
    for number in 0..count {
        let wrong = json!({ "username": format!("user{number}"), "password": "another" });
        let client = panel.app.anonymous().at("203.0.113.9");
        client.post("/api/token/", wrong).await.status(401);
        panel.app.clock.advance(Duration::from_secs(2));
    }
    limits::write_down(&panel.app.site).await.unwrap();
}

async fn dismiss(browser: &Browser<'_>, rule: &str, object: &str) -> Answer {
    let page = browser.get("/admin/").await;
    let fields = [("csrf_token", &*page.hidden("csrf_token")), ("rule", rule), ("object", object)];
    browser.post("/admin/attention/dismiss/", &fields).await
}

#[actix_web::test]
async fn what_is_put_away_is_gone_for_a_day_for_the_viewer_alone_unless_there_is_more_of_it() {
    let panel = Panel::new().await;
    panel.staff("eve", &["mail.view"]).await;
    let (root, eve) = (panel.signed_in("root").await, panel.signed_in("eve").await);
    lose(&panel, 2).await;
    root.get("/admin/").await.says("2 letters were not delivered").says("Dismiss for a day");
    dismiss(&root, "mail_failed", "").await.leads_to("/admin/");
    let entry = panel.last_entry().await;
    assert_eq!((entry.action.as_str(), entry.object_id.as_str()), ("attention.dismiss", "mail_failed"));
    let page = root.get("/admin/").await.says("“2 letters were not delivered” is put away for a day.");
    page.says("You have put away 1 item for a day.");
    root.get("/admin/").await.is_silent_on(OPEN);
    root.get("/admin/?all=1").await.says(OPEN).is_silent_on("You have put away");
    eve.get("/admin/").await.says("2 letters were not delivered");

    lose(&panel, 1).await;
    root.get("/admin/").await.says("3 letters were not delivered");
    dismiss(&root, "mail_failed", "").await.is(303);
    root.get("/admin/").await;
    root.get("/admin/").await.is_silent_on(OPEN);
    panel.wait(23 * 60 + 59);
    let root = panel.signed_in("root").await;
    root.get("/admin/").await.is_silent_on(OPEN);
    lose(&panel, 3).await;
    panel.wait(2);
    root.get("/admin/").await.says("3 letters were not delivered").is_silent_on("You have put away");
}

#[actix_web::test]
async fn each_address_is_put_away_by_itself_and_what_nobody_sees_by_nobody() {
    let panel = Panel::new().await;
    let root = panel.signed_in("root").await;
    panel.staff("eve", &["mail.view"]).await;
    let eve = panel.signed_in("eve").await;
    guess(&panel, 21).await;
    root.get("/admin/").await.says("21 failed sign-ins from 203.0.113.9");
    for (rule, object) in
        [("failing_address", "203.0.113.1"), ("failing_address", ""), ("nothing", ""), ("", ""), ("mail_failed", "")]
    {
        dismiss(&root, rule, object).await.leads_to("/admin/");
        root.get("/admin/").await.says("That needs no attention any more.");
    }
    dismiss(&eve, "failing_address", "203.0.113.9").await.leads_to("/admin/");
    assert_eq!(panel.entries("attention.dismiss").await, 0);
    dismiss(&root, "failing_address", "203.0.113.9").await.leads_to("/admin/");
    root.get("/admin/").await;
    guess(&panel, 1).await;
    root.get("/admin/").await.is_silent_on("Review address");
    assert_eq!(panel.entries("attention.dismiss").await, 1);
}

#[actix_web::test]
async fn an_address_is_held_back_from_the_log_of_sign_ins_and_its_state_is_told_on_the_first_page() {
    let panel = Panel::new().await;
    let ann = panel.user("ann", |_| ()).await;
    let root = panel.signed_in("root").await;
    panel.app.anonymous().at("203.0.113.9").post("/api/token/", json!({ "username": "ann", "password": "x" })).await;
    limits::write_down(&panel.app.site).await.unwrap();
    root.get("/admin/").await.says("203.0.113.9 1 1 Let in Throttling of 203.0.113.9");
    let log = root.get("/admin/sign-ins/?q=203.0.113.9").await.is(200);
    let log = log.says("Hold this address back for 1 h").says("Sign out everywhere");
    assert!(log.text.contains(&format!("href=\"/admin/users/{ann}/sign-out/\"")), "{}", log.text);
    let own = root.get("/admin/sign-ins/?q=127.0.0.1").await.is(200).says("Signed in");
    own.is_silent_on("Hold this address back").says("Throttling of this address");
    let tab = root.get(&format!("/admin/users/{ann}/sign-ins/")).await.is(200);
    tab.says("Hold this address back for 24 h");

    let fields = [("hours", "24"), ("back", "/admin/sign-ins/?q=203.0.113.9")];
    let held = root.send("/admin/sign-ins/", "/admin/throttling/203.0.113.9/hold/", &fields).await;
    held.leads_to("/admin/sign-ins/?q=203.0.113.9");
    root.get("/admin/sign-ins/?q=203.0.113.9").await.says("203.0.113.9 is held back for 24 hours.");
    root.get("/admin/").await.says("203.0.113.9 1 1 Held back by hand");
    panel.app.anonymous().at("203.0.113.9").get("/api/").await.status(429);

    panel.staff("eve", &["sign-ins.view"]).await;
    let eve = panel.signed_in("eve").await;
    let page = eve.get("/admin/sign-ins/").await.is(200).says("203.0.113.9");
    page.is_silent_on("Hold this address back").is_silent_on("Throttling of this").is_silent_on("Sign out everywhere");
    eve.get("/admin/").await.says("Held back by hand").is_silent_on("Throttling of");
}
