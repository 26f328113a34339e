//! Migrations, and what `schema.rs` says of the tables that they make.

use diesel::connection::SimpleConnection;
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

/// 0022: what an older version had ended without a word in the rows of sessions and tokens is told there.
#[test]
fn a_database_of_an_older_version_learns_how_its_sessions_and_tokens_stand() {
    let folder = tempfile::tempdir().unwrap();
    for target in [Target::Sqlite(folder.path().join("older.db")), Target::Postgres(postgres::url())] {
        let (down, up) = match target {
            Target::Sqlite(_) => (
                include_str!("../../../migrations/sqlite/0022_standing/down.sql"),
                include_str!("../../../migrations/sqlite/0022_standing/up.sql"),
            ),
            Target::Postgres(_) => (
                include_str!("../../../migrations/postgres/0022_standing/down.sql"),
                include_str!("../../../migrations/postgres/0022_standing/up.sql"),
            ),
        };
        let mut conn = target.connect().unwrap();
        migrate::run(&mut conn).unwrap();
        conn.batch_execute(down).unwrap();
        conn.batch_execute(
            "INSERT INTO users (id, username, password, generation, date_joined, updated_at) VALUES (7, 'ann', '!', 1, 1, 5);
             INSERT INTO sessions (id, user_id, generation, kind, started_at, last_seen_at, expires_at, ended_at, ended_why) VALUES
                 ('before', 7, 0, 'pair', 1, 1, 9, NULL, NULL),
                 ('ended', 7, 1, 'pair', 1, 1, 9, 4, 'by admin'),
                 ('since', 7, 1, 'pair', 1, 1, 9, NULL, NULL);
             INSERT INTO outstanding_tokens (id, jti, session_id, user_id, kind, created_at, expires_at, refreshed_at) VALUES
                 (1, 'used', 'before', 7, 'refresh', 1, 9, 2),
                 (2, 'before', 'before', 7, 'refresh', 1, 9, NULL),
                 (3, 'ended', 'ended', 7, 'refresh', 1, 9, NULL),
                 (4, 'listed', 'since', 7, 'refresh', 1, 9, 2),
                 (5, 'since', 'since', 7, 'refresh', 1, 9, NULL);
             INSERT INTO blacklisted_tokens (token_id, blacklisted_at, reason) VALUES (4, 3, 'by admin');",
        )
        .unwrap();
        conn.batch_execute(up).unwrap();

        let all = (sessions::id, sessions::ended_at, sessions::ended_why);
        let ended: Vec<(String, Option<i64>, Option<String>)> =
            sessions::table.order(sessions::id).select(all).load(&mut conn).unwrap();
        let expected = [
            ("before", Some(5), Some("signed out everywhere")),
            ("ended", Some(4), Some("by admin")),
            ("since", None, None),
        ];
        let expected = expected.map(|(id, at, why)| (id.to_owned(), at, why.map(str::to_owned)));
        assert_eq!(ended, expected, "{}", target.name());
        let revoked = outstanding_tokens::table.filter(outstanding_tokens::is_revoked).order(outstanding_tokens::id);
        let revoked: Vec<String> = revoked.select(outstanding_tokens::jti).load(&mut conn).unwrap();
        assert_eq!(revoked, ["before", "ended", "listed"], "{}", target.name());
    }
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
