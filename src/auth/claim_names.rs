//! The names of claims on the wire, where settings rename them. Inside the house each has the name of simplejwt's default:
//! a token is renamed as its payload is opened and as it is signed, and nowhere else.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::settings::Jwt;

/// Our name of a claim, and another on the wire.
#[derive(Clone, Debug, Default)]
pub struct ClaimNames(Vec<(&'static str, String)>);

impl ClaimNames {
    /// The names that these settings change.
    pub fn of(jwt: &Jwt) -> Self {
        let names = [
            ("token_type", &jwt.token_type_claim),
            ("jti", &jwt.jti_claim),
            ("refresh_exp", &jwt.sliding_token_refresh_exp_claim),
        ];
        Self(names.into_iter().filter(|(ours, wire)| ours != wire).map(|(ours, wire)| (ours, wire.clone())).collect())
    }

    /// The claims as they are signed.
    pub fn outward<'a>(&self, claims: &'a Map<String, Value>) -> Cow<'a, Map<String, Value>> {
        if self.0.is_empty() {
            return Cow::Borrowed(claims);
        }
        let wire = |name: &String| self.0.iter().find(|(ours, _)| ours == name).map_or(name, |(_, wire)| wire).clone();
        Cow::Owned(claims.iter().map(|(name, value)| (wire(name), value.clone())).collect())
    }

    /// The payload as it is read. A claim that bears a name of ours without being meant by it is not seen.
    pub fn inward(&self, payload: Vec<u8>) -> Vec<u8> {
        if self.0.is_empty() {
            return payload;
        }
        // What is no object stays as it is, for the reader to refuse.
        let Ok(claims) = serde_json::from_slice::<Map<String, Value>>(&payload) else { return payload };
        let meant = claims.into_iter().filter(|(name, _)| !self.0.iter().any(|(ours, _)| ours == name));
        let ours = |name: String| match self.0.iter().find(|(_, wire)| *wire == name) {
            Some((ours, _)) => (*ours).to_owned(),
            None => name,
        };
        let claims: Map<String, Value> = meant.map(|(name, value)| (ours(name), value)).collect();
        serde_json::to_vec(&claims).unwrap_or(payload)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_renamed_claim_has_its_other_name_on_the_wire_alone() {
        let names = ClaimNames::of(&Jwt { jti_claim: "id".into(), token_type_claim: "kind".into(), ..Jwt::default() });
        let claims = json!({ "token_type": "access", "exp": 1.50, "jti": "a", "user_id": "7" });
        let wire = names.outward(claims.as_object().unwrap()).into_owned();
        assert_eq!(Value::Object(wire.clone()).to_string(), r#"{"kind":"access","exp":1.5,"id":"a","user_id":"7"}"#);
        assert_eq!(names.inward(serde_json::to_vec(&wire).unwrap()), claims.to_string().into_bytes());
        assert_eq!(names.inward(br#"{"jti":"a","kind":"access"}"#.to_vec()), br#"{"token_type":"access"}"#);
        assert_eq!(names.inward(b"[1]".to_vec()), b"[1]");
    }

    #[test]
    fn without_other_names_a_payload_is_left_as_it_is() {
        let names = ClaimNames::of(&Jwt::default());
        assert_eq!(names.inward(br#"{ "jti":"a", "jti":"b" }"#.to_vec()), br#"{ "jti":"a", "jti":"b" }"#);
    }
}
