//! Migrations, and what `schema.rs` says of the tables that they make.

use diesel::prelude::*;
use diesel::sql_query;
use portcullis::db::schema::*;
use portcullis::db::{Conn, Target, migrate};
use portcullis::error::Result;

use super::on_both;
use crate::support::postgres;

#[test]
fn both_sets_of_migrations_run_once_and_have_equal_names() {
    let folder = tempfile::tempdir().unwrap();
    let targets = [Target::Sqlite(folder.path().join("fresh.db")), Target::Postgres(postgres::url())];
    let [sqlite, postgres] = targets.map(|target| {
        let mut conn = target.connect().unwrap();
        let names = migrate::run(&mut conn).unwrap();
        assert_eq!(migrate::run(&mut conn).unwrap(), Vec::<String>::new(), "{}", target.name());
        names
    });
    assert!(sqlite.len() >= 4);
    assert_eq!(sqlite, postgres);
}

/// REL-15: a downgrade is refused with a message.
#[test]
fn a_schema_of_a_newer_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    for target in [Target::Sqlite(folder.path().join("newer.db")), Target::Postgres(postgres::url())] {
        let mut conn = target.connect().unwrap();
        migrate::run(&mut conn).unwrap();
        sql_query("INSERT INTO __diesel_schema_migrations (version) VALUES ('9999')").execute(&mut conn).unwrap();
        let refusal = format!("{:#}", migrate::run(&mut conn).unwrap_err());
        assert!(refusal.contains("9999") && refusal.contains("newer"), "{refusal}");
    }
}

/// Several servers may start over one new database at once.
#[test]
fn migrations_that_run_at_once_run_once() {
    let url = postgres::url();
    let start = || migrate::run(&mut Target::Postgres(url.clone()).connect().unwrap()).unwrap().len();
    let counts: Vec<usize> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(start)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(counts.iter().filter(|count| **count > 0).count(), 1, "{counts:?}");
}

/// Every column that `schema.rs` names is there under its name.
#[tokio::test]
async fn every_column_of_every_table_is_there() {
    fn story(conn: &mut Conn) -> Result<()> {
        let mut tables = 0;
        macro_rules! load {
            ($($table:ident)*) => {$(
                let rows = $table::table.select($table::all_columns).limit(1).execute(conn);
                assert_eq!(rows, Ok(0), "{}", stringify!($table));
                tables += 1;
            )*};
        }
        load! {
            users roles role_permissions user_roles sessions outstanding_tokens blacklisted_tokens panel_sessions changes
            followers lifetimes signing_keys api_keys api_key_secrets invitations outbox used_letters articles tasks social_accounts
            sign_in_failures known_addresses two_factor recovery_codes idempotency_keys throttle_counts
            shared_counts
            audit_entries audit_chain metrics sign_ins facts bulk_jobs bulk_job_rows throttled dismissals
        }
        let files = [include_str!("../../../src/db/schema.rs"), include_str!("../../../src/db/schema/alone.rs")];
        let described: usize = files.iter().map(|file| file.matches("table! {").count()).sum();
        assert_eq!(tables, described, "a table of schema.rs is not asked for here");
        Ok(())
    }
    on_both(story).await;
}
