//! Who may do what to whose account, for panel and API alike: nobody climbs, and nobody locks themselves or everybody out.

use std::sync::Arc;

use crate::auth::api_keys::Scopes;
use crate::auth::gate::Principal;
use crate::auth::permissions::{Permission, PermissionSet, Verb};
use crate::auth::principals::UserState;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::language::Said;
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

/// The flags of an account that give its owner something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags {
    /// May sign in.
    pub active: bool,
    /// May open the panel.
    pub staff: bool,
    /// May do everything.
    pub superuser: bool,
}

/// A flag that an account must keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flag {
    /// May open the panel.
    Staff,
    /// May do everything.
    Superuser,
}

/// How an account is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// It is switched off.
    Deactivate,
    /// It is deleted.
    Delete,
    /// One or the other.
    Either,
}

/// Why somebody may not do a thing to an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// This actor may not, and why.
    Actor(Said),
    /// The rule that stands in the way, whoever asks.
    Rule(Said),
}

impl Refusal {
    /// What the API answers: 403 or 409, with the reason.
    pub fn into_error(self) -> Error {
        match self {
            Self::Actor(words) => Error::Refused(words),
            Self::Rule(words) => Error::Conflict(words),
        }
    }
}

fn refused(words: Option<Said>) -> Result<(), Refusal> {
    words.map_or(Ok(()), |words| Err(Refusal::Actor(words)))
}

fn rule(words: Option<Said>) -> Result<(), Refusal> {
    words.map_or(Ok(()), |words| Err(Refusal::Rule(words)))
}

impl Target {
    /// The account with this id.
    ///
    /// # Errors
    /// 404 if there is none.
    pub fn load(conn: &mut Conn, id: i64) -> Result<Self> {
        let state = UserState::load(conn, id)?.ok_or(Error::not_found())?;
        let is_able = state.superuser && state.active && state.staff && !state.service;
        let is_last_superuser = is_able && user::active_superusers(conn)? <= 1;
        Ok(Self { id, state, is_last_superuser })
    }

    fn name(&self) -> &str {
        &self.state.username
    }
}

impl Actor {
    /// Whoever was let in, as the user is in this transaction, with what an API key leaves of it: one for a part of its
    /// owner's rights is no superuser.
    ///
    /// # Errors
    /// 401 if the gate would no longer open; 403 if the user is not staff, or may no longer do `verb` in `area`.
    pub fn admitted(conn: &mut Conn, who: &Principal, area: &str, verb: Verb) -> Result<Self> {
        who.confirm(conn)?;
        let mut state = UserState::load(conn, who.user)?.ok_or(Error::Forbidden)?;
        state.permissions = who.scopes().of(state.permissions);
        state.superuser &= who.scopes() == Scopes::Whole;
        let actor = Self { id: who.user, state: Arc::new(state) };
        if actor.state.staff && actor.may(area, verb) { Ok(actor) } else { Err(Error::Forbidden) }
    }

    /// Whether the actor may do `verb` in `area`.
    pub fn may(&self, area: &str, verb: Verb) -> bool {
        Permission::of(area, verb).is_some_and(|permission| self.state.permissions.holds(permission))
    }

    /// Why the account is beyond the actor's reach, whatever is to be done with it. Whoever could set the password of
    /// somebody who may do more could do more.
    pub fn out_of_reach(&self, target: &Target) -> Option<Said> {
        if self.id == target.id || self.state.superuser {
            return None;
        }
        if target.state.superuser {
            return Some(said!(
                "{username} is a superuser. Only a superuser can change that account.",
                username = target.name()
            ));
        }
        let beyond = target.state.permissions.beyond(self.state.permissions);
        let names = beyond.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let words = || said!("{username} holds permissions that you lack: {names}.", username = target.name(), names);
        (!beyond.is_empty()).then(words)
    }

    /// Goes on only if the account is within reach.
    ///
    /// # Errors
    /// Why it is not.
    pub fn reaches(&self, target: &Target) -> Result<(), Refusal> {
        refused(self.out_of_reach(target))
    }

    /// Why the account must not be switched off, or removed, by the actor or by anyone.
    pub fn must_stay(&self, target: &Target, removal: Removal) -> Option<Said> {
        if self.id == target.id {
            return Some(match removal {
                Removal::Deactivate => said!("You cannot deactivate yourself. Another administrator can."),
                Removal::Delete => said!("You cannot delete yourself. Another administrator can."),
                Removal::Either => said!("You cannot deactivate or delete yourself. Another administrator can."),
            });
        }
        target.is_last_superuser.then(|| self.last(target))
    }

