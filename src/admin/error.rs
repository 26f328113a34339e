//! Errors as pages: the same status that the API answers, in words for a person.
//!
//! A handler of the panel returns [`PageError`]; the page itself is drawn by [`shown_as_pages`], which knows the visitor.

use std::fmt;

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{StatusCode, header};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpResponse, ResponseError};
use askama::Template;

use crate::admin::layout::{Frame, Gate, html};
use crate::admin::staff::Seen;
use crate::admin::visit::Visit;
use crate::auth::permissions::Permission;
use crate::error::Error;
use crate::language::{Said, filters};
use crate::middleware::edge::RequestId;

/// Why a page of the panel was not shown, or a form not carried out.
#[derive(Debug)]
pub enum PageError {
    /// What any part of the house may say.
    Other(Error),
    /// Nobody is signed in: off to the sign-in page, and from there back.
    SignedOut {
        /// Where to go on afterwards.
        next: String,
    },
    /// The password must be shown again first: off to the page that asks for it, and from there to the act.
    PasswordAgain {
        /// The page of the act.
        next: String,
    },
    /// Two-factor sign-in must be set up first: off to its page.
    TwoFactorFirst,
    /// Nobody is signed in any more, and a form was sent.
    SessionEnded,
    /// The form does not carry the token of this browser's session.
    StrangeForm,
    /// The request was sent by a page of another site.
    OtherSite,
    /// The viewer lacks a permission; the roles that hold it.
    Lacks(Permission, Vec<String>),
    /// The viewer may not do this, for a reason that is no single permission.
    Refused(Said),
    /// The rule that stands in the way, whoever asks.
    Rule(Said),
    /// The server has no administrator yet.
    NoAdministrator,
    /// The set-up link is not or no longer good.
    DeadLink,
}

impl<E: Into<Error>> From<E> for PageError {
    fn from(error: E) -> Self {
        Self::Other(error.into())
    }
}

impl fmt::Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other(error) => error.fmt(f),
            other => f.write_str(&other.page().heading),
        }
    }
}

impl ResponseError for PageError {
    fn status_code(&self) -> StatusCode {
        match self {
            // The fields of a page's own forms are shown with the form; what gets here was no form of ours.
            Self::Other(error) => error.status_code(),
            Self::SignedOut { .. } | Self::PasswordAgain { .. } | Self::TwoFactorFirst => StatusCode::SEE_OTHER,
            Self::SessionEnded => StatusCode::UNAUTHORIZED,
            Self::StrangeForm | Self::OtherSite | Self::Lacks(..) | Self::Refused(_) | Self::NoAdministrator => {
                StatusCode::FORBIDDEN
            }
            Self::Rule(_) => StatusCode::CONFLICT,
            Self::DeadLink => StatusCode::NOT_FOUND,
        }
    }

    /// The answer in plain words; [`shown_as_pages`] puts the page in their place.
    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        match self {
            Self::SignedOut { next } => {
                response.insert_header((header::LOCATION, leading_on("/admin/login/", next)));
            }
            Self::PasswordAgain { next } => {
                response.insert_header((header::LOCATION, leading_on("/admin/again/", next)));
            }
            Self::TwoFactorFirst => {
                response.insert_header((header::LOCATION, "/admin/me/two-factor/"));
            }
            Self::Other(error) => {
                if let Error::Internal(cause) = error {
                    log::error!("{cause}");
                }
                if let Some(seconds) = error.retry_after() {
                    response.insert_header((header::RETRY_AFTER, seconds));
                }
            }
            _ => {}
        }
        let page = self.page();
        let words = format!("{}. {}\n", page.heading, page.words.join(" "));
        response.content_type("text/plain; charset=utf-8").body(words)
    }
}

fn leading_on(page: &str, next: &str) -> String {
    let query: String = form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
    format!("{page}?{query}")
}

/// What an error page says.
pub struct Words {
    /// In a word.
    pub heading: String,
    /// In sentences.
    pub words: Vec<String>,
    /// The way on: label, a key, and address.
    pub way_on: Option<(&'static str, &'static str)>,
    /// Whether it offers to look for a user.
    pub finds_users: bool,
}

impl PageError {
    /// Why, in one sentence: for a row that is left out.
    pub fn to_words(&self) -> String {
        match self {
            Self::Refused(words) | Self::Rule(words) => words.to_string(),
            other => other.page().heading,
        }
    }

