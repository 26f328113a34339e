//! One token on record: whose it is, how it stands and why, and its chain. The token itself is nowhere.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;

use crate::admin::error::PageError;
use crate::admin::inspector::why_said;
use crate::admin::layout::{Frame, html, segment};
use crate::admin::staff::{Blacklist, Need, Staff, Tokens, View};
use crate::admin::tokens::{Row, short};
use crate::admin::users::Target;
use crate::admin::when::{Now, When, distance};
use crate::auth::permissions::Verb;
use crate::db::Conn;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::language::filters;
use crate::model::session::{self, Session};
use crate::model::token::{self, OutstandingToken};
use crate::model::token_list::{self, Listed};
use crate::model::user_list;
use crate::site::Site;

/// All that is known of a token.
pub struct Token {
    /// Its row.
    pub row: OutstandingToken,
    /// As lists show it.
    pub shown: Row,
    /// Its session.
    pub session: Session,
    /// Its user, unless there is none.
    pub target: Option<Target>,
    /// Its place on the blacklist.
    pub listed: Option<Listed>,
    parent: Option<String>,
    listed_by: String,
    ended_by: String,
}

impl Token {
    /// The token of this id.
    ///
    /// # Errors
    /// 404 if there is none.
    pub fn load(conn: &mut Conn, jti: &str, now: Now) -> Result<Self> {
        let row = token::by_jti(conn, jti)?.ok_or(Error::not_found())?;
        let line = token_list::line(conn, row.id)?.ok_or(Error::not_found())?;
        let session = session::by_id(conn, row.sid()?)?.ok_or(Error::not_found())?;
        let target = row.user_id.map(|id| Target::load(conn, id)).transpose()?;
        let (listed, parent) = (token_list::listed(conn, row.id)?, token_list::parent(conn, &row)?);
        let listed_by = listed.as_ref().and_then(|one| one.by_user);
        let ids: Vec<i64> = [listed_by, session.ended_by].into_iter().flatten().collect();
        let names = user_list::names(conn, &ids)?;
        let named = |id: Option<i64>| id.and_then(|id| names.get(&id).cloned()).unwrap_or_default();
        Ok(Self {
            shown: Row::new(line, now),
            listed_by: named(listed_by),
            ended_by: named(session.ended_by),
            row,
            session,
            target,
            listed,
            parent,
        })
    }

    /// The name of its user; empty if there is none.
    pub fn owner(&self) -> String {
        self.target.as_ref().map_or_else(String::new, |target| target.state.username.to_string())
    }

    /// Why it is what it is, in a sentence; empty for a live one.
    fn why(&self, now: Now) -> String {
        if let Some(listed) = &self.listed {
            let (when, why) = (When::new(listed.at, now).full, why_said(&listed.reason));
            return match self.listed_by.as_str() {
                "" => say!("Revoked {when}: {why}.", when, why),
                username => say!("Revoked {when} by {username}: {why}.", when, username, why),
            };
        }
        if let Some(at) = self.session.ended_at {
            let why = why_said(self.session.ended_why.as_deref().unwrap_or_default());
            let when = When::new(at, now).full;
            return match self.ended_by.as_str() {
                "" => say!("Its session ended {when}: {why}.", when, why),
                username => say!("Its session ended {when} by {username}: {why}.", when, username, why),
            };
        }
        match (self.shown.is_live, self.row.refreshed_at) {
            (true, Some(at)) => {
                let when = When::new(at, now).full;
                say!("Exchanged {when}. A copy that comes back late ends the session.", when)
            }
            (true, None) => String::new(),
            (false, _) if self.row.expires_at <= now.at => {
                say!("It can be exchanged no more. The sweep removes it.")
            }
            (false, _) => say!("Its user was signed out everywhere since."),
        }
    }
}

