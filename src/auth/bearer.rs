//! What the gate needs of a bearer token's claims, read thoroughly or, for a token as we write it, at once.

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use crate::auth::token::{Access, Claims, Kind, LAST_EXP, Subject};
use crate::auth::verdict::Reject;
use crate::clock::Timestamp;
use crate::model::session::SessionId;
use crate::settings::Jwt;

/// What the gate needs of a token's claims.
pub struct Bearer {
    /// The user's id.
    pub user: i64,
    /// The user's generation when it was made.
    pub generation: i64,
    /// The session that it names.
    pub session: Option<SessionId>,
    /// Its id.
    pub jti: Box<str>,
    /// The password's mark, where it is asked for.
    pub mark: Option<String>,
}

impl Bearer {
    /// What is needed of claims that a class of tokens lets in.
    ///
    /// # Errors
    /// That they name no user.
    pub fn of(claims: &Claims, jwt: &Jwt) -> Result<Self, Reject> {
        let user = match claims.user(&jwt.user_id_claim) {
            Subject::Missing => return Err(Reject::NoSubject),
            Subject::User(id) => id,
            Subject::Nobody | Subject::Unknown => return Err(Reject::UnknownUser),
        };
        let mark = claims.text(&jwt.revoke_token_claim).unwrap_or_default();
        Ok(Self {
            user,
            generation: claims.generation(),
            session: claims.sid(),
            jti: claims.jti().unwrap_or_default().into(),
            mark: jwt.check_revoke_token.then(|| mark.to_owned()),
        })
    }

    /// The same, read at once from the payload of an access token as we write it, in date: a fifth of the work. Anything
    /// unusual, and anything that would be refused, is `None`.
    pub fn usual(payload: &[u8], now: Timestamp) -> Option<Self> {
        let usual: UsualClaims<'_> = serde_json::from_slice(payload).ok()?;
        let in_date = Timestamp::from_seconds(usual.iat) <= now && Timestamp::from_seconds(usual.exp) > now;
        let beyond = usual.exp > LAST_EXP || usual.nbf || usual.sub;
        if usual.token_type != Access::TYPE || !in_date || beyond {
            return None;
        }
        let session = Some(usual.sid.parse().ok()?);
        let user = Subject::of_text(usual.user_id).id()?;
        Some(Self { user, generation: usual.generation, session, jti: usual.jti.into(), mark: None })
    }
}

/// The claims of an access token as we write it. Another type, or a name that comes twice, is an error here.
#[derive(Deserialize)]
struct UsualClaims<'a> {
    token_type: &'a str,
    exp: i64,
    iat: i64,
    jti: &'a str,
    user_id: &'a str,
    sid: &'a str,
    #[serde(rename = "gen")]
    generation: i64,
    #[serde(default, deserialize_with = "is_there")]
    nbf: bool,
    #[serde(default, deserialize_with = "is_there")]
    sub: bool,
}

/// The claim is there, whatever it says.
fn is_there<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::auth::keyring::{Key, KeyRing};
    use crate::auth::signer::{Rules, Signer};
    use crate::auth::token::Token;
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    const NOW: Timestamp = Timestamp::from_seconds(1_000_000);

    /// A value for a claim: most often a good one, else anything.
    fn value(good: Value) -> impl Strategy<Value = Option<Value>> {
        let anything = prop::sample::select(vec![
            json!(null),
            json!(true),
            json!(""),
            json!("x"),
            json!("07"),
            json!("+7"),
            json!(7),
            json!(7.5),
            json!(-1),
            json!([]),
            json!({}),
            json!(999_999),
            json!(1_000_001),
            json!(253_402_300_800_i64),
            json!("\u{e9}\n"),
        ]);
        prop_oneof![6 => Just(Some(good)), 2 => anything.prop_map(Some), 1 => Just(None)]
    }

    fn claims() -> impl Strategy<Value = Map<String, Value>> {
        let good = [
            ("token_type", json!("access")),
            ("exp", json!(1_000_300)),
            ("iat", json!(1_000_000)),
            ("jti", json!("a")),
            ("user_id", json!("7")),
            ("sid", json!("ZIJ9MRrXcoBvpcqj4RMnlw")),
            ("gen", json!(0)),
        ];
        let rare = ["nbf", "sub", "refresh_exp"].map(|name| {
            value(json!(5)).prop_map(move |value| (name.to_owned(), value.filter(|value| *value != json!(5))))
        });
        let usual = good.map(|(name, good)| value(good).prop_map(move |value| (name.to_owned(), value)));
        (usual, rare).prop_map(|(usual, rare)| {
            usual.into_iter().chain(rare).filter_map(|(name, value)| Some((name, value?))).collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// The quick look lets in only what the thorough one lets in, and reads the same from it.
        #[test]
        fn the_quick_look_says_nothing_that_the_thorough_one_does_not(claims in claims()) {
            let payload = serde_json::to_vec(&claims).unwrap();
            if let Some(quick) = Bearer::usual(&payload, NOW) {
                let key = Key::hmac(jsonwebtoken::Algorithm::HS256, &[7; 32], None).unwrap();
                let signer = Signer::new(KeyRing::new(key, Vec::new()), Rules::default());
                let claims = signer.read(&payload, NOW).unwrap();
                Token::<Access>::check(&claims).unwrap();
                let thorough = Bearer::of(&claims, &Jwt::default()).unwrap();
                prop_assert_eq!(quick.user, thorough.user);
                prop_assert_eq!(quick.session, thorough.session);
                prop_assert_eq!(quick.jti, thorough.jti);
                prop_assert_eq!(quick.generation, thorough.generation);
            }
        }
    }

    #[test]
    fn the_quick_look_is_enough_for_a_token_as_we_write_it() {
        let payload = br#"{"token_type":"access","exp":1000300,"iat":1000000,"jti":"a","user_id":"7","username":"\u00e9","sid":"ZIJ9MRrXcoBvpcqj4RMnlw","gen":2}"#;
        let quick = Bearer::usual(payload, NOW).unwrap();
        assert_eq!((quick.user, quick.generation, &*quick.jti), (7, 2, "a"));
    }
}
