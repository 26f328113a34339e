//! The application under test: the server's own factory over a real site in this process, with a clock that the test moves.

use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_web::test::{TestRequest, init_service, read_body};
use actix_web::web::Data;
use futures_util::future::LocalBoxFuture;
use portcullis::clock::{Clock, Timestamp};
use portcullis::db::Conn;
use portcullis::error::Result;
use portcullis::rest::routes::Routes;
use portcullis::server;
use portcullis::settings::{MailBackend, Settings, Throttle};
use portcullis::site::Site;
use tempfile::TempDir;

use super::client::{Answer, Client};
use super::database::{self, Kind};
use super::spec::Lazy;

/// A portcullis of the test's own. Clones are the same one.
#[derive(Clone)]
pub struct TestApp {
    pub site: Data<Site>,
    pub clock: Clock,
    service: Service,
    folder: Rc<TempDir>,
    pub(super) spec: Rc<Lazy>,
}

type Service = Rc<dyn Fn(TestRequest) -> LocalBoxFuture<'static, Answer>>;

/// When every test begins: noon of the first day of 2026.
pub const NOON: Timestamp = Timestamp::from_seconds(1_767_268_800);

pub fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

pub fn minutes(count: u64) -> Duration {
    seconds(60 * count)
}

pub fn hours(count: u64) -> Duration {
    minutes(60 * count)
}

pub fn days(count: u64) -> Duration {
    hours(24 * count)
}

impl TestApp {
    /// One with the default settings.
    pub async fn new() -> Self {
        Self::with(|_| ()).await
    }

    /// One with settings of the test's own.
    pub async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::open(Kind::chosen(), change, |_| ()).await
    }

    /// One with routes beside the API's.
    pub async fn serving(routes: fn(&mut Routes)) -> Self {
        Self::open(Kind::chosen(), |_| (), routes).await
    }

    /// One with routes beside the API's, and settings of the test's own.
    pub async fn serving_with(change: impl FnOnce(&mut Settings), routes: fn(&mut Routes)) -> Self {
        Self::open(Kind::chosen(), change, routes).await
    }

    /// One on PostgreSQL, whatever the others are on.
    pub async fn on_postgres() -> Self {
        Self::open(Kind::Postgres, |_| (), |_| ()).await
    }

    /// One on PostgreSQL with settings of the test's own.
    pub async fn on_postgres_with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::open(Kind::Postgres, change, |_| ()).await
    }

    async fn open(kind: Kind, change: impl FnOnce(&mut Settings), routes: fn(&mut Routes)) -> Self {
        let folder = Rc::new(tempfile::tempdir().unwrap());
        let mut settings = Settings::default();
        settings.server.data_dir = folder.path().join("data");
        settings.database.url = Some(database::fresh(kind, folder.path()).into());
        // The cheapest hashes there are: what they cost is for the benches.
        settings.passwords.memory_kib = 8;
        settings.passwords.passes = 1;
        settings.mail.backend = MailBackend::Memory;
        change(&mut settings);
        assert_eq!(settings.complaints(), Vec::<String>::new());
        Self::start(settings, Clock::manual(NOON), folder, routes).await
    }

    async fn start(settings: Settings, clock: Clock, folder: Rc<TempDir>, routes: fn(&mut Routes)) -> Self {
        let spec = Rc::new(Lazy::of(&settings, routes));
        let site = Data::new(Site::open(settings, clock.clone()).unwrap());
        let service = Rc::new(init_service(server::app_with(site.clone(), routes)).await);
        let service: Service = Rc::new(move |request| {
            let service = service.clone();
            Box::pin(async move {
                let response = request.send_request(&*service).await;
                let (status, headers) = (response.status(), response.headers().clone());
                Answer { status, headers, body: read_body(response).await }
            })
        });
        Self { site, clock, service, folder, spec }
    }

    /// Another process over the same data: what a restart finds, or a second server.
    pub async fn again(&self) -> Self {
        self.again_with(|_| ()).await
    }

    /// Another process over the same data, with other settings.
    pub async fn again_with(&self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = (*self.site.settings).clone();
        change(&mut settings);
        Self::start(settings, self.clock.clone(), self.folder.clone(), |_| ()).await
    }

    /// Sets the clock back, as an administrator might.
    pub fn set_back(&self, by: Duration) {
        let Clock::Manual(at) = &self.clock else { unreachable!("tests have a clock of their own") };
        at.fetch_sub(i64::try_from(by.as_micros()).unwrap(), Ordering::SeqCst);
    }

    /// A client who is nobody yet.
    pub fn anonymous(&self) -> Client {
        Client::new(self.clone())
    }

    /// Asks the database something.
    pub async fn read<T: Send + 'static>(&self, work: impl FnOnce(&mut Conn) -> Result<T> + Send + 'static) -> T {
        self.site.db.read(work).await.unwrap()
    }

    /// Changes the database as the server does, with what follows a commit.
    pub async fn write<T: Send + 'static>(&self, work: impl FnOnce(&mut Conn) -> Result<T> + Send + 'static) -> T {
        self.site.db.write(work).await.unwrap()
    }

    pub(super) async fn send(&self, request: TestRequest) -> Answer {
        (self.service)(request).await
    }
}

/// For tests of other things, in which people sign in as often as they like.
pub fn no_limits(settings: &mut Settings) {
    settings.throttle = Throttle { login: None, scopes: [].into(), ..Throttle::default() };
}
