//! REV-08: whatever was under way when a session was ended, once that was answered no token of it lives. And of any number
//! of parallel refreshes one successor comes.
//!
//! Real threads, on both databases. In each round a session begins; tasks refresh its token, then what they were given, and
//! show each access token to the gate, while another task ends the session in one of five ways at a moment of its own. The
//! end's answer is the line: all tokens that were answered before it are dead at once, and all that come after it are dead
//! as they come.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use actix_web::web::Data;
use diesel::prelude::*;
use futures_util::future::join_all;
use portcullis::auth::grants::{Pair, Refreshed};
use portcullis::db::schema::outstanding_tokens;
use portcullis::error::{Error, Result};
use portcullis::model::session::{Device, Ended, SessionId};
use portcullis::model::user::{self, NewUser};
use portcullis::site::Site;
use serde_json::json;
use tokio::task::yield_now;

use crate::support::app::{NOON, TestApp};
use crate::support::dice::Dice;
use crate::support::token::{claims, own_key, signed};

/// Rounds that run at the same time, each with a user of its own.
const LANES: usize = 6;
const REFRESHERS: usize = 3;

#[derive(Clone, Copy, Debug)]
enum Act {
    SignOut,
    EndByAdmin,
    SignOutEverywhere,
    ChangePassword,
    SwitchOffAndOn,
}

const ACTS: [Act; 5] =
    [Act::SignOut, Act::EndByAdmin, Act::SignOutEverywhere, Act::ChangePassword, Act::SwitchOffAndOn];

