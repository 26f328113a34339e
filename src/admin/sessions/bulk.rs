//! Signing out the sessions ticked in the list.

use actix_web::HttpResponse;

use crate::admin::bulk::{Answer, Outcome, Row};
use crate::admin::error::PageError;
use crate::admin::layout::see_other;
use crate::admin::sessions::acts::{called, end, object, refusal};
use crate::admin::sessions::detail::find;
use crate::admin::sessions::moment;
use crate::admin::staff::Staff;
use crate::admin::users::Actor;
use crate::admin::visit::Flash;
use crate::admin::when::count_words;
use crate::auth::permissions::{Permission, Verb};
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::model::session_list::{Moment, SessionLine};
use crate::site::Site;

/// Asks about signing out the sessions ticked, or does it, once that was answered.
pub async fn handle(site: &Site, staff: &Staff, answer: Answer) -> Result<HttpResponse, PageError> {
    if answer.action != "sign-out" {
        return Ok(answer.nothing_chosen(staff));
    }
    if let Some(needed) = Permission::of("sessions", Verb::Revoke) {
        staff.require(site, needed).await?;
    }
    let (actor, keys, at) = (staff.actor(), answer.keys.clone(), moment(site));
    let rows = site.db.read(move |conn| rows(conn, &actor, &keys, at)).await?;
    let rows: Vec<Row> = rows.into_iter().map(|(_, row)| row).collect();
    let mut ask = answer.asked("/admin/sessions/", ("session", "sessions"), &rows, |what| format!("Sign out {what}?"));
    ask.words = "Each device has to sign in again. Access tokens already handed out end at once.".to_owned();
    if !ask.act.is_empty() {
        ask.act = "Sign out".to_owned();
    }
    let frame = staff.frame(&[("Sessions", "/admin/sessions/"), ("Sign out", "")]).within("/admin/sessions/");
    if !answer.is_sure() {
        return ask.page(frame);
    }
    if !ask.is_met(&answer.confirm) {
        return ask.refused(frame, answer.sent);
    }
    let (actor, grants, keys) = (staff.actor(), site.grants.clone(), answer.keys.clone());
    let audit = staff.audits(site, "session.end").because(answer.sent.value("reason"));
    let sign_out = move |conn: &mut Conn| {
        let mut outcome = Outcome::default();
        for (line, row) in self::rows(conn, &actor, &keys, at)? {
            let done = row.left_out.is_none() && end(conn, &grants, &line, actor.id, at)?;
            *(if done { &mut outcome.done } else { &mut outcome.left_out }) += 1;
            if done {
                audit.clone().on(object(&line)).append(conn)?;
            }
        }
        Ok(outcome)
    };
    let outcome = staff.write(site, sign_out).await?;
    let flash = match outcome.done {
        0 => Flash::warning("Nothing was changed."),
        done => Flash::done(format!("{} ended.", count_words(done, "session", "sessions"))),
    };
    staff.done(site, &flash.adding(outcome.in_words("", "")));
    Ok(see_other(answer.back()))
}

/// The sessions ticked, each with the reason why it will be left out.
fn rows(conn: &mut Conn, actor: &Actor, keys: &[String], at: Moment) -> Result<Vec<(SessionLine, Row)>> {
    let mut rows = Vec::new();
    for key in keys {
        let line = match find(conn, key, at) {
            Ok(line) => line,
            Err(Error::NotFound(_)) => continue,
            Err(error) => return Err(error),
        };
        let left_out = match (&line.ended, refusal(conn, actor, &line)?) {
            (Some(_), _) => Some("over already".to_owned()),
            (None, refusal) => refusal.map(|refusal| refusal.to_words()),
        };
        let (name, about) = (called(&line), line.ip.clone());
        rows.push((line, Row { name, about, left_out }));
    }
    Ok(rows)
}
