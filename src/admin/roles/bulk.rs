//! Deleting many roles.

use std::sync::Arc;

use crate::admin::bulk::act::{Act, Chosen, Did, Doer, Plan, Row, Weight, offered as offered_of};
use crate::admin::roles::remove::remove;
use crate::admin::staff::Staff;
use crate::auth::permissions::Verb;
use crate::db::Conn;
use crate::db::keyset::Value;
use crate::error::Result;
use crate::model::role::{self, Role};

const DELETE: &str = "delete";

/// The acts that the viewer may do.
pub fn offered<N>(staff: &Staff<N>) -> Vec<(&'static str, String)> {
    offered_of(staff, &[(DELETE, key!("Delete…"), ("roles", Verb::Delete))])
}

/// The act of this name.
pub fn act(name: &str, _: Option<Chosen>) -> Option<Arc<dyn Act>> {
    (name == DELETE).then(|| -> Arc<dyn Act> { Arc::new(DeleteRole) })
}

struct DeleteRole;

fn load(conn: &mut Conn, key: &Value) -> Result<Option<Role>> {
    let Value::Number(id) = key else { return Ok(None) };
    role::by_id(conn, *id)
}

impl Act for DeleteRole {
    fn plan(&self) -> Plan {
        Plan {
            code: "role.delete",
            needs: ("roles", Verb::Delete),
            asks_one: key!("Delete {name}?"),
            asks: |count| said!(count => "Delete {count} role?" | "Delete {count} roles?"),
            titled: |count| said!(count => "Delete {count} role" | "Delete {count} roles"),
            means: key!("This cannot be undone. The accounts that hold them stay."),
            buttons: (key!("Delete role"), key!("Delete roles")),
            done: |count, _| said!(count => "{count} role was deleted." | "{count} roles were deleted."),
            chosen: String::new(),
            ends: Some(|count| said!(count => "{count} grant ended." | "{count} grants ended.")),
            weight: Weight::Grave,
        }
    }

    fn look(&self, conn: &mut Conn, _: &Doer, key: &Value) -> Result<Option<Row>> {
        let Some(role) = load(conn, key)? else { return Ok(None) };
        let count = role::holders(conn, role.id)?.len();
        let about = say!(count => "held by {count} user" | "held by {count} users");
        Ok(Some(Row::new(role.name, about, None)))
    }

    fn carry_out(&self, conn: &mut Conn, by: &Doer, key: &Value) -> Result<Did> {
        let Some(role) = load(conn, key)? else { return Ok(Did::gone()) };
        let held = remove(conn, &by.grants, by.audit.clone(), &role, by.at.now)?;
        Ok(Did::done(role.name, held))
    }
}
