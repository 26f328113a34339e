//! What is done to the users ticked in the list: first a page that says to whom and to whom not, then the act.

use actix_web::HttpResponse;

use crate::admin::bulk::{Answer, Outcome, Row};
use crate::admin::confirm::Choice;
use crate::admin::error::PageError;
use crate::admin::staff::Staff;
use crate::admin::users::sessions::{after_end_of_all, end_all};
use crate::admin::users::{Actor, Target, roles_moved};
use crate::admin::visit::Flash;
use crate::admin::when::count_words;
use crate::auth::grants::Grants;
use crate::auth::permissions::{Permission, Verb};
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::model::audit::{Audit, Change, Object};
use crate::model::{panel_session, role};
use crate::site::Site;

/// An act on many users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Activate,
    Deactivate,
    SignOut,
    GiveRole,
    TakeRole,
}

impl Act {
    const ALL: [Self; 5] = [Self::Activate, Self::Deactivate, Self::SignOut, Self::GiveRole, Self::TakeRole];

    fn name(self) -> &'static str {
        match self {
            Self::Activate => "activate",
            Self::Deactivate => "deactivate",
            Self::SignOut => "sign-out",
            Self::GiveRole => "give-role",
            Self::TakeRole => "take-role",
        }
    }

    /// Its code in the audit log.
    fn code(self) -> &'static str {
        match self {
            Self::Activate => "user.activate",
            Self::Deactivate => "user.deactivate",
            Self::SignOut => "user.sign_out",
            Self::GiveRole => "role.give",
            Self::TakeRole => "role.take",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Activate => "Activate",
            Self::Deactivate => "Deactivate",
            Self::SignOut => "Sign out everywhere",
            Self::GiveRole => "Add a role…",
            Self::TakeRole => "Remove a role…",
        }
    }

    fn permission(self) -> Option<Permission> {
        match self {
            Self::Activate | Self::Deactivate => Permission::of("users", Verb::Change),
            Self::SignOut => Permission::of("sessions", Verb::Revoke),
            Self::GiveRole | Self::TakeRole => Permission::of("grants", Verb::Change),
        }
    }

    fn button(self) -> &'static str {
        match self {
            Self::GiveRole => "Add role",
            Self::TakeRole => "Remove role",
            other => other.label(),
        }
    }

    fn heading(self, users: &str) -> String {
        match self {
            Self::Activate => format!("Activate {users}?"),
            Self::Deactivate => format!("Deactivate {users}?"),
            Self::SignOut => format!("Sign {users} out everywhere?"),
            Self::GiveRole => format!("Add a role to {users}?"),
            Self::TakeRole => format!("Remove a role from {users}?"),
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Activate => "They may sign in again. Sessions that ended before stay ended.",
            Self::Deactivate => "They are signed out at once, and keep all their data.",
            Self::SignOut => "Every device has to sign in again. Access tokens already handed out end at once.",
            Self::GiveRole | Self::TakeRole => "It takes effect on their next request.",
        }
    }

    fn done(self, users: &str, one: bool, role: &str) -> String {
        let were = if one { "was" } else { "were" };
        match self {
            Self::Activate => format!("{users} {were} activated."),
            Self::Deactivate => format!("{users} {were} deactivated."),
            Self::SignOut => format!("{users} {were} signed out everywhere."),
            Self::GiveRole => format!("{users} {} the role {role} now.", if one { "has" } else { "have" }),
            Self::TakeRole => format!("{users} {} the role {role} no more.", if one { "has" } else { "have" }),
        }
    }

    fn moves_a_role(self) -> bool {
        matches!(self, Self::GiveRole | Self::TakeRole)
    }
}

/// The acts that the viewer may do.
pub fn offered<N>(staff: &Staff<N>) -> Vec<(&'static str, String)> {
    let may = |act: &Act| act.permission().is_some_and(|permission| staff.state().permissions.holds(permission));
    Act::ALL.into_iter().filter(may).map(|act| (act.name(), act.label().to_owned())).collect()
}

