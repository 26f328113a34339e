//! Signs tokens and reads them back. Nothing else in the house takes a token apart.
//!
//! The library checks signatures; everything that it is lenient about (critical headers, loose base64, dates, duplicate
//! names) is checked here, in the order of CONTRACT 6.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};

use crate::auth::claim_names::ClaimNames;
use crate::auth::keyring::KeyRing;
use crate::auth::token::{Claims, Kind, Token};
use crate::auth::verdict::Reject;
use crate::clock::Timestamp;
use crate::error::{Error, Result};

/// What a token must say beside its signature, by settings.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// `iss`, required and written if set.
    pub issuer: Option<String>,
    /// `aud`: one of these is required, and all are written, if there are any.
    pub audience: Vec<String>,
    /// How far clocks may differ.
    pub leeway: Duration,
    /// What claims are called on the wire.
    pub names: ClaimNames,
}

/// Signs and verifies with the keys of the ring. Cheap to clone.
#[derive(Clone)]
pub struct Signer {
    ring: Arc<RwLock<Arc<KeyRing>>>,
    rules: Arc<Rules>,
}

/// No token of ours comes near; a longer text is not worth the work (RFC 8725 §3.7).
const LONGEST: usize = 16 * 1024;

impl Signer {
    /// A signer with these keys and rules.
    pub fn new(ring: KeyRing, rules: Rules) -> Self {
        Self { ring: Arc::new(RwLock::new(Arc::new(ring))), rules: Arc::new(rules) }
    }

    /// The keys in use.
    pub fn ring(&self) -> Arc<KeyRing> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts another ring in place of the present one, for all clones at once.
    pub fn replace(&self, ring: KeyRing) {
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
    }

    /// The compact form of a token, signed by the active key.
    ///
    /// # Errors
    /// [`Error::Internal`] if the key cannot sign.
    pub fn sign<K: Kind>(&self, token: &Token<K>) -> Result<String> {
        let claims = self.rules.names.outward(token.claims().object());
        self.seal(&serde_json::to_vec(claims.as_ref()).map_err(Error::internal)?)
    }

    /// The compact form of any payload, signed by the active key (RFC 7515 §3.1).
    ///
    /// # Errors
    /// [`Error::Internal`] if the key cannot sign.
    pub fn seal(&self, payload: &[u8]) -> Result<String> {
        let ring = self.ring();
        let key = ring.active();
        let mut text = String::with_capacity(key.header().len() + payload.len() * 4 / 3 + 48);
        text.push_str(key.header());
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(payload, &mut text);
        let signature = key.sign(text.as_bytes()).map_err(Error::internal)?;
        text.push('.');
        text.push_str(&signature);
        Ok(text)
    }

    /// Rows 1 to 5 of CONTRACT 6: shape, key, signature, dates, issuer and audience. What the token is for is the caller's
    /// next question.
    ///
    /// # Errors
    /// The first check that failed.
    pub fn verify(&self, text: &str, now: Timestamp) -> Result<Claims, Reject> {
        self.read(&self.open(text)?, now)
    }

    /// Row 1: the payload of a text that one of our keys has signed, its claims under their usual names.
    ///
    /// # Errors
    /// The first check that failed.
    pub fn open(&self, text: &str) -> Result<Vec<u8>, Reject> {
        let ring = self.ring();
        let (message, signature) = text.rsplit_once('.').ok_or(Reject::Malformed)?;
        let (header, payload) = message.split_once('.').ok_or(Reject::Malformed)?;
        if text.len() > LONGEST || payload.contains('.') {
            return Err(Reject::Malformed);
        }
        let active = ring.active();
        let header = if header == active.header() {
            None // our own header, byte for byte: there is nothing in it to read
        } else {
            Some(object(&decode(header)?).ok_or(Reject::Malformed)?)
        };
        let (kid, algorithm) = match &header {
            None => (active.kid(), active.algorithm()),
            Some(header) => asked_for(header, &ring)?,
        };
        let signature = decode(signature)?;
        // Several keys may be without a name: a secret of the settings, and secrets that were brought in.
        let mut keys = ring.named(kid).filter(|key| key.algorithm() == algorithm);
        let key = keys.find(|key| key.verifies(message.as_bytes(), &signature)).ok_or(Reject::Signature)?;
        key.note_use();
        let payload = decode(payload)?;
        match key.issued_before() {
            Some(at) if !object(&payload).map(Claims::new).is_some_and(|claims| claims.was_issued_before(at)) => {
                Err(Reject::RetiredKey)
            }
            _ => Ok(self.rules.names.inward(payload)),
        }
    }

