//! Carries on the acts on more rows than a request does: one at a time, slice by slice, with room for others between.

use std::time::Duration;

use actix_web::web::Data;
use tokio::time::timeout;

use crate::admin::bulk::job;
use crate::db::search;
use crate::error::{Error, Result};
use crate::model::bulk_job;
use crate::site::Site;

/// How often one looks whether a job waits, when nobody rings: for those of a process that is gone.
const ROUND: Duration = Duration::from_secs(5);
/// A slice that fails so often in a row ends its job.
const TRIES: usize = 3;
/// How long the report of a job is kept after its end.
const KEPT: Duration = Duration::from_secs(90 * 86_400);

/// Carries jobs on for as long as the server runs.
pub async fn run(site: Data<Site>) {
    let mut name = [0; 8];
    if aws_lc_rs::rand::fill(&mut name).is_err() {
        log::error!("the system has no random bytes: no job is carried on");
        return;
    }
    let runner = hex::encode(name);
    loop {
        if let Err(error) = run_due(&site, &runner).await {
            log::error!("jobs cannot be carried on, which is tried again in a moment: {error}");
        }
        // Elapsed or rung, both end the rest.
        let _ = timeout(ROUND, site.jobs.notified()).await;
    }
}

/// Carries on all that wait, to their ends.
///
/// # Errors
/// The database's, while it cannot be reached; the jobs wait.
pub async fn run_due(site: &Site, runner: &str) -> Result<()> {
    loop {
        let (now, me) = (site.clock.now(), runner.to_owned());
        if !site.db.read(move |conn| bulk_job::is_any_waiting(conn, &me, now)).await? {
            return Ok(());
        }
        let me = runner.to_owned();
        let Some(id) = site.db.write(move |conn| bulk_job::take(conn, &me, now)).await? else { return Ok(()) };
        log::info!("carrying on the job {id}");
        carry_to_its_end(site, id, runner).await?;
    }
}

async fn carry_to_its_end(site: &Site, id: i64, runner: &str) -> Result<()> {
    let mut faults = 0;
    loop {
        match job::carry_on(site, id, runner).await {
            Ok(true) => {
                faults = 0;
                // So many rows are more than the sweep of a minute reckons with.
                if let Err(error) = search::tidy(&site.db).await {
                    log::error!("the indexes of search could not be merged, which is left to the sweep: {error}");
                }
            }
            Ok(false) => return Ok(()),
            Err(Error::Unavailable) => return Err(Error::Unavailable),
            Err(error) => {
                log::error!("a slice of the job {id} failed: {error}");
                faults += 1;
                if faults == TRIES {
                    return job::give_up(site, id).await;
                }
            }
        }
        // Others' turn: the writer takes what has queued meanwhile.
        tokio::task::yield_now().await;
    }
}

/// Deletes reports of jobs that ended long ago.
///
/// # Errors
/// The database's.
pub async fn sweep(site: &Site) -> Result<()> {
    let before = site.clock.now() - KEPT;
    while site.db.write(move |conn| bulk_job::purge(conn, before)).await? > 0 {}
    Ok(())
}
