//! Who asks, and what comes back.

use std::future::IntoFuture;
use std::net::{IpAddr, SocketAddr};

use actix_web::http::header::{self, HeaderMap};
use actix_web::http::{Method, StatusCode};
use actix_web::test::TestRequest;
use actix_web::web::Bytes;
use futures_util::future::LocalBoxFuture;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::app::TestApp;

/// Somebody at an address, with an access token or without.
#[derive(Clone)]
pub struct Client {
    app: TestApp,
    token: Option<String>,
    key: Option<String>,
    address: IpAddr,
}

impl Client {
    pub fn new(app: TestApp) -> Self {
        Self { app, token: None, key: None, address: IpAddr::from([192, 0, 2, 1]) }
    }

    /// The same client with an access token.
    pub fn bearing(self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self }
    }

    /// The same client with an API key.
    pub fn keyed(self, key: &str) -> Self {
        Self { key: Some(key.to_owned()), ..self }
    }

    /// The same client at another address.
    pub fn at(self, address: &str) -> Self {
        Self { address: address.parse().unwrap(), ..self }
    }

    pub fn get(&self, path: &str) -> Request {
        self.request(Method::GET, path)
    }

    pub fn post(&self, path: &str, body: impl Into<Body>) -> Request {
        self.request(Method::POST, path).body(body)
    }

    pub fn put(&self, path: &str, body: impl Into<Body>) -> Request {
        self.request(Method::PUT, path).body(body)
    }

    pub fn patch(&self, path: &str, body: impl Into<Body>) -> Request {
        self.request(Method::PATCH, path).body(body)
    }

    pub fn delete(&self, path: &str) -> Request {
        self.request(Method::DELETE, path)
    }

    pub fn options(&self, path: &str) -> Request {
        self.request(Method::OPTIONS, path)
    }

    pub fn request(&self, method: Method, path: &str) -> Request {
        let asked = method.clone();
        let request = TestRequest::with_uri(path)
            .method(method)
            .peer_addr(SocketAddr::new(self.address, 50_000))
            .insert_header((header::HOST, "portcullis.test"));
        let request = Request { app: self.app.clone(), request, asked: (asked, path.to_owned()) };
        let request = match &self.token {
            Some(token) => request.header("authorization", &format!("Bearer {token}")),
            None => request,
        };
        match &self.key {
            Some(key) => request.header("x-api-key", key),
            None => request,
        }
    }
}

/// A request, sent when it is awaited.
#[must_use]
pub struct Request {
    app: TestApp,
    request: TestRequest,
    asked: (Method, String),
}

impl Request {
    /// One more header; one of that name stays.
    pub fn header(self, name: &str, value: &str) -> Self {
        Self { request: self.request.append_header((name, value)), ..self }
    }

    pub fn body(self, body: impl Into<Body>) -> Self {
        let Body { kind, bytes } = body.into();
        let request = self.request.set_payload(bytes);
        let request = if kind.is_empty() { request } else { request.insert_header((header::CONTENT_TYPE, kind)) };
        Self { request, ..self }
    }

    /// Sends it, and does not hold the answer against the description of the API: for requests that nobody means.
    pub async fn undescribed(self) -> Answer {
        self.app.send(self.request).await
    }
}

impl IntoFuture for Request {
    type Output = Answer;
    type IntoFuture = LocalBoxFuture<'static, Answer>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (method, path) = &self.asked;
            let answer = self.app.send(self.request).await;
            self.app.spec.check(method, path, &answer);
            answer
        })
    }
}

/// A body: a JSON value, `()` for none, or a [`form`] or [`multipart`].
pub struct Body {
    kind: String,
    bytes: Bytes,
}

impl From<Value> for Body {
    fn from(value: Value) -> Self {
        Self::of("application/json", value.to_string())
    }
}

impl From<()> for Body {
    fn from((): ()) -> Self {
        Self::of("", "")
    }
}

impl Body {
    /// Any bytes of any media type.
    pub fn of(kind: &str, bytes: impl Into<Bytes>) -> Self {
        Self { kind: kind.to_owned(), bytes: bytes.into() }
    }
}

/// What an HTML form sends: `form("title=Buy+milk&completed=on")`.
pub fn form(text: &str) -> Body {
    Body::of("application/x-www-form-urlencoded", text.to_owned())
}

/// What a form with files sends.
pub fn multipart(fields: &[(&str, &str)]) -> Body {
    let part = |(name, value): &(&str, &str)| {
        format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let parts: String = fields.iter().map(part).collect();
    Body::of("multipart/form-data; boundary=edge", parts + "--edge--\r\n")
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// The whole body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {} {}", self.status, self.text()))
    }

    /// A header's value; of several, the first.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Fails unless the status is this one.
    #[track_caller]
    pub fn status(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        self
    }

    /// Fails unless status and body are these to the letter, the order of members too.
    #[track_caller]
    pub fn is(self, status: u16, body: Value) -> Self {
        let told = format!("{} {}", self.status.as_u16(), self.text());
        assert_eq!(told, format!("{status} {body}"));
        self
    }

    /// Fails unless there is this status and nothing else.
    #[track_caller]
    pub fn is_empty(self, status: u16) -> Self {
        let told = (self.status.as_u16(), self.text(), self.header("content-type"));
        assert_eq!(told, (status, "", None));
        self
    }

    /// What a request that succeeded brought.
    #[track_caller]
    pub fn ok<T: DeserializeOwned>(self) -> T {
        assert!(self.status.is_success(), "{} {}", self.status, self.text());
        serde_json::from_value(self.json()).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}
