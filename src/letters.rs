//! A letter of the outbox in words: whom it is for, as the database has it now, and what it says to them. The postman writes it
//! with its tokens; the panel shows it without them.

use crate::auth::letter_token::OfUser;
use crate::auth::token::{EmailVerification, PasswordReset};
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::Result;
use crate::mail::Letter;
use crate::mail::letters::Link;
use crate::model::invitation::{self, Invitation};
use crate::model::outbox::{Kind, Taken};
use crate::model::user::{self, User};
use crate::site::Site;

/// What stands in a link for a token that nobody is to have.
const CUT: &str = "…";

/// Whether the links of a letter hold what lets its reader in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// As it goes out.
    Whole,
    /// For anybody else's eyes.
    Cut,
}

/// A letter, and whom it is for.
pub struct Addressed {
    letter: Taken,
    /// The active accounts that it is about, all of one address.
    users: Vec<User>,
    invitation: Option<Invitation>,
}

impl Addressed {
    /// Looks up whom a letter is for: the account which it names, if the account still has that address, else whoever has the
    /// address that was asked for.
    ///
    /// # Errors
    /// The database's.
    pub fn load(conn: &mut Conn, letter: Taken) -> Result<Self> {
        let users = match (letter.kind, letter.user) {
            (Kind::Invitation | Kind::Test, _) | (Kind::AddressChanged, None) => Vec::new(),
            // It goes to an address that the account has no more.
            (Kind::AddressChanged, Some(id)) => user::by_id(conn, id)?.into_iter().collect(),
            (Kind::Verification | Kind::Reset, Some(id)) => {
                let has_it = |user: &User| user.is_active && !user.is_service && user.email == letter.address;
                user::by_id(conn, id)?.filter(has_it).into_iter().collect()
            }
            (Kind::Verification | Kind::Reset, None) => user::active_by_mailbox(conn, &letter.address)?,
        };
        let invitation = letter.invitation.map(|id| invitation::by_id(conn, id)).transpose()?.flatten();
        Ok(Self { letter, users, invitation })
    }

    /// Why it is for nobody at `now`; nothing if it may go out.
    pub fn is_for_nobody(&self, now: Timestamp) -> Option<&'static str> {
        match self.letter.kind {
            Kind::Test => None,
            Kind::AddressChanged => self.users.is_empty().then_some(key!("the account is gone")),
            Kind::Reset => self.users.is_empty().then_some(key!("no active account has this address")),
            Kind::Verification if self.users.is_empty() => Some(key!("no active account has this address")),
            Kind::Verification => {
                self.users.iter().all(|user| user.email_verified).then_some(key!("the address is verified already"))
            }
            Kind::Invitation => match self.invitation.as_ref().map(|row| row.status(now)) {
                Some("pending") => None,
                Some("accepted") => Some(key!("the invitation was accepted")),
                Some("revoked") => Some(key!("the invitation was taken back")),
                _ => Some(key!("the invitation has expired")),
            },
        }
    }

    /// What it says at `now`; `None` if there is nobody whom it could say that.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn written(&self, site: &Site, links: Links, now: Timestamp) -> Result<Option<Letter>> {
        let (mail, to) = (&site.mail, &site.mail.links);
        let letter = match self.letter.kind {
            Kind::Verification => {
                let open: Vec<&User> = self.users.iter().filter(|user| !user.email_verified).collect();
                // To those who have verified it since, it said the same.
                let users = if open.is_empty() { self.users.iter().collect() } else { open };
                let Some(first) = users.first() else { return Ok(None) };
                let links = links_for::<EmailVerification>(site, &users, links, now, |token| to.verify(token))?;
                mail.verification(&first.email, links)?
            }
            Kind::Reset => {
                let Some(first) = self.users.first() else { return Ok(None) };
                let users: Vec<&User> = self.users.iter().collect();
                mail.reset(
                    &first.email,
                    links_for::<PasswordReset>(site, &users, links, now, |token| to.reset(token))?,
                )?
            }
            Kind::AddressChanged => {
                let Some(user) = self.users.first() else { return Ok(None) };
                mail.address_changed(&self.letter.address, &user.username)?
            }
            Kind::Invitation => {
                let Some(row) = &self.invitation else { return Ok(None) };
                let until = row.expires_at.utc().format("%-d %B %Y, %H:%M UTC").to_string();
                let url = match links {
                    Links::Whole => to.invitation(&site.letters.for_invitation(row, now)?),
                    Links::Cut => to.invitation(CUT),
                };
                mail.invitation(&row.email, url, &until)?
            }
            Kind::Test => mail.test(&self.letter.address)?,
        };
        Ok(Some(letter))
    }
}

fn links_for<K: OfUser>(
    site: &Site,
    users: &[&User],
    links: Links,
    now: Timestamp,
    link: impl Fn(&str) -> String,
) -> Result<Vec<Link>> {
    let one = |user: &&User| {
        let url = match links {
            Links::Whole => link(&site.letters.for_user::<K>(user, now)?),
            Links::Cut => link(CUT),
        };
        Ok(Link { username: user.username.clone(), url })
    };
    users.iter().map(one).collect()
}
