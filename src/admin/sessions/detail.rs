//! One session: whose it is, on what, and what has happened in it.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;

use crate::admin::error::PageError;
use crate::admin::inspector::why_said;
use crate::admin::layout::{Frame, html};
use crate::admin::sessions::{Row, moment};
use crate::admin::staff::{Sessions, Staff, View};
use crate::admin::tokens;
use crate::admin::users::Target;
use crate::admin::when::{Now, When};
use crate::auth::permissions::Verb;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::language::filters;
use crate::model::session::{self, Session};
use crate::model::session_list::{self, Moment, PANEL, SessionLine};
use crate::model::token_list::{self, TokenLine};
use crate::model::user_list;
use crate::site::Site;

/// Tokens of a session that its page shows.
const TOKENS: i64 = 50;

/// Something that happened.
struct Event {
    when: When,
    what: String,
}

struct Loaded {
    line: SessionLine,
    session: Option<Session>,
    ended_by: Option<String>,
    tokens: Vec<TokenLine>,
    target: Option<Target>,
}

#[derive(Template)]
#[template(path = "admin/sessions/detail.html")]
struct Page {
    frame: Frame,
    row: Row,
    agent: String,
    is_panel: bool,
    timeline: Vec<Event>,
    tokens: Vec<tokens::Row>,
    expires: When,
    may_see_users: bool,
    may_see_tokens: bool,
    may_revoke: bool,
}

/// The session that a page names so.
///
/// # Errors
/// 404 if there is none.
pub fn find(conn: &mut Conn, id: &str, at: Moment) -> Result<SessionLine> {
    let line = match id.strip_prefix(PANEL) {
        Some(digest) => session_list::of_panel(conn, digest, at)?,
        None => session_list::of_api(conn, id, at.now)?,
    };
    line.ok_or(Error::not_found())
}

fn load(conn: &mut Conn, id: &str, at: Moment) -> Result<Loaded> {
    let line = find(conn, id, at)?;
    let session = match id.parse() {
        Ok(sid) => session::by_id(conn, sid)?,
        Err(()) => None,
    };
    let by = session.as_ref().and_then(|session| session.ended_by);
    let ended_by = by.map(|id| user_list::names(conn, &[id])).transpose()?.and_then(|names| names.into_values().next());
    let tokens = if session.is_some() { token_list::of_session(conn, &line.id, TOKENS)? } else { Vec::new() };
    let target = line.user.map(|id| Target::load(conn, id)).transpose()?;
    Ok(Loaded { line, session, ended_by, tokens, target })
}

fn timeline(loaded: &Loaded, now: Now) -> Vec<Event> {
    let line = &loaded.line;
    let event = |at: Timestamp, what: String| Event { when: When::new(at, now), what };
    let signed_in = match line.ip.as_str() {
        "" => say!("Signed in"),
        ip => say!("Signed in from {ip}", ip),
    };
    let mut events = vec![event(line.started_at, signed_in)];
    let refreshes = loaded.tokens.len().saturating_sub(1);
    if refreshes > 0 {
        let refreshed =
            say!(count = refreshes => "Refreshed {count} time, last now" | "Refreshed {count} times, last now");
        events.push(event(line.last_seen_at, refreshed));
    } else if line.last_seen_at > line.started_at {
        events.push(event(line.last_seen_at, say!("Last seen")));
    }
    let ended = loaded.session.as_ref().and_then(|session| session.ended_at);
    match (ended, line.ended.as_deref()) {
        (Some(at), Some(why)) => {
            let why = why_said(why);
            let ended = match &loaded.ended_by {
                Some(username) => say!("Ended: {why}, by {username}", why, username),
                None => say!("Ended: {why}", why),
            };
            events.push(event(at, ended));
        }
        (None, Some("expired")) => events.push(event(line.expires_at.min(now.at), say!("Expired"))),
        (None, Some(why)) => events.push(event(now.at, say!("Over: {why}", why = why_said(why)))),
        (_, None) => {}
    }
    events
}

/// The page of a session.
pub async fn page(
    site: web::Data<Site>,
    staff: Staff<View<Sessions>>,
    id: web::Path<String>,
) -> Result<HttpResponse, PageError> {
    let (id, at) = (id.into_inner(), moment(&site));
    let now = staff.now();
    let is_panel = id.starts_with(PANEL);
    let loaded = site.db.read(move |conn| load(conn, &id, at)).await?;
    let within_reach = loaded.target.as_ref().is_none_or(|target| staff.actor().out_of_reach(target).is_none());
    let row = Row::new(loaded.line.clone(), now);
    let page = Page {
        frame: staff.frame(&[(&say!("Sessions"), "/admin/sessions/"), (&row.device.name, "")]),
        agent: loaded.line.user_agent.clone(),
        is_panel,
        timeline: timeline(&loaded, now),
        expires: When::new(loaded.line.expires_at, now),
        tokens: loaded.tokens.into_iter().map(|line| tokens::Row::new(line, now)).collect(),
        may_see_users: staff.may("users", Verb::View),
        may_see_tokens: staff.may("tokens", Verb::View),
        may_revoke: within_reach && row.is_live && staff.may("sessions", Verb::Revoke),
        row,
    };
    html(StatusCode::OK, &page)
}
