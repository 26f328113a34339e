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
pub mod invitations;
pub mod password;
mod rules;
pub mod sessions;

pub use crate::auth::actor::{Actor, Flag, Removal, Target};
pub use rules::roles_moved;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;

use crate::admin::changelist::view::Found;
use crate::admin::changelist::{self, Asked, Changelist, Column, Filter, Sort, View as ListView};
use crate::admin::error::PageError;
use crate::admin::layout::{Face, Frame, html};
use crate::admin::sessions::moment;
use crate::admin::staff::{Staff, Users, View};
use crate::admin::when::{Now, When};
use crate::auth::permissions::Verb;
use crate::db::Conn;
use crate::db::tally::Tally;
use crate::error::{Error, Result};
use crate::language::{filters, thousands};
use crate::model::session_list::Moment;
use crate::model::sign_in;
use crate::model::user_list::{self, HeldRole, Rank, SignedIn, UserLine, UserQuery, UserState};
use crate::rest::payload::pairs;
use crate::site::Site;

static USERS: Changelist = Changelist {
    path: "/admin/users/",
    title: key!("Users"),
    nouns: nouns!("user", "users"),
    icon: "users",
    search: Some(key!("Username, name, e-mail or id")),
    searched: key!("Search looks at usernames, names, e-mail addresses and ids."),
    columns: &[
        Column {
            name: "username",
            label: key!("User"),
            class: "",
            sort: Some(Sort {
                by: Some(user_list::BY_USERNAME),
                descending_first: false,
                words: (key!("by name from A to Z"), key!("by name from Z to A")),
            }),
        },
        Column::plain(key!("Status"), ""),
        Column::plain(key!("Roles"), ""),
        Column::plain(key!("Sessions"), "is-num u-drop-1"),
        Column {
            name: "last_login",
            label: key!("Last sign-in"),
            class: "",
            sort: Some(Sort {
                by: Some(user_list::BY_LAST_LOGIN),
                descending_first: true,
                words: (key!("oldest sign-in first"), key!("newest sign-in first")),
            }),
        },
        Column {
            name: "joined",
            label: key!("Joined"),
            class: "u-drop-1",
            sort: Some(Sort {
                by: Some(user_list::BY_JOINED),
                descending_first: true,
                words: (key!("oldest account first"), key!("newest account first")),
            }),
        },
        Column::plain(key!("Actions"), "is-tight"),
    ],
    default: "joined",
};

const STATES: [(&str, &str); 4] = [
    ("active", key!("Active")),
    ("inactive", key!("Inactive")),
    ("locked", key!("Locked")),
    ("unverified", key!("E-mail not verified")),
];
const KINDS: [(&str, &str); 2] = [("person", key!("People")), ("service", key!("Services"))];
const RANKS: [(&str, &str); 2] = [("staff", key!("Staff")), ("superuser", key!("Superuser"))];
/// Days within which the last sign-in was, and days before which it was.
const SEEN: [(&str, &str, u64); 3] = [
    ("24h", key!("In the last 24 hours"), 1),
    ("7d", key!("In the last 7 days"), 7),
    ("30d", key!("In the last 30 days"), 30),
];
const UNSEEN: [(&str, &str, u64); 2] =
    [("30d-ago", key!("Over 30 days ago"), 30), ("90d-ago", key!("Over 90 days ago"), 90)];
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
        (false, _) => Badge { kind: "", text: say!("Inactive"), icon: "off" },
        (true, true) => Badge { kind: "warn", text: say!("E-mail not verified"), icon: "warn" },
        (true, false) => Badge { kind: "ok", text: say!("Active"), icon: "ok" },
    }
}

