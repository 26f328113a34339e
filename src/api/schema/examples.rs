//! What things look like: an example of every record, made of what people would write in each of its members.

use actix_web::http::StatusCode;
use serde_json::{Map, Value, json};

use crate::error::{Error, Unauthorized};
use crate::problem;
use crate::rest::version::Version;

/// Shows an example of every record in `schemas` that has none.
pub fn show(schemas: &mut Map<String, Value>) {
    let all = schemas.clone();
    for (name, schema) in schemas.iter_mut() {
        let example = fixed(name).unwrap_or_else(|| of(schema, "", &all));
        if let Some(object) = schema.as_object_mut().filter(|object| !object.contains_key("examples")) {
            object.insert("examples".into(), json!([example]));
        }
    }
}

/// A value that a schema takes, of a member of this name.
fn of(schema: &Value, name: &str, all: &Map<String, Value>) -> Value {
    if let Some(record) = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next()) {
        return fixed(record).unwrap_or_else(|| all.get(record).map_or(Value::Null, |schema| of(schema, name, all)));
    }
    let kind = match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.first().and_then(Value::as_str),
        kind => kind.and_then(Value::as_str),
    };
    match kind {
        Some("object") => {
            let members = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
            members.map(|(name, schema)| (name.clone(), of(schema, name, all))).collect()
        }
        Some("array") if name.ends_with("_keys") || name.ends_with("accounts") => json!([]),
        Some("array") => {
            let items = schema.get("items").unwrap_or(&Value::Null);
            member(name).filter(Value::is_array).unwrap_or_else(|| json!([of(items, name, all)]))
        }
        Some("boolean") => json!(matches!(name, "is_active" | "enabled" | "current" | "valid" | "active")),
        Some("integer") => member(name).filter(Value::is_number).unwrap_or_else(|| json!(1)),
        _ => match schema.get("format").and_then(Value::as_str) {
            Some("date-time") => {
                json!(if name.starts_with("expires") { "2027-01-01T00:00:00Z" } else { "2026-11-25T09:30:00Z" })
            }
            Some("date") => json!(if name == "due_date" { "2026-12-01" } else { "1990-12-31" }),
            Some("email") => json!("ann@example.org"),
            _ => member(name).filter(Value::is_string).unwrap_or_else(|| json!("")),
        },
    }
}

/// What people would write in a member of this name.
pub fn member(name: &str) -> Option<Value> {
    Some(match name {
        "username" => "ann".into(),
        "email" => "ann@example.org".into(),
        "password" | "new_password" => "correct horse 9".into(),
        "current_password" | "old_password" => "battery staple 7".into(),
        "first_name" => "Ann".into(),
        "last_name" => "Lee".into(),
        "phone_number" => "+41442681212".into(),
        "date_of_birth" => "1990-12-31".into(),
        "otp" => "492039".into(),
        "nonce" => "n-0S6_WzA2Mj".into(),
        "title" => "Buy milk".into(),
        "body" => "Oats, mostly.".into(),
        "due_date" => "2026-12-01".into(),
        "refresh" | "token" | "access" | "snapshot" | "invitation" => "eyJ…".into(),
        "expires_at" => "2027-01-01T00:00:00Z".into(),
        "scopes" | "permissions" => json!(["tasks.view"]),
        "roles" => json!([]),
        "recovery_codes" => json!(["k7qf2m-zdx4rt-9wpak3-hj5n8b"]),
        "ip_ranges" => json!(["192.0.2.0/24"]),
        "ip" => "192.0.2.17".into(),
        "overlap_hours" => json!(24),
        "recovery_codes_left" => json!(10),
        "user_id" => "1".into(),
        "id" | "session" => "NsYvZ5nmZ3spmoLJZtzXKQ".into(),
        "jti" => "29ab5d5b2c8ac1900a8b358305fe7701".into(),
        "kind" => "pair".into(),
        "token_type" => "access".into(),
        "name" => "Firefox on Linux".into(),
        "user_agent" => "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".into(),
        "prefix" => "pcl_f19ee3c4".into(),
        "key" => "pcl_f19ee3c4…".into(),
        "provider" => "google".into(),
        "issuer" => "https://accounts.google.com".into(),
        "subject" | "sub" => "1".into(),
        "secret" => "JBSWY3DPEHPK3PXP".into(),
        "otpauth_url" => "otpauth://totp/Portcullis:ann?secret=JBSWY3DPEHPK3PXP&issuer=Portcullis".into(),
        "qr_svg" => "<svg xmlns=\"http://www.w3.org/2000/svg\">…</svg>".into(),
        "version" => "v1".into(),
        "data" => "Something to read.".into(),
        "message" => "Hello, ann".into(),
        "error" => "Token is invalid".into(),
        "cursor" => json!(57),
        "exp" => json!(1_795_625_864),
        "iat" => json!(1_795_622_264),
        _ => return None,
    })
}

