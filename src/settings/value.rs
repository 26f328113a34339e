//! How single settings are written: secrets, durations, rates, addresses.
//!
//! Each reader says in its complaint what would have been right.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use actix_web::http::header::HeaderName;
use ipnet::IpNet;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use url::Url;
use zeroize::Zeroize;

/// How a secret shows itself.
pub const MASK: &str = "***";

/// Text that must not be seen: it prints as `***`, and its memory is wiped when it is dropped. It has no equality, for
/// that would tell by its time how much of a guess was right.
#[derive(Clone, Default)]
pub struct Secret(String);

impl Secret {
    /// The text itself; who calls this answers for where it goes.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(MASK)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

/// A number of requests in a span of time, as DRF writes it: `100/day`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many requests.
    pub requests: u32,
    /// In what time.
    pub per: Duration,
}

const PERIODS: [(char, &str, u64); 4] = [('s', "sec", 1), ('m', "min", 60), ('h', "hour", 3600), ('d', "day", 86400)];

impl FromStr for Rate {
    type Err = String;

    /// Of the period only the first letter counts, as in DRF.
    fn from_str(text: &str) -> Result<Self, String> {
        let parse = || {
            let (requests, period) = text.split_once('/')?;
            let letter = period.trim().chars().next()?;
            let (_, _, seconds) = PERIODS.into_iter().find(|(first, _, _)| *first == letter)?;
            let requests = requests.trim().parse().ok().filter(|requests| *requests > 0)?;
            Some(Self { requests, per: Duration::from_secs(seconds) })
        };
        parse().ok_or_else(|| format!("{text:?} is not a rate; write 100/day, 10/min or off"))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match PERIODS.into_iter().find(|(_, _, seconds)| Duration::from_secs(*seconds) == self.per) {
            Some((_, name, _)) => write!(f, "{}/{name}", self.requests),
            None => write!(f, "{}/{}", self.requests, humantime::format_duration(self.per)),
        }
    }
}

/// Where servers count requests and failed sign-ins.
#[derive(Clone, Debug, Default)]
pub enum Store {
    /// Each in its own memory.
    #[default]
    Memory,
    /// Together, in the database.
    Database,
    /// Together, in the Redis of this address.
    Redis(Secret),
}

impl Serialize for Store {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::Memory => "memory",
            Self::Database => "database",
            Self::Redis(_) => MASK,
        })
    }
}

impl<'de> Deserialize<'de> for Store {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "memory" => Ok(Self::Memory),
            "database" => Ok(Self::Database),
            url => Ok(Self::Redis(url.into())),
        }
    }
}

/// Whether strangers can register.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Registration {
    /// They can.
    #[default]
    Open,
    /// Only staff make accounts.
    Closed,
    /// Those whom staff have invited can.
    Invitation,
}

/// A kind of token that can open the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", try_from = "String")]
pub enum TokenClass {
    /// Short-lived, from a refresh token.
    Access,
    /// One token that renews itself.
    Sliding,
}

impl TryFrom<String> for TokenClass {
    type Error = String;

    /// simplejwt's own values, `AccessToken` or a dotted path that ends so, are understood too.
    fn try_from(text: String) -> Result<Self, String> {
        match text.rsplit('.').next() {
            Some("access" | "AccessToken") => Ok(Self::Access),
            Some("sliding" | "SlidingToken") => Ok(Self::Sliding),
            _ => Err(format!("{text:?} is not a class of tokens that opens the API; write access or sliding")),
        }
    }
}

/// What a token can tell about its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenClaim {
    /// The name to sign in with.
    Username,
    /// The e-mail address.
    Email,
    /// Whether they are staff.
    IsStaff,
    /// Whether they may do everything.
    IsSuperuser,
    /// Whether they are premium.
    IsPremium,
    /// The first name.
    FirstName,
    /// The last name.
    LastName,
    /// The names of their roles.
    Roles,
    /// The first role by name, else `user`.
    UserRole,
}

impl TokenClaim {
    /// The claim's name in the token.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Username => "username",
            Self::Email => "email",
            Self::IsStaff => "is_staff",
            Self::IsSuperuser => "is_superuser",
            Self::IsPremium => "is_premium",
            Self::FirstName => "first_name",
            Self::LastName => "last_name",
            Self::Roles => "roles",
            Self::UserRole => "user_role",
        }
    }
}

/// What the answer to a sign-in can tell beside the tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObtainMember {
    /// The user's id, a number.
    UserId,
    /// The name to sign in with.
    Username,
}

/// A duration as people write it, `5m` or `1d 12h`, or as a number of seconds.
pub mod duration {
    use super::*;

