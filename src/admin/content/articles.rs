//! Articles: the list, and one of them, made, changed and deleted.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use crate::admin::changelist::view::Found;
use crate::admin::changelist::{Asked, COUNTED, Changelist, Column, Filter, Sort, View as ListView};
use crate::admin::clash::Clash;
use crate::admin::confirm::{Confirmation, Confirmed};
use crate::admin::content::{MADE, Saved, Then, nobody, owner, since, words};
use crate::admin::error::PageError;
use crate::admin::form::{Filled, Form};
use crate::admin::layout::{Frame, html, see_other};
use crate::admin::staff::{Add, Articles, Change, Delete, Need, Staff, View};
use crate::admin::users::form_page::Save;
use crate::admin::visit::Flash;
use crate::admin::when::When;
use crate::auth::permissions::Verb;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::model::audit::{Fields as Kept, Object, changed, told};
use crate::model::content::{self, Article, ArticleFields, ContentQuery};
use crate::rest::fields::{Fields, Input};
use crate::rest::payload::pairs;
use crate::site::Site;

const LIST: &str = "/admin/articles/";

static ARTICLES: Changelist = Changelist {
    path: LIST,
    title: "Articles",
    nouns: ("article", "articles"),
    icon: "article",
    search: Some("Words of the title"),
    searched: "titles",
    columns: &[
        Column {
            name: "title",
            label: "Title",
            class: "",
            sort: Some(Sort {
                by: Some(content::ARTICLES_BY_TITLE),
                descending_first: false,
                words: ("by title from A to Z", "by title from Z to A"),
            }),
        },
        Column::plain("Author", ""),
        Column {
            name: "created",
            label: "Created",
            class: "u-drop-1",
            sort: Some(Sort {
                by: Some(content::ARTICLES_BY_CREATED),
                descending_first: true,
                words: ("oldest first", "newest first"),
            }),
        },
        Column {
            name: "updated",
            label: "Updated",
            class: "",
            sort: Some(Sort {
                by: Some(content::ARTICLES_BY_UPDATED),
                descending_first: true,
                words: ("longest unchanged first", "last changed first"),
            }),
        },
        Column::plain("Actions", "is-tight"),
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
    let author = pairs.iter().rfind(|(name, _)| name == "author").map_or("", |(_, value)| value.as_str());
    let mut filters = vec![Filter::of("created", "Created", &made)];
    if !author.is_empty() {
        filters.insert(0, Filter::of("author", "Author", &[(author, author)]));
    }
    Asked::new(&ARTICLES, pairs, usual_rows, filters)
}

/// What the list is narrowed to.
pub fn query(asked: &Asked, now: Timestamp) -> ContentQuery {
    ContentQuery {
        words: words(asked.q()),
        owner: asked.choice("author").unwrap_or_default().to_owned(),
        since: since(asked.choice("created"), now),
        ..ContentQuery::default()
    }
}

fn load(conn: &mut Conn, asked: &Asked, now: Timestamp) -> Result<(Found, Vec<Row>)> {
    let Some(keyset) = asked.keyset() else { return Err(Error::internal("articles sort by no column")) };
    let query = query(asked, now);
    let page = content::articles(conn, &query, &keyset)?;
    let total = content::total_articles(conn)?;
    let most = COUNTED.saturating_add(1);
    let matching = if asked.is_narrowed() { content::count_articles(conn, &query, most)? } else { total };
    let found = Found::of(&page, total, matching, |one| one.place(&keyset.by));
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
    let now = site.clock.now();
    let read = move |conn: &mut Conn| {
        let loaded = load(conn, &asked, now)?;
        Ok((asked, loaded))
    };
    let (asked, (found, rows)) = site.db.read(read).await?;
    let may = |verb| staff.may("articles", verb);
    let actions = if may(Verb::Delete) { vec![("delete", "Delete…".to_owned())] } else { Vec::new() };
    let first_act = may(Verb::Add).then_some(("Add article", "/admin/articles/new/"));
    let page = Page {
        frame: staff.frame(&[("Articles", "")]),
        list: asked.view(&found, &actions).when_empty("What users write appears here.", first_act),
        rows,
        may_add: may(Verb::Add),
        may_change: may(Verb::Change),
        may_delete: may(Verb::Delete),
        may_export: may(Verb::Export),
        may_see_users: staff.may("users", Verb::View),
    };
    staff.visit().remember_rows(html(StatusCode::OK, &page)?, asked.new_usual_rows())
}

/// What a form says of an article.
pub struct Given {
    title: String,
    body: String,
    author: String,
    version: i64,
    then: Then,
}

impl Input for Given {
    fn read(f: &mut Fields) -> Self {
        Self {
            title: f.text("title").required().max(200).value(),
            body: f.text("body").required().value(),
            author: f.text("author").required().value(),
            version: f.integer("version").value(),
            then: Then::read(f),
        }
    }
}

#[derive(Template)]
#[template(path = "admin/content/article.html")]
struct EditPage {
    frame: Frame,
    form: Filled,
    title: String,
    action: String,
    version: Option<i64>,
    id: i64,
    may_save: bool,
    may_delete: bool,
    facts: Vec<(&'static str, String)>,
    save: Save,
}

fn filled(one: &Article) -> Filled {
    Filled::default().with("title", &one.title).with("body", &one.body).with("author", &one.author)
}

/// The fields as the audit log keeps them.
fn kept(one: &Article) -> Kept {
    vec![("title", one.title.clone()), ("body", one.body.clone()), ("author", one.author.clone())]
}

fn show<N: Need>(
    staff: &Staff<N>,
    of: Option<&Article>,
    form: Filled,
    status: StatusCode,
    now: Timestamp,
) -> Result<HttpResponse, PageError> {
    let title = of.map_or_else(|| "Add article".to_owned(), |one| one.title.clone());
    let frame = staff.frame(&[("Articles", LIST), (&title, "")]);
    let when = |at: Timestamp| When::new(at, now).full;
    let page = EditPage {
        frame: if form.is_refused() { frame.without_flash() } else { frame },
        action: of.map_or_else(|| format!("{LIST}new/"), |one| format!("{LIST}{}/", one.id)),
        version: of.map(|one| one.updated_at.micros()),
        id: of.map_or(0, |one| one.id),
        may_save: staff.may("articles", if of.is_some() { Verb::Change } else { Verb::Add }),
        may_delete: of.is_some() && staff.may("articles", Verb::Delete),
        facts: of.map_or_else(Vec::new, |one| {
            vec![("Id", one.id.to_string()), ("Created", when(one.created_at)), ("Updated", when(one.updated_at))]
        }),
        save: Save { label: "Save changes", stay: of.is_some(), cancel: LIST.to_owned(), state: String::new() },
        title,
        form,
    };
    html(status, &page)
}

async fn existing(site: &Site, id: i64) -> Result<Article> {
    site.db.read(move |conn| content::article(conn, id)?.ok_or(Error::not_found())).await
}

/// The page of an article.
pub async fn page(
    site: web::Data<Site>,
    staff: Staff<View<Articles>>,
    id: web::Path<i64>,
) -> Result<HttpResponse, PageError> {
    let one = existing(&site, *id).await?;
    show(&staff, Some(&one), filled(&one), StatusCode::OK, site.clock.now())
}

/// The page of a new article.
pub async fn new_page(site: web::Data<Site>, staff: Staff<Add<Articles>>) -> Result<HttpResponse, PageError> {
    let form = Filled::default().with("author", staff.state().username.to_string());
    show(&staff, None, form, StatusCode::OK, site.clock.now())
}

/// Makes an article.
pub async fn make(
    site: web::Data<Site>,
    staff: Staff<Add<Articles>>,
    form: Form<Given>,
) -> Result<HttpResponse, PageError> {
    let now = site.clock.now();
    let (given, sent) = match form.checked() {
        Ok(checked) => checked,
        Err(form) => return show(&staff, None, form, StatusCode::UNPROCESSABLE_ENTITY, now),
    };
    let (name, title) = (given.author.clone(), given.title.clone());
    let audit = staff.audits(&site, "article.create");
    let make = move |conn: &mut Conn| {
        let Some(author_id) = owner(conn, &given.author)? else { return Ok(None) };
        let new = ArticleFields { title: given.title, body: given.body, author_id };
        let id = content::insert_article(conn, &new, now)?;
        let made = content::article(conn, id)?.ok_or(Error::not_found())?;
        audit.on(Object::new("article", id, &made.title)).with(told(&kept(&made))).append(conn)?;
        Ok(Some(id))
    };
    let Some(id) = staff.write(&site, make).await? else {
        return show(&staff, None, sent.refused_for("author", nobody(&name)), StatusCode::UNPROCESSABLE_ENTITY, now);
    };
    staff.done(&site, &Flash::done(format!("The article {title} was added.")));
    Ok(see_other(&format!("{LIST}{id}/")))
}

/// Changes an article.
pub async fn save(
    site: web::Data<Site>,
    staff: Staff<Change<Articles>>,
    id: web::Path<i64>,
    form: Form<Given>,
) -> Result<HttpResponse, PageError> {
    let (id, now) = (*id, site.clock.now());
    let found = existing(&site, id).await?;
    let form = if Clash::is_answered(&form.sent) {
        let mut mine = form.sent;
        Clash::settle(&mut mine, &filled(&found));
        Form::<Given>::read(mine.into_pairs())
    } else {
        form
    };
    let (given, sent) = match form.checked() {
        Ok(checked) => checked,
        Err(form) => return show(&staff, Some(&found), form, StatusCode::UNPROCESSABLE_ENTITY, now),
    };
    let (name, then) = (given.author.clone(), given.then.path(LIST, id));
    let audit = staff.audits(&site, "article.change");
    let save = move |conn: &mut Conn| {
        let before = content::article(conn, id)?.ok_or(Error::not_found())?;
        if given.version != before.updated_at.micros() {
            return Ok(Saved::Clash(Box::new(before)));
        }
        let Some(author_id) = owner(conn, &given.author)? else { return Ok(Saved::Nobody) };
        let new = ArticleFields { title: given.title, body: given.body, author_id };
        let version = now.max(before.updated_at + std::time::Duration::from_micros(1));
        content::update_article(conn, id, &new, version)?;
        let after = content::article(conn, id)?.ok_or(Error::not_found())?;
        audit.on(Object::new("article", id, &after.title)).with(changed(&kept(&before), &kept(&after))).append(conn)?;
        Ok(Saved::Done(id))
    };
    match staff.write(&site, save).await? {
        Saved::Done(_) => {
            staff.done(&site, &Flash::done(format!("The article {} was saved.", sent.value("title"))));
            Ok(see_other(&then))
        }
        Saved::Nobody => {
            let form = sent.refused_for("author", nobody(&name));
            show(&staff, Some(&found), form, StatusCode::UNPROCESSABLE_ENTITY, now)
        }
        Saved::Clash(theirs) => {
            let path = format!("{LIST}{id}/");
            let clash = Clash::new(&theirs.title, theirs.updated_at, path.clone(), &sent, &filled(&theirs), |_| None);
            clash.page(staff.frame(&[("Articles", LIST), (&theirs.title, &path), ("Changed meanwhile", "")]), now)
        }
    }
}

fn ask_delete(one: &Article) -> Confirmation {
    Confirmation {
        heading: format!("Delete “{}”?", one.title),
        words: format!("The article of {} is gone for good.", one.author),
        dangerous: true,
        card: "What goes",
        names: vec![(one.title.clone(), format!("by {}", one.author))],
        action: format!("{LIST}{}/delete/", one.id),
        act: "Delete article".to_owned(),
        way_out: ("Keep the article".to_owned(), format!("{LIST}{}/", one.id)),
        ..Confirmation::default()
    }
}

/// Asks before an article is deleted.
pub async fn ask(
    site: web::Data<Site>,
    staff: Staff<Delete<Articles>>,
    id: web::Path<i64>,
) -> Result<HttpResponse, PageError> {
    let one = existing(&site, *id).await?;
    ask_delete(&one).page(staff.frame(&[
        ("Articles", LIST),
        (&one.title, &format!("{LIST}{}/", one.id)),
        ("Delete", ""),
    ]))
}

/// Deletes an article.
pub async fn delete(
    site: web::Data<Site>,
    staff: Staff<Delete<Articles>>,
    id: web::Path<i64>,
    form: Form<Confirmed>,
) -> Result<HttpResponse, PageError> {
    let id = *id;
    let audit = staff.audits(&site, "article.delete").because(form.sent.value("reason"));
    let gone = move |conn: &mut Conn| {
        let one = content::article(conn, id)?.ok_or(Error::not_found())?;
        content::delete_article(conn, id)?;
        audit.on(Object::new("article", id, &one.title)).append(conn)?;
        Ok(one.title)
    };
    let title = staff.write(&site, gone).await?;
    staff.done(&site, &Flash::done(format!("The article {title} was deleted.")));
    Ok(see_other(LIST))
}
