//! The checks that a token is put to, in the server's order: what passed, what failed, and what was then not asked any more.

use crate::admin::when::{Now, When, distance};
use crate::auth::inspect::Verdict;
use crate::auth::token::{Access, Claims, Kind, Refresh, Sliding};
use crate::auth::verdict::Reject;
use crate::clock::Timestamp;
use crate::language::Said;
use crate::model::signing_key::{KeyState, SigningKey};
use crate::site::Site;

use super::facts::{Facts, said};

/// One check, as the page shows it.
pub struct Check {
    /// Its name.
    pub name: &'static str,
    /// How it went: "Passed", "Failed", "Not made".
    pub outcome: &'static str,
    /// Its symbol, and the symbol's class.
    pub icon: (&'static str, &'static str),
    /// What was found.
    pub words: String,
}

/// What is asked of a token.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ask {
    Shape,
    Key,
    Algorithm,
    Signature,
    NotBefore,
    Expiry,
    Issuer,
    Audience,
    Blacklist,
    Type,
    User,
    Password,
    Session,
    Email,
}

use Ask::{
    Algorithm, Audience, Blacklist, Email, Expiry, Issuer, Key, NotBefore, Password, Session, Shape, Signature, Type,
    User,
};

/// What every token is asked first.
const FIRST: [Ask; 8] = [Shape, Key, Algorithm, Signature, NotBefore, Expiry, Issuer, Audience];
/// What a refresh token is asked then (CONTRACT 21).
const REFRESH: [Ask; 5] = [Blacklist, Type, User, Password, Session];
/// What any other is asked then.
const BEARER: [Ask; 5] = [Type, User, Password, Session, Email];

/// How a check went that was not made.
const NOT_MADE: &str = key!("Not made");

impl Check {
    /// Whether it was made at all.
    pub fn was_made(&self) -> bool {
        self.outcome != NOT_MADE
    }
}

impl Ask {
    fn name(self) -> &'static str {
        match self {
            Shape => key!("Shape"),
            Key => key!("Signing key"),
            Algorithm => key!("Algorithm"),
            Signature => key!("Signature"),
            NotBefore => key!("Not before"),
            Expiry => key!("Expiry"),
            Issuer => key!("Issuer"),
            Audience => key!("Audience"),
            Blacklist => key!("Blacklist"),
            Type => key!("Token type"),
            User => key!("User"),
            Password => key!("Password"),
            Session => key!("Session"),
            Email => key!("E-mail"),
        }
    }
}

/// The check that says no with this.
fn failing(reject: Reject, is_past_exp: bool, is_refresh: bool, facts: &Facts) -> Ask {
    match reject {
        Reject::Malformed | Reject::Critical | Reject::Payload => Shape,
        Reject::UnknownKey if facts.is_unsigned => Algorithm,
        Reject::UnknownKey => Key,
        Reject::Algorithm => Algorithm,
        Reject::Signature | Reject::RetiredKey => Signature,
        Reject::NotYetValid => NotBefore,
        Reject::Expired if is_past_exp => Expiry,
        // A refresh token in date whose session has come to its own end.
        Reject::Expired | Reject::SessionEnded => Session,
        Reject::RefreshExpired => Expiry,
        Reject::Issuer => Issuer,
        Reject::Audience => Audience,
        Reject::Spent => Blacklist,
        Reject::Blacklisted if is_refresh && facts.listed.is_some() => Blacklist,
        Reject::Blacklisted => Session,
        Reject::NoExp | Reject::NoId | Reject::NoType | Reject::WrongType | Reject::NoRefreshExp => Type,
        Reject::NoSubject | Reject::UnknownUser | Reject::InactiveUser => User,
        Reject::PasswordChanged | Reject::Unmarked => Password,
        Reject::UnverifiedUser => Email,
    }
}

/// What a token says that it is; something unknown as it says it.
fn kind(kind: &str) -> String {
    match kind {
        Access::TYPE => say!("access"),
        Refresh::TYPE => say!("refresh"),
        Sliding::TYPE => say!("sliding"),
        other => other.to_owned(),
    }
}

