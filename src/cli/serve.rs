//! `portcullis serve`: opens the site, prints where it is, serves until it is told to stop.

use std::time::Duration;

use actix_web::web::Data;
use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

use crate::clock::Clock;
use crate::data_dir::DataDir;
use crate::model::{bulk_job, lifetime, outbox, user};
use crate::ops::{built_in_roles, jobs, limits, postman, rates, rollup, sweeper};
use crate::settings::{Loaded, MailBackend, Secret};
use crate::site::Site;
use crate::{logging, server};

use super::{createsuperuser, say};

/// How long a letter that is being delivered may take after the server has stopped.
const LAST_LETTER: Duration = Duration::from_millis(900);

pub fn run(loaded: Loaded) -> anyhow::Result<()> {
    let Loaded { settings, origins } = loaded;
    let flusher = logging::start(&settings.log.level)?;
    let clock = Clock::system();
    let listener = server::bind(settings.server.bind, &clock)?;
    let address = listener.local_addr().context("the listener has no address")?;
    let lock = DataDir::open(&settings.server.data_dir)?.lock()?;
    let site = Data::new(Site { origins, ..Site::open(settings, clock)? });
    let served = actix_web::rt::System::new().block_on(async {
        site.follower.follow(site.db.target(), site.clock.clone())?;
        let (present, now) = (site.settings.jwt.longest_bearer(), site.clock.now());
        site.db.write(move |conn| lifetime::note_bearer(conn, present, now)).await?;
        if site.db.is_single() {
            site.db.write(move |conn| outbox::all_are_due(conn, now)).await?;
            site.db.write(bulk_job::release_all).await?;
        }
        first_superuser(&site).await?;
        built_in_roles::make(&site).await?;
        site.mail.links.listens_at(address);
        let is_public = site.settings.server.public_url.is_some() || !address.ip().is_loopback();
        match site.settings.mail.backend {
            MailBackend::Smtp if !is_public => {
                log::warn!("server.public_url is not set: links in letters lead to {address}, where nobody else comes");
            }
            MailBackend::Console if is_public => {
                log::warn!("letters are printed on standard output and reach nobody: set mail.backend to smtp");
            }
            _ => {}
        }
        let origin = site.settings.server.public_url.clone().unwrap_or_else(|| format!("http://{address}"));
        say(&format!(
            "portcullis {} on {origin} · data in {} · {}",
            env!("CARGO_PKG_VERSION"),
            site.settings.server.data_dir.display(),
            site.db.target().name(),
        ))?;
        if site.db.read(user::active_superusers).await? == 0 {
            let token = site.setup.issue(site.clock.now())?;
            say(&format!("no administrator yet: open {origin}/admin/setup/{token}/"))?;
        }
        let server = server::server(site.clone(), listener)?;
        let handle = server.handle();
        let hub = site.hub.clone();
        let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        actix_web::rt::spawn(async move {
            tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
            log::info!("stopping: requests under way are finished");
            hub.stop();
            let stopping = actix_web::rt::spawn(handle.stop(true));
            tokio::select! {
                _ = term.recv() => {}, _ = int.recv() => {}, _ = stopping => return,
            }
            std::process::exit(1); // told twice
        });
        actix_web::rt::spawn(sweeper::run(site.clone()));
        actix_web::rt::spawn(postman::run(site.clone()));
        actix_web::rt::spawn(limits::run(site.clone()));
        actix_web::rt::spawn(rates::run(site.clone()));
        actix_web::rt::spawn(rollup::run(site.clone()));
        actix_web::rt::spawn(jobs::run(site.clone()));
        let served = server.await.context("the server failed");
        if let Err(error) = limits::keep(&site).await {
            log::error!("the last failed sign-ins could not be written: {error}");
        }
        if let Err(error) = limits::write_down(&site).await {
            log::error!("the last failed sign-ins could not be written down: {error}");
        }
        if let Err(error) = rates::keep_all(&site).await {
            log::error!("the last counted requests could not be written: {error}");
        }
        if let Err(error) = rollup::write(&site).await {
            log::error!("the last figures could not be written: {error}");
        }
        // Kept until the end, so that the postman begins nothing more.
        let _desk = timeout(LAST_LETTER, site.mail.desk()).await;
        served
    });
    site.follower.stop();
    drop(lock);
    drop(flusher);
    served
}

/// Makes the superuser that the environment names, if there is none yet.
async fn first_superuser(site: &Site) -> anyhow::Result<()> {
    let given = |name: &str| std::env::var(format!("PORTCULLIS_SUPERUSER_{name}")).ok();
    let Some(username) = given("USERNAME") else { return Ok(()) };
    if site.db.read(user::active_superusers).await? > 0 {
        return Ok(());
    }
    let password: Secret = match (given("PASSWORD"), given("PASSWORD_FILE")) {
        (Some(password), _) => password.into(),
        (None, Some(file)) => {
            let text =
                std::fs::read_to_string(&file).with_context(|| format!("PORTCULLIS_SUPERUSER_PASSWORD_FILE {file}"))?;
            text.trim_end_matches(['\n', '\r']).to_owned().into()
        }
        (None, None) => anyhow::bail!(
            "PORTCULLIS_SUPERUSER_USERNAME is set, but neither PORTCULLIS_SUPERUSER_PASSWORD nor PORTCULLIS_SUPERUSER_PASSWORD_FILE"
        ),
    };
    createsuperuser::make(site, &username, &given("EMAIL").unwrap_or_default(), password)
        .await
        .context("PORTCULLIS_SUPERUSER_…")?;
    Ok(())
}
