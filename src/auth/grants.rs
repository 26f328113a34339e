//! Grants: sessions are begun, continued and ended here, and nowhere else.
//!
//! Each decision is one transaction. What it refuses is returned as a value and not as an error, since an error would undo
//! what the refusal itself writes: the end of a session whose spent token came back.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::auth::gate::PasswordMarks;
use crate::auth::principals::Principals;
use crate::auth::revocations::Revocations;
use crate::auth::signer::Signer;
use crate::auth::token::{self as tokens, Access, Claims, Common, Kind, Refresh, Sliding, Subject, Token};
use crate::auth::verdict::Reject;
use crate::clock::{Clock, Timestamp};
use crate::db::{Conn, Db};
use crate::error::{Error, Result};
use crate::model::change::{self, What};
use crate::model::session::{self, Device, Ended, Session, SessionId, SessionKind};
use crate::model::token::{self, NewOutstandingToken, OutstandingToken, Use};
use crate::model::user::{self, User};
use crate::settings::{Jwt, TokenClaim};

/// Begins, continues and ends sessions. Cheap to clone.
#[derive(Clone)]
pub struct Grants {
    db: Db,
    clock: Clock,
    signer: Signer,
    marks: PasswordMarks,
    principals: Arc<Principals>,
    revocations: Arc<Revocations>,
    jwt: Arc<Jwt>,
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

/// How often a session's last use is written, at most.
const SEEN_EVERY: Duration = Duration::from_secs(60);

const NO_ACCOUNT: &str = "No active account found for the given token.";
const PASSWORD_CHANGED: &str = "The user's password has been changed.";

impl Grants {
    /// Grants over these parts.
    pub fn new(
        db: Db,
        clock: Clock,
        signer: Signer,
        marks: PasswordMarks,
        principals: Arc<Principals>,
        revocations: Arc<Revocations>,
        jwt: Arc<Jwt>,
    ) -> Self {
        Self { db, clock, signer, marks, principals, revocations, jwt }
    }

    /// Begins a session with a refresh and an access token, inside the caller's transaction.
    ///
    /// # Errors
    /// The database's.
    pub fn begin_pair(&self, conn: &mut Conn, user: &User, device: &Device, now: Timestamp) -> Result<Unsigned> {
        let sid = SessionId::random()?;
        let end = now + self.jwt.session_lifetime;
        let exp = (now + self.jwt.refresh_token_lifetime).min(end);
        let refresh = Token::<Refresh>::first(self.common(conn, user, sid)?, now, exp)?;
        session::start(conn, sid, Some(user.id), SessionKind::Pair, device, now, end)?;
        record(conn, refresh.claims(), sid, Some(user.id), Refresh::TYPE, now, exp)?;
        let access = refresh.access(now, self.access_exp(now, end))?;
        Ok((refresh, access))
    }

    /// Begins a session with a sliding token, inside the caller's transaction.
    ///
    /// # Errors
    /// The database's.
    pub fn begin_sliding(
        &self,
        conn: &mut Conn,
        user: &User,
        device: &Device,
        now: Timestamp,
    ) -> Result<Token<Sliding>> {
        let sid = SessionId::random()?;
        let end = now + self.jwt.session_lifetime;
        let refresh_exp = (now + self.jwt.sliding_token_refresh_lifetime).min(end);
        let mut common = self.common(conn, user, sid)?;
        // The tutorial's serializer adds custom claims to pairs alone (CONTRACT 5).
        for name in &self.jwt.token_claims {
            common.more.remove(name.name());
        }
        let token = Token::<Sliding>::first(common, now, (now + self.jwt.sliding_token_lifetime).min(end), refresh_exp)?;
        session::start(conn, sid, Some(user.id), SessionKind::Sliding, device, now, end)?;
        // Its last form may outlive the end of its sliding by one lifetime.
        let last = refresh_exp + self.jwt.sliding_token_lifetime;
        record(conn, token.claims(), sid, Some(user.id), Sliding::TYPE, now, last)?;
        Ok(token)
    }

    /// Notes a sign-in on the account, where `jwt.update_last_login` asks for it.
    ///
    /// # Errors
    /// The database's.
    pub fn note_login(&self, conn: &mut Conn, user: i64, now: Timestamp) -> Result<()> {
        if self.jwt.update_last_login { user::touch_last_login(conn, user, now) } else { Ok(()) }
    }

    /// Signs the tokens of a new session.
    ///
    /// # Errors
    /// [`Error::Internal`] if the key cannot sign.
    pub fn sign_pair(&self, (refresh, access): &Unsigned) -> Result<Pair> {
        Ok(Pair { refresh: self.signer.sign(refresh)?, access: self.signer.sign(access)? })
    }

