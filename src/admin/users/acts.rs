//! What is done to one account after a page that asks: sign out everywhere, reset two-factor sign-in, deactivate, delete.

use actix_web::{HttpResponse, web};

use crate::admin::confirm::{Confirmation, Confirmed, Effect};
use crate::admin::error::PageError;
use crate::admin::form::{Button, Form};
use crate::admin::layout::{Frame, see_other};
use crate::admin::staff::{Change, Delete, Need, Revoke, Sessions, Staff, Users};
use crate::admin::users::sessions::{after_end_of_all, end_all, living};
use crate::admin::users::{Actor, Removal, Target};
use crate::admin::visit::Flash;
use crate::admin::when::{Now, When};
use crate::auth::grants::Grants;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::language::Said;
use crate::model::audit::{Audit, Change as Changed, Object};
use crate::model::belongings::{self, Belongings};
use crate::model::session::Ended;
use crate::model::user::{self, User};
use crate::model::{panel_session, token, two_factor};
use crate::site::Site;

/// An account that is asked about.
struct Account {
    user: User,
    target: Target,
    roles: Vec<String>,
    sessions: usize,
    belongings: Belongings,
}

async fn account<N: Need>(site: &Site, staff: &Staff<N>, id: i64) -> Result<Account, PageError> {
    let now = staff.now();
    let idle_since = now.at - site.settings.admin.session_idle;
    let load = move |conn: &mut Conn| {
        let target = Target::load(conn, id)?;
        let user = user::by_id(conn, id)?.ok_or(Error::not_found())?;
        let sessions = living(conn, id, user.generation, "", idle_since, now)?.len();
        let (roles, belongings) = (user::role_names(conn, id)?, belongings::of(conn, id, now.at)?);
        Ok(Account { user, target, roles, sessions, belongings })
    };
    let account = site.db.read(load).await?;
    staff.actor().reach(&account.target).map(|()| account)
}

impl Account {
    fn path(&self) -> String {
        format!("/admin/users/{}/", self.user.id)
    }

    fn frame<N: Need>(&self, staff: &Staff<N>, act: &str) -> Frame {
        staff.frame(&[(&say!("Users"), "/admin/users/"), (&self.user.username, &self.path()), (act, "")])
    }

    fn facts(&self, now: Now) -> Vec<(&'static str, String)> {
        let or_none = |text: String| if text.is_empty() { say!("none") } else { text };
        let last = self.user.last_login.map_or_else(|| say!("never"), |at| When::new(at, now).short);
        vec![
            (key!("Username"), self.user.username.clone()),
            (key!("E-mail"), or_none(self.user.email.clone())),
            (key!("Joined"), When::new(self.user.date_joined, now).short),
            (key!("Last sign-in"), last),
            (key!("Roles"), or_none(self.roles.join(", "))),
        ]
    }

    /// What every page about it has; `act` is the last part of the address.
    fn asked(&self, act: &str, now: Now) -> Confirmation {
        Confirmation {
            action: format!("{}{act}/", self.path()),
            facts_title: key!("The account"),
            facts: self.facts(now),
            card: key!("What goes with it"),
            way_out: (say!("Keep the account"), self.path()),
            ..Confirmation::default()
        }
    }

    fn sessions_end(&self) -> Effect {
        let how_many = self.sessions.to_string();
        Effect {
            what: key!("Sessions"),
            how_many,
            happens: key!("signed out now, with their access tokens"),
            is_loss: false,
        }
    }

    fn keys_rest(&self) -> Effect {
        let how_many = self.belongings.api_keys.to_string();
        Effect {
            what: key!("API keys"),
            how_many,
            happens: key!("refused while the account is inactive"),
            is_loss: false,
        }
    }
}

fn ask_sign_out(account: &Account, now: Now) -> Confirmation {
    Confirmation {
        heading: say!("Sign {username} out everywhere?", username = account.user.username),
        words: say!("Every device has to sign in again. Access tokens already handed out end at once."),
        effects: vec![account.sessions_end()],
        act: say!("Sign out everywhere"),
        way_out: (say!("Keep the sessions"), account.path()),
        ..account.asked("sign-out", now)
    }
}

