//! `portcullis user`: changes to one user, in effect in a running server when the command returns.

use anyhow::Context;
use clap::Subcommand;

use crate::auth::account_rules::{Own, check_new_password, lower_domain};
use crate::auth::api_keys::Scopes;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::model::api_key::{self, InUse, NewApiKey};
use crate::model::audit::{self, Change, Object, changed, user_fields};
use crate::model::user::{self, User, UserChanges};
use crate::model::{invitation, two_factor};
use crate::rest::email::is_email;
use crate::settings::{Registration, Secret, Settings};
use crate::site::Site;

use super::{audits, first_line, in_words, on_site, say, write};

/// What to do to whom.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    act: Act,
}

#[derive(Subcommand)]
enum Act {
    /// Switches the account off and ends all its sessions
    Deactivate { name: String },
    /// Switches the account on again; sessions that were ended stay ended
    Activate { name: String },
    /// Lets the user open the panel
    Staff { name: String },
    /// No longer lets the user open the panel
    Unstaff { name: String },
    /// Makes the user premium
    Premium { name: String },
    /// Makes the user an ordinary one
    Unpremium { name: String },
    /// Switches two-factor sign-in off, for an owner who has lost app and recovery codes
    ResetTwoFactor { name: String },
    /// Deletes the account with its tasks and articles; its tokens are dead
    Delete { name: String },
    /// Invites an address by a letter, which the running server sends
    Invite {
        /// The address
        email: String,
    },
    /// Sets a password and ends all sessions
    Password {
        name: String,
        /// The password; - reads it from standard input, where no process list shows it
        value: String,
    },
    /// Gives the user an API key that opens all that the user may; without a VALUE a random one is made and shown
    Apikey {
        name: String,
        /// The key; - reads it from standard input, where no process list shows it
        value: Option<String>,
    },
}

pub fn run(settings: Settings, arguments: Arguments) -> anyhow::Result<()> {
    on_site(settings, |site| async move {
        match arguments.act {
            Act::Deactivate { name } => set_active(&site, name, false).await,
            Act::Activate { name } => set_active(&site, name, true).await,
            Act::Staff { name } => set(&site, name, "is staff now", |changes| changes.is_staff = Some(true)).await,
            Act::Unstaff { name } => {
                let change = |changes: &mut UserChanges| changes.is_staff = Some(false);
                set(&site, name, "is no longer staff", change).await
            }
            Act::Premium { name } => {
                set(&site, name, "is premium now", |changes| changes.is_premium = Some(true)).await
            }
            Act::Unpremium { name } => {
                set(&site, name, "is no longer premium", |changes| changes.is_premium = Some(false)).await
            }
            Act::ResetTwoFactor { name } => reset_two_factor(&site, name).await,
            Act::Delete { name } => delete(&site, name).await,
            Act::Invite { email } => invite(&site, &email).await,
            Act::Password { name, value } => {
                let password = if value == "-" { first_line()? } else { value.into() };
                set_password(&site, &name, password).await
            }
            Act::Apikey { name, value } => {
                let chosen = match value.as_deref() {
                    Some("-") => Some(first_line()?),
                    value => value.map(Secret::from),
                };
                add_key(&site, &name, chosen).await
            }
        }
    })
}

/// The user of this name, inside a transaction.
fn named(conn: &mut Conn, name: &str) -> Result<User> {
    user::by_username(conn, name)?.ok_or_else(|| Error::Conflict(format!("there is no user {name:?}").into()))
}

/// The server must keep somebody who can administer it.
fn keep_a_superuser(conn: &mut Conn, user: &User) -> Result<()> {
    if user.is_superuser && user.is_active && user.is_staff && user::active_superusers(conn)? == 1 {
        let name = &user.username;
        return Err(Error::Conflict(format!("{name} is the last active superuser: make another one first").into()));
    }
    Ok(())
}

async fn set(site: &Site, name: String, done: &str, change: fn(&mut UserChanges)) -> anyhow::Result<()> {
    let (grants, now, wanted) = (site.grants.clone(), site.clock.now(), name.clone());
    let audit = audits(site, "user.change");
    write(site, move |conn| {
        let user = named(conn, &wanted)?;
        let mut changes = UserChanges { updated_at: now, ..UserChanges::default() };
        change(&mut changes);
        if changes.is_staff == Some(false) {
            keep_a_superuser(conn, &user)?;
        }
        let before = user_fields(conn, &user)?;
        let after = user::update(conn, user.id, &changes)?.map_err(|_| Error::internal("the name has not changed"))?;
        let changes = changed(&before, &user_fields(conn, &after)?);
        audit.on(Object::user(user.id, user.username)).with(changes).append(conn)?;
        grants.changed_in(conn, user.id, now)
    })
    .await?;
    say(&format!("{name} {done}"))
}

async fn set_active(site: &Site, name: String, active: bool) -> anyhow::Result<()> {
    let (grants, now, wanted) = (site.grants.clone(), site.clock.now(), name.clone());
    let audit = audits(site, if active { "user.activate" } else { "user.deactivate" });
    let ended = write(site, move |conn| {
        let user = named(conn, &wanted)?;
        if !active {
            keep_a_superuser(conn, &user)?;
        }
        let ended = grants.set_active_in(conn, user.id, active, now)?;
        let changes = Change::of("is_active", user.is_active, active);
        let ends = (!active).then(|| Change::fact("sessions_ended", ended));
        audit.on(Object::user(user.id, user.username)).with(changes).with(ends).append(conn)?;
        Ok(ended)
    });
    match (active, ended.await?) {
        (true, _) => say(&format!("{name} is active")),
        (false, ended) => say(&format!("{name} is inactive; sessions ended: {ended}")),
    }
}

