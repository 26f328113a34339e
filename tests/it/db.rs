//! The database: what a job may do to its neighbours, both kinds alike, and what the two schemas must agree on.

use std::sync::Arc;
use std::time::Duration;

use diesel::prelude::*;
use portcullis::db::{Conn, Target, migrate};
use portcullis::error::Error;
use portcullis::model::{role, user};

use crate::support::app::TestApp;
use crate::support::database::{Kind, bare};
use crate::support::process::eventually;
use crate::support::postgres;

/// A closed site lets go of its threads, and they of their connections.
#[actix_web::test]
async fn a_site_that_is_closed_leaves_no_connection_behind() {
    let app = TestApp::on_postgres().await;
    app.user("ann").await.signed_in().await.get("/api/tasks/").await.status(200);
    let Target::Postgres(url) = app.site.db.target().clone() else { panic!("on PostgreSQL") };
    drop(app);

    let mut conn = Target::Postgres(url).connect().unwrap();
    eventually("the end of the others' connections", Duration::from_secs(10), || {
        let others = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
        (diesel::sql_query(others).execute(&mut conn).unwrap() == 0).then_some(())
    });
}