    /// Writes `5m` and `90d`: in the largest unit that it is whole in. humantime would make months of the ninety days.
    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        let seconds = duration.as_secs();
        let whole = |size: u64| {
            (duration.subsec_nanos() == 0 && seconds > 0 && seconds.is_multiple_of(size)).then(|| seconds / size)
        };
        match [("d", 86400), ("h", 3600), ("m", 60)].into_iter().find_map(|(unit, size)| Some((whole(size)?, unit))) {
            Some((count, unit)) => serializer.collect_str(&format_args!("{count}{unit}")),
            None => serializer.collect_str(&humantime::format_duration(*duration)),
        }
    }

    /// Reads `5m`, `300` and `"300"`.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let text = match Value::deserialize(deserializer)? {
            Value::String(text) => text,
            other => other.to_string(),
        };
        let seconds = text.trim().parse().ok().map(Duration::from_secs);
        let duration = seconds.or_else(|| humantime::parse_duration(&text).ok());
        let wrong = || format!("{text:?} is not a duration; write 5m, 24h, 7d or a number of seconds");
        duration.ok_or_else(wrong).map_err(Error::custom)
    }
}

/// A [`Rate`] or `off`.
pub mod rate {
    use super::*;

    /// Writes `10/min` or `off`.
    pub fn serialize<S: Serializer>(rate: &Option<Rate>, serializer: S) -> Result<S::Ok, S::Error> {
        match rate {
            Some(rate) => serializer.collect_str(rate),
            None => serializer.serialize_str("off"),
        }
    }

    /// Reads `10/min` or `off`.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Rate>, D::Error> {
        match String::deserialize(deserializer)?.trim() {
            "off" => Ok(None),
            text => text.parse().map(Some).map_err(Error::custom),
        }
    }
}

/// A table of rates, each as [`rate`] reads it; one that is `off` is as if it were not there.
pub mod rates {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Deserialize)]
    struct Given(#[serde(with = "rate")] Option<Rate>);

    /// Writes each as `10/min`.
    pub fn serialize<S: Serializer>(rates: &BTreeMap<String, Rate>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(rates.iter().map(|(name, rate)| (name, rate.to_string())))
    }

    /// Reads each as `10/min` or `off`.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Rate>, D::Error> {
        let given = BTreeMap::<String, Given>::deserialize(deserializer)?;
        Ok(given.into_iter().filter_map(|(name, Given(rate))| Some((name, rate?))).collect())
    }
}

/// A table of claims of any JSON type. TOML's own dates are none: a token would carry their inner form.
pub fn claims<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Map<String, Value>, D::Error> {
    fn is_json(value: &Value) -> bool {
        match value {
            Value::Object(members) => {
                members.iter().all(|(name, value)| !name.starts_with("$__toml") && is_json(value))
            }
            Value::Array(values) => values.iter().all(is_json),
            _ => true,
        }
    }
    let claims = Map::deserialize(deserializer)?;
    match claims.iter().find(|(_, value)| !is_json(value)) {
        Some((name, _)) => Err(Error::custom(format!("{name:?} is a date, which JSON lacks; write it as text"))),
        None => Ok(claims),
    }
}

fn one<'de, D: Deserializer<'de>, T>(deserializer: D, read: fn(&str) -> Result<T, String>) -> Result<T, D::Error> {
    read(String::deserialize(deserializer)?.trim()).map_err(Error::custom)
}

fn many<'de, D, T>(deserializer: D, read: fn(&str) -> Result<T, String>) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
{
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts.iter().map(|text| read(text.trim()).map_err(Error::custom)).collect()
}

/// An address and port.
pub fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    one(deserializer, |text| {
        let wrong = |_| format!("{text:?} is not an address and port; write 127.0.0.1:8000, 0.0.0.0:8000 or [::]:8000");
        text.parse().map_err(wrong)
    })
}

/// Networks, or single addresses, which are networks of one.
pub fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    many(deserializer, |text| {
        let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        network.map_err(|_| format!("{text:?} is not a network; write 10.0.0.0/8, fd00::/8 or an address"))
    })
}

/// The server's own address; a path is fine, a slash at the end is cut.
pub fn public_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let read = |text: &str| {
        let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let plain = |url: &Url| url.query().or(url.fragment()).is_none() && url.username().is_empty();
        let url = url.filter(|url| plain(url) && url.password().is_none());
        let wrong =
            || format!("{text:?} is not a web address; write https://auth.example.org or https://example.org/auth");
        url.map(|url| url.as_str().trim_end_matches('/').to_owned()).ok_or_else(wrong)
    };
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| read(text.trim()).map_err(Error::custom)).transpose()
}

