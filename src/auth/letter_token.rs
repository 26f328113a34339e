//! The tokens that travel by letter: made as the letter goes out, good once, and dead as soon as what they are about is
//! another.
//!
//! Such a token carries a mark: a digest, under a key that serves nothing else, of its kind, the account, its address and
//! the generation of its password. So it dies with a change of either, needs no row to be good, and cannot be made with a
//! signing key alone. What was used is noted by its id.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::{constant_time, hmac};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::auth::signer::Signer;
use crate::auth::token::{EmailVerification, Invitation, Kind, Mailed, PasswordReset, Token};
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::model::invitation::{self, Invitation as Row};
use crate::model::used_letter;
use crate::model::user::{self, User};

/// What is told about a token that is not good, whatever is wrong with it.
pub const NOT_GOOD: &str = "This link is invalid, has expired or was used before.";

/// The claim that names the account or the invitation.
const SUBJECT: &str = "about";
/// The claim that carries the mark.
const MARK: &str = "mark";

/// A kind of letter token that is about an account.
pub trait OfUser: Mailed {
    /// How long the token is good after the letter went out.
    const LIFETIME: Duration;
}

impl OfUser for EmailVerification {
    const LIFETIME: Duration = Duration::from_secs(24 * 3600);
}

impl OfUser for PasswordReset {
    const LIFETIME: Duration = Duration::from_secs(3600);
}

/// Makes and reads the tokens of letters. Cheap to clone.
#[derive(Clone)]
pub struct LetterTokens {
    signer: Signer,
    key: Arc<hmac::Key>,
}

/// A token that we have signed, in date and of the kind `K`. Whether what it is about is still the same is asked in the
/// transaction that uses it.
#[derive(Clone)]
pub struct Opened<K> {
    about: i64,
    mark: String,
    jti: String,
    exp: Timestamp,
    kind: PhantomData<fn() -> K>,
}

impl LetterTokens {
    /// Tokens signed by `signer`, their marks under a key that serves nothing else.
    pub fn new(signer: Signer, key: &[u8]) -> Self {
        Self { signer, key: Arc::new(hmac::Key::new(hmac::HMAC_SHA256, key)) }
    }

    /// A token of the kind `K` for the account as it is now.
    ///
    /// # Errors
    /// If it cannot be signed.
    pub fn for_user<K: OfUser>(&self, user: &User, now: Timestamp) -> Result<String> {
        self.make::<K>(user.id, user_mark::<K>(user), now, now + K::LIFETIME)
    }

    /// The token of an invitation, good until that expires.
    ///
    /// # Errors
    /// If it cannot be signed.
    pub fn for_invitation(&self, row: &Row, now: Timestamp) -> Result<String> {
        self.make::<Invitation>(row.id, invitation_mark(row), now, row.expires_at)
    }

    fn make<K: Mailed>(&self, about: i64, mark: String, now: Timestamp, exp: Timestamp) -> Result<String> {
        let mut claims = self.signer.standing_claims();
        claims.insert(SUBJECT.into(), about.into());
        claims.insert(MARK.into(), URL_SAFE_NO_PAD.encode(hmac::sign(&self.key, mark.as_bytes())).into());
        self.signer.sign(&Token::<K>::mailed(claims, now, exp)?)
    }

    /// Reads a token of the kind `K`; `None` for anything else, and for one that has expired.
    pub fn open<K: Mailed>(&self, text: &str, now: Timestamp) -> Option<Opened<K>> {
        let claims = self.signer.verify(text, now).ok()?;
        let token = Token::<K>::from_verified(claims).ok()?;
        let claims = token.claims();
        Some(Opened {
            about: claims.get(SUBJECT).and_then(Value::as_i64)?,
            mark: claims.text(MARK)?.to_owned(),
            jti: claims.jti()?.to_owned(),
            exp: claims.moment("exp")?,
            kind: PhantomData,
        })
    }

    fn bears<K>(&self, opened: &Opened<K>, mark: &str) -> bool {
        let expected = URL_SAFE_NO_PAD.encode(hmac::sign(&self.key, mark.as_bytes()));
        constant_time::verify_slices_are_equal(expected.as_bytes(), opened.mark.as_bytes()).is_ok()
    }

    /// The account that a token is about, if that is active and its address and password are still those of the letter, and
    /// the token is unused. Uses nothing up.
    ///
    /// # Errors
    /// The database's.
    pub fn holder<K: OfUser>(&self, conn: &mut Conn, opened: &Opened<K>) -> Result<Option<User>> {
        let user = user::by_id(conn, opened.about)?;
        let same = |user: &User| user.is_active && self.bears(opened, &user_mark::<K>(user));
        Ok(match user.filter(same) {
            Some(user) if !used_letter::is_used(conn, &opened.jti)? => Some(user),
            _ => None,
        })
    }

    /// As [`LetterTokens::holder`], and uses the token up: to be called in the transaction that does what it is for.
    ///
    /// # Errors
    /// The database's.
    pub fn redeem<K: OfUser>(&self, conn: &mut Conn, opened: &Opened<K>) -> Result<Option<User>> {
        let holder = self.holder(conn, opened)?;
        if holder.is_some() {
            used_letter::use_up(conn, &opened.jti, opened.exp)?;
        }
        Ok(holder)
    }

    /// The invitation that a token brings, if it is still pending. Accepting it is what uses the token up.
    ///
    /// # Errors
    /// The database's.
    pub fn invitation(&self, conn: &mut Conn, opened: &Opened<Invitation>, now: Timestamp) -> Result<Option<Row>> {
        let row = invitation::by_id(conn, opened.about)?;
        Ok(row.filter(|row| row.is_pending(now) && self.bears(opened, &invitation_mark(row))))
    }
}

/// The 400 for a token that is not good, under the field that brought it.
pub fn not_good(field: &'static str) -> Error {
    Error::field(field, NOT_GOOD)
}

/// The address comes last: it is the only part that could hold a separator.
fn user_mark<K: Kind>(user: &User) -> String {
    format!("{} {} {} {}", K::TYPE, user.id, user.password_generation, user.email)
}

fn invitation_mark(row: &Row) -> String {
    format!("{} {} {}", Invitation::TYPE, row.id, row.email)
}
