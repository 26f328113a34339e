//! The database: what a job may do to its neighbours, what both schemas must agree on, and a story for each model.
//! All of it on SQLite and on PostgreSQL.

mod audit;
mod models;
mod schema;
mod search;
mod writer;

use portcullis::db::Conn;
use portcullis::error::Result;
use portcullis::model::user::{self, NewUser, User};

use crate::support::app::NOON;
use crate::support::database::{Kind, bare};

const BOTH: [Kind; 2] = [Kind::Sqlite, Kind::Postgres];

/// Runs one story on SQLite and on PostgreSQL, each in a transaction of its own that is kept.
async fn on_both(story: fn(&mut Conn) -> Result<()>) {
    for kind in BOTH {
        let (db, _folder) = bare(kind);
        db.write(story).await.unwrap_or_else(|error| panic!("{kind:?}: {error}"));
    }
}

fn made(conn: &mut Conn, name: &str) -> Result<User> {
    let new = NewUser { username: name.into(), date_joined: NOON, updated_at: NOON, ..NewUser::default() };
    Ok(user::insert(conn, &new)?.unwrap())
}
