//! Reads the body of a request, whole and within limits, as JSON or as a form.

use std::future::{Ready, ready};
use std::time::Duration;

use actix_web::http::{Method, header};
use actix_web::{FromRequest, HttpRequest, dev, rt, web};
use futures_util::StreamExt;
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::rest::fields::{self, Input, Payload};
use crate::rest::text;

/// The most bytes a body may have, as application data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyLimit(pub usize);

impl Default for BodyLimit {
    fn default() -> Self {
        Self(1024 * 1024)
    }
}

/// How long a whole body may take to arrive. A slower one is given up with a 400.
const PATIENCE: Duration = Duration::from_secs(30);

/// The most fields of a form, as in Django: many tiny ones cost far more than their bytes.
const MAX_FIELDS: usize = 1000;

/// A body that has not been read yet. Taking it never fails, so a handler decides what comes before the body's errors.
pub struct Body {
    request: HttpRequest,
    payload: dev::Payload,
}

impl FromRequest for Body {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        ready(Ok(Self { request: request.clone(), payload: payload.take() }))
    }
}

impl Body {
    /// Reads the input; with PATCH, only what is there of it.
    pub async fn read<I: Input>(self) -> Result<I> {
        let partial = self.request.method() == Method::PATCH;
        self.read_as(partial).await
    }

    /// Reads the whole input, whatever the method.
    pub async fn read_full<I: Input>(self) -> Result<I> {
        self.read_as(false).await
    }

    /// Reads what is there of the input, whatever the method.
    pub async fn read_partial<I: Input>(self) -> Result<I> {
        self.read_as(true).await
    }

    /// The body as it was understood, its fields not looked at.
    pub async fn payload(mut self) -> Result<Payload> {
        let limit = self.request.app_data::<web::Data<BodyLimit>>().map_or_else(BodyLimit::default, |limit| ***limit);
        read(&self.request, &mut self.payload, limit.0).await
    }

    async fn read_as<I: Input>(self, partial: bool) -> Result<I> {
        fields::read_input(self.payload().await?, partial)
    }
}

/// Reads a body of at most `limit` bytes (CONTRACT 2). An empty one is an empty object, whatever its media type.
pub async fn read(request: &HttpRequest, payload: &mut dev::Payload, limit: usize) -> Result<Payload> {
    let arrival = rt::time::timeout(PATIENCE, collect(request, payload, limit));
    let bytes =
        arrival.await.map_err(|_| Error::Malformed("The request body took too long to arrive.".to_owned()))??;
    let media_type = media_type(request);
    match essence(&media_type).as_str() {
        "application/x-www-form-urlencoded" if bytes.is_empty() => Ok(Payload::Form(Vec::new())),
        "multipart/form-data" if bytes.is_empty() => Ok(Payload::Multipart(Vec::new())),
        _ if bytes.is_empty() => Ok(Payload::Json(Map::new())),
        _ if media_type.len() > MAX_MEDIA_TYPE => Err(Error::UnsupportedMediaType(media_type)),
        "application/json" => json(&bytes),
        "application/x-www-form-urlencoded" => form(&bytes),
        "multipart/form-data" => multipart(&media_type, bytes).await,
        _ => Err(Error::UnsupportedMediaType(media_type)),
    }
}

async fn collect(request: &HttpRequest, payload: &mut dev::Payload, limit: usize) -> Result<Vec<u8>> {
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: u64| usize::try_from(length).map_or(true, |length| length > limit)) {
        return Err(Error::TooLarge);
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| Error::Malformed(format!("The request body could not be read: {error}")))?;
        if bytes.len().saturating_add(chunk.len()) > limit {
            return Err(Error::TooLarge);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// Longest media type that is looked at.
const MAX_MEDIA_TYPE: usize = 256;

/// The `Content-Type` as it was sent, its bytes taken for Latin-1 as WSGI does; empty if absent.
fn media_type(request: &HttpRequest) -> String {
    request.headers().get(header::CONTENT_TYPE).map(|value| text::latin1(value.as_bytes())).unwrap_or_default()
}

/// A media type without its parameters, in lower case.
fn essence(media_type: &str) -> String {
    media_type.split(';').next().map(text::strip).unwrap_or_default().to_lowercase()
}

fn json(bytes: &[u8]) -> Result<Payload> {
    let value =
        serde_json::from_slice(bytes).map_err(|error| Error::Malformed(format!("JSON parse error - {error}")))?;
    let kind = match value {
        Value::Object(object) => return Ok(Payload::Json(object)),
        Value::Null => return Err(Error::field("non_field_errors", "No data provided")),
        Value::Array(_) => "list",
        Value::String(_) => "str",
        Value::Bool(_) => "bool",
        Value::Number(number) if text::is_whole(number.as_str()) => "int",
        Value::Number(_) => "float",
    };
    let complaint = format!("Invalid data. Expected a dictionary, but got {kind}.");
    Err(Error::field("non_field_errors", complaint))
}

/// The pairs of a form body or a query string as Django reads them: bytes that are no UTF-8 are Latin-1, percent-encoded
/// ones that are none become U+FFFD.
pub fn pairs(bytes: &[u8]) -> Vec<(String, String)> {
    let decoded = std::str::from_utf8(bytes).map_or_else(|_| text::latin1(bytes), str::to_owned);
    form_urlencoded::parse(decoded.as_bytes()).into_owned().collect()
}

fn form(bytes: &[u8]) -> Result<Payload> {
    if bytes.iter().filter(|byte| **byte == b'&').count() >= MAX_FIELDS {
        return Err(Error::Malformed("The form has too many fields.".to_owned()));
    }
    Ok(Payload::Form(pairs(bytes)))
}

async fn multipart(media_type: &str, bytes: Vec<u8>) -> Result<Payload> {
    let malformed = |words: &dyn std::fmt::Display| Error::Malformed(format!("Multipart form parse error - {words}"));
    let boundary = multer::parse_boundary(media_type).map_err(|error| malformed(&error))?;
    if boundary.is_empty() {
        return Err(malformed(&"Invalid boundary in multipart"));
    }
    let whole = futures_util::stream::iter([Ok::<_, std::convert::Infallible>(bytes)]);
    let mut parts = multer::Multipart::new(whole, boundary);
    let (mut texts, mut files) = (Vec::new(), Vec::new());
    while let Some(part) = parts.next_field().await.map_err(|error| malformed(&error))? {
        if texts.len() + files.len() >= MAX_FIELDS {
            return Err(malformed(&"too many fields"));
        }
        let Some(name) = part.name().map(|name| text::strip(name).to_owned()) else { continue };
        match part.file_name() {
            Some("") => {}
            Some(_) => files.push((name, None)),
            None => {
                let content = part.bytes().await.map_err(|error| malformed(&error))?;
                texts.push((name, Some(String::from_utf8_lossy(&content).into_owned())));
            }
        }
    }
    texts.append(&mut files); // a file counts for more than a text of the same name
    Ok(Payload::Multipart(texts))
}
