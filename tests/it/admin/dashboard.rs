//! P2: the panel's first page: figures from the rollup, and what needs attention.

use std::time::Duration;

use portcullis::clock::Timestamp;
use portcullis::db::Conn;
use portcullis::error::Result;
use portcullis::model::outbox;
use portcullis::ops::rollup;

use crate::support::panel::Panel;

#[actix_web::test]
async fn before_anything_was_counted_it_says_so() {
    let panel = Panel::new().await;
    let root = panel.signed_in("root").await;
    let page = root.get("/admin/").await;
    assert_eq!(page.status, 200);
    assert!(!page.text.contains("failed sign-ins from"), "{}", page.text);
    for words in ["collecting", "Last 24 hours, compared with the 24 before", "Nobody has tried to sign in."] {
        assert!(page.text.contains(words), "{words}: {}", page.text);
    }
}

#[actix_web::test]
async fn its_figures_are_what_happened_and_are_counted_once() {
    let panel = Panel::new().await;
    let root = panel.signed_in("root").await;
    panel.user("ann", |_| ()).await;
    for _ in 0..3 {
        panel.tokens("ann").await;
    }
    let wrong = serde_json::json!({ "username": "ann", "password": "another" });
    let (status, _) = panel.api("/api/token/", "", Some(wrong)).await;
    assert_eq!(status, 401);
    for _ in 0..2 {
        rollup::write(&panel.app.site).await.unwrap();
    }
    let page = root.get("/admin/?period=1h").await;
    // Root in the panel, ann three times over the API; two tokens each time.
    for words in [
        r#"Sign-ins</a></h3>
      <p class="c-stat__value">4</p>"#,
        r#"Failed sign-ins</a></h3>
      <p class="c-stat__value">1 <small>20%</small></p>"#,
        r#"Tokens issued</a></h3>
      <p class="c-stat__value">6</p>"#,
        r#"Active sessions</a></h3>
      <p class="c-stat__value">3</p>"#,
        r#"Users</a></h3>
      <p class="c-stat__value">2</p>"#,
        r#"Wrong password</a><span class="u-strong">1</span>"#,
        "In all 4 came in and 1 failed.",
    ] {
        assert!(page.text.contains(words), "{words}: {}", page.text);
    }
    for period in ["24h", "7d", "30d", "nonsense"] {
        let page = root.get(&format!("/admin/?period={period}")).await;
        assert!(page.text.contains("In all 4 came in and 1 failed."), "{period}");
    }
    panel.app.clock.advance(Duration::from_secs(2 * 3600));
    let root = panel.signed_in("root").await;
    let page = root.get("/admin/?period=1h").await;
    assert!(page.text.contains("Nobody has tried to sign in."), "two hours later: {}", page.text);
}

#[actix_web::test]
async fn whoever_fails_too_often_from_one_address_is_what_needs_attention() {
    let panel = Panel::new().await;
    let root = panel.signed_in("root").await;
    for n in 0..21 {
        panel.user(&format!("user{n}"), |_| ()).await;
        let wrong = serde_json::json!({ "username": format!("user{n}"), "password": "another" });
        panel.api("/api/token/", "", Some(wrong)).await;
        panel.app.clock.advance(Duration::from_secs(10));
    }
    portcullis::ops::limits::write_down(&panel.app.site).await.unwrap();
    let page = root.get("/admin/").await;
    for words in ["21 failed sign-ins from 127.0.0.1", "across 21 names", "Review address"] {
        assert!(page.text.contains(words), "{words}: {}", page.text);
    }
}

#[actix_web::test]
async fn each_card_needs_the_view_of_its_area() {
    let panel = Panel::new().await;
    panel.staff("clerk", &["users.view"]).await;
    let clerk = panel.signed_in("clerk").await;
    let page = clerk.get("/admin/").await;
    assert!(page.text.contains("Needs attention") && page.text.contains(">Users</a></h3>"));
    for words in ["Sign-ins", "Tokens issued", "Active sessions", "Response", "Recent changes", "Signing key"] {
        assert!(!page.text.contains(words), "{words}: {}", page.text);
    }
    panel.staff("nobody", &[]).await;
    let nobody = panel.signed_in("nobody").await;
    let page = nobody.get("/admin/").await;
    assert!(page.text.contains("Needs attention") && !page.text.contains("c-stat"), "{}", page.text);
}

#[actix_web::test]
async fn a_session_that_a_sign_out_everywhere_has_ended_is_not_counted() {
    let panel = Panel::new().await;
    let root = panel.signed_in("root").await;
    panel.user("ann", |_| ()).await;
    let (access, _) = panel.tokens("ann").await;
    panel.tokens("ann").await;
    let active = async |count: &str| {
        rollup::write(&panel.app.site).await.unwrap();
        let told = format!("Active sessions</a></h3>\n      <p class=\"c-stat__value\">{count}</p>");
        let page = root.get("/admin/?period=1h").await;
        assert!(page.text.contains(&told), "{}", page.text);
    };
    active("2").await;
    let (status, _) = panel.api("/api/logout/all/", &access, Some(serde_json::json!({}))).await;
    assert_eq!(status, 205);
    active("0").await;
}

/// Each leads to a page that is there, and whatever narrows the list there is a filter that it knows.
#[actix_web::test]
async fn every_link_of_it_leads_somewhere() {
    let panel = Panel::new().await;
    let root = panel.signed_in("root").await;
    panel.app.write(given_up).await;
    for n in 0..21 {
        let wrong = serde_json::json!({ "username": format!("user{n}"), "password": "another" });
        panel.api("/api/token/", "", Some(wrong)).await;
        panel.app.clock.advance(Duration::from_secs(10));
    }
    portcullis::ops::limits::write_down(&panel.app.site).await.unwrap();
    let page = root.get("/admin/").await.text;
    let main = page.split_once("<main").unwrap().1;
    let links: Vec<&str> = main.split("href=\"/admin/").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(links.len() > 15 && main.contains("1 letter was not delivered"), "{links:?}");
    for link in links {
        let answer = root.get(&format!("/admin/{link}")).await;
        assert_eq!(answer.status, 200, "{link}");
        let narrows = link.contains("state=") || link.contains("outcome=");
        assert!(!narrows || answer.text.contains("Clear all"), "the list knows no such filter: {link}");
    }
}

fn given_up(conn: &mut Conn) -> Result<()> {
    let now = Timestamp::from_seconds(1_795_348_800);
    outbox::to_whoever_has(conn, outbox::Kind::Reset, "ann@example.org", now)?;
    outbox::give_up(conn, 1, "no such mailbox", now)
}
