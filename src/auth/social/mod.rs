//! Social sign-in: what other servers say about who somebody is, and whether they are to be believed.
//!
//! A client signs in at a provider by itself and brings the token that it got there. All that is asked of the provider is
//! asked here, before any transaction, over TLS, within a few seconds; what comes out is a [`Proven`], and there is no other
//! way to one.

mod account;
mod github;
mod http;
mod id_token;
mod jwks;
mod openid;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use tokio::sync::Semaphore;

pub use account::{expected, settle};

use crate::auth::account_rules::lower_domain;
use crate::auth::social::github::GitHub;
use crate::auth::social::http::Http;
use crate::auth::social::openid::OpenId;
use crate::clock::Clock;
use crate::settings;
use crate::settings::social::Protocol;

/// The most that a client waits for all that is asked of a provider.
const EXCHANGE: Duration = Duration::from_millis(4500);
/// The most exchanges at once: clients wait in them, and a slow provider must not fill the memory with clients.
const AT_ONCE: usize = 64;
/// No provider's token comes near; a longer text is not worth the work.
const LONGEST_TOKEN: usize = 16 * 1024;
/// The longest address there can be (RFC 5321 §4.5.3.1.3, less its brackets).
const LONGEST_EMAIL: usize = 254;
/// The longest subject there can be (OpenID Connect Core §2).
const LONGEST_SUBJECT: usize = 255;

/// The providers that are configured.
pub struct Social {
    providers: BTreeMap<String, Provider>,
    clock: Clock,
    places: Semaphore,
}

struct Provider {
    title: String,
    dialect: Dialect,
}

enum Dialect {
    OpenId(OpenId),
    GitHub(GitHub),
}

/// What a client brings from a provider.
pub struct Brought {
    /// An ID token or an access token.
    pub token: String,
    /// The nonce that it gave the provider when it asked for the ID token.
    pub nonce: Option<String>,
}

/// Somebody at a provider: shown by a token that was made for this application, and with an address that the provider has
/// verified.
#[derive(Clone, Debug)]
pub struct Proven {
    provider: String,
    issuer: String,
    subject: String,
    email: String,
}

/// Why nobody was shown to be there.
#[derive(Debug)]
pub enum Refusal {
    /// The token is not good: the check that it failed.
    Token(&'static str),
    /// The provider cannot be asked, or answers nonsense: why.
    Provider(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(why) => f.write_str(why),
            Self::Provider(why) => f.write_str(why),
        }
    }
}

type Result<T> = std::result::Result<T, Refusal>;

/// What a provider says of somebody, before it is looked at.
struct Said<'a> {
    issuer: &'a str,
    subject: Option<&'a str>,
    email: Option<&'a str>,
    is_verified: bool,
}

impl Social {
    /// The providers of these settings. Nothing is asked of them yet, and without any there is not even a client to ask with.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub fn new(settings: &settings::Social, clock: &Clock) -> anyhow::Result<Self> {
        let mut providers = BTreeMap::new();
        if !settings.is_empty() {
            let http = Http::new(EXCHANGE)?;
            for (name, given) in settings {
                let dialect = match Protocol::of(name) {
                    Protocol::GitHub => Dialect::GitHub(GitHub::new(given, http.clone())),
                    protocol => Dialect::OpenId(OpenId::new(given, protocol, http.clone(), clock.clone())),
                };
                providers.insert(name.clone(), Provider { title: title(name), dialect });
            }
        }
        Ok(Self { providers, clock: clock.clone(), places: Semaphore::new(AT_ONCE) })
    }

    /// What people call the provider `name`, if it is configured.
    pub fn title(&self, name: &str) -> Option<&str> {
        self.providers.get(name).map(|provider| provider.title.as_str())
    }

    /// Who at the provider `name` has brought this, within five seconds.
    ///
    /// # Errors
    /// Why nobody was shown to be there.
    pub async fn prove(&self, name: &str, brought: Brought) -> Result<Proven> {
        let provider = self.providers.get(name).ok_or_else(|| Refusal::Provider("it is not configured".into()))?;
        // What is no token at all could not even stand in a header.
        if brought.token.len() > LONGEST_TOKEN || !brought.token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Refusal::Token("malformed"));
        }
        let _place = self.places.try_acquire().map_err(|_| Refusal::Provider("too many wait for it".into()))?;
        let now = self.clock.now();
        let asked = async {
            match &provider.dialect {
                Dialect::OpenId(openid) => openid.prove(name, &brought, now).await,
                Dialect::GitHub(github) => github.prove(name, &brought).await,
            }
        };
        tokio::time::timeout(EXCHANGE, asked).await.map_err(|_| Refusal::Provider("it is too slow".into()))?
    }
}

impl Proven {
    fn new(provider: &str, said: &Said<'_>) -> Result<Self> {
        let subject = said.subject.filter(|subject| (1..=LONGEST_SUBJECT).contains(&subject.len()));
        let subject = subject.ok_or(Refusal::Token("no subject"))?;
        if !said.is_verified {
            return Err(Refusal::Token("the address is not verified"));
        }
        let email = said.email.map(str::trim).filter(|email| is_address(email)).ok_or(Refusal::Token("no address"))?;
        Ok(Self {
            provider: provider.to_owned(),
            issuer: said.issuer.to_owned(),
            subject: subject.to_owned(),
            email: lower_domain(email),
        })
    }
}

/// A provider knows its own addresses; only what cannot be one is refused.
fn is_address(text: &str) -> bool {
    let halves = text.rsplit_once('@').is_some_and(|(name, domain)| !name.is_empty() && !domain.is_empty());
    halves && text.chars().count() <= LONGEST_EMAIL && !text.chars().any(|c| c.is_whitespace() || c.is_control())
}

/// What people call a provider.
fn title(name: &str) -> String {
    match Protocol::of(name) {
        Protocol::Google => "Google".to_owned(),
        Protocol::GitHub => "GitHub".to_owned(),
        Protocol::OpenId => {
            let mut letters = name.chars();
            letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_an_address_is_none() {
        for good in ["ann@example.org", "o'neill+x@example.org", "ä@bücher.example", "\"a@b\"@example.org"] {
            assert!(is_address(good), "{good}");
        }
        let long = format!("{}@example.org", "x".repeat(243));
        for bad in ["", "@", "ann", "ann@", "@example.org", "ann@example.org\r\nBcc: eve", "a b@example.org", &long] {
            assert!(!is_address(bad), "{bad}");
        }
    }

    #[test]
    fn a_provider_is_called_by_its_name() {
        assert_eq!(["google", "github", "keycloak"].map(title), ["Google", "GitHub", "Keycloak"]);
    }
}
