//! Signing out all users at once: typed, with the password, and sparing nobody but the actor's own panel session.

use actix_web::{HttpResponse, web};

use crate::admin::confirm::{Confirmation, Confirmed, Effect};
use crate::admin::error::PageError;
use crate::admin::form::Form;
use crate::admin::layout::{Frame, see_other};
use crate::admin::sessions::moment;
use crate::admin::staff::{Revoke, Sessions, Staff};
use crate::admin::users::sessions::{end_all, end_others};
use crate::admin::visit::Flash;
use crate::db::Conn;
use crate::db::tally::Tally;
use crate::error::{Error, Result};
use crate::language::{Said, thousands};
use crate::model::audit::{Change, Object};
use crate::model::session_list::{self, SessionQuery};
use crate::site::Site;

const PATH: &str = "/admin/sessions/sign-out-all/";
/// What must be typed.
const WORD: &str = key!("all users");
/// Users of one transaction, so that nobody else waits for long.
const BATCH: i64 = 500;

fn superuser(staff: &Staff<Revoke<Sessions>>) -> Result<(), PageError> {
    if staff.state().superuser {
        return Ok(());
    }
    Err(PageError::Refused(said!("Only a superuser signs out all users at once.")))
}

async fn asked(site: &Site) -> Result<Confirmation, PageError> {
    let at = moment(site);
    let live = SessionQuery { is_live: Some(true), ..SessionQuery::default() };
    let sessions =
        site.db.read(move |conn| Ok(session_list::counts(conn, &live, &Tally::exact(), at)?.matching)).await?;
    Ok(Confirmation {
        heading: say!("Sign out all users?"),
        words: say!(
            "Everybody has to sign in again, on every device. Access tokens already handed out end at once. Your own \
             session in this panel goes on; your other sessions end."
        ),
        dangerous: true,
        card: key!("What ends"),
        effects: vec![Effect {
            what: key!("Live sessions"),
            how_many: thousands(sessions),
            happens: key!("signed out now, with their access tokens; all but this one"),
            is_loss: true,
        }],
        action: PATH.to_owned(),
        typed: Some(Said::of(WORD).to_string()),
        act: say!("Sign out all users"),
        way_out: (say!("Keep them"), "/admin/sessions/".to_owned()),
        ..Confirmation::default()
    })
}

fn frame(staff: &Staff<Revoke<Sessions>>) -> Frame {
    staff.frame(&[(&say!("Sessions"), "/admin/sessions/"), (&say!("Sign out all users"), "")])
}

/// Asks before every session of everybody ends.
pub async fn ask(site: web::Data<Site>, staff: Staff<Revoke<Sessions>>) -> Result<HttpResponse, PageError> {
    superuser(&staff)?;
    staff.recently(&site, PATH)?;
    asked(&site).await?.page(frame(&staff))
}

/// Ends every session of everybody.
pub async fn sign_out(
    site: web::Data<Site>,
    staff: Staff<Revoke<Sessions>>,
    form: Form<Confirmed>,
) -> Result<HttpResponse, PageError> {
    superuser(&staff)?;
    staff.recently(&site, PATH)?;
    let ask = asked(&site).await?;
    let typed = form.input.as_ref().map_or("", |answer| answer.confirm.as_str());
    if !ask.is_met(typed) {
        return ask.refused(frame(&staff), form.sent);
    }
    let (at, now, me, token) = (moment(&site), staff.now(), staff.id(), staff.visit().token());
    let (mut users, mut sessions, mut after, mut is_first) = (0, 0, 0, true);
    loop {
        let (grants, actor, token) = (site.grants.clone(), staff.actor(), token.clone());
        let audit = staff.audits(&site, "session.end_everybodys").because(form.sent.value("reason"));
        let batch = move |conn: &mut Conn| {
            if !actor.state.superuser {
                return Err(Error::Forbidden);
            }
            if is_first {
                let object = Object { kind: "session", ..Object::default() };
                let live = SessionQuery { is_live: Some(true), ..SessionQuery::default() };
                let count = session_list::counts(conn, &live, &Tally::exact(), at)?.matching.saturating_sub(1);
                audit.on(object).with([Change::fact("sessions_ended", count)]).append(conn)?;
            }
            let ids = session_list::signed_in_users(conn, after, BATCH, at)?;
            let mut ended = 0;
            for id in &ids {
                ended += if *id == me {
                    end_others(conn, &grants, &actor, &token, at.idle_since, now)?
                } else {
                    end_all(conn, &grants, *id, at.now)?
                };
            }
            Ok((ids.len(), ended, ids.last().copied()))
        };
        let (count, ended, last) = staff.write(&site, batch).await?;
        (users, sessions, is_first) = (users + count, sessions + ended, false);
        match last {
            Some(last) => after = last,
            None => break,
        }
        tokio::task::yield_now().await;
    }
    let flash = Flash::done(said!(count = sessions => "{count} session ended." | "{count} sessions ended."));
    let more = say!(
        count = users => "{count} user was signed out everywhere. Your own session in this panel goes on."
            | "{count} users were signed out everywhere. Your own session in this panel goes on."
    );
    staff.done(&site, &flash.adding(more));
    Ok(see_other("/admin/sessions/"))
}
