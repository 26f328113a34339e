//! Two-factor sign-in: codes of an authenticator app (TOTP, RFC 6238), and recovery codes for the day it is lost.
//!
//! A secret lies in the database sealed under a key of the data folder, and is shown while it is set up and never again.
//! Recovery codes have 120 bits, so that a keyed digest of each is enough. Both count once, also in a race: what uses them
//! up is one statement that finds them unused.

use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use qrcode::QrCode;
use qrcode::render::svg;
use totp_rs::{Builder, Totp};
use zeroize::Zeroizing;

use crate::auth::secrets::RootSecret;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::model::two_factor;
use crate::model::user::User;
use crate::settings::Secret;

/// How many recovery codes there are at first.
pub const CODES: usize = 10;
/// 160 bits, as RFC 4226 §4 advises.
const SECRET_BYTES: usize = 20;
const NONCE_BYTES: usize = 12;
/// Without the letters that look like digits.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const CODE_LENGTH: usize = 24;
const GROUP: usize = 6;

/// What seals secrets and checks codes. Cheap to clone.
#[derive(Clone)]
pub struct TwoFactor {
    sealing: Arc<RandomizedNonceKey>,
    digests: hmac::Key,
    issuer: String,
}

/// What an authenticator app is told, once.
pub struct Enrolment {
    /// The secret in base32, for typing.
    pub secret: String,
    /// The same with names, as `otpauth://`.
    pub url: String,
    /// That as a QR code, an SVG element.
    pub qr: String,
}

/// What came of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passed {
    /// The account has no two-factor sign-in.
    NotAsked,
    /// None was given, and one is needed.
    Missing,
    /// It is right, and is used up now.
    Right,
    /// It is not right, or was used before.
    Wrong,
}

/// What is done with a password and a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Switches it on, by a code of the secret that was begun with.
    Confirm,
    /// Makes new recovery codes.
    NewCodes,
    /// Switches it off.
    Disable,
}

impl TwoFactor {
    /// Keys from the server's own secret; `issuer` is what apps call the server.
    ///
    /// # Errors
    /// If the secret gives no key.
    pub fn new(secrets: &RootSecret, issuer: &str) -> anyhow::Result<Self> {
        let sealing = secrets.derive("two-factor secrets");
        let sealing = RandomizedNonceKey::new(&AES_256_GCM, sealing.get(..32).unwrap_or_default())?;
        let digests = hmac::Key::new(hmac::HMAC_SHA256, &secrets.derive("recovery codes"));
        Ok(Self { sealing: Arc::new(sealing), digests, issuer: issuer.replace(':', " ") })
    }

    /// Makes a secret for the user, who confirms it later; `None` if two-factor sign-in is on already.
    ///
    /// # Errors
    /// The database's.
    pub fn begin_in(&self, conn: &mut Conn, user: &User, now: Timestamp) -> Result<Option<Enrolment>> {
        if two_factor::is_on(conn, user.id)? {
            return Ok(None);
        }
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        random(secret.as_mut())?;
        two_factor::begin(conn, user.id, &self.seal(user.id, secret.as_ref())?, now)?;
        self.enrolment(user, secret.as_ref()).map(Some)
    }

    /// The same again, while it is not confirmed.
    ///
    /// # Errors
    /// The database's.
    pub fn begun_in(&self, conn: &mut Conn, user: &User) -> Result<Option<Enrolment>> {
        let begun = two_factor::of(conn, user.id)?.filter(|row| row.confirmed_at.is_none());
        begun.map(|row| self.enrolment(user, &self.open(user.id, &row.secret)?)).transpose()
    }

    /// Does what the code is shown for; the password was right. Returns the recovery codes that there are now, which are shown
    /// once; `None` for a wrong code.
    ///
    /// # Errors
    /// The database's.
    pub fn act_in(
        &self,
        conn: &mut Conn,
        user: &User,
        act: Act,
        code: &Secret,
        now: Timestamp,
    ) -> Result<Option<Vec<String>>> {
        if act == Act::Confirm {
            return self.confirm_in(conn, user, code, now);
        }
        if self.pass_in(conn, user, Some(code), now)? != Passed::Right {
            return Ok(None);
        }
        match act {
            Act::Disable => two_factor::remove(conn, user.id).map(|_| Some(Vec::new())),
            Act::Confirm | Act::NewCodes => self.new_codes_in(conn, user.id).map(Some),
        }
    }

