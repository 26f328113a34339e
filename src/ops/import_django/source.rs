//! Where the rows come from: a Django database or the JSON that `dumpdata` writes, told apart by itself.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::auth::token::Claims;
use crate::clock::Timestamp;
use crate::db::Target;

use super::database::Database;
use super::dump::Dump;
use super::record::Record;

/// How many rows are read, and written in one transaction: a request beside it waits for milliseconds.
pub const BATCH: usize = 50;

/// What is read from.
pub enum Source {
    /// A SQLite file or a PostgreSQL server.
    Database(Database),
    /// A file of JSON.
    Dump(Dump),
}

/// A group with its permissions, as `app.codename`.
pub struct Group {
    /// Its name.
    pub name: String,
    /// What it allows.
    pub permissions: Vec<String>,
}

/// A user with what hangs on it.
#[derive(Clone)]
pub struct Person {
    /// The row.
    pub record: Record,
    /// The names of its groups.
    pub groups: Vec<String>,
    /// How many permissions it has of its own, beside its groups'.
    pub own_permissions: usize,
    /// The addresses that allauth knows to be its own.
    pub verified: Vec<String>,
}

/// A refresh or sliding token that was minted there.
#[derive(Clone)]
pub struct Minted {
    /// Its row's id.
    pub id: i64,
    /// Its own id.
    pub jti: String,
    /// Whose it is.
    pub user: Option<i64>,
    /// What it says; nothing, where the row holds no token.
    pub claims: Option<Claims>,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// When it expires.
    pub expires: Option<Timestamp>,
    /// Whether it was blacklisted, and when.
    pub blacklisted: Option<Option<Timestamp>>,
}

/// Which model the users are of, if the command says so.
#[derive(Clone, Debug)]
pub enum UserModel {
    /// `accounts.User`.
    Model(String),
    /// `accounts_user`.
    Table(String),
}

impl Source {
    /// Opens `name`: `postgres://…`, a SQLite file, or a file of JSON. Nothing is written to it.
    ///
    /// # Errors
    /// What it is instead, or what about it is not clear.
    pub fn open(name: &str, users: Option<UserModel>) -> anyhow::Result<Self> {
        if name.starts_with("postgres://") || name.starts_with("postgresql://") {
            return Database::open(&Target::Postgres(name.to_owned()), users).map(Self::Database);
        }
        let path = Path::new(name.strip_prefix("sqlite://").unwrap_or(name));
        let mut head = Vec::new();
        let mut file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        file.by_ref().take(16).read_to_end(&mut head).with_context(|| format!("cannot read {}", path.display()))?;
        match head.as_slice() {
            b"SQLite format 3\0" => Database::open(&Target::Sqlite(path.into()), users).map(Self::Database),
            [0x1f, 0x8b, ..] => bail!("{} is compressed: gunzip it first", path.display()),
            head if head.trim_ascii_start().starts_with(b"[") || head.trim_ascii_start().starts_with(b"{") => {
                Dump::read(path, users).with_context(|| format!("{}", path.display())).map(Self::Dump)
            }
            _ => bail!("{} is neither a SQLite file nor what dumpdata writes as JSON", path.display()),
        }
    }

    /// The field by which users sign in.
    pub fn name_field(&self) -> &'static str {
        match self {
            Self::Database(database) => database.name_field(),
            Self::Dump(dump) => dump.name_field(),
        }
    }

    /// The highest id that a user has there or, as far as can be told, had.
    ///
    /// # Errors
    /// The database's.
    pub fn highest_user(&mut self) -> anyhow::Result<i64> {
        match self {
            Self::Database(database) => database.highest_user(),
            Self::Dump(dump) => Ok(dump.highest_user()),
        }
    }

    /// Whether a permission's name is of the user model itself: `accounts` and `user`.
    pub fn is_user_model(&self, app: &str, model: &str) -> bool {
        match self {
            Self::Database(database) => database.is_user_model(app, model),
            Self::Dump(dump) => dump.is_user_model(app, model),
        }
    }

    /// All groups.
    ///
    /// # Errors
    /// The database's.
    pub fn groups(&mut self) -> anyhow::Result<Vec<Group>> {
        match self {
            Self::Database(database) => database.groups(),
            Self::Dump(dump) => Ok(dump.groups()),
        }
    }

    /// Up to [`BATCH`] users with ids above `after`, by their ids.
    ///
    /// # Errors
    /// The database's.
    pub fn people(&mut self, after: i64) -> anyhow::Result<Vec<Person>> {
        match self {
            Self::Database(database) => database.people(after),
            Self::Dump(dump) => Ok(dump.people(after)),
        }
    }

    /// Up to [`BATCH`] tokens with row ids above `after`, by their ids.
    ///
    /// # Errors
    /// The database's.
    pub fn tokens(&mut self, after: i64) -> anyhow::Result<Vec<Minted>> {
        match self {
            Self::Database(database) => database.tokens(after),
            Self::Dump(dump) => Ok(dump.tokens(after)),
        }
    }
}

/// The claims of a token whose signature nobody looks at: what it says is used to keep it apart and to end it, never to let
/// anybody in.
pub fn claims_of(token: &str) -> Option<Claims> {
    let payload = token.split('.').nth(1)?;
    Claims::parse(&URL_SAFE_NO_PAD.decode(payload).ok()?)
}
