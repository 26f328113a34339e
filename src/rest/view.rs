//! A view: one URL of the API, with all that DRF does before and around a handler, in the order of CONTRACT 2.
//!
//! Negotiation, credentials, permission, throttle, method; then the handler; then the headers that every answer of the
//! URL carries. Actix's extractors alone run too late for that: they are asked per handler, after the method.

use std::any::TypeId;
use std::borrow::Cow;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse, ResponseError, web};
use futures_util::future::LocalBoxFuture;
use serde_json::{Map, Value, json};

use crate::auth::gate::{Admitted, Principal};
use crate::error::{Error, Result};
use crate::metrics::Count;
use crate::middleware::client_ip;
use crate::problem;
use crate::rest::answer::Answer;
use crate::rest::fields::{self, FieldInfo, Input};
use crate::rest::negotiation::{self, Rendering};
use crate::rest::nested::Nested;
use crate::rest::permission::Permission;
use crate::rest::reach::Reach;
use crate::rest::routes::{About, Route};
use crate::rest::version::Version;
use crate::site::Site;
use crate::throttle::Subject;

type Handler = Rc<dyn Fn(HttpRequest, Payload) -> LocalBoxFuture<'static, HttpResponse>>;
type Question = Rc<dyn Fn(HttpRequest) -> LocalBoxFuture<'static, bool>>;
type Declared = fn() -> Vec<FieldInfo>;
type Allows = fn(Option<&Principal>, &Method) -> bool;

/// Whether a view reads the credentials of its requests.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Credentials {
    Read,
    Ignored,
}

/// What one URL answers. Build it with [`view`] or [`open_view`], then mount it with [`View::at`].
pub struct View<P> {
    name: Cow<'static, str>,
    credentials: Credentials,
    allows: Allows,
    reach: Reach,
    handlers: Vec<(Method, Handler)>,
    /// What each handler takes, as Rust writes the types.
    arguments: Vec<(Method, &'static str)>,
    fields: Vec<(Method, Map<String, Value>)>,
    bodies: Vec<(Method, Declared)>,
    may_put: Option<Question>,
    /// A media type beside JSON that clients may ask for.
    beside: Option<&'static str>,
    /// Whether it is one of the two views of a resource, and what v2 nests in it.
    nested: Option<&'static [Nested]>,
    /// The name of a rate of its own.
    scope: Option<&'static str>,
    permission: PhantomData<P>,
}

/// A view for those whom `P` allows. `name` is what OPTIONS calls it.
pub fn view<P: Permission>(name: &'static str) -> View<P> {
    View::new(name.into(), Credentials::Read, <P as Permission>::allows)
}

/// A view open to all, whose callers' credentials are not even looked at: the token endpoints.
pub fn open_view(name: &'static str) -> View<()> {
    View::new(name.into(), Credentials::Ignored, |_, _| true)
}

impl<P: 'static> View<P> {
    fn new(name: Cow<'static, str>, credentials: Credentials, allows: Allows) -> Self {
        Self {
            name,
            credentials,
            allows,
            reach: Reach::Whole,
            handlers: Vec::new(),
            arguments: Vec::new(),
            fields: Vec::new(),
            bodies: Vec::new(),
            may_put: None,
            beside: None,
            nested: None,
            scope: None,
            permission: PhantomData,
        }
    }

    /// Says what an API key needs among its scopes; else the view is for keys for all that their owners may.
    pub fn keys(mut self, reach: Reach) -> Self {
        self.reach = reach;
        self
    }

    /// A view for those whom `P` allows to do what is asked of some object. `nested` is what v2 shows of one as objects.
    pub fn of_objects<T>(name: impl Into<Cow<'static, str>>, nested: &'static [Nested]) -> Self
    where
        P: Permission<T>,
    {
        Self { nested: Some(nested), ..Self::new(name.into(), Credentials::Read, <P as Permission<T>>::allows) }
    }

    /// Answers GET, and HEAD with it.
    pub fn get<H, A>(self, handler: H) -> Self
    where
        H: actix_web::Handler<A, Output = Result<Answer>>,
        A: FromRequest + 'static,
    {
        self.on(Method::GET, handler)
    }

    /// Answers POST.
    pub fn post<H, A>(self, handler: H) -> Self
    where
        H: actix_web::Handler<A, Output = Result<Answer>>,
        A: FromRequest + 'static,
    {
        self.on(Method::POST, handler)
    }

    /// Answers PUT.
    pub fn put<H, A>(self, handler: H) -> Self
    where
        H: actix_web::Handler<A, Output = Result<Answer>>,
        A: FromRequest + 'static,
    {
        self.on(Method::PUT, handler)
    }

    /// Answers PATCH.
    pub fn patch<H, A>(self, handler: H) -> Self
    where
        H: actix_web::Handler<A, Output = Result<Answer>>,
        A: FromRequest + 'static,
    {
        self.on(Method::PATCH, handler)
    }

    /// Answers DELETE.
    pub fn delete<H, A>(self, handler: H) -> Self
    where
        H: actix_web::Handler<A, Output = Result<Answer>>,
        A: FromRequest + 'static,
    {
        self.on(Method::DELETE, handler)
    }

