//! What is kept in memory so that a signed-in request costs no SQL: the users and API keys seen lately, and what
//! has been ended.

use std::ops::Deref;
use std::sync::Arc;

use crate::auth::api_keys::ApiKeys;
use crate::auth::principals::Principals;
use crate::auth::revocations::Revocations;
use crate::db::Db;

/// One memory for the whole process. Cheap to clone.
#[derive(Clone)]
pub struct Memory(Arc<Parts>);

/// Its parts.
pub struct Parts {
    /// The state of users.
    pub principals: Principals,
    /// The API keys.
    pub api_keys: ApiKeys,
    /// The ended sessions.
    pub revocations: Revocations,
}

impl Memory {
    /// An empty one over this database.
    pub fn new(db: Db) -> Self {
        Self(Arc::new(Parts {
            principals: Principals::new(db.clone()),
            api_keys: ApiKeys::new(db),
            revocations: Revocations::default(),
        }))
    }
}

impl Deref for Memory {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
