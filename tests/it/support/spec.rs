//! The API's description of itself, which every answer of the suite is held against.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use actix_web::http::Method;
use jsonschema::Validator;
use portcullis::api::schema;
use portcullis::rest::routes::Routes;
use portcullis::settings::Settings;
use serde_json::{Map, Value, json};

use super::client::Answer;

thread_local! {
    /// Most applications have the same description: each is read once.
    static KNOWN: RefCell<HashMap<Vec<u8>, Rc<Spec>>> = RefCell::default();
}

/// A description, and the validators that were needed so far.
pub struct Spec {
    document: Value,
    validators: RefCell<HashMap<String, Rc<Validator>>>,
}

/// The description of one application, read when its first answer comes.
pub struct Lazy {
    settings: Settings,
    more: fn(&mut Routes),
    spec: OnceCell<Rc<Spec>>,
}

impl Lazy {
    pub fn of(settings: &Settings, more: fn(&mut Routes)) -> Self {
        Self { settings: settings.clone(), more, spec: OnceCell::new() }
    }

    /// Fails if the answer is not as described.
    #[track_caller]
    pub fn check(&self, method: &Method, path: &str, answer: &Answer) {
        let spec = self.spec.get_or_init(|| Spec::known(&schema::print(&self.settings, self.more).unwrap()));
        if let Err(fault) = spec.fault(method, path, answer) {
            panic!("not as described: {method} {path}: {fault}\n{} {}", answer.status, answer.text());
        }
    }
}

impl Spec {
    fn known(json: &[u8]) -> Rc<Self> {
        let read = || {
            let mut document = serde_json::from_slice(json).unwrap();
            close(&mut document);
            Rc::new(Self { document, validators: RefCell::default() })
        };
        KNOWN.with_borrow_mut(|known| match known.get(json) {
            Some(spec) => spec.clone(),
            None => known.entry(json.to_vec()).or_insert_with(read).clone(),
        })
    }

    fn fault(&self, method: &Method, path: &str, answer: &Answer) -> Result<(), String> {
        let status = answer.status.as_u16();
        let kind = answer.header("content-type").unwrap_or("nothing").split(';').next().unwrap();
        let is_json = ["application/json", "application/problem+json"].contains(&kind);
        let Some(view) = self.view(path) else {
            let is_ours = path.starts_with("/api/") && is_json && answer.status.is_success();
            return if is_ours { Err("the path is not described".into()) } else { Ok(()) };
        };
        // A page that says "Not Found" is that of no route: what fills the hole is not what the view takes there.
        let is_no_route = status == 301 || (status == 404 && !is_json);
        if matches!(*method, Method::OPTIONS | Method::HEAD) || is_no_route {
            return Ok(());
        }
        let Some(operation) = view.get(method.as_str().to_lowercase()) else {
            return if answer.status.is_client_error() { Ok(()) } else { Err("the method is not described".into()) };
        };
        let told = operation["responses"].get(status.to_string()).ok_or("the status is not described")?;
        let told = told.get("$ref").map_or(told, |name| self.at(name.as_str().unwrap()));
        let Some(content) = told.get("content") else {
            return if answer.body.is_empty() { Ok(()) } else { Err("a body is not described".into()) };
        };
        if !is_json {
            return content.get(kind).map(drop).ok_or(format!("{kind} is not described"));
        }
        let schema = &content.get(kind).ok_or(format!("{kind} is not described"))?["schema"];
        let faults: Vec<String> = self
            .validator(schema)
            .iter_errors(&answer.json())
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
    }

    /// The view at a path, that of the unversioned API too; one that is named comes before one with a hole.
    fn view(&self, path: &str) -> Option<&Value> {
        let path = path.split('?').next().unwrap();
        let path = match path.strip_prefix("/api/") {
            Some(rest) if !rest.starts_with("v1/") && !rest.starts_with("v2/") => format!("/api/v1/{rest}"),
            _ => path.to_owned(),
        };
        let path = match path.trim_end_matches('/').rsplit_once('.') {
            Some((stem, suffix)) if path.starts_with("/api/") && !suffix.contains('/') => {
                format!("{stem}/").replace("//", "/")
            }
            _ => path,
        };
        let paths = self.document["paths"].as_object().unwrap();
        let fits = |template: &str| {
            let (one, other) = (template.split('/'), path.split('/'));
            one.clone().count() == other.clone().count()
                && one.zip(other).all(|(one, other)| one == other || (one.starts_with('{') && !other.is_empty()))
        };
        paths.get(&path).or_else(|| paths.iter().find(|(template, _)| fits(template)).map(|(_, view)| view))
    }

    fn at(&self, reference: &str) -> &Value {
        self.document.pointer(reference.trim_start_matches('#')).unwrap()
    }

    fn validator(&self, schema: &Value) -> Rc<Validator> {
        let key = schema.to_string();
        let build = || {
            let whole =
                json!({ "allOf": [schema], "components": { "schemas": self.document["components"]["schemas"] } });
            Rc::new(jsonschema::options().should_validate_formats(true).build(&whole).unwrap())
        };
        self.validators.borrow_mut().entry(key).or_insert_with(build).clone()
    }
}

/// Refuses members that are not described: clients may meet new ones, the suite must not.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if object.contains_key("properties") && !object.contains_key("additionalProperties") {
                object.insert("additionalProperties".into(), false.into());
            }
            object.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

/// The paths of a description, with their methods in capitals.
pub fn operations(document: &Value) -> Vec<(String, String, &Map<String, Value>)> {
    let paths = document["paths"].as_object().unwrap();
    let of = |(path, view): (&String, &'_ Value)| -> Vec<(String, String)> {
        let methods = view.as_object().unwrap().keys().filter(|key| *key != "parameters");
        methods.map(|method| (path.clone(), method.clone())).collect()
    };
    let all: Vec<_> = paths.iter().flat_map(of).collect();
    all.into_iter()
        .map(|(path, method)| (path.clone(), method.to_uppercase(), paths[&path][&method].as_object().unwrap()))
        .collect()
}
