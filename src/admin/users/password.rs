//! Setting another person's password: typed twice, judged, and the end of every session they have.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;

use crate::admin::error::PageError;
use crate::admin::form::{Button, Filled, Form};
use crate::admin::layout::{Frame, html, see_other};
use crate::admin::staff::{Change, Staff, Users};
use crate::admin::users::Target;
use crate::admin::users::head::cannot_send_reset;
use crate::admin::users::input::{PASSWORD_HINT, Password};
use crate::admin::users::sessions::after_end_of_all;
use crate::admin::visit::Flash;
use crate::auth::account_rules::Own;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::language::{Said, filters};
use crate::model::audit::{Change as Changed, Object};
use crate::model::outbox::{self, Kind};
use crate::model::panel_session;
use crate::model::user::{self, NO_PERSON, User};
use crate::site::Site;

struct Head {
    id: i64,
    username: String,
}

#[derive(Template)]
#[template(path = "admin/users/password.html")]
struct Page {
    frame: Frame,
    form: Filled,
    head: Head,
    consequence: &'static str,
    password_hint: &'static str,
}

async fn target(site: &Site, staff: &Staff<Change<Users>>, id: i64) -> Result<User, PageError> {
    let load = move |conn: &mut Conn| Ok((Target::load(conn, id)?, user::by_id(conn, id)?.ok_or(Error::not_found())?));
    let (target, user) = site.db.read(load).await?;
    staff.actor().reach(&target)?;
    if user.is_service { Err(PageError::Rule(Said::of(NO_PERSON))) } else { Ok(user) }
}

fn show(
    site: &Site,
    staff: &Staff<Change<Users>>,
    user: &User,
    status: StatusCode,
    form: Filled,
) -> Result<HttpResponse, PageError> {
    let path = format!("/admin/users/{}/", user.id);
    let (users, here) = (say!("Users"), say!("Set a password"));
    let frame = staff.frame(&[(&users, "/admin/users/"), (&user.username, &path), (&here, "")]);
    let page = Page {
        frame: if form.is_refused() { frame.without_flash() } else { frame },
        form,
        head: Head { id: user.id, username: user.username.clone() },
        consequence: if user.id == staff.id() {
            key!("Every session of yours ends with the old password, this one too.")
        } else {
            key!(
                "Every session of the account ends with the old password, at once. Tell the new one to its owner in person."
            )
        },
        password_hint: if site.settings.passwords.rules { PASSWORD_HINT } else { "" },
    };
    html(status, &page)
}

/// The page to set a password.
pub async fn page(
    site: web::Data<Site>,
    staff: Staff<Change<Users>>,
    id: web::Path<i64>,
) -> Result<HttpResponse, PageError> {
    let user = target(&site, &staff, *id).await?;
    staff.recently(&site, &format!("/admin/users/{}/password/", user.id))?;
    show(&site, &staff, &user, StatusCode::OK, Filled::default())
}

/// Sets the password.
pub async fn set(
    site: web::Data<Site>,
    staff: Staff<Change<Users>>,
    id: web::Path<i64>,
    form: Form<Password>,
) -> Result<HttpResponse, PageError> {
    let id = *id;
    let user = target(&site, &staff, id).await?;
    staff.recently(&site, &format!("/admin/users/{id}/password/"))?;
    let refused = |form| show(&site, &staff, &user, StatusCode::UNPROCESSABLE_ENTITY, form);
    let (typed, sent) = match form.checked() {
        Ok(checked) => checked,
        Err(form) => return refused(form),
    };
    let password = match typed.judged(&site.settings.passwords, &Own::of(&user)) {
        Ok(password) => password,
        Err(complaints) => return refused(sent.refused(complaints)),
    };
    let hash = site.passwords.hash(password).await?;
    let (actor, grants, now) = (staff.actor(), site.grants.clone(), site.clock.now());
    let audit = staff.audits(&site, "user.password").on(Object::user(id, &user.username));
    let set = move |conn: &mut Conn| {
        if let Err(refusal) = actor.reach(&Target::load(conn, id)?) {
            return Ok(Err(refusal));
        }
        let ended = panel_session::end_all(conn, id)? + grants.set_password_in(conn, id, &hash, now)?;
        audit.with([Changed::secret("password"), Changed::fact("sessions_ended", ended)]).append(conn)?;
        Ok(Ok(ended))
    };
    let ended = staff.write(&site, set).await??;
    let flash = Flash::done(said!("{username} has a new password.", username = user.username))
        .adding(say!(count = ended => "{count} session ended." | "{count} sessions ended."));
    staff.done(&site, &flash);
    Ok(after_end_of_all(staff.visit(), staff.id() == id, &format!("/admin/users/{id}/")))
}

/// Sends the letter by which the owner of the account sets a new password.
pub async fn send_reset(
    site: web::Data<Site>,
    staff: Staff<Change<Users>>,
    id: web::Path<i64>,
    _: Form<Button>,
) -> Result<HttpResponse, PageError> {
    let (id, actor, now) = (*id, staff.actor(), site.clock.now());
    let audit = staff.audits(&site, "user.send_reset");
    let send = move |conn: &mut Conn| {
        if let Err(refusal) = actor.reach(&Target::load(conn, id)?) {
            return Ok(Err(refusal));
        }
        let user = user::by_id(conn, id)?.ok_or(Error::not_found())?;
        if let Some(why) = cannot_send_reset(&user) {
            return Ok(Err(PageError::Rule(said!(
                "No letter goes to {username}: {why}.",
                username = user.username,
                why
            ))));
        }
        outbox::to_user(conn, Kind::Reset, id, &user.email, now)?;
        audit.on(Object::user(id, &user.username)).with([Changed::fact("address", &user.email)]).append(conn)?;
        Ok(Ok(user))
    };
    let user = staff.write(&site, send).await??;
    site.mail.ring();
    let flash = Flash::done(said!("A letter to reset the password goes to {email}.", email = user.email));
    staff.done(&site, &flash.adding(say!("The password that is there stays until its owner sets another.")));
    Ok(see_other(&format!("/admin/users/{id}/")))
}
