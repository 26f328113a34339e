//! The document: what the views say of themselves, and `answers` of their methods, as OpenAPI 3.1.

use actix_web::http::Method;
use serde_json::{Map, Value, json};

use crate::api::schema::answers::{self, Outcome};
use crate::api::schema::records;
use crate::api::schema::refusals::{refusals, words};
use crate::auth::permissions::Permission;
use crate::rest::fields::FieldInfo;
use crate::rest::permission::verb_of;
use crate::rest::reach::Reach;
use crate::rest::routes::{About, Listed};
use crate::settings::Settings;

const ABOUT: &str = "Users, tokens and a first API. Everything below `/api/v1/` answers at `/api/` as well, and is the same \
    there. Views of a resource take a suffix that names the format (`/api/v1/tasks.json`). Every URL answers OPTIONS with \
    its name and fields, and HEAD where it answers GET; another method is a 405. Bodies may come as JSON or as forms.";

/// The description of these views, as a server with these settings answers.
pub fn of(views: &[Listed], settings: &Settings) -> Value {
    let mut schemas = records::all(settings);
    let mut paths = Map::new();
    for view in views {
        let about = (view.about)();
        let (path, parameters) = split(&view.path);
        let mut operations = Map::new();
        for method in &about.methods {
            let operation = Operation { about: &about, method, path: &path, is_item: !parameters.is_empty() };
            operations.insert(method.as_str().to_lowercase(), operation.told(&mut schemas));
        }
        if !parameters.is_empty() {
            operations.insert("parameters".into(), parameters.into());
        }
        paths.insert(path, operations.into());
    }
    paths.extend(others());
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
        "components": { "schemas": schemas, "responses": refusals(), "securitySchemes": schemes(settings) },
    })
}

