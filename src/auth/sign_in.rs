//! The check of a name and a password, the same for every door: API, panel, older endpoints.
//!
//! Who fails too often is refused for a while, whoever they are ([`Limits`]). What strangers do must not keep an owner out:
//! a browser that has signed in to the account before shows a cookie, and has a count of its own; and so has each address
//! that the account has signed in from lately, once its common count is used up. A new password and "sign out everywhere"
//! forget both.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

pub use crate::auth::attempts::failed;
use crate::auth::attempts::{Attempts, throttled};
use crate::auth::held;
use crate::auth::limits::{Attempt, Limits};
use crate::auth::password::{Passwords, Verified};
pub use crate::auth::place::Place;
use crate::auth::two_factor::{Passed, TwoFactor};
use crate::auth::voucher::{self, Purpose, Voucher, Vouchers};
use crate::clock::{Clock, Timestamp};
use crate::db::{Conn, Db};
use crate::error::{Error, Result, Unauthorized};
use crate::model::known_address;
use crate::model::sign_in::Outcome;
use crate::model::user::{self, User};
use crate::settings::Secret;
use crate::throttle::Subject;

/// How long a browser is known without signing in.
pub const DEVICE_KNOWN: Duration = known_address::KEPT;
/// What the 401 is called that asks for a code.
pub const CODE_REQUIRED: &str = "two_factor_required";
/// How long the code may follow the password.
const CODE_WITHIN: Duration = Duration::from_secs(5 * 60);

/// Checks names and passwords. Cheap to clone.
#[derive(Clone)]
pub struct SignIn {
    db: Db,
    clock: Clock,
    passwords: Passwords,
    limits: Arc<Limits>,
    attempts: Attempts,
    vouchers: Vouchers,
    two_factor: TwoFactor,
}

/// A user whose password was right a moment ago. The attempt counts as failed until [`SignedIn::confirm`].
pub struct SignedIn {
    user: User,
    /// The same password's hash at today's cost, if the stored one is of an older kind.
    renewed: Option<String>,
    attempt: Attempt,
    place: Place,
    sign_in: SignIn,
}

/// A code of this user's that is counted as wrong until it is given back.
pub struct CodeAttempt {
    user: i64,
    attempt: Attempt,
}

/// What is asked for after the password.
pub enum Code {
    /// Nothing, whatever the account has.
    NotAsked,
    /// The code of those who have two-factor sign-in, if one was given.
    Asked(Option<Secret>),
}

/// Who is let in.
pub enum Entry {
    /// This user.
    In(Box<User>),
    /// Nobody: gone, switched off or with another password since.
    Nobody,
    /// This user, once there is a code.
    CodeMissing(Box<User>),
    /// Nobody: the code is wrong, or was used before.
    CodeWrong,
}

impl Entry {
    /// The user who is let in, as the API tells it.
    ///
    /// # Errors
    /// 401 that says what is wrong or missing.
    pub fn user(self) -> Result<User> {
        match self {
            Self::In(user) => Ok(*user),
            Self::Nobody => Err(no_account()),
            Self::CodeMissing(_) => {
                let told = "A code of your authenticator app is needed: send it as otp.";
                Err(Error::Unauthorized(Unauthorized::coded(told, CODE_REQUIRED)))
            }
            Self::CodeWrong => {
                let told = "The code is not right, or was used before.";
                Err(Error::Unauthorized(Unauthorized::coded(told, "two_factor_invalid")))
            }
        }
    }
}

impl SignIn {
    /// A check against this database, within these limits.
    pub fn new(
        db: Db,
        clock: Clock,
        passwords: Passwords,
        limits: Arc<Limits>,
        attempts: Attempts,
        vouchers: Vouchers,
        two_factor: TwoFactor,
    ) -> Self {
        Self { db, clock, passwords, limits, attempts, vouchers, two_factor }
    }

    /// The attempts that failed, until they are written down.
    pub fn attempts(&self) -> &Attempts {
        &self.attempts
    }

