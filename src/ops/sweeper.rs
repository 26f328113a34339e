//! Clears away what has expired: in small batches, so that no request waits for it.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::db::{Db, search};
use crate::error::Result;
use crate::model::{change, idempotency, outbox, token, used_letter};
use crate::ops::{audit, jobs};
use crate::site::Site;

pub use crate::model::token::SLACK;

/// How often a server sweeps.
pub const EVERY: Duration = Duration::from_secs(60);
/// Rows of one transaction: a request waits some three milliseconds for it; for five hundred it would be forty.
const BATCH: i64 = 50;

/// What one sweep cleared away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Refresh and sliding tokens, with their places on the blacklist.
    pub tokens: usize,
    /// Sessions that have no token left.
    pub sessions: usize,
    /// Entries of the change log.
    pub changes: usize,
    /// Letters that are done with, and marks of their tokens.
    pub letters: usize,
    /// First answers to requests that might have been sent again.
    pub answers: usize,
}

/// Deletes what expired before `now`, batch by batch; `progress` is told the count of tokens after each.
///
/// # Errors
/// The database's.
pub async fn sweep(db: &Db, now: Timestamp, mut progress: impl FnMut(usize)) -> Result<Swept> {
    let before = now - SLACK;
    let mut swept = Swept::default();
    loop {
        let (tokens, sessions) = db.write(move |conn| token::purge(conn, before, BATCH)).await?;
        swept.tokens += tokens;
        swept.sessions += sessions;
        progress(swept.tokens);
        if tokens == 0 {
            break;
        }
        tokio::task::yield_now().await;
    }
    loop {
        let gone = db.write(move |conn| change::purge(conn, before, BATCH)).await?;
        swept.changes += gone;
        if gone == 0 {
            break;
        }
    }
    loop {
        let gone =
            db.write(move |conn| Ok(outbox::purge(conn, before, BATCH)? + used_letter::purge(conn, before, BATCH)?));
        let gone = gone.await?;
        swept.letters += gone;
        if gone == 0 {
            break;
        }
    }
    loop {
        let gone = db.write(move |conn| idempotency::purge(conn, before, BATCH)).await?;
        swept.answers += gone;
        if gone == 0 {
            return Ok(swept);
        }
    }
}

/// Sweeps memory and database for as long as the server runs.
pub async fn run(site: actix_web::web::Data<Site>) {
    loop {
        tokio::time::sleep(EVERY).await;
        let now = site.clock.now();
        site.memory.revocations.sweep(now);
        match sweep(&site.db, now, |_| ()).await {
            Ok(swept) if swept != Swept::default() => log::info!("swept {swept:?}"),
            Ok(_) => {}
            Err(error) => log::error!("the sweep failed, and is tried again in a minute: {error}"),
        }
        if let Err(error) = audit::sweep(&site).await {
            log::error!("the audit log could not be swept, which is tried again in a minute: {error}");
        }
        if let Err(error) = jobs::sweep(&site).await {
            log::error!("old jobs could not be cleared away, which is tried again in a minute: {error}");
        }
        if let Err(error) = audit::sweep_sign_ins(&site).await {
            log::error!("old sign-ins could not be cleared away, which is tried again in a minute: {error}");
        }
        if let Err(error) = search::tidy(&site.db).await {
            log::error!("the indexes of search could not be merged, which is tried again in a minute: {error}");
        }
    }
}
