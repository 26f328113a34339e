//! Counts of one process, in memory.
//!
//! What was counted is written every second (`ops::rates`), and a start goes on from there. A flood of addresses fills no memory:
//! beyond [`MOST`] keys the half goes that has asked least, which frees nobody who has come close to a rate.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Digests, Key, Subject, micros, span};
use crate::clock::Timestamp;
use crate::model::throttle_count::Counted;
use crate::settings::Rate;

/// When one key asked, oldest first, in microseconds of the monotonic clock; those of before the start are below zero.
struct Log {
    times: VecDeque<i64>,
    /// Over which time they count.
    per: i64,
    /// How many of them, the newest, are not kept yet.
    fresh: usize,
}

#[derive(Default)]
struct Shard {
    logs: HashMap<Key, Log>,
    /// The keys that have something fresh.
    changed: Vec<Key>,
    sweep_at: usize,
}

/// What a key has asked of an earlier process.
#[derive(Default)]
struct Before {
    /// When, oldest first, and how often.
    times: Vec<(i64, i32)>,
    /// From when on none of it counts.
    until: i64,
}

/// The counts of one process.
pub struct Memory {
    shards: Vec<Mutex<Shard>>,
    hasher: RandomState,
    digests: Digests,
    /// What an earlier process has counted, by digest, for those who have not asked since.
    restored: Mutex<HashMap<String, Before>>,
    /// What could not be written.
    left: Mutex<Vec<Counted>>,
}

/// The most keys that are kept. Each has at most as many times as its rate allows.
pub const MOST: usize = 100_000;
const SHARDS: usize = 64;
/// The number of keys in a shard from which on idle ones are looked for.
const SWEEP_FROM: usize = 256;

/// How many keys of a shard are written at a time: a thousand in all, a few milliseconds of the writer.
const WRITTEN: usize = 16;

