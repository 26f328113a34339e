//! Jobs: acts on more rows than a request does, and what came of them.

use std::time::Duration;

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::db::schema::{bulk_job_rows, bulk_jobs};
use crate::error::Result;

/// After so long without a sign of it, a process is taken to be gone, and another carries its job on.
pub const LEASE: Duration = Duration::from_secs(60);
/// Rows that are told one by one, of those that were left out or failed.
pub const MOST_TOLD: i64 = 500;

/// How a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It goes on.
    Running,
    /// All rows were reached.
    Done,
    /// Somebody stopped it, or a rule did.
    Stopped,
    /// A fault of the server ended it.
    Failed,
}

impl State {
    /// Its word in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }
}

/// What a new job is made of. Who begins it is told as the audit log tells it.
#[derive(Clone, Debug, Insertable)]
#[diesel(table_name = bulk_jobs)]
pub struct NewJob {
    /// The list.
    pub list: String,
    /// The act.
    pub action: String,
    /// What was chosen with it; empty if nothing.
    pub choice: String,
    /// The name of that.
    pub chosen: String,
    /// The list's query, which says which rows.
    pub query: String,
    /// The same in words.
    pub filter: String,
    /// Why, if that was said.
    pub reason: String,
    /// How many rows there are.
    pub total: i64,
    /// See [`State`].
    pub state: String,
    /// The key of the row before the next; empty at the beginning.
    pub cursor: String,
    /// The last key there is; empty where keys have no order in time.
    pub last: String,
    /// Who begins it.
    pub actor_id: i64,
    /// That user's name.
    pub actor: String,
    /// The session.
    pub session: String,
    /// The address.
    pub ip: String,
    /// The User-Agent.
    pub user_agent: String,
    /// The number of the request.
    pub request: String,
    /// Now.
    pub created_at: Timestamp,
    /// Nobody carries it on yet.
    pub runner: String,
    /// Never.
    pub beat_at: Timestamp,
    /// Nothing yet.
    pub trouble: String,
}

/// A job.
#[derive(Clone, Debug, Queryable)]
pub struct Job {
    /// Its number.
    pub id: i64,
    /// The list.
    pub list: String,
    /// The act.
    pub action: String,
    /// What was chosen with it.
    pub choice: String,
    /// The name of that.
    pub chosen: String,
    /// The list's query.
    pub query: String,
    /// The same in words.
    pub filter: String,
    /// Why.
    pub reason: String,
    /// How many rows there were when it was begun.
    pub total: i64,
    /// See [`State`].
    pub state: String,
    /// The key of the last row that was reached.
    pub cursor: String,
    /// The last key there was when it was begun.
    pub last: String,
    /// Rows done.
    pub done: i64,
    /// Rows left out.
    pub left_out: i64,
    /// Rows at which the server failed.
    pub failed: i64,
    /// Other things that ended with the rows.
    pub also: i64,
    /// Who began it.
    pub actor_id: i64,
    /// That user's name.
    pub actor: String,
    /// The session.
    pub session: String,
    /// The address.
    pub ip: String,
    /// The User-Agent.
    pub user_agent: String,
    /// The number of the request.
    pub request: String,
    /// When it was begun.
    pub created_at: Timestamp,
    /// The process that carries it on.
    pub runner: String,
    /// When it last did.
    pub beat_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// What ended it before its time.
    pub trouble: String,
}

impl Job {
    /// Whether it is in this state.
    pub fn is(&self, state: State) -> bool {
        self.state == state.as_str()
    }
}

/// What a slice of rows came to.
#[derive(Clone, Debug, Default)]
pub struct Slice {
    /// The key of its last row.
    pub cursor: String,
    /// Rows done.
    pub done: i64,
    /// Rows left out.
    pub left_out: i64,
    /// Rows at which the server failed.
    pub failed: i64,
    /// Other things that ended with the rows.
    pub also: i64,
}

/// A row of a job that was not done.
#[derive(Clone, Debug, Queryable, Insertable)]
#[diesel(table_name = bulk_job_rows)]
pub struct NotDone {
    /// The job.
    pub job_id: i64,
    /// The row's key.
    pub key: String,
    /// Its name.
    pub name: String,
    /// `left out` or `failed`.
    pub outcome: String,
    /// Why.
    pub why: String,
}

/// Begins a job; returns its number.
pub fn insert(conn: &mut Conn, new: &NewJob) -> Result<i64> {
    Ok(diesel::insert_into(bulk_jobs::table).values(new).returning(bulk_jobs::id).get_result(conn)?)
}

/// The job of this number.
pub fn by_id(conn: &mut Conn, id: i64) -> Result<Option<Job>> {
    Ok(bulk_jobs::table.find(id).first(conn).optional()?)
}

