//! Where the keys of the ring come from: the settings, the list in the database, and the files in the data folder.

use std::str::FromStr;

use anyhow::{Context, bail};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::{rsa, signature};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, AlgorithmFamily};
use pem::Pem;
use zeroize::Zeroizing;

use crate::auth::keyring::{Key, KeyRing};
use crate::clock::Timestamp;
use crate::data_dir::{self, DataDir};
use crate::db::{self, Conn};
use crate::model::signing_key::{self, KeyState, SigningKey};
use crate::settings::{Jwt, rules};

/// Random bytes of an HMAC key that is made here: enough for HS512 (RFC 7518 §3.2).
const SECRET: usize = 64;

/// Reads, makes and destroys keys. Cheap to clone.
#[derive(Clone)]
pub struct KeyStore {
    jwt: std::sync::Arc<Jwt>,
    folder: DataDir,
}

impl KeyStore {
    /// The store of a data folder. Its `keys` are made if they are missing.
    ///
    /// # Errors
    /// The system's.
    pub fn open(jwt: std::sync::Arc<Jwt>, data_dir: &DataDir) -> anyhow::Result<Self> {
        Ok(Self { jwt, folder: DataDir::open(&data_dir.join("keys"))? })
    }

    /// Whether the key that signs is one of the settings: then the ring does not rotate.
    pub fn is_given(&self) -> bool {
        self.jwt.signing_key.is_some() || self.jwt.signing_key_file.is_some()
    }

    /// Makes the first key, if there is none and the settings give none.
    ///
    /// # Errors
    /// The system's, the database's.
    pub fn begin(&self, conn: &mut Conn, now: Timestamp) -> anyhow::Result<()> {
        if self.is_given() || signing_key::all(conn)?.iter().any(|key| key.is(KeyState::Active)) {
            return Ok(());
        }
        let kid = self.make(self.jwt.algorithm)?;
        let algorithm = format!("{:?}", self.jwt.algorithm);
        // Of two servers that start at once one comes second, and takes the other's key.
        let first = db::in_transaction(conn, |conn| {
            if signing_key::all(conn)?.iter().any(|key| key.is(KeyState::Active)) {
                return Ok(false);
            }
            signing_key::insert(conn, &kid, &algorithm, KeyState::Active, None, now).map(|()| true)
        })?;
        if !first {
            self.destroy(&kid)?;
        }
        Ok(())
    }

    /// The ring as settings, list and files have it now.
    ///
    /// # Errors
    /// Which key cannot be read, and why.
    pub fn load(&self, conn: &mut Conn) -> anyhow::Result<KeyRing> {
        let mut active = self.given()?;
        let mut verifying = Vec::new();
        for row in signing_key::all(conn)? {
            if row.is_gone() {
                continue;
            }
            let key = self.read(&row).with_context(|| format!("the signing key {}", row.kid))?;
            if row.is(KeyState::Active) && active.is_none() {
                active = Some(key);
            } else {
                verifying.push(key);
            }
        }
        Ok(KeyRing::new(active.context("there is no signing key")?, verifying))
    }

