//! Vouchers: short texts that the server gives out and takes back, good for one purpose and until their end.
//!
//! A browser's cookie that says which account it has signed in to, and a sign-in that has come half its way. They are
//! readable, and nobody else can write them.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::clock::Timestamp;
use crate::error::{Error, Result};

/// What makes and reads them.
#[derive(Clone)]
pub struct Vouchers(hmac::Key);

/// Whose a voucher is, and for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voucher {
    /// The user.
    pub user: i64,
    /// The generation that the user had: a new password and "sign out everywhere" end it.
    pub generation: i32,
    /// What tells it from others.
    pub id: String,
}

/// What a voucher is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// This browser has signed in to the account before.
    KnownDevice,
    /// The password was right; the code is still to come.
    CodeToCome,
}

impl Purpose {
    fn as_str(self) -> &'static str {
        match self {
            Self::KnownDevice => "device",
            Self::CodeToCome => "code",
        }
    }
}

/// A new id, of 16 random bytes.
///
/// # Errors
/// If the system has no random bytes.
pub fn new_id() -> Result<String> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::internal("the system has no random bytes"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

impl Vouchers {
    /// Vouchers under this secret.
    pub fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// The text of a voucher. Its id has neither dots nor anything that a cookie or a form would change.
    pub fn issue(&self, purpose: Purpose, voucher: &Voucher, until: Timestamp) -> String {
        let Voucher { user, generation, id } = voucher;
        let told = format!("{user}.{generation}.{}.{id}", until.seconds());
        let tag = hmac::sign(&self.0, signed(purpose, &told).as_bytes());
        format!("{told}.{}", URL_SAFE_NO_PAD.encode(tag))
    }

    /// The voucher that a text is, if it is one of ours for this purpose and `now` is before its end.
    pub fn read(&self, purpose: Purpose, text: &str, now: Timestamp) -> Option<Voucher> {
        let (told, tag) = text.rsplit_once('.')?;
        let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
        hmac::verify(&self.0, signed(purpose, told).as_bytes(), &tag).ok()?;
        let mut parts = told.split('.');
        let (user, generation) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let until = Timestamp::from_seconds(parts.next()?.parse().ok()?);
        (now < until).then_some(Voucher { user, generation, id: parts.next()?.to_owned() })
    }
}

fn signed(purpose: Purpose, told: &str) -> String {
    format!("{}:{told}", purpose.as_str())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_voucher_is_good_for_its_purpose_until_its_end_and_as_it_was_written() {
        let (ours, theirs) = (Vouchers::new(b"ours"), Vouchers::new(b"theirs"));
        let voucher = Voucher { user: 7, generation: -1, id: new_id().unwrap() };
        let end = Timestamp::from_seconds(100);
        let text = ours.issue(Purpose::KnownDevice, &voucher, end);
        let just_before = Timestamp::from_micros(99_999_999);
        assert_eq!(ours.read(Purpose::KnownDevice, &text, just_before), Some(voucher));
        assert_eq!(ours.read(Purpose::KnownDevice, &text, end), None);
        assert_eq!(ours.read(Purpose::CodeToCome, &text, just_before), None);
        assert_eq!(theirs.read(Purpose::KnownDevice, &text, just_before), None);
        for changed in [text.replacen('7', "8", 1), text.replacen("100", "900", 1), String::new(), "....".to_owned()] {
            assert_eq!(ours.read(Purpose::KnownDevice, &changed, just_before), None, "{changed}");
        }
    }
}
