//! The gate: from a request's headers to who is asking. Memory only; a user seen for the first time costs one read.

use std::sync::Arc;

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use anyhow::Context;
use aws_lc_rs::hmac;

use crate::auth::principals::{Principals, UserState};
use crate::auth::revocations::Revocations;
use crate::auth::signer::Signer;
use crate::auth::token::{Access, Claims, Kind, Sliding, Subject, Token};
use crate::auth::verdict::Reject;
use crate::clock::Timestamp;
use crate::error::{Error, Result, Unauthorized};
use crate::model::session::SessionId;
use crate::settings::{Jwt, TokenClass};

/// Somebody who was let in.
#[derive(Clone, Debug)]
pub struct Principal {
    /// The user's id.
    pub user: i64,
    /// What was known of the user at the gate.
    pub state: Arc<UserState>,
    /// The token that opened it.
    pub claims: Claims,
}

impl Principal {
    /// The session of the token, for one that names it.
    pub fn session(&self) -> Option<SessionId> {
        self.claims.sid()
    }
}

/// Lets requests in. Cheap to clone.
#[derive(Clone)]
pub struct Gate {
    signer: Signer,
    principals: Arc<Principals>,
    revocations: Arc<Revocations>,
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
        principals: Arc<Principals>,
        revocations: Arc<Revocations>,
        marks: PasswordMarks,
        jwt: Arc<Jwt>,
        verified_only: bool,
    ) -> anyhow::Result<Self> {
        let header = HeaderName::from_bytes(jwt.auth_header_name.as_bytes()).context("jwt.auth_header_name")?;
        Ok(Self { signer, principals, revocations, marks, header, jwt, verified_only })
    }

    /// The value of `WWW-Authenticate` on a 401.
    pub fn challenge(&self) -> String {
        format!("{} realm=\"api\"", self.jwt.auth_header_types.first().map_or("Bearer", String::as_str))
    }

    /// Who sends these headers: `None` if they carry no token (CONTRACT 7).
    ///
    /// # Errors
    /// 401 for a token that is not good (CONTRACT 6), as a bearer token is told.
    pub async fn admit(&self, headers: &HeaderMap, now: Timestamp) -> Result<Option<Principal>> {
        let Some(text) = self.bearer(headers)? else { return Ok(None) };
        let claims = self.claims(&text, now)?;
        let user = match claims.user(&self.jwt.user_id_claim) {
            Subject::Missing => return Err(unusable(NO_SUBJECT)),
            Subject::User(id) => id,
            Subject::Nobody | Subject::Unknown => return Err(unusable(NOT_FOUND)),
        };
        let Some(state) = self.principals.of(user).await? else { return Err(unusable(NOT_FOUND)) };
        if !state.active {
            return Err(unusable(INACTIVE));
        }
        if self.jwt.check_revoke_token
            && claims.text(&self.jwt.revoke_token_claim) != Some(&self.marks.of(user, state.password_generation))
        {
            return Err(unusable(CHANGED));
        }
        if claims.generation() < i64::from(state.password_generation) {
            return Err(unusable(CHANGED));
        }
        if claims.generation() < i64::from(state.generation) || self.is_ended(&claims) {
            return Err(self.refused(|_| Reject::Blacklisted));
        }
        if self.verified_only && !state.email_verified {
            return Err(unverified());
        }
        Ok(Some(Principal { user, state, claims }))
    }

    fn is_ended(&self, claims: &Claims) -> bool {
        if self.revocations.is_empty() {
            return false;
        }
        claims.sid().is_some_and(|session| self.revocations.covers(session))
            || claims.jti().is_some_and(|jti| self.revocations.covers(SessionId::of_token(jti)))
    }

    /// The token's text, if the header names one of our schemes. Two headers are one with a comma between (RFC 9110 §5.2),
    /// which no token survives.
    fn bearer(&self, headers: &HeaderMap) -> Result<Option<String>> {
        let mut values = headers.get_all(&self.header).map(HeaderValue::as_bytes);
        let Some(first) = values.next() else { return Ok(None) };
        let rest: Vec<&[u8]> = values.collect();
        let joined = std::iter::once(first).chain(rest).collect::<Vec<_>>().join(&b',');
        let mut parts = joined.split(u8::is_ascii_whitespace).filter(|part| !part.is_empty());
        let Some(scheme) = parts.next() else { return Ok(None) };
        if !self.jwt.auth_header_types.iter().any(|one| scheme.eq_ignore_ascii_case(one.as_bytes())) {
            return Ok(None);
        }
        match (parts.next(), parts.next()) {
            // Bytes that are no text are no token either; the lossy form fails as one.
            (Some(token), None) => Ok(Some(String::from_utf8_lossy(token).into_owned())),
            _ => Err(unusable(BAD_HEADER)),
        }
    }

    fn claims(&self, text: &str, now: Timestamp) -> Result<Claims> {
        let claims = self.signer.verify(text, now).map_err(|reject| self.refused(|_| reject))?;
        let mut rejects = Vec::new();
        for class in &self.jwt.auth_token_classes {
            let checked = match class {
                TokenClass::Access => Token::<Access>::check(&claims),
                // A blacklisted id is told before the kind, for the kinds that can be blacklisted (CONTRACT 6, row 6).
                TokenClass::Sliding if self.is_ended(&claims) => Err(Reject::Blacklisted),
                TokenClass::Sliding => Token::<Sliding>::check(&claims),
            };
            match checked {
                Ok(()) => return Ok(claims),
                Err(reject) => rejects.push((*class, reject)),
            }
        }
        let told = |class| rejects.iter().find(|(of, _)| *of == class).map_or(Reject::WrongType, |(_, reject)| *reject);
        Err(self.refused(told))
    }

    /// The 401 of a bearer token, with each class's own message (CONTRACT 6).
    fn refused(&self, reject: impl Fn(TokenClass) -> Reject) -> Error {
        let message = |class: &TokenClass| match class {
            TokenClass::Access => (Access::CLASS, Access::TYPE, reject(*class).message()),
            TokenClass::Sliding => (Sliding::CLASS, Sliding::TYPE, reject(*class).message()),
        };
        Error::Unauthorized(Unauthorized {
            detail: "Given token not valid for any token type",
            code: Some("token_not_valid"),
            messages: self.jwt.auth_token_classes.iter().map(message).collect(),
        })
    }
}

