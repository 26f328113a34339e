//! What the forms about users are made of: the account's fields, and a new password typed twice.

use crate::auth::account_rules::{Own, check_new_password, is_username, lower_domain, normal_username};
use crate::auth::actor::Flags;
use crate::error::{Error, FieldErrors};
use crate::model::user::User;
use crate::rest::fields::{Fields, Input};
use crate::settings::{Passwords, Secret};
use crate::site::Site;
use crate::zone::Zone;

/// What is said beside a new password while the rules are on, a key.
pub const PASSWORD_HINT: &str =
    key!("At least 8 characters; nothing common, nothing like the name or the address, not digits alone.");

/// The name of an account, in its stored form.
pub fn username(f: &mut Fields) -> String {
    normal_username(&f.text("username").required().max(150).matching(is_username).value())
}

/// The e-mail address of an account, in its stored form; may be empty.
pub fn email(f: &mut Fields) -> String {
    lower_domain(&f.email("email").blank().value())
}

/// A time zone by its name; `None` where nothing is given.
pub fn zone(f: &mut Fields) -> Option<Zone> {
    let name = f.text("time_zone").blank().max(64).value();
    if name.is_empty() {
        return None;
    }
    name.parse().map_err(|complaint: String| f.reject("time_zone", complaint)).ok()
}

/// What is said beside a time zone that may be left out.
pub fn zone_hint(site: &Site) -> String {
    say!("In which times are shown, such as Europe/Oslo. Without one it is the server's, {zone}.", zone = site.zone())
}

/// A new password, typed twice alike.
pub struct Password(Secret);

impl Input for Password {
    fn read(f: &mut Fields) -> Self {
        let password: String = f.text("password").required().value();
        let again: String = f.text("password2").required().value();
        if password != again && !again.is_empty() {
            f.reject("password2", say!("The two passwords are not the same. Type both again."));
        }
        Self(password.into())
    }
}

impl Password {
    /// The password, if the rules allow it to somebody who is known by `own`.
    ///
    /// # Errors
    /// Django's complaints.
    pub fn judged(self, rules: &Passwords, own: &Own<'_>) -> Result<Secret, FieldErrors> {
        match check_new_password(rules, "password", &self.0, own) {
            Ok(()) => Ok(self.0),
            Err(Error::Invalid(complaints)) => Err(complaints),
            Err(_) => Err(Vec::new()),
        }
    }
}

/// The fields of an account.
#[derive(Clone)]
pub struct Profile {
    /// The name.
    pub username: String,
    /// The e-mail address.
    pub email: String,
    /// Given name.
    pub first_name: String,
    /// Family name.
    pub last_name: String,
    /// Where they read the clock.
    pub zone: Option<Zone>,
    /// May sign in.
    pub is_active: bool,
    /// May open the panel.
    pub is_staff: bool,
    /// May do everything.
    pub is_superuser: bool,
    /// Premium.
    pub is_premium: bool,
    /// Whether the address is known to be the user's own.
    pub email_verified: bool,
    /// The version of the row that the form was made from.
    pub version: i64,
}

impl Input for Profile {
    fn read(f: &mut Fields) -> Self {
        Self {
            username: username(f),
            email: email(f),
            first_name: f.text("first_name").blank().max(150).value(),
            last_name: f.text("last_name").blank().max(150).value(),
            zone: zone(f),
            is_active: f.boolean("is_active").value(),
            is_staff: f.boolean("is_staff").value(),
            is_superuser: f.boolean("is_superuser").value(),
            is_premium: f.boolean("is_premium").value(),
            email_verified: f.boolean("email_verified").value(),
            version: f.integer("version").value(),
        }
    }
}

impl Profile {
    /// What the user is known by, and a password must not be like.
    pub fn own(&self) -> Own<'_> {
        Own { username: &self.username, first_name: &self.first_name, last_name: &self.last_name, email: &self.email }
    }

    /// The time zone as a row has it.
    pub fn zone_name(&self) -> Option<String> {
        self.zone.map(|zone| zone.name().to_owned())
    }

    /// The flags that give something.
    pub fn flags(&self) -> Flags {
        Flags { active: self.is_active, staff: self.is_staff, superuser: self.is_superuser }
    }

    /// Whether the address is another than the user's, and so verified by nobody.
    pub fn has_new_email(&self, user: &User) -> bool {
        self.email != user.email
    }
}

/// A new account, in one of the ways in which one is made.
pub enum NewAccount {
    /// A person who is invited by a letter, and chooses name and password themselves.
    Invited(String),
    /// A person, with a first password.
    Person(Box<Profile>, Password),
    /// A service: no password, API keys only.
    Service(Box<Profile>),
}

impl Input for NewAccount {
    fn read(f: &mut Fields) -> Self {
        match f.text("how").blank().value().as_str() {
            "invitation" => {
                let email = lower_domain(&f.email("email").required().value());
                let gives = ["is_staff", "is_superuser"].into_iter().any(|flag| f.boolean(flag).value());
                if gives || !f.texts("roles").blank().value().is_empty() {
                    f.reject("how", say!("Whoever is invited has no account yet. Give roles once they have made it."));
                }
                Self::Invited(email)
            }
            "service" => {
                let profile = Profile::read(f);
                if profile.is_superuser {
                    f.reject("is_superuser", say!("A service is no superuser. Give it roles that allow what it does."));
                }
                Self::Service(Box::new(profile))
            }
            how => {
                let profile = Profile::read(f);
                let password = Password::read(f);
                if !matches!(how, "" | "password") {
                    f.reject("how", say!("Choose how the account is made."));
                }
                Self::Person(Box::new(profile), password)
            }
        }
    }
}
