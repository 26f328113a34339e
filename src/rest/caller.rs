//! What a view found out about its request, for handlers to pick up. There is no other way to a [`Principal`].

use std::any::TypeId;
use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;

use actix_web::{FromRequest, HttpMessage, HttpRequest, dev, web};

use crate::auth::gate::{Admitted, Principal};
use crate::auth::sign_in::Place;
use crate::error::{Error, Result};
use crate::middleware::{client_ip, known_device};
use crate::model::session::Device;
use crate::rest::permission::IsAuthenticated;
use crate::site::Site;

fn admitted<P: 'static>(request: &HttpRequest) -> Result<Option<Arc<Principal>>> {
    match request.extensions().get::<Admitted>() {
        Some(admitted) if admitted.permission == TypeId::of::<P>() => Ok(admitted.principal.clone()),
        _ => Err(Error::internal("a handler asks for another permission than its view")),
    }
}

/// Somebody who is signed in, allowed by `P`, and within the rate. That it exists is the proof.
pub struct Caller<P = IsAuthenticated> {
    principal: Arc<Principal>,
    permission: PhantomData<P>,
}

impl<P> Caller<P> {
    /// The principal, to take along.
    pub fn principal(&self) -> Arc<Principal> {
        self.principal.clone()
    }
}

impl<P> Deref for Caller<P> {
    type Target = Principal;

    fn deref(&self) -> &Principal {
        &self.principal
    }
}

impl<P: 'static> FromRequest for Caller<P> {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        let caller = admitted::<P>(request).and_then(|principal| {
            let principal = principal.ok_or(Error::NotAuthenticated)?;
            Ok(Self { principal, permission: PhantomData })
        });
        ready(caller)
    }
}

/// Whoever it is, signed in or not, whom `P` allows.
pub struct Visitor<P> {
    /// Who, if anybody.
    pub principal: Option<Arc<Principal>>,
    permission: PhantomData<P>,
}

impl<P: 'static> FromRequest for Visitor<P> {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(admitted::<P>(request).map(|principal| Self { principal, permission: PhantomData }))
    }
}

/// What the request comes from.
pub struct Client {
    /// The address.
    pub ip: IpAddr,
    /// What sessions keep of it.
    pub device: Device,
    /// What the limits of signing in go by.
    pub place: Place,
}

impl FromRequest for Client {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        let site = request.app_data::<web::Data<Site>>().ok_or_else(|| Error::internal("no site"));
        ready(site.map(|site| {
            let trusted = &site.settings.server.trusted_proxies;
            let place = known_device::place(site, request);
            Self { ip: place.ip, device: client_ip::device(request, trusted), place }
        }))
    }
}
