//! Grants: sessions are begun, continued and ended here, and nowhere else.
//!
//! Each decision is one transaction. What it refuses is returned as a value and not as an error, since an error would undo
//! what the refusal itself writes: the end of a session whose spent token came back.

mod begin;
mod check;
mod end;
mod exchange;
mod look;

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::auth::marks::PasswordMarks;
use crate::auth::memory::Memory;
use crate::auth::signer::Signer;
use crate::auth::token::{Access, Claims, Kind, Refresh, Token};
use crate::auth::verdict::Reject;
use crate::clock::{Clock, Timestamp};
use crate::db::{Conn, Db};
use crate::error::{Error, Result};
use crate::metrics::{Count, Metrics};
use crate::model::session::SessionId;
use crate::model::token::{self, Found, NewOutstandingToken};
use crate::settings::Jwt;
use crate::throttle::Holds;

/// Begins, continues and ends sessions. Cheap to clone.
#[derive(Clone)]
pub struct Grants {
    db: Db,
    clock: Clock,
    signer: Signer,
    marks: PasswordMarks,
    memory: Memory,
    jwt: Arc<Jwt>,
    longest_bearer: Duration,
    metrics: Metrics,
    holds: Holds,
}

/// The tokens of a new session, before they are signed.
pub type Unsigned = (Token<Refresh>, Token<Access>);

/// What a sign-in answers.
#[derive(Clone, Debug, Serialize)]
pub struct Pair {
    /// The refresh token.
    pub refresh: String,
    /// The access token.
    pub access: String,
}

/// What a refresh answers: with rotation, the successor too.
#[derive(Clone, Debug, Serialize)]
pub struct Refreshed {
    /// The new access token.
    pub access: String,
    /// The refresh token to use from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh: Option<String>,
}

/// A refusal whose transaction is committed all the same.
type Decision<T> = Result<Result<T, Error>>;

/// What is believed of clocks: that none is set back by more. Entries outlive their tokens by this.
const CLOCK_SLACK: Duration = Duration::from_secs(3600);

impl Grants {
    /// Grants over these parts. No token that a request may carry lives longer than `longest_bearer`.
    pub fn new(
        db: Db,
        clock: Clock,
        signer: Signer,
        marks: PasswordMarks,
        memory: Memory,
        jwt: Arc<Jwt>,
        longest_bearer: Duration,
    ) -> Self {
        let (metrics, holds) = (Metrics::default(), Holds::default());
        Self { db, clock, signer, marks, memory, jwt, longest_bearer, metrics, holds }
    }

    /// The same, giving nothing new to whom an administrator holds back.
    pub fn heeding(self, holds: &Holds) -> Self {
        Self { holds: holds.clone(), ..self }
    }

    /// The same, counting there what is given out.
    pub fn counted_by(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }

    /// Signs the tokens of a new session.
    ///
    /// # Errors
    /// [`Error::Internal`] if the key cannot sign.
    pub fn sign_pair(&self, (refresh, access): &Unsigned) -> Result<Pair> {
        Ok(Pair { refresh: self.sign(refresh)?, access: self.sign(access)? })
    }

    /// Signs one token.
    ///
    /// # Errors
    /// [`Error::Internal`] if the key cannot sign.
    pub fn sign<K: Kind>(&self, token: &Token<K>) -> Result<String> {
        let signed = self.signer.sign(token)?;
        self.metrics.add(Count::Tokens, 1);
        Ok(signed)
    }

    fn access_exp(&self, now: Timestamp, end: Timestamp) -> Timestamp {
        (now + self.jwt.access_token_lifetime).min(end)
    }

    /// When the last access or sliding token of a session that ends now has expired, by any clock.
    fn until(&self, now: Timestamp) -> Timestamp {
        now + self.longest_bearer + CLOCK_SLACK
    }
}

fn row_of(conn: &mut Conn, claims: &Claims) -> Result<Option<Found>> {
    match claims.jti() {
        Some(jti) => token::find(conn, jti),
        None => Ok(None),
    }
}

fn record(
    conn: &mut Conn,
    claims: &Claims,
    sid: SessionId,
    user: Option<i64>,
    kind: &str,
    kid: Option<&str>,
    dates: (Timestamp, Timestamp),
) -> Result<()> {
    let jti = claims.jti().ok_or(Reject::NoId)?;
    let (created_at, expires_at) = dates;
    let session_id = &sid.to_string();
    token::insert(conn, &NewOutstandingToken { jti, session_id, user_id: user, kind, kid, created_at, expires_at })
}
