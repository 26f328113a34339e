//! A new API key: whose, for what, until when; and its secret, shown this once.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;

use crate::admin::error::PageError;
use crate::admin::form::{Filled, Form};
use crate::admin::layout::{Frame, html};
use crate::admin::staff::{Add, ApiKeys, Need, Staff};
use crate::admin::users::Target;
use crate::auth::api_keys::Scopes;
use crate::auth::permissions::{Permission, PermissionSet};
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::language::filters;
use crate::model::api_key::{self, ApiKey, NewApiKey};
use crate::model::audit::{Object, told};
use crate::model::user;
use crate::rest::fields::{Fields, Input};
use crate::rest::payload::pairs;
use crate::settings::Secret;
use crate::site::Site;

const LIST: &str = "/admin/api-keys/";
const NEW: &str = "/admin/api-keys/new/";
/// Keys of one user, as the API has it.
const MOST_KEYS: i64 = 100;
/// How long a key is good, and what that is called; none is for ever.
const LIFETIMES: [(&str, &str, u64); 3] =
    [("30", key!("30 days"), 30), ("90", key!("90 days"), 90), ("365", key!("365 days"), 365)];

/// What a form says of a new key.
pub struct Given {
    name: String,
    owner: String,
    expires: String,
}

impl Input for Given {
    fn read(f: &mut Fields) -> Self {
        Self {
            name: f.text("name").required().max(100).value(),
            owner: f.text("owner").required().value(),
            expires: f.text("expires").blank().value(),
        }
    }
}

#[derive(Template)]
#[template(path = "admin/api_keys/new.html")]
struct Page {
    frame: Frame,
    form: Filled,
    lifetimes: [(&'static str, &'static str, u64); 3],
    permissions: Vec<String>,
}

#[derive(Template)]
#[template(path = "admin/api_keys/shown.html")]
struct Shown {
    frame: Frame,
    id: i64,
    name: String,
    owner: String,
    secret: String,
    origin: String,
    note: String,
}

/// The page that shows a secret, this once.
///
/// # Errors
/// 500 if it cannot be rendered.
pub fn show_secret<N: Need>(
    site: &Site,
    staff: &Staff<N>,
    key: &ApiKey,
    owner: &str,
    secret: &Secret,
    note: String,
) -> Result<HttpResponse, PageError> {
    let host = staff.visit().host();
    let origin = site.settings.server.public_url.clone().unwrap_or_else(|| format!("http://{host}"));
    let page = Shown {
        frame: staff.frame(&[(&say!("API keys"), LIST), (&key.name, "")]).without_flash(),
        id: key.id,
        name: key.name.clone(),
        owner: owner.to_owned(),
        secret: secret.expose().to_owned(),
        origin,
        note,
    };
    html(StatusCode::OK, &page)
}

fn show(staff: &Staff<Add<ApiKeys>>, status: StatusCode, form: Filled) -> Result<HttpResponse, PageError> {
    let frame = staff.frame(&[(&say!("API keys"), LIST), (&say!("Create API key"), "")]);
    let page = Page {
        frame: if form.is_refused() { frame.without_flash() } else { frame },
        form,
        lifetimes: LIFETIMES,
        permissions: Permission::all().map(|one| one.to_string()).collect(),
    };
    html(status, &page)
}

/// The page of a new key.
pub async fn page(site: web::Data<Site>, staff: Staff<Add<ApiKeys>>) -> Result<HttpResponse, PageError> {
    staff.recently(&site, &staff.visit().here())?;
    let asked = pairs(staff.visit().request().query_string().as_bytes());
    let owner = asked.into_iter().rfind(|(name, _)| name == "owner").map(|(_, owner)| owner);
    let owner = owner.unwrap_or_else(|| staff.state().username.to_string());
    show(&staff, StatusCode::OK, Filled::default().with("owner", owner).with("expires", "90"))
}

