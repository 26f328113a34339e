//! What is asked of every refresh and sliding token before it is honoured: is it spent, whose is it, which session's.

use crate::auth::grants::{Grants, record, row_of};
use crate::auth::token::{Claims, Kind, Refresh, Sliding, Subject, Token};
use crate::auth::verdict::Reject;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::model::session::{self, Course, Device, Ended, NewSession, SessionId, SessionKind};
use crate::model::sign_in::{self, How, NewSignIn, Outcome};
use crate::model::token::{self, Found, OutstandingToken, Use};
use crate::model::user;

/// What the refresh views answer: about the user in their own words and without a code (CONTRACT 6, 17).
pub(super) fn refusal(reject: Reject) -> Error {
    match reject {
        Reject::UnknownUser | Reject::InactiveUser => {
            Error::unauthorized("No active account found for the given token.")
        }
        Reject::Unmarked | Reject::PasswordChanged => Error::unauthorized(Reject::PasswordChanged.message()),
        reject => reject.into(),
    }
}

/// What is on record of a refresh token that is good: no row, if it was made elsewhere.
pub(super) struct Standing {
    pub row: Option<Found>,
    pub user: Option<i64>,
}

impl Grants {
    /// Row 6 of CONTRACT 6: a token that was blacklisted, or is spent.
    pub(super) fn is_alive(&self, conn: &mut Conn, row: Option<&Found>, now: Timestamp) -> Result<Result<(), Reject>> {
        let Some(row) = row else { return Ok(Ok(())) };
        if row.is_blacklisted {
            return Ok(Err(Reject::Blacklisted));
        }
        if !(self.jwt.rotate_refresh_tokens && self.jwt.blacklist_after_rotation) {
            return Ok(Ok(()));
        }
        let grace = self.jwt.parallel_refresh.then_some(self.jwt.rotation_grace);
        Ok(match token::usage(conn, &row.token, grace, now)? {
            Use::Live => Ok(()),
            Use::Spent => Err(Reject::Spent),
        })
    }

    /// The user of a refresh or sliding token, if it names one: known, active, of the same password and generation.
    pub(super) fn owner(
        &self,
        conn: &mut Conn,
        claims: &Claims,
        row: Option<&Found>,
    ) -> Result<Result<Option<i64>, Reject>> {
        let id = match claims.user(&self.jwt.user_id_claim) {
            Subject::Missing | Subject::Nobody => return Ok(Ok(None)),
            Subject::Unknown => return Ok(Err(Reject::UnknownUser)),
            Subject::User(id) => id,
        };
        let known = row.and_then(|row| row.owner.as_ref()).filter(|owner| owner.id == id);
        let user = match known {
            Some(owner) => Some(*owner),
            None => user::owner(conn, id)?,
        };
        let Some(user) = user else { return Ok(Err(Reject::UnknownUser)) };
        let marked = || claims.text(&self.jwt.revoke_token_claim) == Some(&self.marks.of(id, user.password_generation));
        let generation = claims.generation();
        Ok(if !user.is_active {
            Err(Reject::InactiveUser)
        } else if self.jwt.check_revoke_token && !marked() {
            Err(Reject::Unmarked)
        } else if generation < i64::from(user.password_generation) {
            Err(Reject::PasswordChanged)
        } else if generation < i64::from(user.generation) {
            Err(Reject::Blacklisted)
        } else {
            Ok(Some(id))
        })
    }

    /// The session, unless it is over.
    pub(super) fn is_going_on(session: Course, now: Timestamp) -> Result<(), Reject> {
        if session.ended_at.is_some() {
            return Err(Reject::SessionEnded);
        }
        if session.expires_at <= now { Err(Reject::Expired) } else { Ok(()) }
    }

    /// All that is asked of a refresh token, in the order of CONTRACT 21, with nothing written: a refresh and whoever only
    /// looks are told the same. A refusal comes with the token's row, for what follows from it.
    ///
    /// # Errors
    /// The database's.
    pub(super) fn refresh_verdict(
        &self,
        conn: &mut Conn,
        claims: &Claims,
        now: Timestamp,
    ) -> Result<Result<Standing, (Reject, Option<Found>)>> {
        let row = row_of(conn, claims)?;
        if let Err(reject) = self.is_alive(conn, row.as_ref(), now)? {
            return Ok(Err((reject, row)));
        }
        if let Err(reject) = Token::<Refresh>::check(claims) {
            return Ok(Err((reject, row)));
        }
        let user = match self.owner(conn, claims, row.as_ref())? {
            Ok(user) => user,
            Err(reject) => return Ok(Err((reject, row))),
        };
        let session = match (&row, claims.session()) {
            (Some(row), _) => Some(row.session),
            (None, Some(sid)) => session::by_id(conn, sid)?.as_ref().map(Course::from),
            (None, None) => None,
        };
        match session.map_or(Ok(()), |session| Self::is_going_on(session, now)) {
            Ok(()) => Ok(Ok(Standing { row, user })),
            Err(reject) => Ok(Err((reject, row))),
        }
    }

    /// What a refusal brings with it: a spent token that comes back was copied, and ends its session; a token that lacks its
    /// password's mark is blacklisted, as simplejwt's main branch does.
    pub(super) fn follow_up(
        &self,
        conn: &mut Conn,
        reject: Reject,
        claims: &Claims,
        row: Option<Found>,
        device: &Device,
        now: Timestamp,
    ) -> Result<()> {
        match (reject, row) {
            (Reject::Spent, Some(row)) if self.jwt.reuse_ends_session => {
                let user = row.token.user_id;
                if self.end_in(conn, row.token.sid()?, user, Ended::ReuseSeen, None, now)? {
                    log::warn!("a spent refresh token came back: its session was ended (user {user:?})");
                    let (outcome, how, device) = (Outcome::Reused, How::Refresh, device.clone());
                    let name_digest = String::new();
                    sign_in::insert(conn, &NewSignIn { at: now, user, name_digest, outcome, how, device, times: 1 })?;
                }
                Ok(())
            }
            (Reject::Unmarked, row) => {
                let user = claims.user(&self.jwt.user_id_claim).id();
                let (row, ..) = self.on_record(conn, claims, row, user, device, now)?;
                token::blacklist(conn, row.id, Ended::PasswordChanged, None, now).map(drop)
            }
            _ => Ok(()),
        }
    }

    /// The rows of a token and its session, made now for one that was made elsewhere.
    pub(super) fn on_record(
        &self,
        conn: &mut Conn,
        claims: &Claims,
        row: Option<Found>,
        user: Option<i64>,
        device: &Device,
        now: Timestamp,
    ) -> Result<(OutstandingToken, Course, SessionId)> {
        let lost = || Error::internal("a token on record has lost its session");
        if let Some(Found { token, session, .. }) = row {
            let sid = token.sid()?;
            return Ok((token, session, sid));
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
        Ok((row, Course::from(&session), sid))
    }
}
