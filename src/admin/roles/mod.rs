//! Roles: the list.

pub mod bulk;
pub mod edit;
pub mod remove;
mod words;

pub use words::{GROUPS, area_label, permission_label, verb_label, verb_word};

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use crate::admin::changelist::view::Found;
use crate::admin::changelist::{Asked, Changelist, Column, Filter, Sort, View as ListView};
use crate::admin::error::PageError;
use crate::admin::layout::{Frame, html};
use crate::admin::staff::{Roles, Staff, View};
use crate::admin::when::{Now, When};
use crate::auth::permissions::{Permission, Verb};
use crate::db::Conn;
use crate::error::Result;
use crate::language::{Said, filters};
use crate::model::role;
use crate::rest::payload::pairs;
use crate::site::Site;

static ROLES: Changelist = Changelist {
    path: "/admin/roles/",
    title: key!("Roles"),
    nouns: nouns!("role", "roles"),
    icon: "roles",
    search: Some(key!("Name")),
    searched: key!("Search looks at names."),
    columns: &[
        Column {
            name: "name",
            label: key!("Role"),
            class: "",
            sort: Some(Sort { by: None, descending_first: false, words: (key!("from A to Z"), key!("from Z to A")) }),
        },
        Column {
            name: "users",
            label: key!("Users"),
            class: "is-num",
            sort: Some(Sort {
                by: None,
                descending_first: true,
                words: (key!("fewest users first"), key!("most users first")),
            }),
        },
        Column::plain(key!("Permissions"), "is-num"),
        Column::plain(key!("Changed"), ""),
        Column::plain(key!("Actions"), "is-tight"),
    ],
    default: "name",
};

struct Row {
    id: i64,
    name: String,
    description: String,
    users: i64,
    permissions: usize,
    changed: When,
}

#[derive(Template)]
#[template(path = "admin/roles/index.html")]
struct Page {
    frame: Frame,
    list: ListView,
    rows: Vec<Row>,
    may_add: bool,
    may_change: bool,
    may_delete: bool,
    may_see_users: bool,
}

/// The list as a URL asks for it: roles that hold a permission, roles that do not.
fn asked(pairs: &[(String, String)]) -> Asked {
    let choice = |one: Permission| {
        let (area, verb) = (Said::of(area_label(one.area())), verb_word(one.verb()));
        (one.to_string(), say!("{area}: {verb}", area, verb))
    };
    let choices: Vec<(String, String)> = Permission::all().map(choice).collect();
    let filter = |name, label| Filter { name, label, any: key!("Any"), choices: choices.clone(), sorts: |_| None };
    Asked::new(&ROLES, pairs, None, vec![filter("has", key!("Has")), filter("lacks", key!("Lacks"))])
}

/// Roles are few: all are read, and sorted here.
fn load(conn: &mut Conn, asked: &Asked, now: Now) -> Result<(Found, Vec<Row>)> {
    let all = role::all(conn)?;
    let total = all.len();
    let ids: Vec<i64> = all.iter().map(|role| role.id).collect();
    let (holders, permissions) = (role::holder_counts(conn, &ids)?, role::all_permissions(conn)?);
    let term = asked.q().to_lowercase();
    let holds = |role: i64, name: &str| permissions.get(&role).is_some_and(|held| held.iter().any(|one| one == name));
    let mut rows: Vec<Row> = all
        .into_iter()
        .filter(|role| role.name.to_lowercase().contains(&term))
        .filter(|role| asked.choice("has").is_none_or(|permission| holds(role.id, permission)))
        .filter(|role| asked.choice("lacks").is_none_or(|permission| !holds(role.id, permission)))
        .map(|role| Row {
            users: holders.get(&role.id).copied().unwrap_or(0),
            permissions: permissions.get(&role.id).map_or(0, Vec::len),
            changed: When::new(role.updated_at, now),
            id: role.id,
            name: role.name,
            description: role.description,
        })
        .collect();
    if asked.sort_name() == "users" {
        rows.sort_by_key(|row| row.users);
    }
    if asked.is_descending() {
        rows.reverse();
    }
    Ok((Found::all(rows.len(), total), rows))
}

/// The list of roles.
pub async fn index(
    site: web::Data<Site>,
    staff: Staff<View<Roles>>,
    request: HttpRequest,
) -> Result<HttpResponse, PageError> {
    let (asked, now) = (asked(&pairs(request.query_string().as_bytes())), staff.now());
    let read = move |conn: &mut Conn| {
        let loaded = load(conn, &asked, now)?;
        Ok((asked, loaded))
    };
    let (asked, (found, rows)) = site.db.read(read).await?;
    let may_add = staff.may("roles", Verb::Add);
    let first_act = may_add.then_some((key!("Add role"), "/admin/roles/new/"));
    let page = Page {
        frame: staff.frame(&[(&say!("Roles"), "")]),
        list: asked.view(&found, &bulk::offered(&staff)).when_empty(
            key!("A role is a named set of permissions. Whoever of the staff holds it may do what it allows."),
            first_act,
        ),
        rows,
        may_add,
        may_change: staff.may("roles", Verb::Change),
        may_delete: staff.may("roles", Verb::Delete),
        may_see_users: staff.may("users", Verb::View),
    };
    html(StatusCode::OK, &page)
}
