//! A user's profile: shown, changed, and what happens when two people change it at once.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};

use crate::admin::audit::{self as audit_page, Sees};
use crate::admin::clash::Clash;
use crate::admin::error::PageError;
use crate::admin::form::{Filled, Form};
use crate::admin::layout::{html, segment};
use crate::admin::staff::{Change, Need, Staff, Users, View};
use crate::admin::users::form_page::{Edit, Locks, Save, allowed, filled, role_boxes};
use crate::admin::users::head::Head;
use crate::admin::users::input::{Profile, zone_hint};
use crate::admin::users::sessions::{self, Line, after_end_of_all, end_all};
use crate::admin::users::{Actor, Flag, Removal, Target, roles_moved};
use crate::admin::visit::Flash;
use crate::admin::when::{Now, When, ago};
use crate::auth::by_letter;
use crate::auth::grants::Grants;
use crate::auth::permissions::Verb;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::db::keyset::Keyset;
use crate::error::{Error, Result};
use crate::language::{Said, thousands};
use crate::model::audit::{self, Object, changed, list, user_fields};
use crate::model::user::{self, Taken, User, UserChanges};
use crate::model::{api_key, belongings, role, sign_in, two_factor};
use crate::site::Site;

const DAY: Duration = Duration::from_secs(86_400);

/// Sessions, and entries of its history, that the profile shows beside the form.
const NEWEST: usize = 3;

/// The tab with the profile of a user.
pub async fn page(
    site: web::Data<Site>,
    staff: Staff<View<Users>>,
    id: web::Path<i64>,
) -> Result<HttpResponse, PageError> {
    show(&site, &staff, *id, StatusCode::OK, None).await
}

async fn show<N: Need>(
    site: &Site,
    staff: &Staff<N>,
    id: i64,
    status: StatusCode,
    form: Option<Filled>,
) -> Result<HttpResponse, PageError> {
    let (actor, now) = (staff.actor(), staff.now());
    let (idle_since, own_token) = (now.at - site.settings.admin.session_idle, staff.visit().token());
    let must_be_verified = site.settings.accounts.require_verified_email;
    let (zone_hint, sees, sees_history) = (zone_hint(site), Sees::of(staff), staff.may("audit", Verb::View));
    let frame = staff.frame(&[(&say!("Users"), "/admin/users/")]);
    let load = move |conn: &mut Conn| {
        let target = Target::load(conn, id)?;
        let user = user::by_id(conn, id)?.ok_or(Error::not_found())?;
        let held = role::of_user(conn, id)?;
        let sessions = sessions::living(conn, id, user.generation, &own_token, idle_since, now)?;
        let own = belongings::of(conn, id, now.at)?;
        let has_two_factor = two_factor::is_on(conn, id)?;
        let (allowed, allowed_count) = allowed(conn, &held)?;
        let head = Head::new(&user, &target, &actor, "profile", sessions.len(), must_be_verified, now);
        let sees_roles = actor.may("roles", Verb::View) || actor.may("grants", Verb::View);
        let page = Edit {
            frame: frame.ending_in(&user.username),
            form: filled(&user, &held),
            is_new: false,
            email_hint: email_hint(&user),
            zone_hint,
            active_hint: active_hint(sessions.len()),
            password_hint: "",
            locks: locks(&actor, &target),
            roles: if sees_roles { Some(role_boxes(conn, &actor, Some((id, &held)))?) } else { None },
            may_see_roles: actor.may("roles", Verb::View),
            allowed,
            allowed_count,
            version: user.updated_at.micros(),
            may_change: actor.may("users", Verb::Change) && actor.out_of_reach(&target).is_none(),
            why_read_only: why_read_only(&actor, &target),
            save: Save {
                label: key!("Save changes"),
                stay: true,
                cancel: "/admin/users/".to_owned(),
                state: say!("Last changed {when}", when = When::new(user.updated_at, now).short),
            },
            facts: facts(conn, &actor, &user, has_two_factor, own.live_tokens, now)?,
            history: if sees_history { Some(history(conn, id, sees, now)?) } else { None },
            may_reset_two_factor: has_two_factor
                && actor.id != id
                && actor.may("users", Verb::Change)
                && actor.out_of_reach(&target).is_none(),
            may_deactivate: user.is_active && actor.may("users", Verb::Change) && actor.out_of_reach(&target).is_none(),
            may_delete: actor.may("users", Verb::Delete) && actor.out_of_reach(&target).is_none(),
            must_stay: actor.must_stay(&target, Removal::Either).unwrap_or_default().to_string(),
            belongings: own.in_words(),
            sessions: head.sessions.map(|_| newest(sessions)),
            head,
        };
        Ok(page)
    };
    let mut page = site.db.read(load).await?;
    if !page.head.is_service {
        let is_locked = site.sign_in.limits().holds_back(&page.head.username).await;
        let locked = if is_locked { say!("yes, for strangers") } else { say!("no") };
        page.facts.insert(1.min(page.facts.len()), (key!("Locked"), locked, String::new()));
    }
    if let Some(form) = form {
        page.frame = page.frame.without_flash();
        // A second try still begins at the version that the first page showed.
        page.version = form.value("version").parse().unwrap_or(page.version);
        page.form = form;
    }
    html(status, &page)
}

