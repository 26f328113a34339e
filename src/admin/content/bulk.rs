//! What is done with the articles and tasks ticked in their lists: deleted, and tasks marked done.

use actix_web::HttpResponse;

use crate::admin::bulk::{Answer, Outcome, Row};
use crate::admin::error::PageError;
use crate::admin::layout::see_other;
use crate::admin::staff::Staff;
use crate::admin::visit::Flash;
use crate::admin::when::count_words;
use crate::auth::permissions::{Permission, Verb};
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::Result;
use crate::model::audit::{Audit, Change, Object};
use crate::model::content::{self, TaskFields};
use crate::site::Site;

/// What is done to what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    DeleteArticles,
    DeleteTasks,
    MarkDone,
}

impl Act {
    fn of(list: &str, action: &str) -> Option<Self> {
        match (list, action) {
            ("articles", "delete") => Some(Self::DeleteArticles),
            ("tasks", "delete") => Some(Self::DeleteTasks),
            ("tasks", "done") => Some(Self::MarkDone),
            _ => None,
        }
    }

    fn permission(self) -> Option<Permission> {
        match self {
            Self::DeleteArticles => Permission::of("articles", Verb::Delete),
            Self::DeleteTasks => Permission::of("tasks", Verb::Delete),
            Self::MarkDone => Permission::of("tasks", Verb::Change),
        }
    }

    /// The code in the audit log, and the kind of object.
    fn code(self) -> (&'static str, &'static str) {
        match self {
            Self::DeleteArticles => ("article.delete", "article"),
            Self::DeleteTasks => ("task.delete", "task"),
            Self::MarkDone => ("task.change", "task"),
        }
    }

    fn deletes(self) -> bool {
        self != Self::MarkDone
    }
}

/// Asks about an act on the rows ticked in `list`, or does it, once that was answered.
pub async fn handle(site: &Site, staff: &Staff, list: &'static str, answer: Answer) -> Result<HttpResponse, PageError> {
    let Some(act) = Act::of(list, &answer.action) else { return Ok(answer.nothing_chosen(staff)) };
    if let Some(needed) = act.permission() {
        staff.require(site, needed).await?;
    }
    let path = if list == "articles" { "/admin/articles/" } else { "/admin/tasks/" };
    if act.deletes() {
        staff.recently(site, answer.back())?;
    }
    let ids = answer.ids.clone();
    let rows = site.db.read(move |conn| rows(conn, act, &ids)).await?;
    let rows: Vec<Row> = rows.into_iter().map(|(_, row)| row).collect();
    let (one, many) = if list == "articles" { ("article", "articles") } else { ("task", "tasks") };
    let verb = if act.deletes() { "Delete" } else { "Mark as done:" };
    let mut ask = answer.asked(path, (one, many), &rows, |what| format!("{verb} {what}?"));
    let done = rows.iter().filter(|row| row.left_out.is_none()).count();
    if act.deletes() {
        ask.words = "This cannot be undone.".to_owned();
        ask.dangerous = true;
        ask.typed = (done > 0).then(|| done.to_string());
    }
    if !ask.act.is_empty() {
        ask.act = if act.deletes() {
            format!("Delete {}", if done == 1 { one } else { many })
        } else {
            "Mark done".to_owned()
        };
    }
    let title = if list == "articles" { "Articles" } else { "Tasks" };
    let frame = staff.frame(&[(title, path), (if act.deletes() { "Delete" } else { "Mark done" }, "")]).within(path);
    if !answer.is_sure() {
        return ask.page(frame);
    }
    if !ask.is_met(&answer.confirm) {
        return ask.refused(frame, answer.sent);
    }
    let (ids, now) = (answer.ids.clone(), site.clock.now());
    let audit = staff.audits(site, act.code().0).because(answer.sent.value("reason"));
    let outcome = staff.write(site, move |conn| carry_out(conn, act, &ids, &audit, now)).await?;
    let what = count_words(outcome.done, one, many);
    let were = if outcome.done == 1 { "was" } else { "were" };
    let flash = match (outcome.done, act.deletes()) {
        (0, _) => Flash::warning("Nothing was changed."),
        (_, true) => Flash::done(format!("{what} {were} deleted.")),
        (_, false) => Flash::done(format!("{what} {were} marked done.")),
    };
    staff.done(site, &flash.adding(outcome.in_words("", "")));
    Ok(see_other(answer.back()))
}

/// The rows ticked, each with the reason why it will be left out.
fn rows(conn: &mut Conn, act: Act, ids: &[i64]) -> Result<Vec<(i64, Row)>> {
    let mut rows = Vec::new();
    for id in ids {
        let found = match act {
            Act::DeleteArticles => content::article(conn, *id)?.map(|one| (one.title, one.author, false)),
            Act::DeleteTasks | Act::MarkDone => {
                content::task(conn, *id)?.map(|one| (one.title, one.owner, one.completed))
            }
        };
        let Some((name, whose, is_done)) = found else { continue };
        let left_out = (act == Act::MarkDone && is_done).then(|| "done already".to_owned());
        rows.push((*id, Row { name, about: format!("of {whose}"), left_out }));
    }
    Ok(rows)
}

fn carry_out(conn: &mut Conn, act: Act, ids: &[i64], audit: &Audit, now: Timestamp) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    for (id, row) in rows(conn, act, ids)? {
        let done = row.left_out.is_none()
            && match act {
                Act::DeleteArticles => content::delete_article(conn, id)?,
                Act::DeleteTasks => content::delete_task(conn, id)?,
                Act::MarkDone => mark(conn, id, now)?,
            };
        *(if done { &mut outcome.done } else { &mut outcome.left_out }) += 1;
        if done {
            let changes = if act.deletes() { None } else { Change::of("completed", false, true) };
            audit.clone().on(Object::new(act.code().1, id, &row.name)).with(changes).append(conn)?;
        }
    }
    Ok(outcome)
}

fn mark(conn: &mut Conn, id: i64, now: Timestamp) -> Result<bool> {
    let Some(task) = content::task(conn, id)? else { return Ok(false) };
    let fields = TaskFields {
        title: task.title,
        description: task.description,
        completed: true,
        due_date: task.due_date,
        user_id: task.user_id,
    };
    content::update_task(conn, id, &fields, now)?;
    Ok(true)
}
