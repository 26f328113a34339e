//! Two users against each other: whatever Bob sends to whichever route, nothing of Ann's comes back and nothing of hers changes.
//!
//! The routes are those of the API's own description, so that a new one is asked by itself, under `/api/`, `/api/v1/` and
//! `/api/v2/`. Every private field of Ann's holds a text that stands nowhere else. Bob knows her ids, her name, her address,
//! words that stand beside the secret ones, and the idempotency key and the tag that she used. A text that he has sent himself
//! may come back to him. By right he can have a letter sent to her, so the outbox is no part of what must stay as it is.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt::{self, Write};

use actix_web::http::Method;
use diesel::prelude::*;
use diesel::sql_types::Text;
use portcullis::auth::gate::Principal;
use portcullis::clock::Timestamp;
use portcullis::db::Conn;
use portcullis::db::schema::tasks;
use portcullis::error::Result as OurResult;
use portcullis::rest::fields::{Fields, Input};
use portcullis::rest::list::ListQuery;
use portcullis::rest::paging::{Page, Sorting};
use portcullis::rest::permission::{IsAuthenticated, Owned};
use portcullis::rest::resource::{Resource, viewset};
use portcullis::rest::routes::Routes;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::support::app::{TestApp, no_limits};
use crate::support::client::{Answer, Body, Client, form, multipart};
use crate::support::people::{PASSWORD, Pair};
use crate::support::token::claims;

