//! What is done to many users: switched on and off, signed out, given a role or relieved of one, sent a letter, deleted.

use std::sync::Arc;

use crate::admin::bulk::act::{Act, Chosen, Did, Doer, Done, Plan, Row, Weight, offered as offered_of};
use crate::admin::bulk::lists::{Facts, MANY, Matching};
use crate::admin::confirm::Choice;
use crate::admin::staff::Staff;
use crate::admin::users::acts::remove;
use crate::admin::users::head::cannot_send_reset;
use crate::admin::users::sessions::end_all;
use crate::admin::users::{Actor, Removal, Target, asked, query, roles_moved};
use crate::auth::permissions::Verb;
use crate::db::Conn;
use crate::db::keyset::{Keyset, Value};
use crate::db::tally::Tally;
use crate::error::{Error, Result};
use crate::language::Said;
use crate::model::audit::{Change, Object};
use crate::model::outbox::{self, Kind};
use crate::model::{belongings, panel_session, role, user, user_list};

/// An act on many users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Activate,
    Deactivate,
    SignOut,
    GiveRole,
    TakeRole,
    SendReset,
    Delete,
}

/// Their names, and what they need.
const ACTS: [(&str, &str, (&str, Verb)); 7] = [
    ("activate", key!("Activate"), ("users", Verb::Change)),
    ("deactivate", key!("Deactivate"), ("users", Verb::Change)),
    ("sign-out", key!("Sign out everywhere"), ("sessions", Verb::Revoke)),
    ("give-role", key!("Add a role…"), ("grants", Verb::Change)),
    ("take-role", key!("Remove a role…"), ("grants", Verb::Change)),
    ("send-reset", key!("Send a password reset"), ("users", Verb::Change)),
    ("delete", key!("Delete…"), ("users", Verb::Delete)),
];

/// The acts that the viewer may do.
pub fn offered<N>(staff: &Staff<N>) -> Vec<(&'static str, String)> {
    offered_of(staff, &ACTS)
}

/// The act of this name.
pub fn act(name: &str, chosen: Option<Chosen>) -> Option<Arc<dyn Act>> {
    let deed = match name {
        "activate" => Deed::Activate,
        "deactivate" => Deed::Deactivate,
        "sign-out" => Deed::SignOut,
        "give-role" => Deed::GiveRole,
        "take-role" => Deed::TakeRole,
        "send-reset" => Deed::SendReset,
        "delete" => Deed::Delete,
        _ => return None,
    };
    let role = chosen.and_then(|chosen| Some((chosen.value.parse().ok()?, chosen.name)));
    Some(Arc::new(OnUsers { deed, role }))
}

/// The users that a filter lets through.
///
/// # Errors
/// The database's.
pub fn matching(conn: &mut Conn, pairs: &[(String, String)], facts: &Facts) -> Result<Matching> {
    let (asked, at) = (asked(pairs, None, &user_list::held(conn, &[])?.roles), facts.at);
    let wanted = query(&asked, &facts.locked, facts.now);
    let counted = wanted.clone();
    let load = move |conn: &mut Conn, keyset: &Keyset| {
        Ok(user_list::page(conn, &wanted, keyset, MANY, at)?
            .rows
            .into_iter()
            .map(|user| Value::Number(user.id))
            .collect())
    };
    let count = move |conn: &mut Conn| Ok(user_list::counts(conn, &counted, &Tally::exact())?.matching);
    Ok(Matching::new(&asked, user_list::BY_JOINED, count, load))
}

/// An act, with the role that it gives or takes.
struct OnUsers {
    deed: Deed,
    role: Option<(i64, String)>,
}

impl OnUsers {
    fn moves_a_role(&self) -> bool {
        matches!(self.deed, Deed::GiveRole | Deed::TakeRole)
    }

    /// Why this account is left out.
    fn exception(&self, conn: &mut Conn, actor: &Actor, target: &Target) -> Result<Option<Said>> {
        if let Some(why) = actor.out_of_reach(target) {
            return Ok(Some(why));
        }
        Ok(match (self.deed, &self.role) {
            (Deed::Activate, _) if target.state.active => Some(said!("active already")),
            (Deed::Deactivate, _) if !target.state.active => Some(said!("inactive already")),
            (Deed::Deactivate, _) => actor.must_stay(target, Removal::Deactivate),
            (Deed::Delete, _) => actor.must_stay(target, Removal::Delete),
            (Deed::SendReset, _) => user::by_id(conn, target.id)?.as_ref().and_then(cannot_send_reset),
            (Deed::GiveRole | Deed::TakeRole, Some((role, _))) => {
                let give = self.deed == Deed::GiveRole;
                match actor.cannot_move_role(conn, *role, target.id, give)? {
                    _ if role::by_id(conn, *role)?.is_none() => Some(said!("the role is gone")),
                    Some(why) => Some(why),
                    None => {
                        let holds = role::of_user(conn, target.id)?.iter().any(|held| held.id == *role);
                        let why = || if give { said!("has it already") } else { said!("does not have it") };
                        (holds == give).then(why)
                    }
                }
            }
            _ => None,
        })
    }
}

