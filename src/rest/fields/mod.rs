//! One reader for the fields of a body, whether it came as JSON or as a form: DRF's rules, DRF's words.
//!
//! A body is read field by field and every complaint is kept, so that a client learns all of them at once, in the order
//! in which the fields are declared. What is told about the fields at OPTIONS comes from the very same declarations.

use std::borrow::Cow;

use chrono::NaiveDate;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::clock::Timestamp;
use crate::error::{Error, FieldErrors, Result};

mod rules;
#[cfg(test)]
mod tests;

pub use rules::MOST_ITEMS;
use rules::{Given, Read, Rules, default_label};
use rules::{read_boolean, read_date, read_datetime, read_integer, read_text, read_texts};

/// What a handler asks of a body.
pub trait Input: Sized + 'static {
    /// Reads the fields in the order in which complaints about them are told.
    fn read(fields: &mut Fields) -> Self;
}

/// A body that was understood, before its fields are looked at.
#[derive(Clone, Debug, PartialEq)]
pub enum Payload {
    /// A JSON object.
    Json(Map<String, Value>),
    /// A form. Of equal names the last counts.
    Form(Vec<(String, String)>),
    /// A form that may hold files, which are `None`: no field takes one. Of equal names the last counts.
    Multipart(Vec<(String, Option<String>)>),
}

impl Payload {
    /// Forms have no null and no false, so there an empty or missing field means something else than in JSON.
    fn is_form(&self) -> bool {
        !matches!(self, Self::Json(_))
    }

    fn given(&self, name: &str) -> Given<'_> {
        match self {
            Self::Json(object) => object.get(name).map_or(Given::Nothing, Given::of),
            Self::Form(pairs) => {
                pairs.iter().rfind(|(key, _)| key == name).map_or(Given::Nothing, |(_, text)| Given::Text(text))
            }
            Self::Multipart(pairs) => match pairs.iter().rfind(|(key, _)| key == name) {
                None => Given::Nothing,
                Some((_, None)) => Given::Other,
                Some((_, Some(text))) => Given::Text(text),
            },
        }
    }

    /// As [`Payload::given`], for a list: a form says one by saying its name as often as it has items.
    fn given_list(&self, name: &str) -> Given<'_> {
        let items: Vec<Given<'_>> = match self {
            Self::Json(_) => return self.given(name),
            Self::Form(pairs) => {
                pairs.iter().filter(|(key, _)| key == name).map(|(_, text)| Given::Text(text)).collect()
            }
            Self::Multipart(pairs) => {
                let own = pairs.iter().filter(|(key, _)| key == name);
                own.map(|(_, text)| text.as_ref().map_or(Given::Other, |text| Given::Text(text))).collect()
            }
        };
        if items.is_empty() { Given::Nothing } else { Given::List(items) }
    }
}

/// What OPTIONS tells about a field (CONTRACT 13).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldInfo {
    /// Its name in the body.
    #[serde(skip)]
    pub name: &'static str,
    /// `string`, `email`, `integer`, `boolean`, `date`, `datetime`, `list`, or `field` for a relation.
    pub r#type: &'static str,
    /// Whether a whole body must have it.
    pub required: bool,
    /// Whether the server alone sets it.
    pub read_only: bool,
    /// Its name for people.
    pub label: Cow<'static, str>,
    /// The most characters it takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_length: Option<usize>,
    /// Whether it may be null; OPTIONS does not tell.
    #[serde(skip)]
    pub nullable: bool,
    /// Whether it may be empty; OPTIONS does not tell.
    #[serde(skip)]
    pub blank: bool,
}

/// A body being read, and the complaints about it so far.
pub struct Fields {
    /// `None` while the fields are described instead of read.
    payload: Option<Payload>,
    partial: bool,
    complaints: FieldErrors,
    described: Vec<FieldInfo>,
}

impl Fields {
    /// Begins to read `payload`; if it is `partial`, as with PATCH, no field is required.
    pub fn new(payload: Payload, partial: bool) -> Self {
        Self { payload: Some(payload), partial, complaints: Vec::new(), described: Vec::new() }
    }

