//! What belongs to a user: the tabs *Tokens*, *API keys* and *Content*.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;

use crate::admin::error::PageError;
use crate::admin::layout::{Frame, html};
use crate::admin::staff::{ApiKeys, Need, Staff, Tokens, View};
use crate::admin::tokens;
use crate::admin::users::Target;
use crate::admin::users::head::Head;
use crate::admin::users::sessions::living;
use crate::admin::when::{Now, When};
use crate::auth::permissions::{Permission, Verb};
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::db::keyset::Keyset;
use crate::error::{Error, Result};
use crate::language::filters;
use crate::model::api_key::{self, ApiKey};
use crate::model::content::{self, Piece};
use crate::model::token_list::{self, TokenQuery};
use crate::model::user;
use crate::site::Site;

/// Rows of a tab; the lists have the rest.
const MOST: i64 = 50;

/// Loads the head of a tab, and with it what the tab shows.
async fn with_head<N: Need, T: Send + 'static>(
    site: &Site,
    staff: &Staff<N>,
    id: i64,
    tab: &'static str,
    load: impl FnOnce(&mut Conn) -> Result<T> + Send + 'static,
) -> Result<(Head, T), PageError> {
    let (actor, now) = (staff.actor(), staff.now());
    let idle_since = now.at - site.settings.admin.session_idle;
    let must_be_verified = site.settings.accounts.require_verified_email;
    let read = move |conn: &mut Conn| {
        let target = Target::load(conn, id)?;
        let user = user::by_id(conn, id)?.ok_or(Error::not_found())?;
        let live = living(conn, id, user.generation, "", idle_since, now)?.len();
        let head = Head::new(&user, &target, &actor, tab, live, must_be_verified, now);
        Ok((head, load(conn)?))
    };
    Ok(site.db.read(read).await?)
}

fn frame<N: Need>(staff: &Staff<N>, head: &Head, tab: &str) -> Frame {
    let path = format!("/admin/users/{}/", head.id);
    staff.frame(&[(&say!("Users"), "/admin/users/"), (&head.username, &path), (tab, "")])
}

#[derive(Template)]
#[template(path = "admin/users/tokens.html")]
struct TokensPage {
    frame: Frame,
    head: Head,
    rows: Vec<tokens::Row>,
    query: String,
    may_see_sessions: bool,
    may_revoke_tokens: bool,
}

/// The tab with the newest tokens of a user.
pub async fn tokens(
    site: web::Data<Site>,
    staff: Staff<View<Tokens>>,
    id: web::Path<i64>,
) -> Result<HttpResponse, PageError> {
    let (id, now) = (*id, staff.now());
    let load = move |conn: &mut Conn| {
        let keyset = Keyset {
            by: token_list::BY_ISSUED,
            descending: true,
            from: None,
            backwards: false,
            rows: MOST.try_into().unwrap_or(1),
        };
        let query = TokenQuery { user: Some(id), ..TokenQuery::default() };
        token_list::page(conn, &query, &keyset, 0, now.at)
    };
    let (head, page) = with_head(&site, &staff, id, "tokens", load).await?;
    let page = TokensPage {
        frame: frame(&staff, &head, &say!("Tokens")),
        query: form_urlencoded::Serializer::new(String::new()).append_pair("q", &head.username).finish(),
        rows: page.rows.into_iter().map(|line| tokens::Row::new(line, now)).collect(),
        may_see_sessions: staff.may("sessions", Verb::View),
        may_revoke_tokens: head.is_within_reach && staff.may("tokens", Verb::Revoke),
        head,
    };
    html(StatusCode::OK, &page)
}

struct KeyRow {
    id: i64,
    name: String,
    prefix: String,
    scopes: String,
    created: When,
    expires: Option<When>,
    used: Option<When>,
    is_expired: bool,
}

impl KeyRow {
    fn new(key: ApiKey, now: Now) -> Self {
        let when = |at: Timestamp| When::new(at, now);
        Self {
            id: key.id,
            name: key.name,
            prefix: key.prefix,
            scopes: if key.scopes == "*" { say!("all that the owner may") } else { key.scopes },
            created: when(key.created_at),
            is_expired: key.expires_at.is_some_and(|at| at <= now.at),
            expires: key.expires_at.map(when),
            used: key.last_used_at.map(when),
        }
    }
}

#[derive(Template)]
#[template(path = "admin/users/api_keys.html")]
struct KeysPage {
    frame: Frame,
    head: Head,
    rows: Vec<KeyRow>,
}

/// The tab with the API keys of a user.
pub async fn api_keys(
    site: web::Data<Site>,
    staff: Staff<View<ApiKeys>>,
    id: web::Path<i64>,
) -> Result<HttpResponse, PageError> {
    let (id, now) = (*id, staff.now());
    let load = move |conn: &mut Conn| api_key::all_of(conn, id);
    let (head, keys) = with_head(&site, &staff, id, "api-keys", load).await?;
    let rows = keys.into_iter().map(|key| KeyRow::new(key, now)).collect();
    html(StatusCode::OK, &KeysPage { frame: frame(&staff, &head, &say!("API keys")), head, rows })
}

struct ContentRow {
    title: String,
    path: String,
    changed: When,
    about: &'static str,
}

#[derive(Template)]
#[template(path = "admin/users/content.html")]
struct ContentPage {
    frame: Frame,
    head: Head,
    /// What they are called, what they are called with the user's name, and the rows.
    parts: Vec<(&'static str, String, Vec<ContentRow>)>,
}

/// The tab with what a user has written, as far as the viewer may see it.
pub async fn content(site: web::Data<Site>, staff: Staff, id: web::Path<i64>) -> Result<HttpResponse, PageError> {
    let (id, now) = (*id, staff.now());
    let (articles, tasks) = (staff.may("articles", Verb::View), staff.may("tasks", Verb::View));
    if let (false, false, Some(needed)) = (articles, tasks, Permission::of("articles", Verb::View)) {
        staff.require(&site, needed).await?;
    }
    let load = move |conn: &mut Conn| {
        let articles = if articles { Some(content::articles_of(conn, id, MOST)?) } else { None };
        let tasks = if tasks { Some(content::tasks_of(conn, id, MOST)?) } else { None };
        Ok((articles, tasks))
    };
    let (head, (articles, tasks)) = with_head(&site, &staff, id, "content", load).await?;
    let rows = |list: &'static str, pieces: Vec<Piece>| {
        let row = |piece: Piece| ContentRow {
            path: format!("/admin/{list}/{}/", piece.id),
            title: piece.title,
            changed: When::new(piece.updated_at, now),
            about: if piece.completed { key!("done") } else { "" },
        };
        pieces.into_iter().map(row).collect::<Vec<_>>()
    };
    let (mut parts, username) = (Vec::new(), &head.username);
    let of_user = say!("Articles of {username}", username);
    parts.extend(articles.map(|pieces| (key!("Articles"), of_user, rows("articles", pieces))));
    let of_user = say!("Tasks of {username}", username);
    parts.extend(tasks.map(|pieces| (key!("Tasks"), of_user, rows("tasks", pieces))));
    html(StatusCode::OK, &ContentPage { frame: frame(&staff, &head, &say!("Content")), head, parts })
}
