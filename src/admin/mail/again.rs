//! Sending again: one that went out goes out once more, as a new letter; one that waits or was given up is tried now. An address
//! gets no more letters of a kind by this than by any other way.

use actix_web::{HttpResponse, web};

use crate::admin::error::PageError;
use crate::admin::form::{Button, Form};
use crate::admin::layout::{inside_panel, see_other};
use crate::admin::mail::LIST;
use crate::admin::staff::{Change, Mail, Staff};
use crate::admin::visit::Flash;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::language::Said;
use crate::letters::Addressed;
use crate::model::audit::{Audit, Object};
use crate::model::outbox;
use crate::model::outbox_list::{self, Line, State};
use crate::site::Site;

/// Why a letter cannot be sent again now.
///
/// # Errors
/// The database's.
pub fn refusal(conn: &mut Conn, line: &Line, addressed: &Addressed, now: Timestamp) -> Result<Option<String>> {
    if line.is_being_delivered(now) {
        return Ok(Some(say!("it is being delivered just now")));
    }
    if line.state() == State::Waiting && line.attempts == 0 {
        return Ok(Some(say!("it is about to go out")));
    }
    if let Some(why) = addressed.is_for_nobody(now) {
        return Ok(Some(Said::of(why).to_string()));
    }
    let letter = line.letter()?;
    let itself = (line.state() != State::Sent).then_some(line.id);
    let full = outbox::has_had_its_share(conn, letter.kind, &letter.address, itself, now)?;
    Ok(full.then(|| {
        say!(
            count = outbox::MOST => "its address has had {count} letter of this kind within a day"
            | "its address has had {count} letters of this kind within a day"
        )
    }))
}

/// Has a letter go out; `Err` in words if it cannot. Returns the number of the letter that will, and its address.
///
/// # Errors
/// 404 if it is gone, else the database's.
pub fn send_one(conn: &mut Conn, id: i64, audit: Audit, now: Timestamp) -> Result<Result<(i64, String), String>> {
    let line = outbox_list::by_id(conn, id)?.ok_or(Error::not_found())?;
    let addressed = Addressed::load(conn, line.letter()?)?;
    if let Some(why) = refusal(conn, &line, &addressed, now)? {
        return Ok(Err(why));
    }
    let number = match line.state() {
        State::Sent => outbox::copy(conn, &line.letter()?, now)?,
        State::Waiting | State::Failed => {
            outbox::renew(conn, line.id, now)?;
            line.id
        }
    };
    audit.on(Object::new("letter", number, &line.address)).append(conn)?;
    Ok(Ok((number, line.address)))
}

/// Sends one letter again.
pub async fn send(
    site: web::Data<Site>,
    staff: Staff<Change<Mail>>,
    id: web::Path<i64>,
    form: Form<Button>,
) -> Result<HttpResponse, PageError> {
    let (id, now) = (*id, site.clock.now());
    let audit = staff.audits(&site, "mail.send_again").because(form.sent.value("reason"));
    let sent = staff.write(&site, move |conn| send_one(conn, id, audit, now)).await?;
    let (number, address) = sent.map_err(|why| PageError::Rule(said!("The letter was not sent again: {why}.", why)))?;
    site.mail.ring();
    staff.done(&site, &Flash::done(said!("The letter to {address} is on its way again.", address)));
    let then = form.sent.value("back");
    Ok(see_other(&if then.is_empty() { format!("{LIST}{number}/") } else { inside_panel(then).to_owned() }))
}
