//! What whoever holds the token of a letter does with it, each inside the caller's transaction: the same for the API and for
//! the pages that links lead to.

use crate::auth::grants::Grants;
use crate::auth::left_behind::leave_behind;
use crate::auth::letter_token::{LetterTokens, Opened};
use crate::auth::token::{EmailVerification, Invitation, PasswordReset};
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::model::invitation;
use crate::model::outbox::{self, Kind};
use crate::model::user::{self, NewUser, Taken, User, UserChanges};

/// Notes that the account's address is its owner's; `None` if the token is no longer good.
///
/// # Errors
/// The database's.
pub fn verify(
    conn: &mut Conn,
    letters: &LetterTokens,
    grants: &Grants,
    opened: &Opened<EmailVerification>,
    now: Timestamp,
) -> Result<Option<User>> {
    let Some(user) = letters.redeem(conn, opened)? else { return Ok(None) };
    let verified = set_verified(conn, user.id, now)?;
    grants.changed_in(conn, verified.id, now)?;
    Ok(Some(verified))
}

/// Sets a new password by its hash, which ends every session and begins none; `None` if the token is no longer good. Where
/// the address was not verified so far, the account may be of somebody who had no right to it, and leaves no key to it.
///
/// # Errors
/// The database's.
pub fn reset(
    conn: &mut Conn,
    letters: &LetterTokens,
    grants: &Grants,
    opened: &Opened<PasswordReset>,
    hash: &str,
    now: Timestamp,
) -> Result<Option<User>> {
    let Some(user) = letters.redeem(conn, opened)? else { return Ok(None) };
    if !user.email_verified {
        leave_behind(conn, user.id, now)?;
    }
    grants.set_password_in(conn, user.id, hash, now)?;
    Ok(Some(user))
}

/// Who makes an account, and by what right.
pub struct Joining {
    /// The account.
    pub new: NewUser,
    /// The invitation, if there is one: its address becomes the account's, verified.
    pub invitation: Option<Opened<Invitation>>,
    /// Whether another address is asked by a letter whether it is the account's.
    pub verify: bool,
}

/// Why no account was made.
#[derive(Debug)]
pub enum NotJoined {
    /// Somebody has the name.
    Taken,
    /// The invitation is no longer good.
    NotInvited,
}

/// Makes an account.
///
/// # Errors
/// The database's.
pub fn join(
    conn: &mut Conn,
    letters: &LetterTokens,
    joining: Joining,
    now: Timestamp,
) -> Result<Result<User, NotJoined>> {
    let Joining { mut new, invitation: opened, verify } = joining;
    let invited = match opened {
        None => None,
        Some(opened) => match letters.invitation(conn, &opened, now)? {
            None => return Ok(Err(NotJoined::NotInvited)),
            invited => invited,
        },
    };
    if let Some(invited) = &invited {
        new.email.clone_from(&invited.email);
    }
    let user = match user::insert(conn, &new)? {
        Ok(user) => user,
        Err(Taken) => return Ok(Err(NotJoined::Taken)),
    };
    match invited {
        Some(invited) => {
            invitation::accept(conn, &invited, user.id, now)?;
            Ok(Ok(set_verified(conn, user.id, now)?))
        }
        None => {
            if verify && !user.email.is_empty() {
                outbox::to_user(conn, Kind::Verification, user.id, &user.email, now)?;
            }
            Ok(Ok(user))
        }
    }
}

/// Tells the old address of an account that was given another, and asks the new one whether it is the account's.
///
/// # Errors
/// The database's.
pub fn address_changed(conn: &mut Conn, old: &str, user: &User, verify: bool, now: Timestamp) -> Result<()> {
    if !old.is_empty() {
        outbox::to_user(conn, Kind::AddressChanged, user.id, old, now)?;
    }
    if verify && !user.email.is_empty() && !user.email_verified {
        outbox::to_user(conn, Kind::Verification, user.id, &user.email, now)?;
    }
    Ok(())
}

fn set_verified(conn: &mut Conn, user: i64, now: Timestamp) -> Result<User> {
    let changes = UserChanges { email_verified: Some(true), updated_at: now, ..UserChanges::default() };
    user::update(conn, user, &changes)?.map_err(|_| Error::internal("the name has not changed"))
}
