//! Follows the change log: at start, after each commit of our own, and beside other processes for as long as we run.
//!
//! Whatever ends or changes takes effect in memory here and nowhere else.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::Context;

use crate::auth::key_store::KeyStore;
use crate::auth::limits::Limits;
use crate::auth::memory::Memory;
use crate::auth::signer::Signer;
use crate::clock::{Clock, Timestamp};
use crate::db::{self, Conn, Db, Target};
use crate::error::{Error, Result};
use crate::hub::Hub;
use crate::model::change::{self, Change, What};
use crate::model::session::SessionId;
use crate::throttle::Throttle;

/// How often other processes' changes are looked for. SQLite answers that from memory; PostgreSQL is asked.
const LOOK_EVERY: Duration = Duration::from_millis(20);
const ASK_EVERY: Duration = Duration::from_millis(250);
/// A server that was not seen for so long is dead, and nobody waits for it.
const DEAD_AFTER: Duration = Duration::from_secs(5);
/// What our own commits have taken in is told so seldom: mostly nobody waits for it.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// How many entries are read at a time.
const PORTION: i64 = 1000;

/// Applies the change log to what is in memory.
pub struct Follower {
    memory: Memory,
    signer: Signer,
    keys: KeyStore,
    hub: Hub,
    throttle: Arc<Throttle>,
    limits: Arc<Limits>,
    /// How far in the log we have come. Entries become visible in the order of their ids: writes take turns.
    position: Mutex<i64>,
    stopped: AtomicBool,
    /// This process's name on the list of followers.
    name: String,
}

/// What the thread that follows last saw and told.
#[derive(Default)]
struct Told {
    version: Option<i64>,
    position: i64,
    at: Duration,
}

impl Follower {
    /// A follower that has seen nothing yet, under a name of its own.
    ///
    /// # Errors
    /// If the system has no random bytes.
    pub fn new(
        memory: Memory,
        signer: Signer,
        keys: KeyStore,
        hub: Hub,
        throttle: Arc<Throttle>,
        limits: Arc<Limits>,
    ) -> Result<Self> {
        let name = SessionId::random()?.to_string();
        Ok(Self {
            memory,
            signer,
            keys,
            hub,
            throttle,
            limits,
            position: Mutex::default(),
            stopped: AtomicBool::new(false),
            name,
        })
    }

    /// Writes how far this process has come, and that it lives.
    ///
    /// # Errors
    /// The database's.
    pub fn report(&self, conn: &mut Conn, now: Timestamp) -> Result<()> {
        change::follow(conn, &self.name, self.position(), self.hub.has_sockets(), now)
    }

