//! The document: what the views say of themselves, and `answers` of their methods, as OpenAPI 3.1.

use actix_web::http::Method;
use serde_json::{Map, Value, json};

use crate::api::schema::answers::{self, Outcome};
use crate::api::schema::records;
use crate::api::schema::refusals::{self, words};
use crate::api::schema::{bodies, examples, others};
use crate::auth::permissions::Permission;
use crate::problem;
use crate::rest::conditions::Conditions;
use crate::rest::fields::FieldInfo;
use crate::rest::idempotency::IdempotencyKey;
use crate::rest::list::MAX_SEARCH;
use crate::rest::permission::verb_of;
use crate::rest::reach::Reach;
use crate::rest::routes::{About, Listed};
use crate::rest::version::Version;
use crate::settings::Settings;

const ABOUT: &str = "Users, tokens and a first API. Everything below `/api/v1/` answers at `/api/` as well, and is the same \
    there; at `/api/v2/` lists go by cursor, authors are objects, and errors are problems (RFC 9457). Views of a resource take a suffix that names the format (`/api/v1/tasks.json`). Every URL answers OPTIONS with \
    its name and fields, and HEAD where it answers GET; another method is a 405. Bodies may come as JSON or as forms.";

const CONDITIONS: [(&str, &str); 2] = [
    ("If-Match", "Entity tags: only if it is one of them (RFC 9110 §13.1.1)."),
    ("If-None-Match", "Entity tags: only if it is none of them (RFC 9110 §13.1.2)."),
];
const ONCE: (&str, &str) = (
    "Idempotency-Key",
    "Sent again with the same key and body, it makes nothing more, and the first answer comes again.",
);

/// A string of RFC 9651 §3.3.3, or its characters without the quotes.
const KEY_PATTERN: &str = r#"^([!#-+\--:<-\[\]-~]{1,255}|"([ !#-\[\]-~]|\\["\\]){1,255}")$"#;
/// The view whose body strangers alone must send: whoever is signed in has told the address already.
const MAY_SAY_NOTHING: &str = "Email Verify";

/// The description of these views, as a server with these settings answers.
pub fn of(views: &[Listed], settings: &Settings) -> Value {
    let mut schemas = records::all(settings);
    let mut paths = Map::new();
    for view in views {
        let about = (view.about)();
        let (path, parameters) = split(&view.path);
        let mut operations = Map::new();
        for method in &about.methods {
            let version = if problem::is_asked_at(&path) { Version::V2 } else { Version::V1 };
            let operation = Operation { about: &about, version, method, path: &path, is_item: !parameters.is_empty() };
            operations.insert(method.as_str().to_lowercase(), operation.told(&mut schemas));
        }
        if !parameters.is_empty() {
            operations.insert("parameters".into(), parameters.into());
        }
        paths.insert(path, operations.into());
    }
    paths.extend(others::all());
    examples::show(&mut schemas);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Portcullis",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": { "schemas": schemas, "responses": refusals::all(), "securitySchemes": schemes(settings) },
    })
}

/// One method of one view.
struct Operation<'a> {
    about: &'a About,
    version: Version,
    method: &'a Method,
    path: &'a str,
    is_item: bool,
}

