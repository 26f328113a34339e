//! How the panel is to the viewer: theme, language and single-key shortcuts, kept in the browser, and the time zone, kept
//! with the account.

use std::time::Duration;

use actix_web::cookie::Cookie;
use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;

use crate::admin::error::PageError;
use crate::admin::form::{Filled, Form};
use crate::admin::layout::{Frame, html, see_other};
use crate::admin::staff::Staff;
use crate::admin::users::input::{zone, zone_hint};
use crate::admin::visit::{Flash, KEYS_COOKIE, THEME_COOKIE};
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::language::{ENGLISH, filters, speaking};
use crate::middleware::language::{self, LANGUAGE_COOKIE};
use crate::model::audit::{Change, Object};
use crate::model::user::{self, UserChanges};
use crate::rest::fields::{Fields, Input};
use crate::site::Site;
use crate::zone::Zone;

const PATH: &str = "/admin/me/preferences/";

/// What is chosen.
pub struct Chosen {
    theme: String,
    language: String,
    keys: bool,
    zone: Option<Zone>,
}

impl Input for Chosen {
    fn read(f: &mut Fields) -> Self {
        Self {
            theme: f.text("theme").blank().value(),
            language: f.text("language").blank().value(),
            keys: f.boolean("keys").value(),
            zone: zone(f),
        }
    }
}

#[derive(Template)]
#[template(path = "admin/me/preferences.html")]
struct Page {
    frame: Frame,
    form: Filled,
    zone_hint: String,
    /// The languages there are, by tag and by what each calls itself; none if there is but one.
    languages: Vec<(String, String)>,
}

fn show(site: &Site, staff: &Staff, status: StatusCode, form: Filled) -> Result<HttpResponse, PageError> {
    let frame = staff.frame(&[(&say!("Your account"), "/admin/me/"), (&say!("Preferences"), "")]);
    let frame = if form.is_refused() { frame.without_flash() } else { frame };
    html(status, &Page { frame, form, zone_hint: zone_hint(site), languages: languages(site) })
}

fn languages(site: &Site) -> Vec<(String, String)> {
    let all = site.languages.all();
    let mut named: Vec<_> = all.iter().map(|one| (one.tag().to_owned(), one.name().to_owned())).collect();
    if !named.is_empty() && site.languages.named(ENGLISH).is_none() {
        named.insert(0, (ENGLISH.to_owned(), "English".to_owned()));
    }
    named
}

/// The page of the preferences.
pub async fn page(site: web::Data<Site>, staff: Staff) -> Result<HttpResponse, PageError> {
    let visit = staff.visit();
    let form = Filled::default()
        .with("theme", visit.theme())
        .with("language", language::chosen(&site, visit.request()))
        .with_box("keys", visit.has_keys())
        .with("time_zone", staff.state().zone.map_or("", Zone::name));
    show(&site, &staff, StatusCode::OK, form)
}

/// Keeps the zone with the account, the rest in this browser.
pub async fn save(site: web::Data<Site>, staff: Staff, form: Form<Chosen>) -> Result<HttpResponse, PageError> {
    let chosen = match form.checked() {
        Ok((chosen, _)) => chosen,
        Err(form) => return show(&site, &staff, StatusCode::UNPROCESSABLE_ENTITY, form),
    };
    keep_zone(&site, &staff, chosen.zone).await?;
    let visit = staff.visit();
    let mut response = see_other(PATH);
    let theme = match chosen.theme.as_str() {
        theme @ ("light" | "dark") => visit.preference(THEME_COOKIE, theme.to_owned()),
        _ => gone(visit.preference(THEME_COOKIE, String::new())),
    };
    let keys = match chosen.keys {
        true => gone(visit.preference(KEYS_COOKIE, String::new())),
        false => visit.preference(KEYS_COOKIE, "off".to_owned()),
    };
    let tag =
        languages(&site).into_iter().find(|(tag, _)| *tag == chosen.language).map_or_else(String::new, |(tag, _)| tag);
    let language = match tag.as_str() {
        "" => gone(visit.preference(LANGUAGE_COOKIE, String::new())),
        tag => visit.preference(LANGUAGE_COOKIE, tag.to_owned()),
    };
    for cookie in [theme, language, keys] {
        response.add_cookie(&cookie).map_err(|error| Error::internal(error.to_string()))?;
    }
    let shown_in = chosen.zone.unwrap_or(site.zone());
    // In the language that was just chosen.
    let told = async {
        let flash = Flash::done(said!("Your preferences are kept."));
        visit.flash(&flash.adding(say!("Times are shown in {zone}.", zone = shown_in)));
    };
    speaking(language::wanted(&site, visit.request(), &tag), told).await;
    Ok(response)
}

/// Writes the zone to the viewer's account, if it is another one.
async fn keep_zone(site: &Site, staff: &Staff, zone: Option<Zone>) -> Result<()> {
    let (actor, grants, now) = (staff.actor(), site.grants.clone(), site.clock.now());
    let audit = staff.audits(site, "user.preferences");
    let keep = move |conn: &mut Conn| {
        let user = user::by_id(conn, actor.id)?.ok_or(Error::not_found())?;
        let wanted = zone.map(|zone| zone.name().to_owned());
        if user.time_zone == wanted {
            return Ok(());
        }
        let name = |zone: &Option<String>| zone.clone().unwrap_or_default();
        let change = Change::of("time_zone", name(&user.time_zone), name(&wanted));
        let changes = UserChanges {
            time_zone: Some(wanted),
            // A new version: a form about this account that was opened before must not put the old zone back.
            updated_at: now.max(user.updated_at + Duration::from_micros(1)),
            ..UserChanges::default()
        };
        // The name stays, so it cannot be somebody else's.
        let _ = user::update(conn, user.id, &changes)?;
        grants.changed_in(conn, user.id, now)?;
        audit.on(Object::user(user.id, user.username)).with(change).append(conn)
    };
    staff.write(site, keep).await
}

/// The cookie, to be forgotten.
fn gone(mut cookie: Cookie<'static>) -> Cookie<'static> {
    cookie.make_removal();
    cookie
}
