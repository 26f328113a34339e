//! Signing in to the panel and out of it, and the theme, which needs no sign-in.

use actix_identity::Identity;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};
use askama::Template;

use crate::admin::error::PageError;
use crate::admin::form::{Button, Filled, Form};
use crate::admin::layout::{Gate, inside_panel, see_other};
use crate::admin::session_store::{AGENT_KEY, IP_KEY};
use crate::admin::staff::{GENERATION_KEY, NAME_KEY, Staff};
use crate::admin::visit::{THEME_COOKIE, Visit};
use crate::admin::when::count_words;
use crate::error::{Error, Result};
use crate::middleware::client_ip;
use crate::model::user::{self, User};
use crate::rest::fields::{Fields, Input};
use crate::settings::Secret;
use crate::site::Site;

/// One answer for a wrong name, a wrong password, an inactive account and one that is not staff.
const REFUSED: &str = "Wrong username or password, or this account may not open the panel.";

/// What is typed to sign in.
pub struct Credentials {
    username: String,
    password: Secret,
    next: String,
}

impl Input for Credentials {
    fn read(f: &mut Fields) -> Self {
        Self {
            username: f.text("username").blank().value(),
            password: f.text("password").blank().value().into(),
            next: f.text("next").blank().value(),
        }
    }
}

#[derive(Template)]
#[template(path = "admin/login.html")]
struct Page {
    gate: Gate,
    form: Filled,
    next: String,
    note: &'static str,
}

/// The page to sign in.
pub async fn page(site: web::Data<Site>, request: HttpRequest) -> Result<HttpResponse, PageError> {
    if site.db.read(user::active_superusers).await? == 0 {
        return Err(PageError::NoAdministrator);
    }
    let asked = |name: &str| {
        let pairs = form_urlencoded::parse(request.query_string().as_bytes());
        pairs.into_iter().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    };
    let next = inside_panel(&asked("next").unwrap_or_default()).to_owned();
    let note = match asked("note").as_deref() {
        Some("out") => "You are signed out.",
        Some("ended") => "All your sessions have ended, this one too.",
        _ => "",
    };
    show(&Visit::of(&request), StatusCode::OK, Filled::default(), next, note)
}

fn show(
    visit: &Visit,
    status: StatusCode,
    form: Filled,
    next: String,
    note: &'static str,
) -> Result<HttpResponse, PageError> {
    visit.gate_page(status, |gate| Page { gate, form, next, note })
}

/// Signs in: a new session of a new id, whatever the browser had before.
pub async fn sign_in(
    site: web::Data<Site>,
    request: HttpRequest,
    form: Form<Credentials>,
) -> Result<HttpResponse, PageError> {
    let visit = Visit::of(&request);
    let (typed, sent) = match form.checked() {
        Ok(checked) => checked,
        Err(sent) => return show(&visit, StatusCode::UNPROCESSABLE_ENTITY, sent, "/admin/".to_owned(), ""),
    };
    let next = inside_panel(&typed.next).to_owned();
    match check(&site, &request, typed).await {
        Ok(Some(user)) => {
            begin(&site, &request, &user)?;
            Ok(see_other(&next))
        }
        Ok(None) => {
            let form = sent.refused_for("non_field_errors", REFUSED);
            show(&visit, StatusCode::UNPROCESSABLE_ENTITY, form, next, "")
        }
        Err(error @ Error::Throttled { .. }) => {
            let wait = error.retry_after().unwrap_or(1);
            let words = format!("Too many attempts. Try again in {}.", count_words(wait, "second", "seconds"));
            let form = sent.refused_for("non_field_errors", words);
            let mut response = show(&visit, StatusCode::TOO_MANY_REQUESTS, form, next, "")?;
            response.headers_mut().insert(header::RETRY_AFTER, wait.into());
            Ok(response)
        }
        Err(error) => Err(error.into()),
    }
}

/// The member of the staff with this name and password.
async fn check(site: &Site, request: &HttpRequest, typed: Credentials) -> Result<Option<User>> {
    let ip = client_ip::of(request, &site.settings.server.trusted_proxies);
    // Whoever types an address gets the account's own name counted, as in any other spelling.
    let name = typed.username;
    let username = site.db.read(move |conn| Ok(user::name_for_login(conn, &name)?.unwrap_or(name))).await?;
    let Some(signed_in) = site.sign_in.check(username, typed.password, ip).await? else { return Ok(None) };
    let now = site.clock.now();
    let confirmed = site.db.write(move |conn| {
        let Some(user) = signed_in.confirm(conn)?.filter(|user| user.is_staff) else { return Ok(None) };
        user::touch_last_login(conn, user.id, now)?;
        Ok(Some(user))
    });
    let confirmed = confirmed.await?;
    match &confirmed {
        Some(user) => log::info!(target: "panel", "{} (id {}, from {ip}) signed in", user.username, user.id),
        None => log::warn!(target: "sign_in", "failed sign-in from {ip}"),
    }
    Ok(confirmed)
}

/// Begins a session for a user whose password was right, or who has just been made.
pub fn begin(site: &Site, request: &HttpRequest, user: &User) -> Result<()> {
    let visit = Visit::of(request);
    let session = visit.session();
    let lost = |error: &dyn std::fmt::Display| Error::internal(error.to_string());
    session.clear();
    Identity::login(&request.extensions(), user.id.to_string()).map_err(|error| lost(&error))?;
    let device = client_ip::device(request, &site.settings.server.trusted_proxies);
    let name = format!("{} {}", user.first_name, user.last_name);
    for (key, value) in [(IP_KEY, device.ip.as_str()), (AGENT_KEY, &device.user_agent), (NAME_KEY, name.trim())] {
        session.insert(key, value).map_err(|error| lost(&error))?;
    }
    session.insert(GENERATION_KEY, user.generation).map_err(|error| lost(&error))?;
    visit.begin_session()
}

/// Signs out: the session is gone, and its cookie opens nothing.
pub async fn sign_out(staff: Staff, _: Form<Button>) -> HttpResponse {
    log::info!(target: "panel", "{} (id {}) signed out", staff.state().username, staff.id());
    staff.visit().session().purge();
    see_other("/admin/login/?note=out")
}

/// A theme, and where to go on.
pub struct Theme {
    theme: String,
    next: String,
}

impl Input for Theme {
    fn read(f: &mut Fields) -> Self {
        Self { theme: f.text("theme").blank().value(), next: f.text("next").blank().value() }
    }
}

/// Remembers light or dark in a cookie, signed in or not.
pub async fn set_theme(request: HttpRequest, form: Form<Theme>) -> Result<HttpResponse, PageError> {
    let Ok((chosen, _)) = form.checked() else { return Ok(see_other("/admin/")) };
    let mut response = see_other(inside_panel(&chosen.next));
    if matches!(chosen.theme.as_str(), "light" | "dark") {
        let cookie = Visit::of(&request).preference(THEME_COOKIE, chosen.theme);
        response.add_cookie(&cookie).map_err(|error| Error::internal(error.to_string()))?;
    }
    Ok(response)
}