fn newest(mut sessions: Vec<Line>) -> Vec<Line> {
    sessions.truncate(NEWEST);
    sessions
}

fn email_hint(user: &User) -> String {
    match (user.email.is_empty(), user.email_verified) {
        (true, _) => say!("None is known."),
        (false, true) => say!("Verified. A new address must be verified again."),
        (false, false) => say!("Not verified."),
    }
}

fn active_hint(sessions: usize) -> String {
    match sessions {
        0 => say!("May sign in. Unticking keeps all data; prefer it to deleting."),
        count => say!(
            count => "May sign in. Unticking signs the user out of {count} device and keeps all data; prefer it to deleting."
                | "May sign in. Unticking signs the user out of {count} devices and keeps all data; prefer it to deleting."
        ),
    }
}

fn locks(actor: &Actor, target: &Target) -> Locks {
    let locked = |reason: Option<Said>| reason.unwrap_or_default().to_string();
    let staff = actor.cannot_grant().or_else(|| actor.must_keep(target, Flag::Staff).filter(|_| target.state.staff));
    let superuser = match actor.state.superuser {
        true => actor.must_keep(target, Flag::Superuser).filter(|_| target.state.superuser),
        false => Some(said!("Only a superuser changes this.")),
    };
    Locks {
        active: locked(actor.must_stay(target, Removal::Deactivate).filter(|_| target.state.active)),
        staff: locked(staff),
        superuser: locked(superuser),
    }
}

fn why_read_only(actor: &Actor, target: &Target) -> String {
    actor.out_of_reach(target).filter(|_| actor.may("users", Verb::Change)).unwrap_or_default().to_string()
}

/// Facts about the account's safety, each with the address of its page: as far as the viewer may see them.
fn facts(
    conn: &mut Conn,
    actor: &Actor,
    user: &User,
    has_two_factor: bool,
    live_tokens: i64,
    now: Now,
) -> Result<Vec<(&'static str, String, String)>> {
    let mut facts = Vec::new();
    let page = |tab: &str| format!("/admin/users/{}/{tab}/", user.id);
    if !user.is_service {
        let last = user.last_login.map_or_else(|| say!("never"), |at| When::new(at, now).short);
        facts.push((key!("Last sign-in"), last, String::new()));
        if actor.may("sign-ins", Verb::View) {
            if let Some(ip) = sign_in::last_address_of(conn, user.id)? {
                let path = format!("/admin/sign-ins/?q={}", segment(&ip));
                facts.push((key!("From"), ip, path));
            }
            let failed = sign_in::count_failed_of(conn, user.id, now.at - DAY)?;
            facts.push((key!("Failed, 24 h"), thousands(failed), page("sign-ins")));
        }
        let two_factor = if has_two_factor { say!("on") } else { say!("off") };
        facts.push((key!("Two-factor sign-in"), two_factor, String::new()));
        let tokens = if actor.may("tokens", Verb::View) { page("tokens") } else { String::new() };
        facts.push((key!("Live tokens"), thousands(live_tokens), tokens));
    }
    if actor.may("api-keys", Verb::View) {
        let keys = api_key::all_of(conn, user.id)?;
        let used = keys.iter().filter_map(|key| key.last_used_at).max();
        let count = keys.len();
        let words = match used {
            Some(at) => say!("{count}, used {when}", count, when = ago(at, now)),
            None => count.to_string(),
        };
        facts.push((key!("API keys"), words, page("api-keys")));
    }
    Ok(facts)
}

