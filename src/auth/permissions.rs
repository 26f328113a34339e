//! What may be allowed: the vocabulary `area.verb` that roles, the panel and `HasPermission` share.

use std::fmt;
use std::str::FromStr;

/// What may be done in an area.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// See it.
    View,
    /// Make something new.
    Add,
    /// Change what is there.
    Change,
    /// Remove it.
    Delete,
    /// End it before its time.
    Revoke,
    /// Take a copy of the whole list.
    Export,
}

use Verb::{Add, Change, Delete, Export, Revoke, View};

impl Verb {
    /// All of them, in the order in which a role's page shows them.
    pub const ALL: [Self; 6] = [View, Add, Change, Delete, Revoke, Export];

    /// The verb as it stands in a permission's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            View => "view",
            Add => "add",
            Change => "change",
            Delete => "delete",
            Revoke => "revoke",
            Export => "export",
        }
    }
}

/// The areas, and the verbs that each knows.
pub const AREAS: [(&str, &[Verb]); 17] = [
    ("users", &[View, Add, Change, Delete, Export]),
    ("roles", &[View, Add, Change, Delete]),
    ("grants", &[View, Change]),
    ("sessions", &[View, Revoke]),
    ("tokens", &[View, Revoke, Export]),
    ("blacklist", &[View, Add, Delete]),
    ("api-keys", &[View, Add, Change, Delete, Revoke]),
    ("inspector", &[View]),
    ("articles", &[View, Add, Change, Delete, Export]),
    ("tasks", &[View, Add, Change, Delete, Export]),
    ("audit", &[View, Export]),
    ("sign-ins", &[View, Export]),
    ("mail", &[View, Change]),
    ("throttling", &[View, Change]),
    ("signing-keys", &[View, Add, Change, Delete]),
    ("settings", &[View]),
    // What other services may ask: what a token is worth and what was ended; to end one.
    ("services", &[View, Revoke]),
];

/// One permission that exists: an area, and a verb that the area knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permission {
    area: &'static str,
    verb: Verb,
    bit: u32,
}

impl Permission {
    /// Every permission that exists, area by area.
    pub fn all() -> impl Iterator<Item = Self> {
        let pairs = AREAS.iter().flat_map(|(area, verbs)| verbs.iter().map(move |verb| (*area, *verb)));
        (0..).zip(pairs).map(|(bit, (area, verb))| Self { area, verb, bit })
    }

    /// The permission to do `verb` in `area`, if the area knows the verb.
    pub fn of(area: &str, verb: Verb) -> Option<Self> {
        Self::all().find(|one| one.area == area && one.verb == verb)
    }

    /// Its area.
    pub fn area(self) -> &'static str {
        self.area
    }

    /// Its verb.
    pub fn verb(self) -> Verb {
        self.verb
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.area, self.verb.as_str())
    }
}

impl FromStr for Permission {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::all().find(|one| text.split_once('.') == Some((one.area, one.verb.as_str()))).ok_or(())
    }
}

/// A set of permissions, held in memory for each user that is seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PermissionSet(u128);

impl PermissionSet {
    /// Every permission: what a superuser holds.
    pub fn all() -> Self {
        Permission::all().collect()
    }

    /// Reads the names that roles hold. A name that exists no more allows nothing.
    pub fn named<T: AsRef<str>>(names: &[T]) -> Self {
        names.iter().filter_map(|name| name.as_ref().parse::<Permission>().ok()).collect()
    }

    /// Whether the set holds it.
    pub fn holds(self, permission: Permission) -> bool {
        self.0 & (1 << permission.bit) != 0
    }

    /// What both hold.
    pub fn within(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What `self` holds and `other` lacks.
    pub fn beyond(self, other: Self) -> Vec<Permission> {
        Permission::all().filter(|one| self.holds(*one) && !other.holds(*one)).collect()
    }
}

impl FromIterator<Permission> for PermissionSet {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        Self(permissions.into_iter().fold(0, |set, one| set | 1 << one.bit))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_permission_reads_back_from_its_name_and_fits_the_set() {
        for permission in Permission::all() {
            assert_eq!(permission.to_string().parse(), Ok(permission));
            assert!(permission.bit < 128);
            assert!(PermissionSet::from_iter([permission]).holds(permission));
        }
    }

    #[test]
    fn a_verb_that_its_area_does_not_know_is_no_permission() {
        assert!("settings.delete".parse::<Permission>().is_err());
        assert!(Permission::of("inspector", Verb::Add).is_none());
    }

    #[test]
    fn what_goes_beyond_another_set_is_named() {
        let editor = PermissionSet::named(&["articles.view", "articles.change"]);
        let reader = PermissionSet::named(&["articles.view"]);
        assert_eq!(editor.beyond(reader), [Permission::of("articles", Verb::Change).unwrap()]);
        assert!(reader.beyond(editor).is_empty());
    }
}
