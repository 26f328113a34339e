//! Taking a token off the blacklist again: rare, for a superuser alone, typed and with the password.

use actix_web::{HttpResponse, web};

use crate::admin::confirm::{Confirmation, Confirmed};
use crate::admin::error::PageError;
use crate::admin::form::Form;
use crate::admin::inspector::why_said;
use crate::admin::layout::see_other;
use crate::admin::layout::{Frame, segment};
use crate::admin::staff::{Blacklist, Delete, Staff};
use crate::admin::tokens::detail::Token;
use crate::admin::users::Actor;
use crate::admin::visit::Flash;
use crate::admin::when::{Now, When};
use crate::db::Conn;
use crate::error::Result;
use crate::language::Said;
use crate::model::audit::Object;
use crate::model::blacklist;
use crate::site::Site;

/// Why this actor restores no token, whatever they hold.
pub fn objection(actor: &Actor) -> Option<Said> {
    (!actor.state.superuser).then(|| said!("Only a superuser restores a token that was revoked."))
}

fn asked(token: &Token, now: Now) -> Confirmation {
    let or = |text: String| if text.is_empty() { say!("nobody here") } else { text };
    let listed = token.listed.as_ref();
    Confirmation {
        heading: say!("Restore token {token}?", token = token.shown.short),
        words: say!(
            "Whoever holds it can exchange it for access tokens again. If you do not know why it was revoked, leave it so."
        ),
        dangerous: true,
        card: key!("What comes back"),
        action: token.restore_path(),
        typed: Some(token.shown.short.clone()),
        act: say!("Restore token"),
        way_out: (say!("Leave it revoked"), format!("/admin/blacklist/{}/", segment(&token.row.jti))),
        facts_title: key!("The token"),
        facts: vec![
            (key!("User"), or(token.owner())),
            (key!("Revoked"), listed.map_or_else(String::new, |listed| When::new(listed.at, now).full)),
            (key!("Reason"), listed.map_or_else(String::new, |listed| why_said(&listed.reason).to_string())),
            (key!("Expires"), When::new(token.row.expires_at, now).full),
        ],
        ..Confirmation::default()
    }
}

/// Why it cannot be restored, as a page.
fn refusal(token: &Token, now: Now) -> Option<PageError> {
    token
        .cannot_be_restored(now)
        .map(|words| PageError::Rule(said!("This token cannot be restored. {why}", why = words)))
}

async fn load(site: &Site, staff: &Staff<Delete<Blacklist>>, jti: &str) -> Result<Token, PageError> {
    if let Some(words) = objection(&staff.actor()) {
        return Err(PageError::Refused(words));
    }
    let (jti, now) = (jti.to_owned(), staff.now());
    let token = site.db.read(move |conn| Token::load(conn, &jti, now)).await?;
    if let Some(refusal) = refusal(&token, now) {
        return Err(refusal);
    }
    staff.recently(site, &token.restore_path())?;
    Ok(token)
}

fn frame(staff: &Staff<Delete<Blacklist>>, token: &Token) -> Frame {
    let path = format!("/admin/blacklist/{}/", segment(&token.row.jti));
    staff.frame(&[(&say!("Blacklisted"), "/admin/blacklist/"), (&token.shown.short, &path), (&say!("Restore"), "")])
}

/// Asks before a token comes back.
pub async fn ask(
    site: web::Data<Site>,
    staff: Staff<Delete<Blacklist>>,
    jti: web::Path<String>,
) -> Result<HttpResponse, PageError> {
    let token = load(&site, &staff, &jti).await?;
    asked(&token, staff.now()).page(frame(&staff, &token))
}

/// Takes a token off the blacklist.
pub async fn restore(
    site: web::Data<Site>,
    staff: Staff<Delete<Blacklist>>,
    jti: web::Path<String>,
    form: Form<Confirmed>,
) -> Result<HttpResponse, PageError> {
    let token = load(&site, &staff, &jti).await?;
    let ask = asked(&token, staff.now());
    let typed = form.input.as_ref().map_or("", |answer| answer.confirm.as_str());
    if !ask.is_met(typed) {
        return ask.refused(frame(&staff, &token), form.sent);
    }
    let (jti, now) = (jti.into_inner(), staff.now());
    let audit = staff.audits(&site, "token.restore").because(form.sent.value("reason"));
    let restore = move |conn: &mut Conn| {
        let token = Token::load(conn, &jti, now)?;
        if let Some(refusal) = refusal(&token, now) {
            return Ok(Err(refusal));
        }
        blacklist::remove(conn, token.row.id)?;
        audit.on(Object::new("token", &token.row.jti, token.owner())).append(conn)?;
        Ok(Ok(token))
    };
    let token = staff.write(&site, restore).await??;
    let (username, short) = (token.owner(), &token.shown.short);
    let flash = Flash::done(match username.as_str() {
        "" => said!("The token {token} was restored.", token = short),
        username => said!("The token {token} of {username} was restored.", token = short, username),
    });
    staff.done(&site, &flash.adding(say!("It can be exchanged again from now on.")));
    Ok(see_other(&token.shown.path))
}
