//! What is done to many rows: an act with its words and rules, declared by each list for rows of its own.

use crate::admin::confirm::Choice;
use crate::admin::staff::Staff;
use crate::admin::users::Actor;
use crate::admin::when::Now;
use crate::auth::grants::Grants;
use crate::auth::permissions::{Permission, Verb};
use crate::db::Conn;
use crate::db::keyset::Value;
use crate::error::Result;
use crate::hub::Hub;
use crate::language::Said;
use crate::model::audit::{Audit, Object};
use crate::model::session_list::Moment;

/// An act on rows of a list: what it says of itself, and how it is done to one of them. A request does it to a few rows, a
/// job to any number.
pub trait Act: Send + Sync {
    /// Its words, its weight, and what it needs.
    fn plan(&self) -> Plan;

    /// Why this actor may do it to no row at all, whatever they hold.
    fn objection(&self, _: &Actor) -> Option<Said> {
        None
    }

    /// What must be chosen with it.
    ///
    /// # Errors
    /// The database's.
    fn choice(&self, _: &mut Conn) -> Result<Option<Choice>> {
        Ok(None)
    }

    /// A row as the page that asks shows it; `None` if it is gone.
    ///
    /// # Errors
    /// The database's.
    fn look(&self, conn: &mut Conn, by: &Doer, key: &Value) -> Result<Option<Row>>;

    /// Does it to one row inside the caller's transaction, with an entry of the audit log; or says why not.
    ///
    /// # Errors
    /// The database's.
    fn carry_out(&self, conn: &mut Conn, by: &Doer, key: &Value) -> Result<Did>;
}

/// What was chosen with an act: its value, and what that is called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    /// The value.
    pub value: String,
    /// Its name.
    pub name: String,
}

/// An act in words.
pub struct Plan {
    /// Its code in the audit log.
    pub code: &'static str,
    /// The area and the verb that it needs.
    pub needs: (&'static str, Verb),
    /// What is asked of one row that has a name: "Deactivate {name}?", a key.
    pub asks_one: &'static str,
    /// What is asked of so many: "Deactivate 3 users?"
    pub asks: Counted,
    /// What a job is called that does it to so many: "Deactivate 3 users".
    pub titled: Counted,
    /// What it means, in a sentence or two; a key.
    pub means: &'static str,
    /// Its button, for one row and for many; keys.
    pub buttons: (&'static str, &'static str),
    /// What is said once it is done to so many, with the name of what was chosen: "3 users were deactivated."
    pub done: fn(usize, &str) -> Said,
    /// The name of what was chosen with it.
    pub chosen: String,
    /// What else ends with the rows: "3 sessions ended."
    pub ends: Option<Counted>,
    /// How much it weighs.
    pub weight: Weight,
}

/// A sentence about so many.
pub type Counted = fn(usize) -> Said;

/// How much an act weighs, and so how it is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// It can be taken back.
    Light,
    /// It cannot, but it takes nothing away that does not come again.
    Plain,
    /// It takes something away for good: the number of rows is typed, after the password.
    Grave,
}

impl Plan {
    /// The permission that it needs.
    pub fn permission(&self) -> Option<Permission> {
        Permission::of(self.needs.0, self.needs.1)
    }

    /// The heading for so many rows; `only` is the name of the one, if it is one and has any.
    pub fn heading(&self, rows: usize, only: &str) -> Said {
        if rows == 1 && !only.is_empty() {
            return Said::of(self.asks_one).with("name", only);
        }
        (self.asks)(rows)
    }

    /// Its button for so many rows.
    pub fn button(&self, rows: usize) -> &'static str {
        if rows == 1 { self.buttons.0 } else { self.buttons.1 }
    }

    /// "3 users were deactivated."
    pub fn done_to(&self, rows: usize) -> Said {
        (self.done)(rows, &self.chosen)
    }
}

/// These acts as a list offers them: those that the viewer may do, each with its name and its label, which is a key.
pub fn offered<N>(
    staff: &Staff<N>,
    acts: &[(&'static str, &'static str, (&str, Verb))],
) -> Vec<(&'static str, String)> {
    let may = |(_, _, (area, verb)): &&(&str, &str, (&str, Verb))| staff.may(area, *verb);
    acts.iter().filter(may).map(|(name, label, _)| (*name, Said::of(*label).to_string())).collect()
}

/// Who does it, and when.
#[derive(Clone)]
pub struct Doer {
    /// The viewer, or whoever started the job.
    pub actor: Actor,
    /// What ends sessions.
    pub grants: Grants,
    /// Who is told of articles and tasks.
    pub hub: Hub,
    /// The beginning of each row's entry.
    pub audit: Audit,
    /// Now, by the clocks of whoever does it.
    pub now: Now,
    /// Now, as sessions are looked at.
    pub at: Moment,
    /// When it was begun: what came later is none of the rows that were meant.
    pub since: crate::clock::Timestamp,
}

impl Doer {
    /// The entry for one row.
    pub fn audit(&self, object: Object) -> Audit {
        self.audit.clone().on(object)
    }
}

/// A row that is to be done, or left out for a reason.
pub struct Row {
    /// Its name.
    pub name: String,
    /// What is worth knowing of it.
    pub about: String,
    /// Why it will be left out.
    pub left_out: Option<String>,
    /// Whether it alone makes the act worth typing a number.
    pub weighs: bool,
}

impl Row {
    /// A row.
    pub fn new(name: impl Into<String>, about: impl Into<String>, left_out: Option<String>) -> Self {
        Self { name: name.into(), about: about.into(), left_out, weighs: false }
    }
}

/// What came of one row.
pub struct Did {
    /// Its name.
    pub name: String,
    /// What ended with it, or why it was left out.
    pub outcome: Result<Done, String>,
}

/// A row that is done.
#[derive(Clone, Copy, Debug, Default)]
pub struct Done {
    /// How many other things ended with it.
    pub also: usize,
    /// Whether the viewer's own session is among those.
    pub ended_own_session: bool,
}

impl Did {
    /// It is done, and so many other things ended with it.
    pub fn done(name: impl Into<String>, also: usize) -> Self {
        Self { name: name.into(), outcome: Ok(Done { also, ended_own_session: false }) }
    }

    /// It was left out.
    pub fn left_out(name: impl Into<String>, why: impl Into<String>) -> Self {
        Self { name: name.into(), outcome: Err(why.into()) }
    }

    /// The row was gone.
    pub fn gone() -> Self {
        Self::left_out("", say!("gone meanwhile"))
    }
}

/// What came of all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Rows done.
    pub done: usize,
    /// Rows left out.
    pub left_out: usize,
    /// Other things that ended with them.
    pub also: usize,
    /// Whether the viewer's own session is among those.
    pub ended_own_session: bool,
}

impl Tally {
    /// Counts what came of these rows.
    pub fn of(all: &[Did]) -> Self {
        let mut tally = Self::default();
        for did in all {
            match &did.outcome {
                Ok(done) => {
                    tally.done += 1;
                    tally.also += done.also;
                    tally.ended_own_session |= done.ended_own_session;
                }
                Err(_) => tally.left_out += 1,
            }
        }
        tally
    }

    /// What else is to be told: "5 sessions ended. 1 was left out."
    pub fn in_words(self, plan: &Plan) -> String {
        let ended = plan.ends.filter(|_| self.also > 0).map(|ends| ends(self.also).to_string());
        let left_out = (self.left_out > 0)
            .then(|| say!(count = self.left_out => "{count} was left out." | "{count} were left out."));
        ended.into_iter().chain(left_out).collect::<Vec<_>>().join(" ")
    }
}
