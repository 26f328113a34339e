//! The providers of social sign-in: `[social.google]`, `[social.github]`, and `[social.NAME]` for any that speaks OpenID
//! Connect. A section is there when somebody writes it; one that is not there is a provider that does not exist.

use std::collections::BTreeMap;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use url::{Host, Url};

use super::Secret;

/// The providers by their names, which stand in paths: `/api/auth/NAME/`.
pub type Social = BTreeMap<String, Provider>;

/// One provider.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Provider {
    /// The ids under which it knows the application: one text, or a list where web page and mobile applications have ids of
    /// their own. None by default: it must be set.
    #[serde(deserialize_with = "texts")]
    pub client_id: Vec<String>,
    /// What the application shows it to be believed. None by default: GitHub needs it, an OpenID provider for its access
    /// tokens alone, Google never.
    pub client_secret: Option<Secret>,
    /// Who signs its ID tokens, to the letter: its discovery document is asked for below. None by default: for `google` that
    /// is Google, for other names it must be set.
    #[serde(deserialize_with = "address")]
    pub issuer: Option<String>,
    /// Where its own API answers: for `github` (GitHub Enterprise has its own) and `google` (`/tokeninfo` there checks access
    /// tokens). None by default: theirs.
    #[serde(deserialize_with = "address")]
    pub api_url: Option<String>,
}

/// How a provider is spoken to, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// OpenID Connect, and a way of its own to check access tokens.
    Google,
    /// OAuth 2 and an API of its own.
    GitHub,
    /// OpenID Connect.
    OpenId,
}

impl Protocol {
    /// That of the provider `name`.
    pub fn of(name: &str) -> Self {
        match name {
            "google" => Self::Google,
            "github" => Self::GitHub,
            _ => Self::OpenId,
        }
    }
}

/// The longest name of a provider.
const LONGEST_NAME: usize = 32;

/// Whether a provider can have this name: it stands in paths and in variables of the environment.
fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    name.len() <= LONGEST_NAME && name.starts_with(|c: char| c.is_ascii_lowercase()) && name.bytes().all(fits)
}

/// The provider that a key such as `social.google.client_id` is about.
pub(super) fn name_in(key: &str) -> Option<&str> {
    let name = key.strip_prefix("social.")?.split('.').next()?;
    Some(name).filter(|name| is_name(name))
}

/// What is said of a name that none can have.
pub(super) const BAD_NAME: &str =
    "a provider's name is lower-case letters, digits, - and _, as in [social.gitlab]; its settings follow below it";

/// Keys, and what is wrong with their values together.
pub(super) fn complaints(social: &Social) -> Vec<(String, String)> {
    let mut complaints = Vec::new();
    for (name, provider) in social {
        let mut rule = |holds: bool, key: &str, complaint: &str| {
            if !holds {
                complaints.push((format!("social.{name}.{key}"), complaint.to_owned()));
            }
        };
        let protocol = Protocol::of(name);
        let is_text = |text: &String| !text.trim().is_empty() && text.len() <= 255;
        let named = !provider.client_id.is_empty() && provider.client_id.iter().all(is_text);
        rule(named, "client_id", "is missing: the provider gives one to each application that is registered with it");
        let secret = provider.client_secret.as_ref().is_none_or(|secret| !secret.expose().trim().is_empty());
        rule(secret, "client_secret", "is empty");
        match protocol {
            Protocol::Google => {}
            Protocol::GitHub => {
                rule(provider.client_id.len() <= 1, "client_id", "must be one: GitHub is asked for each application");
                let secret = provider.client_secret.is_some();
                rule(secret, "client_secret", "is missing: GitHub tells whose a token is only to those who show it");
                rule(
                    provider.issuer.is_none(),
                    "issuer",
                    "GitHub has none; api_url is where GitHub Enterprise answers",
                );
            }
            Protocol::OpenId => {
                let issuer = "is missing: write the address that stands as `issuer` in the provider's discovery document; \
                              only google and github are known by their names";
                rule(provider.issuer.is_some(), "issuer", issuer);
                let api = "only google and github have one; of others the discovery document tells all addresses";
                rule(provider.api_url.is_none(), "api_url", api);
            }
        }
    }
    complaints
}

/// Whether what is sent to this address stays among those whom it concerns: over TLS, or within this machine.
pub fn is_guarded(url: &Url) -> bool {
    let is_here = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    url.has_host() && (url.scheme() == "https" || (url.scheme() == "http" && is_here))
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let read = |text: &str| {
        let plain = |url: &Url| {
            url.query().or(url.fragment()).is_none() && url.username().is_empty() && url.password().is_none()
        };
        let url = Url::parse(text).ok().filter(|url| is_guarded(url) && plain(url));
        let wrong = || {
            format!(
                "{text:?} is not a provider's address; write https://accounts.example.org (http:// is for this machine alone)"
            )
        };
        // As it was written: an issuer is compared to the letter.
        url.map(|_| text.to_owned()).ok_or_else(wrong)
    };
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| read(text.trim()).map_err(Error::custom)).transpose()
}

fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::String(text) => Ok(vec![text]),
        other => Vec::deserialize(other).map_err(Error::custom),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use crate::settings::{Loaded, Settings};

    fn from_toml(content: &str) -> Result<Loaded, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("portcullis.toml");
        std::fs::write(&path, content).unwrap();
        let place = format!("{}", folder.path().join("").display());
        Settings::load([], Some(&path), &[]).map_err(|complaints| complaints.join("\n").replace(&place, ""))
    }

    fn from_env(variables: &[(&str, &str)]) -> Result<Loaded, Vec<String>> {
        Settings::load(variables.iter().map(|(name, value)| (name.to_string(), value.to_string())), None, &[])
    }

    #[test]
    fn a_provider_is_there_when_somebody_writes_it() {
        let none = Settings::load([], None, &[]).unwrap();
        assert!(none.settings.social.is_empty());
        assert!(none.shown().iter().all(|shown| !shown.key.starts_with("social")));

        let loaded = from_toml(
            "[social.google]\nclient_id = 'web'\n[social.keycloak]\nclient_id = ['web', 'ios']\n\
             issuer = 'https://id.example.org/realms/x'\nclient_secret = 'hunter42'\n",
        )
        .unwrap();
        assert_eq!(loaded.settings.social["google"].client_id, ["web"]);
        assert_eq!(loaded.settings.social["keycloak"].client_id, ["web", "ios"]);
        let shown: Vec<_> = loaded.shown().into_iter().filter(|shown| shown.key.starts_with("social")).collect();
        let of = |key: &str| shown.iter().find(|shown| shown.key == key).map(|shown| shown.value.as_str()).unwrap();
        assert_eq!(of("social.google.client_id"), "web");
        assert_eq!(of("social.google.issuer"), "not set");
        assert_eq!(of("social.keycloak.client_id"), "web, ios");
        assert_eq!(of("social.keycloak.client_secret"), "***");
        assert!(!format!("{loaded:?}").contains("hunter42"));
    }

    #[test]
    fn a_provider_can_stand_in_the_environment_and_its_secret_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("secret");
        std::fs::write(&secret, "hunter42\n").unwrap();
        let variables = [
            ("PORTCULLIS_SOCIAL__GITHUB__CLIENT_SECRET_FILE", secret.to_str().unwrap()),
            ("PORTCULLIS_SOCIAL__GITHUB__CLIENT_ID", "Iv1"),
            ("PORTCULLIS_SOCIAL__GOOGLE__CLIENT_ID", "web, ios"),
        ];
        let social = from_env(&variables).unwrap().settings.social;
        assert_eq!(social["github"].client_secret.as_ref().unwrap().expose(), "hunter42");
        assert_eq!(social["google"].client_id, ["web", "ios"]);
    }

    #[test]
    fn half_a_provider_stops_the_start_with_a_sentence() {
        for (content, told) in [
            ("[social.google]", "social.google.client_id: is missing"),
            ("[social.google]\nclient_id = []", "social.google.client_id in portcullis.toml: is missing"),
            ("[social.google]\nclient_id = ' '", "social.google.client_id in portcullis.toml: is missing"),
            ("[social.google]\nclient_id = 5", "social.google.client_id in portcullis.toml: 5 is not a list of texts"),
            ("[social.github]\nclient_id = 'x'", "social.github.client_secret: is missing"),
            (
                "[social.github]\nclient_id = ['x', 'y']\nclient_secret = 's'",
                "social.github.client_id in portcullis.toml: must be one",
            ),
            (
                "[social.github]\nclient_id = 'x'\nclient_secret = 's'\nissuer = 'https://github.com'",
                "social.github.issuer in portcullis.toml: GitHub has none",
            ),
            ("[social.acme]\nclient_id = 'x'", "social.acme.issuer: is missing"),
            (
                "[social.acme]\nclient_id = 'x'\nissuer = 'https://a.example'\napi_url = 'https://a.example'",
                "social.acme.api_url in portcullis.toml: only google and github",
            ),
            (
                "[social.google]\nclient_id = 'x'\nclient_secret = ''",
                "social.google.client_secret in portcullis.toml: is empty",
            ),
            (
                "[social.google]\nclient_id = 'x'\nclientsecret = 'hunter42'",
                "unknown setting social.google.clientsecret in portcullis.toml: did you mean social.google.client_secret?",
            ),
            ("[social]\ngoogle = 'hunter42'", "unknown setting social.google in portcullis.toml"),
            ("social = 'hunter42'", "unknown setting social in portcullis.toml"),
            ("[social.Google]\nclient_id = 'x'", "social.Google.client_id in portcullis.toml: a provider's name is"),
            ("[social.'a.b']\nclient_id = 'x'", "unknown setting social.a.b.client_id in portcullis.toml"),
            ("[social.'a/b']\nclient_id = 'x'", "social.a/b.client_id in portcullis.toml: a provider's name is"),
        ] {
            let complaint = from_toml(content).unwrap_err();
            assert!(complaint.contains(told), "{content}: {complaint}");
            assert!(!complaint.contains("hunter42"), "{complaint}");
        }
        let told = from_env(&[("PORTCULLIS_SOCIAL__GOOGLE__CLIENTID", "x")]).unwrap_err().join("\n");
        assert!(told.contains("did you mean PORTCULLIS_SOCIAL__GOOGLE__CLIENT_ID?"), "{told}");
    }

    #[test]
    fn a_provider_is_spoken_to_over_tls_or_within_this_machine() {
        let told = |issuer: &str| from_toml(&format!("[social.acme]\nclient_id = 'x'\nissuer = '{issuer}'"));
        for good in [
            "https://a.example",
            "https://a.example/",
            "https://a.example/realms/x",
            "http://127.0.0.1:1",
            "http://[::1]:1",
        ] {
            assert_eq!(told(good).unwrap().settings.social["acme"].issuer.as_deref(), Some(good));
        }
        for bad in [
            "http://a.example",
            "http://localhost.evil.example",
            "http://127.0.0.1.evil.example",
            "a.example",
            "https://",
            "file:///etc",
            "https://ann:pw@a.example",
            "https://a.example?x",
            "https://a.example#x",
        ] {
            assert!(told(bad).unwrap_err().contains("is not a provider's address"), "{bad}");
        }
    }
}
