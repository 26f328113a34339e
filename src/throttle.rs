//! How often one may ask: DRF's sliding log, kept in memory and exact under concurrency.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::settings::Rate;

/// Whom a count is kept of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A user.
    User(i64),
    /// A client's address; an IPv6 client is its /64 network, since it has all of it.
    Address(IpAddr),
}

impl Subject {
    /// The client at this address.
    pub fn address(ip: IpAddr) -> Self {
        Self::Address(network(ip))
    }
}

/// An address as it is counted: an IPv6 client has the whole of its /64 network.
pub fn network(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => IpAddr::V4(v4),
            None => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
        },
    }
}

type Key = (&'static str, Subject);

/// When one key asked, oldest first, and over which time that counts.
struct Log {
    times: VecDeque<Duration>,
    per: Duration,
}

#[derive(Default)]
struct Shard {
    logs: HashMap<Key, Log>,
    sweep_at: usize,
}

/// The counts. One for the whole process.
pub struct Throttle {
    shards: Vec<Mutex<Shard>>,
    hasher: RandomState,
}

const SHARDS: usize = 64;
/// The number of keys in a shard from which on idle ones are looked for.
const SWEEP_FROM: usize = 256;

impl Default for Throttle {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect(), hasher: RandomState::new() }
    }
}

impl Throttle {
    /// Counts one request of `who` in `scope` at `now` (of the monotonic clock), if the rate allows one more.
    ///
    /// # Errors
    /// [`Error::Throttled`] with the time until the oldest counted request leaves the window; then nothing is counted.
    pub fn take(&self, scope: &'static str, who: Subject, rate: Rate, now: Duration) -> Result<()> {
        let key = (scope, who);
        let shards = u64::try_from(self.shards.len()).unwrap_or(1);
        let place = usize::try_from(self.hasher.hash_one(&key) % shards.max(1)).unwrap_or(0);
        let shard = self.shards.get(place).ok_or_else(|| Error::internal("the throttle has no shards"))?;
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        shard.sweep(now);
        let log = shard.logs.entry(key).or_insert_with(|| Log { times: VecDeque::new(), per: rate.per });
        while log.times.front().is_some_and(|oldest| *oldest + rate.per <= now) {
            log.times.pop_front();
        }
        if log.times.len() >= usize::try_from(rate.requests).unwrap_or(usize::MAX) {
            let wait = log.times.front().map_or(rate.per, |oldest| (*oldest + rate.per).saturating_sub(now));
            return Err(Error::Throttled { wait });
        }
        log.times.push_back(now);
        Ok(())
    }
}

impl Shard {
    /// Drops the keys that have nothing left to count, whenever their number has doubled.
    fn sweep(&mut self, now: Duration) {
        if self.logs.len() < self.sweep_at.max(SWEEP_FROM) {
            return;
        }
        self.logs.retain(|_, log| log.times.back().is_some_and(|newest| *newest + log.per > now));
        self.sweep_at = self.logs.len() * 2;
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
        let throttle = Throttle::default();
        let passed = (0..100).filter(|t| throttle.take("user", ann(), RATE, Duration::from_secs(*t)).is_ok()).count();
        assert_eq!(passed, 10);
    }

    #[test]
    fn the_wait_is_until_the_oldest_counted_request_leaves_the_window() {
        let throttle = Throttle::default();
        for t in 0..5 {
            throttle.take("user", ann(), RATE, Duration::from_secs(t)).unwrap();
        }
        let refused = throttle.take("user", ann(), RATE, Duration::from_secs(20));
        assert!(matches!(refused, Err(Error::Throttled { wait }) if wait == Duration::from_secs(30)));
        throttle.take("user", ann(), RATE, Duration::from_secs(50)).unwrap();
    }

    #[test]
    fn a_thousand_at_once_do_not_beat_the_count() {
        let throttle = Throttle::default();
        let rate = Rate { requests: 100, per: Duration::from_secs(60) };
        let passed = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..125 {
                        if throttle.take("user", ann(), rate, Duration::ZERO).is_ok() {
                            passed.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        assert_eq!(passed.into_inner(), 100);
    }

    #[test]
    fn addresses_of_one_ipv6_network_share_a_count() {
        let subject = |text: &str| Subject::address(text.parse().unwrap());
        assert_eq!(subject("2001:db8::1"), subject("2001:db8::ffff:1"));
        assert_ne!(subject("2001:db8::1"), subject("2001:db8:0:1::1"));
        assert_eq!(subject("::ffff:192.0.2.1"), subject("192.0.2.1"));
        assert_ne!(subject("192.0.2.1"), subject("192.0.2.2"));
    }

    #[test]
    fn idle_keys_are_forgotten() {
        let throttle = Throttle::default();
        for user in 0..100_000 {
            throttle
                .take("user", Subject::User(user), RATE, Duration::from_secs(u64::try_from(user).unwrap()))
                .unwrap();
        }
        let kept: usize = throttle.shards.iter().map(|shard| shard.lock().unwrap().logs.len()).sum();
        assert!(kept <= SHARDS * SWEEP_FROM, "{kept}");
    }
}