/// Tokens in the order of their answers.
type Answered = Arc<Mutex<Vec<Pair>>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_token_outlives_the_answer_that_its_session_has_ended() {
    rounds_on(TestApp::new().await, 3000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_token_outlives_the_answer_that_its_session_has_ended_on_postgresql() {
    rounds_on(TestApp::on_postgres().await, 400).await;
}

async fn rounds_on(app: TestApp, rounds: usize) {
    let site = app.site.clone();
    let late = Arc::new(AtomicUsize::new(0));
    let lanes = (0..LANES).map(|lane| {
        let (site, late) = (site.clone(), late.clone());
        tokio::spawn(async move {
            let user = person(&site, &format!("user{lane}")).await;
            let mut dice = Dice(0x9E37_79B9_7F4A_7C15 + lane as u64);
            for round in 0..rounds / LANES {
                let act = ACTS[dice.below(ACTS.len())];
                let after = one_round(&site, user, act, &mut dice, &format!("round {round} of lane {lane}")).await;
                late.fetch_add(after, Ordering::Relaxed);
            }
        })
    });
    for lane in join_all(lanes).await {
        lane.unwrap();
    }
    println!("{rounds} sessions ended, {} refreshes were answered after the end", late.load(Ordering::Relaxed));
}

async fn person(site: &Site, name: &str) -> i64 {
    let new = NewUser { username: name.to_owned(), date_joined: NOON, updated_at: NOON, ..NewUser::default() };
    site.db.write(move |conn| Ok(user::insert(conn, &new)?.unwrap().id)).await.unwrap()
}

async fn begin(site: &Site, user: i64) -> Pair {
    let (grants, now) = (site.grants.clone(), site.clock.now());
    let begun = site.db.write(move |conn| {
        let user = user::by_id(conn, user)?.unwrap();
        grants.begin_pair(conn, &user, &Device::default(), now)
    });
    site.grants.sign_pair(&begun.await.unwrap()).unwrap()
}

/// One session, ended while it is refreshed; returns how many refreshes were answered with tokens after its end.
async fn one_round(site: &Data<Site>, user: i64, act: Act, dice: &mut Dice, place: &str) -> usize {
    let first = begin(site, user).await;
    let answered: Answered = Arc::new(Mutex::new(vec![first.clone()]));
    let refreshers: Vec<_> = (0..REFRESHERS)
        .map(|_| tokio::spawn(refresh_on(site.clone(), first.clone(), answered.clone(), dice.below(4))))
        .collect();
    for _ in 0..dice.below(40) {
        yield_now().await;
    }
    end(site, user, &first, act).await.unwrap_or_else(|error| panic!("{place}: {act:?}: {error}"));
    let known = answered.lock().unwrap().clone();
    all_dead(site, &known, act, place).await;
    for refresher in refreshers {
        refresher.await.unwrap();
    }
    let all = answered.lock().unwrap().clone();
    all_dead(site, &all, act, place).await;
    all.len() - known.len()
}

/// Refreshes three times over, and shows what it was given; a refusal ends it.
async fn refresh_on(site: Data<Site>, first: Pair, answered: Answered, pause: usize) {
    let mut text = first.refresh;
    for _ in 0..pause {
        yield_now().await;
    }
    for _ in 0..3 {
        match site.grants.refresh(&text, Device::default()).await {
            Ok(Refreshed { access, refresh }) => {
                text = refresh.unwrap();
                answered.lock().unwrap().push(Pair { refresh: text.clone(), access: access.clone() });
                // Accepted or not, as it may be by now: it has the user's state read anew.
                let _ = site.gate.decide(&access, site.clock.now()).await.unwrap();
            }
            Err(Error::Unauthorized(_)) => return,
            Err(error) => panic!("neither answered nor refused: {error}"),
        }
    }
}

async fn end(site: &Site, user: i64, first: &Pair, act: Act) -> Result<()> {
    let (grants, now) = (site.grants.clone(), site.clock.now());
    let sid: SessionId = claims(&first.refresh)["sid"].as_str().unwrap().parse().unwrap();
    match act {
        Act::SignOut => site.grants.revoke(&first.refresh, Device::default()).await,
        Act::EndByAdmin => {
            let end = move |conn: &mut _| grants.end_in(conn, sid, Some(user), Ended::ByAdmin, None, now).map(drop);
            site.db.write(end).await
        }
        Act::SignOutEverywhere => site.db.write(move |conn| grants.end_all_in(conn, user, now).map(drop)).await,
        Act::ChangePassword => {
            site.db.write(move |conn| grants.set_password_in(conn, user, "another hash", now).map(drop)).await
        }
        Act::SwitchOffAndOn => {
            let off = grants.clone();
            site.db.write(move |conn| off.set_active_in(conn, user, false, now).map(drop)).await?;
            site.db.write(move |conn| grants.set_active_in(conn, user, true, now).map(drop)).await
        }
    }
}

async fn all_dead(site: &Site, pairs: &[Pair], act: Act, place: &str) {
    for pair in pairs {
        let admitted = site.gate.decide(&pair.access, site.clock.now()).await.unwrap();
        assert!(admitted.is_err(), "{place}: after {act:?} an access token lives");
        let refreshed = site.grants.refresh(&pair.refresh, Device::default()).await;
        assert!(matches!(refreshed, Err(Error::Unauthorized(_))), "{place}: after {act:?}: {refreshed:?}");
    }
}

/// A refresh token of ours, or one as Django with simplejwt makes it, of which nothing is on record yet.
async fn one_heir_on(app: TestApp, rounds: usize) {
    let site = app.site.clone();
    let user = person(&site, "ann").await;
    for round in 0..rounds {
        let now = site.clock.now().seconds();
        let jti = format!("{round:032x}");
        let foreign = json!({ "token_type": "refresh", "exp": now + 900, "iat": now, "jti": jti, "user_id": user });
        let token = if round % 2 == 0 { begin(&site, user).await.refresh } else { signed(&foreign) };
        let told = at_once(&site, |site| {
            let token = token.clone();
            async move { site.grants.refresh(&token, Device::default()).await }
        });
        let heirs: Vec<String> = told.await.into_iter().map(|told| told.unwrap().refresh.unwrap()).collect();
        for heir in &heirs {
            assert_eq!(claims(heir), claims(&heirs[0]), "round {round}");
        }
        let sid = claims(&heirs[0])["sid"].as_str().unwrap().to_owned();
        let of_session = outstanding_tokens::table.filter(outstanding_tokens::session_id.eq(sid)).count();
        let rows: i64 = app.read(move |conn| Ok(of_session.get_result(conn)?)).await;
        assert_eq!(rows, 2, "round {round}");

        // Signed out by all who hold it: one has done so, and the others are told that it is done.
        let heir = if round % 4 < 2 { heirs[0].clone() } else { token };
        let told = at_once(&site, |site| {
            let heir = heir.clone();
            async move { site.grants.revoke(&heir, Device::default()).await }
        });
        let told = told.await;
        assert_eq!(told.iter().filter(|told| told.is_ok()).count(), 1, "round {round}: {told:?}");
        assert!(
            told.iter().all(|told| matches!(told, Ok(()) | Err(Error::Unauthorized(_)))),
            "round {round}: {told:?}"
        );
    }
}

async fn at_once<T, F>(site: &Data<Site>, work: impl Fn(Data<Site>) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let tasks: Vec<_> = (0..8).map(|_| tokio::spawn(work(site.clone()))).collect();
    join_all(tasks).await.into_iter().map(|told| told.unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn parallel_refreshes_leave_one_successor_and_parallel_sign_outs_one_end() {
    one_heir_on(TestApp::with(own_key).await, 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn parallel_refreshes_leave_one_successor_and_parallel_sign_outs_one_end_on_postgresql() {
    one_heir_on(TestApp::on_postgres_with(own_key).await, 200).await;
}
