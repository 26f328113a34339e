//! One reader for the fields of a body, whether it came as JSON or as a form: DRF's rules, DRF's words.
//!
//! A body is read field by field and every complaint is kept, so that a client learns all of them at once, in the order
//! in which the fields are declared. What is told about the fields at OPTIONS comes from the very same declarations.

use std::borrow::Cow;

use chrono::{Datelike, NaiveDate};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::{Error, FieldErrors, Result};
use crate::rest::email::is_email;
use crate::rest::text;

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
            Self::Json(object) => match object.get(name) {
                None => Given::Nothing,
                Some(Value::Null) => Given::Null,
                Some(Value::Bool(value)) => Given::Boolean(*value),
                Some(Value::Number(number)) => Given::Number(number.as_str()),
                Some(Value::String(text)) => Given::Text(text),
                Some(Value::Array(_) | Value::Object(_)) => Given::Other,
            },
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
}

/// What was sent for one field.
enum Given<'p> {
    Nothing,
    Null,
    Boolean(bool),
    Number(&'p str),
    Text(&'p str),
    /// A list, an object or a file.
    Other,
}

/// What a field comes to.
enum Read<T> {
    Nothing,
    Null,
    Value(T),
}

/// What OPTIONS tells about a field (CONTRACT 13).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldInfo {
    /// Its name in the body.
    #[serde(skip)]
    pub name: &'static str,
    /// `string`, `email`, `integer`, `boolean`, `date`, `datetime`, or `field` for a relation.
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

/// What is asked of a field.
struct Rules {
    name: &'static str,
    r#type: &'static str,
    label: Option<&'static str>,
    required: bool,
    nullable: bool,
    blank: bool,
    max: Option<usize>,
    validators: Vec<Validator>,
}

/// A check of ours, run once a text is known to be one.
type Validator = fn(&str) -> Result<(), &'static str>;

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

impl Rules {
    /// What was sent, as DRF's `Field.get_value` sees it: a form cannot say null or false, so there emptiness does.
    fn given<'p>(&self, payload: &'p Payload, partial: bool) -> Given<'p> {
        let given = payload.given(self.name);
        if !payload.is_form() {
            return given;
        }
        match given {
            Given::Nothing if self.r#type == "boolean" && !partial => {
                if self.nullable {
                    Given::Null
                } else {
                    Given::Boolean(false)
                }
            }
            Given::Text("") if self.blank => given,
            Given::Text("") if self.nullable => Given::Null,
            Given::Text("") if !self.required => Given::Nothing,
            _ => given,
        }
    }

    /// DRF's `Field.run_validation`: emptiness first, then the type, then the validators.
    fn check<T>(
        &self,
        given: &Given<'_>,
        partial: bool,
        read: fn(&Given<'_>, &Rules) -> Result<T, Vec<String>>,
    ) -> Result<Read<T>, Vec<String>> {
        match given {
            Given::Nothing if self.required && !partial => complaint("This field is required."),
            Given::Nothing => Ok(Read::Nothing),
            Given::Null if !self.nullable => complaint("This field may not be null."),
            Given::Null => Ok(Read::Null),
            Given::Text(text) if self.r#type == "boolean" && self.nullable && is_null_word(text) => Ok(Read::Null),
            given => read(given, self).map(Read::Value),
        }
    }

    fn info(&self) -> FieldInfo {
        FieldInfo {
            name: self.name,
            r#type: self.r#type,
            required: self.required,
            read_only: false,
            label: self.label.map_or_else(|| default_label(self.name), Cow::Borrowed),
            max_length: self.max,
        }
    }
}

/// The name with a capital and spaces, as `due_date`, "Due date".
fn default_label(name: &'static str) -> Cow<'static, str> {
    if name == "id" {
        return "ID".into();
    }
    let mut chars = name.chars();
    let first = chars.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(chars).map(|c| if c == '_' { ' ' } else { c }).collect::<String>().into()
}

fn complaint<T>(words: &str) -> Result<T, Vec<String>> {
    Err(vec![words.to_owned()])
}

fn read_text(given: &Given<'_>, rules: &Rules) -> Result<String, Vec<String>> {
    let value = match given {
        Given::Text(text) => text::strip(text).to_owned(),
        Given::Number(digits) => text::number(digits),
        _ if rules.r#type == "email" => return complaint("Enter a valid email address."),
        _ => return complaint("Not a valid string."),
    };
    if value.is_empty() {
        return if rules.blank { Ok(value) } else { complaint("This field may not be blank.") };
    }
    let mut complaints: Vec<String> = Vec::new();
    complaints.extend(rules.validators.iter().filter_map(|check| check(&value).err()).map(str::to_owned));
    if let Some(max) = rules.max.filter(|max| value.chars().count() > *max) {
        complaints.push(format!("Ensure this field has no more than {max} characters."));
    }
    if value.contains('\0') {
        complaints.push("Null characters are not allowed.".to_owned());
    }
    if rules.r#type == "email" && !is_email(&value) {
        complaints.push("Enter a valid email address.".to_owned());
    }
    if complaints.is_empty() { Ok(value) } else { Err(complaints) }
}

fn read_boolean(given: &Given<'_>, _: &Rules) -> Result<bool, Vec<String>> {
    let is_one_of = |text: &str, words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
    match given {
        Given::Boolean(value) => Ok(*value),
        Given::Number(digits) if digits.parse() == Ok(1.0) => Ok(true),
        Given::Number(digits) if digits.parse() == Ok(0.0) => Ok(false),
        Given::Text(text) if is_one_of(text, &["t", "y", "yes", "true", "on", "1"]) => Ok(true),
        Given::Text(text) if is_one_of(text, &["f", "n", "no", "false", "off", "0"]) => Ok(false),
        _ => complaint("Must be a valid boolean."),
    }
}

fn is_null_word(text: &str) -> bool {
    text.is_empty() || text.eq_ignore_ascii_case("null")
}

fn read_date(given: &Given<'_>, _: &Rules) -> Result<NaiveDate, Vec<String>> {
    let day = match given {
        Given::Text(text)
            if text.len() == "YYYY-MM-DD".len() && text.bytes().all(|b| b.is_ascii_digit() || b == b'-') =>
        {
            NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()
        }
        _ => None,
    };
    match day {
        Some(day) if day.year() >= 1 => Ok(day),
        _ => complaint("Date has wrong format. Use one of these formats instead: YYYY-MM-DD."),
    }
}

fn read_integer(given: &Given<'_>, _: &Rules) -> Result<i64, Vec<String>> {
    let written = match given {
        Given::Text(text) => Cow::Borrowed(*text),
        Given::Number(digits) => text::number(digits).into(),
        _ => Cow::Borrowed(""),
    };
    let written = text::strip(&written);
    let whole = match written.split_once('.') {
        Some((whole, zeros)) if zeros.bytes().all(|b| b == b'0') => whole,
        _ => written,
    };
    whole.parse().or_else(|_| complaint("A valid integer is required."))
}
