//! The README's recipe of a third resource, followed to the letter: what notes cost whoever adds them.

use actix_web::web::ServiceConfig;
use diesel::prelude::*;
use portcullis::auth::gate::Principal;
use portcullis::clock::Timestamp;
use portcullis::db::{Backend, Conn};
use portcullis::error::Result;
use portcullis::rest::fields::{Fields, Input};
use portcullis::rest::list::{ListQuery, Page};
use portcullis::rest::permission::{IsAuthenticated, Owned};
use portcullis::rest::resource::{Resource, viewset};
use serde::Serialize;
use serde_json::json;

use crate::support::app::{TestApp, minutes};

// --- What the recipe says to write. ---

/// `KEY` is `INTEGER PRIMARY KEY AUTOINCREMENT` on SQLite and `BIGSERIAL PRIMARY KEY` on PostgreSQL: a migration is a pair.
const MIGRATION: &str = "CREATE TABLE notes (
    id KEY, text TEXT NOT NULL, user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    updated_at BIGINT NOT NULL)";

diesel::table! {
    notes (id) { id -> BigInt, text -> Text, user_id -> BigInt, updated_at -> BigInt, }
}

#[derive(Queryable, Serialize)]
struct Note {
    id: i64,
    text: String,
    #[serde(skip)]
    user_id: i64,
    updated_at: Timestamp,
}

#[derive(Insertable, AsChangeset)]
#[diesel(table_name = notes)]
struct NoteInput {
    text: Option<String>,
}

impl Input for NoteInput {
    fn read(fields: &mut Fields) -> Self {
        Self { text: fields.text("text").required().max(1000).get() }
    }
}

impl Owned for Note {
    fn owner(&self) -> i64 {
        self.user_id
    }
}

impl Resource for Note {
    const NAME: &'static str = "notes";
    const NOUN: &'static str = "Note";
    type Input = NoteInput;
    type Access = IsAuthenticated;

    fn list(conn: &mut Conn, who: &Principal, query: &ListQuery) -> Result<Page<Self>> {
        let mine = || notes::table.filter(notes::user_id.eq(who.user)).into_boxed::<Backend>();
        let window = query.page_window(mine().count().get_result(conn)?)?;
        let rows = mine().order(notes::id).limit(window.limit).offset(window.offset).load(conn)?;
        Ok(query.page(window, rows))
    }

    fn find(conn: &mut Conn, who: &Principal, id: i64) -> Result<Option<Self>> {
        Ok(notes::table.filter(notes::user_id.eq(who.user)).filter(notes::id.eq(id)).first(conn).optional()?)
    }

    fn insert(conn: &mut Conn, who: &Principal, input: &NoteInput, now: Timestamp) -> Result<Self> {
        let row = (input, notes::user_id.eq(who.user), notes::updated_at.eq(now));
        Ok(diesel::insert_into(notes::table).values(row).returning(notes::all_columns).get_result(conn)?)
    }

    fn update(&self, conn: &mut Conn, input: &NoteInput, now: Timestamp) -> Result<Self> {
        let row = diesel::update(notes::table.find(self.id)).set((input, notes::updated_at.eq(now)));
        Ok(row.returning(notes::all_columns).get_result(conn)?)
    }

    fn delete(&self, conn: &mut Conn) -> Result<()> {
        diesel::delete(notes::table.find(self.id)).execute(conn)?;
        Ok(())
    }
}

fn routes(api: &mut ServiceConfig) {
    viewset::<Note>(api);
}

// --- What it brings. ---

#[actix_web::test]
async fn a_third_resource_is_a_whole_one() {
    let app = TestApp::serving(routes).await;
    let key = if app.site.db.is_single() { "INTEGER PRIMARY KEY AUTOINCREMENT" } else { "BIGSERIAL PRIMARY KEY" };
    app.write(move |conn| Ok(diesel::sql_query(MIGRATION.replace("KEY", key)).execute(conn)?)).await;
    let (ann, bob) = (app.user("ann").await.signed_in().await, app.user("bob").await.signed_in().await);

    let mut note = json!({ "id": 1, "text": "Milk", "updated_at": "2026-01-01T12:00:00Z" });
    ann.post("/api/notes/", json!({ "text": " Milk " })).await.is(201, note.clone());
    ann.post("/api/notes/", json!({})).await.is(400, json!({ "text": ["This field is required."] }));
    app.anonymous().get("/api/notes/").await.status(401);

    let page = json!({ "count": 1, "next": null, "previous": null, "results": [note] });
    ann.get("/api/notes/").await.is(200, page.clone());
    ann.get("/api/v1/notes.json").await.is(200, page);
    bob.get("/api/notes/1/").await.is(404, json!({ "detail": "No Note matches the given query." }));

    app.clock.advance(minutes(1));
    note["text"] = json!("Oat milk");
    note["updated_at"] = json!("2026-01-01T12:01:00Z");
    ann.patch("/api/notes/1/", json!({ "text": "Oat milk" })).await.is(200, note.clone());
    ann.put("/api/notes/1/", json!({ "text": "Oat milk" })).await.is(200, note.clone());
    ann.get("/api/notes/1/").await.is(200, note);

    let options = ann.options("/api/notes/").await.status(200).json();
    assert_eq!(options["name"], "Note List");
    let field = json!({ "type": "string", "required": true, "read_only": false, "label": "Text", "max_length": 1000 });
    assert_eq!(options["actions"], json!({ "POST": { "text": field } }));

    ann.delete("/api/notes/1/").await.is_empty(204);
    ann.get("/api/notes/1/").await.is(404, json!({ "detail": "No Note matches the given query." }));
    assert_eq!(ann.get("/api/").await.status, 200); // the API's own routes are still there
}
