//! Adding a user.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};

use crate::admin::error::PageError;
use crate::admin::form::{Filled, Form};
use crate::admin::layout::{html, see_other};
use crate::admin::staff::{Add, Staff, Users};
use crate::admin::users::Actor;
use crate::admin::users::form_page::{How, Locks, New, NoHead, Save, role_boxes};
use crate::admin::users::input::{NewAccount, PASSWORD_HINT, Profile, zone_hint};
use crate::admin::visit::Flash;
use crate::admin::when::time_words;
use crate::auth::permissions::Verb;
use crate::db::Conn;
use crate::error::Result;
use crate::language::Said;
use crate::model::audit::{Object, told, user_fields};
use crate::model::user::{self, NO_PASSWORD, NewUser, Taken, UserChanges};
use crate::model::{invitation, role};
use crate::settings::Registration;
use crate::site::Site;

const NEW: &str = "/admin/users/new/";

/// Why nobody is invited.
const CLOSED: &str = key!("Registration is closed (accounts.registration): nobody could accept an invitation.");

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
    let frame = staff.frame(&[(&say!("Users"), "/admin/users/"), (&say!("Add user"), "")]);
    let page = New {
        frame: if form.is_refused() { frame.without_flash() } else { frame },
        head: NoHead { id: 0, username: "", may_set_password: false, is_service: false },
        hows: hows(site, &form),
        form,
        is_new: true,
        email_hint: String::new(),
        zone_hint: zone_hint(site),
        active_hint: say!("May sign in."),
        password_hint: if site.settings.passwords.rules { PASSWORD_HINT } else { "" },
        locks: locks(&actor),
        roles: sees_roles.then_some(roles),
        may_see_roles: actor.may("roles", Verb::View),
        allowed: Vec::new(),
        allowed_count: 0,
        save: Save { label: key!("Add user"), stay: false, cancel: "/admin/users/".to_owned(), state: String::new() },
    };
    html(status, &page)
}

/// The ways in which an account is made, the chosen one among them.
fn hows(site: &Site, form: &Filled) -> [How; 3] {
    let chosen = match form.value("how") {
        "" => "password",
        chosen => chosen,
    };
    let is_closed = site.settings.accounts.registration == Registration::Closed;
    let how = |value, label, hint, locked| How { value, label, hint, locked, is_chosen: value == chosen };
    [
        how(
            "password",
            key!("A person, with a password"),
            key!("You set a first password now and tell it in person."),
            "",
        ),
        how(
            "invitation",
            key!("A person, by invitation"),
            key!(
                "A letter goes to the address. Whoever opens its link chooses name and password; roles are given after that."
            ),
            if is_closed { CLOSED } else { "" },
        ),
        how("service", key!("A service"), key!("A program: no password and no sign-in, API keys only."), ""),
    ]
}

fn locks(actor: &Actor) -> Locks {
    let superuser = if actor.state.superuser { String::new() } else { say!("Only a superuser makes another.") };
    Locks { active: String::new(), staff: actor.cannot_grant().unwrap_or_default().to_string(), superuser }
}

/// The page to add a user.
pub async fn page(site: web::Data<Site>, staff: Staff<Add<Users>>) -> Result<HttpResponse, PageError> {
    show(&site, &staff, StatusCode::OK, Filled::default().with_box("is_active", true)).await
}

/// Adds a user, or invites one.
pub async fn make(
    site: web::Data<Site>,
    staff: Staff<Add<Users>>,
    form: Form<NewAccount>,
) -> Result<HttpResponse, PageError> {
    let refused = |form| show(&site, &staff, StatusCode::UNPROCESSABLE_ENTITY, form);
    let (typed, sent) = match form.checked() {
        Ok(checked) => checked,
        Err(form) => return refused(form).await,
    };
    match typed {
        NewAccount::Invited(email) => invite(&site, &staff, email, sent).await,
        NewAccount::Service(profile) => {
            let new = NewUser { password: NO_PASSWORD.to_owned(), is_service: true, ..row(&profile, &site) };
            insert(&site, &staff, new, *profile, sent).await
        }
        NewAccount::Person(profile, password) => {
            if profile.is_superuser {
                staff.recently(&site, NEW)?;
            }
            let password = match password.judged(&site.settings.passwords, &profile.own()) {
                Ok(password) => password,
                Err(complaints) => return refused(sent.refused(complaints)).await,
            };
            let hash = site.passwords.hash(password).await?;
            insert(&site, &staff, NewUser { password: hash, ..row(&profile, &site) }, *profile, sent).await
        }
    }
}

/// A new row of these fields, without a password.
fn row(profile: &Profile, site: &Site) -> NewUser {
    let now = site.clock.now();
    NewUser {
        username: profile.username.clone(),
        first_name: profile.first_name.clone(),
        last_name: profile.last_name.clone(),
        email: profile.email.clone(),
        is_staff: profile.is_staff,
        is_superuser: profile.is_superuser,
        date_joined: now,
        updated_at: now,
        ..NewUser::default()
    }
}

/// Writes the letter that invites somebody to make an account.
async fn invite(
    site: &Site,
    staff: &Staff<Add<Users>>,
    email: String,
    sent: Filled,
) -> Result<HttpResponse, PageError> {
    if site.settings.accounts.registration == Registration::Closed {
        return show(site, staff, StatusCode::UNPROCESSABLE_ENTITY, sent.refused_for("how", Said::of(CLOSED))).await;
    }
    let (actor, life, now) = (staff.actor(), site.settings.accounts.invitation_lifetime, site.clock.now());
    let (audit, address) = (staff.audits(site, "invitation.create"), email.clone());
    let invite = move |conn: &mut Conn| {
        let made = invitation::invite(conn, &address, Some(actor.id), life, now)?;
        audit.on(Object::new("invitation", made.id, &made.email)).append(conn)?;
        Ok(made.expires_at)
    };
    let until = staff.write(site, invite).await?;
    site.mail.ring();
    let time = time_words(until.since(now).as_secs());
    let flash = Flash::done(said!("{email} is invited.", email));
    staff.done(site, &flash.adding(say!("The link in the letter is good for {time}.", time)));
    Ok(see_other("/admin/users/"))
}

async fn insert(
    site: &Site,
    staff: &Staff<Add<Users>>,
    new: NewUser,
    profile: Profile,
    sent: Filled,
) -> Result<HttpResponse, PageError> {
    let roles: Vec<i64> = sent.values("roles").filter_map(|id| id.parse().ok()).collect();
    let (actor, now, username) = (staff.actor(), site.clock.now(), profile.username.clone());
    let (audit, is_service) = (staff.audits(site, "user.create"), new.is_service);
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
    match staff.write(site, make).await?? {
        Some(id) => {
            let next = match is_service {
                true => say!("A service comes with API keys: create one under More."),
                false => String::new(),
            };
            staff.done(site, &Flash::done(said!("{username} was added.", username)).adding(next));
            Ok(see_other(&format!("/admin/users/{id}/")))
        }
        None => {
            let form = sent.refused_for("username", say!("Another account already has the name {username}.", username));
            show(site, staff, StatusCode::UNPROCESSABLE_ENTITY, form).await
        }
    }
}
