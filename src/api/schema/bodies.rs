//! What bodies hold: the rules that read them, as JSON Schema.

use serde_json::{Map, Value, json};

use crate::api::schema::records;
use crate::rest::fields::FieldInfo;

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
