//! `/reset/TOKEN`: the page that sets a new password.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;

use crate::auth::account_rules::Own;
use crate::auth::by_letter;
use crate::auth::letter_token::Opened;
use crate::auth::token::PasswordReset;
use crate::error::Result;
use crate::language::filters;
use crate::model::user::User;
use crate::pages::form::{self, Filled, NewPassword, password_hint};
use crate::pages::{GATE, Gate, Words, dead_link, draw, shown_or_excused};
use crate::rest::payload::Body;
use crate::site::Site;

#[derive(Template)]
#[template(path = "site/reset.html")]
struct Page {
    gate: Gate,
    host: String,
    username: String,
    form: Filled,
    hint: String,
}

fn draw_form(site: &Site, status: StatusCode, username: String, form: Filled) -> Result<HttpResponse> {
    let (host, hint) = (site.mail.links.host(), password_hint(&site.settings.passwords));
    draw(status, &Page { gate: GATE, host, username, form, hint })
}

/// The account that the link is for, and what opens it.
async fn holder(site: &Site, token: &str) -> Result<Option<(User, Opened<PasswordReset>)>> {
    let Some(opened) = site.letters.open::<PasswordReset>(token, site.clock.now()) else { return Ok(None) };
    let (letters, asked) = (site.letters.clone(), opened.clone());
    let holder = site.db.read(move |conn| letters.holder(conn, &asked)).await?;
    Ok(holder.map(|user| (user, opened)))
}

/// The page that the link opens.
pub async fn page(site: web::Data<Site>, token: web::Path<String>) -> HttpResponse {
    shown_or_excused(match holder(&site, &token).await {
        Ok(None) => dead_link(),
        Ok(Some((user, _))) => draw_form(&site, StatusCode::OK, user.username, Filled::default()),
        Err(error) => Err(error),
    })
}

/// Sets the password that was typed: every session ends, and none begins.
pub async fn set(site: web::Data<Site>, token: web::Path<String>, body: Body) -> HttpResponse {
    shown_or_excused(reset(&site, &token, body).await)
}

async fn reset(site: &Site, token: &str, body: Body) -> Result<HttpResponse> {
    let Some((user, opened)) = holder(site, token).await? else { return dead_link() };
    let (sent, typed) = form::read::<NewPassword>(body).await?;
    let judged = typed.and_then(|typed| typed.judged(&site.settings.passwords, &Own::of(&user)));
    let password = match judged {
        Ok(password) => password,
        Err(complaints) => {
            return draw_form(site, StatusCode::UNPROCESSABLE_ENTITY, user.username, sent.refused(complaints));
        }
    };
    let hash = site.passwords.hash(password).await?;
    let (letters, grants, now) = (site.letters.clone(), site.grants.clone(), site.clock.now());
    match site.db.write(move |conn| by_letter::reset(conn, &letters, &grants, &opened, &hash, now)).await? {
        None => dead_link(),
        Some(user) => {
            let words = said!(
                "The account {username} was signed out everywhere. Sign in with the new password.",
                username = user.username
            );
            draw(StatusCode::OK, &Words::new(&said!("You have a new password"), &words))
        }
    }
}