const NO_SUBJECT: (&str, &str) = ("Token contained no recognizable user identification", "token_not_valid");
const NOT_FOUND: (&str, &str) = ("User not found", "user_not_found");
const INACTIVE: (&str, &str) = ("User is inactive", "user_inactive");
const CHANGED: (&str, &str) = ("The user's password has been changed.", "password_changed");
const BAD_HEADER: (&str, &str) =
    ("Authorization header must contain two space-delimited values", "bad_authorization_header");

/// The answer to somebody who has yet to verify an e-mail address, where that is required.
pub fn unverified() -> Error {
    unusable(("Email not verified.", "email_not_verified"))
}

fn unusable((detail, code): (&'static str, &'static str)) -> Error {
    Error::Unauthorized(Unauthorized::coded(detail, code))
}

/// The marks that `jwt.check_revoke_token` puts into tokens: 32 upper-case hexadecimal digits that change with the
/// password and tell nothing of it, not even of its hash.
#[derive(Clone)]
pub struct PasswordMarks(Arc<hmac::Key>);

impl PasswordMarks {
    /// Marks under a key derived from `secret` for this purpose alone.
    pub fn new(secret: &[u8]) -> Self {
        let root = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let derived = hmac::sign(&root, b"portcullis: password marks");
        Self(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref())))
    }

    /// The mark of a user's password.
    pub fn of(&self, user: i64, password_generation: i32) -> String {
        let mut mark = hex::encode_upper(hmac::sign(&self.0, format!("{user}.{password_generation}").as_bytes()));
        mark.truncate(32);
        mark
    }
}
