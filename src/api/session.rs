//! One's own sessions: looked at, named, and ended one by one, all others, or everywhere.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use serde::Serialize;

use crate::api::refresh_cookie;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::model::session::{self, Ended, Session, SessionId};
use crate::rest::answer::Answer;
use crate::rest::caller::{Caller, Client};
use crate::rest::fields::{Fields, Input};
use crate::rest::list::ListQuery;
use crate::rest::paging::{SortKey, Sorting};
use crate::rest::payload::Body;
use crate::rest::permission::IsSignedIn;
use crate::site::Site;

/// POST `/api/logout/`: ends the session of the refresh token in the body, whoever holds it.
///
/// # Errors
/// 503 if it could not be written down. Whatever is wrong with the body or its token is a 400 without a body (CONTRACT 9).
pub async fn logout(
    site: Data<Site>,
    _: Caller<IsSignedIn>,
    client: Client,
    request: HttpRequest,
    body: Body,
) -> Result<Answer> {
    let ended = match refresh_cookie::given(&site, &request, body).await {
        Ok(text) => site.grants.revoke(&text, client.device).await,
        Err(error) => Err(error),
    };
    match ended {
        Ok(()) => Ok(refresh_cookie::take_back(&site, Answer::empty(StatusCode::RESET_CONTENT))),
        Err(error @ (Error::Unavailable | Error::Internal(_) | Error::TooLarge)) => Err(error),
        Err(_) => Ok(Answer::empty(StatusCode::BAD_REQUEST)),
    }
}

/// POST `/api/logout/all/`: ends every session of the caller.
///
/// # Errors
/// 503 if it could not be written down.
pub async fn logout_all(site: Data<Site>, caller: Caller<IsSignedIn>) -> Result<Answer> {
    let (grants, user, now) = (site.grants.clone(), caller.user, site.clock.now());
    site.db.write(move |conn| grants.end_all_in(conn, user, now).map(drop)).await?;
    Ok(refresh_cookie::take_back(&site, Answer::empty(StatusCode::RESET_CONTENT)))
}

/// A session as its user sees it (CONTRACT 22).
#[derive(Serialize)]
struct Shown {
    id: String,
    name: String,
    created_at: Timestamp,
    last_seen: Timestamp,
    ip: String,
    user_agent: String,
    current: bool,
}

impl Shown {
    fn of(row: Session, current: Option<SessionId>) -> Self {
        let name = if row.name.is_empty() { Device::from_agent(&row.user_agent).name } else { row.name };
        let current = current.is_some() && row.id.parse().ok() == current;
        let (created_at, last_seen) = (row.started_at, row.last_seen_at);
        Self { id: row.id, name, created_at, last_seen, ip: row.ip, user_agent: row.user_agent, current }
    }
}

const SORTING: Sorting<Session> = Sorting {
    id: |session| session.id.as_str().into(),
    usual: (SortKey::of(session::BY_LAST_SEEN, |session| session.last_seen_at.into()), true),
    keys: &[],
};

/// GET `/api/sessions/`: those that are not over, the last used first.
///
/// # Errors
/// 404 for a page that is not there.
pub async fn list(site: Data<Site>, caller: Caller<IsSignedIn>, query: ListQuery) -> Result<Answer> {
    let (user, current, now) = (caller.user, caller.session, site.clock.now());
    let page = move |conn: &mut Conn| {
        let count = |conn: &mut Conn| Ok(session::count_live(conn, user, now)?.try_into().unwrap_or(i64::MAX));
        let page = query.page(conn, &SORTING, count, |conn, piece| session::page_of(conn, user, now, piece))?;
        Ok(page.map(|row| Shown::of(row, current)))
    };
    Answer::ok(&site.db.read(page).await?)
}

/// One's own session with the id of the URL, if it is not over; anybody else's does not exist.
fn own(conn: &mut Conn, user: i64, id: &str, now: Timestamp) -> Result<(SessionId, Session)> {
    let missing = || Error::no_such("Session");
    let id: SessionId = id.parse().map_err(|()| missing())?;
    let row = session::live_by_id(conn, user, id, now)?.ok_or_else(missing)?;
    Ok((id, row))
}

/// GET `/api/sessions/{id}/`.
///
/// # Errors
/// 404 if it is over or not one's own.
pub async fn retrieve(site: Data<Site>, caller: Caller<IsSignedIn>, id: Path<String>) -> Result<Answer> {
    let (user, current, now) = (caller.user, caller.session, site.clock.now());
    let row = site.db.read(move |conn| own(conn, user, &id, now)).await?.1;
    Answer::ok(&Shown::of(row, current))
}

/// The name of a session in a body.
pub struct Name(Option<String>);

impl Input for Name {
    fn read(fields: &mut Fields) -> Self {
        Self(fields.text("name").blank().max(100).get())
    }
}

/// PATCH `/api/sessions/{id}/`: another name; an empty one brings the device's own back.
///
/// # Errors
/// 404 if it is over or not one's own; 400 by field.
pub async fn rename(site: Data<Site>, caller: Caller<IsSignedIn>, id: Path<String>, body: Body) -> Result<Answer> {
    let (user, current, now) = (caller.user, caller.session, site.clock.now());
    let asked = id.clone();
    site.db.read(move |conn| own(conn, user, &asked, now)).await?;
    let Name(name) = body.read().await?;
    let who = caller.principal();
    let renamed = move |conn: &mut Conn| {
        who.confirm(conn)?;
        let (sid, mut row) = own(conn, user, &id, now)?;
        if let Some(name) = name {
            session::rename(conn, sid, &name)?;
            row.name = name;
        }
        Ok(Shown::of(row, current))
    };
    Answer::ok(&site.db.write(renamed).await?)
}

/// DELETE `/api/sessions/{id}/`: signs that device out.
///
/// # Errors
/// 404 if it is over or not one's own; 503 if it could not be written down.
pub async fn end(site: Data<Site>, caller: Caller<IsSignedIn>, id: Path<String>) -> Result<Answer> {
    let (grants, user, now) = (site.grants.clone(), caller.user, site.clock.now());
    let ended = move |conn: &mut Conn| {
        let (sid, _) = own(conn, user, &id, now)?;
        grants.end_in(conn, sid, Some(user), Ended::SignedOut, Some(user), now)
    };
    site.db.write(ended).await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

/// DELETE `/api/sessions/`: signs all other devices out.
///
/// # Errors
/// 503 if it could not be written down.
pub async fn end_others(site: Data<Site>, caller: Caller<IsSignedIn>) -> Result<Answer> {
    let (grants, user, current, now) = (site.grants.clone(), caller.user, caller.session, site.clock.now());
    let ended = move |conn: &mut Conn| {
        for row in session::live_of(conn, user, now)? {
            let Ok(sid) = row.id.parse() else { continue };
            if Some(sid) != current {
                grants.end_in(conn, sid, Some(user), Ended::SignedOut, Some(user), now)?;
            }
        }
        Ok(())
    };
    site.db.write(ended).await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}
