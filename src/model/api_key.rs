//! API keys: whose they are, what they are good for, and the digests of their secrets. A secret is shown once and kept
//! nowhere.
//!
//! A key has one present secret and, for a while after a rotation, those before it.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::{constant_time, digest};
use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::keyset::Piece;
use crate::db::schema::{api_key_secrets, api_keys};
use crate::db::{Conn, sql};
use crate::error::{Error, Result};
use crate::settings::Secret;

/// What every secret of ours begins with, so that people and scanners know one when they see it.
const MARK: &str = "pcl_";
/// Random bytes of the part by which a secret is looked up, and of the part that proves it.
const NAMING: usize = 4;
const PROVING: usize = 24;
/// Secrets of one key that are good at a time, the present one counted.
const SECRETS: i64 = 10;

/// SHA-256 of a secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyDigest([u8; 32]);

impl KeyDigest {
    /// The digest of whatever was sent as a key.
    pub fn of(secret: &[u8]) -> Self {
        let mut bytes = [0; 32];
        for (to, from) in bytes.iter_mut().zip(digest::digest(&digest::SHA256, secret).as_ref()) {
            *to = *from;
        }
        Self(bytes)
    }

    /// Whether both are the same, in a time that does not tell where they differ.
    pub fn is(&self, other: &Self) -> bool {
        constant_time::verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl fmt::Display for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyDigest(***)")
    }
}

impl FromStr for KeyDigest {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map(|()| Self(bytes)).map_err(drop)
    }
}

/// A new secret: `pcl_`, 8 hexadecimal digits that name it, and 192 bits that prove it.
///
/// # Errors
/// If the system has no random bytes.
pub fn new_secret() -> Result<Secret> {
    let mut bytes = zeroize::Zeroizing::new([0; NAMING + PROVING]);
    aws_lc_rs::rand::fill(bytes.as_mut()).map_err(|_| Error::internal("the system has no random bytes"))?;
    let (naming, proving) = bytes.split_at(NAMING);
    Ok(format!("{MARK}{}_{}", hex::encode(naming), hex::encode(proving)).into())
}

/// The part of a secret by which it is looked up and recognised, and that may be shown. A secret that somebody chose has no
/// such part: a piece of its digest stands for it, since a piece of itself would give it away.
pub fn prefix_of(secret: &[u8]) -> String {
    let ours = std::str::from_utf8(secret).ok().and_then(|text| {
        let (naming, proving) = text.strip_prefix(MARK)?.split_once('_')?;
        let is_hex = |part: &str, bytes: usize| part.len() == 2 * bytes && part.bytes().all(|b| b.is_ascii_hexdigit());
        (is_hex(naming, NAMING) && is_hex(proving, PROVING)).then(|| format!("{MARK}{naming}"))
    });
    ours.unwrap_or_else(|| KeyDigest::of(secret).to_string().chars().take(2 * NAMING).collect())
}

/// A row of `api_keys`.
#[derive(Clone, Debug, Queryable)]
pub struct ApiKey {
    /// Never given twice.
    pub id: i64,
    /// Its owner.
    pub user_id: i64,
    /// What the owner calls it.
    pub name: String,
    /// That of its present secret.
    pub prefix: String,
    /// `*`, or names of permissions parted by spaces.
    pub scopes: String,
    /// The networks that it may be used from, parted by spaces; empty for all.
    pub ip_ranges: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is good for nothing.
    pub expires_at: Option<Timestamp>,
    /// The last use, to the minute.
    pub last_used_at: Option<Timestamp>,
}

/// What a new key is made of.
#[derive(Clone, Debug)]
pub struct NewApiKey {
    /// Its owner.
    pub user: i64,
    /// What the owner calls it.
    pub name: String,
    /// See [`ApiKey::scopes`].
    pub scopes: String,
    /// See [`ApiKey::ip_ranges`].
    pub ip_ranges: String,
    /// Its end, if it has one.
    pub expires_at: Option<Timestamp>,
}

/// What may be changed of a key; `None` leaves a field alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, AsChangeset)]
#[diesel(table_name = api_keys)]
pub struct ApiKeyChanges {
    /// Its name.
    pub name: Option<String>,
    /// See [`ApiKey::scopes`].
    pub scopes: Option<String>,
    /// See [`ApiKey::ip_ranges`].
    pub ip_ranges: Option<String>,
    /// Its end; `Some(None)` removes it.
    pub expires_at: Option<Option<Timestamp>>,
}