fn load(conn: &mut Conn, key: &Value) -> Result<Option<Target>> {
    let Value::Number(id) = key else { return Ok(None) };
    match Target::load(conn, *id) {
        Ok(target) => Ok(Some(target)),
        Err(Error::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Act for OnUsers {
    fn plan(&self) -> Plan {
        let plan = Plan {
            code: "",
            needs: ("users", Verb::Change),
            asks_one: "",
            asks: |_| Said::of(""),
            titled: |_| Said::of(""),
            means: "",
            buttons: ("", ""),
            done: |_, _| Said::of(""),
            chosen: self.role.as_ref().map_or_else(String::new, |(_, name)| name.clone()),
            ends: Some(|count| said!(count => "{count} session ended." | "{count} sessions ended.")),
            weight: Weight::Light,
        };
        match self.deed {
            Deed::Activate => Plan {
                code: "user.activate",
                asks_one: key!("Activate {name}?"),
                asks: |count| said!(count => "Activate {count} user?" | "Activate {count} users?"),
                titled: |count| said!(count => "Activate {count} user" | "Activate {count} users"),
                means: key!("They may sign in again. Sessions that ended before stay ended."),
                buttons: (key!("Activate"), key!("Activate")),
                done: |count, _| said!(count => "{count} user was activated." | "{count} users were activated."),
                ..plan
            },
            Deed::Deactivate => Plan {
                code: "user.deactivate",
                asks_one: key!("Deactivate {name}?"),
                asks: |count| said!(count => "Deactivate {count} user?" | "Deactivate {count} users?"),
                titled: |count| said!(count => "Deactivate {count} user" | "Deactivate {count} users"),
                means: key!("They are signed out at once, and keep all their data."),
                buttons: (key!("Deactivate"), key!("Deactivate")),
                done: |count, _| said!(count => "{count} user was deactivated." | "{count} users were deactivated."),
                ..plan
            },
            Deed::SignOut => Plan {
                code: "user.sign_out",
                needs: ("sessions", Verb::Revoke),
                asks_one: key!("Sign {name} out everywhere?"),
                asks: |count| said!(count => "Sign {count} user out everywhere?" | "Sign {count} users out everywhere?"),
                titled: |count| said!(count => "Sign {count} user out everywhere" | "Sign {count} users out everywhere"),
                means: key!("Every device has to sign in again. Access tokens already handed out end at once."),
                buttons: (key!("Sign out everywhere"), key!("Sign out everywhere")),
                done: |count, _| said!(count => "{count} user was signed out everywhere." | "{count} users were signed out everywhere."),
                weight: Weight::Plain,
                ..plan
            },
            Deed::GiveRole => Plan {
                code: "role.give",
                needs: ("grants", Verb::Change),
                asks_one: key!("Add a role to {name}?"),
                asks: |count| said!(count => "Add a role to {count} user?" | "Add a role to {count} users?"),
                titled: |count| said!(count => "Add a role to {count} user" | "Add a role to {count} users"),
                means: key!("It takes effect on their next request."),
                buttons: (key!("Add role"), key!("Add role")),
                done: |count, role| {
                    said!(
                        count => "{count} user has the role {role} now." | "{count} users have the role {role} now.",
                        role
                    )
                },
                ..plan
            },
            Deed::TakeRole => Plan {
                code: "role.take",
                needs: ("grants", Verb::Change),
                asks_one: key!("Remove a role from {name}?"),
                asks: |count| said!(count => "Remove a role from {count} user?" | "Remove a role from {count} users?"),
                titled: |count| said!(count => "Remove a role from {count} user" | "Remove a role from {count} users"),
                means: key!("It takes effect on their next request."),
                buttons: (key!("Remove role"), key!("Remove role")),
                done: |count, role| {
                    said!(
                        count => "{count} user has the role {role} no more."
                        | "{count} users have the role {role} no more.",
                        role
                    )
                },
                ..plan
            },
            Deed::SendReset => Plan {
                code: "user.send_reset",
                asks_one: key!("Send {name} a password reset?"),
                asks: |count| said!(count => "Send {count} user a password reset?" | "Send {count} users a password reset?"),
                titled: |count| said!(count => "Send {count} user a password reset" | "Send {count} users a password reset"),
                means: key!(
                    "Each gets a letter with a link that is good for an hour. The password so far goes on working. An address gets three such letters a day at most."
                ),
                buttons: (key!("Send password reset"), key!("Send password reset")),
                done: |count, _| {
                    said!(
                        count => "{count} user was sent a letter to set a new password."
                        | "{count} users were sent a letter to set a new password."
                    )
                },
                weight: Weight::Plain,
                ..plan
            },
            Deed::Delete => Plan {
                code: "user.delete",
                needs: ("users", Verb::Delete),
                asks_one: key!("Delete {name}?"),
                asks: |count| said!(count => "Delete {count} user?" | "Delete {count} users?"),
                titled: |count| said!(count => "Delete {count} user" | "Delete {count} users"),
                means: key!(
                    "This cannot be undone. Their articles and tasks go with them. To stop them signing in, deactivate them instead."
                ),
                buttons: (key!("Delete user"), key!("Delete users")),
                done: |count, _| said!(count => "{count} user was deleted." | "{count} users were deleted."),
                weight: Weight::Grave,
                ..plan
            },
        }
    }

    fn choice(&self, conn: &mut Conn) -> Result<Option<Choice>> {
        if !self.moves_a_role() {
            return Ok(None);
        }
        let options = role::all(conn)?.into_iter().map(|role| (role.id.to_string(), role.name)).collect();
        Ok(Some(Choice { name: "role", label: key!("Role"), options }))
    }

    fn look(&self, conn: &mut Conn, by: &Doer, key: &Value) -> Result<Option<Row>> {
        let Some(target) = load(conn, key)? else { return Ok(None) };
        let about = match self.deed {
            Deed::Delete => {
                let belongings = belongings::of(conn, target.id, by.at.now)?.in_words();
                say!("with {belongings}", belongings)
            }
            _ => String::new(),
        };
        let left_out = self.exception(conn, &by.actor, &target)?.map(String::from);
        Ok(Some(Row::new(target.state.username, about, left_out)))
    }

    fn carry_out(&self, conn: &mut Conn, by: &Doer, key: &Value) -> Result<Did> {
        let Some(target) = load(conn, key)? else { return Ok(Did::gone()) };
        let (id, name, now) = (target.id, target.state.username.to_string(), by.at.now);
        if let Some(why) = self.exception(conn, &by.actor, &target)? {
            return Ok(Did::left_out(name, why));
        }
        let grants = &by.grants;
        let (mut ended, mut changes) = (0, Vec::new());
        let sessions = |ended| Change::fact("sessions_ended", ended);
        match (self.deed, &self.role) {
            (Deed::Activate, _) => {
                grants.set_active_in(conn, id, true, now)?;
                changes.extend(Change::of("is_active", false, true));
            }
            (Deed::Deactivate, _) => {
                ended = panel_session::end_all(conn, id)? + grants.set_active_in(conn, id, false, now)?;
                changes.extend(Change::of("is_active", true, false));
                changes.push(sessions(ended));
            }
            (Deed::SignOut, _) => {
                ended = end_all(conn, grants, id, now)?;
                changes.push(sessions(ended));
            }
            (Deed::GiveRole, Some((role, called))) => {
                role::give(conn, *role, id, now)?;
                changes.extend(Change::of("roles", "", called));
                changes.extend(roles_moved(&[(*role, true)]));
            }
            (Deed::TakeRole, Some((role, called))) => {
                role::take(conn, *role, id)?;
                changes.extend(Change::of("roles", called, ""));
                changes.extend(roles_moved(&[(*role, false)]));
            }
            (Deed::GiveRole | Deed::TakeRole, None) => return Ok(Did::left_out(name, say!("no role was chosen"))),
            (Deed::SendReset, _) => {
                let address = user::by_id(conn, id)?.map(|user| user.email).unwrap_or_default();
                outbox::to_user(conn, Kind::Reset, id, &address, now)?;
            }
            (Deed::Delete, _) => {
                let (ended, _) = remove(conn, grants, by.audit.clone(), &target, by.actor.id, now)?;
                return Ok(Did::done(name, ended));
            }
        }
        if self.moves_a_role() {
            grants.changed_in(conn, id, now)?;
        }
        by.audit(Object::user(id, &name)).with(changes).append(conn)?;
        let ended_own_session = self.deed == Deed::SignOut && id == by.actor.id;
        Ok(Did { name, outcome: Ok(Done { also: ended, ended_own_session }) })
    }
}
