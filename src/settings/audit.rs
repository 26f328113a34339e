//! `[audit]`: how long it is kept who did what, and who signed in.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{DAY, value};

/// How long it is kept who did what, and who signed in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Audit {
    /// How long the entries of the audit log are kept. Four hundred days: what happened a year ago can still be looked up.
    #[serde(with = "value::duration")]
    pub keep: Duration,
    /// How long attempts to sign in are kept. Ninety days: they tell where people are, and are many.
    #[serde(with = "value::duration")]
    pub keep_sign_ins: Duration,
}

impl Default for Audit {
    fn default() -> Self {
        Self { keep: 400 * DAY, keep_sign_ins: 90 * DAY }
    }
}
