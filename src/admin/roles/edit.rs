//! A role: its name, and what it allows, as a matrix of areas and verbs. Made, changed, and taken as a model for another.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use crate::admin::clash::Clash;
use crate::admin::error::PageError;
use crate::admin::form::{Filled, Form};
use crate::admin::layout::{Frame, html, see_other};
use crate::admin::roles::{GROUPS, permission_label, verb_label};
use crate::admin::staff::{Add, Change, Need, Roles, Staff, View};
use crate::admin::users::Actor;
use crate::admin::users::form_page::Save;
use crate::admin::visit::Flash;
use crate::admin::when::{Now, When};
use crate::auth::grants::Grants;
use crate::auth::permissions::{Permission, PermissionSet, Verb};
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::language::{Said, filters};
use crate::model::audit::{Object, changed, role_fields, told};
use crate::model::role::{self, Role};
use crate::model::user::Taken;
use crate::rest::fields::{Fields, Input};
use crate::site::Site;

/// What of a role is typed; the boxes are read beside it.
#[derive(Clone)]
pub struct RoleInput {
    name: String,
    description: String,
    version: i64,
}

impl Input for RoleInput {
    fn read(f: &mut Fields) -> Self {
        Self {
            name: f.text("name").required().max(80).value(),
            description: f.text("description").blank().max(200).value(),
            version: f.integer("version").value(),
        }
    }
}

struct Group {
    title: &'static str,
    rows: Vec<MatrixRow>,
}

struct MatrixRow {
    /// A key, like the other words here.
    label: &'static str,
    cells: Vec<Option<Cell>>,
}

struct Cell {
    name: String,
    label: &'static str,
    ticked: bool,
    locked: bool,
}

#[derive(Template)]
#[template(path = "admin/roles/edit.html")]
struct Page {
    frame: Frame,
    form: Filled,
    title: String,
    is_new: bool,
    id: i64,
    action: String,
    version: i64,
    held_by: Said,
    granted: usize,
    total: usize,
    verbs: Vec<&'static str>,
    matrix: Vec<Group>,
    may_save: bool,
    may_add: bool,
    may_delete: bool,
    save: Save,
}

/// These permissions, with the one to see where there is any other: whoever may do anything in an area may see it.
fn with_view<'n>(names: impl Iterator<Item = &'n str>) -> PermissionSet {
    let named = names.filter_map(|name| name.parse::<Permission>().ok());
    named.flat_map(|one| [Some(one), Permission::of(one.area(), Verb::View)]).flatten().collect()
}

fn names(set: PermissionSet) -> Vec<String> {
    Permission::all().filter(|one| set.holds(*one)).map(|one| one.to_string()).collect()
}

/// The matrix. Boxes of what the viewer lacks are locked: nobody gives what they do not have.
fn matrix(form: &Filled, actor: &Actor) -> Vec<Group> {
    let cell = |area: &'static str, verb: Verb| {
        let permission = Permission::of(area, verb)?;
        let name = permission.to_string();
        Some(Cell {
            label: permission_label(permission),
            ticked: form.has("p", &name),
            locked: !actor.state.permissions.holds(permission),
            name,
        })
    };
    let row = |(area, label): &(&'static str, &'static str)| MatrixRow {
        label,
        cells: Verb::ALL.into_iter().map(|verb| cell(area, verb)).collect(),
    };
    GROUPS.iter().map(|(title, areas)| Group { title, rows: areas.iter().map(row).collect() }).collect()
}

fn filled(role: &Role, permissions: &[String]) -> Filled {
    let form = Filled::default().with("name", &role.name).with("description", &role.description);
    permissions.iter().fold(form, |form, name| form.with("p", name))
}

/// What the page needs of a role that exists.
struct Existing {
    role: Role,
    permissions: Vec<String>,
    holders: usize,
}

fn existing(conn: &mut Conn, id: i64) -> Result<Existing> {
    let role = role::by_id(conn, id)?.ok_or(Error::not_found())?;
    Ok(Existing { role, permissions: role::permissions(conn, id)?, holders: role::holders(conn, id)?.len() })
}

/// Who holds it, with the way to them for those who may see users.
fn held_by(of: Option<&Existing>, may_see_users: bool) -> Said {
    let (id, holders) = of.map_or((0, 0), |one| (one.role.id, one.holders));
    if may_see_users && holders > 0 {
        return said!(
            count = holders => "Held by <users>{count} user</users>. A change takes effect on their next request."
                | "Held by <users>{count} users</users>. A change takes effect on their next request."
        )
        .to("users", &format!("/admin/users/?role={id}"));
    }
    said!(
        count = holders => "Held by {count} user. A change takes effect on their next request."
            | "Held by {count} users. A change takes effect on their next request."
    )
}

