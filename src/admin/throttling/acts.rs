//! What is done about somebody who is throttled: held back for a time, never held back, cleared. It holds on every server from
//! the moment of its commit, and after a restart.

use std::time::Duration;

use actix_web::{HttpResponse, web};

use crate::admin::error::PageError;
use crate::admin::form::{Button, Form};
use crate::admin::layout::{inside_panel, see_other};
use crate::admin::staff::{Change, Staff, Throttling};
use crate::admin::throttling::{HOLDS, path_of};
use crate::admin::users::Target;
use crate::admin::visit::Flash;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::language::Said;
use crate::middleware::client_ip;
use crate::model::audit::{Change as Changed, Object};
use crate::model::throttled;
use crate::rest::fields::{Fields, Input};
use crate::rest::view::{ANON, USER};
use crate::site::Site;
use crate::throttle::Subject;

/// A user or an address that is acted on.
pub struct Who {
    /// As it is counted.
    pub subject: Subject,
    /// The username, or the address.
    pub name: String,
    /// The account, if it is one.
    pub target: Option<Target>,
}

impl Who {
    fn user(&self) -> Option<i64> {
        self.target.as_ref().map(|target| target.id)
    }

    /// As the audit log names it.
    pub fn object(&self) -> Object {
        Object::new("throttling", &self.subject, &self.name)
    }
}

/// Whom a page of throttling is about. An address of an IPv6 network is that network.
///
/// # Errors
/// 404 for what is neither a user here nor an address.
pub fn found(conn: &mut Conn, key: &str) -> Result<Who> {
    let subject: Subject = key.parse().map_err(|()| Error::not_found())?;
    let target = match subject {
        Subject::User(id) => Some(Target::load(conn, id)?),
        Subject::Address(_) => None,
    };
    let name = target.as_ref().map_or_else(|| subject.to_string(), |target| target.state.username.to_string());
    Ok(Who { subject, name, target })
}

/// Goes on only if the viewer may hold back `who`: nobody shuts out themselves, nor everybody who comes through a proxy, nor
/// an account beyond their reach.
///
/// # Errors
/// Why not.
pub fn cannot_hold<N>(site: &Site, staff: &Staff<N>, who: &Who) -> Result<(), PageError> {
    let trusted = &site.settings.server.trusted_proxies;
    let rule = |words: Said| Err(PageError::Rule(words));
    match who.subject {
        Subject::User(id) if id == staff.id() => rule(said!("You cannot hold back yourself.")),
        Subject::User(_) => who.target.as_ref().map_or(Ok(()), |target| staff.actor().reach(target)),
        Subject::Address(ip) if Subject::address(client_ip::of(staff.visit().request(), trusted)) == who.subject => {
            rule(said!("You come from {ip} yourself: you would shut yourself out.", ip))
        }
        Subject::Address(ip) if trusted.iter().any(|network| network.contains(&ip)) => {
            rule(said!("{ip} is a trusted proxy: through it comes everybody.", ip))
        }
        Subject::Address(_) => Ok(()),
    }
}

/// For how long, and where to go on.
pub struct Held {
    hours: String,
}

impl Input for Held {
    fn read(f: &mut Fields) -> Self {
        Self { hours: f.text("hours").blank().value() }
    }
}

async fn who<N>(site: &Site, _: &Staff<N>, key: web::Path<String>) -> Result<Who, PageError> {
    let key = key.into_inner();
    Ok(site.db.read(move |conn| found(conn, &key)).await?)
}

/// Back to where the button was: a list says where that is, the page of somebody does not.
fn back(sent: &crate::admin::form::Filled, who: &Subject) -> HttpResponse {
    let given = sent.value("back");
    see_other(&if given.is_empty() { path_of(&who.to_string()) } else { inside_panel(given).to_owned() })
}