/// Asks before every session of a user ends.
pub async fn ask_to_sign_out(
    site: web::Data<Site>,
    staff: Staff<Revoke<Sessions>>,
    id: web::Path<i64>,
) -> Result<HttpResponse, PageError> {
    let account = account(&site, &staff, *id).await?;
    ask_sign_out(&account, staff.now()).page(account.frame(&staff, &say!("Sign out everywhere")))
}

/// Ends every session of a user.
pub async fn sign_out(
    site: web::Data<Site>,
    staff: Staff<Revoke<Sessions>>,
    id: web::Path<i64>,
    form: Form<Button>,
) -> Result<HttpResponse, PageError> {
    let id = *id;
    let (actor, grants, now) = (staff.actor(), site.grants.clone(), site.clock.now());
    let audit = staff.audits(&site, "user.sign_out").because(form.sent.value("reason"));
    let end = move |conn: &mut Conn| {
        let target = Target::load(conn, id)?;
        if let Err(refusal) = actor.reach(&target) {
            return Ok(Err(refusal));
        }
        let (username, ended) = (target.state.username, end_all(conn, &grants, id, now)?);
        audit.on(Object::user(id, &*username)).with([Changed::fact("sessions_ended", ended)]).append(conn)?;
        Ok(Ok((username, ended)))
    };
    let (username, ended) = staff.write(&site, end).await??;
    let flash = Flash::done(said!("{username} was signed out everywhere.", username))
        .adding(say!(count = ended => "{count} session ended." | "{count} sessions ended."));
    staff.done(&site, &flash);
    Ok(after_end_of_all(staff.visit(), staff.id() == id, &format!("/admin/users/{id}/")))
}

/// Why the viewer cannot reset the account's two-factor sign-in.
fn cannot_reset(conn: &mut Conn, actor: &Actor, target: &Target) -> Result<Option<Said>> {
    if actor.id == target.id {
        return Ok(Some(said!("Your own is switched off under Your account, with a code of it.")));
    }
    let is_on = two_factor::is_on(conn, target.id)?;
    Ok((!is_on).then(|| said!("{username} has no two-factor sign-in.", username = target.state.username)))
}

/// Asks before an account's two-factor sign-in is reset.
pub async fn ask_to_reset_two_factor(
    site: web::Data<Site>,
    staff: Staff<Change<Users>>,
    id: web::Path<i64>,
) -> Result<HttpResponse, PageError> {
    let account = account(&site, &staff, *id).await?;
    let (actor, id) = (staff.actor(), *id);
    let refusal = move |conn: &mut Conn| {
        let target = Target::load(conn, id)?;
        cannot_reset(conn, &actor, &target)
    };
    if let Some(rule) = site.db.read(refusal).await? {
        return Err(PageError::Rule(rule));
    }
    let ask = Confirmation {
        heading: say!("Reset two-factor sign-in of {username}?", username = account.user.username),
        words: say!(
            "The password alone will open the account, until its owner sets it up again. Be sure that it is the owner \
             who asks: a lost telephone is also what a thief would tell you."
        ),
        act: say!("Reset two-factor sign-in"),
        way_out: (say!("Keep it"), account.path()),
        ..account.asked("two-factor", staff.now())
    };
    ask.page(account.frame(&staff, &say!("Reset two-factor sign-in")))
}

