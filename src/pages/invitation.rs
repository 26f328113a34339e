//! `/invitation/TOKEN`: the page on which the invited choose a name and a password.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;

use crate::auth::account_rules::{Own, is_username, normal_username};
use crate::auth::by_letter::{self, Joining, NotJoined};
use crate::auth::letter_token::Opened;
use crate::auth::token::Invitation;
use crate::error::Result;
use crate::language::filters;
use crate::model::invitation::Invitation as Row;
use crate::model::user::NewUser;
use crate::pages::form::{self, Filled, NewPassword, password_hint};
use crate::pages::{GATE, Gate, Words, dead_link, draw, shown_or_excused};
use crate::rest::fields::{Fields, Input};
use crate::rest::payload::Body;
use crate::settings::Registration;
use crate::site::Site;

#[derive(Template)]
#[template(path = "site/invitation.html")]
struct Page {
    gate: Gate,
    host: String,
    email: String,
    form: Filled,
    hint: String,
}

/// What the invited choose.
pub struct Chosen {
    username: String,
    password: NewPassword,
}

impl Input for Chosen {
    fn read(fields: &mut Fields) -> Self {
        let username = fields.text("username").required().max(150).matching(is_username).value();
        Self { username: normal_username(&username), password: NewPassword::read(fields) }
    }
}

fn draw_form(site: &Site, status: StatusCode, email: String, form: Filled) -> Result<HttpResponse> {
    let (host, hint) = (site.mail.links.host(), password_hint(&site.settings.passwords));
    draw(status, &Page { gate: GATE, host, email, form, hint })
}

/// The invitation that the link brings, where invitations are taken.
async fn invited(site: &Site, token: &str) -> Result<Option<(Row, Opened<Invitation>)>> {
    let now = site.clock.now();
    let opened = match site.settings.accounts.registration {
        Registration::Closed => None,
        Registration::Open | Registration::Invitation => site.letters.open::<Invitation>(token, now),
    };
    let Some(opened) = opened else { return Ok(None) };
    let (letters, asked) = (site.letters.clone(), opened.clone());
    let row = site.db.read(move |conn| letters.invitation(conn, &asked, now)).await?;
    Ok(row.map(|row| (row, opened)))
}

/// The page that the link opens.
pub async fn page(site: web::Data<Site>, token: web::Path<String>) -> HttpResponse {
    shown_or_excused(match invited(&site, &token).await {
        Ok(None) => dead_link(),
        Ok(Some((row, _))) => draw_form(&site, StatusCode::OK, row.email, Filled::default()),
        Err(error) => Err(error),
    })
}

/// Makes the account; signing in is the next step, where the account is used.
pub async fn join(site: web::Data<Site>, token: web::Path<String>, body: Body) -> HttpResponse {
    shown_or_excused(make(&site, &token, body).await)
}

async fn make(site: &Site, token: &str, body: Body) -> Result<HttpResponse> {
    let Some((row, opened)) = invited(site, token).await? else { return dead_link() };
    let (sent, chosen) = form::read::<Chosen>(body).await?;
    let judged = chosen.and_then(|chosen| {
        let own = Own { username: &chosen.username, first_name: "", last_name: "", email: &row.email };
        let password = chosen.password.judged(&site.settings.passwords, &own)?;
        Ok((chosen.username, password))
    });
    let refused = |form: Filled| draw_form(site, StatusCode::UNPROCESSABLE_ENTITY, row.email.clone(), form);
    let (username, password) = match judged {
        Ok(chosen) => chosen,
        Err(complaints) => return refused(sent.refused(complaints)),
    };
    let hash = site.passwords.hash(password).await?;
    let (letters, now) = (site.letters.clone(), site.clock.now());
    let new = NewUser { username, password: hash, date_joined: now, updated_at: now, ..NewUser::default() };
    let joining = Joining { new, invitation: Some(opened), verify: false };
    match site.db.write(move |conn| by_letter::join(conn, &letters, joining, now)).await? {
        Err(NotJoined::NotInvited) => dead_link(),
        Err(NotJoined::Taken) => {
            let taken = vec![("username".into(), vec![say!("A user with that username already exists.")])];
            refused(sent.refused(taken))
        }
        Ok(user) => {
            let words = said!(
                "You are {username} at {host}. Sign in with that name and your password.",
                username = user.username,
                host = site.mail.links.host()
            );
            draw(StatusCode::OK, &Words::new(&said!("Your account is ready"), &words))
        }
    }
}
