//! How a session begins: its first tokens, and what they say of their user.

use crate::auth::grants::{Grants, Unsigned, record};
use crate::auth::token::{self as tokens, Common, Kind, Refresh, Sliding, Token};
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::Result;
use crate::model::session::{self, Device, NewSession, SessionId, SessionKind};
use crate::model::user::{self, User};
use crate::settings::TokenClaim;

impl Grants {
    /// Begins a session with a refresh and an access token, inside the caller's transaction.
    ///
    /// # Errors
    /// The database's.
    pub fn begin_pair(&self, conn: &mut Conn, user: &User, device: &Device, now: Timestamp) -> Result<Unsigned> {
        let sid = SessionId::random()?;
        let end = now + self.jwt.session_lifetime;
        let exp = (now + self.jwt.refresh_token_lifetime).min(end);
        let refresh = Token::<Refresh>::first(self.common(conn, user, sid)?, now, exp)?;
        session::start(
            conn,
            NewSession {
                id: sid,
                user: Some(user.id),
                generation: user.generation,
                kind: SessionKind::Pair,
                device,
                expires: end,
            },
            now,
        )?;
        let ring = self.signer.ring();
        record(conn, refresh.claims(), sid, Some(user.id), Refresh::TYPE, ring.active().kid(), (now, exp))?;
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
        let token =
            Token::<Sliding>::first(common, now, (now + self.jwt.sliding_token_lifetime).min(end), refresh_exp)?;
        session::start(
            conn,
            NewSession {
                id: sid,
                user: Some(user.id),
                generation: user.generation,
                kind: SessionKind::Sliding,
                device,
                expires: end,
            },
            now,
        )?;
        // Its last form may outlive the end of its sliding by one lifetime.
        let last = refresh_exp + self.jwt.sliding_token_lifetime;
        let ring = self.signer.ring();
        record(conn, token.claims(), sid, Some(user.id), Sliding::TYPE, ring.active().kid(), (now, last))?;
        Ok(token)
    }

    /// Notes a sign-in on the account, where `jwt.update_last_login` asks for it.
    ///
    /// # Errors
    /// The database's.
    pub fn note_login(&self, conn: &mut Conn, user: i64, now: Timestamp) -> Result<()> {
        if self.jwt.update_last_login { user::touch_last_login(conn, user, now) } else { Ok(()) }
    }

    fn common(&self, conn: &mut Conn, user: &User, sid: SessionId) -> Result<Common> {
        let wanted = &self.jwt.token_claims;
        let needs_roles = wanted.iter().any(|name| matches!(name, TokenClaim::Roles | TokenClaim::UserRole));
        let roles = if needs_roles { user::role_names(conn, user.id)? } else { Vec::new() };
        let mut more = self.signer.standing_claims();
        if self.jwt.check_revoke_token {
            more.insert(self.jwt.revoke_token_claim.clone(), self.marks.of(user.id, user.password_generation).into());
        }
        more.extend(self.jwt.static_claims.clone());
        more.extend(tokens::custom_claims(wanted, user, &roles));
        let id = if self.jwt.user_id_as_number { user.id.into() } else { user.id.to_string().into() };
        Ok(Common { user_claim: (self.jwt.user_id_claim.clone(), id), sid, generation: user.generation, more })
    }
}
