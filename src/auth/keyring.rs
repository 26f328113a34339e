//! The keys that tokens are signed with. The algorithm belongs to the key, never to a token's header (RFC 8725 §3.1).

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, bail, ensure};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, PublicKeyUse, RSAKeyParameters};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, EncodingKey};

use crate::clock::Timestamp;
use crate::settings::rules;

/// A key with its algorithm and, for keys of the ring, its name.
pub struct Key {
    kid: Option<String>,
    algorithm: Algorithm,
    signing: EncodingKey,
    verifying: Verifying,
    /// The header of every token that this key signs, encoded.
    header: String,
    /// Only tokens issued before are good: a secret that was brought in signs nothing new.
    issued_before: Option<Timestamp>,
    /// What the list calls it; empty for a key that is not on it.
    listed: String,
    /// Whether it has verified anything since that was last asked.
    used: AtomicBool,
}

/// What verifies: for HMAC the key's state, prepared once, since the library would prepare it for every token.
enum Verifying {
    Hmac(Box<hmac::Key>),
    Public(DecodingKey),
}

impl Key {
    /// A key for HMAC. Keys of the ring have a `kid`, a key given by setting has none (CONTRACT 21).
    ///
    /// # Errors
    /// If `algorithm` is no HMAC, or the secret is too short for it.
    pub fn hmac(algorithm: Algorithm, secret: &[u8], kid: Option<String>) -> anyhow::Result<Self> {
        Self::of_secret(algorithm, secret, kid, rules::shortest_secret(algorithm))
    }

    fn of_secret(algorithm: Algorithm, secret: &[u8], kid: Option<String>, shortest: usize) -> anyhow::Result<Self> {
        if algorithm.family() != AlgorithmFamily::Hmac {
            bail!("{algorithm:?} needs a private key in PEM form, not a secret");
        }
        ensure!(secret.len() >= shortest, "its secret is shorter than {shortest} bytes");
        let prepared = match algorithm {
            Algorithm::HS384 => hmac::HMAC_SHA384,
            Algorithm::HS512 => hmac::HMAC_SHA512,
            _ => hmac::HMAC_SHA256,
        };
        let verifying = Verifying::Hmac(Box::new(hmac::Key::new(prepared, secret)));
        Ok(Self::new(algorithm, EncodingKey::from_secret(secret), verifying, kid))
    }

    /// A secret that another server signed with: it verifies tokens without a `kid` that were issued before `at`.
    ///
    /// # Errors
    /// If `algorithm` is no HMAC, or the secret is shorter than any should be: it signs nothing new, so that no more is asked.
    pub fn legacy(algorithm: Algorithm, secret: &[u8], at: Timestamp) -> anyhow::Result<Self> {
        let key = Self::of_secret(algorithm, secret, None, rules::SHORTEST_SECRET)?;
        Ok(Self { issued_before: Some(at), ..key })
    }

