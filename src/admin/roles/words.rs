//! The words in which permissions are told: areas, verbs, and each of their pairs that there is. They are keys.

use crate::auth::permissions::{Permission, Verb};

/// The areas as people call them, in the groups in which a role's page shows them.
pub const GROUPS: [(&str, &[(&str, &str)]); 5] = [
    (key!("People"), &[("users", key!("Users")), ("roles", key!("Roles")), ("grants", key!("Permissions of others"))]),
    (
        key!("Tokens"),
        &[
            ("sessions", key!("Sessions")),
            ("tokens", key!("Outstanding tokens")),
            ("blacklist", key!("Blacklist")),
            ("api-keys", key!("API keys")),
            ("inspector", key!("Token inspector")),
        ],
    ),
    (key!("Content"), &[("articles", key!("Articles")), ("tasks", key!("Tasks"))]),
    (key!("Activity"), &[("audit", key!("Audit log")), ("sign-ins", key!("Sign-ins")), ("mail", key!("E-mail log"))]),
    (
        key!("System"),
        &[
            ("throttling", key!("Throttling")),
            ("signing-keys", key!("Signing keys")),
            ("settings", key!("Settings")),
            ("services", key!("Other services")),
        ],
    ),
];

/// What each permission is called by itself.
const PERMISSIONS: [(&str, &str); 50] = [
    ("users.view", key!("View users")),
    ("users.add", key!("Add users")),
    ("users.change", key!("Change users")),
    ("users.delete", key!("Delete users")),
    ("users.export", key!("Export users")),
    ("roles.view", key!("View roles")),
    ("roles.add", key!("Add roles")),
    ("roles.change", key!("Change roles")),
    ("roles.delete", key!("Delete roles")),
    ("grants.view", key!("View permissions of others")),
    ("grants.change", key!("Change permissions of others")),
    ("sessions.view", key!("View sessions")),
    ("sessions.revoke", key!("Revoke sessions")),
    ("tokens.view", key!("View outstanding tokens")),
    ("tokens.revoke", key!("Revoke outstanding tokens")),
    ("tokens.export", key!("Export outstanding tokens")),
    ("blacklist.view", key!("View blacklist")),
    ("blacklist.add", key!("Add blacklist")),
    ("blacklist.delete", key!("Delete blacklist")),
    ("api-keys.view", key!("View API keys")),
    ("api-keys.add", key!("Add API keys")),
    ("api-keys.change", key!("Change API keys")),
    ("api-keys.delete", key!("Delete API keys")),
    ("api-keys.revoke", key!("Revoke API keys")),
    ("inspector.view", key!("View token inspector")),
    ("articles.view", key!("View articles")),
    ("articles.add", key!("Add articles")),
    ("articles.change", key!("Change articles")),
    ("articles.delete", key!("Delete articles")),
    ("articles.export", key!("Export articles")),
    ("tasks.view", key!("View tasks")),
    ("tasks.add", key!("Add tasks")),
    ("tasks.change", key!("Change tasks")),
    ("tasks.delete", key!("Delete tasks")),
    ("tasks.export", key!("Export tasks")),
    ("audit.view", key!("View audit log")),
    ("audit.export", key!("Export audit log")),
    ("sign-ins.view", key!("View sign-ins")),
    ("sign-ins.export", key!("Export sign-ins")),
    ("mail.view", key!("View e-mail log")),
    ("mail.change", key!("Change e-mail log")),
    ("throttling.view", key!("View throttling")),
    ("throttling.change", key!("Change throttling")),
    ("signing-keys.view", key!("View signing keys")),
    ("signing-keys.add", key!("Add signing keys")),
    ("signing-keys.change", key!("Change signing keys")),
    ("signing-keys.delete", key!("Delete signing keys")),
    ("settings.view", key!("View settings")),
    ("services.view", key!("View other services")),
    ("services.revoke", key!("Revoke other services")),
];

/// What an area is called.
pub fn area_label(area: &str) -> &'static str {
    let all = GROUPS.iter().flat_map(|(_, areas)| areas.iter());
    all.into_iter().find(|(name, _)| *name == area).map_or(key!("Something else"), |(_, label)| label)
}

/// What a verb is called.
pub fn verb_label(verb: Verb) -> &'static str {
    match verb {
        Verb::View => key!("View"),
        Verb::Add => key!("Add"),
        Verb::Change => key!("Change"),
        Verb::Delete => key!("Delete"),
        Verb::Revoke => key!("Revoke"),
        Verb::Export => key!("Export"),
    }
}

/// What a verb is called among others, in the language that is spoken.
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

/// What a permission is called.
pub fn permission_label(permission: Permission) -> &'static str {
    let name = permission.to_string();
    PERMISSIONS.iter().find(|(one, _)| *one == name).map_or("", |(_, label)| label)
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

    #[test]
    fn every_permission_has_a_name() {
        let named: Vec<&str> = PERMISSIONS.iter().map(|(name, _)| *name).collect();
        let known: Vec<String> = Permission::all().map(|one| one.to_string()).collect();
        assert_eq!(named, known);
    }
}
