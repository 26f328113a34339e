//! Acts on more rows than a request does: begun, followed, stopped, carried on by another process, done once to each row.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use diesel::prelude::*;
use portcullis::admin::bulk::job;
use portcullis::db::Conn;
use portcullis::db::schema::audit_entries;
use portcullis::model::bulk_job;
use portcullis::ops::jobs;

use super::bulk::{active, crowd, post};
use crate::support::panel::{Answer, Browser, Panel};

const MANY: usize = 1100;
const PAGE: &str = "/admin/jobs/1/";

/// Has the browser begin a job on everybody of the crowd.
async fn begin(browser: &Browser<'_>, action: &str, rows: &str) -> Answer {
    let all = [("all", "q=crowd"), ("sure", "yes"), ("confirm", rows), ("reason", "spring")];
    post(browser, "users", action, &all).await
}

/// This process takes the job that waits.
async fn take(panel: &Panel, runner: &'static str) -> Option<i64> {
    let now = panel.now();
    panel.write(move |conn| bulk_job::take(conn, runner, now).unwrap()).await
}

/// The users that entries of this act are about, each as often as it is told of.
async fn told_of(panel: &Panel, action: &'static str) -> Vec<String> {
    let load = move |conn: &mut Conn| {
        let rows = audit_entries::table.filter(audit_entries::action.eq(action)).order(audit_entries::id);
        Ok(rows.select(audit_entries::object_id).load(conn)?)
    };
    panel.app.read(load).await
}

fn is_each_once(ids: &[String], count: usize) {
    let once: BTreeSet<&String> = ids.iter().collect();
    assert_eq!((ids.len(), once.len()), (count, count));
}

#[actix_web::test]
async fn more_than_a_thousand_are_done_by_a_job_that_reports_what_it_did() {
    let panel = Panel::new().await;
    let ids = crowd(&panel, "crowd", MANY).await;
    panel.change(ids[7], |changes| changes.is_active = Some(false)).await;
    let root = panel.signed_in("root").await;
    let page = post(&root, "users", "deactivate", &[("all", "q=crowd")]).await.is(200);
    page.says("It goes on while you do something else, and can be stopped.").says("Type 1100 to confirm");
    begin(&root, "deactivate", "1100").await.leads_to(PAGE);
    assert_eq!(active(&panel).await, 1100, "nothing is done within the request");
    let entry = panel.last_entry().await;
    assert_eq!((entry.action.as_str(), entry.object_id.as_str(), entry.reason.as_str()), ("job.begin", "1", "spring"));
    let page =
        root.get(PAGE).await.is(200).says("Deactivate 1,100 users").says("Running").says("0 of 1,100 rows reached");
    assert_eq!(page.header("refresh"), "3");
    assert_eq!(root.get("/admin/jobs/1/?refresh=off").await.header("refresh"), "");

    // Whoever comes while it goes on is none of those that were counted.
    let site = &panel.app.site;
    assert_eq!(take(&panel, "one").await, Some(1));
    assert!(job::carry_on(site, 1, "one").await.unwrap());
    root.get(PAGE).await.says("500 of 1,100 rows reached").says("Done 499 Left out 1 Failed 0");
    let late = crowd(&panel, "crowdlate", 3).await;
    while job::carry_on(site, 1, "one").await.unwrap() {}

    let page = root.get(PAGE).await.says("Done 1,099 Left out 1 Failed 0").says("1,100 of 1,100 rows reached");
    page.says("crowd0007 left out inactive already").says("search for “crowd”").says("spring").is_silent_on("Stop");
    assert_eq!(root.get(PAGE).await.header("refresh"), "");
    assert!(panel.row(late[0]).await.unwrap().is_active);
    assert_eq!(active(&panel).await, 4);
    is_each_once(&told_of(&panel, "user.deactivate").await, MANY - 1);
    assert_eq!(panel.entries("job.begin").await, 1);
    let chain = site.audit.clone();
    assert!(panel.app.read(move |conn| chain.verify(conn)).await.is_ok());
    assert_eq!(take(&panel, "two").await, None);
}

#[actix_web::test]
async fn a_filter_that_the_act_itself_changes_lets_no_row_slip() {
    let panel = Panel::new().await;
    crowd(&panel, "crowd", MANY).await;
    let root = panel.signed_in("root").await;
    let all = [("all", "status=active&q=crowd"), ("sure", "yes"), ("confirm", "1100")];
    post(&root, "users", "deactivate", &all).await.leads_to(PAGE);
    jobs::run_due(&panel.app.site, "one").await.unwrap();
    root.get(PAGE).await.says("Done 1,100 Left out 0").says("Status: Active");
    assert_eq!(active(&panel).await, 1);
}

/// Time that goes by while a job is carried on, so that its transactions end anywhere.
struct Time {
    is_over: Arc<AtomicBool>,
}

