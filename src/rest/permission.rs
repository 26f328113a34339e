//! Who may do a thing, as types: DRF's two questions, its classes, and their composition by and, or, not.

use std::marker::PhantomData;

use actix_web::http::Method;

use crate::auth::gate::Principal;
use crate::auth::permissions::{Permission as Allowed, Verb};

/// DRF's two questions. Both say yes unless a class says otherwise.
pub trait Permission<T = ()>: 'static {
    /// Before anything is read.
    fn allows(_who: Option<&Principal>, _method: &Method) -> bool {
        true
    }

    /// Once the object is found.
    fn allows_object(_who: Option<&Principal>, _method: &Method, _object: &T) -> bool {
        true
    }
}

/// Whether a method only reads: DRF's `SAFE_METHODS`.
pub fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Anybody.
pub struct AllowAny;
impl<T> Permission<T> for AllowAny {}

/// Whoever is signed in.
pub struct IsAuthenticated;
impl<T> Permission<T> for IsAuthenticated {
    fn allows(who: Option<&Principal>, _: &Method) -> bool {
        who.is_some()
    }
}

/// Anybody reads, whoever is signed in writes.
pub struct IsAuthenticatedOrReadOnly;
impl<T> Permission<T> for IsAuthenticatedOrReadOnly {
    fn allows(who: Option<&Principal>, method: &Method) -> bool {
        is_safe(method) || who.is_some()
    }
}

/// Staff, as the user is now and not as a claim says.
pub struct IsAdminUser;
impl<T> Permission<T> for IsAdminUser {
    fn allows(who: Option<&Principal>, _: &Method) -> bool {
        who.is_some_and(|who| who.state.staff)
    }
}

/// Premium users.
pub struct IsPremiumUser;
impl<T> Permission<T> for IsPremiumUser {
    fn allows(who: Option<&Principal>, _: &Method) -> bool {
        who.is_some_and(|who| who.state.premium)
    }
}

/// An object that belongs to a user.
pub trait Owned {
    /// Whose it is.
    fn owner(&self) -> i64;
}

/// Anybody who may see an object reads it, its owner writes.
pub struct IsOwnerOrReadOnly;
impl<T: Owned> Permission<T> for IsOwnerOrReadOnly {
    fn allows_object(who: Option<&Principal>, method: &Method, object: &T) -> bool {
        is_safe(method) || who.is_some_and(|who| who.user == object.owner())
    }
}

/// A permission of the vocabulary, as a type for [`HasPermission`].
pub trait PermissionName: 'static {
    /// Its area.
    const AREA: &'static str;
    /// Its verb.
    const VERB: Verb;
}

/// Whoever holds the permission `N` through a role; superusers hold all.
pub struct HasPermission<N>(PhantomData<N>);
impl<T, N: PermissionName> Permission<T> for HasPermission<N> {
    fn allows(who: Option<&Principal>, _: &Method) -> bool {
        let needed = Allowed::of(N::AREA, N::VERB);
        who.zip(needed).is_some_and(|(who, needed)| who.state.permissions.holds(needed))
    }
}

/// Both.
impl<T, A: Permission<T>, B: Permission<T>> Permission<T> for (A, B) {
    fn allows(who: Option<&Principal>, method: &Method) -> bool {
        A::allows(who, method) && B::allows(who, method)
    }
    fn allows_object(who: Option<&Principal>, method: &Method, object: &T) -> bool {
        A::allows_object(who, method, object) && B::allows_object(who, method, object)
    }
}

/// Either. For an object each side must pass both of its own questions, else "owner, or staff for lists" would let staff
/// at every object (DRF's rule).
pub struct Or<A, B>(PhantomData<(A, B)>);
impl<T, A: Permission<T>, B: Permission<T>> Permission<T> for Or<A, B> {
    fn allows(who: Option<&Principal>, method: &Method) -> bool {
        A::allows(who, method) || B::allows(who, method)
    }
    fn allows_object(who: Option<&Principal>, method: &Method, object: &T) -> bool {
        (A::allows(who, method) && A::allows_object(who, method, object))
            || (B::allows(who, method) && B::allows_object(who, method, object))
    }
}

/// The opposite of both questions.
pub struct Not<A>(PhantomData<A>);
impl<T, A: Permission<T>> Permission<T> for Not<A> {
    fn allows(who: Option<&Principal>, method: &Method) -> bool {
        !A::allows(who, method)
    }
    fn allows_object(who: Option<&Principal>, method: &Method, object: &T) -> bool {
        !A::allows_object(who, method, object)
    }
}
