//! Leaving, and what one may take along: the own account removed, and all that is kept of it as one JSON file.

use actix_web::http::{Method, StatusCode};
use actix_web::web::{Bytes, Data};
use diesel::prelude::*;
use futures_util::stream;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::api::account::{Me, WRONG_PASSWORD};
use crate::api::articles::Article;
use crate::api::keys;
use crate::api::refresh_cookie;
use crate::api::tasks::Task;
use crate::auth::actor::Target;
use crate::auth::gate::Principal;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::db::schema::{articles, tasks};
use crate::error::{Error, Result};
use crate::model::session::Ended;
use crate::model::user::User;
use crate::model::{api_key, kept, panel_session, role, social, token, two_factor, user};
use crate::rest::answer::Answer;
use crate::rest::caller::{Caller, Client};
use crate::rest::fields::{Fields, Input};
use crate::rest::json;
use crate::rest::payload::Body;
use crate::rest::permission::Permission;
use crate::settings::Secret;
use crate::site::Site;

/// One's own account: an API key for all that its owner may reads and changes it, but does not remove it.
pub struct Own;
impl<T> Permission<T> for Own {
    fn allows(who: Option<&Principal>, method: &Method) -> bool {
        who.is_some_and(|who| *method != Method::DELETE || who.api_key().is_none())
    }
}

/// The password of whoever leaves.
pub struct Farewell(Secret);

impl Input for Farewell {
    fn read(fields: &mut Fields) -> Self {
        Self(fields.text("current_password").required().value().into())
    }
}

/// DELETE `/api/users/me/`: removes the account with its tasks, articles and keys; every token of it is dead.
///
/// # Errors
/// 400 by field; 409 for the last active superuser; 429, 503 if too many try.
pub async fn remove(site: Data<Site>, caller: Caller<Own>, client: Client, body: Body) -> Result<Answer> {
    let Farewell(password) = body.read_full().await?;
    let (id, now) = (caller.user, site.clock.now());
    let user = site.db.read(move |conn| user::by_id(conn, id)).await?.ok_or(Error::not_found())?;
    if !site.sign_in.confirms(&user, password, client.ip).await? {
        return Err(Error::field("current_password", WRONG_PASSWORD));
    }
    let (grants, who) = (site.grants.clone(), caller.principal());
    let removed = move |conn: &mut Conn| {
        who.confirm(conn)?;
        // The password that was confirmed must still be the account's.
        let same = |current: &User| current.password_generation == user.password_generation;
        let current = user::by_id(conn, id)?.filter(same);
        current.ok_or_else(|| Error::field("current_password", WRONG_PASSWORD))?;
        if Target::load(conn, id)?.is_last_superuser {
            return Err(Error::Conflict(LAST.into()));
        }
        token::blacklist_user(conn, id, Ended::SignedOut, Some(id), now)?;
        panel_session::end_all(conn, id)?;
        grants.end_all_in(conn, id, now)?;
        user::delete(conn, id)
    };
    site.db.write(removed).await?;
    log::info!(target: "users", "user {id} has removed the account");
    Ok(refresh_cookie::take_back(&site, Answer::empty(StatusCode::NO_CONTENT)))
}

const LAST: &str = "You are the last active superuser. Make another one first, or nobody could administer this server.";

/// Rows that are read at a time: an account may have a million.
const PORTION: i64 = 500;

/// A list of the copy: the rows that come after one, at most [`PORTION`] of them, and the last one's id.
type Section = fn(&mut Conn, user: i64, after: i64) -> Result<Vec<(i64, Value)>>;

/// What may be long, in the order in which it is told.
const SECTIONS: [(&str, Section); 3] = [("tokens", kept_tokens), ("articles", own_articles), ("tasks", own_tasks)];

/// GET `/api/users/me/export/`: all that is kept of the caller, as a file. It is sent as it is read, so that it may be of
/// any length.
///
/// # Errors
/// 404 if the account has just gone.
pub async fn export(site: Data<Site>, caller: Caller) -> Result<Answer> {
    let (id, now) = (caller.user, site.clock.now());
    let mut head = site.db.read(move |conn| head(conn, id, now)).await?;
    head.pop(); // the brace that closes it
    let lists = stream::unfold(Some(Copy { site, user: id, section: 0, after: 0 }), |copy| async move {
        match copy?.next().await {
            Ok((bytes, rest)) => Some((Ok(bytes), rest)),
            Err(error) => {
                // Half of it is sent: what can still be told is that it is not whole.
                log::error!("an export was broken off: {error}");
                Some((Err(error), None))
            }
        }
    });
    let all = stream::StreamExt::chain(stream::once(async { Ok(Bytes::from(head)) }), lists);
    Ok(Answer::stream("application/json", all).as_file("account.json"))
}

/// A copy that is being sent.
struct Copy {
    site: Data<Site>,
    user: i64,
    section: usize,
    after: i64,
}

