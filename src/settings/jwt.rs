//! `[jwt]`: tokens, in the words of simplejwt.

use std::path::PathBuf;
use std::time::Duration;

use jsonwebtoken::Algorithm;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::value::{self, ObtainMember, Secret, TokenClaim, TokenClass};
use super::{DAY, MINUTE};

/// Tokens. The keys are simplejwt's setting names in lower case, its defaults are ours unless a line says why not.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Jwt {
    /// How tokens are signed; a token that names another algorithm is refused. HS256, as simplejwt: it needs no key pair.
    pub algorithm: Algorithm,
    /// The HMAC secret, or the private key as PEM text. None by default: one is made at the first start and kept in the
    /// data folder.
    pub signing_key: Option<Secret>,
    /// The file that holds the signing key, for those who keep secrets in files. None by default.
    pub signing_key_file: Option<PathBuf>,
    /// The public key as PEM text; HMAC needs none. None by default: the private key tells it.
    pub verifying_key: Option<Secret>,
    /// The file that holds the public key. None by default.
    pub verifying_key_file: Option<PathBuf>,
    /// How long an access token lives. Five minutes, as simplejwt.
    #[serde(with = "value::duration")]
    pub access_token_lifetime: Duration,
    /// How long a refresh token lives. A day, as simplejwt.
    #[serde(with = "value::duration")]
    pub refresh_token_lifetime: Duration,
    /// How long a sliding token lives until it is slid. Five minutes, as simplejwt.
    #[serde(with = "value::duration")]
    pub sliding_token_lifetime: Duration,
    /// How long a sliding token can be slid. A day, as simplejwt.
    #[serde(with = "value::duration")]
    pub sliding_token_refresh_lifetime: Duration,
    /// The end of a session, which no rotation moves. 90 days: a stolen session must end some day by itself.
    #[serde(with = "value::duration")]
    pub session_lifetime: Duration,
    /// Whether a refresh gives a new refresh token too. On (simplejwt: off): only so can theft be seen.
    pub rotate_refresh_tokens: bool,
    /// Whether rotation spends the old refresh token. On (simplejwt: off), for the same reason.
    pub blacklist_after_rotation: bool,
    /// Whether an old refresh token gives the same successor until that one is used. On: lost answers and parallel tabs
    /// do no harm.
    pub parallel_refresh: bool,
    /// How long after its successor was first used an old refresh token is still answered. Ten seconds: a slow network.
    #[serde(with = "value::duration")]
    pub rotation_grace: Duration,
    /// Whether a spent refresh token that comes back ends its session. On: one of the two who hold it is a thief.
    pub reuse_ends_session: bool,
    /// Whether signing in writes `last_login`. Off, as simplejwt: it is one more write.
    pub update_last_login: bool,
    /// The words before the token, in any letter case; the first makes the challenge. `Bearer`, as RFC 6750.
    pub auth_header_types: Vec<String>,
    /// The header that carries the token, in lower case; Django's spelling `HTTP_X_ACCESS_TOKEN` is understood.
    /// `authorization`, as HTTP says.
    #[serde(deserialize_with = "value::header_name")]
    pub auth_header_name: String,
    /// The kinds of token that open the API, in the order in which they are tried. Access tokens, as simplejwt.
    pub auth_token_classes: Vec<TokenClass>,
    /// The claim that names the user. `user_id`, as simplejwt.
    pub user_id_claim: String,
    /// Whether that claim is a number, as simplejwt wrote it before 5.5.1. Off: text, as now. Both are always read.
    pub user_id_as_number: bool,
    /// The claim that says what kind a token is. `token_type`, as simplejwt.
    pub token_type_claim: String,
    /// The claim that holds a token's id. `jti`, as RFC 7519.
    pub jti_claim: String,
    /// The claim that holds the end of a token's sliding. `refresh_exp`, as simplejwt.
    pub sliding_token_refresh_exp_claim: String,
    /// Whom tokens are for: written as `aud` and demanded, if any. None by default, as simplejwt.
    pub audience: Vec<String>,
    /// Who issues: written as `iss` and demanded, if set. None by default, as simplejwt.
    pub issuer: Option<String>,
    /// Whether the refresh token travels in a cookie that no script can read, and never in a body: for pages in a browser.
    /// Off: other clients keep no cookies.
    pub refresh_cookie: bool,
    /// How far clocks may differ. Not at all, as simplejwt; at most a minute, for it also lengthens every token's life.
    #[serde(with = "value::duration")]
    pub leeway: Duration,
    /// Whether tokens carry a mark of the password, as simplejwt's can. Off: generations end tokens without it.
    pub check_revoke_token: bool,
    /// The claim that carries that mark. `hash_password`, as simplejwt.
    pub revoke_token_claim: String,
    /// What tokens tell about their user. The name and whether they are staff: no e-mail address unless asked for.
    pub token_claims: Vec<TokenClaim>,
    /// Claims that are the same in every token: a table, in the environment a JSON object. None by default.
    #[serde(deserialize_with = "value::claims")]
    pub static_claims: Map<String, Value>,
    /// What the answer of `/api/token/` tells beside the tokens. Nothing by default, as simplejwt.
    pub obtain_response: Vec<ObtainMember>,
}

impl Jwt {
    /// The longest that a token which requests carry may live.
    pub fn longest_bearer(&self) -> Duration {
        self.access_token_lifetime.max(self.sliding_token_lifetime)
    }
}

impl Default for Jwt {
    fn default() -> Self {
        Self {
            algorithm: Algorithm::HS256,
            signing_key: None,
            signing_key_file: None,
            verifying_key: None,
            verifying_key_file: None,
            access_token_lifetime: 5 * MINUTE,
            refresh_token_lifetime: DAY,
            sliding_token_lifetime: 5 * MINUTE,
            sliding_token_refresh_lifetime: DAY,
            session_lifetime: 90 * DAY,
            rotate_refresh_tokens: true,
            blacklist_after_rotation: true,
            parallel_refresh: true,
            rotation_grace: Duration::from_secs(10),
            reuse_ends_session: true,
            update_last_login: false,
            auth_header_types: vec!["Bearer".into()],
            auth_header_name: "authorization".into(),
            auth_token_classes: vec![TokenClass::Access],
            user_id_claim: "user_id".into(),
            user_id_as_number: false,
            token_type_claim: "token_type".into(),
            jti_claim: "jti".into(),
            sliding_token_refresh_exp_claim: "refresh_exp".into(),
            audience: Vec::new(),
            issuer: None,
            refresh_cookie: false,
            leeway: Duration::ZERO,
            check_revoke_token: false,
            revoke_token_claim: "hash_password".into(),
            token_claims: vec![TokenClaim::Username, TokenClaim::IsStaff],
            static_claims: Map::new(),
            obtain_response: Vec::new(),
        }
    }
}