impl Operation<'_> {
    fn told(&self, schemas: &mut Map<String, Value>) -> Value {
        let mut told = Map::new();
        let name = self.about.name.as_str();
        let (summary, outcomes) = self.summary(schemas);
        told.insert("operationId".into(), self.id().into());
        told.insert("tags".into(), json!([self.tag()]));
        told.insert("summary".into(), summary.into());
        told.insert("description".into(), self.access().into());
        told.insert("security".into(), self.security());
        let is_list = outcomes.iter().any(|(_, shape)| shape.starts_with("Page<"));
        let parameters: Vec<Value> = self.query(is_list).chain(self.headers()).collect();
        if !parameters.is_empty() {
            told.insert("parameters".into(), parameters.into());
        }
        let fields = self.fields();
        if let Some(fields) = fields {
            let known = format!("{}{}", name.replace(' ', ""), title(self.method.as_str()));
            let (mut schema, mut is_required) = bodies::schema_of(fields, *self.method == Method::PATCH);
            if let (MAY_SAY_NOTHING, Some(object)) = (name, schema.as_object_mut()) {
                is_required = false;
                object.shift_remove("required");
            }
            schemas.insert(known.clone(), schema);
            let content = json!({ "schema": records::named(&known) });
            told.insert(
                "requestBody".into(),
                json!({
                    "required": is_required,
                    "content": {
                        "application/json": content,
                        "application/x-www-form-urlencoded": content,
                        "multipart/form-data": content,
                    },
                }),
            );
        }
        told.insert("responses".into(), self.responses(&outcomes, fields.is_some()).into());
        told.into()
    }

    /// What it is for and what it answers; what nothing is known of says so, and a test finds it.
    fn summary(&self, schemas: &mut Map<String, Value>) -> (String, Vec<(u16, String)>) {
        let owned =
            |outcomes: &[Outcome]| outcomes.iter().map(|(status, shape)| (*status, (*shape).to_owned())).collect();
        let Some(nested) = self.about.nested else {
            let known = answers::of(&self.about.name, self.method.as_str());
            return known.map_or_else(Default::default, |(summary, outcomes)| (summary.to_owned(), owned(outcomes)));
        };
        let Some((noun, kind)) = self.about.name.rsplit_once(' ') else { return Default::default() };
        let is_list = kind == "List";
        let nested = if self.version == Version::V2 { nested } else { &[] };
        let record = if nested.is_empty() { noun.to_owned() } else { format!("{noun}V2") };
        if let Some((_, fields)) = self.about.bodies.first() {
            schemas.insert(record.clone(), records::of_fields(fields, nested));
        }
        let Some((summary, status)) = answers::of_resource(is_list, self.method.as_str(), noun) else {
            return Default::default();
        };
        let shape = match *self.method {
            Method::DELETE => String::new(),
            Method::GET if is_list => format!("Page<{record}>"),
            _ => record,
        };
        (summary, vec![(status, shape)])
    }

    fn id(&self) -> String {
        let path = match self.path.strip_prefix("/api/v1/") {
            Some(path) => path.to_owned(),
            None => format!("root{}", self.path).replace("root/api/v2/", "v2/"),
        };
        let words = path.split(['/', '{', '}', '-']).filter(|word| !word.is_empty());
        let words = std::iter::once(self.method.as_str()).chain(words);
        words.map(str::to_lowercase).collect::<Vec<_>>().join("_")
    }

    /// The first segment of its path.
    fn tag(&self) -> &str {
        let path = ["/api/v1/", "/api/v2/"].iter().find_map(|prefix| self.path.strip_prefix(prefix));
        match path.unwrap_or("hello").split('/').next().unwrap_or_default() {
            "hello" | "protected" | "admin-only" | "premium" | "read-only" | "rate-limited" | "data" => "samples",
            "login" | "logout" => "token",
            "" => "schema",
            first => first,
        }
    }

    fn access(&self) -> String {
        let Some(reach) = self.about.reach else { return "Open to all; credentials are not read.".to_owned() };
        let needed = |needed: Option<Permission>| match needed {
            Some(needed) => format!("An API key needs the scope `{needed}` or `*`."),
            None => "An API key needs the scope `*`.".to_owned(),
        };
        let keys = match reach {
            _ if self.refuses_keys() => "Not for API keys.".to_owned(),
            Reach::Every => "Any API key will do.".to_owned(),
            Reach::Whole => needed(None),
            Reach::Area(area) => needed(verb_of(self.method).and_then(|verb| Permission::of(area, verb))),
            Reach::One(area, verb) => needed(Permission::of(area, verb)),
        };
        format!("Permission: `{}`. {keys}", plain(self.about.permission))
    }

    fn refuses_keys(&self) -> bool {
        let permission = plain(self.about.permission);
        permission == "IsSignedIn" || (permission == "Own" && *self.method == Method::DELETE)
    }

    fn security(&self) -> Value {
        if self.about.reach.is_none() {
            return json!([]);
        }
        let mut ways = Vec::new();
        if self.about.open_to_all.contains(self.method) {
            ways.push(json!({}));
        }
        ways.push(json!({ "bearer": [] }));
        if !self.refuses_keys() {
            ways.push(json!({ "apiKey": [] }));
        }
        ways.into()
    }

    fn query(&self, is_list: bool) -> impl Iterator<Item = Value> {
        let page = match self.version {
            Version::V1 => json!({
                "name": "page", "in": "query", "description": "The page, from 1 on, or `last`.",
                "schema": { "anyOf": [{ "type": "integer", "minimum": 1 }, { "const": "last" }] },
            }),
            Version::V2 => json!({
                "name": "cursor", "in": "query", "description": "Where the page begins, as `next` and `previous` have it.",
                "schema": { "type": "string" },
            }),
        };
        let filters = if *self.method == Method::GET { answers::filters(&self.about.name) } else { &[] };
        let known = filters.iter().map(|(name, kind, words)| {
            let mut schema = records::of_type(kind);
            if let ("search", Some(object)) = (*name, schema.as_object_mut()) {
                object.insert("maxLength".into(), MAX_SEARCH.into());
            }
            json!({ "name": name, "in": "query", "description": words, "schema": schema })
        });
        is_list.then_some(page).into_iter().chain(known)
    }

    /// The headers that its handler reads.
    fn headers(&self) -> impl Iterator<Item = Value> {
        let header = |(name, words): (&str, &str)| {
            let schema = match name {
                "Idempotency-Key" => json!({ "type": "string", "pattern": KEY_PATTERN }),
                _ => json!({ "type": "string" }),
            };
            json!({ "name": name, "in": "header", "description": words, "schema": schema })
        };
        let conditions: &[_] = if self.about.takes::<Conditions>(self.method) { &CONDITIONS } else { &[] };
        let once = self.about.takes::<IdempotencyKey>(self.method).then_some(ONCE);
        conditions.iter().copied().chain(once).map(header)
    }

    /// What its body is read into; PATCH takes what PUT takes.
    fn fields(&self) -> Option<&[FieldInfo]> {
        let of = |wanted: &Method| self.about.bodies.iter().rfind(|(method, _)| method == wanted);
        let own = of(self.method);
        let found = if *self.method == Method::PATCH { own.or_else(|| of(&Method::PUT)) } else { own };
        found.map(|(_, fields)| fields.as_slice())
    }

    fn responses(&self, outcomes: &[(u16, String)], has_body: bool) -> Map<String, Value> {
        let mut statuses: Vec<u16> = vec![406, 429, 500, 503];
        if has_body {
            statuses.extend([400, 413, 415]);
        }
        if self.about.reach.is_some() {
            statuses.push(401);
            let permission = plain(self.about.permission);
            if permission != "AllowAny" && !(permission == "IsAuthenticated" && self.about.reach == Some(Reach::Every))
            {
                statuses.push(403);
            }
        }
        let is_list = outcomes.iter().any(|(_, shape)| shape.starts_with("Page<"));
        if is_list {
            statuses.push(400);
        }
        if self.is_item || is_list {
            statuses.push(404);
        }
        if self.about.takes::<Conditions>(self.method) {
            statuses.push(412);
            statuses.extend((*self.method == Method::GET).then_some(304));
        }
        if self.about.takes::<IdempotencyKey>(self.method) {
            statuses.push(422);
        }
        statuses.retain(|status| outcomes.iter().all(|(own, _)| own != status));
        let mut all: Vec<(u16, Value)> =
            statuses.into_iter().map(|status| (status, refusals::named(self.version, status))).collect();
        all.extend(outcomes.iter().map(|(status, shape)| (*status, self.outcome(*status, shape))));
        all.sort_by_key(|(status, _)| *status);
        all.into_iter().map(|(status, told)| (status.to_string(), told)).collect()
    }

    fn outcome(&self, status: u16, shape: &str) -> Value {
        let words = words(status);
        if self.version == Version::V2 && status >= 400 {
            return refusals::named(self.version, status);
        }
        if shape.is_empty() {
            return json!({ "description": words });
        }
        let schema = match shape.strip_prefix("Page<").and_then(|rest| rest.strip_suffix('>')) {
            Some(item) => records::page_of(self.version, records::named(item)),
            None if shape.contains('|') => json!({ "anyOf": shape.split('|').map(records::named).collect::<Vec<_>>() }),
            None => records::named(shape),
        };
        let mut content = json!({ "application/json": { "schema": schema } });
        if let (200, Some(beside), Some(content)) = (status, self.about.beside, content.as_object_mut()) {
            content.insert(beside.to_owned(), json!({ "schema": { "type": "string" } }));
        }
        json!({ "description": words, "content": content })
    }
}

