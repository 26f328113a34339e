//! Problems (RFC 9457): what v2 of the API answers in place of DRF's errors. They say the same in another form, so they are
//! made of the answers themselves, and no refusal can be forgotten.

use actix_web::HttpResponse;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use serde_json::{Map, Value, json};

const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");

/// Whether the answers of this path are v2's, for those who answer where no view does.
pub fn is_asked_at(path: &str) -> bool {
    path.starts_with("/api/v2/")
}

/// The same answer, but as a problem if it is an error. Its status and headers stay.
pub fn in_place_of(answer: HttpResponse) -> HttpResponse {
    if !answer.status().is_client_error() && !answer.status().is_server_error() {
        return answer;
    }
    let (mut answer, body) = answer.into_parts();
    // What cannot be read at once is a stream, and no error of ours.
    let content = body.try_into_bytes().ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let problem = problem(answer.status(), content.unwrap_or_default());
    answer.headers_mut().insert(header::CONTENT_TYPE, PROBLEM);
    answer.set_body(BoxBody::new(problem.to_string()))
}

/// The problem that says what `content` says, in DRF's form or a view's own. It has no `type` but `about:blank`: the status
/// tells what kind it is (§4.2.1), and `code`, where there is one, tells more. Complaints about fields are `errors`, as in
/// the example of §3, each with a pointer into the body.
pub fn problem(status: StatusCode, content: Value) -> Value {
    let mut problem = Map::new();
    match content {
        Value::Object(mut members) => {
            let words = ["detail", "error"].into_iter().find(|name| members.get(*name).is_some_and(Value::is_string));
            if let Some(detail) = words.and_then(|name| members.remove(name)) {
                problem = members;
                problem.insert("detail".into(), detail);
            } else if !members.is_empty() {
                problem.insert("detail".into(), "The request is not valid.".into());
                let errors = members.iter().flat_map(|(field, complaints)| complaints_of(field, complaints));
                problem.insert("errors".into(), errors.collect());
            }
        }
        Value::Array(complaints) => {
            problem.insert("detail".into(), complaints.into_iter().next().unwrap_or_default());
        }
        _ => {}
    }
    problem.insert("type".into(), "about:blank".into());
    problem.insert("title".into(), status.canonical_reason().unwrap_or("Error").into());
    problem.insert("status".into(), status.as_u16().into());
    problem.into()
}

fn complaints_of(field: &str, complaints: &Value) -> Vec<Value> {
    // A pointer as a URI fragment (RFC 6901 §6); our names of fields need no escaping.
    let pointer = if field == "non_field_errors" { "#".to_owned() } else { format!("#/{field}") };
    let complaints = complaints.as_array().map_or_else(|| vec![complaints.clone()], Clone::clone);
    complaints.into_iter().map(|detail| json!({ "detail": detail, "pointer": pointer })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_what_the_error_says() {
        let about = |status: u16, title: &str, more: Value| {
            let mut problem = json!({ "type": "about:blank", "title": title, "status": status });
            if let (Some(problem), Value::Object(more)) = (problem.as_object_mut(), more) {
                problem.extend(more);
            }
            problem
        };
        let code = json!({ "detail": "Given token not valid", "code": "token_not_valid" });
        for (status, title, error, more) in [
            (404, "Not Found", json!({ "detail": "Not found." }), json!({ "detail": "Not found." })),
            (401, "Unauthorized", code.clone(), code),
            (
                401,
                "Unauthorized",
                json!({ "error": "Invalid credentials" }),
                json!({ "detail": "Invalid credentials" }),
            ),
            (400, "Bad Request", json!({ "valid": false, "error": "No." }), json!({ "valid": false, "detail": "No." })),
            (400, "Bad Request", json!(["Null characters."]), json!({ "detail": "Null characters." })),
            (400, "Bad Request", Value::Null, json!({})),
            (
                400,
                "Bad Request",
                json!({ "title": ["This field is required."], "non_field_errors": ["No.", "Never."] }),
                json!({
                    "detail": "The request is not valid.",
                    "errors": [
                        { "detail": "No.", "pointer": "#" },
                        { "detail": "Never.", "pointer": "#" },
                        { "detail": "This field is required.", "pointer": "#/title" },
                    ],
                }),
            ),
        ] {
            let made = StatusCode::from_u16(status).map(|status| problem(status, error)).ok();
            let mut made = made.unwrap_or_default();
            if let Some(errors) = made.get_mut("errors").and_then(Value::as_array_mut) {
                errors.sort_by_key(|error| error.get("pointer").map(Value::to_string));
            }
            assert_eq!(made, about(status, title, more));
        }
    }
}
