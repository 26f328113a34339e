//! The versions of the API, chosen by the path. Both are served by the same handlers: v1 is the contract's format; v2 lists
//! by cursor ([`paging`](crate::rest::paging)), shows as objects what v1 names by id
//! ([`Resource::NESTED`](crate::rest::resource::Resource::NESTED)), and answers errors as problems
//! ([`problem`](crate::problem)).

use std::convert::Infallible;
use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev};

/// A version of the API. The scope that serves one has it among its application data; where there is none, it is the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// `/api/v1/`, and `/api/` alone.
    #[default]
    V1,
    /// `/api/v2/`.
    V2,
}

impl Version {
    /// The version that a request asks for.
    pub fn of(request: &HttpRequest) -> Self {
        request.app_data().copied().unwrap_or_default()
    }
}

impl FromRequest for Version {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(Ok(Self::of(request)))
    }
}