/// The badges of somebody's rank.
pub fn rank(is_staff: bool, is_superuser: bool) -> Vec<Badge> {
    let badge = |kind, text| Badge { kind, text, icon: "" };
    match (is_superuser, is_staff) {
        (true, _) => vec![badge("accent", say!("Superuser"))],
        (false, true) => vec![badge("", say!("Staff"))],
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

/// The status of whoever only a known device can sign in as, since too many others have failed.
fn locked_out() -> Badge {
    Badge { kind: "bad", text: say!("Locked"), icon: "lock" }
}

impl Row {
    fn new(user: UserLine, roles: Vec<String>, is_locked: bool, must_be_verified: bool, now: Now) -> Self {
        let mut badges = rank(user.is_staff, user.is_superuser);
        if user.is_service {
            badges.insert(0, Badge { kind: "", text: say!("Service"), icon: "" });
        }
        badges.extend(roles.into_iter().map(|role| Badge { kind: "", text: role, icon: "" }));
        let more = badges.split_off(BADGES.min(badges.len()));
        Self {
            id: user.id,
            face: Face::of(user.id, &user.username),
            status: match user.is_active && is_locked {
                true => locked_out(),
                false => status(user.is_active, user.email_verified, must_be_verified),
            },
            badges,
            more: more.into_iter().map(|badge| badge.text).collect(),
            sessions: thousands(user.sessions),
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

/// The list as a URL asks for it; `roles` are those there are, by id and name.
pub fn asked(pairs: &[(String, String)], usual_rows: Option<usize>, roles: &[(i64, String)]) -> Asked {
    let choices = |all: &[(&'static str, &'static str, u64)]| -> Vec<(&'static str, &'static str)> {
        all.iter().map(|(value, label, _)| (*value, *label)).collect()
    };
    let seen: Vec<_> = choices(&SEEN).into_iter().chain(choices(&UNSEEN)).chain([("never", key!("Never"))]).collect();
    let filters = vec![
        Filter::of("status", key!("Status"), &STATES),
        Filter { name: "role", label: key!("Role"), any: key!("Any"), choices: role_choices(roles), sorts: |_| None },
        Filter::of("seen", key!("Last sign-in"), &seen),
        Filter::of("rank", key!("Rank"), &RANKS),
        Filter::of("kind", key!("Kind"), &KINDS),
    ];
    Asked::new(&USERS, pairs, usual_rows, filters)
}

fn role_choices(roles: &[(i64, String)]) -> Vec<(String, String)> {
    let none = ("none".to_owned(), say!("No role"));
    roles.iter().map(|(id, name)| (id.to_string(), name.clone())).chain([none]).collect()
}

/// What the list is narrowed to; `locked` are those who are locked out.
pub fn query(asked: &Asked, locked: &[i64], now: Now) -> UserQuery {
    let ago = |all: &[(&str, &str, u64)], value: &str| {
        all.iter().find(|(one, ..)| *one == value).map(|(_, _, days)| now.back(days * 86_400))
    };
    UserQuery {
        words: asked.q().split_whitespace().take(MOST_WORDS).map(str::to_owned).collect(),
        state: match asked.choice("status") {
            Some("active") => Some(UserState::Active),
            Some("inactive") => Some(UserState::Inactive),
            Some("unverified") => Some(UserState::Unverified),
            Some("locked") => Some(UserState::Locked(locked.to_vec())),
            _ => None,
        },
        role: match asked.choice("role") {
            Some("none") => Some(HeldRole::None),
            Some(id) => id.parse().ok().map(HeldRole::Role),
            None => None,
        },
        rank: match asked.choice("rank") {
            Some("staff") => Some(Rank::Staff),
            Some("superuser") => Some(Rank::Superuser),
            _ => None,
        },
        is_service: asked.choice("kind").map(|kind| kind == "service"),
        signed_in: asked.choice("seen").map(|seen| match (ago(&SEEN, seen), ago(&UNSEEN, seen)) {
            (Some(at), _) => SignedIn::Since(at),
            (_, Some(at)) => SignedIn::NotSince(at),
            _ => SignedIn::Never,
        }),
    }
}

/// The users whose sign-ins are held back for all who are strangers, since too many have failed: the limits on signing in know.
///
/// # Errors
/// The database's.
pub async fn locked(site: &Site) -> Result<Vec<i64>> {
    let Some(rate) = site.settings.throttle.login_account else { return Ok(Vec::new()) };
    let (since, failures) = (site.clock.now() - rate.per, rate.requests.into());
    let tried = site.db.read(move |conn| sign_in::failing_users(conn, since, failures)).await?;
    let mut locked = Vec::new();
    for (id, username) in tried {
        if site.sign_in.limits().holds_back(&username).await {
            locked.push(id);
        }
    }
    Ok(locked)
}

/// What one look at the database brings for a page of the list.
struct Loaded {
    asked: Asked,
    found: Found,
    rows: Vec<Row>,
}

fn load(
    conn: &mut Conn,
    tally: &Tally,
    mut asked: Asked,
    query: &UserQuery,
    must_be_verified: bool,
    at: Moment,
    now: Now,
) -> Result<Option<Loaded>> {
    let Some(keyset) = asked.keyset() else { return Err(Error::internal("users sort by no column")) };
    let counts = user_list::counts(conn, query, tally)?;
    let page = user_list::page(conn, query, &keyset, counts.matching, at)?;
    let found = Found::of(&page, counts, |user| user.place(&keyset.by));
    let ids: Vec<i64> = page.rows.iter().map(|user| user.id).collect();
    let mut held = user_list::held(conn, &ids)?;
    if !asked.offer("role", role_choices(&held.roles)) {
        return Ok(None);
    }
    // Who is locked out is asked where the list is of them alone: it takes a look at all failures of late.
    let is_locked = matches!(query.state, Some(UserState::Locked(_)));
    let row = |user: UserLine| {
        let roles = held.names.remove(&user.id).unwrap_or_default();
        Row::new(user, roles, is_locked, must_be_verified, now)
    };
    Ok(Some(Loaded { rows: page.rows.into_iter().map(row).collect(), found, asked }))
}

/// The list of users.
pub async fn index(
    site: web::Data<Site>,
    staff: Staff<View<Users>>,
    request: actix_web::HttpRequest,
) -> Result<HttpResponse, PageError> {
    let (mut pairs, usual_rows) = (pairs(request.query_string().as_bytes()), staff.visit().usual_rows());
    let (must_be_verified, at) = (site.settings.accounts.require_verified_email, moment(&site));
    let now = staff.now();
    let loaded = loop {
        // The role asked for is taken to be there, until the roles are read with those of the users on the page.
        let role = pairs.iter().rfind(|(name, _)| name == "role").and_then(|(_, value)| value.parse().ok());
        let asked = asked(&pairs, usual_rows, &role.map(|id: i64| (id, String::new())).into_iter().collect::<Vec<_>>());
        let locked = if asked.choice("status") == Some("locked") { locked(&site).await? } else { Vec::new() };
        let query = query(&asked, &locked, now);
        let tally = changelist::tally(&site);
        match site.db.read(move |conn| load(conn, &tally, asked, &query, must_be_verified, at, now)).await? {
            Some(loaded) => break loaded,
            None => pairs.retain(|(name, _)| name != "role"),
        }
    };
    let may_add = staff.may("users", Verb::Add);
    let first_act = may_add.then_some((key!("Add user"), "/admin/users/new/"));
    let list = loaded.asked.view(&loaded.found, &bulk::offered(&staff));
    let page = Page {
        frame: staff.frame(&[(&say!("Users"), "")]),
        list: list.when_empty(key!("Everyone who registers or is added appears here."), first_act),
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
