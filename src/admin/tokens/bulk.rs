//! What is done with many tokens: outstanding ones are revoked with their sessions, blacklisted ones restored.

use std::sync::Arc;

use crate::admin::blacklist as list_of_blacklisted;
use crate::admin::bulk::act::{Act, Chosen, Did, Doer, Plan, Row, Weight, offered as offered_of};
use crate::admin::bulk::lists::{Facts, MANY, Matching};
use crate::admin::staff::Staff;
use crate::admin::tokens::detail::Token;
use crate::admin::tokens::{asked, query, restore};
use crate::admin::users::Actor;
use crate::auth::permissions::Verb;
use crate::db::Conn;
use crate::db::keyset::{Keyset, Value};
use crate::db::tally::Tally;
use crate::error::{Error, Result};
use crate::language::Said;
use crate::model::audit::Object;
use crate::model::blacklist;
use crate::model::session::Ended;
use crate::model::token_list::{self, TokenState};

const REVOKE: &str = "revoke";
const RESTORE: &str = "restore";

/// The acts on outstanding tokens that the viewer may do.
pub fn offered_on_outstanding<N>(staff: &Staff<N>) -> Vec<(&'static str, String)> {
    offered_of(staff, &[(REVOKE, key!("Revoke"), ("tokens", Verb::Revoke))])
}

/// The acts on blacklisted tokens that the viewer may do.
pub fn offered_on_blacklisted<N>(staff: &Staff<N>) -> Vec<(&'static str, String)> {
    let restore = [(RESTORE, key!("Restore…"), ("blacklist", Verb::Delete))];
    if staff.state().superuser { offered_of(staff, &restore) } else { Vec::new() }
}

/// The act of this name on outstanding tokens.
pub fn act_on_outstanding(name: &str, _: Option<Chosen>) -> Option<Arc<dyn Act>> {
    (name == REVOKE).then(|| -> Arc<dyn Act> { Arc::new(Deed::Revoke) })
}

/// The act of this name on blacklisted tokens.
pub fn act_on_blacklisted(name: &str, _: Option<Chosen>) -> Option<Arc<dyn Act>> {
    (name == RESTORE).then(|| -> Arc<dyn Act> { Arc::new(Deed::Restore) })
}

/// The outstanding tokens that a filter lets through.
///
/// # Errors
/// The database's.
pub fn outstanding(_: &mut Conn, pairs: &[(String, String)], facts: &Facts) -> Result<Matching> {
    let (asked, now) = (asked(pairs, None, &facts.kids), facts.now.at);
    let (counted, wanted) = (query(&asked), query(&asked));
    let load = move |conn: &mut Conn, keyset: &Keyset| {
        Ok(token_list::page(conn, &wanted, keyset, MANY, now)?
            .rows
            .into_iter()
            .map(|one| Value::Number(one.id))
            .collect())
    };
    let count = move |conn: &mut Conn| Ok(token_list::counts(conn, &counted, &Tally::exact(), now)?.matching);
    Ok(Matching::new(&asked, token_list::BY_ISSUED, count, load))
}

/// The blacklisted tokens that a filter lets through.
///
/// # Errors
/// The database's.
pub fn blacklisted(_: &mut Conn, pairs: &[(String, String)], facts: &Facts) -> Result<Matching> {
    let asked = list_of_blacklisted::asked(pairs, None);
    let query = || list_of_blacklisted::query(&asked, facts.now);
    let (counted, wanted) = (query(), query());
    let load = move |conn: &mut Conn, keyset: &Keyset| {
        Ok(blacklist::page(conn, &wanted, keyset)?.rows.into_iter().map(|one| Value::Number(one.id)).collect())
    };
    let count = move |conn: &mut Conn| Ok(blacklist::counts(conn, &counted, &Tally::exact())?.matching);
    Ok(Matching::new(&asked, blacklist::BY_REVOKED, count, load))
}

/// What is done.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Deed {
    Revoke,
    Restore,
}

