//! A provider's keys (RFC 7517), kept from one sign-in to the next, and asked for anew when they are old or lack one.
//!
//! A token that names a key we do not have may be from after a rotation, or a stranger's invention: so the keys are asked
//! for again, but only so often. While the provider is down, the keys that we have go on serving for a day.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;
use url::Url;

use crate::auth::keyring::check_rsa;
use crate::auth::social::http::{Http, send};
use crate::auth::social::{Refusal, Result};
use crate::clock::Clock;
use crate::settings::social::is_guarded;

/// How old keys may be before they are asked for again: so long a key that the provider withdrew is still believed.
const FRESH: Duration = Duration::from_secs(60 * 60);
/// How old they may be at most while the provider does not answer.
const OLDEST: Duration = Duration::from_secs(24 * 60 * 60);
/// How often they are asked for at most, whatever tokens name.
const AGAIN: Duration = Duration::from_secs(30);
/// How long nobody asks after a failure, while there are no keys at all: those who waited for it are told the same.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// The most that two documents may take, less than an exchange: then old keys can still serve.
const READING: Duration = Duration::from_secs(3);
/// The most keys that are looked at.
const MOST_KEYS: usize = 64;

/// A public key, and the algorithms that it may be used with.
pub struct PublicKey {
    kid: Option<String>,
    algorithms: Vec<Algorithm>,
    /// What verifies.
    pub key: DecodingKey,
}

/// What a provider says of itself: where it answers, and its keys.
pub struct Directory {
    keys: Vec<PublicKey>,
    /// Where it tells about the holder of an access token.
    pub userinfo: Option<String>,
    /// Where it tells what an access token is worth (RFC 7662).
    pub introspection: Option<String>,
    read_at: Duration,
}

impl Directory {
    /// The key that a token of this header is signed with. Without a name it is the only one that suits, for "try them all"
    /// is never an answer.
    pub fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<&PublicKey> {
        let mut suiting = self.keys.iter().filter(|key| key.algorithms.contains(&algorithm));
        match kid {
            Some(kid) => suiting.find(|key| key.kid.as_deref() == Some(kid)),
            None => suiting.next().filter(|_| suiting.next().is_none()),
        }
    }
}

/// The directory of one provider, kept.
pub struct Keeper {
    issuer: String,
    http: Http,
    clock: Clock,
    known: Mutex<Known>,
    /// Held by whoever asks: one asks for all.
    turn: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Default)]
struct Known {
    directory: Option<Arc<Directory>>,
    asked_at: Option<Duration>,
}

impl Keeper {
    /// Nothing is known yet.
    pub fn new(issuer: String, http: Http, clock: Clock) -> Self {
        Self { issuer, http, clock, known: Mutex::default(), turn: Arc::default() }
    }

    /// The directory, asked for anew if it is old, or not what `suffices` wants; the one that is there if it was asked for a
    /// moment ago, or the provider does not answer.
    ///
    /// # Errors
    /// [`Refusal::Provider`] if there is none.
    pub async fn directory(self: &Arc<Self>, suffices: impl Fn(&Directory) -> bool) -> Result<Arc<Directory>> {
        if let Some(settled) = self.settled(&suffices) {
            return settled;
        }
        let turn = self.turn.clone().lock_owned().await;
        // Whoever had the turn before has asked for us too.
        if let Some(settled) = self.settled(&suffices) {
            return settled;
        }
        // A task of its own: a client that goes away meanwhile takes nothing from those who wait.
        let this = self.clone();
        let asked = tokio::spawn(async move {
            let answer = this.ask().await;
            drop(turn);
            answer
        });
        asked.await.unwrap_or_else(|_| Err(Refusal::Provider("its keys could not be read".into())))
    }

    /// What there is to say without asking, if anything.
    fn settled(&self, suffices: &impl Fn(&Directory) -> bool) -> Option<Result<Arc<Directory>>> {
        let now = self.clock.monotonic();
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let asked_within = |span| known.asked_at.is_some_and(|at| now < at + span);
        let silent = || Refusal::Provider("it did not answer a moment ago".into());
        match &known.directory {
            None => asked_within(AFTER_FAILURE).then(|| Err(silent())),
            Some(directory) if now < directory.read_at + FRESH && suffices(directory) => Some(Ok(directory.clone())),
            Some(directory) if asked_within(AGAIN) => {
                Some(if now < directory.read_at + OLDEST { Ok(directory.clone()) } else { Err(silent()) })
            }
            Some(_) => None,
        }
    }

    async fn ask(&self) -> Result<Arc<Directory>> {
        let began = self.clock.monotonic();
        let slow = |_| Err(Refusal::Provider("it is too slow".into()));
        let read = tokio::time::timeout(READING, self.read(began)).await.unwrap_or_else(slow);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // By the end of the asking: until then, who needs an answer waits for the turn.
        known.asked_at = Some(self.clock.monotonic());
        match read {
            Ok(directory) => {
                let directory = Arc::new(directory);
                known.directory = Some(directory.clone());
                Ok(directory)
            }
            Err(refusal) => match known.directory.clone().filter(|old| began < old.read_at + OLDEST) {
                Some(old) => {
                    log::warn!(target: "social", "{}: its keys cannot be read, the old ones serve: {refusal}", self.issuer);
                    Ok(old)
                }
                None => Err(refusal),
            },
        }
    }

