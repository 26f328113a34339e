//! Answers: a status and, for most, JSON.

use actix_web::body::{BodyStream, BoxBody};
use actix_web::cookie::Cookie;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, EntityTag, HeaderValue, TryIntoHeaderValue};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, Responder};
use futures_util::Stream;
use serde::Serialize;

use crate::error::Result;
use crate::rest::{conditions, json};

/// What a handler answers.
pub struct Answer {
    status: StatusCode,
    content: Content,
    cookies: Vec<Cookie<'static>>,
    /// The name under which a browser keeps it, for an answer that is a file.
    file: Option<&'static str>,
    /// The entity tag (RFC 9110 §8.8.3).
    tag: Option<EntityTag>,
}

enum Content {
    Nothing,
    /// JSON as it is sent.
    Json(Bytes),
    /// Something that goes on, with its media type.
    Stream(&'static str, BoxBody),
    /// What another protocol goes on from.
    Upgrade(HttpResponse),
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");

impl Answer {
    /// 200 with `body`.
    ///
    /// # Errors
    /// If `body` cannot be written as JSON.
    pub fn ok(body: &impl Serialize) -> Result<Self> {
        Self::with(StatusCode::OK, body)
    }

    /// 201 with what was made.
    ///
    /// # Errors
    /// If `body` cannot be written as JSON.
    pub fn created(body: &impl Serialize) -> Result<Self> {
        Self::with(StatusCode::CREATED, body)
    }

    /// Another status with `body`.
    ///
    /// # Errors
    /// If `body` cannot be written as JSON.
    pub fn with(status: StatusCode, body: &impl Serialize) -> Result<Self> {
        Ok(Self::of(status, Content::Json(json::to_vec(body)?.into())))
    }

    /// JSON that is written already.
    pub fn written(status: StatusCode, json: impl Into<Bytes>) -> Self {
        Self::of(status, Content::Json(json.into()))
    }

    fn of(status: StatusCode, content: Content) -> Self {
        Self { status, content, cookies: Vec::new(), file: None, tag: None }
    }

    /// 200 with what goes on for as long as the stream does.
    pub fn stream<S>(media_type: &'static str, stream: S) -> Self
    where
        S: Stream<Item = Result<Bytes>> + 'static,
    {
        Self::of(StatusCode::OK, Content::Stream(media_type, BoxBody::new(BodyStream::new(Box::pin(stream)))))
    }

    /// 101 with what goes on in another protocol (RFC 9110 §7.8).
    pub fn upgrade(response: HttpResponse) -> Self {
        let status = response.status();
        Self::of(status, Content::Upgrade(response))
    }

    /// The same answer as a file of this name (RFC 6266): plain ASCII without quotes.
    pub fn as_file(mut self, name: &'static str) -> Self {
        self.file = Some(name);
        self
    }

    /// The same answer with a cookie, or one more, beside it.
    pub fn with_cookie(mut self, cookie: Cookie<'static>) -> Self {
        self.cookies.push(cookie);
        self
    }

    /// A status alone.
    pub fn empty(status: StatusCode) -> Self {
        Self::of(status, Content::Nothing)
    }

    /// The same answer with the strong tag of its JSON.
    pub fn tagged(mut self) -> Self {
        if let Content::Json(json) = &self.content {
            self.tag = Some(conditions::tag(json));
        }
        self
    }

    /// The tag, of an answer that has one.
    pub fn tag(&self) -> Option<&EntityTag> {
        self.tag.as_ref()
    }

    /// 304 in place of the answer: its headers without its content (RFC 9110 §15.4.5).
    pub fn not_modified(self) -> Self {
        Self { status: StatusCode::NOT_MODIFIED, content: Content::Nothing, ..self }
    }
}

impl Responder for Answer {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        let mut response = HttpResponse::new(self.status);
        for cookie in self.cookies {
            if let Ok(value) = HeaderValue::from_str(&cookie.to_string()) {
                response.headers_mut().append(header::SET_COOKIE, value);
            }
        }
        if let Some(name) = self.file
            && let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\""))
        {
            response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
        }
        if let Some(tag) = self.tag.and_then(|tag| tag.try_into_value().ok()) {
            response.headers_mut().insert(header::ETAG, tag);
        }
        match self.content {
            Content::Nothing => response,
            Content::Upgrade(upgrade) => upgrade,
            Content::Json(json) => {
                response.headers_mut().insert(header::CONTENT_TYPE, JSON);
                response.set_body(BoxBody::new(json))
            }
            Content::Stream(media_type, body) => {
                response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
                response.set_body(body)
            }
        }
    }
}