    /// A key pair from a private key in PEM form; the public half comes from `public` or else from the private one.
    ///
    /// # Errors
    /// If a text is no key that suits `algorithm`, or one that can be broken.
    pub fn pair(
        algorithm: Algorithm,
        private: &str,
        public: Option<&str>,
        kid: Option<String>,
    ) -> anyhow::Result<Self> {
        let pem = private.as_bytes();
        let unsuited = || {
            format!(
                "it is no private key for {algorithm:?} (RSA of 2048 bits or more, P-256 for ES256, P-384 for ES384); a key \
                 that begins with EC PRIVATE KEY becomes one by: openssl pkcs8 -topk8 -nocrypt"
            )
        };
        let signing = match algorithm.family() {
            AlgorithmFamily::Hmac => bail!("{algorithm:?} needs a secret, not a key in PEM form"),
            AlgorithmFamily::Rsa => EncodingKey::from_rsa_pem(pem),
            AlgorithmFamily::Ec => EncodingKey::from_ec_pem(pem),
            AlgorithmFamily::Ed => EncodingKey::from_ed_pem(pem),
        }
        .with_context(unsuited)?;
        let jwk = Jwk::from_encoding_key(&signing, algorithm).with_context(unsuited)?;
        if let AlgorithmParameters::RSA(rsa) = &jwk.algorithm {
            check_rsa(rsa)?;
        }
        let verifying = match public.map(str::as_bytes) {
            None => DecodingKey::from_jwk(&jwk),
            Some(pem) => match algorithm.family() {
                AlgorithmFamily::Ec => DecodingKey::from_ec_pem(pem),
                AlgorithmFamily::Ed => DecodingKey::from_ed_pem(pem),
                AlgorithmFamily::Rsa | AlgorithmFamily::Hmac => DecodingKey::from_rsa_pem(pem),
            },
        }
        .with_context(|| format!("the verifying key is no public key for {algorithm:?}"))?;
        let key = Self::new(algorithm, signing, Verifying::Public(verifying), kid);
        let probe = URL_SAFE_NO_PAD.decode(key.sign(b"probe").context("it cannot sign")?)?;
        if !key.verifies(b"probe", &probe) {
            bail!("the verifying key is not the public half of the signing key");
        }
        Ok(key)
    }

    fn new(algorithm: Algorithm, signing: EncodingKey, verifying: Verifying, kid: Option<String>) -> Self {
        let mut header = serde_json::json!({ "alg": format!("{algorithm:?}"), "typ": "JWT" });
        if let (Some(kid), Some(object)) = (&kid, header.as_object_mut()) {
            object.insert("kid".into(), kid.as_str().into());
        }
        let header = URL_SAFE_NO_PAD.encode(header.to_string());
        Self {
            kid,
            algorithm,
            signing,
            verifying,
            header,
            issued_before: None,
            listed: String::new(),
            used: AtomicBool::new(false),
        }
    }

    /// The same, with the name that it has on the list.
    pub fn listed_as(self, name: &str) -> Self {
        Self { listed: name.to_owned(), ..self }
    }

    /// Notes that it has verified something. Read before it is written: every request passes here, and few are the first.
    pub fn note_use(&self) {
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
    }

    /// Its name on the list, if it has verified anything since this was last asked.
    pub fn take_use(&self) -> Option<&str> {
        let used = self.used.swap(false, Ordering::Relaxed);
        (used && !self.listed.is_empty()).then_some(self.listed.as_str())
    }

    /// Its name, if it has one.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Before when a token must have been issued to be good.
    pub fn issued_before(&self) -> Option<Timestamp> {
        self.issued_before
    }

    /// The public key as other services read it (RFC 7517); none for HMAC, which has no public part.
    pub fn jwk(&self) -> Option<Jwk> {
        if matches!(self.verifying, Verifying::Hmac(_)) {
            return None;
        }
        let mut jwk = Jwk::from_encoding_key(&self.signing, self.algorithm).ok()?;
        jwk.common.key_id = self.kid.clone();
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        Some(jwk)
    }

    /// What it signs and verifies by, whatever a token says.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The encoded header of the tokens that this key signs.
    pub fn header(&self) -> &str {
        &self.header
    }

    /// The signature of `message`, in base64url.
    ///
    /// # Errors
    /// The library's own, if the key cannot sign.
    pub fn sign(&self, message: &[u8]) -> Result<String, jsonwebtoken::errors::Error> {
        jsonwebtoken::crypto::sign(message, &self.signing, self.algorithm)
    }

    /// Whether `signature` is this key's for `message`.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.verifying {
            Verifying::Hmac(key) => hmac::verify(key, message, signature).is_ok(),
            Verifying::Public(key) => {
                let signature = URL_SAFE_NO_PAD.encode(signature);
                jsonwebtoken::crypto::verify(&signature, message, key, self.algorithm).unwrap_or(false)
            }
        }
    }
}