/// Asks about an act on the users ticked, or does it, once that was answered.
pub async fn handle(site: &Site, staff: &Staff, answer: Answer) -> Result<HttpResponse, PageError> {
    let Some(act) = Act::ALL.into_iter().find(|act| act.name() == answer.action) else {
        return Ok(answer.nothing_chosen(staff));
    };
    if let Some(needed) = act.permission() {
        staff.require(site, needed).await?;
    }
    let (actor, ids) = (staff.actor(), answer.ids.clone());
    let (rows, roles) = site
        .db
        .read(move |conn| {
            let roles = if act.moves_a_role() { role::all(conn)? } else { Vec::new() };
            Ok((rows(conn, &actor, act, &ids)?, roles))
        })
        .await?;
    let mut ask = answer.asked("/admin/users/", ("user", "users"), &rows, |users| act.heading(users));
    ask.words = act.words().to_owned();
    if !ask.act.is_empty() {
        ask.act = act.button().to_owned();
    }
    if act.moves_a_role() && roles.is_empty() {
        return Err(PageError::Rule("There are no roles yet. Add one first.".to_owned()));
    }
    if act.moves_a_role() {
        let options = roles.iter().map(|role| (role.id.to_string(), role.name.clone())).collect();
        ask.choice = Some(Choice { name: "role", label: "Role", options });
    }
    let frame = staff.frame(&[("Users", "/admin/users/"), (act.button(), "")]).within("/admin/users/");
    let role: Option<i64> = answer.sent.value("role").parse().ok();
    let chosen = roles.iter().find(|one| Some(one.id) == role).map(|one| one.name.clone()).unwrap_or_default();
    if !answer.is_sure() {
        return ask.page(frame);
    }
    if !ask.is_met(&answer.confirm) {
        return ask.refused(frame, answer.sent);
    }
    if act.moves_a_role() && chosen.is_empty() {
        return Err(PageError::Rule("The role that was chosen is gone.".to_owned()));
    }

    let ids = answer.ids.clone();
    let work = Work {
        act,
        role: role.filter(|_| act.moves_a_role()).map(|id| (id, chosen.clone())),
        actor: staff.actor(),
        grants: site.grants.clone(),
        audit: staff.audits(site, act.code()).because(answer.sent.value("reason")),
        now: site.clock.now(),
    };
    let undo = work.audit.act();
    let outcome = staff.write(site, move |conn| work.carry_out(conn, &ids)).await?;
    let users = count_words(outcome.done, "user", "users");
    let mut flash =
        Flash::done(act.done(&users, outcome.done == 1, &chosen)).adding(outcome.in_words("session", "sessions"));
    if act != Act::SignOut {
        flash = flash.undoing(&undo);
    }
    if outcome.done == 0 {
        flash = Flash::warning("Nothing was changed.").adding(outcome.in_words("session", "sessions"));
    }
    staff.done(site, &flash);
    Ok(after_end_of_all(staff.visit(), outcome.ended_own_session, answer.back()))
}

/// The users ticked, each with the reason why it will be left out.
fn rows(conn: &mut Conn, actor: &Actor, act: Act, ids: &[i64]) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for id in ids {
        let target = match Target::load(conn, *id) {
            Ok(target) => target,
            Err(Error::NotFound(_)) => continue,
            Err(error) => return Err(error),
        };
        let left_out = exception(actor, act, &target);
        rows.push(Row { name: target.state.username.into(), about: String::new(), left_out });
    }
    Ok(rows)
}

fn exception(actor: &Actor, act: Act, target: &Target) -> Option<String> {
    actor.out_of_reach(target).or_else(|| match act {
        Act::Activate => target.state.active.then(|| "active already".to_owned()),
        Act::Deactivate if !target.state.active => Some("inactive already".to_owned()),
        Act::Deactivate => actor.must_stay(target, "deactivate"),
        Act::SignOut | Act::GiveRole | Act::TakeRole => None,
    })
}

/// An act that was asked about and is to be done.
struct Work {
    act: Act,
    /// The role that is given or taken, and its name.
    role: Option<(i64, String)>,
    actor: Actor,
    grants: Grants,
    audit: Audit,
    now: Timestamp,
}

impl Work {
    /// Does it to each of these that can be done; an entry of the audit log for each of them, so that each history tells it.
    fn carry_out(&self, conn: &mut Conn, ids: &[i64]) -> Result<Outcome> {
        let mut outcome = Outcome::default();
        for id in ids {
            match Target::load(conn, *id) {
                Ok(target) if self.carry_out_on(conn, &target, &mut outcome)? => outcome.done += 1,
                Ok(_) | Err(Error::NotFound(_)) => outcome.left_out += 1,
                Err(error) => return Err(error),
            }
        }
        Ok(outcome)
    }

    /// Does it to one user; `false` if that user is left out.
    fn carry_out_on(&self, conn: &mut Conn, target: &Target, outcome: &mut Outcome) -> Result<bool> {
        let Self { act, actor, grants, now, .. } = self;
        let (act, id, now) = (*act, target.id, *now);
        let moved = match &self.role {
            Some((role, _)) => actor.cannot_move_role(conn, *role, id, act == Act::GiveRole)?,
            None => None,
        };
        if exception(actor, act, target).or(moved).is_some() {
            return Ok(false);
        }
        let sessions = |ended| Some(Change::fact("sessions_ended", ended));
        let (mut ended, mut changes) = (0, Vec::new());
        match (act, &self.role) {
            (Act::Activate | Act::Deactivate, _) => {
                if act == Act::Deactivate {
                    ended += panel_session::end_all(conn, id)?;
                }
                ended += grants.set_active_in(conn, id, act == Act::Activate, now)?;
                changes.extend(Change::of("is_active", target.state.active, act == Act::Activate));
                changes.extend(sessions(ended).filter(|_| act == Act::Deactivate));
            }
            (Act::SignOut, _) => {
                ended += end_all(conn, grants, id, now)?;
                outcome.ended_own_session |= id == actor.id;
                changes.extend(sessions(ended));
            }
            (Act::GiveRole, Some((role, name))) => {
                if !role::give(conn, *role, id, now)? {
                    return Ok(false);
                }
                changes.extend(Change::of("roles", "", name));
                changes.extend(roles_moved(&[(*role, true)]));
            }
            (Act::TakeRole, Some((role, name))) => {
                if !role::take(conn, *role, id)? {
                    return Ok(false);
                }
                changes.extend(Change::of("roles", name, ""));
                changes.extend(roles_moved(&[(*role, false)]));
            }
            (Act::GiveRole | Act::TakeRole, None) => return Ok(false),
        }
        outcome.also += ended;
        grants.changed_in(conn, id, now)?;
        self.audit.clone().on(Object::user(id, &*target.state.username)).with(changes).append(conn)?;
        Ok(true)
    }
}