/// Resets an account's two-factor sign-in.
pub async fn reset_two_factor(
    site: web::Data<Site>,
    staff: Staff<Change<Users>>,
    id: web::Path<i64>,
    form: Form<Button>,
) -> Result<HttpResponse, PageError> {
    let (actor, id) = (staff.actor(), *id);
    let audit = staff.audits(&site, "user.two_factor_reset").because(form.sent.value("reason"));
    let reset = move |conn: &mut Conn| {
        let target = Target::load(conn, id)?;
        if let Err(refusal) = actor.reach(&target) {
            return Ok(Err(refusal));
        }
        if let Some(rule) = cannot_reset(conn, &actor, &target)? {
            return Ok(Err(PageError::Rule(rule)));
        }
        two_factor::remove(conn, id)?;
        audit.on(Object::user(id, &*target.state.username)).append(conn)?;
        Ok(Ok(target.state.username))
    };
    let username = staff.write(&site, reset).await??;
    staff.done(&site, &Flash::done(said!("{username} has no two-factor sign-in any more.", username)));
    Ok(see_other(&format!("/admin/users/{id}/")))
}

/// Asks before an account is switched off.
pub async fn ask_to_deactivate(
    site: web::Data<Site>,
    staff: Staff<Change<Users>>,
    id: web::Path<i64>,
) -> Result<HttpResponse, PageError> {
    let account = account(&site, &staff, *id).await?;
    if let Some(rule) = staff.actor().must_stay(&account.target, Removal::Deactivate) {
        return Err(PageError::Rule(rule));
    }
    let ask = Confirmation {
        heading: say!("Deactivate {name}?", name = account.user.username),
        words: say!(
            "The user cannot sign in until the account is active again. It keeps {belongings}.",
            belongings = account.belongings.in_words()
        ),
        effects: vec![account.sessions_end(), account.keys_rest()],
        act: say!("Deactivate"),
        ..account.asked("deactivate", staff.now())
    };
    ask.page(account.frame(&staff, &say!("Deactivate")))
}

/// Switches an account off.
pub async fn deactivate(
    site: web::Data<Site>,
    staff: Staff<Change<Users>>,
    id: web::Path<i64>,
    form: Form<Button>,
) -> Result<HttpResponse, PageError> {
    let id = *id;
    let (actor, grants, now) = (staff.actor(), site.grants.clone(), site.clock.now());
    let audit = staff.audits(&site, "user.deactivate").because(form.sent.value("reason"));
    let act = audit.act();
    let switch_off = move |conn: &mut Conn| {
        let target = Target::load(conn, id)?;
        if let Err(refusal) = actor.reach(&target) {
            return Ok(Err(refusal));
        }
        if let Some(rule) = actor.must_stay(&target, Removal::Deactivate) {
            return Ok(Err(PageError::Rule(rule)));
        }
        let ended = panel_session::end_all(conn, id)? + grants.set_active_in(conn, id, false, now)?;
        let (was, username) = (target.state.active, target.state.username);
        let changes = Changed::of("is_active", was, false).into_iter().chain([Changed::fact("sessions_ended", ended)]);
        audit.on(Object::user(id, &*username)).with(changes).append(conn)?;
        Ok(Ok((username, ended, was)))
    };
    let (username, ended, was) = staff.write(&site, switch_off).await??;
    let flash = Flash::done(said!("{username} was deactivated.", username))
        .adding(say!(count = ended => "{count} session ended." | "{count} sessions ended."));
    let flash = if was { flash.undoing(&act) } else { flash };
    staff.done(&site, &flash);
    Ok(see_other(&format!("/admin/users/{id}/")))
}

fn ask_delete(account: &Account, may_deactivate: bool, now: Now) -> Confirmation {
    let effect =
        |what, how_many: i64, happens, is_loss| Effect { what, how_many: how_many.to_string(), happens, is_loss };
    let own = &account.belongings;
    let milder = said!(
        "To stop the user signing in, <milder>deactivate the account</milder> instead: nothing is lost and it can be reversed."
    )
    .to("milder", format!("{}deactivate/", account.path()));
    let kept = key!("revoked, kept on the blacklist until they expire");
    Confirmation {
        heading: say!("Delete {name}?", name = account.user.username),
        words: say!("This cannot be undone."),
        milder: (may_deactivate && account.user.is_active).then_some(milder),
        dangerous: true,
        effects: vec![
            account.sessions_end(),
            effect(key!("Refresh tokens"), own.live_tokens, kept, false),
            effect(key!("API keys"), own.api_keys, key!("revoked"), false),
            effect(key!("Articles"), own.articles, key!("deleted"), own.articles > 0),
            effect(key!("Tasks"), own.tasks, key!("deleted"), own.tasks > 0),
        ],
        typed: Some(account.user.username.clone()),
        act: say!("Delete user"),
        ..account.asked("delete", now)
    }
}

