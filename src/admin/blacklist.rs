//! Blacklisted tokens: the list, and revoking by session, by a token's id or by the token itself.

use std::collections::HashMap;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use crate::admin::changelist::view::Found;
use crate::admin::changelist::{self, Asked, Changelist, Column, Filter, Sort, View as ListView};
use crate::admin::error::PageError;
use crate::admin::form::{Button, Filled, Form};
use crate::admin::layout::{Frame, html, see_other, segment};
use crate::admin::staff::{Add, Blacklist, Delete, Staff, View};
use crate::admin::tokens::{bulk, short};
use crate::admin::users::{Actor, Badge, Target};
use crate::admin::visit::Flash;
use crate::admin::when::{Now, When, count_words};
use crate::auth::grants::Grants;
use crate::auth::permissions::Verb;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::db::tally::Tally;
use crate::error::{Error, Result};
use crate::language::filters;
use crate::model::audit::{Audit, Change, Object};
use crate::model::blacklist::{self, BlacklistLine, BlacklistQuery};
use crate::model::session::{self, Ended, SessionId};
use crate::model::user;
use crate::model::{token, user_list};
use crate::rest::fields::{Fields, Input};
use crate::rest::payload::pairs;
use crate::site::Site;

static BLACKLIST: Changelist = Changelist {
    path: "/admin/blacklist/",
    title: key!("Blacklisted tokens"),
    nouns: nouns!("token", "tokens"),
    icon: "ban",
    search: Some(key!("Token id, from 6 characters, or username")),
    searched: key!("Search looks at token ids from their beginning and whole usernames."),
    columns: &[
        Column::plain(key!("Token id"), ""),
        Column::plain(key!("User"), ""),
        Column {
            name: "revoked",
            label: key!("Revoked"),
            class: "",
            sort: Some(Sort {
                by: Some(blacklist::BY_REVOKED),
                descending_first: true,
                words: (key!("oldest first"), key!("newest first")),
            }),
        },
        Column::plain(key!("By"), ""),
        Column::plain(key!("Reason"), ""),
        Column {
            name: "expires",
            label: key!("Expires"),
            class: "",
            sort: Some(Sort {
                by: Some(blacklist::BY_EXPIRES),
                descending_first: false,
                words: (key!("first to expire first"), key!("last to expire first")),
            }),
        },
    ],
    default: "revoked",
};

/// Why tokens are on the blacklist: the word in the database, and what it is called.
const REASONS: [(Ended, &str); 4] = [
    (Ended::SignedOut, "Signed out"),
    (Ended::ByAdmin, "By administrator"),
    (Ended::PasswordChanged, "Password changed"),
    (Ended::ReuseSeen, "Reuse seen"),
];

/// The longest text that can be a token.
const LONGEST: usize = 8192;

/// Who has revoked: value, label, and whether it was an administrator.
const BY: [(&str, &str); 2] = [("staff", "An administrator"), ("self", "The user or the server")];
const WHEN: [(&str, &str, u64); 3] = [
    ("24h", "In the last 24 hours", 86_400),
    ("7d", "In the last 7 days", 604_800),
    ("30d", "In the last 30 days", 2_592_000),
];

struct Row {
    id: i64,
    path: String,
    jti: String,
    short: String,
    user: Option<(i64, String)>,
    revoked: When,
    by: String,
    reason: Badge,
    expires: When,
}

#[derive(Template)]
#[template(path = "admin/blacklist/index.html")]
struct Page {
    frame: Frame,
    list: ListView,
    rows: Vec<Row>,
    may_add: bool,
    may_sweep: bool,
    may_see_users: bool,
}

impl Row {
    fn new(line: BlacklistLine, names: &HashMap<i64, String>, now: Now) -> Self {
        let named = |id: i64| names.get(&id).map(|name| (id, name.clone()));
        let known = REASONS.iter().find(|(why, _)| why.as_str() == line.reason);
        Self {
            id: line.id,
            path: format!("/admin/blacklist/{}/", segment(&line.jti)),
            short: short(&line.jti),
            jti: line.jti,
            user: line.user.and_then(named),
            revoked: When::new(line.blacklisted_at, now),
            by: line.by_user.and_then(named).map(|(_, name)| name).unwrap_or_default(),
            reason: Badge {
                kind: if line.reason == Ended::ReuseSeen.as_str() { "bad" } else { "" },
                text: known.map_or(line.reason, |(_, label)| (*label).to_owned()),
                icon: "",
            },
            expires: When::new(line.expires_at, now),
        }
    }
}

/// The list as a URL asks for it.
pub fn asked(pairs: &[(String, String)], usual_rows: Option<usize>) -> Asked {
    let reasons: Vec<(&str, &str)> = REASONS.iter().map(|(why, label)| (why.as_str(), *label)).collect();
    let when: Vec<(&str, &str)> = WHEN.iter().map(|(value, label, _)| (*value, *label)).collect();
    let filters = vec![
        Filter::of("reason", key!("Reason"), &reasons),
        Filter::of("by", key!("By"), &BY),
        Filter::of("when", key!("Revoked"), &when),
    ];
    Asked::new(&BLACKLIST, pairs, usual_rows, filters)
}