    /// The counts.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Who signs in as `username` with `password` from `place`; `None` for a wrong password, an unknown or inactive user,
    /// all at the cost of one hash and one query.
    ///
    /// # Errors
    /// [`Error::Throttled`] if this has failed too often; [`Error::Unavailable`] if too many passwords wait to be hashed.
    pub async fn check(&self, username: String, password: Secret, place: impl Into<Place>) -> Result<Option<SignedIn>> {
        let place = place.into();
        let attempt = self.admit(&username, &place).await?;
        match self.look(username.clone(), password).await.inspect_err(|_| attempt.give_back())? {
            Ok((user, renewed)) => Ok(Some(SignedIn { user, renewed, attempt, place, sign_in: self.clone() })),
            Err(outcome) => {
                failed(place.ip);
                self.attempts.failed(&username, outcome, &place);
                Ok(None)
            }
        }
    }

    /// The user of this name, if active and the password is theirs; with its hash at today's cost, if that is another.
    async fn look(
        &self,
        username: String,
        password: Secret,
    ) -> Result<std::result::Result<(User, Option<String>), Outcome>> {
        let asked = move |conn: &mut Conn| Ok((user::by_username(conn, &username)?, user::foreign_hashes(conn)?));
        let (found, foreign) = self.db.read(asked).await?;
        let stored = found.as_ref().map(|user| user.password.clone());
        let verified = self.passwords.verify_among(password.clone(), stored, foreign).await?;
        let user = match (found, &verified) {
            (None, _) => return Ok(Err(Outcome::Unknown)),
            (Some(_), Verified::Wrong) => return Ok(Err(Outcome::WrongPassword)),
            (Some(user), _) if !user.is_active => return Ok(Err(Outcome::Inactive)),
            (Some(user), _) => user,
        };
        let renewed = match verified {
            Verified::RightButOld => Some(self.passwords.hash(password).await?),
            Verified::Right | Verified::Wrong => None,
        };
        Ok(Ok((user, renewed)))
    }

    /// Counts an attempt under whatever holds for its place.
    async fn admit(&self, username: &str, place: &Place) -> Result<Attempt> {
        held::lets_in(&self.db, self.limits.holds(), username, place.ip, self.clock.now()).await.inspect_err(|_| {
            throttled(place.ip);
            self.attempts.failed(username, Outcome::Locked, place);
        })?;
        let admitted = match self.known_device(username, place).await? {
            Some(device) => self.limits.take(self.limits.of_device(&device, username)).await,
            None => match self.limits.take(self.limits.of_stranger(username, place.ip)).await {
                Err(refused) if self.is_known_address(username, place.ip).await? => {
                    self.limits.take(self.limits.of_known_address(username, place.ip)).await.map_err(|_| refused)
                }
                admitted => admitted,
            },
        };
        admitted.inspect_err(|_| {
            throttled(place.ip);
            self.attempts.failed(username, Outcome::Locked, place);
        })
    }

    /// The id of the device whose cookie was sent, if it is one that the account of this name still knows.
    async fn known_device(&self, username: &str, place: &Place) -> Result<Option<String>> {
        let read = |text: &String| self.vouchers.read(Purpose::KnownDevice, text, self.clock.now());
        let Some(Voucher { user, generation, id }) = place.device.as_ref().and_then(read) else { return Ok(None) };
        let owner = self.db.read(move |conn| user::by_id(conn, user)).await?;
        let is_theirs = owner.is_some_and(|owner| owner.username == username && owner.generation == generation);
        Ok(is_theirs.then_some(id))
    }

    /// Whether the account is known where it was refused, and what has failed there would not have it refused.
    async fn is_known_address(&self, username: &str, ip: IpAddr) -> Result<bool> {
        if !self.limits.allow(&self.limits.of_known_address(username, ip)).await {
            return Ok(false); // which spares a flood from one address the question
        }
        let (username, from, now) = (username.to_owned(), self.limits.place(ip), self.clock.now());
        self.db.read(move |conn| known_address::is_known(conn, &username, &from, now)).await
    }

    /// Whether `password` is that of a user who is signed in already, counted like a sign-in. What strangers fail elsewhere
    /// does not count, for whoever is signed in is known.
    ///
    /// # Errors
    /// As [`SignIn::check`].
    pub async fn confirms(&self, user: &User, password: Secret, ip: IpAddr) -> Result<bool> {
        let right = self.attempt_of(user, password, ip).await?;
        Ok(right.inspect(Attempt::give_back).is_some())
    }

