//! The API: its route table, and one noun a file.
//!
//! Everything below `/api/` is served again at `/api/v1/`, the version that it is, and in another form at `/api/v2/`.

pub mod account;
pub mod articles;
pub mod email;
pub mod invitations;
pub mod keys;
pub mod own_data;
pub mod password_reset;
pub mod refresh_cookie;
pub mod revocations;
pub mod samples;
pub mod schema;
pub mod services;
pub mod session;
pub mod sliding;
pub mod social;
pub mod socket;
pub mod tasks;
pub mod token;
pub mod two_factor;
pub mod users;

use std::rc::Rc;

use actix_web::http::Method;
use actix_web::web::{self, ServiceConfig};

use crate::api::articles::Article;
use crate::api::schema::Description;
use crate::api::tasks::Task;
use crate::auth::permissions::Verb;
use crate::rest::permission::{AllowAny, IsAuthenticated, IsSignedIn};
use crate::rest::plain::get_only;
use crate::rest::reach::Reach;
use crate::rest::resource::viewset;
use crate::rest::routes::{List, Routes};
use crate::rest::version::Version;
use crate::rest::view::{open_view, view};
use crate::settings::Social;

/// Every route of the API, those of the `providers` of social sign-in among them, and those that `more` adds wherever it is
/// served.
pub fn routes(app: &mut ServiceConfig, providers: &Social, more: impl Fn(&mut Routes)) {
    let list = List::default();
    mount(app, providers, &more, &list);
    app.app_data(Rc::new(Description::of(list)));
}

/// Mounts every route, and puts the views that are to be described on the list.
fn mount(app: &mut ServiceConfig, providers: &Social, more: &impl Fn(&mut Routes), list: &List) {
    let every = |api: &mut Routes| {
        versioned(api, providers);
        more(api);
    };
    app.service(get_only("/.well-known/jwks.json", services::jwks));
    let hello = view::<IsAuthenticated>("Hello").keys(Reach::Every).get(samples::hello);
    Routes::listed(app, "", list).service(hello.at(&["/hello/"]));
    Routes::unlisted(app).service(open_view("Live").get(socket::connect).at(&["/ws/"]));
    for (version, path) in [(Version::V1, "/api/v1"), (Version::V2, "/api/v2")] {
        app.service(web::scope(path).app_data(version).configure(|app: &mut ServiceConfig| {
            let mut api = Routes::listed(app, path, list);
            api.service(view::<IsAuthenticated>("Data").keys(Reach::Every).get(samples::data).at(&["/data/"]));
            every(&mut api);
        }));
    }
    app.service(web::scope("/api").configure(|app| every(&mut Routes::unlisted(app))));
}

