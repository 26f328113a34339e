//! Looks at a token without using it: for the views that verify and check.

use crate::auth::grants::{Grants, row_of};
use crate::auth::token::{self as tokens, Access, Claims, Token};
use crate::auth::verdict::Reject;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::Result;
use crate::model::session::{self, SessionId};

impl Grants {
    /// Reads any token that is good, whatever its kind: for `/api/token/verify/`. Its session and generation count, its
    /// user's flags do not (CONTRACT 21).
    ///
    /// # Errors
    /// What is wrong with it.
    pub async fn verify_any(&self, text: &str) -> Result<Result<Claims, Reject>> {
        let now = self.clock.now();
        let claims = match self.signer.verify(text, now) {
            Ok(claims) => claims,
            Err(reject) => return Ok(Err(reject)),
        };
        if let Err(reject) = tokens::has_exp_and_id(&claims) {
            return Ok(Err(reject));
        }
        if self.is_dead(&claims, now).await? {
            return Ok(Err(Reject::Blacklisted));
        }
        Ok(Ok(claims))
    }

    /// What a refresh would be told, without refreshing.
    ///
    /// # Errors
    /// The database's.
    pub async fn look_at_refresh(&self, claims: Claims, now: Timestamp) -> Result<Result<(), Reject>> {
        let this = self.clone();
        let verdict = self.db.read(move |conn| this.refresh_verdict(conn, &claims, now)).await?;
        Ok(verdict.map(drop).map_err(|(reject, _)| reject))
    }

    /// Reads an access token that is good: for `/api/token/check/`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub async fn verify_access(&self, text: &str) -> Result<Result<Claims, Reject>> {
        let checked = self.verify_any(text).await?;
        Ok(checked.and_then(|claims| Token::<Access>::check(&claims).map(|()| claims)))
    }

    async fn is_dead(&self, claims: &Claims, now: Timestamp) -> Result<bool> {
        let ids = [claims.sid(), claims.jti().map(SessionId::of_token)];
        if ids.into_iter().flatten().any(|id| self.memory.revocations.covers(id)) {
            return Ok(true);
        }
        if let Some(id) = claims.user(&self.jwt.user_id_claim).id()
            && let Some(state) = self.memory.principals.of(id).await?
            && claims.generation() < i64::from(state.generation)
        {
            return Ok(true);
        }
        // Memory forgets what only refresh and sliding tokens can still be about; the database does not.
        let (this, claims) = (self.clone(), claims.clone());
        let dead = move |conn: &mut Conn| {
            let row = row_of(conn, &claims)?;
            if this.is_alive(conn, row.as_ref(), now)?.is_err() {
                return Ok(true);
            }
            let session = match claims.session() {
                Some(sid) => session::by_id(conn, sid)?,
                None => None,
            };
            Ok(session.is_some_and(|session| session.ended_at.is_some()))
        };
        self.db.read(dead).await
    }
}
