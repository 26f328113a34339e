//! The one error type of the house, and its JSON face.
//!
//! Handlers and models return [`Result`] and use `?`; what a client is told is decided here alone, in DRF's words. The
//! panel shows the same errors as pages (`admin::PageError`). What the server did wrong is logged once, where it is
//! answered, and never shown.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use serde_json::{Map, Value, json};

use crate::language::Said;

/// What every fallible function of the house returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The complaints about a body, by field and in the order in which the fields are declared.
pub type FieldErrors = Vec<(Cow<'static, str>, Vec<String>)>;

/// Why a request was not carried out.
#[derive(Debug)]
pub enum Error {
    /// 400 with a list of complaints for each field.
    Invalid(FieldErrors),
    /// 400 with a bare list: DRF's answer to a query that cannot be searched.
    InvalidQuery(&'static str),
    /// 400: the body could not be read at all.
    Malformed(String),
    /// 401: nobody has been shown to be there.
    NotAuthenticated,
    /// 401: who was shown to be there is not let in.
    Unauthorized(Unauthorized),
    /// 403: known, but not allowed.
    Forbidden,
    /// 403, and why.
    Refused(Said),
    /// 404, with the contract's words.
    NotFound(Cow<'static, str>),
    /// 405.
    MethodNotAllowed(Method),
    /// 406.
    NotAcceptable,
    /// 409: the rule or the other change that stands in the way, in words.
    Conflict(Said),
    /// 410: it was there, and what to do now.
    Gone(&'static str),
    /// 412: it is not as the request's conditions say.
    PreconditionFailed,
    /// 413.
    TooLarge,
    /// 415, with the media type as it was sent.
    UnsupportedMediaType(String),
    /// 422: the idempotency key of another request.
    KeyReused,
    /// 429: try again after `wait`.
    Throttled {
        /// The time until a try is worth while.
        wait: Duration,
    },
    /// 503: too busy, or the database cannot be written; nothing was changed.
    Unavailable,
    /// 503: another server that is needed does not answer, or not as it should; what people call it.
    Elsewhere(String),
    /// 500: the server's own fault. Logged whole, shown never.
    Internal(Box<dyn std::error::Error + Send + Sync>),
}

/// The body of a 401 (CONTRACT 4, 6, 7): `detail`, and for some a `code` and a message for each class of token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unauthorized {
    /// What is said.
    pub detail: &'static str,
    /// The machine's word for it.
    pub code: Option<&'static str>,
    /// For bearer tokens: class, type, and what that class had against the token.
    pub messages: Vec<(&'static str, &'static str, &'static str)>,
}

impl Unauthorized {
    /// A 401 that says only `detail`.
    pub const fn saying(detail: &'static str) -> Self {
        Self { detail, code: None, messages: Vec::new() }
    }

    /// A 401 with a machine-readable `code`.
    pub const fn coded(detail: &'static str, code: &'static str) -> Self {
        Self { detail, code: Some(code), messages: Vec::new() }
    }

    fn body(&self) -> Value {
        let mut body = Map::new();
        body.insert("detail".into(), self.detail.into());
        if let Some(code) = self.code {
            body.insert("code".into(), code.into());
        }
        if !self.messages.is_empty() {
            let message = |(class, kind, text): &(&str, &str, &str)| json!({ "token_class": class, "token_type": kind, "message": text });
            body.insert("messages".into(), self.messages.iter().map(message).collect());
        }
        Value::Object(body)
    }
}

impl Error {
    /// 400 with one complaint about one field.
    pub fn field(name: &'static str, complaint: impl Into<String>) -> Self {
        Self::Invalid(vec![(name.into(), vec![complaint.into()])])
    }

    /// 401 that says only `detail`.
    pub const fn unauthorized(detail: &'static str) -> Self {
        Self::Unauthorized(Unauthorized::saying(detail))
    }

    /// 404 in DRF's general words.
    pub const fn not_found() -> Self {
        Self::NotFound(Cow::Borrowed("Not found."))
    }

    /// 404 for a row that does not exist for the caller: "No Task matches the given query."
    pub fn no_such(noun: &str) -> Self {
        Self::NotFound(format!("No {noun} matches the given query.").into())
    }

    /// 500 for a cause that only the log is told.
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(cause.into())
    }

    /// The seconds to wait, rounded up, where waiting helps (RFC 9110 §10.2.3).
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Throttled { wait } => Some(wait.as_secs() + u64::from(wait.subsec_nanos() > 0)),
            Self::Unavailable => Some(1),
            Self::Elsewhere(_) => Some(5),
            _ => None,
        }
    }

    /// The JSON that a client is shown.
    pub fn body(&self) -> Value {
        let detail = |text: &str| json!({ "detail": text });
        match self {
            Self::Invalid(fields) => {
                fields.iter().map(|(name, complaints)| (name.to_string(), json!(complaints))).collect()
            }
            Self::InvalidQuery(complaint) => json!([complaint]),
            Self::Malformed(words) => detail(words),
            Self::Conflict(words) | Self::Refused(words) => detail(&words.to_string()),
            Self::NotAuthenticated => detail("Authentication credentials were not provided."),
            Self::Unauthorized(body) => body.body(),
            Self::Forbidden => detail("You do not have permission to perform this action."),
            Self::NotFound(words) => detail(words),
            Self::MethodNotAllowed(method) => detail(&format!("Method \"{method}\" not allowed.")),
            Self::NotAcceptable => detail("Could not satisfy the request Accept header."),
            Self::Gone(words) => detail(words),
            Self::PreconditionFailed => detail("It is not as the request expects it to be. Nothing was changed."),
            Self::TooLarge => detail("The request body is too large."),
            Self::UnsupportedMediaType(kind) => detail(&format!("Unsupported media type \"{kind}\" in request.")),
            Self::KeyReused => detail("This Idempotency-Key has been used for another request. Nothing was changed."),
            Self::Throttled { .. } => {
                let seconds = self.retry_after().unwrap_or(1);
                let plural = if seconds == 1 { "" } else { "s" };
                detail(&format!("Request was throttled. Expected available in {seconds} second{plural}."))
            }
            Self::Unavailable => detail("The server is busy. Nothing was changed; please try again."),
            Self::Elsewhere(name) => {
                detail(&format!("{name} does not answer as it should. Nothing was changed; please try again."))
            }
            Self::Internal(_) => detail("A server error occurred."),
        }
    }
}

impl fmt::Display for Error {
    /// For the log: the cause of an internal error, else what the client is told.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Internal(cause) => write!(f, "internal error: {cause}"),
            other => write!(f, "{}", other.body()),
        }
    }
}

