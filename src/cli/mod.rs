//! The command line: one verb a file, and the tree that clap reads.

mod audit;
mod catalogue;
mod changepassword;
mod config;
mod createsuperuser;
mod flush;
mod import_django;
mod keys;
mod migrate;
mod openapi;
mod serve;
mod token;
mod user;

use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, anyhow, bail};
use clap::{Parser, Subcommand};

use crate::clock::Clock;
use crate::db::Conn;
use crate::error::Result;
use crate::follower;
use crate::model::audit::{Audit, By};
use crate::model::change;
use crate::settings::{Loaded, Secret, Settings};
use crate::site::Site;

/// Users, tokens and a first API in one binary.
#[derive(Parser)]
#[command(name = "portcullis", version, about, long_about = LONG)]
struct Arguments {
    /// The settings file; without it, portcullis.toml of this folder if there is one
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// One setting, stronger than file and environment: --set server.bind=0.0.0.0:8000
    #[arg(long = "set", global = true, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Without a command the server runs
    #[command(subcommand)]
    verb: Option<Verb>,
}

const LONG: &str = "Users, tokens and a first API in one binary.\n\n\
    Settings come from portcullis.toml, then from the environment (PORTCULLIS_SERVER__BIND=0.0.0.0:8000), then from --set; \
    `portcullis config` shows each with where it came from.\n\
    Every command works beside a running server and has taken effect in it when it returns.";

#[derive(Subcommand)]
enum Verb {
    /// Runs the server (what happens without a command)
    Serve,
    /// Brings the database's schema up to date, and nothing else
    Migrate,
    /// Makes a superuser, or makes a user one and gives a new password
    Createsuperuser(createsuperuser::Arguments),
    /// Gives a user another password, and signs them out everywhere
    Changepassword {
        /// The user's name
        username: String,
    },
    /// Changes a user: active, staff, premium, password, API key; or deletes one
    User(user::Arguments),
    /// The keys that tokens are signed with: listed, added, rotated, retired
    Keys(keys::Arguments),
    /// Tells why a token is accepted or refused
    Token(token::Arguments),
    /// Tells whether the audit log is as it was written
    Audit(audit::Arguments),
    /// Takes users, groups and tokens of a Django backend over
    ImportDjango(import_django::Arguments),
    /// Deletes tokens and sessions that have expired (a running server does so by itself)
    Flushexpiredtokens,
    /// Shows every setting in force, and where it came from; secrets masked
    Config,
    /// Prints every sentence of the panel, to be translated (see admin.languages)
    Catalogue,
    /// Prints the API's description (OpenAPI 3.1), as the server answers it at /api/schema/
    Openapi,
}

/// Runs what the command line asks for.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = load(&arguments).and_then(|loaded| match arguments.verb.unwrap_or(Verb::Serve) {
        Verb::Serve => serve::run(loaded),
        Verb::Migrate => migrate::run(loaded.settings),
        Verb::Createsuperuser(arguments) => createsuperuser::run(loaded.settings, arguments),
        Verb::Changepassword { username } => changepassword::run(loaded.settings, username),
        Verb::User(arguments) => user::run(loaded.settings, arguments),
        Verb::Keys(arguments) => keys::run(loaded.settings, arguments),
        Verb::Token(arguments) => token::run(loaded.settings, arguments),
        Verb::Audit(arguments) => audit::run(loaded.settings, arguments),
        Verb::ImportDjango(arguments) => import_django::run(loaded.settings, arguments),
        Verb::Flushexpiredtokens => flush::run(loaded.settings),
        Verb::Config => config::run(&loaded),
        Verb::Catalogue => catalogue::run(),
        Verb::Openapi => openapi::run(&loaded.settings),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error may be closed; the exit code tells all the same.
            let _ = writeln!(std::io::stderr(), "portcullis: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn load(arguments: &Arguments) -> anyhow::Result<Loaded> {
    let beside = Path::new("portcullis.toml");
    let file = arguments.config.as_deref().or_else(|| beside.exists().then_some(beside));
    let flag = |text: &String| {
        let (key, value) = text.split_once('=').ok_or_else(|| anyhow!("--set {text}: write KEY=VALUE"))?;
        Ok((key.trim().to_owned(), value.to_owned()))
    };
    let flags = arguments.set.iter().map(flag).collect::<anyhow::Result<Vec<_>>>()?;
    let env =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Settings::load(env, file, &flags).map_err(|complaints| anyhow!(complaints.join("\nportcullis: ")))
}