    fn page(&self) -> Words {
        let page = |heading: Said, words: &[Said], way_on| Words {
            heading: heading.to_string(),
            words: words.iter().map(Said::to_string).collect(),
            way_on,
            finds_users: false,
        };
        let back = Some((key!("Back to the panel"), "/admin/"));
        match self {
            Self::Other(error) => error_words(error, back),
            Self::SignedOut { .. } => page(said!("Sign in"), &[], Some((key!("Sign in"), "/admin/login/"))),
            Self::PasswordAgain { .. } => {
                page(said!("Your password again"), &[], Some((key!("Show the password"), "/admin/again/")))
            }
            Self::TwoFactorFirst => page(
                said!("Two-factor sign-in"),
                &[],
                Some((key!("Set up two-factor sign-in"), "/admin/me/two-factor/")),
            ),
            Self::SessionEnded => page(
                said!("Your session has ended"),
                &[said!("Nothing was saved."), said!("Sign in, then go back: your text is still there.")],
                Some((key!("Sign in"), "/admin/login/")),
            ),
            Self::StrangeForm => page(
                said!("This form is no longer valid"),
                &[said!(
                    "Nothing was changed. It was opened in another session, or too long ago. Open it again and send it anew."
                )],
                back,
            ),
            Self::OtherSite => page(
                said!("That came from another site"),
                &[said!("Nothing was changed. Only pages of this panel can change something here.")],
                back,
            ),
            Self::Lacks(permission, roles) => {
                let names = roles.join(", ");
                let holders = match roles.len() {
                    0 => said!("No role holds it at present."),
                    1 => said!("It is held by the role {names}.", names),
                    _ => said!("It is held by the roles {names}.", names),
                };
                let lacking =
                    said!("This needs the permission {permission}, which your roles do not give you.", permission);
                page(said!("You may not do that"), &[lacking, holders], back)
            }
            Self::Refused(words) => page(said!("You may not do that"), std::slice::from_ref(words), back),
            Self::Rule(words) => page(said!("That cannot be done"), std::slice::from_ref(words), back),
            Self::NoAdministrator => page(
                said!("No administrator yet"),
                &[said!(
                    "This server has no administrator yet. Use the link in its log, or run portcullis createsuperuser."
                )],
                None,
            ),
            Self::DeadLink => page(
                said!("This link is no longer good"),
                &[said!(
                    "A set-up link works once, for an hour, and only while there is no administrator. Look for a newer one in the server's log."
                )],
                Some((key!("Sign in"), "/admin/login/")),
            ),
        }
    }
}

fn error_words(error: &Error, back: Option<(&'static str, &'static str)>) -> Words {
    let (heading, words, finds_users) = match error {
        Error::NotFound(_) => (say!("There is no such page"), say!("Whatever was here is gone, or never was."), true),
        Error::Refused(words) => (say!("You may not do that"), words.to_string(), false),
        Error::Conflict(words) => (say!("That cannot be done"), words.to_string(), false),
        Error::Forbidden => (say!("You may not do that"), say!("Your account does not allow it."), false),
        Error::TooLarge => {
            (say!("That was too much"), say!("Nothing was changed. The form is larger than is read here."), false)
        }
        Error::Throttled { .. } => {
            let seconds = error.retry_after().unwrap_or(1);
            let words = say!(
                seconds => "Too many attempts. Try again in {seconds} second." | "Too many attempts. Try again in {seconds} seconds."
            );
            (say!("Too many attempts"), words, false)
        }
        Error::Elsewhere(name) => {
            (say!("Another server is needed"), say!("{name} does not answer. Nothing was changed.", name), false)
        }
        Error::Unavailable => (say!("The server is busy"), say!("Nothing was changed. Try again in a moment."), false),
        Error::Internal(_) => {
            (say!("Something went wrong"), say!("It is the server's fault, and its log has the rest."), false)
        }
        _ => (
            say!("That could not be read"),
            say!("Nothing was changed. The request was not of the form that is expected here."),
            false,
        ),
    };
    Words { heading, words: vec![words], way_on: back, finds_users }
}

#[derive(Template)]
#[template(path = "error.html")]
struct GatePage {
    gate: Gate,
    page: Words,
}

#[derive(Template)]
#[template(path = "admin/error.html")]
struct FramedPage {
    frame: Frame,
    page: Words,
}

/// Draws the page of an error that a handler returned: in the panel's frame for staff, alone on its page for others.
pub async fn shown_as_pages(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let response = next.call(request).await?;
    let Some(error) = response.response().error().and_then(|error| error.as_error::<PageError>()) else {
        return Ok(response);
    };
    if let PageError::SignedOut { .. } | PageError::PasswordAgain { .. } | PageError::TwoFactorFirst = error {
        return Ok(response);
    }
    let (status, mut page) = (error.status_code(), error.page());
    if status.is_server_error()
        && let Some(RequestId(id)) = response.request().extensions().get::<RequestId>()
    {
        page.words.push(say!("This was request {id}.", id));
    }
    let visit = Visit::of(response.request());
    let drawn = match Seen::of(response.request()) {
        Some(seen) => {
            page.finds_users &= seen.may_see_users();
            html(status, &FramedPage { frame: seen.frame_of_error(&visit, &page.heading), page })
        }
        None => {
            page.finds_users = false;
            visit.gate_page(status, |gate| GatePage { gate, page })
        }
    };
    let mut drawn = drawn.unwrap_or_else(|_| HttpResponse::new(status));
    if let Some(wait) = response.headers().get(header::RETRY_AFTER) {
        drawn.headers_mut().insert(header::RETRY_AFTER, wait.clone());
    }
    Ok(response.into_response(drawn))
}
