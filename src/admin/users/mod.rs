//! Users: the list, and what its rows show.

pub mod activity;
pub mod acts;
pub mod belongings;
pub mod bulk;
pub mod create;
pub mod edit;
pub mod form_page;
pub mod head;
pub mod input;
pub mod password;
mod rules;
pub mod sessions;

pub use crate::auth::actor::{Actor, Target};
pub use rules::roles_moved;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;

use crate::admin::changelist::view::Found;
use crate::admin::changelist::{Asked, COUNTED, Changelist, Column, Filter, Sort, View as ListView};
use crate::admin::error::PageError;
use crate::admin::layout::{Face, Frame, html};
use crate::admin::staff::{Staff, Users, View};
use crate::admin::when::{Now, When, thousands};
use crate::auth::permissions::Verb;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::Result;
use crate::model::panel_session;
use crate::model::role::{self, Role};
use crate::model::user_list::{self, HeldRole, UserLine, UserQuery, UserState};
use crate::rest::payload::pairs;
use crate::site::Site;

static USERS: Changelist = Changelist {
    path: "/admin/users/",
    title: "Users",
    nouns: ("user", "users"),
    icon: "users",
    search: Some("Username, name, e-mail or id"),
    searched: "usernames, names, e-mail addresses and ids",
    columns: &[
        Column {
            name: "username",
            label: "User",
            class: "",
            sort: Some(Sort {
                by: Some(user_list::BY_USERNAME),
                descending_first: false,
                words: ("by name from A to Z", "by name from Z to A"),
            }),
        },
        Column::plain("Status", ""),
        Column::plain("Roles", ""),
        Column::plain("Sessions", "is-num u-drop-1"),
        Column {
            name: "last_login",
            label: "Last sign-in",
            class: "",
            sort: Some(Sort {
                by: Some(user_list::BY_LAST_LOGIN),
                descending_first: true,
                words: ("oldest sign-in first", "newest sign-in first"),
            }),
        },
        Column {
            name: "joined",
            label: "Joined",
            class: "u-drop-1",
            sort: Some(Sort {
                by: Some(user_list::BY_JOINED),
                descending_first: true,
                words: ("oldest account first", "newest account first"),
            }),
        },
        Column::plain("Actions", "is-tight"),
    ],
    default: "joined",
};

/// Words of a search that are looked for.
const MOST_WORDS: usize = 8;
/// Badges of a row; the rest is counted.
const BADGES: usize = 2;

/// A badge: kind, text, symbol.
pub struct Badge {
    /// `ok`, `warn`, `bad`, `accent` or nothing.
    pub kind: &'static str,
    /// Its word.
    pub text: String,
    /// Its symbol, or nothing.
    pub icon: &'static str,
}

/// A user's status. An address that is not verified is one only where that keeps the user out.
pub fn status(is_active: bool, is_verified: bool, must_be_verified: bool) -> Badge {
    match (is_active, must_be_verified && !is_verified) {
        (false, _) => Badge { kind: "", text: "Inactive".to_owned(), icon: "off" },
        (true, true) => Badge { kind: "warn", text: "E-mail not verified".to_owned(), icon: "warn" },
        (true, false) => Badge { kind: "ok", text: "Active".to_owned(), icon: "ok" },
    }
}

/// The badges of somebody's rank.
pub fn rank(is_staff: bool, is_superuser: bool) -> Vec<Badge> {
    let badge = |kind, text: &str| Badge { kind, text: text.to_owned(), icon: "" };
    match (is_superuser, is_staff) {
        (true, _) => vec![badge("accent", "Superuser")],
        (false, true) => vec![badge("", "Staff")],
        (false, false) => Vec::new(),
    }
}

struct Row {
    id: i64,
    username: String,
    email: String,
    face: Face,
    status: Badge,
    badges: Vec<Badge>,
    more: Vec<String>,
    sessions: String,
    last_login: Option<When>,
    joined: When,
}

impl Row {
    fn new(user: UserLine, roles: Vec<String>, sessions: i64, must_be_verified: bool, now: Now) -> Self {
        let mut badges = rank(user.is_staff, user.is_superuser);
        badges.extend(roles.into_iter().map(|role| Badge { kind: "", text: role, icon: "" }));
        let more = badges.split_off(BADGES.min(badges.len()));
        Self {
            id: user.id,
            face: Face::of(user.id, &user.username),
            status: status(user.is_active, user.email_verified, must_be_verified),
            badges,
            more: more.into_iter().map(|badge| badge.text).collect(),
            sessions: thousands(sessions),
            last_login: user.last_login.map(|at| When::new(at, now)),
            joined: When::new(user.date_joined, now),
            username: user.username,
            email: user.email,
        }
    }
}