impl Time {
    fn of(panel: &Panel) -> Self {
        let (clock, is_over) = (panel.app.clock.clone(), Arc::new(AtomicBool::new(false)));
        let over = is_over.clone();
        std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                clock.advance(Duration::from_millis(5));
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        Self { is_over }
    }
}

impl Drop for Time {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

#[actix_web::test]
async fn wherever_a_slice_ends_the_next_goes_on_behind_it() {
    let panel = Panel::new().await;
    crowd(&panel, "crowd", MANY).await;
    let root = panel.signed_in("root").await;
    begin(&root, "deactivate", "1100").await.leads_to(PAGE);
    take(&panel, "one").await;
    let time = Time::of(&panel);
    while job::carry_on(&panel.app.site, 1, "one").await.unwrap() {}
    drop(time);
    root.get(PAGE).await.says("Done 1,100 Left out 0 Failed 0");
    is_each_once(&told_of(&panel, "user.deactivate").await, MANY);
    assert_eq!(active(&panel).await, 1);
}

/// Once a slice is done, a fault of the next is told by the next round alone, so that only faults without any progress count
/// against the job.
#[actix_web::test]
async fn a_fault_in_the_middle_loses_no_row_and_does_none_twice() {
    let panel = Panel::new().await;
    crowd(&panel, "crowd", MANY).await;
    let root = panel.signed_in("root").await;
    begin(&root, "deactivate", "1100").await.leads_to(PAGE);
    take(&panel, "one").await;
    panel.refuse_changes("bulk_jobs", "old.done > 0");
    let time = Time::of(&panel);
    assert!(job::carry_on(&panel.app.site, 1, "one").await.unwrap());
    let done = told_of(&panel, "user.deactivate").await;
    assert!((1..500).contains(&done.len()), "{} done before the fault", done.len());
    assert!(job::carry_on(&panel.app.site, 1, "one").await.is_err());
    assert_eq!(told_of(&panel, "user.deactivate").await, done);
    panel.allow_changes("bulk_jobs");
    while job::carry_on(&panel.app.site, 1, "one").await.unwrap() {}
    drop(time);
    root.get(PAGE).await.says("Done 1,100 Left out 0 Failed 0");
    is_each_once(&told_of(&panel, "user.deactivate").await, MANY);
}

#[actix_web::test]
async fn a_job_outlives_its_process_and_no_row_is_done_twice() {
    let panel = Panel::new().await;
    crowd(&panel, "crowd", MANY).await;
    let root = panel.signed_in("root").await;
    begin(&root, "sign-out", "1100").await.leads_to(PAGE);
    assert_eq!(take(&panel, "one").await, Some(1));
    assert!(job::carry_on(&panel.app.site, 1, "one").await.unwrap());
    // The first falls silent. Another process over the same database lets it be until it must be gone ...
    let other = panel.app.again().await;
    jobs::run_due(&other.site, "two").await.unwrap();
    assert_eq!(panel.entries("user.sign_out").await, 500);
    panel.wait(1);
    jobs::run_due(&other.site, "two").await.unwrap();
    is_each_once(&told_of(&panel, "user.sign_out").await, MANY);
    // ... and the first, should it come back, finds that it is nobody's to carry on.
    assert!(!job::carry_on(&panel.app.site, 1, "one").await.unwrap());
    is_each_once(&told_of(&panel, "user.sign_out").await, MANY);
    root.get(PAGE).await.says("Done 1,100");
}

#[actix_web::test]
async fn two_processes_at_once_do_each_row_once() {
    let panel = Panel::new().await;
    crowd(&panel, "crowd", MANY).await;
    let root = panel.signed_in("root").await;
    begin(&root, "sign-out", "1100").await.leads_to(PAGE);
    let other = panel.app.again().await;
    let (one, two) = (jobs::run_due(&panel.app.site, "one"), jobs::run_due(&other.site, "two"));
    let (one, two) = futures_util::future::join(one, two).await;
    one.and(two).unwrap();
    is_each_once(&told_of(&panel, "user.sign_out").await, MANY);
    // Even one that takes itself for the other: the place moves with the rows.
    panel.write(|conn| diesel::sql_query("UPDATE bulk_jobs SET state = 'running'").execute(conn).unwrap()).await;
    while job::carry_on(&panel.app.site, 1, "one").await.unwrap() {}
    while job::carry_on(&other.site, 1, "two").await.unwrap() {}
    is_each_once(&told_of(&panel, "user.sign_out").await, MANY);
}

#[actix_web::test]
async fn a_job_is_stopped_and_what_is_done_stays_done() {
    let panel = Panel::new().await;
    crowd(&panel, "crowd", MANY).await;
    let root = panel.signed_in("root").await;
    begin(&root, "deactivate", "1100").await.leads_to(PAGE);
    take(&panel, "one").await;
    assert!(job::carry_on(&panel.app.site, 1, "one").await.unwrap());
    let before = panel.entries("job.stop").await;
    root.submit("/admin/jobs/1/", &[]).await.is(404);
    root.send(PAGE, "/admin/jobs/1/stop/", &[]).await.leads_to(PAGE);
    root.get(PAGE).await.says("The job was stopped.").says("Stopped").says("root stopped it.").says("Done 500");
    assert_eq!(panel.entries("job.stop").await, before + 1);
    assert!(!job::carry_on(&panel.app.site, 1, "one").await.unwrap());
    panel.wait(2);
    jobs::run_due(&panel.app.site, "two").await.unwrap();
    assert_eq!(active(&panel).await, 601);
    root.send(PAGE, "/admin/jobs/1/stop/", &[]).await.leads_to(PAGE);
    root.get(PAGE).await.says("The job had ended before.");
    assert_eq!(panel.entries("job.stop").await, before + 1);
}

#[actix_web::test]
async fn a_job_ends_when_whoever_began_it_may_no_longer_do_it() {
    let panel = Panel::new().await;
    crowd(&panel, "crowd", MANY).await;
    let sam = panel.staff("sam", &["users.view", "users.change"]).await;
    let browser = panel.signed_in("sam").await;
    begin(&browser, "deactivate", "1100").await.leads_to(PAGE);
    take(&panel, "one").await;
    assert!(job::carry_on(&panel.app.site, 1, "one").await.unwrap());
    panel.change(sam, |changes| changes.is_active = Some(false)).await;
    assert!(!job::carry_on(&panel.app.site, 1, "one").await.unwrap());
    let root = panel.signed_in("root").await;
    root.get(PAGE).await.says("sam may no longer do this. What was done until then stays done.").says("Done 500");
}

#[actix_web::test]
async fn a_job_is_shown_to_whoever_began_it_and_to_superusers_and_stopped_by_them_alone() {
    let panel = Panel::new().await;
    crowd(&panel, "crowd", MANY).await;
    panel.staff("sam", &["users.view", "users.change"]).await;
    panel.staff("kim", &["users.view", "users.change", "audit.view"]).await;
    let (sam, kim) = (panel.signed_in("sam").await, panel.signed_in("kim").await);
    begin(&sam, "deactivate", "1100").await.leads_to(PAGE);
    sam.get(PAGE).await.is(200);
    kim.get(PAGE).await.is(404);
    kim.send("/admin/users/", "/admin/jobs/1/stop/", &[]).await.is(404);
    let root = panel.signed_in("root").await;
    root.get(PAGE).await.is(200).says("Begun by sam");
    root.post("/admin/jobs/1/stop/", &[("csrf_token", "another")]).await.is(403);
    root.get(PAGE).await.says("Running");
    root.send(PAGE, "/admin/jobs/1/stop/", &[]).await.leads_to(PAGE);
    sam.get(PAGE).await.says("root stopped it.");
    for path in ["/admin/jobs/2/", "/admin/jobs/x/", "/admin/jobs/"] {
        root.get(path).await.is(404);
    }
}

#[actix_web::test]
async fn a_row_at_which_the_server_fails_takes_no_other_with_it() {
    let panel = Panel::new().await;
    let ids = crowd(&panel, "crowd", MANY).await;
    let root = panel.signed_in("root").await;
    let odd = ids[3];
    let id = odd.to_string();
    post(&root, "users", "deactivate", &[("id", &id), ("sure", "yes")]).await.is(303);
    post(&root, "users", "activate", &[("id", &id), ("sure", "yes")]).await.is(303);
    // Its second entry will not go in.
    let once = format!(
        "CREATE UNIQUE INDEX once ON audit_entries (action) WHERE action = 'user.deactivate' AND object_id = '{id}'"
    );
    panel.write(move |conn| diesel::sql_query(once).execute(conn).unwrap()).await;
    begin(&root, "deactivate", "1100").await.leads_to(PAGE);
    jobs::run_due(&panel.app.site, "one").await.unwrap();
    let page = root.get(PAGE).await.says("Done 1,099 Left out 0 Failed 1");
    page.says("failed a fault of the server: its log says more");
    assert!(panel.row(odd).await.unwrap().is_active);
    assert_eq!(active(&panel).await, 2);
    is_each_once(&told_of(&panel, "user.deactivate").await, MANY);
}

#[actix_web::test]
async fn a_report_is_kept_for_ninety_days() {
    let panel = Panel::new().await;
    crowd(&panel, "crowd", MANY).await;
    let root = panel.signed_in("root").await;
    begin(&root, "sign-out", "1100").await.leads_to(PAGE);
    jobs::run_due(&panel.app.site, "one").await.unwrap();
    panel.wait(89 * 24 * 60);
    jobs::sweep(&panel.app.site).await.unwrap();
    assert!(panel.app.read(|conn| bulk_job::by_id(conn, 1)).await.is_some());
    panel.wait(2 * 24 * 60);
    jobs::sweep(&panel.app.site).await.unwrap();
    assert!(panel.app.read(|conn| bulk_job::by_id(conn, 1)).await.is_none());
}
