//! An entry of the audit log, as an act writes it.

use std::fmt;

use crate::clock::Timestamp;
use crate::model::session::Device;

/// The longest reason that is kept, in characters.
pub const LONGEST_REASON: usize = 500;
/// The longest value before or after a change that is kept, in characters.
const LONGEST_VALUE: usize = 2000;

/// One act.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// Who acted, and from where.
    pub by: By,
    /// What was done: `user.deactivate`. A stable code, in every language the same.
    pub action: String,
    /// To what.
    pub object: Object,
    /// What is different now.
    pub changes: Vec<Change>,
    /// Why, if the actor said so.
    pub reason: String,
    /// What came of it.
    pub result: Outcome,
}

/// Who acts, as the log keeps it: the name is text, so that it outlives the account.
#[derive(Clone, Debug, Default)]
pub struct By {
    /// The user; none for the command line and for what the server does by itself.
    pub user: Option<i64>,
    /// The user's name; `system`.
    pub name: String,
    /// The session, in the form in which the panel names it; none for the command line.
    pub session: String,
    /// Address and User-Agent.
    pub device: Device,
    /// The number that the log and `X-Request-ID` give the request.
    pub request: String,
}

impl By {
    /// What everybody is called who is no user.
    pub const SYSTEM: &'static str = "system";

    /// The server itself, or its command line; `what` of it stands where others have their User-Agent.
    pub fn system(what: impl Into<String>) -> Self {
        let device = Device { ip: String::new(), user_agent: what.into() };
        Self { name: Self::SYSTEM.to_owned(), device, ..Self::default() }
    }
}

/// What an act is about.
#[derive(Clone, Debug, Default)]
pub struct Object {
    /// Its kind: `user`, `role`, `session`, `token`, `api key`, `signing key`, `invitation`; nothing for the server as a whole.
    pub kind: &'static str,
    /// Its id.
    pub id: String,
    /// What people call it.
    pub name: String,
}

impl Object {
    /// An object of this kind.
    pub fn new(kind: &'static str, id: impl fmt::Display, name: impl Into<String>) -> Self {
        Self { kind, id: id.to_string(), name: name.into() }
    }

    /// A user.
    pub fn user(id: i64, name: impl Into<String>) -> Self {
        Self::new("user", id, name)
    }
}

/// One field that changed. Of a secret both values are empty, and it is said to have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its name, as the API has it.
    pub field: String,
    /// What it was; nothing where there was no object before.
    pub before: String,
    /// What it is; `changed` for a secret.
    pub after: String,
}

impl Change {
    /// A field that was one thing and is another; `None` if it is the same.
    pub fn of(field: &str, before: impl fmt::Display, after: impl fmt::Display) -> Option<Self> {
        let (before, after) = (before.to_string(), after.to_string());
        let cut = |text: &str| text.chars().take(LONGEST_VALUE).collect();
        (before != after).then(|| Self { field: field.to_owned(), before: cut(&before), after: cut(&after) })
    }

    /// A secret that changed: neither value is written down.
    pub fn secret(field: &str) -> Self {
        Self { field: field.to_owned(), before: String::new(), after: "changed".to_owned() }
    }

    /// What is worth knowing beside: sessions that ended, rows that went.
    pub fn fact(field: &str, value: impl fmt::Display) -> Self {
        Self { field: field.to_owned(), before: String::new(), after: value.to_string() }
    }
}

/// The fields of two versions of an object that differ. Both name the same fields in the same order.
pub fn changed(before: &[(&str, String)], after: &[(&str, String)]) -> Vec<Change> {
    before.iter().zip(after).filter_map(|((field, old), (_, new))| Change::of(field, old, new)).collect()
}

/// The fields of an object that is new; those that are empty are left out.
pub fn told(fields: &[(&str, String)]) -> Vec<Change> {
    fields.iter().filter_map(|(field, value)| Change::of(field, "", value)).collect()
}

/// What came of an act.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    #[default]
    Done,
    /// It was refused: a permission or a rule stood in the way.
    Refused,
    /// It was tried and did not succeed.
    Failed,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Done, Self::Refused, Self::Failed];

    /// Its word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

impl Entry {
    /// The names of the changed fields, for lists; the values are not read there.
    pub(super) fn fields(&self) -> String {
        self.changes.iter().map(|change| change.field.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// The changes as they are stored.
    pub(super) fn changes_json(&self) -> String {
        let one = |change: &Change| serde_json::json!([change.field, change.before, change.after]);
        serde_json::Value::Array(self.changes.iter().map(one).collect()).to_string()
    }

    /// The reason as it is stored: trimmed and cut.
    pub(super) fn kept_reason(&self) -> String {
        self.reason.trim().chars().filter(|c| *c != '\0').take(LONGEST_REASON).collect()
    }
}

/// Reads what [`Entry::changes_json`] wrote; what cannot be read is left out.
pub(super) fn read_changes(json: &str) -> Vec<Change> {
    let all: Vec<(String, String, String)> = serde_json::from_str(json).unwrap_or_default();
    all.into_iter().map(|(field, before, after)| Change { field, before, after }).collect()
}