/// The secret is that of a key already.
#[derive(Debug)]
pub struct InUse;

/// Makes a key with its first secret; a secret that is in use is the inner error, and changes nothing.
pub fn insert(conn: &mut Conn, new: &NewApiKey, secret: &Secret, now: Timestamp) -> Result<Result<ApiKey, InUse>> {
    let secret = secret.expose().as_bytes();
    let row = (
        api_keys::user_id.eq(new.user),
        api_keys::name.eq(&new.name),
        api_keys::prefix.eq(prefix_of(secret)),
        api_keys::scopes.eq(&new.scopes),
        api_keys::ip_ranges.eq(&new.ip_ranges),
        api_keys::created_at.eq(now),
        api_keys::expires_at.eq(new.expires_at),
    );
    // In a savepoint, since a violation spoils a PostgreSQL transaction.
    let made: QueryResult<ApiKey> = conn.transaction(|conn| {
        let key: ApiKey =
            diesel::insert_into(api_keys::table).values(row).returning(api_keys::all_columns).get_result(conn)?;
        insert_secret(conn, key.id, secret)?;
        Ok(key)
    });
    match made {
        Ok(key) => Ok(Ok(key)),
        Err(error) if sql::taken(&error, "api_key_secrets", "digest") => Ok(Err(InUse)),
        Err(error) => Err(error.into()),
    }
}

fn insert_secret(conn: &mut Conn, key: i64, secret: &[u8]) -> QueryResult<()> {
    diesel::insert_into(api_key_secrets::table)
        .values((
            api_key_secrets::key_id.eq(key),
            api_key_secrets::prefix.eq(prefix_of(secret)),
            api_key_secrets::digest.eq(KeyDigest::of(secret).to_string()),
        ))
        .execute(conn)?;
    Ok(())
}

/// Gives a key another secret. Those before it are good until `until` at most, and the oldest beyond ten no longer.
pub fn rotate(conn: &mut Conn, key: i64, secret: &Secret, until: Timestamp, now: Timestamp) -> Result<ApiKey> {
    let secret = secret.expose().as_bytes();
    let lives_on = api_key_secrets::until.is_null().or(api_key_secrets::until.gt(until));
    let old = api_key_secrets::table.filter(api_key_secrets::key_id.eq(key));
    diesel::update(old.filter(lives_on)).set(api_key_secrets::until.eq(until)).execute(conn)?;
    diesel::delete(old.filter(api_key_secrets::until.le(now))).execute(conn)?;
    insert_secret(conn, key, secret)?;
    let newest_first = api_key_secrets::table
        .filter(api_key_secrets::key_id.eq(key))
        .order(api_key_secrets::id.desc())
        .select(api_key_secrets::id);
    let kept: Vec<i64> = newest_first.limit(SECRETS).load(conn)?;
    diesel::delete(old.filter(diesel::dsl::not(api_key_secrets::id.eq_any(kept)))).execute(conn)?;
    let told = diesel::update(api_keys::table.find(key)).set(api_keys::prefix.eq(prefix_of(secret)));
    Ok(told.returning(api_keys::all_columns).get_result(conn)?)
}

/// The digests of a key's secrets.
pub fn digests(conn: &mut Conn, key: i64) -> Result<Vec<KeyDigest>> {
    let of_key = api_key_secrets::table.filter(api_key_secrets::key_id.eq(key));
    let texts: Vec<String> = of_key.select(api_key_secrets::digest).load(conn)?;
    texts.iter().map(|text| parse(text)).collect()
}

fn parse(text: &str) -> Result<KeyDigest> {
    text.parse().map_err(|()| Error::internal("a digest of an API key is none"))
}

/// The keys whose secret has this prefix, each with the secret's digest and its end, if it has one. Mostly there is one.
pub fn by_prefix(conn: &mut Conn, prefix: &str) -> Result<Vec<(KeyDigest, Option<Timestamp>, ApiKey)>> {
    let named = api_key_secrets::table.inner_join(api_keys::table).filter(api_key_secrets::prefix.eq(prefix));
    let columns = (api_key_secrets::digest, api_key_secrets::until, api_keys::all_columns);
    let rows: Vec<(String, Option<Timestamp>, ApiKey)> = named.select(columns).load(conn)?;
    rows.into_iter().map(|(digest, until, key)| Ok((parse(&digest)?, until, key))).collect()
}

