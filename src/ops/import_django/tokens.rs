//! Tokens that are out: kept by their ids, so that a refresh here goes on, and what was blacklisted there is dead here.

use std::time::Duration;

use crate::auth::grants::Grants;
use crate::auth::token::{Kind, Refresh, Sliding};
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::model::change::{self, What};
use crate::model::session::{self, Device, Ended, NewSession, SessionId, SessionKind};
use crate::model::token::{self, NewOutstandingToken};
use crate::ops::sweeper::SLACK;
use crate::settings::Jwt;

use super::people::People;
use super::report::Report;
use super::source::Minted;

const LONGEST_JTI: usize = 255;

/// Takes tokens over.
#[derive(Clone)]
pub struct Tokens {
    /// Ends sessions.
    pub grants: Grants,
    /// Now.
    pub now: Timestamp,
    /// How long a session of a token made elsewhere goes on.
    pub session_lifetime: Duration,
    /// How long a sliding token lives after it was slid for the last time.
    pub sliding_lifetime: Duration,
}

impl Tokens {
    /// By these settings.
    pub fn new(grants: Grants, jwt: &Jwt, now: Timestamp) -> Self {
        let (session_lifetime, sliding_lifetime) = (jwt.session_lifetime, jwt.sliding_token_lifetime);
        Self { grants, now, session_lifetime, sliding_lifetime }
    }

    /// Takes a token over, unless that is done already or it is of no use any more.
    ///
    /// # Errors
    /// The database's.
    pub fn take(&self, conn: &mut Conn, minted: &Minted, people: &People, report: &mut Report) -> Result<()> {
        let Minted { id, jti, .. } = minted;
        let plain = !jti.is_empty() && jti.len() <= LONGEST_JTI && jti.bytes().all(|byte| byte.is_ascii_graphic());
        if !plain {
            report.tokens.refuse(format!("token {id}: its jti is none that a token here has"));
            return Ok(());
        }
        let Some(expires) = minted.expires else {
            report.tokens.refuse(format!("token {id}: it does not say when it expires"));
            return Ok(());
        };
        let says = |name: &str| minted.claims.as_ref().and_then(|claims| claims.moment(name));
        let slides = minted.claims.as_ref().and_then(|claims| claims.text("token_type")) == Some(Sliding::TYPE);
        // A sliding token keeps its id and gets later dates: its row there tells the first.
        let slid = says("refresh_exp").filter(|_| slides).map(|end| end + self.sliding_lifetime);
        let expires = expires.max(slid.unwrap_or(expires));
        if expires <= self.now - SLACK {
            report.expired += 1;
            return Ok(());
        }
        if let Some(known) = token::find(conn, jti)? {
            if minted.blacklisted.is_none() || known.is_blacklisted {
                report.tokens.here += 1;
                return Ok(());
            }
            report.tokens.taken += 1;
            report.blacklisted += 1;
            return if people.writes { self.end_known(conn, &known.token, known.token.sid()?) } else { Ok(()) };
        }
        let owner = minted.user.filter(|user| people.has(*user));
        if owner.is_none() && minted.blacklisted.is_none() {
            report.ownerless += 1;
            return Ok(());
        }
        report.tokens.taken += 1;
        report.blacklisted += usize::from(minted.blacklisted.is_some());
        if people.writes { self.insert(conn, minted, owner, slides, expires) } else { Ok(()) }
    }

    /// Ends what was refreshed here and blacklisted there.
    fn end_known(&self, conn: &mut Conn, known: &token::OutstandingToken, sid: SessionId) -> Result<()> {
        token::blacklist(conn, known.id, Ended::SignedOut, None, self.now)?;
        self.end_alone(conn, &known.jti, known.user_id, known.expires_at)?;
        self.grants.end_in(conn, sid, known.user_id, Ended::SignedOut, None, self.now).map(drop)
    }

    fn end_alone(&self, conn: &mut Conn, jti: &str, user: Option<i64>, expires: Timestamp) -> Result<()> {
        let what = What::Ended { session: SessionId::of_token(jti), user };
        change::append(conn, what, self.now, expires + SLACK)
    }

    fn insert(
        &self,
        conn: &mut Conn,
        minted: &Minted,
        owner: Option<i64>,
        slides: bool,
        expires: Timestamp,
    ) -> Result<()> {
        let (sid, created) = (SessionId::of_token(&minted.jti), minted.created.unwrap_or(self.now));
        if session::by_id(conn, sid)?.is_none() {
            let kind = if slides { SessionKind::Sliding } else { SessionKind::Pair };
            let (device, ends) = (&Device::default(), self.now + self.session_lifetime);
            // Its tokens carry no generation, which counts as the first.
            session::start(
                conn,
                NewSession { id: sid, user: owner, generation: 0, kind, device, expires: ends },
                created,
            )?;
        }
        let kind = if slides { Sliding::TYPE } else { Refresh::TYPE };
        let row = NewOutstandingToken {
            jti: &minted.jti,
            session_id: &sid.to_string(),
            user_id: owner,
            kind,
            kid: None,
            created_at: created,
            expires_at: expires,
        };
        token::insert(conn, &row)?;
        let Some(at) = minted.blacklisted else { return Ok(()) };
        let at = at.unwrap_or(self.now);
        let row = token::by_jti(conn, &minted.jti)?.ok_or_else(|| Error::internal("a token was not written"))?;
        token::blacklist(conn, row.id, Ended::SignedOut, None, at)?;
        session::end(conn, sid, Ended::SignedOut, None, at)?;
        // Nothing was made here of a refresh token that was not known. A sliding one opens the API by itself.
        if slides { self.end_alone(conn, &minted.jti, owner, expires) } else { Ok(()) }
    }
}
