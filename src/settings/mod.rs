//! The settings: what each one is, and why its default is what it is.
//!
//! How they are loaded is told in [`source`], how single values are written in [`value`], what must fit together in
//! [`rules`], what simplejwt has and we have not in [`refused`]. A new setting is a field here and its default: file, environment, flags and `portcullis config` follow.

mod audit;
pub mod dangers;
mod jwt;
pub mod mail;
mod origin;
mod refused;
pub mod rules;
pub mod social;
pub mod sockets;
pub mod source;
mod throttle;
pub mod value;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

pub use audit::Audit;
pub use jwt::Jwt;
pub use mail::{Mail, MailBackend, SmtpTls};
pub use origin::{Loaded, NOT_SET, Origin, Shown, shown};
pub use social::Social;
pub use sockets::Sockets;
pub use throttle::Throttle;
pub use value::{ObtainMember, Rate, Registration, Secret, Store, TokenClaim, TokenClass};

use crate::zone::Zone;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// All settings, a section a field.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Settings {
    /// `[server]`: where it listens, and what it trusts.
    pub server: Server,
    /// `[database]`: where the data is.
    pub database: Database,
    /// `[jwt]`: tokens, in the words of simplejwt.
    pub jwt: Jwt,
    /// `[accounts]`: who may have one.
    pub accounts: Accounts,
    /// `[passwords]`: what a password must be, and what hashing it may cost.
    pub passwords: Passwords,
    /// `[throttle]`: how often one may ask.
    pub throttle: Throttle,
    /// `[cors]`: which web pages may call the API.
    pub cors: Cors,
    /// `[sockets]`: those that are told of events.
    pub sockets: Sockets,
    /// `[social.NAME]`: who else may say who somebody is.
    pub social: Social,
    /// `[mail]`: how letters go out, and where their links lead.
    pub mail: Mail,
    /// `[admin]`: the panel.
    pub admin: Admin,
    /// `[audit]`: how long it is kept who did what.
    pub audit: Audit,
    /// `[log]`: what is written down.
    pub log: Log,
}

/// Where the server listens, and what it trusts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Server {
    /// Address and port to listen at. This machine alone by default: opening it to a network is a decision.
    #[serde(deserialize_with = "value::address")]
    pub bind: SocketAddr,
    /// Threads that answer requests; 0 is one for each core, which is what they are worth.
    pub workers: usize,
    /// The address under which people reach the server, for the links it writes; without a slash at its end. None by
    /// default: then links in answers go by the `Host` header, and those in letters by `server.bind`.
    #[serde(deserialize_with = "value::public_url")]
    pub public_url: Option<String>,
    /// Networks of the proxies whose `X-Forwarded-…` headers count. None by default: anyone can send those headers.
    #[serde(deserialize_with = "value::networks")]
    pub trusted_proxies: Vec<IpNet>,
    /// The folder of database, keys and lock. `data` where the server was started, so that a first try needs nothing.
    pub data_dir: PathBuf,
    /// Whether the example page `/demo/` is there: `on`, `off`, or `auto`, which is until `public_url` is set. A first try has it
    /// without asking; a server that people know by its name is for their applications, and shows no page it was not told to.
    pub demo: Demo,
    /// The longest body that is read, in bytes. 1 MiB is far more than any request of ours needs.
    pub body_limit: usize,
}

impl Server {
    /// Whether cookies are `Secure`: everywhere but where no TLS can be in front, on plain-HTTP loopback.
    pub fn has_secure_cookies(&self) -> bool {
        match &self.public_url {
            Some(url) => !url.starts_with("http://"),
            None => !self.bind.ip().is_loopback(),
        }
    }
}

impl Server {
    /// Whether the example page is there.
    pub fn shows_demo(&self) -> bool {
        match self.demo {
            Demo::On => true,
            Demo::Off => false,
            Demo::Auto => self.public_url.is_none(),
        }
    }
}

impl Default for Server {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 8000)),
            workers: 0,
            public_url: None,
            trusted_proxies: Vec::new(),
            data_dir: "./data".into(),
            demo: Demo::Auto,
            body_limit: 1024 * 1024,
        }
    }
}

/// Whether the example page is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Demo {
    /// Until the server has a public address.
    #[default]
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// Where the data is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Database {
    /// `sqlite://FILE` or `postgres://…`. None by default: a file in the data folder, which needs no server. A secret,
    /// because it may hold a password.
    pub url: Option<Secret>,
}

