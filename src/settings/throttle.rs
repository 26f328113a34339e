//! `[throttle]`: how often one may ask.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::value::{self, Rate, Store};
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
    /// For views that have a scope of their own, by its name: a table, in the environment a JSON object. A scope without a rate
    /// has no limit. Ten a minute for `sample`, that of `/api/rate-limited/`.
    #[serde(with = "value::rates")]
    pub scopes: BTreeMap<String, Rate>,
    /// Where requests and failed sign-ins are counted: `memory`, each server for itself; for several behind a balancer
    /// `database`, or a Redis: `redis://:password@host:6379/0`, `redis+unix:///path` (a secret, because it may hold a password).
    /// They need the same `root.secret`. Memory, which costs nothing; `database` costs a statement for each rate that is on, on
    /// every request.
    pub store: Store,
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
            scopes: BTreeMap::from([("sample".to_owned(), Rate { requests: 10, per: MINUTE })]),
            store: Store::Memory,
            login: Some(Rate { requests: 10, per: MINUTE }),
            login_account: Some(Rate { requests: 20, per: HOUR }),
            login_address: Some(Rate { requests: 20, per: MINUTE }),
            login_device: Some(Rate { requests: 20, per: HOUR }),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::settings::{Settings, Store};

    fn load(variables: &[(&str, &str)]) -> Result<super::super::Loaded, Vec<String>> {
        let named = |(key, value): &(&str, &str)| (format!("PORTCULLIS_THROTTLE__{key}"), (*value).to_owned());
        Settings::load(variables.iter().map(named), None, &[])
    }

    #[test]
    fn scopes_are_a_table_of_rates() {
        let loaded = load(&[("SCOPES", r#"{"uploads": "20/day", "sample": "off"}"#)]).unwrap();
        let rates: Vec<_> =
            loaded.settings.throttle.scopes.iter().map(|(name, rate)| format!("{name} {rate}")).collect();
        assert_eq!(rates, ["uploads 20/day"]);
        assert_eq!(
            load(&[("SCOPES", r#"{"uploads": "often"}"#)]).unwrap_err(),
            [
                r#"throttle.scopes in the environment (PORTCULLIS_THROTTLE__SCOPES): "often" is not a rate; write 100/day, 10/min or off"#
            ]
        );
    }

    #[test]
    fn the_address_of_a_redis_is_a_secret() {
        let loaded = load(&[("STORE", "redis://:open-sesame@cache/0")]).unwrap();
        assert!(matches!(&loaded.settings.throttle.store, Store::Redis(url) if url.expose().ends_with("@cache/0")));
        let shown = loaded.shown().into_iter().find(|shown| shown.key == "throttle.store").unwrap();
        assert_eq!(shown.value, "***");
        assert!(!format!("{:?}", loaded.settings).contains("sesame"));
        for refused in ["redis", "rediss://:open-sesame@cache/0"] {
            let complaints = load(&[("STORE", refused)]).unwrap_err();
            assert!(
                complaints.iter().all(|told| told.contains("there is no TLS to Redis") && !told.contains("sesame"))
            );
        }
    }
}
