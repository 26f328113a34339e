//! What is done with many articles and tasks: deleted, and tasks marked done.

use std::sync::Arc;

use crate::admin::bulk::act::{Act, Chosen, Did, Doer, Plan, Row, Weight, offered as offered_of};
use crate::admin::bulk::lists::{Facts, MANY, Matching};
use crate::admin::content::{articles as article_list, tasks as task_list};
use crate::admin::staff::Staff;
use crate::api::{articles, tasks};
use crate::auth::permissions::Verb;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::db::keyset::{Keyset, Value};
use crate::db::tally::Tally;
use crate::error::Result;
use crate::model::audit::{Change, Object};
use crate::model::content::{self, TaskFields};
use crate::rest::event;

/// What is done to what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    DeleteArticle,
    DeleteTask,
    MarkDone,
}

/// The acts on articles that the viewer may do.
pub fn offered_on_articles<N>(staff: &Staff<N>) -> Vec<(&'static str, String)> {
    offered_of(staff, &[("delete", key!("Delete…"), ("articles", Verb::Delete))])
}

/// The acts on tasks that the viewer may do.
pub fn offered_on_tasks<N>(staff: &Staff<N>) -> Vec<(&'static str, String)> {
    let done = ("done", key!("Mark done"), ("tasks", Verb::Change));
    offered_of(staff, &[done, ("delete", key!("Delete…"), ("tasks", Verb::Delete))])
}

/// The act of this name on articles.
pub fn act_on_articles(name: &str, _: Option<Chosen>) -> Option<Arc<dyn Act>> {
    (name == "delete").then(|| -> Arc<dyn Act> { Arc::new(Deed::DeleteArticle) })
}

/// The act of this name on tasks.
pub fn act_on_tasks(name: &str, _: Option<Chosen>) -> Option<Arc<dyn Act>> {
    match name {
        "delete" => Some(Arc::new(Deed::DeleteTask)),
        "done" => Some(Arc::new(Deed::MarkDone)),
        _ => None,
    }
}

/// The articles that a filter lets through.
///
/// # Errors
/// The database's.
pub fn matching_articles(_: &mut Conn, pairs: &[(String, String)], facts: &Facts) -> Result<Matching> {
    let asked = article_list::asked(pairs, None);
    let (counted, wanted) = (article_list::query(&asked, facts.now), article_list::query(&asked, facts.now));
    let load = move |conn: &mut Conn, keyset: &Keyset| {
        Ok(content::articles(conn, &wanted, keyset, MANY)?.rows.into_iter().map(|one| Value::Number(one.id)).collect())
    };
    let count = move |conn: &mut Conn| Ok(content::count_articles(conn, &counted, &Tally::exact())?.matching);
    Ok(Matching::new(&asked, content::ARTICLES_BY_CREATED, count, load))
}

/// The tasks that a filter lets through.
///
/// # Errors
/// The database's.
pub fn matching_tasks(_: &mut Conn, pairs: &[(String, String)], facts: &Facts) -> Result<Matching> {
    let asked = task_list::asked(pairs, None);
    let (counted, wanted) = (task_list::query(&asked, facts.now), task_list::query(&asked, facts.now));
    let load = move |conn: &mut Conn, keyset: &Keyset| {
        Ok(content::tasks(conn, &wanted, keyset, MANY)?.rows.into_iter().map(|one| Value::Number(one.id)).collect())
    };
    let count = move |conn: &mut Conn| Ok(content::count_tasks(conn, &counted, &Tally::exact())?.matching);
    Ok(Matching::new(&asked, content::TASKS_BY_CREATED, count, load))
}

/// A row as far as it matters here.
struct Piece {
    id: i64,
    title: String,
    whose: String,
    is_done: bool,
}

impl Deed {
    fn load(self, conn: &mut Conn, key: &Value) -> Result<Option<Piece>> {
        let Value::Number(id) = *key else { return Ok(None) };
        Ok(match self {
            Self::DeleteArticle => content::article(conn, id)?.map(|one| (one.title, one.author, false)),
            Self::DeleteTask | Self::MarkDone => {
                content::task(conn, id)?.map(|one| (one.title, one.owner, one.completed))
            }
        }
        .map(|(title, whose, is_done)| Piece { id, title, whose, is_done }))
    }

