//! A form as its page shows it again: what was sent, and the complaints about it.

use crate::error::FieldErrors;
use crate::language::Said;

/// What a form holds: what was sent, or what a row has; and the complaints about it.
#[derive(Clone, Debug, Default)]
pub struct Filled {
    pairs: Vec<(String, String)>,
    complaints: Vec<Complaint>,
}

/// A complaint, as the summary on top of a form tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// The field's id on the page; empty for what is about no one field.
    pub anchor: String,
    /// The field's label.
    pub label: String,
    /// What is wrong, and the way out.
    pub words: String,
    name: String,
}

/// What the fields of forms are called, by their names.
const LABELS: [(&str, &str); 35] = [
    ("address", key!("Address")),
    ("author", key!("Author")),
    ("body", key!("Body")),
    ("code", key!("Code")),
    ("completed", key!("Completed")),
    ("confirm", key!("Confirmation")),
    ("current_password", key!("Your password")),
    ("description", key!("Description")),
    ("due_date", key!("Due date")),
    ("email", key!("E-mail")),
    ("email_verified", key!("E-mail verified")),
    ("expires", key!("Expires")),
    ("first_name", key!("First name")),
    ("how", key!("Kind of account")),
    ("is_active", key!("Active")),
    ("is_premium", key!("Premium")),
    ("is_staff", key!("Staff")),
    ("is_superuser", key!("Superuser")),
    ("keys", key!("Keys")),
    ("language", key!("Language")),
    ("last_name", key!("Last name")),
    ("name", key!("Name")),
    ("owner", key!("Owner")),
    ("p", key!("Permissions")),
    ("password", key!("Password")),
    ("password2", key!("Password again")),
    ("reason", key!("Reason")),
    ("roles", key!("Roles")),
    ("server_name", key!("Name of this server")),
    ("theme", key!("Theme")),
    ("time_zone", key!("Time zone")),
    ("title", key!("Title")),
    ("token", key!("Token")),
    ("username", key!("Username")),
    ("whole", key!("Whole")),
];

impl Filled {
    /// A form that holds these pairs.
    pub fn new(pairs: Vec<(String, String)>) -> Self {
        Self { pairs, complaints: Vec::new() }
    }

    /// Adds a value.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.pairs.push((name.to_owned(), value.into()));
        self
    }

    /// Adds a box, ticked or not.
    pub fn with_box(self, name: &str, ticked: bool) -> Self {
        if ticked { self.with(name, "on") } else { self }
    }

    /// The pairs as they are.
    pub fn pairs(&self) -> &[(String, String)] {
        &self.pairs
    }

    /// The pairs themselves.
    pub fn into_pairs(self) -> Vec<(String, String)> {
        self.pairs
    }

    /// The value of a field; empty if there is none.
    pub fn value(&self, name: &str) -> &str {
        self.pairs.iter().rfind(|(key, _)| key == name).map_or("", |(_, value)| value.as_str())
    }

    /// Every value of a field that may be given several times.
    pub fn values<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f str> {
        self.pairs.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether a box is ticked.
    pub fn ticked(&self, name: &str) -> bool {
        self.pairs.iter().any(|(key, _)| key == name)
    }

    /// Whether a field has this among its values.
    pub fn has(&self, name: &str, value: &str) -> bool {
        self.values(name).any(|one| one == value)
    }

    /// Puts the values that `other` has for a field in place of its own.
    pub fn take_from(&mut self, other: &Self, name: &str) {
        self.pairs.retain(|(key, _)| key != name);
        self.pairs.extend(other.pairs.iter().filter(|(key, _)| key == name).cloned());
    }

    /// The form with complaints at its fields.
    pub fn refused(mut self, complaints: FieldErrors) -> Self {
        for (name, words) in complaints {
            for words in words {
                self.complain(&name, words);
            }
        }
        self
    }

    /// The form with one complaint at a field.
    pub fn refused_for(mut self, name: &str, words: impl Into<String>) -> Self {
        self.complain(name, words.into());
        self
    }

    fn complain(&mut self, name: &str, words: String) {
        let general = name == "non_field_errors";
        let anchor = if general { String::new() } else { format!("f-{name}") };
        self.complaints.push(Complaint { anchor, label: label(name), words, name: name.to_owned() });
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
}

/// What a field is called on the page.
pub fn label(name: &str) -> String {
    match LABELS.iter().find(|(known, _)| *known == name) {
        Some((_, label)) => Said::of(*label).to_string(),
        None => name.replace('_', " "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_field_can_be_taken_from_another_form() {
        let theirs = Filled::default().with("roles", "1").with("roles", "2").with("email", "theirs");
        let mut mine = Filled::default().with("roles", "3").with("email", "mine").with_box("is_active", true);
        mine.take_from(&theirs, "roles");
        mine.take_from(&theirs, "is_active");
        assert_eq!(mine.values("roles").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!((mine.value("email"), mine.ticked("is_active")), ("mine", false));
    }
}
