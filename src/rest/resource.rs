//! A resource, and the viewset that serves it: list, retrieve, create, update, partial update, destroy, and OPTIONS.
//!
//! What is the same for every noun is here: caller, permission, body, status, links, the transaction. The resource says
//! only what is its own, in plain diesel.

use std::sync::Arc;

use actix_web::http::{Method, StatusCode};
use actix_web::web::{Data, Path};
use actix_web::{FromRequest, HttpRequest};
use serde::Serialize;

use crate::auth::gate::Principal;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::rest::answer::Answer;
use crate::rest::caller::Caller;
use crate::rest::conditions::Conditions;
use crate::rest::event::{self, Audience};
use crate::rest::fields::{self, Input};
use crate::rest::idempotency::IdempotencyKey;
use crate::rest::list::ListQuery;
use crate::rest::nested::{self, Nested};
use crate::rest::paging::Page;
use crate::rest::payload::Body;
use crate::rest::permission::{Owned, Permission};
use crate::rest::reach::Reach;
use crate::rest::routes::Routes;
use crate::rest::version::Version;
use crate::rest::view::View;
use crate::site::Site;

/// A noun of the API.
pub trait Resource: Owned + Serialize + Send + Sized + 'static {
    /// The segment of its URLs: `tasks`.
    const NAME: &'static str;
    /// What people call one of it: `Task`.
    const NOUN: &'static str;
    /// What bodies are read into. It declares the read-only fields too, so that OPTIONS tells them in order.
    type Input: Input + Send + Sync;
    /// Who may do what.
    type Access: Permission<Self>;
    /// Whose open sockets are told what becomes of one.
    const AUDIENCE: Audience = Audience::Owner;
    /// The members that v2 shows as objects; v1 shows their ids.
    const NESTED: &'static [Nested] = &[];

    /// A page of those that `who` may see.
    ///
    /// # Errors
    /// 404 for a page that is not there.
    fn list(conn: &mut Conn, who: &Principal, query: &ListQuery) -> Result<Page<Self>>;
    /// The one with this id; what `who` may not see is not there.
    ///
    /// # Errors
    /// The database's.
    fn find(conn: &mut Conn, who: &Principal, id: i64) -> Result<Option<Self>>;
    /// Makes one that belongs to `who`.
    ///
    /// # Errors
    /// The database's.
    fn insert(conn: &mut Conn, who: &Principal, input: &Self::Input, now: Timestamp) -> Result<Self>;
    /// Changes what `input` names, and the time of the change.
    ///
    /// # Errors
    /// The database's.
    fn update(&self, conn: &mut Conn, input: &Self::Input, now: Timestamp) -> Result<Self>;
    /// Removes it.
    ///
    /// # Errors
    /// The database's.
    fn delete(&self, conn: &mut Conn) -> Result<()>;
}

/// Serves a resource at `/NAME/` and `/NAME/{id}/`.
pub fn viewset<R: Resource>(routes: &mut Routes) {
    let (name, noun) = (R::NAME, R::NOUN);
    let paths = |stem: &str| {
        let suffixed = format!("{stem}.{{format:[a-z0-9]+}}");
        [format!("{stem}/"), format!("{suffixed}/"), suffixed]
    };
    let collection = View::<R::Access>::of_objects::<R>(format!("{noun} List"), R::NESTED)
        .keys(Reach::Area(name))
        .get(list::<R>)
        .post(create::<R>)
        .takes::<R::Input>(Method::POST);
    let item = View::<R::Access>::of_objects::<R>(format!("{noun} Instance"), R::NESTED)
        .keys(Reach::Area(name))
        .get(retrieve::<R>)
        .put(update::<R>)
        .patch(update::<R>)
        .delete(destroy::<R>)
        .takes::<R::Input>(Method::PUT)
        .put_if(|request| Box::pin(may_put::<R>(request)));
    routes.service(collection.at(&paths(&format!("/{name}"))));
    routes.service(item.at(&paths(&format!("/{name}/{{id:[^/.]+}}"))));
}

/// The `{id}` of an item's URL, as Django reads it: digits with an optional sign; what is no number names nothing.
pub struct Id(i64);

impl FromRequest for Id {
    type Error = Error;
    type Future = std::future::Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut actix_web::dev::Payload) -> Self::Future {
        let text = Path::<(String,)>::extract(request).into_inner().map(|path| path.into_inner().0);
        std::future::ready(text.map_err(|_| Error::not_found()).and_then(|text| Self::parse(&text)))
    }
}

impl Id {
    /// The number; -1 for one that is too large, which nothing has.
    pub fn number(&self) -> i64 {
        self.0
    }

    fn parse(text: &str) -> Result<Self> {
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Error::not_found());
        }
        // A number that is too large is a number still, and nothing has it.
        Ok(Self(text.parse().unwrap_or(-1)))
    }
}

