//! Jobs: how far an act on many rows has come, what was left out and why, and *Stop*.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpResponse, web};
use askama::Template;

use crate::admin::bulk::job::{act_of, stopped_by, trouble};
use crate::admin::bulk::lists::Facts;
use crate::admin::error::PageError;
use crate::admin::form::{Button, Form};
use crate::admin::layout::{Frame, html, see_other};
use crate::admin::staff::Staff;
use crate::admin::users::Badge;
use crate::admin::visit::Flash;
use crate::admin::when::{Now, When};
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::language::{Said, filters, spoken, thousands};
use crate::model::audit::{Change, Object};
use crate::model::bulk_job::{self, Job, NotDone, State};
use crate::rest::payload::pairs;
use crate::site::Site;

/// Browsers follow it without script; that it can be turned off is WCAG 2.2.2.
const REFRESH: HeaderName = HeaderName::from_static("refresh");
const EVERY: Duration = Duration::from_secs(3);

#[derive(Template)]
#[template(path = "admin/job.html")]
struct Page {
    frame: Frame,
    job: Job,
    /// Why it came to an end, if that was before its last row.
    trouble: Option<Said>,
    /// The rows that it is about.
    filter: String,
    title: String,
    state: Badge,
    is_running: bool,
    refreshes: bool,
    path: String,
    list: (&'static str, &'static str),
    reached: i64,
    progress: String,
    figures: Vec<(&'static str, String)>,
    begun: When,
    ended: Option<When>,
    not_done: Vec<NotDone>,
    not_told: String,
}

/// The job, for whoever began it and for superusers; to others there is none.
fn theirs<N>(staff: &Staff<N>, job: Option<Job>) -> Result<Job, PageError> {
    let job = job.filter(|job| job.actor_id == staff.id() || staff.state().superuser);
    job.ok_or_else(|| Error::not_found().into())
}

fn title(job: &Job) -> Said {
    match act_of(job) {
        Some((_, act)) => (act.plan().titled)(job.total.try_into().unwrap_or(usize::MAX)),
        None => said!("Job {id}", id = job.id),
    }
}

/// The filter of a job in the viewer's words; as it was kept, in English, if that is spoken or it can be read no more.
async fn filter(site: &Site, job: &Job, now: Now) -> Result<String> {
    let list = act_of(job).map(|(list, _)| list).filter(|_| spoken().is_some());
    let Some(list) = list else { return Ok(job.filter.clone()) };
    let (facts, query) = (Facts::of(site, Now { at: job.created_at, ..now }).await?, job.query.clone());
    let matching = site.db.read(move |conn| list.matching(conn, &query, &facts)).await?;
    Ok(matching.map_or_else(|| job.filter.clone(), |matching| matching.words))
}

fn badge(job: &Job) -> Badge {
    let (kind, text, icon) = match () {
        () if job.is(State::Running) => ("accent", say!("Running"), "clock"),
        () if job.is(State::Done) => ("ok", say!("Done"), "ok"),
        () if job.is(State::Stopped) => ("warn", say!("Stopped"), "off"),
        () => ("bad", say!("Failed"), "fail"),
    };
    Badge { kind, text, icon }
}

/// The page of a job.
pub async fn page(site: web::Data<Site>, staff: Staff, id: web::Path<i64>) -> Result<HttpResponse, PageError> {
    let (id, now) = (*id, staff.now());
    let load =
        move |conn: &mut Conn| Ok((bulk_job::by_id(conn, id)?, bulk_job::not_done(conn, id, bulk_job::MOST_TOLD)?));
    let (job, not_done) = site.db.read(load).await?;
    let job = theirs(&staff, job)?;
    let asked = pairs(staff.visit().request().query_string().as_bytes());
    let is_running = job.is(State::Running);
    let refreshes = is_running && !asked.iter().any(|(name, value)| name == "refresh" && value == "off");
    let (title, filter) = (title(&job).to_string(), filter(&site, &job, now).await?);
    let told = i64::try_from(not_done.len()).unwrap_or(i64::MAX);
    let more = job.left_out + job.failed - told;
    let list = act_of(&job).map(|(list, _)| list);
    let crumbs = list.map_or_else(|| (say!("Dashboard"), "/admin/"), |list| (list.title(), list.path));
    let reached = (job.done + job.left_out + job.failed).min(job.total);
    let page = Page {
        frame: staff.frame(&[(&crumbs.0, crumbs.1), (&title, "")]),
        state: badge(&job),
        path: format!("/admin/jobs/{id}/"),
        list: list.map_or(("/admin/", key!("Back to the dashboard")), |list| (list.path, key!("Back to the list"))),
        progress: say!(
            count = job.total => "{reached} of {count} row reached" | "{reached} of {count} rows reached",
            reached = thousands(reached)
        ),
        reached,
        figures: vec![
            (key!("Done"), thousands(job.done)),
            (key!("Left out"), thousands(job.left_out)),
            (key!("Failed"), thousands(job.failed)),
            (key!("Ended with them"), thousands(job.also)),
        ],
        begun: When::new(job.created_at, now),
        ended: job.ended_at.map(|at| When::new(at, now)),
        not_told: match more {
            ..=0 => String::new(),
            count => say!(count => "{count} more is counted above." | "{count} more are counted above."),
        },
        not_done,
        is_running,
        refreshes,
        title,
        filter,
        trouble: (!job.trouble.is_empty()).then(|| trouble(&job.trouble)),
        job,
    };
    let mut response = html(StatusCode::OK, &page)?;
    if refreshes && let Ok(every) = HeaderValue::from_str(&EVERY.as_secs().to_string()) {
        response.headers_mut().insert(REFRESH, every);
    }
    Ok(response)
}

/// Stops a job: what is done stays done, the rest is left as it is.
pub async fn stop(
    site: web::Data<Site>,
    staff: Staff,
    id: web::Path<i64>,
    _: Form<Button>,
) -> Result<HttpResponse, PageError> {
    let (id, now) = (*id, site.clock.now());
    let job = theirs(&staff, site.db.read(move |conn| bulk_job::by_id(conn, id)).await?)?;
    let name = title(&job).in_english();
    let audit = staff.audits(&site, "job.stop").on(Object::new("job", id, &name));
    let words = stopped_by(&staff.state().username);
    let stop = move |conn: &mut Conn| {
        if !bulk_job::end(conn, id, State::Stopped, &words, now)? {
            return Ok(false);
        }
        let job = bulk_job::by_id(conn, id)?.ok_or(Error::not_found())?;
        audit.with([Change::fact("done", job.done), Change::fact("of", job.total)]).append(conn)?;
        Ok(true)
    };
    let flash = match staff.write(&site, stop).await? {
        true => Flash::done(said!("The job was stopped.")).adding(said!("What is done stays done.")),
        false => Flash::warning(said!("The job had ended before.")),
    };
    staff.done(&site, &flash);
    Ok(see_other(&format!("/admin/jobs/{id}/")))
}
