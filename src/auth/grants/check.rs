//! What is asked of every refresh and sliding token before it is honoured: is it spent, whose is it, which session's.

use crate::auth::grants::{Decision, Grants, record};
use crate::auth::token::{Claims, Kind, Refresh, Sliding, Subject};
use crate::auth::verdict::Reject;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::model::session::{self, Device, Ended, NewSession, Session, SessionId, SessionKind};
use crate::model::token::{self, OutstandingToken, Use};
use crate::model::user;

const NO_ACCOUNT: &str = "No active account found for the given token.";
const PASSWORD_CHANGED: &str = "The user's password has been changed.";

impl Grants {
    /// Row 6 of CONTRACT 6: blacklisted, or spent. A spent token that comes back was copied, and ends its session.
    pub(super) fn check_spent(&self, conn: &mut Conn, row: Option<&OutstandingToken>, now: Timestamp) -> Decision<()> {
        let Some(row) = row else { return Ok(Ok(())) };
        if token::is_blacklisted(conn, row.id)? {
            return Ok(Err(Reject::Blacklisted.into()));
        }
        if !self.is_spent(conn, row, now)? {
            return Ok(Ok(()));
        }
        if self.jwt.reuse_ends_session
            && let Ok(sid) = row.session_id.parse()
            && self.end_in(conn, sid, row.user_id, Ended::ReuseSeen, None, now)?
        {
            log::warn!("a spent refresh token came back: its session was ended (user {:?})", row.user_id);
        }
        Ok(Err(Reject::Blacklisted.into()))
    }

    pub(super) fn is_spent(&self, conn: &mut Conn, row: &OutstandingToken, now: Timestamp) -> Result<bool> {
        if !(self.jwt.rotate_refresh_tokens && self.jwt.blacklist_after_rotation) {
            return Ok(false);
        }
        let grace = self.jwt.parallel_refresh.then_some(self.jwt.rotation_grace);
        Ok(token::usage(conn, row, grace, now)? == Use::Spent)
    }

    /// The user of a refresh or sliding token, if it names one: known, active, of the same password and generation.
    pub(super) fn check_user(
        &self,
        conn: &mut Conn,
        claims: &Claims,
        row: Option<&OutstandingToken>,
        device: &Device,
        now: Timestamp,
    ) -> Decision<Option<i64>> {
        let id = match claims.user(&self.jwt.user_id_claim) {
            Subject::Missing | Subject::Nobody => return Ok(Ok(None)),
            Subject::Unknown => return Ok(Err(Error::unauthorized(NO_ACCOUNT))),
            Subject::User(id) => id,
        };
        let Some(user) = user::by_id(conn, id)?.filter(|user| user.is_active) else {
            return Ok(Err(Error::unauthorized(NO_ACCOUNT)));
        };
        if self.jwt.check_revoke_token
            && claims.text(&self.jwt.revoke_token_claim) != Some(&self.marks.of(id, user.password_generation))
        {
            let (row, ..) = self.on_record(conn, claims, row.cloned(), Some(id), device, now)?;
            token::blacklist(conn, row.id, Ended::PasswordChanged, None, now)?;
            return Ok(Err(Error::unauthorized(PASSWORD_CHANGED)));
        }
        let generation = claims.generation();
        if generation < i64::from(user.password_generation) {
            return Ok(Err(Error::unauthorized(PASSWORD_CHANGED)));
        }
        if generation < i64::from(user.generation) {
            return Ok(Err(Reject::Blacklisted.into()));
        }
        Ok(Ok(Some(id)))
    }

    /// The rows of a token and its session, made now for one that was made elsewhere.
    pub(super) fn on_record(
        &self,
        conn: &mut Conn,
        claims: &Claims,
        row: Option<OutstandingToken>,
        user: Option<i64>,
        device: &Device,
        now: Timestamp,
    ) -> Result<(OutstandingToken, Session, SessionId)> {
        let lost = || Error::internal("a token on record has lost its session");
        if let Some(row) = row {
            let sid = row.session_id.parse().map_err(|()| lost())?;
            let session = session::by_id(conn, sid)?.ok_or_else(lost)?;
            return Ok((row, session, sid));
        }
        let (Some(jti), Some(sid)) = (claims.jti(), claims.session()) else { return Err(Reject::NoId.into()) };
        if session::by_id(conn, sid)?.is_none() {
            let kind =
                if claims.text("token_type") == Some(Sliding::TYPE) { SessionKind::Sliding } else { SessionKind::Pair };
            let generation = claims.generation().try_into().unwrap_or(0);
            let expires = now + self.jwt.session_lifetime;
            session::start(conn, NewSession { id: sid, user, generation, kind, device, expires }, now)?;
        }
        let last = ["exp", "refresh_exp"].iter().filter_map(|name| claims.moment(name)).max().unwrap_or(now);
        let kind = claims.text("token_type").unwrap_or(Refresh::TYPE);
        record(conn, claims, sid, user, kind, None, (now, last))?;
        let row = token::by_jti(conn, jti)?.ok_or_else(lost)?;
        let session = session::by_id(conn, sid)?.ok_or_else(lost)?;
        Ok((row, session, sid))
    }
}