type Running = diesel::helper_types::IntoBoxed<
    'static,
    diesel::helper_types::Filter<bulk_jobs::table, diesel::helper_types::Eq<bulk_jobs::state, &'static str>>,
    crate::db::Backend,
>;

/// Those that go on and that nobody else carries at `now`.
fn waiting(runner: &str, now: Timestamp) -> Running {
    let running = bulk_jobs::table.filter(bulk_jobs::state.eq(State::Running.as_str())).into_boxed();
    running.filter(bulk_jobs::beat_at.le(now - LEASE).or(bulk_jobs::runner.eq(runner.to_owned())))
}

/// Whether any waits for this process: a look that keeps no writer busy.
pub fn is_any_waiting(conn: &mut Conn, runner: &str, now: Timestamp) -> Result<bool> {
    Ok(waiting(runner, now).select(bulk_jobs::id).first::<i64>(conn).optional()?.is_some())
}

/// Takes the oldest that waits, which may be its own; from now on it is this process's.
pub fn take(conn: &mut Conn, runner: &str, now: Timestamp) -> Result<Option<i64>> {
    let Some(id) = waiting(runner, now).order(bulk_jobs::id).select(bulk_jobs::id).first::<i64>(conn).optional()?
    else {
        return Ok(None);
    };
    let taken = (bulk_jobs::runner.eq(runner), bulk_jobs::beat_at.eq(now));
    diesel::update(bulk_jobs::table.find(id)).set(taken).execute(conn)?;
    Ok(Some(id))
}

/// Has all that go on wait for a process: at the start of a server that is the only one.
pub fn release_all(conn: &mut Conn) -> Result<()> {
    let running = bulk_jobs::table.filter(bulk_jobs::state.eq(State::Running.as_str()));
    diesel::update(running).set(bulk_jobs::beat_at.eq(Timestamp::default())).execute(conn)?;
    Ok(())
}

/// Notes how far a job has come, in the transaction of the rows themselves.
pub fn advance(conn: &mut Conn, id: i64, slice: &Slice, not_done: &[NotDone], now: Timestamp) -> Result<()> {
    let counted: i64 = bulk_job_rows::table.filter(bulk_job_rows::job_id.eq(id)).count().get_result(conn)?;
    let room = usize::try_from(MOST_TOLD.saturating_sub(counted)).unwrap_or(0);
    for row in not_done.iter().take(room) {
        diesel::insert_into(bulk_job_rows::table).values(row).execute(conn)?;
    }
    diesel::update(bulk_jobs::table.find(id))
        .set((
            bulk_jobs::cursor.eq(&slice.cursor),
            bulk_jobs::done.eq(bulk_jobs::done + slice.done),
            bulk_jobs::left_out.eq(bulk_jobs::left_out + slice.left_out),
            bulk_jobs::failed.eq(bulk_jobs::failed + slice.failed),
            bulk_jobs::also.eq(bulk_jobs::also + slice.also),
            bulk_jobs::beat_at.eq(now),
        ))
        .execute(conn)?;
    Ok(())
}

/// Ends a job that goes on; `false` if it had ended before.
pub fn end(conn: &mut Conn, id: i64, state: State, trouble: &str, now: Timestamp) -> Result<bool> {
    let running = bulk_jobs::table.find(id).filter(bulk_jobs::state.eq(State::Running.as_str()));
    let ended = (bulk_jobs::state.eq(state.as_str()), bulk_jobs::trouble.eq(trouble), bulk_jobs::ended_at.eq(now));
    Ok(diesel::update(running).set(ended).execute(conn)? == 1)
}

/// The rows of a job that were not done, in order.
pub fn not_done(conn: &mut Conn, id: i64, most: i64) -> Result<Vec<NotDone>> {
    let rows = bulk_job_rows::table.filter(bulk_job_rows::job_id.eq(id)).order(bulk_job_rows::id).limit(most);
    let columns =
        (bulk_job_rows::job_id, bulk_job_rows::key, bulk_job_rows::name, bulk_job_rows::outcome, bulk_job_rows::why);
    Ok(rows.select(columns).load(conn)?)
}

/// Deletes the report of one job that ended before `before`; returns how many went.
pub fn purge(conn: &mut Conn, before: Timestamp) -> Result<usize> {
    let old = bulk_jobs::table.filter(bulk_jobs::ended_at.lt(before)).order(bulk_jobs::id).select(bulk_jobs::id);
    let Some(id) = old.first::<i64>(conn).optional()? else { return Ok(0) };
    Ok(diesel::delete(bulk_jobs::table.find(id)).execute(conn)?)
}
