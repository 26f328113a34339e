//! *Undo*: an act on accounts that was just done, taken back by what the audit log says of it, as long as nobody has changed
//! the same again since.

use std::time::Duration;

use actix_web::{HttpResponse, web};

use crate::admin::audits::by;
use crate::admin::error::PageError;
use crate::admin::form::Form;
use crate::admin::layout::{inside_panel, see_other};
use crate::admin::staff::Staff;
use crate::admin::users::sessions::end_all;
use crate::admin::users::{Actor, Removal, Target, roles_moved};
use crate::admin::visit::Flash;
use crate::auth::grants::Grants;
use crate::auth::permissions::{Permission, Verb};
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::language::Said;
use crate::model::audit::act::{self, Told};
use crate::model::audit::{Audit, Change, Object};
use crate::model::role;
use crate::rest::fields::{Fields, Input};
use crate::site::Site;

/// For how long an act can be taken back.
const GOOD_FOR: Duration = Duration::from_secs(10 * 60);
/// What can be taken back.
const ACTS: [&str; 5] = ["user.activate", "user.deactivate", "user.change", "role.give", "role.take"];
/// Reasons that are told one by one.
const REASONS: usize = 3;

/// Which act, and where to go on.
pub struct Which {
    act: String,
    back: String,
}

impl Input for Which {
    fn read(f: &mut Fields) -> Self {
        let mut text = |name| f.text(name).blank().value();
        Self { act: text("act"), back: text("back") }
    }
}

/// What of one entry is taken back.
struct Back {
    told: Told,
    user: i64,
    /// What *Active* was before, if that was changed.
    active: Option<bool>,
    /// The roles to move, each with whether it is given.
    moves: Vec<(i64, bool)>,
}

impl Back {
    /// What can be taken back of an entry; `None` if nothing can.
    fn of(told: Told) -> Option<Self> {
        if !ACTS.contains(&told.action.as_str()) {
            return None;
        }
        let ids = |field: &str| -> Vec<i64> {
            let moved = told.changes.iter().filter(|change| change.field == field);
            moved.flat_map(|change| change.after.split(", ")).filter_map(|id| id.parse().ok()).collect()
        };
        let given = ids("roles_given").into_iter().map(|role| (role, false));
        let moves: Vec<(i64, bool)> = given.chain(ids("roles_taken").into_iter().map(|role| (role, true))).collect();
        let active = told.changes.iter().find(|change| change.field == "is_active");
        let active = active.and_then(|change| change.before.parse().ok());
        let user = told.object_id.parse().ok().filter(|_| told.object_kind == "user")?;
        (active.is_some() || !moves.is_empty()).then_some(Self { told, user, active, moves })
    }

    fn needs(&self) -> impl Iterator<Item = Permission> {
        let active = self.active.and_then(|_| Permission::of("users", Verb::Change));
        let moves = (!self.moves.is_empty()).then(|| Permission::of("grants", Verb::Change)).flatten();
        active.into_iter().chain(moves)
    }
}

/// What came of it.
#[derive(Default)]
struct Outcome {
    names: Vec<String>,
    revived: bool,
    ended: usize,
    left_out: Vec<String>,
}

impl Outcome {
    fn flash(self) -> Flash {
        let mut more = Vec::new();
        if self.revived {
            more.push(say!("Sessions that ended stay ended."));
        }
        if self.ended > 0 {
            more.push(say!(count = self.ended => "{count} session ended." | "{count} sessions ended."));
        }
        if self.left_out.len() > REASONS {
            more.push(say!(count = self.left_out.len() => "{count} was left out." | "{count} were left out."));
        }
        more.extend(self.left_out.into_iter().take(REASONS));
        let flash = match self.names.as_slice() {
            [] => Flash::warning(said!("Nothing was undone.")),
            [one] => Flash::done(said!("Undone: {name} is as before.", name = one)),
            many => Flash::done(said!(
                count = many.len() => "Undone: {count} user is as before." | "Undone: {count} users are as before."
            )),
        };
        flash.adding(more.join(" "))
    }
}

