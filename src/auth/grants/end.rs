//! How a session ends: by its own token, by an administrator, or with all others of its user.

use crate::auth::grants::{CLOCK_SLACK, Decision, Grants, row_of};
use crate::auth::token::{Claims, Refresh, Token};
use crate::auth::verdict::Reject;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::Result;
use crate::model::audit::{Audit, Object};
use crate::model::change::{self, What};
use crate::model::session::{self, Device, Ended, SessionId};
use crate::model::token::OutstandingToken;
use crate::model::{token, user};
use crate::settings::TokenClass;

impl Grants {
    /// Ends the session of a refresh token: blacklist and logout. Who holds the token may.
    ///
    /// # Errors
    /// 401 if it is no live refresh token.
    pub async fn revoke(&self, text: &str, device: Device) -> Result<()> {
        let now = self.clock.now();
        let claims = self.signer.verify(text, now)?;
        let this = self.clone();
        self.db.write(move |conn| this.revoke_in(conn, claims, &device, now)).await?
    }

    /// Ends the session of any token of ours (RFC 7009 §2): what is no token of ours, or is dead already, is left as it is.
    ///
    /// # Errors
    /// The database's.
    pub async fn revoke_any(&self, text: &str, by: i64, audit: Audit) -> Result<()> {
        let now = self.clock.now();
        let Ok(claims) = self.signer.verify(text, now) else { return Ok(()) };
        let this = self.clone();
        let ended = move |conn: &mut Conn| {
            let user = match claims.user(&this.jwt.user_id_claim).id() {
                Some(id) => user::by_id(conn, id)?,
                None => None,
            };
            let (user, name) = user.map(|user| (user.id, user.username)).unzip();
            let audit = audit.on(Object::new("token", claims.jti().unwrap_or_default(), name.unwrap_or_default()));
            if let Some(sid) = claims.session()
                && this.end_in(conn, sid, user, Ended::ByAdmin, Some(by), now)?
            {
                return audit.append(conn);
            }
            // No session on record: a token that was made elsewhere ends by its own id.
            let (Some(jti), Some(exp)) = (claims.jti(), claims.moment("exp")) else { return Ok(()) };
            audit.append(conn)?;
            let alone = What::Ended { session: SessionId::of_token(jti), user };
            change::append(conn, alone, now, this.until(now).max(exp + CLOCK_SLACK))
        };
        self.db.write(ended).await
    }

    fn revoke_in(&self, conn: &mut Conn, claims: Claims, device: &Device, now: Timestamp) -> Decision<()> {
        let row = row_of(conn, &claims)?;
        if let Err(reject) = self.is_alive(conn, row.as_ref(), now)? {
            self.follow_up(conn, reject, &claims, row, device, now)?;
            return Ok(Err(reject.into()));
        }
        let given = match Token::<Refresh>::from_verified(claims) {
            Ok(token) => token.into_claims(),
            Err(reject) => return Ok(Err(reject.into())),
        };
        let user = match given.user(&self.jwt.user_id_claim).id() {
            Some(id) => user::by_id(conn, id)?.map(|user| user.id),
            None => None,
        };
        let (row, session, sid) = self.on_record(conn, &given, row, user, device, now)?;
        // What ended with all of its user's sessions can be blacklisted nevertheless, once: the contract asks no user here.
        let ended = if session.ended_at.is_some() { session::by_id(conn, sid)? } else { None };
        if ended.is_some_and(|session| session.has_ended_alone()) {
            return Ok(Err(Reject::Blacklisted.into()));
        }
        token::blacklist(conn, row.id, Ended::SignedOut, None, now)?;
        // The id is dead by itself too: another token may carry it without naming the session. A sliding one may live as
        // long as this token would have.
        let slides = self.jwt.auth_token_classes.contains(&TokenClass::Sliding);
        let longest = if slides { row.expires_at + CLOCK_SLACK } else { now };
        let alone = What::Ended { session: SessionId::of_token(&row.jti), user };
        change::append(conn, alone, now, self.until(now).max(longest))?;
        self.end_in(conn, sid, user, Ended::SignedOut, None, now)?;
        Ok(Ok(()))
    }

