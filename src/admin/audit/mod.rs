//! The audit log: who did what to what, found by whom, what, about what and when. Nothing here changes it.

pub mod detail;
mod fields;
pub mod words;

use std::collections::HashMap;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use crate::admin::changelist::view::Found;
use crate::admin::changelist::{self, Asked, Changelist, Column, Filter, Sort, View as ListView};
use crate::admin::error::PageError;
use crate::admin::layout::{Frame, html};
use crate::admin::staff::{AuditLog, Staff, View};
use crate::admin::users::Badge;
use crate::admin::when::{Now, When};
use crate::auth::permissions::Verb;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::db::tally::Tally;
use crate::error::{Error, Result};
use crate::language::filters;
use crate::model::audit::By;
use crate::model::audit::list::{self, Line, Query, Who};
use crate::model::user_list;
use crate::rest::payload::pairs;
use crate::site::Site;

static AUDIT: Changelist = Changelist {
    path: "/admin/audit/",
    title: key!("Audit log"),
    nouns: nouns!("entry", "entries"),
    icon: "audit",
    search: Some(key!("Name or id, or request number")),
    searched: key!("Search looks at whole names and ids of what was acted on, and numbers of requests."),
    columns: &[
        Column {
            name: "time",
            label: key!("Time"),
            class: "",
            sort: Some(Sort {
                by: Some(list::BY_TIME),
                descending_first: true,
                words: (key!("oldest first"), key!("newest first")),
            }),
        },
        Column::plain(key!("Who"), ""),
        Column::plain(key!("What"), ""),
        Column::plain(key!("On what"), ""),
        Column::plain(key!("Changes"), "u-drop-1"),
        Column::plain(key!("From"), "u-drop-1"),
    ],
    default: "time",
};

/// How far back: the word in the address, what it is called, and seconds.
pub const WHEN: [(&str, &str, u64); 4] = [
    ("1h", key!("In the last hour"), 3600),
    ("24h", key!("In the last 24 hours"), 86_400),
    ("7d", key!("In the last 7 days"), 604_800),
    ("30d", key!("In the last 30 days"), 2_592_000),
];

/// From when on, as the filter says.
pub fn since(asked: &Asked, now: Now) -> Option<Timestamp> {
    let chosen = asked.choice("when")?;
    WHEN.iter().find(|(value, ..)| *value == chosen).map(|(_, _, seconds)| now.back(*seconds))
}

/// The filter by time.
pub fn when() -> Filter {
    let choices: Vec<(&str, &str)> = WHEN.iter().map(|(value, label, _)| (*value, *label)).collect();
    Filter::of("when", key!("When"), &choices)
}

/// An entry as a list shows it.
pub struct Row {
    /// Its place in the chain.
    pub id: i64,
    /// When.
    pub at: When,
    /// Who.
    pub actor: String,
    /// Who, if still here.
    pub actor_id: Option<i64>,
    /// What was done.
    pub action: String,
    /// What came of it, if it was not done.
    pub result: Option<Badge>,
    /// What people call the object.
    pub object: String,
    /// Its kind.
    pub kind: String,
    /// Its page, if it is still here and the viewer may see it.
    pub object_path: String,
    /// The fields that changed.
    pub fields: String,
    /// The address.
    pub ip: String,
}

/// What a viewer may follow from an entry.
#[derive(Clone, Copy, Debug)]
pub struct Sees {
    /// To users.
    pub users: bool,
    /// To roles.
    pub roles: bool,
}

impl Sees {
    /// What this one may.
    pub fn of<N>(staff: &Staff<N>) -> Self {
        Self { users: staff.may("users", Verb::View), roles: staff.may("roles", Verb::View) }
    }
}

impl Row {
    fn new(line: Line, here: &HashMap<i64, String>, sees: Sees, now: Now) -> Self {
        let is_here = |id: &i64| sees.users && here.contains_key(id);
        let object_path = match line.object_kind.as_str() {
            "user" if line.object_id.parse().is_ok_and(|id| is_here(&id)) => {
                format!("/admin/users/{}/", line.object_id)
            }
            "job" => format!("/admin/jobs/{}/", line.object_id),
            "role" if sees.roles && line.action != "role.delete" => format!("/admin/roles/{}/", line.object_id),
            _ => String::new(),
        };
        Self {
            id: line.id,
            at: When::new(line.at, now),
            actor_id: line.actor_id.filter(is_here),
            action: words::action(&line.action),
            result: words::result(&line),
            object_path,
            fields: fields::fields(&line.fields),
            object: if line.object.is_empty() { line.object_id } else { line.object },
            kind: words::kind(&line.object_kind),
            actor: line.actor,
            ip: line.ip,
        }
    }
}

