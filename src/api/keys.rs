//! One's own API keys: made, looked at, changed, given another secret, revoked. Whoever comes with a key does none of it.

use std::net::IpAddr;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use ipnet::IpNet;
use serde::Serialize;

use crate::auth::api_keys::{self, Scopes, WHOLE};
use crate::auth::gate::Principal;
use crate::auth::permissions::{Permission, PermissionSet};
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::model::api_key::{self, ApiKey, ApiKeyChanges, NewApiKey};
use crate::rest::answer::Answer;
use crate::rest::caller::Caller;
use crate::rest::fields::{Fields, Input};
use crate::rest::list::ListQuery;
use crate::rest::paging::Sorting;
use crate::rest::payload::Body;
use crate::rest::permission::IsSignedIn;
use crate::rest::resource::Id;
use crate::settings::Secret;
use crate::site::Site;

/// Keys of one user: far more than anybody needs, and few enough that nobody fills the disk.
const MOST_KEYS: i64 = 100;
/// How long the secret before a rotation goes on working, unless it is said, in hours.
const OVERLAP_HOURS: i64 = 24;
/// How long it goes on working at most, in hours.
pub const LONGEST_OVERLAP_HOURS: i64 = 7 * 24;

/// What a body says of a key.
pub struct KeyInput {
    name: Option<String>,
    scopes: Option<Scopes>,
    expires_at: Option<Option<Timestamp>>,
    ip_ranges: Option<String>,
}

impl Input for KeyInput {
    fn read(fields: &mut Fields) -> Self {
        fields.read_only("id", "integer");
        let name = fields.text("name").required().max(100).get();
        fields.read_only("prefix", "string");
        let scopes = fields.texts("scopes").required().get().map(|names| read_scopes(fields, &names));
        fields.read_only("created_at", "datetime");
        let expires_at = fields.datetime("expires_at").nullable().get();
        fields.read_only("last_used_at", "datetime");
        let ranges = fields.texts("ip_ranges").blank().get();
        let ip_ranges = ranges.map(|ranges| read_ranges(fields, &ranges));
        Self { name, scopes, expires_at, ip_ranges }
    }
}

/// `*`, or names of permissions.
fn read_scopes(fields: &mut Fields, names: &[String]) -> Scopes {
    let unknown = names.iter().filter(|name| *name != WHOLE && name.parse::<Permission>().is_err());
    for name in unknown.collect::<Vec<_>>() {
        fields.reject("scopes", format!("\"{name}\" is not a valid choice."));
    }
    if names.iter().any(|name| name == WHOLE) { Scopes::Whole } else { Scopes::Only(PermissionSet::named(names)) }
}

/// Networks, or single addresses; kept as networks.
fn read_ranges(fields: &mut Fields, ranges: &[String]) -> String {
    let mut networks = Vec::new();
    for text in ranges {
        match text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)) {
            Ok(network) => networks.push(network.trunc().to_string()),
            Err(_) => fields.reject("ip_ranges", format!("\"{text}\" is no address and no network.")),
        }
    }
    networks.join(" ")
}

/// A key as its owner sees it (CONTRACT 22).
#[derive(Serialize)]
pub struct Shown {
    id: i64,
    name: String,
    prefix: String,
    scopes: Vec<String>,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
    ip_ranges: Vec<String>,
    /// The secret: in the answer that makes it, and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

impl Shown {
    /// A key, without its secret.
    pub fn of(key: ApiKey) -> Self {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect();
        Self {
            id: key.id,
            name: key.name,
            prefix: key.prefix,
            scopes: words(&key.scopes),
            created_at: key.created_at,
            expires_at: key.expires_at,
            last_used_at: key.last_used_at,
            ip_ranges: words(&key.ip_ranges),
            key: None,
        }
    }