    fn confirm_in(&self, conn: &mut Conn, user: &User, code: &Secret, now: Timestamp) -> Result<Option<Vec<String>>> {
        let begun = two_factor::of(conn, user.id)?.filter(|row| row.confirmed_at.is_none());
        let Some(begun) = begun else { return Ok(None) };
        let step = step_of(&self.totp(user, &self.open(user.id, &begun.secret)?)?, &plain(code), now);
        let Some(step) = step else { return Ok(None) };
        if !two_factor::confirm(conn, user.id, &begun.secret, now)? || !two_factor::use_step(conn, user.id, step)? {
            return Ok(None);
        }
        self.new_codes_in(conn, user.id).map(Some)
    }

    /// Whether the code, of the app or for recovery, lets the user in. A right one is used up.
    ///
    /// # Errors
    /// The database's.
    pub fn pass_in(&self, conn: &mut Conn, user: &User, code: Option<&Secret>, now: Timestamp) -> Result<Passed> {
        let on = two_factor::of(conn, user.id)?.filter(|row| row.confirmed_at.is_some());
        let Some(on) = on else { return Ok(Passed::NotAsked) };
        let code = code.map(plain).filter(|code| !code.is_empty());
        let Some(code) = code else { return Ok(Passed::Missing) };
        let is_right = match step_of(&self.totp(user, &self.open(user.id, &on.secret)?)?, &code, now) {
            Some(step) => two_factor::use_step(conn, user.id, step)?,
            None => two_factor::use_code(conn, user.id, &self.digest(user.id, &code))?,
        };
        Ok(if is_right { Passed::Right } else { Passed::Wrong })
    }

    fn new_codes_in(&self, conn: &mut Conn, user: i64) -> Result<Vec<String>> {
        let codes: Vec<String> = (0..CODES).map(|_| new_code()).collect::<Result<_>>()?;
        let digests: Vec<String> = codes.iter().map(|code| self.digest(user, &plain(&code.as_str().into()))).collect();
        two_factor::set_codes(conn, user, &digests)?;
        Ok(codes)
    }

    fn totp(&self, user: &User, secret: &[u8]) -> Result<Totp> {
        // A colon parts issuer and name in the URL.
        let name = user.username.replace(':', " ");
        let builder = Builder::new().with_secret(secret.to_vec()).with_issuer(Some(self.issuer.as_str()));
        builder.with_account_name(name.as_str()).build().map_err(|error| Error::internal(error.to_string()))
    }

    fn enrolment(&self, user: &User, secret: &[u8]) -> Result<Enrolment> {
        let totp = self.totp(user, secret)?;
        let url = totp.to_url().map_err(|error| Error::internal(error.to_string()))?;
        let drawn = QrCode::new(&url).map_err(Error::internal)?.render::<svg::Color<'_>>().build();
        // Without the XML declaration it can stand in a page.
        let qr = drawn.find("<svg").and_then(|at| drawn.get(at..)).unwrap_or_default().to_owned();
        Ok(Enrolment { secret: totp.secret().to_base32(), url, qr })
    }

    fn seal(&self, user: i64, secret: &[u8]) -> Result<String> {
        let mut sealed = secret.to_vec();
        let nonce = self.sealing.seal_in_place_append_tag(bound_to(user), &mut sealed);
        let nonce = nonce.map_err(|_| Error::internal("a secret cannot be sealed"))?;
        Ok(URL_SAFE_NO_PAD.encode([nonce.as_ref().as_slice(), &sealed].concat()))
    }