    fn on<H, A>(mut self, method: Method, handler: H) -> Self
    where
        H: actix_web::Handler<A, Output = Result<Answer>>,
        A: FromRequest + 'static,
    {
        let call = move |request: HttpRequest, mut payload: Payload| -> LocalBoxFuture<'static, HttpResponse> {
            let handler = handler.clone();
            Box::pin(async move {
                match A::from_request(&request, &mut payload).await {
                    Err(error) => error.into().error_response(),
                    Ok(arguments) => match handler.call(arguments).await {
                        Ok(answer) => actix_web::Responder::respond_to(answer, &request),
                        Err(error) => error.error_response(),
                    },
                }
            })
        };
        self.arguments.push((method.clone(), std::any::type_name::<A>()));
        self.handlers.push((method, Rc::new(call)));
        self
    }

    /// Says which fields the body of `method` has, for those who ask by OPTIONS.
    pub fn takes<I: Input>(mut self, method: Method) -> Self {
        self.fields.push((method.clone(), fields::actions::<I>()));
        self.reads::<I>(method)
    }

    /// Says what the body of `method` is read into where OPTIONS, as DRF's views of functions, does not tell it, or not all.
    pub fn reads<I: Input>(mut self, method: Method) -> Self {
        self.bodies.push((method, fields::describe::<I>));
        self
    }

    /// Asks, before OPTIONS tells the fields of PUT, whether the caller may put the object at all.
    pub fn put_if(mut self, question: impl Fn(HttpRequest) -> LocalBoxFuture<'static, bool> + 'static) -> Self {
        self.may_put = Some(Rc::new(question));
        self
    }

    /// Also answers those who ask for this media type alone; the handler looks what is asked for.
    pub fn or_as(mut self, media_type: &'static str) -> Self {
        self.beside = Some(media_type);
        self
    }

    /// Puts it under a rate of its own, `throttle.scopes.NAME`, beside those of all views; all views of one scope count together.
    /// DRF's `throttle_scope`. A name that has no rate has no limit.
    pub fn scope(mut self, name: &'static str) -> Self {
        self.scope = Some(name);
        self
    }

    /// The service that answers these paths; `{format}` in one is the suffix that names the format.
    pub fn at<S: AsRef<str>>(self, paths: &[S]) -> Route {
        let paths: Vec<String> = paths.iter().map(|path| path.as_ref().to_owned()).collect();
        let allow = HeaderValue::from_str(&self.allow()).unwrap_or(header::HeaderValue::from_static("OPTIONS"));
        let view = Rc::new(Mounted { view: self, allow });
        let (path, asked) = (paths.first().cloned().unwrap_or_default(), view.clone());
        let resource =
            web::resource(paths).route(web::route().to(move |request: HttpRequest, payload: web::Payload| {
                let view = view.clone();
                async move { view.answer(request, payload.into_inner()).await }
            }));
        Route { resource, path, about: Rc::new(move || asked.view.about()) }
    }

    /// What the description of the API tells of it.
    fn about(&self) -> About {
        let methods: Vec<Method> = self.handlers.iter().map(|(method, _)| method.clone()).collect();
        About {
            name: self.name.to_string(),
            permission: std::any::type_name::<P>(),
            reach: (self.credentials == Credentials::Read).then_some(self.reach),
            open_to_all: methods.iter().filter(|method| (self.allows)(None, method)).cloned().collect(),
            bodies: self.bodies.iter().map(|(method, fields)| (method.clone(), fields())).collect(),
            arguments: self.arguments.clone(),
            beside: self.beside,
            nested: self.nested,
            methods,
        }
    }

    fn allow(&self) -> String {
        let has = |method: &Method| self.handlers.iter().any(|(known, _)| known == method);
        let verbs = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
        let mut names: Vec<&str> = verbs.iter().filter(|verb| has(verb)).map(Method::as_str).collect();
        if has(&Method::GET) {
            names.push("HEAD");
        }
        names.push("OPTIONS");
        names.join(", ")
    }
}

struct Mounted<P> {
    view: View<P>,
    allow: HeaderValue,
}

const ACCEPT: HeaderValue = HeaderValue::from_static("Accept");