impl Copy {
    /// The next piece, and what is left.
    async fn next(mut self) -> Result<(Bytes, Option<Self>)> {
        let Some((name, section)) = SECTIONS.get(self.section).copied() else {
            return Ok((Bytes::from_static(b"}"), None));
        };
        let (user, after) = (self.user, self.after);
        let rows = self.site.db.read(move |conn| section(conn, user, after)).await?;
        let mut text = if after == 0 { format!(",\"{name}\":[").into_bytes() } else { Vec::new() };
        for (at, (_, row)) in rows.iter().enumerate() {
            if at > 0 || after > 0 {
                text.push(b',');
            }
            text.extend(json::to_vec(row)?);
        }
        match rows.last().filter(|_| i64::try_from(rows.len()) == Ok(PORTION)) {
            Some((last, _)) => self.after = *last,
            None => {
                text.push(b']');
                (self.section, self.after) = (self.section + 1, 0);
            }
        }
        Ok((text.into(), Some(self)))
    }
}

/// What is never long.
fn head(conn: &mut Conn, id: i64, now: Timestamp) -> Result<Vec<u8>> {
    let user = user::by_id(conn, id)?.ok_or(Error::not_found())?;
    let flags =
        json!({ "is_active": user.is_active, "is_superuser": user.is_superuser, "updated_at": user.updated_at });
    let mut account = object(Me::of(conn, user)?)?;
    account.extend(object(flags)?);
    let mut roles = Vec::new();
    for role in role::of_user(conn, id)? {
        let permissions = role::permissions(conn, role.id)?;
        roles.push(json!({ "name": role.name, "description": role.description, "permissions": permissions }));
    }
    let sessions = kept::sessions(conn, id)?.into_iter().map(|row| {
        json!({
            "id": row.id, "kind": row.kind, "name": row.name, "ip": row.ip, "user_agent": row.user_agent,
            "started_at": row.started_at, "last_seen_at": row.last_seen_at, "expires_at": row.expires_at,
            "ended_at": row.ended_at, "ended_why": row.ended_why,
        })
    });
    let visits = kept::panel_visits(conn, id)?.into_iter().map(|row| {
        json!({
            "ip": row.ip, "user_agent": row.user_agent, "started_at": row.started_at, "last_seen_at": row.last_seen_at,
            "expires_at": row.expires_at,
        })
    });
    let own_keys = api_key::all_of(conn, id)?.into_iter().map(keys::Shown::of);
    let links = social::of_user(conn, id)?.into_iter().map(|row| {
        json!({
            "provider": row.provider, "issuer": row.issuer, "subject": row.subject, "linked_at": row.linked_at,
        })
    });
    let head = json!({
        "exported_at": now,
        "account": account,
        "roles": roles,
        "sessions": sessions.collect::<Vec<_>>(),
        "panel_sessions": visits.collect::<Vec<_>>(),
        "api_keys": own_keys.collect::<Vec<_>>(),
        "social_accounts": links.collect::<Vec<_>>(),
        "two_factor_since": two_factor::of(conn, id)?.and_then(|row| row.confirmed_at),
    });
    json::to_vec(&head)
}

fn object(row: impl Serialize) -> Result<Map<String, Value>> {
    match serde_json::to_value(row).map_err(Error::internal)? {
        Value::Object(object) => Ok(object),
        _ => Err(Error::internal("a record is no object")),
    }
}

fn rows<T: Serialize>(found: Vec<T>, id: fn(&T) -> i64) -> Result<Vec<(i64, Value)>> {
    found.into_iter().map(|row| Ok((id(&row), serde_json::to_value(row).map_err(Error::internal)?))).collect()
}

fn own_articles(conn: &mut Conn, user: i64, after: i64) -> Result<Vec<(i64, Value)>> {
    let own = articles::table.filter(articles::author_id.eq(user)).filter(articles::id.gt(after));
    rows(own.order(articles::id).limit(PORTION).load::<Article>(conn)?, |row| row.id)
}

fn own_tasks(conn: &mut Conn, user: i64, after: i64) -> Result<Vec<(i64, Value)>> {
    let own = tasks::table.filter(tasks::user_id.eq(user)).filter(tasks::id.gt(after));
    rows(own.order(tasks::id).limit(PORTION).load::<Task>(conn)?, |row| row.id)
}

fn kept_tokens(conn: &mut Conn, user: i64, after: i64) -> Result<Vec<(i64, Value)>> {
    let row = |row: kept::KeptToken| {
        let told = json!({
            "jti": row.jti, "kind": row.kind, "session": row.session, "created_at": row.created_at,
            "expires_at": row.expires_at, "blacklisted_at": row.blacklisted_at,
        });
        (row.id, told)
    };
    Ok(kept::tokens(conn, user, after, PORTION)?.into_iter().map(row).collect())
}
