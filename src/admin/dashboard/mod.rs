//! `/admin/`: in ten seconds, whether anything is wrong, and where to look. Each card needs the view of its own area. The
//! figures come from the rollup, never from a log.

mod attention;
pub(super) mod charts;
pub mod dismiss;
pub(super) mod figures;
pub mod started;

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;

use crate::admin::audit::words;
use crate::admin::dashboard::attention::{Address, Alert};
use crate::admin::dashboard::charts::{Mirrored, Words, float, short};
use crate::admin::dashboard::figures::{Figures, Period, Slot};
use crate::admin::dashboard::started::Started;
use crate::admin::error::PageError;
use crate::admin::layout::{Frame, html};
use crate::admin::staff::Staff;
use crate::admin::when::{Now, When, short_day, time_words};
use crate::auth::permissions::{Permission, Verb};
use crate::db::Conn;
use crate::db::keyset::Keyset;
use crate::error::Result;
use crate::language::{decimal, filters, thousands};
use crate::metrics::Count;
use crate::model::audit::list as audit_list;
use crate::model::dismissal;
use crate::rest::payload::pairs;
use crate::site::Site;
use crate::zone::Zone;

const HOUR: Duration = Duration::from_secs(3600);

/// Users, as the rollup counts them.
const USERS: &str = "users";
/// Sessions that are in use, as the rollup counts them.
const SESSIONS: &str = "sessions";

#[derive(Template)]
#[template(path = "admin/dashboard.html")]
struct Page {
    frame: Frame,
    period: Period,
    now: When,
    started: Option<Started>,
    alerts: Vec<Alert>,
    /// How many more there are that the viewer has put away.
    put_away: usize,
    tiles: Vec<Tile>,
    signing: Option<Mirrored>,
    times: Option<Times>,
    addresses: Option<Vec<Address>>,
    sees_throttling: bool,
    reasons: Option<Vec<Reason>>,
    recent: Option<Vec<Recent>>,
    server: Option<Server>,
}

/// A figure with its small curve.
struct Tile {
    label: &'static str,
    link: &'static str,
    value: String,
    unit: String,
    way: &'static str,
    delta: String,
    points: String,
    is_bad: bool,
}

/// The chart of answering times.
struct Times {
    p95: String,
    median: String,
    scale: [String; 4],
    below: Vec<String>,
    words: String,
    rows: Vec<(String, String, String)>,
}

/// Why sign-ins failed.
struct Reason {
    label: &'static str,
    link: &'static str,
    count: String,
    width: String,
}

/// A change of late.
struct Recent {
    id: i64,
    actor: String,
    action: String,
    object: String,
    when: When,
}

/// First facts of any fault report.
struct Server {
    up: String,
    database: String,
    memory: String,
    key: String,
}

