//! The sweeper: what has expired goes in small batches, and requests go on meanwhile.

use std::cell::RefCell;
use std::time::Duration;

use diesel::prelude::*;
use futures_util::future::{Either, select};
use portcullis::clock::Timestamp;
use portcullis::db::Conn;
use portcullis::db::schema::{blacklisted_tokens, changes, outstanding_tokens, sessions};
use portcullis::error::Result;
use portcullis::model::change::{self, What};
use portcullis::model::session::{self, Device, Ended, NewSession, SessionId, SessionKind};
use portcullis::model::token::{self, NewOutstandingToken};
use portcullis::ops::sweeper::{self, Swept};
use serde_json::json;

use crate::support::app::{TestApp, days, hours, minutes, seconds};

/// A session whose tokens, of these names, expire `ago` before `now`.
fn expired(conn: &mut Conn, names: &[&str], ago: Duration, now: Timestamp) -> Result<SessionId> {
    let id = SessionId::of_token(names[0]);
    let (start, expires_at) = (now - ago - days(1), now - ago);
    let new = NewSession {
        id,
        user: None,
        generation: 0,
        kind: SessionKind::Pair,
        device: &Device::default(),
        expires: start + days(90),
    };
    session::start(conn, new, start)?;
    for jti in names {
        on_record(conn, id, jti, expires_at)?;
    }
    change::append(conn, What::Ended { session: id, user: None }, start, expires_at)?;
    Ok(id)
}

fn on_record(conn: &mut Conn, id: SessionId, jti: &str, expires_at: Timestamp) -> Result<()> {
    let session_id = &id.to_string();
    let created_at = expires_at - days(1);
    token::insert(
        conn,
        &NewOutstandingToken { jti, session_id, user_id: None, kind: "refresh", kid: None, created_at, expires_at },
    )
}

fn blacklist(conn: &mut Conn, jti: &str, now: Timestamp) -> Result<()> {
    let row = token::by_jti(conn, jti)?.unwrap();
    token::blacklist(conn, row.id, Ended::SignedOut, None, now).map(drop)
}

#[actix_web::test]
async fn what_has_been_over_for_an_hour_goes_and_nothing_else() {
    let app = TestApp::new().await;
    let now = app.clock.now();
    app.write(move |conn| {
        expired(conn, &["long ago", "long ago too"], days(3), now)?;
        blacklist(conn, "long ago", now - days(4))?;
        expired(conn, &["an hour ago"], hours(1), now)?;
        expired(conn, &["just not"], hours(1) - seconds(1), now)?;
        blacklist(conn, "just not", now - minutes(90))?;
        let half = expired(conn, &["of two the first"], hours(5), now)?;
        on_record(conn, half, "of two the second", now + hours(5))?;
        expired(conn, &["blacklisted and alive"], Duration::ZERO, now + days(1))?;
        blacklist(conn, "blacklisted and alive", now - days(5))
    })
    .await;

    let swept = sweeper::sweep(&app.site.db, now, |_| ()).await.unwrap();

    assert_eq!(swept, Swept { tokens: 4, sessions: 2, changes: 3, letters: 0, answers: 0 });
    let (tokens, dead, left) = app
        .read(|conn| {
            let tokens: Vec<String> =
                outstanding_tokens::table.select(outstanding_tokens::jti).order(outstanding_tokens::id).load(conn)?;
            let dead: Vec<String> = blacklisted_tokens::table
                .inner_join(outstanding_tokens::table)
                .select(outstanding_tokens::jti)
                .order(outstanding_tokens::id)
                .load(conn)?;
            Ok((tokens, dead, sessions::table.count().get_result::<i64>(conn)?))
        })
        .await;
    assert_eq!(tokens, ["just not", "of two the second", "blacklisted and alive"]);
    assert_eq!(dead, ["just not", "blacklisted and alive"]);
    assert_eq!(left, 3);
    assert_eq!(sweeper::sweep(&app.site.db, now, |_| ()).await.unwrap(), Swept::default());
}

#[derive(Debug, PartialEq)]
enum Event {
    Batch(usize),
    Request,
}

#[actix_web::test]
async fn requests_are_answered_between_the_batches() {
    const ROWS: usize = 1000;
    let app = TestApp::new().await;
    let (ann, now) = (app.user("ann").await, app.clock.now());
    let mut pair = ann.obtain().await;
    app.write(move |conn| (0..ROWS).try_for_each(|n| expired(conn, &[&format!("{n}")], days(2), now).map(drop))).await;

    let events = RefCell::new(Vec::new());
    let sweep = async {
        let progress = |tokens| events.borrow_mut().push(Event::Batch(tokens));
        sweeper::sweep(&app.site.db, now, progress).await.unwrap()
    };
    let requests = async {
        while events.borrow().len() < 10_000 {
            pair = ann.refresh(&pair.refresh).await.status(200).ok();
            ann.with(&pair.access).post("/api/tasks/", json!({ "title": "Buy milk" })).await.status(201);
            events.borrow_mut().push(Event::Request);
        }
    };
    let Either::Left((swept, _)) = select(Box::pin(sweep), Box::pin(requests)).await else {
        panic!("the sweep has not ended")
    };

    assert_eq!((swept.tokens, swept.sessions), (ROWS, ROWS));
    let events = events.into_inner();
    let mut before = 0;
    for event in &events {
        if let Event::Batch(tokens) = event {
            assert!(tokens - before <= 50, "a batch of {}", tokens - before);
            before = *tokens;
        }
    }
    let last = events.iter().rposition(|event| *event == Event::Batch(ROWS)).unwrap();
    let between = events[..last].iter().filter(|event| **event == Event::Request).count();
    assert!(between >= 2, "{between} requests were answered while the sweep went on: {events:?}");
    let left: i64 = app.read(|conn| Ok(changes::table.count().get_result(conn)?)).await;
    assert!(left < 10, "{left} entries of the log are left");
}
