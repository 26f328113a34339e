//! Clears away what the audit log, and the log of sign-ins, have kept for as long as it is to be kept.

use std::time::Duration;

use crate::error::Result;
use crate::model::audit::list;
use crate::model::sign_in;
use crate::site::Site;

/// Entries of one transaction, which is an entry itself.
const BATCH: i64 = 500;
/// Only what is older by so much begins a sweep, which then takes a day's entries at once: else each minute's sweep would
/// add an entry for the few that it takes, and the log would keep itself alive.
const SLACK: Duration = Duration::from_secs(24 * 60 * 60);

/// Deletes the entries that are older than `audit.keep`, once the oldest is so by a day; returns how many went.
///
/// # Errors
/// The database's.
pub async fn sweep(site: &Site) -> Result<usize> {
    let now = site.clock.now();
    let before = now - site.settings.audit.keep;
    let oldest = site.db.read(list::oldest).await?;
    if oldest.is_none_or(|oldest| oldest >= before - SLACK) {
        return Ok(0);
    }
    let mut swept = 0;
    loop {
        let chain = site.audit.clone();
        let gone = site.db.write(move |conn| chain.purge(conn, before, BATCH, now)).await?;
        swept += gone;
        if gone == 0 {
            return Ok(swept);
        }
        tokio::task::yield_now().await;
    }
}

/// Attempts to sign in of one transaction: a request waits some milliseconds for it.
const SIGN_INS: i64 = 50;

/// Deletes the attempts to sign in that are older than `audit.keep_sign_ins`; returns how many went.
///
/// # Errors
/// The database's.
pub async fn sweep_sign_ins(site: &Site) -> Result<usize> {
    let before = site.clock.now() - site.settings.audit.keep_sign_ins;
    let mut swept = 0;
    loop {
        let gone = site.db.write(move |conn| sign_in::purge(conn, before, SIGN_INS)).await?;
        swept += gone;
        if gone == 0 {
            return Ok(swept);
        }
        tokio::task::yield_now().await;
    }
}