/// What the list is narrowed to.
pub fn query(asked: &Asked, now: Now) -> BlacklistQuery {
    let since = asked.choice("when").and_then(|value| WHEN.iter().find(|(one, ..)| *one == value));
    BlacklistQuery {
        search: asked.q().to_owned(),
        reason: asked.choice("reason").map(str::to_owned),
        by_somebody: asked.choice("by").map(|by| by == "staff"),
        since: since.map(|(_, _, seconds)| now.back(*seconds)),
    }
}

fn load(
    conn: &mut Conn,
    tally: &Tally,
    asked: &[(String, String)],
    usual_rows: Option<usize>,
    now: Now,
) -> Result<(Asked, Found, Vec<Row>)> {
    let asked = self::asked(asked, usual_rows);
    let Some(keyset) = asked.keyset() else { return Err(Error::internal("the blacklist sorts by no column")) };
    let query = query(&asked, now);
    let page = blacklist::page(conn, &query, &keyset)?;
    let counts = blacklist::counts(conn, &query, tally)?;
    let found = Found::of(&page, counts, |line| line.place(&keyset.by));
    let ids: Vec<i64> = page.rows.iter().flat_map(|line| [line.user, line.by_user]).flatten().collect();
    let names = user_list::names(conn, &ids)?;
    let rows = page.rows.into_iter().map(|line| Row::new(line, &names, now)).collect();
    Ok((asked, found, rows))
}

/// The list of blacklisted tokens.
pub async fn index(
    site: web::Data<Site>,
    staff: Staff<View<Blacklist>>,
    request: HttpRequest,
) -> Result<HttpResponse, PageError> {
    let (asked, usual_rows) = (pairs(request.query_string().as_bytes()), staff.visit().usual_rows());
    let now = staff.now();
    let tally = changelist::tally(&site);
    let (asked, found, rows) = site.db.read(move |conn| load(conn, &tally, &asked, usual_rows, now)).await?;
    let (may_add, may_sweep) = (staff.may("blacklist", Verb::Add), staff.may("blacklist", Verb::Delete));
    let first_act = may_add.then_some(("Revoke a token…", "/admin/blacklist/new/"));
    let page = Page {
        frame: staff.frame(&[("Blacklisted", "")]),
        list: asked
            .view(&found, &bulk::offered_on_blacklisted(&staff))
            .when_empty(key!("Refresh and sliding tokens that are revoked before they expire appear here."), first_act),
        rows,
        may_add,
        may_sweep,
        may_see_users: staff.may("users", Verb::View),
    };
    staff.visit().remember_rows(html(StatusCode::OK, &page)?, asked.new_usual_rows())
}

#[derive(Template)]
#[template(path = "admin/blacklist/new.html")]
struct NewPage {
    frame: Frame,
    form: Filled,
}

fn show(staff: &Staff<Add<Blacklist>>, status: StatusCode, form: Filled) -> Result<HttpResponse, PageError> {
    let frame = staff.frame(&[("Blacklisted", "/admin/blacklist/"), ("Revoke a token", "")]);
    let frame = if form.is_refused() { frame.without_flash() } else { frame };
    html(status, &NewPage { frame, form })
}

/// The page to revoke a token.
pub async fn new_page(staff: Staff<Add<Blacklist>>) -> Result<HttpResponse, PageError> {
    show(&staff, StatusCode::OK, Filled::default())
}

/// What is to be revoked: a session's id, a token's id, or a token.
pub struct Given(String);

impl Input for Given {
    fn read(f: &mut Fields) -> Self {
        let text: String = f.text("token").required().max(LONGEST).value();
        let text = text.strip_prefix("Bearer ").unwrap_or(&text);
        Self(text.split_whitespace().collect())
    }
}

/// What came of it.
enum Revoked {
    Done { tokens: usize, owner: Option<String> },
    EndedBefore,
    NotFound,
    Refused(PageError),
}

