//! The first run: whoever holds the link from the server's log makes the first administrator, once.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use crate::admin::audits;
use crate::admin::error::PageError;
use crate::admin::form::{Filled, Form};
use crate::admin::layout::{Gate, see_other};
use crate::admin::login;
use crate::admin::users::input::{PASSWORD_HINT, Password, email, username, zone};
use crate::admin::visit::Visit;
use crate::auth::account_rules::Own;
use crate::error::Result;
use crate::language::filters;
use crate::model::audit::{Audit, Change, Object, told, user_fields};
use crate::model::fact::{self, About, Fact};
use crate::model::user::{self, NewUser, Taken};
use crate::rest::fields::{Fields, Input};
use crate::site::Site;
use crate::zone::Zone;

/// What the first administrator is made of.
pub struct Administrator {
    username: String,
    email: String,
    password: Password,
    server_name: String,
    zone: Option<Zone>,
}

impl Input for Administrator {
    fn read(f: &mut Fields) -> Self {
        let (username, email) = (username(f), email(f));
        let password = Password::read(f);
        let server_name = f.text("server_name").blank().max(60).value();
        Self { username, email, password, server_name, zone: zone(f) }
    }
}

#[derive(Template)]
#[template(path = "admin/setup.html")]
struct Page {
    gate: Gate,
    form: Filled,
    password_hint: &'static str,
    name_hint: String,
    /// Whether the settings leave the zone open.
    asks_zone: bool,
}

fn show(site: &Site, visit: &Visit, status: StatusCode, form: Filled) -> Result<HttpResponse, PageError> {
    let password_hint = if site.settings.passwords.rules { PASSWORD_HINT } else { "" };
    let name_hint = say!("Shown in the panel. Without one it is {name}.", name = visit.address());
    let asks_zone = site.settings.admin.time_zone.is_none();
    visit.gate_page(status, |gate| Page { gate, form, password_hint, name_hint, asks_zone })
}

async fn check_link(site: &Site, token: &str) -> Result<(), PageError> {
    let is_first_run = site.db.read(user::active_superusers).await? == 0;
    if is_first_run && site.setup.matches(token, site.clock.now()) { Ok(()) } else { Err(PageError::DeadLink) }
}

/// The page that the link opens.
pub async fn page(
    site: web::Data<Site>,
    request: HttpRequest,
    token: web::Path<String>,
) -> Result<HttpResponse, PageError> {
    check_link(&site, &token).await?;
    show(&site, &Visit::of(&request), StatusCode::OK, Filled::default())
}

/// Makes the administrator and signs them in.
pub async fn make(
    site: web::Data<Site>,
    request: HttpRequest,
    token: web::Path<String>,
    form: Form<Administrator>,
) -> Result<HttpResponse, PageError> {
    check_link(&site, &token).await?;
    let visit = Visit::of(&request);
    let refused = |form| show(&site, &visit, StatusCode::UNPROCESSABLE_ENTITY, form);
    let (typed, sent) = match form.checked() {
        Ok(checked) => checked,
        Err(form) => return refused(form),
    };
    let own = Own { username: &typed.username, first_name: "", last_name: "", email: &typed.email };
    let password = match typed.password.judged(&site.settings.passwords, &own) {
        Ok(password) => password,
        Err(complaints) => return refused(sent.refused(complaints)),
    };
    let hash = site.passwords.hash(password).await?;
    let now = site.clock.now();
    let by = audits::by(&site, &request, None, typed.username.clone());
    let audit = Audit::new(&site.audit, by, "panel.setup", now);
    let new = NewUser {
        username: typed.username,
        email: typed.email,
        password: hash,
        is_staff: true,
        is_superuser: true,
        date_joined: now,
        updated_at: now,
        ..NewUser::default()
    };
    let about = About { name: Some(typed.server_name).filter(|name| !name.is_empty()), zone: typed.zone };
    let chosen = about.clone();
    let made = site.db.write(move |conn| {
        // Asked again where nobody can come between: two who hold the link make one administrator.
        if user::active_superusers(conn)? > 0 {
            return Ok(None);
        }
        let made = user::insert(conn, &new)?;
        if let Ok(user) = &made {
            user::touch_last_login(conn, user.id, now)?;
            let fields = user_fields(conn, user)?;
            let zone = about.zone.map(|zone| zone.name().to_owned());
            let chosen = [(Fact::Name, "server_name", about.name), (Fact::TimeZone, "server_time_zone", zone)];
            let mut server = Vec::new();
            for (what, name, value) in chosen {
                if let Some(value) = value {
                    fact::set(conn, what, &value)?;
                    server.push(Change::fact(name, value));
                }
            }
            audit.on(Object::user(user.id, &user.username)).with(told(&fields)).with(server).append(conn)?;
        }
        Ok(Some(made))
    });
    match made.await? {
        None => Err(PageError::DeadLink),
        Some(Err(Taken)) => {
            let words = say!("Another account already has the name {username}.", username = sent.value("username"));
            refused(sent.refused_for("username", words))
        }
        Some(Ok(user)) => {
            site.setup.spend();
            site.learn(chosen);
            log::info!(target: "panel", "{} (id {}) was made the first administrator", user.username, user.id);
            login::begin(&site, &request, &user)?;
            Ok(see_other("/admin/"))
        }
    }
}
