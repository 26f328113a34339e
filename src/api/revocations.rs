//! The revocation feed: the change log over HTTP, so that a service that verifies tokens by itself refuses what has been
//! ended within a second.
//!
//! A snapshot says all that matters now and the cursor it stands at; the stream goes on from a cursor, one event for each
//! step. Both come as JWS signed by the key that signs tokens. An event names the cursor it follows (`after`): a reader
//! that finds a gap there takes a new snapshot. How a service checks a token with it:
//!
//! 1. refuse it if `sid` is among the ended sessions, or the first 16 bytes of SHA-256(`jti`), in base64url, are;
//! 2. refuse it if its `gen` is less than that of its user, where the feed names one.

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::Method;
use actix_web::http::header::HeaderName;
use actix_web::web::{Bytes, Data};
use futures_util::stream;
use serde::Serialize;

use crate::api::services::Askers;
use crate::auth::gate::Principal;
use crate::auth::permissions::Verb;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::model::change::{self, Change, What};
use crate::model::user;
use crate::rest::answer::Answer;
use crate::rest::caller::Caller;
use crate::rest::list::ListQuery;
use crate::rest::permission::Permission;
use crate::rest::reach::Reach;
use crate::site::Site;

/// How often the stream looks whether memory has moved on.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How often it says that it is still there, for proxies that close what is silent.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);
/// The most steps of one event.
const PORTION: i64 = 500;
/// What an API key needs for it.
pub const REACH: Reach = Reach::One("services", Verb::View);
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// One step of the feed, or all of them: the payload of its JWS.
#[derive(Debug, Default, Serialize)]
struct Step {
    iat: i64,
    /// The cursor that this follows; none in a snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<i64>,
    /// The cursor that the reader stands at afterwards.
    cursor: i64,
    /// Sessions, and single tokens by the session that would be theirs alone, each with the second until which it matters.
    ended: Vec<(String, i64)>,
    /// Users, each with the least generation that is good.
    users: Vec<(i64, i32)>,
}

impl Step {
    fn of(conn: &mut Conn, changes: Vec<Change>, after: Option<i64>, cursor: i64, now: Timestamp) -> Result<Self> {
        let mut step = Self { iat: now.seconds(), after, cursor, ..Self::default() };
        for change in changes {
            match change.what {
                What::Ended { session, .. } => step.ended.push((session.to_string(), change.until.seconds())),
                What::User(id) if step.users.iter().any(|(known, _)| *known == id) => {}
                What::User(id) => {
                    // Of a user who is gone or switched off nothing is good.
                    let user = user::by_id(conn, id)?.filter(|user| user.is_active);
                    step.users.push((id, user.map_or(i32::MAX, |user| user.generation)));
                }
                What::Keys | What::ApiKey(_) | What::Throttle { .. } | What::Event { .. } => {}
            }
        }
        Ok(step)
    }
}

/// GET `/api/revocations/`: a snapshot; with `Accept: text/event-stream`, the steps after `?cursor=` or `Last-Event-ID`.
///
/// # Errors
/// 400 for a cursor that is no number; 410 for one that the log no longer reaches back to.
pub async fn feed(site: Data<Site>, caller: Caller<Askers>, query: ListQuery, request: HttpRequest) -> Result<Answer> {
    let resumed = request.headers().get(LAST_EVENT_ID).and_then(|value| value.to_str().ok());
    let cursor = resumed.or(query.param("cursor")).unwrap_or("0");
    let cursor: i64 = cursor.parse().map_err(|_| Error::field("cursor", "A valid integer is required."))?;
    if !wants_events(&request) {
        let now = site.clock.now();
        let snapshot = move |conn: &mut Conn| {
            let cursor = change::position(conn)?;
            let live = change::live(conn, now)?;
            Step::of(conn, live, None, cursor, now)
        };
        let snapshot = site.db.read(snapshot).await?;
        return Answer::ok(&serde_json::json!({ "cursor": snapshot.cursor, "snapshot": seal(&site, &snapshot)? }));
    }
    let reachable = move |conn: &mut Conn| change::reaches_back_to(conn, cursor);
    if !site.db.read(reachable).await? {
        return Err(Error::Gone("The log no longer reaches back to this cursor: take a new snapshot."));
    }
    let events = Events { site, who: caller.principal(), cursor, read: cursor, spoke: Timestamp::default() };
    let stream = stream::unfold(events, |mut events| async move {
        let event = events.next().await?;
        Some((Ok::<_, Error>(event), events))
    });
    Ok(Answer::stream("text/event-stream", stream))
}

/// Whether the client wants the stream.
fn wants_events(request: &HttpRequest) -> bool {
    let accept = request.headers().get(actix_web::http::header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.split(',').any(|range| range.trim().starts_with("text/event-stream")))
}

/// A reader of the stream, between two events.
struct Events {
    site: Data<Site>,
    who: Arc<Principal>,
    /// What the reader was told last.
    cursor: i64,
    /// How far the log was read: beyond that where it holds events for sockets, of which the reader is not told.
    read: i64,
    spoke: Timestamp,
}

impl Events {
    /// The next event, or a sign of life; `None` once the reader's token or key is over, or opens this no more: then the
    /// connection ends, and a new one is up to the reader.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            let now = self.site.clock.now();
            if !self.may_go_on(now).await {
                return None;
            }
            if self.site.follower.position() > self.read {
                match self.step(now).await {
                    Ok(Some(event)) => {
                        self.spoke = now;
                        return Some(event);
                    }
                    Ok(None) => {}
                    Err(error) => {
                        log::error!("the revocation feed stopped: {error}");
                        return None;
                    }
                }
            }
            if now.since(self.spoke) >= SIGN_OF_LIFE {
                self.spoke = now;
                return Some(Bytes::from_static(b": still here\n\n"));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn may_go_on(&self, now: Timestamp) -> bool {
        let who = self.site.gate.renew(&self.who, now).await.ok().flatten();
        who.is_some_and(|who| {
            REACH.allows(&who, &Method::GET) && <Askers as Permission>::allows(Some(&who), &Method::GET)
        })
    }

    async fn step(&mut self, now: Timestamp) -> Result<Option<Bytes>> {
        let (after, from) = (self.cursor, self.read);
        let read = move |conn: &mut Conn| {
            let mut changes = change::since(conn, from, PORTION)?;
            let reached = changes.last().map_or(from, |change| change.id);
            changes.retain(|change| !matches!(change.what, What::Throttle { .. } | What::Event { .. }));
            if changes.is_empty() {
                return Ok((reached, None));
            }
            Step::of(conn, changes, Some(after), reached, now).map(|step| (reached, Some(step)))
        };
        let (reached, step) = self.site.db.read(read).await?;
        self.read = reached;
        let Some(step) = step else { return Ok(None) };
        self.cursor = step.cursor;
        let sealed = seal(&self.site, &step)?;
        Ok(Some(Bytes::from(format!("id: {}\nevent: revoked\ndata: {sealed}\n\n", step.cursor))))
    }
}

/// The step as JWS, by the key that signs tokens. It says no `exp`, so it can be no token.
fn seal(site: &Site, step: &Step) -> Result<String> {
    site.signer.seal(&serde_json::to_vec(step).map_err(Error::internal)?)
}
