//! What is no view: health, public keys, the WebSocket.

use serde_json::{Map, Value, json};

use crate::api::schema::records;
use crate::api::schema::refusals::{self, words};
use crate::rest::version::Version;

/// The WebSocket, whose handshake alone is HTTP.
fn socket() -> (String, Value) {
    let protocol = json!({
        "name": "Sec-WebSocket-Protocol", "in": "header", "schema": { "type": "string" },
        "description": "`bearer, ` and the token, for browsers, which cannot set `Authorization`.",
    });
    let refused = |status: u16| refusals::named(Version::V1, status);
    let told = json!({
        "operationId": "get_ws", "tags": ["events"], "security": [{ "bearer": [] }, {}],
        "summary": "A WebSocket (RFC 6455) that tells what becomes of one's own tasks and of articles.",
        "parameters": [protocol],
        "responses": {
            "101": { "description": words(101) },
            "400": refused(400), "401": refused(401), "403": refused(403), "503": refused(503),
        },
    });
    ("/ws/".to_owned(), json!({ "get": told }))
}

/// Their paths.
pub fn all() -> Map<String, Value> {
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
        socket(),
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
