//! What is asked of a field, and how what was sent is held against it: DRF's `Field.run_validation`, kind by kind.

use std::borrow::Cow;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime};
use serde_json::Value;

use super::{FieldInfo, Payload};
use crate::clock::Timestamp;
use crate::language::Said;
use crate::rest::email::is_email;
use crate::rest::text;

/// What was sent for one field.
pub(super) enum Given<'p> {
    Nothing,
    Null,
    Boolean(bool),
    Number(&'p str),
    Text(&'p str),
    List(Vec<Given<'p>>),
    /// An object or a file.
    Other,
}

impl<'p> Given<'p> {
    pub(super) fn of(value: &'p Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Boolean(*value),
            Value::Number(number) => Self::Number(number.as_str()),
            Value::String(text) => Self::Text(text),
            // What stands inside of a list inside of a list, no field asks for.
            Value::Array(items) => Self::List(items.iter().map(Self::flat).collect()),
            Value::Object(_) => Self::Other,
        }
    }

    fn flat(value: &'p Value) -> Self {
        if value.is_array() { Self::Other } else { Self::of(value) }
    }
}

/// What a field comes to.
pub(super) enum Read<T> {
    Nothing,
    Null,
    Value(T),
}

/// What is asked of a field.
#[derive(Default)]
pub(super) struct Rules {
    pub(super) name: &'static str,
    pub(super) r#type: &'static str,
    pub(super) label: Option<&'static str>,
    pub(super) required: bool,
    pub(super) nullable: bool,
    pub(super) blank: bool,
    pub(super) max: Option<usize>,
    pub(super) validators: Vec<Validator>,
}

/// A check of ours, run once a text is known to be one.
pub(super) type Validator = fn(&str) -> Result<(), &'static str>;

impl Rules {
    /// What was sent, as DRF's `Field.get_value` sees it: a form cannot say null or false, so there emptiness does.
    pub(super) fn given<'p>(&self, payload: &'p Payload, partial: bool) -> Given<'p> {
        let given = if self.r#type == "list" { payload.given_list(self.name) } else { payload.given(self.name) };
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
    pub(super) fn check<T>(
        &self,
        given: &Given<'_>,
        partial: bool,
        read: fn(&Given<'_>, &Rules) -> Result<T, Vec<String>>,
    ) -> Result<Read<T>, Vec<String>> {
        match given {
            Given::Nothing if self.required && !partial => complaint(key!("This field is required.")),
            Given::Nothing => Ok(Read::Nothing),
            Given::Null if !self.nullable => complaint(key!("This field may not be null.")),
            Given::Null => Ok(Read::Null),
            Given::Text(text) if self.r#type == "boolean" && self.nullable && is_null_word(text) => Ok(Read::Null),
            given => read(given, self).map(Read::Value),
        }
    }

    pub(super) fn info(&self) -> FieldInfo {
        FieldInfo {
            name: self.name,
            r#type: self.r#type,
            required: self.required,
            read_only: false,
            label: self.label.map_or_else(|| default_label(self.name), Cow::Borrowed),
            max_length: self.max,
            nullable: self.nullable,
            blank: self.blank,
        }
    }
}

/// The name with a capital and spaces, as `due_date`, "Due date".
pub(super) fn default_label(name: &'static str) -> Cow<'static, str> {
    if name == "id" {
        return "ID".into();
    }
    let mut chars = name.chars();
    let first = chars.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(chars).map(|c| if c == '_' { ' ' } else { c }).collect::<String>().into()
}

/// One complaint, by its key.
fn complaint<T>(words: &'static str) -> Result<T, Vec<String>> {
    Err(vec![Said::of(words).to_string()])
}

pub(super) fn read_text(given: &Given<'_>, rules: &Rules) -> Result<String, Vec<String>> {
    let value = match given {
        Given::Text(text) => text::strip(text).to_owned(),
        Given::Number(digits) => text::number(digits),
        _ if rules.r#type == "email" => return complaint(key!("Enter a valid email address.")),
        _ => return complaint(key!("Not a valid string.")),
    };
    if value.is_empty() {
        return if rules.blank { Ok(value) } else { complaint(key!("This field may not be blank.")) };
    }
    let mut complaints: Vec<String> = Vec::new();
    complaints.extend(
        rules.validators.iter().filter_map(|check| check(&value).err()).map(|words| Said::of(words).to_string()),
    );
    if let Some(max) = rules.max.filter(|max| value.chars().count() > *max) {
        let told = say!("Ensure this field has no more than {max} characters.", max);
        if !complaints.contains(&told) {
            complaints.push(told); // a validator may count what is stored, which can be longer than what is sent
        }
    }
    if value.contains('\0') {
        complaints.push(say!("Null characters are not allowed."));
    }
    if rules.r#type == "email" && !is_email(&value) {
        complaints.push(say!("Enter a valid email address."));
    }
    if complaints.is_empty() { Ok(value) } else { Err(complaints) }
}

pub(super) fn read_boolean(given: &Given<'_>, _: &Rules) -> Result<bool, Vec<String>> {
    let is_one_of = |text: &str, words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
    match given {
        Given::Boolean(value) => Ok(*value),
        Given::Number(digits) if digits.parse() == Ok(1.0) => Ok(true),
        Given::Number(digits) if digits.parse() == Ok(0.0) => Ok(false),
        Given::Text(text) if is_one_of(text, &["t", "y", "yes", "true", "on", "1"]) => Ok(true),
        Given::Text(text) if is_one_of(text, &["f", "n", "no", "false", "off", "0"]) => Ok(false),
        _ => complaint(key!("Must be a valid boolean.")),
    }
}

fn is_null_word(text: &str) -> bool {
    text.is_empty() || text.eq_ignore_ascii_case("null")
}

pub(super) fn read_date(given: &Given<'_>, _: &Rules) -> Result<NaiveDate, Vec<String>> {
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
        _ => complaint(key!("Date has wrong format. Use one of these formats instead: YYYY-MM-DD.")),
    }
}

