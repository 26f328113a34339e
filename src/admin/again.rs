//! The password again, before what matters most: a session may be an hour old, and its browser somebody else's by now.
//!
//! A handler of such an act asks [`Staff::recently`]; whoever has not shown the password in the last ten minutes (signing in
//! counts) is led here, and from here back to the page of the act.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;

use crate::admin::error::PageError;
use crate::admin::form::{Filled, Form};
use crate::admin::layout::{Gate, inside_panel, see_other};
use crate::admin::login::{too_many, waiting};
use crate::admin::staff::Staff;
use crate::admin::visit::Flash;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::language::filters;
use crate::middleware::client_ip;
use crate::model::audit::{Object, Outcome};
use crate::model::user;
use crate::rest::fields::{Fields, Input};
use crate::rest::permission::is_safe;
use crate::settings::Secret;
use crate::site::Site;

/// Where a session keeps when its user last showed the password, in seconds.
pub const SHOWN_KEY: &str = "password_shown";
/// How long that counts.
const RECENT: Duration = Duration::from_secs(10 * 60);

impl<N> Staff<N> {
    /// Goes on only if the viewer has shown the password in the last ten minutes.
    ///
    /// # Errors
    /// [`Staff::password_first`], with the page of the act.
    pub fn recently(&self, site: &Site, act: &str) -> Result<(), PageError> {
        if self.has_shown_password(site) { Ok(()) } else { Err(self.password_first(act)) }
    }

    /// Whether the viewer has shown the password in the last ten minutes.
    pub fn has_shown_password(&self, site: &Site) -> bool {
        let shown: Option<i64> = self.visit().session().get(SHOWN_KEY).ok().flatten();
        shown.is_some_and(|shown| site.clock.now() < Timestamp::from_seconds(shown) + RECENT)
    }

    /// Off to the page that asks for the password, and from there to the page of the act; a form that was sent is told to be
    /// lost.
    pub fn password_first(&self, act: &str) -> PageError {
        if !is_safe(self.visit().request().method()) {
            self.visit().flash(
                &Flash::warning(said!("Nothing was changed yet."))
                    .adding(say!("Your password comes first: do it again now.")),
            );
        }
        PageError::PasswordAgain { next: act.to_owned() }
    }
}

/// The password, and where to go on.
pub struct Shown {
    password: Secret,
    next: String,
}

impl Input for Shown {
    fn read(f: &mut Fields) -> Self {
        Self { password: f.text("password").blank().value().into(), next: f.text("next").blank().value() }
    }
}

#[derive(Template)]
#[template(path = "admin/again.html")]
struct Page {
    gate: Gate,
    form: Filled,
    username: String,
    next: String,
}

fn show(staff: &Staff, status: StatusCode, form: Filled, next: String) -> Result<HttpResponse, PageError> {
    let username = staff.state().username.to_string();
    staff.visit().gate_page(status, |gate| Page { gate, form, username, next })
}

/// The page that asks for it.
pub async fn page(staff: Staff) -> Result<HttpResponse, PageError> {
    let query = staff.visit().request().query_string().as_bytes();
    let next = form_urlencoded::parse(query).find(|(key, _)| key == "next").map(|(_, value)| value.into_owned());
    let next = inside_panel(&next.unwrap_or_default()).to_owned();
    show(&staff, StatusCode::OK, Filled::default(), next)
}

/// Takes it, counted like a sign-in.
pub async fn confirm(site: web::Data<Site>, staff: Staff, form: Form<Shown>) -> Result<HttpResponse, PageError> {
    let (typed, sent) = match form.checked() {
        Ok(checked) => checked,
        Err(sent) => return show(&staff, StatusCode::UNPROCESSABLE_ENTITY, sent, "/admin/".to_owned()),
    };
    let (id, next) = (staff.id(), inside_panel(&typed.next).to_owned());
    let audit = staff.audits(&site, "panel.password_again").on(Object::user(id, &*staff.state().username));
    let ip = client_ip::of(staff.visit().request(), &site.settings.server.trusted_proxies);
    let user = site.db.read(move |conn| user::by_id(conn, id)).await?.ok_or(Error::not_found())?;
    match site.sign_in.confirms(&user, typed.password, ip).await {
        Ok(true) => {
            staff.write(&site, move |conn| audit.append(conn)).await?;
            let now = site.clock.now().seconds();
            staff.visit().session().insert(SHOWN_KEY, now).map_err(|error| Error::internal(error.to_string()))?;
            Ok(see_other(&next))
        }
        Ok(false) => {
            staff.write(&site, move |conn| audit.came_to(Outcome::Refused).append(conn)).await?;
            let form = sent.refused_for("password", say!("This is not your password."));
            show(&staff, StatusCode::UNPROCESSABLE_ENTITY, form, next)
        }
        Err(error @ Error::Throttled { .. }) => {
            let form = sent.refused_for("password", too_many(&error));
            waiting(&error, show(&staff, StatusCode::TOO_MANY_REQUESTS, form, next)?)
        }
        Err(error) => Err(error.into()),
    }
}
