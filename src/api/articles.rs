//! Articles: everyone signed in reads all of them, the author alone writes.

use diesel::prelude::*;
use serde::Serialize;
use serde_json::json;

use crate::auth::gate::Principal;
use crate::clock::Timestamp;
use crate::db::schema::{articles, users};
use crate::db::sql::contains;
use crate::db::{Backend, Conn};
use crate::error::{Error, Result};
use crate::rest::event::Audience;
use crate::rest::fields::{Fields, Input};
use crate::rest::list::ListQuery;
use crate::rest::nested::{Nested, Objects};
use crate::rest::paging::{Page, SortKey, Sorting};
use crate::rest::permission::{IsAuthenticated, IsOwnerOrReadOnly, Owned};
use crate::rest::resource::Resource;

/// An article, as stored and as sent.
#[derive(Clone, Debug, Queryable, Serialize)]
#[allow(missing_docs)] // the contract's own names
pub struct Article {
    pub id: i64,
    pub title: String,
    pub body: String,
    #[serde(rename = "author")]
    pub author_id: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What a body may say of an article; what it leaves out is left alone.
#[derive(Clone, Debug, Insertable, AsChangeset)]
#[diesel(table_name = articles)]
pub struct ArticleInput {
    title: Option<String>,
    body: Option<String>,
}

/// The article of this id, whosesoever it is.
///
/// # Errors
/// The database's.
pub fn by_id(conn: &mut Conn, id: i64) -> Result<Option<Article>> {
    Ok(articles::table.find(id).first(conn).optional()?)
}

impl Input for ArticleInput {
    fn read(fields: &mut Fields) -> Self {
        fields.read_only("id", "integer");
        let input =
            Self { title: fields.text("title").required().max(200).get(), body: fields.text("body").required().get() };
        fields.read_only("author", "field");
        fields.read_only("created_at", "datetime");
        fields.read_only("updated_at", "datetime");
        input
    }
}

impl Owned for Article {
    fn owner(&self) -> i64 {
        self.author_id
    }
}

const SORTING: Sorting<Article> = Sorting::by(
    |article| article.id.into(),
    &[
        SortKey::number("id", |article| article.id.into()),
        SortKey::text("title", |article| article.title.as_str().into()),
        SortKey::number("created_at", |article| article.created_at.into()),
        SortKey::number("updated_at", |article| article.updated_at.into()),
    ],
);

impl Resource for Article {
    const NAME: &'static str = "articles";
    const NOUN: &'static str = "Article";
    type Input = ArticleInput;
    type Access = (IsAuthenticated, IsOwnerOrReadOnly);
    const AUDIENCE: Audience = Audience::Everyone;
    const NESTED: &'static [Nested] = &[Nested { member: "author", record: "Author", objects: authors }];

    fn list(conn: &mut Conn, _: &Principal, query: &ListQuery) -> Result<Page<Self>> {
        let (terms, author) = (query.search()?, wanted_author(conn, query)?);
        let matching = || {
            let mut rows = articles::table.into_boxed::<Backend>();
            if let Some(author) = author {
                rows = rows.filter(articles::author_id.eq(author));
            }
            for term in &terms {
                rows = rows.filter(contains(articles::title, term).or(contains(articles::body, term)));
            }
            rows
        };
        let count = |conn: &mut Conn| Ok(matching().count().get_result(conn)?);
        query.page(conn, &SORTING, count, |conn, piece| {
            let rows = matching().filter(piece.condition()).order(piece.order());
            Ok(rows.limit(piece.limit).offset(piece.offset).load(conn)?)
        })
    }

    fn find(conn: &mut Conn, _: &Principal, id: i64) -> Result<Option<Self>> {
        by_id(conn, id)
    }

    fn insert(conn: &mut Conn, who: &Principal, input: &ArticleInput, now: Timestamp) -> Result<Self> {
        let times = (articles::created_at.eq(now), articles::updated_at.eq(now));
        let row = (input, articles::author_id.eq(who.user), times);
        Ok(diesel::insert_into(articles::table).values(row).returning(articles::all_columns).get_result(conn)?)
    }

    fn update(&self, conn: &mut Conn, input: &ArticleInput, now: Timestamp) -> Result<Self> {
        let changes = (input, articles::updated_at.eq(now));
        let row = diesel::update(articles::table.find(self.id)).set(changes);
        Ok(row.returning(articles::all_columns).get_result(conn)?)
    }

    fn delete(&self, conn: &mut Conn) -> Result<()> {
        diesel::delete(articles::table.find(self.id)).execute(conn)?;
        Ok(())
    }
}

/// Authors as v2 shows them.
fn authors(conn: &mut Conn, ids: &[i64]) -> Result<Objects> {
    let named: Vec<(i64, String)> =
        users::table.filter(users::id.eq_any(ids)).select((users::id, users::username)).load(conn)?;
    Ok(named.into_iter().map(|(id, username)| (id, json!({ "id": id, "username": username }))).collect())
}

/// `?author=ID`, which must be somebody's (CONTRACT 10).
fn wanted_author(conn: &mut Conn, query: &ListQuery) -> Result<Option<i64>> {
    let Some(text) = query.param("author").map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    let known = match text.parse::<i64>() {
        Ok(id) => users::table.find(id).select(users::id).first(conn).optional()?,
        Err(_) => None,
    };
    let complaint = "Select a valid choice. That choice is not one of the available choices.";
    known.map(Some).ok_or_else(|| Error::field("author", complaint))
}
