//! Keeps the counts of rates for the next start, and clears away what counts no longer, of those that several servers keep
//! together too.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::db::Db;
use crate::error::Result;
use crate::model::{shared_count, throttle_count, throttled};
use crate::site::Site;

/// How often what was counted is written: so much `kill -9` can make forgotten.
pub const EVERY: Duration = Duration::from_secs(1);
/// How often what counts no longer is cleared away.
const SWEEP_EVERY: u32 = 60;
/// Rows of one transaction, so that a request waits for milliseconds.
const BATCH: usize = 50;

/// Writes what was counted since the last time, a row for each who has asked; returns how many rows that were. Whoever is
/// left over when very many ask is written the next time.
///
/// # Errors
/// The database's; what could not be written is among what is written next.
pub async fn keep(site: &Site) -> Result<usize> {
    let counted = site.throttle.memory().counted(site.clock.monotonic(), site.clock.now());
    for (number, batch) in counted.chunks(BATCH).enumerate() {
        let rows = batch.to_vec();
        if let Err(error) = site.db.write(move |conn| throttle_count::store(conn, &rows)).await {
            site.throttle.memory().not_kept(counted.get(number * BATCH..).unwrap_or_default());
            return Err(error);
        }
        tokio::task::yield_now().await;
    }
    Ok(counted.len())
}

/// Writes down who was refused since the last time; returns how many rows that were.
///
/// # Errors
/// The database's; what could not be written is among what is written next.
pub async fn write_down(site: &Site) -> Result<usize> {
    let mut waiting = site.throttle.refusals().take();
    let mut written = 0;
    while !waiting.is_empty() {
        let rest = waiting.split_off(waiting.len().min(BATCH));
        let batch = std::mem::replace(&mut waiting, rest);
        let rows = batch.clone();
        if let Err(error) = site.db.write(move |conn| throttled::note(conn, &rows)).await {
            site.throttle.refusals().not_written(batch.into_iter().chain(waiting).collect());
            return Err(error);
        }
        written += batch.len();
        tokio::task::yield_now().await;
    }
    Ok(written)
}

/// Writes all that was counted, whoever has been left over: for a stop.
///
/// # Errors
/// The database's.
pub async fn keep_all(site: &Site) -> Result<()> {
    while keep(site).await? > 0 {}
    write_down(site).await.map(drop)
}

/// Deletes what counts no longer at `now`, batch by batch; returns how many rows that were.
///
/// # Errors
/// The database's.
pub async fn sweep(db: &Db, now: Timestamp) -> Result<usize> {
    let (mut swept, batch) = (0, BATCH.try_into().unwrap_or(i64::MAX));
    loop {
        let purge = move |conn: &mut _| {
            let refusals = throttled::purge(conn, now, batch)?;
            Ok(refusals + throttle_count::purge(conn, now, batch)? + shared_count::purge(conn, now.micros(), batch)?)
        };
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
            log::error!("counted requests could not be written, which is tried again in a second: {error}");
        }
        if let Err(error) = write_down(&site).await {
            log::error!("who was refused could not be written down, which is tried again in a second: {error}");
        }
        round = round.wrapping_add(1);
        if !round.is_multiple_of(SWEEP_EVERY) {
            continue;
        }
        site.throttle.memory().forget(site.clock.monotonic());
        if let Err(error) = sweep(&site.db, site.clock.now()).await {
            log::error!("old counts could not be cleared away, which is tried again in a minute: {error}");
        }
    }
}
