//! What is done with the tokens ticked in a list: outstanding ones are revoked with their sessions, blacklisted ones restored.

use std::collections::HashSet;

use actix_web::HttpResponse;

use crate::admin::bulk::{Answer, Outcome, Row};
use crate::admin::error::PageError;
use crate::admin::layout::see_other;
use crate::admin::staff::Staff;
use crate::admin::tokens::detail::Token;
use crate::admin::tokens::restore;
use crate::admin::users::Actor;
use crate::admin::visit::Flash;
use crate::admin::when::{Now, count_words};
use crate::auth::grants::Grants;
use crate::auth::permissions::{Permission, Verb};
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::model::audit::{Audit, Object};
use crate::model::blacklist;
use crate::model::session::Ended;
use crate::model::token_list;
use crate::site::Site;

/// What is done.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Act {
    Revoke,
    Restore,
}

/// Asks about revoking the outstanding tokens ticked, or does it, once that was answered.
pub async fn revoke(site: &Site, staff: &Staff, answer: Answer) -> Result<HttpResponse, PageError> {
    if answer.action != "revoke" {
        return Ok(answer.nothing_chosen(staff));
    }
    if let Some(needed) = Permission::of("tokens", Verb::Revoke) {
        staff.require(site, needed).await?;
    }
    handle(site, staff, answer, Act::Revoke).await
}

/// Asks about restoring the blacklisted tokens ticked, or does it, once that was answered.
pub async fn restore(site: &Site, staff: &Staff, answer: Answer) -> Result<HttpResponse, PageError> {
    if answer.action != "restore" {
        return Ok(answer.nothing_chosen(staff));
    }
    if let Some(needed) = Permission::of("blacklist", Verb::Delete) {
        staff.require(site, needed).await?;
    }
    restore::superuser(staff)?;
    staff.recently(site, answer.back())?;
    handle(site, staff, answer, Act::Restore).await
}

async fn handle(site: &Site, staff: &Staff, answer: Answer, act: Act) -> Result<HttpResponse, PageError> {
    let (actor, ids, now) = (staff.actor(), answer.ids.clone(), staff.now());
    let loaded = site.db.read(move |conn| rows(conn, &actor, act, &ids, now)).await?;
    let rows: Vec<Row> = loaded.into_iter().map(|(_, row)| row).collect();
    let (list, verb) = match act {
        Act::Revoke => ("/admin/tokens/", "Revoke"),
        Act::Restore => ("/admin/blacklist/", "Restore"),
    };
    let mut ask = answer.asked(list, ("token", "tokens"), &rows, |what| format!("{verb} {what}?"));
    let done = rows.iter().filter(|row| row.left_out.is_none()).count();
    match act {
        Act::Revoke => {
            ask.words =
                "The whole session of each ends: the device has to sign in again, and access tokens already handed \
                         out end at once."
                    .to_owned();
        }
        Act::Restore => {
            ask.words = "They can be exchanged again, by whoever holds them.".to_owned();
            ask.typed = (done > 0).then(|| done.to_string());
        }
    }
    if !ask.act.is_empty() {
        ask.act = if done == 1 { format!("{verb} token") } else { format!("{verb} tokens") };
    }
    let crumb = if act == Act::Revoke { "Outstanding" } else { "Blacklisted" };
    let frame = staff.frame(&[(crumb, list), (verb, "")]).within(list);
    if !answer.is_sure() {
        return ask.page(frame);
    }
    if !ask.is_met(&answer.confirm) {
        return ask.refused(frame, answer.sent);
    }
    let (actor, grants, ids) = (staff.actor(), site.grants.clone(), answer.ids.clone());
    let code = if act == Act::Revoke { "token.revoke" } else { "token.restore" };
    let audit = staff.audits(site, code).because(answer.sent.value("reason"));
    let carry_out = move |conn: &mut Conn| carry_out(conn, &grants, &actor, act, &ids, &audit, now);
    let outcome = staff.write(site, carry_out).await?;
    let tokens = count_words(outcome.done, "token was", "tokens were");
    let flash = match (outcome.done, act) {
        (0, _) => Flash::warning("Nothing was changed."),
        (_, Act::Revoke) => Flash::done(format!("{tokens} revoked.")),
        (_, Act::Restore) => Flash::done(format!("{tokens} restored.")),
    };
    staff.done(site, &flash.adding(outcome.in_words("session", "sessions")));
    Ok(see_other(answer.back()))
}

/// The tokens ticked, each with the reason why it will be left out. A list of outstanding tokens names them by their place
/// there, the blacklist by theirs on it.
fn rows(conn: &mut Conn, actor: &Actor, act: Act, ids: &[i64], now: Now) -> Result<Vec<(Token, Row)>> {
    let mut rows = Vec::new();
    for id in ids {
        let jti = match act {
            Act::Revoke => token_list::line(conn, *id)?.map(|line| line.jti),
            Act::Restore => blacklist::jti(conn, *id)?,
        };
        let Some(jti) = jti else { continue };
        let token = match Token::load(conn, &jti, now) {
            Ok(token) => token,
            Err(Error::NotFound(_)) => continue,
            Err(error) => return Err(error),
        };
        let beyond = token.target.as_ref().and_then(|target| actor.out_of_reach(target));
        let left_out = beyond.or_else(|| match act {
            Act::Revoke if token.shown.is_live => None,
            Act::Revoke => Some(format!("{} already", token.shown.state.text.to_lowercase())),
            Act::Restore => token.cannot_be_restored(now),
        });
        let (name, about) = (token.shown.short.clone(), token.owner());
        rows.push((token, Row { name, about, left_out }));
    }
    Ok(rows)
}

fn carry_out(
    conn: &mut Conn,
    grants: &Grants,
    actor: &Actor,
    act: Act,
    ids: &[i64],
    audit: &Audit,
    now: Now,
) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let mut sessions = HashSet::new();
    for (token, row) in rows(conn, actor, act, ids, now)? {
        if row.left_out.is_some() {
            outcome.left_out += 1;
            continue;
        }
        let done = match act {
            Act::Restore => blacklist::remove(conn, token.row.id)?,
            Act::Revoke => {
                // Of two tokens of one session the second goes with the first.
                let is_new = sessions.insert(token.row.session_id.clone());
                let (sid, user) = (token.row.sid()?, token.row.user_id);
                if is_new && grants.end_in(conn, sid, user, Ended::ByAdmin, Some(actor.id), now.at)? {
                    outcome.also += 1;
                }
                true
            }
        };
        *(if done { &mut outcome.done } else { &mut outcome.left_out }) += 1;
        if done {
            audit.clone().on(Object::new("token", &token.row.jti, token.owner())).append(conn)?;
        }
    }
    Ok(outcome)
}