/// A path as OpenAPI writes it, and its parameters: `{id:[^/.]+}` is `{id}`.
fn split(path: &str) -> (String, Vec<Value>) {
    let (mut plain, mut parameters) = (String::new(), Vec::new());
    for (at, piece) in path.split(['{', '}']).enumerate() {
        let Some((name, pattern)) = piece.split_once(':').filter(|_| at % 2 == 1) else {
            plain.push_str(piece);
            continue;
        };
        let schema = match pattern {
            "[^/.]+" | "[^/]+" => json!({ "type": "integer" }),
            words if words.chars().all(|letter| letter.is_alphanumeric() || "|-_".contains(letter)) => {
                json!({ "type": "string", "enum": words.split('|').collect::<Vec<_>>() })
            }
            pattern => json!({ "type": "string", "pattern": format!("^{pattern}$") }),
        };
        plain.push_str(&format!("{{{name}}}"));
        parameters.push(json!({ "name": name, "in": "path", "required": true, "schema": schema }));
    }
    (plain, parameters)
}

/// A type without the modules before its names.
fn plain(r#type: &str) -> String {
    let mut plain = String::new();
    let mut pieces = r#type.split("::").peekable();
    while let Some(piece) = pieces.next() {
        // What stands before `::` is a module, as far back as it is a name.
        let kept = if pieces.peek().is_some() {
            piece.trim_end_matches(|c: char| c.is_alphanumeric() || c == '_')
        } else {
            piece
        };
        plain.push_str(kept);
    }
    plain
}

fn title(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().into_iter().chain(letters.flat_map(char::to_lowercase)).collect()
}

/// How callers show who they are.
fn schemes(settings: &Settings) -> Value {
    let (header, word) = (&settings.jwt.auth_header_name, settings.jwt.auth_header_types.first());
    let word = word.map_or("Bearer", String::as_str);
    let bearer = if header.eq_ignore_ascii_case("authorization") && word == "Bearer" {
        json!({ "type": "http", "scheme": "bearer", "bearerFormat": "JWT" })
    } else {
        json!({ "type": "apiKey", "in": "header", "name": header, "description": format!("`{word}`, a space, and the token") })
    };
    json!({ "bearer": bearer, "apiKey": { "type": "apiKey", "in": "header", "name": "X-API-Key" } })
}