/// One method of one view.
struct Operation<'a> {
    about: &'a About,
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
        if outcomes.iter().any(|(_, shape)| shape.starts_with("Page<")) || !answers::filters(name).is_empty() {
            told.insert("parameters".into(), self.parameters());
        }
        let fields = self.fields();
        if let Some(fields) = fields {
            let known = format!("{}{}", name.replace(' ', ""), title(self.method.as_str()));
            let (schema, is_required) = body_of(fields, *self.method == Method::PATCH);
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
        if !self.about.is_viewset {
            let known = answers::of(&self.about.name, self.method.as_str());
            return known.map_or_else(Default::default, |(summary, outcomes)| (summary.to_owned(), owned(outcomes)));
        }
        let Some((noun, kind)) = self.about.name.rsplit_once(' ') else { return Default::default() };
        let is_list = kind == "List";
        if let Some((_, fields)) = self.about.bodies.first() {
            schemas.insert(noun.to_owned(), records::of_fields(fields));
        }
        let Some((summary, status)) = answers::of_resource(is_list, self.method.as_str(), noun) else {
            return Default::default();
        };
        let shape = match *self.method {
            Method::DELETE => String::new(),
            Method::GET if is_list => format!("Page<{noun}>"),
            _ => noun.to_owned(),
        };
        (summary, vec![(status, shape)])
    }

    fn id(&self) -> String {
        let path = self.path.strip_prefix("/api/v1/").map_or_else(|| format!("root{}", self.path), str::to_owned);
        let words = path.split(['/', '{', '}', '-']).filter(|word| !word.is_empty());
        let words = std::iter::once(self.method.as_str()).chain(words);
        words.map(str::to_lowercase).collect::<Vec<_>>().join("_")
    }

    /// The first segment of its path.
    fn tag(&self) -> &str {
        let path = self.path.strip_prefix("/api/v1/").unwrap_or("samples");
        match path.split('/').next().unwrap_or_default() {
            "hello" | "protected" | "admin-only" | "premium" | "read-only" | "data" => "samples",
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

    fn parameters(&self) -> Value {
        let parameter = |(name, kind, words): (&str, &str, &str)| json!({ "name": name, "in": "query", "description": words, "schema": records::of_type(kind) });
        let known = answers::filters(&self.about.name);
        let page = json!({
            "name": "page", "in": "query", "description": "The page, from 1 on, or `last`.",
            "schema": { "anyOf": [{ "type": "integer", "minimum": 1 }, { "const": "last" }] },
        });
        let is_paged = self.about.beside.is_none();
        is_paged.then_some(page).into_iter().chain(known.iter().copied().map(parameter)).collect()
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
        statuses.retain(|status| outcomes.iter().all(|(own, _)| own != status));
        let mut all: Vec<(u16, Value)> = statuses
            .into_iter()
            .map(|status| (status, json!({ "$ref": format!("#/components/responses/{status}") })))
            .collect();
        all.extend(outcomes.iter().map(|(status, shape)| (*status, self.outcome(*status, shape))));
        all.sort_by_key(|(status, _)| *status);
        all.into_iter().map(|(status, told)| (status.to_string(), told)).collect()
    }

    fn outcome(&self, status: u16, shape: &str) -> Value {
        let words = words(status);
        if shape.is_empty() {
            return json!({ "description": words });
        }
        let schema = match shape.strip_prefix("Page<").and_then(|rest| rest.strip_suffix('>')) {
            Some(item) => records::page_of(records::named(item)),
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

/// The schema of a body, and whether there must be one.
fn body_of(fields: &[FieldInfo], is_partial: bool) -> (Value, bool) {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for field in fields.iter().filter(|field| !field.read_only) {
        let mut schema = records::of_type(field.r#type);
        if field.nullable {
            schema = records::or_null(schema);
        }
        if let Some(object) = schema.as_object_mut() {
            object.insert("title".into(), field.label.as_ref().into());
            if let Some(most) = field.max_length {
                object.insert("maxLength".into(), most.into());
            }
            if !field.blank && field.r#type == "string" {
                object.insert("minLength".into(), 1.into());
            }
            if let Some(example) = example(field.name) {
                object.insert("examples".into(), json!([example]));
            }
        }
        properties.insert(field.name.to_owned(), schema);
        if field.required && !is_partial {
            required.push(field.name);
        }
    }
    let is_required = !required.is_empty();
    let mut schema = json!({ "type": "object", "properties": properties });
    if let (true, Some(object)) = (is_required, schema.as_object_mut()) {
        object.insert("required".into(), required.into());
    }
    (schema, is_required)
}

/// What people would write there.
fn example(field: &str) -> Option<Value> {
    Some(match field {
        "username" => "ann".into(),
        "email" => "ann@example.org".into(),
        "password" | "new_password" => "correct horse 9".into(),
        "current_password" | "old_password" => "battery staple 7".into(),
        "first_name" => "Ann".into(),
        "last_name" => "Lee".into(),
        "phone_number" => "+41 44 268 12 12".into(),
        "date_of_birth" => "1990-12-31".into(),
        "otp" => "492039".into(),
        "title" => "Buy milk".into(),
        "due_date" => "2026-12-01".into(),
        "refresh" | "token" => "eyJ…".into(),
        "expires_at" => "2027-01-01T00:00:00Z".into(),
        "scopes" => json!(["tasks.view"]),
        "ip_ranges" => json!(["192.0.2.0/24"]),
        "overlap_hours" => json!(24),
        _ => return None,
    })
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

/// What is no view.
fn others() -> Map<String, Value> {
    let get = |path: &str, id: &str, tag: &str, summary: &str, responses: &[(u16, &str, &str)]| {
        let response = |(status, kind, shape): &(u16, &str, &str)| {
            let schema = if shape.is_empty() { json!({ "type": "string" }) } else { records::named(shape) };
            (status.to_string(), json!({ "description": words(*status), "content": { *kind: { "schema": schema } } }))
        };
        let responses: Map<String, Value> = responses.iter().map(response).collect();
        let told =
            json!({ "operationId": id, "tags": [tag], "summary": summary, "security": [], "responses": responses });
        (path.to_owned(), json!({ "get": told }))
    };
    const JSON: &str = "application/json";
    Map::from_iter([
        get(
            "/.well-known/jwks.json",
            "get_jwks",
            "token",
            "The public keys that tokens are verified with (RFC 7517).",
            &[(200, JSON, "Keys")],
        ),
        get("/healthz", "get_healthz", "health", "Whether the process is alive.", &[(200, JSON, "Status")]),
        get(
            "/readyz",
            "get_readyz",
            "health",
            "Whether the database takes a write.",
            &[(200, JSON, "Status"), (503, JSON, "Status")],
        ),
    ])
}