/// The key that has this secret.
pub fn by_digest(conn: &mut Conn, digest: &KeyDigest) -> Result<Option<ApiKey>> {
    let secret = api_key_secrets::table.inner_join(api_keys::table);
    let secret = secret.filter(api_key_secrets::digest.eq(digest.to_string()));
    Ok(secret.select(api_keys::all_columns).first(conn).optional()?)
}

/// The key of this user with this id.
pub fn by_id(conn: &mut Conn, user: i64, id: i64) -> Result<Option<ApiKey>> {
    Ok(api_keys::table.find(id).filter(api_keys::user_id.eq(user)).first(conn).optional()?)
}

/// How many keys a user has.
pub fn count(conn: &mut Conn, user: i64) -> Result<i64> {
    Ok(api_keys::table.filter(api_keys::user_id.eq(user)).count().get_result(conn)?)
}

/// All keys of a user, the newest first.
pub fn all_of(conn: &mut Conn, user: i64) -> Result<Vec<ApiKey>> {
    Ok(api_keys::table.filter(api_keys::user_id.eq(user)).order(api_keys::id.desc()).load(conn)?)
}

/// A piece of the keys of a user.
pub fn page_of(conn: &mut Conn, user: i64, piece: &Piece) -> Result<Vec<ApiKey>> {
    let own = api_keys::table.filter(api_keys::user_id.eq(user)).filter(piece.condition()).order(piece.order());
    Ok(own.limit(piece.limit).offset(piece.offset).load(conn)?)
}

/// Changes a key and returns it.
pub fn update(conn: &mut Conn, id: i64, changes: &ApiKeyChanges) -> Result<ApiKey> {
    if *changes == ApiKeyChanges::default() {
        return Ok(api_keys::table.find(id).first(conn)?);
    }
    let row = diesel::update(api_keys::table.find(id)).set(changes);
    Ok(row.returning(api_keys::all_columns).get_result(conn)?)
}

/// Deletes a key with its secrets.
pub fn delete(conn: &mut Conn, id: i64) -> Result<()> {
    diesel::delete(api_keys::table.find(id)).execute(conn)?;
    Ok(())
}

/// Notes that a key was used, unless a use since `since` is on record already.
pub fn touch(conn: &mut Conn, id: i64, since: Timestamp, now: Timestamp) -> Result<()> {
    let long_ago = api_keys::last_used_at.is_null().or(api_keys::last_used_at.le(since));
    let key = api_keys::table.find(id).filter(long_ago);
    diesel::update(key).set(api_keys::last_used_at.eq(now)).execute(conn)?;
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// KEY-01.
    #[test]
    fn a_secret_is_known_by_its_look_holds_192_bits_and_comes_once() {
        let (one, other) = (new_secret().unwrap(), new_secret().unwrap());
        assert_ne!(one.expose(), other.expose());
        assert_eq!(one.expose().len(), "pcl_01234567_".len() + 48);
        let prefix = prefix_of(one.expose().as_bytes());
        assert!(one.expose().starts_with(&format!("{prefix}_")) && prefix.len() == "pcl_01234567".len());
    }

    #[test]
    fn a_chosen_secret_is_named_by_nothing_of_its_own() {
        for chosen in ["letmein", "pcl_letmein", "pcl_01234567_short", "pcl_0123456z_", "ключ"] {
            let prefix = prefix_of(chosen.as_bytes());
            assert_eq!(prefix.len(), 8, "{chosen}");
            assert!(!chosen.contains(&prefix), "{chosen}");
        }
    }

    #[test]
    fn a_digest_reads_back_and_tells_nothing_in_a_log() {
        let digest = KeyDigest::of(b"a secret");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert!(digest.is(&digest) && !digest.is(&KeyDigest::of(b"another")));
        assert_eq!(format!("{digest:?}"), "KeyDigest(***)");
        assert!("abc".parse::<KeyDigest>().is_err());
    }
}