/// `/admin/`.
///
/// # Errors
/// The database's.
pub async fn page(site: web::Data<Site>, staff: Staff) -> Result<HttpResponse, PageError> {
    let pairs = pairs(staff.visit().request().query_string().as_bytes());
    let asked = pairs.iter().rfind(|(name, _)| name == "period").map(|(_, value)| value.as_str());
    let period = Period::ALL.into_iter().find(|period| Some(period.code()) == asked).unwrap_or(Period::Day);
    let shows_all = pairs.iter().any(|(name, _)| name == "all");
    let (now, id, permissions) = (staff.now(), staff.id(), staff.state().permissions);
    let (dangers, is_superuser) = (site.settings.dangers(), staff.state().superuser);
    let read = move |conn: &mut Conn| {
        let may = |area: &str, verb| Permission::of(area, verb).is_some_and(|needed| permissions.holds(needed));
        let figures = Figures::read(conn, period, &[USERS, SESSIONS], now.at)?;
        let (addresses, mut alerts) = attention::all(conn, permissions, &dangers, now.at)?;
        let put_away = dismissal::of(conn, id, now.at)?;
        let is_put_away = |alert: &Alert| {
            let before = put_away.get(&(alert.rule.to_owned(), alert.object.clone()));
            before.is_some_and(|amount| alert.amount <= *amount)
        };
        let hidden = alerts.iter().filter(|alert| is_put_away(alert)).count();
        if !shows_all {
            alerts.retain(|alert| !is_put_away(alert));
        }
        let recent = if may("audit", Verb::View) { Some(recent(conn, now)?) } else { None };
        let started = if is_superuser { started::read(conn, id)? } else { None };
        Ok((figures, addresses, alerts, hidden, recent, started))
    };
    let (figures, addresses, alerts, hidden, recent, started) = site.db.read(read).await?;
    let sees = |area: &str| staff.may(area, Verb::View);
    let page = Page {
        frame: staff.frame(&[(&say!("Dashboard"), "")]),
        period,
        now: When::new(now.at, now),
        started: started.map(|there| Started::new(&site, &staff, there)),
        alerts,
        put_away: if shows_all { 0 } else { hidden },
        tiles: tiles(&figures, sees),
        signing: sees("sign-ins").then(|| signing(&figures, period, now.zone)),
        times: sees("settings").then(|| times(&figures, period, now.zone)),
        addresses: sees("sign-ins").then_some(addresses),
        sees_throttling: sees("throttling"),
        reasons: sees("sign-ins").then(|| reasons(&figures)),
        recent,
        server: if sees("settings") { Some(server(&site, now)) } else { None },
    };
    html(StatusCode::OK, &page)
}

fn recent(conn: &mut Conn, now: Now) -> Result<Vec<Recent>> {
    let newest = Keyset { by: audit_list::BY_TIME, descending: true, from: None, backwards: false, rows: 5 };
    let entries = audit_list::page(conn, &audit_list::Query::default(), &newest)?.rows;
    let shown = |entry: audit_list::Line| Recent {
        id: entry.id,
        actor: entry.actor,
        action: words::action(&entry.action),
        object: entry.object,
        when: When::new(entry.at, now),
    };
    Ok(entries.into_iter().map(shown).collect())
}

/// "6% more", with the way it went; nothing where there is nothing to compare with.
fn change(now: i64, before: i64) -> (&'static str, String) {
    if before == 0 {
        return ("", say!("nothing before"));
    }
    let part = (float(now) - float(before)) / float(before) * 100.0;
    match part.round() {
        0.0 => ("", say!("as before")),
        part if part > 0.0 => (key!("up"), say!("{percent}% more", percent = decimal(part, 0))),
        part => (key!("down"), say!("{percent}% less", percent = decimal(-part, 0))),
    }
}

