//! The site: everything that a request can reach, opened once and in order.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::{Context, bail};
use tokio::sync::Notify;

use crate::auth::attempts::Attempts;
use crate::auth::claim_names::ClaimNames;
use crate::auth::gate::Gate;
use crate::auth::grants::Grants;
use crate::auth::key_store::KeyStore;
use crate::auth::letter_token::LetterTokens;
use crate::auth::limits::{self, Limits};
use crate::auth::marks::PasswordMarks;
use crate::auth::memory::Memory;
use crate::auth::password::Passwords;
use crate::auth::secrets::RootSecret;
use crate::auth::setup::SetupToken;
use crate::auth::sign_in::SignIn;
use crate::auth::signer::{Rules, Signer};
use crate::auth::social::Social;
use crate::auth::two_factor::TwoFactor;
use crate::auth::voucher::Vouchers;
use crate::clock::{Clock, Timestamp};
use crate::data_dir::DataDir;
use crate::db::tally::Totals;
use crate::db::{Conn, Db, Target, migrate};
use crate::follower::Follower;
use crate::hub::Hub;
use crate::language::Languages;
use crate::mail::Mail;
use crate::metrics::Metrics;
use crate::model::audit::Chain;
use crate::model::fact::{self, About};
use crate::model::{lifetime, sign_in_failure, throttle_count, throttled};
use crate::settings::{Origin, Settings};
use crate::throttle::{Shared, Throttle};
use crate::zone::Zone;

/// Everything that a request can reach.
pub struct Site {
    /// The settings in force.
    pub settings: Arc<Settings>,
    /// Where each setting came from, by its key; what is not in it is a default.
    pub origins: BTreeMap<String, Origin>,
    /// The time.
    pub clock: Clock,
    /// The database.
    pub db: Db,
    /// The languages that the panel speaks.
    pub languages: Languages,
    /// How many rows its large tables have.
    pub totals: Totals,
    /// From a request's headers to who is asking.
    pub gate: Gate,
    /// Sessions: begun, continued, ended.
    pub grants: Grants,
    /// The hashing threads.
    pub passwords: Passwords,
    /// The check of a name and a password.
    pub sign_in: SignIn,
    /// The providers of social sign-in.
    pub social: Social,
    /// Codes beside the password.
    pub two_factor: TwoFactor,
    /// Users and ended sessions, in memory.
    pub memory: Memory,
    /// How often one may ask.
    pub throttle: Arc<Throttle>,
    /// Open sockets.
    pub hub: Hub,
    /// What applies changes to memory.
    pub follower: Arc<Follower>,
    /// The one-time link of a first run.
    pub setup: SetupToken,
    /// What signs and verifies tokens.
    pub signer: Signer,
    /// The files of the key ring.
    pub keys: KeyStore,
    /// The tokens of letters.
    pub letters: LetterTokens,
    /// Letters, and how they go out.
    pub mail: Mail,
    /// Keys for other purposes than tokens.
    pub secrets: RootSecret,
    /// When it was opened.
    pub opened: Timestamp,
    /// What is counted as it happens.
    pub metrics: Metrics,
    /// What seals the audit log.
    pub audit: Chain,
    /// Rung when a job waits: an act on more rows than a request does.
    pub jobs: Arc<Notify>,
    /// The data folder.
    pub data_dir: DataDir,
    /// Its name and zone: see [`Site::about`].
    pub about: RwLock<About>,
}

const ROOT_SECRET: &str = "root.secret";

/// Threads that read from the database: enough that one slow list does not hold up the next.
const READERS: usize = 4;

impl Site {
    /// The zone in which times are shown to those who chose none: the settings', else the one of the first run, else UTC.
    pub fn zone(&self) -> Zone {
        self.settings.admin.time_zone.or(self.about().zone).unwrap_or(Zone::UTC)
    }

