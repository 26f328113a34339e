//! The server: the one application factory, and how it binds, serves, drains and stops.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::time::Duration;

use actix_http::HttpService;
use actix_service::IntoServiceFactory;
use actix_web::dev::{AppConfig, Server, ServiceFactory, ServiceRequest, ServiceResponse, fn_factory, fn_service};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{self, Data};
use actix_web::{App, Error, HttpRequest, HttpResponse, ResponseError};
use anyhow::{Context, bail, ensure};
use tokio::sync::OnceCell;

use crate::admin;
use crate::api;
use crate::assets;
use crate::clock::Clock;
use crate::error::Error as Fault;
use crate::middleware::cors::Cors;
use crate::middleware::edge::Edge;
use crate::pages;
use crate::problem;
use crate::rest::link::OwnUrl;
use crate::rest::payload::BodyLimit;
use crate::rest::plain::get_only;
use crate::rest::routes::Routes;
use crate::rest::upgrade;
use crate::site::Site;

/// How long requests under way may take after the server was told to stop.
const DRAIN: u64 = 4;
/// How long the head of a request may take to arrive.
const HEAD: Duration = Duration::from_secs(10);
/// How long a connection may be idle.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// The application: the same for the server, the tests and the benches.
pub fn app(site: Data<Site>) -> App<impl Factory> {
    app_with(site, |_| ())
}

/// The application with routes of one's own beside the API's, in each place where the API is served: for a resource that
/// lives in a crate of its own, `server::app_with(site, viewset::<Note>)`.
pub fn app_with(site: Data<Site>, more: impl Fn(&mut Routes)) -> App<impl Factory> {
    let cors = Cors::new(&site.settings.cors, site.settings.jwt.refresh_cookie);
    let is_secure = site.settings.server.public_url.as_ref().is_some_and(|url| url.starts_with("https://"));
    let edge = Edge::new(cors, site.clock.clone(), site.metrics.clone(), is_secure);
    let limit = Data::new(BodyLimit(site.settings.server.body_limit));
    let own = OwnUrl { public: site.settings.server.public_url.clone(), bind: site.settings.server.bind };
    let app = App::new().app_data(site.clone()).app_data(limit).app_data(Data::new(own));
    app.service(get_only("/healthz", healthz))
        .service(get_only("/readyz", readyz))
        .configure(pages::docs::routes)
        .configure(|routes| api::routes(routes, &site.settings.social, more))
        .configure(assets::routes)
        .configure(pages::routes)
        .configure(|routes| pages::demo::routes(routes, &site.settings))
        .service(admin::scope(&site))
        .default_service(web::to(unknown))
        .wrap(edge)
}

/// What [`app`] is built of, in one word.
pub trait Factory:
    ServiceFactory<ServiceRequest, Config = (), Response = ServiceResponse, Error = Error, InitError = ()>
{
}

impl<T> Factory for T where
    T: ServiceFactory<ServiceRequest, Config = (), Response = ServiceResponse, Error = Error, InitError = ()>
{
}

/// A server on `listener`, ready to be awaited.
///
/// # Errors
/// If it cannot listen.
pub fn server(site: Data<Site>, listener: TcpListener) -> anyhow::Result<Server> {
    let workers = match site.settings.server.workers {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        workers => workers,
    };
    let server = Server::build().workers(workers).shutdown_timeout(DRAIN).disable_signals();
    let stopping = server.graceful_shutdown_signal();
    // What actix-web's HttpServer does, but that a connection may leave HTTP.
    let http = move || {
        let (factory, stopping) = (Rc::new(app(site.clone()).into_factory()), stopping.clone());
        let made = Rc::new(OnceCell::new());
        // One application in each worker, whichever way a request comes to it.
        let application = move || {
            let (factory, made) = (factory.clone(), made.clone());
            let make = async move || factory.new_service(AppConfig::default()).await.map(Rc::new);
            async move { made.get_or_try_init(make).await.cloned() }
        };
        let shared = application.clone();
        let upgraded = move || {
            let application = shared();
            async move {
                let app = application.await?;
                let serve = move |(request, connection)| Box::pin(upgrade::serve(app.clone(), request, connection));
                Ok::<_, ()>(fn_service(serve))
            }
        };
        HttpService::build()
            .client_request_timeout(HEAD)
            .keep_alive(KEEP_ALIVE)
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .upgrade(fn_factory(upgraded))
            .finish(fn_factory(application))
            .tcp()
    };
    let server = server.listen("http", listener, http).context("cannot listen")?;
    Ok(server.run())
}

/// How long a port that is in use is asked for again: a server that is being restarted may still be letting go of it.
const PREDECESSOR: Duration = Duration::from_secs(1);

/// Listens at `address`.
///
/// # Errors
/// One sentence that says what is in the way.
pub fn bind(address: SocketAddr, clock: &Clock) -> anyhow::Result<TcpListener> {
    let patience = clock.monotonic() + PREDECESSOR;
    loop {
        match TcpListener::bind(address) {
            Ok(listener) => return Ok(listener),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                ensure!(
                    clock.monotonic() < patience,
                    "{address} is in use by another program: stop that one, or set server.bind to another port"
                );
                std::thread::sleep(PREDECESSOR / 50);
            }
            Err(error) => {
                bail!("cannot listen at {address}: {error}; set server.bind to an address of this machine");
            }
        }
    }
}

/// Alive: the process answers. No database.
async fn healthz() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(r#"{"status":"ok"}"#)
}

/// Ready: the database takes a write within two seconds.
async fn readyz(site: Data<Site>) -> HttpResponse {
    let (follower, now) = (site.follower.clone(), site.clock.now());
    let write = site.db.write(move |conn| follower.report(conn, now));
    match tokio::time::timeout(Duration::from_secs(2), write).await {
        Ok(Ok(())) => HttpResponse::Ok().content_type("application/json").body(r#"{"status":"ready"}"#),
        _ => HttpResponse::ServiceUnavailable()
            .insert_header((header::RETRY_AFTER, 1))
            .content_type("application/json")
            .body(r#"{"status":"the database cannot be written"}"#),
    }
}

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const NOT_FOUND: &str = "<!doctype html>\n<html lang=\"en\">\n<head><title>Not Found</title></head>\n<body>\n\
    <h1>Not Found</h1><p>The requested resource was not found on this server.</p>\n</body>\n</html>\n";

/// No route: a 301 to the path with a slash if there is one, whatever the method (Django's APPEND_SLASH), else a 404.
async fn unknown(request: HttpRequest) -> HttpResponse {
    let path = request.uri().path();
    let slashed = format!("{path}/");
    if !path.ends_with('/') && request.resource_map().has_resource(&slashed) {
        let query = request.uri().query().map_or_else(String::new, |query| format!("?{query}"));
        if let Ok(location) = HeaderValue::from_str(&(slashed + query.as_str())) {
            let mut redirect = HttpResponse::new(StatusCode::MOVED_PERMANENTLY);
            redirect.headers_mut().insert(header::LOCATION, location);
            return redirect;
        }
    }
    if problem::is_asked_at(path) {
        return problem::in_place_of(Fault::not_found().error_response());
    }
    HttpResponse::NotFound().insert_header((header::CONTENT_TYPE, HTML)).body(NOT_FOUND)
}
