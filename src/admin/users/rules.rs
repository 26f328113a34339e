//! The rules about accounts ([`crate::auth::actor`]) as the panel asks them.

use crate::admin::error::PageError;
use crate::admin::staff::Staff;
use crate::auth::actor::{Actor, Refusal, Target};
use crate::model::audit::Change;

impl<N> Staff<N> {
    /// The viewer, as one who acts.
    pub fn actor(&self) -> Actor {
        Actor { id: self.id(), state: self.state().clone() }
    }
}

/// The roles that were moved, each with whether it was given, by their ids: a name may be another role's by tomorrow.
pub fn roles_moved(moves: &[(i64, bool)]) -> Vec<Change> {
    let told = |(field, given): (&str, bool)| {
        let ids = moves.iter().filter(|(_, give)| *give == given).map(|(role, _)| role.to_string());
        let ids: Vec<String> = ids.collect();
        (!ids.is_empty()).then(|| Change::fact(field, ids.join(", ")))
    };
    [("roles_given", true), ("roles_taken", false)].into_iter().filter_map(told).collect()
}

impl Actor {
    /// Goes on only if the account is within reach.
    ///
    /// # Errors
    /// A 403 page that says why it is not.
    pub fn reach(&self, target: &Target) -> Result<(), PageError> {
        Ok(self.reaches(target)?)
    }
}

impl From<Refusal> for PageError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Actor(words) => Self::Refused(words),
            Refusal::Rule(words) => Self::Rule(words),
        }
    }
}
