//! Tasks: the list of them.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use chrono::Days;

use crate::admin::changelist::view::Found;
use crate::admin::changelist::{self, Asked, Changelist, Column, Filter, Sort, View as ListView};
use crate::admin::content::{bulk, words};
use crate::admin::error::PageError;
use crate::admin::layout::{Frame, html};
use crate::admin::staff::{Staff, Tasks, View};
use crate::admin::users::Badge;
use crate::admin::when::{Now, When, day_words};
use crate::auth::permissions::Verb;
use crate::db::Conn;
use crate::db::tally::Tally;
use crate::error::{Error, Result};
use crate::language::filters;
use crate::model::content::{self, ContentQuery, Task};

use crate::rest::payload::pairs;
use crate::site::Site;

const LIST: &str = "/admin/tasks/";

static TASKS: Changelist = Changelist {
    path: LIST,
    title: key!("Tasks"),
    nouns: nouns!("task", "tasks"),
    icon: "task",
    search: Some(key!("Words of the title")),
    searched: key!("Search looks at titles."),
    columns: &[
        Column::plain(key!("Title"), ""),
        Column::plain(key!("Owner"), ""),
        Column::plain(key!("State"), ""),
        Column {
            name: "due",
            label: key!("Due"),
            class: "",
            sort: Some(Sort {
                by: Some(content::TASKS_BY_DUE),
                descending_first: false,
                words: (key!("first due first"), key!("last due first")),
            }),
        },
        Column {
            name: "created",
            label: key!("Created"),
            class: "u-drop-1",
            sort: Some(Sort {
                by: Some(content::TASKS_BY_CREATED),
                descending_first: true,
                words: (key!("oldest first"), key!("newest first")),
            }),
        },
        Column::plain(key!("Actions"), "is-tight"),
    ],
    default: "created",
};

struct Row {
    id: i64,
    title: String,
    owner: (i64, String),
    state: Badge,
    due: String,
    created: When,
}

#[derive(Template)]
#[template(path = "admin/content/tasks.html")]
struct Page {
    frame: Frame,
    list: ListView,
    rows: Vec<Row>,
    may_add: bool,
    may_change: bool,
    may_delete: bool,
    may_export: bool,
    may_see_users: bool,
}

/// The list as a URL asks for it. An owner is named by `?owner=`, exactly.
pub fn asked(pairs: &[(String, String)], usual_rows: Option<usize>) -> Asked {
    let filters = [
        Filter::of("done", key!("State"), &[("no", key!("Open")), ("yes", key!("Done"))]),
        Filter::of("due", key!("Due"), &[("overdue", key!("Overdue")), ("7d", key!("Within 7 days"))]),
    ];
    let filters = Filter::named("owner", key!("Owner"), pairs).into_iter().chain(filters).collect();
    Asked::new(&TASKS, pairs, usual_rows, filters)
}

fn badge(completed: bool, is_overdue: bool) -> Badge {
    let (kind, text, icon) = match (completed, is_overdue) {
        (true, _) => ("ok", say!("Done"), "ok"),
        (false, true) => ("warn", say!("Overdue"), "warn"),
        (false, false) => ("", say!("Open"), "task"),
    };
    Badge { kind, text, icon }
}

/// What the list is narrowed to.
pub fn query(asked: &Asked, now: Now) -> ContentQuery {
    ContentQuery {
        words: words(asked.q()),
        owner: asked.choice("owner").unwrap_or_default().to_owned(),
        completed: match asked.choice("due") {
            Some("overdue") => Some(false),
            _ => asked.choice("done").map(|done| done == "yes"),
        },
        due_from: (asked.choice("due") == Some("7d")).then(|| now.today()),
        due_before: match asked.choice("due") {
            Some("overdue") => Some(now.today()),
            Some("7d") => now.today().checked_add_days(Days::new(8)),
            _ => None,
        },
        ..ContentQuery::default()
    }
}

fn load(conn: &mut Conn, tally: &Tally, asked: &Asked, now: Now) -> Result<(Found, Vec<Row>)> {
    let Some(keyset) = asked.keyset() else { return Err(Error::internal("tasks sort by no column")) };
    let query = query(asked, now);
    let counts = content::count_tasks(conn, &query, tally)?;
    let page = content::tasks(conn, &query, &keyset, counts.matching)?;
    let found = Found::of(&page, counts, |one| one.place(&keyset.by));
    let row = |one: Task| Row {
        id: one.id,
        title: one.title,
        owner: (one.user_id, one.owner),
        state: badge(one.completed, one.due_date.is_some_and(|day| day < now.today())),
        due: one.due_date.map(day_words).unwrap_or_default(),
        created: When::new(one.created_at, now),
    };
    Ok((found, page.rows.into_iter().map(row).collect()))
}

/// The list of tasks.
pub async fn index(
    site: web::Data<Site>,
    staff: Staff<View<Tasks>>,
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
    let may = |verb| staff.may("tasks", verb);
    let first_act = may(Verb::Add).then_some((key!("Add task"), "/admin/tasks/new/"));
    let page = Page {
        frame: staff.frame(&[(&say!("Tasks"), "")]),
        list: asked
            .view(&found, &bulk::offered_on_tasks(&staff))
            .when_empty(key!("What users mean to do appears here."), first_act),
        rows,
        may_add: may(Verb::Add),
        may_change: may(Verb::Change),
        may_delete: may(Verb::Delete),
        may_export: may(Verb::Export),
        may_see_users: staff.may("users", Verb::View),
    };
    staff.visit().remember_rows(html(StatusCode::OK, &page)?, asked.new_usual_rows())
}
