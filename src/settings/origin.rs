//! Which value each setting has, and where it came from: what `portcullis config` prints.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde_json::Value;

use super::Settings;

/// What stands for a value that there is not.
pub const NOT_SET: &str = key!("not set");

/// Where a value comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    #[default]
    Default,
    /// The settings file of this path.
    File(PathBuf),
    /// The environment variable of this name.
    Environment(String),
    /// A file that an environment variable names: the variable and the path.
    SecretFile(String, PathBuf),
    /// A flag of the command line.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(variable) => write!(f, "environment {variable}"),
            Self::SecretFile(variable, path) => write!(f, "file {} named by {variable}", path.display()),
            Self::Flag => f.write_str("flag"),
        }
    }
}

impl Origin {
    /// As it reads after a key in a complaint.
    pub(super) fn place(&self) -> String {
        match self {
            Self::Default => String::new(),
            Self::File(path) => format!(" in {}", path.display()),
            Self::Environment(variable) => format!(" in the environment ({variable})"),
            Self::SecretFile(variable, path) => format!(" in {} ({variable})", path.display()),
            Self::Flag => " on the command line".into(),
        }
    }
}

/// Settings and where each came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings in force.
    pub settings: Settings,
    /// Whence, by key (`jwt.leeway`); what is not in it is a default.
    pub origins: BTreeMap<String, Origin>,
}

/// A setting as people are shown it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// `section.key`.
    pub key: String,
    /// The value as text, `***` if it is a secret, `not set` if there is none.
    pub value: String,
    /// Where it comes from.
    pub origin: Origin,
}

impl Loaded {
    /// Every setting with its value and origin, in the order in which they are declared; secrets masked.
    pub fn shown(&self) -> Vec<Shown> {
        shown(&self.settings, &self.origins)
    }
}

/// Every setting with its value and origin, in the order in which they are declared; secrets masked.
pub fn shown(settings: &Settings, origins: &BTreeMap<String, Origin>) -> Vec<Shown> {
    let tree = serde_json::to_value(settings).unwrap_or_default();
    let show = |(key, value): (String, Value)| {
        let origin = origins.get(&key).cloned().unwrap_or_default();
        Shown { key, value: text(&value), origin }
    };
    leaves(tree).into_iter().map(show).collect()
}

/// The keys and values of a tree of sections.
pub(super) fn leaves(tree: Value) -> Vec<(String, Value)> {
    let sections = match tree {
        Value::Object(sections) => sections,
        _ => return Vec::new(),
    };
    let mut leaves = Vec::new();
    for (section, content) in sections {
        match content {
            // Each provider has a section of its own.
            Value::Object(providers) if section == "social" => {
                let below = self::leaves(Value::Object(providers)).into_iter();
                leaves.extend(below.map(|(key, value)| (format!("{section}.{key}"), value)));
            }
            Value::Object(content) if !content.is_empty() => {
                leaves.extend(content.into_iter().map(|(key, value)| (format!("{section}.{key}"), value)));
            }
            content => leaves.push((section, content)),
        }
    }
    leaves
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => NOT_SET.into(),
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(text).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}
