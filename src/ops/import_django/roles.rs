//! Groups become roles: with the permissions that have a counterpart here.

use std::collections::HashMap;

use crate::auth::permissions::{Permission, PermissionSet, Verb};
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::model::role;

use super::report::Report;
use super::source::{Group, Source};

const LONGEST_NAME: usize = 80;

/// What has become of the groups, by their names.
#[derive(Clone, Default)]
pub struct Roles(HashMap<String, Option<i64>>);

/// A group with its permissions in our words.
pub struct Mapped {
    name: String,
    permissions: Vec<String>,
    without: Vec<String>,
}

impl Mapped {
    /// Translates a group. Whoever may do something in an area may see it too, as in the panel.
    pub fn of(group: &Group, source: &Source) -> Self {
        let (mut set, mut without) = (Vec::new(), Vec::new());
        for permission in &group.permissions {
            match ours(permission, |app, model| source.is_user_model(app, model)) {
                Some(one) => set.extend([Some(one), Permission::of(one.area(), Verb::View)].into_iter().flatten()),
                None => without.push(permission.clone()),
            }
        }
        let set: PermissionSet = set.into_iter().collect();
        let permissions = Permission::all().filter(|one| set.holds(*one)).map(|one| one.to_string()).collect();
        Self { name: group.name.clone(), permissions, without }
    }
}

impl Roles {
    /// The role of a group: none if it was refused; without an id in a dry run.
    pub fn of(&self, group: &str) -> Option<Option<i64>> {
        self.0.get(group).copied()
    }

    /// Takes a group over, unless that is done already or cannot be.
    ///
    /// # Errors
    /// The database's.
    pub fn take(
        &mut self,
        conn: &mut Conn,
        group: Mapped,
        writes: bool,
        now: Timestamp,
        report: &mut Report,
    ) -> Result<()> {
        let Mapped { name, permissions, without } = group;
        if name.trim().is_empty() || name.chars().count() > LONGEST_NAME || name.contains('\0') {
            report.roles.refuse(format!("group {name:?}: the name of a role has from 1 to {LONGEST_NAME} characters"));
            return Ok(());
        }
        if let Some(known) = role::all(conn)?.into_iter().find(|role| role.name == name) {
            let mut held = role::permissions(conn, known.id)?;
            let mut wanted = permissions;
            held.sort();
            wanted.sort();
            if held == wanted {
                report.roles.here += 1;
                self.0.insert(name, Some(known.id));
            } else {
                // To give it would be to give what the group never had.
                report.roles.refuse(format!("group {name:?}: a role of this name is here, with other permissions"));
            }
            return Ok(());
        }
        for permission in without {
            report.note(format!("group {name:?}: {permission} has no counterpart here"));
        }
        let id = if writes {
            let made = role::insert(conn, &name, "", &permissions, now)?;
            Some(made.map_err(|_| Error::Conflict(format!("the role {name:?} was made a moment ago").into()))?.id)
        } else {
            None
        };
        report.roles.taken += 1;
        self.0.insert(name, id);
        Ok(())
    }
}

/// Our word for `app.codename`. Articles and tasks are the tutorial's, whatever app they stand in.
fn ours(permission: &str, is_user_model: impl Fn(&str, &str) -> bool) -> Option<Permission> {
    let (app, codename) = permission.split_once('.')?;
    let (verb, model) = codename.split_once('_')?;
    let verb = Verb::ALL.into_iter().find(|one| one.as_str() == verb)?;
    let area = match (app, model) {
        _ if is_user_model(app, model) => "users",
        ("auth", "group") => "roles",
        ("token_blacklist", "outstandingtoken") => "tokens",
        ("token_blacklist", "blacklistedtoken") => "blacklist",
        ("admin", "logentry") => "audit",
        (_, "article") => "articles",
        (_, "task") => "tasks",
        _ => return None,
    };
    Permission::of(area, verb)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permission_becomes_ours_where_there_is_such_a_one() {
        let ours = |permission| ours(permission, |app, model| (app, model) == ("accounts", "member"));
        for (theirs, expected) in [
            ("accounts.change_member", "users.change"),
            ("auth.delete_group", "roles.delete"),
            ("token_blacklist.view_outstandingtoken", "tokens.view"),
            ("token_blacklist.add_blacklistedtoken", "blacklist.add"),
            ("admin.view_logentry", "audit.view"),
            ("ref.add_article", "articles.add"),
            ("todo.change_task", "tasks.change"),
        ] {
            assert_eq!(ours(theirs).map(|one| one.to_string()).as_deref(), Some(expected), "{theirs}");
        }
        for theirs in
            ["auth.change_user", "auth.change_permission", "admin.delete_logentry", "blog.publish_article", "7"]
        {
            assert!(ours(theirs).is_none(), "{theirs}");
        }
    }
}
