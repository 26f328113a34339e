//! The threads that run SQL: the writer with its group commit, and the readers.
//!
//! The writer takes a job, opens a transaction, runs the job in a savepoint, runs whatever else has queued meanwhile the
//! same way, commits once and only then answers each job. There is no timer: while one commit waits for the disk, the next
//! batch gathers. A job that fails undoes itself alone.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use crossbeam_channel::Receiver;
use diesel::Connection;
use tokio::sync::oneshot;

use super::AfterCommit;
use super::conn::{Conn, Target, begin, commit, depth, rollback};
use crate::clock::Clock;
use crate::error::{Error, Result};

/// The most jobs that share a commit: enough to share a disk's wait, few enough that the first is not kept waiting.
const BATCH: usize = 64;
/// A batch that has taken so long takes no further job: others wait for its end, some of them in other processes.
const LONGEST: Duration = Duration::from_millis(20);

/// A closure that waits for a connection, and whoever waits for its result.
pub trait Job: Send {
    /// Runs the closure in a savepoint of its own and keeps what it returned.
    fn run_undoably(&mut self, conn: &mut Conn);
    /// Runs the closure as it is; `false` if it failed.
    fn run(&mut self, conn: &mut Conn) -> bool;
    /// Hands the result to whoever waits; `lost` says that the commit failed, whatever the closure returned.
    fn answer(self: Box<Self>, lost: bool);
}

/// The one [`Job`]: typed inside, boxed for the queue.
pub struct Task<T, F> {
    work: Option<F>,
    result: Result<T>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T, F: FnOnce(&mut Conn) -> Result<T>> Task<T, F> {
    /// A job that runs `work` and sends what it returns to `reply`.
    pub fn new(work: F, reply: oneshot::Sender<Result<T>>) -> Self {
        Self { work: Some(work), result: Err(Error::Unavailable), reply }
    }
}

impl<T, F> Job for Task<T, F>
where
    T: Send,
    F: FnOnce(&mut Conn) -> Result<T> + Send,
{
    fn run_undoably(&mut self, conn: &mut Conn) {
        let Some(work) = self.work.take() else { return };
        self.result = catch_unwind(AssertUnwindSafe(|| conn.transaction(work))).unwrap_or_else(|_| {
            // The panic left its savepoints open. What cannot be undone keeps the batch from its commit, which sees to it.
            while depth(conn).is_some_and(|depth| depth > 1) && rollback(conn).is_ok() {}
            Err(Error::internal("a database job panicked"))
        });
    }

    fn run(&mut self, conn: &mut Conn) -> bool {
        let Some(work) = self.work.take() else { return true };
        self.result = catch_unwind(AssertUnwindSafe(|| work(conn)))
            .unwrap_or_else(|_| Err(Error::internal("a database job panicked")));
        self.result.is_ok()
    }

    fn answer(self: Box<Self>, lost: bool) {
        let result = match self.result {
            Ok(_) if lost => Err(Error::Unavailable),
            result => result,
        };
        // Whoever waited may have gone; what was committed stays.
        let _ = self.reply.send(result);
    }
}

/// Starts a thread that writes. The first connection is made here, so that a database that cannot be opened stops the start.
pub fn writer(
    target: Arc<Target>,
    queue: Receiver<Box<dyn Job>>,
    hook: Arc<OnceLock<Box<AfterCommit>>>,
    clock: Clock,
) -> anyhow::Result<()> {
    let mut conn = Some(target.connect()?);
    spawn("writer", move || {
        while let Ok(first) = queue.recv() {
            let mut jobs = Vec::new();
            let outcome = connected(&mut conn, &target)
                .and_then(|conn| batch(conn, first, &mut jobs, (&queue, &clock), hook.get().map(Box::as_ref)));
            if let Err(error) = &outcome {
                log::error!("a commit failed: {error}");
                conn = None; // its state is unknown: the next batch starts on a new one
                // What has queued meanwhile has waited as long, and would wait as long again.
                jobs.extend(queue.try_iter());
            }
            for job in jobs {
                job.answer(outcome.is_err());
            }
        }
    })
}

fn batch(
    conn: &mut Conn,
    first: Box<dyn Job>,
    jobs: &mut Vec<Box<dyn Job>>,
    (queue, clock): (&Receiver<Box<dyn Job>>, &Clock),
    hook: Option<&AfterCommit>,
) -> Result<()> {
    let since = clock.monotonic();
    let begun = begin(conn);
    let mut next = Some(first);
    while let Some(mut job) = next {
        if begun.is_ok() {
            job.run_undoably(conn);
        }
        jobs.push(job);
        let has_room = jobs.len() < BATCH && clock.monotonic().saturating_sub(since) < LONGEST;
        next = if begun.is_ok() && has_room { queue.try_recv().ok() } else { None };
    }
    begun?;
    if depth(conn) != Some(1) {
        return Err(Error::internal("a job has left the transaction in disorder"));
    }
    commit(conn)?;
    hook.map_or(Ok(()), |hook| hook(conn))
}

/// Starts a thread that reads.
pub fn reader(target: Arc<Target>, queue: Receiver<Box<dyn Job>>) -> anyhow::Result<()> {
    let mut conn = Some(target.connect()?);
    spawn("reader", move || {
        while let Ok(mut job) = queue.recv() {
            match connected(&mut conn, &target) {
                Ok(open) => {
                    // Asked after a failure alone: it is a round trip.
                    if !job.run(open) && broken(open) {
                        conn = None;
                    }
                }
                Err(error) => log::error!("no connection to read from: {error}"),
            }
            job.answer(false);
        }
    })
}

/// The thread's connection, made anew if it was lost.
fn connected<'a>(conn: &'a mut Option<Conn>, target: &Target) -> Result<&'a mut Conn> {
    let open = match conn.take() {
        Some(open) => open,
        None => target.connect().map_err(|error| {
            log::error!("{error:#}");
            Error::Unavailable
        })?,
    };
    Ok(conn.insert(open))
}

/// Whether a PostgreSQL connection was lost; a SQLite one cannot be.
fn broken(conn: &mut Conn) -> bool {
    use diesel::connection::SimpleConnection;
    matches!(conn, Conn::Postgres(_)) && conn.batch_execute("").is_err()
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> anyhow::Result<()> {
    thread::Builder::new().name(name.into()).spawn(body).context("cannot start a database thread")?;
    Ok(())
}
