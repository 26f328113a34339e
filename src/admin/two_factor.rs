//! One's own two-factor sign-in: set up with an authenticator app, its recovery codes, and switched off.
//!
//! Secret and recovery codes are shown in the answer to the form that made them, and nowhere else.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;

use crate::admin::error::PageError;
use crate::admin::form::{Button, Filled, Form};
use crate::admin::layout::{Frame, html, see_other};
use crate::admin::login::too_many;
use crate::admin::staff::{SettingUp, Staff};
use crate::admin::visit::Flash;
use crate::admin::when::{Now, When};
use crate::auth::sign_in;
use crate::auth::two_factor::{Act, Enrolment};
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::language::filters;
use crate::middleware::client_ip;
use crate::model::audit::Object;
use crate::model::two_factor;
use crate::model::user::{self, User};
use crate::rest::fields::{Fields, Input};
use crate::settings::Secret;
use crate::site::Site;

const PATH: &str = "/admin/me/two-factor/";

/// How it stands.
enum State {
    /// Not on.
    Off,
    /// Being set up: what the app is told.
    Begun(Enrolment),
    /// On: since when, and how many recovery codes are left.
    On { since: When, left: i64, is_low: bool },
}

#[derive(Template)]
#[template(path = "admin/two_factor.html")]
struct Page {
    frame: Frame,
    form: Filled,
    state: State,
    /// Codes that were made just now.
    codes: Vec<String>,
    /// Why the viewer sees no other page.
    is_required: bool,
    username: String,
}

/// The number of recovery codes from which on new ones are advised.
const FEW: i64 = 3;

fn state(conn: &mut Conn, user: i64, now: Now) -> Result<State> {
    let since = two_factor::of(conn, user)?.and_then(|row| row.confirmed_at);
    let Some(since) = since else { return Ok(State::Off) };
    let left = two_factor::codes_left(conn, user)?;
    Ok(State::On { since: When::new(since, now), left, is_low: left <= FEW })
}

async fn show(
    site: &Site,
    staff: &Staff<SettingUp>,
    status: StatusCode,
    state: State,
    form: Filled,
    codes: Vec<String>,
) -> Result<HttpResponse, PageError> {
    let frame = staff.frame(&[(&say!("Two-factor sign-in"), "")]);
    let page = Page {
        frame: if form.is_refused() { frame.without_flash() } else { frame },
        form,
        is_required: site.settings.admin.require_two_factor && !matches!(state, State::On { .. }),
        state,
        codes,
        username: staff.state().username.to_string(),
    };
    html(status, &page)
}

async fn present(site: &Site, staff: &Staff<SettingUp>) -> Result<State> {
    let (id, now) = (staff.id(), staff.now());
    site.db.read(move |conn| state(conn, id, now)).await
}

/// The page.
pub async fn page(site: web::Data<Site>, staff: Staff<SettingUp>) -> Result<HttpResponse, PageError> {
    let state = present(&site, &staff).await?;
    show(&site, &staff, StatusCode::OK, state, Filled::default(), Vec::new()).await
}

/// Begins to set it up: shows the secret.
pub async fn start(site: web::Data<Site>, staff: Staff<SettingUp>, _: Form<Button>) -> Result<HttpResponse, PageError> {
    let (id, now, two_factor) = (staff.id(), site.clock.now(), site.two_factor.clone());
    let audit = staff.audits(&site, "user.two_factor_begin");
    let begin = move |conn: &mut Conn| {
        let user = viewer(conn, id)?;
        let told = two_factor.begin_in(conn, &user, now)?;
        if told.is_some() {
            audit.on(Object::user(id, user.username)).append(conn)?;
        }
        Ok(told)
    };
    match staff.write(&site, begin).await? {
        Some(told) => show(&site, &staff, StatusCode::OK, State::Begun(told), Filled::default(), Vec::new()).await,
        None => Ok(see_other(PATH)),
    }
}

fn viewer(conn: &mut Conn, id: i64) -> Result<User> {
    user::by_id(conn, id)?.ok_or(Error::not_found())
}

/// What shows that it is the viewer who asks.
pub struct Proof {
    current_password: Secret,
    code: Secret,
}

impl Input for Proof {
    fn read(f: &mut Fields) -> Self {
        Self {
            current_password: f.text("current_password").blank().value().into(),
            code: f.text("code").blank().value().into(),
        }
    }
}

