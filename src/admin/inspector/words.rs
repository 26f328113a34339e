//! What the inspector says of a token: why it is refused, or what it is good for.

use crate::admin::when::{Now, When, distance};
use crate::auth::inspect::Verdict;
use crate::auth::token::{Access, Kind, Refresh, Sliding};
use crate::auth::verdict::Reject;
use crate::clock::Timestamp;
use crate::language::Said;
use crate::model::session::Ended;

use super::facts::Facts;

impl Facts {
    /// Why a token is refused, in two or three words.
    pub fn reason(&self, reject: Reject) -> &'static str {
        match reject {
            Reject::Malformed | Reject::Payload => key!("malformed"),
            Reject::Critical => key!("an extension that is not understood"),
            Reject::Algorithm => key!("algorithm not allowed"),
            Reject::UnknownKey if self.is_unsigned => key!("algorithm not allowed"),
            Reject::UnknownKey if self.is_of_retired_key() => key!("retired key"),
            Reject::UnknownKey => key!("unknown key id"),
            Reject::RetiredKey => key!("retired key"),
            Reject::Signature => key!("bad signature"),
            Reject::NotYetValid => key!("not yet valid"),
            Reject::Expired | Reject::RefreshExpired => key!("expired"),
            Reject::Issuer => key!("wrong issuer"),
            Reject::Audience => key!("wrong audience"),
            Reject::Spent => key!("already rotated"),
            Reject::Blacklisted if self.listed.is_none() => key!("session ended"),
            Reject::Blacklisted => key!("revoked"),
            Reject::SessionEnded if self.was_revoked_alone() => key!("revoked"),
            Reject::SessionEnded => key!("session ended"),
            Reject::NoExp | Reject::NoId | Reject::NoType | Reject::NoRefreshExp | Reject::NoSubject => {
                key!("a claim is missing")
            }
            Reject::WrongType => key!("wrong type"),
            Reject::UnknownUser => key!("no such user"),
            Reject::InactiveUser => key!("inactive user"),
            Reject::PasswordChanged | Reject::Unmarked => key!("password changed since"),
            Reject::UnverifiedUser => key!("e-mail not verified"),
        }
    }

    /// Whether the token was revoked by its own id, while its session goes on.
    fn was_revoked_alone(&self) -> bool {
        self.session.as_ref().is_none_or(|(session, _)| session.ended_at.is_none())
    }

    /// The verdict in a heading.
    pub fn heading(&self, verdict: &Verdict) -> String {
        match verdict.refused {
            None => say!("Accepted"),
            Some(reject) => say!("Refused: {reason}", reason = Said::of(self.reason(reject))),
        }
    }

    /// The same for the audit log, which is English.
    pub fn recorded(&self, verdict: &Verdict) -> String {
        verdict.refused.map_or_else(|| "Accepted".to_owned(), |reject| format!("Refused: {}", self.reason(reject)))
    }

    /// The verdict in a sentence.
    pub fn sentence(&self, verdict: &Verdict, now: Now) -> String {
        let Some(reject) = verdict.refused else { return self.good_for(verdict, now) };
        let at = |at: Timestamp| When::new(at, now).full;
        match (reject, &verdict.claims) {
            (Reject::Algorithm | Reject::UnknownKey, _) if self.is_unsigned => {
                say!("Its header says that it is not signed at all (alg none), which no key of this server allows.")
            }
            (Reject::Expired, Some(claims)) if claims.moment("exp").is_some_and(|exp| exp <= now.at) => {
                let since = claims.moment("exp").unwrap_or(now.at);
                say!("It expired {moment}, {distance}.", moment = at(since), distance = distance(since, now))
            }
            (Reject::NotYetValid, Some(claims)) => {
                let from = ["nbf", "iat"].iter().filter_map(|name| claims.moment(name)).max().unwrap_or(now.at);
                say!(
                    "It is good from {moment} on, {distance}: one of the clocks is wrong.",
                    moment = at(from),
                    distance = distance(from, now),
                )
            }
            (Reject::UnknownKey, _) if self.is_of_retired_key() => {
                match self.key.as_ref().and_then(|key| key.retired_at) {
                    Some(retired) => say!(
                        "The key that its header names was retired {moment}. It may have signed this; nobody can tell any more.",
                        moment = at(retired),
                    ),
                    None => say!(
                        "The key that its header names was retired. It may have signed this; nobody can tell any more."
                    ),
                }
            }
            (Reject::Blacklisted | Reject::SessionEnded, _) => self.end(now),
            _ => Said::of(explanation(reject)).to_string(),
        }
    }

    /// How the token or its session came to an end: when, by whom, why.
    pub fn end(&self, now: Now) -> String {
        if let Some((session, by)) = &self.session
            && let Some(at) = session.ended_at
        {
            let (moment, why) = (When::new(at, now).full, session.ended_why.as_deref().unwrap_or_default());
            let ended = match (self.listed.is_some(), by) {
                (true, Some(name)) => said!("It was revoked with its session {moment} by {name}.", moment, name),
                (true, None) => said!("It was revoked with its session {moment}.", moment),
                (false, Some(name)) => said!("Its session was ended {moment} by {name}.", moment, name),
                (false, None) => said!("Its session was ended {moment}.", moment),
            };
            return with_reason(&ended, why);
        }
        let Some((listed, by)) = &self.listed else {
            return say!("Its user was signed out everywhere since, or it was revoked by its own id.");
        };
        let moment = When::new(listed.at, now).full;
        let revoked = match by {
            Some(name) => said!("It was revoked {moment} by {name}.", moment, name),
            None => said!("It was revoked {moment}.", moment),
        };
        with_reason(&revoked, &listed.reason)
    }

    fn good_for(&self, verdict: &Verdict, now: Now) -> String {
        let name = self.user.as_ref().map(|user| user.username.as_str());
        let until = verdict.claims.as_ref().and_then(|claims| claims.moment("exp"));
        let until = until.map(|exp| (When::new(exp, now).full, distance(exp, now)));
        let what = match (self.kind.as_str(), name) {
            (Refresh::TYPE, Some(name)) => said!("A live refresh token of {name}.", name),
            (Refresh::TYPE, None) => said!("A live refresh token."),
            (Access::TYPE, Some(name)) => said!("A live access token of {name}.", name),
            (Access::TYPE, None) => said!("A live access token."),
            (Sliding::TYPE, Some(name)) => said!("A live sliding token of {name}.", name),
            (Sliding::TYPE, None) => said!("A live sliding token."),
            (_, name) => return live(name, until),
        };
        let can = match (self.kind.as_str(), until) {
            (Refresh::TYPE, Some((moment, distance))) => {
                said!("It can be exchanged until {moment}, {distance}.", moment, distance)
            }
            (Refresh::TYPE, None) => said!("It can be exchanged for ever."),
            (_, Some((moment, distance))) => said!("It opens the API until {moment}, {distance}.", moment, distance),
            (_, None) => said!("It opens the API for ever."),
        };
        format!("{what} {can}")
    }
}

