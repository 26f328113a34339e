//! The e-mail log: what went out, what waits and why, and letters that are sent again.

use diesel::prelude::*;
use portcullis::db::schema::outbox;
use portcullis::model::outbox::{self as letters, Kind, Next};

use crate::support::letters::{link, token_of};
use crate::support::panel::{Browser, Panel};

/// Gives up the letter with this number, for this reason.
async fn give_up(panel: &Panel, id: i64, why: &'static str) {
    let now = panel.now();
    panel.write(move |conn| letters::give_up(conn, id, why, now).unwrap()).await;
}

/// Writes a letter about the account of ann.
async fn write(panel: &Panel, ann: i64, kind: Kind) {
    let now = panel.now();
    panel.write(move |conn| letters::to_user(conn, kind, ann, "ann@example.org", now).unwrap()).await;
}

async fn again(root: &Browser<'_>, id: i64) -> crate::support::panel::Answer {
    root.send("/admin/mail/", &format!("/admin/mail/{id}/again/"), &[]).await
}

async fn count(panel: &Panel) -> i64 {
    panel.app.read(|conn| Ok(outbox::table.count().get_result(conn)?)).await
}

#[actix_web::test]
async fn a_letter_is_found_by_its_address_state_and_kind_and_its_page_shows_no_token() {
    let panel = Panel::new().await;
    let ann = panel.user("ann", |_| ()).await;
    let root = panel.signed_in("root").await;
    root.get("/admin/mail/").await.is(200).says("No letters yet");
    write(&panel, ann, Kind::Reset).await;
    root.get("/admin/mail/").await.says("ann@example.org Password reset Waiting 0");
    let letter = panel.app.letter_to("ann@example.org").await;
    write(&panel, ann, Kind::Verification).await;
    give_up(&panel, 2, "550 5.1.1 no such mailbox here").await;

    let page = root.get("/admin/mail/").await.is(200);
    page.says("Password reset Sent 1").says("Verification Failed 0 550 5.1.1 no such mailbox here");
    for (query, told, silent) in [
        ("q=ANN@ex", "Password reset", "No letter matches"),
        ("q=bob", "No letter matches “bob”", "Password reset Sent"),
        ("state=failed", "Verification Failed", "Password reset Sent"),
        ("state=sent", "Password reset Sent", "Verification Failed"),
        ("state=waiting", "No letter matches", "Verification Failed"),
        ("kind=reset", "Password reset Sent", "Verification Failed"),
        ("when=1h", "2 of 2 letters match", "No letter"),
    ] {
        root.get(&format!("/admin/mail/?{query}")).await.is(200).says(told).is_silent_on(silent);
    }
    let page = root.get("/admin/mail/1/").await.is(200);
    let token = token_of(&link(&letter));
    let page = page.says("A new password for").says("/reset/…").is_silent_on(&token);
    assert!(!page.text.contains(&token) && !page.text.contains("eyJ"), "{}", page.text);
    root.get("/admin/mail/2/").await.says("Error 550 5.1.1 no such mailbox here").says("/verify/…");
    root.get("/admin/mail/99/").await.is(404);
}

#[actix_web::test]
async fn a_letter_that_was_given_up_is_tried_again_and_one_that_went_out_goes_out_anew() {
    let panel = Panel::new().await;
    let ann = panel.user("ann", |_| ()).await;
    let root = panel.signed_in("root").await;
    write(&panel, ann, Kind::Reset).await;
    give_up(&panel, 1, "the server is on fire").await;
    root.get("/admin/").await.says("1 letter was not delivered");
    again(&root, 1).await.leads_to("/admin/mail/1/");
    let entry = panel.last_entry().await;
    assert_eq!(
        (entry.action.as_str(), entry.object_id.as_str(), entry.result.as_str()),
        ("mail.send_again", "1", "done")
    );
    root.get("/admin/mail/1/").await.says("is on its way again").says("Next try at once");
    let first = panel.app.letter_to("ann@example.org").await;
    root.get("/admin/").await.is_silent_on("not delivered");

    again(&root, 1).await.leads_to("/admin/mail/2/");
    let second = panel.app.letter_to("ann@example.org").await;
    assert_ne!(link(&first), link(&second));
    again(&root, 2).await.leads_to("/admin/mail/3/");
    panel.app.letter_to("ann@example.org").await;
    // Three of a kind a day: nobody gets more, whoever asks.
    again(&root, 1).await.is(409).says("its address has had 3 letters of this kind within a day");
    assert_eq!((count(&panel).await, panel.entries("mail.send_again").await), (3, 3));
    assert_eq!(panel.last_entry().await.result, "refused");
    panel.wait(24 * 60);
    let root = panel.signed_in("root").await;
    again(&root, 1).await.leads_to("/admin/mail/4/");
}

#[actix_web::test]
async fn what_is_for_nobody_any_more_or_just_on_its_way_is_not_sent_again() {
    let panel = Panel::new().await;
    let ann = panel.user("ann", |_| ()).await;
    let root = panel.signed_in("root").await;
    write(&panel, ann, Kind::Verification).await;
    again(&root, 1).await.is(409).says("it is about to go out");
    let now = panel.now();
    let taken = panel.write(move |conn| letters::take(conn, now).unwrap()).await;
    assert!(matches!(taken, Next::Deliver(_)));
    again(&root, 1).await.is(409).says("it is being delivered just now");
    panel.wait(4);
    root.get("/admin/mail/1/").await.says("Send again");
    panel.change(ann, |changes| changes.email_verified = Some(true)).await;
    again(&root, 1).await.is(409).says("the address is verified already");
    root.get("/admin/mail/1/").await.says("It cannot be sent again: the address is verified already.");
    again(&root, 99).await.is(404);
    assert_eq!(panel.entries("mail.send_again").await, 0);
}