    /// Ends a session inside the caller's transaction; `false` if it had ended before.
    ///
    /// # Errors
    /// The database's.
    pub fn end_in(
        &self,
        conn: &mut Conn,
        sid: SessionId,
        user: Option<i64>,
        why: Ended,
        by: Option<i64>,
        now: Timestamp,
    ) -> Result<bool> {
        let is_over = session::end(conn, sid, why, by, now)?;
        if is_over {
            self.ended_in(conn, sid, user, why, by, now)?;
        }
        Ok(is_over)
    }

    /// What follows the end of a session, inside the caller's transaction: its tokens are dead, and everybody is told.
    ///
    /// # Errors
    /// The database's.
    pub fn ended_in(
        &self,
        conn: &mut Conn,
        sid: SessionId,
        user: Option<i64>,
        why: Ended,
        by: Option<i64>,
        now: Timestamp,
    ) -> Result<()> {
        token::blacklist_session(conn, sid, why, by, now)?;
        change::append(conn, What::Ended { session: sid, user }, now, self.until(now))
    }

    /// Puts one refresh token on the blacklist inside the caller's transaction and leaves its session be: the session cannot
    /// be continued by it, and access tokens go on until they expire. `false` if it was there already.
    ///
    /// # Errors
    /// The database's.
    pub fn revoke_alone_in(&self, conn: &mut Conn, row: &OutstandingToken, by: i64, now: Timestamp) -> Result<bool> {
        // No entry in the change log: whoever takes a refresh token asks the database about it.
        token::blacklist(conn, row.id, Ended::ByAdmin, Some(by), now)
    }

    /// Ends all sessions of a user inside the caller's transaction, by one number; returns how many were live.
    ///
    /// # Errors
    /// The database's.
    pub fn end_all_in(&self, conn: &mut Conn, user: i64, now: Timestamp) -> Result<usize> {
        let ended = session::count_live(conn, user, now)?;
        user::raise_generation(conn, user)?;
        self.all_ended_in(conn, user, Ended::Everywhere, now)?;
        Ok(ended)
    }

    /// Stores a new password's hash and ends all sessions, inside the caller's transaction; returns how many were live.
    ///
    /// # Errors
    /// The database's.
    pub fn set_password_in(&self, conn: &mut Conn, user: i64, hash: &str, now: Timestamp) -> Result<usize> {
        let ended = session::count_live(conn, user, now)?;
        user::set_password(conn, user, hash, now)?;
        self.all_ended_in(conn, user, Ended::PasswordChanged, now)?;
        Ok(ended)
    }

    /// Switches an account on or off inside the caller's transaction. Off ends all its sessions, on again revives none;
    /// returns how many were live.
    ///
    /// # Errors
    /// The database's.
    pub fn set_active_in(&self, conn: &mut Conn, user: i64, active: bool, now: Timestamp) -> Result<usize> {
        let ended = if active { 0 } else { session::count_live(conn, user, now)? };
        user::set_active(conn, user, active, now)?;
        match active {
            true => self.changed_in(conn, user, now)?,
            false => self.all_ended_in(conn, user, Ended::Everywhere, now)?,
        }
        Ok(ended)
    }

    /// Says that a user's generation was raised: to whoever follows the changes, and in the rows of what that ended.
    fn all_ended_in(&self, conn: &mut Conn, user: i64, why: Ended, now: Timestamp) -> Result<()> {
        session::end_all(conn, user, why, now)?;
        token::revoke_user(conn, user)?;
        self.changed_in(conn, user, now)
    }

    /// Says inside the caller's transaction that a user's flags, roles, password or generation have changed.
    ///
    /// # Errors
    /// The database's.
    pub fn changed_in(&self, conn: &mut Conn, user: i64, now: Timestamp) -> Result<()> {
        change::append(conn, What::User(user), now, self.until(now))
    }
}
