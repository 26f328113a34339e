//! The check of a name and a password, the same for every door: API, panel, older endpoints.

use std::net::IpAddr;
use std::sync::Arc;

use crate::auth::password::{Passwords, Verified};
use crate::clock::Clock;
use crate::db::{Conn, Db};
use crate::error::{Error, Result};
use crate::model::user::{self, User};
use crate::settings::{Rate, Secret};
use crate::throttle::{Subject, Throttle};

/// Checks names and passwords. Cheap to clone.
#[derive(Clone)]
pub struct SignIn {
    db: Db,
    clock: Clock,
    passwords: Passwords,
    throttle: Arc<Throttle>,
    rate: Option<Rate>,
}

/// A user whose password was right a moment ago.
pub struct SignedIn {
    user: User,
    /// The same password's hash at today's cost, if the stored one is of an older kind.
    renewed: Option<String>,
}

/// How many times the rate of one account one address may try, over all accounts.
const ACCOUNTS_OF_AN_ADDRESS: u32 = 2;

impl SignIn {
    /// A check against this database, at most at `rate`.
    pub fn new(db: Db, clock: Clock, passwords: Passwords, throttle: Arc<Throttle>, rate: Option<Rate>) -> Self {
        Self { db, clock, passwords, throttle, rate }
    }

    /// Who signs in as `username` with `password` from `ip`; `None` for a wrong password, an unknown or inactive user, all
    /// at the same cost.
    ///
    /// # Errors
    /// [`Error::Throttled`] if this was tried too often; [`Error::Unavailable`] if too many passwords wait to be hashed.
    pub async fn check(&self, username: String, password: Secret, ip: IpAddr) -> Result<Option<SignedIn>> {
        self.count(Some(&username), ip)?;
        let named = username.clone();
        let asked = move |conn: &mut Conn| Ok((user::by_username(conn, &named)?, user::foreign_hashes(conn)?));
        let (found, foreign) = self.db.read(asked).await?;
        let found = found.filter(|user| user.is_active);
        let stored = found.as_ref().map(|user| user.password.clone());
        let verified = self.passwords.verify_among(password.clone(), stored, foreign).await?;
        let Some(user) = found.filter(|_| !matches!(verified, Verified::Wrong)) else {
            failed(ip);
            return Ok(None);
        };
        log::info!(target: "sign_in", "user={} signed in from {ip}", user.id);
        let renewed = match verified {
            Verified::RightButOld => Some(self.passwords.hash(password).await?),
            Verified::Right | Verified::Wrong => None,
        };
        Ok(Some(SignedIn { user, renewed }))
    }

    /// Whether `password` is that of a user who is signed in already, counted like a sign-in.
    ///
    /// # Errors
    /// As [`SignIn::check`].
    pub async fn confirms(&self, user: &User, password: Secret, ip: IpAddr) -> Result<bool> {
        self.count(Some(&user.username), ip)?;
        let verified = self.passwords.verify(password, Some(user.password.clone())).await?;
        if matches!(verified, Verified::Wrong) {
            failed(ip);
            return Ok(false);
        }
        Ok(true)
    }

    /// Counts one attempt from `ip`, at the account `username` or at none in particular.
    ///
    /// # Errors
    /// [`Error::Throttled`] if there were too many.
    pub fn count(&self, username: Option<&str>, ip: IpAddr) -> Result<()> {
        self.take(username, ip).inspect_err(|_| log::warn!(target: "sign_in", "throttled sign-in from {ip}"))
    }

    fn take(&self, username: Option<&str>, ip: IpAddr) -> Result<()> {
        let Some(rate) = self.rate else { return Ok(()) };
        let now = self.clock.monotonic();
        let all = Rate { requests: rate.requests.saturating_mul(ACCOUNTS_OF_AN_ADDRESS), per: rate.per };
        self.throttle.take("login", Subject::address(ip), all, now)?;
        match username {
            Some(username) => self.throttle.take("login", Subject::account(username, ip), rate, now),
            None => Ok(()),
        }
    }
}

/// One stable line for ban tools. The name is not written, since people type passwords there.
pub fn failed(ip: IpAddr) {
    log::warn!(target: "sign_in", "failed sign-in from {ip}");
}

impl SignedIn {
    /// The user as of now, inside the transaction that begins the session: still there, active and with the password that
    /// was checked. A hash of an older kind is renewed, unless another sign-in has done so meanwhile.
    ///
    /// # Errors
    /// The database's.
    pub fn confirm(self, conn: &mut Conn) -> Result<Option<User>> {
        let now = user::by_id(conn, self.user.id)?;
        // By the generation and not by the hash: that may be another of the same password since.
        let same = |user: &User| user.password_generation == self.user.password_generation;
        let Some(user) = now.filter(|user| user.is_active && same(user)) else {
            return Ok(None);
        };
        if let Some(renewed) = &self.renewed {
            user::renew_hash(conn, user.id, &self.user.password, renewed)?;
        }
        Ok(Some(user))
    }
}

/// The answer to a wrong name or password.
pub fn no_account() -> Error {
    Error::unauthorized("No active account found with the given credentials")
}
