//! What every page of the panel shares: the frame with its navigation, the page before the gate, theme and flash.

use actix_session::{Session, SessionExt};
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::admin::error::PageError;
use crate::auth::permissions::{Permission, PermissionSet, Verb};
use crate::error::{Error, Result};

/// The cookie with the viewer's theme. Script reads and writes it, too: it is no secret.
pub const THEME_COOKIE: &str = "portcullis_theme";
/// The cookie that ties a form to a browser that is not signed in.
const GATE_COOKIE: &str = "portcullis_gate";
/// Where a session keeps the token of its forms.
const TOKEN_KEY: &str = "form_token";
const FLASH_KEY: &str = "flash";

/// What a request says of its visitor, signed in or not.
#[derive(Clone)]
pub struct Visit {
    request: HttpRequest,
    session: Session,
}

/// How the panel's cookies are set.
#[derive(Clone, Copy, Debug)]
pub struct CookieRules {
    /// Sent over TLS alone, under a name that begins with `__Host-`. Only on plain-HTTP loopback it cannot be.
    pub secure: bool,
}

impl CookieRules {
    /// The name that a cookie has.
    pub fn name(self, name: &str) -> String {
        if self.secure { format!("__Host-{name}") } else { name.to_owned() }
    }
}

/// What a page tells once about what was done just before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flash {
    /// `ok` or `warn`.
    pub kind: String,
    /// What was done, and to how many.
    pub what: String,
    /// What else follows from it.
    pub more: String,
}

impl Flash {
    /// Something was done.
    pub fn done(what: impl Into<String>) -> Self {
        Self { kind: "ok".to_owned(), what: what.into(), more: String::new() }
    }

    /// Something was not done, or only in part.
    pub fn warning(what: impl Into<String>) -> Self {
        Self { kind: "warn".to_owned(), what: what.into(), more: String::new() }
    }

    /// With what follows from it.
    pub fn adding(mut self, more: impl Into<String>) -> Self {
        self.more = more.into();
        self
    }
}

impl Visit {
    /// The visit that this request is.
    pub fn of(request: &HttpRequest) -> Self {
        Self { session: request.get_session(), request: request.clone() }
    }

    /// The request itself.
    pub fn request(&self) -> &HttpRequest {
        &self.request
    }

    /// The session, of the signed in and of others alike.
    pub fn session(&self) -> &Session {
        &self.session
    }

    fn cookies(&self) -> CookieRules {
        // Without rules the stricter ones hold.
        self.request.app_data::<web::Data<CookieRules>>().map_or(CookieRules { secure: true }, |rules| ***rules)
    }

    fn cookie(&self, name: &str) -> Option<String> {
        self.request.cookie(name).map(|cookie| cookie.value().to_owned())
    }