    /// Reads the discovery document (OpenID Connect Discovery §4) and the keys that it names.
    async fn read(&self, now: Duration) -> Result<Directory> {
        let at = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let document = self.document(&at).await?;
        if document.get("issuer").and_then(Value::as_str) != Some(&self.issuer) {
            return Err(Refusal::Provider(format!("the document at {at} is another issuer's")));
        }
        let endpoint = |name: &str| document.get(name).and_then(Value::as_str).filter(|url| self.may_be_asked(url));
        let at =
            endpoint("jwks_uri").ok_or_else(|| Refusal::Provider(format!("the document at {at} names no jwks_uri")))?;
        let jwks = self.document(at).await?;
        let keys = jwks.get("keys").and_then(Value::as_array).into_iter().flatten();
        let keys: Vec<_> = keys.take(MOST_KEYS).filter_map(PublicKey::read).collect();
        if keys.is_empty() {
            return Err(Refusal::Provider(format!("there is no key at {at} that could sign an ID token")));
        }
        let [userinfo, introspection] = ["userinfo_endpoint", "introspection_endpoint"].map(endpoint);
        Ok(Directory {
            keys,
            userinfo: userinfo.map(Into::into),
            introspection: introspection.map(Into::into),
            read_at: now,
        })
    }

    async fn document(&self, url: &str) -> Result<Value> {
        let reply = send(self.http.get(url).header("accept", "application/json")).await?;
        match reply.status {
            200 => Ok(reply.json),
            status => Err(Refusal::Provider(format!("{url} answers {status}"))),
        }
    }

    /// Whether an address that a document names may be asked: over TLS; only a provider of this machine may do without.
    fn may_be_asked(&self, url: &str) -> bool {
        let url = Url::parse(url).ok().filter(is_guarded);
        url.is_some_and(|url| url.scheme() == "https" || self.issuer.starts_with("http://"))
    }
}

impl PublicKey {
    /// A key that may verify signatures, of a kind that we know and that cannot be broken; all others are passed over.
    fn read(jwk: &Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(jwk.clone()).ok()?;
        let signs = jwk.common.public_key_use.as_ref().is_none_or(|purpose| *purpose == PublicKeyUse::Signature);
        let operations = jwk.common.key_operations.as_deref();
        if !signs || operations.is_some_and(|operations| !operations.contains(&KeyOperations::Verify)) {
            return None;
        }
        // By the kind of the key, never by a token's header: no secret can stand for a public key (RFC 8725 §3.1).
        let mut algorithms = match &jwk.algorithm {
            AlgorithmParameters::RSA(rsa) => {
                check_rsa(rsa).ok()?;
                use Algorithm::{PS256, PS384, PS512, RS256, RS384, RS512};
                vec![RS256, RS384, RS512, PS256, PS384, PS512]
            }
            AlgorithmParameters::EllipticCurve(ec) => match ec.curve {
                EllipticCurve::P256 => vec![Algorithm::ES256],
                EllipticCurve::P384 => vec![Algorithm::ES384],
                _ => return None,
            },
            AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => vec![Algorithm::EdDSA],
            _ => return None,
        };
        if let Some(only) = jwk.common.key_algorithm {
            algorithms.retain(|algorithm| format!("{algorithm:?}") == only.to_string());
        }
        let key = DecodingKey::from_jwk(&jwk).ok()?;
        Some(Self { kid: jwk.common.key_id, algorithms, key }).filter(|key| !key.algorithms.is_empty())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::json;

    use super::*;

    /// The public half of an RSA key; its modulus is as good as any for what is looked at here.
    fn rsa(bytes: usize) -> Value {
        let modulus: Vec<u8> =
            (0..bytes).map(|at| if at == 0 { 0xc5 } else { u8::try_from(at % 251).unwrap() | 1 }).collect();
        json!({ "kty": "RSA", "kid": "a", "n": URL_SAFE_NO_PAD.encode(modulus), "e": "AQAB" })
    }

    #[test]
    fn keys_of_other_purposes_kinds_and_sizes_are_passed_over() {
        let with = |name: &str, value: Value| {
            let mut jwk = rsa(256);
            jwk[name] = value;
            jwk
        };
        let algorithms = |jwk: &Value| PublicKey::read(jwk).map(|key| key.algorithms.len());
        let curve = |name: &str| {
            let point = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
            json!({ "kty": "EC", "crv": name, "x": point, "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" })
        };
        let edwards = json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
        for (jwk, suiting) in [
            (rsa(256), Some(6)),
            (with("use", json!("sig")), Some(6)),
            (with("alg", json!("RS256")), Some(1)),
            (with("key_ops", json!(["verify"])), Some(6)),
            (curve("P-256"), Some(1)),
            (edwards, Some(1)),
            (with("use", json!("enc")), None),
            (with("alg", json!("HS256")), None),
            (with("alg", json!("RSA-OAEP")), None),
            (with("key_ops", json!(["encrypt"])), None),
            (with("e", json!("Aw")), None),
            (rsa(128), None),
            (curve("secp256k1"), None),
            (json!({ "kty": "oct", "k": "c2VjcmV0" }), None),
            (json!({ "kty": "oct", "k": "c2VjcmV0", "alg": "HS256" }), None),
            (json!({}), None),
        ] {
            assert_eq!(algorithms(&jwk), suiting, "{jwk}");
        }
    }

    #[test]
    fn only_a_provider_of_this_machine_may_name_addresses_without_tls() {
        let keeper = |issuer: &str| Keeper::new(issuer.into(), Http::new(READING).unwrap(), Clock::system());
        let (afar, here) = (keeper("https://a.example"), keeper("http://127.0.0.1:1"));
        for (url, from_afar, from_here) in [
            ("https://keys.example/x", true, true),
            ("http://127.0.0.1:6379/", false, true),
            ("http://keys.example/x", false, false),
            ("file:///etc/passwd", false, false),
            ("/keys", false, false),
        ] {
            assert_eq!((afar.may_be_asked(url), here.may_be_asked(url)), (from_afar, from_here), "{url}");
        }
    }
}
