//! How often signing in may fail: by account over all addresses, by address over all accounts, by both, and by known device.
//!
//! An attempt is counted before its password is hashed, in all its counts or in none, so that attempts at once cannot beat
//! them; the right password gives it back. Whoever goes away meanwhile has failed. Counts go by the monotonic clock, and are
//! kept under keyed digests: neither memory nor database tells who signs in from where. What changed is written every second
//! ([`Limits::changed`]), so `kill -9` forgets a second of them, and a flood writes no row a request. Several servers count
//! together where `throttle.store` names a place for it; while that is away each goes on here, from nothing.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::hmac;

use crate::auth::account_rules::normal_username;
use crate::clock::{Clock, Timestamp};
use crate::error::{Error, Result};
use crate::model::shared_count::{Count, Mode};
use crate::model::sign_in_failure::Failures;
use crate::settings::{Rate, Throttle};
use crate::throttle::shared::{Shared, Taken};
use crate::throttle::{Holds, Refusals, Subject, Whom, network};

/// The most keys that are kept: some 20 MiB. Beyond, those that have failed least are forgotten.
pub const MOST: usize = 100_000;
/// The number of keys from which on those that count no longer are looked for.
const SWEEP_FROM: usize = 1024;

/// Whom a count is kept of, as a digest under a key of the server's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key([u8; 16]);

/// A count, and how high it may go.
#[derive(Clone, Debug)]
pub struct Limit {
    key: Key,
    rate: Rate,
    /// What is counted, and of whom, for those who look at who was refused.
    scope: &'static str,
    whom: Whom,
}

/// When one key has failed, oldest first, in microseconds of the monotonic clock, and how long that counts. What was read
/// at the start lies before the clock's own beginning.
struct Log {
    times: VecDeque<i64>,
    per: i64,
    /// Whether the database has a row of it.
    is_kept: bool,
}

impl Log {
    fn forget(&mut self, now: i64) {
        while self.times.front().is_some_and(|oldest| oldest.saturating_add(self.per) <= now) {
            self.times.pop_front();
        }
    }
}

#[derive(Default)]
struct Counts {
    logs: HashMap<Key, Log>,
    changed: HashSet<Key>,
    sweep_at: usize,
}

/// The counts of all sign-ins. One for the whole process.
pub struct Limits {
    digests: hmac::Key,
    rates: Throttle,
    clock: Clock,
    counts: Mutex<Counts>,
    shared: Option<Shared>,
    holds: Holds,
    refusals: Refusals,
}

/// What is counted of sign-ins, as the panel names it: an address, an account, both, and both where the account is known.
pub const SCOPES: [&str; 5] = [ADDRESS, ACCOUNT, PAIR, KNOWN, DEVICE];
const ADDRESS: &str = "sign-in.address";
const ACCOUNT: &str = "sign-in.account";
const PAIR: &str = "sign-in.pair";
const KNOWN: &str = "sign-in.known";
const DEVICE: &str = "sign-in.device";

/// An attempt that is counted as failed until it is given back.
#[must_use]
pub struct Attempt {
    limits: Arc<Limits>,
    counted: Vec<Limit>,
    at: i64,
    /// Where others count too, by whose clock `at` is.
    shared: Option<Shared>,
}

impl Attempt {
    /// It was none: the password was right, or was never looked at.
    pub fn give_back(&self) {
        if let Some(shared) = &self.shared {
            return shared.give_back(self.counted.iter().map(|limit| hex::encode(limit.key.0)).collect(), self.at);
        }
        let mut counts = self.limits.lock();
        for limit in &self.counted {
            counts.give_back(limit.key, self.at);
        }
    }
}

impl Limits {
    /// Counts by these rates; `secret` keys the digests.
    pub fn new(secret: &[u8], rates: Throttle, clock: Clock) -> Self {
        let digests = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let (holds, refusals) = (Holds::default(), Refusals::default());
        Self { digests, rates, clock, counts: Mutex::default(), shared: None, holds, refusals }
    }

    /// The same, heeding what administrators decide, and noting whom it refuses.
    pub fn heeding(self, holds: &Holds, refusals: &Refusals) -> Self {
        Self { holds: holds.clone(), refusals: refusals.clone(), ..self }
    }

    /// Who is held back by an administrator, and who never is.
    pub fn holds(&self) -> &Holds {
        &self.holds
    }

