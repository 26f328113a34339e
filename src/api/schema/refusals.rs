//! What is answered to what is not carried out.

use serde_json::{Map, Value, json};

use crate::api::schema::{examples, records};
use crate::rest::version::Version;

/// What a status means.
pub fn words(status: u16) -> &'static str {
    match status {
        101 => "The connection is a WebSocket from here on.",
        200 => "What was asked for.",
        201 => "It was made.",
        204 | 205 => "It is done.",
        304 => "It is what the client has already.",
        400 => "The request is wrong; nothing was changed.",
        401 => "Nobody has been shown to be there, or who was is not let in.",
        403 => "Known, but not allowed.",
        404 => "There is no such thing, or not for the caller.",
        406 => "None of the media types that the client accepts.",
        409 => "A rule or another change stands in the way.",
        410 => "It is there no more.",
        412 => "It is not as the request expects it to be; nothing was changed.",
        413 => "The body is too large.",
        415 => "A media type that is not read.",
        422 => "The key was used for another request; nothing was changed.",
        429 => "Too many tries; `Retry-After` says when one is worth while.",
        500 => "A fault of the server's own.",
        503 => "Too busy; nothing was changed.",
        _ => "",
    }
}

/// What any method may answer that is told in few words, by status.
const STATUSES: [u16; 14] = [304, 400, 401, 403, 404, 406, 409, 410, 412, 413, 415, 422, 429, 503];

/// A reference to what a version answers with this status.
pub fn named(version: Version, status: u16) -> Value {
    json!({ "$ref": format!("#/components/responses/{}", key(version, status)) })
}

fn key(version: Version, status: u16) -> String {
    match version {
        Version::V2 if status >= 400 => format!("v2.{status}"),
        _ => status.to_string(),
    }
}

/// What every method may answer, in both versions.
pub fn all() -> Map<String, Value> {
    let statuses = STATUSES.into_iter().chain([500]);
    let both = statuses.flat_map(|status| [Version::V1, Version::V2].map(|version| (version, status)));
    both.map(|(version, status)| (key(version, status), refusal(version, status))).collect()
}

fn refusal(version: Version, status: u16) -> Value {
    if status == 304 {
        return json!({ "description": words(status) });
    }
    let (kind, shape) = match (version, status) {
        (Version::V2, _) => ("application/problem+json", "Problem"),
        (Version::V1, 400) => ("application/json", "BadRequest"),
        (Version::V1, 401) => ("application/json", "Unauthorized"),
        (Version::V1, _) => ("application/json", "Detail"),
    };
    let mut json = json!({ "schema": records::named(shape) });
    if let (Some(example), Some(object)) = (examples::refusal(version, status), json.as_object_mut()) {
        object.insert("example".into(), example);
    }
    let mut told = json!({ "description": words(status), "content": { kind: json } });
    if let (Version::V1, 404, Some(content)) = (version, status, told.get_mut("content").and_then(Value::as_object_mut))
    {
        // An id of another form than any makes the path one that is not there at all.
        content.insert("text/html".into(), json!({ "schema": { "type": "string" } }));
    }
    if let (429 | 503, Some(object)) = (status, told.as_object_mut()) {
        let seconds = json!({ "schema": { "type": "integer" }, "description": "Seconds." });
        object.insert("headers".into(), json!({ "Retry-After": seconds }));
    }
    told
}
