//! Where views are mounted, and what each says of itself: from that the API is described.

use std::cell::RefCell;
use std::rc::Rc;

use actix_web::Resource;
use actix_web::http::Method;
use actix_web::web::ServiceConfig;

use crate::rest::fields::FieldInfo;
use crate::rest::nested::Nested;
use crate::rest::reach::Reach;

/// What a view says of itself.
pub struct About {
    /// What OPTIONS calls it.
    pub name: String,
    /// Its permission, as Rust writes the type.
    pub permission: &'static str,
    /// What an API key needs for it; none where credentials are not even read.
    pub reach: Option<Reach>,
    /// The methods it answers, HEAD and OPTIONS apart.
    pub methods: Vec<Method>,
    /// Those of them that are open to whoever is not signed in.
    pub open_to_all: Vec<Method>,
    /// What the bodies of methods are read into; of two for one method the later counts.
    pub bodies: Vec<(Method, Vec<FieldInfo>)>,
    /// What the handlers of methods take, as Rust writes the types.
    pub arguments: Vec<(Method, &'static str)>,
    /// A media type beside JSON that clients may ask for.
    pub beside: Option<&'static str>,
    /// Of the two views of a resource: the members that v2 shows as objects.
    pub nested: Option<&'static [Nested]>,
}

impl About {
    /// Whether the handler of `method` takes a `T`: what it reads of a request stands in its signature.
    pub fn takes<T>(&self, method: &Method) -> bool {
        let name = std::any::type_name::<T>();
        self.arguments.iter().any(|(known, arguments)| known == method && arguments.contains(name))
    }
}

/// A view that has its path.
pub struct Route {
    pub(super) resource: Resource,
    pub(super) path: String,
    pub(super) about: Rc<dyn Fn() -> About>,
}

/// A view on the list: its path as actix-web writes it, and what it says once it is asked.
#[derive(Clone)]
pub struct Listed {
    /// From the root on: `/api/v1/tasks/{id:[^/.]+}/`.
    pub path: String,
    /// What it says of itself, put together when it is called: nothing of it is kept.
    pub about: Rc<dyn Fn() -> About>,
}

/// All the views that the description is made of.
pub type List = Rc<RefCell<Vec<Listed>>>;

/// Where views are mounted.
pub struct Routes<'a> {
    app: &'a mut ServiceConfig,
    /// The path so far, and the list; none where the views are the same as elsewhere.
    listed: Option<(&'static str, List)>,
}

impl<'a> Routes<'a> {
    /// Mounts on `app`, which is below `prefix`, and puts what is mounted on the list.
    pub fn listed(app: &'a mut ServiceConfig, prefix: &'static str, list: &List) -> Self {
        Self { app, listed: Some((prefix, list.clone())) }
    }

    /// Mounts on `app` what is described elsewhere.
    pub fn unlisted(app: &'a mut ServiceConfig) -> Self {
        Self { app, listed: None }
    }

    /// Mounts a view.
    pub fn service(&mut self, route: Route) {
        let Route { resource, path, about } = route;
        if let Some((prefix, list)) = &self.listed {
            list.borrow_mut().push(Listed { path: format!("{prefix}{path}"), about });
        }
        self.app.service(resource);
    }
}