/// What was done to the account last.
fn history(conn: &mut Conn, id: i64, sees: Sees, now: Now) -> Result<Vec<audit_page::Row>> {
    let newest = Keyset { by: list::BY_TIME, descending: true, from: None, backwards: false, rows: NEWEST };
    let page = list::page(conn, &list::Query { about: Some(id), ..list::Query::default() }, &newest)?;
    audit_page::rows(conn, page.rows, sees, now)
}

/// What came of a try to save.
enum Saved {
    /// It is done; so many sessions ended, and these roles were given or taken.
    Done { ended: usize, new_email: bool, switched: bool, moves: Vec<(i64, bool)> },
    /// Somebody else has the name.
    Taken,
    /// Somebody else has saved meanwhile: what they left.
    Clash(Box<(User, Filled)>),
    /// It is not allowed.
    Refused(PageError),
    /// The viewer must show the password first.
    PasswordFirst,
}

/// Saves a profile.
pub async fn save(
    site: web::Data<Site>,
    staff: Staff<Change<Users>>,
    id: web::Path<i64>,
    form: Form<Profile>,
) -> Result<HttpResponse, PageError> {
    let id = *id;
    let form = match Clash::is_answered(&form.sent) {
        true => settle(&site, id, form.sent).await?,
        false => form,
    };
    let (typed, sent) = match form.checked() {
        Ok(checked) => checked,
        Err(form) => return show(&site, &staff, id, StatusCode::UNPROCESSABLE_ENTITY, Some(form)).await,
    };
    let wanted: Vec<i64> = sent.values("roles").filter_map(|id| id.parse().ok()).collect();
    let (actor, grants, now) = (staff.actor(), site.grants.clone(), staff.now());
    let username = typed.username.clone();
    let verify = site.settings.mail.verify_new_addresses;
    let has_shown_password = staff.has_shown_password(&site);
    let audit = staff.audits(&site, "user.change");
    let act = audit.act();
    let write = move |conn: &mut Conn| {
        let before = user::by_id(conn, id)?.ok_or(Error::not_found())?;
        let fields = user_fields(conn, &before)?;
        if before.is_superuser != typed.is_superuser && actor.state.superuser && !has_shown_password {
            return Ok(Saved::PasswordFirst);
        }
        let saved = change(conn, &grants, &actor, id, &typed, &wanted, now.at)?;
        if let Saved::Done { ended, moves, .. } = &saved {
            let after = user::by_id(conn, id)?.ok_or(Error::not_found())?;
            if before.email != typed.email {
                by_letter::address_changed(conn, &before.email, &after, verify, now.at)?;
            }
            let changes = changed(&fields, &user_fields(conn, &after)?);
            let ended = (*ended > 0).then(|| audit::Change::fact("sessions_ended", ended));
            audit
                .on(Object::user(id, after.username))
                .with(changes)
                .with(ended)
                .with(roles_moved(moves))
                .append(conn)?;
        }
        Ok(saved)
    };
    match staff.write(&site, write).await? {
        Saved::Done { ended, new_email, switched, moves } => {
            site.mail.ring();
            let can_undo = switched || !moves.is_empty();
            let flash = Flash::done(said!("{username} was saved.", username));
            let flash = flash.adding(consequences(ended, new_email, can_undo));
            let flash = if can_undo { flash.undoing(&act) } else { flash };
            staff.done(&site, &flash);
            let next =
                if sent.value("then") == "stay" { format!("/admin/users/{id}/") } else { "/admin/users/".to_owned() };
            Ok(after_end_of_all(staff.visit(), ended > 0 && staff.id() == id, &next))
        }
        Saved::Taken => {
            let form = sent.refused_for("username", say!("Another account already has the name {username}.", username));
            show(&site, &staff, id, StatusCode::UNPROCESSABLE_ENTITY, Some(form)).await
        }
        Saved::Clash(theirs) => {
            let (user, theirs) = *theirs;
            let roles = site.db.read(role::all).await?;
            let name = |id: &str| roles.iter().find(|role| role.id.to_string() == id).map(|role| role.name.clone());
            let clash =
                Clash::new(&user.username, user.updated_at, format!("/admin/users/{id}/"), &sent, &theirs, name);
            let path = format!("/admin/users/{id}/");
            let (users, here) = (say!("Users"), say!("Changed meanwhile"));
            clash.page(staff.frame(&[(&users, "/admin/users/"), (&user.username, &path), (&here, "")]), now)
        }
        Saved::Refused(refusal) => Err(refusal),
        Saved::PasswordFirst => Err(staff.password_first(&format!("/admin/users/{id}/"))),
    }
}

