//! `portcullis flushexpiredtokens`: what has expired is deleted, with a word on how far it has come.

use std::io::{IsTerminal, Write};

use crate::model::audit::Change;
use crate::ops::sweeper;
use crate::settings::Settings;

use super::{audits, on_site, say};

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
        if swept.tokens + swept.sessions > 0 {
            let counts = [Change::fact("tokens", swept.tokens), Change::fact("sessions", swept.sessions)];
            let audit = audits(&site, "token.flush").with(counts);
            site.db.write(move |conn| audit.append(conn)).await?;
        }
        say(&format!("deleted {} expired tokens and {} sessions", swept.tokens, swept.sessions))
    })
}