    /// The server's name and zone, as they were chosen at the first run.
    pub fn about(&self) -> About {
        self.about.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes what was chosen, after its commit. Other servers over the same database know it from their next start on.
    pub fn learn(&self, about: About) {
        *self.about.write().unwrap_or_else(PoisonError::into_inner) = about;
    }

    /// Opens the data folder, the database (its schema brought up to date) and the keys, and replays what was ended.
    ///
    /// # Errors
    /// One sentence that says what is in the way.
    pub fn open(settings: Settings, clock: Clock) -> anyhow::Result<Self> {
        let settings = Arc::new(settings);
        let languages = Languages::load(settings.admin.languages.as_deref())?;
        let data_dir = DataDir::open(&settings.server.data_dir)?;
        let url = settings.database.url(&settings.server.data_dir);
        if let Target::Sqlite(path) = Target::parse(url.expose())? {
            prepare_file(&path, &data_dir)?;
        }
        let db = Db::open(url.expose(), READERS, &clock)?;
        let mut conn = db.target().connect()?;
        for name in migrate::run(&mut conn)? {
            log::info!("migrated the database: {name}");
        }

        let secrets = RootSecret::parse(&kept(&data_dir, ROOT_SECRET, RootSecret::make)?)
            .with_context(|| format!("{ROOT_SECRET} in the data folder"))?;
        let jwt = Arc::new(settings.jwt.clone());
        let rules = Rules {
            issuer: jwt.issuer.clone(),
            audience: jwt.audience.clone(),
            leeway: jwt.leeway,
            names: ClaimNames::of(&jwt),
        };
        let keys = KeyStore::open(jwt.clone(), &data_dir)?;
        keys.begin(&mut conn, clock.now())?;
        let signer = Signer::new(keys.load(&mut conn)?, rules);
        let marks = PasswordMarks::new(&secrets.derive("password marks"));

        let memory = Memory::new(db.clone());
        let hub = Hub::new(settings.sockets.per_user);
        let (throttle, limits) = counts(&settings, &secrets, &db, &mut conn, &clock)?;
        let (parts, counts) = ((memory.clone(), signer.clone()), (throttle.clone(), limits.clone()));
        let follower = Follower::new(parts.0, parts.1, keys.clone(), hub.clone(), counts.0, counts.1)?;
        let follower = Arc::new(follower);
        follower.replay(&mut conn, clock.now())?;
        // After its place in the log was read: what is decided from there on, it hears of.
        throttle.restore(throttled::decisions(&mut conn, clock.now())?);
        // Weak, since what it tells holds the database itself: a closed site must let go of its threads and connections.
        let hook = Arc::downgrade(&follower);
        db.after_commit(Box::new(move |conn| match hook.upgrade() {
            Some(follower) => follower.catch_up(conn).map(drop),
            None => Ok(()),
        }));

        let verified_only = settings.accounts.require_verified_email;
        let gate = Gate::new(signer.clone(), memory.clone(), marks.clone(), jwt.clone(), verified_only)?;
        let longest_bearer = lifetime::longest_bearer(&mut conn, jwt.longest_bearer())?;
        let metrics = Metrics::default();
        let grants = Grants::new(db.clone(), clock.clone(), signer.clone(), marks, memory.clone(), jwt, longest_bearer);
        let grants = grants.counted_by(metrics.clone()).heeding(throttle.holds());
        let letters = LetterTokens::new(signer.clone(), &secrets.derive("letter tokens"));
        let mail = Mail::new(&settings)?;
        let passwords = Passwords::start(&settings.passwords)?;
        let two_factor = TwoFactor::new(&secrets, &issuer(&settings))?;
        let vouchers = Vouchers::new(&secrets.derive("vouchers"));
        let sign_in = SignIn::new(
            db.clone(),
            clock.clone(),
            passwords.clone(),
            limits,
            Attempts::new(&secrets.derive("sign-in names"), clock.clone(), metrics.clone()),
            vouchers,
            two_factor.clone(),
        );
        let social = Social::new(&settings.social, &clock)?;
        let opened = clock.now();
        let audit = Chain::new(&secrets.derive("audit chain"));
        let about = RwLock::new(fact::about(&mut conn)?);
        Ok(Self {
            settings,
            origins: BTreeMap::new(),
            clock,
            db,
            languages,
            totals: Totals::default(),
            gate,
            grants,
            passwords,
            sign_in,
            social,
            two_factor,
            memory,
            throttle,
            hub,
            follower,
            setup: SetupToken::default(),
            signer,
            keys,
            letters,
            mail,
            secrets,
            opened,
            metrics,
            audit,
            jobs: Arc::default(),
            data_dir,
            about,
        })
    }
}

/// The counts of requests and of failed sign-ins, going on from where the last process stopped.
fn counts(
    settings: &Settings,
    secrets: &RootSecret,
    db: &Db,
    conn: &mut Conn,
    clock: &Clock,
) -> anyhow::Result<(Arc<Throttle>, Arc<Limits>)> {
    let shared = Shared::open(&settings.throttle.store, db, clock)?;
    let throttle = Throttle::new(&secrets.derive("rates"), shared.clone(), clock.clone());
    throttle.memory().restore(throttle_count::live(conn, clock.now())?, clock.monotonic(), clock.now());
    let limits = Limits::new(&secrets.derive("sign-in limits"), settings.throttle.clone(), clock.clone());
    let limits = limits.sharing(shared).heeding(throttle.holds(), throttle.refusals());
    let most = limits::MOST.try_into().unwrap_or(i64::MAX);
    limits.restore(sign_in_failure::live(conn, clock.now(), most)?);
    Ok((Arc::new(throttle), Arc::new(limits)))
}

/// What authenticator apps call this server.
fn issuer(settings: &Settings) -> String {
    let public = settings.server.public_url.as_deref().and_then(|url| url.split_once("://"));
    let host = public.and_then(|(_, rest)| rest.split(['/', ':']).next()).filter(|host| !host.is_empty());
    host.map_or_else(|| "Portcullis".to_owned(), |host| format!("Portcullis {host}"))
}

/// Makes the database's file for its owner alone. A folder that has keys and no database has lost it: an empty one in its
/// place would look like a fresh start and be the end of every account.
fn prepare_file(path: &Path, data_dir: &DataDir) -> anyhow::Result<()> {
    if !path.exists() && data_dir.join(ROOT_SECRET).exists() {
        bail!(
            "the database {} is gone, but the data folder has its keys: put the database back, or start with an empty folder",
            path.display()
        );
    }
    DataDir::touch_private(path)
}

/// A secret of the data folder, made now if it is missing.
fn kept(
    data_dir: &DataDir,
    name: &str,
    make: impl FnOnce() -> anyhow::Result<zeroize::Zeroizing<String>>,
) -> anyhow::Result<zeroize::Zeroizing<String>> {
    if let Some(text) = data_dir.secret(name)? {
        return Ok(text);
    }
    let text = make()?;
    data_dir.keep_secret(name, &text)?;
    Ok(text)
}
