//! Invitations, for staff who may add users: seen, made, taken back.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use serde::Serialize;

use crate::auth::account_rules::lower_domain;
use crate::auth::permissions::Verb;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::model::audit::Object;
use crate::model::invitation::{self, Invitation};
use crate::rest::acting::Acting;
use crate::rest::answer::Answer;
use crate::rest::caller::Caller;
use crate::rest::fields::{Fields, Input};
use crate::rest::list::ListQuery;
use crate::rest::paging::Sorting;
use crate::rest::payload::Body;
use crate::rest::permission::{HasPermission, IsAdminUser, PermissionName};
use crate::settings::Registration;
use crate::site::Site;

/// `users.add`.
pub struct AddUsers;
impl PermissionName for AddUsers {
    const AREA: &'static str = "users";
    const VERB: Verb = Verb::Add;
}

/// Staff who may add users.
pub type Inviters = (IsAdminUser, HasPermission<AddUsers>);

/// An invitation as staff see it.
#[derive(Serialize)]
struct Shown {
    id: i64,
    email: String,
    /// `pending`, `accepted`, `expired` or `revoked`.
    status: &'static str,
    invited_by: Option<i64>,
    accepted_by: Option<i64>,
    created_at: Timestamp,
    expires_at: Timestamp,
}

impl Shown {
    fn of(row: Invitation, now: Timestamp) -> Self {
        let status = row.status(now);
        let Invitation { id, email, invited_by, accepted_by, created_at, expires_at, .. } = row;
        Self { id, email, status, invited_by, accepted_by, created_at, expires_at }
    }
}

/// The address to invite.
pub struct Invited(String);

impl Input for Invited {
    fn read(fields: &mut Fields) -> Self {
        Self(lower_domain(&fields.email("email").required().max(254).value()))
    }
}

const SORTING: Sorting<Invitation> = Sorting::newest_first(|invitation| invitation.id.into());

/// GET `/api/invitations/`: all of them, the newest first.
///
/// # Errors
/// 404 for a page that is not there.
pub async fn list(site: Data<Site>, _: Caller<Inviters>, query: ListQuery) -> Result<Answer> {
    let now = site.clock.now();
    let page = move |conn: &mut Conn| {
        Ok(query.page(conn, &SORTING, invitation::count, invitation::page_of)?.map(|row| Shown::of(row, now)))
    };
    Answer::ok(&site.db.read(page).await?)
}

/// POST `/api/invitations/`: invites an address, by a letter.
///
/// # Errors
/// 400 by field; 409 where registration is closed, since nobody could accept.
pub async fn invite(site: Data<Site>, caller: Caller<Inviters>, acting: Acting, body: Body) -> Result<Answer> {
    let Invited(email) = body.read().await?;
    if site.settings.accounts.registration == Registration::Closed {
        return Err(Error::Conflict("Registration is closed: nobody could accept an invitation.".into()));
    }
    let (by, life, now) = (caller.user, site.settings.accounts.invitation_lifetime, site.clock.now());
    let (who, audit) = (caller.principal(), acting.audits("invitation.create"));
    let made = site.db.write(move |conn| {
        who.confirm(conn)?;
        let made = invitation::invite(conn, &email, Some(by), life, now)?;
        audit.on(Object::new("invitation", made.id, &made.email)).append(conn)?;
        Ok(made)
    });
    let made = made.await?;
    site.mail.ring();
    Answer::created(&Shown::of(made, now))
}

/// GET `/api/invitations/{id}/`.
///
/// # Errors
/// 404 for one that is not there.
pub async fn retrieve(site: Data<Site>, _: Caller<Inviters>, id: Path<String>) -> Result<Answer> {
    let (id, now) = (number(&id)?, site.clock.now());
    let row = site.db.read(move |conn| invitation::by_id(conn, id)).await?;
    Answer::ok(&Shown::of(row.ok_or_else(missing)?, now))
}

/// DELETE `/api/invitations/{id}/`: takes one back that is still open; it stays on the list.
///
/// # Errors
/// 404 for one that is not there; 409 for one that was accepted.
pub async fn revoke(site: Data<Site>, caller: Caller<Inviters>, acting: Acting, id: Path<String>) -> Result<Answer> {
    let (id, now) = (number(&id)?, site.clock.now());
    let (who, audit) = (caller.principal(), acting.audits("invitation.revoke"));
    let revoked = site.db.write(move |conn| {
        who.confirm(conn)?;
        let row = invitation::by_id(conn, id)?.ok_or_else(missing)?;
        if row.accepted_at.is_some() {
            return Err(Error::Conflict("This invitation was accepted; there is nothing to take back.".into()));
        }
        invitation::revoke(conn, id, now)?;
        audit.on(Object::new("invitation", id, row.email)).append(conn)
    });
    revoked.await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

fn missing() -> Error {
    Error::no_such("Invitation")
}

fn number(id: &str) -> Result<i64> {
    id.parse().map_err(|_| missing())
}
