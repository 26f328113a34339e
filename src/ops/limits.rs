//! Keeps the counts of failed sign-ins for the next start, and clears away what counts no longer.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::db::Db;
use crate::error::Result;
use crate::model::{known_address, sign_in_failure};
use crate::site::Site;

/// How often what has changed is written: so much `kill -9` can make forgotten.
pub const EVERY: Duration = Duration::from_secs(1);
/// How often what counts no longer is cleared away.
const SWEEP_EVERY: u32 = 60;
/// Rows of one transaction, so that a request waits for milliseconds.
const BATCH: usize = 50;

/// Writes what has changed since the last time; returns how many rows that were.
///
/// # Errors
/// The database's; what could not be written is among what is written next.
pub async fn keep(site: &Site) -> Result<usize> {
    let changed = site.sign_in.limits().changed();
    for (number, batch) in changed.chunks(BATCH).enumerate() {
        let rows = batch.to_vec();
        if let Err(error) = site.db.write(move |conn| sign_in_failure::store(conn, &rows)).await {
            site.sign_in.limits().not_kept(changed.get(number * BATCH..).unwrap_or_default());
            return Err(error);
        }
        tokio::task::yield_now().await;
    }
    Ok(changed.len())
}

/// Writes the failed sign-ins of the last second down; returns how many rows that were.
///
/// # Errors
/// The database's; what could not be written is among what is written next.
pub async fn write_down(site: &Site) -> Result<usize> {
    let mut waiting = site.sign_in.attempts().take();
    let mut written = 0;
    while !waiting.is_empty() {
        let rest = waiting.split_off(waiting.len().min(BATCH));
        let batch = Arc::new(waiting);
        waiting = rest;
        let (attempts, rows) = (site.sign_in.attempts().clone(), batch.clone());
        if let Err(error) = site.db.write(move |conn| attempts.write(conn, &rows)).await {
            site.sign_in.attempts().not_written(waiting);
            if let Ok(batch) = Arc::try_unwrap(batch) {
                site.sign_in.attempts().not_written(batch);
            }
            return Err(error);
        }
        written += batch.len();
        tokio::task::yield_now().await;
    }
    Ok(written)
}

/// Deletes what counts no longer at `now`, batch by batch; returns how many rows that were.
///
/// # Errors
/// The database's.
pub async fn sweep(db: &Db, now: Timestamp) -> Result<usize> {
    let (mut swept, batch) = (0, BATCH.try_into().unwrap_or(i64::MAX));
    loop {
        let purge =
            move |conn: &mut _| Ok(sign_in_failure::purge(conn, now, batch)? + known_address::purge(conn, now, batch)?);
        let gone = db.write(purge).await?;
        swept += gone;
        if gone == 0 {
            return Ok(swept);
        }
        tokio::task::yield_now().await;
    }
}

/// Keeps and sweeps for as long as the server runs.
pub async fn run(site: actix_web::web::Data<Site>) {
    let mut round: u32 = 0;
    loop {
        tokio::time::sleep(EVERY).await;
        if let Err(error) = keep(&site).await {
            log::error!("failed sign-ins could not be written, which is tried again in a second: {error}");
        }
        if let Err(error) = write_down(&site).await {
            log::error!("failed sign-ins could not be written down, which is tried again in a second: {error}");
        }
        round = round.wrapping_add(1);
        if round.is_multiple_of(SWEEP_EVERY)
            && let Err(error) = sweep(&site.db, site.clock.now()).await
        {
            log::error!("old sign-ins could not be cleared away, which is tried again in a minute: {error}");
        }
    }
}
