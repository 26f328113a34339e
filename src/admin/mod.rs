//! The panel: every page of it, one line each.
//!
//! Each page is drawn on the server and works without script. What may be done stands in the handler's signature
//! ([`staff::Staff`]); what is sent comes through [`form::Form`], which checks that it is ours; a list is a
//! [`changelist::Changelist`]; whatever cannot be taken back is asked about first ([`confirm::Confirmation`]).

#[macro_use]
pub mod changelist;

pub mod again;
pub mod api_keys;
pub mod audit;
pub mod audits;
pub mod blacklist;
pub mod bulk;
pub mod clash;
pub mod confirm;
pub mod content;
pub mod dashboard;
pub mod error;
pub mod export;
pub mod form;
pub mod guard;
pub mod inspector;
pub mod jobs;
pub mod layout;
pub mod login;
pub mod mail;
pub mod me;
pub mod roles;
pub mod search;
pub mod session_store;
pub mod sessions;
pub mod settings;
pub mod setup;
pub mod sign_ins;
pub mod signing_keys;
pub mod slices;
pub mod staff;
pub mod throttling;
pub mod tokens;
pub mod two_factor;
pub mod undo;
pub mod users;
pub mod visit;
pub mod when;

use actix_identity::IdentityMiddleware;
use actix_session::SessionMiddleware;
use actix_session::config::{BrowserSession, TtlExtensionPolicy};
use actix_web::cookie::{Key, SameSite, time};
use actix_web::dev::HttpServiceFactory;
use actix_web::http::header;
use actix_web::middleware::from_fn;
use actix_web::{HttpRequest, HttpResponse, Route, guard as only, web};

use crate::admin::error::PageError;

use crate::admin::session_store::PanelSessions;
use crate::admin::staff::Staff;
use crate::admin::visit::{CookieRules, ServerName};
use crate::error::Error;
use crate::middleware::language;
use crate::site::Site;

/// The panel's cookie; off plain-HTTP loopback it is called `__Host-portcullis_admin`.
const COOKIE: &str = "portcullis_admin";

