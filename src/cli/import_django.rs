//! `portcullis import-django`: a Django backend's users, groups and tokens, taken over beside a running server.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use clap::ArgGroup;

use crate::model::audit::{Change, Outcome};
use crate::model::change;
use crate::ops::import_django::Import;
use crate::ops::import_django::report::Report;
use crate::ops::import_django::source::{Source, UserModel};
use crate::settings::Settings;
use crate::site::Site;

use super::{audits, confirm, in_words, on_site, say};

/// Where from, and how.
#[derive(clap::Args)]
#[command(group = ArgGroup::new("users"))]
pub struct Arguments {
    /// The Django database, a SQLite file or postgres://…, or a file that `manage.py dumpdata` wrote; it is only read
    source: String,
    /// Changes nothing, and reports what would be done
    #[arg(long)]
    dry_run: bool,
    /// The model of the users, where there are several: accounts.User
    #[arg(long, value_name = "APP.MODEL", group = "users")]
    user_model: Option<String>,
    /// The table of the users, if it has a name of its own
    #[arg(long, value_name = "TABLE", group = "users")]
    user_table: Option<String>,
}

/// One entry of the audit log for all that was taken over; of an import that was interrupted, that it was.
async fn note(site: &Site, report: Option<&Report>) -> anyhow::Result<()> {
    let audit = audits(site, "import.django");
    let audit = match report {
        Some(report) if report.is_empty() => return Ok(()),
        Some(report) => audit.with([
            Change::fact("roles", report.roles.taken),
            Change::fact("users", report.users.taken),
            Change::fact("tokens", report.tokens.taken),
            Change::fact("changed", report.changed),
        ]),
        None => audit.came_to(Outcome::Failed),
    };
    site.db.write(move |conn| audit.append(conn)).await.map_err(in_words)
}

/// Progress is shown as often.
const EVERY: Duration = Duration::from_millis(200);

pub fn run(settings: Settings, arguments: Arguments) -> anyhow::Result<()> {
    let Arguments { source, dry_run: dry, user_model, user_table } = arguments;
    let users = user_model.map(UserModel::Model).or_else(|| user_table.map(UserModel::Table));
    on_site(settings, |site| async move {
        let source = Source::open(&source, users)?;
        let (db, grants, clock) = (site.db.clone(), site.grants.clone(), site.clock.clone());
        let beside_server = site.data_dir.is_served()? || !site.db.is_single();
        let import = Import { db, grants, clock, jwt: site.settings.jwt.clone(), dry, beside_server };
        let mut stderr = std::io::stderr();
        let (shows, mut shown) = (stderr.is_terminal(), site.clock.monotonic());
        let before = site.db.read(change::position).await.map_err(in_words)?;
        let report = import.run(source, |rows| {
            let now = site.clock.monotonic();
            if shows && now >= shown + EVERY {
                shown = now;
                let _ = write!(stderr, "\r{rows} rows …"); // progress is a courtesy
            }
        });
        let report = report.await;
        if !dry {
            note(&site, report.as_ref().ok()).await?;
        }
        let report = report?;
        if shows {
            let _ = write!(std::io::stderr(), "\r");
        }
        for line in report.lines() {
            say(&line)?;
        }
        let after = site.db.read(change::position).await.map_err(in_words)?;
        if after > before {
            confirm(&site, after).await?;
        }
        match (report.is_empty(), dry) {
            (true, _) => say("nothing to do: all of it is here already, or was refused"),
            (false, true) => say("a dry run: nothing was changed"),
            (false, false) => Ok(()),
        }
    })
}
