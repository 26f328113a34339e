//! How letters wait and go out: tried again, given up, taken by one process alone, and gone when they are done with.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::pin::pin;

use diesel::prelude::*;
use futures_util::future::{Either, join, select};
use portcullis::db::schema::outbox;
use portcullis::mail::mailer::Mailer;
use portcullis::model::outbox::{LEASE, Next, take};
use portcullis::ops::{postman, sweeper};
use portcullis::settings::MailBackend;
use serde_json::json;

use crate::support::app::{TestApp, hours, minutes, no_limits, seconds};
use crate::support::mail_server::{MailServer, by_smtp};
use crate::support::people::PASSWORD;

async fn register(app: &TestApp, name: &str) {
    let given = json!({ "username": name, "password": PASSWORD, "email": format!("{name}@example.org") });
    app.anonymous().post("/api/register/", given).await.status(201);
}

/// Tries, why the last one failed, whether the letter was sent and whether it was given up: of each letter.
async fn letters(app: &TestApp) -> Vec<(i32, String, bool, bool)> {
    type Row = (i32, String, Option<i64>, Option<i64>);
    let rows = app.read(|conn| {
        let columns = (outbox::attempts, outbox::trouble, outbox::sent_at, outbox::given_up_at);
        Ok(outbox::table.order(outbox::id).select(columns).load::<Row>(conn)?)
    });
    rows.await
        .into_iter()
        .map(|(tries, why, sent, given_up)| (tries, why, sent.is_some(), given_up.is_some()))
        .collect()
}

/// A port at which nobody listens.
fn dead_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A6: a dead mail server fails no request; its letters are tried again, ever less often, until they are worth nothing.
#[actix_web::test]
async fn a_letter_is_tried_again_at_growing_pauses_and_given_up_when_its_time_is_over() {
    let app = TestApp::with(|settings| {
        no_limits(settings);
        by_smtp(settings, dead_port());
    });
    let app = app.await;
    register(&app, "ann").await;
    app.anonymous().post("/api/password/reset/", json!({ "email": "ann@example.org" })).await.status(200);
    app.write(|conn| Ok(diesel::delete(outbox::table.filter(outbox::kind.eq("verification"))).execute(conn)?)).await;

    let mut tried_after = Vec::new();
    let mut tries = 0;
    for second in 0..3600 {
        if second % 15 == 0 {
            assert_eq!(postman::deliver_due(&app.site).await.unwrap(), 0);
            if letters(&app).await[0].0 > tries {
                tries += 1;
                tried_after.push(second);
            }
        }
        app.clock.advance(seconds(1));
    }
    assert_eq!(tried_after, [0, 15, 45, 105, 225, 465, 945, 1845, 2745]);
    let (_, why, ..) = letters(&app).await[0].clone();
    assert!(why.starts_with("the mail server could not be spoken to: "), "{why}");

    app.clock.advance(seconds(45));
    postman::deliver_due(&app.site).await.unwrap();
    let told = letters(&app).await.remove(0);
    assert_eq!((told.0, told.2, told.3), (9, false, true));
    assert!(told.1.starts_with("its time was over; the last try: ") && told.1.contains("refused"), "{}", told.1);
}

#[actix_web::test]
async fn a_recipient_whom_the_mail_server_refuses_is_given_up_at_once_and_the_next_letter_goes_on() {
    let server = MailServer::start("refuse");
    let app = TestApp::with(|settings| server.settings(settings)).await;
    register(&app, "ann").await;
    register(&app, "bob").await;
    assert_eq!(postman::deliver_due(&app.site).await.unwrap(), 0);
    let refused = (1, "the mail server refused it with 550".to_owned(), false, true);
    assert_eq!(letters(&app).await, [refused.clone(), refused]);
    app.clock.advance(hours(1));
    assert_eq!(postman::deliver_due(&app.site).await.unwrap(), 0);
    assert_eq!(server.connections(), 2);
}

#[actix_web::test]
async fn what_a_busy_or_dying_mail_server_did_not_take_it_gets_again() {
    for (mode, why) in [("busy", "the mail server answered 451"), ("dies", "the mail server could not be spoken to: ")]
    {
        let server = MailServer::start(mode);
        let app = TestApp::with(|settings| server.settings(settings)).await;
        register(&app, "ann").await;
        assert_eq!(postman::deliver_due(&app.site).await.unwrap(), 0);
        let (tries, told, sent, given_up) = letters(&app).await[0].clone();
        assert!(told.starts_with(why), "{told}");
        assert_eq!((tries, sent, given_up, server.letters().len()), (1, false, false, 0));

        app.clock.advance(seconds(15));
        assert_eq!(postman::deliver_due(&app.site).await.unwrap(), 1);
        assert_eq!(letters(&app).await, [(2, String::new(), true, false)]);
        assert_eq!(server.letter()["to"], json!(["ann@example.org"]));
    }
}

#[actix_web::test]
async fn a_mail_server_that_says_nothing_holds_up_no_request() {
    let server = MailServer::start("hang");
    let app = TestApp::with(|settings| {
        no_limits(settings);
        server.settings(settings);
        settings.mail.smtp_timeout = minutes(2);
    });
    let app = app.await;
    register(&app, "ann").await;
    let delivery = pin!(postman::deliver_due(&app.site));
    let requests = pin!(async {
        for name in ["bob", "eve", "joe"] {
            register(&app, name).await;
        }
    });
    let Either::Right(((), _stuck)) = select(delivery, requests).await else { panic!("the letter was not stuck") };
    let waiting = (0, String::new(), false, false);
    assert_eq!(letters(&app).await[1..], [waiting.clone(), waiting.clone(), waiting]);
}

