//! Signing in to the panel and out of it, and the theme, which needs no sign-in.

use std::net::IpAddr;

use actix_identity::Identity;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};
use askama::Template;

use crate::admin::again::SHOWN_KEY;
use crate::admin::audits;
use crate::admin::error::PageError;
use crate::admin::form::{Button, Filled, Form};
use crate::admin::layout::{Gate, inside_panel, see_other};
use crate::admin::session_store::{AGENT_KEY, DIGEST_KEY, IP_KEY};
use crate::admin::staff::{GENERATION_KEY, NAME_KEY, SettingUp, Staff};
use crate::admin::visit::{THEME_COOKIE, Visit};
use crate::auth::sign_in::{Code, Entry, Place, SignedIn};
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::language::{Said, filters};
use crate::middleware::{client_ip, known_device};
use crate::model::audit::{Audit, Object};
use crate::model::user::{self, User};
use crate::model::{panel_session, sign_in};
use crate::rest::fields::{Fields, Input};
use crate::settings::Secret;
use crate::site::Site;

/// One answer for a wrong name, a wrong password, an inactive account and one that is not staff.
const REFUSED: &str = key!("Wrong username or password, or this account may not open the panel.");

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
    /// What happened before, a key.
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
        Some("out") => key!("You are signed out."),
        Some("ended") => key!("All your sessions have ended, this one too."),
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

/// What came of a name and a password, or of a code.
enum Outcome {
    /// They are the staff's, with the code where one is needed.
    In(Box<User>),
    /// They are, and the code is still to come.
    CodeToCome(Box<User>),
    /// They are not.
    Refused,
}

/// Signs in: a new session of a new id, whatever the browser had before; or goes on to the code.
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
        Ok(Outcome::In(user)) => arrive(&site, &request, &user, &next),
        Ok(Outcome::CodeToCome(user)) => {
            let halfway = site.sign_in.halfway(&user, &visit.token());
            show_code(&visit, StatusCode::OK, Filled::default(), next, halfway)
        }
        Ok(Outcome::Refused) => {
            let form = sent.refused_for("non_field_errors", Said::of(REFUSED));
            show(&visit, StatusCode::UNPROCESSABLE_ENTITY, form, next, "")
        }
        Err(error @ Error::Throttled { .. }) => {
            let form = sent.refused_for("non_field_errors", too_many(&error));
            waiting(&error, show(&visit, StatusCode::TOO_MANY_REQUESTS, form, next, "")?)
        }
        Err(error) => Err(error.into()),
    }
}

/// How long to wait, in words.
pub fn too_many(error: &Error) -> String {
    say!(
        count = error.retry_after().unwrap_or(1) => "Too many attempts. Try again in {count} second."
            | "Too many attempts. Try again in {count} seconds."
    )
}

/// The page of somebody who must wait.
pub fn waiting(error: &Error, mut page: HttpResponse) -> Result<HttpResponse, PageError> {
    page.headers_mut().insert(header::RETRY_AFTER, error.retry_after().unwrap_or(1).into());
    Ok(page)
}

/// The member of the staff with this name and password.
async fn check(site: &Site, request: &HttpRequest, typed: Credentials) -> Result<Outcome> {
    let place = place(site, request);
    let ip = place.ip;
    // Whoever types an address gets the account's own name counted, as in any other spelling.
    let name = typed.username;
    let username = site.db.read(move |conn| Ok(user::name_for_login(conn, &name)?.unwrap_or(name))).await?;
    match site.sign_in.check(username, typed.password, place).await? {
        Some(signed_in) if signed_in.user().is_staff => confirm(site, request, signed_in, None, ip).await,
        // The attempt counts as failed: what is right for others is of no use here.
        Some(signed_in) => {
            signed_in.refuse(sign_in::Outcome::NotStaff, true);
            Ok(Outcome::Refused)
        }
        None => Ok(Outcome::Refused),
    }
}

/// Where somebody stands who signs in to the panel.
fn place(site: &Site, request: &HttpRequest) -> Place {
    let device = client_ip::device(request, &site.settings.server.trusted_proxies);
    known_device::place(site, request).by(sign_in::How::Admin, &device)
}

