//! The forms of these pages: read by the same reader as the API's bodies, and shown again with what was wrong.

use crate::auth::account_rules::{Own, check_new_password};
use crate::error::{Error, FieldErrors, Result};
use crate::rest::fields::{self, Fields, Input, Payload};
pub use crate::rest::filled::Filled;
use crate::rest::payload::Body;
use crate::settings::{Passwords, Secret};

/// Reads a form: its input, or the form as it was sent with the complaints at its fields. A password is never shown again.
pub async fn read<I: Input>(body: Body) -> Result<(Filled, Result<I, FieldErrors>)> {
    let pairs = match body.payload().await? {
        Payload::Form(pairs) => pairs,
        Payload::Multipart(parts) => parts.into_iter().filter_map(|(name, text)| Some((name, text?))).collect(),
        Payload::Json(object) if object.is_empty() => Vec::new(),
        Payload::Json(_) => return Err(Error::UnsupportedMediaType("application/json".to_owned())),
    };
    let input = match fields::read_input(Payload::Form(pairs.clone()), false) {
        Ok(input) => Ok(input),
        Err(Error::Invalid(complaints)) => Err(complaints),
        Err(error) => return Err(error),
    };
    let shown = pairs.into_iter().filter(|(name, _)| name == "username").collect();
    Ok((Filled::new(shown), input))
}

/// A new password, typed twice.
pub struct NewPassword {
    password: String,
    again: String,
}

impl Input for NewPassword {
    fn read(fields: &mut Fields) -> Self {
        let password = fields.text("password").required().value();
        Self { password, again: fields.text("password2").blank().value() }
    }
}

impl NewPassword {
    /// The password, if it was typed the same twice and will do.
    ///
    /// # Errors
    /// Django's complaints at the fields.
    pub fn judged(self, rules: &Passwords, own: &Own<'_>) -> Result<Secret, FieldErrors> {
        if self.password != self.again {
            return Err(vec![("password2".into(), vec![say!("The two passwords differ.")])]);
        }
        let password = Secret::from(self.password);
        match check_new_password(rules, "password", &password, own) {
            Ok(()) => Ok(password),
            Err(Error::Invalid(complaints)) => Err(complaints),
            Err(_) => Err(Vec::new()),
        }
    }
}

/// What is said about passwords beside the field.
pub fn password_hint(rules: &Passwords) -> String {
    if rules.rules {
        say!("At least 8 characters, not a common one, not only digits, and not like your name or address")
    } else {
        String::new()
    }
}
