//! What every request to the panel passes before its handler, and every answer after: requests of other sites are turned
//! away, and pages run nothing but our own script.

use actix_web::ResponseError;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{self, HeaderValue};
use actix_web::middleware::Next;

use crate::admin::error::PageError;
use crate::error::Error;
use crate::middleware::headers;
use crate::middleware::origin::is_same_origin;
use crate::rest::permission::is_safe;

const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; \
     frame-ancestors 'none'",
);

/// Refuses what a page of another site has sent, as the browser says. A client that says nothing is no browser; the form's
/// token still stands in its way.
pub async fn same_origin(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    if is_safe(request.method()) || is_same_origin(request.headers()) {
        return next.call(request).await;
    }
    Ok(request.error_response(PageError::OtherSite))
}

/// The policy of every page. A session that could not be read or written is a 503: whatever was asked was not done.
pub async fn with_policy<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    match next.call(request).await {
        Ok(response) => {
            let mut response = response.map_into_boxed_body();
            response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, POLICY);
            Ok(response)
        }
        Err(error) => {
            log::error!("a session of the panel could not be read or written: {error}");
            let mut answer = PageError::from(Error::Unavailable).error_response();
            answer.headers_mut().insert(header::CONTENT_SECURITY_POLICY, POLICY);
            headers::harden(answer.status(), answer.headers_mut());
            Err(InternalError::from_response(error, answer).into())
        }
    }
}