    /// How far in the change log this process has come.
    pub fn position(&self) -> i64 {
        *self.position.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replays what still matters at `now`: the start of a server.
    ///
    /// # Errors
    /// The database's.
    pub fn replay(&self, conn: &mut Conn, now: Timestamp) -> Result<()> {
        let mut position = self.position.lock().unwrap_or_else(PoisonError::into_inner);
        // The place is read first: what is appended meanwhile is read again, and applying twice changes nothing.
        *position = change::position(conn)?;
        let mut from = 0;
        loop {
            // In portions, since a million at once would be a hundred megabytes. By the key alone: asked for `until` too,
            // SQLite would go by that index, and sort all that is left for every portion.
            let changes = change::since(conn, from, PORTION)?;
            let Some(last) = changes.last() else { return Ok(()) };
            from = last.id;
            changes.iter().filter(|change| change.until > now).for_each(|change| self.apply(conn, change));
        }
    }

    /// Applies what was appended since the last time; returns the new place if there was anything.
    ///
    /// # Errors
    /// The database's.
    pub fn catch_up(&self, conn: &mut Conn) -> Result<Option<i64>> {
        let mut position = self.position.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *position;
        loop {
            let changes = change::since(conn, *position, PORTION)?;
            for change in &changes {
                self.apply(conn, change);
                *position = change.id;
            }
            if changes.len() < usize::try_from(PORTION).unwrap_or(usize::MAX) {
                return Ok((*position > before).then_some(*position));
            }
        }
    }

    fn apply(&self, conn: &mut Conn, change: &Change) {
        match &change.what {
            What::Ended { session, user } => {
                self.memory.revocations.note(*session, change.until);
                self.hub.check(*user);
            }
            What::User(user) => {
                self.memory.principals.forget(*user);
                self.hub.check(Some(*user));
            }
            What::ApiKey(digest) => self.memory.api_keys.forget(digest),
            What::Throttle { who, counts } => {
                self.limits.clear(counts);
                if let Err(error) = self.throttle.learn(conn, who, counts) {
                    log::error!("what was decided of {who} cannot be read, and holds from the next start on: {error}");
                }
            }
            What::Event { name, to, data } => self.hub.tell(*to, name, data),
            What::Keys => match self.keys.load(conn) {
                Ok(ring) => self.signer.replace(ring),
                // The present ring goes on: what is wrong with the new one is for whoever made it.
                Err(error) => log::error!("the key ring has changed and cannot be read: {error:#}"),
            },
        }
    }

    /// Starts the thread that follows what other processes write.
    ///
    /// # Errors
    /// If the database cannot be opened once more.
    pub fn follow(self: &Arc<Self>, target: &Target, clock: Clock) -> anyhow::Result<()> {
        let mut conn = target.connect()?;
        if matches!(target, Target::Sqlite(_)) {
            change::unfollow_all(&mut conn)?; // what a killed server left: this one is alone
        }
        self.report(&mut conn, clock.now())?;
        let (this, target) = (self.clone(), target.clone());
        let every = if matches!(target, Target::Sqlite(_)) { LOOK_EVERY } else { ASK_EVERY };
        let body = move || {
            let mut told = Told::default();
            while !this.stopped.load(Ordering::Relaxed) {
                if let Err(error) = this.look(&mut conn, &mut told, &clock) {
                    log::error!("cannot follow the change log: {error}");
                    told = Told::default();
                    if let Ok(fresh) = target.connect() {
                        conn = fresh;
                    }
                }
                thread::sleep(every);
            }
            if let Err(error) = change::unfollow(&mut conn, &this.name) {
                log::error!("cannot leave the change log: {error}");
            }
        };
        thread::Builder::new().name("follower".into()).spawn(body).context("cannot start the follower's thread")?;
        Ok(())
    }

    fn look(&self, conn: &mut Conn, told: &mut Told, clock: &Clock) -> Result<()> {
        self.hub.check_ends(clock.now());
        let version = db::data_version(conn)?;
        let changed = version.is_none() || version != told.version;
        told.version = version;
        let moved = changed && self.catch_up(conn)?.is_some();
        // A commit of our own may have taken in an entry of another process, which then waits although nothing moved here.
        let (position, now) = (self.position(), clock.monotonic());
        let owed = position > told.position && now >= told.at + TELL_EVERY;
        // On PostgreSQL every look is told: a sign of life.
        if moved || owed || version.is_none() {
            self.report(conn, clock.now())?;
            if version.is_none() {
                self.hub.others_listen(change::anyone_listens(conn, clock.now() - DEAD_AFTER)?);
            }
            (told.position, told.at) = (position, now);
        }
        Ok(())
    }

    /// Ends the thread at its next look.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

/// Waits until every living server has applied the log up to `position`, five seconds at most; `false` if one has not.
///
/// # Errors
/// The database's.
pub async fn wait_for_servers(db: &Db, position: i64, clock: &Clock) -> Result<bool, Error> {
    let patience = clock.monotonic() + DEAD_AFTER;
    loop {
        // On SQLite there is one server and it is known to live; what it last said may be long ago.
        let since = match db.target() {
            Target::Sqlite(_) => Timestamp::default(),
            Target::Postgres(_) => clock.now() - DEAD_AFTER,
        };
        let slowest = db.read(move |conn| change::slowest_follower(conn, since)).await?;
        if slowest.is_none_or(|slowest| slowest >= position) {
            return Ok(true);
        }
        if clock.monotonic() > patience {
            return Ok(false);
        }
        tokio::time::sleep(LOOK_EVERY / 4).await;
    }
}
