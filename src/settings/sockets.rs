//! `[sockets]`: what the sockets at `/ws/` may cost.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::value;

/// Sockets that are told of events.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sockets {
    /// How many one user may have open in one process. Twenty: a browser's tabs and a telephone or two.
    pub per_user: usize,
    /// How often a socket is pinged; one that is silent from one ping to the next is closed. Half a minute: proxies close
    /// what says nothing for a minute.
    #[serde(with = "value::duration")]
    pub ping: Duration,
}

impl Default for Sockets {
    fn default() -> Self {
        Self { per_user: 20, ping: Duration::from_secs(30) }
    }
}
