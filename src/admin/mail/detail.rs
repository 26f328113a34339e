//! One letter: how it stands, what was in the way, and what it says.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;

use crate::admin::error::PageError;
use crate::admin::layout::{Frame, html};
use crate::admin::mail::again::refusal;
use crate::admin::mail::{LIST, badge, kind};
use crate::admin::staff::{Mail, Staff, View};
use crate::admin::users::Badge;
use crate::admin::when::{When, distance};
use crate::auth::permissions::Verb;
use crate::db::Conn;
use crate::error::Error;
use crate::language::{Said, filters, thousands};
use crate::letters::{Addressed, Links};
use crate::mail::Letter;
use crate::model::outbox_list::{self, Line, State};
use crate::model::user_list;
use crate::site::Site;

#[derive(Template)]
#[template(path = "admin/mail/detail.html")]
struct Page {
    frame: Frame,
    line: Line,
    kind: Said,
    state: Badge,
    tries: String,
    created: When,
    tried: Option<When>,
    sent: Option<When>,
    given_up: Option<When>,
    /// When it is tried next.
    next: String,
    user: Option<(i64, String)>,
    may_see_users: bool,
    letter: Option<Letter>,
    nobody: &'static str,
    may_send: bool,
    cannot_send: String,
}

/// The page of a letter.
pub async fn page(
    site: web::Data<Site>,
    staff: Staff<View<Mail>>,
    id: web::Path<i64>,
) -> Result<HttpResponse, PageError> {
    let (id, now) = (*id, staff.now());
    let read = move |conn: &mut Conn| {
        let line = outbox_list::by_id(conn, id)?.ok_or(Error::not_found())?;
        let names = user_list::names(conn, line.user.as_slice())?;
        let addressed = Addressed::load(conn, line.letter()?)?;
        let cannot = refusal(conn, &line, &addressed, now.at)?;
        Ok((line, names, addressed, cannot))
    };
    let (line, names, addressed, cannot) = site.db.read(read).await?;
    let when = |at| When::new(at, now);
    let may_send = staff.may("mail", Verb::Change);
    let page = Page {
        frame: staff.frame(&[(&say!("E-mail log"), LIST), (&line.address, "")]),
        kind: kind(&line),
        state: badge(&line),
        tries: thousands(line.attempts),
        created: when(line.created_at),
        tried: line.tried_at.map(when),
        sent: line.sent_at.map(when),
        given_up: line.given_up_at.map(when),
        next: match line.state() {
            State::Waiting if line.due_at <= now.at => say!("at once"),
            State::Waiting => distance(line.due_at, now),
            State::Sent | State::Failed => String::new(),
        },
        user: line.user.and_then(|id| Some((id, names.get(&id)?.clone()))),
        may_see_users: staff.may("users", Verb::View),
        letter: addressed.written(&site, Links::Cut, now.at)?,
        nobody: addressed.is_for_nobody(now.at).unwrap_or_default(),
        may_send: may_send && cannot.is_none(),
        cannot_send: cannot.filter(|_| may_send).unwrap_or_default(),
        line,
    };
    html(StatusCode::OK, &page)
}
