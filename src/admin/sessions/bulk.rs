//! Signing out many sessions.

use std::sync::Arc;

use crate::admin::bulk::act::{Act, Chosen, Did, Doer, Plan, Row, Weight, offered as offered_of};
use crate::admin::bulk::lists::{Facts, MANY, Matching};
use crate::admin::sessions::acts::{called, end, object, refusal};
use crate::admin::sessions::detail::find;
use crate::admin::sessions::{asked, name_of, query};
use crate::admin::staff::Staff;
use crate::auth::permissions::Verb;
use crate::db::Conn;
use crate::db::keyset::{Keyset, Place, Value};
use crate::db::tally::Tally;
use crate::error::{Error, Result};
use crate::model::session_list::{self, PANEL, SessionLine};

const SIGN_OUT: &str = "sign-out";

/// The acts that the viewer may do.
pub fn offered<N>(staff: &Staff<N>) -> Vec<(&'static str, String)> {
    offered_of(staff, &[(SIGN_OUT, key!("Sign out"), ("sessions", Verb::Revoke))])
}

/// The act of this name.
pub fn act(name: &str, _: Option<Chosen>) -> Option<Arc<dyn Act>> {
    (name == SIGN_OUT).then(|| -> Arc<dyn Act> { Arc::new(SignOut) })
}

/// The sessions that a filter lets through. They are named as pages name them, and go in the order of their bare ids.
///
/// # Errors
/// The database's.
pub fn matching(_: &mut Conn, pairs: &[(String, String)], facts: &Facts) -> Result<Matching> {
    let (asked, at) = (asked(pairs, None), facts.at);
    let (counted, wanted) = (query(&asked, facts.now), query(&asked, facts.now));
    let load = move |conn: &mut Conn, keyset: &Keyset| {
        let bare = |id: &Value| match id {
            Value::Text(id) => Value::from(id.strip_prefix(PANEL).unwrap_or(id)),
            other => other.clone(),
        };
        let from = keyset.from.as_ref().map(|at| Place { value: bare(&at.id), id: bare(&at.id) });
        let page = session_list::page(conn, &wanted, &Keyset { from, ..keyset.clone() }, MANY, at)?;
        Ok(page.rows.into_iter().map(|line| Value::Text(name_of(&line))).collect())
    };
    let count = move |conn: &mut Conn| Ok(session_list::counts(conn, &counted, &Tally::exact(), at)?.matching);
    Ok(Matching::new(&asked, session_list::BY_STARTED, count, load))
}

struct SignOut;

fn load(conn: &mut Conn, by: &Doer, key: &Value) -> Result<Option<(SessionLine, Option<String>)>> {
    let Value::Text(key) = key else { return Ok(None) };
    let line = match find(conn, key, by.at) {
        Ok(line) => line,
        Err(Error::NotFound(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    let left_out = match (&line.ended, refusal(conn, &by.actor, &line)?) {
        (Some(_), _) => Some(say!("over already")),
        (None, Some(refusal)) => Some(refusal.to_words()),
        (None, None) => (line.started_at > by.since).then(|| say!("begun meanwhile")),
    };
    Ok(Some((line, left_out)))
}

impl Act for SignOut {
    fn plan(&self) -> Plan {
        Plan {
            code: "session.end",
            needs: ("sessions", Verb::Revoke),
            asks_one: key!("Sign out {name}?"),
            asks: |count| said!(count => "Sign out {count} session?" | "Sign out {count} sessions?"),
            titled: |count| said!(count => "Sign out {count} session" | "Sign out {count} sessions"),
            means: key!("Each device has to sign in again. Access tokens already handed out end at once."),
            buttons: (key!("Sign out"), key!("Sign out")),
            done: |count, _| said!(count => "{count} session ended." | "{count} sessions ended."),
            chosen: String::new(),
            ends: None,
            weight: Weight::Plain,
        }
    }

    fn look(&self, conn: &mut Conn, by: &Doer, key: &Value) -> Result<Option<Row>> {
        let Some((line, left_out)) = load(conn, by, key)? else { return Ok(None) };
        Ok(Some(Row::new(called(&line), line.ip, left_out)))
    }

    fn carry_out(&self, conn: &mut Conn, by: &Doer, key: &Value) -> Result<Did> {
        let Some((line, left_out)) = load(conn, by, key)? else { return Ok(Did::gone()) };
        if let Some(why) = left_out {
            return Ok(Did::left_out(called(&line), why));
        }
        if !end(conn, &by.grants, &line, by.actor.id, by.at)? {
            return Ok(Did::left_out(called(&line), say!("over already")));
        }
        by.audit(object(&line)).append(conn)?;
        Ok(Did::done(called(&line), 0))
    }
}