/// Records that are told by one of their own, not member by member.
fn fixed(record: &str) -> Option<Value> {
    Some(match record {
        "Detail" => Error::not_found().body(),
        "Problem" => refusal(Version::V2, 400)?,
        "Complaint" => json!({ "detail": "This field is required.", "pointer": "#/title" }),
        "Author" => json!({ "id": 1, "username": "ann" }),
        "Unauthorized" => unauthorized(),
        "TokenMessage" => {
            json!({ "token_class": "AccessToken", "token_type": "access", "message": "Token is blacklisted" })
        }
        "Failed" => json!({ "error": "Username already exists" }),
        "FieldErrors" | "BadRequest" => Error::field("title", "This field is required.").body(),
        "TokenBad" => json!({ "valid": false, "error": "Token is invalid" }),
        "Root" => {
            let at = |noun: &str| format!("https://auth.example.org/api/v1/{noun}/");
            json!({ "articles": at("articles"), "tasks": at("tasks") })
        }
        "Description" => json!({ "openapi": "3.1.0" }),
        "Key" => key(),
        "Keys" => json!({ "keys": [key()] }),
        "KeptToken" => json!({
            "jti": "29ab5d5b2c8ac1900a8b358305fe7701", "kind": "refresh", "session": "NsYvZ5nmZ3spmoLJZtzXKQ",
            "created_at": "2026-11-25T09:30:00Z", "expires_at": "2026-11-26T09:30:00Z", "blacklisted_at": null,
        }),
        "Status" => json!({ "status": "ok" }),
        "Invitation" => json!({
            "id": 1, "email": "ann@example.org", "status": "pending", "invited_by": 1, "accepted_by": null,
            "created_at": "2026-11-25T09:30:00Z", "expires_at": "2026-12-02T09:30:00Z",
        }),
        _ => return None,
    })
}

fn key() -> Value {
    json!({ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": "k-f015da79", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" })
}

fn unauthorized() -> Value {
    let error = Unauthorized {
        detail: "Given token not valid for any token type",
        code: Some("token_not_valid"),
        messages: vec![("AccessToken", "access", "Token is blacklisted")],
    };
    Error::Unauthorized(error).body()
}

/// What a version answers with a status that refuses.
pub fn refusal(version: Version, status: u16) -> Option<Value> {
    let content = error(status)?;
    match version {
        Version::V1 => Some(content),
        Version::V2 => StatusCode::from_u16(status).ok().map(|status| problem::problem(status, content)),
    }
}

fn error(status: u16) -> Option<Value> {
    let wait = std::time::Duration::from_secs(42);
    Some(match status {
        400 => Error::field("title", "This field is required.").body(),
        401 => unauthorized(),
        403 => Error::Forbidden.body(),
        404 => Error::not_found().body(),
        406 => Error::NotAcceptable.body(),
        409 => Error::Conflict("The last active superuser cannot be deactivated.".into()).body(),
        410 => Error::Gone("The cursor is too old: begin with a snapshot.").body(),
        412 => Error::PreconditionFailed.body(),
        413 => Error::TooLarge.body(),
        415 => Error::UnsupportedMediaType("text/plain".into()).body(),
        422 => Error::KeyReused.body(),
        429 => Error::Throttled { wait }.body(),
        500 => Error::internal("").body(),
        503 => Error::Unavailable.body(),
        _ => return None,
    })
}