    /// `light`, `dark`, or nothing: as the system.
    pub fn theme(&self) -> &'static str {
        match self.cookie(THEME_COOKIE).as_deref() {
            Some("light") => "light",
            Some("dark") => "dark",
            _ => "",
        }
    }

    /// How many rows the viewer's lists have, if that was ever chosen.
    pub fn usual_rows(&self) -> Option<usize> {
        self.cookie(crate::admin::changelist::SIZE_COOKIE)?.parse().ok()
    }

    /// Path and query, to come back to.
    pub fn here(&self) -> String {
        self.request.uri().path_and_query().map_or("/admin/", |here| here.as_str()).to_owned()
    }

    /// The name of the server: from its public address, else as it was asked for.
    pub fn host(&self) -> String {
        if let Some(name) = self.request.app_data::<web::Data<ServerName>>() {
            return name.0.clone();
        }
        let host = self.request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
        host.unwrap_or("this server").to_owned()
    }

    /// The token that this browser's forms carry; `None` where there is neither session nor gate cookie yet.
    fn expected_token(&self) -> Option<String> {
        match self.session.get::<String>(TOKEN_KEY) {
            Ok(Some(token)) => Some(token),
            _ => self.cookie(&self.cookies().name(GATE_COOKIE)).filter(|token| token.len() >= TOKEN_LENGTH),
        }
    }

    /// The token of this browser's forms; empty where there is none.
    pub fn token(&self) -> String {
        self.expected_token().unwrap_or_default()
    }

    /// Whether this is the token of this browser's forms.
    ///
    /// # Errors
    /// A 401 page if the session has ended meanwhile, else a 403 page.
    pub fn check_token(&self, token: &str) -> Result<(), PageError> {
        let expected = self.expected_token();
        if expected.is_some_and(|expected| is_equal(&expected, token)) {
            return Ok(());
        }
        let is_signed_in = self.session.contains_key(TOKEN_KEY);
        let needs_session = !OPEN.iter().any(|path| self.request.path().starts_with(path));
        Err(if needs_session && !is_signed_in { PageError::SessionEnded } else { PageError::StrangeForm })
    }

    /// Gives the session, which has just become somebody's, a token for its forms.
    ///
    /// # Errors
    /// If the system has no random bytes.
    pub fn begin_session(&self) -> Result<()> {
        self.session.insert(TOKEN_KEY, new_token()?).map_err(|error| Error::internal(error.to_string()))
    }

    /// Leaves a flash for the next page. It is lost on those who are not signed in.
    pub fn flash(&self, flash: &Flash) {
        if self.session.contains_key(TOKEN_KEY)
            && let Err(error) = self.session.insert(FLASH_KEY, flash)
        {
            log::warn!("a flash was lost: {error}");
        }
    }

    fn take_flash(&self) -> Option<Flash> {
        if !self.session.contains_key(FLASH_KEY) {
            return None; // removing would count as a change and be written
        }
        self.session.remove_as(FLASH_KEY)?.ok()
    }

    /// A page for those who are not signed in. Its form's token is in a cookie of the browser: nothing is stored here, so
    /// that strangers fill no table.
    ///
    /// # Errors
    /// If the system has no random bytes.
    pub fn gate_page<T: Template>(
        &self,
        status: StatusCode,
        page: impl FnOnce(Gate) -> T,
    ) -> Result<HttpResponse, PageError> {
        let known = self.expected_token();
        let token = match &known {
            Some(token) => token.clone(),
            None => new_token()?,
        };
        let gate = Gate { theme: self.theme(), here: self.here(), host: self.host(), token: token.clone() };
        let mut response = html(status, &page(gate))?;
        if known.is_none() {
            let rules = self.cookies();
            let cookie = Cookie::build(rules.name(GATE_COOKIE), token)
                .path("/")
                .secure(rules.secure)
                .http_only(true)
                .same_site(SameSite::Lax)
                .finish();
            response.add_cookie(&cookie).map_err(|error| Error::internal(error.to_string()))?;
        }
        Ok(response)
    }

    /// The answer, with the size of lists that was chosen in this request.
    ///
    /// # Errors
    /// If the size cannot stand in a cookie.
    pub fn remember_rows(&self, mut page: HttpResponse, rows: Option<usize>) -> Result<HttpResponse, PageError> {
        if let Some(rows) = rows {
            let cookie = self.preference(crate::admin::changelist::SIZE_COOKIE, rows.to_string());
            page.add_cookie(&cookie).map_err(|error| Error::internal(error.to_string()))?;
        }
        Ok(page)
    }

    /// A cookie that remembers how the panel looks.
    pub fn preference(&self, name: &'static str, value: String) -> Cookie<'static> {
        Cookie::build(name, value)
            .path("/admin")
            .secure(self.cookies().secure)
            .same_site(SameSite::Lax)
            .max_age(actix_web::cookie::time::Duration::days(365))
            .finish()
    }
}

/// Where forms are sent without being signed in.
const OPEN: [&str; 3] = ["/admin/login/", "/admin/setup/", "/admin/preferences/"];

/// The server's own name, where settings give one.
pub struct ServerName(pub String);

const TOKEN_BYTES: usize = 32;
const TOKEN_LENGTH: usize = 43;

