//! The page with the fields of an account: to make one, and to change one.

use askama::Template;

use crate::admin::audit;
use crate::admin::form::Filled;
use crate::admin::layout::Frame;
use crate::admin::roles::{area_label, verb_word};
use crate::admin::users::Actor;
use crate::admin::users::head::Head;
use crate::admin::users::sessions::Line;
use crate::auth::permissions::{AREAS, PermissionSet, Verb};
use crate::db::Conn;
use crate::error::Result;
use crate::language::filters;
use crate::model::role::{self, Role};
use crate::model::user::User;

/// The page to change an account.
#[derive(Template)]
#[template(path = "admin/users/edit.html")]
pub struct Edit {
    /// The frame.
    pub frame: Frame,
    /// What the form holds.
    pub form: Filled,
    /// The head of the user's pages.
    pub head: Head,
    /// Always false here; the fields are shared with [`New`].
    pub is_new: bool,
    /// What is said at the address.
    pub email_hint: String,
    /// What is said at *Time zone*.
    pub zone_hint: String,
    /// What is said at *Active*.
    pub active_hint: String,
    /// Nothing here: a password is set on a page of its own.
    pub password_hint: &'static str,
    /// Why boxes cannot be changed.
    pub locks: Locks,
    /// The roles there are; none if the viewer may not see them.
    pub roles: Option<Vec<RoleBox>>,
    /// Whether the viewer may see the page of roles.
    pub may_see_roles: bool,
    /// What the roles allow.
    pub allowed: Vec<Allowed>,
    /// How many permissions that is.
    pub allowed_count: usize,
    /// The version of the row.
    pub version: i64,
    /// Whether there is a save button.
    pub may_change: bool,
    /// Why not, if it is not for want of the permission.
    pub why_read_only: String,
    /// The bar beneath the form.
    pub save: Save,
    /// The newest sessions; none if the viewer may not see them.
    pub sessions: Option<Vec<Line>>,
    /// Facts about the account's safety, each with the address of its page, if it has one.
    pub facts: Vec<(&'static str, String, String)>,
    /// What was done to it last; none if the viewer may not see the audit log.
    pub history: Option<Vec<audit::Row>>,
    /// Whether *Reset two-factor sign-in…* is offered.
    pub may_reset_two_factor: bool,
    /// Whether *Deactivate…* is offered.
    pub may_deactivate: bool,
    /// Whether *Delete…* is offered.
    pub may_delete: bool,
    /// Why the account must stay as it is.
    pub must_stay: String,
    /// Its articles and tasks in words.
    pub belongings: String,
}

/// The page to make an account.
#[derive(Template)]
#[template(path = "admin/users/new.html")]
pub struct New {
    /// The frame.
    pub frame: Frame,
    /// What the form holds.
    pub form: Filled,
    /// Stands in for the head that a new account has not.
    pub head: NoHead,
    /// The ways in which an account is made.
    pub hows: [How; 3],
    /// Always true here.
    pub is_new: bool,
    /// What is said at the address.
    pub email_hint: String,
    /// What is said at *Time zone*.
    pub zone_hint: String,
    /// What is said at *Active*.
    pub active_hint: String,
    /// What a password must be, a key.
    pub password_hint: &'static str,
    /// Why boxes cannot be changed.
    pub locks: Locks,
    /// The roles there are; none if the viewer may not see them.
    pub roles: Option<Vec<RoleBox>>,
    /// Whether the viewer may see the page of roles.
    pub may_see_roles: bool,
    /// Nothing yet.
    pub allowed: Vec<Allowed>,
    /// Nothing yet.
    pub allowed_count: usize,
    /// The bar beneath the form.
    pub save: Save,
}

/// What the shared fields ask of a head, for an account that does not exist yet.
pub struct NoHead {
    /// No id.
    pub id: i64,
    /// No name.
    pub username: &'static str,
    /// The password is part of the form.
    pub may_set_password: bool,
    /// Chosen in the form.
    pub is_service: bool,
}

/// A way in which an account is made.
pub struct How {
    /// As the form has it.
    pub value: &'static str,
    /// As people say it, a key like the rest.
    pub label: &'static str,
    /// What comes of it.
    pub hint: &'static str,
    /// Why it cannot be chosen; empty if it can.
    pub locked: &'static str,
    /// Whether it is chosen.
    pub is_chosen: bool,
}

/// The bar beneath a form.
pub struct Save {
    /// The button, a key.
    pub label: &'static str,
    /// Whether *Save and keep editing* is offered.
    pub stay: bool,
    /// Where *Cancel* leads.
    pub cancel: String,
    /// What the bar says until something is changed.
    pub state: String,
}

/// Why boxes cannot be changed; empty for those that can.
#[derive(Default)]
pub struct Locks {
    /// Why *Active*.
    pub active: String,
    /// Why *Staff*.
    pub staff: String,
    /// Why *Superuser*.
    pub superuser: String,
}

/// A role that can be ticked.
pub struct RoleBox {
    /// Its id.
    pub id: i64,
    /// Its id, as text.
    pub key: String,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Why it cannot be given or taken; empty if it can.
    pub locked: String,
}

/// What the roles allow in one area.
pub struct Allowed {
    /// The area, a key.
    pub label: &'static str,
    /// Verbs, and the role they come from.
    pub grants: Vec<Grant>,
}

/// Verbs that one role allows.
pub struct Grant {
    /// "view, change".
    pub verbs: String,
    /// The role.
    pub role: String,
}

/// The account's fields as its row has them.
pub fn filled(user: &User, roles: &[Role]) -> Filled {
    let form = Filled::default()
        .with("username", &user.username)
        .with("email", &user.email)
        .with("first_name", &user.first_name)
        .with("last_name", &user.last_name)
        .with("time_zone", user.time_zone.clone().unwrap_or_default())
        .with_box("is_active", user.is_active)
        .with_box("is_staff", user.is_staff)
        .with_box("is_superuser", user.is_superuser)
        .with_box("is_premium", user.is_premium)
        .with_box("email_verified", user.email_verified);
    roles.iter().fold(form, |form, role| form.with("roles", role.id.to_string()))
}

/// The roles as boxes. Of a `target` that exists, those held can be taken and the others given; of a new one, given.
///
/// # Errors
/// The database's.
pub fn role_boxes(conn: &mut Conn, actor: &Actor, target: Option<(i64, &[Role])>) -> Result<Vec<RoleBox>> {
    let mut boxes = Vec::new();
    for role in role::all(conn)? {
        let (id, held) = target.map_or((0, false), |(id, roles)| (id, roles.iter().any(|one| one.id == role.id)));
        let locked = actor.cannot_move_role(conn, role.id, id, !held)?;
        boxes.push(RoleBox {
            id: role.id,
            key: role.id.to_string(),
            name: role.name,
            description: role.description,
            locked: locked.unwrap_or_default().to_string(),
        });
    }
    Ok(boxes)
}

/// What these roles allow, area by area, and how many permissions that are.
///
/// # Errors
/// The database's.
pub fn allowed(conn: &mut Conn, roles: &[Role]) -> Result<(Vec<Allowed>, usize)> {
    let all = role::all_permissions(conn)?;
    let none = Vec::new();
    let set = |role: &Role| (role.name.clone(), PermissionSet::named(all.get(&role.id).unwrap_or(&none)));
    let sets: Vec<_> = roles.iter().map(set).collect();
    let (mut areas, mut count) = (Vec::new(), 0);
    for (area, verbs) in AREAS {
        let mut grants: Vec<Grant> = Vec::new();
        for (role, set) in &sets {
            let held: Vec<String> =
                verbs.iter().filter(|verb| holds(*set, area, **verb)).map(|verb| verb_word(*verb)).collect();
            if !held.is_empty() {
                grants.push(Grant { verbs: held.join(", "), role: role.clone() });
            }
        }
        count += verbs.iter().filter(|verb| sets.iter().any(|(_, set)| holds(*set, area, **verb))).count();
        if !grants.is_empty() {
            areas.push(Allowed { label: area_label(area), grants });
        }
    }
    Ok((areas, count))
}

fn holds(set: PermissionSet, area: &str, verb: Verb) -> bool {
    crate::auth::permissions::Permission::of(area, verb).is_some_and(|permission| set.holds(permission))
}