async fn asked_to_delete(
    site: &Site,
    staff: &Staff<Delete<Users>>,
    id: i64,
) -> Result<(Account, Confirmation), PageError> {
    let account = account(site, staff, id).await?;
    if let Some(rule) = staff.actor().must_stay(&account.target, Removal::Delete) {
        return Err(PageError::Rule(rule));
    }
    let may_deactivate = staff.may("users", crate::auth::permissions::Verb::Change);
    let ask = ask_delete(&account, may_deactivate, staff.now());
    Ok((account, ask))
}

/// Asks before an account is deleted.
pub async fn ask_to_delete(
    site: web::Data<Site>,
    staff: Staff<Delete<Users>>,
    id: web::Path<i64>,
) -> Result<HttpResponse, PageError> {
    let (account, ask) = asked_to_delete(&site, &staff, *id).await?;
    staff.recently(&site, &ask.action)?;
    ask.page(account.frame(&staff, &say!("Delete")))
}

/// Deletes an account.
pub async fn delete(
    site: web::Data<Site>,
    staff: Staff<Delete<Users>>,
    id: web::Path<i64>,
    form: Form<Confirmed>,
) -> Result<HttpResponse, PageError> {
    let id = *id;
    let (account, ask) = asked_to_delete(&site, &staff, id).await?;
    staff.recently(&site, &ask.action)?;
    let typed = form.input.as_ref().map_or("", |answer| answer.confirm.as_str());
    if !ask.is_met(typed) {
        return ask.refused(account.frame(&staff, &say!("Delete")), form.sent);
    }
    let (actor, grants, now) = (staff.actor(), site.grants.clone(), site.clock.now());
    let audit = staff.audits(&site, "user.delete").because(form.sent.value("reason"));
    let delete = move |conn: &mut Conn| {
        let target = Target::load(conn, id)?;
        if let Err(refusal) = actor.reach(&target) {
            return Ok(Err(refusal));
        }
        if let Some(rule) = actor.must_stay(&target, Removal::Delete) {
            return Ok(Err(PageError::Rule(rule)));
        }
        let (ended, revoked) = remove(conn, &grants, audit, &target, actor.id, now)?;
        Ok(Ok((target.state.username, ended, revoked)))
    };
    let (username, ended, revoked) = staff.write(&site, delete).await??;
    let flash = Flash::done(said!("{username} was deleted.", username)).adding(say!(
        "{sessions} ended, {tokens} revoked.",
        sessions = said!(count = ended => "{count} session" | "{count} sessions"),
        tokens = said!(count = revoked => "{count} token" | "{count} tokens")
    ));
    staff.done(&site, &flash);
    Ok(see_other("/admin/users/"))
}

/// Deletes an account inside the caller's transaction; returns how many sessions ended and how many tokens were revoked.
///
/// # Errors
/// The database's.
pub fn remove(
    conn: &mut Conn,
    grants: &Grants,
    audit: Audit,
    target: &Target,
    by: i64,
    now: Timestamp,
) -> Result<(usize, usize)> {
    let id = target.id;
    let revoked = token::blacklist_user(conn, id, Ended::ByAdmin, Some(by), now)?;
    let ended = end_all(conn, grants, id, now)?;
    let own = belongings::of(conn, id, now)?;
    user::delete(conn, id)?;
    let counts = [
        Changed::fact("sessions_ended", ended),
        Changed::fact("tokens_revoked", revoked),
        Changed::fact("articles_deleted", own.articles),
        Changed::fact("tasks_deleted", own.tasks),
    ];
    audit.on(Object::user(id, &*target.state.username)).with(counts).append(conn)?;
    Ok((ended, revoked))
}
