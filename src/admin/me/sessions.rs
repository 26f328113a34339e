//! One's own sessions: where one is signed in, *Sign out* for each, and for all but this one.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;

use crate::admin::error::PageError;
use crate::admin::form::{Button, Form};
use crate::admin::layout::{Frame, html, see_other};
use crate::admin::staff::Staff;
use crate::admin::users::sessions::{Line, Place, Which, end_one, end_others, living};
use crate::admin::visit::Flash;
use crate::admin::when::count_words;
use crate::db::Conn;
use crate::device::Device;
use crate::error::Error;
use crate::language::filters;
use crate::model::audit::{Change, Object};
use crate::model::user;
use crate::site::Site;

const PATH: &str = "/admin/me/sessions/";

#[derive(Template)]
#[template(path = "admin/me/sessions.html")]
struct Page {
    frame: Frame,
    sessions: Vec<Line>,
    has_others: bool,
}

/// The page of one's own sessions.
pub async fn page(site: web::Data<Site>, staff: Staff) -> Result<HttpResponse, PageError> {
    let (id, now, token) = (staff.id(), staff.now(), staff.visit().token());
    let idle_since = now.at - site.settings.admin.session_idle;
    let load = move |conn: &mut Conn| {
        let me = user::by_id(conn, id)?.ok_or(Error::not_found())?;
        living(conn, id, me.generation, &token, idle_since, now)
    };
    let sessions = site.db.read(load).await?;
    let page = Page {
        frame: staff.frame(&[("Your account", "/admin/me/"), ("Sessions", "")]),
        has_others: sessions.iter().any(|session| !session.is_this),
        sessions,
    };
    html(StatusCode::OK, &page)
}

/// Ends one of one's own sessions.
pub async fn sign_out(site: web::Data<Site>, staff: Staff, form: Form<Which>) -> Result<HttpResponse, PageError> {
    let Ok((which, _)) = form.checked() else { return Ok(see_other(PATH)) };
    let (actor, grants, now) = (staff.actor(), site.grants.clone(), site.clock.now());
    let audit = staff.audits(&site, "session.end");
    let end = move |conn: &mut Conn| {
        let ended = end_one(conn, &grants, &which.session, actor.id, &actor, now)?;
        if let Some(place) = &ended {
            let told = [Change::fact("session", &which.session), Change::fact("device", place.in_english())];
            audit.on(Object::user(actor.id, &*actor.state.username)).with(told).append(conn)?;
        }
        Ok(ended)
    };
    let flash = match staff.write(&site, end).await? {
        Some(Place::Panel) => Flash::done(said!("You were signed out of the panel.")),
        Some(Place::Device(agent)) => {
            Flash::done(said!("You were signed out of {device}.", device = Device::from_agent(&agent).name))
        }
        None => Flash::warning(said!("That session had ended before.")),
    };
    staff.done(&site, &flash);
    Ok(see_other(PATH))
}

/// Ends all of one's own sessions but this one.
pub async fn sign_out_others(site: web::Data<Site>, staff: Staff, _: Form<Button>) -> Result<HttpResponse, PageError> {
    let (actor, grants, now, token) = (staff.actor(), site.grants.clone(), staff.now(), staff.visit().token());
    let idle_since = now.at - site.settings.admin.session_idle;
    let audit = staff.audits(&site, "session.end_others");
    let end = move |conn: &mut Conn| {
        let ended = end_others(conn, &grants, &actor, &token, idle_since, now)?;
        if ended > 0 {
            let object = Object::user(actor.id, &*actor.state.username);
            audit.on(object).with([Change::fact("sessions_ended", ended)]).append(conn)?;
        }
        Ok(ended)
    };
    let ended = staff.write(&site, end).await?;
    let flash = match ended {
        0 => Flash::warning("There was no other session."),
        _ => Flash::done(format!("{} ended.", count_words(ended, "other session", "other sessions"))),
    };
    staff.done(&site, &flash);
    Ok(see_other(PATH))
}
