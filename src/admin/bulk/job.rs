//! An act on more rows than a request does: begun by one, carried on slice by slice, each row once, whatever happens to the
//! process meanwhile.
//!
//! The place in the order of keys is noted in the transaction of the rows before it: whoever carries a job on goes on behind
//! the last row that was done, and two who did so at once would take turns, not rows twice.

use std::sync::Arc;

use actix_web::HttpResponse;
use diesel::Connection;

use crate::admin::audits::by;
use crate::admin::bulk::act::{Act, Chosen, Did, Doer, Plan};
use crate::admin::bulk::lists::{Facts, List};
use crate::admin::error::PageError;
use crate::admin::layout::see_other;
use crate::admin::slices;
use crate::admin::staff::Staff;
use crate::admin::users::Actor;
use crate::admin::when::Now;
use crate::auth::principals::UserState;
use crate::db::Conn;
use crate::db::keyset::Value;
use crate::error::{Error, Result};
use crate::language::{self, Said};
use crate::model::audit::{Audit, By, Change, Object};
use crate::model::bulk_job::{self, Job, NewJob, NotDone, Slice, State};
use crate::model::session::Device;
use crate::site::Site;

/// What is to be done to which rows.
pub struct Wanted {
    /// The list.
    pub list: &'static List,
    /// The act.
    pub action: String,
    /// What was chosen with it.
    pub chosen: Chosen,
    /// The list's query.
    pub query: String,
    /// How many rows that lets through.
    pub total: usize,
}

/// Begins a job, and leads to its page.
pub async fn begin(
    site: &Site,
    staff: &Staff,
    plan: &Plan,
    wanted: Wanted,
    reason: &str,
    facts: Facts,
) -> Result<HttpResponse, PageError> {
    let me = by(site, staff.visit().request(), Some(staff.id()), staff.state().username.to_string());
    // What is kept of a job is in English, as the audit log is.
    let title = (plan.titled)(wanted.total).in_english();
    let audit = staff.audits(site, "job.begin").because(reason);
    let (reason, code, note) = (reason.to_owned(), plan.code, title.clone());
    let begin = move |conn: &mut Conn| {
        let matching = language::in_english(|| wanted.list.matching(conn, &wanted.query, &facts))?;
        let matching = matching.ok_or(Error::not_found())?;
        // What is added from now on is none of what was counted.
        let last = matching.last(conn)?.filter(|last| matches!(last, Value::Number(_)));
        let total = i64::try_from(wanted.total).unwrap_or(i64::MAX);
        let new = NewJob {
            list: wanted.list.name.to_owned(),
            action: wanted.action,
            choice: wanted.chosen.value,
            chosen: wanted.chosen.name,
            query: wanted.query,
            filter: matching.words,
            reason,
            total,
            state: State::Running.as_str().to_owned(),
            cursor: String::new(),
            last: last.as_ref().map(List::written).unwrap_or_default(),
            actor_id: me.user.unwrap_or_default(),
            actor: me.name,
            session: me.session,
            ip: me.device.ip,
            user_agent: me.device.user_agent,
            request: me.request,
            created_at: facts.now.at,
            runner: String::new(),
            beat_at: crate::clock::Timestamp::default(),
            trouble: String::new(),
        };
        let id = bulk_job::insert(conn, &new)?;
        let told = [Change::fact("act", code), Change::fact("rows", total), Change::fact("filter", &new.filter)];
        audit.on(Object::new("job", id, title)).with(told).append(conn)?;
        Ok(id)
    };
    let id = staff.write(site, begin).await?;
    staff.note(site, &format!("began the job {id}: {note}"));
    site.jobs.notify_one();
    Ok(see_other(&format!("/admin/jobs/{id}/")))
}

/// What stands after a name where whoever began a job may not do it any more.
const NO_LONGER: &str = " may no longer do this.";
/// The same where somebody stopped it.
const STOPPED: &str = " stopped it.";

/// What is kept of a job that this user stopped.
pub fn stopped_by(name: &str) -> String {
    format!("{name}{STOPPED}")
}

/// Why a job came to an end before its last row: what is kept of it, said to the viewer.
pub fn trouble(kept: &str) -> Said {
    if let Some(name) = kept.strip_suffix(NO_LONGER) {
        return said!("{name} may no longer do this.", name);
    }
    match kept.strip_suffix(STOPPED) {
        Some(name) => said!("{name} stopped it.", name),
        None => Said::of(kept.to_owned()),
    }
}

