//! In which language pages speak to whom: the one that was chosen in this browser, else one that it accepts.

use std::sync::Arc;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{AcceptLanguage, Header, Preference};
use actix_web::middleware::Next;
use actix_web::{HttpRequest, web};

use crate::language::{self, ENGLISH, Language};
use crate::site::Site;

/// The cookie with the tag of the language that was chosen.
pub const LANGUAGE_COOKIE: &str = "portcullis_language";

/// Answers in the language of whoever asks.
pub async fn of_the_visitor<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    let language = request.app_data::<web::Data<Site>>().and_then(|site| {
        let request = request.request();
        wanted(site, request, &chosen(site, request))
    });
    language::speaking(language, next.call(request)).await
}

/// The tag that was chosen in this browser, if the panel speaks that language; empty if none was.
pub fn chosen(site: &Site, request: &HttpRequest) -> String {
    let cookie = request.cookie(LANGUAGE_COOKIE);
    let tag = cookie.as_ref().map_or("", |cookie| cookie.value());
    match site.languages.named(tag) {
        Some(language) => language.tag().to_owned(),
        None if tag == ENGLISH => ENGLISH.to_owned(),
        None => String::new(),
    }
}

/// The language for somebody who chose this tag, or none, and sends this request; `None` is English.
pub fn wanted(site: &Site, request: &HttpRequest, chosen: &str) -> Option<Arc<Language>> {
    if site.languages.all().is_empty() {
        return None;
    }
    if !chosen.is_empty() {
        return site.languages.named(chosen);
    }
    let accepted = AcceptLanguage::parse(request).ok()?.ranked();
    let tags = accepted.iter().filter_map(|preference| match preference {
        Preference::Specific(tag) => Some(tag.as_str()),
        Preference::Any => None,
    });
    site.languages.accepted(tags)
}
