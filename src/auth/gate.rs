//! The gate: from a request's headers to who is asking. Memory only; a user seen for the first time costs one read.

use std::any::TypeId;
use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use anyhow::Context;

use crate::auth::api_keys::{self, KnownKey, Scopes};
use crate::auth::bearer::Bearer;
use crate::auth::marks::PasswordMarks;
use crate::auth::memory::Memory;
use crate::auth::permissions::Permission;
use crate::auth::principals::UserState;
use crate::auth::signer::Signer;
use crate::auth::token::{Access, Claims, Kind, Sliding, Token};
use crate::auth::verdict::Reject;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::{Error, Result, Unauthorized};
use crate::model::session::{self, SessionId};
use crate::model::{api_key, user};
use crate::settings::{Jwt, TokenClass};

/// Somebody who was let in.
#[derive(Clone, Debug)]
pub struct Principal {
    /// The user's id.
    pub user: i64,
    /// What was known of the user at the gate.
    pub state: Arc<UserState>,
    /// The session of the token, if it names one.
    pub session: Option<SessionId>,
    /// What opened the gate.
    pub proof: Proof,
}

/// What opened the gate.
#[derive(Clone, Debug)]
pub enum Proof {
    /// A token, by its payload.
    Jwt(Vec<u8>),
    /// An API key.
    ApiKey(Arc<KnownKey>),
}

impl Proof {
    /// The word for it in the log.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Jwt(_) => "jwt",
            Self::ApiKey(_) => "key",
        }
    }
}

impl Principal {
    /// The API key that opened the gate, if one did.
    pub fn api_key(&self) -> Option<&KnownKey> {
        match &self.proof {
            Proof::Jwt(_) => None,
            Proof::ApiKey(key) => Some(key),
        }
    }

    /// What of the user's rights is at hand: a sign-in has all of them, a key those of its scopes.
    pub fn scopes(&self) -> Scopes {
        self.api_key().map_or(Scopes::Whole, |key| key.scopes)
    }

    /// Whether the user holds the permission, and what opened the gate may use it.
    pub fn may(&self, permission: Permission) -> bool {
        self.state.permissions.holds(permission) && self.scopes().allow(permission)
    }

    /// Whether the gate would still open, asked inside the transaction of a write: a body may take its time, and the session
    /// may end meanwhile.
    ///
    /// # Errors
    /// 401 if it would not.
    pub fn confirm(&self, conn: &mut Conn) -> Result<()> {
        let user = user::by_id(conn, self.user)?.ok_or(Reject::UnknownUser)?;
        if let Some(known) = self.api_key() {
            let key = api_key::by_digest(conn, &known.digest)?.ok_or_else(invalid_key)?;
            if !user.is_active {
                return Err(disabled_owner());
            }
            return if Scopes::parse(&key.scopes) == known.scopes { Ok(()) } else { Err(Error::Forbidden) };
        }
        if !user.is_active {
            return Err(Reject::InactiveUser.into());
        }
        if user.generation != self.state.generation {
            return Err(Reject::Blacklisted.into());
        }
        let session = match self.session {
            Some(sid) => session::by_id(conn, sid)?,
            None => None,
        };
        if session.is_some_and(|session| session.ended_at.is_some()) {
            return Err(Reject::SessionEnded.into());
        }
        Ok(())
    }

    /// The claims of the token that opened the gate, if one did. Read anew at each call: few views ask.
    pub fn claims(&self) -> Option<Claims> {
        match &self.proof {
            Proof::Jwt(payload) => Some(serde_json::from_slice(payload).map(Claims::new).unwrap_or_default()),
            Proof::ApiKey(_) => None,
        }
    }
}

/// What a view found out about its request, left there for its handler and for the log.
#[derive(Clone)]
pub struct Admitted {
    /// Who, if anybody.
    pub principal: Option<Arc<Principal>>,
    /// The permission that was asked for, by its type.
    pub permission: TypeId,
}

/// Lets requests in. Cheap to clone.
#[derive(Clone)]
pub struct Gate {
    signer: Signer,
    memory: Memory,
    marks: PasswordMarks,
    header: HeaderName,
    jwt: Arc<Jwt>,
    verified_only: bool,
}

impl Gate {
    /// A gate by these settings over what is in memory; `verified_only` keeps those out who have not verified their e-mail.
    ///
    /// # Errors
    /// If `jwt.auth_header_name` cannot be the name of a header.
    pub fn new(
        signer: Signer,
        memory: Memory,
        marks: PasswordMarks,
        jwt: Arc<Jwt>,
        verified_only: bool,
    ) -> anyhow::Result<Self> {
        let header = HeaderName::from_bytes(jwt.auth_header_name.as_bytes()).context("jwt.auth_header_name")?;
        Ok(Self { signer, memory, marks, header, jwt, verified_only })
    }

    /// What signs and verifies.
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// The value of `WWW-Authenticate` on a 401.
    pub fn challenge(&self) -> String {
        format!("{} realm=\"api\"", self.jwt.auth_header_types.first().map_or("Bearer", String::as_str))
    }