/// The form with what was chosen of two versions.
async fn settle(site: &Site, id: i64, mut mine: Filled) -> Result<Form<Profile>> {
    let load = move |conn: &mut Conn| {
        let user = user::by_id(conn, id)?.ok_or(Error::not_found())?;
        Ok(filled(&user, &role::of_user(conn, id)?))
    };
    let theirs = site.db.read(load).await?;
    Clash::settle(&mut mine, &theirs);
    Ok(Form::read(mine.into_pairs()))
}

fn consequences(ended: usize, new_email: bool, can_undo: bool) -> String {
    let mut words = Vec::new();
    if ended > 0 {
        words.push(say!(count = ended => "{count} session ended." | "{count} sessions ended."));
    }
    if new_email {
        words.push(say!("The new address is not verified."));
    }
    if can_undo {
        words.push(say!("Undo takes back Active and roles, nothing else."));
    }
    words.join(" ")
}

fn change(
    conn: &mut Conn,
    grants: &Grants,
    actor: &Actor,
    id: i64,
    new: &Profile,
    wanted: &[i64],
    now: Timestamp,
) -> Result<Saved> {
    let target = Target::load(conn, id)?;
    let user = user::by_id(conn, id)?.ok_or(Error::not_found())?;
    if user.is_service && new.is_superuser {
        let words = said!("A service is no superuser. Give it roles that allow what it does.");
        return Ok(Saved::Refused(PageError::Rule(words)));
    }
    // Each flag is asked for by itself: that a box was not drawn keeps nobody from sending it.
    if let Err(refusal) = actor.reaches(&target).and_then(|()| actor.set_flags(&target, new.flags())) {
        return Ok(Saved::Refused(refusal.into()));
    }
    let held = role::of_user(conn, id)?;
    if new.version != user.updated_at.micros() {
        let theirs = filled(&user, &held);
        return Ok(Saved::Clash(Box::new((user, theirs))));
    }
    let held: Vec<i64> = held.into_iter().map(|role| role.id).collect();
    let given: Vec<i64> = wanted.iter().filter(|role| !held.contains(role)).copied().collect();
    let taken: Vec<i64> = held.iter().filter(|role| !wanted.contains(role)).copied().collect();
    // A viewer who is shown no roles sends none, and means nothing by it.
    let sees_roles = actor.may("roles", Verb::View) || actor.may("grants", Verb::View);
    let moves = given.iter().map(|role| (*role, true)).chain(taken.iter().map(|role| (*role, false)));
    let moves: Vec<(i64, bool)> = if sees_roles { moves.collect() } else { Vec::new() };
    if let Err(refusal) = actor.move_roles(conn, id, &moves)? {
        return Ok(Saved::Refused(refusal.into()));
    }
    let new_email = new.has_new_email(&user);
    let changes = UserChanges {
        username: Some(new.username.clone()),
        first_name: Some(new.first_name.clone()),
        last_name: Some(new.last_name.clone()),
        email: Some(new.email.clone()),
        email_verified: Some(new.email_verified && !new_email),
        is_active: Some(new.is_active),
        is_staff: Some(new.is_staff),
        is_superuser: Some(new.is_superuser),
        is_premium: Some(new.is_premium),
        time_zone: Some(new.zone_name()),
        // Later than the version that the form was made from, whatever the clock says: no two versions are alike.
        updated_at: now.max(user.updated_at + Duration::from_micros(1)),
        ..UserChanges::default()
    };
    if let Err(Taken) = user::update(conn, id, &changes)? {
        return Ok(Saved::Taken);
    }
    for (role, give) in &moves {
        if *give {
            role::give(conn, *role, id, now)?
        } else {
            role::take(conn, *role, id)?
        };
    }
    let switched = user.is_active != new.is_active;
    let switched_off = switched && !new.is_active;
    let ended = if switched_off { end_all(conn, grants, id, now)? } else { 0 };
    grants.changed_in(conn, id, now)?;
    Ok(Saved::Done { ended, new_email: new_email && !new.email.is_empty(), switched, moves })
}
