//! Why a token is accepted or refused, for people: decided by the very functions that decide for requests.

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
        Err(reject) => return Ok(Verdict { claims: None, refused: Some(reject) }),
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
    Ok(Verdict { claims, refused })
}