/// Whose nothing may be seen or changed.
struct Ann {
    id: i64,
    /// Texts of her private fields.
    secrets: Vec<String>,
    /// A word that her tasks have beside those.
    word: String,
    /// What fills a hole: the id of each thing of hers, and where such a thing is served.
    ids: Vec<(&'static str, String)>,
    /// Her name and her address, by which others may know her.
    name: String,
    email: String,
    tag: String,
}

const KEY: &str = "key-of-ann";

async fn ann(app: &TestApp, number: usize) -> Ann {
    let person = app.user(&format!("ann{number}")).await;
    let new = format!("unlike bob's {number}");
    let change = json!({ "old_password": PASSWORD, "new_password": new });
    let there = |token: &str| app.anonymous().at("198.51.100.77").bearing(token);
    let first = there(&person.obtain().await.access);
    let request = first.post("/api/password/change/", change).header("user-agent", &format!("agent{number}@ann"));
    let pair: Pair = request.await.status(200).ok();
    let her = there(&pair.access);
    let secret = |what: &str| format!("{what}{number}@ann");
    let word = format!("harbour{number}");
    let names = json!({
        "first_name": secret("first"), "last_name": secret("last"), "phone_number": format!("+49{number:012}"),
        "date_of_birth": "1931-05-07",
    });
    her.patch("/api/users/me/", names).await.status(200);
    let mut ids = vec![("/users/", person.id.to_string())];
    let mut tag = String::new();
    for completed in [true, false] {
        let task = json!({ "title": format!("{word} {}", secret("title")), "description": secret("text"), "completed": completed });
        let made =
            her.post("/api/tasks/", task).header("idempotency-key", &format!("{KEY}{completed}")).await.status(201);
        tag = made.header("etag").unwrap().to_owned();
        ids.push(("", made.json()["id"].to_string()));
    }
    let article = json!({ "title": "For all to read", "body": "Indeed" });
    ids.push(("/articles/", her.post("/api/articles/", article).await.status(201).json()["id"].to_string()));
    let session = claims(&pair.access)["sid"].as_str().unwrap().to_owned();
    her.patch(&format!("/api/sessions/{session}/"), json!({ "name": secret("device") })).await.status(200);
    let key = her.post("/api/keys/", json!({ "name": secret("key"), "scopes": ["*"] })).await.status(201).json();
    ids.extend([("/sessions/", session.clone()), ("/keys/", key["id"].to_string())]);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut secrets = ["first", "last", "title", "text", "device", "key", "agent"].map(secret).to_vec();
    secrets.extend([format!("+49{number:012}"), "1931-05-07".into(), "198.51.100.77".into(), session]);
    secrets.extend([text(&key["key"]), text(&key["prefix"]), format!("ann{number}@example.org")]);
    secrets.extend([&pair.access, &pair.refresh].map(|token| text(&claims(token)["jti"])));
    Ann { id: person.id, secrets, word, ids, email: format!("{}@example.org", person.name), name: person.name, tag }
}

// --- What Bob sends. ---

/// A route of the description, the fields that the bodies of its methods have, and whether it searches.
#[derive(Clone, Debug)]
struct Route {
    path: String,
    fields: Vec<String>,
    searches: bool,
}

/// The routes that the server says it has.
async fn routes(app: &TestApp) -> Vec<Route> {
    let document = app.anonymous().get("/api/schema/").await.status(200).json();
    let fields = |view: &Value| {
        let schemas = view.as_object().unwrap().values().map(|operation| {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            let named = schema["$ref"].as_str().and_then(|name| document.pointer(name.trim_start_matches('#')));
            named.unwrap_or(schema).clone()
        });
        let names = schemas.flat_map(|schema| schema["properties"].as_object().cloned().unwrap_or_default());
        names.map(|(name, _)| name).collect::<BTreeSet<_>>().into_iter().collect()
    };
    let paths = document["paths"].as_object().unwrap();
    let searches = |view: &Value| {
        let parameters = view["get"]["parameters"].as_array();
        parameters.is_some_and(|parameters| parameters.iter().any(|one| one["name"] == "search"))
    };
    let route =
        |(path, view): (&String, &Value)| Route { path: path.clone(), fields: fields(view), searches: searches(view) };
    // Where there is an id to guess, there is the most to see.
    let often = |route: Route| std::iter::repeat_n(route.clone(), if route.path.contains('{') { 4 } else { 1 });
    paths.iter().map(route).flat_map(often).collect()
}

/// What one request is made of; who Ann is comes in when it is sent.
#[derive(Clone, Debug)]
struct Plan {
    route: Index,
    version: &'static str,
    method: Method,
    id: Index,
    /// How the id is written, where `@` stands for it.
    spelling: &'static str,
    query: &'static str,
    kind: &'static str,
    /// Which of the fields of the route are left out.
    left_out: u8,
    extra: Vec<&'static str>,
    value: Index,
    header: (&'static str, &'static str),
}

fn plan() -> impl Strategy<Value = Plan> {
    let telling = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    let methods = prop_oneof![6 => select(telling.to_vec()), 1 => select(vec![Method::HEAD, Method::OPTIONS])];
    let spelled = prop_oneof![
        2 => Just("@"),
        1 => select(&["+@", "%20@", "0@", "@.json", "@%00", "%2B@", "-@", "@%20", "me", "*"][..]),
    ];
    let query = select(
        &[
            "?user=ID",
            "?owner=ID",
            "?user_id=ID",
            "?author=ID",
            "?search=WORD",
            "?search=WORD&completed=true",
            "?ordering=user",
            "?ordering=-user_id",
            "?page=2",
            "?page=last",
            "?format=json",
            "?_method=DELETE",
            "?all=1",
        ][..],
    );
    let query = prop_oneof![Just(""), query];
    let extra = vec!["user", "user_id", "owner", "author", "author_id", "id", "is_staff", "is_superuser", "roles"];
    let header = select(
        &[
            ("x-http-method-override", "DELETE"),
            ("x-http-method-override", "PATCH"),
            ("if-match", "*"),
            ("if-match", "TAG"),
            ("if-none-match", "TAG"),
            ("idempotency-key", "key-of-anntrue"),
            ("idempotency-key", "own"),
            ("x-user-id", "ID"),
            ("x-forwarded-for", "198.51.100.77"),
            ("prefer", "return=representation"),
        ][..],
    );
    let header = prop_oneof![Just(("", "")), header];
    let place =
        (any::<Index>(), select(&["/api/", "/api/", "/api/v1/", "/api/v1/", "/api/v2/"][..]), methods, any::<Index>());
    let body =
        (select(&["json", "json", "json", "form", "multipart", ""][..]), prop_oneof![2 => Just(0), 1 => any::<u8>()]);
    let rest = (subsequence(extra, 0..3), any::<Index>(), header);
    (place, spelled, query, body, rest).prop_map(
        |(place, spelling, query, (kind, left_out), (extra, value, header))| {
            let (route, version, method, id) = place;
            Plan { route, version, method, id, spelling, query, kind, left_out, extra, value, header }
        },
    )
}

/// A request as it is sent, and as it is told when something is wrong with its answer.
struct Told {
    method: Method,
    path: String,
    header: (String, String),
    kind: &'static str,
    body: Map<String, Value>,
    searches: bool,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, path, header: (name, value), kind, body, .. } = self;
        write!(f, "{method} {path} [{name}: {value}] {kind} {}", Value::Object(body.clone()))
    }
}

