//! What a body says of an account.

use chrono::NaiveDate;

use crate::auth::account_rules::{is_username, lower_domain, normal_username};
use crate::auth::actor::Flags;
use crate::clock::Timestamp;
use crate::model::user::{User, UserChanges};
use crate::rest::fields::{Fields, Input};
use crate::settings::Secret;

/// What a body may say of an account; what it leaves out is left alone.
pub struct Account {
    pub(super) username: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) email: Option<String>,
    pub(super) first_name: Option<String>,
    pub(super) last_name: Option<String>,
    pub(super) phone_number: Option<String>,
    pub(super) date_of_birth: Option<Option<NaiveDate>>,
    pub(super) email_verified: Option<bool>,
    pub(super) is_active: Option<bool>,
    pub(super) is_staff: Option<bool>,
    pub(super) is_superuser: Option<bool>,
    pub(super) is_premium: Option<bool>,
    /// By name.
    pub(super) roles: Option<Vec<String>>,
}

impl Input for Account {
    fn read(fields: &mut Fields) -> Self {
        fields.read_only("id", "integer");
        let username = fields.text("username").required().max(150).matching(is_username).get();
        let account = Self {
            username: username.as_deref().map(normal_username),
            password: fields.text("password").get().map(Secret::from),
            email: fields.email("email").blank().get().map(|email| lower_domain(&email)),
            first_name: fields.text("first_name").blank().max(150).get(),
            last_name: fields.text("last_name").blank().max(150).get(),
            phone_number: fields.text("phone_number").blank().max(15).get(),
            date_of_birth: fields.date("date_of_birth").nullable().get(),
            // Null is as nothing: a form that leaves a flag out must not be taken to say no.
            email_verified: fields.boolean("email_verified").nullable().value(),
            is_active: fields.boolean("is_active").nullable().value(),
            is_staff: fields.boolean("is_staff").nullable().value(),
            is_superuser: fields.boolean("is_superuser").nullable().value(),
            is_premium: fields.boolean("is_premium").nullable().value(),
            roles: fields.texts("roles").blank().get(),
        };
        fields.read_only("date_joined", "datetime");
        fields.read_only("last_login", "datetime");
        account
    }
}

impl Account {
    pub(super) fn flags(&self, before: Flags) -> Flags {
        Flags {
            active: self.is_active.unwrap_or(before.active),
            staff: self.is_staff.unwrap_or(before.staff),
            superuser: self.is_superuser.unwrap_or(before.superuser),
        }
    }

    /// What is written to the row, but for the password and the roles.
    pub(super) fn changes(&self, before: &User, now: Timestamp) -> UserChanges {
        let has_new_email = self.email.as_ref().is_some_and(|email| *email != before.email);
        UserChanges {
            username: self.username.clone(),
            first_name: self.first_name.clone(),
            last_name: self.last_name.clone(),
            email: self.email.clone(),
            // A new address is verified by nobody yet.
            email_verified: if has_new_email { Some(false) } else { self.email_verified },
            phone_number: self.phone_number.clone(),
            date_of_birth: self.date_of_birth,
            is_active: self.is_active,
            is_staff: self.is_staff,
            is_superuser: self.is_superuser,
            is_premium: self.is_premium,
            time_zone: None,
            // Later than any version that a form of the panel was made from, whatever the clock says.
            updated_at: now.max(before.updated_at + std::time::Duration::from_micros(1)),
        }
    }
}