    /// As [`SignIn::confirms`], for those who are to show a code as well: the attempt, to be given back when that is right.
    ///
    /// # Errors
    /// As [`SignIn::check`].
    pub async fn attempt_of(&self, user: &User, password: Secret, ip: IpAddr) -> Result<Option<Attempt>> {
        let limits = self.limits.of_known(&user.username, ip);
        let attempt = self.limits.take(limits).await.inspect_err(|_| throttled(ip))?;
        let verified = self.passwords.verify(password, Some(user.password.clone())).await;
        if matches!(verified.inspect_err(|_| attempt.give_back())?, Verified::Wrong) {
            failed(ip);
            return Ok(None);
        }
        Ok(Some(attempt))
    }

    /// Counts the code that comes with what somebody proved elsewhere, before it is looked at: codes are guessed no faster than
    /// passwords. `None` if there is none, or nobody whose code it could be.
    ///
    /// # Errors
    /// [`Error::Throttled`] if there were too many.
    pub async fn attempt_code(&self, user: Option<&User>, code: &Code, place: &Place) -> Result<Option<CodeAttempt>> {
        let (Some(user), Code::Asked(Some(_))) = (user, code) else { return Ok(None) };
        let attempt = self.limits.take(self.limits.of_stranger(&user.username, place.ip)).await;
        let attempt = attempt.inspect_err(|_| {
            throttled(place.ip);
            self.attempts.failed_of(user.id, Outcome::Locked, place);
        })?;
        Ok(Some(CodeAttempt { user: user.id, attempt }))
    }

    /// Lets in a user who has proved elsewhere who they are, inside the transaction that begins the session; with the code
    /// that is asked for, which is used up.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the user has become another since the attempt was counted; the database's.
    pub fn admit_known(
        &self,
        conn: &mut Conn,
        user: User,
        code: &Code,
        attempt: Option<CodeAttempt>,
        place: &Place,
        now: Timestamp,
    ) -> Result<Entry> {
        self.limits.holds().admit(&Subject::User(user.id), now)?;
        let Code::Asked(code) = code else {
            self.attempts.came_in(conn, &user, place, now)?;
            return Ok(Entry::In(Box::new(user)));
        };
        let passed = self.two_factor.pass_in(conn, &user, code.as_ref(), now)?;
        let counted = attempt.filter(|attempt| attempt.user == user.id);
        if matches!(passed, Passed::Right | Passed::Wrong) && counted.is_none() {
            return Err(Error::Unavailable); // a guess that nobody has counted tells nothing
        }
        if let (Some(CodeAttempt { attempt, .. }), false) = (counted, matches!(passed, Passed::Wrong)) {
            attempt.give_back();
        }
        Ok(match passed {
            Passed::NotAsked | Passed::Right => {
                self.attempts.came_in(conn, &user, place, now)?;
                Entry::In(Box::new(user))
            }
            Passed::Missing => {
                self.attempts.failed_of(user.id, Outcome::CodeMissing, place);
                Entry::CodeMissing(Box::new(user))
            }
            Passed::Wrong => {
                self.attempts.failed_of(user.id, Outcome::CodeWrong, place);
                Entry::CodeWrong
            }
        })
    }

    /// Counts something else that is tried from `ip`, for the account `username` or for none in particular, such as a
    /// registration.
    ///
    /// # Errors
    /// [`Error::Throttled`] if there were too many.
    pub async fn count(&self, username: Option<&str>, ip: IpAddr) -> Result<()> {
        self.limits.holds().admit(&Subject::address(ip), self.clock.now())?;
        let limits = match username {
            Some(username) => self.limits.of_known(username, ip),
            None => self.limits.of_address(ip),
        };
        self.limits.take(limits).await.map(drop).inspect_err(|_| throttled(ip))
    }

