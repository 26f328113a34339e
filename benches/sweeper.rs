//! A million expired sessions drain: how long that takes, and what requests feel of it.

use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use futures_util::future::{Either, select};
use portcullis::model::session::Device;
use portcullis::ops::sweeper;
use portcullis::site::Site;

use crate::support::{block_on, folder, median, p99, row, site, user};

const ROWS: usize = 1_000_000;

pub fn run() {
    let folder = folder();
    let site = site(&folder);
    let refresh = user(&site, "ann", "correct horse 9", 1).remove(0).refresh;
    block_on(async {
        fill(&site).await;
        let mut quiet = Vec::new();
        let refresh = refreshes(&site, refresh, &mut quiet, 1000).await;
        let (begun, mut waits) = (Instant::now(), Vec::new());
        let sweep = Box::pin(sweeper::sweep(&site.db, site.clock.now(), |_| ()));
        let requests = Box::pin(refreshes(&site, refresh, &mut waits, usize::MAX));
        let Either::Left((swept, requests)) = select(sweep, requests).await else { panic!("requests have an end") };
        let (swept, took) = (swept.unwrap(), begun.elapsed().as_secs_f64());
        drop(requests);
        assert_eq!((swept.tokens, swept.sessions), (ROWS, ROWS));
        let rate = (swept.tokens + swept.sessions + swept.changes) as f64 / took;
        row("1 M expired sessions, tokens and log entries drain in", format!("{took:.0} s, {rate:.0} rows a second"));
        let told = |waits: &[f64]| format!("{:.1} ms, p99 {:.1} ms", median(waits.to_vec()), p99(waits.to_vec()));
        row("a refresh before, p50", told(&quiet));
        row("a refresh meanwhile, p50", format!("{} ({} of them)", told(&waits), waits.len()));
    });
}

/// Sessions of nobody, each with one token; all have expired long ago. Their ids are random, as real ones are.
async fn fill(site: &Site) {
    let long_ago = (site.clock.now() - Duration::from_secs(2 * 86400)).micros();
    let numbers = format!("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})");
    let rows = format!(
        "INSERT INTO sessions (id, generation, kind, started_at, last_seen_at, expires_at)
            {numbers} SELECT substr(hex(randomblob(11)), 1, 22), 0, 'pair', 0, 0, {long_ago} FROM n;
         INSERT INTO outstanding_tokens (jti, session_id, kind, created_at, expires_at)
            SELECT lower(hex(randomblob(16))), id, 'refresh', 0, {long_ago} FROM sessions WHERE user_id IS NULL;
         INSERT INTO changes (kind, subject, at, until)
            SELECT 'user', '0', 0, {long_ago} FROM sessions WHERE user_id IS NULL;"
    );
    site.db.write(move |conn| Ok(conn.batch_execute(&rows)?)).await.unwrap();
}

/// Refreshes one after the other, and notes the milliseconds of each.
async fn refreshes(site: &Site, mut refresh: String, waits: &mut Vec<f64>, count: usize) -> String {
    for _ in 0..count {
        let begun = Instant::now();
        refresh = site.grants.refresh(&refresh, Device::default()).await.unwrap().refresh.unwrap();
        waits.push(begun.elapsed().as_secs_f64() * 1000.0);
    }
    refresh
}
