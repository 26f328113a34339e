//! `portcullis keys`: the key ring, seen and turned, beside a running server.

use anyhow::{Context, bail, ensure};
use clap::Subcommand;
use jsonwebtoken::Algorithm;

use crate::auth::key_changes;
use crate::model::audit::{Change, Object};
use crate::model::lifetime;
use crate::model::signing_key::{self, KeyState};
use crate::model::token;
use crate::settings::{Settings, rules};
use crate::site::Site;

use super::{audits, first_line, on_site, say, write};

/// What to do with the ring.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    act: Act,
}

#[derive(Subcommand)]
enum Act {
    /// Shows every key, what it is for, and how many tokens depend on it
    List,
    /// Makes a key that stands by; every server knows it from then on, and the next rotation lets it sign
    Add {
        /// HS256 HS384 HS512 RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 EdDSA; without it, jwt.algorithm
        #[arg(long)]
        algorithm: Option<Algorithm>,
        /// Brings in the secret of another server (a Django SECRET_KEY, read from standard input): it verifies the tokens
        /// without a key id that were issued until now, and signs nothing
        #[arg(long)]
        legacy: bool,
    },
    /// Lets the newest key that stands by sign, or a new one; the present one goes on verifying
    Rotate {
        /// The algorithm of a new key; without it, jwt.algorithm
        #[arg(long)]
        algorithm: Option<Algorithm>,
    },
    /// Refuses a key's tokens from now on and deletes the key
    Retire {
        /// The key's id
        kid: String,
        /// Even if live tokens depend on it: they end
        #[arg(long)]
        force: bool,
    },
}

pub fn run(settings: Settings, arguments: Arguments) -> anyhow::Result<()> {
    on_site(settings, |site| async move {
        match arguments.act {
            Act::List => list(&site).await,
            Act::Add { algorithm, legacy: true } => bring_in(&site, algorithm).await,
            Act::Add { algorithm, legacy: false } => {
                let kid = add(&site, algorithm).await?;
                say(&format!("{kid} stands by"))
            }
            Act::Rotate { algorithm } => rotate(&site, algorithm).await,
            Act::Retire { kid, force } => retire(&site, kid, force).await,
        }
    })
}

/// A key, as the audit log names it.
fn key(kid: &str) -> Object {
    Object::new("signing key", kid, kid)
}

async fn list(site: &Site) -> anyhow::Result<()> {
    let now = site.clock.now();
    let keys = site.db.read(move |conn| {
        let keys = signing_key::all(conn)?;
        let counted = keys.into_iter().map(|key| Ok((token::count_live_of_key(conn, &key, now)?, key)));
        counted.collect::<crate::error::Result<Vec<_>>>()
    });
    if site.keys.is_given() {
        say("jwt.signing_key signs; it has no id, and the ring beside it only verifies")?;
    }
    for (tokens, key) in keys.await? {
        let since = key.retired_at.or(key.replaced_at).or(key.activated_at).unwrap_or(key.created_at);
        let (kid, algorithm, state) = (key.kid, key.algorithm, key.state);
        say(&format!("{kid:<16} {algorithm:<6} {state:<10} since {}  tokens: {tokens}", since.rfc3339()))?;
    }
    Ok(())
}

async fn add(site: &Site, algorithm: Option<Algorithm>) -> anyhow::Result<String> {
    let algorithm = algorithm.unwrap_or(site.settings.jwt.algorithm);
    let (kid, name, now) = (site.keys.make(algorithm)?, format!("{algorithm:?}"), site.clock.now());
    let (listed, audit) = (kid.clone(), audits(site, "signing_key.add"));
    write(site, move |conn| {
        key_changes::add(conn, &listed, &name, now)?;
        audit.on(key(&listed)).with([Change::fact("algorithm", name)]).append(conn)
    })
    .await?;
    Ok(kid)
}

async fn bring_in(site: &Site, algorithm: Option<Algorithm>) -> anyhow::Result<()> {
    let algorithm = algorithm.unwrap_or(Algorithm::HS256);
    ensure!(
        format!("{algorithm:?}").starts_with("HS"),
        "a secret that is brought in signs by HMAC: HS256, HS384 or HS512"
    );
    let secret = first_line()?;
    // Django marks the key of a new project so, although what follows is random.
    let random = secret.expose().strip_prefix("django-insecure-").unwrap_or(secret.expose());
    // It signs nothing new, so that 32 bytes are enough, whatever its algorithm: many a Django key has 50.
    if let Some(weakness) = rules::weakness(random, Algorithm::HS256) {
        bail!("the secret {weakness}");
    }
    let (kid, name, now) =
        (site.keys.bring_in(secret.expose().as_bytes())?, format!("{algorithm:?}"), site.clock.now());
    let (listed, audit) = (kid.clone(), audits(site, "signing_key.add_legacy"));
    write(site, move |conn| {
        key_changes::add_legacy(conn, &listed, &name, now)?;
        audit.on(key(&listed)).with([Change::fact("algorithm", name)]).append(conn)
    })
    .await?;
    say(&format!("{kid} verifies tokens without a key id that were issued before {}", now.rfc3339()))
}

async fn rotate(site: &Site, algorithm: Option<Algorithm>) -> anyhow::Result<()> {
    ensure!(
        !site.keys.is_given(),
        "jwt.signing_key is set, and signs as long as it is: take it out of the settings, and the ring signs"
    );
    let wanted = algorithm.map(|algorithm| format!("{algorithm:?}"));
    let ready = site.db.read(move |conn| {
        let suits = |key: &signing_key::SigningKey| wanted.as_ref().is_none_or(|wanted| *wanted == key.algorithm);
        Ok(signing_key::all(conn)?.into_iter().rfind(|key| key.is(KeyState::Standby) && suits(key)))
    });
    // Every server knows the key before it signs: `add` returns only then.
    let kid = match ready.await? {
        Some(key) => key.kid,
        None => add(site, algorithm).await?,
    };
    let (next, now, audit) = (kid.clone(), site.clock.now(), audits(site, "signing_key.rotate"));
    write(site, move |conn| {
        key_changes::activate(conn, &next, now)?;
        audit.on(key(&next)).append(conn)
    })
    .await?;
    say(&format!("{kid} signs; the key before it verifies until it is retired"))
}

async fn retire(site: &Site, kid: String, force: bool) -> anyhow::Result<()> {
    let (named, present, now) = (kid.clone(), site.settings.jwt.longest_bearer(), site.clock.now());
    let audit = audits(site, "signing_key.retire");
    write(site, move |conn| {
        // The server's tokens may live longer than this command's settings say.
        let bearer = lifetime::longest_bearer(conn, present)?;
        key_changes::retire(conn, &named, force, bearer, now)?;
        audit.on(key(&named)).with(force.then(|| Change::fact("force", force))).append(conn)
    })
    .await?;
    site.keys.destroy(&kid).context("the key is retired, but its file is still there")?;
    say(&format!("{kid} is retired: its tokens are refused, its file is deleted"))
}
