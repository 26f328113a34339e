//! ID tokens (OpenID Connect Core §3.1.3.7): a provider's signed word about who somebody is, made for one application.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};

use crate::auth::social::jwks::PublicKey;
use crate::auth::social::{Refusal, Result};
use crate::clock::Timestamp;

/// The algorithms of signatures that anybody can check and one alone can make; of HMAC and `none` that cannot be said.
const ASYMMETRIC: [(&str, Algorithm); 9] = [
    ("RS256", Algorithm::RS256),
    ("RS384", Algorithm::RS384),
    ("RS512", Algorithm::RS512),
    ("PS256", Algorithm::PS256),
    ("PS384", Algorithm::PS384),
    ("PS512", Algorithm::PS512),
    ("ES256", Algorithm::ES256),
    ("ES384", Algorithm::ES384),
    ("EdDSA", Algorithm::EdDSA),
];
/// How far a provider's clock may be ahead of ours.
const AHEAD: Duration = Duration::from_secs(60);
/// How old a token may be, whatever its own end: nobody signs in with yesterday's.
const OLDEST: Duration = Duration::from_secs(24 * 60 * 60);

/// A text that has the form of a signed token; nothing is checked yet.
pub struct Unverified<'a> {
    message: &'a str,
    signature: &'a str,
    header: Map<String, Value>,
}

/// What an ID token must say.
pub struct Expected<'a> {
    /// Who may have issued it: one provider, by the names that it goes by.
    pub issuers: &'a [String],
    /// Our ids there.
    pub client_ids: &'a [String],
    /// What the client had asked to be put into it.
    pub nonce: Option<&'a str>,
}

impl<'a> Unverified<'a> {
    /// The text as a token in three parts with a header (RFC 7515 §3.1), if it is one; else it may be an access token.
    pub fn read(text: &'a str) -> Option<Self> {
        let (message, signature) = text.rsplit_once('.')?;
        let (header, payload) = message.split_once('.')?;
        let header = object(header).filter(|header| header.contains_key("alg") && !payload.contains('.'))?;
        Some(Self { message, signature, header })
    }

    /// Whether its header says that it is a token of another kind (RFC 8725 §3.11): an access token of RFC 9068, say.
    pub fn is_of_another_kind(&self) -> bool {
        match self.header.get("typ") {
            None => false,
            Some(Value::String(typ)) => !typ.eq_ignore_ascii_case("JWT"),
            Some(_) => true,
        }
    }

    /// The name of its key, and its algorithm.
    ///
    /// # Errors
    /// If the header asks for what we do not do.
    pub fn key(&self) -> Result<(Option<&str>, Algorithm)> {
        if self.header.contains_key("crit") || self.header.contains_key("b64") {
            return Err(Refusal::Token("critical header"));
        }
        let named = self.header.get("alg").and_then(Value::as_str);
        let algorithm = ASYMMETRIC.into_iter().find(|(name, _)| Some(*name) == named);
        let (_, algorithm) = algorithm.ok_or(Refusal::Token("algorithm"))?;
        match self.header.get("kid") {
            None => Ok((None, algorithm)),
            Some(Value::String(kid)) => Ok((Some(kid), algorithm)),
            Some(_) => Err(Refusal::Token("malformed")),
        }
    }

    /// Its claims, if `key` has signed them and they are what is expected of them.
    ///
    /// # Errors
    /// The first check that failed.
    pub fn verify(
        &self,
        key: &PublicKey,
        algorithm: Algorithm,
        expected: &Expected<'_>,
        now: Timestamp,
    ) -> Result<Map<String, Value>> {
        let is_strict = URL_SAFE_NO_PAD.decode(self.signature).is_ok();
        let verified = jsonwebtoken::crypto::verify(self.signature, self.message.as_bytes(), &key.key, algorithm);
        if !is_strict || !verified.unwrap_or(false) {
            return Err(Refusal::Token("signature"));
        }
        let (_, payload) = self.message.split_once('.').ok_or(Refusal::Token("malformed"))?;
        let claims = object(payload).ok_or(Refusal::Token("malformed"))?;
        expected.check(&claims, now)?;
        Ok(claims)
    }
}

impl Expected<'_> {
    fn check(&self, claims: &Map<String, Value>, now: Timestamp) -> Result<()> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        if !text("iss").is_some_and(|iss| self.issuers.iter().any(|known| known == iss)) {
            return Err(Refusal::Token("issuer"));
        }
        if !self.is_for_us(claims) {
            return Err(Refusal::Token("audience"));
        }
        let moment =
            |name: &str| claims.get(name).map(|value| seconds(value).ok_or(Refusal::Token("malformed"))).transpose();
        let (exp, iat) =
            (moment("exp")?.ok_or(Refusal::Token("no exp"))?, moment("iat")?.ok_or(Refusal::Token("no iat"))?);
        if exp <= now {
            return Err(Refusal::Token("expired"));
        }
        if iat > now + AHEAD || moment("nbf")?.is_some_and(|nbf| nbf > now + AHEAD) {
            return Err(Refusal::Token("not yet valid"));
        }
        if iat < now - OLDEST || iat > exp {
            return Err(Refusal::Token("too old"));
        }
        if self.nonce.is_some_and(|nonce| text("nonce") != Some(nonce)) {
            return Err(Refusal::Token("nonce"));
        }
        Ok(())
    }

    /// `aud` holds one of our ids, `azp` is one if it is there, and it is there if there are other audiences.
    fn is_for_us(&self, claims: &Map<String, Value>) -> bool {
        let ours = |value: &Value| value.as_str().is_some_and(|text| self.client_ids.iter().any(|id| id == text));
        let azp = claims.get("azp");
        let is_meant = match claims.get("aud") {
            Some(Value::Array(all)) => all.iter().any(ours) && (all.len() == 1 || azp.is_some()),
            Some(one) => ours(one),
            None => false,
        };
        is_meant && azp.is_none_or(ours)
    }
}

/// A moment in seconds, the fraction cut off (RFC 7519 §2).
fn seconds(value: &Value) -> Option<Timestamp> {
    let whole =
        value.as_i64().or_else(|| value.as_f64().and_then(|number| format!("{:.0}", number.trunc()).parse().ok()));
    whole.map(Timestamp::from_seconds)
}

fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}
