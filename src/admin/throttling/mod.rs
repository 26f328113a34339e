//! Throttling: the rates in force, how much they refuse, and who is held back, by them or by an administrator.

pub mod acts;
pub mod bulk;
pub mod detail;

use std::collections::HashMap;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use crate::admin::changelist::view::Found;
use crate::admin::changelist::{self, Asked, Changelist, Column, Filter, Sort, View as ListView};
use crate::admin::dashboard::charts::{self, Bar, short};
use crate::admin::dashboard::figures::{Figures, Period};
use crate::admin::error::PageError;
use crate::admin::layout::{Frame, html, segment};
use crate::admin::staff::{Staff, Throttling, View};
use crate::admin::users::Badge;
use crate::admin::when::{Now, When, distance, thousands};
use crate::auth::permissions::Verb;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::db::tally::Tally;
use crate::error::{Error, Result};
use crate::language::filters;
use crate::metrics::Count;
use crate::model::throttled::{self, Kind, Line, Query, State};
use crate::model::user_list;
use crate::rest::payload::pairs;
use crate::settings::{Rate, Store, Throttle};
use crate::site::Site;
use crate::throttle::Subject;
use crate::zone::Zone;

/// Where the list is.
pub const LIST: &str = "/admin/throttling/";

static HELD: Changelist = Changelist {
    path: LIST,
    title: key!("Held back"),
    nouns: nouns!("entry", "entries"),
    icon: "throttle",
    search: Some(key!("Username or address")),
    searched: key!("Search looks at whole usernames, and addresses from their beginning."),
    columns: &[
        Column::plain(key!("Who"), ""),
        Column::plain(key!("Scope"), ""),
        Column {
            name: "used",
            label: key!("Used / limit"),
            class: "",
            sort: Some(Sort {
                by: Some(throttled::BY_USED),
                descending_first: true,
                words: (key!("least first"), key!("most first")),
            }),
        },
        Column::plain(key!("Resets"), ""),
        Column::plain(key!("State"), ""),
        Column {
            name: "time",
            label: key!("Last refused"),
            class: "u-drop-1",
            sort: Some(Sort {
                by: Some(throttled::BY_TIME),
                descending_first: true,
                words: (key!("oldest first"), key!("newest first")),
            }),
        },
        Column::plain(key!("Actions"), "is-tight"),
    ],
    default: "time",
};

const STATES: [(State, &str, &str); 4] = [
    (State::HeldBack, "held", "Held back"),
    (State::ByHand, "hand", "By an administrator"),
    (State::Never, "never", "Never held back"),
    (State::Over, "over", "Over"),
];

/// What is counted, as people say it. A scope of the settings has its own name.
const SCOPES: [(&str, &str); 7] = [
    ("throttle.anon", "Anonymous requests"),
    ("throttle.user", "Requests"),
    ("sign-in.address", "Sign-ins from an address"),
    ("sign-in.account", "Sign-ins to an account"),
    ("sign-in.pair", "Sign-ins to one account from an address"),
    ("sign-in.known", "Sign-ins from a known address"),
    ("sign-in.device", "Sign-ins from a known device"),
];

/// The longest hold in words, and in hours, that a button offers.
pub const HOLDS: [(u64, &str); 2] = [(1, "1 h"), (24, "24 h")];

/// How somebody stands, as pages show it.
pub struct Row {
    /// Its row.
    pub id: i64,
    /// A username or an address.
    pub name: String,
    /// Whose page of throttling it is.
    pub path: String,
    /// What was counted.
    pub scope: String,
    /// "137 / 100 in 1 day"; nothing where it was decided.
    pub used: String,
    /// When it is over.
    pub resets: String,
    /// How it stands.
    pub state: Badge,
    /// When they were refused last, or when it was decided.
    pub at: When,
    /// The administrator who decided it.
    pub by: String,
}

/// How a row stands at `now`.
pub fn badge(line: &Line, now: Timestamp) -> Badge {
    let (kind, text, icon) = match line.holds(now) {
        true if line.is(Kind::Held) => ("bad", "Held back by hand", "lock"),
        true => ("warn", "Held back", "throttle"),
        false if line.is(Kind::Never) => ("ok", "Never held back", "ok"),
        false => ("", "Over", "clock"),
    };
    Badge { kind, text: text.to_owned(), icon }
}