/// The act of a job; `None` if this version does not know it.
pub fn act_of(job: &Job) -> Option<(&'static List, Arc<dyn Act>)> {
    let list = List::named(&job.list)?;
    let chosen = Chosen { value: job.choice.clone(), name: job.chosen.clone() };
    Some((list, list.act(&job.action, (!chosen.value.is_empty()).then_some(chosen))?))
}

/// Carries a job on by some hundred rows, a slice of them to a transaction; `false` once this process has nothing more to do
/// with it.
///
/// # Errors
/// The database's: then nothing was done.
pub async fn carry_on(site: &Site, id: i64, runner: &str) -> Result<bool> {
    let mut reached = 0;
    match slices_of(site, id, runner, &mut reached).await {
        // What was done stays done; whoever goes on behind it meets the fault first, if it is still there.
        Err(error) if reached > 0 => {
            log::warn!("a slice of the job {id} failed, and is tried again: {error}");
            Ok(true)
        }
        came => came,
    }
}

/// Does them; `reached` is how many rows were, also after an error.
async fn slices_of(site: &Site, id: i64, runner: &str, reached: &mut usize) -> Result<bool> {
    let mut facts = Facts::of(site, Now { at: site.clock.now(), zone: site.zone() }).await?;
    let (present, now) = (facts.clone(), facts.now.at);
    let next = site.db.read(move |conn| next_keys(conn, id, &present)).await?;
    let Some((mut cursor, keys)) = next else {
        site.db
            .write(move |conn| bulk_job::end(conn, id, State::Failed, key!("This version does not know the act."), now))
            .await?;
        return Ok(false);
    };
    let keys = Arc::new(keys);
    loop {
        let part = Part {
            id,
            runner: runner.to_owned(),
            cursor,
            keys: keys.clone(),
            reached: *reached,
            present: facts,
            grants: site.grants.clone(),
            hub: site.hub.clone(),
            chain: site.audit.clone(),
            clock: site.clock.clone(),
        };
        let step = site.db.write(move |conn| part.carry_out(conn)).await?;
        site.mail.ring();
        match step {
            Step::Over => return Ok(false),
            Step::Lost => return Ok(true),
            Step::Done { rows, cursor: after } => (*reached, cursor) = (*reached + rows, after),
        }
        if *reached >= keys.len() {
            return Ok(true);
        }
        // Others' turn: the writer takes what has queued meanwhile.
        tokio::task::yield_now().await;
        facts = Facts::of(site, Now { at: site.clock.now(), zone: site.zone() }).await?;
    }
}

/// Ends a job that cannot go on for a fault of the server.
///
/// # Errors
/// The database's.
pub async fn give_up(site: &Site, id: i64) -> Result<()> {
    let now = site.clock.now();
    let words = key!("A fault of the server ended it: its log says more.");
    site.db.write(move |conn| bulk_job::end(conn, id, State::Failed, words, now)).await.map(drop)
}

/// Where the job stands, and the rows behind that; `None` if this version does not know its act.
fn next_keys(conn: &mut Conn, id: i64, facts: &Facts) -> Result<Option<(String, Vec<Value>)>> {
    let job = bulk_job::by_id(conn, id)?.ok_or(Error::not_found())?;
    let Some((list, _)) = act_of(&job) else { return Ok(None) };
    let state = UserState::load(conn, job.actor_id)?;
    let zone = state.and_then(|state| state.zone).unwrap_or(facts.now.zone);
    let begun = facts.as_of(Now { at: job.created_at, zone });
    let Some(matching) = list.matching(conn, &job.query, &begun)? else { return Ok(None) };
    let mut keys = matching.keys(conn, list.read(&job.cursor), slices::MOST)?;
    if let Some(last) = list.read(&job.last) {
        keys.retain(|key| *key <= last);
    }
    Ok(Some((job.cursor, keys)))
}

/// A slice of a job's rows.
struct Part {
    id: i64,
    runner: String,
    /// Where the job stands, as far as this process knows.
    cursor: String,
    /// The rows that were read.
    keys: Arc<Vec<Value>>,
    /// So many of them are done.
    reached: usize,
    present: Facts,
    grants: crate::auth::grants::Grants,
    hub: crate::hub::Hub,
    chain: crate::model::audit::Chain,
    clock: crate::clock::Clock,
}

