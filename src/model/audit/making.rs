//! An entry in the making: who acts is known, what is done is told, and the transaction of the act appends it.

use super::act;
use super::chain::Chain;
use super::entry::{By, Change, Entry, Object, Outcome};
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::Result;

/// An entry that is to be appended. Cloned, it is the beginning of one entry for each of many objects.
#[derive(Clone)]
pub struct Audit {
    chain: Chain,
    entry: Entry,
}

impl Audit {
    /// `by` does `action`, a code such as `user.deactivate`, at `at`.
    pub fn new(chain: &Chain, by: By, action: &str, at: Timestamp) -> Self {
        Self { chain: chain.clone(), entry: Entry { at, by, action: action.to_owned(), ..Entry::default() } }
    }

    /// To this object.
    pub fn on(mut self, object: Object) -> Self {
        self.entry.object = object;
        self
    }

    /// With these changes, beside those that were told before.
    pub fn with(mut self, changes: impl IntoIterator<Item = Change>) -> Self {
        self.entry.changes.extend(changes);
        self
    }

    /// For this reason; cut to 500 characters, and nothing if it is empty.
    pub fn because(mut self, reason: &str) -> Self {
        reason.clone_into(&mut self.entry.reason);
        self
    }

    /// What came of it, where that is not that it was done.
    pub fn came_to(mut self, result: Outcome) -> Self {
        self.entry.result = result;
        self
    }

    /// What the entries of this act have in common: the number of the request, and the moment. See [`super::act::entries`].
    pub fn act(&self) -> String {
        act::named(&self.entry.by.request, self.entry.at)
    }

    /// Appends the entry; called once, inside the transaction of the act.
    ///
    /// # Errors
    /// The database's.
    pub fn append(self, conn: &mut Conn) -> Result<()> {
        self.chain.append(conn, self.entry).map(drop)
    }
}
