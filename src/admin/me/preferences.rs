//! How the panel looks and what keys it listens to. Kept in cookies of the browser: a telephone may differ from a desk.

use actix_web::HttpResponse;
use actix_web::cookie::Cookie;
use actix_web::http::StatusCode;
use askama::Template;

use crate::admin::error::PageError;
use crate::admin::form::{Filled, Form};
use crate::admin::layout::{Frame, html, see_other};
use crate::admin::staff::Staff;
use crate::admin::visit::{Flash, KEYS_COOKIE, THEME_COOKIE};
use crate::error::Error;
use crate::rest::fields::{Fields, Input};

/// What is chosen.
pub struct Chosen {
    theme: String,
    keys: bool,
}

impl Input for Chosen {
    fn read(f: &mut Fields) -> Self {
        Self { theme: f.text("theme").blank().value(), keys: f.boolean("keys").value() }
    }
}

#[derive(Template)]
#[template(path = "admin/me/preferences.html")]
struct Page {
    frame: Frame,
    form: Filled,
}

/// The page of the preferences.
pub async fn page(staff: Staff) -> Result<HttpResponse, PageError> {
    let visit = staff.visit();
    let form = Filled::default().with("theme", visit.theme()).with_box("keys", visit.has_keys());
    html(StatusCode::OK, &Page { frame: staff.frame(&[("Your account", "/admin/me/"), ("Preferences", "")]), form })
}

/// Keeps them in this browser.
pub async fn save(staff: Staff, form: Form<Chosen>) -> Result<HttpResponse, PageError> {
    let Ok((chosen, _)) = form.checked() else { return Ok(see_other("/admin/me/preferences/")) };
    let visit = staff.visit();
    let mut response = see_other("/admin/me/preferences/");
    let theme = match chosen.theme.as_str() {
        theme @ ("light" | "dark") => visit.preference(THEME_COOKIE, theme.to_owned()),
        _ => gone(visit.preference(THEME_COOKIE, String::new())),
    };
    let keys = match chosen.keys {
        true => gone(visit.preference(KEYS_COOKIE, String::new())),
        false => visit.preference(KEYS_COOKIE, "off".to_owned()),
    };
    for cookie in [theme, keys] {
        response.add_cookie(&cookie).map_err(|error| Error::internal(error.to_string()))?;
    }
    visit.flash(&Flash::done("Your preferences are kept in this browser."));
    Ok(response)
}

/// The cookie, to be forgotten.
fn gone(mut cookie: Cookie<'static>) -> Cookie<'static> {
    cookie.make_removal();
    cookie
}