impl std::error::Error for Error {}

impl From<diesel::result::Error> for Error {
    /// A row that is not there is a 404; a database that cannot be reached or written is a 503; anything else is the
    /// server's fault.
    fn from(error: diesel::result::Error) -> Self {
        use diesel::result::{DatabaseErrorKind as Kind, Error as Diesel};
        // SQLite tells these by their words alone, PostgreSQL the last.
        const PASSING: [&str; 6] =
            ["is locked", "is full", "disk I/O error", "readonly database", "unable to open", "deadlock detected"];
        match &error {
            Diesel::NotFound => Self::not_found(),
            Diesel::BrokenTransactionManager
            | Diesel::DatabaseError(Kind::ClosedConnection | Kind::SerializationFailure, _) => {
                log::error!("{error}");
                Self::Unavailable
            }
            Diesel::DatabaseError(_, words) if PASSING.iter().any(|passing| words.message().contains(passing)) => {
                log::error!("{error}");
                Self::Unavailable
            }
            _ => Self::internal(error),
        }
    }
}

impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Invalid(_) | Self::InvalidQuery(_) | Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::NotAuthenticated | Self::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden | Self::Refused(_) => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Gone(_) => StatusCode::GONE,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Throttled { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable | Self::Elsewhere(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        if let Self::Internal(cause) = self {
            log::error!("{cause}");
        }
        let mut response = HttpResponse::build(self.status_code());
        if let Some(seconds) = self.retry_after() {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        response.content_type("application/json").body(self.body().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_throttled_request_is_told_whole_seconds_rounded_up() {
        let wait = |millis| Error::Throttled { wait: Duration::from_millis(millis) };
        assert_eq!(wait(1500).retry_after(), Some(2));
        let one = json!({ "detail": "Request was throttled. Expected available in 1 second." });
        assert_eq!(wait(900).body(), one);
    }

    #[test]
    fn an_internal_error_tells_the_client_nothing() {
        let error = Error::internal("secret path /x");
        assert!(!error.body().to_string().contains("secret"));
        assert!(error.to_string().contains("secret"));
    }
}