    fn with(key: ApiKey, secret: &Secret) -> Self {
        Self { key: Some(secret.expose().to_owned()), ..Self::of(key) }
    }
}

/// Nobody gives a key what they do not have: of the areas that are for those alone whom a role permits. What everybody may
/// do with tasks and articles of their own, everybody's keys may.
fn check_scopes(who: &Principal, scopes: Scopes) -> Result<()> {
    let Scopes::Only(named) = scopes else { return Ok(()) };
    let everybodys = |one: &Permission| matches!(one.area(), "tasks" | "articles");
    let staffs = |one: &Permission| one.area() == "services" && who.state.staff;
    let beyond = named.beyond(who.state.permissions).into_iter().filter(|one| !everybodys(one) && !staffs(one));
    let names: Vec<String> = beyond.map(|one| one.to_string()).collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(Error::field("scopes", format!("You lack what they allow: {}.", names.join(", "))))
}

fn check_expiry(expires_at: Option<Timestamp>, now: Timestamp) -> Result<()> {
    match expires_at {
        Some(at) if at <= now => Err(Error::field("expires_at", "This must lie in the future.")),
        _ => Ok(()),
    }
}

const SORTING: Sorting<ApiKey> = Sorting::newest_first(|key| key.id.into());

/// GET `/api/keys/`: the newest first.
///
/// # Errors
/// 404 for a page that is not there.
pub async fn list(site: Data<Site>, caller: Caller<IsSignedIn>, query: ListQuery) -> Result<Answer> {
    let user = caller.user;
    let page = move |conn: &mut Conn| {
        let count = |conn: &mut Conn| api_key::count(conn, user);
        let page = query.page(conn, &SORTING, count, |conn, piece| api_key::page_of(conn, user, piece))?;
        Ok(page.map(Shown::of))
    };
    Answer::ok(&site.db.read(page).await?)
}

/// One's own key; anybody else's does not exist.
fn own(conn: &mut Conn, user: i64, id: &Id) -> Result<ApiKey> {
    api_key::by_id(conn, user, id.number())?.ok_or_else(|| Error::no_such("ApiKey"))
}

/// GET `/api/keys/{id}/`.
///
/// # Errors
/// 404 if it is not one's own.
pub async fn retrieve(site: Data<Site>, caller: Caller<IsSignedIn>, id: Id) -> Result<Answer> {
    let user = caller.user;
    Answer::ok(&site.db.read(move |conn| own(conn, user, &id).map(Shown::of)).await?)
}

/// POST `/api/keys/`: makes a key, and shows it this once.
///
/// # Errors
/// 400 by field.
pub async fn create(site: Data<Site>, caller: Caller<IsSignedIn>, body: Body) -> Result<Answer> {
    let given: KeyInput = body.read().await?;
    let (who, now) = (caller.principal(), site.clock.now());
    let scopes = given.scopes.ok_or_else(|| Error::field("scopes", "This field is required."))?;
    check_scopes(&who, scopes)?;
    let new = NewApiKey {
        user: who.user,
        name: given.name.unwrap_or_default(),
        scopes: scopes.to_string(),
        ip_ranges: given.ip_ranges.unwrap_or_default(),
        expires_at: given.expires_at.flatten(),
    };
    check_expiry(new.expires_at, now)?;
    let secret = api_key::new_secret()?;
    let made = move |conn: &mut Conn| {
        who.confirm(conn)?;
        if api_key::count(conn, new.user)? >= MOST_KEYS {
            let words = format!("You have {MOST_KEYS} keys. Delete one that is not used.");
            return Err(Error::field("non_field_errors", words));
        }
        let key = api_key::insert(conn, &new, &secret, now)?.map_err(|_| Error::internal("a random key came twice"))?;
        Ok(Shown::with(key, &secret))
    };
    Answer::created(&site.db.write(made).await?)
}

/// PATCH `/api/keys/{id}/`: another name, other scopes, another end, other ranges, from the next request on.
///
/// # Errors
/// 404 if it is not one's own; 400 by field.
pub async fn change(site: Data<Site>, caller: Caller<IsSignedIn>, id: Id, body: Body) -> Result<Answer> {
    let (who, now) = (caller.principal(), site.clock.now());
    let user = who.user;
    let (id, _) = site.db.read(move |conn| own(conn, user, &id).map(|key| (id, key))).await?;
    let given: KeyInput = body.read().await?;
    given.scopes.map_or(Ok(()), |scopes| check_scopes(&who, scopes))?;
    check_expiry(given.expires_at.flatten(), now)?;
    let changes = ApiKeyChanges {
        name: given.name,
        scopes: given.scopes.map(|scopes| scopes.to_string()),
        ip_ranges: given.ip_ranges,
        expires_at: given.expires_at,
    };
    let changed = move |conn: &mut Conn| {
        who.confirm(conn)?;
        let key = own(conn, user, &id)?;
        api_keys::changed_in(conn, key.id, now)?;
        api_key::update(conn, key.id, &changes).map(Shown::of)
    };
    Answer::ok(&site.db.write(changed).await?)
}

/// DELETE `/api/keys/{id}/`: revokes it, with all its secrets.
///
/// # Errors
/// 404 if it is not one's own; 503 if it could not be written down.
pub async fn revoke(site: Data<Site>, caller: Caller<IsSignedIn>, id: Id) -> Result<Answer> {
    let (who, now) = (caller.principal(), site.clock.now());
    let revoked = move |conn: &mut Conn| {
        who.confirm(conn)?;
        let key = own(conn, who.user, &id)?;
        api_keys::changed_in(conn, key.id, now)?;
        api_key::delete(conn, key.id)
    };
    site.db.write(revoked).await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

/// For how long the secret so far goes on working.
pub struct Rotation {
    overlap_hours: i64,
}

impl Input for Rotation {
    fn read(fields: &mut Fields) -> Self {
        let overlap_hours = fields.integer("overlap_hours").get().unwrap_or(OVERLAP_HOURS);
        if !(0..=LONGEST_OVERLAP_HOURS).contains(&overlap_hours) {
            fields.reject("overlap_hours", format!("Ensure this value is from 0 to {LONGEST_OVERLAP_HOURS}."));
        }
        Self { overlap_hours }
    }
}

/// POST `/api/keys/{id}/rotate/`: another secret, shown this once. The one so far is good for `overlap_hours` more: a day,
/// if nothing is said; zero ends it at once.
///
/// # Errors
/// 404 if it is not one's own; 400 by field.
pub async fn rotate(site: Data<Site>, caller: Caller<IsSignedIn>, id: Id, body: Body) -> Result<Answer> {
    let (who, now) = (caller.principal(), site.clock.now());
    let user = who.user;
    let (id, _) = site.db.read(move |conn| own(conn, user, &id).map(|key| (id, key))).await?;
    let Rotation { overlap_hours } = body.read().await?;
    let until = now + Duration::from_secs(3600 * u64::try_from(overlap_hours).unwrap_or_default());
    let secret = api_key::new_secret()?;
    let rotated = move |conn: &mut Conn| {
        who.confirm(conn)?;
        let key = own(conn, user, &id)?;
        api_keys::changed_in(conn, key.id, now)?;
        let key = api_key::rotate(conn, key.id, &secret, until, now)?;
        Ok(Shown::with(key, &secret))
    };
    Answer::ok(&site.db.write(rotated).await?)
}
