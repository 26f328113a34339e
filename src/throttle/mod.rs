//! How often one may ask: DRF's sliding log, exact under concurrency.
//!
//! A server by itself counts in its [`memory`]. Several behind a balancer count together in a [`shared`] place, by the setting
//! `throttle.store`; while that place is away each counts by itself, so that neither everybody nor nobody is let in. The keys
//! are keyed digests wherever they leave this process: a database does not tell who asks from where.

pub mod holds;
pub mod memory;
mod redis;
pub mod refusals;
pub mod shared;

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use aws_lc_rs::hmac;

use crate::clock::Clock;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::model::shared_count::{Count, Mode};
use crate::model::throttled::{self, Line};
use crate::settings::Rate;

pub use holds::{Decision, Holds};
pub use memory::Memory;
pub use refusals::{Refusals, Whom};
pub use shared::Shared;

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

/// As the panel's addresses and the database have it: `user-5`, or the address.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => write!(f, "user-{id}"),
            Self::Address(ip) => ip.fmt(f),
        }
    }
}

impl FromStr for Subject {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text.strip_prefix("user-") {
            Some(id) => id.parse().map(Self::User).map_err(|_| ()),
            None => text.parse().map(Self::address).map_err(|_| ()),
        }
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

/// What names a count: a scope, and of whom.
type Key = (&'static str, Subject);

/// The digests that stand for keys outside of this process.
#[derive(Clone)]
struct Digests(hmac::Key);

impl Digests {
    fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    fn of(&self, (scope, who): &Key) -> String {
        let text = match who {
            Subject::User(id) => format!("{scope} user {id}"),
            Subject::Address(ip) => format!("{scope} address {ip}"),
        };
        let tag = hmac::sign(&self.0, text.as_bytes());
        hex::encode(tag.as_ref().get(..16).unwrap_or_default())
    }
}

/// The counts of requests. One for the whole process.
pub struct Throttle {
    memory: Memory,
    digests: Digests,
    shared: Option<Shared>,
    clock: Clock,
    holds: Holds,
    refusals: Refusals,
}

impl Throttle {
    /// One that has counted nothing; `secret` keys the digests of what leaves the process. Counts together with the other
    /// servers that have the same secret and the same `shared` place, if there is one.
    pub fn new(secret: &[u8], shared: Option<Shared>, clock: Clock) -> Self {
        let digests = Digests::new(secret);
        let (holds, refusals) = (Holds::default(), Refusals::default());
        Self { memory: Memory::new(secret), digests, shared, clock, holds, refusals }
    }

    /// Who is held back by an administrator, and who never is.
    pub fn holds(&self) -> &Holds {
        &self.holds
    }

    /// Who was refused, until it is written down.
    pub fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// What stands for the counts of `who` in these scopes outside of this process.
    pub fn counts_of(&self, who: &Subject, scopes: &[&'static str]) -> Vec<String> {
        scopes.iter().map(|scope| self.digests.of(&(*scope, who.clone()))).collect()
    }

    /// Takes over what an earlier process, or another, has decided.
    pub fn restore(&self, decisions: Vec<Line>) {
        for line in decisions {
            if let Ok(who) = line.who.parse() {
                self.holds.set(who, Some(line.until.map_or(Decision::Never, Decision::Held)));
            }
        }
    }

    /// Takes over what was decided of `who`, and counts no longer what was cleared. Only after its commit.
    ///
    /// # Errors
    /// The database's.
    pub fn learn(&self, conn: &mut Conn, who: &str, cleared: &[String]) -> Result<()> {
        let Ok(subject) = who.parse::<Subject>() else { return Ok(()) };
        let decision = throttled::decision(conn, who)?;
        self.holds.set(subject.clone(), decision.map(|line| line.until.map_or(Decision::Never, Decision::Held)));
        if !cleared.is_empty() {
            self.memory.clear(&subject, cleared);
            self.refusals.forget(cleared);
            if let Some(shared) = &self.shared {
                shared.clear(cleared.to_vec());
            }
        }
        Ok(())
    }

    /// What is counted in this process.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Counts one request of `who` under each of `rates` that allows one more. Each counts by itself, whatever the others
    /// say, as DRF's throttles do.
    ///
    /// # Errors
    /// [`Error::Throttled`] if one refuses, with the longest wait: the time until its oldest counted request leaves the window.
    pub async fn take(&self, who: &Subject, rates: &[(&'static str, Rate)]) -> Result<()> {
        if self.holds.frees(who) {
            return Ok(());
        }
        let key = |scope: &'static str| self.digests.of(&(scope, who.clone()));
        let taken = match &self.shared {
            Some(shared) => {
                let count = |(scope, rate): &(&'static str, Rate)| Count::new(key(scope), *rate);
                shared.take(rates.iter().map(count).collect(), Mode::Each).await
            }
            None => None,
        };
        // All of them, and not up to the first that refuses.
        let waits: Vec<Option<Duration>> = match taken {
            Some(taken) => taken.waits,
            None => {
                let now = self.clock.monotonic();
                rates.iter().map(|(scope, rate)| self.memory.take(scope, who.clone(), *rate, now).err()).collect()
            }
        };
        for ((scope, rate), wait) in rates.iter().zip(&waits) {
            if let Some(wait) = wait {
                let whom = Whom::Subject(who.clone());
                self.refusals.note(key(scope), scope, &whom, *rate, *wait, self.clock.now());
            }
        }
        waits.into_iter().flatten().max().map_or(Ok(()), |wait| Err(Error::Throttled { wait }))
    }
}

/// A span in microseconds.
fn micros(span: Duration) -> i64 {
    span.as_micros().try_into().unwrap_or(i64::MAX)
}

/// A count of microseconds as a span; none is below nothing.
fn span(micros: i64) -> Duration {
    Duration::from_micros(micros.try_into().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::unwrap_used)]
    fn addresses_of_one_ipv6_network_share_a_count() {
        let subject = |text: &str| Subject::address(text.parse().unwrap());
        assert_eq!(subject("2001:db8::1"), subject("2001:db8::ffff:1"));
        assert_ne!(subject("2001:db8::1"), subject("2001:db8:0:1::1"));
        assert_eq!(subject("::ffff:192.0.2.1"), subject("192.0.2.1"));
        assert_ne!(subject("192.0.2.1"), subject("192.0.2.2"));
    }
}
