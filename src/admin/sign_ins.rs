//! Attempts to sign in: who came in, who did not and why, at which door and from where.

use std::collections::HashMap;
use std::net::IpAddr;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use crate::admin::audit::{since, when};
use crate::admin::changelist::view::Found;
use crate::admin::changelist::{self, Asked, Changelist, Column, Filter, Sort, View as ListView};
use crate::admin::error::PageError;
use crate::admin::layout::{Frame, html};
use crate::admin::staff::{SignIns, Staff, View};
use crate::admin::users::Badge;
use crate::admin::when::{Now, When};
use crate::auth::attempts::Attempts;
use crate::auth::permissions::Verb;
use crate::db::Conn;
use crate::db::tally::Tally;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::language::{Said, filters};
use crate::middleware::client_ip;
use crate::model::sign_in::{self, How, Line, Outcome, Query, Sought};
use crate::model::{user, user_list};
use crate::rest::payload::pairs;
use crate::site::Site;

static SIGN_INS: Changelist = Changelist {
    path: "/admin/sign-ins/",
    title: key!("Sign-ins"),
    nouns: nouns!("attempt", "attempts"),
    icon: "signin",
    search: Some(key!("Username or address")),
    searched: key!("Search looks at whole usernames, and addresses whole or from their beginning."),
    columns: &[
        Column {
            name: "time",
            label: key!("Time"),
            class: "",
            sort: Some(Sort {
                by: Some(sign_in::BY_TIME),
                descending_first: true,
                words: (key!("oldest first"), key!("newest first")),
            }),
        },
        Column::plain(key!("User"), ""),
        Column::plain(key!("Outcome"), ""),
        Column::plain(key!("How"), ""),
        Column::plain(key!("Address"), ""),
        Column::plain(key!("Device"), "u-drop-1"),
        Column::plain(key!("Actions"), "is-tight"),
    ],
    default: "time",
};

/// What came of attempts, as people say it.
const OUTCOMES: [(Outcome, &str); 11] = [
    (Outcome::In, key!("Signed in")),
    (Outcome::WrongPassword, key!("Wrong password")),
    (Outcome::Unknown, key!("Unknown name")),
    (Outcome::Locked, key!("Held back")),
    (Outcome::Inactive, key!("Inactive account")),
    (Outcome::CodeMissing, key!("Code asked for")),
    (Outcome::CodeWrong, key!("Wrong code")),
    (Outcome::NotStaff, key!("Not staff")),
    (Outcome::Unverified, key!("E-mail not verified")),
    (Outcome::TokenRefused, key!("Provider's token refused")),
    (Outcome::Reused, key!("Token reuse seen")),
];

const HOWS: [(How, &str); 4] = [
    (How::Password, key!("Password")),
    (How::Refresh, key!("Refresh token")),
    (How::Social, key!("Social sign-in")),
    (How::Admin, key!("Panel")),
];

/// An attempt as lists show it.
pub struct Row {
    /// When.
    pub at: When,
    /// Whose account, if somebody's who is here.
    pub user: Option<(i64, String)>,
    /// What stands for a name that nobody has, or for somebody who is gone.
    pub nobody: String,
    /// The address of the other attempts with that name; nothing if there was none.
    pub nobody_path: String,
    /// What came of it.
    pub outcome: Badge,
    /// How often within a second, if more than once.
    pub times: String,
    /// At which door.
    pub how: String,
    /// The address.
    pub ip: String,
    /// The device.
    pub device: Device,
}

/// Hexadecimal digits of a digest that are shown.
const SHOWN: usize = 4;

impl Row {
    fn new(line: Line, names: &HashMap<i64, String>, now: Now) -> Self {
        let user = line.user_id.and_then(|id| Some((id, names.get(&id)?.clone())));
        let short: String = line.name_digest.chars().take(SHOWN).collect();
        let nobody = match (&user, line.user_id, short.is_empty()) {
            (Some(_), ..) => String::new(),
            (None, Some(_), _) => say!("deleted user"),
            (None, None, false) => say!("unknown #{digest}", digest = short),
            (None, None, true) => say!("no name"),
        };
        let nobody_path = match line.name_digest.is_empty() {
            true => String::new(),
            false => format!("/admin/sign-ins/?q=%23{}", line.name_digest),
        };
        let outcome = OUTCOMES.iter().find(|(one, _)| one.as_str() == line.outcome);
        let text = outcome.map_or_else(|| line.outcome.clone(), |(_, words)| Said::of(*words).to_string());
        let (kind, icon) = match outcome.map(|(one, _)| *one) {
            Some(Outcome::In) => ("ok", "ok"),
            Some(Outcome::Reused) => ("bad", "warn"),
            Some(Outcome::Locked) => ("warn", "lock"),
            Some(Outcome::CodeMissing) => ("", "clock"),
            _ => ("bad", "fail"),
        };
        let how = HOWS.iter().find(|(one, _)| one.as_str() == line.how);
        Self {
            at: When::new(line.at, now),
            user,
            nobody,
            nobody_path,
            outcome: Badge { kind, text, icon },
            times: match line.times {
                ..=1 => String::new(),
                count => say!(count => "{count} time" | "{count} times"),
            },
            how: how.map_or_else(|| line.how.clone(), |(_, words)| Said::of(*words).to_string()),
            ip: line.ip,
            device: Device::from_agent(&line.user_agent),
        }
    }
}

/// Attempts as rows; the users of them are asked for once.
pub fn rows(conn: &mut Conn, lines: Vec<Line>, now: Now) -> Result<Vec<Row>> {
    let ids: Vec<i64> = lines.iter().filter_map(|line| line.user_id).collect();
    let names = user_list::names(conn, &ids)?;
    Ok(lines.into_iter().map(|line| Row::new(line, &names, now)).collect())
}

