//! Who was refused by a rate, until it is written down (`ops::rates`): so the panel can tell who is held back, wherever the
//! counts themselves are, under what digests.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::model::throttled::Refused;
use crate::settings::Rate;

/// Who was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whom {
    /// A user, or an address.
    Subject(super::Subject),
    /// Whoever has this name; nobody, perhaps.
    Named(String),
}

/// The most that are kept until they are written: beyond, nobody would read them.
const MOST: usize = 1000;

/// The refusals since they were last taken. Cheap to clone.
#[derive(Clone, Default)]
pub struct Refusals(Arc<Mutex<HashMap<String, Refused>>>);

impl Refusals {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Refused>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the count `key` has refused somebody at `now`, for so long.
    pub fn note(&self, key: String, scope: &str, whom: &Whom, rate: Rate, wait: Duration, now: Timestamp) {
        let mut all = self.lock();
        if all.len() >= MOST && !all.contains_key(&key) {
            return;
        }
        let (who, name) = match whom {
            Whom::Subject(subject) => (subject.to_string(), None),
            Whom::Named(name) => (String::new(), Some(name.clone())),
        };
        let new = || Refused {
            key: key.clone(),
            who,
            name,
            scope: scope.to_owned(),
            most: rate.requests.into(),
            per: super::micros(rate.per),
            times: 0,
            at: now,
            until: now,
        };
        let row = all.entry(key.clone()).or_insert_with(new);
        row.times += 1;
        row.at = now;
        row.until = now + wait;
    }

    /// What was noted since the last call.
    pub fn take(&self) -> Vec<Refused> {
        std::mem::take(&mut *self.lock()).into_values().collect()
    }

    /// These could not be written: they are among what is written next, where nothing newer is.
    pub fn not_written(&self, rows: Vec<Refused>) {
        let mut all = self.lock();
        for row in rows {
            all.entry(row.key.clone()).or_insert(row);
        }
    }

    /// What was noted of these counts is not worth writing any more.
    pub fn forget(&self, keys: &[String]) {
        let mut all = self.lock();
        keys.iter().for_each(|key| drop(all.remove(key)));
    }
}
