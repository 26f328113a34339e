//! Signing keys: which signs, which still verify, and what depends on each; rotated, retired, condemned.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;

use crate::admin::confirm::{Confirmation, Confirmed, Effect};
use crate::admin::error::PageError;
use crate::admin::form::{Button, Form};
use crate::admin::layout::{Frame, html, see_other, segment};
use crate::admin::staff::{Add, Delete, SigningKeys, Staff, View};
use crate::admin::users::Badge;
use crate::admin::visit::Flash;
use crate::admin::when::{Now, When};
use crate::auth::key_changes;
use crate::auth::permissions::Verb;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::language::{Said, filters, thousands};
use crate::model::audit::{Change as Changed, Object};
use crate::model::session::{Ended, SessionId};
use crate::model::signing_key::{self, KeyState, SigningKey};
use crate::model::{lifetime, token};
use crate::site::Site;

const LIST: &str = "/admin/signing-keys/";

struct Row {
    kid: String,
    path: String,
    algorithm: String,
    state: Badge,
    made: When,
    active_since: Option<When>,
    until: Option<When>,
    used: Option<When>,
    tokens: String,
    may_go: bool,
    may_be_condemned: bool,
}

fn badge(key: &SigningKey) -> Badge {
    let (kind, text, icon) = if key.is(KeyState::Active) {
        ("ok", say!("Active"), "ok")
    } else if key.is(KeyState::Verifying) {
        ("accent", say!("Verifying"), "check")
    } else if key.is(KeyState::Standby) {
        ("", say!("Standing by"), "clock")
    } else if key.is(KeyState::Condemned) {
        ("bad", say!("Condemned"), "ban")
    } else {
        ("", say!("Retired"), "off")
    };
    Badge { kind, text, icon }
}

#[derive(Template)]
#[template(path = "admin/signing_keys.html")]
struct Page {
    frame: Frame,
    rows: Vec<Row>,
    is_given: bool,
    may_rotate: bool,
    may_retire: bool,
}

fn keys(conn: &mut Conn, now: Now) -> Result<Vec<(SigningKey, i64)>> {
    let keys = signing_key::all(conn)?.into_iter().rev();
    keys.map(|key| Ok((token::count_live_of_key(conn, &key, now.at)?, key)))
        .map(|one| one.map(|(n, key)| (key, n)))
        .collect()
}

/// The list of signing keys.
pub async fn index(site: web::Data<Site>, staff: Staff<View<SigningKeys>>) -> Result<HttpResponse, PageError> {
    let now = staff.now();
    let last = site.settings.jwt.refresh_token_lifetime;
    let found = site.db.read(move |conn| keys(conn, now)).await?;
    let row = |(key, tokens): (SigningKey, i64)| Row {
        path: format!("{LIST}{}/", segment(&key.kid)),
        state: badge(&key),
        made: When::new(key.created_at, now),
        active_since: key.activated_at.map(|at| When::new(at, now)),
        until: key.replaced_at.filter(|_| key.is(KeyState::Verifying)).map(|at| When::new(at + last, now)),
        tokens: thousands(tokens),
        used: key.last_used_at.map(|at| When::new(at, now)),
        may_go: key.is(KeyState::Verifying) || key.is(KeyState::Standby),
        may_be_condemned: !key.is(KeyState::Active) && !key.is(KeyState::Condemned),
        algorithm: key.algorithm,
        kid: key.kid,
    };
    let page = Page {
        frame: staff.frame(&[(&say!("Signing keys"), "")]),
        rows: found.into_iter().map(row).collect(),
        is_given: site.keys.is_given(),
        may_rotate: !site.keys.is_given() && staff.may("signing-keys", Verb::Add),
        may_retire: staff.may("signing-keys", Verb::Delete),
    };
    html(StatusCode::OK, &page)
}

