//! The rules about accounts ([`crate::auth::actor`]) as the panel asks them.

use crate::admin::error::PageError;
use crate::admin::staff::Staff;
use crate::auth::actor::{Actor, Refusal, Target};

impl<N> Staff<N> {
    /// The viewer, as one who acts.
    pub fn actor(&self) -> Actor {
        Actor { id: self.id(), state: self.state().clone() }
    }
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
