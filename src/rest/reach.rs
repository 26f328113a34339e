//! How far API keys reach: what a key must have among its scopes for a view to be open to it.

use actix_web::http::Method;

use crate::auth::api_keys::Scopes;
use crate::auth::gate::Principal;
use crate::auth::permissions::{Permission, Verb};
use crate::rest::permission::verb_of;

/// What a view asks of an API key. It comes before the view's own permission, which its owner must have too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Any key: the view tells nothing.
    Every,
    /// A key for all that its owner may.
    Whole,
    /// A key for what the method does in this area. One that the vocabulary does not know is for whole keys.
    Area(&'static str),
    /// A key for one permission, whatever the method.
    One(&'static str, Verb),
}

impl Reach {
    /// Whether what opened the gate reaches so far. A sign-in does, and so does a key for all.
    pub fn allows(self, who: &Principal, method: &Method) -> bool {
        let scopes = who.scopes();
        if scopes == Scopes::Whole {
            return true;
        }
        let needed = match self {
            Self::Every => return true,
            Self::Whole => None,
            Self::Area(area) => verb_of(method).and_then(|verb| Permission::of(area, verb)),
            Self::One(area, verb) => Permission::of(area, verb),
        };
        needed.is_some_and(|needed| scopes.allow(needed))
    }
}
