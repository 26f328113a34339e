//! Which account somebody from a provider gets, decided in one transaction.

use aws_lc_rs::digest;

use crate::auth::account_rules::{is_username, normal_username};
use crate::auth::grants::Grants;
use crate::auth::left_behind::leave_behind;
use crate::auth::sign_in::no_account;
use crate::auth::social::Proven;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::model::social::{self, Holders};
use crate::model::two_factor;
use crate::model::user::{self, NewUser, User, UserChanges};

/// The most characters of a name.
const LONGEST_NAME: usize = 150;
/// How many digits of the digest make a name free: few, and all of them if somebody has taken that one too.
const DIGITS: [usize; 2] = [8, 64];

/// The account of somebody from a provider, inside the caller's transaction, and whether it was made just now:
///
/// 1. the one that was linked to them before;
/// 2. else the only active one that has the address verified, as the provider has: it is linked now, unless it is somebody
///    else's at the same provider, for then the address has changed hands (OpenID Connect Core §5.7);
/// 3. else the only active one that says it has the address and could not prove it: whoever made it goes, the owner of the
///    address comes. Its password becomes `unusable`, and its sessions, its tokens, keys, codes and other links are dead. Never one that
///    may do more than others: those are neither linked nor handed over;
/// 4. else a new one, where strangers `may_join`, with the address as its name.
///
/// # Errors
/// 401 for an account that is switched off, as at any sign-in; 403 where nobody may join.
pub fn settle(
    conn: &mut Conn,
    grants: &Grants,
    proven: &Proven,
    may_join: bool,
    unusable: &str,
    now: Timestamp,
) -> Result<(User, bool)> {
    if let Some(user) = social::owner(conn, &proven.issuer, &proven.subject)? {
        return if user.is_active { Ok((user, false)) } else { Err(no_account()) };
    }
    let Holders { verified, has_barred, unverified } = social::holders(conn, &proven.email)?;
    let user = match (verified.as_slice(), unverified.as_slice()) {
        ([one], _) if !social::is_known_at(conn, one.id, &proven.issuer)? => one.clone(),
        ([], _) if has_barred => return Err(no_account()),
        ([], [one]) if !social::is_trusted(conn, one)? => hand_over(conn, grants, one.id, unusable, now)?,
        _ if may_join => {
            let user = join(conn, proven, unusable, now)?;
            link(conn, proven, &user, now)?;
            return Ok((user, true));
        }
        _ => return Err(Error::Forbidden),
    };
    link(conn, proven, &user, now)?;
    Ok((user, false))
}

/// The account that [`settle`] would give them and that may have a code of its own: for what is counted before the transaction.
///
/// # Errors
/// The database's.
pub fn expected(conn: &mut Conn, proven: &Proven) -> Result<Option<User>> {
    if let Some(user) = social::owner(conn, &proven.issuer, &proven.subject)? {
        return Ok(Some(user));
    }
    let mut verified = social::holders(conn, &proven.email)?.verified;
    Ok(verified.pop().filter(|_| verified.is_empty()))
}

fn link(conn: &mut Conn, proven: &Proven, user: &User, now: Timestamp) -> Result<()> {
    social::link(conn, user.id, &proven.provider, &proven.issuer, &proven.subject, now)
}

/// Gives an account to the owner of its address: nothing that its maker knows or holds opens it any more. Whatever else can
/// come to open an account must be taken away here too.
fn hand_over(conn: &mut Conn, grants: &Grants, id: i64, unusable: &str, now: Timestamp) -> Result<User> {
    leave_behind(conn, id, now)?;
    two_factor::remove(conn, id)?;
    grants.set_password_in(conn, id, unusable, now)?;
    log::info!(target: "social", "user={id} goes to the owner of its address: password and sessions are dead");
    verify(conn, id, now)
}

fn join(conn: &mut Conn, proven: &Proven, unusable: &str, now: Timestamp) -> Result<User> {
    for username in names(proven) {
        let new = NewUser {
            username,
            password: unusable.to_owned(),
            email: proven.email.clone(),
            date_joined: now,
            updated_at: now,
            ..NewUser::default()
        };
        if let Ok(user) = user::insert(conn, &new)? {
            return verify(conn, user.id, now);
        }
    }
    Err(Error::Conflict("There is no free name for this account.".into()))
}

fn verify(conn: &mut Conn, id: i64, now: Timestamp) -> Result<User> {
    let changes = UserChanges { email_verified: Some(true), updated_at: now, ..UserChanges::default() };
    user::update(conn, id, &changes)?.map_err(|user::Taken| Error::internal("the name has not changed"))
}

/// The names to try: the address, if it can be one, then with some digits of who it is. They are the same each time, and
/// nobody else's.
fn names(proven: &Proven) -> Vec<String> {
    let whole = is_username(&proven.email).is_ok().then(|| normal_username(&proven.email));
    let fits = |c: char| is_username(c.encode_utf8(&mut [0; 4])).is_ok();
    let letters: String = proven.email.chars().map(|c| if fits(c) { c } else { '_' }).collect();
    let letters = normal_username(&letters);
    let who = digest::digest(&digest::SHA256, format!("{}\n{}", proven.issuer, proven.subject).as_bytes());
    let who = hex::encode(who);
    let with_digits = |digits: usize| {
        let start: String = letters.chars().take(LONGEST_NAME - 1 - digits).collect();
        format!("{start}-{}", who.chars().take(digits).collect::<String>())
    };
    whole.into_iter().chain(DIGITS.map(with_digits)).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn proven(email: &str) -> Proven {
        let [provider, issuer, subject] = ["google", "https://accounts.google.com", "1234"].map(Into::into);
        Proven { provider, issuer, subject, email: email.to_owned() }
    }

    #[test]
    fn a_name_is_the_address_or_a_short_free_one_that_stays() {
        let tried = names(&proven("ann@example.org"));
        let (whole, short) = (tried.first().unwrap(), tried.get(1).unwrap());
        assert_eq!(whole, "ann@example.org");
        assert!(short.starts_with("ann@example.org-") && short.len() == whole.len() + 9, "{short}");
        assert_eq!(tried, names(&proven("ann@example.org")));

        // What cannot be a name never stands for another's address that could.
        let tried = names(&proven("o'neill@example.org"));
        assert!(tried.iter().all(|name| name.starts_with("o_neill@example.org-")), "{tried:?}");
        for email in ["x".repeat(243) + "@x.org", "ﬃ".repeat(60) + "@x.org", "\u{200d}@x.org".into()] {
            let tried = names(&proven(&email));
            assert_eq!(tried.len(), 2, "{email}");
            assert!(tried.iter().all(|name| is_username(name).is_ok()), "{tried:?}");
        }
    }
}