    /// The same, counting together with the other servers that have the same secret and the same place.
    pub fn sharing(self, shared: Option<Shared>) -> Self {
        Self { shared, ..self }
    }

    fn limit(&self, scope: &'static str, parts: &[&str], whom: Whom, rate: Option<Rate>) -> Option<Limit> {
        // Without the first none holds.
        self.rates.login?;
        rate.map(|rate| Limit { key: self.key(scope, parts), rate, scope, whom })
    }

    fn key(&self, scope: &str, parts: &[&str]) -> Key {
        let mut key = Key([0; 16]);
        // The word alone, as it has always stood in what is kept.
        let digest = self.digest(scope.strip_prefix("sign-in.").unwrap_or(scope), parts);
        key.0.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
        key
    }

    /// What stands for the counts of an address or, by its name, of an account, wherever they are kept.
    pub fn counts_of(&self, who: &Subject, username: &str) -> Vec<String> {
        let key = match who {
            Subject::Address(ip) => self.key(ADDRESS, &[&network(*ip).to_string()]),
            Subject::User(_) => self.key(ACCOUNT, &[&normal_username(username)]),
        };
        vec![hex::encode(key.0)]
    }

    /// Counts nothing any longer under these keys.
    pub fn clear(&self, keys: &[String]) {
        let mut counts = self.lock();
        for key in keys.iter().filter_map(|key| key_of(key)) {
            if counts.logs.remove(&key).is_some() {
                counts.changed.insert(key); // a row of it that was written meanwhile goes too
            }
        }
    }

