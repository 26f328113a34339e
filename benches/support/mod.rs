//! What all figures need.

pub mod client;
#[path = "../../tests/it/support/postgres.rs"]
#[allow(dead_code)]
pub mod postgres;
pub mod process;
pub mod seed;

use std::time::{Duration, Instant};

use portcullis::auth::grants::Pair;
use portcullis::clock::Clock;
use portcullis::error::Result;
use portcullis::model::session::Device;
use portcullis::model::user::{self, NewUser};
use portcullis::settings::Settings;
use portcullis::site::Site;
use tempfile::TempDir;

pub use process::{BARE, serve_bare};

/// One line of the table.
pub fn row(what: &str, figure: impl std::fmt::Display) {
    println!("  {what:<64} {figure}");
}

/// The middle one.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The value that all but one in a hundred stay below.
pub fn p99(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() * 99 / 100]
}

/// The value that all but one in twenty stay below.
pub fn p95(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() * 95 / 100]
}

/// Nanoseconds of one call: the median of seven rounds of a tenth of a second.
pub fn nanos(mut work: impl FnMut()) -> f64 {
    let mut round = || {
        let (begun, mut calls) = (Instant::now(), 0_u32);
        while begun.elapsed() < Duration::from_millis(100) {
            for _ in 0..50 {
                work();
            }
            calls += 50;
        }
        begun.elapsed().as_nanos() as f64 / f64::from(calls)
    };
    round(); // warms up
    median((0..7).map(|_| round()).collect())
}

/// A folder on the disk that the build is on; what is in `/tmp` may never touch one.
pub fn folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// A runtime for one thread.
pub fn block_on<F: Future>(work: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// A site in this process, over the data folder at `folder`.
pub fn site(folder: &TempDir) -> Site {
    let mut settings = Settings::default();
    settings.server.data_dir = folder.path().into();
    settings.throttle.login = None;
    settings.jwt.access_token_lifetime = Duration::from_secs(3600);
    Site::open(settings, Clock::system()).unwrap()
}

/// Makes a user, and `sessions` signed-in sessions; the first user of a database has the id 1.
pub fn user(site: &Site, name: &str, password: &str, sessions: usize) -> Vec<Pair> {
    block_on(async {
        let password = site.passwords.hash(password.into()).await.unwrap();
        let now = site.clock.now();
        let new = NewUser { username: name.into(), password, date_joined: now, updated_at: now, ..NewUser::default() };
        let grants = site.grants.clone();
        let begun = site.db.write(move |conn| {
            let Ok(user) = user::insert(conn, &new)? else { panic!("the name is taken") };
            (0..sessions).map(|_| grants.begin_pair(conn, &user, &Device::default(), now)).collect::<Result<Vec<_>>>()
        });
        begun.await.unwrap().iter().map(|pair| site.grants.sign_pair(pair).unwrap()).collect()
    })
}