pub(super) fn read_datetime(given: &Given<'_>, _: &Rules) -> Result<Timestamp, Vec<String>> {
    let moment = match given {
        Given::Text(text) => moment(text::strip(text)),
        _ => None,
    };
    match moment {
        Some(moment) if (1..=9999).contains(&moment.utc().year()) => Ok(moment),
        _ => complaint(key!(
            "Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."
        )),
    }
}

fn moment(text: &str) -> Option<Timestamp> {
    let with_offset = || DateTime::parse_from_rfc3339(text).or_else(|_| DateTime::parse_from_str(text, "%FT%H:%M%:z"));
    let without =
        || ["%FT%H:%M:%S%.f", "%FT%H:%M"].iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    let utc = with_offset().map(|moment| moment.to_utc()).ok().or_else(|| without().map(|moment| moment.and_utc()))?;
    Some(Timestamp::from_micros(utc.timestamp_micros()))
}

/// The most items of a list.
pub const MOST_ITEMS: usize = 100;

pub(super) fn read_texts(given: &Given<'_>, rules: &Rules) -> Result<Vec<String>, Vec<String>> {
    let items = match given {
        Given::List(items) => items,
        Given::Text(_) => return complaint(key!("Expected a list of items but got type \"str\".")),
        Given::Number(digits) if text::is_whole(digits) => {
            return complaint(key!("Expected a list of items but got type \"int\"."));
        }
        Given::Number(_) => return complaint(key!("Expected a list of items but got type \"float\".")),
        Given::Boolean(_) => return complaint(key!("Expected a list of items but got type \"bool\".")),
        _ => return complaint(key!("Expected a list of items but got type \"dict\".")),
    };
    if items.len() > MOST_ITEMS {
        return Err(vec![say!("Ensure this field has no more than {max} elements.", max = MOST_ITEMS)]);
    }
    let item_rules = Rules { name: rules.name, r#type: "string", blank: true, ..Rules::default() };
    let mut texts: Vec<String> = items.iter().map(|item| read_text(item, &item_rules)).collect::<Result<_, _>>()?;
    texts.retain(|text| !text.is_empty());
    if texts.is_empty() && !rules.blank { complaint(key!("This list may not be empty.")) } else { Ok(texts) }
}

pub(super) fn read_integer(given: &Given<'_>, _: &Rules) -> Result<i64, Vec<String>> {
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
    whole.parse().or_else(|_| complaint(key!("A valid integer is required.")))
}