fn new_token() -> Result<String> {
    let mut bytes = [0; TOKEN_BYTES];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::internal("the system has no random bytes"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

fn is_equal(a: &str, b: &str) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(a.as_bytes(), b.as_bytes()).is_ok()
}

/// What the page before the gate needs.
pub struct Gate {
    /// `light`, `dark` or nothing.
    pub theme: &'static str,
    /// Path and query.
    pub here: String,
    /// The server's name.
    pub host: String,
    /// The token of its forms.
    pub token: String,
}

/// What every page behind the gate needs.
pub struct Frame {
    /// `light`, `dark` or nothing.
    pub theme: &'static str,
    /// Path and query.
    pub here: String,
    /// The server's name.
    pub host: String,
    /// The version of this program.
    pub version: &'static str,
    /// The token of its forms.
    pub token: String,
    /// Who is signed in.
    pub viewer: Viewer,
    /// The navigation, with what the viewer may see.
    pub nav: Vec<NavGroup>,
    /// The way here; the last has no address.
    pub crumbs: Vec<(String, String)>,
    /// What was done just before.
    pub flash: Option<Flash>,
    /// Whether the top bar looks for users.
    pub finds_users: bool,
}

/// Who is signed in, as the top bar shows it.
#[derive(Clone, Debug)]
pub struct Viewer {
    /// The username.
    pub username: String,
    /// The name, or the username.
    pub name: String,
    /// "Superuser" or "Staff".
    pub rank: &'static str,
    /// The two letters in the circle.
    pub initials: String,
    /// The colour of the circle.
    pub hue: i64,
}

/// A group of the navigation.
#[derive(Clone, Debug)]
pub struct NavGroup {
    /// Its title.
    pub title: &'static str,
    /// Its links.
    pub items: Vec<NavItem>,
}

/// A link of the navigation.
#[derive(Clone, Debug)]
pub struct NavItem {
    /// Its address.
    pub path: &'static str,
    /// Its text.
    pub label: &'static str,
    /// Its symbol.
    pub icon: &'static str,
    /// Whether this is where the viewer is.
    pub current: bool,
}

type Place = (&'static str, &'static str, &'static str, &'static str);

/// Group, then area, address, text and symbol of each page. Only pages that exist stand here.
const NAV: [(&str, &[Place]); 2] = [
    ("People", &[("users", "/admin/users/", "Users", "users"), ("roles", "/admin/roles/", "Roles", "roles")]),
    ("Tokens", &[("blacklist", "/admin/blacklist/", "Blacklisted", "ban")]),
];

/// The navigation of somebody with these permissions; `path` is where they are.
pub fn navigation(permissions: PermissionSet, path: &str) -> Vec<NavGroup> {
    let sees = |area| Permission::of(area, Verb::View).is_some_and(|permission| permissions.holds(permission));
    let group = |(title, places): &(&'static str, &[Place])| {
        let places = places.iter().filter(|(area, ..)| sees(area));
        let item = |(_, address, label, icon): &Place| NavItem {
            path: address,
            label,
            icon,
            current: path.starts_with(address),
        };
        NavGroup { title, items: places.map(item).collect() }
    };
    NAV.iter().map(group).filter(|group| !group.items.is_empty()).collect()
}

impl Frame {
    /// The frame of a page. `crumbs` lead to it, each with its address; the last is the page itself.
    pub fn new(visit: &Visit, viewer: Viewer, permissions: PermissionSet, crumbs: &[(&str, &str)]) -> Self {
        let mut way = vec![("Portcullis".to_owned(), "/admin/".to_owned())];
        way.extend(crumbs.iter().map(|(label, path)| ((*label).to_owned(), (*path).to_owned())));
        let nav = navigation(permissions, visit.request.path());
        Self {
            theme: visit.theme(),
            here: visit.here(),
            host: visit.host(),
            version: env!("CARGO_PKG_VERSION"),
            token: visit.token(),
            viewer,
            finds_users: nav.iter().flat_map(|group| &group.items).any(|item| item.path == "/admin/users/"),
            nav,
            crumbs: way,
            flash: visit.take_flash(),
        }
    }

    /// The same frame, of a page with this name.
    pub fn ending_in(mut self, label: &str) -> Self {
        self.crumbs.push((label.to_owned(), String::new()));
        self
    }

    /// The same frame without what was done before: a page with an error summary has no flash.
    pub fn without_flash(mut self) -> Self {
        self.flash = None;
        self
    }
}

/// The circle beside a name: two letters and a colour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Face {
    /// Two letters.
    pub initials: String,
    /// 1 to 6.
    pub hue: i64,
}