/// Lets the newest key that stands by sign from now on, or a new one; the present one goes on verifying.
pub async fn rotate(
    site: web::Data<Site>,
    staff: Staff<Add<SigningKeys>>,
    _: Form<Button>,
) -> Result<HttpResponse, PageError> {
    staff.recently(&site, LIST)?;
    if site.keys.is_given() {
        return Err(PageError::Rule(said!("The key of the settings (jwt.signing_key) signs, as long as it is there.")));
    }
    let algorithm = site.settings.jwt.algorithm;
    let ready = move |conn: &mut Conn| Ok(signing_key::all(conn)?.into_iter().rfind(|key| key.is(KeyState::Standby)));
    let now = site.clock.now();
    let kid = match site.db.read(ready).await? {
        Some(key) => key.kid,
        None => {
            let kid = site.keys.make(algorithm).map_err(|error| Error::internal(format!("{error:#}")))?;
            let (listed, name) = (kid.clone(), format!("{algorithm:?}"));
            // In a transaction of its own: every server must know the key before anything is signed with it.
            staff.write(&site, move |conn| key_changes::add(conn, &listed, &name, now)).await?;
            kid
        }
    };
    let next = kid.clone();
    let audit = staff.audits(&site, "signing_key.rotate").on(Object::new("signing key", &kid, &kid));
    let rotate = move |conn: &mut Conn| {
        let before = signing_key::all(conn)?.into_iter().find(|key| key.is(KeyState::Active)).map(|key| key.kid);
        key_changes::activate(conn, &next, now)?;
        audit.with(Changed::of("active", before.unwrap_or_default(), &next)).append(conn)
    };
    staff.write(&site, rotate).await?;
    let flash = Flash::done(said!("The key {kid} signs from now on.", kid));
    staff.done(&site, &flash.adding(said!("The one before verifies until its last token has expired.")));
    Ok(see_other(LIST))
}

fn asked(key: &SigningKey, tokens: i64) -> Confirmation {
    Confirmation {
        heading: say!("Retire the key {kid}?", kid = key.kid),
        words: say!(
            "Whatever it has signed is refused from now on, access tokens too, and the key is deleted. If it has leaked, that is what you want."
        ),
        dangerous: true,
        card: key!("What ends"),
        effects: vec![Effect {
            what: key!("Live refresh tokens"),
            how_many: thousands(tokens),
            happens: key!("refused; their owners sign in again"),
            is_loss: tokens > 0,
        }],
        action: format!("{LIST}{}/", segment(&key.kid)),
        typed: Some(key.kid.clone()),
        act: say!("Retire key"),
        way_out: (say!("Keep the key"), LIST.to_owned()),
        ..Confirmation::default()
    }
}

async fn load(site: &Site, kid: &str) -> Result<(SigningKey, i64), PageError> {
    let (kid, now) = (kid.to_owned(), site.clock.now());
    let find = move |conn: &mut Conn| {
        let key = signing_key::by_kid(conn, &kid)?.ok_or(Error::not_found())?;
        let tokens = token::count_live_of_key(conn, &key, now)?;
        Ok((key, tokens))
    };
    let (key, tokens) = site.db.read(find).await?;
    if key.is(KeyState::Active) {
        return Err(PageError::Rule(said!(
            "The key {kid} signs. Rotate first: then it can be retired or condemned.",
            kid = key.kid
        )));
    }
    Ok((key, tokens))
}

async fn load_to_retire(site: &Site, kid: &str) -> Result<(SigningKey, i64), PageError> {
    let (key, tokens) = load(site, kid).await?;
    match key.is_gone() {
        true if key.is(KeyState::Condemned) => {
            Err(PageError::Rule(said!("The key {kid} is condemned already.", kid = key.kid)))
        }
        true => Err(PageError::Rule(said!("The key {kid} is retired already.", kid = key.kid))),
        false => Ok((key, tokens)),
    }
}

