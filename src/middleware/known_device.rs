//! The cookie of a browser that has signed in: who shows it for the same account has a count of failed sign-ins of its own,
//! so that nobody else can lock its owner out. It opens nothing.

use actix_web::HttpRequest;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};

use crate::auth::sign_in::{DEVICE_KNOWN, Place};
use crate::error::Result;
use crate::middleware::client_ip;
use crate::model::user::User;
use crate::site::Site;

const NAME: &str = "portcullis_device";

/// Where a request comes from, for the limits of signing in.
pub fn place(site: &Site, request: &HttpRequest) -> Place {
    let ip = client_ip::of(request, &site.settings.server.trusted_proxies);
    Place { device: request.cookie(&name(site)).map(|cookie| cookie.value().to_owned()), ..ip.into() }
}

/// The cookie for a browser in which `user` has just signed in.
///
/// # Errors
/// If the system has no random bytes.
pub fn cookie(site: &Site, user: &User) -> Result<Cookie<'static>> {
    let value = site.sign_in.device_cookie(user)?;
    Ok(Cookie::build(name(site), value)
        .path("/")
        .http_only(true)
        .secure(site.settings.server.has_secure_cookies())
        .same_site(SameSite::Strict)
        .max_age(Duration::try_from(DEVICE_KNOWN).unwrap_or(Duration::WEEK))
        .finish())
}

/// `__Host-` binds a cookie to this host and to TLS; on plain-HTTP loopback there is no TLS to bind it to.
fn name(site: &Site) -> String {
    if site.settings.server.has_secure_cookies() { format!("__Host-{NAME}") } else { NAME.to_owned() }
}
