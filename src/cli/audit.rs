//! `portcullis audit verify`: whether the audit log is as this server wrote it.

use anyhow::{Context, bail, ensure};
use clap::Subcommand;

use crate::settings::Settings;
use crate::site::Site;

use super::{in_words, on_site, say};

/// What to do with the log.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    act: Act,
}

#[derive(Subcommand)]
enum Act {
    /// Walks the log from its first entry to its last and names the first that is not as it was written; the exit status is
    /// then 1
    Verify {
        /// An end that an earlier run has printed: is it still in the log? Tells whether the whole database was put back
        #[arg(long, value_name = "ID:HASH")]
        noted: Option<String>,
    },
}

pub fn run(settings: Settings, arguments: Arguments) -> anyhow::Result<()> {
    let Act::Verify { noted } = arguments.act;
    let noted = noted.map(|text| parse(&text)).transpose()?;
    on_site(settings, |site| async move { verify(&site, noted).await })
}

fn parse(text: &str) -> anyhow::Result<(i64, String)> {
    let (id, hash) = text.split_once(':').context("--noted takes ID:HASH, as an earlier run has printed it")?;
    Ok((id.parse().context("--noted begins with the number of an entry")?, hash.to_owned()))
}

async fn verify(site: &Site, noted: Option<(i64, String)>) -> anyhow::Result<()> {
    let chain = site.audit.clone();
    let walk = match site.db.read(move |conn| chain.verify(conn)).await.map_err(in_words)? {
        Ok(walk) => walk,
        Err(broken) => bail!("the audit log does not hold: {broken}"),
    };
    if let Some((id, hash)) = noted {
        let chain = site.audit.clone();
        let found = site.db.read(move |conn| chain.has(conn, id, &hash)).await.map_err(in_words)?;
        ensure!(found != Some(false), "the audit log does not hold: entry {id} is not the one that was noted");
        if found.is_none() {
            say(&format!(
                "entry {id} was swept away, as audit.keep has it: what was noted of it tells nothing any more"
            ))?;
        }
    }
    let Some((first, last)) = walk.span else { return say("the audit log holds: it has no entries yet") };
    say(&format!("the audit log holds: {} entries, from {} to {}", walk.entries, first.rfc3339(), last.rfc3339()))?;
    if walk.swept > 0 {
        say(&format!("{} older ones were swept away, as audit.keep has it", walk.swept))?;
    }
    say(&format!("its end, to be noted elsewhere: {}:{}", walk.head.0, walk.head.1))
}
