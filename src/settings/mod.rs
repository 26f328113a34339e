//! The settings: what each one is, and why its default is what it is.
//!
//! How they are loaded is told in [`source`], how single values are written in [`value`], what must fit together in
//! [`rules`], what simplejwt has and we have not in [`refused`]. A new setting is a field here and its default: file, environment, flags and `portcullis config` follow.

pub mod mail;
pub mod origin;
mod refused;
pub mod rules;
pub mod social;
pub mod sockets;
pub mod source;
pub mod value;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use jsonwebtoken::Algorithm;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use mail::{Mail, MailBackend, SmtpTls};
pub use origin::{Loaded, Origin, Shown};
pub use social::Social;
pub use sockets::Sockets;
pub use value::{ObtainMember, Rate, Registration, Secret, TokenClaim, TokenClass};

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

impl Default for Server {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 8000)),
            workers: 0,
            public_url: None,
            trusted_proxies: Vec::new(),
            data_dir: "./data".into(),
            body_limit: 1024 * 1024,
        }
    }
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

/// Tokens. The keys are simplejwt's setting names in lower case, its defaults are ours unless a line says why not.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Jwt {
    /// How tokens are signed; a token that names another algorithm is refused. HS256, as simplejwt: it needs no key pair.
    pub algorithm: Algorithm,
    /// The HMAC secret, or the private key as PEM text. None by default: one is made at the first start and kept in the
    /// data folder.
    pub signing_key: Option<Secret>,
    /// The file that holds the signing key, for those who keep secrets in files. None by default.
    pub signing_key_file: Option<PathBuf>,
    /// The public key as PEM text; HMAC needs none. None by default: the private key tells it.
    pub verifying_key: Option<Secret>,
    /// The file that holds the public key. None by default.
    pub verifying_key_file: Option<PathBuf>,
    /// How long an access token lives. Five minutes, as simplejwt.
    #[serde(with = "value::duration")]
    pub access_token_lifetime: Duration,
    /// How long a refresh token lives. A day, as simplejwt.
    #[serde(with = "value::duration")]
    pub refresh_token_lifetime: Duration,
    /// How long a sliding token lives until it is slid. Five minutes, as simplejwt.
    #[serde(with = "value::duration")]
    pub sliding_token_lifetime: Duration,
    /// How long a sliding token can be slid. A day, as simplejwt.
    #[serde(with = "value::duration")]
    pub sliding_token_refresh_lifetime: Duration,
    /// The end of a session, which no rotation moves. 90 days: a stolen session must end some day by itself.
    #[serde(with = "value::duration")]
    pub session_lifetime: Duration,
    /// Whether a refresh gives a new refresh token too. On (simplejwt: off): only so can theft be seen.
    pub rotate_refresh_tokens: bool,
    /// Whether rotation spends the old refresh token. On (simplejwt: off), for the same reason.
    pub blacklist_after_rotation: bool,
    /// Whether an old refresh token gives the same successor until that one is used. On: lost answers and parallel tabs
    /// do no harm.
    pub parallel_refresh: bool,
    /// How long after its successor was first used an old refresh token is still answered. Ten seconds: a slow network.
    #[serde(with = "value::duration")]
    pub rotation_grace: Duration,
    /// Whether a spent refresh token that comes back ends its session. On: one of the two who hold it is a thief.
    pub reuse_ends_session: bool,
    /// Whether signing in writes `last_login`. Off, as simplejwt: it is one more write.
    pub update_last_login: bool,
    /// The words before the token, in any letter case; the first makes the challenge. `Bearer`, as RFC 6750.
    pub auth_header_types: Vec<String>,
    /// The header that carries the token, in lower case; Django's spelling `HTTP_X_ACCESS_TOKEN` is understood.
    /// `authorization`, as HTTP says.
    #[serde(deserialize_with = "value::header_name")]
    pub auth_header_name: String,
    /// The kinds of token that open the API, in the order in which they are tried. Access tokens, as simplejwt.
    pub auth_token_classes: Vec<TokenClass>,
    /// The claim that names the user. `user_id`, as simplejwt.
    pub user_id_claim: String,
    /// Whether that claim is a number, as simplejwt wrote it before 5.5.1. Off: text, as now. Both are always read.
    pub user_id_as_number: bool,
    /// The claim that says what kind a token is. `token_type`, as simplejwt.
    pub token_type_claim: String,
    /// The claim that holds a token's id. `jti`, as RFC 7519.
    pub jti_claim: String,
    /// The claim that holds the end of a token's sliding. `refresh_exp`, as simplejwt.
    pub sliding_token_refresh_exp_claim: String,
    /// Whom tokens are for: written as `aud` and demanded, if any. None by default, as simplejwt.
    pub audience: Vec<String>,
    /// Who issues: written as `iss` and demanded, if set. None by default, as simplejwt.
    pub issuer: Option<String>,
    /// Whether the refresh token travels in a cookie that no script can read, and never in a body: for pages in a browser.
    /// Off: other clients keep no cookies.
    pub refresh_cookie: bool,
    /// How far clocks may differ. Not at all, as simplejwt; at most a minute, for it also lengthens every token's life.
    #[serde(with = "value::duration")]
    pub leeway: Duration,
    /// Whether tokens carry a mark of the password, as simplejwt's can. Off: generations end tokens without it.
    pub check_revoke_token: bool,
    /// The claim that carries that mark. `hash_password`, as simplejwt.
    pub revoke_token_claim: String,
    /// What tokens tell about their user. The name and whether they are staff: no e-mail address unless asked for.
    pub token_claims: Vec<TokenClaim>,
    /// Claims that are the same in every token: a table, in the environment a JSON object. None by default.
    #[serde(deserialize_with = "value::claims")]
    pub static_claims: Map<String, Value>,
    /// What the answer of `/api/token/` tells beside the tokens. Nothing by default, as simplejwt.
    pub obtain_response: Vec<ObtainMember>,
}