impl Plan {
    fn told(&self, routes: &[Route], ann: &Ann, own: &Pair) -> Told {
        let route = self.route.get(routes);
        let id = self.id(&route.path, ann);
        let known = |text: &str| {
            let text = text.replace("ID", &ann.id.to_string()).replace("WORD", &ann.word);
            text.replace("TAG", &ann.tag)
        };
        let mut path = route.path.replacen("/api/v1/", self.version, 1);
        while let (Some(from), Some(to)) = (path.find('{'), path.find('}')) {
            path.replace_range(from..=to, &self.spelling.replace('@', &id));
        }
        let searches = route.searches && self.query.contains("search");
        path.push_str(&known(self.query));
        let mut body = Map::new();
        for (place, field) in route.fields.iter().enumerate() {
            if self.left_out & (1 << (place % 8)) == 0 {
                body.insert(field.clone(), self.value(field, ann, own));
            }
        }
        for field in &self.extra {
            body.insert((*field).to_owned(), self.value(field, ann, own));
        }
        let header = (self.header.0.to_owned(), known(self.header.1));
        Told { method: self.method.clone(), path, header, kind: self.kind, body, searches }
    }

    /// One of her ids: mostly of a thing that is served there, if there is any; tasks are that anywhere else.
    fn id(&self, path: &str, ann: &Ann) -> String {
        let there = |(place, _): &&(&str, String)| !place.is_empty() && path.contains(place);
        let mut fitting: Vec<_> = ann.ids.iter().filter(there).collect();
        if fitting.is_empty() {
            fitting = ann.ids.iter().filter(|(place, _)| place.is_empty()).collect();
        }
        if self.left_out % 4 == 3 {
            fitting = ann.ids.iter().collect();
        }
        self.id.get(&fitting).1.clone()
    }

    /// Something that a field may be.
    fn value(&self, field: &str, ann: &Ann, own: &Pair) -> Value {
        let id = self.id.get(&ann.ids).1.clone();
        let pick = |texts: &[&str]| json!(self.value.get(texts));
        match field {
            "old_password" | "current_password" | "password" => pick(&[PASSWORD, PASSWORD, "wrong"]),
            "new_password" | "re_new_password" => pick(&["battery staple 7", PASSWORD]),
            "email" => pick(&["bob@example.org", &ann.email]),
            "username" => pick(&["bob", &ann.name]),
            "refresh" => pick(&[&own.refresh, &id]),
            "token" | "access_token" | "id_token" => pick(&[&own.access, &own.refresh, &id]),
            "completed" | "is_staff" | "is_superuser" | "is_premium" | "is_active" => json!(true),
            "scopes" => json!(["*"]),
            "roles" => json!(["editor"]),
            "user" | "user_id" | "owner" | "author" | "author_id" => json!(ann.id),
            "id" => json!(id),
            "due_date" | "date_of_birth" => json!("2026-02-01"),
            "expires_at" => json!("2027-01-01T00:00:00Z"),
            _ => pick(&["Something of his", "7", ""]),
        }
    }
}

