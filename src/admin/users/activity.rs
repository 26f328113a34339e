//! Two tabs of a user: the newest attempts to sign in to the account, and its history in the audit log.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use crate::admin::audit::{self, Sees};
use crate::admin::error::PageError;
use crate::admin::layout::{Frame, html};
use crate::admin::sign_ins;
use crate::admin::staff::{AuditLog, SignIns, Staff, View};
use crate::admin::users::head::Head;
use crate::admin::users::sessions::living;
use crate::admin::users::{Actor, Target};
use crate::admin::when::Now;
use crate::auth::permissions::Verb;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::db::keyset::{Keyset, SortColumn};
use crate::error::{Error, Result};
use crate::language::filters;
use crate::model::audit::list::{self, Who};
use crate::model::{sign_in, user};
use crate::site::Site;

/// Rows of a tab; all of them are in the lists.
const NEWEST: usize = 50;

fn newest(by: SortColumn) -> Keyset {
    Keyset { by, descending: true, from: None, backwards: false, rows: NEWEST }
}

/// What the head of the page is made from.
struct Asking {
    id: i64,
    actor: Actor,
    idle_since: Timestamp,
    now: Now,
    must_be_verified: bool,
}

impl Asking {
    fn of<N>(site: &Site, staff: &Staff<N>, id: i64) -> Self {
        let now = staff.now();
        let must_be_verified = site.settings.accounts.require_verified_email;
        Self { id, actor: staff.actor(), idle_since: now.at - site.settings.admin.session_idle, now, must_be_verified }
    }

    fn head(&self, conn: &mut Conn, tab: &'static str) -> Result<Head> {
        let target = Target::load(conn, self.id)?;
        let user = user::by_id(conn, self.id)?.ok_or(Error::not_found())?;
        let live = living(conn, self.id, user.generation, "", self.idle_since, self.now)?.len();
        Ok(Head::new(&user, &target, &self.actor, tab, live, self.must_be_verified, self.now))
    }
}

fn frame<N>(staff: &Staff<N>, head: &Head, tab: &str) -> Frame {
    let path = format!("/admin/users/{}/", head.id);
    staff.frame(&[(&say!("Users"), "/admin/users/"), (&head.username, &path), (tab, "")])
}

#[derive(Template)]
#[template(path = "admin/users/sign_ins.html")]
struct SignInsPage {
    frame: Frame,
    head: Head,
    rows: Vec<sign_ins::Row>,
    has_more: bool,
    may_see_users: bool,
    may: sign_ins::MayDo,
}

/// The tab with the newest attempts to sign in to the account.
pub async fn sign_ins(
    site: web::Data<Site>,
    staff: Staff<View<SignIns>>,
    id: web::Path<i64>,
) -> Result<HttpResponse, PageError> {
    let asking = Asking::of(&site, &staff, *id);
    let load = move |conn: &mut Conn| {
        let head = asking.head(conn, "sign-ins")?;
        let query = sign_in::Query { sought: Some(sign_in::Sought::User(asking.id)), ..sign_in::Query::default() };
        let page = sign_in::page(conn, &query, &newest(sign_in::BY_TIME))?;
        Ok((head, sign_ins::rows(conn, page.rows, asking.now)?, page.has_after))
    };
    let (head, rows, has_more) = site.db.read(load).await?;
    let may_see_users = staff.may("users", Verb::View);
    let (frame, may) = (frame(&staff, &head, &say!("Sign-ins")), sign_ins::MayDo::of(&site, &staff));
    html(StatusCode::OK, &SignInsPage { frame, head, rows, has_more, may_see_users, may })
}

#[derive(Template)]
#[template(path = "admin/users/history.html")]
struct HistoryPage {
    frame: Frame,
    head: Head,
    rows: Vec<audit::Row>,
    /// Whether it shows what the user did, and not what was done to the account.
    is_by: bool,
    has_more: bool,
}

/// The tab with what was done to the account, or what its owner did.
pub async fn history(
    site: web::Data<Site>,
    staff: Staff<View<AuditLog>>,
    id: web::Path<i64>,
    request: HttpRequest,
) -> Result<HttpResponse, PageError> {
    let (asking, sees) = (Asking::of(&site, &staff, *id), Sees::of(&staff));
    let is_by = request.query_string().split('&').any(|pair| pair == "show=by");
    let load = move |conn: &mut Conn| {
        let head = asking.head(conn, "history")?;
        let query = match is_by {
            true => list::Query { who: Some(Who::User(asking.id)), ..list::Query::default() },
            false => list::Query { about: Some(asking.id), ..list::Query::default() },
        };
        let page = list::page(conn, &query, &newest(list::BY_TIME))?;
        Ok((head, audit::rows(conn, page.rows, sees, asking.now)?, page.has_after))
    };
    let (head, rows, has_more) = site.db.read(load).await?;
    html(StatusCode::OK, &HistoryPage { frame: frame(&staff, &head, &say!("History")), head, rows, is_by, has_more })
}
