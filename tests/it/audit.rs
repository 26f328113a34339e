//! The audit log beside the panel: what the API as staff, the command line and the server itself write into it, and how long
//! it is kept. (The panel's part: `admin/audit.rs`; the chain: `db/audit.rs`.)

use diesel::prelude::*;
use portcullis::db::schema::audit_entries;
use portcullis::db::{Conn, Target};
use portcullis::model::audit::list::{self, Stored};
use portcullis::ops::audit;
use portcullis::settings::Registration;
use serde_json::json;

use crate::api::api_keys::keyed;
use crate::support::app::{TestApp, days, no_limits, seconds};
use crate::support::process::Home;

async fn entries(app: &TestApp) -> Vec<Stored> {
    let load = |conn: &mut Conn| {
        let ids: Vec<i64> = audit_entries::table.select(audit_entries::id).order(audit_entries::id).load(conn)?;
        ids.into_iter().map(|id| Ok(list::by_id(conn, id)?.unwrap())).collect()
    };
    app.read(load).await
}

fn changes(entry: &Stored) -> Vec<(&str, &str, &str)> {
    entry.changes.iter().map(|change| (&*change.field, &*change.before, &*change.after)).collect()
}

#[actix_web::test]
async fn what_staff_do_over_the_api_is_one_entry_each_and_what_is_refused_or_wrong_is_none() {
    let app = TestApp::with(|settings| {
        no_limits(settings);
        settings.accounts.registration = Registration::Invitation;
    })
    .await;
    let root = app.user("root").superuser().await.signed_in().await;
    let eve = json!({ "username": "eve", "password": "a quiet garden 4", "is_premium": true });
    root.post("/api/users/", eve.clone()).await.status(201);
    root.post("/api/users/", eve).await.status(400);
    let off = json!({ "is_active": false, "password": "another garden 5" });
    root.patch("/api/users/2/", off).await.status(200);
    root.patch("/api/users/1/", json!({ "is_active": false })).await.status(409);
    root.post("/api/invitations/", json!({ "email": "ann@example.org" })).await.status(201);
    root.delete("/api/invitations/1/").await.status(204);
    let bob = app.user("bob").await;
    let pair = bob.obtain().await;
    root.post("/api/token/revoke/", json!({ "token": pair.refresh })).await.status(200);
    root.post("/api/token/revoke/", json!({ "token": "none" })).await.status(200);

    let all = entries(&app).await;
    let told: Vec<_> = all.iter().map(|entry| (&*entry.line.action, &*entry.line.object)).collect();
    let expected = [
        ("user.create", "eve"),
        ("user.change", "eve"),
        ("invitation.create", "ann@example.org"),
        ("invitation.revoke", "ann@example.org"),
        ("token.revoke", "bob"),
    ];
    assert_eq!(told, expected);
    let made = [
        ("username", "", "eve"),
        ("email_verified", "", "false"),
        ("is_active", "", "true"),
        ("is_staff", "", "false"),
        ("is_superuser", "", "false"),
        ("is_premium", "", "true"),
        ("is_service", "", "false"),
    ];
    assert_eq!(changes(&all[0]), made);
    assert_eq!(changes(&all[1]), [("is_active", "true", "false"), ("password", "", "changed")]);
    for entry in &all {
        assert_eq!((entry.line.actor_id, entry.line.actor.as_str()), (Some(1), "root"));
        assert!(entry.session.parse::<portcullis::model::session::SessionId>().is_ok(), "{}", entry.session);
        assert!(entry.request.parse::<u64>().is_ok());
    }
    let secrets = ["a quiet garden 4", "another garden 5", pair.refresh.as_str()];
    let told = format!("{all:?}");
    assert!(secrets.iter().all(|secret| !told.contains(secret)));
}

#[actix_web::test]
async fn who_comes_with_an_api_key_is_its_owner_by_that_key() {
    let app = TestApp::with(no_limits).await;
    let root = app.user("root").superuser().await;
    let client = keyed(&app, &root, &["users.view", "users.add"]).await;
    client.post("/api/users/", json!({ "username": "eve" })).await.status(201);
    let all = entries(&app).await;
    assert_eq!(all.len(), 1);
    assert_eq!((all[0].line.actor.as_str(), all[0].session.as_str()), ("root", "key-1"));
}

