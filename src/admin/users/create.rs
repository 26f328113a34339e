//! Adding a user.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};

use crate::admin::error::PageError;
use crate::admin::form::{Filled, Form};
use crate::admin::layout::{html, see_other};
use crate::admin::staff::{Add, Staff, Users};
use crate::admin::users::Actor;
use crate::admin::users::form_page::{Locks, New, NoHead, Save, role_boxes};
use crate::admin::users::input::{NewAccount, PASSWORD_HINT, zone_hint};
use crate::admin::visit::Flash;
use crate::auth::permissions::Verb;
use crate::db::Conn;
use crate::error::Result;
use crate::model::audit::{Object, told, user_fields};
use crate::model::role;
use crate::model::user::{self, NewUser, Taken, UserChanges};
use crate::site::Site;

async fn show(
    site: &Site,
    staff: &Staff<Add<Users>>,
    status: StatusCode,
    form: Filled,
) -> Result<HttpResponse, PageError> {
    let actor = staff.actor();
    let sees_roles = actor.may("roles", Verb::View) || actor.may("grants", Verb::View);
    let by = actor.clone();
    let roles = site.db.read(move |conn| role_boxes(conn, &by, None)).await?;
    let frame = staff.frame(&[("Users", "/admin/users/"), ("Add user", "")]);
    let page = New {
        frame: if form.is_refused() { frame.without_flash() } else { frame },
        form,
        head: NoHead { id: 0, username: "the new user", may_set_password: false },
        is_new: true,
        email_hint: String::new(),
        zone_hint: zone_hint(site),
        active_hint: "May sign in.".to_owned(),
        password_hint: if site.settings.passwords.rules { PASSWORD_HINT } else { "" },
        locks: locks(&actor),
        roles: sees_roles.then_some(roles),
        may_see_roles: actor.may("roles", Verb::View),
        allowed: Vec::new(),
        allowed_count: String::new(),
        save: Save { label: "Add user", stay: false, cancel: "/admin/users/".to_owned(), state: String::new() },
    };
    html(status, &page)
}

fn locks(actor: &Actor) -> Locks {
    let superuser = if actor.state.superuser { String::new() } else { "Only a superuser makes another.".to_owned() };
    Locks { active: String::new(), staff: actor.cannot_grant().unwrap_or_default(), superuser }
}

/// The page to add a user.
pub async fn page(site: web::Data<Site>, staff: Staff<Add<Users>>) -> Result<HttpResponse, PageError> {
    show(&site, &staff, StatusCode::OK, Filled::default().with_box("is_active", true)).await
}

/// Adds a user.
pub async fn make(
    site: web::Data<Site>,
    staff: Staff<Add<Users>>,
    form: Form<NewAccount>,
) -> Result<HttpResponse, PageError> {
    let (typed, sent) = match form.checked() {
        Ok(checked) => checked,
        Err(form) => return show(&site, &staff, StatusCode::UNPROCESSABLE_ENTITY, form).await,
    };
    let profile = typed.profile;
    if profile.is_superuser {
        staff.recently(&site, "/admin/users/new/")?;
    }
    let password = match typed.password.judged(&site.settings.passwords, &profile.own()) {
        Ok(password) => password,
        Err(complaints) => {
            return show(&site, &staff, StatusCode::UNPROCESSABLE_ENTITY, sent.refused(complaints)).await;
        }
    };
    let hash = site.passwords.hash(password).await?;
    let roles: Vec<i64> = sent.values("roles").filter_map(|id| id.parse().ok()).collect();
    let (actor, now, username) = (staff.actor(), site.clock.now(), profile.username.clone());
    let audit = staff.audits(&site, "user.create");
    let new = NewUser {
        username: profile.username.clone(),
        password: hash,
        first_name: profile.first_name.clone(),
        last_name: profile.last_name.clone(),
        email: profile.email.clone(),
        is_staff: profile.is_staff,
        is_superuser: profile.is_superuser,
        date_joined: now,
        updated_at: now,
        ..NewUser::default()
    };
    let make = move |conn: &mut Conn| {
        if let Err(refusal) = actor.make(conn, profile.flags(), &roles)? {
            return Ok(Err(PageError::from(refusal)));
        }
        let made = match user::insert(conn, &new)? {
            Ok(user) => user,
            Err(Taken) => return Ok(Ok(None)),
        };
        // What registration never sets is no part of a new row.
        let rest = UserChanges {
            is_active: Some(profile.is_active),
            is_premium: Some(profile.is_premium),
            email_verified: Some(profile.email_verified),
            time_zone: Some(profile.zone_name()),
            updated_at: now,
            ..UserChanges::default()
        };
        let made = user::update(conn, made.id, &rest)?.unwrap_or(made);
        for role in roles {
            role::give(conn, role, made.id, now)?;
        }
        let fields = user_fields(conn, &made)?;
        audit.on(Object::user(made.id, made.username)).with(told(&fields)).append(conn)?;
        Ok(Ok(Some(made.id)))
    };
    match staff.write(&site, make).await?? {
        Some(id) => {
            staff.done(&site, &Flash::done(format!("{username} was added.")));
            Ok(see_other(&format!("/admin/users/{id}/")))
        }
        None => {
            let form = sent.refused_for("username", format!("Another account already has the name {username}."));
            show(&site, &staff, StatusCode::UNPROCESSABLE_ENTITY, form).await
        }
    }
}
