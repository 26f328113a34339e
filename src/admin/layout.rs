//! What every page of the panel shares: the frame with its navigation, and the page before the gate.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use askama::Template;

use crate::admin::error::PageError;
use crate::admin::visit::{Flash, Visit};
use crate::auth::permissions::{Permission, PermissionSet, Verb};
use crate::error::Error;

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
    /// Whether single keys do something.
    pub keys: bool,
}

/// Who is signed in, as the top bar shows it.
#[derive(Clone, Debug)]
pub struct Viewer {
    /// The username.
    pub username: String,
    /// The name, or the username.
    pub name: String,
    /// "Superuser" or "Staff", a key.
    pub rank: &'static str,
    /// The two letters in the circle.
    pub initials: String,
    /// The colour of the circle.
    pub hue: i64,
    /// The zone in which times are shown to them: "Europe/Oslo (UTC+1)".
    pub zone: String,
}

/// A group of the navigation.
#[derive(Clone, Debug)]
pub struct NavGroup {
    /// Its title, a key.
    pub title: &'static str,
    /// Its links.
    pub items: Vec<NavItem>,
}

/// A link of the navigation.
#[derive(Clone, Debug)]
pub struct NavItem {
    /// Its address.
    pub path: &'static str,
    /// Its text, a key.
    pub label: &'static str,
    /// Its symbol.
    pub icon: &'static str,
    /// Whether this is where the viewer is.
    pub current: bool,
}

type Place = (&'static str, &'static str, &'static str, &'static str);

/// The panel's first page, which all staff may see.
const HOME: &str = "/admin/";

/// Group, then area, address, text and symbol of each page; no area for what all staff may see. Only pages that exist stand
/// here.
const NAV: [(&str, &[Place]); 6] = [
    (
        key!("Overview"),
        &[
            ("", HOME, key!("Dashboard"), "dashboard"),
            ("inspector", "/admin/inspector/", key!("Token inspector"), "inspect"),
        ],
    ),
    (
        key!("People"),
        &[("users", "/admin/users/", key!("Users"), "users"), ("roles", "/admin/roles/", key!("Roles"), "roles")],
    ),
    (
        key!("Tokens"),
        &[
            ("sessions", "/admin/sessions/", key!("Sessions"), "session"),
            ("tokens", "/admin/tokens/", key!("Outstanding"), "token"),
            ("blacklist", "/admin/blacklist/", key!("Blacklisted"), "ban"),
            ("api-keys", "/admin/api-keys/", key!("API keys"), "api-key"),
        ],
    ),
    (
        key!("Content"),
        &[
            ("articles", "/admin/articles/", key!("Articles"), "article"),
            ("tasks", "/admin/tasks/", key!("Tasks"), "task"),
        ],
    ),
    (
        key!("Activity"),
        &[
            ("audit", "/admin/audit/", key!("Audit log"), "audit"),
            ("sign-ins", "/admin/sign-ins/", key!("Sign-ins"), "signin"),
            ("mail", "/admin/mail/", key!("E-mail log"), "mail"),
        ],
    ),
    (
        key!("System"),
        &[
            ("throttling", "/admin/throttling/", key!("Throttling"), "throttle"),
            ("signing-keys", "/admin/signing-keys/", key!("Signing keys"), "signing-key"),
            ("settings", "/admin/settings/", key!("Settings"), "settings"),
        ],
    ),
];

/// The navigation of somebody with these permissions; `path` is where they are.
pub fn navigation(permissions: PermissionSet, path: &str) -> Vec<NavGroup> {
    let holds = |area: &str| Permission::of(area, Verb::View).is_some_and(|permission| permissions.holds(permission));
    let sees = |area: &str| area.is_empty() || holds(area);
    let group = |(title, places): &(&'static str, &[Place])| {
        let places = places.iter().filter(|(area, ..)| sees(area));
        let item = |(_, address, label, icon): &Place| NavItem {
            path: address,
            label,
            icon,
            current: if *address == HOME { path == HOME } else { path.starts_with(address) },
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
        let nav = navigation(permissions, visit.request().path());
        Self {
            theme: visit.theme(),
            here: visit.here(),
            host: visit.host(),
            version: env!("CARGO_PKG_VERSION"),
            token: visit.token(),
            viewer,
            keys: visit.has_keys(),
            nav,
            crumbs: way,
            flash: visit.take_flash(),
        }
    }

    /// The same frame, of a page that belongs to the one at `path`.
    pub fn within(mut self, path: &str) -> Self {
        for item in self.nav.iter_mut().flat_map(|group| &mut group.items) {
            item.current = item.path == path;
        }
        self
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

/// A text as one segment of a path: everything but letters, digits and `-._~` in percent signs (RFC 3986 §2.1).
pub fn segment(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let encoded = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(encoded).collect()
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
        let shown = |nav: &[NavGroup]| -> Vec<(&str, bool)> {
            nav.iter().flat_map(|group| &group.items).map(|item| (item.label, item.current)).collect()
        };
        assert_eq!(shown(&nav), [("Dashboard", false), ("Roles", true)]);
        assert_eq!(shown(&navigation(PermissionSet::default(), "/admin/")), [("Dashboard", true)]);
        let places: usize = NAV.iter().map(|(_, places)| places.len()).sum();
        assert_eq!(
            navigation(PermissionSet::all(), "/admin/").iter().map(|group| group.items.len()).sum::<usize>(),
            places
        );
    }
}
