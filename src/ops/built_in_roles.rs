//! The roles that a new server begins with. They are roles like any: changed and deleted at will, and never made again.

use crate::auth::permissions::{AREAS, Verb};
use crate::db::Conn;
use crate::error::Result;
use crate::model::audit::{Audit, By, Object, role_fields, told};
use crate::model::fact::{self, Fact};
use crate::model::role;
use crate::site::Site;

/// A role that a new server begins with.
struct BuiltIn {
    name: &'static str,
    description: &'static str,
    permissions: fn() -> Vec<String>,
}

const ROLES: [BuiltIn; 4] = [
    BuiltIn { name: "Operator", description: "Keys, throttling and settings", permissions: operator },
    BuiltIn { name: "Support", description: "Helps people who cannot sign in", permissions: support },
    BuiltIn { name: "Auditor", description: "Reads everything, changes nothing", permissions: auditor },
    BuiltIn { name: "Editor", description: "Writes and publishes articles", permissions: editor },
];

fn operator() -> Vec<String> {
    all(&[
        ("sessions", "view revoke"),
        ("tokens", "view revoke"),
        ("blacklist", "view add"),
        ("api-keys", "view revoke"),
        ("inspector", "view"),
        ("audit", "view"),
        ("sign-ins", "view"),
        ("mail", "view change"),
        ("throttling", "view change"),
        ("signing-keys", "view add change delete"),
        ("settings", "view"),
    ])
}

fn support() -> Vec<String> {
    all(&[
        ("users", "view change"),
        ("roles", "view"),
        ("sessions", "view revoke"),
        ("tokens", "view revoke"),
        ("blacklist", "view"),
        ("api-keys", "view revoke"),
        ("inspector", "view"),
        ("sign-ins", "view"),
    ])
}

/// To see every area but that of other services, which is none of the panel's.
fn auditor() -> Vec<String> {
    AREAS
        .iter()
        .filter(|(area, _)| *area != "services")
        .map(|(area, _)| format!("{area}.{}", Verb::View.as_str()))
        .collect()
}

fn editor() -> Vec<String> {
    all(&[("articles", "view add change delete"), ("tasks", "view")])
}

fn all(areas: &[(&str, &str)]) -> Vec<String> {
    areas.iter().flat_map(|(area, verbs)| verbs.split(' ').map(move |verb| format!("{area}.{verb}"))).collect()
}

/// Makes the built-in roles at the first start over this database. One that has roles already is somebody's who knows what
/// they need: it gets none, now or later. Returns how many were made.
///
/// # Errors
/// The database's.
pub async fn make(site: &Site) -> Result<usize> {
    let now = site.clock.now();
    let audit = Audit::new(&site.audit, By::system("portcullis serve"), "role.create", now);
    let make = move |conn: &mut Conn| {
        if fact::get(conn, Fact::RolesMade)?.is_some() {
            return Ok(0);
        }
        fact::set(conn, Fact::RolesMade, "yes")?;
        if !role::all(conn)?.is_empty() {
            return Ok(0);
        }
        for BuiltIn { name, description, permissions } in ROLES {
            let Ok(made) = role::insert(conn, name, description, &permissions(), now)? else { continue };
            let fields = role_fields(conn, &made)?;
            audit.clone().on(Object::new("role", made.id, made.name)).with(told(&fields)).append(conn)?;
        }
        Ok(ROLES.len())
    };
    site.db.write(make).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::permissions::{Permission, PermissionSet};

    #[test]
    fn built_in_roles_hold_permissions_that_exist_and_to_see_whatever_else_they_may_do() {
        for BuiltIn { name, permissions, .. } in ROLES {
            let names = permissions();
            let set = PermissionSet::named(&names);
            let held = Permission::all().filter(|one| set.holds(*one)).count();
            assert_eq!(held, names.len(), "{name} holds what does not exist, or twice the same");
            for one in Permission::all().filter(|one| set.holds(*one)) {
                let view = Permission::of(one.area(), Verb::View);
                assert!(view.is_some_and(|view| set.holds(view)), "{name} may {one} and not see it");
            }
        }
        assert!(auditor().iter().all(|name| name.ends_with(".view")));
    }
}
