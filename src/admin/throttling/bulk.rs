//! Clearing what stands against many, or for them.

use std::sync::Arc;

use crate::admin::bulk::act::{Act, Chosen, Did, Doer, Plan, Row, Weight, offered as offered_of};
use crate::admin::bulk::lists::{Facts, Matching};
use crate::admin::staff::Staff;
use crate::admin::throttling::acts::{Who, found};
use crate::admin::throttling::{asked, query, scope_words};
use crate::auth::permissions::Verb;
use crate::db::Conn;
use crate::db::keyset::{Keyset, Value};
use crate::db::tally::Tally;
use crate::error::{Error, Result};
use crate::model::throttled;

const CLEAR: &str = "clear";

/// The acts that the viewer may do.
pub fn offered<N>(staff: &Staff<N>) -> Vec<(&'static str, String)> {
    offered_of(staff, &[(CLEAR, key!("Clear"), ("throttling", Verb::Change))])
}

/// The act of this name.
pub fn act(name: &str, _: Option<Chosen>) -> Option<Arc<dyn Act>> {
    (name == CLEAR).then(|| -> Arc<dyn Act> { Arc::new(Clear) })
}

/// Those whom a filter lets through.
///
/// # Errors
/// The database's.
pub fn matching(_: &mut Conn, pairs: &[(String, String)], facts: &Facts) -> Result<Matching> {
    let (asked, now) = (asked(pairs, None, &facts.scopes), facts.now.at);
    let wanted = query(&asked);
    let counted = wanted.clone();
    let load = move |conn: &mut Conn, keyset: &Keyset| {
        Ok(throttled::page(conn, &wanted, keyset, now)?.rows.into_iter().map(|line| Value::Number(line.id)).collect())
    };
    let count = move |conn: &mut Conn| Ok(throttled::counts(conn, &counted, &Tally::exact(), now)?.matching);
    Ok(Matching::new(&asked, throttled::BY_TIME, count, load))
}

struct Clear;

/// Whom a row is about, and what was counted. A row is gone, too, once another of the same user or address was cleared.
fn load(conn: &mut Conn, key: &Value) -> Result<Option<(Who, String)>> {
    let Value::Number(id) = *key else { return Ok(None) };
    let Some(line) = throttled::by_id(conn, id)? else { return Ok(None) };
    match found(conn, &line.who) {
        Ok(who) => Ok(Some((who, scope_words(&line)))),
        Err(Error::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Act for Clear {
    fn plan(&self) -> Plan {
        Plan {
            code: "throttling.clear",
            needs: ("throttling", Verb::Change),
            asks_one: key!("Clear {name}?"),
            asks: |count| said!(count => "Clear {count} entry?" | "Clear {count} entries?"),
            titled: |count| said!(count => "Clear {count} entry" | "Clear {count} entries"),
            means: key!(
                "Whatever stands against these users and addresses, or for them, is gone, and counting begins anew."
            ),
            buttons: (key!("Clear"), key!("Clear")),
            done: |count, _| said!(count => "{count} entry was cleared." | "{count} entries were cleared."),
            chosen: String::new(),
            ends: None,
            weight: Weight::Plain,
        }
    }

    fn look(&self, conn: &mut Conn, _: &Doer, key: &Value) -> Result<Option<Row>> {
        Ok(load(conn, key)?.map(|(who, scope)| Row::new(who.name, scope, None)))
    }

    fn carry_out(&self, conn: &mut Conn, by: &Doer, key: &Value) -> Result<Did> {
        let Some((who, _)) = load(conn, key)? else { return Ok(Did::gone()) };
        throttled::clear(conn, &who.subject.to_string(), Vec::new(), by.at.now)?;
        by.audit(who.object()).append(conn)?;
        Ok(Did::done(who.name, 0))
    }
}