impl Jwt {
    /// The longest that a token which requests carry may live.
    pub fn longest_bearer(&self) -> Duration {
        self.access_token_lifetime.max(self.sliding_token_lifetime)
    }
}

impl Default for Jwt {
    fn default() -> Self {
        Self {
            algorithm: Algorithm::HS256,
            signing_key: None,
            signing_key_file: None,
            verifying_key: None,
            verifying_key_file: None,
            access_token_lifetime: 5 * MINUTE,
            refresh_token_lifetime: DAY,
            sliding_token_lifetime: 5 * MINUTE,
            sliding_token_refresh_lifetime: DAY,
            session_lifetime: 90 * DAY,
            rotate_refresh_tokens: true,
            blacklist_after_rotation: true,
            parallel_refresh: true,
            rotation_grace: Duration::from_secs(10),
            reuse_ends_session: true,
            update_last_login: false,
            auth_header_types: vec!["Bearer".into()],
            auth_header_name: "authorization".into(),
            auth_token_classes: vec![TokenClass::Access],
            user_id_claim: "user_id".into(),
            user_id_as_number: false,
            token_type_claim: "token_type".into(),
            jti_claim: "jti".into(),
            sliding_token_refresh_exp_claim: "refresh_exp".into(),
            audience: Vec::new(),
            issuer: None,
            refresh_cookie: false,
            leeway: Duration::ZERO,
            check_revoke_token: false,
            revoke_token_claim: "hash_password".into(),
            token_claims: vec![TokenClaim::Username, TokenClaim::IsStaff],
            static_claims: Map::new(),
            obtain_response: Vec::new(),
        }
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

/// How often one may ask: a rate such as `100/day`, or `off`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Throttle {
    /// For a caller who is not signed in, by address. Off, as DRF.
    #[serde(with = "value::rate")]
    pub anon: Option<Rate>,
    /// For a user. Off, as DRF.
    #[serde(with = "value::rate")]
    pub user: Option<Rate>,
    /// For failed sign-ins to one account from one address. Ten a minute: nobody types faster. `off` switches off all
    /// limits of signing in.
    #[serde(with = "value::rate")]
    pub login: Option<Rate>,
    /// For failed sign-ins to one account from all addresses together, but those where its owner is known. Twenty an hour:
    /// whoever commands a thousand addresses gets no further than with one.
    #[serde(with = "value::rate")]
    pub login_account: Option<Rate>,
    /// For failed sign-ins from one address to all accounts together; registrations count too. Twenty a minute.
    #[serde(with = "value::rate")]
    pub login_address: Option<Rate>,
    /// For failed sign-ins where the account is known: from a browser that has signed in to it before, in place of the three
    /// above; from an address that it has signed in from lately, in place of the account's. Twenty an hour: no stranger
    /// elsewhere can use them up, and a thief there cannot guess for long.
    #[serde(with = "value::rate")]
    pub login_device: Option<Rate>,
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            anon: None,
            user: None,
            login: Some(Rate { requests: 10, per: MINUTE }),
            login_account: Some(Rate { requests: 20, per: HOUR }),
            login_address: Some(Rate { requests: 20, per: MINUTE }),
            login_device: Some(Rate { requests: 20, per: HOUR }),
        }
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
}

impl Default for Admin {
    fn default() -> Self {
        Self { session_idle: 30 * MINUTE, session_lifetime: 12 * HOUR, require_two_factor: false }
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
