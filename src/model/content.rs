//! Articles and tasks as the panel reads and writes them: anybody's, by whoever may.

use chrono::NaiveDate;
use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::keyset::{Keyset, Kind, Page, Place, SortColumn, Value};
use crate::db::schema::{articles, tasks, users};
use crate::db::sql::{Condition, among, contains, count_of};
use crate::db::{Backend, Conn};
use crate::error::Result;

/// An article or a task, as a user's page lists it.
#[derive(Clone, Debug, Queryable)]
pub struct Piece {
    /// Its id.
    pub id: i64,
    /// Its title.
    pub title: String,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Whether it is a task that is done.
    pub completed: bool,
}

/// The newest articles of a user.
pub fn articles_of(conn: &mut Conn, user: i64, most: i64) -> Result<Vec<Piece>> {
    let own = articles::table.filter(articles::author_id.eq(user)).order(articles::id.desc()).limit(most);
    let rows: Vec<(i64, String, Timestamp)> =
        own.select((articles::id, articles::title, articles::updated_at)).load(conn)?;
    Ok(rows.into_iter().map(|(id, title, updated_at)| Piece { id, title, updated_at, completed: false }).collect())
}

/// The newest tasks of a user.
pub fn tasks_of(conn: &mut Conn, user: i64, most: i64) -> Result<Vec<Piece>> {
    let own = tasks::table.filter(tasks::user_id.eq(user)).order(tasks::id.desc()).limit(most);
    Ok(own.select((tasks::id, tasks::title, tasks::updated_at, tasks::completed)).load(conn)?)
}

/// An article, with its author's name.
#[derive(Clone, Debug, Queryable)]
pub struct Article {
    /// Its id.
    pub id: i64,
    /// Its title.
    pub title: String,
    /// Its text; empty in lists.
    pub body: String,
    /// Whose it is.
    pub author_id: i64,
    /// That user's name.
    pub author: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// A task, with its owner's name.
#[derive(Clone, Debug, Queryable)]
pub struct Task {
    /// Its id.
    pub id: i64,
    /// Its title.
    pub title: String,
    /// What it is about; empty in lists.
    pub description: String,
    /// Whether it is done.
    pub completed: bool,
    /// The day it is due.
    pub due_date: Option<NaiveDate>,
    /// Whose it is.
    pub user_id: i64,
    /// That user's name.
    pub owner: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// Articles by when they were last changed.
pub const ARTICLES_BY_UPDATED: SortColumn = SortColumn::new("articles.updated_at", Kind::Number, "articles.id");
/// Articles by when they were made.
pub const ARTICLES_BY_CREATED: SortColumn = SortColumn::new("articles.created_at", Kind::Number, "articles.id");
/// Articles by title.
pub const ARTICLES_BY_TITLE: SortColumn = SortColumn::new("articles.title", Kind::Text, "articles.id");
/// Tasks by when they were made.
pub const TASKS_BY_CREATED: SortColumn = SortColumn::new("tasks.created_at", Kind::Number, "tasks.id");

impl Article {
    /// Where it stands in this order.
    pub fn place(&self, by: &SortColumn) -> Place {
        let value = match by.column {
            "articles.title" => Value::from(self.title.as_str()),
            "articles.created_at" => self.created_at.into(),
            _ => self.updated_at.into(),
        };
        Place { value, id: self.id.into() }
    }
}

impl Task {
    /// Where it stands in the order of the list.
    pub fn place(&self, _: &SortColumn) -> Place {
        Place { value: self.created_at.into(), id: self.id.into() }
    }
}

/// Which are wanted.
#[derive(Clone, Debug, Default)]
pub struct ContentQuery {
    /// Each of these words is in the title.
    pub words: Vec<String>,
    /// Of the user with exactly this name.
    pub owner: String,
    /// Made since then.
    pub since: Option<Timestamp>,
    /// Tasks that are done, or are not.
    pub completed: Option<bool>,
    /// Tasks due from this day on.
    pub due_from: Option<NaiveDate>,
    /// Tasks due before this day.
    pub due_before: Option<NaiveDate>,
}

fn wanted_articles(query: &ContentQuery) -> articles::BoxedQuery<'static, Backend> {
    let mut rows = articles::table.into_boxed();
    for word in &query.words {
        let has: Condition<articles::table> = contains(articles::title, word);
        rows = rows.filter(has);
    }
    if !query.owner.is_empty() {
        let owner = users::table.filter(users::username.eq(query.owner.clone())).select(users::id).single_value();
        rows = rows.filter(articles::author_id.nullable().eq(owner).assume_not_null());
    }
    match query.since {
        Some(since) => rows.filter(articles::created_at.ge(since)),
        None => rows,
    }
}

fn wanted_tasks(query: &ContentQuery) -> tasks::BoxedQuery<'static, Backend> {
    let mut rows = tasks::table.into_boxed();
    for word in &query.words {
        let has: Condition<tasks::table> = contains(tasks::title, word);
        rows = rows.filter(has);
    }
    if !query.owner.is_empty() {
        let owner = users::table.filter(users::username.eq(query.owner.clone())).select(users::id).single_value();
        rows = rows.filter(tasks::user_id.nullable().eq(owner).assume_not_null());
    }
    if let Some(completed) = query.completed {
        rows = rows.filter(tasks::completed.eq(completed));
    }
    if let Some(from) = query.due_from {
        rows = rows.filter(tasks::due_date.ge(from).assume_not_null());
    }
    match query.due_before {
        Some(before) => rows.filter(tasks::due_date.lt(before).assume_not_null()),
        None => rows,
    }
}

