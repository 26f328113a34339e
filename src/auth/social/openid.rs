//! Providers that speak OpenID Connect, Google among them: their ID tokens, and the access tokens whose audience they tell.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::auth::social::http::{Http, send};
use crate::auth::social::id_token::{Expected, Unverified};
use crate::auth::social::jwks::Keeper;
use crate::auth::social::{Brought, Proven, Refusal, Result, Said};
use crate::clock::{Clock, Timestamp};
use crate::settings::Secret;
use crate::settings::social::{Protocol, Provider};

const GOOGLE: &str = "https://accounts.google.com";
/// As Google writes itself in older tokens.
const GOOGLE_WITHOUT_SCHEME: &str = "accounts.google.com";
const GOOGLE_API: &str = "https://oauth2.googleapis.com";

/// One such provider.
pub struct OpenId {
    issuer: String,
    /// The names that it goes by in `iss`, `issuer` among them.
    issuers: Vec<String>,
    client_ids: Vec<String>,
    audience: Audience,
    http: Http,
    keeper: Arc<Keeper>,
}

/// How an access token tells for which application it was made.
enum Audience {
    /// Google tells, at this address.
    TokenInfo(String),
    /// Introspection (RFC 7662), for which the provider wants our secret.
    Introspection(Secret),
    /// It cannot be asked, so that no access token is taken.
    Untold,
}

impl OpenId {
    /// The provider of these settings.
    pub fn new(given: &Provider, protocol: Protocol, http: Http, clock: Clock) -> Self {
        let issuer = given.issuer.clone().unwrap_or_else(|| GOOGLE.to_owned());
        let mut issuers = vec![issuer.clone()];
        if issuer == GOOGLE {
            issuers.push(GOOGLE_WITHOUT_SCHEME.to_owned());
        }
        let audience = match (protocol, &given.client_secret) {
            (Protocol::Google, _) => {
                let own = given.issuer.as_deref().filter(|issuer| *issuer != GOOGLE);
                let api = given.api_url.as_deref().or(own).unwrap_or(GOOGLE_API);
                Audience::TokenInfo(format!("{}/tokeninfo", api.trim_end_matches('/')))
            }
            (_, Some(secret)) => Audience::Introspection(secret.clone()),
            (_, None) => Audience::Untold,
        };
        let keeper = Arc::new(Keeper::new(issuer.clone(), http.clone(), clock));
        Self { issuer, issuers, client_ids: given.client_id.clone(), audience, http, keeper }
    }

    /// Who has brought an ID token or an access token.
    ///
    /// # Errors
    /// Why it shows nobody.
    pub async fn prove(&self, name: &str, brought: &Brought, now: Timestamp) -> Result<Proven> {
        match Unverified::read(&brought.token) {
            Some(token) if !token.is_of_another_kind() => {
                let claims = self.verified(&token, brought.nonce.as_deref(), now).await?;
                Proven::new(name, &self.said(&claims))
            }
            // Nothing but an ID token can hold the nonce.
            _ if brought.nonce.is_some() => Err(Refusal::Token("nonce")),
            _ => self.holder_of(name, &brought.token).await,
        }
    }

    async fn verified(
        &self,
        token: &Unverified<'_>,
        nonce: Option<&str>,
        now: Timestamp,
    ) -> Result<Map<String, Value>> {
        let (kid, algorithm) = token.key()?;
        let directory = self.keeper.directory(|known| known.find(kid, algorithm).is_some()).await?;
        let key = directory.find(kid, algorithm).ok_or(Refusal::Token("unknown key"))?;
        let expected = Expected { issuers: &self.issuers, client_ids: &self.client_ids, nonce };
        token.verify(key, algorithm, &expected, now)
    }

    /// Who holds an access token that was made for us.
    async fn holder_of(&self, name: &str, token: &str) -> Result<Proven> {
        let subject = match &self.audience {
            Audience::TokenInfo(url) => self.token_info(url, token).await?,
            Audience::Introspection(secret) => self.introspected(secret, token).await?,
            Audience::Untold => return Err(Refusal::Token("no ID token")),
        };
        let directory = self.keeper.directory(|_| true).await?;
        let url = directory.userinfo.as_ref().ok_or_else(|| Refusal::Provider("it has no userinfo_endpoint".into()))?;
        let told = granted(send(self.http.get(url).bearer_auth(token)).await?)?;
        let said = self.said(&told);
        // The two answers must be about one and the same (OpenID Connect Core §5.3.2).
        if subject.is_some_and(|subject| said.subject != Some(&subject)) {
            return Err(Refusal::Token("subject"));
        }
        Proven::new(name, &said)
    }

    /// The subject of a token that Google has made for us. It travels in a header: addresses are written into logs.
    async fn token_info(&self, url: &str, token: &str) -> Result<Option<String>> {
        let request = self.http.post(url).bearer_auth(token);
        let request = request.header("content-type", "application/x-www-form-urlencoded").body("");
        let told = granted(send(request).await?)?;
        let is_ours = |name: &str| self.is_ours(told.get(name).and_then(Value::as_str));
        if !is_ours("aud") || (told.contains_key("azp") && !is_ours("azp")) {
            return Err(Refusal::Token("audience"));
        }
        let subject = told.get("sub").and_then(Value::as_str).ok_or(Refusal::Token("no subject"))?;
        Ok(Some(subject.to_owned()))
    }

    /// The subject, if it is told, of a token that is live and was made for us (RFC 7662 §2.2).
    async fn introspected(&self, secret: &Secret, token: &str) -> Result<Option<String>> {
        let directory = self.keeper.directory(|_| true).await?;
        let url = directory.introspection.as_ref().ok_or(Refusal::Token("no ID token"))?;
        let id = self.client_ids.first().map(String::as_str).unwrap_or_default();
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("token", token)
            .append_pair("token_type_hint", "access_token")
            .finish();
        let request = self.http.post(url).basic_auth(id, Some(secret.expose()));
        let reply = send(request.header("content-type", "application/x-www-form-urlencoded").body(form)).await?;
        if reply.status != 200 {
            return Err(Refusal::Provider(format!("it refuses to introspect: {}", reply.status)));
        }
        if reply.json.get("active") != Some(&Value::Bool(true)) {
            return Err(Refusal::Token("not active"));
        }
        if !self.is_ours(reply.json.get("client_id").and_then(Value::as_str)) {
            return Err(Refusal::Token("audience"));
        }
        Ok(reply.json.get("sub").and_then(Value::as_str).map(Into::into))
    }

    fn is_ours(&self, id: Option<&str>) -> bool {
        id.is_some_and(|id| self.client_ids.iter().any(|ours| ours == id))
    }

    fn said<'a>(&'a self, claims: &'a Map<String, Value>) -> Said<'a> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        Said {
            issuer: &self.issuer,
            subject: text("sub"),
            email: text("email"),
            // Some write it as a text.
            is_verified: claims.get("email_verified") == Some(&Value::Bool(true))
                || text("email_verified") == Some("true"),
        }
    }
}

/// What a provider tells to the holder of a token; a refusal is the token's fault.
fn granted(reply: crate::auth::social::http::Reply) -> Result<Map<String, Value>> {
    match (reply.status, reply.json) {
        (200, Value::Object(told)) => Ok(told),
        (200..=299, _) => Err(Refusal::Provider("its answer is no object".into())),
        _ => Err(Refusal::Token("refused by the provider")),
    }
}
