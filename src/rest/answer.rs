//! Answers: a status and, for most, JSON.

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, Responder};
use serde::Serialize;

use crate::error::Result;
use crate::rest::json;

/// What a handler answers.
#[derive(Debug)]
pub struct Answer {
    status: StatusCode,
    /// JSON as it is sent; `None` is an empty answer.
    json: Option<Vec<u8>>,
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
        Ok(Self { status, json: Some(json::to_vec(body)?) })
    }

    /// A status alone.
    pub fn empty(status: StatusCode) -> Self {
        Self { status, json: None }
    }
}

impl Responder for Answer {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        let mut response = HttpResponse::new(self.status);
        match self.json {
            None => response,
            Some(json) => {
                response.headers_mut().insert(header::CONTENT_TYPE, JSON);
                response.set_body(BoxBody::new(json))
            }
        }
    }
}
