//! `portcullis token inspect`: what a running server makes of a token, and why.

use std::io::Read;

use anyhow::{Context, bail};
use clap::Subcommand;

use crate::auth::inspect::inspect;
use crate::clock::Timestamp;
use crate::settings::Settings;
use crate::site::Site;

use super::{on_site, say};

/// What to do with a token.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    act: Act,
}

#[derive(Subcommand)]
enum Act {
    /// Tells whether a token is good and, if not, why not. It is read from standard input, where no process list shows it;
    /// the exit status is 0 for a good one
    Inspect,
}

/// The longest text that is read: far beyond any token.
const LONGEST: u64 = 64 * 1024;

pub fn run(settings: Settings, arguments: Arguments) -> anyhow::Result<()> {
    let Act::Inspect = arguments.act;
    let mut text = String::new();
    std::io::stdin().take(LONGEST).read_to_string(&mut text).context("cannot read the token from standard input")?;
    on_site(settings, |site| async move { show(&site, &text).await })
}

async fn show(site: &Site, text: &str) -> anyhow::Result<()> {
    let now = site.clock.now();
    let verdict = inspect(&site.gate, &site.grants, text, now).await?;
    match verdict.refused {
        None => say("Accepted")?,
        Some(reject) => {
            say(&format!("Refused: {}", reject.explanation()))?;
            say(&format!("A client is told 401 {}: {}", reject.code(), reject.message()))?;
        }
    }
    let Some(claims) = &verdict.claims else { bail!("the token is refused, and nothing that it says is verified") };
    for (name, value) in claims.object() {
        match claims.moment(name).filter(|_| matches!(name.as_str(), "exp" | "iat" | "nbf" | "refresh_exp")) {
            Some(at) => say(&format!("  {name} = {value}  ({})", distance(at, now)))?,
            None => say(&format!("  {name} = {value}"))?,
        }
    }
    if verdict.refused.is_some() { bail!("the token is refused") } else { Ok(()) }
}

/// A moment for people: when it is, and how far from now.
fn distance(at: Timestamp, now: Timestamp) -> String {
    let whole = |from: Timestamp, to: Timestamp| {
        humantime::format_duration(std::time::Duration::from_secs(to.since(from).as_secs())).to_string()
    };
    let when = Timestamp::from_seconds(at.seconds()).rfc3339();
    if at >= now { format!("{when}, in {}", whole(now, at)) } else { format!("{when}, {} ago", whole(at, now)) }
}
