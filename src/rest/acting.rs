//! Who acts over the API, as the audit log keeps it: staff, in the place of a page of the panel.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpMessage, HttpRequest, dev, web};

use crate::auth::gate::Admitted;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::middleware::client_ip;
use crate::middleware::edge::RequestId;
use crate::model::audit::{Audit, By, Chain};
use crate::site::Site;

/// The caller with device, session and number of the request.
pub struct Acting {
    by: By,
    chain: Chain,
    clock: Clock,
}

impl Acting {
    /// An entry for what the caller does, to be appended in its transaction; `action` is a code such as `user.change`.
    pub fn audits(&self, action: &str) -> Audit {
        Audit::new(&self.chain, self.by.clone(), action, self.clock.now())
    }
}

impl FromRequest for Acting {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(acting(request))
    }
}

fn acting(request: &HttpRequest) -> Result<Acting> {
    let site = request.app_data::<web::Data<Site>>().ok_or_else(|| Error::internal("no site"))?;
    let extensions = request.extensions();
    let who = extensions.get::<Admitted>().and_then(|admitted| admitted.principal.clone());
    let who = who.ok_or(Error::NotAuthenticated)?;
    let session = match who.api_key() {
        Some(key) => format!("key-{}", key.id),
        None => who.session.map(|session| session.to_string()).unwrap_or_default(),
    };
    let number = extensions.get::<RequestId>().map(|RequestId(id)| id.to_string());
    let by = By {
        user: Some(who.user),
        name: who.state.username.to_string(),
        session,
        device: client_ip::device(request, &site.settings.server.trusted_proxies),
        request: number.unwrap_or_default(),
    };
    Ok(Acting { by, chain: site.audit.clone(), clock: site.clock.clone() })
}
