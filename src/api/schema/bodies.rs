//! What bodies hold: the rules that read them, as JSON Schema.

use serde_json::{Map, Value, json};

use crate::api::keys::LONGEST_OVERLAP_HOURS;
use crate::api::schema::{examples, records};
use crate::auth::api_keys::WHOLE;
use crate::auth::permissions::Permission;
use crate::rest::fields::{FieldInfo, MOST_ITEMS};

/// The schema of a body, and whether there must be one.
pub fn schema_of(fields: &[FieldInfo], is_partial: bool) -> (Value, bool) {
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
                // What is sent is trimmed before it is looked at.
                object.insert("pattern".into(), pattern(field.name).into());
            }
            if field.name == "overlap_hours" {
                object.extend([("minimum".to_owned(), 0.into()), ("maximum".to_owned(), LONGEST_OVERLAP_HOURS.into())]);
            }
            if field.r#type == "list" {
                object.insert("minItems".into(), u8::from(!field.blank).into());
                object.insert("maxItems".into(), MOST_ITEMS.into());
            }
            if field.name == "scopes" {
                let scopes: Vec<String> =
                    Permission::all().map(|one| one.to_string()).chain([WHOLE.to_owned()]).collect();
                object.insert("items".into(), json!({ "enum": scopes }));
            }
            if let Some(example) = examples::member(field.name) {
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

/// What a text must hold that may not be empty.
fn pattern(field: &str) -> &'static str {
    match field {
        // Letters and digits of any script, and @.+-_: said by what it must not hold, which every dialect of patterns can.
        "username" => r##"^\s*[^\s!"#$%&'()*,/:;<=>?\[\\\]^`{|}~]+\s*$"##,
        _ => r"\S",
    }
}
