//! Invitations: who was asked to make an account, by whom, and what became of it; taken back, sent again. For those who may add
//! users, as over the API.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use crate::admin::changelist::view::Found;
use crate::admin::changelist::{self, Asked, Changelist, Column, Filter, Sort, View as ListView};
use crate::admin::error::PageError;
use crate::admin::form::{Button, Form};
use crate::admin::layout::{Frame, html, inside_panel, see_other};
use crate::admin::staff::{Add, Staff, Users};
use crate::admin::users::Badge;
use crate::admin::visit::Flash;
use crate::admin::when::{Now, When};
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::language::{Said, filters};
use crate::model::audit::{Audit, Object};
use crate::model::invitation::{self, Invitation, Query};
use crate::model::outbox::{self, Kind};
use crate::model::user_list;
use crate::rest::payload::pairs;
use crate::settings::Registration;
use crate::site::Site;

const LIST: &str = "/admin/users/invitations/";

static INVITATIONS: Changelist = Changelist {
    path: LIST,
    title: key!("Invitations"),
    nouns: nouns!("invitation", "invitations"),
    icon: "mail",
    search: Some(key!("Address, or how it begins")),
    searched: key!("Search looks at addresses from their beginning."),
    columns: &[
        Column::plain(key!("Address"), ""),
        Column::plain(key!("State"), ""),
        Column::plain(key!("Invited by"), ""),
        Column {
            name: "time",
            label: key!("When"),
            class: "",
            sort: Some(Sort {
                by: Some(invitation::BY_TIME),
                descending_first: true,
                words: (key!("oldest first"), key!("newest first")),
            }),
        },
        Column::plain(key!("Good until"), ""),
        Column::plain(key!("Account"), "u-drop-1"),
        Column::plain(key!("Actions"), "is-tight"),
    ],
    default: "time",
};

/// What has become of an invitation: its word, and how pages show it.
const STATES: [(&str, &str, &str, &str); 4] = [
    ("pending", key!("Pending"), "accent", "clock"),
    ("accepted", key!("Accepted"), "ok", "ok"),
    ("expired", key!("Expired"), "", "clock"),
    ("revoked", key!("Taken back"), "", "ban"),
];

/// An invitation as the list shows it.
struct Row {
    path: String,
    email: String,
    state: Badge,
    by: Option<(i64, String)>,
    at: When,
    until: When,
    account: Option<(i64, String)>,
    may_be_sent: bool,
}

#[derive(Template)]
#[template(path = "admin/users/invitations.html")]
struct Page {
    frame: Frame,
    list: ListView,
    rows: Vec<Row>,
    is_closed: bool,
}

fn rows(conn: &mut Conn, found: Vec<Invitation>, now: Now) -> Result<Vec<Row>> {
    let ids: Vec<i64> = found.iter().flat_map(|row| [row.invited_by, row.accepted_by]).flatten().collect();
    let names = user_list::names(conn, &ids)?;
    let named = |id: Option<i64>| id.and_then(|id| Some((id, names.get(&id)?.clone())));
    let row = |row: Invitation| {
        let status = row.status(now.at);
        let (_, text, kind, icon) = STATES.into_iter().find(|(one, ..)| *one == status).unwrap_or_default();
        Row {
            path: format!("{LIST}{}/", row.id),
            state: Badge { kind, text: Said::of(text).to_string(), icon },
            by: named(row.invited_by),
            at: When::new(row.created_at, now),
            until: When::new(row.expires_at, now),
            account: named(row.accepted_by),
            may_be_sent: matches!(status, "pending" | "expired"),
            email: row.email,
        }
    };
    Ok(found.into_iter().map(row).collect())
}