/// What was counted, as people say it.
pub fn scope_words(line: &Line) -> String {
    if line.scope.is_empty() {
        return "Everything".to_owned();
    }
    SCOPES.iter().find(|(code, _)| *code == line.scope).map_or(line.scope.as_str(), |(_, words)| words).to_owned()
}

/// The page of throttling of somebody.
pub fn path_of(who: &str) -> String {
    format!("{LIST}{}/", segment(who))
}

impl Row {
    /// A row at `now`; `names` are those of the users.
    pub fn new(line: Line, names: &HashMap<i64, String>, now: Now) -> Self {
        let name = line.user.and_then(|id| names.get(&id).cloned());
        let per = humantime::format_duration(Duration::from_micros(line.per.try_into().unwrap_or(0))).to_string();
        Self {
            id: line.id,
            path: path_of(&line.who),
            state: badge(&line, now.at),
            scope: scope_words(&line),
            used: match line.is(Kind::Rate) {
                true => format!("{} / {} in {per}", thousands(line.used), thousands(line.most)),
                false => String::new(),
            },
            resets: match line.until {
                None => "never".to_owned(),
                Some(until) if until > now.at => distance(until, now),
                Some(_) => String::new(),
            },
            at: When::new(line.at, now),
            name: name.unwrap_or(line.who),
            by: line.made_by,
        }
    }
}

/// Rows with the names of their users, which are asked for once.
///
/// # Errors
/// The database's.
pub fn rows(conn: &mut Conn, lines: Vec<Line>, now: Now) -> Result<Vec<Row>> {
    let ids: Vec<i64> = lines.iter().filter_map(|line| line.user).collect();
    let names = user_list::names(conn, &ids)?;
    Ok(lines.into_iter().map(|line| Row::new(line, &names, now)).collect())
}

/// How each of these addresses stands: the word of it, if there is one.
///
/// # Errors
/// The database's.
pub fn states(conn: &mut Conn, addresses: &[String], now: Timestamp) -> Result<HashMap<String, Badge>> {
    let who = |ip: &String| ip.parse().map(|ip| Subject::address(ip).to_string()).unwrap_or_default();
    let of: Vec<(String, String)> = addresses.iter().map(|ip| (who(ip), ip.clone())).collect();
    let asked: Vec<String> = of.iter().map(|(who, _)| who.clone()).collect();
    let lines = if asked.is_empty() { Vec::new() } else { throttled::of(conn, &asked, now)? };
    // What was decided says more than what a rate does meanwhile.
    let worst = |who: &String| lines.iter().filter(|line| line.who == *who).min_by_key(|line| line.is(Kind::Rate));
    Ok(of.iter().filter_map(|(who, ip)| Some((ip.clone(), badge(worst(who)?, now)))).collect())
}

/// The rates of the settings: what is counted, the rate, and what it is for.
fn rates(settings: &Throttle) -> Vec<(String, String, &'static str)> {
    let told = |rate: Option<Rate>| rate.map_or_else(|| "off".to_owned(), |rate| rate.to_string());
    // Without the first none of them holds.
    let sign_in = |rate: Option<Rate>| told(rate.filter(|_| settings.login.is_some()));
    let mut all = vec![
        (
            "Anonymous".to_owned(),
            told(settings.anon),
            "requests without credentials, by address; refreshing counts here",
        ),
        ("User".to_owned(), told(settings.user), "requests of a user; those with an API key count for its owner"),
        ("Sign-in".to_owned(), told(settings.login), "failed sign-ins to one account from one address"),
        (
            "Sign-in, account".to_owned(),
            sign_in(settings.login_account),
            "failed sign-ins to one account from everywhere",
        ),
        (
            "Sign-in, address".to_owned(),
            sign_in(settings.login_address),
            "failed sign-ins from one address to all accounts",
        ),
        ("Sign-in, known".to_owned(), sign_in(settings.login_device), "failed sign-ins where the account is known"),
    ];
    all.extend(settings.scopes.iter().map(|(name, rate)| (name.clone(), told(Some(*rate)), "a scope of its own")));
    all
}

/// The chart of what was refused, hour by hour.
struct Refusals {
    bars: Vec<Bar>,
    width: usize,
    scale: [String; 4],
    below: Vec<String>,
    words: String,
}

/// Hours between the labels under the chart.
const LABELLED: usize = 4;