/// A key that was retired may turn out to have leaked before; one that was condemned may have left sessions, if the server
/// was stopped over it.
async fn load_to_condemn(site: &Site, kid: &str) -> Result<(SigningKey, i64, usize), PageError> {
    let (key, tokens) = load(site, kid).await?;
    let (of, now) = (key.clone(), site.clock.now());
    let sessions = site.db.read(move |conn| token::sessions_of_key(conn, &of, "", COUNTED, now)).await?.len();
    if key.is(KeyState::Condemned) && sessions == 0 {
        return Err(PageError::Rule(said!("The key {kid} is condemned already.", kid = key.kid)));
    }
    Ok((key, tokens, sessions))
}

/// Asks before a key is retired, with what ends.
pub async fn ask(
    site: web::Data<Site>,
    staff: Staff<Delete<SigningKeys>>,
    kid: web::Path<String>,
) -> Result<HttpResponse, PageError> {
    let (key, tokens) = load_to_retire(&site, &kid).await?;
    staff.recently(&site, &format!("{LIST}{}/", segment(&key.kid)))?;
    asked(&key, tokens).page(staff.frame(&[(&say!("Signing keys"), LIST), (&key.kid, ""), (&say!("Retire"), "")]))
}

/// Retires a key: its tokens are refused, its file is deleted.
pub async fn retire(
    site: web::Data<Site>,
    staff: Staff<Delete<SigningKeys>>,
    kid: web::Path<String>,
    form: Form<Confirmed>,
) -> Result<HttpResponse, PageError> {
    let (key, tokens) = load_to_retire(&site, &kid).await?;
    staff.recently(&site, &format!("{LIST}{}/", segment(&key.kid)))?;
    let ask = asked(&key, tokens);
    let typed = form.input.as_ref().map_or("", |answer| answer.confirm.as_str());
    if !ask.is_met(typed) {
        return ask
            .refused(staff.frame(&[(&say!("Signing keys"), LIST), (&key.kid, ""), (&say!("Retire"), "")]), form.sent);
    }
    let (named, now, present) = (key.kid.clone(), site.clock.now(), site.settings.jwt.longest_bearer());
    let audit = staff.audits(&site, "signing_key.retire").because(form.sent.value("reason"));
    let retire = move |conn: &mut Conn| {
        let bearer = lifetime::longest_bearer(conn, present)?;
        key_changes::retire(conn, &named, true, bearer, now)?;
        audit.on(Object::new("signing key", &named, &named)).with([Changed::fact("tokens_ended", tokens)]).append(conn)
    };
    staff.write(&site, retire).await?;
    let flash = Flash::done(said!("The key {kid} is retired.", kid = key.kid));
    let flash = match site.keys.destroy(&key.kid) {
        Ok(()) => flash.adding(refused(tokens)),
        Err(error) => {
            log::error!("the file of a retired key is still there: {error:#}");
            flash.adding(not_deleted())
        }
    };
    staff.done(&site, &flash);
    Ok(see_other(LIST))
}

/// What is said of the tokens of a key that is gone.
fn refused(tokens: i64) -> Said {
    said!(
        count = tokens => "{count} live refresh token is refused, and its file is deleted."
        | "{count} live refresh tokens are refused, and its file is deleted."
    )
}

/// The same where its file is still there.
fn not_deleted() -> Said {
    said!("Its tokens are refused, but its file could not be deleted: look at the server's log.")
}

/// Sessions that are counted; what is more is "more than".
const COUNTED: i64 = 50_000;
/// Sessions that are ended at a time.
const BATCH: i64 = 500;

fn asked_to_condemn(key: &SigningKey, tokens: i64, sessions: usize) -> Confirmation {
    Confirmation {
        heading: say!("Condemn the key {kid}?", kid = key.kid),
        words: say!(
            "For a key that others may know. Whatever it has signed is refused from now on, access tokens too. The sessions that its tokens belong to end, even those that a newer key has signed for since: with a leaked key they can be stolen."
        ),
        effects: vec![
            Effect {
                what: key!("Live refresh tokens"),
                how_many: thousands(tokens),
                happens: key!("refused; their owners sign in again"),
                is_loss: tokens > 0,
            },
            Effect {
                what: key!("Sessions"),
                how_many: thousands(sessions),
                happens: key!("ended, with whatever they hold by now"),
                is_loss: sessions > 0,
            },
        ],
        action: condemn_path(key),
        act: say!("Condemn key"),
        ..asked(key, tokens)
    }
}

