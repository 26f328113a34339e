//! What the database knows of an inspected token, and what follows from it in words.

use askama::filters::Safe;

use crate::admin::layout::{Face, segment};
use crate::admin::staff::{Inspector, Staff, View};
use crate::admin::tokens;
use crate::admin::users::{Badge, Target, status};
use crate::auth::inspect::Verdict;
use crate::auth::permissions::Verb;
use crate::auth::token::Claims;
use crate::db::Conn;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::model::session::{self, Session};
use crate::model::signing_key::{self, KeyState, SigningKey};
use crate::model::token::{self, OutstandingToken};
use crate::model::token_list::{self, Listed};
use crate::model::user::{self, User};
use crate::model::user_list;
use crate::site::Site;

/// Whom a token belongs to, as the page shows it.
pub struct Owner {
    /// The user's id.
    pub id: i64,
    /// The user's name.
    pub username: String,
    /// The user's address.
    pub email: String,
    /// The circle.
    pub face: Face,
    /// Active or not.
    pub status: Badge,
    /// The session: its id, and the device.
    pub session: Option<(String, String)>,
    /// The address that it was opened from.
    pub ip: String,
    /// The token that was exchanged for this one.
    pub parent: Option<String>,
    /// The token that this one was exchanged for.
    pub successor: Option<String>,
    /// Whether the viewer may see users, sessions, tokens; and sign this one out.
    pub may_see: (bool, bool, bool),
    /// Whether the viewer may sign the user out everywhere.
    pub may_revoke: bool,
}

impl Owner {
    /// The id of a token, short, as a link for those who may see it.
    pub fn jti(&self, jti: &str) -> Safe<String> {
        tokens::markup(jti, self.may_see.2)
    }
}

/// What the database knows of a token.
pub struct Facts {
    /// The key that its header names.
    pub key: Option<SigningKey>,
    /// Whether its header says that it is not signed at all.
    pub is_unsigned: bool,
    /// What `token_type` says, if one of our keys has signed it.
    pub kind: String,
    /// Its row, for a token on record.
    pub row: Option<OutstandingToken>,
    /// Its place on the blacklist, and who put it there.
    pub listed: Option<(Listed, Option<String>)>,
    /// Its session, and who ended it.
    pub session: Option<(Session, Option<String>)>,
    /// Its user.
    pub user: Option<User>,
    /// Its user as the page shows it.
    pub owner: Option<Owner>,
    within_reach: bool,
    may: (bool, bool),
}

struct Loaded {
    key: Option<SigningKey>,
    row: Option<OutstandingToken>,
    listed: Option<(Listed, Option<String>)>,
    session: Option<(Session, Option<String>)>,
    parent: Option<String>,
    user: Option<(User, Target)>,
}

fn load(conn: &mut Conn, kid: Option<&str>, claims: Option<&Claims>, owner: Option<i64>) -> Result<Loaded> {
    let key = match kid {
        Some(kid) => signing_key::by_kid(conn, kid)?,
        None => None,
    };
    let row = match claims.and_then(Claims::jti) {
        Some(jti) => token::by_jti(conn, jti)?,
        None => None,
    };
    let sid = match &row {
        Some(row) => Some(row.sid()?),
        None => claims.and_then(Claims::session),
    };
    let session = match sid {
        Some(sid) => session::by_id(conn, sid)?,
        None => None,
    };
    let (listed, parent) = match &row {
        Some(row) => (token_list::listed(conn, row.id)?, token_list::parent(conn, row)?),
        None => (None, None),
    };
    let user = match owner {
        Some(id) => {
            user::by_id(conn, id)?.map(|user| Target::load(conn, id).map(|target| (user, target))).transpose()?
        }
        None => None,
    };
    let by = [listed.as_ref().and_then(|one| one.by_user), session.as_ref().and_then(|one| one.ended_by)];
    let names = user_list::names(conn, &by.into_iter().flatten().collect::<Vec<_>>())?;
    let named = |id: Option<i64>| id.and_then(|id| names.get(&id).cloned());
    let listed = listed.map(|one| {
        let by = named(one.by_user);
        (one, by)
    });
    let session = session.map(|one| {
        let by = named(one.ended_by);
        (one, by)
    });
    Ok(Loaded { key, row, listed, session, parent, user })
}

