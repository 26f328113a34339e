//! What the database knows of an inspected token, and what follows from it in words.

use crate::admin::layout::{Face, segment};
use crate::admin::staff::{Inspector, Staff, View};
use crate::admin::users::{Badge, Target, status};
use crate::admin::when::{Now, When, distance};
use crate::auth::inspect::Verdict;
use crate::auth::permissions::Verb;
use crate::auth::token::{Access, Claims, Kind, Refresh, Sliding};
use crate::auth::verdict::Reject;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::model::session::{self, Ended, Session};
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

    /// Why a token is refused, in two or three words.
    pub fn reason(&self, reject: Reject) -> &'static str {
        match reject {
            Reject::Malformed | Reject::Payload => "malformed",
            Reject::Critical => "an extension that is not understood",
            Reject::Algorithm => "algorithm not allowed",
            Reject::UnknownKey if self.is_unsigned => "algorithm not allowed",
            Reject::UnknownKey if self.is_of_retired_key() => "retired key",
            Reject::UnknownKey => "unknown key id",
            Reject::RetiredKey => "retired key",
            Reject::Signature => "bad signature",
            Reject::NotYetValid => "not yet valid",
            Reject::Expired | Reject::RefreshExpired => "expired",
            Reject::Issuer => "wrong issuer",
            Reject::Audience => "wrong audience",
            Reject::Spent => "already rotated",
            Reject::Blacklisted if self.listed.is_none() => "session ended",
            Reject::Blacklisted => "revoked",
            Reject::SessionEnded if self.was_revoked_alone() => "revoked",
            Reject::SessionEnded => "session ended",
            Reject::NoExp | Reject::NoId | Reject::NoType | Reject::NoRefreshExp | Reject::NoSubject => {
                "a claim is missing"
            }
            Reject::WrongType => "wrong type",
            Reject::UnknownUser => "no such user",
            Reject::InactiveUser => "inactive user",
            Reject::PasswordChanged | Reject::Unmarked => "password changed since",
            Reject::UnverifiedUser => "e-mail not verified",
        }
    }

    /// Whether the token was revoked by its own id, while its session goes on.
    fn was_revoked_alone(&self) -> bool {
        self.session.as_ref().is_none_or(|(session, _)| session.ended_at.is_none())
    }

    /// The verdict in a heading.
    pub fn heading(&self, verdict: &Verdict) -> String {
        verdict.refused.map_or_else(|| "Accepted".to_owned(), |reject| format!("Refused: {}", self.reason(reject)))
    }

    /// The verdict in a sentence.
    pub fn sentence(&self, verdict: &Verdict, now: Now) -> String {
        let Some(reject) = verdict.refused else { return self.good_for(verdict, now) };
        let at = |at: Timestamp| When::new(at, now).full;
        match (reject, &verdict.claims) {
            (Reject::Algorithm | Reject::UnknownKey, _) if self.is_unsigned => {
                "Its header says that it is not signed at all (alg none), which no key of this server allows."
                    .to_owned()
            }
            (Reject::Expired, Some(claims)) if claims.moment("exp").is_some_and(|exp| exp <= now.at) => {
                let since = claims.moment("exp").unwrap_or(now.at);
                format!("It expired {}, {}.", at(since), distance(since, now))
            }
            (Reject::NotYetValid, Some(claims)) => {
                let from = ["nbf", "iat"].iter().filter_map(|name| claims.moment(name)).max().unwrap_or(now.at);
                format!("It is good from {} on, {}: one of the clocks is wrong.", at(from), distance(from, now))
            }
            (Reject::UnknownKey, _) if self.is_of_retired_key() => {
                let when = self.key.as_ref().and_then(|key| key.retired_at).map_or_else(String::new, at);
                format!(
                    "The key that its header names was retired {when}. It may have signed this; nobody can tell any more."
                )
            }
            (Reject::Blacklisted | Reject::SessionEnded, _) => self.end(now),
            _ => {
                let words = reject.explanation();
                let mut letters = words.chars();
                let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
                format!("{first}{}.", letters.as_str())
            }
        }
    }

    /// How the token or its session came to an end: when, by whom, why.
    pub fn end(&self, now: Now) -> String {
        let told = |what: &str, at: Timestamp, by: Option<&String>, why: &str| {
            let by = by.map_or_else(String::new, |name| format!(" by {name}"));
            format!("{what} {}{by}. The reason on record: {}.", When::new(at, now).full, why_words(why))
        };
        if let Some((session, by)) = &self.session
            && let Some(at) = session.ended_at
        {
            let what = if self.listed.is_some() { "It was revoked with its session" } else { "Its session was ended" };
            return told(what, at, by.as_ref(), session.ended_why.as_deref().unwrap_or_default());
        }
        match &self.listed {
            Some((listed, by)) => told("It was revoked", listed.at, by.as_ref(), &listed.reason),
            None => "Its user was signed out everywhere since, or it was revoked by its own id.".to_owned(),
        }
    }

    fn good_for(&self, verdict: &Verdict, now: Now) -> String {
        let of = self.user.as_ref().map_or_else(String::new, |user| format!(" of {}", user.username));
        let until = verdict.claims.as_ref().and_then(|claims| claims.moment("exp")).map_or_else(
            || "for ever".to_owned(),
            |exp| format!("until {}, {}", When::new(exp, now).full, distance(exp, now)),
        );
        match self.kind.as_str() {
            Refresh::TYPE => format!("A live refresh token{of}. It can be exchanged {until}."),
            Access::TYPE => format!("A live access token{of}. It opens the API {until}."),
            Sliding::TYPE => format!("A live sliding token{of}. It opens the API {until}."),
            _ => format!("A live token{of}, {until}."),
        }
    }

    /// What can be done about the token: the link and where it leads.
    pub fn act(&self, verdict: &Verdict) -> Option<(&'static str, String)> {
        verdict.claims.as_ref()?;
        let goes_on = self.session.as_ref().filter(|(session, _)| session.ended_at.is_none());
        if verdict.refused.is_some() || !self.within_reach {
            return None;
        }
        match &self.row {
            Some(row) if self.may.0 => Some(("Revoke token…", format!("/admin/tokens/{}/revoke/", segment(&row.jti)))),
            Some(_) => None,
            None => goes_on
                .filter(|_| self.may.1)
                .map(|(session, _)| ("Sign out the session…", format!("/admin/sessions/{}/", session.id))),
        }
    }

    /// What may be told of a signature: never itself.
    pub fn signature(&self, verdict: &Verdict) -> String {
        let algorithm = match said(verdict, "alg") {
            "" => String::new(),
            name => format!(", {name}"),
        };
        format!("{}{algorithm}, not shown.", crate::admin::when::count_words(verdict.said.signature, "byte", "bytes"))
    }
}

/// A member of the header, if it is text.
pub fn said<'v>(verdict: &'v Verdict, name: &str) -> &'v str {
    let header = verdict.said.header.as_ref();
    header.and_then(|header| header.get(name)).and_then(|value| value.as_str()).unwrap_or_default()
}

/// Why something ended, as people say it.
pub fn why_words(why: &str) -> &str {
    const WORDS: [(Ended, &str); 4] = [
        (Ended::SignedOut, "signed out"),
        (Ended::ByAdmin, "ended by an administrator"),
        (Ended::ReuseSeen, "a spent refresh token came back"),
        (Ended::PasswordChanged, "the password was changed"),
    ];
    WORDS.iter().find(|(one, _)| one.as_str() == why).map_or(why, |(_, words)| words)
}
