//! Revoking many API keys.

use std::sync::Arc;

use crate::admin::api_keys::acts::{is_in_use, remove};
use crate::admin::api_keys::{asked, find, query};
use crate::admin::bulk::act::{Act, Chosen, Did, Doer, Plan, Row, Weight, offered as offered_of};
use crate::admin::bulk::lists::{Facts, Matching};
use crate::admin::staff::Staff;
use crate::admin::when::ago;
use crate::auth::permissions::Verb;
use crate::db::Conn;
use crate::db::keyset::{Keyset, Value};
use crate::db::tally::Tally;
use crate::error::{Error, Result};
use crate::model::api_key_list::{self, KeyLine};

const REVOKE: &str = "revoke";

/// The acts that the viewer may do.
pub fn offered<N>(staff: &Staff<N>) -> Vec<(&'static str, String)> {
    offered_of(staff, &[(REVOKE, key!("Revoke…"), ("api-keys", Verb::Revoke))])
}

/// The act of this name.
pub fn act(name: &str, _: Option<Chosen>) -> Option<Arc<dyn Act>> {
    (name == REVOKE).then(|| -> Arc<dyn Act> { Arc::new(RevokeKey) })
}

/// The keys that a filter lets through.
///
/// # Errors
/// The database's.
pub fn matching(_: &mut Conn, pairs: &[(String, String)], facts: &Facts) -> Result<Matching> {
    let asked = asked(pairs, None);
    let (counted, wanted) = (query(&asked, facts.now.at), query(&asked, facts.now.at));
    let load = move |conn: &mut Conn, keyset: &Keyset| {
        Ok(api_key_list::page(conn, &wanted, keyset)?.rows.into_iter().map(|line| Value::Number(line.key.id)).collect())
    };
    let count = move |conn: &mut Conn| Ok(api_key_list::counts(conn, &counted, &Tally::exact())?.matching);
    Ok(Matching::new(&asked, api_key_list::BY_CREATED, count, load))
}

struct RevokeKey;

fn load(conn: &mut Conn, by: &Doer, key: &Value) -> Result<Option<(KeyLine, Option<String>)>> {
    let Value::Number(id) = *key else { return Ok(None) };
    match find(conn, id) {
        Ok((line, target)) => Ok(Some((line, by.actor.out_of_reach(&target).map(String::from)))),
        Err(Error::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Act for RevokeKey {
    fn plan(&self) -> Plan {
        Plan {
            code: "api_key.revoke",
            needs: ("api-keys", Verb::Revoke),
            asks_one: key!("Revoke {name}?"),
            asks: |count| said!(count => "Revoke {count} key?" | "Revoke {count} keys?"),
            titled: |count| said!(count => "Revoke {count} key" | "Revoke {count} keys"),
            means: key!("Whatever comes with them is refused from now on. It cannot be taken back."),
            buttons: (key!("Revoke key"), key!("Revoke keys")),
            done: |count, _| said!(count => "{count} key was revoked." | "{count} keys were revoked."),
            chosen: String::new(),
            ends: None,
            weight: Weight::Plain,
        }
    }

    fn look(&self, conn: &mut Conn, by: &Doer, key: &Value) -> Result<Option<Row>> {
        let Some((line, left_out)) = load(conn, by, key)? else { return Ok(None) };
        let about = match line.key.last_used_at {
            Some(at) => say!("of {owner}, used {when}", owner = line.owner, when = ago(at, by.now)),
            None => say!("of {owner}, never used", owner = line.owner),
        };
        let row = Row::new(&line.key.name, about, left_out);
        Ok(Some(Row { weighs: is_in_use(&line, by.at.now), ..row }))
    }

    fn carry_out(&self, conn: &mut Conn, by: &Doer, key: &Value) -> Result<Did> {
        let Some((line, left_out)) = load(conn, by, key)? else { return Ok(Did::gone()) };
        if let Some(why) = left_out {
            return Ok(Did::left_out(line.key.name, why));
        }
        remove(conn, by.audit.clone(), &line, by.at.now)?;
        Ok(Did::done(line.key.name, 0))
    }
}
