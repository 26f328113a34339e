//! The part of a list that is SQL: its order, by the keys that a resource names.

use crate::db::sql::{Sort, SortKeys};
use crate::rest::list::ListQuery;

impl ListQuery {
    /// The terms of the ORDER BY: those of `?ordering=` that `keys` knows. The caller adds the id, so that pages never
    /// overlap.
    pub fn sorts<T>(&self, keys: &SortKeys<T>) -> Vec<Sort<T>> {
        let known = |(name, descending): (String, bool)| {
            keys.iter().find(|(key, _)| *key == name).map(|(_, terms)| terms(descending))
        };
        self.ordering().into_iter().filter_map(known).flatten().collect()
    }
}
