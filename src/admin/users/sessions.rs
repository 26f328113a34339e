//! A user's sessions: where they are signed in, and *Sign out* for each.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use crate::admin::error::PageError;
use crate::admin::form::Form;
use crate::admin::layout::{Frame, html, see_other};
use crate::admin::staff::{Revoke, Sessions, Staff, View};
use crate::admin::users::head::Head;
use crate::admin::users::{Actor, Target};
use crate::admin::visit::{Flash, Visit};
use crate::admin::when::{Now, When, ago};
use crate::auth::grants::Grants;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::language::filters;
use crate::model::audit::{Change as Changed, Object};
use crate::model::session::{self, Ended, SessionId};
use crate::model::{panel_session, user};
use crate::rest::fields::{Fields, Input};
use crate::site::Site;

/// A session of the panel is named by this and the digest of its key.
pub const PANEL: &str = "panel-";

/// A session as a page shows it.
pub struct Line {
    /// What a form names it by.
    pub id: String,
    /// The device.
    pub device: Device,
    /// The address at sign-in.
    pub ip: String,
    /// What it is for, a key.
    pub kind: &'static str,
    /// When it began.
    pub started: When,
    /// When it was last used.
    pub seen: String,
    /// Its absolute end.
    pub expires: When,
    /// Whether it is the viewer's own, here and now.
    pub is_this: bool,
    seen_at: Timestamp,
}

/// What a panel session holds that matters here.
#[derive(Deserialize)]
struct Held {
    #[serde(default)]
    generation: String,
    #[serde(default)]
    form_token: String,
}

/// The living sessions of a user, last seen first. `own_token` is the viewer's form token, by which their own is known.
pub fn living(
    conn: &mut Conn,
    user: i64,
    generation: i32,
    own_token: &str,
    idle_since: Timestamp,
    now: Now,
) -> Result<Vec<Line>> {
    let api = session::live_of(conn, user, now.at)?.into_iter().map(|session| Line {
        device: Device::from_agent(&session.user_agent),
        kind: if session.kind == "sliding" { key!("Sliding token") } else { key!("API") },
        ip: session.ip,
        started: When::new(session.started_at, now),
        seen: ago(session.last_seen_at, now),
        expires: When::new(session.expires_at, now),
        is_this: false,
        seen_at: session.last_seen_at,
        id: session.id,
    });
    let panel = panel_session::live_of(conn, user, now.at, idle_since)?.into_iter().filter_map(|session| {
        let held: Held = serde_json::from_str(&session.state).ok()?;
        (held.generation == generation.to_string()).then(|| Line {
            device: Device::from_agent(&session.user_agent),
            kind: key!("Panel"),
            ip: session.ip,
            started: When::new(session.started_at, now),
            seen: ago(session.last_seen_at, now),
            expires: When::new(session.expires_at, now),
            is_this: serde_json::from_str::<String>(&held.form_token).is_ok_and(|token| token == own_token),
            seen_at: session.last_seen_at,
            id: format!("{PANEL}{}", session.key_digest),
        })
    });
    let mut lines: Vec<Line> = api.chain(panel).collect();
    lines.sort_by_key(|line| std::cmp::Reverse(line.seen_at));
    Ok(lines)
}

#[derive(Template)]
#[template(path = "admin/users/sessions.html")]
struct Page {
    frame: Frame,
    head: Head,
    sessions: Vec<Line>,
}

/// The tab with the sessions of a user.
pub async fn page(
    site: web::Data<Site>,
    staff: Staff<View<Sessions>>,
    id: web::Path<i64>,
) -> Result<HttpResponse, PageError> {
    let (id, actor, now) = (*id, staff.actor(), staff.now());
    let (idle_since, own_token) = (now.at - site.settings.admin.session_idle, staff.visit().token());
    let must_be_verified = site.settings.accounts.require_verified_email;
    let load = move |conn: &mut Conn| {
        let target = Target::load(conn, id)?;
        let user = user::by_id(conn, id)?.ok_or(Error::not_found())?;
        let sessions = living(conn, id, user.generation, &own_token, idle_since, now)?;
        let head = Head::new(&user, &target, &actor, "sessions", sessions.len(), must_be_verified, now);
        Ok((head, sessions))
    };
    let (head, sessions) = site.db.read(load).await?;
    let user_path = format!("/admin/users/{id}/");
    let frame =
        staff.frame(&[(&say!("Users"), "/admin/users/"), (&head.username, &user_path), (&say!("Sessions"), "")]);
    html(StatusCode::OK, &Page { frame, head, sessions })
}

/// Which session to end, and where to go on.
pub struct Which {
    /// The session, as pages name it.
    pub session: String,
    then: String,
}

