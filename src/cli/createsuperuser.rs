//! `portcullis createsuperuser`: the first administrator, or one more.

use anyhow::Context;

use crate::auth::account_rules::{Own, check_new_password, is_username, lower_domain, normal_username};
use crate::db::Conn;
use crate::error::Error;
use crate::model::audit::{Change, Object, changed, told, user_fields};
use crate::model::user::{self, NewUser, UserChanges};
use crate::rest::email::is_email;
use crate::settings::{Secret, Settings};
use crate::site::Site;

use super::{ask_password, audits, in_words, on_new_site, say, write};

/// Who the superuser is.
#[derive(clap::Args)]
pub struct Arguments {
    /// The name to sign in with; an existing user of that name becomes superuser and gets the new password
    #[arg(long)]
    username: String,
    /// The e-mail address
    #[arg(long, default_value = "")]
    email: String,
}

pub fn run(settings: Settings, arguments: Arguments) -> anyhow::Result<()> {
    let password = match std::env::var("PORTCULLIS_SUPERUSER_PASSWORD") {
        Ok(password) => password.into(),
        Err(_) => ask_password("Password")?,
    };
    on_new_site(settings, |site| async move {
        let made = make(&site, &arguments.username, &arguments.email, password).await?;
        say(&format!("{} is a superuser{}", arguments.username, if made { "" } else { " now, with a new password" }))
    })
}

/// Makes the superuser; `false` if it promoted a user that was there.
pub async fn make(site: &Site, username: &str, email: &str, password: Secret) -> anyhow::Result<bool> {
    let (username, email) = (normal_username(username.trim()), lower_domain(email.trim()));
    is_username(&username).map_err(anyhow::Error::msg)?;
    if !email.is_empty() && !is_email(&email) {
        anyhow::bail!("Enter a valid email address.");
    }
    let own = Own { username: &username, first_name: "", last_name: "", email: &email };
    check_new_password(&site.settings.passwords, "password", &password, &own).map_err(in_words)?;
    let password = site.passwords.hash(password).await.context("cannot hash the password")?;
    let (grants, now) = (site.grants.clone(), site.clock.now());
    let audit = audits(site, "user.create_superuser");
    write(site, move |conn: &mut Conn| {
        if let Some(known) = user::by_username(conn, &username)? {
            let before = user_fields(conn, &known)?;
            let changes = UserChanges {
                is_active: Some(true),
                is_staff: Some(true),
                is_superuser: Some(true),
                email: Some(email).filter(|email| !email.is_empty()),
                updated_at: now,
                ..UserChanges::default()
            };
            let after =
                user::update(conn, known.id, &changes)?.map_err(|_| Error::internal("the name has not changed"))?;
            grants.set_password_in(conn, known.id, &password, now)?;
            let changes = changed(&before, &user_fields(conn, &after)?);
            let audit = audit.on(Object::user(known.id, username)).with(changes);
            audit.with([Change::secret("password")]).append(conn)?;
            return Ok(false);
        }
        let new = NewUser {
            username,
            password,
            email,
            is_staff: true,
            is_superuser: true,
            date_joined: now,
            updated_at: now,
            ..NewUser::default()
        };
        let made = user::insert(conn, &new)?.map_err(|_| Error::Conflict("the name was taken a moment ago".into()))?;
        let fields = user_fields(conn, &made)?;
        audit.on(Object::user(made.id, made.username)).with(told(&fields)).append(conn)?;
        Ok(true)
    })
    .await
}