#[actix_web::test]
async fn the_letters_ticked_are_sent_again_and_what_is_left_out_is_told() {
    let panel = Panel::new().await;
    let ann = panel.user("ann", |_| ()).await;
    let root = panel.signed_in("root").await;
    for kind in [Kind::Reset, Kind::Verification, Kind::AddressChanged] {
        write(&panel, ann, kind).await;
    }
    for id in 1..=2 {
        give_up(&panel, id, "the server is on fire").await;
    }
    let ticked = [("list", "mail"), ("action", "send-again"), ("id", "1"), ("id", "2"), ("id", "3"), ("id", "77")];
    let asked = root.send("/admin/mail/", "/admin/confirm/", &ticked).await.is(200);
    asked.says("Send 2 letters again?").says("left out: it is about to go out");
    let mut sure = ticked.to_vec();
    sure.extend([("sure", "yes"), ("reason", "It burns no more."), ("back", "/admin/mail/?state=failed")]);
    root.send("/admin/mail/", "/admin/confirm/", &sure).await.leads_to("/admin/mail/?state=failed");
    root.get("/admin/mail/").await.says("2 letters are on their way again. 2 were left out.");
    assert_eq!((panel.entries("mail.send_again").await, panel.app.letters().await.len()), (2, 3));
    assert_eq!(panel.last_entry().await.reason, "It burns no more.");
}

#[actix_web::test]
async fn a_test_message_goes_to_the_address_typed_by_default_ones_own() {
    let panel = Panel::new().await;
    let root = panel.signed_in("root").await;
    let page = root.get("/admin/mail/test/").await.is(200);
    assert!(page.text.contains(r#"value="root@example.org""#), "{}", page.text);
    for bad in ["", "nobody", "a@b.example\r\nBcc: c@d.example"] {
        let page = root.submit("/admin/mail/test/", &[("address", bad)]).await.is(422);
        page.says("There is a problem");
    }
    assert_eq!(count(&panel).await, 0);
    root.submit("/admin/mail/test/", &[("address", "it@example.org")]).await.leads_to("/admin/mail/1/");
    assert_eq!(panel.last_entry().await.action, "mail.test");
    root.get("/admin/mail/1/").await.says("A test message to it@example.org is on its way.");
    let letter = panel.app.letter_to("it@example.org").await;
    assert!(letter.subject.starts_with("A test letter from ") && !letter.text.contains("http"), "{letter:?}");
    for number in 2..=3 {
        let sent = root.submit("/admin/mail/test/", &[("address", "IT@example.org")]).await;
        sent.leads_to(&format!("/admin/mail/{number}/"));
        assert_eq!(panel.app.letters().await.len(), 1);
    }
    let page = root.submit("/admin/mail/test/", &[("address", "it@example.org")]).await.is(422);
    page.says("it@example.org has had 3 test messages within a day");
    assert_eq!((count(&panel).await, panel.entries("mail.test").await), (3, 3));
}

#[actix_web::test]
async fn who_may_only_look_sees_no_button_and_sends_nothing() {
    let panel = Panel::new().await;
    let ann = panel.user("ann", |_| ()).await;
    write(&panel, ann, Kind::Reset).await;
    give_up(&panel, 1, "the server is on fire").await;
    panel.staff("eve", &["mail.view"]).await;
    panel.staff("bob", &["users.view"]).await;
    let (eve, bob) = (panel.signed_in("eve").await, panel.signed_in("bob").await);
    for path in ["/admin/mail/", "/admin/mail/1/"] {
        eve.get(path).await.is(200).says("E-mail log").is_silent_on("Send again").is_silent_on("Send a test message");
        bob.get(path).await.is(403).says("the permission mail.view");
    }
    eve.get("/admin/").await.says("1 letter was not delivered");
    bob.get("/admin/").await.is_silent_on("letter").is_silent_on("E-mail log");
    eve.get("/admin/mail/test/").await.is(403);
    let ticked = [("list", "mail"), ("action", "send-again"), ("id", "1"), ("sure", "yes"), ("address", "a@b.example")];
    for path in ["/admin/mail/test/", "/admin/mail/1/again/", "/admin/confirm/"] {
        eve.send("/admin/mail/", path, &ticked).await.is(403).says("the permission mail.change");
    }
    assert_eq!(count(&panel).await, 1);
}

#[actix_web::test]
async fn a_mail_server_that_is_away_is_told_of_before_anything_is_lost() {
    let panel = Panel::new().await;
    let ann = panel.user("ann", |_| ()).await;
    write(&panel, ann, Kind::Verification).await;
    let root = panel.signed_in("root").await;
    for _ in 0..3 {
        root.get("/admin/").await.is_silent_on("letter waits");
        let now = panel.now();
        panel
            .write(move |conn| match letters::take(conn, now).unwrap() {
                Next::Deliver(letter) => letters::failed(conn, &letter, "connection refused", now).unwrap(),
                other => panic!("{other:?}"),
            })
            .await;
        panel.wait(2);
    }
    root.get("/admin/").await.says("1 letter waits after several tries The mail server may be away.");
}