    /// What a browser keeps that has signed in as `user`: see [`Place::device`].
    ///
    /// # Errors
    /// If the system has no random bytes.
    pub fn device_cookie(&self, user: &User) -> Result<String> {
        let voucher = Voucher { user: user.id, generation: user.generation, id: voucher::new_id()? };
        Ok(self.vouchers.issue(Purpose::KnownDevice, &voucher, self.clock.now() + DEVICE_KNOWN))
    }

    /// What stands for the password that was right, while the code is still to come. It opens nothing by itself, and is good
    /// for five minutes, in the browser that has `tie`.
    pub fn halfway(&self, user: &User, tie: &str) -> String {
        let voucher = Voucher { user: user.id, generation: user.generation, id: tie.to_owned() };
        self.vouchers.issue(Purpose::CodeToCome, &voucher, self.clock.now() + CODE_WITHIN)
    }

    /// Goes on with a sign-in that came half its way; `None` if it took too long, is another browser's, or its user is gone,
    /// switched off or has another password since.
    ///
    /// # Errors
    /// As [`SignIn::check`].
    pub async fn go_on(&self, halfway: &str, tie: &str, place: &Place) -> Result<Option<SignedIn>> {
        let Some(voucher) = self.vouchers.read(Purpose::CodeToCome, halfway, self.clock.now()) else { return Ok(None) };
        let found = self.db.read(move |conn| user::by_id(conn, voucher.user)).await?;
        let is_same = |user: &User| user.is_active && user.generation == voucher.generation && voucher.id == tie;
        let Some(user) = found.filter(is_same) else { return Ok(None) };
        let attempt = self.admit(&user.username, place).await?;
        Ok(Some(SignedIn { user, renewed: None, attempt, place: place.clone(), sign_in: self.clone() }))
    }
}

impl SignedIn {
    /// Who it is, as of the check.
    pub fn user(&self) -> &User {
        &self.user
    }

    /// The password was right, and nobody is let in all the same: `outcome` says why. Where `counts`, it counts as failed.
    pub fn refuse(self, outcome: Outcome, counts: bool) {
        self.note(outcome);
        if counts {
            failed(self.place.ip);
        } else {
            self.attempt.give_back();
        }
    }

    fn note(&self, outcome: Outcome) {
        self.sign_in.attempts.failed_of(self.user.id, outcome, &self.place);
    }

    /// The user as of now, inside the transaction that begins the session: still there, active and with the password that
    /// was checked; and with the code that is asked for, which is used up. A hash of an older kind is renewed, unless
    /// another sign-in has done so meanwhile, and the place is remembered.
    ///
    /// # Errors
    /// The database's.
    pub fn confirm(self, conn: &mut Conn, code: &Code, now: Timestamp) -> Result<Entry> {
        let found = user::by_id(conn, self.user.id)?;
        // By the generation and not by the hash: that may be another of the same password since.
        let same = |user: &User| user.password_generation == self.user.password_generation;
        let Some(user) = found.filter(|user| user.is_active && same(user)) else {
            self.note(Outcome::Inactive);
            return Ok(Entry::Nobody);
        };
        if let Code::Asked(code) = code {
            match self.sign_in.two_factor.pass_in(conn, &user, code.as_ref(), now)? {
                Passed::NotAsked | Passed::Right => {}
                Passed::Wrong => {
                    failed(self.place.ip);
                    self.note(Outcome::CodeWrong);
                    return Ok(Entry::CodeWrong);
                }
                Passed::Missing => {
                    self.attempt.give_back();
                    self.note(Outcome::CodeMissing);
                    return Ok(Entry::CodeMissing(Box::new(user)));
                }
            }
        }
        self.attempt.give_back();
        if let Some(renewed) = &self.renewed {
            user::renew_hash(conn, user.id, &self.user.password, renewed)?;
        }
        known_address::remember(conn, &user, &self.sign_in.limits.place(self.place.ip), now)?;
        self.sign_in.attempts.came_in(conn, &user, &self.place, now)?;
        log::info!(target: "sign_in", "user={} signed in from {}", user.id, self.place.ip);
        Ok(Entry::In(Box::new(user)))
    }
}

/// The answer to a wrong name or password.
pub fn no_account() -> Error {
    Error::unauthorized("No active account found with the given credentials")
}
