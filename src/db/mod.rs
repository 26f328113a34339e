//! The database: reads and writes as closures, and the only place that knows there are two kinds of it.
//!
//! Everything runs on threads of our own. A write is one closure and one transaction, answered after its commit: one thread
//! owns the one writing connection and commits whatever has gathered meanwhile together ([`worker`]). On PostgreSQL the
//! writers of several processes take turns by a lock. Callers cannot tell.

mod conn;
pub mod counts;
pub mod foreign;
pub mod keyset;
pub mod migrate;
mod rows;
pub mod schema;
pub mod search;
pub mod sql;
pub mod tally;
pub mod way;
mod worker;

use std::sync::{Arc, OnceLock};

use crossbeam_channel::{Sender, TrySendError, bounded};
use tokio::sync::oneshot;

pub use conn::{Conn, MultiBackend as Backend, Target, data_version, in_transaction};

use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::language;
use worker::{Job, Task};

/// What is done after each commit and before its writes are answered, on the connection that made them.
pub type AfterCommit = dyn Fn(&mut Conn) -> Result<()> + Send + Sync;

/// How many jobs may wait for a thread; one more is refused, and the client told to come again.
const QUEUE: usize = 4096;

/// A handle to the database. Cheap to clone; the threads end when the last one is gone.
#[derive(Clone)]
pub struct Db {
    target: Arc<Target>,
    writes: Sender<Box<dyn Job>>,
    reads: Sender<Box<dyn Job>>,
    after_commit: Arc<OnceLock<Box<AfterCommit>>>,
}

impl Db {
    /// Opens the database that `url` names (`sqlite://path` or `postgres://…`), with `readers` threads for reads. The
    /// schema is left as it is found: see [`migrate::run`]. By `clock` goes how long a transaction gathers writes.
    ///
    /// # Errors
    /// The connection's own words if it cannot be opened.
    pub fn open(url: &str, readers: usize, clock: &Clock) -> anyhow::Result<Self> {
        let target = Arc::new(Target::parse(url)?);
        target.look()?;
        let after_commit = Arc::new(OnceLock::new());
        let (writes, write_queue) = bounded(QUEUE);
        let (reads, read_queue) = bounded(QUEUE);
        worker::writer(target.clone(), write_queue, after_commit.clone(), clock.clone())?;
        for _ in 0..readers {
            worker::reader(target.clone(), read_queue.clone())?;
        }
        Ok(Self { target, writes, reads, after_commit })
    }

    /// The database's address.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Whether one server alone can use it: a SQLite file.
    pub fn is_single(&self) -> bool {
        matches!(*self.target, Target::Sqlite(_))
    }

    /// Sets what follows every commit. Set once, when the site opens; a second call changes nothing.
    pub fn after_commit(&self, hook: Box<AfterCommit>) {
        if self.after_commit.set(hook).is_err() {
            log::warn!("the database already has its hook");
        }
    }

    /// Runs `work` on a reading connection.
    ///
    /// # Errors
    /// What `work` returns; [`Error::Unavailable`] if the database cannot be reached or too much is waiting.
    pub async fn read<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Conn) -> Result<T> + Send + 'static,
    {
        enqueue(&self.reads, work).await
    }

    /// Runs `work` as one transaction and returns after its commit; an `Err` undoes all of it.
    ///
    /// # Errors
    /// What `work` returns; [`Error::Unavailable`] if it could not be committed.
    pub async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Conn) -> Result<T> + Send + 'static,
    {
        enqueue(&self.writes, work).await
    }

    /// Has `work` written as [`Db::write`] does, and waits for nothing: for notes that nobody is told of. What goes wrong is
    /// a line in the log.
    pub fn write_later<F>(&self, work: F)
    where
        F: FnOnce(&mut Conn) -> Result<()> + Send + 'static,
    {
        let noted =
            move |conn: &mut Conn| work(conn).inspect_err(|error| log::warn!("a note was not written: {error}"));
        let (reply, _) = oneshot::channel();
        if self.writes.try_send(Box::new(Task::new(noted, reply))).is_err() {
            log::warn!("a note was not written: too much is waiting");
        }
    }
}

async fn enqueue<T, F>(queue: &Sender<Box<dyn Job>>, work: F) -> Result<T>
where
    T: Send + 'static,
    F: FnOnce(&mut Conn) -> Result<T> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    // What it says to people it says in the language of whoever waits for it.
    queue.try_send(Box::new(Task::new(language::carried(work), reply))).map_err(|error| match error {
        TrySendError::Full(_) => Error::Unavailable,
        TrySendError::Disconnected(_) => Error::internal("the database threads are gone"),
    })?;
    answer.await.map_err(|_| Error::internal("the database thread dropped a job"))?
}