    /// Signs one token.
    ///
    /// # Errors
    /// [`Error::Internal`] if the key cannot sign.
    pub fn sign<K: Kind>(&self, token: &Token<K>) -> Result<String> {
        self.signer.sign(token)
    }

    /// Exchanges a refresh token for an access token and, with rotation, its successor (CONTRACT 6, 9, 21).
    ///
    /// # Errors
    /// 401 with the reason.
    pub async fn refresh(&self, text: &str, device: Device) -> Result<Refreshed> {
        let now = self.clock.now();
        let claims = self.signer.verify(text, now)?;
        let this = self.clone();
        let (access, successor) = self.db.write(move |conn| this.exchange(conn, claims, &device, now)).await??;
        Ok(Refreshed {
            access: self.signer.sign(&access)?,
            refresh: successor.map(|token| self.signer.sign(&token)).transpose()?,
        })
    }

    fn exchange(
        &self,
        conn: &mut Conn,
        claims: Claims,
        device: &Device,
        now: Timestamp,
    ) -> Decision<(Token<Access>, Option<Token<Refresh>>)> {
        let row = row_of(conn, &claims)?;
        if let Err(dead) = self.check_spent(conn, row.as_ref(), now)? {
            return Ok(Err(dead));
        }
        let given = match Token::<Refresh>::from_verified(claims) {
            Ok(token) => token,
            Err(reject) => return Ok(Err(reject.into())),
        };
        let user = match self.check_user(conn, given.claims(), row.as_ref(), device, now)? {
            Ok(user) => user,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let (row, session, sid) = self.on_record(conn, given.claims(), row, user, device, now)?;
        if session.ended_at.is_some() {
            return Ok(Err(Reject::Blacklisted.into()));
        }
        if session.expires_at <= now {
            return Ok(Err(Reject::Expired.into()));
        }
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
            Err(refusal) => Ok(Err(refusal)),
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
        let heir = |row: &OutstandingToken| match (&row.successor, row.successor_iat, row.successor_exp) {
            (Some(jti), Some(iat), Some(exp)) => Some(given.successor(jti, iat, exp)),
            _ => None,
        };
        if self.jwt.blacklist_after_rotation
            && let Some(successor) = heir(row)
        {
            return Ok(Ok(successor));
        }
        let jti = tokens::new_jti()?;
        if self.jwt.blacklist_after_rotation && !token::set_successor(conn, row.id, &jti, now, exp, now)? {
            // Another refresh came between, which only PostgreSQL allows: its successor stands.
            let fresh = token::by_jti(conn, &row.jti)?;
            return Ok(match fresh.as_ref().and_then(heir) {
                Some(successor) if self.jwt.parallel_refresh => Ok(successor),
                _ => Err(Reject::Blacklisted.into()),
            });
        }
        let successor = given.successor(&jti, now, exp);
        record(conn, successor.claims(), sid, row.user_id, Refresh::TYPE, now, exp)?;
        Ok(Ok(successor))
    }

    /// Row 6 of CONTRACT 6: blacklisted, or spent. A spent token that comes back was copied, and ends its session.
    fn check_spent(&self, conn: &mut Conn, row: Option<&OutstandingToken>, now: Timestamp) -> Decision<()> {
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

    fn is_spent(&self, conn: &mut Conn, row: &OutstandingToken, now: Timestamp) -> Result<bool> {
        if !(self.jwt.rotate_refresh_tokens && self.jwt.blacklist_after_rotation) {
            return Ok(false);
        }
        let grace = self.jwt.parallel_refresh.then_some(self.jwt.rotation_grace);
        Ok(token::usage(conn, row, grace, now)? == Use::Spent)
    }

    /// The user of a refresh or sliding token, if it names one: known, active, of the same password and generation.
    fn check_user(
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
    fn on_record(
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
            session::start(conn, sid, user, kind, device, now, now + self.jwt.session_lifetime)?;
        }
        let last = ["exp", "refresh_exp"].iter().filter_map(|name| claims.moment(name)).max().unwrap_or(now);
        let kind = claims.text("token_type").unwrap_or(Refresh::TYPE);
        record(conn, claims, sid, user, kind, now, last)?;
        let row = token::by_jti(conn, jti)?.ok_or_else(lost)?;
        let session = session::by_id(conn, sid)?.ok_or_else(lost)?;
        Ok((row, session, sid))
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
        self.signer.sign(&slid)
    }

    fn slide_in(&self, conn: &mut Conn, claims: Claims, device: &Device, now: Timestamp) -> Decision<Token<Sliding>> {
        let row = row_of(conn, &claims)?;
        if let Some(row) = &row
            && token::is_blacklisted(conn, row.id)?
        {
            return Ok(Err(Reject::Blacklisted.into()));
        }
        let given = match Token::<Sliding>::from_verified(claims) {
            Ok(token) => token,
            Err(reject) => return Ok(Err(reject.into())),
        };
        if let Err(refusal) = self.check_user(conn, given.claims(), row.as_ref(), device, now)? {
            return Ok(Err(refusal));
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

    fn revoke_in(&self, conn: &mut Conn, claims: Claims, device: &Device, now: Timestamp) -> Decision<()> {
        let row = row_of(conn, &claims)?;
        if let Err(dead) = self.check_spent(conn, row.as_ref(), now)? {
            return Ok(Err(dead));
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
        if session.ended_at.is_some() {
            return Ok(Err(Reject::Blacklisted.into()));
        }
        token::blacklist(conn, row.id, Ended::SignedOut, None, now)?;
        // The id is dead by itself too: another token may carry it without naming the session.
        let alone = What::Ended { session: SessionId::of_token(&row.jti), user };
        change::append(conn, alone, now, self.until(now).max(row.expires_at + CLOCK_SLACK))?;
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
        if !session::end(conn, sid, why, by, now)? {
            return Ok(false);
        }
        token::blacklist_session(conn, sid, why, by, now)?;
        change::append(conn, What::Ended { session: sid, user }, now, self.until(now))?;
        Ok(true)
    }

    /// Ends all sessions of a user inside the caller's transaction; returns how many were live.
    ///
    /// # Errors
    /// The database's.
    pub fn end_all_in(&self, conn: &mut Conn, user: i64, why: Ended, by: Option<i64>, now: Timestamp) -> Result<usize> {
        user::raise_generation(conn, user)?;
        let ended = session::end_all(conn, user, why, by, now)?;
        self.changed_in(conn, user, now)?;
        Ok(ended)
    }

    /// Says inside the caller's transaction that a user's flags, roles, password or generation have changed.
    ///
    /// # Errors
    /// The database's.
    pub fn changed_in(&self, conn: &mut Conn, user: i64, now: Timestamp) -> Result<()> {
        change::append(conn, What::User(user), now, self.until(now))
    }

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

    async fn is_dead(&self, claims: &Claims, now: Timestamp) -> Result<bool> {
        let ids = [claims.sid(), claims.jti().map(SessionId::of_token)];
        if ids.into_iter().flatten().any(|id| self.revocations.covers(id)) {
            return Ok(true);
        }
        if let Some(id) = claims.user(&self.jwt.user_id_claim).id()
            && let Some(state) = self.principals.of(id).await?
            && claims.generation() < i64::from(state.generation)
        {
            return Ok(true);
        }
        // Memory forgets what only refresh and sliding tokens can still be about; the database does not.
        let (this, claims) = (self.clone(), claims.clone());
        let dead = move |conn: &mut Conn| {
            if let Some(row) = row_of(conn, &claims)?
                && (token::is_blacklisted(conn, row.id)? || this.is_spent(conn, &row, now)?)
            {
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

    fn common(&self, conn: &mut Conn, user: &User, sid: SessionId) -> Result<Common> {
        let wanted = &self.jwt.token_claims;
        let needs_roles = wanted.iter().any(|name| matches!(name, TokenClaim::Roles | TokenClaim::UserRole));
        let roles = if needs_roles { user::role_names(conn, user.id)? } else { Vec::new() };
        let mut more = self.signer.standing_claims();
        if self.jwt.check_revoke_token {
            more.insert(self.jwt.revoke_token_claim.clone(), self.marks.of(user.id, user.password_generation).into());
        }
        more.extend(tokens::custom_claims(wanted, user, &roles));
        Ok(Common {
            // A string, as simplejwt has it since 5.5.1.
            user_claim: (self.jwt.user_id_claim.clone(), user.id.to_string().into()),
            sid,
            generation: user.generation,
            more,
        })
    }

    fn access_exp(&self, now: Timestamp, end: Timestamp) -> Timestamp {
        (now + self.jwt.access_token_lifetime).min(end)
    }

    /// When the last access or sliding token of a session that ends now has expired, by any clock.
    fn until(&self, now: Timestamp) -> Timestamp {
        now + self.jwt.access_token_lifetime.max(self.jwt.sliding_token_lifetime) + CLOCK_SLACK
    }
}

fn row_of(conn: &mut Conn, claims: &Claims) -> Result<Option<OutstandingToken>> {
    match claims.jti() {
        Some(jti) => token::by_jti(conn, jti),
        None => Ok(None),
    }
}

fn record(
    conn: &mut Conn,
    claims: &Claims,
    sid: SessionId,
    user: Option<i64>,
    kind: &str,
    now: Timestamp,
    expires: Timestamp,
) -> Result<()> {
    let jti = claims.jti().ok_or(Reject::NoId)?;
    let session_id = &sid.to_string();
    let row = NewOutstandingToken { jti, session_id, user_id: user, kind, created_at: now, expires_at: expires };
    token::insert(conn, &row)
}
