//! The claims of an inspected token, each with what it means.

use serde_json::Value;

use crate::admin::when::{Now, When, distance};
use crate::auth::inspect::Verdict;
use crate::auth::token::{Access, Claims, Kind, Refresh, Sliding};
use crate::site::Site;

use super::facts::Facts;

/// One claim, as the page shows it.
pub struct Claim {
    /// Its name on the wire.
    pub name: String,
    /// Its value, as JSON has it.
    pub value: String,
    /// What it means.
    pub meaning: String,
}

/// The claims of what was inspected, as it says them.
pub fn of(site: &Site, verdict: &Verdict, facts: &Facts, now: Now) -> Vec<Claim> {
    let Some(payload) = &verdict.said.payload else { return Vec::new() };
    let claims = Claims::new(payload.clone());
    let one = |(name, value): (&String, &Value)| Claim {
        name: name.clone(),
        value: value.as_str().map_or_else(|| value.to_string(), str::to_owned),
        meaning: meaning(site, name, value, &claims, facts, now),
    };
    payload.iter().map(one).collect()
}

fn meaning(site: &Site, name: &str, value: &Value, claims: &Claims, facts: &Facts, now: Now) -> String {
    let jwt = &site.settings.jwt;
    let moment = |word: &str| {
        let at = claims.moment(name);
        at.map_or_else(String::new, |at| format!("{word} {}, {}", When::new(at, now).full, distance(at, now)))
    };
    match name {
        "exp" if claims.moment("exp").is_some_and(|exp| exp <= now.at) => moment("Expired"),
        "exp" => moment("Expires"),
        "iat" => moment("Issued"),
        "nbf" => moment("Good from"),
        "iss" => "Who issued it".to_owned(),
        "aud" => "Whom it is meant for".to_owned(),
        "sid" => "The session that it belongs to".to_owned(),
        "gen" => "How often its user had been signed out everywhere when it was made".to_owned(),
        "username" => "Its user's name when it was issued".to_owned(),
        "is_staff" | "is_superuser" | "is_premium" | "roles" | "user_role" => {
            "As it was when issued; this server asks the account, not the claim".to_owned()
        }
        _ if name == jwt.token_type_claim => match value.as_str().unwrap_or_default() {
            Access::TYPE => "Carried by every request to the API".to_owned(),
            Refresh::TYPE => "Exchanged for access tokens; not accepted by the API itself".to_owned(),
            Sliding::TYPE => "Carried by requests, and exchanged for a later one of itself".to_owned(),
            _ => "Good for one purpose, and not for the API".to_owned(),
        },
        _ if name == jwt.jti_claim && facts.row.is_some() => "Its own id, as in the outstanding list".to_owned(),
        _ if name == jwt.jti_claim => "Its own id".to_owned(),
        _ if name == jwt.user_id_claim => {
            facts.user.as_ref().map_or_else(|| "The id of its user".to_owned(), |user| user.username.clone())
        }
        _ if name == jwt.sliding_token_refresh_exp_claim => moment("Can be slid until"),
        _ if name == jwt.revoke_token_claim => "A mark of its user's password".to_owned(),
        _ => String::new(),
    }
}
