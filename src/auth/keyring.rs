//! The keys that tokens are signed with. The algorithm belongs to the key, never to a token's header (RFC 8725 §3.1).

use std::str::FromStr;

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, EncodingKey};
use zeroize::Zeroizing;

/// A key with its algorithm and, for keys of the ring, its name.
pub struct Key {
    kid: Option<String>,
    algorithm: Algorithm,
    signing: EncodingKey,
    verifying: DecodingKey,
    /// The header of every token that this key signs, encoded.
    header: String,
}

/// Random bytes of a key that the server makes for itself: enough for HS512 (RFC 7518 §3.2).
const MADE: usize = 64;

impl Key {
    /// A key for HMAC. Keys of the ring have a `kid`, a key given by setting has none (CONTRACT 21).
    ///
    /// # Errors
    /// If `algorithm` is no HMAC.
    pub fn hmac(algorithm: Algorithm, secret: &[u8], kid: Option<String>) -> anyhow::Result<Self> {
        if algorithm.family() != AlgorithmFamily::Hmac {
            bail!("jwt.algorithm is {algorithm:?}, which needs a private key in PEM form, not a secret");
        }
        Ok(Self::new(algorithm, EncodingKey::from_secret(secret), DecodingKey::from_secret(secret), kid))
    }

    /// A key pair from a private key in PEM form; the public half comes from `public` or else from the private one.
    ///
    /// # Errors
    /// If a text is no key that suits `algorithm`.
    pub fn pair(algorithm: Algorithm, private: &str, public: Option<&str>) -> anyhow::Result<Self> {
        let pem = private.as_bytes();
        let signing = match algorithm.family() {
            AlgorithmFamily::Hmac => bail!("jwt.algorithm is {algorithm:?}, which needs a secret, not a key in PEM form"),
            AlgorithmFamily::Rsa => EncodingKey::from_rsa_pem(pem),
            AlgorithmFamily::Ec => EncodingKey::from_ec_pem(pem),
            AlgorithmFamily::Ed => EncodingKey::from_ed_pem(pem),
        }
        .with_context(|| {
            format!(
                "jwt.signing_key is no private key for {algorithm:?}; a key that begins with EC PRIVATE KEY becomes one \
                 by: openssl pkcs8 -topk8 -nocrypt"
            )
        })?;
        let verifying = match public.map(str::as_bytes) {
            None => DecodingKey::from_jwk(&Jwk::from_encoding_key(&signing, algorithm)?),
            Some(pem) => match algorithm.family() {
                AlgorithmFamily::Ec => DecodingKey::from_ec_pem(pem),
                AlgorithmFamily::Ed => DecodingKey::from_ed_pem(pem),
                AlgorithmFamily::Rsa | AlgorithmFamily::Hmac => DecodingKey::from_rsa_pem(pem),
            },
        }
        .with_context(|| format!("jwt.verifying_key is no public key for {algorithm:?}"))?;
        let key = Self::new(algorithm, signing, verifying, None);
        let probe = key.sign(b"probe").context("jwt.signing_key cannot sign")?;
        if !key.verifies(b"probe", &probe) {
            bail!("jwt.verifying_key is not the public half of jwt.signing_key");
        }
        Ok(key)
    }

    fn new(algorithm: Algorithm, signing: EncodingKey, verifying: DecodingKey, kid: Option<String>) -> Self {
        let mut header = serde_json::json!({ "alg": format!("{algorithm:?}"), "typ": "JWT" });
        if let (Some(kid), Some(object)) = (&kid, header.as_object_mut()) {
            object.insert("kid".into(), kid.as_str().into());
        }
        let header = URL_SAFE_NO_PAD.encode(header.to_string());
        Self { kid, algorithm, signing, verifying, header }
    }

    /// `alg`, as it stands in a header.
    pub fn algorithm(&self) -> String {
        format!("{:?}", self.algorithm)
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

    /// Whether `signature` (in base64url, strictly) is this key's for `message`.
    pub fn verifies(&self, message: &[u8], signature: &str) -> bool {
        jsonwebtoken::crypto::verify(signature, message, &self.verifying, self.algorithm).unwrap_or(false)
    }
}

/// The keys in use: one signs, all verify.
pub struct KeyRing {
    active: Key,
    verifying: Vec<Key>,
}

impl KeyRing {
    /// A ring of one key.
    pub fn of(active: Key) -> Self {
        Self { active, verifying: Vec::new() }
    }

    /// The key that signs.
    pub fn active(&self) -> &Key {
        &self.active
    }

    /// The key that a header with this `kid` means. While there is one key and it has no name, any `kid` means it; a name
    /// that no key has means none, and "try them all" is never an answer.
    pub fn find(&self, kid: Option<&str>) -> Option<&Key> {
        if self.verifying.is_empty() && self.active.kid.is_none() {
            return Some(&self.active);
        }
        std::iter::once(&self.active).chain(&self.verifying).find(|key| key.kid.as_deref() == kid)
    }
}

/// The text that a key file holds: one line `HS256 <kid> <secret in base64url>`.
pub fn make_key_file() -> anyhow::Result<Zeroizing<String>> {
    let mut secret = Zeroizing::new([0; MADE]);
    let mut name = [0; 4];
    aws_lc_rs::rand::fill(secret.as_mut()).context("the system has no random bytes")?;
    aws_lc_rs::rand::fill(&mut name).context("the system has no random bytes")?;
    Ok(Zeroizing::new(format!("HS256 k-{} {}\n", hex::encode(name), URL_SAFE_NO_PAD.encode(secret.as_ref()))))
}

/// Reads what [`make_key_file`] made.
///
/// # Errors
/// If the text is of another form.
pub fn read_key_file(text: &str) -> anyhow::Result<Key> {
    let mut parts = text.split_whitespace();
    let (Some(algorithm), Some(kid), Some(secret), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        bail!("it does not read: algorithm, key id, secret");
    };
    let secret = Zeroizing::new(URL_SAFE_NO_PAD.decode(secret).context("its secret is not base64url")?);
    if secret.len() < 32 {
        bail!("its secret is shorter than 32 bytes");
    }
    let algorithm = Algorithm::from_str(algorithm).context("its algorithm is not known")?;
    Key::hmac(algorithm, &secret, Some(kid.to_owned()))
}
