//! The claims of an inspected token, each with what it means.

use serde_json::Value;

use crate::admin::when::{Now, When, distance};
use crate::auth::inspect::Verdict;
use crate::auth::token::{Access, Claims, Kind, Refresh, Sliding};
use crate::language::Said;
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
    let Some(words) = meaning_of_moment(site, name, claims, now) else {
        return meaning_of_word(site, name, value, facts);
    };
    let told = |at| words.with("moment", When::new(at, now).full).with("distance", distance(at, now)).to_string();
    claims.moment(name).map_or_else(String::new, told)
}

/// What a claim says that is a moment; `None` if it is none.
fn meaning_of_moment(site: &Site, name: &str, claims: &Claims, now: Now) -> Option<Said> {
    Some(match name {
        "exp" if claims.moment("exp").is_some_and(|exp| exp <= now.at) => {
            Said::of(key!("Expired {moment}, {distance}"))
        }
        "exp" => Said::of(key!("Expires {moment}, {distance}")),
        "iat" => Said::of(key!("Issued {moment}, {distance}")),
        "nbf" => Said::of(key!("Good from {moment}, {distance}")),
        _ if name == site.settings.jwt.sliding_token_refresh_exp_claim => {
            Said::of(key!("Can be slid until {moment}, {distance}"))
        }
        _ => return None,
    })
}

fn meaning_of_word(site: &Site, name: &str, value: &Value, facts: &Facts) -> String {
    let jwt = &site.settings.jwt;
    match name {
        "iss" => say!("Who issued it"),
        "aud" => say!("Whom it is meant for"),
        "sid" => say!("The session that it belongs to"),
        "gen" => say!("How often its user had been signed out everywhere when it was made"),
        "username" => say!("Its user's name when it was issued"),
        "is_staff" | "is_superuser" | "is_premium" | "roles" | "user_role" => {
            say!("As it was when issued; this server asks the account, not the claim")
        }
        _ if name == jwt.token_type_claim => match value.as_str().unwrap_or_default() {
            Access::TYPE => say!("Carried by every request to the API"),
            Refresh::TYPE => say!("Exchanged for access tokens; not accepted by the API itself"),
            Sliding::TYPE => say!("Carried by requests, and exchanged for a later one of itself"),
            _ => say!("Good for one purpose, and not for the API"),
        },
        _ if name == jwt.jti_claim && facts.row.is_some() => say!("Its own id, as in the outstanding list"),
        _ if name == jwt.jti_claim => say!("Its own id"),
        _ if name == jwt.user_id_claim => {
            facts.user.as_ref().map_or_else(|| say!("The id of its user"), |user| user.username.clone())
        }
        _ if name == jwt.revoke_token_claim => say!("A mark of its user's password"),
        _ => String::new(),
    }
}