/// The code of an act in the audit log.
fn code_of(act: Act) -> &'static str {
    match act {
        Act::Confirm => "user.two_factor_on",
        Act::NewCodes => "user.two_factor_codes",
        Act::Disable => "user.two_factor_off",
    }
}

/// Does what password and code are shown for; the recovery codes that there are now, or the form with complaints.
async fn act(
    site: &Site,
    staff: &Staff<SettingUp>,
    form: Form<Proof>,
    act: Act,
) -> Result<Result<Vec<String>, (StatusCode, Filled)>, PageError> {
    let refused = |form: Filled, name: &str, words: String| {
        Ok(Err((StatusCode::UNPROCESSABLE_ENTITY, form.refused_for(name, words))))
    };
    let (typed, sent) = match form.checked() {
        Ok(checked) => checked,
        Err(form) => return Ok(Err((StatusCode::UNPROCESSABLE_ENTITY, form))),
    };
    let ip = client_ip::of(staff.visit().request(), &site.settings.server.trusted_proxies);
    let (id, now, two_factor) = (staff.id(), site.clock.now(), site.two_factor.clone());
    let user = site.db.read(move |conn| viewer(conn, id)).await?;
    let attempt = match site.sign_in.attempt_of(&user, typed.current_password, ip).await {
        Ok(Some(attempt)) => attempt,
        Ok(None) => return refused(sent, "current_password", say!("This is not your password.")),
        Err(error @ Error::Throttled { .. }) => {
            let form = sent.refused_for("non_field_errors", too_many(&error));
            return Ok(Err((StatusCode::TOO_MANY_REQUESTS, form)));
        }
        Err(error) => return Err(error.into()),
    };
    let audit = staff.audits(site, code_of(act)).on(Object::user(id, &user.username));
    let done = move |conn: &mut Conn| {
        let current = viewer(conn, id)?;
        if current.password != user.password {
            return Err(Error::Forbidden);
        }
        let codes = two_factor.act_in(conn, &current, act, &typed.code, now)?;
        if codes.is_some() {
            audit.append(conn)?;
        }
        Ok(codes)
    };
    match staff.write(site, done).await? {
        Some(codes) => {
            attempt.give_back();
            Ok(Ok(codes))
        }
        None => {
            sign_in::failed(ip);
            refused(sent, "code", say!("This code is not right, or was used before. Wait for the next one."))
        }
    }
}

/// Switches it on, and shows the recovery codes.
pub async fn confirm(
    site: web::Data<Site>,
    staff: Staff<SettingUp>,
    form: Form<Proof>,
) -> Result<HttpResponse, PageError> {
    match act(&site, &staff, form, Act::Confirm).await? {
        Ok(codes) => {
            staff.note(&site, "two-factor sign-in is on");
            let state = present(&site, &staff).await?;
            show(&site, &staff, StatusCode::OK, state, Filled::default(), codes).await
        }
        Err((status, form)) => {
            let (id, two_factor) = (staff.id(), site.two_factor.clone());
            let begun = move |conn: &mut Conn| {
                let user = viewer(conn, id)?;
                two_factor.begun_in(conn, &user)
            };
            let Some(told) = site.db.read(begun).await? else { return Ok(see_other(PATH)) };
            show(&site, &staff, status, State::Begun(told), form, Vec::new()).await
        }
    }
}

/// Makes new recovery codes, and shows them.
pub async fn new_codes(
    site: web::Data<Site>,
    staff: Staff<SettingUp>,
    form: Form<Proof>,
) -> Result<HttpResponse, PageError> {
    let (status, form, codes) = match act(&site, &staff, form, Act::NewCodes).await? {
        Ok(codes) => {
            staff.note(&site, "new recovery codes");
            (StatusCode::OK, Filled::default(), codes)
        }
        Err((status, form)) => (status, form, Vec::new()),
    };
    let state = present(&site, &staff).await?;
    show(&site, &staff, status, state, form, codes).await
}

/// Switches it off.
pub async fn disable(
    site: web::Data<Site>,
    staff: Staff<SettingUp>,
    form: Form<Proof>,
) -> Result<HttpResponse, PageError> {
    match act(&site, &staff, form, Act::Disable).await? {
        Ok(_) => {
            staff.done(&site, &Flash::done(said!("Two-factor sign-in is off.")));
            Ok(see_other(PATH))
        }
        Err((status, form)) => {
            let state = present(&site, &staff).await?;
            show(&site, &staff, status, state, form, Vec::new()).await
        }
    }
}