    /// Who sends these headers from `client`: `None` if they carry no token (CONTRACT 7) and no API key, which is read only
    /// then (CONTRACT 14). What is refused is one line in the log.
    ///
    /// # Errors
    /// 401 for a token that is not good (CONTRACT 6), as a bearer token is told; 401 for a key that is not.
    pub async fn admit(
        &self,
        headers: &HeaderMap,
        client: impl FnOnce() -> IpAddr,
        now: Timestamp,
    ) -> Result<Option<Principal>> {
        let Some(text) = self.bearer(headers)? else {
            return match api_keys::sent(headers) {
                Some(secret) => self.admit_key(&secret, client(), now).await.map(Some),
                None => Ok(None),
            };
        };
        self.admit_token(&text, now).await.map(Some)
    }

    /// Who holds this token. What is refused is one line in the log.
    ///
    /// # Errors
    /// 401 for a token that is not good (CONTRACT 6), as a bearer token is told.
    pub async fn admit_token(&self, text: &str, now: Timestamp) -> Result<Principal> {
        match self.decide(text, now).await? {
            Ok(principal) => Ok(principal),
            Err(rejects) => {
                log::warn!(target: "token", "refused: {}", rejects.iter().map(Reject::to_string).collect::<Vec<_>>().join(", "));
                Err(self.refused(&rejects))
            }
        }
    }

    /// Whose token this is, or what each class of tokens has against it.
    ///
    /// # Errors
    /// The database's.
    pub async fn decide(&self, text: &str, now: Timestamp) -> Result<Result<Principal, Vec<Reject>>> {
        let payload = match self.signer.open(text) {
            Ok(payload) => payload,
            Err(reject) => return Ok(Err(vec![reject])),
        };
        let subject = match self.quick(&payload, now).map_or_else(|| self.thorough(&payload, now), Ok) {
            Ok(subject) => subject,
            Err(rejects) => return Ok(Err(rejects)),
        };
        let Some(state) = self.memory.principals.of(subject.user).await? else {
            return Ok(Err(vec![Reject::UnknownUser]));
        };
        if let Err(reject) = self.check(&subject, &state) {
            return Ok(Err(vec![reject]));
        }
        Ok(Ok(Principal { user: subject.user, state, session: subject.session, proof: Proof::Jwt(payload) }))
    }

    /// Whose API key this is. Whatever is wrong with one is told alike; the log says it.
    async fn admit_key(&self, secret: &[u8], client: IpAddr, now: Timestamp) -> Result<Principal> {
        let refused = |id: Option<i64>, why: &str| {
            let which = id.map_or_else(String::new, |id| format!(" {id}"));
            log::warn!(target: "token", "refused: API key{which} from {client}: {why}");
        };
        let Some(key) = self.memory.api_keys.of(secret).await? else {
            refused(None, "unknown");
            return Err(invalid_key());
        };
        if key.until.is_some_and(|until| now >= until) {
            refused(Some(key.id), "expired");
            return Err(invalid_key());
        }
        let client = client.to_canonical();
        if !key.ranges.is_empty() && !key.ranges.iter().any(|range| range.contains(&client)) {
            refused(Some(key.id), "outside of its ranges");
            return Err(invalid_key());
        }
        let Some(state) = self.memory.principals.of(key.user).await? else {
            refused(Some(key.id), "its owner is gone");
            return Err(invalid_key());
        };
        if !state.active {
            refused(Some(key.id), "its owner is switched off");
            return Err(disabled_owner());
        }
        if self.verified_only && !state.email_verified {
            refused(Some(key.id), "its owner's e-mail is not verified");
            return Err(unverified());
        }
        self.memory.api_keys.note_use(&key, now);
        Ok(Principal { user: key.user, state, session: None, proof: Proof::ApiKey(key) })
    }

    /// Whoever was let in, as of now, for an answer that goes on for long; `None` if the gate would no longer open.
    ///
    /// # Errors
    /// The database's.
    pub async fn renew(&self, who: &Principal, now: Timestamp) -> Result<Option<Principal>> {
        let Some(state) = self.memory.principals.of(who.user).await? else { return Ok(None) };
        let proof = match &who.proof {
            Proof::Jwt(payload) => {
                let subject = self.quick(payload, now).map_or_else(|| self.thorough(payload, now), Ok);
                let goes_on = subject.is_ok_and(|subject| self.check(&subject, &state).is_ok());
                if goes_on { who.proof.clone() } else { return Ok(None) }
            }
            Proof::ApiKey(key) => {
                let known = self.memory.api_keys.again(key).await?;
                match known.filter(|known| known.until.is_none_or(|until| now < until)) {
                    Some(known) => Proof::ApiKey(known),
                    None => return Ok(None),
                }
            }
        };
        let is_let_in = state.active && (state.email_verified || !self.verified_only);
        Ok(is_let_in.then_some(Principal { user: who.user, state, session: who.session, proof }))
    }