/// Everything below `/admin`, with its sessions.
pub fn scope(site: &web::Data<Site>) -> impl HttpServiceFactory + use<> {
    let rules = CookieRules { secure: site.settings.server.has_secure_cookies() };
    let admin = &site.settings.admin;
    let sessions = PanelSessions::new(site.db.clone(), site.clock.clone(), admin.session_idle, admin.session_lifetime);
    let key = Key::from(&site.secrets.derive("panel cookies"));
    let idle = time::Duration::try_from(admin.session_idle).unwrap_or(time::Duration::MINUTE);
    let middleware = SessionMiddleware::builder(sessions, key)
        .cookie_name(rules.name(COOKIE))
        .cookie_path("/".to_owned())
        .cookie_secure(rules.secure)
        .cookie_http_only(true)
        .cookie_same_site(SameSite::Lax)
        .session_lifecycle(
            BrowserSession::default().state_ttl(idle).state_ttl_extension_policy(TtlExtensionPolicy::OnEveryRequest),
        )
        .build();

    let mut scope = web::scope("/admin").app_data(web::Data::new(rules));
    if let Some(name) = site.settings.server.public_url.as_deref().and_then(host_of) {
        scope = scope.app_data(web::Data::new(ServerName(name)));
    }
    scope
        .route("/login/", page().to(login::page))
        .route("/login/", web::post().to(login::sign_in))
        .route("/login/code/", web::post().to(login::enter_code))
        .route("/logout/", web::post().to(login::sign_out))
        .route("/setup/{token}/", page().to(setup::page))
        .route("/setup/{token}/", web::post().to(setup::make))
        .route("/preferences/theme/", web::post().to(login::set_theme))
        .route("/", page().to(dashboard::page))
        .route("/getting-started/", web::post().to(dashboard::started::told))
        .route("/attention/dismiss/", web::post().to(dashboard::dismiss::dismiss))
        .route("/users/", page().to(users::index))
        .route("/users/export.csv", web::get().to(export::users))
        .route("/users/new/", page().to(users::create::page))
        .route("/users/new/", web::post().to(users::create::make))
        .route("/users/invitations/", page().to(users::invitations::index))
        .route("/users/invitations/{id}/revoke/", web::post().to(users::invitations::revoke))
        .route("/users/invitations/{id}/again/", web::post().to(users::invitations::send_again))
        .route("/users/{id}/", page().to(users::edit::page))
        .route("/users/{id}/", web::post().to(users::edit::save))
        .route("/users/{id}/sessions/", page().to(users::sessions::page))
        .route("/users/{id}/sessions/sign-out/", web::post().to(users::sessions::sign_out))
        .route("/users/{id}/tokens/", page().to(users::belongings::tokens))
        .route("/users/{id}/api-keys/", page().to(users::belongings::api_keys))
        .route("/users/{id}/content/", page().to(users::belongings::content))
        .route("/users/{id}/sign-out/", page().to(users::acts::ask_to_sign_out))
        .route("/users/{id}/sign-out/", web::post().to(users::acts::sign_out))
        .route("/users/{id}/password/", page().to(users::password::page))
        .route("/users/{id}/password/", web::post().to(users::password::set))
        .route("/users/{id}/send-reset/", web::post().to(users::password::send_reset))
        .route("/users/{id}/two-factor/", page().to(users::acts::ask_to_reset_two_factor))
        .route("/users/{id}/two-factor/", web::post().to(users::acts::reset_two_factor))
        .route("/users/{id}/deactivate/", page().to(users::acts::ask_to_deactivate))
        .route("/users/{id}/deactivate/", web::post().to(users::acts::deactivate))
        .route("/users/{id}/delete/", page().to(users::acts::ask_to_delete))
        .route("/users/{id}/delete/", web::post().to(users::acts::delete))
        .route("/roles/", page().to(roles::index))
        .route("/roles/new/", page().to(roles::edit::new_page))
        .route("/roles/new/", web::post().to(roles::edit::make))
        .route("/roles/{id}/", page().to(roles::edit::page))
        .route("/roles/{id}/", web::post().to(roles::edit::save))
        .route("/roles/{id}/delete/", page().to(roles::remove::ask))
        .route("/roles/{id}/delete/", web::post().to(roles::remove::delete))
        .route("/inspector/", page().to(inspector::page))
        .route("/inspector/", web::post().to(inspector::inspect))
        .route("/tokens/", page().to(tokens::index))
        .route("/tokens/export.csv", web::get().to(export::tokens))
        .route("/tokens/{jti}/", page().to(tokens::detail::page))
        .route("/tokens/{jti}/revoke/", page().to(tokens::revoke::ask))
        .route("/tokens/{jti}/revoke/", web::post().to(tokens::revoke::revoke))
        .route("/sessions/", page().to(sessions::index))
        .route("/sessions/sign-out-all/", page().to(sessions::everybody::ask))
        .route("/sessions/sign-out-all/", web::post().to(sessions::everybody::sign_out))
        .route("/sessions/{sid}/", page().to(sessions::detail::page))
        .route("/sessions/{sid}/sign-out/", web::post().to(sessions::acts::sign_out))
        .route("/blacklist/", page().to(blacklist::index))
        .route("/blacklist/new/", page().to(blacklist::new_page))
        .route("/blacklist/new/", web::post().to(blacklist::revoke))
        .route("/blacklist/sweep/", web::post().to(blacklist::sweep))
        .route("/blacklist/{jti}/", page().to(tokens::detail::blacklisted))
        .route("/blacklist/{jti}/restore/", page().to(tokens::restore::ask))
        .route("/blacklist/{jti}/restore/", web::post().to(tokens::restore::restore))
        .route("/users/{id}/sign-ins/", page().to(users::activity::sign_ins))
        .route("/users/{id}/history/", page().to(users::activity::history))
        .route("/audit/", page().to(audit::index))
        .route("/audit/export.csv", web::get().to(export::audit))
        .route("/audit/{id}/", page().to(audit::detail::page))
        .route("/sign-ins/", page().to(sign_ins::index))
        .route("/sign-ins/export.csv", web::get().to(export::sign_ins))
        .route("/confirm/", web::post().to(bulk::act))
        .route("/jobs/{id}/", page().to(jobs::page))
        .route("/jobs/{id}/stop/", web::post().to(jobs::stop))
        .route("/undo/", web::post().to(undo::take_back))
        .route("/again/", page().to(again::page))
        .route("/again/", web::post().to(again::confirm))
        .route("/articles/", page().to(content::articles::index))
        .route("/articles/export.csv", web::get().to(export::articles))
        .route("/articles/new/", page().to(content::article::new_page))
        .route("/articles/new/", web::post().to(content::article::make))
        .route("/articles/{id}/", page().to(content::article::page))
        .route("/articles/{id}/", web::post().to(content::article::save))
        .route("/articles/{id}/delete/", page().to(content::article::ask))
        .route("/articles/{id}/delete/", web::post().to(content::article::delete))
        .route("/tasks/", page().to(content::tasks::index))
        .route("/tasks/export.csv", web::get().to(export::tasks))
        .route("/tasks/new/", page().to(content::task::new_page))
        .route("/tasks/new/", web::post().to(content::task::make))
        .route("/tasks/{id}/", page().to(content::task::page))
        .route("/tasks/{id}/", web::post().to(content::task::save))
        .route("/tasks/{id}/delete/", page().to(content::task::ask))
        .route("/tasks/{id}/delete/", web::post().to(content::task::delete))
        .route("/api-keys/", page().to(api_keys::index))
        .route("/api-keys/new/", page().to(api_keys::create::page))
        .route("/api-keys/new/", web::post().to(api_keys::create::make))
        .route("/api-keys/{id}/", page().to(api_keys::page))
        .route("/api-keys/{id}/rotate/", web::post().to(api_keys::acts::rotate))
        .route("/api-keys/{id}/revoke/", page().to(api_keys::acts::ask))
        .route("/api-keys/{id}/revoke/", web::post().to(api_keys::acts::revoke))
        .route("/signing-keys/", page().to(signing_keys::index))
        .route("/signing-keys/rotate/", web::post().to(signing_keys::rotate))
        .route("/signing-keys/{kid}/", page().to(signing_keys::ask))
        .route("/signing-keys/{kid}/", web::post().to(signing_keys::retire))
        .route("/signing-keys/{kid}/condemn/", page().to(signing_keys::ask_to_condemn))
        .route("/signing-keys/{kid}/condemn/", web::post().to(signing_keys::condemn))
        .route("/mail/", page().to(mail::index))
        .route("/mail/test/", page().to(mail::test::page))
        .route("/mail/test/", web::post().to(mail::test::send))
        .route("/mail/{id}/", page().to(mail::detail::page))
        .route("/mail/{id}/again/", web::post().to(mail::again::send))
        .route("/throttling/", page().to(throttling::index))
        .route("/throttling/{key}/", page().to(throttling::detail::page))
        .route("/throttling/{key}/clear/", web::post().to(throttling::acts::clear))
        .route("/throttling/{key}/hold/", web::post().to(throttling::acts::hold))
        .route("/throttling/{key}/never/", web::post().to(throttling::acts::never))
        .route("/search/", page().to(search::page))
        .route("/settings/", page().to(settings::page))
        .route("/me/", page().to(me::page))
        .route("/me/password/", page().to(me::password::page))
        .route("/me/password/", web::post().to(me::password::change))
        .route("/me/preferences/", page().to(me::preferences::page))
        .route("/me/preferences/", web::post().to(me::preferences::save))
        .route("/me/sessions/", page().to(me::sessions::page))
        .route("/me/sessions/sign-out/", web::post().to(me::sessions::sign_out))
        .route("/me/sessions/sign-out-others/", web::post().to(me::sessions::sign_out_others))
        .route("/me/two-factor/", page().to(two_factor::page))
        .route("/me/two-factor/start/", web::post().to(two_factor::start))
        .route("/me/two-factor/confirm/", web::post().to(two_factor::confirm))
        .route("/me/two-factor/codes/", web::post().to(two_factor::new_codes))
        .route("/me/two-factor/disable/", web::post().to(two_factor::disable))
        .default_service(web::to(nowhere))
        .app_data(web::PathConfig::default().error_handler(|_, _| PageError::from(Error::not_found()).into()))
        // The last that is wrapped runs first.
        .wrap(from_fn(guard::same_origin))
        .wrap(from_fn(audits::refusals))
        .wrap(from_fn(error::shown_as_pages))
        .wrap(IdentityMiddleware::default())
        .wrap(middleware)
        .wrap(from_fn(guard::with_policy))
        .wrap(from_fn(language::of_the_visitor))
}

/// A page is read by GET, and by HEAD.
fn page() -> Route {
    web::route().guard(only::Any(only::Get()).or(only::Head()))
}

fn host_of(public_url: &str) -> Option<String> {
    let after_scheme = public_url.split_once("://")?.1;
    after_scheme.split('/').next().map(str::to_owned)
}

/// What leads nowhere: an address without the slash at its end to the one with it, anything else to a page that says so.
/// Only for those who are signed in: strangers learn of no address whether it exists.
async fn nowhere(_: Staff, request: HttpRequest) -> Result<HttpResponse, PageError> {
    let path = request.path();
    if path.ends_with('/') || path.contains("//") {
        return Err(Error::not_found().into());
    }
    let query = request.query_string();
    let to = if query.is_empty() { format!("{path}/") } else { format!("{path}/?{query}") };
    Ok(HttpResponse::PermanentRedirect().insert_header((header::LOCATION, to)).finish())
}
