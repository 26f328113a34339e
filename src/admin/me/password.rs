//! One's own password: the old one and the new one, and the end of every session, this one too.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;

use crate::admin::error::PageError;
use crate::admin::form::{Filled, Form};
use crate::admin::layout::{Frame, html};
use crate::admin::login::{too_many, waiting};
use crate::admin::staff::Staff;
use crate::admin::users::input::{PASSWORD_HINT, Password};
use crate::admin::users::sessions::after_end_of_all;
use crate::auth::account_rules::Own;
use crate::db::Conn;
use crate::error::Error;
use crate::language::filters;
use crate::middleware::client_ip;
use crate::model::audit::{Change, Object};
use crate::model::{panel_session, user};
use crate::rest::fields::{Fields, Input};
use crate::settings::Secret;
use crate::site::Site;

/// The old password and the new one.
pub struct Passwords {
    current: Secret,
    new: Password,
}

impl Input for Passwords {
    fn read(f: &mut Fields) -> Self {
        Self { current: f.text("current_password").required().value().into(), new: Password::read(f) }
    }
}

#[derive(Template)]
#[template(path = "admin/me/password.html")]
struct Page {
    frame: Frame,
    form: Filled,
    username: String,
    password_hint: &'static str,
}

fn show(site: &Site, staff: &Staff, status: StatusCode, form: Filled) -> Result<HttpResponse, PageError> {
    let frame = staff.frame(&[(&say!("Your account"), "/admin/me/"), (&say!("Password"), "")]);
    let page = Page {
        frame: if form.is_refused() { frame.without_flash() } else { frame },
        form,
        username: staff.state().username.to_string(),
        password_hint: if site.settings.passwords.rules { PASSWORD_HINT } else { "" },
    };
    html(status, &page)
}

/// The page to change it.
pub async fn page(site: web::Data<Site>, staff: Staff) -> Result<HttpResponse, PageError> {
    show(&site, &staff, StatusCode::OK, Filled::default())
}

/// Changes it. The old one is counted like a sign-in, so that an open browser is no place to guess.
pub async fn change(site: web::Data<Site>, staff: Staff, form: Form<Passwords>) -> Result<HttpResponse, PageError> {
    let refused = |form| show(&site, &staff, StatusCode::UNPROCESSABLE_ENTITY, form);
    let (given, sent) = match form.checked() {
        Ok(checked) => checked,
        Err(sent) => return refused(sent),
    };
    let id = staff.id();
    let me = site.db.read(move |conn| user::by_id(conn, id)).await?.ok_or(Error::not_found())?;
    let ip = client_ip::of(staff.visit().request(), &site.settings.server.trusted_proxies);
    match site.sign_in.confirms(&me, given.current, ip).await {
        Ok(true) => {}
        Ok(false) => return refused(sent.refused_for("current_password", say!("This is not your password."))),
        Err(error @ Error::Throttled { .. }) => {
            let form = sent.refused_for("current_password", too_many(&error));
            return waiting(&error, show(&site, &staff, StatusCode::TOO_MANY_REQUESTS, form)?);
        }
        Err(error) => return Err(error.into()),
    }
    let password = match given.new.judged(&site.settings.passwords, &Own::of(&me)) {
        Ok(password) => password,
        Err(complaints) => return refused(sent.refused(complaints)),
    };
    let (hash, grants, now) = (site.passwords.hash(password).await?, site.grants.clone(), site.clock.now());
    let audit = staff.audits(&site, "user.password").on(Object::user(id, &*me.username));
    let set = move |conn: &mut Conn| {
        // The password that was confirmed must be the one that is replaced.
        user::by_id(conn, id)?.filter(|current| current.password == me.password).ok_or(Error::Forbidden)?;
        let ended = panel_session::end_all(conn, id)? + grants.set_password_in(conn, id, &hash, now)?;
        audit.with([Change::secret("password"), Change::fact("sessions_ended", ended)]).append(conn)
    };
    staff.write(&site, set).await?;
    staff.note(&site, "changed the password; every session ended");
    Ok(after_end_of_all(staff.visit(), true, "/admin/login/"))
}
