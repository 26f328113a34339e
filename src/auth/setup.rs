//! The one-time link by which the first administrator is made.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::{constant_time, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::clock::Timestamp;
use crate::error::{Error, Result};

/// How long the link is good.
const GOOD_FOR: Duration = Duration::from_secs(3600);

/// The link's token of this start, if there is one: kept as a digest, and in memory alone.
#[derive(Default)]
pub struct SetupToken(Mutex<Option<(digest::Digest, Timestamp)>>);

impl SetupToken {
    /// Makes the token of this start, in place of any earlier one.
    ///
    /// # Errors
    /// If the system has no random bytes.
    pub fn issue(&self, now: Timestamp) -> Result<String> {
        let mut bytes = [0; 32];
        aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::internal("the system has no random bytes"))?;
        let text = URL_SAFE_NO_PAD.encode(bytes);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((sha256(&text), now + GOOD_FOR));
        Ok(text)
    }

    /// Whether this is the token, still good.
    pub fn matches(&self, text: &str, now: Timestamp) -> bool {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref().is_some_and(|(digest, until)| {
            now < *until && constant_time::verify_slices_are_equal(digest.as_ref(), sha256(text).as_ref()).is_ok()
        })
    }

    /// Ends the token: it has been used.
    pub fn spend(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

fn sha256(text: &str) -> digest::Digest {
    digest::digest(&digest::SHA256, text.as_bytes())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_link_is_good_for_an_hour_and_once() {
        let (token, now) = (SetupToken::default(), Timestamp::from_seconds(0));
        let text = token.issue(now).unwrap();
        assert!(token.matches(&text, now));
        assert!(!token.matches("", now));
        assert!(!token.matches(&text, now + GOOD_FOR));
        token.spend();
        assert!(!token.matches(&text, now));
    }
}