impl Told {
    async fn send(&self, bob: &Client) -> Answer {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let pairs: Vec<(&str, String)> = self.body.iter().map(|(name, value)| (name.as_str(), text(value))).collect();
        let body = match self.kind {
            "json" => Body::from(Value::Object(self.body.clone())),
            "form" => {
                let mut encoded = form_urlencoded::Serializer::new(String::new());
                form(&encoded.extend_pairs(&pairs).finish())
            }
            "multipart" => {
                let pairs: Vec<_> = pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
                multipart(&pairs)
            }
            _ => Body::from(()),
        };
        let request = bob.request(self.method.clone(), &self.path).body(body);
        let (name, value) = &self.header;
        let request = if name.is_empty() { request } else { request.header(name, value) };
        request.undescribed().await
    }
}

// --- What is looked at. ---

/// The query of all rows that are somebody's, or hang on one of theirs, in every table there is; `$` stands for who.
async fn rows_query(app: &TestApp) -> String {
    #[derive(QueryableByName)]
    struct Column {
        #[diesel(sql_type = Text)]
        place: String,
        #[diesel(sql_type = Text)]
        name: String,
    }
    let columns = if app.site.db.is_single() {
        "SELECT tables.name AS place, columns.name AS name FROM sqlite_master AS tables, pragma_table_info(tables.name) AS columns
         WHERE tables.type = 'table' ORDER BY 1, columns.cid"
    } else {
        "SELECT table_name::text AS place, column_name::text AS name FROM information_schema.columns
         WHERE table_schema = 'public' ORDER BY 1, ordinal_position"
    };
    let columns: Vec<Column> = app.read(move |conn| Ok(diesel::sql_query(columns).load(conn)?)).await;
    let mut tables: Vec<&str> = columns.iter().map(|column| column.place.as_str()).collect();
    tables.dedup();
    let of_table = |table: &str| {
        let its = columns.iter().filter(|column| column.place == table);
        let names: Vec<&str> = its.map(|column| column.name.as_str()).collect();
        let theirs = names.iter().find_map(|column| match *column {
            "user_id" | "author_id" => Some(format!("{column} = $")),
            "id" if table == "users" => Some("id = $".to_owned()),
            "token_id" => Some("token_id IN (SELECT id FROM outstanding_tokens WHERE user_id = $)".to_owned()),
            "key_id" => Some("key_id IN (SELECT id FROM api_keys WHERE user_id = $)".to_owned()),
            _ => None,
        })?;
        let cells: Vec<_> = names.iter().map(|name| format!("coalesce(CAST({name} AS TEXT), 'NULL')")).collect();
        Some(format!("SELECT '{table}: ' || {} AS line FROM {table} WHERE {theirs}", cells.join(" || ' ' || ")))
    };
    let selects: Vec<_> = tables.into_iter().filter(|table| *table != "outbox").filter_map(of_table).collect();
    assert!(selects.len() >= 10, "{selects:#?}");
    format!("{} ORDER BY 1", selects.join(" UNION ALL "))
}

/// All rows that are Ann's.
async fn rows_of(app: &TestApp, query: &str, id: i64) -> Vec<String> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        line: String,
    }
    let query = query.replace('$', &id.to_string());
    let lines = |rows: Vec<Row>| rows.into_iter().map(|Row { line }| line).collect();
    app.read(move |conn| Ok(diesel::sql_query(query).load(conn).map(lines)?)).await
}