    fn exception(self, piece: &Piece) -> Option<String> {
        (self == Self::MarkDone && piece.is_done).then(|| say!("done already"))
    }

    fn kind(self) -> &'static str {
        if self == Self::DeleteArticle { "article" } else { "task" }
    }
}

impl Act for Deed {
    fn plan(&self) -> Plan {
        let tasks = Plan {
            code: "task.delete",
            needs: ("tasks", Verb::Delete),
            asks_one: key!("Delete {name}?"),
            asks: |count| said!(count => "Delete {count} task?" | "Delete {count} tasks?"),
            titled: |count| said!(count => "Delete {count} task" | "Delete {count} tasks"),
            means: key!("This cannot be undone."),
            buttons: (key!("Delete task"), key!("Delete tasks")),
            done: |count, _| said!(count => "{count} task was deleted." | "{count} tasks were deleted."),
            chosen: String::new(),
            ends: None,
            weight: Weight::Grave,
        };
        match self {
            Self::DeleteArticle => Plan {
                code: "article.delete",
                needs: ("articles", Verb::Delete),
                asks: |count| said!(count => "Delete {count} article?" | "Delete {count} articles?"),
                titled: |count| said!(count => "Delete {count} article" | "Delete {count} articles"),
                buttons: (key!("Delete article"), key!("Delete articles")),
                done: |count, _| said!(count => "{count} article was deleted." | "{count} articles were deleted."),
                ..tasks
            },
            Self::DeleteTask => tasks,
            Self::MarkDone => Plan {
                code: "task.change",
                needs: ("tasks", Verb::Change),
                asks_one: key!("Mark as done: {name}?"),
                asks: |count| said!(count => "Mark as done: {count} task?" | "Mark as done: {count} tasks?"),
                titled: |count| said!(count => "Mark as done: {count} task" | "Mark as done: {count} tasks"),
                means: key!("Each can be opened again on its page."),
                buttons: (key!("Mark done"), key!("Mark done")),
                done: |count, _| said!(count => "{count} task was marked done." | "{count} tasks were marked done."),
                weight: Weight::Plain,
                ..tasks
            },
        }
    }

    fn look(&self, conn: &mut Conn, _: &Doer, key: &Value) -> Result<Option<Row>> {
        let Some(piece) = self.load(conn, key)? else { return Ok(None) };
        let left_out = self.exception(&piece);
        Ok(Some(Row::new(piece.title, say!("of {name}", name = piece.whose), left_out)))
    }

    fn carry_out(&self, conn: &mut Conn, by: &Doer, key: &Value) -> Result<Did> {
        let Some(piece) = self.load(conn, key)? else { return Ok(Did::gone()) };
        if let Some(why) = self.exception(&piece) {
            return Ok(Did::left_out(piece.title, why));
        }
        let changes = match self {
            Self::DeleteArticle => {
                let old = articles::by_id(conn, piece.id)?;
                event::changed(conn, &by.hub, old.as_ref(), None, by.at.now)?;
                content::delete_article(conn, piece.id)?;
                None
            }
            Self::DeleteTask => {
                let old = tasks::by_id(conn, piece.id)?;
                event::changed(conn, &by.hub, old.as_ref(), None, by.at.now)?;
                content::delete_task(conn, piece.id)?;
                None
            }
            Self::MarkDone => {
                let old = tasks::by_id(conn, piece.id)?;
                mark(conn, piece.id, by.at.now)?;
                let new = tasks::by_id(conn, piece.id)?;
                event::changed(conn, &by.hub, old.as_ref(), new.as_ref(), by.at.now)?;
                Change::of("completed", false, true)
            }
        };
        by.audit(Object::new(self.kind(), piece.id, &piece.title)).with(changes).append(conn)?;
        Ok(Did::done(piece.title, 0))
    }
}

fn mark(conn: &mut Conn, id: i64, now: Timestamp) -> Result<()> {
    let Some(task) = content::task(conn, id)? else { return Ok(()) };
    let fields = TaskFields {
        title: task.title,
        description: task.description,
        completed: true,
        due_date: task.due_date,
        user_id: task.user_id,
    };
    content::update_task(conn, id, &fields, now)
}
