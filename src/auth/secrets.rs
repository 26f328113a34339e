//! One secret of the server's own, and what is derived from it: a key for each purpose, by its label.

use anyhow::{Context, ensure};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

const LENGTH: usize = 64;

/// The root of all secrets but the signing keys, so that changing those changes nothing else.
pub struct RootSecret(hmac::Key);

impl RootSecret {
    /// The text of a new one, for its file.
    ///
    /// # Errors
    /// If the system has no random bytes.
    pub fn make() -> anyhow::Result<Zeroizing<String>> {
        let mut bytes = Zeroizing::new([0; LENGTH]);
        aws_lc_rs::rand::fill(bytes.as_mut()).context("the system has no random bytes")?;
        Ok(Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_ref()) + "\n"))
    }

    /// Reads what [`RootSecret::make`] wrote.
    ///
    /// # Errors
    /// If the text is of another form.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text.trim()).context("it is not base64url")?);
        ensure!(bytes.len() == LENGTH, "it is not {LENGTH} bytes long");
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA512, &bytes)))
    }

    /// 64 bytes for the purpose that `label` names.
    pub fn derive(&self, label: &str) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(hmac::sign(&self.0, label.as_bytes()).as_ref().to_vec())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn each_purpose_has_a_key_of_its_own_that_stays() {
        let text = RootSecret::make().unwrap();
        let (one, again) = (RootSecret::parse(&text).unwrap(), RootSecret::parse(&text).unwrap());
        assert_eq!(one.derive("cookies"), again.derive("cookies"));
        assert_ne!(one.derive("cookies"), one.derive("marks"));
        assert!(RootSecret::parse("short").is_err());
    }
}
