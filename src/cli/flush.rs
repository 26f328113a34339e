//! `portcullis flushexpiredtokens`: what has expired is deleted, with a word on how far it has come.

use std::io::{IsTerminal, Write};

use crate::ops::sweeper;
use crate::settings::Settings;

use super::{on_site, say};

pub fn run(settings: Settings) -> anyhow::Result<()> {
    on_site(settings, |site| async move {
        let mut stderr = std::io::stderr();
        let shows = stderr.is_terminal();
        let swept = sweeper::sweep(&site.db, site.clock.now(), |tokens| {
            if shows {
                let _ = write!(stderr, "\r{tokens} tokens …"); // progress is a courtesy
            }
        });
        let swept = swept.await?;
        if shows {
            let _ = write!(std::io::stderr(), "\r");
        }
        say(&format!("deleted {} expired tokens and {} sessions", swept.tokens, swept.sessions))
    })
}
