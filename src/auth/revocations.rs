//! What has been ended, in memory: asked on every signed-in request, at the cost of one look-up.
//!
//! It is the change log replayed. It holds only what tokens still alive could be about; what has expired needs no entry.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};

use crate::clock::Timestamp;
use crate::model::session::SessionId;

/// Tables of their own, so that one that grows holds up few look-ups, and for no long.
const SHARDS: usize = 64;

/// What is kept of an id: 64 bits of its hash by a key that this process alone knows, so that nobody can choose two ids
/// that are one here. By chance a living session meets one of a million entries once in 2⁴⁴ look-ups.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Mark([u32; 2]); // no u64: its alignment would make an entry of 12 bytes one of 16

impl Mark {
    fn shard(self) -> usize {
        // Of the other half than the one by which a table chooses its place.
        usize::try_from(self.0[1]).unwrap_or(0) % SHARDS
    }
}

impl Hash for Mark {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(u64::from(self.0[1]) << 32 | u64::from(self.0[0]));
    }
}

/// Takes a [`Mark`] for the hash that it is.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// A part of the ended sessions, each with the second until which it matters: 13 bytes an entry, and the table's room.
type Shard = RwLock<HashMap<Mark, u32, BuildHasherDefault<AsItIs>>>;

/// The ended sessions, and single tokens by the session that would be theirs alone ([`SessionId::of_token`]).
pub struct Revocations {
    shards: Vec<Shard>,
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
    fn place(&self, session: SessionId) -> Option<(Mark, &Shard)> {
        let hash = self.hasher.hash_one(session.0);
        let half = |bits: u64| u32::try_from(bits & u64::from(u32::MAX)).unwrap_or(0);
        let mark = Mark([half(hash), half(hash >> 32)]);
        Some((mark, self.shards.get(mark.shard())?))
    }

    /// Whether the session has ended.
    pub fn covers(&self, session: SessionId) -> bool {
        let Some((mark, shard)) = self.place(session) else { return false };
        shard.read().unwrap_or_else(PoisonError::into_inner).contains_key(&mark)
    }

    /// Notes an end, to be kept until `until`. Only after its commit.
    pub fn note(&self, session: SessionId, until: Timestamp) {
        let Some((mark, shard)) = self.place(session) else { return };
        let until = u32::try_from(until.seconds().saturating_add(1)).unwrap_or(u32::MAX);
        let mut ended = shard.write().unwrap_or_else(PoisonError::into_inner);
        let before = ended.len();
        let kept = ended.entry(mark).or_insert(until);
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

    #[test]
    fn a_session_that_goes_on_is_not_taken_for_one_of_many_that_ended() {
        let ended = Revocations::default();
        let session = |number: u32| SessionId::of_token(&number.to_string());
        for number in 0..20_000 {
            ended.note(session(number), Timestamp::from_seconds(300));
        }
        assert_eq!(ended.len(), 20_000);
        assert!((0..20_000).all(|number| ended.covers(session(number))));
        assert!(!(20_000..40_000).any(|number| ended.covers(session(number))));
        assert_eq!(ended.sweep(Timestamp::from_seconds(301)), 20_000);
    }
}
