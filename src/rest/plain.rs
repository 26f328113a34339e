//! What is no view: a page or a document that answers GET, and HEAD with it, to whoever asks.

use actix_web::http::header;
use actix_web::{FromRequest, Handler, HttpResponse, Resource, web};

/// The service that answers GET and HEAD at `path`, and to another method that it does not (RFC 9110 §15.5.6).
pub fn get_only<H, A>(path: &str, handler: H) -> Resource
where
    H: Handler<A, Output = HttpResponse>,
    A: FromRequest + 'static,
{
    let refused = || async { HttpResponse::MethodNotAllowed().insert_header((header::ALLOW, "GET, HEAD")).finish() };
    web::resource(path.to_owned())
        .route(web::get().to(handler.clone()))
        .route(web::head().to(handler))
        .default_service(web::to(refused))
}
