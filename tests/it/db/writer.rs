//! Jobs and their neighbours: group commit, failures that stay alone, readers that hold nobody up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_query;
use futures_util::future::join_all;
use portcullis::clock::Clock;
use portcullis::db::schema::users;
use portcullis::db::{Conn, Db, Target};
use portcullis::error::{Error, Result};
use tokio::sync::oneshot;

use super::{BOTH, made};
use crate::support::app::{NOON, TestApp, seconds};
use crate::support::database::{Kind, bare, bare_at};
use crate::support::process::eventually;

async fn names(db: &Db) -> Vec<String> {
    db.read(|conn| Ok(users::table.order(users::username).select(users::username).load(conn)?)).await.unwrap()
}

/// Jobs that share one commit: each waits in the queue until the first, which holds the writer, is let go.
#[tokio::test]
async fn a_job_that_fails_undoes_itself_alone_and_its_neighbours_commit() {
    for kind in BOTH {
        let (db, _folder) = bare(kind);
        let (go, wait) = mpsc::channel::<()>();
        let first = db.write(move |conn| {
            wait.recv().unwrap();
            made(conn, "first")
        });
        let (good, bad, panics, last) = (
            db.write(|conn| made(conn, "good")),
            db.write(|conn| {
                made(conn, "bad")?;
                Err::<(), _>(Error::Conflict("on purpose".into()))
            }),
            db.write(|conn| -> Result<()> {
                made(conn, "panics")?;
                panic!("on purpose");
            }),
            db.write(|conn| made(conn, "last")),
        );
        let release = async { go.send(()).unwrap() };
        let (first, good, bad, panics, last, ()) = tokio::join!(first, good, bad, panics, last, release);

        assert!(first.is_ok() && good.is_ok() && last.is_ok(), "{kind:?}");
        assert!(matches!(bad, Err(Error::Conflict(_))), "{kind:?}");
        assert!(matches!(panics, Err(Error::Internal(_))), "{kind:?}");
        assert_eq!(names(&db).await, ["first", "good", "last"], "{kind:?}");
    }
}

/// REL-19.
#[tokio::test]
async fn a_panic_is_answered_and_both_kinds_of_thread_live_on() {
    for kind in BOTH {
        let (db, _folder) = bare(kind);
        for _ in 0..10 {
            assert!(matches!(db.write(|_| -> Result<()> { panic!("on purpose") }).await, Err(Error::Internal(_))));
            assert!(matches!(db.read(|_| -> Result<()> { panic!("on purpose") }).await, Err(Error::Internal(_))));
        }
        db.write(|conn| made(conn, "ann")).await.unwrap();
        assert_eq!(names(&db).await, ["ann"], "{kind:?}");
    }
}

/// The commits of a job that holds the writer for so long, and of fifty that wait behind it.
async fn commits_after(held: Duration) -> usize {
    let clock = Clock::manual(NOON);
    let (db, _folder) = bare_at(Kind::Sqlite, &clock);
    let commits = Arc::new(AtomicUsize::new(0));
    let counted = commits.clone();
    db.after_commit(Box::new(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }));
    let (go, wait) = mpsc::channel::<()>();
    let first = db.write(move |_| {
        wait.recv().unwrap();
        clock.advance(held);
        Ok(())
    });
    let others = join_all((0..50).map(|number| db.write(move |conn| made(conn, &format!("user{number}")))));
    let release = async { go.send(()).unwrap() };
    let (first, others, ()) = tokio::join!(first, others, release);
    assert!(first.is_ok() && others.iter().all(Result::is_ok));
    assert_eq!(names(&db).await.len(), 50);
    commits.load(Ordering::SeqCst)
}

/// One commit, and what follows it, serves many jobs.
#[tokio::test]
async fn jobs_that_wait_together_are_committed_together() {
    assert_eq!(commits_after(Duration::from_millis(19)).await, 1);
}

/// Whoever waits for the lock waits for no more than one such job.
#[tokio::test]
async fn a_transaction_that_has_gone_on_for_long_takes_no_further_job() {
    assert_eq!(commits_after(Duration::from_millis(20)).await, 2);
}

#[tokio::test]
async fn what_was_written_is_seen_by_every_read_after_the_answer() {
    for kind in BOTH {
        let (db, _folder) = bare(kind);
        for number in 1..=20 {
            db.write(move |conn| made(conn, &format!("user{number:02}"))).await.unwrap();
            let counts = join_all((0..8).map(|_| names(&db))).await;
            assert!(counts.iter().all(|names| names.len() == number), "{kind:?} {number}");
        }
    }
}

/// A reader that takes its time holds up neither the writer nor other readers.
#[tokio::test]
async fn a_slow_read_keeps_nobody_waiting() {
    for kind in BOTH {
        let (db, _folder) = bare(kind);
        let (go, wait) = mpsc::channel::<()>();
        let (begun, begins) = oneshot::channel();
        let slow = tokio::spawn({
            let db = db.clone();
            async move {
                let read = move |conn: &mut Conn| {
                    let before: i64 = users::table.count().get_result(conn)?;
                    begun.send(()).unwrap();
                    wait.recv().unwrap();
                    Ok(before)
                };
                db.read(read).await
            }
        });
        begins.await.unwrap();
        db.write(|conn| made(conn, "ann")).await.unwrap();
        assert_eq!(names(&db).await, ["ann"], "{kind:?}");
        go.send(()).unwrap();
        assert_eq!(slow.await.unwrap().unwrap(), 0);
    }
}

/// A closed site lets go of its threads, and they of their connections.
#[actix_web::test]
async fn a_site_that_is_closed_leaves_no_connection_behind() {
    let app = TestApp::on_postgres().await;
    app.user("ann").await.signed_in().await.get("/api/tasks/").await.status(200);
    let Target::Postgres(url) = app.site.db.target().clone() else { panic!("on PostgreSQL") };
    drop(app);

    let mut conn = Target::Postgres(url).connect().unwrap();
    eventually("the end of the site's connections", seconds(10), || {
        let others = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
        (sql_query(others).execute(&mut conn).unwrap() == 0).then_some(())
    });
}
