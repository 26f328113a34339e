//! Articles and tasks as the panel reads and writes them: anybody's, by whoever may.

use chrono::NaiveDate;
use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::keyset::{Keyset, Kind, Page, Place, SortColumn, Value};
use crate::db::schema::{articles, tasks, users};
use crate::db::search::{self, search};
use crate::db::sql::{self, Condition, among};
use crate::db::tally::{Counted, Counts, Tally};
use crate::db::way::Way;
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
/// Tasks by the day they are due; those without one come last.
pub const TASKS_BY_DUE: SortColumn = SortColumn::new("tasks.due_date", Kind::Day, "tasks.id").nullable();
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
    /// Where it stands in this order.
    pub fn place(&self, by: &SortColumn) -> Place {
        let value = if by.column == TASKS_BY_DUE.column { self.due_date.into() } else { self.created_at.into() };
        Place { value, id: self.id.into() }
    }
}

/// Which are wanted.
#[derive(Clone, Debug, Default, PartialEq)]
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

impl ContentQuery {
    /// Those of `table` that are wanted, at most so many, if the index of words tells which they are.
    fn by_index(&self, conn: &Conn, table: &str, most: i64) -> Option<Counted> {
        let is_by_words = *self == Self { words: self.words.clone(), ..Self::default() };
        if is_by_words { search::by_index(conn, table, &self.words, false, most) } else { None }
    }

    /// Whether no index alone tells which are wanted.
    fn is_costly(&self) -> bool {
        let due = self.due_from.or(self.due_before);
        let by_index = [!self.owner.is_empty(), self.since.is_some(), self.completed.is_some(), due.is_some()];
        !self.words.is_empty() || by_index.into_iter().filter(|is_set| *is_set).count() > 1
    }
}

/// What narrows the list; with `by_look` each row is judged by itself, where an index would give all.
fn of_articles(conn: &Conn, query: &ContentQuery, by_look: bool) -> Option<Condition<articles::table>> {
    let mut all: Vec<Condition<articles::table>> = Vec::new();
    if let Some(words) = search(conn, "articles", &query.words, false, by_look) {
        all.push(Box::new(words));
    }
    if !query.owner.is_empty() {
        let owner = users::table.filter(users::username.eq(query.owner.clone())).select(users::id);
        all.push(Box::new(articles::author_id.nullable().eq(owner.single_value()).assume_not_null()));
    }
    if let Some(since) = query.since {
        all.push(Box::new(articles::created_at.ge(since)));
    }
    sql::all(all)
}

/// The same of tasks.
fn of_tasks(conn: &Conn, query: &ContentQuery, by_look: bool) -> Option<Condition<tasks::table>> {
    let mut all: Vec<Condition<tasks::table>> = Vec::new();
    if let Some(words) = search(conn, "tasks", &query.words, false, by_look) {
        all.push(Box::new(words));
    }
    if !query.owner.is_empty() {
        let owner = users::table.filter(users::username.eq(query.owner.clone())).select(users::id);
        all.push(Box::new(tasks::user_id.nullable().eq(owner.single_value()).assume_not_null()));
    }
    if let Some(completed) = query.completed {
        all.push(Box::new(tasks::completed.eq(completed)));
    }
    if let Some(from) = query.due_from {
        all.push(Box::new(tasks::due_date.ge(from).assume_not_null()));
    }
    if let Some(before) = query.due_before {
        all.push(Box::new(tasks::due_date.lt(before).assume_not_null()));
    }
    sql::all(all)
}

/// One page of the articles that are wanted, without their texts; `matching` tells how many they are.
pub fn articles(conn: &mut Conn, query: &ContentQuery, keyset: &Keyset, matching: i64) -> Result<Page<Article>> {
    keyset.load_by(&Way::to_words(conn, matching, &query.words, &keyset.by), |piece| {
        let mut ids = articles::table.filter(piece.condition()).into_boxed::<Backend>();
        if let Some(condition) = of_articles(conn, query, piece.way.is_walk()) {
            ids = ids.filter(piece.way.narrowing(condition));
        }
        let rows = articles::table.inner_join(users::table).into_boxed::<Backend>();
        let rows = rows
            .filter(among("articles.id", ids.order(piece.order()).limit(piece.limit).select(articles::id)))
            .order(piece.order());
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

/// One page of the tasks that are wanted, without their descriptions; `matching` tells how many they are.
pub fn tasks(conn: &mut Conn, query: &ContentQuery, keyset: &Keyset, matching: i64) -> Result<Page<Task>> {
    keyset.load_by(&Way::to_words(conn, matching, &query.words, &keyset.by), |piece| {
        let mut ids = tasks::table.filter(piece.condition()).into_boxed::<Backend>();
        if let Some(condition) = of_tasks(conn, query, piece.way.is_walk()) {
            ids = ids.filter(piece.way.narrowing(condition));
        }
        let rows = tasks::table.inner_join(users::table).into_boxed::<Backend>();
        let rows = rows
            .filter(among("tasks.id", ids.order(piece.order()).limit(piece.limit).select(tasks::id)))
            .order(piece.order());
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

/// How many articles there are, and how many are wanted.
pub fn count_articles(conn: &mut Conn, query: &ContentQuery, tally: &Tally) -> Result<Counts> {
    let tally = if query.is_costly() { tally.of_costly() } else { tally.clone() };
    let all = articles::table.select(articles::id);
    let wanted = query
        .by_index(conn, "articles", tally.limit())
        .or_else(|| Some(Box::new(all.filter(of_articles(conn, query, false)?).limit(tally.limit()))));
    tally.count(conn, "articles", vec![Box::new(all)], wanted)
}

/// How many tasks there are, and how many are wanted.
pub fn count_tasks(conn: &mut Conn, query: &ContentQuery, tally: &Tally) -> Result<Counts> {
    let tally = if query.is_costly() { tally.of_costly() } else { tally.clone() };
    let all = tasks::table.select(tasks::id);
    let wanted = query
        .by_index(conn, "tasks", tally.limit())
        .or_else(|| Some(Box::new(all.filter(of_tasks(conn, query, false)?).limit(tally.limit()))));
    tally.count(conn, "tasks", vec![Box::new(all)], wanted)
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
