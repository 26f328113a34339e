//! Revoking one token: by itself, with its session, or with all sessions of its user.

use actix_web::{HttpResponse, web};

use crate::admin::confirm::{Choice, Confirmation, Confirmed};
use crate::admin::error::PageError;
use crate::admin::form::Form;
use crate::admin::layout::Frame;
use crate::admin::staff::{Revoke, Staff, Tokens};
use crate::admin::tokens::detail::Token;
use crate::admin::users::sessions::{after_end_of_all, end_all};
use crate::admin::visit::Flash;
use crate::admin::when::{Now, When, time_words};
use crate::auth::grants::Grants;
use crate::auth::permissions::Verb;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::device::Device;
use crate::error::Result;
use crate::model::audit::{Change, Object};
use crate::model::session::Ended;
use crate::model::token_list::TokenState;
use crate::site::Site;

/// What ends with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Session,
    Alone,
    Everything,
}

impl What {
    const ALL: [Self; 3] = [Self::Session, Self::Alone, Self::Everything];

    fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Alone => "token",
            Self::Everything => "user",
        }
    }
}

/// Why a token cannot be revoked any more.
fn dead(token: &Token) -> Option<PageError> {
    let shown = &token.shown;
    if shown.is_live {
        return None;
    }
    let is_over = token.session.ended_at.is_some() && !token.row.is_revoked;
    Some(PageError::Rule(match shown.standing {
        TokenState::Revoked => said!("The token {token} is revoked already.", token = shown.short),
        TokenState::Expired if !is_over => said!("The token {token} is expired already.", token = shown.short),
        TokenState::Used if !is_over => said!("The token {token} is used already.", token = shown.short),
        _ => said!("The session of the token {token} is over already.", token = shown.short),
    }))
}

/// What may be chosen: a sliding token is its whole session, and not every viewer signs users out.
fn choices(token: &Token, staff: &Staff<Revoke<Tokens>>) -> Vec<(String, String)> {
    let device = Device::from_agent(&token.session.user_agent).name;
    let open = What::ALL.into_iter().filter(|what| match what {
        What::Session => true,
        What::Alone => token.row.kind != "sliding",
        What::Everything => token.target.is_some() && staff.may("sessions", Verb::Revoke),
    });
    let label = |what: What| match what {
        What::Session => say!("The whole session: {device}", device),
        What::Alone => say!("This token only"),
        What::Everything => say!("All sessions of {username}", username = token.owner()),
    };
    open.map(|what| (what.name().to_owned(), label(what))).collect()
}

fn asked(token: &Token, staff: &Staff<Revoke<Tokens>>, site: &Site, now: Now) -> Confirmation {
    let or = |text: String| if text.is_empty() { say!("nobody here") } else { text };
    Confirmation {
        heading: say!("Revoke token {token}?", token = token.shown.short),
        words: say!(
            "With its session, access tokens already handed out end at once. With this token only the session cannot be \
             continued, and access tokens already handed out stay good for up to {time}.",
            time = time_words(site.settings.jwt.access_token_lifetime.as_secs())
        ),
        dangerous: true,
        card: key!("What is revoked"),
        action: token.revoke_path(),
        choice: Some(Choice { name: "what", label: key!("What to revoke"), options: choices(token, staff) }),
        act: say!("Revoke token"),
        way_out: (say!("Keep the token"), token.shown.path.clone()),
        facts_title: key!("The token"),
        facts: vec![
            (key!("User"), or(token.owner())),
            (key!("Device"), Device::from_agent(&token.session.user_agent).name),
            (key!("Address"), or(token.session.ip.clone())),
            (key!("Issued"), When::new(token.row.created_at, now).full),
            (key!("Expires"), When::new(token.row.expires_at, now).full),
        ],
        ..Confirmation::default()
    }
}

