//! Sessions: every device that is signed in, to the API or to the panel, and those that were.

pub mod acts;
pub mod bulk;
pub mod detail;
pub mod everybody;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use crate::admin::changelist::view::Found;
use crate::admin::changelist::{self, Asked, Changelist, Column, Filter, Sort, View as ListView};
use crate::admin::error::PageError;
use crate::admin::inspector::why_words;
use crate::admin::layout::{Frame, html};
use crate::admin::staff::{Sessions, Staff, View};
use crate::admin::users::Badge;
use crate::admin::when::{Now, When, ago};
use crate::auth::permissions::Verb;
use crate::db::Conn;
use crate::db::tally::Tally;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::language::filters;
use crate::model::session_list::{self, Kind, Moment, PANEL, SessionLine, SessionQuery};
use crate::rest::payload::pairs;
use crate::site::Site;

static SESSIONS: Changelist = Changelist {
    path: "/admin/sessions/",
    title: key!("Sessions"),
    nouns: nouns!("session", "sessions"),
    icon: "session",
    search: Some(key!("Username, address or session id")),
    searched: key!("Search looks at whole usernames, addresses from their beginning and whole session ids."),
    columns: &[
        Column::plain(key!("Device"), ""),
        Column::plain(key!("User"), ""),
        Column::plain(key!("Kind"), ""),
        Column::plain(key!("Address"), ""),
        Column {
            name: "started",
            label: key!("Started"),
            class: "",
            sort: Some(Sort {
                by: Some(session_list::BY_STARTED),
                descending_first: true,
                words: (key!("oldest first"), key!("newest first")),
            }),
        },
        Column {
            name: "seen",
            label: key!("Last seen"),
            class: "",
            sort: Some(Sort {
                by: Some(session_list::BY_SEEN),
                descending_first: true,
                words: (key!("longest unseen first"), key!("last seen first")),
            }),
        },
        Column::plain(key!("Expires"), "u-drop-1"),
        Column::plain(key!("State"), ""),
        Column::plain(key!("Action"), "is-tight"),
    ],
    default: "seen",
};

const KINDS: [(Kind, &str, &str); 3] =
    [(Kind::Pair, "api", "API"), (Kind::Sliding, "sliding", "Sliding token"), (Kind::Admin, "admin", "Admin")];
const STATES: [(&str, &str); 2] = [("live", "Live"), ("ended", "Ended")];
const SEEN: [(&str, &str, u64); 3] =
    [("1h", "In the last hour", 3600), ("24h", "In the last 24 hours", 86_400), ("7d", "In the last 7 days", 604_800)];

/// What a session is for, as people say it.
pub fn kind_words(kind: Kind) -> &'static str {
    KINDS.iter().find(|(one, ..)| *one == kind).map_or("", |(_, _, label)| label)
}

/// A session as lists show it.
pub struct Row {
    /// What forms and addresses name it by.
    pub id: String,
    /// The device.
    pub device: Device,
    /// What its user calls it.
    pub name: String,
    /// Whose it is.
    pub user: Option<(i64, String)>,
    /// What it is for.
    pub kind: &'static str,
    /// The address at sign-in.
    pub ip: String,
    /// When it began.
    pub started: When,
    /// When it was last seen.
    pub seen: String,
    /// Its absolute end.
    pub expires: When,
    /// Whether it goes on.
    pub is_live: bool,
    /// How it stands.
    pub state: Badge,
}

impl Row {
    /// A row of a list at `now`.
    pub fn new(line: SessionLine, now: Now) -> Self {
        let state = match line.ended.as_deref() {
            None => Badge { kind: "ok", text: "Live".to_owned(), icon: "ok" },
            Some("expired") => Badge { kind: "", text: "Expired".to_owned(), icon: "clock" },
            Some("reuse seen") => Badge { kind: "bad", text: "Reuse seen".to_owned(), icon: "warn" },
            Some(_) => Badge { kind: "", text: "Ended".to_owned(), icon: "off" },
        };
        Self {
            id: name_of(&line),
            device: Device::from_agent(&line.user_agent),
            user: line.user.zip(line.username),
            kind: kind_words(line.kind),
            started: When::new(line.started_at, now),
            seen: ago(line.last_seen_at, now),
            expires: When::new(line.expires_at, now),
            is_live: line.ended.is_none(),
            name: line.name,
            ip: line.ip,
            state,
        }
    }
}