/// The checks of this verdict.
pub fn of(site: &Site, verdict: &Verdict, facts: &Facts, now: Now) -> Vec<Check> {
    let is_refresh = facts.kind == Refresh::TYPE;
    let exp = verdict.claims.as_ref().and_then(|claims| claims.moment("exp"));
    let leeway = site.settings.jwt.leeway;
    let is_past_exp = exp.is_some_and(|exp| Timestamp::from_seconds(exp.seconds()) <= now.at - leeway);
    let failed = verdict.refused.map(|reject| (reject, failing(reject, is_past_exp, is_refresh, facts)));
    let then: &[Ask] = if is_refresh { &REFRESH } else { &BEARER };
    let jwt = &site.settings.jwt;
    let mut first = FIRST;
    if facts.is_unsigned {
        first.swap(1, 2); // there is no key to look for
    }
    let asked = first.iter().chain(then).filter(|ask| match ask {
        Issuer => jwt.issuer.is_some(),
        Audience => !jwt.audience.is_empty(),
        Email => site.settings.accounts.require_verified_email,
        _ => true,
    });
    let mut is_over = false;
    let mut checks = Vec::new();
    for ask in asked {
        let check = |outcome, icon, words| Check { name: ask.name(), outcome, icon, words };
        match failed {
            _ if is_over => checks.push(check(NOT_MADE, ("off", "u-faint"), say!("not made"))),
            Some((reject, at)) if at == *ask => {
                is_over = true;
                checks.push(check(key!("Failed"), ("fail", "is-bad"), said_no(reject, facts, verdict, now)));
            }
            _ => checks.push(check(key!("Passed"), ("ok", "is-ok"), said_yes(*ask, site, verdict, facts, now))),
        }
    }
    checks
}

fn said_no(reject: Reject, facts: &Facts, verdict: &Verdict, now: Now) -> String {
    match reject {
        Reject::Blacklisted | Reject::SessionEnded => facts.end(now),
        Reject::UnknownKey if facts.is_unsigned => say!("none: it is not signed at all"),
        Reject::UnknownKey if facts.is_of_retired_key() => say!("the key that the header names is retired"),
        Reject::WrongType => say!("{kind} is not asked for here", kind = kind(&facts.kind)),
        Reject::Expired => exp(verdict.claims.as_ref(), now),
        other => Said::of(other.explanation()).to_string(),
    }
}

fn exp(claims: Option<&Claims>, now: Now) -> String {
    let exp = claims.and_then(|claims| claims.moment("exp"));
    exp.map_or_else(String::new, |exp| {
        say!("{moment}, {distance}", moment = When::new(exp, now).full, distance = distance(exp, now))
    })
}

/// A key and how it stands.
fn of_key(kid: &str, key: &SigningKey) -> String {
    if key.is(KeyState::Active) {
        say!("{kid}, active", kid)
    } else if key.is(KeyState::Verifying) {
        say!("{kid}, verifying", kid)
    } else if key.is(KeyState::Standby) {
        say!("{kid}, standby", kid)
    } else if key.is(KeyState::Condemned) {
        say!("{kid}, condemned", kid)
    } else {
        say!("{kid}, retired", kid)
    }
}

fn said_yes(ask: Ask, site: &Site, verdict: &Verdict, facts: &Facts, now: Now) -> String {
    let said = |name: &str| said(verdict, name).to_owned();
    let jwt = &site.settings.jwt;
    match ask {
        Shape => say!("three parts, valid base64url and JSON"),
        Key => match &facts.key {
            Some(key) => of_key(&said("kid"), key),
            None => say!("the key of the settings, or one that has no name"),
        },
        Algorithm => say!("{algorithm}, as its key has it", algorithm = said("alg")),
        Signature => say!("matches"),
        NotBefore if jwt.leeway.is_zero() => say!("issued in the past"),
        NotBefore => say!("issued in the past; clocks may differ by {seconds} s", seconds = jwt.leeway.as_secs()),
        Expiry => exp(verdict.claims.as_ref(), now),
        Issuer => jwt.issuer.clone().unwrap_or_default(),
        Audience => jwt.audience.join(", "),
        Blacklist => say!("not on it, and not spent"),
        Type => kind(&facts.kind),
        User => match &facts.user {
            Some(user) => say!("{username} exists and is active", username = user.username),
            None => say!("it names none"),
        },
        Password => say!("not changed since the token was issued"),
        Session => say!("goes on"),
        Email => say!("verified"),
    }
}