/// Takes an act of this session back, as far as it still stands.
pub async fn take_back(site: web::Data<Site>, staff: Staff, form: Form<Which>) -> Result<HttpResponse, PageError> {
    let Ok((which, _)) = form.checked() else { return Ok(see_other("/admin/")) };
    let back = see_other(inside_panel(&which.back));
    let nothing = |words: Said| staff.visit().flash(&Flash::warning(said!("Nothing was undone.")).adding(words));
    let now = site.clock.now();
    if act::moment(&which.act).is_none_or(|at| now >= at + GOOD_FOR) {
        nothing(said!("An act can be undone for 10 minutes."));
        return Ok(back);
    }
    let me = by(&site, staff.visit().request(), Some(staff.id()), String::new());
    let (id, session) = (staff.id(), me.session);
    let told = site.db.read(move |conn| act::entries(conn, &which.act, id, &session)).await?;
    let acts: Vec<Back> = told.into_iter().filter_map(Back::of).collect();
    if acts.is_empty() {
        nothing(said!("What was done in another session cannot be undone in this one."));
        return Ok(back);
    }
    for needed in acts.iter().flat_map(Back::needs) {
        staff.require(&site, needed).await?;
    }
    let work =
        Work { actor: staff.actor(), grants: site.grants.clone(), audit: staff.audits(&site, "panel.undo"), now };
    let (done, failed) = staff.write_each(&site, acts, move |conn, one| work.take_back(conn, one)).await;
    let mut outcome = Outcome::default();
    for one in done {
        match one {
            Ok(done) => {
                outcome.names.push(done.name);
                outcome.ended += done.ended;
                outcome.revived |= done.revived;
            }
            Err(why) => outcome.left_out.push(why),
        }
    }
    if outcome.names.is_empty() {
        failed?;
    }
    staff.done(&site, &outcome.flash());
    Ok(back)
}

struct Work {
    actor: Actor,
    grants: Grants,
    audit: Audit,
    now: Timestamp,
}

/// An account that is as it was before.
struct Done {
    name: String,
    revived: bool,
    ended: usize,
}

impl Work {
    /// Takes one entry back inside the caller's transaction; the inner error says why it stays.
    fn take_back(&self, conn: &mut Conn, back: &Back) -> Result<Result<Done, String>> {
        let Self { grants, now, .. } = self;
        let (id, now) = (back.user, *now);
        let target = match Target::load(conn, id) {
            Ok(target) => target,
            Err(Error::NotFound(_)) => return Ok(Err(say!("{name} is gone.", name = back.told.object))),
            Err(error) => return Err(error),
        };
        let name = target.state.username.to_string();
        if let Some(why) = self.objection(conn, back, &target)? {
            return Ok(Err(why));
        }
        let mut changes = vec![Change::fact("undoes", back.told.id)];
        let mut ended = 0;
        if let Some(active) = back.active {
            // The same as switching it on or off by hand: what ended before stays ended.
            ended = if active { 0 } else { end_all(conn, grants, id, now)? };
            grants.set_active_in(conn, id, active, now)?;
            changes.extend(Change::of("is_active", !active, active));
            changes.extend((!active).then(|| Change::fact("sessions_ended", ended)));
        }
        for (role, give) in &back.moves {
            if *give {
                role::give(conn, *role, id, now)?
            } else {
                role::take(conn, *role, id)?
            };
        }
        if !back.moves.is_empty() {
            let before = back.told.changes.iter().find(|change| change.field == "roles");
            changes.extend(before.and_then(|roles| Change::of("roles", &roles.after, &roles.before)));
            changes.extend(roles_moved(&back.moves));
            grants.changed_in(conn, id, now)?;
        }
        self.audit.clone().on(Object::user(id, &name)).with(changes).append(conn)?;
        Ok(Ok(Done { name, revived: back.active == Some(true), ended }))
    }

    /// Why the act on this account must stay as it is.
    fn objection(&self, conn: &mut Conn, back: &Back, target: &Target) -> Result<Option<String>> {
        let (actor, name) = (&self.actor, &target.state.username);
        let overtaken = say!("{name} has changed since.", name);
        let fields = [("is_active", back.active.is_some()), ("roles", !back.moves.is_empty())];
        let fields: Vec<&str> = fields.into_iter().filter(|(_, moved)| *moved).map(|(field, _)| field).collect();
        if act::is_overtaken(conn, &back.told, &fields)? || back.active == Some(target.state.active) {
            return Ok(Some(overtaken));
        }
        let rule = actor.out_of_reach(target);
        let rule = rule.or_else(|| actor.must_stay(target, Removal::Deactivate).filter(|_| back.active == Some(false)));
        if rule.is_some() {
            return Ok(rule.map(String::from));
        }
        let held: Vec<i64> = role::of_user(conn, target.id)?.into_iter().map(|role| role.id).collect();
        for (role, give) in &back.moves {
            if role::by_id(conn, *role)?.is_none() {
                return Ok(Some(say!("A role that {name} had is gone.", name)));
            }
            if held.contains(role) == *give {
                return Ok(Some(overtaken));
            }
            if let Some(why) = actor.cannot_move_role(conn, *role, target.id, *give)? {
                return Ok(Some(say!("{name}: {why}", name, why)));
            }
        }
        Ok(None)
    }
}