impl Input for Which {
    fn read(f: &mut Fields) -> Self {
        Self { session: f.text("session").required().value(), then: f.text("then").blank().value() }
    }
}

/// Ends one session of a user.
pub async fn sign_out(
    site: web::Data<Site>,
    staff: Staff<Revoke<Sessions>>,
    id: web::Path<i64>,
    form: Form<Which>,
) -> Result<HttpResponse, PageError> {
    let id = *id;
    let back_to = |then: &str| {
        let tab = if then == "profile" { "" } else { "sessions/" };
        see_other(&format!("/admin/users/{id}/{tab}"))
    };
    let Ok((which, _)) = form.checked() else { return Ok(back_to("")) };
    let (actor, grants, now) = (staff.actor(), site.grants.clone(), site.clock.now());
    let session = which.session;
    let audit = staff.audits(&site, "session.end");
    let end = move |conn: &mut Conn| {
        let target = Target::load(conn, id)?;
        if let Err(refusal) = actor.reach(&target) {
            return Ok(Err(refusal));
        }
        let (ended, username) = (end_one(conn, &grants, &session, id, &actor, now)?, target.state.username);
        if let Some(place) = &ended {
            let told = [Changed::fact("session", &session), Changed::fact("device", place.in_english())];
            audit.on(Object::user(id, &*username)).with(told).append(conn)?;
        }
        Ok(Ok((ended, username)))
    };
    let (ended, username) = staff.write(&site, end).await??;
    let flash = match ended {
        Some(Place::Panel) => Flash::done(said!("{username} was signed out of the panel.", username)),
        Some(Place::Device(agent)) => {
            let device = Device::from_agent(&agent).name;
            Flash::done(said!("{username} was signed out of {device}.", username, device))
        }
        None => {
            staff.done(&site, &Flash::warning(said!("That session had ended before.")));
            return Ok(back_to(&which.then));
        }
    };
    let flash = flash.adding(say!("Access tokens already handed out ended with it."));
    staff.done(&site, &flash);
    Ok(back_to(&which.then))
}

/// Where somebody was signed in.
pub enum Place {
    /// In the panel.
    Panel,
    /// On the device of this User-Agent.
    Device(String),
}

impl Place {
    /// Its name, as it is stored.
    pub fn in_english(&self) -> String {
        match self {
            Self::Panel => "the panel".to_owned(),
            Self::Device(agent) => Device::in_english(agent),
        }
    }
}

/// Ends one session of a user and returns where that was; `None` if it is not, or no longer, the user's.
///
/// # Errors
/// The database's.
pub fn end_one(
    conn: &mut Conn,
    grants: &Grants,
    session: &str,
    user: i64,
    actor: &Actor,
    now: Timestamp,
) -> Result<Option<Place>> {
    if let Some(digest) = session.strip_prefix(PANEL) {
        return Ok(panel_session::end(conn, user, digest)?.then_some(Place::Panel));
    }
    let Ok(sid) = session.parse::<SessionId>() else { return Ok(None) };
    let Some(row) = session::by_id(conn, sid)?.filter(|row| row.user_id == Some(user)) else { return Ok(None) };
    let ended = grants.end_in(conn, sid, Some(user), Ended::ByAdmin, Some(actor.id), now)?;
    Ok(ended.then_some(Place::Device(row.user_agent)))
}

/// Ends everything a user is signed in with, inside the caller's transaction; returns how many sessions that were.
///
/// # Errors
/// The database's.
pub fn end_all(conn: &mut Conn, grants: &Grants, user: i64, now: Timestamp) -> Result<usize> {
    Ok(panel_session::end_all(conn, user)? + grants.end_all_in(conn, user, now)?)
}

/// Ends the actor's own sessions inside the caller's transaction, all but the one of the panel whose forms have this token:
/// raising the generation would end that one, too. Returns how many ended.
///
/// # Errors
/// The database's.
pub fn end_others(
    conn: &mut Conn,
    grants: &Grants,
    actor: &Actor,
    own_token: &str,
    idle_since: Timestamp,
    now: Now,
) -> Result<usize> {
    let me = user::by_id(conn, actor.id)?.ok_or(Error::Forbidden)?;
    let mut ended = 0;
    for line in living(conn, me.id, me.generation, own_token, idle_since, now)? {
        if !line.is_this && end_one(conn, grants, &line.id, me.id, actor, now.at)?.is_some() {
            ended += 1;
        }
    }
    Ok(ended)
}

/// After everything was ended: whoever ended their own session goes to the sign-in page.
pub fn after_end_of_all(visit: &Visit, is_self: bool, path: &str) -> HttpResponse {
    if is_self {
        visit.session().purge();
        return see_other("/admin/login/?note=ended");
    }
    see_other(path)
}