/// That an answer has nothing of hers, but for what Bob has `sent` himself.
fn look(ann: &Ann, sent: &str, told: &Told, answer: &Answer) -> Result<(), String> {
    let mut shown = String::from_utf8_lossy(&answer.body).into_owned();
    for (name, value) in &answer.headers {
        write!(shown, "\n{name}: {}", String::from_utf8_lossy(value.as_bytes())).unwrap();
    }
    if let Some(secret) =
        ann.secrets.iter().find(|secret| shown.contains(secret.as_str()) && !sent.contains(secret.as_str()))
    {
        return Err(format!("{secret:?} of Ann's is in the answer to {told}:\n{} {shown}", answer.status));
    }
    // That there are some is something of hers, too.
    let found = serde_json::from_slice::<Value>(&answer.body).ok().and_then(|body| body.get("count")?.as_i64());
    if told.searches && found.is_some_and(|count| count > 0) {
        return Err(format!("{found:?} with a word of Ann's are found by {told}"));
    }
    Ok(())
}

/// One sequence: how many of its requests were carried out, or what was seen.
async fn play(app: &TestApp, routes: &[Route], rows: &str, plans: &[Plan], number: usize) -> Result<usize, String> {
    let ann = ann(app, number).await;
    let before = rows_of(app, rows, ann.id).await;
    let stands = |secret: &&String| before.iter().any(|line| line.contains(secret.as_str()));
    assert!(ann.secrets.iter().filter(stands).count() >= 12, "{before:#?}");
    let mut bob = app.user(&format!("bob{number}")).await;
    let (mut own, mut sent, mut done) = (bob.obtain().await, String::new(), 0);
    for (step, plan) in plans.iter().enumerate() {
        let told = plan.told(routes, &ann, &own);
        write!(sent, "{told}").unwrap();
        let answer = told.send(&bob.with(&own.access)).await;
        look(&ann, &sent, &told, &answer)?;
        let after = rows_of(app, rows, ann.id).await;
        if after != before {
            let lines = |these: &[String], those: &[String]| {
                these.iter().filter(|line| !those.contains(line)).cloned().collect::<Vec<_>>()
            };
            let (gone, come) = (lines(&before, &after), lines(&after, &before));
            let answer = format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body));
            return Err(format!("Ann's rows have changed by {told}:\n{answer}\n{gone:#?}\n{come:#?}"));
        }
        done += usize::from(answer.status.is_success());
        if bob.with(&own.access).get("/api/hello/").await.status == 401 {
            let given = json!({ "username": bob.name, "password": PASSWORD });
            let again = app.anonymous().post("/api/token/", given).await;
            if !again.status.is_success() {
                bob = app.user(&format!("bob{number}-{step}")).await; // his account is gone, or has another password
            }
            own = bob.obtain().await;
        }
    }
    Ok(done)
}

