//! The list of everybody's API keys, as the panel searches, filters and pages through it.

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::keyset::{Keyset, Kind, Page, Place, SortColumn};
use crate::db::schema::{api_key_secrets, api_keys, users};
use crate::db::sql::among;
use crate::db::tally::{Counted, Counts, Tally};
use crate::db::{Backend, Conn};
use crate::error::Result;
use crate::model::api_key::ApiKey;

/// Sorted by when they were made.
pub const BY_CREATED: SortColumn = SortColumn::new("api_keys.created_at", Kind::Number, "api_keys.id");
/// Sorted by their last use.
pub const BY_USED: SortColumn = SortColumn::new("api_keys.last_used_at", Kind::Number, "api_keys.id").nullable();

/// A key with its owner's name.
#[derive(Clone, Debug, Queryable)]
pub struct KeyLine {
    /// The key.
    pub key: ApiKey,
    /// Its owner's name.
    pub owner: String,
}

impl KeyLine {
    /// Where the key stands in this order.
    pub fn place(&self, by: &SortColumn) -> Place {
        let value = if by.column == BY_USED.column { self.key.last_used_at.into() } else { self.key.created_at.into() };
        Place { value, id: self.key.id.into() }
    }
}

/// Which keys are wanted.
#[derive(Clone, Debug, Default)]
pub struct KeyQuery {
    /// Exactly the prefix of a secret, or the name of the owner.
    pub search: String,
    /// Of the user with exactly this name.
    pub owner: Option<String>,
    /// Good at this moment, or no longer.
    pub is_good: Option<(bool, Timestamp)>,
    /// Not used since then.
    pub unused_since: Option<Timestamp>,
}

fn matching(query: &KeyQuery) -> api_keys::BoxedQuery<'static, Backend> {
    let mut rows = api_keys::table.into_boxed();
    if !query.search.is_empty() {
        let owner = users::table.filter(users::username.eq(query.search.clone())).select(users::id).single_value();
        let secret = api_key_secrets::table.filter(api_key_secrets::prefix.eq(query.search.clone()));
        let key = secret.select(api_key_secrets::key_id).single_value();
        let owned = api_keys::user_id.nullable().eq(owner).assume_not_null();
        rows = rows.filter(owned.or(api_keys::id.nullable().eq(key).assume_not_null()));
    }
    if let Some(owner) = &query.owner {
        let owner = users::table.filter(users::username.eq(owner.clone())).select(users::id).single_value();
        rows = rows.filter(api_keys::user_id.nullable().eq(owner).assume_not_null());
    }
    rows = match query.is_good {
        Some((true, now)) => {
            rows.filter(api_keys::expires_at.is_null().or(api_keys::expires_at.gt(now).assume_not_null()))
        }
        Some((false, now)) => rows.filter(api_keys::expires_at.le(now).assume_not_null()),
        None => rows,
    };
    match query.unused_since {
        Some(since) => rows.filter(
            api_keys::created_at
                .le(since)
                .and(api_keys::last_used_at.is_null().or(api_keys::last_used_at.le(since).assume_not_null())),
        ),
        None => rows,
    }
}

/// One page of those that are wanted.
pub fn page(conn: &mut Conn, query: &KeyQuery, keyset: &Keyset) -> Result<Page<KeyLine>> {
    keyset.load(|piece| {
        let ids = matching(query).filter(piece.condition()).order(piece.order());
        let rows = api_keys::table.inner_join(users::table.on(api_keys::user_id.eq(users::id))).into_boxed::<Backend>();
        let rows = rows.filter(among("api_keys.id", ids.limit(piece.limit).select(api_keys::id)));
        Ok(rows.order(piece.order()).select((api_keys::all_columns, users::username)).load(conn)?)
    })
}

/// The key of this id, whoever's it is.
pub fn by_id(conn: &mut Conn, id: i64) -> Result<Option<KeyLine>> {
    let one = api_keys::table.inner_join(users::table.on(api_keys::user_id.eq(users::id))).filter(api_keys::id.eq(id));
    Ok(one.select((api_keys::all_columns, users::username)).first(conn).optional()?)
}

/// How many there are, and how many are wanted, counted up to `most`.
pub fn counts(conn: &mut Conn, query: &KeyQuery, tally: &Tally) -> Result<Counts> {
    let all = api_keys::table.select(api_keys::id);
    let matching: Counted = Box::new(matching(query).select(api_keys::id).limit(tally.limit()));
    tally.count(conn, "api_keys", vec![Box::new(all)], [matching])
}
