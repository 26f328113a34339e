//! What a token costs, signed and read, and what a password costs.

use std::hint::black_box;

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use portcullis::auth::bearer::Bearer;
use portcullis::auth::keyring::{Key, KeyRing};
use portcullis::auth::signer::{Rules, Signer};
use portcullis::auth::token::{Common, Refresh, Token};
use portcullis::clock::Clock;
use portcullis::model::session::SessionId;
use serde_json::{Map, Value, json};

use crate::support::{nanos, row};

const SECRET: &[u8] = b"sixty-four bytes of a secret for the bench, no more and no less.";

pub fn run() {
    let key = Key::hmac(Algorithm::HS256, SECRET, Some("k-bench".into())).unwrap();
    let signer = Signer::new(KeyRing::new(key, Vec::new()), Rules::default());
    let now = Clock::system().now();
    let Value::Object(more) = json!({ "username": "ann", "is_staff": false }) else { unreachable!() };
    let common =
        Common { user_claim: ("user_id".into(), "1".into()), sid: SessionId::random().unwrap(), generation: 0, more };
    let exp = now + std::time::Duration::from_secs(3600);
    let token = Token::<Refresh>::first(common, now, exp).unwrap().access(now, exp).unwrap();
    let text = signer.sign(&token).unwrap();

    row("sign an access token (HS256)", format!("{:.0} ns", nanos(|| drop(black_box(signer.sign(&token))))));
    let ours = nanos(|| drop(black_box(signer.verify(&text, now))));
    row("verify it, every claim read (Signer::verify)", format!("{ours:.0} ns"));
    let gate = nanos(|| drop(black_box(Bearer::usual(&signer.open(&text).unwrap(), now).unwrap())));
    row("verify it as the gate does (Signer::open, Bearer::usual)", format!("{gate:.0} ns"));
    let (key, rules) = (DecodingKey::from_secret(SECRET), Validation::new(Algorithm::HS256));
    let library = nanos(|| drop(black_box(jsonwebtoken::decode::<Map<String, Value>>(&text, &key, &rules))));
    row("the same token through jsonwebtoken::decode alone", format!("{library:.0} ns"));
    row(
        "Signer::verify and the gate, of jsonwebtoken::decode",
        format!("{:.2}; {:.2}", ours / library, gate / library),
    );
}
