//! An authenticator app.

use portcullis::clock::Timestamp;
use totp_rs::{Builder, Secret, Totp};

/// One account in the app.
pub struct Authenticator(Totp);

impl Authenticator {
    /// Takes over a secret that was typed.
    pub fn new(secret: &str) -> Self {
        let secret: String = secret.split_whitespace().collect();
        Self(Builder::new().with_secret(Secret::try_from_base32(secret).unwrap()).build().unwrap())
    }

    /// What was typed into it.
    #[allow(dead_code)] // the browser's tests read it from the page
    pub fn secret(&self) -> String {
        self.0.secret().to_base32()
    }

    /// What it shows.
    pub fn code(&self, now: Timestamp) -> String {
        self.0.generate(now.seconds().try_into().unwrap()).to_string()
    }
}