/// One page of the articles that are wanted, without their texts.
pub fn articles(conn: &mut Conn, query: &ContentQuery, keyset: &Keyset) -> Result<Page<Article>> {
    keyset.load(|piece| {
        let ids = wanted_articles(query).filter(piece.condition()).order(piece.order());
        let rows = articles::table.inner_join(users::table).into_boxed::<Backend>();
        let rows = rows.filter(among("articles.id", ids.limit(piece.limit).select(articles::id))).order(piece.order());
        let rows: Vec<(i64, String, i64, String, Timestamp, Timestamp)> = rows
            .select((
                articles::id,
                articles::title,
                articles::author_id,
                users::username,
                articles::created_at,
                articles::updated_at,
            ))
            .load(conn)?;
        let line = |(id, title, author_id, author, created_at, updated_at)| Article {
            id,
            title,
            body: String::new(),
            author_id,
            author,
            created_at,
            updated_at,
        };
        Ok(rows.into_iter().map(line).collect())
    })
}

/// One page of the tasks that are wanted, without their descriptions.
pub fn tasks(conn: &mut Conn, query: &ContentQuery, keyset: &Keyset) -> Result<Page<Task>> {
    keyset.load(|piece| {
        let ids = wanted_tasks(query).filter(piece.condition()).order(piece.order());
        let rows = tasks::table.inner_join(users::table).into_boxed::<Backend>();
        let rows = rows.filter(among("tasks.id", ids.limit(piece.limit).select(tasks::id))).order(piece.order());
        type Columns = (i64, String, bool, Option<NaiveDate>, i64, String, Timestamp, Timestamp);
        let rows: Vec<Columns> = rows
            .select((
                tasks::id,
                tasks::title,
                tasks::completed,
                tasks::due_date,
                tasks::user_id,
                users::username,
                tasks::created_at,
                tasks::updated_at,
            ))
            .load(conn)?;
        let line = |(id, title, completed, due_date, user_id, owner, created_at, updated_at): Columns| Task {
            id,
            title,
            description: String::new(),
            completed,
            due_date,
            user_id,
            owner,
            created_at,
            updated_at,
        };
        Ok(rows.into_iter().map(line).collect())
    })
}

/// How many articles there are.
pub fn total_articles(conn: &mut Conn) -> Result<i64> {
    Ok(articles::table.count().get_result(conn)?)
}

/// How many tasks there are.
pub fn total_tasks(conn: &mut Conn) -> Result<i64> {
    Ok(tasks::table.count().get_result(conn)?)
}

/// How many articles are wanted, counted up to `most`.
pub fn count_articles(conn: &mut Conn, query: &ContentQuery, most: i64) -> Result<i64> {
    Ok(count_of(wanted_articles(query).select(articles::id).limit(most)).get_result(conn)?)
}

