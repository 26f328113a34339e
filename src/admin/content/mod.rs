//! Articles and tasks: anybody's, made, changed and deleted by whoever may.

pub mod article;
pub mod articles;
pub mod bulk;
pub mod task;
pub mod tasks;

use crate::admin::when::Now;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::Result;
use crate::model::user;
use crate::rest::fields::Fields;

/// Words of a search that are looked for.
const MOST_WORDS: usize = 8;

/// Since when something was made, as filters say it.
pub const MADE: [(&str, &str, u64); 3] = [
    ("24h", key!("In the last 24 hours"), 86_400),
    ("7d", key!("In the last 7 days"), 604_800),
    ("30d", key!("In the last 30 days"), 2_592_000),
];

/// The moment that a choice among [`MADE`] stands for.
pub fn since(choice: Option<&str>, now: Now) -> Option<Timestamp> {
    let (.., seconds) = MADE.iter().find(|(value, ..)| Some(*value) == choice)?;
    Some(now.back(*seconds))
}

/// The words of a search.
pub fn words(q: &str) -> Vec<String> {
    q.split_whitespace().take(MOST_WORDS).map(str::to_owned).collect()
}

/// The user of exactly this name.
///
/// # Errors
/// The database's.
pub fn owner(conn: &mut Conn, name: &str) -> Result<Option<i64>> {
    Ok(user::by_username(conn, name)?.map(|user| user.id))
}

/// What is said of a name that nobody has.
pub fn nobody(name: &str) -> String {
    say!("Nobody has the username {name}. Type it exactly.", name)
}

/// Where a form that was saved leads.
pub struct Then(String);

impl Then {
    /// Reads it.
    pub fn read(f: &mut Fields) -> Self {
        Self(f.text("then").blank().value())
    }

    /// The list, or the object again.
    pub fn path(&self, list: &str, id: i64) -> String {
        if self.0 == "stay" { format!("{list}{id}/") } else { list.to_owned() }
    }
}

/// What came of a try to save.
pub enum Saved<T> {
    /// It was saved.
    Done(i64),
    /// Nobody has the name of the owner.
    Nobody,
    /// Somebody else saved meanwhile: what stands now.
    Clash(Box<T>),
}
