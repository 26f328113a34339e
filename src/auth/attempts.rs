//! Attempts to sign in that failed, until they are written down: every second, together, and what is alike as one row.
//!
//! A storm of failures is no storm of writes: those of one second that are alike (name, address, outcome) are one row with a
//! number, and of those that differ so many are kept as one second's writes can carry; the rest is counted in the log. So
//! `kill -9` forgets a second of failures, as it does of the limits ([`crate::auth::limits`]). Who came in is written in the
//! transaction that let them in.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::hmac;

use crate::auth::place::Place;
use crate::clock::{Clock, Timestamp};
use crate::db::Conn;
use crate::error::Result;
use crate::metrics::{Count, Metrics};
use crate::model::session::Device;
use crate::model::sign_in::{self, How, NewSignIn, Outcome};
use crate::model::user::{self, User};

/// The most that wait to be written.
const MOST: usize = 1000;
/// No username is longer, in characters.
const LONGEST_NAME: usize = 150;
/// Hexadecimal digits of the digest of a name that nobody has: enough that two names differ.
const DIGITS: usize = 16;

/// Whose account was tried.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Whose {
    /// That of a user who is known.
    User(i64),
    /// That of whoever has this name, if anybody has. It may be a password: it is looked up and forgotten.
    Named(String),
    /// No account's: there was no name.
    Nobodys,
}

/// One stable line for ban tools. The name is not written, since people type passwords there.
pub fn failed(ip: IpAddr) {
    log::warn!(target: "sign_in", "failed sign-in from {ip}");
}

/// The same for somebody who was held back.
pub fn throttled(ip: IpAddr) {
    log::warn!(target: "sign_in", "throttled sign-in from {ip}");
}

/// What makes two attempts alike.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Alike {
    whose: Whose,
    outcome: Outcome,
    how: How,
    ip: String,
    user_agent: String,
}

/// Failed attempts of one second that are alike.
pub struct Failed {
    alike: Alike,
    at: Timestamp,
    times: i32,
}

#[derive(Default)]
struct Waiting {
    /// When the first of those that are alike was, how many came before it, and how many they are.
    all: HashMap<Alike, (Timestamp, usize, i32)>,
    lost: usize,
}

/// The failed attempts of the present second. Cheap to clone.
#[derive(Clone)]
pub struct Attempts {
    digests: Arc<hmac::Key>,
    clock: Clock,
    metrics: Metrics,
    waiting: Arc<Mutex<Waiting>>,
}

impl Attempts {
    /// None yet; `secret` keys the digests of names that nobody has.
    pub fn new(secret: &[u8], clock: Clock, metrics: Metrics) -> Self {
        Self { digests: Arc::new(hmac::Key::new(hmac::HMAC_SHA256, secret)), clock, metrics, waiting: Arc::default() }
    }

    /// Notes an attempt at the account of this name that failed.
    pub fn failed(&self, username: &str, outcome: Outcome, place: &Place) {
        let name = username.chars().take(LONGEST_NAME + 1).collect();
        self.note(Whose::Named(name), outcome, place);
    }

    /// Notes an attempt at this user's account that failed.
    pub fn failed_of(&self, user: i64, outcome: Outcome, place: &Place) {
        self.note(Whose::User(user), outcome, place);
    }

    /// Notes an attempt that failed before it was known at whose account it was.
    pub fn failed_of_nobody(&self, outcome: Outcome, place: &Place) {
        self.note(Whose::Nobodys, outcome, place);
    }

    /// Writes down that a user came in, in the transaction that lets them in.
    ///
    /// # Errors
    /// The database's.
    pub fn came_in(&self, conn: &mut Conn, user: &User, place: &Place, now: Timestamp) -> Result<()> {
        self.count(Outcome::In);
        let device = Device { ip: place.ip.to_string(), user_agent: place.agent.clone() };
        let (outcome, how, name_digest) = (Outcome::In, place.how, String::new());
        sign_in::insert(conn, &NewSignIn { at: now, user: Some(user.id), name_digest, outcome, how, device, times: 1 })
    }

    fn count(&self, outcome: Outcome) {
        let count = match outcome {
            Outcome::In => Count::SignedIn,
            Outcome::WrongPassword => Count::WrongPassword,
            Outcome::Unknown => Count::UnknownName,
            Outcome::Locked => Count::Throttled,
            Outcome::Inactive => Count::Inactive,
            // Half a sign-in: what follows it counts.
            Outcome::CodeMissing => return,
            _ => Count::OtherRefusal,
        };
        self.metrics.add(count, 1);
    }

    fn note(&self, whose: Whose, outcome: Outcome, place: &Place) {
        self.count(outcome);
        let (ip, user_agent) = (place.ip.to_string(), place.agent.clone());
        let alike = Alike { whose, outcome, how: place.how, ip, user_agent };
        let (now, mut waiting) = (self.clock.now(), self.lock());
        let before = waiting.all.len();
        match waiting.all.get_mut(&alike) {
            Some((.., times)) => *times = times.saturating_add(1),
            None if before < MOST => {
                waiting.all.insert(alike, (now, before, 1));
            }
            None => waiting.lost = waiting.lost.saturating_add(1),
        }
    }

    /// Takes what waits, the oldest first.
    pub fn take(&self) -> Vec<Failed> {
        let Waiting { all, lost } = std::mem::take(&mut *self.lock());
        if lost > 0 {
            log::warn!(target: "sign_in", "{lost} more failed sign-ins were too many to be written down one by one");
        }
        let mut taken: Vec<_> = all.into_iter().collect();
        taken.sort_by_key(|(_, (at, before, _))| (*at, *before));
        taken.into_iter().map(|(alike, (at, _, times))| Failed { alike, at, times }).collect()
    }

    /// Takes back what could not be written, as far as there is room.
    pub fn not_written(&self, failed: Vec<Failed>) {
        let mut waiting = self.lock();
        for Failed { alike, at, times } in failed {
            let before = waiting.all.len();
            if before < MOST {
                let known = waiting.all.entry(alike).or_insert((at, before, 0));
                *known = (known.0.min(at), known.1, known.2.saturating_add(times));
            }
        }
    }

    /// Writes these down: a name that somebody has as that user, any other as its digest.
    ///
    /// # Errors
    /// The database's.
    pub fn write(&self, conn: &mut Conn, failed: &[Failed]) -> Result<()> {
        for Failed { alike, at, times } in failed {
            let (user, name_digest) = match &alike.whose {
                Whose::User(id) => (Some(*id), String::new()),
                Whose::Nobodys => (None, String::new()),
                Whose::Named(name) => match user::by_username(conn, name)? {
                    Some(user) => (Some(user.id), String::new()),
                    None => (None, self.digest(name)),
                },
            };
            let device = Device { ip: alike.ip.clone(), user_agent: alike.user_agent.clone() };
            let (outcome, how) = (alike.outcome, alike.how);
            sign_in::insert(conn, &NewSignIn { at: *at, user, name_digest, outcome, how, device, times: *times })?;
        }
        Ok(())
    }

    /// What is kept of a name that nobody has.
    pub fn digest(&self, name: &str) -> String {
        let digest = hmac::sign(&self.digests, name.as_bytes());
        hex::encode(digest).chars().take(DIGITS).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