fn show<N: Need>(
    staff: &Staff<N>,
    of: Option<&Existing>,
    form: Filled,
    status: StatusCode,
    now: Now,
) -> Result<HttpResponse, PageError> {
    let actor = staff.actor();
    let title = of.map_or_else(|| say!("Add role"), |one| one.role.name.clone());
    let frame = staff.frame(&[(&say!("Roles"), "/admin/roles/"), (&title, "")]);
    let current = of.map_or(0, |one| one.role.updated_at.micros());
    let state = of.map(|one| say!("Last changed {when}", when = When::new(one.role.updated_at, now).short));
    let page = Page {
        frame: if form.is_refused() { frame.without_flash() } else { frame },
        is_new: of.is_none(),
        id: of.map_or(0, |one| one.role.id),
        action: of.map_or("/admin/roles/new/".to_owned(), |one| format!("/admin/roles/{}/", one.role.id)),
        version: form.value("version").parse().unwrap_or(current),
        held_by: held_by(of, staff.may("users", Verb::View)),
        granted: Permission::all().filter(|one| form.has("p", &one.to_string())).count(),
        total: Permission::all().count(),
        verbs: Verb::ALL.into_iter().map(verb_label).collect(),
        matrix: matrix(&form, &actor),
        may_save: staff.may("roles", if of.is_some() { Verb::Change } else { Verb::Add }),
        may_add: staff.may("roles", Verb::Add),
        may_delete: staff.may("roles", Verb::Delete),
        save: Save {
            label: key!("Save role"),
            stay: false,
            cancel: "/admin/roles/".to_owned(),
            state: state.unwrap_or_default(),
        },
        title,
        form,
    };
    html(status, &page)
}

/// The page of a role.
pub async fn page(
    site: web::Data<Site>,
    staff: Staff<View<Roles>>,
    id: web::Path<i64>,
) -> Result<HttpResponse, PageError> {
    let id = *id;
    let found = site.db.read(move |conn| existing(conn, id)).await?;
    let form = filled(&found.role, &found.permissions);
    show(&staff, Some(&found), form, StatusCode::OK, staff.now())
}

/// The page to add a role; with `from`, as another one is.
pub async fn new_page(
    site: web::Data<Site>,
    staff: Staff<Add<Roles>>,
    request: HttpRequest,
) -> Result<HttpResponse, PageError> {
    let from = crate::rest::payload::pairs(request.query_string().as_bytes());
    let from: Option<i64> = from.iter().find(|(name, _)| name == "from").and_then(|(_, id)| id.parse().ok());
    let form = match from {
        Some(id) if staff.may("roles", Verb::View) => {
            let found = site.db.read(move |conn| existing(conn, id)).await?;
            let form = Filled::default().with("description", &found.role.description);
            // What the viewer lacks cannot be given by copying either.
            let held =
                |name: &&String| name.parse::<Permission>().is_ok_and(|one| staff.state().permissions.holds(one));
            found.permissions.iter().filter(held).fold(form, |form, name| form.with("p", name))
        }
        _ => Filled::default(),
    };
    show(&staff, None, form, StatusCode::OK, staff.now())
}

/// What came of a try to save.
enum Saved {
    Done { holders: usize },
    Taken,
    Clash(Box<(Role, Filled)>),
    Refused(PageError),
}

/// Adds a role.
pub async fn make(
    site: web::Data<Site>,
    staff: Staff<Add<Roles>>,
    form: Form<RoleInput>,
) -> Result<HttpResponse, PageError> {
    let now = staff.now();
    let (typed, sent) = match form.checked() {
        Ok(checked) => checked,
        Err(form) => return show(&staff, None, form, StatusCode::UNPROCESSABLE_ENTITY, now),
    };
    let (actor, wanted, name) = (staff.actor(), with_view(sent.values("p")), typed.name.clone());
    if let Some(words) = actor.cannot_give(wanted) {
        return Err(PageError::Refused(words));
    }
    let audit = staff.audits(&site, "role.create");
    let make = move |conn: &mut Conn| {
        let made = role::insert(conn, &typed.name, &typed.description, &names(wanted), now.at)?;
        if let Ok(role) = &made {
            let fields = role_fields(conn, role)?;
            audit.on(Object::new("role", role.id, &role.name)).with(told(&fields)).append(conn)?;
        }
        Ok(made)
    };
    match staff.write(&site, make).await? {
        Ok(_) => {
            staff.done(
                &site,
                &Flash::done(said!("The role {name} was added.", name)).adding(say!("Nobody holds it yet.")),
            );
            Ok(see_other("/admin/roles/"))
        }
        Err(Taken) => {
            let form = sent.refused_for("name", say!("Another role already has the name {name}.", name));
            show(&staff, None, form, StatusCode::UNPROCESSABLE_ENTITY, now)
        }
    }
}