    /// Rows 2 to 5: the claims of a payload that was signed.
    ///
    /// # Errors
    /// The first check that failed.
    pub fn read(&self, payload: &[u8], now: Timestamp) -> Result<Claims, Reject> {
        let claims = Claims::new(object(payload).ok_or(Reject::Payload)?);
        self.check(&claims, now)?;
        Ok(claims)
    }

    /// Whether `iss` or `aud` is asked for.
    pub fn is_particular(&self) -> bool {
        self.rules.issuer.is_some() || !self.rules.audience.is_empty()
    }

    fn check(&self, claims: &Claims, now: Timestamp) -> Result<(), Reject> {
        let number = |name| claims.get(name).map(|_| claims.moment(name).ok_or(Reject::Payload)).transpose();
        for name in ["iat", "nbf"] {
            if number(name)?.is_some_and(|at| at > now + self.rules.leeway) {
                return Err(Reject::NotYetValid);
            }
        }
        if number("exp")?.is_some_and(|exp| Timestamp::from_seconds(exp.seconds()) <= now - self.rules.leeway) {
            return Err(Reject::Expired);
        }
        if let Some(issuer) = &self.rules.issuer
            && claims.text("iss") != Some(issuer)
        {
            return Err(Reject::Issuer);
        }
        if !self.rules.audience.is_empty() && !self.is_for_us(claims.get("aud")) {
            return Err(Reject::Audience);
        }
        for name in ["sub", "jti"] {
            if claims.get(name).is_some_and(|value| !value.is_string()) {
                return Err(Reject::Payload);
            }
        }
        Ok(())
    }

    /// `aud` may be one text or a list of texts that holds one of ours (RFC 7519 §4.1.3).
    fn is_for_us(&self, aud: Option<&Value>) -> bool {
        let ours = |value: &Value| value.as_str().is_some_and(|text| self.rules.audience.iter().any(|one| one == text));
        match aud {
            Some(Value::Array(all)) => all.iter().all(Value::is_string) && all.iter().any(ours),
            Some(one) => ours(one),
            None => false,
        }
    }

    /// Whether the moment `end` has passed, leeway counted.
    pub fn has_passed(&self, end: Timestamp, now: Timestamp) -> bool {
        end <= now - self.rules.leeway
    }

    /// The `iss` and `aud` claims that every token carries, as configured.
    pub fn standing_claims(&self) -> Map<String, Value> {
        let mut claims = Map::new();
        match self.rules.audience.as_slice() {
            [] => {}
            [one] => {
                claims.insert("aud".into(), one.as_str().into());
            }
            many => {
                claims.insert("aud".into(), many.into());
            }
        }
        if let Some(issuer) = &self.rules.issuer {
            claims.insert("iss".into(), issuer.as_str().into());
        }
        claims
    }
}

/// The key's name and algorithm that a header asks for, if there is such a key.
fn asked_for<'a>(header: &'a Map<String, Value>, ring: &KeyRing) -> Result<(Option<&'a str>, Algorithm), Reject> {
    let kid = match header.get("kid") {
        None => None,
        Some(Value::String(kid)) => Some(kid.as_str()),
        Some(_) => return Err(Reject::Malformed),
    };
    if header.contains_key("crit") || header.get("b64").is_some_and(|b64| *b64 != Value::Bool(true)) {
        return Err(Reject::Critical);
    }
    if ring.named(kid).next().is_none() {
        return Err(Reject::UnknownKey);
    }
    let algorithm = header.get("alg").and_then(Value::as_str).and_then(|name| name.parse().ok());
    let known = algorithm.filter(|algorithm| ring.named(kid).any(|key| key.algorithm() == *algorithm));
    Ok((kid, known.ok_or(Reject::Algorithm)?))
}

fn decode(part: &str) -> Result<Vec<u8>, Reject> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Reject::Malformed)
}

/// One JSON object and nothing beside it; of equal names the last counts.
fn object(bytes: &[u8]) -> Option<Map<String, Value>> {
    serde_json::from_slice(bytes).ok()
}