/// Holds somebody back for a time.
pub async fn hold(
    site: web::Data<Site>,
    staff: Staff<Change<Throttling>>,
    key: web::Path<String>,
    form: Form<Held>,
) -> Result<HttpResponse, PageError> {
    let who = who(&site, &staff, key).await?;
    cannot_hold(&site, &staff, &who)?;
    let chosen = form.input.as_ref().map_or("", |held| held.hours.as_str());
    let Some(hours) = HOLDS.into_iter().map(|hold| hold.hours).find(|hours| hours.to_string() == chosen) else {
        return Err(PageError::Rule(said!("For how long? Choose one of the buttons.")));
    };
    let now = site.clock.now();
    let until = now + Duration::from_secs(hours * 3600);
    let (object, subject, name) = (who.object(), who.subject.to_string(), staff.state().username.to_string());
    let (user, actor) = (who.user(), staff.actor());
    let audit = staff.audits(&site, "throttling.hold").because(form.sent.value("reason"));
    let decide = move |conn: &mut Conn| {
        if let Some(id) = user
            && let Err(refusal) = actor.reach(&Target::load(conn, id)?)
        {
            return Ok(Err(refusal));
        }
        throttled::decide(conn, &subject, user, Some(until), &name, now)?;
        audit.on(object).with([Changed::fact("until", until.rfc3339())]).append(conn)?;
        Ok(Ok(()))
    };
    staff.write(&site, decide).await??;
    let flash = Flash::done(said!(
        count = hours => "{name} is held back for {count} hour." | "{name} is held back for {count} hours.",
        name = who.name
    ));
    staff.done(&site, &flash.adding(said!("Every request to the API and every sign-in is refused until then.")));
    Ok(back(&form.sent, &who.subject))
}

/// Lets no rate hold somebody back.
pub async fn never(
    site: web::Data<Site>,
    staff: Staff<Change<Throttling>>,
    key: web::Path<String>,
    form: Form<Button>,
) -> Result<HttpResponse, PageError> {
    let who = who(&site, &staff, key).await?;
    let now = site.clock.now();
    let (object, subject, name) = (who.object(), who.subject.to_string(), staff.state().username.to_string());
    let user = who.user();
    let audit = staff.audits(&site, "throttling.never").on(object).because(form.sent.value("reason"));
    let decide = move |conn: &mut Conn| {
        throttled::decide(conn, &subject, user, None, &name, now)?;
        audit.append(conn)
    };
    staff.write(&site, decide).await?;
    let flash = Flash::done(said!("{name} is never held back.", name = who.name));
    staff.done(&site, &flash.adding(said!("What guards an account against guessing holds all the same.")));
    Ok(back(&form.sent, &who.subject))
}

/// The counts of `who`, wherever they are kept.
fn counts(site: &Site, who: &Who) -> Vec<String> {
    let own = site.throttle.counts_of(&who.subject, &[ANON, USER]);
    let sign_ins = site.sign_in.limits().counts_of(&who.subject, &who.name);
    own.into_iter().chain(sign_ins).collect()
}

/// Clears all that stands against somebody, or for them: holds, exemptions, and what was counted.
pub async fn clear(
    site: web::Data<Site>,
    staff: Staff<Change<Throttling>>,
    key: web::Path<String>,
    form: Form<Button>,
) -> Result<HttpResponse, PageError> {
    let who = who(&site, &staff, key).await?;
    let (more, object, subject, now) = (counts(&site, &who), who.object(), who.subject.to_string(), site.clock.now());
    let audit = staff.audits(&site, "throttling.clear").on(object).because(form.sent.value("reason"));
    let clear = move |conn: &mut Conn| {
        throttled::clear(conn, &subject, more, now)?;
        audit.append(conn)
    };
    staff.write(&site, clear).await?;
    let flash = Flash::done(said!("What stood against {name} is cleared.", name = who.name));
    staff.done(&site, &flash.adding(said!("Counting begins anew.")));
    Ok(back(&form.sent, &who.subject))
}
