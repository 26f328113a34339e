//! The API keys that were used lately, in memory, and what each opens: a key that is warm costs no SQL.
//!
//! Found by the digest of what was sent, so that a wrong key costs the same whatever is wrong with it: one read, with every
//! digest compared whole. A change drops a key from here by the change log, as it drops users from [`Principals`].
//!
//! [`Principals`]: crate::auth::principals::Principals

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;
use quick_cache::sync::Cache;

use crate::auth::permissions::{Permission, PermissionSet};
use crate::clock::Timestamp;
use crate::db::{Conn, Db};
use crate::error::{Error, Result};
use crate::model::api_key::{self, ApiKey, KeyDigest};
use crate::model::change::{self, What};

/// What a key opens, its owner permitting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scopes {
    /// `*`: whatever the owner may, but for what only a sign-in opens.
    Whole,
    /// These permissions.
    Only(PermissionSet),
}

/// The scope that stands for all.
pub const WHOLE: &str = "*";

impl Scopes {
    /// Reads what a row says. A name that exists no more opens nothing.
    pub fn parse(text: &str) -> Self {
        let mut names = text.split(' ');
        if names.any(|name| name == WHOLE) {
            return Self::Whole;
        }
        Self::Only(PermissionSet::named(&text.split(' ').collect::<Vec<_>>()))
    }

    /// Whether the key may be used for what this permission is about.
    pub fn allow(self, permission: Permission) -> bool {
        match self {
            Self::Whole => true,
            Self::Only(named) => named.holds(permission),
        }
    }

    /// What is left of these permissions.
    pub fn of(self, permissions: PermissionSet) -> PermissionSet {
        match self {
            Self::Whole => permissions,
            Self::Only(named) => permissions.within(named),
        }
    }
}

impl fmt::Display for Scopes {
    /// As a row says it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => f.write_str(WHOLE),
            Self::Only(named) => {
                let names = Permission::all().filter(|one| named.holds(*one)).map(|one| one.to_string());
                f.write_str(&names.collect::<Vec<_>>().join(" "))
            }
        }
    }
}

/// A key as requests ask for it.
#[derive(Debug)]
pub struct KnownKey {
    /// Its id.
    pub id: i64,
    /// Its owner.
    pub user: i64,
    /// What it opens.
    pub scopes: Scopes,
    /// The digest of the secret that was sent.
    pub digest: KeyDigest,
    /// Its prefix.
    prefix: String,
    /// From when on this secret is good for nothing.
    pub until: Option<Timestamp>,
    /// Where it may be used from; everywhere, if there is none.
    pub ranges: Vec<IpNet>,
    /// The last use on record, in microseconds.
    noted: AtomicI64,
}

impl KnownKey {
    fn of(digest: KeyDigest, prefix: &str, until: Option<Timestamp>, key: &ApiKey) -> Result<Self> {
        let ranges = key.ip_ranges.split_whitespace().map(str::parse).collect::<Result<_, _>>();
        Ok(Self {
            id: key.id,
            user: key.user_id,
            scopes: Scopes::parse(&key.scopes),
            digest,
            prefix: prefix.to_owned(),
            until: [until, key.expires_at].into_iter().flatten().min(),
            // A range that cannot be read must not count as none.
            ranges: ranges.map_err(|_| Error::internal(format!("API key {} has a range that is none", key.id)))?,
            noted: AtomicI64::new(key.last_used_at.map_or(i64::MIN, Timestamp::micros)),
        })
    }
}

/// The keys in memory. Bounded; the least used give way.
pub struct ApiKeys {
    db: Db,
    /// None stands here only for the moment in which all who wait for a wrong key are told so.
    known: Cache<KeyDigest, Option<Arc<KnownKey>>>,
}

/// How many keys are kept: some 200 bytes each.
const KEPT: usize = 100_000;
/// How often a key's use is written down.
const NOTED_EVERY: Duration = Duration::from_secs(60);

impl ApiKeys {
    /// An empty memory over this database.
    pub fn new(db: Db) -> Self {
        Self { db, known: Cache::new(KEPT) }
    }

    /// The key that `secret` is of, if it is of any. Whether it is in date is for the caller to see.
    ///
    /// # Errors
    /// The database's.
    pub async fn of(&self, secret: &[u8]) -> Result<Option<Arc<KnownKey>>> {
        let prefix = || api_key::prefix_of(secret);
        self.with(KeyDigest::of(secret), prefix).await
    }

