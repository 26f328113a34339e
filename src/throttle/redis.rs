//! Counts in Redis: a list of times a key, asked by one script, so that servers at once cannot beat them.
//!
//! One thread has the one connection and sends what has gathered meanwhile together, as the writer of the database does. A call
//! that takes longer than [`PATIENCE`] has failed.

use std::thread;
use std::time::Duration;

use anyhow::Context;
use crossbeam_channel::{Receiver, Sender, bounded};
use redis::{Client, Connection, Pipeline, RedisError};
use tokio::sync::oneshot;

use crate::model::shared_count::{Count, Mode};
use crate::settings::Secret;

/// How long a connection or an answer may take. A request waits for it, once a second while Redis is away.
const PATIENCE: Duration = Duration::from_millis(250);
/// How many may wait for the thread; one more is told at once that Redis is away.
const QUEUE: usize = 4096;
/// How many go together.
const BATCH: usize = 64;

/// KEYS: the counts. ARGV: the mode, now, then for each key how many and in what time. Answers with each one's wait. Times go
/// through as the text that they are: as numbers of Lua they would be written with an exponent.
const TAKE: &str = "
local mode, now, waits, all = ARGV[1], tonumber(ARGV[2]), {}, true
for i, key in ipairs(KEYS) do
    local most, per = tonumber(ARGV[2 * i + 1]), tonumber(ARGV[2 * i + 2])
    local last = -1
    while true do
        local time = redis.call('LINDEX', key, last)
        if not time or tonumber(time) <= now then break end
        redis.call('LSET', key, last, ARGV[2])
        last = last - 1
    end
    while true do
        local time = redis.call('LINDEX', key, 0)
        if not time or tonumber(time) + per > now then break end
        redis.call('LPOP', key)
    end
    local surplus = redis.call('LLEN', key) - most
    waits[i] = surplus < 0 and 0 or tonumber(redis.call('LINDEX', key, surplus)) + per - now
    all = all and surplus < 0
end
for i, key in ipairs(KEYS) do
    if mode == 'each' and waits[i] == 0 or mode == 'together' and all then
        redis.call('RPUSH', key, ARGV[2])
        redis.call('PEXPIRE', key, math.ceil(tonumber(ARGV[2 * i + 2]) / 1000))
    end
end
return waits";

/// A request for the thread.
enum Job {
    Take { counts: Vec<Count>, mode: Mode, now: i64, reply: oneshot::Sender<Result<Vec<i64>, Away>> },
    GiveBack { keys: Vec<String>, at: i64 },
    Clear { keys: Vec<String> },
}

/// Why Redis gave no answer, in its words or the system's.
pub type Away = String;

/// A handle to the thread. The thread ends when the last one is gone.
pub struct Redis {
    jobs: Sender<Job>,
}

impl Redis {
    /// Starts the thread; it connects when it is asked.
    ///
    /// # Errors
    /// If the address is none, or there is no thread to be had.
    pub fn start(url: &Secret) -> anyhow::Result<Self> {
        // Its own error may tell of the address, which may hold a password.
        let client =
            Client::open(url.expose()).map_err(|_| anyhow::anyhow!("throttle.store is no address of a Redis"))?;
        let (jobs, queue) = bounded(QUEUE);
        let run = move || run(&client, &queue);
        thread::Builder::new().name("redis".into()).spawn(run).context("cannot start the thread of Redis")?;
        Ok(Self { jobs })
    }

    /// As `shared_count::take`.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn take(&self, counts: Vec<Count>, mode: Mode, now: i64) -> Result<Vec<i64>, Away> {
        let (reply, answer) = oneshot::channel();
        let job = Job::Take { counts, mode, now, reply };
        self.jobs.try_send(job).map_err(|_| "too much waits for Redis".to_owned())?;
        answer.await.map_err(|_| "the thread of Redis is gone".to_owned())?
    }

    /// As `shared_count::give_back`; waits for nothing.
    pub fn give_back(&self, keys: Vec<String>, at: i64) {
        if self.jobs.try_send(Job::GiveBack { keys, at }).is_err() {
            log::warn!("sign-ins that were right are counted as failed: too much waits for Redis");
        }
    }

    /// Has nothing count any longer under these keys; waits for nothing.
    pub fn clear(&self, keys: Vec<String>) {
        if self.jobs.try_send(Job::Clear { keys }).is_err() {
            log::warn!("what was cleared counts on: too much waits for Redis");
        }
    }
}

fn run(client: &Client, queue: &Receiver<Job>) {
    let mut conn = None;
    while let Ok(first) = queue.recv() {
        let mut jobs = vec![first];
        jobs.extend(queue.try_iter().take(BATCH - 1));
        let asked = pipeline(&jobs);
        let was_open = conn.is_some();
        let mut answered = ask(client, &mut conn, &asked);
        // A connection that Redis has closed meanwhile, at its restart or for idleness, says nothing about Redis now.
        if was_open && answered.as_ref().is_err_and(RedisError::is_connection_dropped) {
            answered = ask(client, &mut conn, &asked);
        }
        let answered = answered.map_err(|error| error.to_string());
        if answered.is_err() {
            // What has queued meanwhile has waited as long, and would wait as long again.
            jobs.extend(queue.try_iter());
        }
        let mut answers = answered.map(Vec::into_iter);
        for job in jobs {
            if let Job::Take { reply, .. } = job {
                let answer = match &mut answers {
                    Ok(answers) => Ok(answers.next().unwrap_or_default()),
                    Err(why) => Err(why.clone()),
                };
                let _ = reply.send(answer); // whoever waited may have gone
            }
        }
    }
}

/// All of these at once; the answers of those that wait for one.
fn pipeline(jobs: &[Job]) -> Pipeline {
    let name = |key: &str| format!("portcullis:{key}");
    let mut pipe = redis::pipe();
    for job in jobs {
        match job {
            Job::Take { counts, mode, now, .. } => {
                let mode = match mode {
                    Mode::Each => "each",
                    Mode::Together => "together",
                    Mode::Look => "look",
                };
                pipe.cmd("EVAL").arg(TAKE).arg(counts.len());
                for count in counts {
                    pipe.arg(name(&count.key));
                }
                pipe.arg(mode).arg(*now);
                for count in counts {
                    pipe.arg(count.most).arg(count.per);
                }
            }
            Job::Clear { keys } => {
                for key in keys {
                    pipe.cmd("DEL").arg(name(key)).ignore();
                }
            }
            Job::GiveBack { keys, at } => {
                for key in keys {
                    // The newest of that time: they are all alike.
                    pipe.cmd("LREM").arg(name(key)).arg(-1).arg(*at).ignore();
                }
            }
        }
    }
    pipe
}

fn ask(client: &Client, conn: &mut Option<Connection>, asked: &Pipeline) -> Result<Vec<Vec<i64>>, RedisError> {
    let mut open = match conn.take() {
        Some(open) => open,
        None => {
            let open = client.get_connection_with_timeout(PATIENCE)?;
            open.set_read_timeout(Some(PATIENCE))?;
            open.set_write_timeout(Some(PATIENCE))?;
            open
        }
    };
    let answers = asked.query(&mut open)?;
    *conn = Some(open); // one that has failed is not used again: an answer of before may still be on its way
    Ok(answers)
}