impl Face {
    /// The face of a user.
    pub fn of(id: i64, username: &str) -> Self {
        let mut parts = username.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
        let (first, second) = (parts.next().unwrap_or("?"), parts.next());
        let initials: String = match second {
            Some(second) => first.chars().take(1).chain(second.chars().take(1)).collect(),
            None => first.chars().take(2).collect(),
        };
        Self { initials: initials.to_uppercase(), hue: id.rem_euclid(6) + 1 }
    }
}

/// A page as an answer.
///
/// # Errors
/// 500 if the template cannot be rendered.
pub fn html(status: StatusCode, page: &impl Template) -> Result<HttpResponse, PageError> {
    let text = page.render().map_err(Error::internal)?;
    Ok(HttpResponse::build(status).content_type("text/html; charset=utf-8").body(text))
}

/// To another page of the panel, after a form was carried out.
pub fn see_other(path: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, path)).finish()
}

/// `path` if it leads into the panel, else the panel's first page. What a browser would read as another host, or as
/// leaving the panel by dots or backslashes, leads nowhere else.
pub fn inside_panel(path: &str) -> &str {
    let plain = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let climbs = path.split(['?', '#']).next().is_some_and(|path| {
        let path = path.to_ascii_lowercase().replace("%2e", ".").replace("%2f", "/").replace("%5c", "/");
        path.split('/').any(|part| part == ".." || part == ".") || path.contains("//")
    });
    if path.starts_with("/admin/") && plain && !climbs { path } else { "/admin/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_inside_the_panel_are_gone_on_to() {
        for good in ["/admin/", "/admin/users/?q=a%20b&after=x", "/admin/roles/5/#f-name"] {
            assert_eq!(inside_panel(good), good);
        }
        for bad in [
            "",
            "/",
            "/api/",
            "//evil.example/admin/",
            "https://evil.example/admin/",
            "/admin",
            "/administrator/",
            "/admin//evil.example",
            "/admin/../../evil",
            "/admin/%2e%2E/x",
            "/admin/\\evil.example",
            "/admin/users/\r\nSet-Cookie: a=b",
            "/admin/ x",
            "javascript:alert(1)",
            " /admin/",
        ] {
            assert_eq!(inside_panel(bad), "/admin/", "{bad:?}");
        }
    }

    #[test]
    fn a_face_has_two_letters() {
        assert_eq!(Face::of(1, "amara.okafor").initials, "AO");
        assert_eq!(Face::of(1, "ann").initials, "AN");
        assert_eq!(Face::of(-7, "<").initials, "?");
        assert!((1..=6).contains(&Face::of(-7, "x").hue));
    }

    #[test]
    fn the_navigation_shows_what_may_be_seen_and_where_one_is() {
        let reader = PermissionSet::named(&["roles.view", "users.change"]);
        let nav = navigation(reader, "/admin/roles/5/");
        assert_eq!(nav.len(), 1);
        assert_eq!(nav.iter().flat_map(|group| &group.items).map(|item| item.label).collect::<Vec<_>>(), ["Roles"]);
        assert!(nav.iter().flat_map(|group| &group.items).all(|item| item.current));
        assert!(navigation(PermissionSet::default(), "/admin/").is_empty());
        assert_eq!(navigation(PermissionSet::all(), "/admin/").iter().map(|group| group.items.len()).sum::<usize>(), 3);
    }
}
