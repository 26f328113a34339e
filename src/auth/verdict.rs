//! Why a token is refused, in the server's order: every check that can fail has its name here.
//!
//! Clients are told one of simplejwt's few messages ([`Reject::message`]); the log is told the name itself.

use std::fmt;

use crate::error::{Error, Unauthorized};

/// Why a token was refused, in the order in which the checks are made (CONTRACT 6, 21).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reject {
    /// Not three parts of strict base64url with a JSON object in the first, or longer than any token of ours.
    Malformed,
    /// `crit` or `b64` asks for what is not understood (RFC 7515 §4.1.11).
    Critical,
    /// `alg` is not that of the key.
    Algorithm,
    /// No key has this `kid`.
    UnknownKey,
    /// The key verifies older tokens alone.
    RetiredKey,
    /// The signature is not ours.
    Signature,
    /// The payload is not one JSON object, or a claim is of the wrong type.
    Payload,
    /// `iat` or `nbf` lies in the future.
    NotYetValid,
    /// `exp` has passed.
    Expired,
    /// `iss` is not the one expected.
    Issuer,
    /// `aud` is not the one expected.
    Audience,
    /// It, its session or its generation was ended.
    Blacklisted,
    /// Its successor was refreshed: it is spent, and somebody has a copy.
    Spent,
    /// Its session was ended.
    SessionEnded,
    /// There is no `exp`.
    NoExp,
    /// There is no `jti`.
    NoId,
    /// There is no `token_type`.
    NoType,
    /// It is of another kind.
    WrongType,
    /// A sliding token without the end of its sliding.
    NoRefreshExp,
    /// A sliding token past the end of its sliding.
    RefreshExpired,
    /// It names no user.
    NoSubject,
    /// It names a user who is not there.
    UnknownUser,
    /// Its user is switched off.
    InactiveUser,
    /// Its user has another password since.
    PasswordChanged,
    /// It lacks the mark of its user's password, where that is asked for.
    Unmarked,
    /// Its user has yet to verify an e-mail address, where that is required.
    UnverifiedUser,
}

impl Reject {
    /// What simplejwt says to it; a key for the panel.
    pub const fn message(self) -> &'static str {
        match self {
            Self::Malformed
            | Self::Critical
            | Self::Algorithm
            | Self::UnknownKey
            | Self::RetiredKey
            | Self::Signature
            | Self::Payload
            | Self::NotYetValid
            | Self::Issuer
            | Self::Audience => key!("Token is invalid"),
            Self::Expired => key!("Token is expired"),
            Self::Blacklisted | Self::Spent | Self::SessionEnded => key!("Token is blacklisted"),
            Self::NoExp => key!("Token has no 'exp' claim"),
            Self::NoId => key!("Token has no id"),
            Self::NoType => key!("Token has no type"),
            Self::WrongType => key!("Token has wrong type"),
            Self::NoRefreshExp => key!("Token has no 'refresh_exp' claim"),
            Self::RefreshExpired => key!("Token 'refresh_exp' claim has expired"),
            Self::NoSubject => key!("Token contained no recognizable user identification"),
            Self::UnknownUser => key!("User not found"),
            Self::InactiveUser => key!("User is inactive"),
            Self::PasswordChanged | Self::Unmarked => key!("The user's password has been changed."),
            Self::UnverifiedUser => key!("Email not verified."),
        }
    }

    /// What is wrong, in a sentence for people.
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::Malformed => key!("it is not three parts of base64url with a JSON object in the first"),
            Self::Critical => key!("its header asks for an extension that is not understood (crit, b64)"),
            Self::Algorithm => key!("its header names another algorithm than its key's"),
            Self::UnknownKey => key!("no key of the ring has the id that its header names; the key may be retired"),
            Self::RetiredKey => key!("it was issued after its secret was replaced, which verifies older tokens alone"),
            Self::Signature => key!("the signature does not fit: another key has signed it, or it was changed"),
            Self::Payload => key!("its payload is not a JSON object, or a claim in it is of the wrong type"),
            Self::NotYetValid => key!("iat or nbf lies in the future: one of the clocks is wrong"),
            Self::Expired => key!("it has expired"),
            Self::Issuer => key!("it comes from another issuer than jwt.issuer"),
            Self::Audience => key!("it is meant for another audience than jwt.audience"),
            Self::Blacklisted => key!("it was blacklisted, or its user was signed out everywhere since"),
            Self::Spent => key!("it was exchanged, and its successor too: somebody holds an old copy"),
            Self::SessionEnded => key!("its session was ended: signed out, or ended by an administrator"),
            Self::NoExp => key!("it says nothing of when it expires (exp)"),
            Self::NoId => key!("it has no id (jti)"),
            Self::NoType => key!("it does not say what kind it is (token_type)"),
            Self::WrongType => key!("it is of another kind than is asked for here"),
            Self::NoRefreshExp => key!("it says nothing of how long it can be slid (refresh_exp)"),
            Self::RefreshExpired => key!("the time in which it could be slid is over"),
            Self::NoSubject => key!("it names no user"),
            Self::UnknownUser => key!("its user does not exist, or was deleted"),
            Self::InactiveUser => key!("its user is switched off"),
            Self::PasswordChanged => key!("its user has changed the password since"),
            Self::Unmarked => key!("it lacks the mark of its user's present password (jwt.check_revoke_token)"),
            Self::UnverifiedUser => key!("its user has yet to verify an e-mail address"),
        }
    }

    /// The machine's word for it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::UnknownUser => "user_not_found",
            Self::InactiveUser => "user_inactive",
            Self::PasswordChanged | Self::Unmarked => "password_changed",
            Self::UnverifiedUser => "email_not_verified",
            _ => "token_not_valid",
        }
    }

    /// Whether it is about the user and not about the token: then a bearer is told it in one sentence, not class by class.
    pub const fn is_about_the_user(self) -> bool {
        matches!(
            self,
            Self::NoSubject
                | Self::UnknownUser
                | Self::InactiveUser
                | Self::PasswordChanged
                | Self::Unmarked
                | Self::UnverifiedUser
        )
    }
}

impl fmt::Display for Reject {
    /// For the log: the name of the check that failed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl From<Reject> for Error {
    /// The answer of the token endpoints.
    fn from(reject: Reject) -> Self {
        Self::Unauthorized(Unauthorized::coded(reject.message(), reject.code()))
    }
}