#[derive(Template)]
#[template(path = "admin/tokens/detail.html")]
struct Page {
    frame: Frame,
    token: Token,
    username: String,
    /// A key.
    kind: &'static str,
    device: Device,
    issued: When,
    expires: When,
    expires_in: String,
    why: String,
    may_see: Seen,
    may_revoke: bool,
    may_restore: bool,
    cannot_restore: String,
}

struct Seen {
    users: bool,
    sessions: bool,
    tokens: bool,
}

async fn show<N: Need>(
    site: &Site,
    staff: &Staff<N>,
    jti: String,
    list: (&str, &str),
) -> Result<HttpResponse, PageError> {
    let now = staff.now();
    let token = site.db.read(move |conn| Token::load(conn, &jti, now)).await?;
    let within_reach = token.target.as_ref().is_none_or(|target| staff.actor().out_of_reach(target).is_none());
    let sees = |area| staff.may(area, Verb::View);
    let restores = staff.state().superuser && token.listed.is_some();
    let page = Page {
        frame: staff.frame(&[list, (&short(&token.row.jti), "")]),
        username: token.owner(),
        kind: if token.row.kind == "sliding" { key!("Sliding token") } else { key!("Refresh token") },
        device: Device::from_agent(&token.session.user_agent),
        issued: When::new(token.row.created_at, now),
        expires: When::new(token.row.expires_at, now),
        expires_in: distance(token.row.expires_at, now),
        why: token.why(now),
        may_see: Seen { users: sees("users"), sessions: sees("sessions"), tokens: sees("tokens") },
        may_revoke: within_reach && token.shown.is_live && staff.may("tokens", Verb::Revoke),
        may_restore: restores && token.cannot_be_restored(now).is_none(),
        cannot_restore: if restores { token.cannot_be_restored(now).unwrap_or_default() } else { String::new() },
        token,
    };
    html(StatusCode::OK, &page)
}

/// The page of a token, among the outstanding ones.
pub async fn page(
    site: web::Data<Site>,
    staff: Staff<View<Tokens>>,
    jti: web::Path<String>,
) -> Result<HttpResponse, PageError> {
    show(&site, &staff, jti.into_inner(), (&say!("Outstanding"), "/admin/tokens/")).await
}

/// The page of a token, among those on the blacklist.
pub async fn blacklisted(
    site: web::Data<Site>,
    staff: Staff<View<Blacklist>>,
    jti: web::Path<String>,
) -> Result<HttpResponse, PageError> {
    let (id, now) = (jti.clone(), staff.now());
    if site.db.read(move |conn| Ok(Token::load(conn, &id, now)?.listed.is_none())).await? {
        return Err(Error::not_found().into());
    }
    show(&site, &staff, jti.into_inner(), (&say!("Blacklisted"), "/admin/blacklist/")).await
}

impl Token {
    /// The address of its page to revoke it.
    pub fn revoke_path(&self) -> String {
        format!("/admin/tokens/{}/revoke/", segment(&self.row.jti))
    }

    /// The address of its page to restore it.
    pub fn restore_path(&self) -> String {
        format!("/admin/blacklist/{}/restore/", segment(&self.row.jti))
    }

    /// Why the token cannot be taken off the blacklist again.
    pub fn cannot_be_restored(&self, now: Now) -> Option<String> {
        let listed = self.listed.as_ref();
        let words = if listed.is_none() {
            say!("It is not on the blacklist.")
        } else if listed.is_some_and(|one| one.reason == session::Ended::ReuseSeen.as_str()) {
            say!("A spent token came back in its session: somebody has a copy, and it stays revoked.")
        } else if self.session.ended_at.is_some() {
            say!("It was revoked with its session, and a session that has ended does not begin again.")
        } else if self.row.kind == "sliding" {
            say!("A sliding token that was revoked stays revoked: every server knows it as dead.")
        } else if self.row.expires_at <= now.at {
            say!("It has expired.")
        } else {
            return None;
        };
        Some(words)
    }
}
