//! Signing out one session: a button, and a word on what ended.

use actix_web::{HttpResponse, web};

use crate::admin::error::PageError;
use crate::admin::form::Form;
use crate::admin::layout::{inside_panel, see_other};
use crate::admin::sessions::detail::find;
use crate::admin::sessions::moment;
use crate::admin::staff::{Revoke, Sessions, Staff};
use crate::admin::users::{Actor, Target};
use crate::admin::visit::Flash;
use crate::auth::grants::Grants;
use crate::db::Conn;
use crate::device::Device;
use crate::error::Result;
use crate::model::audit::Object;
use crate::model::panel_session;
use crate::model::session::{Ended, SessionId};
use crate::model::session_list::{Kind, Moment, PANEL, SessionLine};
use crate::rest::fields::{Fields, Input};
use crate::site::Site;

/// Where to go on.
pub struct Then(String);

impl Input for Then {
    fn read(f: &mut Fields) -> Self {
        Self(f.text("then").blank().value())
    }
}

/// What a session is called: "Firefox on Linux of ann".
pub fn called(line: &SessionLine) -> String {
    let device = Device::from_agent(&line.user_agent).name;
    match &line.username {
        Some(username) => say!("{device} of {username}", device, username),
        None => device,
    }
}

/// A session as the audit log names it.
pub fn object(line: &SessionLine) -> Object {
    let panel = if line.kind == Kind::Admin { PANEL } else { "" };
    let device = Device::in_english(&line.user_agent);
    let called = match &line.username {
        Some(username) => format!("{device} of {username}"),
        None => device,
    };
    Object::new("session", format!("{panel}{}", line.id), called)
}

/// Why the actor cannot end a session; the database is asked about its user.
///
/// # Errors
/// The database's.
pub fn refusal(conn: &mut Conn, actor: &Actor, line: &SessionLine) -> Result<Option<PageError>> {
    let Some(id) = line.user else { return Ok(None) };
    let target = Target::load(conn, id)?;
    Ok(actor.reach(&target).err())
}

/// Ends a session inside the caller's transaction; `false` if it had ended before.
///
/// # Errors
/// The database's.
pub fn end(conn: &mut Conn, grants: &Grants, line: &SessionLine, by: i64, at: Moment) -> Result<bool> {
    if line.kind == Kind::Admin {
        return line.user.map_or(Ok(false), |user| panel_session::end(conn, user, &line.id));
    }
    let Ok(sid) = line.id.parse::<SessionId>() else { return Ok(false) };
    grants.end_in(conn, sid, line.user, Ended::ByAdmin, Some(by), at.now)
}

/// Ends one session.
pub async fn sign_out(
    site: web::Data<Site>,
    staff: Staff<Revoke<Sessions>>,
    id: web::Path<String>,
    form: Form<Then>,
) -> Result<HttpResponse, PageError> {
    let id = id.into_inner();
    let then = form.checked().map_or_else(|_| String::new(), |(Then(then), _)| then);
    let back = if then.is_empty() { format!("/admin/sessions/{id}/") } else { inside_panel(&then).to_owned() };
    let (actor, grants, at) = (staff.actor(), site.grants.clone(), moment(&site));
    let audit = staff.audits(&site, "session.end");
    let sign_out = move |conn: &mut Conn| {
        let line = find(conn, &id, at)?;
        if let Some(refusal) = refusal(conn, &actor, &line)? {
            return Ok(Err(refusal));
        }
        let ended = end(conn, &grants, &line, actor.id, at)?;
        if ended {
            audit.on(object(&line)).append(conn)?;
        }
        Ok(Ok((ended, line)))
    };
    let (ended, line) = staff.write(&site, sign_out).await??;
    let device = Device::from_agent(&line.user_agent).name;
    let flash = match (ended, &line.username) {
        (true, Some(username)) => Flash::done(said!("{username} was signed out of {device}.", username, device))
            .adding(say!("Access tokens already handed out ended with it.")),
        (true, None) => Flash::done(said!("The session on {device} was ended.", device)),
        (false, _) => Flash::warning(said!("That session had ended before.")),
    };
    staff.done(&site, &flash);
    // A session of the panel leaves no row behind.
    let is_gone = line.kind == Kind::Admin && then.is_empty();
    Ok(see_other(if is_gone { "/admin/sessions/" } else { &back }))
}