    fn given(&self) -> anyhow::Result<Option<Key>> {
        let jwt = &self.jwt;
        let text = match (&jwt.signing_key, &jwt.signing_key_file) {
            (Some(key), _) => Zeroizing::new(key.expose().to_owned()),
            (None, Some(path)) => data_dir::secret_elsewhere(path).context("jwt.signing_key_file")?,
            (None, None) => return Ok(None),
        };
        if let Some(weakness) = rules::weakness(&text, jwt.algorithm) {
            bail!("jwt.signing_key: {weakness}");
        }
        let public = match (&jwt.verifying_key, &jwt.verifying_key_file) {
            (Some(key), _) => Some(key.expose().to_owned()),
            (None, Some(path)) => {
                let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()));
                Some(text.context("jwt.verifying_key_file")?)
            }
            (None, None) => None,
        };
        let key = if jwt.algorithm.family() == AlgorithmFamily::Hmac {
            Key::hmac(jwt.algorithm, text.trim_end_matches('\n').as_bytes(), None)
        } else {
            Key::pair(jwt.algorithm, &text, public.as_deref(), None)
        };
        key.context("jwt.signing_key").map(Some)
    }

    fn read(&self, row: &SigningKey) -> anyhow::Result<Key> {
        let algorithm = Algorithm::from_str(&row.algorithm).context("its algorithm is not known")?;
        let text = self.folder.secret(&file(&row.kid))?.context("its file is gone from the data folder")?;
        let kid = row.kid.clone();
        let listed = |key: Key| key.listed_as(&row.kid);
        if algorithm.family() != AlgorithmFamily::Hmac {
            return Key::pair(algorithm, &text, None, Some(kid)).map(listed);
        }
        let secret = Zeroizing::new(URL_SAFE_NO_PAD.decode(text.trim()).context("its file is not base64url")?);
        match row.issued_before {
            Some(at) => Key::legacy(algorithm, &secret, at),
            None => Key::hmac(algorithm, &secret, Some(kid)),
        }
        .map(listed)
    }

    /// Makes a key and keeps its file; returns its name. Nobody knows of it until it is on the list.
    ///
    /// # Errors
    /// The system's.
    pub fn make(&self, algorithm: Algorithm) -> anyhow::Result<String> {
        let text = match algorithm {
            Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => {
                let mut secret = Zeroizing::new([0; SECRET]);
                aws_lc_rs::rand::fill(secret.as_mut()).context("the system has no random bytes")?;
                Zeroizing::new(URL_SAFE_NO_PAD.encode(secret.as_ref()) + "\n")
            }
            pair => {
                let text = pem(&pair_of(pair)?);
                Key::pair(pair, &text, None, None)?; // what cannot be read back must not be listed
                text
            }
        };
        let mut name = [0; 4];
        aws_lc_rs::rand::fill(&mut name).context("the system has no random bytes")?;
        let kid = format!("k-{}", hex::encode(name));
        self.folder.keep_secret(&file(&kid), &text)?;
        Ok(kid)
    }

    /// Keeps a secret that another server signed with; returns its name.
    ///
    /// # Errors
    /// The system's.
    pub fn bring_in(&self, secret: &[u8]) -> anyhow::Result<String> {
        let mut name = [0; 4];
        aws_lc_rs::rand::fill(&mut name).context("the system has no random bytes")?;
        let kid = format!("legacy-{}", hex::encode(name));
        self.folder.keep_secret(&file(&kid), &(URL_SAFE_NO_PAD.encode(secret) + "\n"))?;
        Ok(kid)
    }

    /// Deletes a key's file.
    ///
    /// # Errors
    /// The system's.
    pub fn destroy(&self, kid: &str) -> anyhow::Result<()> {
        std::fs::remove_file(self.folder.join(&file(kid))).with_context(|| format!("cannot delete the file of {kid}"))
    }
}

fn file(kid: &str) -> String {
    format!("{kid}.key")
}

/// A new pair in PKCS#8.
fn pair_of(algorithm: Algorithm) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let random = SystemRandom::new();
    let ecdsa =
        |kind| signature::EcdsaKeyPair::generate_pkcs8(kind, &random).map(|document| document.as_ref().to_vec());
    let made = match algorithm {
        Algorithm::ES256 => ecdsa(&signature::ECDSA_P256_SHA256_FIXED_SIGNING),
        Algorithm::ES384 => ecdsa(&signature::ECDSA_P384_SHA384_FIXED_SIGNING),
        Algorithm::EdDSA => {
            signature::Ed25519KeyPair::generate_pkcs8v1(&random).map(|document| document.as_ref().to_vec())
        }
        _ => rsa::KeyPair::generate(KeySize::Rsa2048).and_then(|pair| {
            AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&pair).map(|der| der.as_ref().to_vec())
        }),
    };
    made.map(Zeroizing::new).map_err(|_| anyhow::anyhow!("cannot make a key for {algorithm:?}"))
}

fn pem(pkcs8: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(pem::encode(&Pem::new("PRIVATE KEY", pkcs8)))
}
