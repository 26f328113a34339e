//! How a session goes on: a refresh token is exchanged, a sliding one slid.

use std::time::Duration;

use crate::auth::grants::check::refusal;
use crate::auth::grants::{Decision, Grants, Refreshed, record, row_of};
use crate::auth::token::{self as tokens, Access, Claims, Kind, Refresh, Sliding, Token};
use crate::auth::verdict::Reject;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::model::session::{self, Device, SessionId};
use crate::model::token::{self, OutstandingToken};
use crate::throttle::Subject;

/// How often a session's last use is written, at most.
const SEEN_EVERY: Duration = Duration::from_secs(60);

/// A successor that is given again within this time is the same to the letter; later its dates are new, and its id the same.
const RENEWED_AFTER: Duration = Duration::from_secs(60);

impl Grants {
    /// Exchanges a refresh token for an access token and, with rotation, its successor (CONTRACT 6, 9, 21).
    ///
    /// # Errors
    /// 401 with the reason.
    pub async fn refresh(&self, text: &str, device: Device) -> Result<Refreshed> {
        let now = self.clock.now();
        let claims = self.signer.verify(text, now)?;
        let this = self.clone();
        let (access, successor) = self.db.write(move |conn| this.exchange(conn, claims, &device, now)).await??;
        Ok(Refreshed { access: self.sign(&access)?, refresh: successor.map(|token| self.sign(&token)).transpose()? })
    }

    fn exchange(
        &self,
        conn: &mut Conn,
        claims: Claims,
        device: &Device,
        now: Timestamp,
    ) -> Decision<(Token<Access>, Option<Token<Refresh>>)> {
        let standing = match self.refresh_verdict(conn, &claims, now)? {
            Ok(standing) => standing,
            Err((reject, row)) => {
                self.follow_up(conn, reject, &claims, row, device, now)?;
                return Ok(Err(refusal(reject)));
            }
        };
        if let Some(user) = standing.user {
            self.holds.admit(&Subject::User(user), now)?;
        }
        let given = Token::<Refresh>::from_verified(claims)?;
        let (row, session, sid) = self.on_record(conn, given.claims(), standing.row, standing.user, device, now)?;
        if now.since(session.last_seen_at) >= SEEN_EVERY {
            session::touch(conn, sid, now)?;
        }
        let given = given.in_session(sid);
        let access = given.access(now, self.access_exp(now, session.expires_at))?;
        if !self.jwt.rotate_refresh_tokens {
            return Ok(Ok((access, None)));
        }
        let exp = (now + self.jwt.refresh_token_lifetime).min(session.expires_at);
        match self.successor(conn, &given, &row, sid, now, exp)? {
            Ok(successor) => Ok(Ok((access, Some(successor)))),
            Err(error) => Ok(Err(error)),
        }
    }

    /// The successor of a live token: the one it has, or a new one.
    fn successor(
        &self,
        conn: &mut Conn,
        given: &Token<Refresh>,
        row: &OutstandingToken,
        sid: SessionId,
        now: Timestamp,
        exp: Timestamp,
    ) -> Decision<Token<Refresh>> {
        if self.jwt.blacklist_after_rotation
            && let (Some(jti), Some(first), Some(last)) = (&row.successor, row.successor_iat, row.successor_exp)
        {
            // Who asks long after has missed the first answer, and must not be given what is near its end.
            let late = now.since(first) >= RENEWED_AFTER && token::renew_successor(conn, row.id, jti, now, exp)?;
            return Ok(Ok(if late { given.successor(jti, now, exp) } else { given.successor(jti, first, last) }));
        }
        let jti = tokens::new_jti()?;
        if self.jwt.blacklist_after_rotation && !token::set_successor(conn, row.id, &jti, now, exp, now)? {
            return Err(Error::internal("a token has got a successor in the middle of a transaction"));
        }
        let successor = given.successor(&jti, now, exp);
        let ring = self.signer.ring();
        record(conn, successor.claims(), sid, row.user_id, Refresh::TYPE, ring.active().kid(), (now, exp))?;
        Ok(Ok(successor))
    }

    /// Slides a sliding token: the same token with later dates (CONTRACT 6).
    ///
    /// # Errors
    /// 401 with the reason.
    pub async fn slide(&self, text: &str, device: Device) -> Result<String> {
        let now = self.clock.now();
        let claims = self.signer.verify(text, now)?;
        let this = self.clone();
        let slid = self.db.write(move |conn| this.slide_in(conn, claims, &device, now)).await??;
        self.sign(&slid)
    }

    fn slide_in(&self, conn: &mut Conn, claims: Claims, device: &Device, now: Timestamp) -> Decision<Token<Sliding>> {
        let row = row_of(conn, &claims)?;
        if row.as_ref().is_some_and(|row| row.is_blacklisted) {
            return Ok(Err(Reject::Blacklisted.into()));
        }
        let given = match Token::<Sliding>::from_verified(claims) {
            Ok(token) => token,
            Err(reject) => return Ok(Err(reject.into())),
        };
        if let Err(reject) = self.owner(conn, given.claims(), row.as_ref())? {
            self.follow_up(conn, reject, given.claims(), row, device, now)?;
            return Ok(Err(refusal(reject)));
        }
        if let Some(user) = row.as_ref().and_then(|row| row.token.user_id) {
            self.holds.admit(&Subject::User(user), now)?;
        }
        let session = match given.claims().session() {
            Some(sid) => session::by_id(conn, sid)?,
            None => None,
        };
        if session.as_ref().is_some_and(|session| session.ended_at.is_some()) {
            return Ok(Err(Reject::Blacklisted.into()));
        }
        let end = match given.claims().get("refresh_exp").map(|_| given.claims().moment("refresh_exp")) {
            None => return Ok(Err(Reject::NoRefreshExp.into())),
            Some(None) => return Ok(Err(Reject::Payload.into())),
            Some(Some(end)) => end,
        };
        if self.signer.has_passed(end, now) {
            return Ok(Err(Reject::RefreshExpired.into()));
        }
        let last = session.map_or(now + self.jwt.session_lifetime, |session| session.expires_at);
        Ok(Ok(given.slid(now, (now + self.jwt.sliding_token_lifetime).min(last))))
    }
}
