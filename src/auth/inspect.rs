//! Why a token is accepted or refused, for people: decided by the very functions that decide for requests.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::auth::gate::Gate;
use crate::auth::grants::Grants;
use crate::auth::token::{Claims, Kind, Refresh};
use crate::auth::verdict::Reject;
use crate::clock::Timestamp;
use crate::error::Result;

/// What was found out about a text.
#[derive(Debug)]
pub struct Verdict {
    /// Its claims, if one of our keys has signed it.
    pub claims: Option<Claims>,
    /// Why it is refused; `None` if it is good for what its kind is for.
    pub refused: Option<Reject>,
    /// What it says, whoever has signed it: not to be believed unless there are claims.
    pub said: Said,
}

/// The parts of a text that looks like a token, decoded and nothing more.
#[derive(Debug, Default)]
pub struct Said {
    /// Its header, if that is one JSON object.
    pub header: Option<Map<String, Value>>,
    /// Its payload, if that is one JSON object.
    pub payload: Option<Map<String, Value>>,
    /// How many bytes its signature has.
    pub signature: usize,
}

impl Said {
    fn by(text: &str) -> Self {
        let bytes = |part: Option<&str>| part.and_then(|part| URL_SAFE_NO_PAD.decode(part).ok()).unwrap_or_default();
        let mut parts = text.split('.');
        let mut object = || serde_json::from_slice(&bytes(parts.next())).ok();
        let (header, payload) = (object(), object());
        Self { header, payload, signature: bytes(parts.next()).len() }
    }

    /// The name of the key that the header asks for.
    pub fn kid(&self) -> Option<&str> {
        self.header.as_ref()?.get("kid")?.as_str()
    }
}

/// Looks at a token without using it: a refresh token as a refresh would be told, any other as a request would.
///
/// # Errors
/// The database's.
pub async fn inspect(gate: &Gate, grants: &Grants, text: &str, now: Timestamp) -> Result<Verdict> {
    let text = text.trim();
    let text = text.split_once(char::is_whitespace).map_or(text, |(_, token)| token.trim());
    let claims = gate.signer().open(text).map(|payload| Claims::parse(&payload));
    let claims = match claims {
        Ok(claims) => claims,
        Err(reject) => return Ok(Verdict { claims: None, refused: Some(reject), said: Said::by(text) }),
    };
    let is_refresh = claims.as_ref().is_some_and(|claims| claims.text("token_type") == Some(Refresh::TYPE));
    let refused = if is_refresh {
        match gate.signer().verify(text, now) {
            Ok(claims) => grants.look_at_refresh(claims, now).await?.err(),
            Err(reject) => Some(reject),
        }
    } else {
        gate.decide(text, now).await?.err().and_then(|rejects| rejects.first().copied())
    };
    Ok(Verdict { claims, refused, said: Said::by(text) })
}