async fn reset_two_factor(site: &Site, name: String) -> anyhow::Result<()> {
    let (wanted, audit) = (name.clone(), audits(site, "user.two_factor_reset"));
    let was_on = write(site, move |conn| {
        let user = named(conn, &wanted)?;
        let was_on = two_factor::remove(conn, user.id)?;
        audit.on(Object::user(user.id, user.username)).append(conn)?;
        Ok(was_on)
    });
    match was_on.await? {
        true => say(&format!("{name} has no two-factor sign-in any more")),
        false => say(&format!("{name} had no two-factor sign-in")),
    }
}

async fn delete(site: &Site, name: String) -> anyhow::Result<()> {
    let (grants, now, wanted) = (site.grants.clone(), site.clock.now(), name.clone());
    let audit = audits(site, "user.delete");
    write(site, move |conn| {
        let user = named(conn, &wanted)?;
        keep_a_superuser(conn, &user)?;
        let ended = grants.end_all_in(conn, user.id, now)?;
        let ended = [Change::fact("sessions_ended", ended)];
        audit.on(Object::user(user.id, user.username)).with(ended).append(conn)?;
        user::delete(conn, user.id)
    })
    .await?;
    say(&format!("{name} is deleted"))
}

async fn invite(site: &Site, email: &str) -> anyhow::Result<()> {
    if !is_email(email) {
        anyhow::bail!("{email:?} is no e-mail address");
    }
    if site.settings.accounts.registration == Registration::Closed {
        anyhow::bail!("accounts.registration is closed: nobody could accept an invitation; set it to invitation");
    }
    let (address, life, now) = (lower_domain(email), site.settings.accounts.invitation_lifetime, site.clock.now());
    let audit = audits(site, "invitation.create");
    let invited = write(site, move |conn| {
        let made = invitation::invite(conn, &address, None, life, now)?;
        audit.on(Object::new("invitation", made.id, &made.email)).append(conn)?;
        Ok(made)
    });
    let invited = invited.await?;
    say(&format!(
        "{} is invited, until {}; a running server sends the letter",
        invited.email,
        invited.expires_at.rfc3339()
    ))
}

/// Sets a password by the rules in force.
pub async fn set_password(site: &Site, name: &str, password: Secret) -> anyhow::Result<()> {
    let wanted = name.to_owned();
    let user = site.db.read(move |conn| named(conn, &wanted)).await.map_err(in_words)?;
    check_new_password(&site.settings.passwords, "password", &password, &Own::of(&user)).map_err(in_words)?;
    let hash = site.passwords.hash(password).await.context("cannot hash the password")?;
    let (grants, now, id) = (site.grants.clone(), site.clock.now(), user.id);
    let audit = audits(site, "user.password");
    let ended = write(site, move |conn| {
        let gone = || Error::Conflict("the user was deleted a moment ago".into());
        let user = user::by_id(conn, id)?.ok_or_else(gone)?;
        let ended = grants.set_password_in(conn, id, &hash, now)?;
        let changes = [Change::secret("password"), Change::fact("sessions_ended", ended)];
        audit.on(Object::user(id, user.username)).with(changes).append(conn)?;
        Ok(ended)
    });
    say(&format!("{name} has a new password; sessions ended: {}", ended.await?))
}

/// Fewer characters can be guessed.
const LEAST_CHOSEN: usize = 32;

async fn add_key(site: &Site, name: &str, chosen: Option<Secret>) -> anyhow::Result<()> {
    if let Some(chosen) = &chosen {
        let fits = chosen.expose().bytes().all(|byte| byte.is_ascii_graphic());
        anyhow::ensure!(fits && !chosen.expose().is_empty(), "a key is of visible ASCII characters, without spaces");
    }
    let short = chosen.as_ref().is_some_and(|chosen| chosen.expose().len() < LEAST_CHOSEN);
    let shown = chosen.is_none();
    let secret = chosen.map_or_else(api_key::new_secret, Ok).map_err(in_words)?;
    let (wanted, kept, now) = (name.to_owned(), secret.clone(), site.clock.now());
    let audit = audits(site, "api_key.create");
    write(site, move |conn| {
        let owner = named(conn, &wanted)?;
        let new = NewApiKey {
            user: owner.id,
            name: "command line".to_owned(),
            scopes: Scopes::Whole.to_string(),
            ip_ranges: String::new(),
            expires_at: None,
        };
        let made = api_key::insert(conn, &new, &kept, now)?;
        let made = made.map_err(|InUse| Error::Conflict("that key is in use already".into()))?;
        let told = [("owner", owner.username), ("scopes", new.scopes)];
        audit.on(Object::new("api key", made.id, new.name)).with(audit::told(&told)).append(conn)
    })
    .await?;
    if shown {
        return say(&format!("{name} has the API key {}: it is not shown again", secret.expose()));
    }
    say(&format!("{name} has the API key"))?;
    if short {
        say("it is short enough to be guessed: without a VALUE, one of 192 random bits is made")
    } else {
        Ok(())
    }
}