/// The sweep of the audit log, which is an entry itself, once a day at most.
#[actix_web::test]
async fn entries_go_after_four_hundred_days_and_the_log_holds_without_them() {
    let app = TestApp::with(no_limits).await;
    let root = app.user("root").superuser().await;
    for number in 0..3 {
        let client = root.signed_in().await;
        client.post("/api/users/", json!({ "username": format!("user{number}") })).await.status(201);
        app.clock.advance(days(1));
    }
    app.clock.advance(days(398));
    assert_eq!(audit::sweep(&app.site).await.unwrap(), 0, "the oldest is a day over, and no more");
    app.clock.advance(seconds(1));
    assert_eq!(audit::sweep(&app.site).await.unwrap(), 2);
    assert_eq!(audit::sweep(&app.site).await.unwrap(), 0);
    let all = entries(&app).await;
    let told: Vec<_> = all.iter().map(|entry| (entry.line.id, &*entry.line.actor, &*entry.line.action)).collect();
    assert_eq!(told, [(3, "root", "user.create"), (4, "system", "audit.sweep")]);
    let chain = app.site.audit.clone();
    assert_eq!(app.read(move |conn| chain.verify(conn)).await.unwrap().swept, 2);
}

/// What a command says, which must succeed.
#[track_caller]
fn says(home: &Home, arguments: &[&str], input: &str) -> String {
    let output = home.run(arguments, input);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_command_that_changes_something_is_one_entry_of_the_systems_and_verify_finds_what_was_done_to_them() {
    let home = Home::new()
        .with("USER", "operator")
        .with("SUDO_USER", "operator")
        .with("PORTCULLIS_ACCOUNTS__REGISTRATION", "invitation");
    says(&home, &["createsuperuser", "--username", "root"], "a quiet garden 4\n");
    says(&home, &["createsuperuser", "--username", "ann"], "a quiet garden 4\n");
    let acts: [(&[&str], &str, &str, &str); 14] = [
        (&["user", "premium", "ann"], "", "user.change", "ann"),
        (&["user", "unpremium", "ann"], "", "user.change", "ann"),
        (&["user", "unstaff", "ann"], "", "user.change", "ann"),
        (&["user", "staff", "ann"], "", "user.change", "ann"),
        (&["user", "deactivate", "ann"], "", "user.deactivate", "ann"),
        (&["user", "activate", "ann"], "", "user.activate", "ann"),
        (&["user", "reset-two-factor", "ann"], "", "user.two_factor_reset", "ann"),
        (&["user", "password", "ann", "-"], "another garden 5\n", "user.password", "ann"),
        (&["changepassword", "ann"], "a third garden 6\n", "user.password", "ann"),
        (&["user", "apikey", "ann"], "", "api_key.create", "command line"),
        (&["user", "invite", "new@example.org"], "", "invitation.create", "new@example.org"),
        (&["createsuperuser", "--username", "ann"], "a quiet garden 4\n", "user.create_superuser", "ann"),
        (&["user", "delete", "ann"], "", "user.delete", "ann"),
        (&["keys", "add"], "", "signing_key.add", ""),
    ];
    for (arguments, input, ..) in &acts {
        says(&home, arguments, input);
    }
    // A command that is refused, and those that only look, leave nothing.
    assert!(!home.run(&["user", "deactivate", "root"], "").status.success());
    says(&home, &["keys", "list"], "");
    says(&home, &["flushexpiredtokens"], "");

    let mut conn = Target::Sqlite(home.path().join("data/portcullis.db")).connect().unwrap();
    type Told = (String, String, String, String);
    let columns = (audit_entries::actor, audit_entries::user_agent, audit_entries::action, audit_entries::object);
    let told: Vec<Told> = audit_entries::table.select(columns).order(audit_entries::id).load(&mut conn).unwrap();
    assert_eq!(told.len(), 16, "{told:?}");
    let first = [("user.create_superuser", "root"), ("user.create_superuser", "ann")];
    let expected = first.into_iter().chain(acts.iter().map(|act| (act.2, act.3)));
    for (told, (action, object)) in told.iter().zip(expected) {
        assert_eq!((told.0.as_str(), told.1.as_str()), ("system", "command line of operator"));
        assert_eq!(told.2, action);
        assert!(object.is_empty() || told.3 == object, "{told:?}");
    }

    let walk = says(&home, &["audit", "verify"], "");
    assert!(walk.starts_with("the audit log holds: 16 entries, from "), "{walk}");
    let end = walk.lines().last().unwrap().strip_prefix("its end, to be noted elsewhere: ").unwrap().to_owned();
    assert!(end.starts_with("16:"), "{end}");
    says(&home, &["keys", "rotate"], "");
    says(&home, &["audit", "verify", "--noted", &end], "");

    // Put back from a copy, the log is whole; what was noted tells.
    let other = format!("{}0", &end[..end.len() - 1]).replace("16:", "15:");
    let refused = |arguments: &[&str]| {
        let output = home.run(arguments, "");
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    let told = refused(&["audit", "verify", "--noted", &other]);
    assert_eq!(told, "portcullis: the audit log does not hold: entry 15 is not the one that was noted\n");
    diesel::update(audit_entries::table.find(5)).set(audit_entries::object.eq("bob")).execute(&mut conn).unwrap();
    let told = refused(&["audit", "verify"]);
    assert_eq!(told, "portcullis: the audit log does not hold: entry 5 is not as it was written\n");
}