/// How many tasks are wanted, counted up to `most`.
pub fn count_tasks(conn: &mut Conn, query: &ContentQuery, most: i64) -> Result<i64> {
    Ok(count_of(wanted_tasks(query).select(tasks::id).limit(most)).get_result(conn)?)
}

/// The article of this id.
pub fn article(conn: &mut Conn, id: i64) -> Result<Option<Article>> {
    let one = articles::table.inner_join(users::table).filter(articles::id.eq(id));
    let columns = (
        articles::id,
        articles::title,
        articles::body,
        articles::author_id,
        users::username,
        articles::created_at,
        articles::updated_at,
    );
    Ok(one.select(columns).first(conn).optional()?)
}

/// The task of this id.
pub fn task(conn: &mut Conn, id: i64) -> Result<Option<Task>> {
    let one = tasks::table.inner_join(users::table).filter(tasks::id.eq(id));
    let columns = (
        tasks::id,
        tasks::title,
        tasks::description,
        tasks::completed,
        tasks::due_date,
        tasks::user_id,
        users::username,
        tasks::created_at,
        tasks::updated_at,
    );
    Ok(one.select(columns).first(conn).optional()?)
}

/// What is written of an article.
#[derive(Clone, Debug)]
pub struct ArticleFields {
    /// Its title.
    pub title: String,
    /// Its text.
    pub body: String,
    /// Whose it is.
    pub author_id: i64,
}

/// What is written of a task.
#[derive(Clone, Debug)]
pub struct TaskFields {
    /// Its title.
    pub title: String,
    /// What it is about.
    pub description: String,
    /// Whether it is done.
    pub completed: bool,
    /// The day it is due.
    pub due_date: Option<NaiveDate>,
    /// Whose it is.
    pub user_id: i64,
}

/// Makes an article; returns its id.
pub fn insert_article(conn: &mut Conn, new: &ArticleFields, now: Timestamp) -> Result<i64> {
    let row = (
        articles::title.eq(&new.title),
        articles::body.eq(&new.body),
        articles::author_id.eq(new.author_id),
        articles::created_at.eq(now),
        articles::updated_at.eq(now),
    );
    Ok(diesel::insert_into(articles::table).values(row).returning(articles::id).get_result(conn)?)
}

/// Changes an article.
pub fn update_article(conn: &mut Conn, id: i64, new: &ArticleFields, now: Timestamp) -> Result<()> {
    let row = (
        articles::title.eq(&new.title),
        articles::body.eq(&new.body),
        articles::author_id.eq(new.author_id),
        articles::updated_at.eq(now),
    );
    diesel::update(articles::table.find(id)).set(row).execute(conn)?;
    Ok(())
}

/// Deletes an article; `false` if it was gone.
pub fn delete_article(conn: &mut Conn, id: i64) -> Result<bool> {
    Ok(diesel::delete(articles::table.find(id)).execute(conn)? == 1)
}

/// Makes a task; returns its id.
pub fn insert_task(conn: &mut Conn, new: &TaskFields, now: Timestamp) -> Result<i64> {
    let row = (
        tasks::title.eq(&new.title),
        tasks::description.eq(&new.description),
        tasks::completed.eq(new.completed),
        tasks::due_date.eq(new.due_date),
        tasks::user_id.eq(new.user_id),
        tasks::created_at.eq(now),
        tasks::updated_at.eq(now),
    );
    Ok(diesel::insert_into(tasks::table).values(row).returning(tasks::id).get_result(conn)?)
}

/// Changes a task.
pub fn update_task(conn: &mut Conn, id: i64, new: &TaskFields, now: Timestamp) -> Result<()> {
    let row = (
        tasks::title.eq(&new.title),
        tasks::description.eq(&new.description),
        tasks::completed.eq(new.completed),
        tasks::due_date.eq(new.due_date),
        tasks::user_id.eq(new.user_id),
        tasks::updated_at.eq(now),
    );
    diesel::update(tasks::table.find(id)).set(row).execute(conn)?;
    Ok(())
}

/// Deletes a task; `false` if it was gone.
pub fn delete_task(conn: &mut Conn, id: i64) -> Result<bool> {
    Ok(diesel::delete(tasks::table.find(id)).execute(conn)? == 1)
}
