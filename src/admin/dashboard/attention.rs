//! What needs attention: rules, each of them one indexed query, the worst first. What nobody may look into is not told.

use std::time::Duration;

use crate::admin::layout::segment;
use crate::admin::throttling;
use crate::admin::users::Badge;
use crate::admin::when::{count_words, thousands};
use crate::auth::permissions::{Permission, PermissionSet, Verb};
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::Result;
use crate::model::{api_key, outbox, sign_in, token};

/// One thing that needs attention.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    pub what: String,
    /// More of it.
    pub more: String,
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
    dangers: &[String],
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
    dangers: &[String],
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
                what: format!("{} failed sign-ins from {}", thousands(address.failed), address.ip),
                more: format!("within the last hour, across {}.", count_words(address.names, "name", "names")),
                link: (address.link.clone(), "Review address"),
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
                what: format!(
                    "{} came back after use",
                    count_words(reused, "spent refresh token", "spent refresh tokens")
                ),
                more: "in the last 24 hours: somebody else has a copy. The sessions were ended.".to_owned(),
                link: ("/admin/sign-ins/?outcome=reused".to_owned(), "Open sign-ins"),
            });
        }
    }
    if may("settings", Verb::View) {
        for danger in dangers {
            all.push(Alert {
                rule: "danger",
                object: danger.clone(),
                amount: 0,
                level: "warn",
                icon: "settings",
                what: danger.clone(),
                more: String::new(),
                link: ("/admin/settings/".to_owned(), "Open settings"),
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
            what: "Expired tokens wait to be swept".to_owned(),
            more: "for more than two days.".to_owned(),
            link: ("/admin/tokens/?state=expired".to_owned(), "Open tokens"),
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
                what: format!("{} within 7 days", count_words(ending, "API key expires", "API keys expire")),
                more: String::new(),
                link: ("/admin/api-keys/".to_owned(), "Open API keys"),
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
                what: format!("{} not delivered", count_words(lost, "letter was", "letters were")),
                more: "in the last 24 hours.".to_owned(),
                link: ("/admin/mail/?state=failed".to_owned(), "Open e-mail log"),
            });
        }
        if waiting > 0 {
            all.push(Alert {
                rule: "mail_waiting",
                object: String::new(),
                amount: 0,
                level: "warn",
                icon: "mail",
                what: format!("{} after several tries", count_words(waiting, "letter waits", "letters wait")),
                more: "The mail server may be away.".to_owned(),
                link: ("/admin/mail/?state=waiting".to_owned(), "Open e-mail log"),
            });
        }
    }
    // The worst first, whatever looked for it.
    all.sort_by_key(|alert| ["bad", "warn"].iter().position(|level| *level == alert.level).unwrap_or(2));
    Ok(all)
}
