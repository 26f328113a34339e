//! What answers hold, as JSON Schema.

use serde_json::{Map, Value, json};

use crate::rest::fields::FieldInfo;
use crate::rest::nested::Nested;
use crate::rest::version::Version;
use crate::settings::Settings;

/// The schema of a field's values, by the type that OPTIONS names.
pub fn of_type(kind: &str) -> Value {
    match kind {
        "email" => json!({ "type": "string", "format": "email" }),
        "integer" | "field" => json!({ "type": "integer", "format": "int64" }),
        "boolean" => json!({ "type": "boolean" }),
        "date" => json!({ "type": "string", "format": "date" }),
        "datetime" => json!({ "type": "string", "format": "date-time" }),
        "list" => json!({ "type": "array", "items": { "type": "string" } }),
        _ => json!({ "type": "string" }),
    }
}

/// The same, or null.
pub fn or_null(mut schema: Value) -> Value {
    if let Some(kind) = schema.get_mut("type") {
        *kind = json!([kind.take(), "null"]);
    }
    schema
}

/// The object that an answer shows of a resource: each field that its input declares, the read-only ones too, and objects
/// in place of what is nested.
pub fn of_fields(fields: &[FieldInfo], nested: &[Nested]) -> Value {
    let property = |field: &FieldInfo| {
        let inner = nested.iter().find(|nested| nested.member == field.name);
        let schema = inner.map_or_else(|| of_type(field.r#type), |nested| named(nested.record));
        let schema = if field.nullable { or_null(schema) } else { schema };
        (field.name.to_owned(), schema)
    };
    let properties: Map<String, Value> = fields.iter().map(property).collect();
    let required: Vec<&str> = fields.iter().map(|field| field.name).collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

/// One page of what `item` describes.
pub fn page_of(version: Version, item: Value) -> Value {
    let mut properties = json!({
        "count": { "type": "integer", "description": "Rows on all pages together." },
        "next": { "type": ["string", "null"], "format": "uri", "description": "Where the next page is." },
        "previous": { "type": ["string", "null"], "format": "uri", "description": "Where the page before is." },
        "results": { "type": "array", "maxItems": 10, "items": item },
    });
    if let (Version::V2, Some(properties)) = (version, properties.as_object_mut()) {
        properties.remove("count");
    }
    let required: Vec<Value> =
        properties.as_object().into_iter().flat_map(Map::keys).cloned().map(Value::from).collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

/// A reference to a component.
pub fn named(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// An object from lines of `name: type`. `?` after a name: it may be missing; after a type: it may be null. A type is one
/// that OPTIONS names or `any`, else a component; `[]` after it makes a list.
fn record(lines: &str) -> Value {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for (name, kind) in lines.split(',').filter_map(|line| line.trim().split_once(": ")) {
        let known = name.trim_end_matches('?');
        if known == name {
            required.push(name);
        }
        properties.insert(known.to_owned(), of_word(kind));
    }
    json!({ "type": "object", "properties": properties, "required": required })
}

fn of_word(kind: &str) -> Value {
    if let Some(kind) = kind.strip_suffix('?') {
        return or_null(of_word(kind));
    }
    if let Some(kind) = kind.strip_suffix("[]") {
        return json!({ "type": "array", "items": of_word(kind) });
    }
    match kind {
        "any" => json!({}),
        kind if kind.starts_with(char::is_uppercase) => named(kind),
        kind => of_type(kind),
    }
}

const PERSON: &str = "id: integer, username: string, email: string, first_name: string, last_name: string, \
    phone_number: string, date_of_birth: date?, email_verified: boolean, is_staff: boolean, is_premium: boolean, \
    roles: string[], date_joined: datetime, last_login: datetime?";

/// What settings do not change, by name.
const RECORDS: [(&str, &str); 35] = [
    ("Problem", "type: string, title: string, status: integer, detail?: string, code?: string, errors?: Complaint[]"),
    ("Complaint", "detail: string, pointer: string"),
    ("Author", "id: integer, username: string"),
    ("Detail", "detail: string"),
    ("Unauthorized", "detail: string, code?: string, messages?: TokenMessage[]"),
    ("TokenMessage", "token_class: string, token_type: string, message: string"),
    ("Failed", "error: string"),
    ("Message", "message: string"),
    ("Nothing", ""),
    ("ReadOnly", "data: string"),
    ("Data", "version: string, data: string"),
    ("Token", "token: string"),
    ("TokenGood", "valid: boolean, user_id: any"),
    ("TokenBad", "valid: boolean, error: string"),
    ("Introspected", "active: boolean, sub?: string, username?: string"),
    ("Snapshot", "cursor: integer, snapshot: string"),
    ("Profile", "username: string, email: string, first_name: string, last_name: string, date_joined: datetime"),
    ("Me", PERSON),
    (
        "Session",
        "id: string, name: string, created_at: datetime, last_seen: datetime, ip: string, user_agent: string, \
         current: boolean",
    ),
    (
        "ApiKey",
        "id: integer, name: string, prefix: string, scopes: string[], created_at: datetime, expires_at: datetime?, \
         last_used_at: datetime?, ip_ranges: string[], key?: string",
    ),
    (
        "Invitation",
        "id: integer, email: string, status: string, invited_by: integer?, accepted_by: integer?, created_at: datetime, \
         expires_at: datetime",
    ),
    ("TwoFactor", "enabled: boolean, recovery_codes_left: integer"),
    ("TwoFactorBegun", "secret: string, otpauth_url: string, qr_svg: string"),
    ("RecoveryCodes", "recovery_codes: string[]"),
    ("Root", ""),
    ("Description", ""),
    ("Keys", "keys: Key[]"),
    ("Key", "kty: string, kid: string"),
    ("Status", "status: string"),
    ("KeptRole", "name: string, description: string, permissions: string[]"),
    (
        "KeptSession",
        "id: string, kind: string, name: string, ip: string, user_agent: string, started_at: datetime, \
         last_seen_at: datetime, expires_at: datetime, ended_at: datetime?, ended_why: string?",
    ),
    ("KeptVisit", "ip: string, user_agent: string, started_at: datetime, last_seen_at: datetime, expires_at: datetime"),
    ("KeptLink", "provider: string, issuer: string, subject: string, linked_at: datetime"),
    (
        "KeptToken",
        "jti: string, kind: string, session: string?, created_at: datetime, expires_at: datetime, \
         blacklisted_at: datetime?",
    ),
    (
        "Export",
        "exported_at: datetime, account: KeptAccount, roles: KeptRole[], sessions: KeptSession[], \
         panel_sessions: KeptVisit[], api_keys: ApiKey[], social_accounts: KeptLink[], two_factor_since: datetime?, \
         tokens: KeptToken[], articles: Article[], tasks: Task[]",
    ),
];

/// Those whose members are for the settings or for others to name.
const OPEN: [&str; 6] = ["Problem", "Description", "Root", "Key", "Introspected", "TokenInfo"];

/// Every record, by name.
pub fn all(settings: &Settings) -> Map<String, Value> {
    // In browser mode the refresh token is in a cookie.
    let refresh = if settings.jwt.refresh_cookie { "" } else { "refresh: string, " };
    let obtained = format!("{refresh}access: string");
    let more = settings.jwt.obtain_response.iter().map(|member| match member {
        crate::settings::ObtainMember::UserId => ", user_id: integer",
        crate::settings::ObtainMember::Username => ", username: string",
    });
    let successor = if settings.jwt.refresh_cookie { "" } else { ", refresh?: string" };
    let built = [
        ("Pair", obtained.clone()),
        ("Obtained", more.fold(obtained.clone(), |all, one| all + one)),
        ("SignedIn", format!("{obtained}, created: boolean")),
        ("Refreshed", format!("access: string{successor}")),
        ("User", format!("{PERSON}, is_active: boolean, is_superuser: boolean")),
        ("KeptAccount", format!("{PERSON}, is_active: boolean, is_superuser: boolean, updated_at: datetime")),
        ("TokenInfo", "error?: string, token_type?: string, exp?: integer, iat?: integer, jti?: string".to_owned()),
    ];
    let fixed = RECORDS.iter().map(|(name, lines)| ((*name).to_owned(), record(lines)));
    let built = built.iter().map(|(name, lines)| ((*name).to_owned(), record(lines)));
    let mut all: Map<String, Value> = fixed.chain(built).collect();
    let complaints = json!({ "type": "array", "items": { "type": "string" } });
    all.insert("FieldErrors".into(), json!({
        "type": "object",
        "description": "For each field that is wrong, what is wrong with it; `non_field_errors` for what no single field is to blame for.",
        "additionalProperties": complaints.clone(),
    }));
    all.insert(
        "BadRequest".into(),
        json!({
            "description": "By field; or, of a body that could not be read at all, `detail`; or, of a query, a list.",
            "anyOf": [named("Detail"), named("FieldErrors"), complaints],
        }),
    );
    for name in OPEN {
        if let Some(object) = all.get_mut(name).and_then(Value::as_object_mut) {
            object.insert("additionalProperties".into(), true.into());
        }
    }
    all
}
