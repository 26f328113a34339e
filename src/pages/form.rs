//! The forms of these pages: read by the same reader as the API's bodies, and shown again with what was wrong.

use std::borrow::Cow;

use crate::auth::account_rules::{Own, check_new_password};
use crate::error::{Error, FieldErrors, Result};
use crate::rest::fields::{self, Fields, Input, Payload};
use crate::rest::payload::Body;
use crate::settings::{Passwords, Secret};

/// What a form holds, and the complaints about it, as the fields of `macros/ui.html` draw them.
#[derive(Default)]
pub struct Filled {
    pairs: Vec<(String, String)>,
    complaints: Vec<Complaint>,
}

/// A complaint, as the summary on top of a form tells it.
pub struct Complaint {
    /// The field's id on the page.
    pub anchor: String,
    /// The field's label.
    pub label: Cow<'static, str>,
    /// What is wrong.
    pub words: String,
    name: String,
}

impl Filled {
    /// The value of a field; empty if there is none.
    pub fn value(&self, name: &str) -> &str {
        self.pairs.iter().rfind(|(key, _)| key == name).map_or("", |(_, value)| value.as_str())
    }

    /// Whether there is anything to complain about.
    pub fn is_refused(&self) -> bool {
        !self.complaints.is_empty()
    }

    /// The complaints, in order.
    pub fn errors(&self) -> &[Complaint] {
        &self.complaints
    }

    /// The first complaint about a field.
    pub fn error(&self, name: &str) -> Option<&str> {
        self.complaints.iter().find(|one| one.name == name).map(|one| one.words.as_str())
    }

    /// The form with complaints at its fields.
    pub fn refused(mut self, complaints: FieldErrors) -> Self {
        for (name, words) in complaints {
            let label = match name.as_ref() {
                "username" => "Username",
                "password2" => "Password again",
                _ => "Password",
            };
            self.complaints.extend(words.into_iter().map(|words| Complaint {
                anchor: format!("f-{name}"),
                label: label.into(),
                words,
                name: name.to_string(),
            }));
        }
        self
    }
}

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
    Ok((Filled { pairs: shown, complaints: Vec::new() }, input))
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
            return Err(vec![("password2".into(), vec!["The two passwords differ.".to_owned()])]);
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
pub fn password_hint(rules: &Passwords) -> &'static str {
    if rules.rules {
        "At least 8 characters, not a common one, not only digits, and not like your name or address"
    } else {
        ""
    }
}