/// Lets somebody in whose password was right; with the code, where one is asked for.
async fn confirm(
    site: &Site,
    request: &HttpRequest,
    signed_in: SignedIn,
    code: Option<Secret>,
    ip: IpAddr,
) -> Result<Outcome> {
    let now = site.clock.now();
    let user = signed_in.user();
    let by = audits::by(site, request, Some(user.id), user.username.clone());
    let audit = Audit::new(&site.audit, by, "panel.sign_in", now);
    let confirmed = site.db.write(move |conn| match signed_in.confirm(conn, &Code::Asked(code), now)? {
        Entry::In(user) if user.is_staff => {
            user::touch_last_login(conn, user.id, now)?;
            audit.on(Object::user(user.id, &user.username)).append(conn)?;
            Ok(Outcome::In(user))
        }
        Entry::CodeMissing(user) if user.is_staff => Ok(Outcome::CodeToCome(user)),
        _ => Ok(Outcome::Refused),
    });
    let outcome = confirmed.await?;
    if let Outcome::In(user) = &outcome {
        log::info!(target: "panel", "{} (id {}, from {ip}) signed in", user.username, user.id);
    }
    Ok(outcome)
}

/// Begins the session, and lets the browser be known.
fn arrive(site: &Site, request: &HttpRequest, user: &User, next: &str) -> Result<HttpResponse, PageError> {
    begin(site, request, user)?;
    let mut response = see_other(next);
    let cookie = known_device::cookie(site, user)?;
    response.add_cookie(&cookie).map_err(|error| Error::internal(error.to_string()))?;
    Ok(response)
}

/// A code, and what stands for the password before it.
pub struct GivenCode {
    code: Secret,
    halfway: String,
    next: String,
}

impl Input for GivenCode {
    fn read(f: &mut Fields) -> Self {
        Self {
            code: f.text("code").blank().value().into(),
            halfway: f.text("halfway").blank().value(),
            next: f.text("next").blank().value(),
        }
    }
}

#[derive(Template)]
#[template(path = "admin/code.html")]
struct CodePage {
    gate: Gate,
    form: Filled,
    next: String,
    halfway: String,
}

fn show_code(
    visit: &Visit,
    status: StatusCode,
    form: Filled,
    next: String,
    halfway: String,
) -> Result<HttpResponse, PageError> {
    visit.gate_page(status, |gate| CodePage { gate, form, next, halfway })
}

/// The second step: the code of an authenticator app, or one for recovery.
pub async fn enter_code(
    site: web::Data<Site>,
    request: HttpRequest,
    form: Form<GivenCode>,
) -> Result<HttpResponse, PageError> {
    let visit = Visit::of(&request);
    let (typed, sent) = match form.checked() {
        Ok(checked) => checked,
        Err(sent) => return show(&visit, StatusCode::UNPROCESSABLE_ENTITY, sent, "/admin/".to_owned(), ""),
    };
    let (next, halfway) = (inside_panel(&typed.next).to_owned(), typed.halfway);
    let (place, tie) = (place(&site, &request), visit.token());
    let ip = place.ip;
    let signed_in = match site.sign_in.go_on(&halfway, &tie, &place).await {
        Ok(Some(signed_in)) => signed_in,
        Ok(None) => {
            let form = Filled::default().refused_for("non_field_errors", say!("That took too long. Sign in again."));
            return show(&visit, StatusCode::UNPROCESSABLE_ENTITY, form, next, "");
        }
        Err(error @ Error::Throttled { .. }) => {
            let form = sent.refused_for("code", too_many(&error));
            return waiting(&error, show_code(&visit, StatusCode::TOO_MANY_REQUESTS, form, next, halfway)?);
        }
        Err(error) => return Err(error.into()),
    };
    match confirm(&site, &request, signed_in, Some(typed.code), ip).await? {
        Outcome::In(user) => arrive(&site, &request, &user, &next),
        Outcome::CodeToCome(_) | Outcome::Refused => {
            let form =
                sent.refused_for("code", say!("This code is not right, or was used before. Wait for the next one."));
            show_code(&visit, StatusCode::UNPROCESSABLE_ENTITY, form, next, halfway)
        }
    }
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
    session.insert(SHOWN_KEY, site.clock.now().seconds()).map_err(|error| lost(&error))?;
    visit.begin_session()
}

/// Signs out: the session is gone, and its cookie opens nothing.
///
/// # Errors
/// 503 if that could not be written; then it still opens.
pub async fn sign_out(
    site: web::Data<Site>,
    staff: Staff<SettingUp>,
    _: Form<Button>,
) -> Result<HttpResponse, PageError> {
    let (id, username) = (staff.id(), staff.state().username.to_string());
    let digest: String = staff.visit().session().get(DIGEST_KEY).ok().flatten().unwrap_or_default();
    let audit = staff.audits(&site, "panel.sign_out").on(Object::user(id, &username));
    let end = move |conn: &mut Conn| {
        panel_session::delete(conn, &digest)?;
        audit.append(conn)
    };
    site.db.write(end).await?;
    log::info!(target: "panel", "{username} (id {id}) signed out");
    staff.visit().session().purge();
    Ok(see_other("/admin/login/?note=out"))
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