    /// The key as of now, which was found before.
    ///
    /// # Errors
    /// The database's.
    pub async fn again(&self, key: &KnownKey) -> Result<Option<Arc<KnownKey>>> {
        self.with(key.digest, || key.prefix.clone()).await
    }

    async fn with(&self, digest: KeyDigest, prefix: impl FnOnce() -> String) -> Result<Option<Arc<KnownKey>>> {
        let place = match self.known.get_value_or_guard_async(&digest).await {
            Ok(known) => return Ok(known),
            Err(place) => place,
        };
        let prefix = prefix();
        let find = move |conn: &mut Conn| {
            let mut found = None;
            for (stored, until, key) in api_key::by_prefix(conn, &prefix)? {
                if stored.is(&digest) {
                    found = Some(KnownKey::of(stored, &prefix, until, &key)?);
                }
            }
            Ok(found)
        };
        let key = self.db.read(find).await?.map(Arc::new);
        // Refused if the key was dropped since: then this may be an old state, good for this request alone.
        let _ = place.insert(key.clone());
        if key.is_none() {
            // Given back unfilled, the place would go from one who waits to the next, the last first, each with a read.
            self.known.remove(&digest);
        }
        Ok(key)
    }

    /// Drops what is known of a secret. Only after the commit of a change.
    pub fn forget(&self, digest: &KeyDigest) {
        self.known.remove(digest);
    }

    /// Has the use of a key written down, at most once a minute. No request waits for it, and none fails by it.
    pub fn note_use(&self, key: &KnownKey, now: Timestamp) {
        let (before, since) = (key.noted.load(Ordering::Relaxed), now - NOTED_EVERY);
        if before > since.micros() {
            return;
        }
        // Of those who come at once, one writes.
        let first = key.noted.compare_exchange(before, now.micros(), Ordering::Relaxed, Ordering::Relaxed).is_ok();
        let id = key.id;
        if first {
            self.db.write_later(move |conn| api_key::touch(conn, id, since, now));
        }
    }
}

/// Entries about keys matter to those who run now; a start knows no key.
const MATTERS_FOR: Duration = Duration::from_secs(3600);

/// Says inside the caller's transaction that a key is about to open something else, with every secret of it, or nothing.
///
/// # Errors
/// The database's.
pub fn changed_in(conn: &mut Conn, key: i64, now: Timestamp) -> Result<()> {
    let secrets = api_key::digests(conn, key)?;
    secrets.into_iter().try_for_each(|digest| change::append(conn, What::ApiKey(digest), now, now + MATTERS_FOR))
}

/// The header of an API key.
const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// What was sent as an API key. An empty header is as none; two are one with a comma between (RFC 9110 §5.2), which is no
/// key.
pub fn sent(headers: &HeaderMap) -> Option<Cow<'_, [u8]>> {
    let mut values = headers.get_all(X_API_KEY).map(HeaderValue::as_bytes).map(<[u8]>::trim_ascii);
    let first = Cow::Borrowed(values.next()?);
    let all = values.fold(first, |all, next| Cow::Owned([&all, next].join(&b',')));
    (!all.is_empty()).then_some(all)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn permission(name: &str) -> Permission {
        name.parse().unwrap()
    }

    #[test]
    fn scopes_are_all_or_those_named() {
        assert!(Scopes::parse("*").allow(permission("users.change")));
        let some = Scopes::parse("tasks.view articles.add");
        assert!(some.allow(permission("tasks.view")) && some.allow(permission("articles.add")));
        assert!(!some.allow(permission("tasks.add")));
        assert_eq!(some.to_string(), "articles.add tasks.view");
        assert_eq!(Scopes::Whole.to_string(), "*");
        for nothing in ["", "tasks.fly", "no such"] {
            assert!(Permission::all().all(|one| !Scopes::parse(nothing).allow(one)), "{nothing}");
        }
    }

    #[test]
    fn a_key_leaves_of_its_owners_permissions_what_its_scopes_name() {
        let owner = PermissionSet::named(&["users.view", "users.add"]);
        assert_eq!(Scopes::Whole.of(owner), owner);
        assert_eq!(Scopes::parse("users.view roles.view").of(owner), PermissionSet::named(&["users.view"]));
    }
}
