//! Tasks: everyone has their own, and nobody else's exist.

use chrono::NaiveDate;
use diesel::prelude::*;
use serde::Serialize;

use crate::auth::gate::Principal;
use crate::clock::Timestamp;
use crate::db::schema::tasks;
use crate::db::sql::{SortKeys, by, by_nullable, contains};
use crate::db::{Backend, Conn};
use crate::error::Result;
use crate::rest::fields::{Fields, Input};
use crate::rest::list::{ListQuery, Page};
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

const SORT_KEYS: &SortKeys<tasks::table> = &[
    ("id", |desc| by(tasks::id, desc)),
    ("title", |desc| by(tasks::title, desc)),
    ("completed", |desc| by(tasks::completed, desc)),
    ("due_date", |desc| by_nullable(tasks::due_date, desc)),
    ("created_at", |desc| by(tasks::created_at, desc)),
    ("updated_at", |desc| by(tasks::updated_at, desc)),
];

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
        let window = query.page_window(matching().count().get_result(conn)?)?;
        let sorted = query.sorts(SORT_KEYS).into_iter().fold(matching(), |rows, term| rows.then_order_by(term));
        let rows = sorted.then_order_by(tasks::id).limit(window.limit).offset(window.offset);
        Ok(query.page(window, rows.load(conn)?))
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
