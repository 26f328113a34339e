//! Who may do what to whom: nobody climbs, and nobody locks themselves or everybody out.

use std::sync::Arc;

use crate::admin::error::PageError;
use crate::admin::staff::Staff;
use crate::auth::permissions::{Permission, PermissionSet, Verb};
use crate::auth::principals::UserState;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::model::{role, user};

/// Somebody who acts on accounts, as it can be taken along into a transaction.
#[derive(Clone)]
pub struct Actor {
    /// The user's id.
    pub id: i64,
    /// What is known of the user.
    pub state: Arc<UserState>,
}

/// An account that is acted on, as it stands in the transaction.
pub struct Target {
    /// The user's id.
    pub id: i64,
    /// What is known of the user.
    pub state: UserState,
    /// Whether there is no other who could administer the server.
    pub is_last_superuser: bool,
}

impl<N> Staff<N> {
    /// The viewer, as one who acts.
    pub fn actor(&self) -> Actor {
        Actor { id: self.id(), state: self.state().clone() }
    }
}

impl Target {
    /// The account with this id.
    ///
    /// # Errors
    /// 404 if there is none.
    pub fn load(conn: &mut Conn, id: i64) -> Result<Self> {
        let state = UserState::load(conn, id)?.ok_or(Error::not_found())?;
        let is_able = state.superuser && state.active && state.staff;
        let is_last_superuser = is_able && user::active_superusers(conn)? <= 1;
        Ok(Self { id, state, is_last_superuser })
    }

    fn name(&self) -> &str {
        &self.state.username
    }
}

impl Actor {
    /// Whether the actor may do `verb` in `area`.
    pub fn may(&self, area: &str, verb: Verb) -> bool {
        Permission::of(area, verb).is_some_and(|permission| self.state.permissions.holds(permission))
    }

    /// Why the account is beyond the actor's reach, whatever is to be done with it. Whoever could set the password of
    /// somebody who may do more could do more.
    pub fn out_of_reach(&self, target: &Target) -> Option<String> {
        if self.id == target.id || self.state.superuser {
            return None;
        }
        if target.state.superuser {
            return Some(format!("{} is a superuser. Only a superuser can change that account.", target.name()));
        }
        let beyond = target.state.permissions.beyond(self.state.permissions);
        let names = beyond.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        (!beyond.is_empty()).then(|| format!("{} holds permissions that you lack: {names}.", target.name()))
    }

    /// Goes on only if the account is within reach.
    ///
    /// # Errors
    /// A 403 page that says why it is not.
    pub fn reach(&self, target: &Target) -> Result<(), PageError> {
        self.out_of_reach(target).map_or(Ok(()), |words| Err(PageError::Refused(words)))
    }

    /// Why the account must not be switched off, or removed, by the actor or by anyone. `act` is "deactivate" or "delete".
    pub fn must_stay(&self, target: &Target, act: &str) -> Option<String> {
        if self.id == target.id {
            return Some(format!("You cannot {act} yourself. Another administrator can."));
        }
        target.is_last_superuser.then(|| self.last(target))
    }

    /// Why a flag must not be taken from the account.
    pub fn must_keep(&self, target: &Target, flag: &str) -> Option<String> {
        if self.id == target.id {
            return Some(format!("You cannot take {flag} from yourself. Another administrator can."));
        }
        target.is_last_superuser.then(|| self.last(target))
    }

    fn last(&self, target: &Target) -> String {
        format!(
            "{} is the last active superuser. Make another one first, or nobody could administer this server.",
            target.name()
        )
    }

    /// Why the actor cannot change who holds roles or is staff at all.
    pub fn cannot_grant(&self) -> Option<String> {
        let needed = Permission::of("grants", Verb::Change)?;
        let lacks = !self.state.permissions.holds(needed);
        lacks.then(|| format!("This needs the permission {needed}."))
    }

    /// What of these permissions the actor lacks, in words; nobody gives what they do not have.
    pub fn cannot_give(&self, permissions: PermissionSet) -> Option<String> {
        let beyond = permissions.beyond(self.state.permissions);
        let names = beyond.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        (!beyond.is_empty()).then(|| format!("You lack what it allows: {names}."))
    }

    /// Why the actor cannot give or take this role.
    ///
    /// # Errors
    /// The database's.
    pub fn cannot_move_role(&self, conn: &mut Conn, role: i64, target: i64, give: bool) -> Result<Option<String>> {
        if let Some(words) = self.cannot_grant() {
            return Ok(Some(words));
        }
        if give {
            return Ok(self.cannot_give(PermissionSet::named(&role::permissions(conn, role)?)));
        }
        let own = self.id == target && !self.state.superuser;
        Ok(own.then(|| "You cannot take a role from yourself. Another administrator can.".to_owned()))
    }
}