/// Saves a role.
pub async fn save(
    site: web::Data<Site>,
    staff: Staff<Change<Roles>>,
    id: web::Path<i64>,
    form: Form<RoleInput>,
) -> Result<HttpResponse, PageError> {
    let (id, now) = (*id, staff.now());
    let found = site.db.read(move |conn| existing(conn, id)).await?;
    let form = match Clash::is_answered(&form.sent) {
        true => {
            let mut mine = form.sent;
            Clash::settle(&mut mine, &filled(&found.role, &found.permissions));
            Form::<RoleInput>::read(mine.into_pairs())
        }
        false => form,
    };
    let (typed, sent) = match form.checked() {
        Ok(checked) => checked,
        Err(form) => return show(&staff, Some(&found), form, StatusCode::UNPROCESSABLE_ENTITY, now),
    };
    let (actor, grants, wanted, name) =
        (staff.actor(), site.grants.clone(), with_view(sent.values("p")), typed.name.clone());
    let audit = staff.audits(&site, "role.change");
    let write = move |conn: &mut Conn| {
        let before = existing(conn, id)?.role;
        let fields = role_fields(conn, &before)?;
        let saved = change(conn, &grants, &actor, id, &typed, wanted, now.at)?;
        if let Saved::Done { .. } = saved {
            let after = existing(conn, id)?.role;
            let changes = changed(&fields, &role_fields(conn, &after)?);
            audit.on(Object::new("role", id, after.name)).with(changes).append(conn)?;
        }
        Ok(saved)
    };
    match staff.write(&site, write).await? {
        Saved::Done { holders } => {
            let touched = say!(
                count = holders => "It acts on {count} user from their next request on."
                    | "It acts on {count} users from their next request on."
            );
            staff.done(&site, &Flash::done(said!("The role {name} was saved.", name)).adding(touched));
            Ok(see_other("/admin/roles/"))
        }
        Saved::Taken => {
            let form = sent.refused_for("name", say!("Another role already has the name {name}.", name));
            show(&staff, Some(&found), form, StatusCode::UNPROCESSABLE_ENTITY, now)
        }
        Saved::Clash(theirs) => {
            let (role, theirs) = *theirs;
            let path = format!("/admin/roles/{id}/");
            let clash = Clash::new(&role.name, role.updated_at, path.clone(), &sent, &theirs, |_| None);
            let (roles, here) = (say!("Roles"), say!("Changed meanwhile"));
            clash.page(staff.frame(&[(&roles, "/admin/roles/"), (&role.name, &path), (&here, "")]), now)
        }
        Saved::Refused(refusal) => Err(refusal),
    }
}

fn change(
    conn: &mut Conn,
    grants: &Grants,
    actor: &Actor,
    id: i64,
    new: &RoleInput,
    wanted: PermissionSet,
    now: Timestamp,
) -> Result<Saved> {
    let found = existing(conn, id)?;
    if new.version != found.role.updated_at.micros() {
        let theirs = filled(&found.role, &found.permissions);
        return Ok(Saved::Clash(Box::new((found.role, theirs))));
    }
    // What it allowed before may stay; what is new must be the actor's own.
    let before = with_view(found.permissions.iter().map(String::as_str));
    let added = wanted.beyond(before).into_iter().collect();
    if let Some(words) = actor.cannot_give(added) {
        return Ok(Saved::Refused(PageError::Refused(words)));
    }
    let version = now.max(found.role.updated_at + std::time::Duration::from_micros(1));
    if let Err(Taken) = role::update(conn, id, &new.name, &new.description, &names(wanted), version)? {
        return Ok(Saved::Taken);
    }
    let holders = role::holders(conn, id)?;
    for user in &holders {
        grants.changed_in(conn, *user, now)?;
    }
    Ok(Saved::Done { holders: holders.len() })
}