fn refusals(figures: &Figures, zone: Zone) -> Refusals {
    let one = |slot: &crate::admin::dashboard::figures::Slot| {
        let label = zone.local(slot.at).format(Period::Day.format()).to_string();
        (label, slot.count(Count::HeldBack), slot.count(Count::Throttled))
    };
    let values: Vec<_> = figures.slots.iter().map(one).collect();
    let (bars, top) = charts::mirrored(&values);
    let (requests, sign_ins) = (figures.now.count(Count::HeldBack), figures.now.count(Count::Throttled));
    let words = match requests + sign_ins {
        0 => "Nothing was refused in the last 24 hours.".to_owned(),
        _ => format!("{} requests and {} sign-ins were refused.", thousands(requests), thousands(sign_ins)),
    };
    let labels = values.iter().step_by(LABELLED).map(|(label, ..)| label.clone());
    let below = labels.chain(["now".to_owned()]).collect();
    Refusals { below, width: bars.len() * 10, scale: [top, top / 2.0, 0.0, top / 2.0].map(short), bars, words }
}

#[derive(Template)]
#[template(path = "admin/throttling/index.html")]
struct Page {
    frame: Frame,
    list: ListView,
    rows: Vec<Row>,
    rates: Vec<(String, String, &'static str)>,
    store: &'static str,
    chart: Option<Refusals>,
    may_change: bool,
}

/// The list as a URL asks for it; `scopes` are the rates of one's own.
pub fn asked(pairs: &[(String, String)], usual_rows: Option<usize>, scopes: &[String]) -> Asked {
    let states = STATES.map(|(_, code, words)| (code, words));
    let scopes = Filter::of("scope", key!("Scope"), &SCOPES).and(scopes);
    let filters = vec![Filter::of("state", key!("State"), &states), scopes];
    Asked::new(&HELD, pairs, usual_rows, filters)
}

/// The rates of one's own that the settings have.
pub fn own_scopes(settings: &Throttle) -> Vec<String> {
    settings.scopes.keys().cloned().collect()
}

/// What the list is narrowed to.
pub fn query(asked: &Asked) -> Query {
    let state = asked.choice("state").and_then(|code| STATES.iter().find(|(_, one, _)| *one == code));
    Query {
        // An address of an IPv6 network is looked for as that network.
        search: asked.q().parse().map(|ip| Subject::address(ip).to_string()).unwrap_or_else(|_| asked.q().to_owned()),
        state: state.map(|(state, ..)| *state),
        scope: asked.choice("scope").map(str::to_owned),
    }
}

fn load(conn: &mut Conn, tally: &Tally, asked: &Asked, now: Now) -> Result<(Found, Vec<Row>)> {
    let Some(keyset) = asked.keyset() else { return Err(Error::internal("what is held back sorts by no column")) };
    let query = query(asked);
    let page = throttled::page(conn, &query, &keyset, now.at)?;
    let counts = throttled::counts(conn, &query, tally, now.at)?;
    let found = Found::of(&page, counts, |line| line.place(&keyset.by));
    Ok((found, rows(conn, page.rows, now)?))
}

/// The rates, what they refuse, and who is held back.
pub async fn index(
    site: web::Data<Site>,
    staff: Staff<View<Throttling>>,
    request: HttpRequest,
) -> Result<HttpResponse, PageError> {
    let pairs = pairs(request.query_string().as_bytes());
    let scopes = own_scopes(&site.settings.throttle);
    let (asked, now) = (asked(&pairs, staff.visit().usual_rows(), &scopes), staff.now());
    let tally = changelist::tally(&site);
    let read = move |conn: &mut Conn| {
        let (found, rows) = load(conn, &tally, &asked, now)?;
        // Who looks for somebody is not asking how much there was.
        let figures = (!asked.is_narrowed()).then(|| Figures::read(conn, Period::Day, &[], now.at)).transpose()?;
        Ok((asked, found, rows, figures))
    };
    let (asked, found, rows, figures) = site.db.read(read).await?;
    let may_change = staff.may("throttling", Verb::Change);
    let page = Page {
        frame: staff.frame(&[("Throttling", "")]),
        list: asked.view(&found, &bulk::offered(&staff)).when_empty("Whoever a rate refuses appears here.", None),
        rows,
        rates: rates(&site.settings.throttle),
        store: match site.settings.throttle.store {
            Store::Memory => "in the memory of each server",
            Store::Database => "in the database, all servers together",
            Store::Redis(_) => "in Redis, all servers together",
        },
        chart: figures.as_ref().map(|figures| refusals(figures, now.zone)),
        may_change,
    };
    staff.visit().remember_rows(html(StatusCode::OK, &page)?, asked.new_usual_rows())
}
