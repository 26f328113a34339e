//! What a million ended sessions cost in memory, and asking whether a session is among them.

use std::hint::black_box;
use std::time::{Duration, Instant};

use portcullis::auth::revocations::Revocations;
use portcullis::clock::Clock;
use portcullis::model::session::SessionId;

use crate::support::process::memory_of;
use crate::support::{median, nanos, p99, row};

const ENTRIES: usize = 1_000_000;

pub fn run() {
    let sessions: Vec<SessionId> = (0..ENTRIES).map(|_| SessionId::random().unwrap()).collect();
    let until = Clock::system().now() + Duration::from_secs(3600);
    let ended = Revocations::default();
    let (before, begun) = (memory_of("self", "RssAnon"), Instant::now());
    for session in &sessions {
        ended.note(*session, until);
    }
    let insert = begun.elapsed().as_nanos() as f64 / ENTRIES as f64;
    let bytes = (memory_of("self", "RssAnon") - before) * 1024.0 * 1024.0 / ENTRIES as f64;
    row("1 M ended sessions: bytes each", format!("{bytes:.0}"));
    row("insert", format!("{insert:.0} ns"));

    // In another order than they came, so that no cache helps.
    let mut at = 0;
    let mut next = || {
        at = (at + 700_001) % ENTRIES;
        sessions[at]
    };
    row("look-up, one that is there", format!("{:.0} ns", nanos(|| assert!(ended.covers(black_box(next()))))));
    let stranger = SessionId::random().unwrap();
    row("look-up, one that is not", format!("{:.0} ns", nanos(|| assert!(!ended.covers(black_box(stranger))))));
    let mut one = || {
        let (session, begun) = (next(), Instant::now());
        assert!(ended.covers(session));
        begun.elapsed().as_nanos() as f64
    };
    let rounds = (0..5).map(|_| p99((0..200_000).map(|_| one()).collect())).collect();
    row("look-up, p99 (with the clock's own time)", format!("{:.0} ns", median(rounds)));
}
