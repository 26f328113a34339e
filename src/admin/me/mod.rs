//! One's own account in the panel: what one may do here, and the way to password, preferences and sessions.

pub mod password;
pub mod preferences;
pub mod sessions;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;

use crate::admin::error::PageError;
use crate::admin::layout::{Face, Frame, html};
use crate::admin::roles::{area_label, verb_word};
use crate::admin::staff::Staff;
use crate::admin::users::{Badge, rank};
use crate::admin::when::When;
use crate::auth::permissions::{AREAS, Permission, Verb};
use crate::db::Conn;
use crate::error::Error;
use crate::language::filters;
use crate::model::{two_factor, user};
use crate::site::Site;

#[derive(Template)]
#[template(path = "admin/me/index.html")]
struct Page {
    frame: Frame,
    face: Face,
    username: String,
    badges: Vec<Badge>,
    facts: Vec<(&'static str, String)>,
    has_two_factor: bool,
    /// Each area, a key, with what may be done there.
    permissions: Vec<(&'static str, String)>,
}

/// The page of one's own account.
pub async fn page(site: web::Data<Site>, staff: Staff) -> Result<HttpResponse, PageError> {
    let (id, now) = (staff.id(), staff.now());
    let load = move |conn: &mut Conn| {
        let user = user::by_id(conn, id)?.ok_or(Error::not_found())?;
        Ok((user, user::role_names(conn, id)?, two_factor::is_on(conn, id)?))
    };
    let (user, roles, has_two_factor) = site.db.read(load).await?;
    let or_none = |text: String| if text.is_empty() { say!("none") } else { text };
    let held =
        |area: &str, verb: &Verb| Permission::of(area, *verb).is_some_and(|one| staff.state().permissions.holds(one));
    let allowed = |(area, verbs): &(&str, &[Verb])| {
        let words: Vec<String> = verbs.iter().filter(|verb| held(area, verb)).map(|verb| verb_word(*verb)).collect();
        (!words.is_empty()).then(|| (area_label(area), words.join(", ")))
    };
    let page = Page {
        frame: staff.frame(&[(&say!("Your account"), "")]),
        face: Face::of(user.id, &user.username),
        badges: rank(user.is_staff, user.is_superuser),
        facts: vec![
            (key!("Username"), user.username.clone()),
            (key!("E-mail"), or_none(user.email.clone())),
            (key!("Name"), or_none(format!("{} {}", user.first_name, user.last_name).trim().to_owned())),
            (key!("Roles"), or_none(roles.join(", "))),
            (key!("Joined"), When::new(user.date_joined, now).short),
            (key!("Last sign-in"), user.last_login.map_or_else(|| say!("never"), |at| When::new(at, now).short)),
        ],
        username: user.username,
        has_two_factor,
        permissions: AREAS.iter().filter_map(allowed).collect(),
    };
    html(StatusCode::OK, &page)
}
