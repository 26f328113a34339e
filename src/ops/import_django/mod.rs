//! Moves users, groups and tokens of a Django backend over: from its database or from what `dumpdata` wrote.
//!
//! Batch by batch, each one transaction, so that a server beside it answers meanwhile; what is here already is left as it
//! is, so that a run that was interrupted is simply run again. Ids are kept, since tokens carry them.

mod database;
mod dump;
mod people;
mod record;
pub mod report;
mod roles;
pub mod source;
mod tokens;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::auth::grants::Grants;
use crate::clock::{Clock, Timestamp};
use crate::db::{Conn, Db};
use crate::error::Result;
use crate::model::import;
use crate::model::session::Ended;
use crate::settings::Jwt;

use people::People;
use report::Report;
use roles::{Mapped, Roles};
use source::Source;
use tokens::Tokens;

/// Sessions of deleted accounts that are ended in one transaction.
const ORPHANS: i64 = 50;
/// After a batch others have as long as it took, and at most this.
const LONGEST_TURN: Duration = Duration::from_millis(50);
/// No row has an id as low.
const BEFORE_ALL: i64 = -i64::MAX;

/// An import: where to, and whether anything is written.
pub struct Import {
    /// The database.
    pub db: Db,
    /// Ends sessions.
    pub grants: Grants,
    /// The time.
    pub clock: Clock,
    /// For the lifetimes.
    pub jwt: Jwt,
    /// Nothing is written, and all is reported.
    pub dry: bool,
    /// A server runs on the same database, and others have their turn after each batch.
    pub beside_server: bool,
}

/// What goes from one batch to the next.
struct Progress {
    roles: Roles,
    people: People,
    tokens: Tokens,
    report: Report,
}

impl Import {
    /// Runs it to its end; `told` hears after each batch how many rows were looked at.
    ///
    /// # Errors
    /// What cannot be read there or written here. What was taken until then stays.
    pub async fn run(&self, mut source: Source, mut told: impl FnMut(usize)) -> anyhow::Result<Report> {
        let now = self.clock.now();
        let people = People {
            name_field: source.name_field(),
            grants: self.grants.clone(),
            now,
            writes: !self.dry,
            ids: HashSet::new(),
            names: HashMap::new(),
        };
        let tokens = Tokens::new(self.grants.clone(), &self.jwt, now);
        let mut progress = Progress { roles: Roles::default(), people, tokens, report: Report::default() };

        let orphans = self.end_orphans(now).await?;
        if orphans > 0 {
            progress.report.changed += orphans;
            progress.report.note(format!("sessions that deleted accounts have left are ended: {orphans}"));
        }
        // First of all: whoever registers meanwhile must not get an id that is about to be taken.
        let highest = source.highest_user()?;
        if !self.dry && highest > 0 {
            self.db.write(move |conn| import::reserve_ids(conn, highest)).await?;
        }
        for group in source.groups()? {
            let group = Mapped::of(&group, &source);
            progress = self
                .step(progress, move |conn, progress| {
                    let Progress { roles, people, report, .. } = progress;
                    roles.take(conn, group, people.writes, people.now, report)
                })
                .await?;
        }
        let mut after = BEFORE_ALL;
        loop {
            let batch = source.people(after)?;
            let Some(last) = batch.last().and_then(|person| person.record.int("id")) else { break };
            after = last;
            progress = self
                .step(progress, move |conn, progress| {
                    let Progress { roles, people, report, .. } = progress;
                    batch.iter().try_for_each(|person| people.take(conn, person, roles, report))
                })
                .await?;
            told(progress.report.seen());
        }
        let mut after = BEFORE_ALL;
        loop {
            let batch = source.tokens(after)?;
            let Some(last) = batch.last() else { break };
            after = last.id;
            progress = self
                .step(progress, move |conn, progress| {
                    let Progress { people, tokens, report, .. } = progress;
                    batch.iter().try_for_each(|minted| tokens.take(conn, minted, people, report))
                })
                .await?;
            told(progress.report.seen());
        }
        Ok(progress.report)
    }

    /// One batch as one transaction; in a dry run it only reads.
    async fn step(
        &self,
        mut progress: Progress,
        work: impl FnOnce(&mut Conn, &mut Progress) -> Result<()> + Send + 'static,
    ) -> Result<Progress> {
        let work = move |conn: &mut Conn| work(conn, &mut progress).map(|()| progress);
        if self.dry {
            return self.db.read(work).await;
        }
        let start = self.clock.monotonic();
        let progress = self.db.write(work).await?;
        if self.beside_server {
            let took = self.clock.monotonic().saturating_sub(start);
            tokio::time::sleep(took.min(LONGEST_TURN)).await;
        }
        Ok(progress)
    }

    /// Ends the sessions that deleted accounts have left: their tokens name ids, which an import may give again.
    async fn end_orphans(&self, now: Timestamp) -> Result<usize> {
        if self.dry {
            return self.db.read(move |conn| Ok(import::orphans(conn, now, i64::MAX)?.len())).await;
        }
        let mut ended = 0;
        loop {
            let grants = self.grants.clone();
            let batch = move |conn: &mut Conn| {
                let orphans = import::orphans(conn, now, ORPHANS)?;
                for session in &orphans {
                    import::end_orphan(conn, *session, now)?;
                    grants.ended_in(conn, *session, None, Ended::ByAdmin, None, now)?;
                }
                Ok(orphans.len())
            };
            match self.db.write(batch).await? {
                0 => return Ok(ended),
                some => ended += some,
            }
        }
    }
}
