//! Articles: the list of them.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use crate::admin::changelist::view::Found;
use crate::admin::changelist::{self, Asked, Changelist, Column, Filter, Sort, View as ListView};
use crate::admin::content::{MADE, bulk, since, words};
use crate::admin::error::PageError;
use crate::admin::layout::{Frame, html};
use crate::admin::staff::{Articles, Staff, View};
use crate::admin::when::{Now, When};
use crate::auth::permissions::Verb;
use crate::db::Conn;
use crate::db::tally::Tally;
use crate::error::{Error, Result};
use crate::language::filters;
use crate::model::content::{self, Article, ContentQuery};

use crate::rest::payload::pairs;
use crate::site::Site;

const LIST: &str = "/admin/articles/";

static ARTICLES: Changelist = Changelist {
    path: LIST,
    title: key!("Articles"),
    nouns: nouns!("article", "articles"),
    icon: "article",
    search: Some(key!("Words of the title")),
    searched: key!("Search looks at titles."),
    columns: &[
        Column {
            name: "title",
            label: key!("Title"),
            class: "",
            sort: Some(Sort {
                by: Some(content::ARTICLES_BY_TITLE),
                descending_first: false,
                words: (key!("by title from A to Z"), key!("by title from Z to A")),
            }),
        },
        Column::plain(key!("Author"), ""),
        Column {
            name: "created",
            label: key!("Created"),
            class: "u-drop-1",
            sort: Some(Sort {
                by: Some(content::ARTICLES_BY_CREATED),
                descending_first: true,
                words: (key!("oldest first"), key!("newest first")),
            }),
        },
        Column {
            name: "updated",
            label: key!("Updated"),
            class: "",
            sort: Some(Sort {
                by: Some(content::ARTICLES_BY_UPDATED),
                descending_first: true,
                words: (key!("longest unchanged first"), key!("last changed first")),
            }),
        },
        Column::plain(key!("Actions"), "is-tight"),
    ],
    default: "updated",
};

struct Row {
    id: i64,
    title: String,
    author: (i64, String),
    created: When,
    updated: When,
}

#[derive(Template)]
#[template(path = "admin/content/articles.html")]
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

/// The list as a URL asks for it. An author is named by `?author=`, exactly.
pub fn asked(pairs: &[(String, String)], usual_rows: Option<usize>) -> Asked {
    let made: Vec<(&str, &str)> = MADE.iter().map(|(value, label, _)| (*value, *label)).collect();
    let created = Filter::of("created", key!("Created"), &made);
    let filters = Filter::named("author", key!("Author"), pairs).into_iter().chain([created]).collect();
    Asked::new(&ARTICLES, pairs, usual_rows, filters)
}

/// What the list is narrowed to.
pub fn query(asked: &Asked, now: Now) -> ContentQuery {
    ContentQuery {
        words: words(asked.q()),
        owner: asked.choice("author").unwrap_or_default().to_owned(),
        since: since(asked.choice("created"), now),
        ..ContentQuery::default()
    }
}

fn load(conn: &mut Conn, tally: &Tally, asked: &Asked, now: Now) -> Result<(Found, Vec<Row>)> {
    let Some(keyset) = asked.keyset() else { return Err(Error::internal("articles sort by no column")) };
    let query = query(asked, now);
    let counts = content::count_articles(conn, &query, tally)?;
    let page = content::articles(conn, &query, &keyset, counts.matching)?;
    let found = Found::of(&page, counts, |one| one.place(&keyset.by));
    let row = |one: Article| Row {
        id: one.id,
        title: one.title,
        author: (one.author_id, one.author),
        created: When::new(one.created_at, now),
        updated: When::new(one.updated_at, now),
    };
    Ok((found, page.rows.into_iter().map(row).collect()))
}

/// The list of articles.
pub async fn index(
    site: web::Data<Site>,
    staff: Staff<View<Articles>>,
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
    let may = |verb| staff.may("articles", verb);
    let first_act = may(Verb::Add).then_some((key!("Add article"), "/admin/articles/new/"));
    let page = Page {
        frame: staff.frame(&[(&say!("Articles"), "")]),
        list: asked
            .view(&found, &bulk::offered_on_articles(&staff))
            .when_empty(key!("What users write appears here."), first_act),
        rows,
        may_add: may(Verb::Add),
        may_change: may(Verb::Change),
        may_delete: may(Verb::Delete),
        may_export: may(Verb::Export),
        may_see_users: staff.may("users", Verb::View),
    };
    staff.visit().remember_rows(html(StatusCode::OK, &page)?, asked.new_usual_rows())
}