/// What forms and addresses name a session by.
pub fn name_of(line: &SessionLine) -> String {
    if line.kind == Kind::Admin { format!("{PANEL}{}", line.id) } else { line.id.clone() }
}

/// Why a session is over, as people say it.
pub fn ended_words(why: &str) -> &str {
    why_words(why)
}

/// What a list is asked at.
pub fn moment(site: &Site) -> Moment {
    let now = site.clock.now();
    Moment { now, idle_since: now - site.settings.admin.session_idle }
}

#[derive(Template)]
#[template(path = "admin/sessions/index.html")]
struct Page {
    frame: Frame,
    list: ListView,
    rows: Vec<Row>,
    may_see_users: bool,
    may_revoke: bool,
    may_end_all: bool,
}

/// The list as a URL asks for it.
pub fn asked(pairs: &[(String, String)], usual_rows: Option<usize>) -> Asked {
    let kinds: Vec<(&str, &str)> = KINDS.iter().map(|(_, value, label)| (*value, *label)).collect();
    let seen: Vec<(&str, &str)> = SEEN.iter().map(|(value, label, _)| (*value, *label)).collect();
    let filters = [
        Filter::of("kind", key!("Kind"), &kinds),
        Filter::of("state", key!("State"), &STATES),
        Filter::of("seen", key!("Last seen"), &seen),
    ];
    let filters = Filter::named("address", "Address", pairs).into_iter().chain(filters).collect();
    Asked::new(&SESSIONS, pairs, usual_rows, filters)
}

/// What the list is narrowed to.
pub fn query(asked: &Asked, now: Now) -> SessionQuery {
    let kind = asked.choice("kind").and_then(|value| KINDS.iter().find(|(_, one, _)| *one == value));
    let seen = asked.choice("seen").and_then(|value| SEEN.iter().find(|(one, ..)| *one == value));
    SessionQuery {
        search: asked.q().to_owned(),
        kind: kind.map(|(kind, ..)| *kind),
        is_live: asked.choice("state").map(|state| state == "live"),
        ip: asked.choice("address").map(str::to_owned),
        seen_since: seen.map(|(_, _, seconds)| now.back(*seconds)),
    }
}

fn load(conn: &mut Conn, tally: &Tally, asked: &Asked, at: Moment, now: Now) -> Result<(Found, Vec<Row>)> {
    let Some(keyset) = asked.keyset() else { return Err(Error::internal("sessions sort by no column")) };
    let query = query(asked, now);
    let counts = session_list::counts(conn, &query, tally, at)?;
    let page = session_list::page(conn, &query, &keyset, counts.matching, at)?;
    let found = Found::of(&page, counts, |line| line.place(&keyset.by));
    Ok((found, page.rows.into_iter().map(|line| Row::new(line, now)).collect()))
}

/// The list of sessions.
pub async fn index(
    site: web::Data<Site>,
    staff: Staff<View<Sessions>>,
    request: HttpRequest,
) -> Result<HttpResponse, PageError> {
    let asked = asked(&pairs(request.query_string().as_bytes()), staff.visit().usual_rows());
    let (at, now) = (moment(&site), staff.now());
    let tally = changelist::tally(&site);
    let read = move |conn: &mut Conn| {
        let loaded = load(conn, &tally, &asked, at, now)?;
        Ok((asked, loaded))
    };
    let (asked, (found, rows)) = site.db.read(read).await?;
    let may_revoke = staff.may("sessions", Verb::Revoke);
    let page = Page {
        frame: staff.frame(&[("Sessions", "")]),
        list: asked
            .view(&found, &bulk::offered(&staff))
            .when_empty(key!("A session begins when somebody signs in."), None),
        rows,
        may_see_users: staff.may("users", Verb::View),
        may_revoke,
        may_end_all: may_revoke && staff.state().superuser,
    };
    staff.visit().remember_rows(html(StatusCode::OK, &page)?, asked.new_usual_rows())
}
