//! Roles: the list, and the words in which permissions are told.

pub mod bulk;
pub mod edit;
pub mod remove;

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
use crate::language::filters;
use crate::model::role;
use crate::rest::payload::pairs;
use crate::site::Site;

/// The areas as people call them, in the groups in which a role's page shows them.
pub const GROUPS: [(&str, &[(&str, &str)]); 5] = [
    ("People", &[("users", "Users"), ("roles", "Roles"), ("grants", "Permissions of others")]),
    (
        "Tokens",
        &[
            ("sessions", "Sessions"),
            ("tokens", "Outstanding tokens"),
            ("blacklist", "Blacklist"),
            ("api-keys", "API keys"),
            ("inspector", "Token inspector"),
        ],
    ),
    ("Content", &[("articles", "Articles"), ("tasks", "Tasks")]),
    ("Activity", &[("audit", "Audit log"), ("sign-ins", "Sign-ins"), ("mail", "E-mail log")]),
    (
        "System",
        &[
            ("throttling", "Throttling"),
            ("signing-keys", "Signing keys"),
            ("settings", "Settings"),
            ("services", "Other services"),
        ],
    ),
];

/// What an area is called.
pub fn area_label(area: &str) -> &'static str {
    let all = GROUPS.iter().flat_map(|(_, areas)| areas.iter());
    all.into_iter().find(|(name, _)| *name == area).map_or("Something else", |(_, label)| label)
}

/// What a verb is called.
pub fn verb_label(verb: Verb) -> &'static str {
    match verb {
        Verb::View => "View",
        Verb::Add => "Add",
        Verb::Change => "Change",
        Verb::Delete => "Delete",
        Verb::Revoke => "Revoke",
        Verb::Export => "Export",
    }
}

/// What a verb is called among others.
pub fn verb_word(verb: Verb) -> String {
    match verb {
        Verb::View => say!("view"),
        Verb::Add => say!("add"),
        Verb::Change => say!("change"),
        Verb::Delete => say!("delete"),
        Verb::Revoke => say!("revoke"),
        Verb::Export => say!("export"),
    }
}

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
        (one.to_string(), format!("{}: {}", area_label(one.area()), verb_label(one.verb()).to_lowercase()))
    };
    let choices: Vec<(String, String)> = Permission::all().map(choice).collect();
    let filter = |name, label| Filter { name, label, any: "Any", choices: choices.clone(), sorts: |_| None };
    Asked::new(&ROLES, pairs, None, vec![filter("has", "Has"), filter("lacks", "Lacks")])
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
    let first_act = may_add.then_some(("Add role", "/admin/roles/new/"));
    let page = Page {
        frame: staff.frame(&[("Roles", "")]),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::permissions::AREAS;

    #[test]
    fn every_area_of_the_vocabulary_has_a_place_on_the_page_of_a_role() {
        let shown: Vec<&str> = GROUPS.iter().flat_map(|(_, areas)| areas.iter().map(|(name, _)| *name)).collect();
        let known: Vec<&str> = AREAS.iter().map(|(name, _)| *name).collect();
        assert_eq!(shown, known);
    }
}