    /// What comes after the token itself (CONTRACT 21): user, password, generation, session.
    fn check(&self, subject: &Bearer, state: &UserState) -> Result<(), Reject> {
        if !state.active {
            return Err(Reject::InactiveUser);
        }
        if let Some(mark) = &subject.mark
            && *mark != self.marks.of(subject.user, state.password_generation)
        {
            return Err(Reject::Unmarked);
        }
        if subject.generation < i64::from(state.password_generation) {
            return Err(Reject::PasswordChanged);
        }
        if subject.generation < i64::from(state.generation) {
            return Err(Reject::Blacklisted);
        }
        if self.is_ended(subject.session, &subject.jti) {
            return Err(Reject::SessionEnded);
        }
        if self.verified_only && !state.email_verified {
            return Err(Reject::UnverifiedUser);
        }
        Ok(())
    }

    /// What most requests bring: an access token as we write it. `None` says nothing: then [`Gate::thorough`] decides.
    fn quick(&self, payload: &[u8], now: Timestamp) -> Option<Bearer> {
        let plain = !self.jwt.check_revoke_token && !self.signer.is_particular() && self.jwt.user_id_claim == "user_id";
        let lets_in = self.jwt.auth_token_classes.contains(&TokenClass::Access);
        if plain && lets_in { Bearer::usual(payload, now) } else { None }
    }

    /// The claims of any token that a class lets in, else what each class has against it.
    fn thorough(&self, payload: &[u8], now: Timestamp) -> Result<Bearer, Vec<Reject>> {
        let claims = self.signer.read(payload, now).map_err(|reject| vec![reject])?;
        let mut rejects = Vec::new();
        for class in &self.jwt.auth_token_classes {
            let checked = match class {
                TokenClass::Access => Token::<Access>::check(&claims),
                // A blacklisted id is told before the kind, for the kinds that can be blacklisted (CONTRACT 6, row 6).
                TokenClass::Sliding if self.is_ended(claims.sid(), claims.jti().unwrap_or_default()) => {
                    Err(Reject::Blacklisted)
                }
                TokenClass::Sliding => Token::<Sliding>::check(&claims),
            };
            match checked {
                Ok(()) => return Bearer::of(&claims, &self.jwt).map_err(|reject| vec![reject]),
                Err(reject) => rejects.push(reject),
            }
        }
        Err(rejects)
    }

    fn is_ended(&self, session: Option<SessionId>, jti: &str) -> bool {
        if self.memory.revocations.is_empty() {
            return false;
        }
        session.is_some_and(|session| self.memory.revocations.covers(session))
            || self.memory.revocations.covers(SessionId::of_token(jti))
    }

    /// The token's text, if the header names one of our schemes. Two headers are one with a comma between (RFC 9110 §5.2),
    /// which no token survives.
    ///
    /// # Errors
    /// 401 if something is wrong with the header's form.
    pub fn bearer<'a>(&self, headers: &'a HeaderMap) -> Result<Option<Cow<'a, str>>> {
        let mut values = headers.get_all(&self.header).map(HeaderValue::as_bytes);
        let Some(first) = values.next() else { return Ok(None) };
        let mut parts = first.split(u8::is_ascii_whitespace).filter(|part| !part.is_empty());
        let Some(scheme) = parts.next() else { return Ok(None) };
        if !self.jwt.auth_header_types.iter().any(|one| scheme.eq_ignore_ascii_case(one.as_bytes())) {
            return Ok(None);
        }
        match (parts.next(), parts.next(), values.next()) {
            // Bytes that are no text are no token either; the lossy form fails as one.
            (Some(token), None, None) => Ok(Some(String::from_utf8_lossy(token))),
            _ => Err(Error::Unauthorized(Unauthorized::coded(
                "Authorization header must contain two space-delimited values",
                "bad_authorization_header",
            ))),
        }
    }

    /// The 401 of a bearer token: about its user in a sentence, about itself with each class's own message (CONTRACT 6).
    fn refused(&self, rejects: &[Reject]) -> Error {
        let reject = rejects.first().copied().unwrap_or(Reject::Malformed);
        if reject.is_about_the_user() {
            return reject.into();
        }
        // One reject is every class's; else there is one for each class, in order.
        let own = rejects.iter().copied().chain(std::iter::repeat(reject));
        let message = |(class, reject): (&TokenClass, Reject)| match class {
            TokenClass::Access => (Access::CLASS, Access::TYPE, reject.message()),
            TokenClass::Sliding => (Sliding::CLASS, Sliding::TYPE, reject.message()),
        };
        Error::Unauthorized(Unauthorized {
            detail: "Given token not valid for any token type",
            code: Some("token_not_valid"),
            messages: self.jwt.auth_token_classes.iter().zip(own).map(message).collect(),
        })
    }
}

fn invalid_key() -> Error {
    Error::unauthorized("Invalid API key")
}

fn disabled_owner() -> Error {
    Error::unauthorized("User account is disabled.")
}

/// The answer to somebody who has yet to verify an e-mail address, where that is required.
pub fn unverified() -> Error {
    Reject::UnverifiedUser.into()
}