/// Why not.
enum Made {
    Done(Box<ApiKey>),
    Field(&'static str, String),
    Refused(PageError),
}

/// Makes a key.
pub async fn make(
    site: web::Data<Site>,
    staff: Staff<Add<ApiKeys>>,
    form: Form<Given>,
) -> Result<HttpResponse, PageError> {
    staff.recently(&site, NEW)?;
    let refused = |form| show(&staff, StatusCode::UNPROCESSABLE_ENTITY, form);
    let (given, sent) = match form.checked() {
        Ok(checked) => checked,
        Err(sent) => return refused(sent),
    };
    let names: Vec<String> = sent.values("p").map(str::to_owned).collect();
    let is_whole = sent.ticked("whole");
    if names.is_empty() && !is_whole {
        return refused(sent.refused_for("whole", say!("Tick what the key may do.")));
    }
    let scopes = if is_whole { Scopes::Whole } else { Scopes::Only(PermissionSet::named(&names)) };
    let now = site.clock.now();
    let days = LIFETIMES.iter().find(|(value, ..)| *value == given.expires).map(|(.., days)| *days);
    let expires_at = days.map(|days| now + Duration::from_secs(days * 86_400));
    if days.is_none() && given.expires != "never" {
        return refused(sent.refused_for("expires", say!("Choose how long the key is good.")));
    }
    let secret = api_key::new_secret()?;
    let (actor, owner, inserted) = (staff.actor(), given.owner.clone(), secret.clone());
    let audit = staff.audits(&site, "api_key.create");
    let make = move |conn: &mut Conn| {
        let Some(user) = user::by_username(conn, &given.owner)? else {
            let words = say!("Nobody has the username {username}. Type it exactly.", username = given.owner);
            return Ok(Made::Field("owner", words));
        };
        let target = Target::load(conn, user.id)?;
        if let Err(refusal) = actor.reach(&target) {
            return Ok(Made::Refused(refusal));
        }
        if let Scopes::Only(named) = scopes
            && let beyond = named.beyond(target.state.permissions)
            && let Some(names) = beyond_words(&beyond)
        {
            let words = say!("{username} may not do that: {names}.", username = user.username, names);
            return Ok(Made::Field("whole", words));
        }
        if api_key::count(conn, user.id)? >= MOST_KEYS {
            let words = say!(
                count = MOST_KEYS => "{username} has {count} key. Revoke one first."
                    | "{username} has {count} keys. Revoke one first.",
                username = user.username
            );
            return Ok(Made::Field("owner", words));
        }
        let new = NewApiKey {
            user: user.id,
            name: given.name,
            scopes: scopes.to_string(),
            ip_ranges: String::new(),
            expires_at,
        };
        let key = api_key::insert(conn, &new, &inserted, now)?;
        let key = key.map_err(|_| Error::internal("a random key came twice"))?;
        let fields = [
            ("owner", user.username),
            ("scopes", key.scopes.clone()),
            ("expires_at", key.expires_at.map(|at| at.rfc3339()).unwrap_or_default()),
        ];
        audit.on(Object::new("api key", key.id, &key.name)).with(told(&fields)).append(conn)?;
        Ok(Made::Done(Box::new(key)))
    };
    match staff.write(&site, make).await? {
        Made::Done(key) => {
            staff.note(&site, &format!("made the API key {} of {owner}", key.id));
            show_secret(&site, &staff, &key, &owner, &secret, String::new())
        }
        Made::Field(field, words) => refused(sent.refused_for(field, words)),
        Made::Refused(refusal) => Err(refusal),
    }
}

/// What of some permissions an owner lacks; what everybody may do with tasks and articles of their own, everybody's keys may.
fn beyond_words(beyond: &[Permission]) -> Option<String> {
    let staffs = beyond.iter().filter(|one| !matches!(one.area(), "tasks" | "articles"));
    let names: Vec<String> = staffs.map(ToString::to_string).collect();
    (!names.is_empty()).then(|| names.join(", "))
}
