//! Forms of the panel: read only after the anti-forgery check, by the same reader of fields as the API's bodies.
//!
//! A form that is refused keeps what was typed ([`Filled`]), so that its page can show it again beside the complaints.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload as Stream;
use actix_web::{FromRequest, HttpRequest};

use crate::admin::error::PageError;
use crate::admin::visit::Visit;
use crate::error::{Error, FieldErrors};
use crate::language::Said;
use crate::rest::fields::{self, Fields, Input, Payload};
use crate::rest::payload::Body;

/// The hidden field that proves that a form is ours.
pub const TOKEN: &str = "csrf_token";

/// A form that was sent from one of our pages. That it exists is the proof.
pub struct Form<I> {
    /// Its fields, as they were sent.
    pub sent: Filled,
    /// What they come to.
    pub input: Result<I, FieldErrors>,
}

impl<I: Input> FromRequest for Form<I> {
    type Error = PageError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, PageError>>>>;

    fn from_request(request: &HttpRequest, stream: &mut Stream) -> Self::Future {
        let visit = Visit::of(request);
        let body = Body::from_request(request, stream);
        Box::pin(async move {
            let pairs = match body.await?.payload().await? {
                Payload::Form(pairs) => pairs,
                Payload::Multipart(parts) => parts.into_iter().filter_map(|(name, text)| Some((name, text?))).collect(),
                Payload::Json(_) => return Err(Error::UnsupportedMediaType("application/json".to_owned()).into()),
            };
            let token = pairs.iter().find(|(name, _)| name == TOKEN).map_or("", |(_, value)| value.as_str());
            visit.check_token(token)?;
            Ok(Self::read(pairs))
        })
    }
}

impl<I: Input> Form<I> {
    /// Reads the fields of a form that was checked.
    pub fn read(pairs: Vec<(String, String)>) -> Self {
        let input = match fields::read_input(Payload::Form(pairs.clone()), false) {
            Ok(input) => Ok(input),
            Err(Error::Invalid(complaints)) => Err(complaints),
            Err(_) => Err(Vec::new()),
        };
        Self { sent: Filled::new(pairs), input }
    }

    /// The input; or, if it was refused, the form as it was sent, with the complaints at its fields.
    pub fn checked(self) -> Result<(I, Filled), Filled> {
        match self.input {
            Ok(input) => Ok((input, self.sent)),
            Err(complaints) => Err(self.sent.refused(complaints)),
        }
    }
}

/// A form without fields of its own: a button.
pub struct Button;

impl Input for Button {
    fn read(_: &mut Fields) -> Self {
        Self
    }
}

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
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    struct Thing {
        name: String,
        on: bool,
    }

    impl Input for Thing {
        fn read(f: &mut Fields) -> Self {
            Self { name: f.text("first_name").required().max(5).value(), on: f.boolean("is_active").value() }
        }
    }

    fn form(pairs: &[(&str, &str)]) -> Form<Thing> {
        Form::read(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn a_good_form_is_read_and_a_missing_box_is_unticked() {
        let (thing, _) = form(&[("first_name", " Ann "), ("is_active", "on")]).checked().unwrap();
        assert_eq!((thing.name.as_str(), thing.on), ("Ann", true));
        assert!(!form(&[("first_name", "Ann")]).checked().unwrap().0.on);
    }

    #[test]
    fn a_refused_form_keeps_what_was_typed_and_names_its_fields() {
        let filled = form(&[("first_name", "Annabella"), ("is_active", "on")]).checked().err().unwrap();
        assert_eq!(filled.value("first_name"), "Annabella");
        assert!(filled.ticked("is_active"));
        let complaint = filled.errors().first().unwrap();
        assert_eq!((complaint.label.as_str(), complaint.anchor.as_str()), ("First name", "f-first_name"));
        assert_eq!(filled.error("first_name"), Some("Ensure this field has no more than 5 characters."));
        assert_eq!(filled.error("is_active"), None);
    }

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
