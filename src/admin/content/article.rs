//! An article: made, changed and deleted.

use crate::admin::clash::Clash;
use crate::admin::confirm::{Confirmation, Confirmed};
use crate::admin::content::{Saved, Then, nobody, owner};
use crate::admin::error::PageError;
use crate::admin::form::{Filled, Form};
use crate::admin::layout::{Frame, html, see_other};
use crate::admin::staff::{Add, Articles, Change, Delete, Need, Staff, View};
use crate::admin::users::form_page::Save;
use crate::admin::visit::Flash;
use crate::admin::when::{Now, When};
use crate::api::articles::by_id;
use crate::auth::permissions::Verb;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::language::filters;
use crate::model::audit::{Fields as Kept, Object, changed, told};
use crate::model::content::{self, Article, ArticleFields};
use crate::rest::event;
use crate::rest::fields::{Fields, Input};
use crate::site::Site;
use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;

const LIST: &str = "/admin/articles/";

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
    now: Now,
) -> Result<HttpResponse, PageError> {
    let title = of.map_or_else(|| say!("Add article"), |one| one.title.clone());
    let frame = staff.frame(&[(&say!("Articles"), LIST), (&title, "")]);
    let when = |at: Timestamp| When::new(at, now).full;
    let page = EditPage {
        frame: if form.is_refused() { frame.without_flash() } else { frame },
        action: of.map_or_else(|| format!("{LIST}new/"), |one| format!("{LIST}{}/", one.id)),
        version: of.map(|one| one.updated_at.micros()),
        id: of.map_or(0, |one| one.id),
        may_save: staff.may("articles", if of.is_some() { Verb::Change } else { Verb::Add }),
        may_delete: of.is_some() && staff.may("articles", Verb::Delete),
        facts: of.map_or_else(Vec::new, |one| {
            vec![
                (key!("Id"), one.id.to_string()),
                (key!("Created"), when(one.created_at)),
                (key!("Updated"), when(one.updated_at)),
            ]
        }),
        save: Save { label: key!("Save changes"), stay: of.is_some(), cancel: LIST.to_owned(), state: String::new() },
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
    show(&staff, Some(&one), filled(&one), StatusCode::OK, staff.now())
}

/// The page of a new article.
pub async fn new_page(_site: web::Data<Site>, staff: Staff<Add<Articles>>) -> Result<HttpResponse, PageError> {
    let form = Filled::default().with("author", staff.state().username.to_string());
    show(&staff, None, form, StatusCode::OK, staff.now())
}

/// Makes an article.
pub async fn make(
    site: web::Data<Site>,
    staff: Staff<Add<Articles>>,
    form: Form<Given>,
) -> Result<HttpResponse, PageError> {
    let now = staff.now();
    let (given, sent) = match form.checked() {
        Ok(checked) => checked,
        Err(form) => return show(&staff, None, form, StatusCode::UNPROCESSABLE_ENTITY, now),
    };
    let (name, title) = (given.author.clone(), given.title.clone());
    let audit = staff.audits(&site, "article.create");
    let hub = site.hub.clone();
    let make = move |conn: &mut Conn| {
        let Some(author_id) = owner(conn, &given.author)? else { return Ok(None) };
        let new = ArticleFields { title: given.title, body: given.body, author_id };
        let id = content::insert_article(conn, &new, now.at)?;
        let made = content::article(conn, id)?.ok_or(Error::not_found())?;
        let new = by_id(conn, id)?;
        event::changed(conn, &hub, None, new.as_ref(), now.at)?;
        audit.on(Object::new("article", id, &made.title)).with(told(&kept(&made))).append(conn)?;
        Ok(Some(id))
    };
    let Some(id) = staff.write(&site, make).await? else {
        return show(&staff, None, sent.refused_for("author", nobody(&name)), StatusCode::UNPROCESSABLE_ENTITY, now);
    };
    staff.done(&site, &Flash::done(said!("The article {title} was added.", title)));
    Ok(see_other(&format!("{LIST}{id}/")))
}

/// Changes an article.
pub async fn save(
    site: web::Data<Site>,
    staff: Staff<Change<Articles>>,
    id: web::Path<i64>,
    form: Form<Given>,
) -> Result<HttpResponse, PageError> {
    let (id, now) = (*id, staff.now());
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
    let hub = site.hub.clone();
    let save = move |conn: &mut Conn| {
        let before = content::article(conn, id)?.ok_or(Error::not_found())?;
        if given.version != before.updated_at.micros() {
            return Ok(Saved::Clash(Box::new(before)));
        }
        let Some(author_id) = owner(conn, &given.author)? else { return Ok(Saved::Nobody) };
        let new = ArticleFields { title: given.title, body: given.body, author_id };
        let version = now.at.max(before.updated_at + std::time::Duration::from_micros(1));
        let old = by_id(conn, id)?;
        content::update_article(conn, id, &new, version)?;
        let new = by_id(conn, id)?;
        event::changed(conn, &hub, old.as_ref(), new.as_ref(), now.at)?;
        let after = content::article(conn, id)?.ok_or(Error::not_found())?;
        audit.on(Object::new("article", id, &after.title)).with(changed(&kept(&before), &kept(&after))).append(conn)?;
        Ok(Saved::Done(id))
    };
    match staff.write(&site, save).await? {
        Saved::Done(_) => {
            staff.done(&site, &Flash::done(said!("The article {title} was saved.", title = sent.value("title"))));
            Ok(see_other(&then))
        }
        Saved::Nobody => {
            let form = sent.refused_for("author", nobody(&name));
            show(&staff, Some(&found), form, StatusCode::UNPROCESSABLE_ENTITY, now)
        }
        Saved::Clash(theirs) => {
            let path = format!("{LIST}{id}/");
            let clash = Clash::new(&theirs.title, theirs.updated_at, path.clone(), &sent, &filled(&theirs), |_| None);
            clash.page(
                staff.frame(&[(&say!("Articles"), LIST), (&theirs.title, &path), (&say!("Changed meanwhile"), "")]),
                now,
            )
        }
    }
}

fn ask_delete(one: &Article) -> Confirmation {
    Confirmation {
        heading: say!("Delete “{title}”?", title = one.title),
        words: say!("The article of {name} is gone for good.", name = one.author),
        dangerous: true,
        card: key!("What goes"),
        names: vec![(one.title.clone(), say!("by {name}", name = one.author))],
        action: format!("{LIST}{}/delete/", one.id),
        act: say!("Delete article"),
        way_out: (say!("Keep the article"), format!("{LIST}{}/", one.id)),
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
        (&say!("Articles"), LIST),
        (&one.title, &format!("{LIST}{}/", one.id)),
        (&say!("Delete"), ""),
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
    let (hub, now) = (site.hub.clone(), staff.now());
    let gone = move |conn: &mut Conn| {
        let one = content::article(conn, id)?.ok_or(Error::not_found())?;
        let old = by_id(conn, id)?;
        event::changed(conn, &hub, old.as_ref(), None, now.at)?;
        content::delete_article(conn, id)?;
        audit.on(Object::new("article", id, &one.title)).append(conn)?;
        Ok(one.title)
    };
    let title = staff.write(&site, gone).await?;
    staff.done(&site, &Flash::done(said!("The article {title} was deleted.", title)));
    Ok(see_other(LIST))
}