    fn digest(&self, what: &str, parts: &[&str]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.digests);
        for part in std::iter::once(&what).chain(parts) {
            context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(part.as_bytes());
        }
        context.sign()
    }

    /// An address as a place to remember, the same for one IPv6 network.
    pub fn place(&self, ip: IpAddr) -> String {
        hex::encode(self.digest("place", &[&network(ip).to_string()]))
    }

    /// What holds for an attempt at an account, whose name may be spelled in any way, by somebody who is signed in to it.
    pub fn of_known(&self, username: &str, ip: IpAddr) -> Vec<Limit> {
        let parts = [&*normal_username(username), &network(ip).to_string()];
        let pair = self.limit(PAIR, &parts, Whom::Subject(Subject::address(ip)), self.rates.login);
        self.of_address(ip).into_iter().chain(pair).collect()
    }

    /// What holds for an attempt from an address where the account has signed in lately, once strangers have used up the
    /// account's count: one for that address alone.
    pub fn of_known_address(&self, username: &str, ip: IpAddr) -> Vec<Limit> {
        let parts = [&*normal_username(username), &network(ip).to_string()];
        let own = self.limit(KNOWN, &parts, Whom::Subject(Subject::address(ip)), self.rates.login_device);
        self.of_known(username, ip).into_iter().chain(own).collect()
    }

    /// What holds for an attempt from anywhere else.
    pub fn of_stranger(&self, username: &str, ip: IpAddr) -> Vec<Limit> {
        let whom = Whom::Named(username.to_owned());
        let account = self.limit(ACCOUNT, &[&normal_username(username)], whom, self.rates.login_account);
        self.of_known(username, ip).into_iter().chain(account).collect()
    }

    /// What holds for a device that shows its cookie, and nothing else does.
    pub fn of_device(&self, id: &str, username: &str) -> Vec<Limit> {
        let whom = Whom::Named(username.to_owned());
        self.limit(DEVICE, &[id], whom, self.rates.login_device).into_iter().collect()
    }

    /// What holds for an address, whatever the account; nothing for one that is never held back. What guards an account holds
    /// there all the same.
    pub fn of_address(&self, ip: IpAddr) -> Vec<Limit> {
        let address = Subject::address(ip);
        let rate = self.rates.login_address.filter(|_| !self.holds.frees(&address));
        self.limit(ADDRESS, &[&network(ip).to_string()], Whom::Subject(address), rate).into_iter().collect()
    }

    /// Counts an attempt under all of `limits`, if all of them allow it.
    ///
    /// # Errors
    /// [`Error::Throttled`] with the longest wait; then nothing is counted.
    pub async fn take(self: &Arc<Self>, limits: Vec<Limit>) -> Result<Attempt> {
        if let Some(Taken { waits, at }) = self.ask_shared(&limits, Mode::Together).await {
            self.refuse(&limits, &waits)?;
            return Ok(Attempt { limits: self.clone(), counted: limits, at, shared: self.shared.clone() });
        }
        let mut counts = self.lock();
        let now = self.now(); // under the lock, so that times are in order
        let waits = counts.waits(&limits, now);
        self.refuse(&limits, &waits)?;
        for limit in &limits {
            counts.count(limit, now);
        }
        drop(counts);
        Ok(Attempt { limits: self.clone(), counted: limits, at: now, shared: None })
    }

    /// Refuses if one of them does, and notes each that does.
    fn refuse(&self, limits: &[Limit], waits: &[Option<Duration>]) -> Result<()> {
        for (limit, wait) in limits.iter().zip(waits) {
            if let Some(wait) = wait {
                let (key, now) = (hex::encode(limit.key.0), self.clock.now());
                self.refusals.note(key, limit.scope, &limit.whom, limit.rate, *wait, now);
            }
        }
        waits.iter().flatten().max().map_or(Ok(()), |wait| Err(Error::Throttled { wait: *wait }))
    }

    /// Whether all of `limits` would allow an attempt now. Nothing is counted.
    pub async fn allow(&self, limits: &[Limit]) -> bool {
        if let Some(taken) = self.ask_shared(limits, Mode::Look).await {
            return taken.waits.iter().all(Option::is_none);
        }
        let mut counts = self.lock();
        counts.waits(limits, self.now()).iter().all(Option::is_none)
    }

    /// Whether strangers' attempts at this account are held back now, wherever they come from.
    pub async fn holds_back(&self, username: &str) -> bool {
        let whom = Whom::Named(username.to_owned());
        let account = self.limit(ACCOUNT, &[&normal_username(username)], whom, self.rates.login_account);
        !self.allow(&Vec::from_iter(account)).await
    }

    /// What the place where several servers count says; `None` if there is none, or it is away.
    async fn ask_shared(&self, limits: &[Limit], mode: Mode) -> Option<Taken> {
        let count = |limit: &Limit| Count::new(hex::encode(limit.key.0), limit.rate);
        self.shared.as_ref()?.take(limits.iter().map(count).collect(), mode).await
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> i64 {
        micros(self.clock.monotonic())
    }

    /// What has changed since the last call, for the database.
    pub fn changed(&self) -> Vec<Failures> {
        let mut counts = self.lock();
        let (now, wall) = (self.now(), self.clock.now());
        let at = |time: i64| Timestamp::from_micros(wall.micros().saturating_sub(now.saturating_sub(time)));
        let changed = std::mem::take(&mut counts.changed);
        let mut rows = Vec::new();
        for key in changed {
            let Some(log) = counts.logs.get_mut(&key) else {
                rows.push(Failures { key: hex::encode(key.0), times: Vec::new(), expires: wall });
                continue;
            };
            log.forget(now);
            let times: Vec<Timestamp> = log.times.iter().map(|time| at(*time)).collect();
            let expires = log.times.back().map_or(wall, |last| at(last.saturating_add(log.per)));
            if !times.is_empty() || log.is_kept {
                log.is_kept = !times.is_empty();
                rows.push(Failures { key: hex::encode(key.0), times, expires });
            }
            if log.times.is_empty() {
                counts.logs.remove(&key);
            }
        }
        rows
    }

    /// These could not be written: they are among the next that have changed.
    pub fn not_kept(&self, rows: &[Failures]) {
        let mut counts = self.lock();
        for key in rows.iter().filter_map(|row| key_of(&row.key)) {
            // A row that should have gone is there for a while, and goes by its own end.
            counts.changed.insert(key);
        }
    }

    /// Takes over what the database has kept. A time that has not come yet, since the clock was set back, is now.
    pub fn restore(&self, rows: Vec<Failures>) {
        let mut counts = self.lock();
        let (now, wall) = (self.now(), self.clock.now());
        for row in rows {
            let Some(key) = key_of(&row.key) else { continue };
            let last = row.times.last().copied().unwrap_or(wall);
            let per = micros(row.expires.since(last));
            let times = row.times.iter().map(|time| now.saturating_sub(micros(wall.since(*time)))).collect();
            counts.logs.insert(key, Log { times, per, is_kept: true });
        }
    }
}

fn micros(span: Duration) -> i64 {
    span.as_micros().try_into().unwrap_or(i64::MAX)
}

fn key_of(text: &str) -> Option<Key> {
    hex::decode(text).ok()?.try_into().ok().map(Key)
}

