//! Tasks: everyone has their own, and nobody else's exist.

use chrono::NaiveDate;
use diesel::prelude::*;
use serde::Serialize;

use crate::auth::gate::Principal;
use crate::clock::Timestamp;
use crate::db::schema::tasks;
use crate::db::sql::contains;
use crate::db::{Backend, Conn};
use crate::error::Result;
use crate::rest::fields::{Fields, Input};
use crate::rest::list::ListQuery;
use crate::rest::paging::{Page, SortKey, Sorting};
use crate::rest::permission::{IsAuthenticated, Owned};
use crate::rest::resource::Resource;

/// A task, as stored and as sent.
#[derive(Clone, Debug, Queryable, Serialize)]
#[allow(missing_docs)] // the contract's own names
pub struct Task {
    pub id: i64,
    pub title: String,
    pub description: String,
    pub completed: bool,
    pub due_date: Option<NaiveDate>,
    #[serde(rename = "user")]
    pub user_id: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What a body may say of a task; what it leaves out is left alone.
#[derive(Clone, Debug, Insertable, AsChangeset)]
#[diesel(table_name = tasks)]
pub struct TaskInput {
    title: Option<String>,
    description: Option<String>,
    completed: Option<bool>,
    due_date: Option<Option<NaiveDate>>,
}

/// The task of this id, whosesoever it is.
///
/// # Errors
/// The database's.
pub fn by_id(conn: &mut Conn, id: i64) -> Result<Option<Task>> {
    Ok(tasks::table.find(id).first(conn).optional()?)
}

impl Input for TaskInput {
    fn read(fields: &mut Fields) -> Self {
        fields.read_only("id", "integer");
        let input = Self {
            title: fields.text("title").required().max(200).get(),
            description: fields.text("description").blank().get(),
            completed: fields.boolean("completed").get(),
            due_date: fields.date("due_date").nullable().get(),
        };
        fields.read_only("user", "field");
        fields.read_only("created_at", "datetime");
        fields.read_only("updated_at", "datetime");
        input
    }
}

impl Owned for Task {
    fn owner(&self) -> i64 {
        self.user_id
    }
}

const SORTING: Sorting<Task> = Sorting::by(
    |task| task.id.into(),
    &[
        SortKey::number("id", |task| task.id.into()),
        SortKey::text("title", |task| task.title.as_str().into()),
        SortKey::flag("completed", |task| task.completed.into()),
        SortKey::day("due_date", |task: &Task| task.due_date.into()).nullable(),
        SortKey::number("created_at", |task| task.created_at.into()),
        SortKey::number("updated_at", |task| task.updated_at.into()),
    ],
);

impl Resource for Task {
    const NAME: &'static str = "tasks";
    const NOUN: &'static str = "Task";
    type Input = TaskInput;
    type Access = IsAuthenticated;

    fn list(conn: &mut Conn, who: &Principal, query: &ListQuery) -> Result<Page<Self>> {
        let (terms, completed) = (query.search()?, query.flag("completed"));
        let matching = || {
            let mut rows = tasks::table.filter(tasks::user_id.eq(who.user)).into_boxed::<Backend>();
            if let Some(completed) = completed {
                rows = rows.filter(tasks::completed.eq(completed));
            }
            for term in &terms {
                rows = rows.filter(contains(tasks::title, term).or(contains(tasks::description, term)));
            }
            rows
        };
        let count = |conn: &mut Conn| Ok(matching().count().get_result(conn)?);
        query.page(conn, &SORTING, count, |conn, piece| {
            let rows = matching().filter(piece.condition()).order(piece.order());
            Ok(rows.limit(piece.limit).offset(piece.offset).load(conn)?)
        })
    }

    fn find(conn: &mut Conn, who: &Principal, id: i64) -> Result<Option<Self>> {
        let mine = tasks::table.filter(tasks::user_id.eq(who.user));
        Ok(mine.filter(tasks::id.eq(id)).first(conn).optional()?)
    }

    fn insert(conn: &mut Conn, who: &Principal, input: &TaskInput, now: Timestamp) -> Result<Self> {
        let times = (tasks::created_at.eq(now), tasks::updated_at.eq(now));
        let row = (input, tasks::user_id.eq(who.user), times);
        Ok(diesel::insert_into(tasks::table).values(row).returning(tasks::all_columns).get_result(conn)?)
    }

    fn update(&self, conn: &mut Conn, input: &TaskInput, now: Timestamp) -> Result<Self> {
        let changes = (input, tasks::updated_at.eq(now));
        let row = diesel::update(tasks::table.find(self.id)).set(changes);
        Ok(row.returning(tasks::all_columns).get_result(conn)?)
    }

    fn delete(&self, conn: &mut Conn) -> Result<()> {
        diesel::delete(tasks::table.find(self.id)).execute(conn)?;
        Ok(())
    }
}