fn tiles(figures: &Figures, sees: impl Fn(&str) -> bool) -> Vec<Tile> {
    let Figures { slots, now, before, is_empty } = figures;
    let curve = |of: &dyn Fn(&Slot) -> Option<f64>| charts::spark(&slots.iter().map(of).collect::<Vec<_>>());
    let counted = |label, link, of: &dyn Fn(&Slot) -> i64| {
        let (way, delta) = change(of(now), of(before));
        let points = curve(&|slot| Some(float(of(slot))));
        Tile { label, link, value: thousands(of(now)), unit: String::new(), way, delta, points, is_bad: false }
    };
    let standing = |label, link, name| {
        let (value, earlier) = (now.standing(name), before.standing(name));
        let (way, delta) = match (value, earlier) {
            (Some(value), Some(earlier)) => change(value, earlier),
            _ => ("", String::new()),
        };
        let value = value.map_or_else(|| "–".to_owned(), thousands);
        let points = curve(&|slot| slot.standing(name).map(float));
        Tile { label, link, value, unit: String::new(), way, delta, points, is_bad: false }
    };
    let percent = |slot: &Slot| {
        let all = slot.failed() + slot.count(Count::SignedIn);
        (all > 0).then(|| say!("{percent}%", percent = short(float(slot.failed()) / float(all) * 100.0)))
    };
    let mut tiles = Vec::new();
    if sees("sessions") {
        tiles.push(standing(key!("Active sessions"), "/admin/sessions/?state=live", SESSIONS));
    }
    if sees("sign-ins") {
        tiles.push(counted(key!("Sign-ins"), "/admin/sign-ins/?outcome=ok", &|slot| slot.count(Count::SignedIn)));
        let failed = counted(key!("Failed sign-ins"), "/admin/sign-ins/", &Slot::failed);
        let from = percent(before).map_or_else(|| failed.delta.clone(), |before| say!("from {before}", before));
        tiles.push(Tile { unit: percent(now).unwrap_or_default(), delta: from, is_bad: true, ..failed });
    }
    if sees("tokens") {
        tiles.push(counted(key!("Tokens issued"), "/admin/tokens/", &|slot| slot.count(Count::Tokens)));
    }
    if sees("settings") {
        let p95 = |slot: &Slot| slot.quantile(0.95);
        tiles.push(Tile {
            label: key!("Response, p95"),
            link: "#c2",
            value: p95(now).map_or_else(|| "–".to_owned(), short),
            unit: if p95(now).is_some() { say!("ms") } else { String::new() },
            way: "",
            delta: p95(before).map_or_else(String::new, |earlier| say!("from {number} ms", number = short(earlier))),
            points: curve(&p95),
            is_bad: false,
        });
    }
    if sees("users") {
        let more = now.standing(USERS).zip(before.standing(USERS)).map(|(now, before)| now - before);
        let delta = more
            .filter(|more| *more > 0)
            .map_or_else(String::new, |count| say!(count => "{count} new" | "{count} new"));
        let way = if delta.is_empty() { "" } else { key!("up") };
        tiles.push(Tile { way, delta, ..standing(key!("Users"), "/admin/users/", USERS) });
    }
    if *is_empty {
        for tile in &mut tiles {
            (tile.value, tile.unit, tile.way, tile.delta) = ("–".into(), String::new(), "", say!("collecting"));
        }
    }
    tiles
}

/// What stands beneath a chart: seven moments, the last of them now.
fn below(figures: &Figures, period: Period, zone: Zone) -> Vec<String> {
    let count = figures.slots.len();
    let slots = (0..6).filter_map(|number| figures.slots.get(number * count / 6));
    let of = |slot: &Slot| match period {
        Period::Week => short_day(zone.local(slot.at).date_naive()),
        _ => label(slot, period, zone),
    };
    let mut labels: Vec<String> = slots.map(of).collect();
    labels.push(say!("now"));
    labels
}

/// When a slot begins, on the viewer's clock. A day of UTC is called by the viewer's day that has most of it.
fn label(slot: &Slot, period: Period, zone: Zone) -> String {
    let noon = if period == Period::Month { 12 * HOUR } else { Duration::ZERO };
    period.slot(zone.local(slot.at + noon))
}

fn signing(figures: &Figures, period: Period, zone: Zone) -> Mirrored {
    let one = |slot: &Slot| (label(slot, period, zone), slot.count(Count::SignedIn), slot.failed());
    let values: Vec<_> = figures.slots.iter().map(one).collect();
    let peak = |of: fn(&(String, i64, i64)) -> i64| values.iter().max_by_key(|value| of(value));
    let told = match (peak(|(_, good, _)| *good), peak(|(.., bad)| *bad)) {
        (Some((when, good, _)), Some((failing, _, bad))) if *good + *bad > 0 => say!(
            "Most sign-ins came in at {when}: {most}. Most failed at {failing}: {worst}. In all {succeeded} came in and {failed} failed.",
            when,
            most = thousands(*good),
            failing,
            worst = thousands(*bad),
            succeeded = thousands(figures.now.count(Count::SignedIn)),
            failed = thousands(figures.now.failed()),
        ),
        _ => say!("Nobody has tried to sign in."),
    };
    let words = Words {
        title: period.sign_ins(),
        columns: [key!("Succeeded"), key!("Failed")],
        legend: [key!("Succeeded, above the line"), key!("Failed, below")],
        told,
    };
    let title = |when: &str, good, bad| {
        let (succeeded, failed) = (thousands(good), thousands(bad));
        say!("{when}: {succeeded} succeeded, {failed} failed", when, succeeded, failed)
    };
    Mirrored::new(words, &values, title, below(figures, period, zone))
}