impl Counts {
    /// How long until each of `limits` allows one more; `None` if it does now.
    fn waits(&mut self, limits: &[Limit], now: i64) -> Vec<Option<Duration>> {
        let waits = limits.iter().map(|limit| {
            let log = self.logs.get_mut(&limit.key)?;
            log.per = micros(limit.rate.per); // a setting may have changed since it was kept
            log.forget(now);
            let most = usize::try_from(limit.rate.requests).unwrap_or(usize::MAX);
            // The one that must have left the window before there is room.
            let blocking = log.times.len().checked_sub(most).and_then(|index| log.times.get(index))?;
            let wait = blocking.saturating_add(log.per).saturating_sub(now);
            Some(Duration::from_micros(wait.try_into().unwrap_or(0)))
        });
        waits.collect()
    }

    fn count(&mut self, limit: &Limit, now: i64) {
        self.make_room(now);
        let new = || Log { times: VecDeque::new(), per: micros(limit.rate.per), is_kept: false };
        self.logs.entry(limit.key).or_insert_with(new).times.push_back(now);
        self.changed.insert(limit.key);
    }

    fn give_back(&mut self, key: Key, at: i64) {
        let Some(log) = self.logs.get_mut(&key) else { return };
        let Some(place) = log.times.iter().rposition(|time| *time == at) else { return };
        log.times.remove(place);
        if log.times.is_empty() && !log.is_kept {
            self.logs.remove(&key);
            self.changed.remove(&key);
        } else {
            self.changed.insert(key);
        }
    }

