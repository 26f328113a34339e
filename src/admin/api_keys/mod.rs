//! API keys: everybody's, listed; one of them, looked at.

pub mod acts;
pub mod bulk;
pub mod create;

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use crate::admin::changelist::view::Found;
use crate::admin::changelist::{self, Asked, Changelist, Column, Filter, Sort, View as ListView};
use crate::admin::error::PageError;
use crate::admin::layout::{Frame, html};
use crate::admin::staff::{ApiKeys, Staff, View};
use crate::admin::users::{Badge, Target};
use crate::admin::when::{Now, When};
use crate::auth::permissions::Verb;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::db::tally::Tally;
use crate::error::{Error, Result};
use crate::language::filters;
use crate::model::api_key_list::{self, KeyLine, KeyQuery};
use crate::rest::payload::pairs;
use crate::site::Site;

const LIST: &str = "/admin/api-keys/";
/// A key that was not used for so long is forgotten by its owner.
const UNUSED: Duration = Duration::from_secs(90 * 86_400);

static KEYS: Changelist = Changelist {
    path: LIST,
    title: key!("API keys"),
    nouns: nouns!("key", "keys"),
    icon: "api-key",
    search: Some(key!("Prefix or owner, exactly")),
    searched: key!("Search looks at whole prefixes and whole usernames."),
    columns: &[
        Column::plain(key!("Name"), ""),
        Column::plain(key!("Owner"), ""),
        Column::plain(key!("Permissions"), "u-drop-1"),
        Column::plain(key!("State"), ""),
        Column {
            name: "used",
            label: key!("Last used"),
            class: "",
            sort: Some(Sort {
                by: Some(api_key_list::BY_USED),
                descending_first: true,
                words: (key!("longest unused first"), key!("last used first")),
            }),
        },
        Column {
            name: "created",
            label: key!("Made"),
            class: "u-drop-1",
            sort: Some(Sort {
                by: Some(api_key_list::BY_CREATED),
                descending_first: true,
                words: (key!("oldest first"), key!("newest first")),
            }),
        },
        Column::plain(key!("Expires"), ""),
    ],
    default: "created",
};

/// A key as pages show it.
pub struct Row {
    /// Its id.
    pub id: i64,
    /// What it is called.
    pub name: String,
    /// Its prefix.
    pub prefix: String,
    /// Whose it is.
    pub owner: (i64, String),
    /// What it opens, in a word or two.
    pub scopes: String,
    /// How it stands.
    pub state: Badge,
    /// When it was made.
    pub created: When,
    /// When it was last used.
    pub used: Option<When>,
    /// Its end.
    pub expires: Option<When>,
}

impl Row {
    /// A row of a list at `now`.
    pub fn new(line: KeyLine, now: Now) -> Self {
        let key = line.key;
        let when = |at: Timestamp| When::new(at, now);
        let state = if key.expires_at.is_some_and(|at| at <= now.at) {
            Badge { kind: "", text: "Expired".to_owned(), icon: "clock" }
        } else {
            Badge { kind: "ok", text: "Active".to_owned(), icon: "ok" }
        };
        Self {
            id: key.id,
            name: key.name,
            prefix: key.prefix,
            owner: (key.user_id, line.owner),
            scopes: if key.scopes == "*" { "all that the owner may".to_owned() } else { key.scopes.replace(' ', ", ") },
            state,
            created: when(key.created_at),
            used: key.last_used_at.map(when),
            expires: key.expires_at.map(when),
        }
    }
}

#[derive(Template)]
#[template(path = "admin/api_keys/index.html")]
struct Page {
    frame: Frame,
    list: ListView,
    rows: Vec<Row>,
    may_add: bool,
    may_see_users: bool,
}