/// Opens the site for a command that needs one to be there: run in a wrong folder, it must not begin another.
fn on_site<F>(settings: Settings, work: impl FnOnce(Site) -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>>,
{
    let folder = &settings.server.data_dir;
    if !folder.exists() {
        bail!(
            "there is no data folder {}: run this where the server runs, or say where it is with --set server.data_dir=…",
            folder.display()
        );
    }
    on_new_site(settings, work)
}

/// Opens the site for a command that may be the first, and runs `work` on it.
fn on_new_site<F>(settings: Settings, work: impl FnOnce(Site) -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>>,
{
    crate::logging::start_plain()?;
    let site = Site::open(settings, Clock::system())?;
    actix_web::rt::System::new().block_on(work(site))
}

/// Writes, and waits until a running server has taken note.
async fn write<T, F>(site: &Site, work: F) -> anyhow::Result<T>
where
    T: Send + 'static,
    F: FnOnce(&mut Conn) -> Result<T> + Send + 'static,
{
    let written = site.db.write(move |conn| {
        let before = change::position(conn)?;
        let done = work(conn)?;
        let after = change::position(conn)?;
        // What changes nobody's memory, a new user for instance, needs no confirmation, and would get none.
        Ok((done, (after > before).then_some(after)))
    });
    let (done, position) = written.await.map_err(in_words)?;
    if let Some(position) = position {
        confirm(site, position).await?;
    }
    Ok(done)
}

/// An entry of the audit log for what a command does, as the operating system's user says who it is.
fn audits(site: &Site, action: &str) -> Audit {
    let user = ["SUDO_USER", "USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    let device = user.map_or_else(|| "command line".to_owned(), |user| format!("command line of {user}"));
    Audit::new(&site.audit, By::system(device), action, site.clock.now())
}

/// Waits until a running server has taken note of the change log as far as `position`.
async fn confirm(site: &Site, position: i64) -> anyhow::Result<()> {
    let served = site.data_dir.is_served()? || !site.db.is_single();
    if served && !follower::wait_for_servers(&site.db, position, &site.clock).await? {
        bail!("it is done, but a running server has not confirmed it within five seconds: look at its log");
    }
    Ok(())
}

/// An error of the API, for a terminal.
fn in_words(error: crate::error::Error) -> anyhow::Error {
    match error {
        crate::error::Error::Invalid(fields) => {
            let complaints: Vec<String> = fields.into_iter().flat_map(|(_, complaints)| complaints).collect();
            anyhow!(complaints.join(" "))
        }
        crate::error::Error::Conflict(words) => anyhow!(words),
        other => anyhow!(other),
    }
}

/// A password: from the terminal twice and unseen, else the first line of standard input.
fn ask_password(prompt: &str) -> anyhow::Result<Secret> {
    if !std::io::stdin().is_terminal() {
        return first_line();
    }
    let password = rpassword::prompt_password(format!("{prompt}: ")).context("cannot read the password")?;
    let again = rpassword::prompt_password(format!("{prompt}, again: ")).context("cannot read the password")?;
    if password != again {
        bail!("the two passwords differ: nothing was changed");
    }
    Ok(password.into())
}

/// The first line of standard input.
fn first_line() -> anyhow::Result<Secret> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        bail!("standard input holds no password");
    }
    Ok(line.to_owned().into())
}

/// Says what was done.
fn say(line: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{line}").context("cannot write to standard output")
}