/// What the viewer may do from a row.
pub struct MayDo {
    /// Hold back its address.
    pub hold: bool,
    /// See what holds back its address.
    pub see_throttling: bool,
    /// Sign its user out everywhere.
    pub sign_out: bool,
    /// Where the viewer comes from: nobody holds back themselves.
    pub own: String,
}

impl MayDo {
    /// What the viewer may do.
    pub fn of<N>(site: &Site, staff: &Staff<N>) -> Self {
        let may = |area, verb| staff.may(area, verb);
        Self {
            hold: may("throttling", Verb::Change),
            see_throttling: may("throttling", Verb::View),
            sign_out: may("sessions", Verb::Revoke),
            own: client_ip::of(staff.visit().request(), &site.settings.server.trusted_proxies).to_string(),
        }
    }

    /// Whether there is anything to do from this row.
    pub fn anything(&self, row: &Row) -> bool {
        (self.see_throttling && !row.ip.is_empty()) || (self.sign_out && row.user.is_some())
    }

    /// Whether the address of this row may be held back.
    pub fn hold_back(&self, row: &Row) -> bool {
        self.hold && !row.ip.is_empty() && row.ip != self.own
    }
}

#[derive(Template)]
#[template(path = "admin/sign_ins/index.html")]
struct Page {
    frame: Frame,
    list: ListView,
    rows: Vec<Row>,
    may_see_users: bool,
    may_export: bool,
    may: MayDo,
}

fn filters() -> Vec<Filter> {
    let outcomes = OUTCOMES.map(|(one, words)| (one.as_str(), words));
    let hows = HOWS.map(|(one, words)| (one.as_str(), words));
    vec![Filter::of("outcome", key!("Outcome"), &outcomes), Filter::of("how", key!("How"), &hows), when()]
}

/// Fewer characters of an address find nothing: too many begin so.
const SHORTEST_ADDRESS: usize = 4;

/// What is searched for. A name that nobody has finds the attempts with that name.
fn sought(conn: &mut Conn, attempts: &Attempts, q: &str) -> Result<Option<Sought>> {
    if q.is_empty() {
        return Ok(None);
    }
    // As the list shows it, or the digest alone.
    let shown = say!("unknown #{digest}", digest = "");
    if let Some(digest) = q.strip_prefix(&shown).or_else(|| q.strip_prefix('#'))
        && digest.len() >= SHOWN
        && digest.bytes().all(|byte| byte.is_ascii_hexdigit())
    {
        return Ok(Some(Sought::Name(digest.to_ascii_lowercase())));
    }
    if let Some(user) = user::by_username(conn, q)? {
        return Ok(Some(Sought::User(user.id)));
    }
    if let Ok(ip) = q.parse::<IpAddr>() {
        return Ok(Some(Sought::Address(ip.to_string())));
    }
    let is_address = q.contains(['.', ':']) && q.bytes().all(|byte| byte.is_ascii_hexdigit() || b".:".contains(&byte));
    if is_address && q.len() >= SHORTEST_ADDRESS {
        return Ok(Some(Sought::AddressesFrom(q.to_owned())));
    }
    Ok(Some(Sought::Name(attempts.digest(q))))
}

/// The list as a URL asks for it.
pub fn asked(pairs: &[(String, String)], usual_rows: Option<usize>) -> Asked {
    Asked::new(&SIGN_INS, pairs, usual_rows, filters())
}

/// What the list is narrowed to.
///
/// # Errors
/// The database's, which is asked whose name is searched for.
pub fn query(conn: &mut Conn, asked: &Asked, attempts: &Attempts, now: Now) -> Result<Query> {
    Ok(Query {
        sought: sought(conn, attempts, asked.q())?,
        outcome: asked.choice("outcome").map(str::to_owned),
        how: asked.choice("how").map(str::to_owned),
        since: since(asked, now),
    })
}

fn load(
    conn: &mut Conn,
    tally: &Tally,
    asked: &[(String, String)],
    usual_rows: Option<usize>,
    attempts: &Attempts,
    now: Now,
) -> Result<(Asked, Found, Vec<Row>)> {
    let asked = self::asked(asked, usual_rows);
    let Some(keyset) = asked.keyset() else { return Err(Error::internal("sign-ins sort by no column")) };
    let query = query(conn, &asked, attempts, now)?;
    let page = sign_in::page(conn, &query, &keyset)?;
    let counts = sign_in::counts(conn, &query, tally)?;
    let found = Found::of(&page, counts, Line::place);
    let rows = rows(conn, page.rows, now)?;
    Ok((asked, found, rows))
}

/// The list of attempts.
pub async fn index(
    site: web::Data<Site>,
    staff: Staff<View<SignIns>>,
    request: HttpRequest,
) -> Result<HttpResponse, PageError> {
    let (asked, usual_rows) = (pairs(request.query_string().as_bytes()), staff.visit().usual_rows());
    let (attempts, now) = (site.sign_in.attempts().clone(), staff.now());
    let tally = changelist::tally(&site);
    let (asked, found, rows) = site.db.read(move |conn| load(conn, &tally, &asked, usual_rows, &attempts, now)).await?;
    let page = Page {
        frame: staff.frame(&[(&say!("Sign-ins"), "")]),
        list: asked.view(&found, &[]).when_empty(key!("Attempts to sign in, good and failed, appear here."), None),
        rows,
        may_see_users: staff.may("users", Verb::View),
        may_export: staff.may("sign-ins", Verb::Export),
        may: MayDo::of(&site, &staff),
    };
    staff.visit().remember_rows(html(StatusCode::OK, &page)?, asked.new_usual_rows())
}