    /// Drops the keys that count no longer whenever their number has doubled; and the emptier half where that is not enough,
    /// so that a flood of names and addresses fills no memory, and frees nobody who has come close to a limit.
    fn make_room(&mut self, now: i64) {
        if self.logs.len() < self.sweep_at.max(SWEEP_FROM) {
            return;
        }
        self.logs.retain(|_, log| log.times.back().is_some_and(|newest| newest.saturating_add(log.per) > now));
        if self.logs.len() >= MOST {
            let mut sizes: Vec<usize> = self.logs.values().map(|log| log.times.len()).collect();
            let mut surplus = sizes.len() / 2;
            let (_, median, _) = sizes.select_nth_unstable(surplus);
            let changed = &mut self.changed;
            self.logs.retain(|key, log| {
                let goes = surplus > 0 && log.times.len() <= *median;
                surplus -= usize::from(goes);
                if goes && log.is_kept {
                    changed.insert(*key); // its row goes too
                } else if goes {
                    changed.remove(key);
                }
                !goes
            });
        }
        self.sweep_at = (self.logs.len() * 2).min(MOST);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn limits(change: impl FnOnce(&mut Throttle)) -> (Arc<Limits>, Clock) {
        let clock = Clock::manual(Timestamp::from_seconds(1_000_000));
        let mut rates = Throttle::default();
        change(&mut rates);
        (Arc::new(Limits::new(b"secret", rates, clock.clone())), clock)
    }

    /// Nobody else counts, so nothing is waited for.
    fn take(limits: &Arc<Limits>, of: Vec<Limit>) -> Result<Attempt> {
        futures_util::FutureExt::now_or_never(limits.take(of)).unwrap()
    }

    fn rate(text: &str) -> Option<Rate> {
        Some(text.parse().unwrap())
    }

    fn ip(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn a_thousand_at_once_do_not_beat_the_count_and_none_is_lost_to_another_limit() {
        let (limits, _) = limits(|rates| {
            (rates.login, rates.login_account, rates.login_address) =
                (rate("1000/min"), rate("100/min"), rate("1000/min"));
        });
        let passed = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (limits, passed) = (&limits, &passed);
                scope.spawn(move || {
                    for number in 0..125 {
                        if take(limits, limits.of_stranger("ann", ip(thread * 125 + number))).is_ok() {
                            passed.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        assert_eq!(passed.into_inner(), 100);
    }

    #[test]
    fn what_is_refused_is_counted_nowhere_and_what_is_given_back_no_longer() {
        let (limits, clock) = limits(|rates| (rates.login, rates.login_account) = (rate("2/min"), rate("3/min")));
        let from = |number| take(&limits, limits.of_stranger("ann", ip(number)));
        from(1).unwrap().give_back();
        for _ in 0..2 {
            let _ = from(1).unwrap();
            clock.advance(seconds(1));
        }
        for _ in 0..9 {
            assert!(matches!(from(1), Err(Error::Throttled { wait }) if wait == seconds(58)));
        }
        let _ = from(2).unwrap();
        assert!(from(3).is_err(), "three have failed");
        clock.advance(seconds(58));
        let _ = from(3).unwrap();
    }

    #[test]
    fn spellings_of_a_name_and_addresses_of_one_network_are_one() {
        let (limits, _) = limits(|_| ());
        let keys = |name: &str, address: &str| {
            let all = limits.of_stranger(name, address.parse().unwrap());
            all.into_iter().map(|limit| limit.key).collect::<Vec<_>>()
        };
        assert_eq!(keys("ann", "2001:db8::1"), keys("ａｎｎ", "2001:db8::2"));
        assert_eq!(keys("ann", "192.0.2.1"), keys("ann", "::ffff:192.0.2.1"));
        assert!(keys("ann", "192.0.2.1").iter().all(|key| !keys("Ann", "192.0.2.2").contains(key)));
    }

    #[test]
    fn counts_are_kept_restored_and_forgotten() {
        let (before, clock) = limits(|_| ());
        for _ in 0..10 {
            let _ = take(&before, before.of_stranger("ann", ip(1))).unwrap();
        }
        take(&before, before.of_stranger("bob", ip(2))).unwrap().give_back();
        let kept = before.changed();
        assert_eq!(kept.len(), 3, "account, address and pair of ann; nothing of bob");
        assert_eq!(before.changed(), []);

        clock.advance(seconds(30));
        let after = Arc::new(Limits::new(b"secret", Throttle::default(), clock.clone()));
        after.restore(kept.clone());
        let refused = take(&after, after.of_stranger("ann", ip(1)));
        assert!(matches!(refused, Err(Error::Throttled { wait }) if wait == seconds(30)));
        clock.advance(seconds(30));
        let attempt = take(&after, after.of_stranger("ann", ip(1))).unwrap();
        attempt.give_back();
        let changed = after.changed();
        assert_eq!(changed.iter().filter(|row| row.times.is_empty()).count(), 2, "address and pair are no longer kept");

        // Another key makes other digests: what is kept tells nothing without it.
        let other = Arc::new(Limits::new(b"other", Throttle::default(), clock));
        other.restore(kept);
        let _ = take(&other, other.of_stranger("ann", ip(1))).unwrap();
    }

    #[test]
    fn a_clock_that_was_set_back_between_starts_lengthens_no_wait_beyond_its_span() {
        let (before, clock) = limits(|_| ());
        for _ in 0..10 {
            let _ = take(&before, before.of_stranger("ann", ip(1))).unwrap();
        }
        let kept = before.changed();
        let earlier = Clock::manual(Timestamp::from_seconds(clock.now().seconds() - 3000));
        let after = Arc::new(Limits::new(b"secret", Throttle::default(), earlier));
        after.restore(kept);
        let refused = take(&after, after.of_stranger("ann", ip(1)));
        assert!(matches!(refused, Err(Error::Throttled { wait }) if wait == seconds(60)));
    }

    #[test]
    fn a_flood_of_names_fills_no_memory_and_frees_nobody() {
        let (limits, _) = limits(|rates| (rates.login_address, rates.login_account) = (None, rate("5/hour")));
        for number in 0..5 {
            let _ = take(&limits, limits.of_stranger("ann", ip(number))).unwrap();
        }
        let mut rows = HashSet::new();
        for number in 0..60_000 {
            let _ = take(&limits, limits.of_stranger(&format!("name{number}"), ip(number))).unwrap();
            if number % 1000 == 0 {
                for row in limits.changed() {
                    if row.times.is_empty() {
                        rows.remove(&row.key)
                    } else {
                        rows.insert(row.key)
                    };
                }
            }
        }
        assert!(limits.lock().logs.len() <= MOST + 2);
        assert!(rows.len() <= MOST, "{} rows", rows.len());
        assert!(take(&limits, limits.of_stranger("ann", ip(9))).is_err());
    }

    #[test]
    fn without_the_first_limit_there_is_none() {
        let (limits, _) = limits(|rates| rates.login = None);
        for _ in 0..100 {
            let _ = take(&limits, limits.of_stranger("ann", ip(1))).unwrap();
        }
        assert_eq!(limits.changed(), []);
    }
}