async fn list<R: Resource>(
    site: Data<Site>,
    caller: Caller<R::Access>,
    version: Version,
    query: ListQuery,
) -> Result<Answer> {
    let who = caller.principal();
    let page = move |conn: &mut Conn| {
        let page = R::list(conn, &who, &query)?;
        nested::page(conn, version, page)
    };
    Ok(Answer::written(StatusCode::OK, site.db.read(page).await?))
}

async fn retrieve<R: Resource>(
    site: Data<Site>,
    caller: Caller<R::Access>,
    version: Version,
    id: Id,
    conditions: Conditions,
) -> Result<Answer> {
    let who = caller.principal();
    let found = move |conn: &mut Conn| {
        let object = allowed::<R>(conn, &who, &Method::GET, &id)?;
        nested::one(conn, version, &object)
    };
    conditions.answer(Answer::written(StatusCode::OK, site.db.read(found).await?))
}

async fn create<R: Resource>(
    site: Data<Site>,
    caller: Caller<R::Access>,
    version: Version,
    key: IdempotencyKey,
    body: Body,
) -> Result<Answer> {
    let payload = body.payload().await?;
    let once = key.with(&payload)?;
    let input: R::Input = fields::read_input(payload, false)?;
    let (who, hub, now) = (caller.principal(), site.hub.clone(), site.clock.now());
    let made = move |conn: &mut Conn| {
        who.confirm(conn)?;
        once.answer(conn, who.user, now, |conn| {
            let made = R::insert(conn, &who, &input, now)?;
            event::note(conn, &hub, "created", &made, now)?;
            nested::one(conn, version, &made)
        })
    };
    Ok(Answer::written(StatusCode::CREATED, site.db.write(made).await?).tagged())
}

async fn update<R: Resource>(
    site: Data<Site>,
    caller: Caller<R::Access>,
    version: Version,
    id: Id,
    method: Method,
    conditions: Conditions,
    body: Body,
) -> Result<Answer> {
    let (who, id) = (caller.principal(), Arc::new(id));
    // Asked before the body is read, since a missing or foreign object is told before a bad body (CONTRACT 2), and so is one
    // that is not as it should be (RFC 9110 §13.2.1) ...
    let (asker, asked, verb, expected) = (who.clone(), id.clone(), method.clone(), conditions.clone());
    let expected = move |conn: &mut Conn| {
        let object = allowed::<R>(conn, &asker, &verb, &asked)?;
        expected.allow_change(|| nested::one(conn, version, &object))
    };
    site.db.read(expected).await?;
    let input: R::Input = body.read().await?;
    let (hub, now, is_put) = (site.hub.clone(), site.clock.now(), method == Method::PUT);
    // ... and again in the transaction, since it may have changed meanwhile.
    let updated = move |conn: &mut Conn| {
        who.confirm(conn)?;
        let object = allowed::<R>(conn, &who, &method, &id)?;
        conditions.allow_change(|| nested::one(conn, version, &object))?;
        let updated = object.update(conn, &input, now)?;
        event::note(conn, &hub, "updated", &updated, now)?;
        nested::one(conn, version, &updated)
    };
    let answer = Answer::written(StatusCode::OK, site.db.write(updated).await?);
    // A tag in the answer to PUT would be taken for that of the body that was sent (RFC 9110 §9.3.4).
    Ok(if is_put { answer } else { answer.tagged() })
}

async fn destroy<R: Resource>(
    site: Data<Site>,
    caller: Caller<R::Access>,
    version: Version,
    id: Id,
    conditions: Conditions,
) -> Result<Answer> {
    let (who, hub, now) = (caller.principal(), site.hub.clone(), site.clock.now());
    let gone = move |conn: &mut Conn| {
        who.confirm(conn)?;
        let object = allowed::<R>(conn, &who, &Method::DELETE, &id)?;
        conditions.allow_change(|| nested::one(conn, version, &object))?;
        object.delete(conn)?;
        event::note(conn, &hub, "deleted", &object, now)
    };
    site.db.write(gone).await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

/// Whether OPTIONS should tell the fields of PUT: the object is there, and the caller's to change.
async fn may_put<R: Resource>(request: HttpRequest) -> bool {
    let site = Data::<Site>::extract(&request).await;
    let caller = Caller::<R::Access>::extract(&request).await;
    let id = Id::extract(&request).await;
    let (Ok(site), Ok(caller), Ok(id)) = (site, caller, id) else { return false };
    let who = caller.principal();
    let may = move |conn: &mut Conn| allowed::<R>(conn, &who, &Method::PUT, &id).map(drop);
    site.db.read(may).await.is_ok()
}

/// The object, if it is there for `who` and `method` may be done with it.
fn allowed<R: Resource>(conn: &mut Conn, who: &Principal, method: &Method, id: &Id) -> Result<R> {
    let object = R::find(conn, who, id.0)?.ok_or_else(|| Error::no_such(R::NOUN))?;
    if R::Access::allows_object(Some(who), method, &object) { Ok(object) } else { Err(Error::Forbidden) }
}