/// What came of a slice.
enum Step {
    /// So many rows were done; where the job stands now.
    Done { rows: usize, cursor: String },
    /// The job stands elsewhere: its rows must be read again.
    Lost,
    /// There is nothing more to do.
    Over,
}

impl Part {
    fn carry_out(&self, conn: &mut Conn) -> Result<Step> {
        let now = self.present.now.at;
        let job = bulk_job::by_id(conn, self.id)?.ok_or(Error::not_found())?;
        if !job.is(State::Running) || job.runner != self.runner {
            return Ok(Step::Over); // stopped, or somebody else's by now
        }
        if job.cursor != self.cursor {
            return Ok(Step::Lost);
        }
        let Some((_, act)) = act_of(&job) else { return Ok(Step::Over) };
        if self.keys.is_empty() {
            bulk_job::end(conn, job.id, State::Done, "", now)?;
            return Ok(Step::Over);
        }
        // A job may take its time, and whoever began it may be gone before it is done.
        let Some(actor) = allowed(conn, &job, act.as_ref())? else {
            let words = format!("{}{NO_LONGER}", job.actor);
            bulk_job::end(conn, job.id, State::Stopped, &words, now)?;
            return Ok(Step::Over);
        };
        let doer = Doer {
            actor,
            grants: self.grants.clone(),
            hub: self.hub.clone(),
            audit: Audit::new(&self.chain, by_of(&job), act.plan().code, now).because(&job.reason),
            now: self.present.now,
            at: self.present.at,
            since: job.created_at,
        };
        let each = |conn: &mut Conn, key| Ok(one(conn, act.as_ref(), &doer, key));
        let came = slices::run(&self.clock, conn, self.keys.iter().skip(self.reached), each)?;
        let (slice, not_done) = self.counted(&came);
        bulk_job::advance(conn, job.id, &slice, &not_done, now)?;
        Ok(Step::Done { rows: came.len(), cursor: slice.cursor })
    }

    fn counted(&self, came: &[Result<Did>]) -> (Slice, Vec<NotDone>) {
        let mut slice = Slice::default();
        let mut not_done = Vec::new();
        for (key, came) in self.keys.iter().skip(self.reached).zip(came) {
            slice.cursor = List::written(key);
            let (name, outcome, why) = match came {
                Ok(Did { outcome: Ok(done), .. }) => {
                    slice.done += 1;
                    slice.also += i64::try_from(done.also).unwrap_or(0);
                    continue;
                }
                Ok(Did { name, outcome: Err(why) }) => {
                    slice.left_out += 1;
                    (name.clone(), key!("left out"), why.clone())
                }
                Err(error) => {
                    slice.failed += 1;
                    log::error!("the job {} failed at {}: {error}", self.id, slice.cursor);
                    (String::new(), key!("failed"), key!("a fault of the server: its log says more").to_owned())
                }
            };
            let key = slice.cursor.clone();
            not_done.push(NotDone { job_id: self.id, key, name, outcome: outcome.to_owned(), why });
        }
        (slice, not_done)
    }
}

/// Does it to one row, in a savepoint: a row that fails takes no other with it.
fn one(conn: &mut Conn, act: &dyn Act, doer: &Doer, key: &Value) -> Result<Did> {
    conn.transaction(|conn| act.carry_out(conn, doer, key))
}

/// Whoever began the job, if that user may still do what it does.
fn allowed(conn: &mut Conn, job: &Job, act: &dyn Act) -> Result<Option<Actor>> {
    let Some(state) = UserState::load(conn, job.actor_id)? else { return Ok(None) };
    let actor = Actor { id: job.actor_id, state: Arc::new(state) };
    let holds = act.plan().permission().is_none_or(|needed| actor.state.permissions.holds(needed));
    let may = actor.state.active && actor.state.staff && holds && act.objection(&actor).is_none();
    Ok(may.then_some(actor))
}

fn by_of(job: &Job) -> By {
    By {
        user: Some(job.actor_id),
        name: job.actor.clone(),
        session: job.session.clone(),
        device: Device { ip: job.ip.clone(), user_agent: job.user_agent.clone() },
        request: job.request.clone(),
    }
}