/// A token that is good for one purpose.
fn live(name: Option<&str>, until: Option<(String, String)>) -> String {
    match (name, until) {
        (Some(name), Some((moment, distance))) => {
            say!("A live token of {name}, until {moment}, {distance}.", name, moment, distance)
        }
        (Some(name), None) => say!("A live token of {name}, for ever.", name),
        (None, Some((moment, distance))) => say!("A live token, until {moment}, {distance}.", moment, distance),
        (None, None) => say!("A live token, for ever."),
    }
}

/// A sentence, and a second one with why it is so.
fn with_reason(sentence: &Said, why: &str) -> String {
    format!("{sentence} {}", said!("The reason on record: {why}.", why = why_said(why)))
}

/// What is wrong, in a whole sentence: [`Reject::explanation`] stands alone.
fn explanation(reject: Reject) -> &'static str {
    match reject {
        Reject::Malformed => key!("It is not three parts of base64url with a JSON object in the first."),
        Reject::Critical => key!("Its header asks for an extension that is not understood (crit, b64)."),
        Reject::Algorithm => key!("Its header names another algorithm than its key's."),
        Reject::UnknownKey => key!("No key of the ring has the id that its header names; the key may be retired."),
        Reject::RetiredKey => key!("It was issued after its secret was replaced, which verifies older tokens alone."),
        Reject::Signature => key!("The signature does not fit: another key has signed it, or it was changed."),
        Reject::Payload => key!("Its payload is not a JSON object, or a claim in it is of the wrong type."),
        Reject::NotYetValid => key!("Iat or nbf lies in the future: one of the clocks is wrong."),
        Reject::Expired => key!("It has expired."),
        Reject::Issuer => key!("It comes from another issuer than jwt.issuer."),
        Reject::Audience => key!("It is meant for another audience than jwt.audience."),
        Reject::Blacklisted => key!("It was blacklisted, or its user was signed out everywhere since."),
        Reject::Spent => key!("It was exchanged, and its successor too: somebody holds an old copy."),
        Reject::SessionEnded => key!("Its session was ended: signed out, or ended by an administrator."),
        Reject::NoExp => key!("It says nothing of when it expires (exp)."),
        Reject::NoId => key!("It has no id (jti)."),
        Reject::NoType => key!("It does not say what kind it is (token_type)."),
        Reject::WrongType => key!("It is of another kind than is asked for here."),
        Reject::NoRefreshExp => key!("It says nothing of how long it can be slid (refresh_exp)."),
        Reject::RefreshExpired => key!("The time in which it could be slid is over."),
        Reject::NoSubject => key!("It names no user."),
        Reject::UnknownUser => key!("Its user does not exist, or was deleted."),
        Reject::InactiveUser => key!("Its user is switched off."),
        Reject::PasswordChanged => key!("Its user has changed the password since."),
        Reject::Unmarked => key!("It lacks the mark of its user's present password (jwt.check_revoke_token)."),
        Reject::UnverifiedUser => key!("Its user has yet to verify an e-mail address."),
    }
}

/// Why something ended, as people say it: a key, or what somebody gave as the reason.
fn why_words(why: &str) -> &str {
    const WORDS: [(Ended, &str); 4] = [
        (Ended::SignedOut, key!("signed out")),
        (Ended::ByAdmin, key!("ended by an administrator")),
        (Ended::ReuseSeen, key!("a spent refresh token came back")),
        (Ended::PasswordChanged, key!("the password was changed")),
    ];
    WORDS.iter().find(|(one, _)| one.as_str() == why).map_or(why, |(_, words)| words)
}

/// The same in the language of whoever reads it.
pub fn why_said(why: &str) -> Said {
    Said::of(why_words(why).to_owned())
}
