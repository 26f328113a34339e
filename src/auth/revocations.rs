//! What has been ended, in memory: asked on every signed-in request, at the cost of one look-up.
//!
//! It is the change log replayed. It holds only what tokens still alive could be about; what has expired needs no entry.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};

use crate::clock::Timestamp;
use crate::model::session::SessionId;

/// Tables of their own, so that one that grows holds up few look-ups, and for no long.
const SHARDS: usize = 64;

/// A part of the ended sessions, each with the second until which it matters: 21 bytes an entry, and the table's room.
type Shard = RwLock<HashMap<[u8; 16], u32>>;

/// The ended sessions, and single tokens by the session that would be theirs alone ([`SessionId::of_token`]).
pub struct Revocations {
    shards: Vec<Shard>,
    /// Chooses the shard, by a key of its own: ids can be chosen by whoever makes tokens elsewhere.
    hasher: RandomState,
    count: AtomicUsize,
}

impl Default for Revocations {
    fn default() -> Self {
        let shards = (0..SHARDS).map(|_| Shard::default()).collect();
        Self { shards, hasher: RandomState::new(), count: AtomicUsize::new(0) }
    }
}

impl Revocations {
    fn shard(&self, session: SessionId) -> Option<&Shard> {
        let place = self.hasher.hash_one(session.0) % u64::try_from(self.shards.len()).unwrap_or(1).max(1);
        self.shards.get(usize::try_from(place).unwrap_or(0))
    }

    /// Whether the session has ended.
    pub fn covers(&self, session: SessionId) -> bool {
        let holds = |shard: &Shard| shard.read().unwrap_or_else(PoisonError::into_inner).contains_key(&session.0);
        self.shard(session).is_some_and(holds)
    }

    /// Notes an end, to be kept until `until`. Only after its commit.
    pub fn note(&self, session: SessionId, until: Timestamp) {
        let Some(shard) = self.shard(session) else { return };
        let until = u32::try_from(until.seconds().saturating_add(1)).unwrap_or(u32::MAX);
        let mut ended = shard.write().unwrap_or_else(PoisonError::into_inner);
        let before = ended.len();
        let kept = ended.entry(session.0).or_insert(until);
        *kept = until.max(*kept);
        self.count.fetch_add(ended.len() - before, Ordering::Relaxed);
    }

    /// Drops what no living token can be about at `now`; returns how many entries that were.
    pub fn sweep(&self, now: Timestamp) -> usize {
        let now = u32::try_from(now.seconds()).unwrap_or(0);
        let swept = self.shards.iter().map(|shard| {
            let mut ended = shard.write().unwrap_or_else(PoisonError::into_inner);
            let before = ended.len();
            ended.retain(|_, until| *until > now);
            if ended.len() < ended.capacity() / 4 {
                ended.shrink_to_fit(); // after a day of many ends the room is given back
            }
            before - ended.len()
        });
        let swept = swept.sum();
        self.count.fetch_sub(swept, Ordering::Relaxed);
        swept
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
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
        assert_eq!(ended.sweep(until), 0);
        assert!(ended.covers(session));
        assert_eq!(ended.len(), 1);
        assert_eq!(ended.sweep(Timestamp::from_seconds(301)), 1);
        assert!(ended.is_empty());
    }
}
