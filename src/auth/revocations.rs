//! What has been ended, in memory: asked on every signed-in request, at the cost of one look-up.
//!
//! It is the change log replayed. It holds only what tokens still alive could be about; what has expired needs no entry.

use papaya::{HashMap, ResizeMode};

use crate::clock::Timestamp;
use crate::model::session::SessionId;

/// The ended sessions, and single tokens by the session that would be theirs alone ([`SessionId::of_token`]).
pub struct Revocations {
    ended: HashMap<SessionId, Timestamp>,
}

impl Default for Revocations {
    /// None yet. The table grows at once when it must: growing bit by bit, as is papaya's default, leaves several tables to
    /// look into until enough was written, and makes a look-up ten times dearer.
    fn default() -> Self {
        Self { ended: HashMap::builder().resize_mode(ResizeMode::Blocking).build() }
    }
}

impl Revocations {
    /// Whether the session has ended.
    pub fn covers(&self, session: SessionId) -> bool {
        self.ended.pin().contains_key(&session)
    }

    /// Notes an end, to be kept until `until`. Only after its commit.
    pub fn note(&self, session: SessionId, until: Timestamp) {
        self.ended.pin().update_or_insert(session, |kept| until.max(*kept), until);
    }

    /// Drops what no living token can be about at `now`; returns how many entries that were.
    pub fn sweep(&self, now: Timestamp) -> usize {
        let ended = self.ended.pin();
        let before = ended.len();
        ended.retain(|_, until| *until > now);
        before.saturating_sub(ended.len())
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.ended.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ended.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_known_until_no_token_can_be_about_it() {
        let ended = Revocations::default();
        let (session, until) = (SessionId::of_token("a"), Timestamp::from_seconds(300));
        ended.note(session, until);
        ended.note(session, Timestamp::from_seconds(10)); // a shorter note takes nothing back
        assert!(ended.covers(session));
        assert_eq!(ended.sweep(Timestamp::from_seconds(299)), 0);
        assert!(ended.covers(session));
        assert_eq!(ended.sweep(until), 1);
        assert!(ended.is_empty());
    }
}
