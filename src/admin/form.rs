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
use crate::rest::fields::{self, Fields, Input, Payload};
pub use crate::rest::filled::{Filled, label};
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
}
