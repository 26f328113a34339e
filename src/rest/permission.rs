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

/// Whoever is signed in by a token. What an API key must not do, whatever its scopes: make keys, change the password, see or
/// end sessions, remove the account.
pub struct IsSignedIn;
impl<T> Permission<T> for IsSignedIn {
    fn allows(who: Option<&Principal>, _: &Method) -> bool {
        who.is_some_and(|who| who.api_key().is_none())
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

/// An area of the vocabulary, as a type.
pub trait Area: 'static {
    /// Its name.
    const NAME: &'static str;
}

macro_rules! areas {
    ($($area:ident $name:literal),*) => {$(
        #[doc = concat!("The area `", $name, "`.")]
        pub enum $area {}
        impl Area for $area {
            const NAME: &'static str = $name;
        }
    )*};
}
areas!(
    Users "users", Roles "roles", Grants "grants", Sessions "sessions", Blacklist "blacklist", Services "services",
    Tokens "tokens", Inspector "inspector", Articles "articles", Tasks "tasks", ApiKeys "api-keys",
    SigningKeys "signing-keys", Settings "settings", AuditLog "audit", SignIns "sign-ins",
    Mail "mail", Throttling "throttling"
);

macro_rules! verbs {
    ($($verb:ident),*) => {$(
        #[doc = concat!("The permission to ", stringify!($verb), " in an area, in lower case.")]
        pub struct $verb<A>(PhantomData<A>);
        impl<A: Area> PermissionName for $verb<A> {
            const AREA: &'static str = A::NAME;
            const VERB: Verb = Verb::$verb;
        }
    )*};
}
verbs!(View, Add, Change, Delete, Revoke, Export);

/// Whoever holds the permission `N` through a role, and not with an API key that lacks it; superusers hold all.
pub struct HasPermission<N>(PhantomData<N>);
impl<T, N: PermissionName> Permission<T> for HasPermission<N> {
    fn allows(who: Option<&Principal>, _: &Method) -> bool {
        let needed = Allowed::of(N::AREA, N::VERB);
        who.zip(needed).is_some_and(|(who, needed)| who.may(needed))
    }
}

/// [`HasPermission`] by what the method does in the area `A`, which is to be seen by all who do anything in it: DRF's
/// `DjangoModelPermissions`.
pub struct HasModelPermission<A>(PhantomData<A>);
impl<T, A: Area> Permission<T> for HasModelPermission<A> {
    fn allows(who: Option<&Principal>, method: &Method) -> bool {
        let may = |who: &Principal, verb| Allowed::of(A::NAME, verb).is_some_and(|needed| who.may(needed));
        who.zip(verb_of(method)).is_some_and(|(who, verb)| may(who, Verb::View) && may(who, verb))
    }
}

/// What a method does to objects; `None` for one that is not known.
pub fn verb_of(method: &Method) -> Option<Verb> {
    match *method {
        Method::GET | Method::HEAD | Method::OPTIONS => Some(Verb::View),
        Method::POST => Some(Verb::Add),
        Method::PUT | Method::PATCH => Some(Verb::Change),
        Method::DELETE => Some(Verb::Delete),
        _ => None,
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
