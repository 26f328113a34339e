//! Databases for tests: each has one of its own, on SQLite or on PostgreSQL.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use portcullis::clock::Clock;
use portcullis::db::{Db, Target, migrate};
use tempfile::TempDir;

use super::app::NOON;
use super::postgres;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    /// The one that the stories of the API run on: `TEST_DATABASE=postgres` has them all run on PostgreSQL.
    pub fn chosen() -> Self {
        match std::env::var("TEST_DATABASE").as_deref() {
            Err(_) | Ok("sqlite") => Self::Sqlite,
            Ok("postgres") => Self::Postgres,
            Ok(other) => panic!("TEST_DATABASE is sqlite or postgres, not {other}"),
        }
    }
}

/// The URL of a fresh database with the present schema; a file is made in `folder`. Migrating costs more than most tests
/// do, so it is a copy of one that was migrated once a process.
pub fn fresh(kind: Kind, folder: &Path) -> String {
    if kind == Kind::Postgres {
        return postgres::migrated();
    }
    static TEMPLATE: OnceLock<Vec<u8>> = OnceLock::new();
    let template = TEMPLATE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("template.db");
        let mut conn = Target::Sqlite(file.clone()).connect().unwrap();
        migrate::run(&mut conn).unwrap();
        drop(conn); // the last connection to close leaves all in the one file
        fs::read(file).unwrap()
    });
    let file = folder.join("portcullis.db");
    fs::write(&file, template).unwrap();
    format!("sqlite://{}", file.display())
}

/// A database without a site around it, for which time stands still. The folder goes with the value that comes second.
pub fn bare(kind: Kind) -> (Db, TempDir) {
    bare_at(kind, &Clock::manual(NOON))
}

/// The same by a clock of the test's own.
pub fn bare_at(kind: Kind, clock: &Clock) -> (Db, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (Db::open(&fresh(kind, folder.path()), 4, clock).unwrap(), folder)
}
