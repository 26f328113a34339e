//! Key pairs that a test makes or finds written as JWK, in the forms in which keys are given: PEM and DER.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use pem::Pem;
use serde_json::Value;

const INTEGER: u8 = 0x02;
const BITS: u8 = 0x03;
const OCTETS: u8 = 0x04;
const NULL: u8 = 0x05;
const OID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;

const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];

/// A new RSA key of 2048 bits, in PEM (PKCS#8).
pub fn new_rsa() -> String {
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap();
    to_pem("PRIVATE KEY", der.as_ref())
}

pub fn to_pem(label: &str, der: &[u8]) -> String {
    pem::encode_config(&Pem::new(label, der), pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF))
}

/// The private RSA key of a JWK, in PEM (PKCS#1).
pub fn rsa_private(jwk: &Value) -> String {
    let numbers = ["n", "e", "d", "p", "q", "dp", "dq", "qi"].map(|name| integer(&member(jwk, name)));
    to_pem("RSA PRIVATE KEY", &sequence(&[integer(&[0]), numbers.concat()]))
}

/// The private key on a curve of a JWK, in PEM (PKCS#8).
pub fn ec_private(jwk: &Value) -> String {
    let curve = match jwk["crv"].as_str() {
        Some("P-256") => P256,
        Some("P-384") => P384,
        other => panic!("{other:?}"),
    };
    let point = [vec![0, 4], member(jwk, "x"), member(jwk, "y")].concat();
    let key = sequence(&[integer(&[1]), element(OCTETS, &member(jwk, "d")), element(0xa1, &element(BITS, &point))]);
    let kind = sequence(&[element(OID, EC), element(OID, curve)]);
    to_pem("PRIVATE KEY", &sequence(&[integer(&[0]), kind, element(OCTETS, &key)]))
}

/// The public RSA key of a JWK in DER, as PKCS#1 has it.
pub fn rsa_public(jwk: &Value) -> Vec<u8> {
    sequence(&["n", "e"].map(|name| integer(&member(jwk, name))))
}

/// The public RSA key of a JWK in DER, as X.509 has it (SubjectPublicKeyInfo).
pub fn rsa_public_info(jwk: &Value) -> Vec<u8> {
    let kind = sequence(&[element(OID, RSA), element(NULL, &[])]);
    sequence(&[kind, element(BITS, &[&[0], rsa_public(jwk).as_slice()].concat())])
}

/// A member of a JWK that stands for bytes.
pub fn member(jwk: &Value, name: &str) -> Vec<u8> {
    let text = jwk[name].as_str().unwrap_or_else(|| panic!("no {name:?} in {jwk}"));
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    element(SEQUENCE, &parts.concat())
}

/// A number that is not negative: a zero in front keeps its first bit from meaning a sign.
fn integer(bytes: &[u8]) -> Vec<u8> {
    let digits = &bytes[bytes.iter().take_while(|byte| **byte == 0).count().min(bytes.len() - 1)..];
    let sign: &[u8] = if digits[0] >= 0x80 { &[0] } else { &[] };
    element(INTEGER, &[sign, digits].concat())
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let head = match length {
        0..0x80 => vec![tag, length as u8],
        0x80..0x100 => vec![tag, 0x81, length as u8],
        _ => vec![tag, 0x82, (length >> 8) as u8, length as u8],
    };
    [head.as_slice(), content].concat()
}

/// The public half of a private RSA key, both in PEM.
pub fn public_of(private: &str) -> String {
    let key = EncodingKey::from_rsa_pem(private.as_bytes()).unwrap();
    let jwk = serde_json::to_value(Jwk::from_encoding_key(&key, Algorithm::RS256).unwrap()).unwrap();
    to_pem("PUBLIC KEY", &rsa_public_info(&jwk))
}