#[rustfmt::skip] // a table reads best as one
fn versioned(api: &mut Routes, providers: &Social) {
    api.service(open_view("Schema").get(schema::schema).at(&["/schema/"]));
    api.service(view::<IsAuthenticated>("Hello").keys(Reach::Every).get(samples::hello).at(&["/hello/"]));
    api.service(view::<IsAuthenticated>("Protected").keys(Reach::Every).get(samples::protected).at(&["/protected/"]));
    api.service(view::<samples::Admins>("Admin Only").get(samples::admin_only).at(&["/admin-only/"]));
    api.service(view::<samples::Premium>("Premium").get(samples::premium).at(&["/premium/"]));
    api.service(view::<IsAuthenticated>("Read Only").keys(Reach::Every).get(samples::read_only).at(&["/read-only/"]));
    api.service(view::<IsAuthenticated>("Rate Limited").keys(Reach::Every).scope("sample").get(samples::rate_limited).at(&["/rate-limited/"]));

    api.service(open_view("Token Obtain Pair").post(token::obtain).takes::<token::Credentials>(Method::POST).reads::<token::Entrance>(Method::POST).at(&["/token/"]));
    api.service(open_view("Login").post(token::login).takes::<token::Credentials>(Method::POST).reads::<token::Entrance>(Method::POST).at(&["/login/"]));
    api.service(open_view("Token Refresh").post(token::refresh).takes::<token::GivenRefresh>(Method::POST).at(&["/token/refresh/"]));
    api.service(open_view("Token Verify").post(token::verify).takes::<token::GivenToken>(Method::POST).at(&["/token/verify/"]));
    api.service(open_view("Token Blacklist").post(token::blacklist).takes::<token::GivenRefresh>(Method::POST).at(&["/token/blacklist/"]));
    api.service(open_view("Token Obtain Sliding").post(sliding::obtain).takes::<token::Credentials>(Method::POST).reads::<token::Entrance>(Method::POST).at(&["/token/sliding/"]));
    api.service(open_view("Token Refresh Sliding").post(sliding::refresh).takes::<token::GivenToken>(Method::POST).at(&["/token/sliding/refresh/"]));
    api.service(view::<IsAuthenticated>("Token Info").keys(Reach::Every).get(token::info).at(&["/token/info/"]));
    api.service(view::<services::Askers>("Token Introspect").keys(revocations::REACH).post(services::introspect).takes::<services::Asked>(Method::POST).at(&["/token/introspect/"]));
    api.service(view::<services::Revokers>("Token Revoke").keys(Reach::One("services", Verb::Revoke)).post(services::revoke).takes::<services::Asked>(Method::POST).at(&["/token/revoke/"]));
    api.service(view::<services::Askers>("Revocations").keys(revocations::REACH).get(revocations::feed).or_as("text/event-stream").at(&["/revocations/"]));
    api.service(view::<AllowAny>("Token Check").keys(Reach::Every).post(token::check).reads::<token::GivenToken>(Method::POST).at(&["/token/check/"]));

    if let Some(path) = social::path(providers) {
        api.service(open_view("Social Sign In").post(social::sign_in).takes::<social::Given>(Method::POST).at(&[path]));
    }

    api.service(view::<AllowAny>("Register").keys(Reach::Every).post(account::register).reads::<account::Registration>(Method::POST).at(&["/register/"]));
    api.service(view::<IsAuthenticated>("Profile").get(account::profile).at(&["/profile/"]));
    api.service(view::<own_data::Own>("Me").get(account::me).put(account::change).patch(account::change).delete(own_data::remove).takes::<account::Changes>(Method::PUT).reads::<own_data::Farewell>(Method::DELETE).at(&["/users/me/"]));
    api.service(view::<IsAuthenticated>("Export").get(own_data::export).at(&["/users/me/export/"]));
    api.service(view::<IsSignedIn>("Two Factor").get(two_factor::state).post(two_factor::begin).delete(two_factor::disable).reads::<two_factor::Proof>(Method::DELETE).at(&["/users/me/two-factor/"]));
    api.service(view::<IsSignedIn>("Two Factor Confirm").post(two_factor::confirm).takes::<two_factor::Proof>(Method::POST).at(&["/users/me/two-factor/confirm/"]));
    api.service(view::<IsSignedIn>("Recovery Codes").post(two_factor::new_codes).takes::<two_factor::Proof>(Method::POST).at(&["/users/me/two-factor/recovery-codes/"]));
    api.service(view::<users::Access>("User List").keys(Reach::Area("users")).get(users::list).post(users::create).takes::<users::Account>(Method::POST).at(&["/users/"]));
    api.service(view::<users::Access>("User Instance").keys(Reach::Area("users")).get(users::retrieve).put(users::change).patch(users::change).takes::<users::Account>(Method::PUT).at(&["/users/{id:[^/.]+}/"]));
    api.service(view::<IsSignedIn>("Password Change").post(account::change_password).takes::<account::NewPassword>(Method::POST).at(&["/password/change/"]));
    api.service(open_view("Password Reset").post(password_reset::ask).takes::<email::Address>(Method::POST).at(&["/password/reset/"]));
    api.service(open_view("Password Reset Confirm").post(password_reset::confirm).takes::<password_reset::NewPassword>(Method::POST).at(&["/password/reset/confirm/"]));
    api.service(view::<AllowAny>("Email Verify").post(email::verify).reads::<email::Address>(Method::POST).at(&["/email/verify/"]));
    api.service(open_view("Email Verify Confirm").post(email::confirm).takes::<email::Mailed>(Method::POST).at(&["/email/verify/confirm/"]));
    api.service(view::<invitations::Inviters>("Invitation List").get(invitations::list).post(invitations::invite).takes::<invitations::Invited>(Method::POST).at(&["/invitations/"]));
    api.service(view::<invitations::Inviters>("Invitation Instance").get(invitations::retrieve).delete(invitations::revoke).at(&["/invitations/{id:[^/]+}/"]));
    api.service(view::<IsSignedIn>("Logout").post(session::logout).reads::<token::GivenRefresh>(Method::POST).at(&["/logout/"]));
    api.service(view::<IsSignedIn>("Logout All").post(session::logout_all).at(&["/logout/all/"]));

    api.service(view::<IsSignedIn>("Session List").get(session::list).delete(session::end_others).at(&["/sessions/"]));
    api.service(view::<IsSignedIn>("Session Instance").get(session::retrieve).patch(session::rename).delete(session::end).reads::<session::Name>(Method::PATCH).at(&["/sessions/{id:[A-Za-z0-9_-]+}/"]));

    api.service(view::<IsSignedIn>("API Key List").get(keys::list).post(keys::create).takes::<keys::KeyInput>(Method::POST).at(&["/keys/"]));
    api.service(view::<IsSignedIn>("API Key Instance").get(keys::retrieve).patch(keys::change).delete(keys::revoke).reads::<keys::KeyInput>(Method::PATCH).at(&["/keys/{id:[^/.]+}/"]));
    api.service(view::<IsSignedIn>("API Key Rotate").post(keys::rotate).takes::<keys::Rotation>(Method::POST).at(&["/keys/{id:[^/.]+}/rotate/"]));

    viewset::<Article>(api);
    viewset::<Task>(api);
    api.service(view::<AllowAny>("Api Root").keys(Reach::Every).get(samples::root).at(&["/", "/.{format:[a-z0-9]+}"]));
}
