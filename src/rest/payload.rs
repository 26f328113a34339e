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
    read_within(PATIENCE, request, payload, limit).await
}

async fn read_within(
    patience: Duration,
    request: &HttpRequest,
    payload: &mut dev::Payload,
    limit: usize,
) -> Result<Payload> {
    let arrival = rt::time::timeout(patience, collect(request, payload, limit));
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
    if announced.is_some_and(|length: usize| length > limit) {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::rest::fields::Fields;
    use actix_web::error::PayloadError;
    use actix_web::test::TestRequest;
    use futures_util::{Stream, stream};
    use serde_json::json;

    const JSON: &str = "application/json";
    const FORM: &str = "application/x-www-form-urlencoded";
    const MULTIPART: &str = "multipart/form-data; boundary=XX";

    async fn sent(media_type: &str, content: impl Into<web::Bytes>) -> Result<Payload> {
        let request = TestRequest::post().insert_header((header::CONTENT_TYPE, media_type)).set_payload(content);
        let (request, mut payload) = request.to_http_parts();
        read(&request, &mut payload, 1000).await
    }

    fn object(value: Value) -> Payload {
        Payload::Json(value.as_object().cloned().unwrap_or_default())
    }

    fn texts(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[actix_web::test]
    async fn json_is_json_in_any_case_and_with_any_parameters() {
        for media_type in [
            JSON,
            "APPLICATION/JSON",
            "application/json; charset=utf-8",
            "application/json ;x=y",
            "application/json;=;",
        ] {
            assert_eq!(
                sent(media_type, r#"{"a":1,"b":"x","a":2}"#).await.unwrap(),
                object(json!({ "a": 2, "b": "x" }))
            );
        }
    }

    #[actix_web::test]
    async fn an_empty_body_is_an_empty_object_whatever_its_media_type() {
        for media_type in [JSON, "text/plain", "", "garbage"] {
            assert_eq!(sent(media_type, "").await.unwrap(), Payload::Json(Map::new()), "{media_type}");
        }
        assert_eq!(sent(FORM, "").await.unwrap(), Payload::Form(Vec::new()));
        assert_eq!(sent("multipart/form-data", "").await.unwrap(), Payload::Multipart(Vec::new()));
        let (request, mut payload) = TestRequest::post().to_http_parts();
        assert_eq!(read(&request, &mut payload, 1000).await.unwrap(), Payload::Json(Map::new()));
    }

    #[actix_web::test]
    async fn another_media_type_is_told_as_it_was_sent() {
        let long = format!("application/json;{}", "x".repeat(300));
        for media_type in [
            "text/plain",
            "application/vnd.api+json",
            "garbage",
            "Text/Plain; charset=UTF-8",
            "application/json, a/b",
            &long,
        ] {
            match sent(media_type, "{}").await {
                Err(Error::UnsupportedMediaType(told)) => assert_eq!(told, media_type),
                other => panic!("{media_type}: {other:?}"),
            }
        }
        let (request, mut payload) = TestRequest::post().set_payload("{}").to_http_parts();
        let told = read(&request, &mut payload, 1000).await.unwrap_err().body();
        assert_eq!(told, json!({ "detail": "Unsupported media type \"\" in request." }));
        let (request, mut payload) = TestRequest::post()
            .insert_header((header::CONTENT_TYPE, &b"text/\xe9"[..]))
            .set_payload("x")
            .to_http_parts();
        let told = read(&request, &mut payload, 1000).await.unwrap_err().body();
        assert_eq!(told, json!({ "detail": "Unsupported media type \"text/é\" in request." }));
    }

    #[actix_web::test]
    async fn malformed_json_is_a_parse_error() {
        let deep = "[".repeat(900);
        let malformed: [&[u8]; 18] = [
            b"{",
            b"{'a':1}",
            b"{\"a\":1,}",
            b"[1,2",
            b"nope",
            b"{\"a\":1} x",
            b"\xff\xfe",
            b"\xef\xbb\xbf{}",
            b"{\"a\":NaN}",
            b"{\"a\":Infinity}",
            b"\"\n\"",
            b" ",
            b"{\"a\":\"\xff\"}",
            b"{\"a\":\"\\ud800\"}",
            b"01",
            b"1.",
            b"\xc2\xa0{}",
            deep.as_bytes(),
        ];
        for content in malformed {
            match sent(JSON, content.to_vec()).await {
                Err(Error::Malformed(words)) => assert!(words.starts_with("JSON parse error - "), "{words}"),
                other => panic!("{}: {other:?}", String::from_utf8_lossy(content)),
            }
        }
    }

    #[actix_web::test]
    async fn json_that_is_no_object_is_told_what_it_is() {
        for (content, told) in [
            ("null", "No data provided"),
            ("[]", "Invalid data. Expected a dictionary, but got list."),
            ("\"\"", "Invalid data. Expected a dictionary, but got str."),
            ("-0", "Invalid data. Expected a dictionary, but got int."),
            ("123456789012345678901234567890", "Invalid data. Expected a dictionary, but got int."),
            ("1e3", "Invalid data. Expected a dictionary, but got float."),
            (" 1.5\n", "Invalid data. Expected a dictionary, but got float."),
            ("1e400", "Invalid data. Expected a dictionary, but got float."),
            ("true", "Invalid data. Expected a dictionary, but got bool."),
        ] {
            assert_eq!(
                sent(JSON, content).await.unwrap_err().body(),
                json!({ "non_field_errors": [told] }),
                "{content}"
            );
        }
    }

    #[actix_web::test]
    async fn numbers_in_json_keep_their_digits() {
        let read = sent(JSON, r#"{"a":1E+2,"b":1e400,"c":123456789012345678901234567890}"#).await.unwrap();
        let mut fields = Fields::new(read, false);
        assert_eq!(fields.text("a").get().as_deref(), Some("100.0"));
        assert_eq!(fields.text("b").get().as_deref(), Some("inf"));
        assert_eq!(fields.text("c").get().as_deref(), Some("123456789012345678901234567890"));
    }

    #[actix_web::test]
    async fn forms_are_decoded_as_django_decodes_them() {
        for (content, expected) in [
            (&b"a=%2Bb+c&d="[..], texts(&[("a", "+b c"), ("d", "")])),
            (b"a=%ff%fe%C3%A9%zz&x&&", texts(&[("a", "\u{fffd}\u{fffd}é%zz"), ("x", "")])),
            (b"a=\xff\xe9%C3%A9", texts(&[("a", "ÿéé")])),
            (b"a=\xc3%A9\xff", texts(&[("a", "Ã\u{fffd}ÿ")])),
            (b"a=1;b=2&;c=3", texts(&[("a", "1;b=2"), (";c", "3")])),
        ] {
            assert_eq!(sent(FORM, content.to_vec()).await.unwrap(), Payload::Form(expected));
        }
        let (request, mut payload) = TestRequest::post()
            .insert_header((header::CONTENT_TYPE, FORM))
            .set_payload("a&".repeat(1001))
            .to_http_parts();
        assert!(matches!(read(&request, &mut payload, 10_000).await, Err(Error::Malformed(_))));
    }

    fn part(head: &str, content: &str) -> String {
        format!("--XX\r\nContent-Disposition: form-data; {head}\r\n\r\n{content}\r\n")
    }

    #[actix_web::test]
    async fn multipart_forms_have_texts_and_files() {
        let content = [
            part("name=\"a\"; filename=\"f.txt\"", "file"),
            part("name=\"a\"", "text"),
            part("name=b\r\nContent-Type: text/plain", "two\r\nlines"),
            part("name=\"none\"; filename=\"\"", ""),
            part("nonsense=\"c\"", "x"),
            part("name=\" d \"", ""),
            "--XX--\r\n".to_owned(),
        ];
        let some = |name: &str, text: &str| (name.to_owned(), Some(text.to_owned()));
        let expected = vec![some("a", "text"), some("b", "two\r\nlines"), some("d", ""), ("a".to_owned(), None)];
        assert_eq!(sent(MULTIPART, content.concat()).await.unwrap(), Payload::Multipart(expected));
    }

    #[actix_web::test]
    async fn a_multipart_form_without_a_boundary_or_cut_short_is_a_parse_error() {
        for (media_type, content) in [
            ("multipart/form-data", "x".to_owned()),
            ("multipart/form-data; boundary=", "x".to_owned()),
            ("multipart/form-data; boundary=\"\"", "x".to_owned()),
            (MULTIPART, "x".to_owned()),
            (MULTIPART, part("name=\"a\"", "text")),
        ] {
            match sent(media_type, content).await {
                Err(Error::Malformed(words)) => assert!(words.starts_with("Multipart form parse error - "), "{words}"),
                other => panic!("{media_type}: {other:?}"),
            }
        }
    }

    #[actix_web::test]
    async fn too_large_a_body_is_refused_announced_or_not() {
        let exact = format!("{{\"a\":\"{}\"}}", "x".repeat(992));
        assert!(sent(JSON, exact.clone()).await.is_ok());
        assert!(matches!(sent(JSON, format!("{exact} ")).await, Err(Error::TooLarge)));
        let request = TestRequest::post().to_http_request();
        let chunks = stream::repeat_with(|| Ok(web::Bytes::from_static(&[b' '; 100])));
        assert!(matches!(read(&request, &mut arriving(chunks), 1000).await, Err(Error::TooLarge)));
        let announced = TestRequest::post().insert_header((header::CONTENT_LENGTH, "99999999999")).to_http_request();
        assert!(matches!(read(&announced, &mut arriving(stream::pending()), 1000).await, Err(Error::TooLarge)));
    }

    /// A body that arrives as `chunks` do.
    fn arriving(chunks: impl Stream<Item = Result<web::Bytes, PayloadError>> + 'static) -> dev::Payload {
        dev::Payload::Stream { payload: Box::pin(chunks) }
    }

    #[actix_web::test]
    async fn a_body_that_does_not_arrive_in_time_is_given_up() {
        let request = TestRequest::post().to_http_request();
        let slow = read_within(Duration::ZERO, &request, &mut arriving(stream::pending()), 1000).await;
        assert_eq!(slow.unwrap_err().body(), json!({ "detail": "The request body took too long to arrive." }));
    }

    #[actix_web::test]
    async fn a_body_that_breaks_off_is_the_clients_fault() {
        let broken = stream::iter([Ok(web::Bytes::from_static(b"{")), Err(PayloadError::Incomplete(None))]);
        let answer = read(&TestRequest::post().to_http_request(), &mut arriving(broken), 1000).await;
        assert!(matches!(answer, Err(Error::Malformed(_))));
    }

    struct Named(Option<String>);

    impl Input for Named {
        fn read(f: &mut Fields) -> Self {
            Self(f.text("name").required().get())
        }
    }

    #[actix_web::test]
    async fn a_body_is_partial_if_the_method_is_patch() {
        for (method, complete) in [(Method::POST, true), (Method::PUT, true), (Method::PATCH, false)] {
            let body = async || {
                let (request, mut payload) = TestRequest::default().method(method.clone()).to_http_parts();
                Body::from_request(&request, &mut payload).await.unwrap()
            };
            assert_eq!(body().await.read::<Named>().await.is_err(), complete, "{method}");
            assert!(body().await.read_full::<Named>().await.is_err());
            assert_eq!(body().await.read_partial::<Named>().await.unwrap().0, None);
        }
    }

    #[actix_web::test]
    async fn the_limit_is_a_mebibyte_unless_set() {
        let read = async |size: usize, limit: Option<usize>| {
            let content = format!("{{\"name\":\"{}\"}}", "x".repeat(size));
            let mut request = TestRequest::post().insert_header((header::CONTENT_TYPE, JSON)).set_payload(content);
            if let Some(limit) = limit {
                request = request.app_data(web::Data::new(BodyLimit(limit)));
            }
            let (request, mut payload) = request.to_http_parts();
            Body::from_request(&request, &mut payload).await.unwrap().read::<Named>().await
        };
        assert!(read(1_000_000, None).await.is_ok());
        assert!(matches!(read(1_100_000, None).await, Err(Error::TooLarge)));
        assert!(matches!(read(100, Some(50)).await, Err(Error::TooLarge)));
    }
}