/// Origins, written as browsers send them. Shells of mobile applications have schemes of their own
/// (`capacitor://localhost`).
pub fn origins<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    many(deserializer, |text| {
        let bare =
            |text: &str| text.split_once("://").is_some_and(|(_, host)| !host.contains(['/', '?', '#', '@', '*']));
        let url = Url::parse(text).ok().filter(|url| url.has_host() && bare(text));
        let wrong = || {
            format!(
                "{text:?} is not an origin; write https://app.example.org or http://localhost:3000, with no path and no *"
            )
        };
        let url = url.ok_or_else(wrong)?;
        let origin = url.origin();
        Ok(if origin.is_tuple() { origin.ascii_serialization() } else { url.as_str().to_owned() })
    })
}

fn header(text: &str) -> Result<String, String> {
    let name = match text.strip_prefix("HTTP_") {
        Some(cgi) => cgi.replace('_', "-"),
        None => text.to_owned(),
    };
    let wrong = |_| format!("{text:?} is not the name of a header; write Authorization or X-Access-Token");
    name.parse::<HeaderName>().map(|name| name.as_str().to_owned()).map_err(wrong)
}

/// The name of a header, in lower case.
pub fn header_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    one(deserializer, header)
}

/// Names of headers, in lower case.
pub fn header_names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    many(deserializer, header)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_secret_prints_as_stars() {
        let secret = Secret::from("hunter42");
        assert_eq!(format!("{secret:?} {}", json!({ "key": secret })), r#"*** {"key":"***"}"#);
        assert_eq!(secret.expose(), "hunter42");
    }

    #[test]
    fn a_rate_goes_by_the_first_letter_of_its_period() {
        let rate = |requests, seconds| Ok(Rate { requests, per: Duration::from_secs(seconds) });
        assert_eq!("100/day".parse(), rate(100, 86400));
        assert_eq!("5/minute".parse(), rate(5, 60));
        assert_eq!("7/s".parse(), rate(7, 1));
        assert_eq!("2/hippopotamus".parse(), rate(2, 3600));
        for wrong in ["", "5", "5/", "/min", "0/min", "-1/min", "5/year", "5/Day", "x/day"] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
        }
        assert_eq!("10/m".parse::<Rate>().unwrap().to_string(), "10/min");
    }

    #[test]
    fn a_duration_is_written_in_the_largest_unit_that_it_is_whole_in_and_reads_back() {
        for (seconds, written) in
            [(0, "0s"), (10, "10s"), (300, "5m"), (90, "1m 30s"), (129_600, "36h"), (7_776_000, "90d")]
        {
            let given = Duration::from_secs(seconds);
            let text = duration::serialize(&given, serde_json::value::Serializer).unwrap();
            assert_eq!(text, json!(written));
            assert_eq!(duration::deserialize(text).unwrap(), given);
        }
    }

    #[test]
    fn an_origin_becomes_what_a_browser_sends() {
        assert_eq!(origins(json!(["https://App.example.org:443"])).unwrap(), ["https://app.example.org"]);
        assert_eq!(origins(json!(["http://localhost:3000"])).unwrap(), ["http://localhost:3000"]);
        assert_eq!(origins(json!(["capacitor://localhost"])).unwrap(), ["capacitor://localhost"]);
        for wrong in
            ["*", "null", "https://*.example.org", "https://a.example/", "https://a.example/x", "a.example", "file://"]
        {
            assert!(origins(json!([wrong])).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_public_url_loses_the_slash_at_its_end() {
        assert_eq!(public_url(json!("https://x.example/auth/")).unwrap().as_deref(), Some("https://x.example/auth"));
        assert_eq!(public_url(json!("https://x.example")).unwrap().as_deref(), Some("https://x.example"));
        for wrong in
            ["", "x.example", "ftp://x.example", "https://", "https://x.example/?a=1", "https://ann:pw@x.example"]
        {
            assert!(public_url(json!(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn django_spellings_of_headers_and_token_classes_are_understood() {
        assert_eq!(header("HTTP_X_ACCESS_TOKEN").unwrap(), "x-access-token");
        assert_eq!(header("Authorization").unwrap(), "authorization");
        let dotted = "rest_framework_simplejwt.tokens.SlidingToken".to_owned();
        assert_eq!(TokenClass::try_from(dotted), Ok(TokenClass::Sliding));
        assert!(TokenClass::try_from("refresh".to_owned()).is_err());
    }

    #[test]
    fn a_claim_has_one_name_in_settings_and_token() {
        for claim in [TokenClaim::Username, TokenClaim::IsPremium, TokenClaim::UserRole] {
            assert_eq!(json!(claim), claim.name());
        }
    }
}
