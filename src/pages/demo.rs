//! `/demo/`: an example of a page that is built on the API, by `static/portcullis.js`.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{Data, ServiceConfig};
use askama::Template;

use crate::pages::{draw, shown_or_excused};
use crate::rest::plain::get_only;
use crate::settings::{Registration, Settings};
use crate::site::Site;

/// A socket to one's own origin is a connection to `'self'` (CSP 3 §6.7.2.8).
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; \
     base-uri 'none'; frame-ancestors 'none'",
);

/// Its route, where the settings want it.
pub fn routes(app: &mut ServiceConfig, settings: &Settings) {
    if settings.server.shows_demo() {
        app.service(get_only("/demo/", page));
    }
}

#[derive(Template)]
#[template(path = "site/demo.html")]
struct Page<'a> {
    host: String,
    /// Where the refresh token is kept.
    mode: &'static str,
    header: &'a str,
    scheme: &'a str,
    /// Whether strangers can make an account.
    opens: bool,
    version: &'static str,
}

async fn page(site: Data<Site>) -> HttpResponse {
    let jwt = &site.settings.jwt;
    let page = Page {
        host: site.mail.links.host(),
        mode: if jwt.refresh_cookie { "cookie" } else { "local" },
        header: &jwt.auth_header_name,
        scheme: jwt.auth_header_types.first().map_or("Bearer", String::as_str),
        opens: site.settings.accounts.registration == Registration::Open,
        version: env!("CARGO_PKG_VERSION"),
    };
    let mut answer = shown_or_excused(draw(StatusCode::OK, &page));
    answer.headers_mut().insert(header::CONTENT_SECURITY_POLICY, POLICY);
    answer
}
