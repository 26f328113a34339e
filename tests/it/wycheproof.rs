//! Wycheproof's vectors against the one function that opens a compact JWS (JWT-24).
//!
//! We read no JWK from anybody: a key comes as a secret or as PEM, with the algorithm beside it. So each vector's key is
//! given in that way, through the same doors as an operator's.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, bail};
use jsonwebtoken::Algorithm;
use portcullis::auth::keyring::{Key, KeyRing};
use portcullis::auth::signer::{Rules, Signer};
use portcullis::model::signing_key::{self, KeyState};
use serde_json::Value;

use crate::support::app::{NOON, TestApp};
use crate::support::keys::{ec_private, member, rsa_private};

/// Signatures that we refuse although the vector calls them valid, or accept although it calls them invalid.
const CONTRADICTIONS: [(u64, &str); 8] = [
    (346, "the key is labelled PS256, the signature is of PS384: an algorithm belongs to its key"),
    (347, "the key is labelled ES521, which no RFC knows, the signature is of ES512"),
    (350, "as 346"),
    (351, "as 347"),
    (367, "byte for byte the same as 357, which is valid"),
    (370, "byte for byte the same as 357, which is valid"),
    (372, "a question mark in the header is no base64url (RFC 7515 §2)"),
    (373, "a question mark in the payload is no base64url (RFC 7515 §2)"),
];

/// Of the JWK vectors: this set mixes a secret with a public key, which is ambiguous for a reader that picks a key by the
/// token's algorithm. Our ring holds both while keys take their turn, and each key brings its own algorithm.
const MIXED_SET: u64 = 1;

/// Of the JWK vectors: these forbid by a member that only a JWK has (`use`, `kty`), so that the key cannot be given to us.
const FORBIDDEN_BY_THE_JWK: [u64; 3] = [6, 21, 24];

fn groups(name: &str) -> Vec<Value> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/wycheproof").join(name);
    let vectors: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    vectors["testGroups"].as_array().unwrap().clone()
}

/// What whoever holds this JWK would refuse to do with it.
fn forbids(jwk: &Value) -> bool {
    let verifies = |uses: &Vec<Value>| uses.iter().any(|one| one == "verify");
    jwk.get("use").is_some_and(|purpose| purpose != "sig")
        || jwk.get("key_ops").and_then(Value::as_array).is_some_and(|uses| !verifies(uses))
        || (jwk["kty"] == "RSA" && jwk.get("n").is_none())
}

/// The key of a JWK, given as an operator gives keys.
fn key_of(jwk: &Value, kid: Option<String>) -> anyhow::Result<Key> {
    let algorithm: Algorithm = jwk["alg"].as_str().context("no alg")?.parse()?;
    match jwk["kty"].as_str() {
        Some("oct") => Key::hmac(algorithm, &member(jwk, "k"), kid),
        Some("RSA") => Key::pair(algorithm, &rsa_private(jwk), None, kid),
        Some("EC") => Key::pair(algorithm, &ec_private(jwk), None, kid),
        other => bail!("{other:?}"),
    }
}

fn opens(key: Key, others: Vec<Key>, jws: &str) -> bool {
    Signer::new(KeyRing::new(key, others), Rules::default()).open(jws).is_ok()
}

#[test]
fn every_signature_is_judged_as_wycheproof_says() {
    let (mut seen, mut otherwise) = (0, BTreeSet::new());
    for group in groups("json_web_signature_test.json") {
        let jwk = &group["private"];
        let forbidden = forbids(group.get("public").unwrap_or(jwk));
        for test in group["tests"].as_array().unwrap() {
            let key = if forbidden { None } else { key_of(jwk, None).ok() };
            let accepted = key.is_some_and(|key| opens(key, Vec::new(), test["jws"].as_str().unwrap()));
            if accepted != (test["result"] == "valid") {
                otherwise.insert(test["tcId"].as_u64().unwrap());
            }
            seen += 1;
        }
    }
    assert_eq!(seen, 401);
    assert_eq!(otherwise, CONTRADICTIONS.map(|(id, _)| id).into());
}

#[test]
fn the_vectors_that_are_said_to_be_the_same_are() {
    let groups = groups("json_web_signature_test.json");
    let tests: Vec<&Value> = groups.iter().flat_map(|group| group["tests"].as_array().unwrap()).collect();
    let jws = |id: u64| &tests.iter().find(|test| test["tcId"] == id).unwrap()["jws"];
    assert_eq!([jws(367), jws(370)], [jws(357); 2]);
    for id in [372, 373] {
        assert!(jws(id).as_str().unwrap().contains('?'));
    }
}

/// JWT-21.
#[test]
fn every_weak_key_is_refused_as_wycheproof_says() {
    let (mut seen, mut otherwise, mut forbidden, mut taken) = (0, Vec::new(), Vec::new(), BTreeSet::new());
    for group in groups("json_web_key_test.json") {
        for test in group["tests"].as_array().unwrap() {
            let id = test["tcId"].as_u64().unwrap();
            seen += 1;
            if group["comment"] == "jws_duplicate_kid" {
                continue; // the list of keys refuses it: the next test
            }
            let jwks = group["private"]["keys"].as_array().unwrap();
            if jwks.iter().any(forbids) {
                forbidden.push(id);
                continue;
            }
            // A key of the set that has no private half verifies for somebody else: nobody can give it to us.
            let whole = jwks.iter().filter(|jwk| jwk.get("d").or(jwk.get("k")).is_some());
            let keys: anyhow::Result<Vec<Key>> =
                whole.map(|jwk| key_of(jwk, jwk["kid"].as_str().map(str::to_owned))).collect();
            let accepted = keys.is_ok_and(|mut keys| {
                taken.insert(id);
                opens(keys.remove(0), keys, test["jws"].as_str().unwrap())
            });
            if accepted != (test["result"] == "valid") {
                otherwise.push(id);
            }
        }
    }
    assert_eq!(seen, 26);
    assert_eq!(forbidden, FORBIDDEN_BY_THE_JWK);
    assert_eq!(otherwise, [MIXED_SET]);
    // Of those that are refused, only the changed signature (3) is refused by its signature: the rest by the key.
    assert_eq!(taken, [MIXED_SET, 2, 3, 5, 13, 14, 15].into());
}

/// Wycheproof's JWK vector 4.
#[actix_web::test]
async fn no_two_keys_of_the_list_have_one_name() {
    let app = TestApp::new().await;
    let kid = app.site.signer.ring().active().kid().unwrap().to_owned();
    let again = app.site.db.write(move |conn| signing_key::insert(conn, &kid, "HS256", KeyState::Standby, None, NOON));
    assert!(again.await.is_err());
    assert_eq!(app.read(signing_key::all).await.len(), 1);
}

#[test]
fn a_key_is_refused_by_what_is_wrong_with_it() {
    let words = |comment: &str| {
        let group = groups("json_web_key_test.json").into_iter().find(|group| group["comment"] == comment).unwrap();
        let refused = key_of(&group["private"]["keys"][0], None).map(|_| ()).unwrap_err();
        format!("{refused:#}")
    };
    for (comment, told) in [
        ("jws_rsa_roca_key", "ROCA"),
        ("keysize_too_small", "2048"),
        ("exponentOne", "RSA"),
        ("HS384", "shorter than 48 bytes"),
        ("HS512", "shorter than 64 bytes"),
        ("invalid_point", "ES256"),
        ("wrong_curve", "ES256"),
    ] {
        let words = words(comment);
        assert!(words.contains(told), "{comment}: {words}");
    }
}
