//! Who is held back by an administrator, and who never is: in memory, since every request is asked about. The database has it
//! too (`model::throttled`); what is decided becomes known by the change log.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::Subject;
use crate::clock::Timestamp;
use crate::error::{Error, Result};

/// What an administrator has decided of somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Held back until then.
    Held(Timestamp),
    /// Never held back: no rate holds.
    Never,
}

/// What administrators have decided. Cheap to clone.
#[derive(Clone, Default)]
pub struct Holds(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// Whether there is anything to look up: mostly there is not.
    any: AtomicBool,
    all: RwLock<HashMap<Subject, Decision>>,
}

impl Holds {
    fn of(&self, who: &Subject) -> Option<Decision> {
        if self.is_empty() {
            return None;
        }
        self.0.all.read().unwrap_or_else(PoisonError::into_inner).get(who).copied()
    }

    /// Whether nothing was decided of anybody.
    pub fn is_empty(&self) -> bool {
        !self.0.any.load(Ordering::Acquire)
    }

    /// Goes on only if `who` is not held back at `now`.
    ///
    /// # Errors
    /// [`Error::Throttled`] with the time that is left of it.
    pub fn admit(&self, who: &Subject, now: Timestamp) -> Result<()> {
        match self.of(who) {
            Some(Decision::Held(until)) if until > now => Err(Error::Throttled { wait: until.since(now) }),
            _ => Ok(()),
        }
    }

    /// Whether no rate holds for `who`.
    pub fn frees(&self, who: &Subject) -> bool {
        self.of(who) == Some(Decision::Never)
    }

    /// Takes over what was decided of `who`; nothing takes an earlier decision back.
    pub fn set(&self, who: Subject, decision: Option<Decision>) {
        let mut all = self.0.all.write().unwrap_or_else(PoisonError::into_inner);
        match decision {
            Some(decision) => all.insert(who, decision),
            None => all.remove(&who),
        };
        self.0.any.store(!all.is_empty(), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_hold_ends_by_itself_and_a_decision_takes_the_place_of_the_one_before() {
        let (holds, ann) = (Holds::default(), Subject::User(1));
        let at = Timestamp::from_seconds;
        assert!(holds.is_empty() && holds.admit(&ann, at(0)).is_ok());
        holds.set(ann.clone(), Some(Decision::Held(at(60))));
        let left = |now| match holds.admit(&ann, at(now)) {
            Err(Error::Throttled { wait }) => wait,
            _ => Duration::ZERO,
        };
        assert_eq!([left(0), left(59), left(60)], [60, 1, 0].map(Duration::from_secs));
        assert!(holds.admit(&Subject::User(2), at(0)).is_ok() && !holds.frees(&ann));
        holds.set(ann.clone(), Some(Decision::Never));
        assert!(holds.frees(&ann) && holds.admit(&ann, at(0)).is_ok());
        holds.set(ann.clone(), None);
        assert!(holds.is_empty() && !holds.frees(&ann));
    }
}