impl<P: 'static> Mounted<P> {
    async fn answer(&self, request: HttpRequest, payload: Payload) -> HttpResponse {
        let Some(site) = request.app_data::<web::Data<Site>>().cloned() else {
            return Error::internal("a view was mounted without its site").error_response();
        };
        let rendering = match negotiation::accept(&request, request.match_info().get("format")) {
            Err(Error::NotAcceptable) if self.is_asked_beside(&request) => Ok(Rendering::Json),
            rendering => rendering,
        };
        let version = Version::of(&request);
        let indented = rendering.as_ref().ok().copied().unwrap_or_default();
        let answered = match rendering {
            Ok(_) => self.handle(&site, request, payload).await,
            Err(error) => Err(error),
        };
        let mut response = answered.unwrap_or_else(|error| error.error_response());
        if version == Version::V2 {
            response = problem::in_place_of(response);
        }
        if response.status() == StatusCode::UNAUTHORIZED
            && let Ok(challenge) = HeaderValue::from_str(&site.gate.challenge())
        {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response.headers_mut().insert(header::ALLOW, self.allow.clone());
        response.headers_mut().append(header::VARY, ACCEPT);
        indent(response, indented)
    }

    fn is_asked_beside(&self, request: &HttpRequest) -> bool {
        let mut accepted = request.headers().get_all(header::ACCEPT).filter_map(|value| value.to_str().ok());
        self.view.beside.is_some_and(|beside| accepted.any(|ranges| ranges.contains(beside)))
    }

    async fn handle(&self, site: &Site, request: HttpRequest, payload: Payload) -> Result<HttpResponse> {
        let method = request.method().clone();
        let (holds, now) = (site.throttle.holds(), site.clock.now());
        let refused = |_: &Error| site.metrics.add(Count::HeldBack, 1);
        if !holds.is_empty() {
            let client = client_ip::of(&request, &site.settings.server.trusted_proxies);
            holds.admit(&Subject::address(client), now).inspect_err(refused)?;
        }
        let principal = match self.view.credentials {
            Credentials::Read => {
                let client = || client_ip::of(&request, &site.settings.server.trusted_proxies);
                site.gate.admit(request.headers(), client, site.clock.now()).await?.map(Arc::new)
            }
            Credentials::Ignored => None,
        };
        if let Some(who) = principal.as_deref() {
            holds.admit(&Subject::User(who.user), now).inspect_err(refused)?;
        }
        let admitted = Admitted { principal: principal.clone(), permission: TypeId::of::<P>() };
        request.extensions_mut().insert(admitted);
        let reaches = principal.as_deref().is_none_or(|who| self.view.reach.allows(who, &method));
        if !reaches || !(self.view.allows)(principal.as_deref(), &method) {
            return Err(if principal.is_some() { Error::Forbidden } else { Error::NotAuthenticated });
        }
        throttle(site, &request, principal.as_deref(), self.view.scope).await.inspect_err(refused)?;
        let wanted = if method == Method::HEAD { &Method::GET } else { &method };
        match self.view.handlers.iter().find(|(known, _)| known == wanted) {
            Some((_, handler)) => Ok(handler(request, payload).await),
            None if method == Method::OPTIONS => self.describe(request).await,
            None => Err(Error::MethodNotAllowed(method)),
        }
    }

    /// What OPTIONS answers (CONTRACT 13).
    async fn describe(&self, request: HttpRequest) -> Result<HttpResponse> {
        let mut description = json!({
            "name": self.view.name,
            "description": "",
            "renders": ["application/json"],
            "parses": ["application/json", "application/x-www-form-urlencoded", "multipart/form-data"],
        });
        let mut actions = Map::new();
        for (method, fields) in &self.view.fields {
            if let (&Method::PUT, Some(may_put)) = (method, &self.view.may_put)
                && !may_put(request.clone()).await
            {
                continue;
            }
            actions.insert(method.to_string(), fields.clone().into());
        }
        if let (false, Some(object)) = (actions.is_empty(), description.as_object_mut()) {
            object.insert("actions".into(), actions.into());
        }
        Ok(actix_web::Responder::respond_to(Answer::ok(&description)?, &request))
    }
}

/// What the count of callers who are not signed in is called.
pub const ANON: &str = "throttle.anon";
/// What the count of everybody's requests is called.
pub const USER: &str = "throttle.user";

/// The rates of settings: one count for all views, and one for those of each scope. Whoever is signed in counts as a user, all
/// others by address, and for both of the general rates (CONTRACT 12).
async fn throttle(
    site: &Site,
    request: &HttpRequest,
    who: Option<&Principal>,
    scope: Option<&'static str>,
) -> Result<()> {
    let settings = &site.settings.throttle;
    let anon = settings.anon.filter(|_| who.is_none()).map(|rate| (ANON, rate));
    let user = settings.user.map(|rate| (USER, rate));
    let own = scope.and_then(|name| Some((name, *settings.scopes.get(name)?)));
    let rates: Vec<_> = anon.into_iter().chain(user).chain(own).collect();
    if rates.is_empty() {
        return Ok(());
    }
    let subject = match who {
        Some(who) => Subject::User(who.user),
        None => Subject::address(client_ip::of(request, &site.settings.server.trusted_proxies)),
    };
    site.throttle.take(&subject, &rates).await
}

/// Spreads a JSON answer over lines, for those who asked by `Accept: application/json; indent=4`.
fn indent(mut response: HttpResponse, rendering: Rendering) -> HttpResponse {
    if rendering == Rendering::Json {
        return response;
    }
    // The bytes are not those of the tag any more: it names the same state, weakly (RFC 9110 §8.8.1).
    if let Some(tag) = response.headers().get(header::ETAG)
        && let Ok(weak) = HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat())
    {
        response.headers_mut().insert(header::ETAG, weak);
    }
    response.map_body(|_, body: BoxBody| match body.try_into_bytes() {
        Ok(bytes) => BoxBody::new(rendering.spread(bytes.to_vec())),
        Err(body) => body,
    })
}
