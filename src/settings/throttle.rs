//! `[throttle]`: how often one may ask.

use serde::{Deserialize, Serialize};

use super::value::{self, Rate};
use super::{HOUR, MINUTE};

/// How often one may ask: a rate such as `100/day`, or `off`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Throttle {
    /// For a caller who is not signed in, by address. Off, as DRF.
    #[serde(with = "value::rate")]
    pub anon: Option<Rate>,
    /// For a user. Off, as DRF.
    #[serde(with = "value::rate")]
    pub user: Option<Rate>,
    /// For failed sign-ins to one account from one address. Ten a minute: nobody types faster. `off` switches off all
    /// limits of signing in.
    #[serde(with = "value::rate")]
    pub login: Option<Rate>,
    /// For failed sign-ins to one account from all addresses together, but those where its owner is known. Twenty an hour:
    /// whoever commands a thousand addresses gets no further than with one.
    #[serde(with = "value::rate")]
    pub login_account: Option<Rate>,
    /// For failed sign-ins from one address to all accounts together; registrations count too. Twenty a minute.
    #[serde(with = "value::rate")]
    pub login_address: Option<Rate>,
    /// For failed sign-ins where the account is known: from a browser that has signed in to it before, in place of the three
    /// above; from an address that it has signed in from lately, in place of the account's. Twenty an hour: no stranger
    /// elsewhere can use them up, and a thief there cannot guess for long.
    #[serde(with = "value::rate")]
    pub login_device: Option<Rate>,
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            anon: None,
            user: None,
            login: Some(Rate { requests: 10, per: MINUTE }),
            login_account: Some(Rate { requests: 20, per: HOUR }),
            login_address: Some(Rate { requests: 20, per: MINUTE }),
            login_device: Some(Rate { requests: 20, per: HOUR }),
        }
    }
}