    /// Why a flag must not be taken from the account.
    pub fn must_keep(&self, target: &Target, flag: Flag) -> Option<Said> {
        if self.id == target.id {
            return Some(match flag {
                Flag::Staff => said!("You cannot take Staff from yourself. Another administrator can."),
                Flag::Superuser => said!("You cannot take Superuser from yourself. Another administrator can."),
            });
        }
        target.is_last_superuser.then(|| self.last(target))
    }

    fn last(&self, target: &Target) -> Said {
        said!(
            "{username} is the last active superuser. Make another one first, or nobody could administer this server.",
            username = target.name()
        )
    }

    /// Why the actor cannot change who holds roles or is staff at all.
    pub fn cannot_grant(&self) -> Option<Said> {
        let needed = Permission::of("grants", Verb::Change)?;
        let lacks = !self.state.permissions.holds(needed);
        lacks.then(|| said!("This needs the permission {permission}.", permission = needed))
    }

    /// What of these permissions the actor lacks, in words; nobody gives what they do not have.
    pub fn cannot_give(&self, permissions: PermissionSet) -> Option<Said> {
        let beyond = permissions.beyond(self.state.permissions);
        let names = beyond.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        (!beyond.is_empty()).then(|| said!("You lack what it allows: {names}.", names))
    }

    /// Why the actor cannot give or take this role.
    ///
    /// # Errors
    /// The database's.
    pub fn cannot_move_role(&self, conn: &mut Conn, role: i64, target: i64, give: bool) -> Result<Option<Said>> {
        if let Some(words) = self.cannot_grant() {
            return Ok(Some(words));
        }
        if give && self.state.superuser {
            return Ok(None); // has every permission, so that the role's need not be read
        }
        if give {
            return Ok(self.cannot_give(PermissionSet::named(&role::permissions(conn, role)?)));
        }
        let own = self.id == target && !self.state.superuser;
        Ok(own.then(|| said!("You cannot take a role from yourself. Another administrator can.")))
    }

    /// Goes on only if the actor may give the account these flags, each that would change asked for by itself.
    ///
    /// # Errors
    /// Why not.
    pub fn set_flags(&self, target: &Target, new: Flags) -> Result<(), Refusal> {
        let state = &target.state;
        if new.superuser != state.superuser {
            if !self.state.superuser {
                return Err(Refusal::Actor(said!("Only a superuser changes who is a superuser.")));
            }
            rule(self.must_keep(target, Flag::Superuser).filter(|_| state.superuser))?;
        }
        if new.staff != state.staff {
            refused(self.cannot_grant())?;
            rule(self.must_keep(target, Flag::Staff).filter(|_| state.staff))?;
        }
        if !new.active && state.active {
            rule(self.must_stay(target, Removal::Deactivate))?;
        }
        Ok(())
    }

    /// Goes on only if the actor may make an account with these flags and roles: nobody makes one that may do more than they
    /// may themselves.
    ///
    /// # Errors
    /// The database's; the inner one says why not.
    pub fn make(&self, conn: &mut Conn, flags: Flags, roles: &[i64]) -> Result<Result<(), Refusal>> {
        if flags.superuser && !self.state.superuser {
            return Ok(Err(Refusal::Actor(said!("Only a superuser makes another."))));
        }
        if flags.staff
            && let Err(refusal) = refused(self.cannot_grant())
        {
            return Ok(Err(refusal));
        }
        let moves: Vec<(i64, bool)> = roles.iter().map(|role| (*role, true)).collect();
        self.move_roles(conn, 0, &moves)
    }

    /// Goes on only if the actor may give (or take) each of these roles to the user `target`.
    ///
    /// # Errors
    /// The database's; the inner one says why not.
    pub fn move_roles(&self, conn: &mut Conn, target: i64, moves: &[(i64, bool)]) -> Result<Result<(), Refusal>> {
        for (role, give) in moves {
            let Some(row) = role::by_id(conn, *role)? else {
                return Ok(Err(Refusal::Rule(said!("A role that was ticked is gone. Open the page again."))));
            };
            if let Some(why) = self.cannot_move_role(conn, *role, target, *give)? {
                let words = match give {
                    true => said!("You cannot give the role {role}. {why}", role = row.name, why),
                    false => said!("You cannot take the role {role}. {why}", role = row.name, why),
                };
                return Ok(Err(Refusal::Actor(words)));
            }
        }
        Ok(Ok(()))
    }
}
