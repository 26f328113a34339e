//! GitHub: no ID tokens, but an API that tells for which application an access token was made, and whose it is.

use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::auth::social::http::{Http, Reply, send};
use crate::auth::social::{Brought, Proven, Refusal, Result, Said};
use crate::settings::Secret;
use crate::settings::social::Provider;

const API: &str = "https://api.github.com";

/// GitHub, or a GitHub Enterprise.
pub struct GitHub {
    api: String,
    client_id: String,
    client_secret: Secret,
    http: Http,
}

impl GitHub {
    /// The one of these settings.
    pub fn new(given: &Provider, http: Http) -> Self {
        let api = given.api_url.as_deref().unwrap_or(API).trim_end_matches('/').to_owned();
        let client_id = given.client_id.first().cloned().unwrap_or_default();
        Self { api, client_id, client_secret: given.client_secret.clone().unwrap_or_default(), http }
    }

    /// Who has brought an access token that was made for our application: by their number, for names change hands.
    ///
    /// # Errors
    /// Why it shows nobody.
    pub async fn prove(&self, name: &str, brought: &Brought) -> Result<Proven> {
        if brought.nonce.is_some() {
            return Err(Refusal::Token("nonce"));
        }
        let owner = self.owner(&brought.token).await?;
        let holds = |path: &str| {
            let request = self.http.get(&format!("{}{path}", self.api)).bearer_auth(&brought.token);
            send(accepting(request))
        };
        let (user, emails) = tokio::try_join!(holds("/user"), holds("/user/emails"))?;
        if number(granted(&user)?) != Some(owner.clone()) {
            return Err(Refusal::Token("subject"));
        }
        let is = |email: &Value, name: &str| email.get(name) == Some(&Value::Bool(true));
        let primary = granted(&emails)?.as_array().and_then(|all| all.iter().find(|email| is(email, "primary")));
        let primary = primary.ok_or(Refusal::Token("no address"))?;
        Proven::new(
            name,
            &Said {
                issuer: &self.api,
                subject: Some(&owner),
                email: primary.get("email").and_then(Value::as_str),
                is_verified: is(primary, "verified"),
            },
        )
    }

    /// Whose token it is, if it was made for our application. GitHub tells that to the application alone.
    async fn owner(&self, token: &str) -> Result<String> {
        let path: String = form_urlencoded::byte_serialize(self.client_id.as_bytes()).collect();
        let request = self.http.post(&format!("{}/applications/{path}/token", self.api));
        let request = request.basic_auth(&self.client_id, Some(self.client_secret.expose()));
        let request =
            request.header("content-type", "application/json").body(json!({ "access_token": token }).to_string());
        let reply = send(accepting(request)).await?;
        match reply.status {
            200 => {
                let app = reply.json.pointer("/app/client_id").and_then(Value::as_str);
                if app != Some(&self.client_id) {
                    return Err(Refusal::Token("audience"));
                }
                reply.json.get("user").and_then(number).ok_or(Refusal::Token("no subject"))
            }
            // Another application's, expired, withdrawn, or no token at all.
            400 | 404 | 422 => Err(Refusal::Token("refused by the provider")),
            status => Err(Refusal::Provider(format!("it does not know our client_id and client_secret: {status}"))),
        }
    }
}

fn accepting(request: RequestBuilder) -> RequestBuilder {
    request.header("accept", "application/vnd.github+json").header("x-github-api-version", "2022-11-28")
}

fn number(user: &Value) -> Option<String> {
    user.get("id").and_then(Value::as_u64).map(|id| id.to_string())
}

fn granted(reply: &Reply) -> Result<&Value> {
    match reply.status {
        200 => Ok(&reply.json),
        _ => Err(Refusal::Token("refused by the provider")),
    }
}
