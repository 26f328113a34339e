//! Staff: who is signed in to the panel, active, and allowed to do what the handler's signature names.
//!
//! `Staff<Change<Users>>` exists only for somebody who may change users; plain `Staff` for anybody who may open the panel.
//! The session must be of the user's present generation: a new password, deactivation and "sign out everywhere" end it.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use actix_identity::Identity;
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};

use crate::admin::error::PageError;
use crate::admin::layout::{Face, Frame, Viewer};
use crate::admin::slices;
use crate::admin::visit::{Flash, Visit};
use crate::admin::when::Now;
use crate::auth::permissions::{Permission, Verb};
use crate::auth::principals::UserState;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::middleware::client_ip;
use crate::middleware::edge::OfThePanel;
use crate::model::{role, two_factor, user};
pub use crate::rest::permission::{Add, Change, Delete, Export, Revoke, View};
pub use crate::rest::permission::{
    ApiKeys, Articles, AuditLog, Blacklist, Grants, Inspector, Mail, Roles, Sessions, Settings, SignIns, SigningKeys,
    Tasks, Throttling, Tokens, Users,
};
use crate::rest::permission::{PermissionName, is_safe};
use crate::site::Site;

/// Where a session keeps the generation that its user had at sign-in.
pub const GENERATION_KEY: &str = "generation";
/// Where a session keeps its user's full name.
pub const NAME_KEY: &str = "name";

/// What a handler needs of its visitor.
pub trait Need: 'static {
    /// Whether those may come who must set up two-factor sign-in first.
    const SETS_UP: bool = false;

    /// The permission, if more is needed than to be staff.
    fn permission() -> Option<Permission>;
}

/// Anybody who may open the panel, once two-factor sign-in is set up where it is required, and before.
pub enum SettingUp {}
impl Need for SettingUp {
    const SETS_UP: bool = true;

    fn permission() -> Option<Permission> {
        None
    }
}

/// Anybody who may open the panel.
pub enum Anyone {}
impl Need for Anyone {
    fn permission() -> Option<Permission> {
        None
    }
}

impl<N: PermissionName> Need for N {
    fn permission() -> Option<Permission> {
        Permission::of(N::AREA, N::VERB)
    }
}

/// Somebody of the staff, who may do `N`.
pub struct Staff<N = Anyone> {
    seen: Rc<Seen>,
    visit: Visit,
    need: PhantomData<N>,
}

/// Who was seen at the panel's door; kept with the request, for the page of an error.
pub struct Seen {
    /// The user's id.
    pub id: i64,
    /// What is known of the user.
    pub state: Arc<UserState>,
    name: String,
    now: Now,
}

impl Seen {
    /// Whom this request was seen to be from.
    pub fn of(request: &HttpRequest) -> Option<Rc<Self>> {
        request.extensions().get::<Rc<Self>>().cloned()
    }

    /// Whether the user may do `verb` in `area`.
    pub fn may(&self, area: &str, verb: Verb) -> bool {
        Permission::of(area, verb).is_some_and(|permission| self.state.permissions.holds(permission))
    }

    /// Whether the user may see users.
    pub fn may_see_users(&self) -> bool {
        self.may("users", Verb::View)
    }

    fn viewer(&self) -> Viewer {
        let Face { initials, hue } = Face::of(self.id, &self.state.username);
        Viewer {
            username: self.state.username.to_string(),
            name: if self.name.is_empty() { self.state.username.to_string() } else { self.name.clone() },
            rank: if self.state.superuser { key!("Superuser") } else { key!("Staff") },
            initials,
            hue,
            zone: self.now.zone_words(),
        }
    }

    /// The frame of a page that says what went wrong.
    pub fn frame_of_error(&self, visit: &Visit, heading: &str) -> Frame {
        Frame::new(visit, self.viewer(), self.state.permissions, &[(heading, "")]).without_flash()
    }
}

impl<N: Need> FromRequest for Staff<N> {
    type Error = PageError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, PageError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let visit = Visit::of(request);
        let identity = Identity::from_request(request, payload);
        let request = request.clone();
        Box::pin(async move {
            let site = site(&request)?;
            let seen = match identity.await.ok().and_then(|identity| identity.id().ok()) {
                Some(id) => recognise(&site, &visit, &id).await?,
                None => None,
            };
            let Some(seen) = seen else { return Err(nobody(&site, &request).await?) };
            let seen = Rc::new(seen);
            request.extensions_mut().insert(seen.clone());
            request.extensions_mut().insert(OfThePanel(seen.id));
            if site.settings.admin.require_two_factor && !N::SETS_UP {
                let id = seen.id;
                if !site.db.read(move |conn| two_factor::is_on(conn, id)).await? {
                    return Err(PageError::TwoFactorFirst);
                }
            }
            let staff = Self { seen, visit, need: PhantomData };
            match N::permission() {
                Some(needed) => staff.require(&site, needed).await.map(|()| staff),
                None => Ok(staff),
            }
        })
    }
}

fn site(request: &HttpRequest) -> Result<web::Data<Site>> {
    request.app_data::<web::Data<Site>>().cloned().ok_or_else(|| Error::internal("the application has no site"))
}

