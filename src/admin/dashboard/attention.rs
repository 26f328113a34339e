//! What needs attention: rules, each of them one indexed query, the worst first. What nobody may look into is not told.

use std::time::Duration;

use crate::admin::layout::segment;
use crate::admin::throttling;
use crate::admin::users::Badge;
use crate::auth::permissions::{Permission, PermissionSet, Verb};
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::Result;
use crate::language::Said;
use crate::model::{api_key, outbox, sign_in, token};

/// One thing that needs attention.
#[derive(Clone, Debug)]
pub struct Alert {
    /// The rule that says so.
    pub rule: &'static str,
    /// What it is about, where a rule may say it of several.
    pub object: String,
    /// How many there are, where more of them is news.
    pub amount: i64,
    /// `bad`, `warn` or `info`.
    pub level: &'static str,
    /// Its symbol.
    pub icon: &'static str,
    /// What it is.
    pub what: Said,
    /// The same with more of it, marked up; it is what the page says, if there is more.
    pub told: Option<Said>,
    /// Where to look into it, and the words on that button.
    pub link: (String, &'static str),
}

/// Failed sign-ins from one address within an hour that are too many.
const TOO_MANY: i64 = 20;
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// An address that sign-ins failed from.
pub struct Address {
    /// The address.
    pub ip: String,
    /// How many failed.
    pub failed: i64,
    /// How many names were tried.
    pub names: usize,
    /// Where all from it are listed.
    pub link: String,
    /// How it stands, if anything holds it back or never does.
    pub state: Option<Badge>,
    /// What holds it back, and what may be done.
    pub throttling: String,
}

/// The addresses that most sign-ins of the last hour failed from.
fn addresses(conn: &mut Conn, now: Timestamp) -> Result<Vec<Address>> {
    let found = sign_in::failing_addresses(conn, now - HOUR)?;
    let found: Vec<_> = found.into_iter().take(5).collect();
    let all: Vec<String> = found.iter().map(|(ip, ..)| ip.clone()).collect();
    let mut states = throttling::states(conn, &all, now)?;
    let address = |(ip, failed, names): (String, i64, usize)| {
        let link = format!("/admin/sign-ins/?q={}", segment(&ip));
        let (state, throttling) = (states.remove(&ip), throttling::path_of(&ip));
        Address { ip, failed, names, link, state, throttling }
    };
    Ok(found.into_iter().map(address).collect())
}

/// The addresses that most sign-ins failed from, and everything that needs attention and that somebody with these permissions
/// may look into.
///
/// # Errors
/// The database's.
pub fn all(
    conn: &mut Conn,
    permissions: PermissionSet,
    dangers: &[&'static str],
    now: Timestamp,
) -> Result<(Vec<Address>, Vec<Alert>)> {
    let may = |area: &str, verb| Permission::of(area, verb).is_some_and(|needed| permissions.holds(needed));
    let addresses = if may("sign-ins", Verb::View) { addresses(conn, now)? } else { Vec::new() };
    let alerts = alerts(conn, &addresses, dangers, may, now)?;
    Ok((addresses, alerts))
}

fn alerts(
    conn: &mut Conn,
    addresses: &[Address],
    dangers: &[&'static str],
    may: impl Fn(&str, Verb) -> bool,
    now: Timestamp,
) -> Result<Vec<Alert>> {
    let mut all = Vec::new();
    if may("sign-ins", Verb::View) {
        for address in addresses.iter().filter(|address| address.failed > TOO_MANY) {
            all.push(Alert {
                rule: "failing_address",
                object: address.ip.clone(),
                amount: 0,
                level: "bad",
                icon: "throttle",
                what: said!(
                    count = address.failed => "{count} failed sign-in from {ip}" | "{count} failed sign-ins from {ip}",
                    ip = address.ip
                ),
                told: Some(said!(
                    count = address.failed =>
                    "<strong>{count} failed sign-in from {ip}</strong> within the last hour, across {names}."
                    | "<strong>{count} failed sign-ins from {ip}</strong> within the last hour, across {names}.",
                    ip = address.ip,
                    names = said!(count = address.names => "{count} name" | "{count} names"),
                )),
                link: (address.link.clone(), key!("Review address")),
            });
        }
        let reused = sign_in::count_of_outcome(conn, sign_in::Outcome::Reused, now - DAY)?;
        if reused > 0 {
            all.push(Alert {
                rule: "token_reused",
                object: String::new(),
                amount: reused,
                level: "bad",
                icon: "token",
                what: said!(
                    count = reused => "{count} spent refresh token came back after use"
                    | "{count} spent refresh tokens came back after use"
                ),
                told: Some(said!(
                    count = reused =>
                    "<strong>{count} spent refresh token came back after use</strong> in the last 24 hours: somebody else has a copy. The sessions were ended."
                    | "<strong>{count} spent refresh tokens came back after use</strong> in the last 24 hours: somebody else has a copy. The sessions were ended."
                )),
                link: ("/admin/sign-ins/?outcome=reused".to_owned(), key!("Open sign-ins")),
            });
        }
    }
    if may("settings", Verb::View) {
        for danger in dangers {
            all.push(Alert {
                rule: "danger",
                object: (*danger).to_owned(),
                amount: 0,
                level: "warn",
                icon: "settings",
                what: Said::of(*danger),
                told: None,
                link: ("/admin/settings/".to_owned(), key!("Open settings")),
            });
        }
    }
    if may("tokens", Verb::View) && token::is_overdue(conn, now - 2 * DAY)? {
        all.push(Alert {
            rule: "tokens_unswept",
            object: String::new(),
            amount: 0,
            level: "warn",
            icon: "token",
            what: said!("Expired tokens wait to be swept"),
            told: Some(said!("<strong>Expired tokens wait to be swept</strong> for more than two days.")),
            link: ("/admin/tokens/?state=expired".to_owned(), key!("Open tokens")),
        });
    }
    if may("api-keys", Verb::View) {
        let ending = api_key::count_ending(conn, now, now + 7 * DAY)?;
        if ending > 0 {
            all.push(Alert {
                rule: "keys_ending",
                object: String::new(),
                amount: ending,
                level: "info",
                icon: "api-key",
                what: said!(
                    count = ending => "{count} API key expires within 7 days" | "{count} API keys expire within 7 days"
                ),
                told: None,
                link: ("/admin/api-keys/".to_owned(), key!("Open API keys")),
            });
        }
    }
    if may("mail", Verb::View) {
        let (lost, waiting) = outbox::count_in_trouble(conn, now - DAY)?;
        if lost > 0 {
            all.push(Alert {
                rule: "mail_failed",
                object: String::new(),
                amount: lost,
                level: "info",
                icon: "mail",
                what: said!(count = lost => "{count} letter was not delivered" | "{count} letters were not delivered"),
                told: Some(said!(
                    count = lost => "<strong>{count} letter was not delivered</strong> in the last 24 hours."
                    | "<strong>{count} letters were not delivered</strong> in the last 24 hours."
                )),
                link: ("/admin/mail/?state=failed".to_owned(), key!("Open e-mail log")),
            });
        }
        if waiting > 0 {
            all.push(Alert {
                rule: "mail_waiting",
                object: String::new(),
                amount: 0,
                level: "warn",
                icon: "mail",
                what: said!(
                    count = waiting => "{count} letter waits after several tries" | "{count} letters wait after several tries"
                ),
                told: Some(said!(
                    count = waiting =>
                    "<strong>{count} letter waits after several tries</strong> The mail server may be away."
                    | "<strong>{count} letters wait after several tries</strong> The mail server may be away."
                )),
                link: ("/admin/mail/?state=waiting".to_owned(), key!("Open e-mail log")),
            });
        }
    }
    // The worst first, whatever looked for it.
    all.sort_by_key(|alert| ["bad", "warn"].iter().position(|level| *level == alert.level).unwrap_or(2));
    Ok(all)
}
