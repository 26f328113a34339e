//! Answers: a status and, for most, JSON.

use actix_web::body::{BodyStream, BoxBody};
use actix_web::cookie::Cookie;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, Responder};
use futures_util::Stream;
use serde::Serialize;

use crate::error::Result;
use crate::rest::json;

/// What a handler answers.
pub struct Answer {
    status: StatusCode,
    content: Content,
    cookies: Vec<Cookie<'static>>,
    /// The name under which a browser keeps it, for an answer that is a file.
    file: Option<&'static str>,
}

enum Content {
    Nothing,
    /// JSON as it is sent.
    Json(Bytes),
    /// Something that goes on, with its media type.
    Stream(&'static str, BoxBody),
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
        Ok(Self { status, content: Content::Json(json::to_vec(body)?.into()), cookies: Vec::new(), file: None })
    }

    /// 200 with JSON that is written already.
    pub fn written(json: Bytes) -> Self {
        Self { status: StatusCode::OK, content: Content::Json(json), cookies: Vec::new(), file: None }
    }

    /// 200 with what goes on for as long as the stream does.
    pub fn stream<S>(media_type: &'static str, stream: S) -> Self
    where
        S: Stream<Item = Result<Bytes>> + 'static,
    {
        Self {
            status: StatusCode::OK,
            content: Content::Stream(media_type, BoxBody::new(BodyStream::new(Box::pin(stream)))),
            cookies: Vec::new(),
            file: None,
        }
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
        Self { status, content: Content::Nothing, cookies: Vec::new(), file: None }
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
        match self.content {
            Content::Nothing => response,
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