/// The list of invitations.
pub async fn index(
    site: web::Data<Site>,
    staff: Staff<Add<Users>>,
    request: HttpRequest,
) -> Result<HttpResponse, PageError> {
    let pairs = pairs(request.query_string().as_bytes());
    let states = STATES.map(|(code, words, ..)| (code, words));
    let filters = vec![Filter::of("state", key!("State"), &states)];
    let (asked, now) = (Asked::new(&INVITATIONS, &pairs, staff.visit().usual_rows(), filters), staff.now());
    let tally = changelist::tally(&site);
    let read = move |conn: &mut Conn| {
        let Some(keyset) = asked.keyset() else { return Err(Error::internal("invitations sort by no column")) };
        let query = Query { address: asked.q().to_owned(), status: asked.choice("state").map(str::to_owned) };
        let page = invitation::page(conn, &query, &keyset, now.at)?;
        let counts = invitation::counts(conn, &query, &tally, now.at)?;
        let found = Found::of(&page, counts, Invitation::place);
        Ok((asked, found, rows(conn, page.rows, now)?))
    };
    let (asked, found, rows) = site.db.read(read).await?;
    let page = Page {
        frame: staff.frame(&[(&say!("Users"), "/admin/users/"), (&say!("Invitations"), "")]).within("/admin/users/"),
        list: asked.view(&found, &[]).when_empty(key!("Whoever is invited to make an account appears here."), None),
        rows,
        is_closed: site.settings.accounts.registration == Registration::Closed,
    };
    staff.visit().remember_rows(html(StatusCode::OK, &page)?, asked.new_usual_rows())
}

fn back(sent: &crate::admin::form::Filled) -> HttpResponse {
    let given = sent.value("back");
    see_other(if given.is_empty() { LIST } else { inside_panel(given) })
}

/// The invitation, and what its act is about.
fn find(conn: &mut Conn, id: i64, audit: Audit) -> Result<(Invitation, Audit)> {
    let row = invitation::by_id(conn, id)?.ok_or(Error::not_found())?;
    let object = Object::new("invitation", id, &row.email);
    Ok((row, audit.on(object)))
}

/// Takes an invitation back that is still open.
pub async fn revoke(
    site: web::Data<Site>,
    staff: Staff<Add<Users>>,
    id: web::Path<i64>,
    form: Form<Button>,
) -> Result<HttpResponse, PageError> {
    let (id, now) = (*id, site.clock.now());
    let audit = staff.audits(&site, "invitation.revoke").because(form.sent.value("reason"));
    let revoke = move |conn: &mut Conn| {
        let (row, audit) = find(conn, id, audit)?;
        if row.accepted_at.is_some() {
            return Err(Error::Conflict(said!("This invitation was accepted; there is nothing to take back.")));
        }
        let done = invitation::revoke(conn, id, now)?;
        if done {
            audit.append(conn)?;
        }
        Ok((done, row.email))
    };
    let (done, email) = staff.write(&site, revoke).await?;
    let flash = match done {
        true => Flash::done(said!("The invitation of {email} was taken back.", email))
            .adding(say!("Its link opens nothing.")),
        false => Flash::warning(said!("The invitation of {email} had been taken back before.", email)),
    };
    staff.done(&site, &flash);
    Ok(back(&form.sent))
}

/// Sends an invitation once more, one that has expired with a new time.
pub async fn send_again(
    site: web::Data<Site>,
    staff: Staff<Add<Users>>,
    id: web::Path<i64>,
    form: Form<Button>,
) -> Result<HttpResponse, PageError> {
    if site.settings.accounts.registration == Registration::Closed {
        return Err(PageError::Rule(said!("Registration is closed: nobody could accept an invitation.")));
    }
    let (id, now, life) = (*id, site.clock.now(), site.settings.accounts.invitation_lifetime);
    let audit = staff.audits(&site, "invitation.send_again").because(form.sent.value("reason"));
    let send = move |conn: &mut Conn| {
        let (row, audit) = find(conn, id, audit)?;
        if !matches!(row.status(now), "pending" | "expired") {
            return Err(Error::Conflict(said!("This invitation is over. Invite the address anew.")));
        }
        if outbox::has_had_its_share(conn, Kind::Invitation, &row.email, None, now)? {
            let words = said!(
                count = outbox::MOST => "{email} has had {count} invitation within a day."
                    | "{email} has had {count} invitations within a day.",
                email = row.email
            );
            return Err(Error::Conflict(words));
        }
        invitation::send_again(conn, &row, life, now)?;
        audit.append(conn)?;
        Ok(row.email)
    };
    let email = staff.write(&site, send).await?;
    site.mail.ring();
    staff.done(&site, &Flash::done(said!("The invitation of {email} is on its way again.", email)));
    Ok(back(&form.sent))
}