/// The user of this session, if it is still good. A session that is not is ended here.
async fn recognise(site: &Site, visit: &Visit, id: &str) -> Result<Option<Seen>> {
    let Ok(id) = id.parse::<i64>() else { return Ok(None) };
    let state = site.memory.principals.of(id).await?;
    let generation: Option<i32> = visit.session().get(GENERATION_KEY).ok().flatten();
    match state {
        Some(state) if state.active && state.staff && !state.service && generation == Some(state.generation) => {
            let name = visit.session().get(NAME_KEY).ok().flatten().unwrap_or_default();
            let now = Now { at: site.clock.now(), zone: state.zone.unwrap_or(site.zone()) };
            Ok(Some(Seen { id, state, name, now }))
        }
        _ => {
            visit.session().purge();
            Ok(None)
        }
    }
}

/// What somebody is told who is not signed in.
async fn nobody(site: &Site, request: &HttpRequest) -> Result<PageError> {
    if site.db.read(user::active_superusers).await? == 0 {
        return Ok(PageError::NoAdministrator);
    }
    let next = Visit::of(request).here();
    Ok(if is_safe(request.method()) { PageError::SignedOut { next } } else { PageError::SessionEnded })
}

impl<N: Need> Staff<N> {
    /// Writes what the viewer asked for, if the viewer may still ask for it: a body may take its time, and an
    /// administrator may act meanwhile.
    ///
    /// # Errors
    /// What `work` returns; 403 if the viewer may no longer.
    pub async fn write<T, F>(&self, site: &Site, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Conn) -> Result<T> + Send + 'static,
    {
        let (id, seen) = (self.id(), self.state().clone());
        let may_still = move |state: UserState| {
            let same = state.active && state.staff && state.generation == seen.generation;
            same && N::permission().is_none_or(|needed| state.permissions.holds(needed))
        };
        let checked = move |conn: &mut Conn| {
            if UserState::load(conn, id)?.is_some_and(may_still) { work(conn) } else { Err(Error::Forbidden) }
        };
        site.db.write(checked).await
    }

    /// Does something to each of many rows, in as few transactions as keep nobody else from writing for long. Returns what
    /// came of each row, in order; after an error, of those before it, which stay done.
    pub async fn write_each<R, T, F>(&self, site: &Site, rows: Vec<R>, each: F) -> (Vec<T>, Result<()>)
    where
        R: Send + Sync + 'static,
        T: Send + 'static,
        F: Fn(&mut Conn, &R) -> Result<T> + Send + Sync + 'static,
    {
        let (work, mut all) = (Arc::new((rows, each)), Vec::new());
        loop {
            let (part, from, clock) = (work.clone(), all.len(), site.clock.clone());
            let slice = move |conn: &mut Conn| {
                let rows = part.0.iter().skip(from);
                slices::run(&clock, conn, rows, |conn, row| (part.1)(conn, row))
            };
            match self.write(site, slice).await {
                Ok(done) if done.is_empty() => return (all, Ok(())),
                Ok(done) => all.extend(done),
                Err(error) => return (all, Err(error)),
            }
            tokio::task::yield_now().await;
        }
    }
}

impl<N> Staff<N> {
    /// The user's id.
    pub fn id(&self) -> i64 {
        self.seen.id
    }

    /// What is known of the user.
    pub fn state(&self) -> &Arc<UserState> {
        &self.seen.state
    }

    /// The present, as the viewer's clock shows it.
    pub fn now(&self) -> Now {
        self.seen.now
    }

    /// The visit that this request is.
    pub fn visit(&self) -> &Visit {
        &self.visit
    }

    /// Whether the viewer may do `verb` in `area`.
    pub fn may(&self, area: &str, verb: Verb) -> bool {
        self.seen.may(area, verb)
    }

    /// Goes on only if the viewer holds the permission.
    ///
    /// # Errors
    /// A 403 page that names the permission and the roles that hold it.
    pub async fn require(&self, site: &Site, permission: Permission) -> Result<(), PageError> {
        if self.seen.state.permissions.holds(permission) {
            return Ok(());
        }
        let name = permission.to_string();
        let holders = site.db.read(move |conn| role::names_with(conn, &name)).await?;
        Err(PageError::Lacks(permission, holders))
    }

    /// The frame of a page; see [`Frame::new`].
    pub fn frame(&self, crumbs: &[(&str, &str)]) -> Frame {
        Frame::new(&self.visit, self.seen.viewer(), self.seen.state.permissions, crumbs)
    }

    /// Leaves a flash for the next page, and one line in the log: every change of the panel ends here.
    pub fn done(&self, site: &Site, flash: &Flash) {
        self.note(site, &flash.logged);
        self.visit.flash(flash);
    }

    /// The line in the log alone, for a change that its own page tells of.
    pub fn note(&self, site: &Site, what: &str) {
        let ip = client_ip::of(self.visit.request(), &site.settings.server.trusted_proxies);
        log::info!(target: "panel", "{} (id {}, from {ip}): {}", self.seen.state.username, self.seen.id, what.escape_debug());
    }
}
