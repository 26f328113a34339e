//! Connections: the choice between SQLite and PostgreSQL by the URL's scheme, and how each is set up.

use std::fs::File;
use std::io::Read;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use anyhow::{Context, bail};
use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use diesel::{Connection, PgConnection, QueryResult, RunQueryDsl, SqliteConnection};

pub use multi::{Conn, MultiBackend};

#[allow(missing_docs)] // the derive makes public items without a word
mod multi {
    use diesel::{PgConnection, SqliteConnection};

    /// A connection to either database; queries read the same for both.
    #[derive(diesel::MultiConnection)]
    pub enum Conn {
        /// PostgreSQL.
        Postgres(PgConnection),
        /// SQLite.
        Sqlite(SqliteConnection),
    }
}

type Manager<C> = <C as Connection>::TransactionManager;

/// Which database, and where.
#[derive(Clone, PartialEq, Eq)]
pub enum Target {
    /// A file.
    Sqlite(PathBuf),
    /// A server, by libpq's URL. It may hold a password, so it is never printed.
    Postgres(String),
}

/// Milliseconds that a connection waits for another writer before it gives up.
const BUSY_TIMEOUT: u32 = 5000;

impl Target {
    /// Reads `sqlite://path`, `postgres://…` or `postgresql://…`; anything else is refused rather than guessed.
    ///
    /// # Errors
    /// A sentence that says what to write instead.
    pub fn parse(url: &str) -> anyhow::Result<Self> {
        match url.split_once("://") {
            Some(("sqlite", path)) if !path.is_empty() => Ok(Self::Sqlite(path.into())),
            Some(("postgres" | "postgresql", _)) => Ok(Self::Postgres(url.to_owned())),
            _ => bail!("database.url is neither sqlite://path/to/file nor postgres://user:password@host/name"),
        }
    }

    /// The product's name, for people.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
        }
    }

    /// What its files take, in bytes, its log with it; `None` where that is for the server to know.
    pub fn size(&self) -> Option<u64> {
        let Self::Sqlite(path) = self else { return None };
        let of = |suffix: &str| std::fs::metadata(format!("{}{suffix}", path.display())).map_or(0, |file| file.len());
        Some(of("") + of("-wal"))
    }

    /// Refuses a SQLite file that is none of ours, and leaves it as it is.
    ///
    /// # Errors
    /// What is wrong with the file, and its name.
    pub fn look(&self) -> anyhow::Result<()> {
        match self {
            Self::Postgres(_) => Ok(()),
            Self::Sqlite(path) => {
                refuse_foreign_file(path).with_context(|| format!("cannot open the database {}", path.display()))
            }
        }
    }

    /// A new connection, set up: SQLite in WAL with every commit on the disk before it is answered.
    ///
    /// # Errors
    /// The database's own words, and for SQLite the file's name.
    pub fn connect(&self) -> anyhow::Result<Conn> {
        match self {
            Self::Postgres(url) => {
                Ok(Conn::Postgres(PgConnection::establish(url).context("cannot connect to PostgreSQL")?))
            }
            Self::Sqlite(path) => {
                let open = || -> anyhow::Result<SqliteConnection> {
                    let mut conn = SqliteConnection::establish(&path.to_string_lossy())?;
                    // busy_timeout first: switching to WAL takes a lock itself.
                    conn.batch_execute(&format!(
                        "PRAGMA busy_timeout = {BUSY_TIMEOUT}; PRAGMA journal_mode = WAL; \
                         PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
                    ))?;
                    Ok(conn)
                };
                Ok(Conn::Sqlite(open().with_context(|| format!("cannot open the database {}", path.display()))?))
            }
        }
    }
}

/// A file that is no database, or another program's, must stay as it is: looked at before the first pragma writes to it.
fn refuse_foreign_file(path: &Path) -> anyhow::Result<()> {
    let Ok(mut file) = File::open(path) else { return Ok(()) }; // not there yet: made by the connection
    let mut head = [0; 16];
    match file.read(&mut head)? {
        0 => return Ok(()),
        16 if &head == b"SQLite format 3\0" => {}
        _ => bail!("the file is not a SQLite database"),
    }
    let mut conn = SqliteConnection::establish(&format!("file:{}?mode=ro", path.to_string_lossy()))?;
    conn.batch_execute(&format!("PRAGMA busy_timeout = {BUSY_TIMEOUT}"))?;
    let mut tables = |filter: &str| -> anyhow::Result<i64> {
        let count = format!("SELECT count(*) AS n FROM sqlite_master WHERE type = 'table' AND {filter}");
        Ok(diesel::sql_query(count).get_result::<Count>(&mut conn).context("the file is damaged")?.n)
    };
    if tables("name = '__diesel_schema_migrations'")? == 0 && tables("name NOT LIKE 'sqlite%'")? > 0 {
        bail!("the file is another program's database");
    }
    Ok(())
}

#[derive(diesel::QueryableByName)]
struct Count {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    n: i64,
}

/// Opens a transaction that may write, and takes the write lock at once: a deferred one fails at random on SQLite when it
/// turns from reading to writing.
pub fn begin(conn: &mut Conn) -> QueryResult<()> {
    match conn {
        Conn::Postgres(inner) => {
            Manager::<PgConnection>::begin_transaction(inner)?;
            // One transaction writes at a time, over all processes, as on SQLite: so "look, then write" needs no more
            // thought here than there, and the change log's entries become visible in the order of their ids. What that
            // costs, the group commit gives back. Let go of when the transaction ends.
            inner.batch_execute("SELECT pg_advisory_xact_lock(7243002)")
        }
        Conn::Sqlite(inner) => AnsiTransactionManager::begin_transaction_sql(inner, "BEGIN IMMEDIATE"),
    }
}

/// Commits the transaction that [`begin`] opened.
pub fn commit(conn: &mut Conn) -> QueryResult<()> {
    Manager::<Conn>::commit_transaction(conn)
}

/// Undoes the innermost transaction or savepoint.
pub fn rollback(conn: &mut Conn) -> QueryResult<()> {
    Manager::<Conn>::rollback_transaction(conn)
}

/// Runs `work` as one transaction on a connection of one's own, outside the writer: for the start, before there is one.
///
/// # Errors
/// What `work` returns, or the database's; then all of it is undone.
pub fn in_transaction<T>(conn: &mut Conn, work: impl FnOnce(&mut Conn) -> Result<T>) -> Result<T> {
    begin(conn)?;
    match work(conn) {
        Ok(done) => commit(conn).map(|()| done).map_err(Error::from),
        Err(error) => {
            rollback(conn)?;
            Err(error)
        }
    }
}

/// A number that differs when another connection has changed the database since the last look on this one; on
/// PostgreSQL there is none, and every look counts as a change.
pub fn data_version(conn: &mut Conn) -> QueryResult<Option<i64>> {
    #[derive(diesel::QueryableByName)]
    struct Version {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        data_version: i64,
    }
    match conn {
        Conn::Postgres(_) => Ok(None),
        Conn::Sqlite(inner) => {
            let row: Version = diesel::sql_query("PRAGMA data_version").get_result(inner)?;
            Ok(Some(row.data_version))
        }
    }
}

/// How many transactions and savepoints are open; `None` if the connection is in disorder.
pub fn depth(conn: &mut Conn) -> Option<u32> {
    let status = Manager::<Conn>::transaction_manager_status_mut(conn);
    status.transaction_depth().ok().map(|depth| depth.map_or(0, NonZeroU32::get))
}