    fn open(&self, user: i64, sealed: &str) -> Result<Zeroizing<Vec<u8>>> {
        let lost =
            || Error::internal("a two-factor secret cannot be opened: root.secret is not the one that sealed it");
        let bytes = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| lost())?;
        let (nonce, secret) = bytes.split_at_checked(NONCE_BYTES).ok_or_else(lost)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| lost())?;
        let mut secret = Zeroizing::new(secret.to_vec());
        let length = self.sealing.open_in_place(nonce, bound_to(user), &mut secret).map_err(|_| lost())?.len();
        secret.truncate(length);
        Ok(secret)
    }

    fn digest(&self, user: i64, code: &str) -> String {
        hex::encode(hmac::sign(&self.digests, format!("{user}:{code}").as_bytes()))
    }
}

/// A sealed secret belongs to its row: moved to another user's it opens nothing.
fn bound_to(user: i64) -> Aad<[u8; 8]> {
    Aad::from(user.to_be_bytes())
}

fn random(bytes: &mut [u8]) -> Result<()> {
    aws_lc_rs::rand::fill(bytes).map_err(|_| Error::internal("the system has no random bytes"))
}

fn new_code() -> Result<String> {
    let mut bytes = Zeroizing::new([0; CODE_LENGTH]);
    random(bytes.as_mut())?;
    let letter = |byte: &u8| ALPHABET.get(usize::from(byte % 32)).copied().map_or('0', char::from);
    let groups: Vec<String> = bytes.chunks(GROUP).map(|group| group.iter().map(letter).collect()).collect();
    Ok(groups.join("-"))
}

/// A code as it was meant: without what people and apps put between its letters, and with what they take for digits.
fn plain(code: &Secret) -> Zeroizing<String> {
    let letters = code.expose().chars().filter(|c| !c.is_whitespace() && *c != '-').take(2 * CODE_LENGTH);
    let meant = |c: char| match c.to_ascii_lowercase() {
        'o' => '0',
        'i' | 'l' => '1',
        c => c,
    };
    Zeroizing::new(letters.map(meant).collect())
}

/// The step that this is the code of: the present one, or one before or after it.
fn step_of(totp: &Totp, code: &str, now: Timestamp) -> Option<i64> {
    let is_code = code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit());
    let step = totp.check(code, now.seconds().try_into().ok()?).filter(|_| is_code)?;
    step.try_into().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn factor() -> TwoFactor {
        let secrets = RootSecret::parse(&RootSecret::make().unwrap()).unwrap();
        TwoFactor::new(&secrets, "auth.example.org:8000").unwrap()
    }

    #[test]
    fn a_sealed_secret_opens_for_its_user_alone_and_never_looks_the_same() {
        let factor = factor();
        let (one, other) = (factor.seal(1, b"12345678901234567890").unwrap(), factor.seal(1, b"12345678901234567890"));
        assert_ne!(one, other.unwrap());
        assert_eq!(factor.open(1, &one).unwrap().as_slice(), b"12345678901234567890");
        assert!(factor.open(2, &one).is_err());
        assert!(factor.open(1, "").is_err() && factor.open(1, "!").is_err());
        assert!(self::factor().open(1, &one).is_err(), "another server's key");
    }

    #[test]
    fn a_code_is_of_the_present_step_or_one_beside_it() {
        // RFC 6238, appendix B: 94287082 at 59 s, of which apps show the last six digits.
        let totp = Builder::new().with_secret(b"12345678901234567890".to_vec()).build().unwrap();
        let at = |seconds| step_of(&totp, "287082", Timestamp::from_seconds(seconds));
        assert_eq!([at(29), at(30), at(59), at(89)], [Some(1); 4]);
        assert_eq!([at(-1), at(90), at(120)], [None; 3]);
        for wrong in ["", "28708", "2870820", "28708x", "२८७०८२"] {
            assert_eq!(step_of(&totp, wrong, Timestamp::from_seconds(59)), None, "{wrong}");
        }
    }

    #[test]
    fn recovery_codes_are_long_and_forgive_how_they_are_typed() {
        let code = new_code().unwrap();
        assert_eq!((code.len(), code.split('-').count()), (CODE_LENGTH + 3, 4));
        assert_ne!(code, new_code().unwrap());
        let typed = |text: &str| plain(&text.into()).to_string();
        assert_eq!(typed(" ABC-d ef\u{a0}o1L "), "abcdef011");
    }
}
