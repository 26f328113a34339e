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
use crate::admin::when::{Now, When, thousands};
use crate::auth::key_changes;
use crate::auth::permissions::Verb;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::model::audit::{Change as Changed, Object};
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
    tokens: String,
    may_go: bool,
}

fn badge(key: &SigningKey) -> Badge {
    let (kind, text, icon) = if key.is(KeyState::Active) {
        ("ok", "Active", "ok")
    } else if key.is(KeyState::Verifying) {
        ("accent", "Verifying", "check")
    } else if key.is(KeyState::Standby) {
        ("", "Standing by", "clock")
    } else {
        ("", "Retired", "off")
    };
    Badge { kind, text: text.to_owned(), icon }
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
        may_go: key.is(KeyState::Verifying) || key.is(KeyState::Standby),
        algorithm: key.algorithm,
        kid: key.kid,
    };
    let page = Page {
        frame: staff.frame(&[("Signing keys", "")]),
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
        return Err(PageError::Rule(
            "The key of the settings (jwt.signing_key) signs, as long as it is there.".to_owned(),
        ));
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
    let flash = Flash::done(format!("The key {kid} signs from now on."));
    staff.done(&site, &flash.adding("The one before verifies until its last token has expired."));
    Ok(see_other(LIST))
}

fn asked(key: &SigningKey, tokens: i64) -> Confirmation {
    Confirmation {
        heading: format!("Retire the key {}?", key.kid),
        words: "Whatever it has signed is refused from now on, access tokens too, and the key is deleted. If it has leaked, \
                that is what you want."
            .to_owned(),
        dangerous: true,
        card: "What ends",
        effects: vec![Effect {
            what: "Live refresh tokens",
            how_many: thousands(tokens),
            happens: "refused; their owners sign in again",
            is_loss: tokens > 0,
        }],
        action: format!("{LIST}{}/", segment(&key.kid)),
        typed: Some(key.kid.clone()),
        act: "Retire key".to_owned(),
        way_out: ("Keep the key".to_owned(), LIST.to_owned()),
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
        return Err(PageError::Rule(format!("The key {} signs. Rotate first: then it can be retired.", key.kid)));
    }
    if key.is(KeyState::Retired) {
        return Err(PageError::Rule(format!("The key {} is retired already.", key.kid)));
    }
    Ok((key, tokens))
}

/// Asks before a key is retired, with what ends.
pub async fn ask(
    site: web::Data<Site>,
    staff: Staff<Delete<SigningKeys>>,
    kid: web::Path<String>,
) -> Result<HttpResponse, PageError> {
    let (key, tokens) = load(&site, &kid).await?;
    staff.recently(&site, &format!("{LIST}{}/", segment(&key.kid)))?;
    asked(&key, tokens).page(staff.frame(&[("Signing keys", LIST), (&key.kid, ""), ("Retire", "")]))
}

/// Retires a key: its tokens are refused, its file is deleted.
pub async fn retire(
    site: web::Data<Site>,
    staff: Staff<Delete<SigningKeys>>,
    kid: web::Path<String>,
    form: Form<Confirmed>,
) -> Result<HttpResponse, PageError> {
    let (key, tokens) = load(&site, &kid).await?;
    staff.recently(&site, &format!("{LIST}{}/", segment(&key.kid)))?;
    let ask = asked(&key, tokens);
    let typed = form.input.as_ref().map_or("", |answer| answer.confirm.as_str());
    if !ask.is_met(typed) {
        return ask.refused(staff.frame(&[("Signing keys", LIST), (&key.kid, ""), ("Retire", "")]), form.sent);
    }
    let (named, now, present) = (key.kid.clone(), site.clock.now(), site.settings.jwt.longest_bearer());
    let audit = staff.audits(&site, "signing_key.retire").because(form.sent.value("reason"));
    let retire = move |conn: &mut Conn| {
        let bearer = lifetime::longest_bearer(conn, present)?;
        key_changes::retire(conn, &named, true, bearer, now)?;
        audit.on(Object::new("signing key", &named, &named)).with([Changed::fact("tokens_ended", tokens)]).append(conn)
    };
    staff.write(&site, retire).await?;
    let flash = Flash::done(format!("The key {} is retired.", key.kid));
    let flash = match site.keys.destroy(&key.kid) {
        Ok(()) => {
            flash.adding(format!("{} live refresh tokens are refused, and its file is deleted.", thousands(tokens)))
        }
        Err(error) => {
            log::error!("the file of a retired key is still there: {error:#}");
            flash.adding("Its tokens are refused, but its file could not be deleted: look at the server's log.")
        }
    };
    staff.done(&site, &flash);
    Ok(see_other(LIST))
}