    /// Text, trimmed; numbers become text.
    pub fn text(&mut self, name: &'static str) -> Field<'_, String> {
        Field::new(self, name, "string", read_text)
    }

    /// An e-mail address, of at most 254 characters.
    pub fn email(&mut self, name: &'static str) -> Field<'_, String> {
        Field::new(self, name, "email", read_text).max(254)
    }

    /// True or false, in many spellings. A form that lacks it says false.
    pub fn boolean(&mut self, name: &'static str) -> Field<'_, bool> {
        Field::new(self, name, "boolean", read_boolean)
    }

    /// A day, `YYYY-MM-DD`.
    pub fn date(&mut self, name: &'static str) -> Field<'_, NaiveDate> {
        Field::new(self, name, "date", read_date)
    }

    /// A moment: RFC 3339, or without an offset and then in UTC.
    pub fn datetime(&mut self, name: &'static str) -> Field<'_, Timestamp> {
        Field::new(self, name, "datetime", read_datetime)
    }

    /// A list of texts, each trimmed; empty ones are left out.
    pub fn texts(&mut self, name: &'static str) -> Field<'_, Vec<String>> {
        Field::new(self, name, "list", read_texts)
    }

    /// A whole number.
    pub fn integer(&mut self, name: &'static str) -> Field<'_, i64> {
        Field::new(self, name, "integer", read_integer)
    }

    /// Declares a field that the server sets, for those who ask by OPTIONS; whatever was sent for it is ignored.
    pub fn read_only(&mut self, name: &'static str, r#type: &'static str) {
        self.describe(|| FieldInfo {
            name,
            r#type,
            required: false,
            read_only: true,
            label: default_label(name),
            max_length: None,
            nullable: false,
            blank: false,
        });
    }

    /// Adds a complaint of ours about a field.
    pub fn reject(&mut self, name: &'static str, complaint: impl Into<String>) {
        self.complain(name, vec![complaint.into()]);
    }

    /// Whether nothing has been found wrong so far.
    pub fn is_valid(&self) -> bool {
        self.complaints.is_empty()
    }

    /// All the complaints, if there are any.
    pub fn finish(self) -> Result<()> {
        if self.complaints.is_empty() { Ok(()) } else { Err(Error::Invalid(self.complaints)) }
    }

    fn complain(&mut self, name: &'static str, mut complaints: Vec<String>) {
        match self.complaints.iter_mut().find(|(known, _)| known == name) {
            Some((_, earlier)) => earlier.append(&mut complaints),
            None => self.complaints.push((name.into(), complaints)),
        }
    }

    fn describe(&mut self, info: impl FnOnce() -> FieldInfo) {
        if self.payload.is_none() {
            self.described.push(info());
        }
    }
}

/// Reads a whole input, or tells everything that is wrong with it.
pub fn read_input<I: Input>(payload: Payload, partial: bool) -> Result<I> {
    let mut fields = Fields::new(payload, partial);
    let input = I::read(&mut fields);
    fields.finish().map(|()| input)
}

/// What OPTIONS tells about the fields of an input.
pub fn describe<I: Input>() -> Vec<FieldInfo> {
    let mut fields = Fields { payload: None, partial: false, complaints: Vec::new(), described: Vec::new() };
    I::read(&mut fields);
    fields.described
}

/// The fields of an input as OPTIONS shows them below `actions`, by name.
pub fn actions<I: Input>() -> Map<String, Value> {
    let entry = |info: FieldInfo| (info.name.to_owned(), serde_json::to_value(&info).unwrap_or_default());
    describe::<I>().into_iter().map(entry).collect()
}

/// One field being declared; [`get`](Field::get) or [`value`](Field::value) reads it.
#[must_use = "a field is read by get() or value()"]
pub struct Field<'f, T> {
    fields: &'f mut Fields,
    rules: Rules,
    read: fn(&Given<'_>, &Rules) -> Result<T, Vec<String>>,
}

impl<'f, T> Field<'f, T> {
    fn new(
        fields: &'f mut Fields,
        name: &'static str,
        r#type: &'static str,
        read: fn(&Given<'_>, &Rules) -> Result<T, Vec<String>>,
    ) -> Self {
        let validators = Vec::new();
        let rules =
            Rules { name, r#type, label: None, required: false, nullable: false, blank: false, max: None, validators };
        Self { fields, rules, read }
    }

    /// Its name for people, where it is more than the name with a capital.
    pub fn label(mut self, label: &'static str) -> Self {
        self.rules.label = Some(label);
        self
    }

    /// A whole body must have it.
    pub fn required(mut self) -> Self {
        self.rules.required = true;
        self
    }

    /// It may be null.
    pub fn nullable(mut self) -> Nullable<'f, T> {
        self.rules.nullable = true;
        Nullable(self)
    }

    /// The value; `None` if it is absent, and if it is wrong: then the complaint is kept.
    pub fn get(self) -> Option<T> {
        match self.run() {
            Read::Value(value) => Some(value),
            Read::Nothing | Read::Null => None,
        }
    }

    /// The value, or an empty one if it is absent or wrong: for inputs that are worth nothing then.
    pub fn value(self) -> T
    where
        T: Default,
    {
        self.get().unwrap_or_default()
    }

    fn run(self) -> Read<T> {
        let Some(payload) = &self.fields.payload else {
            self.fields.describe(|| self.rules.info());
            return Read::Nothing;
        };
        let given = self.rules.given(payload, self.fields.partial);
        match self.rules.check(&given, self.fields.partial, self.read) {
            Ok(read) => read,
            Err(complaints) => {
                self.fields.complain(self.rules.name, complaints);
                Read::Nothing
            }
        }
    }
}

impl Field<'_, String> {
    /// It may be empty.
    pub fn blank(mut self) -> Self {
        self.rules.blank = true;
        self
    }

    /// The most characters (code points) it may have, once trimmed.
    pub fn max(mut self, characters: usize) -> Self {
        self.rules.max = Some(characters);
        self
    }

    /// A check of ours. As in DRF it runs before the length is looked at, and all complaints are told.
    pub fn matching(mut self, validator: fn(&str) -> Result<(), &'static str>) -> Self {
        self.rules.validators.push(validator);
        self
    }
}

impl Field<'_, Vec<String>> {
    /// It may have no items.
    pub fn blank(mut self) -> Self {
        self.rules.blank = true;
        self
    }
}

/// A field that may be null.
#[must_use = "a field is read by get() or value()"]
pub struct Nullable<'f, T>(Field<'f, T>);

impl<T> Nullable<'_, T> {
    /// Its name for people, where it is more than the name with a capital.
    pub fn label(self, label: &'static str) -> Self {
        Self(self.0.label(label))
    }

    /// A whole body must have it.
    pub fn required(self) -> Self {
        Self(self.0.required())
    }

    /// `None` if it is absent or wrong, `Some(None)` if it is null.
    pub fn get(self) -> Option<Option<T>> {
        match self.0.run() {
            Read::Nothing => None,
            Read::Null => Some(None),
            Read::Value(value) => Some(Some(value)),
        }
    }

    /// The value, or `None` if it is absent, null or wrong.
    pub fn value(self) -> Option<T> {
        self.get().flatten()
    }
}
