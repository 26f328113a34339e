//! The pages that the links of letters lead to. Reading one uses nothing up, so that a mail scanner that follows links does
//! no harm; its button does. They work without script, keep nothing in a browser, and tell no other site where they are.
//! Beside them are the page that shows the API, and an example of what is built on it.

pub mod demo;
pub mod docs;
mod form;
mod invitation;
mod reset;
mod verify;

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::{Next, from_fn};
use actix_web::{HttpResponse, Resource, ResponseError, guard, web};
use askama::Template;

use crate::error::{Error, Result};
use crate::language::{Said, filters};
use crate::middleware::language;
use crate::middleware::origin::is_same_origin;
use crate::rest::permission::is_safe;

/// Every page that a letter leads to.
pub fn routes(app: &mut web::ServiceConfig) {
    app.service(page("/verify/{token}").route(shown().to(verify::page)).route(web::post().to(verify::confirm)));
    app.service(page("/reset/{token}").route(shown().to(reset::page)).route(web::post().to(reset::set)));
    app.service(
        page("/invitation/{token}").route(shown().to(invitation::page)).route(web::post().to(invitation::join)),
    );
}

/// A page, with a slash at its end or without.
fn page(
    path: &str,
) -> Resource<
    impl actix_web::dev::ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<BoxBody>,
        Error = actix_web::Error,
        InitError = (),
    >,
> {
    web::resource([path.to_owned(), format!("{path}/")]).wrap(from_fn(guarded)).wrap(from_fn(language::of_the_visitor))
}

fn shown() -> actix_web::Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; \
     frame-ancestors 'none'",
);
/// The address of the page is a secret: nothing that it leads to may learn it.
const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Turns away what a page of another site has sent, and sets what every page carries.
async fn guarded(request: ServiceRequest, next: Next<BoxBody>) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let mut response = if is_safe(request.method()) || is_ours(request.headers()) {
        next.call(request).await?
    } else {
        let told = Words::new(
            &said!("That came from another site"),
            &said!("Nothing was changed. Open the link of the letter again."),
        );
        request.into_response(draw(StatusCode::FORBIDDEN, &told)?)
    };
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, POLICY);
    response.headers_mut().insert(header::REFERRER_POLICY, NO_REFERRER);
    Ok(response)
}

/// As for the panel; but a page without a referrer sends the origin `null`, and off TLS the browser says nothing else. Who
/// could send that from elsewhere would have to know the link, and then needs no page of ours.
fn is_ours(headers: &HeaderMap) -> bool {
    let is_null = headers.get(header::ORIGIN).is_some_and(|origin| origin.as_bytes() == b"null");
    is_same_origin(headers) || (is_null && !headers.contains_key(SEC_FETCH_SITE))
}

/// What the frame of every page needs: it looks as the system does.
struct Gate {
    theme: &'static str,
}

const GATE: Gate = Gate { theme: "" };

/// A page of a few words.
#[derive(Template)]
#[template(path = "site/words.html")]
struct Words {
    gate: Gate,
    heading: String,
    words: String,
}

impl Words {
    fn new(heading: &Said, words: &Said) -> Self {
        Self { gate: GATE, heading: heading.to_string(), words: words.to_string() }
    }
}

/// A page as an answer.
fn draw(status: StatusCode, page: &impl Template) -> Result<HttpResponse> {
    let text = page.render().map_err(Error::internal)?;
    Ok(HttpResponse::build(status).content_type("text/html; charset=utf-8").body(text))
}

/// The page for a link that is not or no longer good.
fn dead_link() -> Result<HttpResponse> {
    let words = said!(
        "It was used before, it has expired, or something that it was about has changed since. Ask for a new letter."
    );
    draw(StatusCode::NOT_FOUND, &Words::new(&said!("This link is no longer good"), &words))
}

/// An error as a page.
fn excuse(error: &Error) -> Result<HttpResponse> {
    let plain = error.error_response();
    let (heading, words) = match error {
        Error::Unavailable | Error::Throttled { .. } => {
            (said!("The server is busy"), said!("Nothing was changed. Try again in a moment."))
        }
        Error::Internal(_) => {
            (said!("Something went wrong"), said!("It is the server's fault, and its log has the rest."))
        }
        _ => (
            said!("That could not be read"),
            said!("Nothing was changed. The request was not of the form that is expected here."),
        ),
    };
    let mut page = draw(plain.status(), &Words::new(&heading, &words))?;
    if let Some(wait) = plain.headers().get(header::RETRY_AFTER) {
        page.headers_mut().insert(header::RETRY_AFTER, wait.clone());
    }
    Ok(page)
}

/// What a handler of a page answers: errors become pages too.
fn shown_or_excused(outcome: Result<HttpResponse>) -> HttpResponse {
    let page = outcome.or_else(|error| excuse(&error));
    page.unwrap_or_else(|error| error.error_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_without_a_referrer_is_ours_unless_the_browser_says_otherwise() {
        let host = (header::HOST, "auth.example");
        for (given, expected) in [
            (vec![], true),
            (vec![(header::ORIGIN, "null")], true),
            (vec![(header::ORIGIN, "null"), (SEC_FETCH_SITE, "same-origin")], true),
            (vec![(header::ORIGIN, "null"), (SEC_FETCH_SITE, "cross-site")], false),
            (vec![(header::ORIGIN, "https://evil.example")], false),
            (vec![(SEC_FETCH_SITE, "same-site")], false),
        ] {
            let pairs = given.iter().cloned().chain([host.clone()]);
            let headers = pairs.map(|(name, value)| (name, HeaderValue::from_static(value))).collect();
            assert_eq!(is_ours(&headers), expected, "{given:?}");
        }
    }
}