fn times(figures: &Figures, period: Period, zone: Zone) -> Times {
    let of = |part: f64| figures.slots.iter().map(|slot| slot.quantile(part)).collect::<Vec<_>>();
    let (p95, median) = (of(0.95), of(0.5));
    let highest = p95.iter().flatten().copied().fold(0.0, f64::max);
    let top = charts::round_up(highest);
    let draw = |values: &[Option<f64>]| charts::line(values, top, (240.0, 90.0), 0.0);
    let told = |value: &Option<f64>| value.map_or_else(|| "–".to_owned(), milliseconds);
    let rows = figures.slots.iter().zip(p95.iter().zip(&median));
    let rows = rows.map(|(slot, (p95, median))| (label(slot, period, zone), told(p95), told(median))).collect();
    let words = if highest > 0.0 {
        say!(
            "Over the whole time the 95th percentile is {p95}, its highest {highest} milliseconds, and the median {median}.",
            p95 = told(&figures.now.quantile(0.95)),
            highest = short(highest),
            median = told(&figures.now.quantile(0.5)),
        )
    } else {
        say!("No request has been answered.")
    };
    let scale = [milliseconds(top), short(top * 2.0 / 3.0), short(top / 3.0), "0".to_owned()];
    Times { p95: draw(&p95), median: draw(&median), scale, below: below(figures, period, zone), words, rows }
}

fn milliseconds(number: f64) -> String {
    say!("{number} ms", number = short(number))
}

fn reasons(figures: &Figures) -> Vec<Reason> {
    let all = [
        (key!("Wrong password"), "/admin/sign-ins/?outcome=wrong+password", Count::WrongPassword),
        (key!("Unknown username"), "/admin/sign-ins/?outcome=unknown", Count::UnknownName),
        (key!("Throttled"), "/admin/sign-ins/?outcome=locked", Count::Throttled),
        (key!("Account inactive"), "/admin/sign-ins/?outcome=inactive", Count::Inactive),
        (key!("Something else"), "/admin/sign-ins/", Count::OtherRefusal),
    ];
    let most = all.iter().map(|(.., count)| figures.now.count(*count)).max().unwrap_or_default().max(1);
    let mut reasons: Vec<_> = all.iter().map(|one| (figures.now.count(one.2), one)).collect();
    reasons.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    let shown = |(count, (label, link, _)): (i64, &(&'static str, &'static str, Count))| Reason {
        label,
        link,
        count: thousands(count),
        width: format!("{:.1}", float(count) / float(most) * 100.0),
    };
    reasons.into_iter().map(shown).collect()
}

fn server(site: &Site, now: Now) -> Server {
    let time = match now.at.since(site.opened).as_secs() {
        0 => say!("now"),
        seconds => time_words(seconds),
    };
    let key = site.signer.ring().active().kid().map_or_else(|| say!("as set"), str::to_owned);
    Server {
        up: say!("{moment} ({time})", moment = When::new(site.opened, now).short, time),
        database: site.db.target().size().map_or_else(|| site.db.target().name().to_owned(), megabytes),
        memory: memory().map_or_else(|| say!("not known"), megabytes),
        key,
    }
}

/// What the process holds of the machine's memory, in bytes, where Linux tells it.
fn memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
}

fn megabytes(bytes: u64) -> String {
    say!("{number} MB", number = short(float(bytes.div_ceil(100_000)) / 10.0))
}