/// Entries as rows; who of them is still here is asked once.
pub fn rows(conn: &mut Conn, lines: Vec<Line>, sees: Sees, now: Now) -> Result<Vec<Row>> {
    let about = |line: &Line| (line.object_kind == "user").then(|| line.object_id.parse().ok()).flatten();
    let ids: Vec<i64> = lines.iter().flat_map(|line| [line.actor_id, about(line)]).flatten().collect();
    let here = user_list::names(conn, &ids)?;
    Ok(lines.into_iter().map(|line| Row::new(line, &here, sees, now)).collect())
}

#[derive(Template)]
#[template(path = "admin/audit/index.html")]
struct Page {
    frame: Frame,
    list: ListView,
    rows: Vec<Row>,
    may_export: bool,
}

/// The most of the staff that the filter offers.
const MOST_STAFF: i64 = 200;

fn filters(conn: &mut Conn, asked: &[(String, String)]) -> Result<Vec<Filter>> {
    let mut who: Vec<(String, String)> = vec![(By::SYSTEM.to_owned(), say!("The system"))];
    who.extend(list::actors(conn, MOST_STAFF)?.into_iter().map(|(id, name)| (id.to_string(), name)));
    // Somebody who is no longer staff, or gone, is offered where a link leads to what they did.
    let asked_for = asked.iter().find(|(name, _)| name == "who").map(|(_, value)| value.clone()).unwrap_or_default();
    if let Ok(id) = asked_for.parse::<i64>()
        && !who.iter().any(|(value, _)| *value == asked_for)
        && let Some(name) = list::last_name_of(conn, id)?
    {
        who.push((asked_for, name));
    }
    Ok(vec![
        Filter { name: "who", label: key!("Who"), any: key!("Anybody"), choices: who, sorts: |_| None },
        Filter::of("action", key!("What"), &words::ACTIONS),
        Filter::of("kind", key!("On what"), &words::KINDS),
        Filter::of("result", key!("Result"), &words::RESULTS),
        when(),
    ])
}

/// The list as a URL asks for it.
///
/// # Errors
/// The database's, which is asked who is of the staff.
pub fn asked(conn: &mut Conn, pairs: &[(String, String)], usual_rows: Option<usize>) -> Result<Asked> {
    Ok(Asked::new(&AUDIT, pairs, usual_rows, filters(conn, pairs)?))
}

/// What the list is narrowed to.
pub fn query(asked: &Asked, now: Now) -> Query {
    let choice = |name| asked.choice(name).map(str::to_owned);
    Query {
        search: asked.q().to_owned(),
        who: asked.choice("who").and_then(|who| match who {
            By::SYSTEM => Some(Who::System),
            id => id.parse().ok().map(Who::User),
        }),
        action: choice("action"),
        kind: choice("kind"),
        result: choice("result"),
        since: since(asked, now),
        about: None,
    }
}

fn load(
    conn: &mut Conn,
    tally: &Tally,
    asked: &[(String, String)],
    usual_rows: Option<usize>,
    sees: Sees,
    now: Now,
) -> Result<(Asked, Found, Vec<Row>)> {
    let asked = self::asked(conn, asked, usual_rows)?;
    let Some(keyset) = asked.keyset() else { return Err(Error::internal("the audit log sorts by no column")) };
    let query = query(&asked, now);
    let page = list::page(conn, &query, &keyset)?;
    let counts = list::counts(conn, &query, tally)?;
    let found = Found::of(&page, counts, Line::place);
    let rows = rows(conn, page.rows, sees, now)?;
    Ok((asked, found, rows))
}

/// The list of entries.
pub async fn index(
    site: web::Data<Site>,
    staff: Staff<View<AuditLog>>,
    request: HttpRequest,
) -> Result<HttpResponse, PageError> {
    let (asked, usual_rows) = (pairs(request.query_string().as_bytes()), staff.visit().usual_rows());
    let (sees, now) = (Sees::of(&staff), staff.now());
    let tally = changelist::tally(&site);
    let (asked, found, rows) = site.db.read(move |conn| load(conn, &tally, &asked, usual_rows, sees, now)).await?;
    let page = Page {
        frame: staff.frame(&[(&say!("Audit log"), "")]),
        list: asked
            .view(&found, &[])
            .when_empty(key!("Whatever the staff and the command line change appears here."), None),
        rows,
        may_export: staff.may("audit", Verb::Export),
    };
    staff.visit().remember_rows(html(StatusCode::OK, &page)?, asked.new_usual_rows())
}
