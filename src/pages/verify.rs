//! `/verify/TOKEN`: the page whose button says that an address is one's own.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;

use crate::auth::by_letter;
use crate::auth::token::EmailVerification;
use crate::error::Result;
use crate::language::filters;
use crate::pages::{GATE, Gate, Words, dead_link, draw, shown_or_excused};
use crate::site::Site;

#[derive(Template)]
#[template(path = "site/verify.html")]
struct Page {
    gate: Gate,
    host: String,
    username: String,
    email: String,
}

/// The page that the link opens.
pub async fn page(site: web::Data<Site>, token: web::Path<String>) -> HttpResponse {
    shown_or_excused(show(&site, &token).await)
}

async fn show(site: &Site, token: &str) -> Result<HttpResponse> {
    let Some(opened) = site.letters.open::<EmailVerification>(token, site.clock.now()) else { return dead_link() };
    let letters = site.letters.clone();
    match site.db.read(move |conn| letters.holder(conn, &opened)).await? {
        None => dead_link(),
        Some(user) => {
            let host = site.mail.links.host();
            draw(StatusCode::OK, &Page { gate: GATE, host, username: user.username, email: user.email })
        }
    }
}

/// What the button does.
pub async fn confirm(site: web::Data<Site>, token: web::Path<String>) -> HttpResponse {
    shown_or_excused(verify(&site, &token).await)
}

async fn verify(site: &Site, token: &str) -> Result<HttpResponse> {
    let now = site.clock.now();
    let Some(opened) = site.letters.open::<EmailVerification>(token, now) else { return dead_link() };
    let (letters, grants) = (site.letters.clone(), site.grants.clone());
    match site.db.write(move |conn| by_letter::verify(conn, &letters, &grants, &opened, now)).await? {
        None => dead_link(),
        Some(user) => {
            let words = said!(
                "{email} is the verified address of the account {username}. You can close this page.",
                email = user.email,
                username = user.username
            );
            draw(StatusCode::OK, &Words::new(&said!("Your address is verified"), &words))
        }
    }
}
