//! The marks of passwords that tokens may carry, as simplejwt's `hash_password` claim.

use std::sync::Arc;

use aws_lc_rs::hmac;

/// The marks that `jwt.check_revoke_token` puts into tokens: 32 upper-case hexadecimal digits that change with the
/// password and tell nothing of it, not even of its hash.
#[derive(Clone)]
pub struct PasswordMarks(Arc<hmac::Key>);

impl PasswordMarks {
    /// Marks under a key that serves nothing else.
    pub fn new(key: &[u8]) -> Self {
        Self(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, key)))
    }

    /// The mark of a user's password.
    pub fn of(&self, user: i64, password_generation: i32) -> String {
        let mut mark = hex::encode_upper(hmac::sign(&self.0, format!("{user}.{password_generation}").as_bytes()));
        mark.truncate(32);
        mark
    }
}
