//! Sending many letters again.

use std::sync::Arc;

use crate::admin::bulk::act::{Act, Chosen, Did, Doer, Plan, Row, Weight, offered as offered_of};
use crate::admin::bulk::lists::{Facts, Matching};
use crate::admin::mail::again::{refusal, send_one};
use crate::admin::mail::{asked, kind, query};
use crate::admin::staff::Staff;
use crate::auth::permissions::Verb;
use crate::db::Conn;
use crate::db::keyset::{Keyset, Value};
use crate::db::tally::Tally;
use crate::error::{Error, Result};
use crate::letters::Addressed;
use crate::model::outbox_list;

const SEND_AGAIN: &str = "send-again";

/// The acts that the viewer may do.
pub fn offered<N>(staff: &Staff<N>) -> Vec<(&'static str, String)> {
    offered_of(staff, &[(SEND_AGAIN, key!("Send again"), ("mail", Verb::Change))])
}

/// The act of this name.
pub fn act(name: &str, _: Option<Chosen>) -> Option<Arc<dyn Act>> {
    (name == SEND_AGAIN).then(|| -> Arc<dyn Act> { Arc::new(SendAgain) })
}

/// The letters that a filter lets through.
///
/// # Errors
/// The database's.
pub fn matching(_: &mut Conn, pairs: &[(String, String)], facts: &Facts) -> Result<Matching> {
    let asked = asked(pairs, None);
    let (counted, wanted) = (query(&asked, facts.now), query(&asked, facts.now));
    let load = move |conn: &mut Conn, keyset: &Keyset| {
        Ok(outbox_list::page(conn, &wanted, keyset)?.rows.into_iter().map(|line| Value::Number(line.id)).collect())
    };
    let count = move |conn: &mut Conn| Ok(outbox_list::counts(conn, &counted, &Tally::exact())?.matching);
    Ok(Matching::new(&asked, outbox_list::BY_TIME, count, load))
}

struct SendAgain;

impl Act for SendAgain {
    fn plan(&self) -> Plan {
        Plan {
            code: "mail.send_again",
            needs: ("mail", Verb::Change),
            asks_one: key!("Send {name} again?"),
            asks: |count| said!(count => "Send {count} letter again?" | "Send {count} letters again?"),
            titled: |count| said!(count => "Send {count} letter again" | "Send {count} letters again"),
            means: key!("Letters that went out go out once more, with new links; the others are tried now."),
            buttons: (key!("Send again"), key!("Send again")),
            done: |count, _| said!(count => "{count} letter is on its way again." | "{count} letters are on their way again."),
            chosen: String::new(),
            ends: None,
            weight: Weight::Plain,
        }
    }

    fn look(&self, conn: &mut Conn, by: &Doer, key: &Value) -> Result<Option<Row>> {
        let Value::Number(id) = *key else { return Ok(None) };
        let Some(line) = outbox_list::by_id(conn, id)? else { return Ok(None) };
        let addressed = Addressed::load(conn, line.letter()?)?;
        let left_out = refusal(conn, &line, &addressed, by.at.now)?;
        Ok(Some(Row::new(&line.address, kind(&line).to_string(), left_out)))
    }

    fn carry_out(&self, conn: &mut Conn, by: &Doer, key: &Value) -> Result<Did> {
        let Value::Number(id) = *key else { return Ok(Did::gone()) };
        let Some(line) = outbox_list::by_id(conn, id)? else { return Ok(Did::gone()) };
        match send_one(conn, id, by.audit.clone(), by.at.now) {
            Ok(Ok((_, address))) => Ok(Did::done(address, 0)),
            Ok(Err(why)) => Ok(Did::left_out(line.address, why)),
            Err(Error::NotFound(_)) => Ok(Did::gone()),
            Err(error) => Err(error),
        }
    }
}
