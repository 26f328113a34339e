//! Migrations: both sets are inside the binary, with the same names in the same order.

use anyhow::{Context, anyhow, bail};
use diesel::connection::SimpleConnection;
use diesel::migration::{Migration, MigrationSource, MigrationVersion};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::conn::Conn;

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// Brings the schema up to date and returns the names of the migrations that were run. Each runs in a transaction of its
/// own, so a crash leaves the old schema or the new one. Several processes may start at once.
///
/// # Errors
/// The database's own words; and a schema newer than this binary is refused.
pub fn run(conn: &mut Conn) -> anyhow::Result<Vec<String>> {
    let names = |versions: Vec<MigrationVersion<'_>>| versions.iter().map(ToString::to_string).collect();
    match conn {
        Conn::Sqlite(inner) => {
            refuse_newer::<diesel::sqlite::Sqlite, _>(inner, SQLITE)?;
            inner.run_pending_migrations(SQLITE).map(names).map_err(|error| anyhow!(error))
        }
        Conn::Postgres(inner) => {
            // Held by this session until it is let go or ends: a second process waits here and then finds nothing to do.
            inner.batch_execute("SELECT pg_advisory_lock(7243001)").context("cannot lock for the migrations")?;
            let done = refuse_newer::<diesel::pg::Pg, _>(inner, POSTGRES)
                .and_then(|()| inner.run_pending_migrations(POSTGRES).map(names).map_err(|error| anyhow!(error)));
            inner.batch_execute("SELECT pg_advisory_unlock(7243001)").context("cannot unlock after the migrations")?;
            done
        }
    }
    .context("cannot bring the database's schema up to date")
}

fn refuse_newer<DB, C>(conn: &mut C, known: EmbeddedMigrations) -> anyhow::Result<()>
where
    DB: diesel::backend::Backend,
    C: MigrationHarness<DB>,
    EmbeddedMigrations: MigrationSource<DB>,
{
    let applied = conn.applied_migrations().map_err(|error| anyhow!(error))?;
    let known = known.migrations().map_err(|error| anyhow!(error))?;
    let is_known = |version: &MigrationVersion<'_>| known.iter().any(|one| one.name().version() == *version);
    match applied.iter().find(|version| !is_known(version)) {
        Some(newer) => {
            bail!("the database has migration {newer}, which this version does not know: it was made by a newer one")
        }
        None => Ok(()),
    }
}
