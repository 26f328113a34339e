//! What v2 shows of a resource: the same record as v1, but with objects where v1 has ids.

use std::collections::HashMap;

use serde_json::Value;

use crate::db::Conn;
use crate::error::{Error, Result};
use crate::rest::json;
use crate::rest::paging::Page;
use crate::rest::resource::Resource;
use crate::rest::version::Version;

/// A member that holds an id in v1 and an object in v2.
pub struct Nested {
    /// Its name.
    pub member: &'static str,
    /// What the API's description calls the objects.
    pub record: &'static str,
    /// The objects with these ids: those of a whole page at once.
    pub objects: fn(&mut Conn, &[i64]) -> Result<Objects>,
}

/// What is shown of some ids.
pub type Objects = HashMap<i64, Value>;

/// One object as this version shows it, in JSON.
///
/// # Errors
/// The database's.
pub fn one<R: Resource>(conn: &mut Conn, version: Version, object: &R) -> Result<Vec<u8>> {
    if is_plain::<R>(version) {
        return json::to_vec(object);
    }
    json::to_vec(&nest::<R>(conn, std::slice::from_ref(object))?.first())
}

/// A page of them.
///
/// # Errors
/// The database's.
pub fn page<R: Resource>(conn: &mut Conn, version: Version, page: Page<R>) -> Result<Vec<u8>> {
    if is_plain::<R>(version) {
        return json::to_vec(&page);
    }
    let Page { count, next, previous, results } = page;
    json::to_vec(&Page { count, next, previous, results: nest(conn, &results)? })
}

fn is_plain<R: Resource>(version: Version) -> bool {
    version == Version::V1 || R::NESTED.is_empty()
}

fn nest<R: Resource>(conn: &mut Conn, objects: &[R]) -> Result<Vec<Value>> {
    let shown = |object: &R| serde_json::to_value(object).map_err(Error::internal);
    let mut rows = objects.iter().map(shown).collect::<Result<Vec<Value>>>()?;
    for Nested { member, objects, .. } in R::NESTED {
        let mut ids: Vec<i64> = rows.iter().filter_map(|row| row.get(member)?.as_i64()).collect();
        ids.sort_unstable();
        ids.dedup();
        let known = objects(conn, &ids)?;
        for place in rows.iter_mut().filter_map(|row| row.get_mut(member)) {
            // An id of which nothing is known stands for itself.
            if let Some(object) = place.as_i64().and_then(|id| known.get(&id)) {
                *place = object.clone();
            }
        }
    }
    Ok(rows)
}
