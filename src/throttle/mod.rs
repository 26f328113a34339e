//! How often one may ask: DRF's sliding log, exact under concurrency.
//!
//! A server by itself counts in its [`memory`]. Several behind a balancer count together in a [`shared`] place, by the setting
//! `throttle.store`; while that place is away each counts by itself, so that neither everybody nor nobody is let in. The keys
//! are keyed digests wherever they leave this process: a database does not tell who asks from where.

pub mod memory;
mod redis;
pub mod shared;

use std::net::IpAddr;
use std::time::Duration;

use aws_lc_rs::hmac;

use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::model::shared_count::{Count, Mode};
use crate::settings::Rate;

pub use memory::Memory;
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
}

impl Throttle {
    /// One that has counted nothing; `secret` keys the digests of what leaves the process. Counts together with the other
    /// servers that have the same secret and the same `shared` place, if there is one.
    pub fn new(secret: &[u8], shared: Option<Shared>, clock: Clock) -> Self {
        let digests = Digests::new(secret);
        Self { memory: Memory::new(secret), digests, shared, clock }
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
        let waits = match &self.shared {
            Some(shared) => {
                let count = |(scope, rate): &(_, _)| Count::new(self.digests.of(&(*scope, who.clone())), *rate);
                shared.take(rates.iter().map(count).collect(), Mode::Each).await
            }
            None => None,
        };
        let longest = match waits {
            Some(taken) => taken.wait,
            None => {
                let now = self.clock.monotonic();
                let waits = rates.iter().map(|(scope, rate)| self.memory.take(scope, who.clone(), *rate, now));
                // All of them, and not up to the first that refuses.
                waits.filter_map(|taken| taken.err()).max()
            }
        };
        longest.map_or(Ok(()), |wait| Err(Error::Throttled { wait }))
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