#[actix_web::test]
async fn a_mail_server_that_says_nothing_is_left_when_its_time_is_over_and_the_rest_waits() {
    let server = MailServer::start("hang");
    let app = TestApp::with(|settings| {
        server.settings(settings);
        settings.mail.smtp_timeout = seconds(1);
    });
    let app = app.await;
    register(&app, "ann").await;
    register(&app, "bob").await;
    assert_eq!(postman::deliver_due(&app.site).await.unwrap(), 0);
    let all = letters(&app).await;
    assert!(all[0].1.starts_with("the mail server"), "{all:?}");
    assert_eq!(all[1], (0, String::new(), false, false));
}

/// Two processes over one database.
async fn each_once(app: TestApp) {
    let beside = app.again().await;
    for n in 0..20 {
        register(if n % 2 == 0 { &app } else { &beside }, &format!("ann{n}")).await;
    }
    // Each takes another one, and dies over it.
    let now = app.clock.now();
    let taken = [app.write(move |conn| take(conn, now)).await, beside.write(move |conn| take(conn, now)).await];
    let [Next::Deliver(one), Next::Deliver(other)] = taken else { panic!("{taken:?}") };
    assert_ne!(one.id, other.id);
    app.clock.advance(LEASE);
    let (one, other) = join(postman::deliver_due(&app.site), postman::deliver_due(&beside.site)).await;
    assert_eq!(one.unwrap() + other.unwrap(), 20);
    let mut all = Vec::new();
    for site in [&app.site, &beside.site] {
        let Mailer::Memory(kept) = &site.mail.mailer else { unreachable!() };
        all.extend(kept.lock().unwrap().iter().map(|letter| letter.to.clone()));
    }
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 20);
}

#[actix_web::test]
async fn two_processes_send_each_letter_once() {
    each_once(TestApp::with(no_limits).await).await;
}

#[actix_web::test]
async fn two_processes_send_each_letter_once_on_postgresql() {
    each_once(TestApp::on_postgres_with(no_limits).await).await;
}

async fn lent(app: TestApp) {
    register(&app, "ann").await;
    let now = app.clock.now();
    let Next::Deliver(taken) = app.write(move |conn| take(conn, now)).await else { panic!("nothing is due") };
    assert_eq!((taken.address.as_str(), taken.attempt), ("ann@example.org", 1));
    let beside = app.again().await;
    app.clock.advance(LEASE - seconds(1));
    assert_eq!(beside.letters().await, []);
    app.clock.advance(seconds(1));
    beside.letter_to("ann@example.org").await;
    app.clock.advance(LEASE);
    assert_eq!(app.letters().await, []);
}

/// A process that dies over a letter gives it back.
#[actix_web::test]
async fn a_letter_that_was_taken_and_not_sent_is_taken_again_when_its_lease_is_over() {
    lent(TestApp::new().await).await;
}

#[actix_web::test]
async fn a_letter_that_was_taken_and_not_sent_is_taken_again_when_its_lease_is_over_on_postgresql() {
    lent(TestApp::on_postgres().await).await;
}

#[actix_web::test]
async fn letters_to_those_who_are_gone_meanwhile_do_not_go_out() {
    let app = TestApp::with(no_limits).await;
    let (ann, bob, eve) = (app.user("ann").await, app.user("bob").await, app.user("eve").await);
    for name in ["ann", "bob", "eve"] {
        let given = json!({ "email": format!("{name}@example.org") });
        app.anonymous().post("/api/password/reset/", given).await.status(200);
    }
    ann.delete().await;
    bob.deactivate().await;
    eve.change(|changes| changes.email = Some("other@example.org".to_owned())).await;
    assert_eq!(app.letters().await, []);
    assert_eq!(letters(&app).await, []);
}

#[actix_web::test]
async fn letters_that_are_done_with_are_swept_away() {
    let app = TestApp::with(no_limits).await;
    app.user("ann").await;
    app.anonymous().post("/api/password/reset/", json!({ "email": "ann@example.org" })).await.status(200);
    let letter = app.letter_to("ann@example.org").await;
    let token = crate::support::letters::token_of(&crate::support::letters::link(&letter));
    let given = json!({ "token": token, "password": "battery staple 7" });
    app.anonymous().post("/api/password/reset/confirm/", given).await.status(200);
    let swept = async || sweeper::sweep(&app.site.db, app.clock.now(), |_| ()).await.unwrap().letters;
    app.clock.advance(hours(1));
    assert_eq!(swept().await, 0);
    app.clock.advance(hours(1));
    assert_eq!(swept().await, 1, "the mark of the token, which has expired");
    app.clock.advance(hours(24));
    assert_eq!(swept().await, 0, "the letter counts no more, and stands in the log");
    app.clock.advance(hours(29 * 24));
    assert_eq!(swept().await, 1, "the letter");
    assert_eq!(letters(&app).await, []);
}

#[actix_web::test]
async fn letters_can_go_into_files_that_only_their_owner_reads() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("letters");
    let app = TestApp::with(|settings| {
        (settings.mail.backend, settings.mail.folder) = (MailBackend::File, Some(path.clone()));
    });
    let app = app.await;
    register(&app, "ann").await;
    assert_eq!(postman::deliver_due(&app.site).await.unwrap(), 1);
    let files: Vec<_> = std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1);
    assert!(files[0].extension().is_some_and(|ending| ending == "eml"));
    assert_eq!(files[0].metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(&files[0]).unwrap();
    assert!(text.contains("To: ann@example.org\r\n") && text.contains("multipart/alternative"), "{text}");
}
