//! Which web pages may call the API (CONTRACT 13). Of our own, because actix-cors answers a refused preflight with a 400
//! where Django answers 200.

use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::http::{Method, StatusCode};

use crate::settings;

/// What is allowed, ready to be written.
pub struct Cors {
    origins: Vec<HeaderValue>,
    headers: HeaderValue,
    /// What scripts may read of an answer; nothing if it is empty.
    exposed: HeaderValue,
    /// Whether pages may send cookies: only where the refresh token is one.
    credentials: bool,
}

const METHODS: HeaderValue = HeaderValue::from_static("DELETE, GET, OPTIONS, PATCH, POST, PUT");
const MAX_AGE: HeaderValue = HeaderValue::from_static("86400");

impl Cors {
    /// The rules of these settings, which hold only what can stand in a header.
    pub fn new(settings: &settings::Cors, credentials: bool) -> Self {
        let origins = settings.allowed_origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok());
        let list = |names: &[String]| HeaderValue::from_str(&names.join(", ")).unwrap_or(HeaderValue::from_static(""));
        let (headers, exposed) = (list(&settings.allowed_headers), list(&settings.exposed_headers));
        Self { origins: origins.collect(), headers, exposed, credentials }
    }

    /// The answer to a preflight, whatever its path; `None` if the request is none.
    pub fn preflight(&self, method: &Method, headers: &HeaderMap) -> Option<HttpResponse> {
        if method != Method::OPTIONS || !headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD) {
            return None;
        }
        let mut response = HttpResponse::new(StatusCode::OK);
        if self.allow(headers, response.headers_mut()) {
            response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_HEADERS, self.headers.clone());
            response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
            response.headers_mut().insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        }
        Some(response)
    }

    /// Names the request's origin in the answer if it is an allowed one, to the letter; `false` if not.
    pub fn allow(&self, request: &HeaderMap, response: &mut HeaderMap) -> bool {
        let Some(origin) = request.get(header::ORIGIN) else { return false };
        let allowed = self.origins.contains(origin);
        if allowed {
            response.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            if !self.exposed.is_empty() {
                response.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, self.exposed.clone());
            }
            if self.credentials {
                response.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            }
        }
        allowed
    }
}