/// Revokes a token with its whole session.
pub async fn revoke(
    site: web::Data<Site>,
    staff: Staff<Add<Blacklist>>,
    form: Form<Given>,
) -> Result<HttpResponse, PageError> {
    // What was pasted may be a token: it is not shown again, whatever comes of it.
    let refused =
        |words: String| show(&staff, StatusCode::UNPROCESSABLE_ENTITY, Filled::default().refused_for("token", words));
    let given = match form.input {
        Ok(Given(text)) => text,
        Err(complaints) => {
            return show(&staff, StatusCode::UNPROCESSABLE_ENTITY, Filled::default().refused(complaints));
        }
    };
    let mut ids = vec![given.clone()];
    let is_token = given.matches('.').count() == 2;
    if is_token {
        let claims = match site.grants.verify_any(&given).await? {
            Ok(claims) => claims,
            Err(reject) => {
                return refused(format!(
                    "That token is not good any more ({}), so there is nothing to revoke.",
                    reject.message()
                ));
            }
        };
        if let Some(owner) = claims.user(&site.settings.jwt.user_id_claim).id() {
            let known = site.db.read(move |conn| Ok(user::by_id(conn, owner)?.is_some())).await?;
            if known {
                let target = site.db.read(move |conn| Target::load(conn, owner)).await?;
                staff.actor().reach(&target)?;
            }
        }
        ids = claims.session().map(|sid| sid.to_string()).into_iter().collect();
        ids.extend(claims.jti().map(str::to_owned));
    }
    let (actor, grants, now) = (staff.actor(), site.grants.clone(), site.clock.now());
    let audit = staff.audits(&site, "blacklist.add");
    let audited = audit.clone();
    let mut revoked = staff.write(&site, move |conn| end(conn, &grants, &actor, audited, &ids, now)).await?;
    if is_token && matches!(revoked, Revoked::NotFound) {
        // A good token that was made elsewhere and is not on record: it ends by its own id.
        site.grants.revoke_any(&given, staff.id(), audit).await?;
        revoked = Revoked::Done { tokens: 1, owner: None };
    }
    match revoked {
        Revoked::Done { tokens, owner } => {
            let of = owner.map(|name| format!(" of {name}")).unwrap_or_default();
            let flash = Flash::done(format!("A session{of} was ended.")).adding(format!(
                "{} revoked, and the session's access tokens with it.",
                count_words(tokens, "refresh token", "refresh tokens")
            ));
            staff.done(&site, &flash);
            Ok(see_other("/admin/blacklist/"))
        }
        Revoked::EndedBefore => refused("That session had ended before.".to_owned()),
        Revoked::NotFound => refused("No session and no token on record has this id.".to_owned()),
        Revoked::Refused(refusal) => Err(refusal),
    }
}

fn end(
    conn: &mut Conn,
    grants: &Grants,
    actor: &Actor,
    audit: Audit,
    ids: &[String],
    now: Timestamp,
) -> Result<Revoked> {
    let mut found = None;
    for id in ids {
        if found.is_none() {
            found = find(conn, id)?;
        }
    }
    let Some((sid, owner)) = found else { return Ok(Revoked::NotFound) };
    let mut name: Option<String> = None;
    if let Some(id) = owner {
        match Target::load(conn, id) {
            Ok(target) => {
                if let Err(refusal) = actor.reach(&target) {
                    return Ok(Revoked::Refused(refusal));
                }
                name = Some(target.state.username.into());
            }
            Err(Error::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    let before = blacklist::total(conn)?;
    if !grants.end_in(conn, sid, owner, Ended::ByAdmin, Some(actor.id), now)? {
        return Ok(Revoked::EndedBefore);
    }
    let tokens = blacklist::total(conn)?.saturating_sub(before);
    let object = Object::new("session", sid, name.as_deref().unwrap_or_default());
    audit.on(object).with([Change::fact("tokens_revoked", tokens)]).append(conn)?;
    Ok(Revoked::Done { tokens: usize::try_from(tokens).unwrap_or(0), owner: name })
}

/// The session of this id, or the one of the token of this id, and whose it is.
fn find(conn: &mut Conn, id: &str) -> Result<Option<(SessionId, Option<i64>)>> {
    if let Ok(sid) = id.parse::<SessionId>()
        && let Some(session) = session::by_id(conn, sid)?
    {
        return Ok(Some((sid, session.user_id)));
    }
    if let Some(token) = token::by_jti(conn, id)?
        && let Ok(sid) = token.session_id.parse::<SessionId>()
    {
        return Ok(Some((sid, token.user_id)));
    }
    Ok(None)
}

/// Tokens of one transaction of the sweep, and transactions of one press of its button.
const BATCH: i64 = 50;
const BATCHES: usize = 200;

/// Removes what has expired, from the blacklist and from the record, without waiting for the sweep of the next minute.
pub async fn sweep(
    site: web::Data<Site>,
    staff: Staff<Delete<Blacklist>>,
    _: Form<Button>,
) -> Result<HttpResponse, PageError> {
    let now = site.clock.now();
    let before = now - token::SLACK;
    let (mut tokens, mut sessions) = (0, 0);
    for batch in 0..BATCHES {
        let audit = staff.audits(&site, "token.sweep");
        let sweep = move |conn: &mut Conn| {
            let most = BATCH.saturating_mul(BATCHES.try_into().unwrap_or(1));
            let count = if batch == 0 { token::count_expired(conn, before, most)? } else { 0 };
            if count > 0 {
                let object = Object { kind: "token", ..Object::default() };
                audit.on(object).with([Change::fact("tokens", count)]).append(conn)?;
            }
            token::purge(conn, before, BATCH)
        };
        let gone = staff.write(&site, sweep).await?;
        (tokens, sessions) = (tokens + gone.0, sessions + gone.1);
        if gone.0 == 0 {
            break;
        }
        tokio::task::yield_now().await;
    }
    let flash = match tokens {
        0 => Flash::warning("Nothing has expired that is not kept for another hour."),
        _ => Flash::done(format!("{} removed.", count_words(tokens, "expired token was", "expired tokens were")))
            .adding(format!("{} went with them.", count_words(sessions, "session", "sessions"))),
    };
    staff.done(&site, &flash);
    Ok(see_other("/admin/blacklist/"))
}