impl Database {
    /// The address in force: the one that was set, or that of `portcullis.db` in the data folder.
    pub fn url(&self, data_dir: &Path) -> Secret {
        let in_folder = || format!("sqlite://{}", data_dir.join("portcullis.db").display()).into();
        self.url.clone().unwrap_or_else(in_folder)
    }
}

/// Who may have an account.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Accounts {
    /// Whether strangers can register: `open`, `closed`, or by `invitation`. Open, as the tutorial's backend.
    pub registration: Registration,
    /// How long an invitation can be accepted. A week: people are away.
    #[serde(with = "value::duration")]
    pub invitation_lifetime: Duration,
    /// Whether an account is let in only once its e-mail address is verified. Off: it takes a mail server.
    pub require_verified_email: bool,
    /// Whether the API, too, asks those who have two-factor sign-in for a code. On: else a password alone would open what
    /// the code guards. Off is for old clients that cannot ask for one.
    pub two_factor_api: bool,
}

impl Default for Accounts {
    fn default() -> Self {
        Self {
            registration: Registration::Open,
            invitation_lifetime: 7 * DAY,
            require_verified_email: false,
            two_factor_api: true,
        }
    }
}

/// What a password must be, and what hashing it may cost.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Passwords {
    /// Whether Django's four rules bind a new password. On: most accounts that fall, fall to a common one.
    pub rules: bool,
    /// Threads that hash; 0 is half the cores, at least one: a storm of sign-ins leaves the rest for other requests.
    pub hashing_threads: usize,
    /// How many passwords may wait for those threads before more are told to come again. 64 wait a second or two for
    /// one thread.
    pub queue: usize,
    /// Memory of one hash in KiB. 19 MiB, the least that OWASP advises for argon2id.
    pub memory_kib: u32,
    /// Passes over that memory. Two, as OWASP advises with it.
    pub passes: u32,
    /// Lanes of one hash. One: our threads are busy with other passwords anyway.
    pub lanes: u32,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { rules: true, hashing_threads: 0, queue: 64, memory_kib: 19 * 1024, passes: 2, lanes: 1 }
    }
}

/// Which web pages may call the API.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Cors {
    /// The pages' origins, as browsers send them. None by default: closed.
    #[serde(deserialize_with = "value::origins")]
    pub allowed_origins: Vec<String>,
    /// The headers those pages may send, in lower case. The nine of the tutorial.
    #[serde(deserialize_with = "value::header_names")]
    pub allowed_headers: Vec<String>,
    /// The headers of answers that those pages may read, in lower case, beside those that any page may. The tag of a resource
    /// and the time to wait.
    #[serde(deserialize_with = "value::header_names")]
    pub exposed_headers: Vec<String>,
}

impl Default for Cors {
    fn default() -> Self {
        let headers =
            "accept accept-encoding authorization content-type dnt origin user-agent x-csrftoken x-requested-with";
        Self {
            allowed_origins: Vec::new(),
            allowed_headers: headers.split(' ').map(Into::into).collect(),
            exposed_headers: vec!["etag".into(), "retry-after".into()],
        }
    }
}

/// The panel.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Admin {
    /// How long a panel session lives without a click. Half an hour: an unattended screen is the risk.
    #[serde(with = "value::duration")]
    pub session_idle: Duration,
    /// How long a panel session lives at most. Twelve hours: a working day.
    #[serde(with = "value::duration")]
    pub session_lifetime: Duration,
    /// Whether staff must have two-factor sign-in: until they do, the panel shows them the page to set it up and no other.
    /// Off: a first try needs no telephone.
    pub require_two_factor: bool,
    /// The zone in which the panel shows times to those who chose none: `Europe/Oslo`. UTC if it is not given.
    pub time_zone: Option<Zone>,
    /// A folder of translations of the panel, a file for each language: `nb.toml`, as `portcullis catalogue` begins it. None:
    /// it speaks English.
    pub languages: Option<PathBuf>,
}

impl Default for Admin {
    fn default() -> Self {
        Self {
            session_idle: 30 * MINUTE,
            session_lifetime: 12 * HOUR,
            require_two_factor: false,
            time_zone: None,
            languages: None,
        }
    }
}

/// What is written down.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Log {
    /// What is logged, as `env_logger` reads it: `info`, `warn,portcullis=debug`. `info` is a line a request; actix says of its threads only what is wrong,
    /// and nothing of strangers' malformed requests.
    pub level: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info,actix_server=warn,actix_http=off".into() }
    }
}
