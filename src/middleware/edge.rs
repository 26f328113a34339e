//! The one wrap around every request: preflight, headers, the line in the log.

use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::error::InternalError;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::{Error, HttpMessage, ResponseError};
use futures_util::FutureExt;
use futures_util::future::{LocalBoxFuture, Ready, ready};
use percent_encoding::percent_decode_str;

use crate::auth::gate::Admitted;
use crate::clock::Clock;
use crate::error::Error as Fault;
use crate::middleware::cors::Cors;
use crate::middleware::{headers, unread};
use crate::problem;

/// Left with a request by the panel: the user whose session it came in. For the log.
#[derive(Clone, Copy, Debug)]
pub struct OfThePanel(pub i64);

/// Left with a request to the panel, whose error page tells it, and with one that may change something, for the audit log:
/// its number. The API's reads are spared the cost.
#[derive(Clone, Copy, Debug)]
pub struct RequestId(pub u64);

/// Numbers the requests of this process, for the log and for `X-Request-ID`.
static REQUESTS: AtomicU64 = AtomicU64::new(1);
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The wrap. One is made for each worker.
#[derive(Clone)]
pub struct Edge {
    cors: Rc<Cors>,
    clock: Clock,
    /// Whether clients reach us by HTTPS alone.
    is_secure: bool,
}

impl Edge {
    /// A wrap with these rules. `is_secure` says that clients reach us by HTTPS alone, and are to remember it.
    pub fn new(cors: Cors, clock: Clock, is_secure: bool) -> Self {
        Self { cors: Rc::new(cors), clock, is_secure }
    }

    fn harden(&self, status: StatusCode, headers: &mut HeaderMap) {
        headers::harden(status, headers);
        if self.is_secure {
            headers::insist_on_https(headers);
        }
    }
}

impl<S> Transform<S, ServiceRequest> for Edge
where
    S: Service<ServiceRequest, Response = ServiceResponse, Error = Error> + 'static,
{
    type Response = ServiceResponse;
    type Error = Error;
    type Transform = EdgeService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(EdgeService { service, edge: self.clone() }))
    }
}

/// The wrapped service.
pub struct EdgeService<S> {
    service: S,
    edge: Edge,
}

impl<S> Service<ServiceRequest> for EdgeService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse, Error = Error> + 'static,
{
    type Response = ServiceResponse;
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Error>>;

    forward_ready!(service);

    fn call(&self, mut request: ServiceRequest) -> Self::Future {
        let id = REQUESTS.fetch_add(1, Ordering::Relaxed);
        let logs = log::log_enabled!(target: "access", log::Level::Info);
        let begun = logs.then(|| self.edge.clock.monotonic());
        // The panel is for its own pages alone: to any other it says nothing.
        let as_problem = problem::is_asked_at(request.path());
        let of_the_panel = request.path() == "/admin" || request.path().starts_with("/admin/");
        let preflight = || self.edge.cors.preflight(request.method(), request.headers());
        if let Some(mut answer) = if of_the_panel { None } else { preflight() } {
            let status = answer.status();
            self.edge.harden(status, answer.headers_mut());
            return Box::pin(ready(Ok(request.into_response(answer))));
        }
        let edge = self.edge.clone();
        if request.path().starts_with("/admin/") || !request.method().is_safe() {
            request.extensions_mut().insert(RequestId(id));
        }
        let unread = unread::share(&mut request);
        let answered = self.service.call(request);
        Box::pin(async move {
            let mut response = match AssertUnwindSafe(answered).catch_unwind().await {
                Ok(answered) => answered?,
                // The worker lives on; the panic's own words are on standard error. There is no request left to answer to,
                // so the answer goes out as an error.
                Err(_) => {
                    let mut answer = Fault::internal("the handler panicked").error_response();
                    if as_problem {
                        answer = problem::in_place_of(answer);
                    }
                    edge.harden(answer.status(), answer.headers_mut());
                    answer.headers_mut().insert(X_REQUEST_ID, HeaderValue::from(id));
                    return Err(InternalError::from_response("panic", answer).into());
                }
            };
            let status = response.status();
            let (request, answer) = (response.request().clone(), response.response_mut());
            if !of_the_panel {
                edge.cors.allow(request.headers(), answer.headers_mut());
            }
            edge.harden(status, answer.headers_mut());
            if status.is_server_error() {
                answer.headers_mut().insert(X_REQUEST_ID, HeaderValue::from(id));
            }
            if let Some(begun) = begun {
                let took = edge.clock.monotonic().saturating_sub(begun);
                let extensions = request.extensions();
                let admitted = extensions.get::<Admitted>();
                let bearer =
                    admitted.and_then(|admitted| admitted.principal.as_ref()).map(|who| (who.user, who.proof.word()));
                let user = bearer.or(extensions.get::<OfThePanel>().map(|OfThePanel(user)| (*user, "panel")));
                let who = user.map_or_else(|| "-".to_owned(), |(user, by)| format!("user={user} by={by}"));
                // The path without its query, and never a link's token: see `redacted`.
                let path = redacted(request.path());
                log::info!(
                    target: "access",
                    "{} {} {path} {} {:.2}ms {who}",
                    id,
                    request.method(),
                    status.as_u16(),
                    took.as_secs_f64() * 1000.0,
                );
            }
            Ok(match unread {
                Some(payload) => response.map_body(|_, body| payload.held_by(body)),
                None => response,
            })
        })
    }
}

/// The path as the log may have it: control characters escaped, the secret of a one-time link left out.
fn redacted(path: &str) -> String {
    const ONE_TIME: [&str; 4] = ["/admin/setup/", "/verify/", "/reset/", "/invitation/"];
    let plain = percent_decode_str(path).decode_utf8_lossy().replace("//", "/");
    match ONE_TIME.iter().find(|link| plain.starts_with(**link)) {
        Some(link) => format!("{link}…"),
        None => path.escape_debug().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_in_the_log_is_one_line_and_tells_no_secret() {
        assert_eq!(redacted("/api/tasks/5/"), "/api/tasks/5/");
        for path in ["/admin/setup/abc/", "/admin//setup/abc/", "/admin/%73etup/abc"] {
            assert_eq!(redacted(path), "/admin/setup/…");
        }
        for page in ["/verify/", "/reset/", "/invitation/"] {
            assert_eq!(redacted(&format!("{page}abc")), format!("{page}…"));
        }
        assert_eq!(redacted("/a\nb"), "/a\\nb");
    }
}