impl Deed {
    /// The token, and why it is left out. A list of outstanding tokens names them by their place there, the blacklist by
    /// theirs on it.
    fn load(self, conn: &mut Conn, by: &Doer, key: &Value) -> Result<Option<(Token, Option<String>)>> {
        let Value::Number(id) = *key else { return Ok(None) };
        let jti = match self {
            Self::Revoke => token_list::line(conn, id)?.map(|line| line.jti),
            Self::Restore => blacklist::jti(conn, id)?,
        };
        let Some(jti) = jti else { return Ok(None) };
        let token = match Token::load(conn, &jti, by.now) {
            Ok(token) => token,
            Err(Error::NotFound(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let beyond = token.target.as_ref().and_then(|target| by.actor.out_of_reach(target)).map(String::from);
        let left_out = beyond.or_else(|| match self {
            Self::Revoke if token.shown.is_live || ended_with_another(&token, by) => None,
            Self::Revoke => Some(match token.shown.standing {
                TokenState::Revoked => say!("revoked already"),
                TokenState::Expired => say!("expired already"),
                TokenState::Used => say!("used already"),
                TokenState::Live => say!("over already"),
            }),
            Self::Restore => token.cannot_be_restored(by.now),
        });
        Ok(Some((token, left_out)))
    }
}

/// Of two tokens of one session the second goes with the first.
fn ended_with_another(token: &Token, by: &Doer) -> bool {
    let session = &token.session;
    session.ended_by == Some(by.actor.id) && session.ended_at.is_some_and(|at| at >= by.since && at == by.at.now)
}

impl Act for Deed {
    fn plan(&self) -> Plan {
        match self {
            Self::Revoke => Plan {
                code: "token.revoke",
                needs: ("tokens", Verb::Revoke),
                asks_one: key!("Revoke {name}?"),
                asks: |count| said!(count => "Revoke {count} token?" | "Revoke {count} tokens?"),
                titled: |count| said!(count => "Revoke {count} token" | "Revoke {count} tokens"),
                means: key!(
                    "The whole session of each ends: the device has to sign in again, and access tokens already handed out end at once."
                ),
                buttons: (key!("Revoke token"), key!("Revoke tokens")),
                done: |count, _| said!(count => "{count} token was revoked." | "{count} tokens were revoked."),
                chosen: String::new(),
                ends: Some(|count| said!(count => "{count} session ended." | "{count} sessions ended.")),
                weight: Weight::Plain,
            },
            Self::Restore => Plan {
                code: "token.restore",
                needs: ("blacklist", Verb::Delete),
                asks_one: key!("Restore {name}?"),
                asks: |count| said!(count => "Restore {count} token?" | "Restore {count} tokens?"),
                titled: |count| said!(count => "Restore {count} token" | "Restore {count} tokens"),
                means: key!("They can be exchanged again, by whoever holds them."),
                buttons: (key!("Restore token"), key!("Restore tokens")),
                done: |count, _| said!(count => "{count} token was restored." | "{count} tokens were restored."),
                chosen: String::new(),
                ends: None,
                weight: Weight::Grave,
            },
        }
    }

    fn objection(&self, actor: &Actor) -> Option<Said> {
        (*self == Self::Restore).then(|| restore::objection(actor)).flatten()
    }

    fn look(&self, conn: &mut Conn, by: &Doer, key: &Value) -> Result<Option<Row>> {
        let Some((token, left_out)) = self.load(conn, by, key)? else { return Ok(None) };
        Ok(Some(Row::new(token.shown.short.clone(), token.owner(), left_out)))
    }

    fn carry_out(&self, conn: &mut Conn, by: &Doer, key: &Value) -> Result<Did> {
        let Some((token, left_out)) = self.load(conn, by, key)? else { return Ok(Did::gone()) };
        let name = token.shown.short.clone();
        if let Some(why) = left_out {
            return Ok(Did::left_out(name, why));
        }
        let mut ended = 0;
        match self {
            Self::Restore => {
                blacklist::remove(conn, token.row.id)?;
            }
            Self::Revoke => {
                let (sid, user) = (token.row.sid()?, token.row.user_id);
                let by_whom = Some(by.actor.id);
                ended = usize::from(by.grants.end_in(conn, sid, user, Ended::ByAdmin, by_whom, by.at.now)?);
            }
        }
        by.audit(Object::new("token", &token.row.jti, token.owner())).append(conn)?;
        Ok(Did::done(name, ended))
    }
}
