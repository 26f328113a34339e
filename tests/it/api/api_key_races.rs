//! API keys under many hands: real threads, on both databases.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::web::Data;
use diesel::prelude::*;
use futures_util::future::join_all;
use portcullis::auth::api_keys;
use portcullis::db::Conn;
use portcullis::db::schema::api_key_secrets;
use portcullis::error::{Error, Result};
use portcullis::model::api_key::{self, NewApiKey};
use portcullis::model::user::{self, NewUser};
use portcullis::settings::Secret;
use portcullis::site::Site;
use tokio::task::yield_now;

use crate::support::app::{NOON, TestApp, hours};

async fn person(site: &Site) -> i64 {
    let new = NewUser { username: "ann".to_owned(), date_joined: NOON, updated_at: NOON, ..NewUser::default() };
    site.db.write(move |conn| Ok(user::insert(conn, &new)?.unwrap().id)).await.unwrap()
}

async fn made(site: &Site, user: i64) -> (i64, Secret) {
    let secret = api_key::new_secret().unwrap();
    let (kept, now) = (secret.clone(), site.clock.now());
    let new = NewApiKey { user, name: "x".into(), scopes: "*".into(), ip_ranges: String::new(), expires_at: None };
    let id = site.db.write(move |conn| Ok(api_key::insert(conn, &new, &kept, now)?.unwrap().id)).await.unwrap();
    (id, secret)
}

/// Whether the gate opens.
async fn opens(site: &Site, secret: &Secret) -> bool {
    let mut headers = HeaderMap::new();
    headers.insert(HeaderName::from_static("x-api-key"), HeaderValue::from_str(secret.expose()).unwrap());
    match site.gate.admit(&headers, || [192, 0, 2, 1].into(), site.clock.now()).await {
        Ok(who) => who.is_some(),
        Err(Error::Unauthorized(_)) => false,
        Err(error) => panic!("neither opened nor refused: {error}"),
    }
}

async fn rotate(site: &Site, key: i64, overlap: u64) -> Result<Secret> {
    let secret = api_key::new_secret()?;
    let (kept, now) = (secret.clone(), site.clock.now());
    let rotated = move |conn: &mut Conn| {
        api_keys::changed_in(conn, key, now)?;
        api_key::rotate(conn, key, &kept, now + hours(overlap), now)
    };
    site.db.write(rotated).await.map(|_| secret)
}

async fn revoke(site: &Site, key: i64) {
    let now = site.clock.now();
    let revoked = move |conn: &mut Conn| {
        api_keys::changed_in(conn, key, now)?;
        api_key::delete(conn, key)
    };
    site.db.write(revoked).await.unwrap();
}

/// KEY-03 under load: while tasks use a key without pause, and so bring it into memory again and again, it is revoked. From
/// the answer on nobody gets in, and neither does who had it rotated meanwhile.
async fn dead_from_the_answer_on(app: TestApp, rounds: usize) {
    let site = app.site.clone();
    let user = person(&site).await;
    for round in 0..rounds {
        let (key, secret) = made(&site, user).await;
        let over = Arc::new(AtomicBool::new(false));
        let users: Vec<_> = (0..4)
            .map(|_| {
                let (site, secret, over): (Data<Site>, _, _) = (site.clone(), secret.clone(), over.clone());
                tokio::spawn(async move {
                    while !over.load(Ordering::Relaxed) {
                        opens(&site, &secret).await;
                        yield_now().await;
                    }
                })
            })
            .collect();
        let rotating = {
            let site = site.clone();
            tokio::spawn(async move { rotate(&site, key, 24).await })
        };
        for _ in 0..round % 20 {
            yield_now().await;
        }
        revoke(&site, key).await;
        assert!(!opens(&site, &secret).await, "round {round}");
        // A rotation that came too late is refused; one that came first has died with the key.
        if let Ok(Ok(later)) = rotating.await {
            assert!(!opens(&site, &later).await, "round {round}");
        }
        over.store(true, Ordering::Relaxed);
        for user in users {
            user.await.unwrap();
        }
        assert!(!opens(&site, &secret).await, "round {round}");
    }
    let left: i64 = app.read(|conn| Ok(api_key_secrets::table.count().get_result(conn)?)).await;
    assert_eq!(left, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_key_is_dead_from_the_answer_to_its_revocation_on() {
    dead_from_the_answer_on(TestApp::new().await, 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_key_is_dead_from_the_answer_to_its_revocation_on_on_postgresql() {
    dead_from_the_answer_on(TestApp::on_postgres().await, 60).await;
}

/// Eight rotations at once: each answered secret works, one of them for ever, and a last rotation without overlap ends all.
async fn rotated_at_once(app: TestApp, rounds: usize) {
    let site = app.site.clone();
    let user = person(&site).await;
    for round in 0..rounds {
        let (key, first) = made(&site, user).await;
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let site = site.clone();
                tokio::spawn(async move { rotate(&site, key, 1).await.unwrap() })
            })
            .collect();
        let secrets: Vec<Secret> = join_all(tasks).await.into_iter().map(|secret| secret.unwrap()).collect();
        for secret in secrets.iter().chain([&first]) {
            assert!(opens(&site, secret).await, "round {round}");
        }
        let permanent = api_key_secrets::table.filter(api_key_secrets::key_id.eq(key));
        let permanent = permanent.filter(api_key_secrets::until.is_null()).count();
        assert_eq!(app.read(move |conn| Ok(permanent.get_result::<i64>(conn)?)).await, 1, "round {round}");
        let last = rotate(&site, key, 0).await.unwrap();
        for secret in secrets.iter().chain([&first]) {
            assert!(!opens(&site, secret).await, "round {round}");
        }
        assert!(opens(&site, &last).await, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rotations_at_once_leave_one_secret_that_stays() {
    rotated_at_once(TestApp::new().await, 50).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rotations_at_once_leave_one_secret_that_stays_on_postgresql() {
    rotated_at_once(TestApp::on_postgres().await, 20).await;
}