impl Facts {
    /// Asks the database about a token; about the user and the session of one that our keys have not signed, nothing.
    ///
    /// # Errors
    /// The database's.
    pub async fn gather(site: &Site, staff: &Staff<View<Inspector>>, verdict: &Verdict) -> Result<Self, Error> {
        let (kid, claims) = (verdict.said.kid().map(str::to_owned), verdict.claims.clone());
        let owner = claims.as_ref().and_then(|claims| claims.user(&site.settings.jwt.user_id_claim).id());
        let kind = claims.as_ref().and_then(|claims| claims.text("token_type")).unwrap_or_default().to_owned();
        let loaded = site.db.read(move |conn| load(conn, kid.as_deref(), claims.as_ref(), owner)).await?;
        let actor = staff.actor();
        let within_reach = loaded.user.as_ref().is_none_or(|(_, target)| actor.out_of_reach(target).is_none());
        let sees = |area| staff.may(area, Verb::View);
        let owner = loaded.user.as_ref().map(|(user, _)| Owner {
            id: user.id,
            username: user.username.clone(),
            email: user.email.clone(),
            face: Face::of(user.id, &user.username),
            status: status(user.is_active, user.email_verified, site.settings.accounts.require_verified_email),
            session: loaded.session.as_ref().map(|(one, _)| (one.id.clone(), Device::from_agent(&one.user_agent).name)),
            ip: loaded.session.as_ref().map_or_else(String::new, |(one, _)| one.ip.clone()),
            parent: loaded.parent.clone(),
            successor: loaded.row.as_ref().and_then(|row| row.successor.clone()),
            may_see: (sees("users"), sees("sessions"), sees("tokens")),
            may_revoke: within_reach && staff.may("sessions", Verb::Revoke),
        });
        Ok(Self {
            key: loaded.key,
            is_unsigned: said(verdict, "alg") == "none",
            kind,
            row: loaded.row,
            listed: loaded.listed,
            session: loaded.session,
            user: loaded.user.map(|(user, _)| user),
            owner,
            within_reach,
            may: (staff.may("tokens", Verb::Revoke) && sees("tokens"), sees("sessions")),
        })
    }

    /// Whether the key that the header names was retired.
    pub fn is_of_retired_key(&self) -> bool {
        self.key.as_ref().is_some_and(|key| key.is(KeyState::Retired))
    }

    /// What can be done about the token: the link and where it leads.
    pub fn act(&self, verdict: &Verdict) -> Option<(&'static str, String)> {
        verdict.claims.as_ref()?;
        let goes_on = self.session.as_ref().filter(|(session, _)| session.ended_at.is_none());
        if verdict.refused.is_some() || !self.within_reach {
            return None;
        }
        match &self.row {
            Some(row) if self.may.0 => {
                Some((key!("Revoke token…"), format!("/admin/tokens/{}/revoke/", segment(&row.jti))))
            }
            Some(_) => None,
            None => goes_on
                .filter(|_| self.may.1)
                .map(|(session, _)| (key!("Sign out the session…"), format!("/admin/sessions/{}/", session.id))),
        }
    }

    /// What may be told of a signature: never itself.
    pub fn signature(&self, verdict: &Verdict) -> String {
        let count = verdict.said.signature;
        match said(verdict, "alg") {
            "" => say!(count => "{count} byte, not shown." | "{count} bytes, not shown."),
            algorithm => say!(
                count => "{count} byte, {algorithm}, not shown." | "{count} bytes, {algorithm}, not shown.",
                algorithm
            ),
        }
    }
}

/// A member of the header, if it is text.
pub fn said<'v>(verdict: &'v Verdict, name: &str) -> &'v str {
    let header = verdict.said.header.as_ref();
    header.and_then(|header| header.get(name)).and_then(|value| value.as_str()).unwrap_or_default()
}
