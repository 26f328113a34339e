//! `/api/docs/`: the API to look at and to try, drawn by RapiDoc from the OpenAPI document.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{self, Data};
use askama::Template;

use crate::pages::{draw, shown_or_excused};
use crate::rest::plain::get_only;
use crate::site::Site;

/// RapiDoc writes styles as attributes, and this page alone lets it: such a style is that of one element and can load
/// nothing from elsewhere. Its `<style>` is not needed (`docs.css` says why), and scripts are ours or none.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data:; \
     connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
);

/// Its route, which comes before those of the API.
pub fn routes(app: &mut web::ServiceConfig) {
    app.service(get_only("/api/docs/", page));
}

#[derive(Template)]
#[template(path = "site/docs.html")]
struct Page<'a> {
    host: String,
    /// The word before the token, where OpenAPI has no name for the scheme.
    word: &'a str,
    version: &'static str,
}

async fn page(site: Data<Site>) -> HttpResponse {
    let word = site.settings.jwt.auth_header_types.first().map_or("Bearer", String::as_str);
    let page = Page { host: site.mail.links.host(), word, version: env!("CARGO_PKG_VERSION") };
    let mut answer = shown_or_excused(draw(StatusCode::OK, &page));
    answer.headers_mut().insert(header::CONTENT_SECURITY_POLICY, POLICY);
    answer
}