async fn load(site: &Site, staff: &Staff<Revoke<Tokens>>, jti: &str) -> Result<Token, PageError> {
    let (jti, now) = (jti.to_owned(), staff.now());
    let token = site.db.read(move |conn| Token::load(conn, &jti, now)).await?;
    if let Some(target) = &token.target {
        staff.actor().reach(target)?;
    }
    dead(&token).map_or(Ok(token), Err)
}

fn frame(staff: &Staff<Revoke<Tokens>>, token: &Token) -> Frame {
    staff.frame(&[
        (&say!("Outstanding"), "/admin/tokens/"),
        (&token.shown.short, &token.shown.path),
        (&say!("Revoke"), ""),
    ])
}

/// Asks before a token is revoked.
pub async fn ask(
    site: web::Data<Site>,
    staff: Staff<Revoke<Tokens>>,
    jti: web::Path<String>,
) -> Result<HttpResponse, PageError> {
    let token = load(&site, &staff, &jti).await?;
    asked(&token, &staff, &site, staff.now()).page(frame(&staff, &token))
}

/// Revokes a token.
pub async fn revoke(
    site: web::Data<Site>,
    staff: Staff<Revoke<Tokens>>,
    jti: web::Path<String>,
    form: Form<Confirmed>,
) -> Result<HttpResponse, PageError> {
    let token = load(&site, &staff, &jti).await?;
    let chosen = form.sent.value("what").to_owned();
    let offered = choices(&token, &staff).into_iter().any(|(name, _)| name == chosen);
    let Some(what) = What::ALL.into_iter().find(|what| what.name() == chosen).filter(|_| offered) else {
        let sent = form.sent.refused_for("what", say!("Choose what to revoke."));
        return asked(&token, &staff, &site, staff.now()).shown_again(frame(&staff, &token), sent);
    };
    let (actor, grants, now, jti) = (staff.actor(), site.grants.clone(), staff.now(), jti.into_inner());
    let audit = staff.audits(&site, "token.revoke").because(form.sent.value("reason"));
    let revoke = move |conn: &mut Conn| {
        let token = Token::load(conn, &jti, now)?;
        if let Some(refusal) = token.target.as_ref().and_then(|target| actor.reach(target).err()).or(dead(&token)) {
            return Ok(Err(refusal));
        }
        let ended = carry_out(conn, &grants, &token, what, actor.id, now.at)?;
        let object = Object::new("token", &token.row.jti, token.owner());
        let told = [Change::fact("revoked", what.name()), Change::fact("sessions_ended", ended)];
        audit.on(object).with(told).append(conn)?;
        Ok(Ok((token, ended)))
    };
    let (token, ended) = staff.write(&site, revoke).await??;
    let more = match what {
        What::Alone => say!("Access tokens already handed out are good until they expire."),
        _ => say!(
            count = ended => "{count} session ended, with the access tokens already handed out."
                | "{count} sessions ended, with the access tokens already handed out."
        ),
    };
    let (username, short) = (token.owner(), &token.shown.short);
    let flash = Flash::done(match username.as_str() {
        "" => said!("The token {token} was revoked.", token = short),
        username => said!("The token {token} of {username} was revoked.", token = short, username),
    });
    staff.done(&site, &flash.adding(more));
    let is_own_end = what == What::Everything && token.row.user_id == Some(staff.id());
    Ok(after_end_of_all(staff.visit(), is_own_end, &token.shown.path))
}

/// Revokes inside the caller's transaction; returns how many sessions ended.
fn carry_out(conn: &mut Conn, grants: &Grants, token: &Token, what: What, by: i64, now: Timestamp) -> Result<usize> {
    match (what, token.row.user_id) {
        (What::Alone, _) => grants.revoke_alone_in(conn, &token.row, by, now).map(|_| 0),
        (What::Everything, Some(user)) => end_all(conn, grants, user, now),
        (What::Session | What::Everything, user) => {
            grants.end_in(conn, token.row.sid()?, user, Ended::ByAdmin, Some(by), now).map(usize::from)
        }
    }
}