impl Memory {
    /// One that has counted nothing; `secret` keys the digests of what is kept.
    pub fn new(secret: &[u8]) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            digests: Digests::new(secret),
            restored: Mutex::default(),
            left: Mutex::default(),
        }
    }

    /// Counts one request of `who` in `scope` at `now` (of the monotonic clock), if the rate allows one more.
    ///
    /// # Errors
    /// The time until the oldest counted request leaves the window; then nothing is counted.
    pub fn take(&self, scope: &'static str, who: Subject, rate: Rate, now: Duration) -> Result<(), Duration> {
        let key = (scope, who);
        let shards = u64::try_from(self.shards.len()).unwrap_or(1);
        let place = usize::try_from(self.hasher.hash_one(&key) % shards.max(1)).unwrap_or(0);
        let Some(shard) = self.shards.get(place) else { return Ok(()) }; // there are SHARDS of them
        let (now, per) = (micros(now), micros(rate.per));
        let most = usize::try_from(rate.requests).unwrap_or(usize::MAX);
        let mut shard = lock(shard);
        shard.make_room(now);
        let Shard { logs, changed, .. } = &mut *shard;
        let log =
            logs.entry(key.clone()).or_insert_with(|| Log { times: self.times_before(&key, most), per, fresh: 0 });
        while log.times.front().is_some_and(|oldest| oldest.saturating_add(per) <= now) {
            log.times.pop_front();
        }
        log.fresh = log.fresh.min(log.times.len());
        if let Some(surplus) = log.times.len().checked_sub(most) {
            // The one that must have left the window before there is room.
            let blocking = log.times.get(surplus).copied().unwrap_or(now);
            return Err(span(blocking.saturating_add(per).saturating_sub(now)));
        }
        log.times.push_back(now);
        log.fresh += 1;
        if log.fresh == 1 {
            changed.push(key);
        }
        Ok(())
    }

    /// What was counted since the last call, for the database: a row for each key, so many keys at most as are written
    /// quickly. `now` and `wall` are the same moment of the monotonic clock and of the calendar's.
    pub fn counted(&self, now: Duration, wall: Timestamp) -> Vec<Counted> {
        let left = std::mem::take(&mut *lock(&self.left));
        if !left.is_empty() {
            return left;
        }
        let now = micros(now);
        let at = |time: i64| Timestamp::from_micros(wall.micros().saturating_sub(now.saturating_sub(time)));
        let mut rows = Vec::new();
        for shard in &self.shards {
            let mut shard = lock(shard);
            let from = shard.changed.len().saturating_sub(WRITTEN);
            for key in shard.changed.split_off(from) {
                let Some(log) = shard.logs.get_mut(&key) else { continue };
                let Some(last) = log.times.back().copied() else { continue };
                let count = std::mem::take(&mut log.fresh).try_into().unwrap_or(i32::MAX);
                if count == 0 {
                    continue; // it counts no longer, or stood here twice
                }
                let expires_at = at(last.saturating_add(log.per));
                rows.push(Counted { key: self.digests.of(&key), at: at(last), count, expires_at });
            }
        }
        rows
    }

    /// These could not be written: they are what is written next.
    pub fn not_kept(&self, rows: &[Counted]) {
        lock(&self.left).extend_from_slice(rows);
    }

    /// Takes over what the database has kept, oldest first. A time that has not come yet, since the clock was set back, is
    /// now.
    pub fn restore(&self, rows: Vec<Counted>, now: Duration, wall: Timestamp) {
        let (now, mut restored) = (micros(now), lock(&self.restored));
        for row in rows {
            let time = now.saturating_sub(micros(wall.since(row.at)));
            let before = restored.entry(row.key).or_default();
            before.times.push((time, row.count));
            before.until = before.until.max(time.saturating_add(micros(row.expires_at.since(row.at))));
        }
    }

    /// Drops what was taken over and counts no longer at `now`.
    pub fn forget(&self, now: Duration) {
        let now = micros(now);
        lock(&self.restored).retain(|_, before| before.until > now);
    }

    /// Counts nothing any longer of `who`, in any scope; `cleared` are the digests of those counts.
    pub fn clear(&self, who: &Subject, cleared: &[String]) {
        for shard in &self.shards {
            lock(shard).logs.retain(|(_, subject), _| subject != who);
        }
        lock(&self.restored).retain(|digest, _| !cleared.contains(digest));
        lock(&self.left).retain(|row| !cleared.contains(&row.key));
    }

    /// What a key that asks for the first time has asked of an earlier process: the last `most` times, which say it all.
    fn times_before(&self, key: &Key, most: usize) -> VecDeque<i64> {
        let mut restored = lock(&self.restored);
        if restored.is_empty() {
            return VecDeque::new();
        }
        let before = restored.remove(&self.digests.of(key)).unwrap_or_default().times.into_iter().rev();
        let newest =
            before.flat_map(|(time, count)| std::iter::repeat_n(time, count.try_into().unwrap_or(0))).take(most);
        let mut times: VecDeque<i64> = newest.collect();
        times.make_contiguous().reverse();
        times
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shard {
    /// Drops the keys that have nothing left to count, whenever their number has doubled; and the half that has asked least
    /// where that is not enough.
    fn make_room(&mut self, now: i64) {
        if self.logs.len() < self.sweep_at.max(SWEEP_FROM) {
            return;
        }
        self.logs.retain(|_, log| log.times.back().is_some_and(|newest| newest.saturating_add(log.per) > now));
        if self.logs.len() >= MOST / SHARDS {
            let mut sizes: Vec<usize> = self.logs.values().map(|log| log.times.len()).collect();
            let mut surplus = sizes.len() / 2;
            let (_, median, _) = sizes.select_nth_unstable(surplus);
            self.logs.retain(|_, log| {
                let goes = surplus > 0 && log.times.len() <= *median;
                surplus -= usize::from(goes);
                !goes
            });
        }
        self.changed.retain(|key| self.logs.contains_key(key));
        self.sweep_at = (self.logs.len() * 2).min(MOST / SHARDS);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const RATE: Rate = Rate { requests: 5, per: Duration::from_secs(50) };

    fn ann() -> Subject {
        Subject::User(1)
    }

    #[test]
    fn at_most_so_many_pass_in_any_window() {
        let memory = Memory::new(b"secret");
        let passed = (0..100).filter(|t| memory.take("user", ann(), RATE, Duration::from_secs(*t)).is_ok()).count();
        assert_eq!(passed, 10);
    }

    #[test]
    fn the_wait_is_until_the_oldest_counted_request_leaves_the_window() {
        let memory = Memory::new(b"secret");
        for t in 0..5 {
            memory.take("user", ann(), RATE, Duration::from_secs(t)).unwrap();
        }
        let refused = memory.take("user", ann(), RATE, Duration::from_secs(20));
        assert!(matches!(refused, Err(wait) if wait == Duration::from_secs(30)));
        memory.take("user", ann(), RATE, Duration::from_secs(50)).unwrap();
    }

    #[test]
    fn a_thousand_at_once_do_not_beat_the_count() {
        let memory = Memory::new(b"secret");
        let rate = Rate { requests: 100, per: Duration::from_secs(60) };
        let passed = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..125 {
                        if memory.take("user", ann(), rate, Duration::ZERO).is_ok() {
                            passed.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        assert_eq!(passed.into_inner(), 100);
    }

    fn moment(seconds: u64) -> (Duration, Timestamp) {
        (Duration::from_secs(seconds), Timestamp::from_seconds(1_000_000) + Duration::from_secs(seconds))
    }

    #[test]
    fn what_was_counted_is_written_once_and_goes_on_after_a_start() {
        let before = Memory::new(b"secret");
        let mut rows = Vec::new();
        for t in [0, 0, 10, 11] {
            before.take("user", ann(), RATE, Duration::from_secs(t)).unwrap();
            if t != 10 {
                rows.extend(before.counted(moment(t).0, moment(t).1));
            }
        }
        assert_eq!(before.counted(moment(12).0, moment(12).1), []);
        let told: Vec<_> = rows.iter().map(|row| (row.at, row.count, row.expires_at)).collect();
        let row = |t: u64, count| (moment(t).1, count, moment(t + 50).1);
        assert_eq!(told, [row(0, 1), row(0, 1), row(11, 2)]);
        assert!(rows.iter().all(|row| row.key.len() == 32 && row.key == rows.first().unwrap().key));

        // The clock of the process begins anew; that of the calendar has gone on.
        let start = |secret: &[u8], clock: Timestamp| {
            let after = Memory::new(secret);
            after.restore(rows.clone(), Duration::ZERO, clock);
            after
        };
        let wait = |after: &Memory, t| match after.take("user", ann(), RATE, Duration::from_secs(t)) {
            Err(wait) => wait.as_secs(),
            _ => 0,
        };
        let after = start(b"secret", moment(20).1);
        assert_eq!([wait(&after, 1), wait(&after, 1), wait(&after, 30), wait(&after, 30)], [0, 29, 0, 0]);
        after.take("user", Subject::User(2), RATE, Duration::ZERO).unwrap();
        after.forget(Duration::from_secs(41));
        // With the calendar set back all of it is now; under another secret there is nothing.
        let back = start(b"secret", moment(0).1 - Duration::from_secs(5));
        assert_eq!([wait(&back, 1), wait(&back, 1)], [0, 49]);
        let other = start(b"other", moment(20).1);
        assert_eq!([(); 6].map(|()| wait(&other, 1)), [0, 0, 0, 0, 0, 50]);
        assert_eq!(lock(&other.restored).len(), 1);
        other.forget(Duration::from_secs(40));
        assert_eq!(lock(&other.restored).len(), 1, "the last counts until 61, which is 41 here");
        other.forget(Duration::from_secs(41));
        assert_eq!(lock(&other.restored).len(), 0);
    }

    #[test]
    fn a_lowered_rate_waits_until_there_is_room() {
        let memory = Memory::new(b"secret");
        for t in 0..5 {
            memory.take("user", ann(), RATE, Duration::from_secs(t)).unwrap();
        }
        let lower = Rate { requests: 2, ..RATE };
        let refused = memory.take("user", ann(), lower, Duration::from_secs(5));
        assert!(matches!(refused, Err(wait) if wait == Duration::from_secs(48)));
    }

    #[test]
    fn however_many_ask_a_second_writes_a_thousand_rows_and_nobody_is_left_out() {
        let memory = Memory::new(b"secret");
        for user in 0..5000 {
            memory.take("user", Subject::User(user), RATE, Duration::ZERO).unwrap();
        }
        let first = memory.counted(moment(0).0, moment(0).1);
        assert_eq!(first.len(), SHARDS * WRITTEN);
        let (_, failed) = first.split_at(1000);
        memory.not_kept(failed);
        assert_eq!(memory.counted(moment(1).0, moment(1).1), failed);
        let mut keys: std::collections::HashSet<String> = first.into_iter().map(|row| row.key).collect();
        loop {
            let rows = memory.counted(moment(2).0, moment(2).1);
            if rows.is_empty() {
                break;
            }
            assert!(rows.len() <= SHARDS * WRITTEN);
            for row in rows {
                assert!(keys.insert(row.key));
            }
        }
        assert_eq!(keys.len(), 5000);
    }

    #[test]
    fn a_flood_of_addresses_fills_no_memory_and_frees_nobody() {
        let memory = Memory::new(b"secret");
        for _ in 0..5 {
            memory.take("anon", ann(), RATE, Duration::ZERO).unwrap();
        }
        for address in 0..300_000_u32 {
            memory
                .take("anon", Subject::address(std::net::Ipv4Addr::from(address).into()), RATE, Duration::ZERO)
                .unwrap();
        }
        let shards: Vec<_> = memory.shards.iter().map(|shard| shard.lock().unwrap()).collect();
        let kept: usize = shards.iter().map(|shard| shard.logs.len()).sum();
        let listed: usize = shards.iter().map(|shard| shard.changed.len()).sum();
        assert!(kept <= MOST && listed <= MOST, "{kept} keys, {listed} to be written");
        drop(shards);
        assert_eq!(memory.take("anon", ann(), RATE, Duration::ZERO), Err(Duration::from_secs(50)));
    }

    #[test]
    fn idle_keys_are_forgotten() {
        let memory = Memory::new(b"secret");
        for user in 0..100_000 {
            memory.take("user", Subject::User(user), RATE, Duration::from_secs(u64::try_from(user).unwrap())).unwrap();
        }
        let kept: usize = memory.shards.iter().map(|shard| shard.lock().unwrap().logs.len()).sum();
        assert!(kept <= SHARDS * SWEEP_FROM, "{kept}");
    }
}