/// The list as a URL asks for it.
pub fn asked(pairs: &[(String, String)], usual_rows: Option<usize>) -> Asked {
    let filters = [
        Filter::of("state", key!("State"), &[("active", "Active"), ("expired", "Expired")]),
        Filter::of("unused", key!("Unused"), &[("90d", "For 90 days")]),
    ];
    let filters = Filter::named("owner", "Owner", pairs).into_iter().chain(filters).collect();
    Asked::new(&KEYS, pairs, usual_rows, filters)
}

/// What the list is narrowed to.
pub fn query(asked: &Asked, now: Timestamp) -> KeyQuery {
    KeyQuery {
        search: asked.q().to_owned(),
        owner: asked.choice("owner").map(str::to_owned),
        is_good: asked.choice("state").map(|state| (state == "active", now)),
        unused_since: asked.choice("unused").map(|_| now - UNUSED),
    }
}

fn load(conn: &mut Conn, tally: &Tally, asked: &Asked, now: Now) -> Result<(Found, Vec<Row>)> {
    let Some(keyset) = asked.keyset() else { return Err(Error::internal("API keys sort by no column")) };
    let query = query(asked, now.at);
    let page = api_key_list::page(conn, &query, &keyset)?;
    let counts = api_key_list::counts(conn, &query, tally)?;
    let found = Found::of(&page, counts, |line| line.place(&keyset.by));
    Ok((found, page.rows.into_iter().map(|line| Row::new(line, now)).collect()))
}

/// The list of API keys.
pub async fn index(
    site: web::Data<Site>,
    staff: Staff<View<ApiKeys>>,
    request: HttpRequest,
) -> Result<HttpResponse, PageError> {
    let asked = asked(&pairs(request.query_string().as_bytes()), staff.visit().usual_rows());
    let now = staff.now();
    let tally = changelist::tally(&site);
    let read = move |conn: &mut Conn| {
        let loaded = load(conn, &tally, &asked, now)?;
        Ok((asked, loaded))
    };
    let (asked, (found, rows)) = site.db.read(read).await?;
    let may_add = staff.may("api-keys", Verb::Add);
    let first_act = may_add.then_some(("Create API key", "/admin/api-keys/new/"));
    let page = Page {
        frame: staff.frame(&[("API keys", "")]),
        list: asked
            .view(&found, &bulk::offered(&staff))
            .when_empty(key!("A key lets a script in as its owner."), first_act),
        rows,
        may_add,
        may_see_users: staff.may("users", Verb::View),
    };
    staff.visit().remember_rows(html(StatusCode::OK, &page)?, asked.new_usual_rows())
}

#[derive(Template)]
#[template(path = "admin/api_keys/detail.html")]
struct Detail {
    frame: Frame,
    key: Row,
    ranges: String,
    may_see_users: bool,
    may_rotate: bool,
    may_revoke: bool,
}

/// A key and its owner.
///
/// # Errors
/// 404 if there is none.
pub fn find(conn: &mut Conn, id: i64) -> Result<(KeyLine, Target)> {
    let line = api_key_list::by_id(conn, id)?.ok_or(Error::not_found())?;
    let target = Target::load(conn, line.key.user_id)?;
    Ok((line, target))
}

/// The page of a key.
pub async fn page(
    site: web::Data<Site>,
    staff: Staff<View<ApiKeys>>,
    id: web::Path<i64>,
) -> Result<HttpResponse, PageError> {
    let (id, now) = (*id, staff.now());
    let (line, target) = site.db.read(move |conn| find(conn, id)).await?;
    let within_reach = staff.actor().out_of_reach(&target).is_none();
    let page = Detail {
        frame: staff.frame(&[("API keys", LIST), (&line.key.name, "")]),
        ranges: line.key.ip_ranges.replace(' ', ", "),
        key: Row::new(line, now),
        may_see_users: staff.may("users", Verb::View),
        may_rotate: within_reach && staff.may("api-keys", Verb::Change),
        may_revoke: within_reach && staff.may("api-keys", Verb::Revoke),
    };
    html(StatusCode::OK, &page)
}