/// Plays sequences until one is caught; how many requests were carried out.
fn fuzz(more: fn(&mut Routes), cases: u32, shrink: u32) -> Result<usize, String> {
    let system = actix_web::rt::System::new();
    let (app, routes, rows) = system.block_on(async {
        let app = TestApp::serving_with(no_limits, more).await;
        let routes = routes(&app).await;
        let rows = rows_query(&app).await;
        (app, routes, rows)
    });
    assert!(routes.len() > 30, "{routes:?}");
    let (number, done) = (Cell::new(0), Cell::new(0));
    let config = Config { cases, max_shrink_iters: shrink, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&prop::collection::vec(plan(), 1..16), |plans| {
        number.set(number.get() + 1);
        let played = system.block_on(play(&app, &routes, &rows, &plans, number.get()));
        done.set(done.get() + played.map_err(TestCaseError::fail)?);
        Ok(())
    });
    match outcome {
        Ok(()) => Ok(done.get()),
        Err(TestError::Fail(why, _)) => Err(why.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn whatever_one_user_sends_another_loses_and_shows_nothing() {
    match fuzz(|_| (), 120, 60) {
        // Requests that are all refused would prove nothing.
        Ok(done) => assert!(done > 40, "{done}"),
        Err(seen) => panic!("{seen}"),
    }
}

// --- That it would be seen. ---

/// Tasks as somebody in a hurry would serve them for reading: the owner is asked for nowhere.
#[derive(Queryable, Serialize)]
struct Leaky {
    id: i64,
    title: String,
    user_id: i64,
}

/// The same for changing, and nothing is shown.
struct Careless(Leaky);

impl Serialize for Careless {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        json!({ "id": self.0.id, "title": "" }).serialize(serializer)
    }
}

struct Titled(Option<String>);

impl Input for Titled {
    fn read(fields: &mut Fields) -> Self {
        fields.read_only("id", "integer");
        let title = fields.text("title").required().get();
        fields.read_only("user_id", "integer");
        Self(title)
    }
}

const SHOWN: (tasks::id, tasks::title, tasks::user_id) = (tasks::id, tasks::title, tasks::user_id);

macro_rules! without_owner {
    ($resource:ty, $name:literal, $make:expr, $id:expr, $list:expr, $changes:expr) => {
        impl $resource {
            fn changes(&self) -> OurResult<()> {
                if $changes { Ok(()) } else { Err(portcullis::error::Error::Forbidden) }
            }
        }

        impl Owned for $resource {
            fn owner(&self) -> i64 {
                0
            }
        }

        impl Resource for $resource {
            const NAME: &'static str = $name;
            const NOUN: &'static str = $name;
            type Input = Titled;
            type Access = IsAuthenticated;

            fn list(conn: &mut Conn, _: &Principal, query: &ListQuery) -> OurResult<Page<Self>> {
                let all = || tasks::table.filter(tasks::id.gt($list));
                let sorting = Sorting::newest_first(|row| $id(row).into());
                let count = |conn: &mut Conn| Ok(all().count().get_result(conn)?);
                query.page(conn, &sorting, count, |conn, piece| {
                    let rows = all().filter(piece.condition()).order(piece.order()).select(SHOWN);
                    let rows: Vec<Leaky> = rows.limit(piece.limit).offset(piece.offset).load(conn)?;
                    Ok(rows.into_iter().map($make).collect())
                })
            }

            fn find(conn: &mut Conn, _: &Principal, id: i64) -> OurResult<Option<Self>> {
                Ok(tasks::table.find(id).select(SHOWN).first(conn).optional()?.map($make))
            }

            fn insert(_: &mut Conn, _: &Principal, _: &Titled, _: Timestamp) -> OurResult<Self> {
                Err(portcullis::error::Error::Forbidden)
            }

            fn update(&self, conn: &mut Conn, input: &Titled, _: Timestamp) -> OurResult<Self> {
                self.changes()?;
                let row = diesel::update(tasks::table.find($id(self)));
                let set = row.set(tasks::title.eq(input.0.clone().unwrap_or_default()));
                Ok(set.returning(SHOWN).get_result(conn).map($make)?)
            }

            fn delete(&self, conn: &mut Conn) -> OurResult<()> {
                self.changes()?;
                diesel::delete(tasks::table.find($id(self))).execute(conn)?;
                Ok(())
            }
        }
    };
}

without_owner!(Leaky, "leaky", |row: Leaky| row, |row: &Leaky| row.id, 0, false);
without_owner!(Careless, "careless", Careless, |row: &Careless| row.0.id, i64::MAX, true);

#[test]
fn a_resource_that_shows_what_is_anothers_is_caught() {
    let seen = fuzz(viewset::<Leaky>, 600, 0).unwrap_err();
    assert!(seen.contains("of Ann's is in the answer to") && seen.contains("/leaky"), "{seen}");
}

#[test]
fn a_resource_that_changes_what_is_anothers_is_caught() {
    let seen = fuzz(viewset::<Careless>, 600, 0).unwrap_err();
    assert!(seen.contains("Ann's rows have changed by") && seen.contains("/careless/"), "{seen}");
}
