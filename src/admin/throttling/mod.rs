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
use crate::admin::dashboard::charts::{Mirrored, Words};
use crate::admin::dashboard::figures::{Figures, Period};
use crate::admin::error::PageError;
use crate::admin::layout::{Frame, html, segment};
use crate::admin::staff::{Staff, Throttling, View};
use crate::admin::users::Badge;
use crate::admin::when::{Now, When, distance};
use crate::auth::permissions::Verb;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::db::tally::Tally;
use crate::error::{Error, Result};
use crate::language::{Said, filters, thousands};
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
    (State::HeldBack, "held", key!("Held back")),
    (State::ByHand, "hand", key!("By an administrator")),
    (State::Never, "never", key!("Never held back")),
    (State::Over, "over", key!("Over")),
];

/// What is counted, as people say it. A scope of the settings has its own name.
const SCOPES: [(&str, &str); 7] = [
    ("throttle.anon", key!("Anonymous requests")),
    ("throttle.user", key!("Requests")),
    ("sign-in.address", key!("Sign-ins from an address")),
    ("sign-in.account", key!("Sign-ins to an account")),
    ("sign-in.pair", key!("Sign-ins to one account from an address")),
    ("sign-in.known", key!("Sign-ins from a known address")),
    ("sign-in.device", key!("Sign-ins from a known device")),
];

/// For how many hours a button offers to hold somebody back.
pub struct Hold {
    /// The hours.
    pub hours: u64,
    /// The button.
    pub button: &'static str,
    /// The button where it is said of an address.
    pub of_address: &'static str,
}

/// The holds that buttons offer.
pub const HOLDS: [Hold; 2] = [
    Hold { hours: 1, button: key!("Hold back for 1 h"), of_address: key!("Hold this address back for 1 h") },
    Hold { hours: 24, button: key!("Hold back for 24 h"), of_address: key!("Hold this address back for 24 h") },
];

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
        true if line.is(Kind::Held) => ("bad", say!("Held back by hand"), "lock"),
        true => ("warn", say!("Held back"), "throttle"),
        false if line.is(Kind::Never) => ("ok", say!("Never held back"), "ok"),
        false => ("", say!("Over"), "clock"),
    };
    Badge { kind, text, icon }
}

/// What was counted, as people say it.
pub fn scope_words(line: &Line) -> String {
    if line.scope.is_empty() {
        return say!("Everything");
    }
    let known = SCOPES.iter().find(|(code, _)| *code == line.scope);
    known.map_or_else(|| line.scope.clone(), |(_, words)| Said::of(*words).to_string())
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
                true => {
                    say!("{used} / {most} in {per}", used = thousands(line.used), most = thousands(line.most), per)
                }
                false => String::new(),
            },
            resets: match line.until {
                None => say!("never"),
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
    let told = |rate: Option<Rate>| rate.map_or_else(|| say!("off"), |rate| rate.to_string());
    // Without the first none of them holds.
    let sign_in = |rate: Option<Rate>| told(rate.filter(|_| settings.login.is_some()));
    let mut all = vec![
        (
            say!("Anonymous"),
            told(settings.anon),
            key!("requests without credentials, by address; refreshing counts here"),
        ),
        (say!("User"), told(settings.user), key!("requests of a user; those with an API key count for its owner")),
        (say!("Sign-in"), told(settings.login), key!("failed sign-ins to one account from one address")),
        (
            say!("Sign-in, account"),
            sign_in(settings.login_account),
            key!("failed sign-ins to one account from everywhere"),
        ),
        (
            say!("Sign-in, address"),
            sign_in(settings.login_address),
            key!("failed sign-ins from one address to all accounts"),
        ),
        (say!("Sign-in, known"), sign_in(settings.login_device), key!("failed sign-ins where the account is known")),
    ];
    let own = |(name, rate): (&String, &Rate)| (name.clone(), told(Some(*rate)), key!("a scope of its own"));
    all.extend(settings.scopes.iter().map(own));
    all
}

/// Hours between the labels under the chart.
const LABELLED: usize = 4;

/// The chart of what was refused, hour by hour.
fn refusals(figures: &Figures, zone: Zone) -> Mirrored {
    let one = |slot: &crate::admin::dashboard::figures::Slot| {
        (Period::Day.slot(zone.local(slot.at)), slot.count(Count::HeldBack), slot.count(Count::Throttled))
    };
    let values: Vec<_> = figures.slots.iter().map(one).collect();
    let both = |requests, sign_ins| {
        let requests = said!(count = requests => "{count} request" | "{count} requests");
        (requests, said!(count = sign_ins => "{count} sign-in" | "{count} sign-ins"))
    };
    let told = match (figures.now.count(Count::HeldBack), figures.now.count(Count::Throttled)) {
        (0, 0) => say!("Nothing was refused in the last 24 hours."),
        (requests, sign_ins) => {
            let (requests, sign_ins) = both(requests, sign_ins);
            say!("{requests} and {sign_ins} were refused.", requests, sign_ins)
        }
    };
    let words = Words {
        title: key!("Refused per hour"),
        columns: [key!("Requests"), key!("Sign-ins")],
        legend: [key!("Requests, above the line"), key!("Sign-ins, below")],
        told,
    };
    let title = |when: &str, requests, sign_ins| {
        let (requests, sign_ins) = both(requests, sign_ins);
        say!("{when}: {requests}, {sign_ins}", when, requests, sign_ins)
    };
    let labels = values.iter().step_by(LABELLED).map(|(label, ..)| label.clone());
    let below = labels.chain([say!("now")]).collect();
    Mirrored::new(words, &values, title, below)
}

#[derive(Template)]
#[template(path = "admin/throttling/index.html")]
struct Page {
    frame: Frame,
    list: ListView,
    rows: Vec<Row>,
    rates: Vec<(String, String, &'static str)>,
    store: &'static str,
    chart: Option<Mirrored>,
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
        frame: staff.frame(&[(&say!("Throttling"), "")]),
        list: asked.view(&found, &bulk::offered(&staff)).when_empty(key!("Whoever a rate refuses appears here."), None),
        rows,
        rates: rates(&site.settings.throttle),
        store: match site.settings.throttle.store {
            Store::Memory => {
                key!("Counted in the memory of each server. Rates are settings (<code>throttle.…</code>).")
            }
            Store::Database => {
                key!("Counted in the database, all servers together. Rates are settings (<code>throttle.…</code>).")
            }
            Store::Redis(_) => {
                key!("Counted in Redis, all servers together. Rates are settings (<code>throttle.…</code>).")
            }
        },
        chart: figures.as_ref().map(|figures| refusals(figures, now.zone)),
        may_change,
    };
    staff.visit().remember_rows(html(StatusCode::OK, &page)?, asked.new_usual_rows())
}