fn condemn_path(key: &SigningKey) -> String {
    format!("{LIST}{}/condemn/", segment(&key.kid))
}

/// Asks before a key is condemned, with what ends.
pub async fn ask_to_condemn(
    site: web::Data<Site>,
    staff: Staff<Delete<SigningKeys>>,
    kid: web::Path<String>,
) -> Result<HttpResponse, PageError> {
    let (key, tokens, sessions) = load_to_condemn(&site, &kid).await?;
    staff.recently(&site, &condemn_path(&key))?;
    let frame = staff.frame(&[(&say!("Signing keys"), LIST), (&key.kid, ""), (&say!("Condemn"), "")]);
    asked_to_condemn(&key, tokens, sessions).page(frame)
}

/// Condemns a key: its tokens are refused at once, then the sessions that they belong to are ended.
pub async fn condemn(
    site: web::Data<Site>,
    staff: Staff<Delete<SigningKeys>>,
    kid: web::Path<String>,
    form: Form<Confirmed>,
) -> Result<HttpResponse, PageError> {
    let (key, tokens, sessions) = load_to_condemn(&site, &kid).await?;
    staff.recently(&site, &condemn_path(&key))?;
    let ask = asked_to_condemn(&key, tokens, sessions);
    let typed = form.input.as_ref().map_or("", |answer| answer.confirm.as_str());
    if !ask.is_met(typed) {
        return ask
            .refused(staff.frame(&[(&say!("Signing keys"), LIST), (&key.kid, ""), (&say!("Condemn"), "")]), form.sent);
    }
    let (named, now) = (key.clone(), site.clock.now());
    let audit = staff.audits(&site, "signing_key.condemn").because(form.sent.value("reason"));
    let condemn = move |conn: &mut Conn| {
        let is_again = signing_key::by_kid(conn, &named.kid)?.is_some_and(|key| key.is(KeyState::Condemned));
        if !is_again {
            key_changes::condemn(conn, &named.kid, now)?;
        }
        let told = [Changed::fact("tokens_ended", tokens), Changed::fact("sessions_ended", sessions)];
        audit.on(Object::new("signing key", &named.kid, &named.kid)).with(told).append(conn)
    };
    staff.write(&site, condemn).await?;
    let more = match key.is_gone() || site.keys.destroy(&key.kid).is_ok() {
        true => refused(tokens),
        false => {
            log::error!("the file of the condemned key {} is still there", key.kid);
            not_deleted()
        }
    };
    let ended = end_sessions(&site, &staff, &key).await?;
    let ended = said!(count = ended => "{count} session ended." | "{count} sessions ended.");
    let flash = Flash::done(said!("The key {kid} is condemned.", kid = key.kid));
    staff.done(&site, &flash.adding(format!("{more} {ended}")));
    Ok(see_other(LIST))
}

/// Ends the sessions that tokens of a key belong to; returns how many.
async fn end_sessions(site: &Site, staff: &Staff<Delete<SigningKeys>>, key: &SigningKey) -> Result<usize, PageError> {
    let (mut ended, mut after) = (0, String::new());
    loop {
        let (of, from, now) = (key.clone(), after.clone(), site.clock.now());
        let found = site.db.read(move |conn| token::sessions_of_key(conn, &of, &from, BATCH, now)).await?;
        let Some((last, _)) = found.last() else { return Ok(ended) };
        after.clone_from(last);
        let (grants, by) = (site.grants.clone(), staff.id());
        let end = move |conn: &mut Conn, (id, user): &(String, Option<i64>)| {
            let Ok(sid) = id.parse::<SessionId>() else { return Ok(false) };
            grants.end_in(conn, sid, *user, Ended::ByAdmin, Some(by), now)
        };
        let (did, failed) = staff.write_each(site, found, end).await;
        ended += did.iter().filter(|one| **one).count();
        failed?;
    }
}