#[derive(Template)]
#[template(path = "admin/users/index.html")]
struct Page {
    frame: Frame,
    list: ListView,
    rows: Vec<Row>,
    may_add: bool,
    may_export: bool,
    may_change: bool,
    may_see_sessions: bool,
    may_revoke: bool,
    may_delete: bool,
}

/// The list as a URL asks for it; `roles` are those there are.
pub fn asked(pairs: &[(String, String)], usual_rows: Option<usize>, roles: &[Role]) -> Asked {
    Asked::new(&USERS, pairs, usual_rows, filters(roles))
}

fn filters(roles: &[Role]) -> Vec<Filter> {
    let mut held: Vec<(String, String)> = roles.iter().map(|role| (role.id.to_string(), role.name.clone())).collect();
    held.push(("none".to_owned(), "No role".to_owned()));
    let states = [("active", "Active"), ("inactive", "Inactive"), ("unverified", "E-mail not verified")];
    vec![Filter::of("status", "Status", &states), Filter { name: "role", label: "Role", any: "Any", choices: held }]
}

/// What the list is narrowed to.
pub fn query(asked: &Asked) -> UserQuery {
    UserQuery {
        words: asked.q().split_whitespace().take(MOST_WORDS).map(str::to_owned).collect(),
        state: match asked.choice("status") {
            Some("active") => Some(UserState::Active),
            Some("inactive") => Some(UserState::Inactive),
            Some("unverified") => Some(UserState::Unverified),
            _ => None,
        },
        role: match asked.choice("role") {
            Some("none") => Some(HeldRole::None),
            Some(id) => id.parse().ok().map(HeldRole::Role),
            None => None,
        },
    }
}

/// What one look at the database brings for a page of the list.
struct Loaded {
    asked: Asked,
    found: Found,
    rows: Vec<Row>,
}

fn load(
    conn: &mut Conn,
    asked: &[(String, String)],
    usual_rows: Option<usize>,
    must_be_verified: bool,
    idle_since: Timestamp,
    now: Now,
) -> Result<Loaded> {
    let asked = self::asked(asked, usual_rows, &role::all(conn)?);
    let Some(keyset) = asked.keyset() else { return Err(crate::error::Error::internal("users sort by no column")) };
    let query = query(&asked);
    let page = user_list::page(conn, &query, &keyset)?;
    let total = user_list::total(conn)?;
    let matching = if asked.is_narrowed() { user_list::count(conn, &query, COUNTED.saturating_add(1))? } else { total };
    let found = Found::of(&page, total, matching, |user| user.place(&keyset.by));
    let ids: Vec<i64> = page.rows.iter().map(|user| user.id).collect();
    let (mut roles, sessions) = (user_list::role_names(conn, &ids)?, user_list::session_counts(conn, &ids, now.at)?);
    let in_panel = panel_session::live_counts(conn, &ids, now.at, idle_since)?;
    let row = |user: UserLine| {
        let held = roles.remove(&user.id).unwrap_or_default();
        let live = [&sessions, &in_panel].into_iter().filter_map(|counts| counts.get(&user.id)).sum();
        Row::new(user, held, live, must_be_verified, now)
    };
    Ok(Loaded { rows: page.rows.into_iter().map(row).collect(), found, asked })
}

/// The list of users.
pub async fn index(
    site: web::Data<Site>,
    staff: Staff<View<Users>>,
    request: actix_web::HttpRequest,
) -> Result<HttpResponse, PageError> {
    let (asked, usual_rows) = (pairs(request.query_string().as_bytes()), staff.visit().usual_rows());
    let (must_be_verified, now) = (site.settings.accounts.require_verified_email, staff.now());
    let idle_since = now.at - site.settings.admin.session_idle;
    let loaded = site.db.read(move |conn| load(conn, &asked, usual_rows, must_be_verified, idle_since, now)).await?;
    let may_add = staff.may("users", Verb::Add);
    let first_act = may_add.then_some(("Add user", "/admin/users/new/"));
    let list = loaded.asked.view(&loaded.found, &bulk::offered(&staff));
    let page = Page {
        frame: staff.frame(&[("Users", "")]),
        list: list.when_empty("Everyone who registers or is added appears here.", first_act),
        rows: loaded.rows,
        may_add,
        may_export: staff.may("users", Verb::Export),
        may_change: staff.may("users", Verb::Change),
        may_see_sessions: staff.may("sessions", Verb::View),
        may_revoke: staff.may("sessions", Verb::Revoke),
        may_delete: staff.may("users", Verb::Delete),
    };
    staff.visit().remember_rows(html(StatusCode::OK, &page)?, loaded.asked.new_usual_rows())
}
