//! A plain HTTP client for tests that speak to a process over a real socket.

use std::time::Duration;

use reqwest::blocking::{Client, RequestBuilder};
use serde_json::Value;

/// What came back: the status, and the body as JSON (`null` when there is none).
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
}

/// A pair of tokens.
#[derive(Clone, Debug)]
pub struct Pair {
    pub access: String,
    pub refresh: String,
}

impl Answer {
    /// The pair that signing in, registering or rotating brings.
    #[track_caller]
    pub fn pair(&self) -> Pair {
        let text = |name: &str| match self.body[name].as_str() {
            Some(text) => text.to_owned(),
            None => panic!("no {name:?} in {self:?}"),
        };
        Pair { access: text("access"), refresh: text("refresh") }
    }

    /// Fails unless the status is this one.
    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }
}

/// A client of one server. An error is a connection that broke: what was asked may or may not have happened.
pub struct Http {
    client: Client,
    origin: String,
}

impl Http {
    /// A client of the server at `origin`, with connections of its own.
    pub fn new(origin: &str) -> Self {
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().unwrap();
        Self { client, origin: origin.to_owned() }
    }

    /// GET with a bearer token, or without when it is empty.
    pub fn get(&self, path: &str, bearer: &str) -> reqwest::Result<Answer> {
        send(self.client.get(self.url(path)), bearer)
    }

    /// POST of a JSON body.
    pub fn post(&self, path: &str, bearer: &str, body: &Value) -> reqwest::Result<Answer> {
        send(self.client.post(self.url(path)).json(body), bearer)
    }

    /// POST of a JSON body under an idempotency key.
    pub fn post_once(&self, path: &str, bearer: &str, body: &Value, key: &str) -> reqwest::Result<Answer> {
        let key = format!("\"{key}\"");
        send(self.client.post(self.url(path)).json(body).header("Idempotency-Key", key), bearer)
    }

    /// PATCH of a JSON body.
    pub fn patch(&self, path: &str, bearer: &str, body: &Value) -> reqwest::Result<Answer> {
        send(self.client.patch(self.url(path)).json(body), bearer)
    }

    /// DELETE.
    pub fn delete(&self, path: &str, bearer: &str) -> reqwest::Result<Answer> {
        send(self.client.delete(self.url(path)), bearer)
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }
}

fn send(request: RequestBuilder, bearer: &str) -> reqwest::Result<Answer> {
    let request = if bearer.is_empty() { request } else { request.bearer_auth(bearer) };
    let response = request.send()?;
    let status = response.status().as_u16();
    let text = response.text()?;
    Ok(Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::Null) })
}