/// That an RSA key cannot be broken by what is known of its kind (RFC 8017, NIST SP 800-56B §6.2: 2048 bits, 65537).
pub(super) fn check_rsa(public: &RSAKeyParameters) -> anyhow::Result<()> {
    let [n, e] = [&public.n, &public.e].map(|text| URL_SAFE_NO_PAD.decode(text).unwrap_or_default());
    let n = n.strip_prefix(&[0]).unwrap_or(&n);
    let long = n.len() > 256 || (n.len() == 256 && n.first().is_some_and(|byte| *byte >= 0x80));
    ensure!(long, "its RSA key is too short: make one of 2048 bits or more");
    let exponent = e.iter().try_fold(0_u64, |sum, byte| sum.checked_mul(256)?.checked_add(u64::from(*byte)));
    ensure!(
        exponent.is_some_and(|exponent| exponent >= 65_537 && exponent % 2 == 1),
        "its RSA key has an unsafe public exponent: make one with 65537"
    );
    ensure!(!has_mark_of_roca(n), "its RSA key comes from a chip whose keys can be broken (ROCA, CVE-2017-15361)");
    Ok(())
}

/// Whether a modulus looks like those of the chips whose primes were all powers of 65537 modulo small primes; of other keys
/// one in 2^27 does.
fn has_mark_of_roca(modulus: &[u8]) -> bool {
    const PRIMES: [u16; 17] = [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157];
    PRIMES.into_iter().all(|small| {
        let prime = u32::from(small);
        let rest = modulus.iter().fold(0, |rest, byte| (rest * 256 + u32::from(*byte)) % prime);
        let powers = std::iter::successors(Some(1), |power| Some(power * 65_537 % prime));
        powers.take(usize::from(small)).any(|power| power == rest)
    })
}

/// The keys in use: one signs, all verify.
pub struct KeyRing {
    active: Key,
    verifying: Vec<Key>,
}

impl KeyRing {
    /// A ring of the key that signs and those that verify beside it.
    pub fn new(active: Key, verifying: Vec<Key>) -> Self {
        Self { active, verifying }
    }

    /// The key that signs.
    pub fn active(&self) -> &Key {
        &self.active
    }

    /// All of them, the one that signs first.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.active).chain(&self.verifying)
    }

    /// The keys that a header with this `kid` can mean: the one of that name; without a name, those that have none. While
    /// there is one key and it has no name, any `kid` means it. A name that no key has means none, and "try them all" is
    /// never an answer.
    pub fn named<'a>(&'a self, kid: Option<&'a str>) -> impl Iterator<Item = &'a Key> {
        let any = self.verifying.is_empty() && self.active.kid.is_none();
        self.keys().filter(move |key| any || key.kid.as_deref() == kid)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"a secret of at least 64 bytes, so that even HS512 has as much as it wants.";

    /// The library signs; for HMAC we verify by ourselves. Both must take and refuse the same.
    #[test]
    fn our_hmac_takes_and_refuses_what_the_library_does() {
        for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            let key = Key::hmac(algorithm, SECRET, None).unwrap();
            let library = DecodingKey::from_secret(SECRET);
            let signature = URL_SAFE_NO_PAD.decode(key.sign(b"message").unwrap()).unwrap();
            let mut variants = vec![signature.clone(), Vec::new(), vec![0; signature.len()]];
            variants.push(signature.iter().rev().copied().collect());
            for length in 1..signature.len() {
                variants.push(signature.iter().take(length).copied().collect());
            }
            for bit in 0..8 * signature.len() {
                let flipped = signature
                    .iter()
                    .enumerate()
                    .map(|(at, byte)| if at == bit / 8 { byte ^ (1 << (bit % 8)) } else { *byte });
                variants.push(flipped.collect());
            }
            for variant in variants {
                for message in [&b"message"[..], b"massage", b""] {
                    let text = URL_SAFE_NO_PAD.encode(&variant);
                    let theirs = jsonwebtoken::crypto::verify(&text, message, &library, algorithm).unwrap_or(false);
                    assert_eq!(key.verifies(message, &variant), theirs);
                    assert_eq!(theirs, variant == signature && message == b"message");
                }
            }
        }
    }
}
