//! The audit log's chain: whatever is done to its rows outside the server is found, and nothing that the server does.

use diesel::prelude::*;
use diesel::sql_query;
use portcullis::clock::Clock;
use portcullis::db::schema::audit_entries;
use portcullis::db::{Conn, Db};
use portcullis::error::{Error, Result};
use portcullis::model::audit::{Broken, By, Chain, Change, Entry, Object, Outcome, Walk};
use portcullis::model::session::Device;

use super::{BOTH, on_both};
use crate::support::app::{NOON, days, seconds};
use crate::support::database::bare;

fn chain() -> Chain {
    Chain::new(b"the secret of a server")
}

/// The act number `number`, each a second after the one before.
fn act(number: u64) -> Entry {
    Entry {
        at: NOON + seconds(number),
        by: By {
            user: Some(7),
            name: "root".into(),
            session: "panel-1f".into(),
            device: Device { ip: "192.0.2.1".into(), user_agent: "Firefox".into() },
            request: "41".into(),
        },
        action: "user.change".into(),
        object: Object::user(5, "ann"),
        changes: vec![Change::of("email", "", "ann@example.org").unwrap(), Change::secret("password")],
        reason: "She asked.".into(),
        result: Outcome::Done,
    }
}

fn append(conn: &mut Conn, numbers: std::ops::Range<u64>) -> Result<()> {
    numbers.into_iter().try_for_each(|number| chain().append(conn, act(number)).map(drop))
}

fn verify(conn: &mut Conn) -> Result<std::result::Result<Walk, Broken>> {
    chain().verify(conn)
}

#[tokio::test]
async fn a_chain_that_nobody_touched_holds_from_its_first_entry_to_its_last() {
    on_both(|conn| {
        assert_eq!(verify(conn)?, Ok(Walk::default()));
        append(conn, 0..2500)?;
        let walk = verify(conn)?.unwrap();
        assert_eq!((walk.entries, walk.span), (2500, Some((NOON, NOON + seconds(2499)))));
        assert_eq!((walk.head.0, walk.swept), (2500, 0));

        let hashes: Vec<String> = audit_entries::table.select(audit_entries::hash).distinct().load(conn)?;
        assert_eq!(hashes.len(), 2500);
        assert!(hashes.contains(&walk.head.1));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn whatever_is_done_to_a_row_is_found_and_the_first_broken_link_named() {
    on_both(|conn| {
        append(conn, 0..9)?;
        let harm: [(&str, Broken); 26] = [
            ("UPDATE audit_entries SET at = at + 1 WHERE id = 4", Broken::Altered(4)),
            ("UPDATE audit_entries SET actor_id = 8 WHERE id = 4", Broken::Altered(4)),
            ("UPDATE audit_entries SET actor_id = NULL WHERE id = 4", Broken::Altered(4)),
            ("UPDATE audit_entries SET actor = 'bob' WHERE id = 4", Broken::Altered(4)),
            ("UPDATE audit_entries SET session = '' WHERE id = 4", Broken::Altered(4)),
            ("UPDATE audit_entries SET ip = '192.0.2.2' WHERE id = 4", Broken::Altered(4)),
            ("UPDATE audit_entries SET user_agent = 'curl' WHERE id = 4", Broken::Altered(4)),
            ("UPDATE audit_entries SET action = 'user.delete' WHERE id = 4", Broken::Altered(4)),
            ("UPDATE audit_entries SET object_kind = 'role' WHERE id = 4", Broken::Altered(4)),
            ("UPDATE audit_entries SET object_id = '6' WHERE id = 4", Broken::Altered(4)),
            ("UPDATE audit_entries SET object = 'eve' WHERE id = 4", Broken::Altered(4)),
            ("UPDATE audit_entries SET fields = 'email' WHERE id = 4", Broken::Altered(4)),
            ("UPDATE audit_entries SET changes = '[]' WHERE id = 4", Broken::Altered(4)),
            ("UPDATE audit_entries SET reason = '' WHERE id = 4", Broken::Altered(4)),
            ("UPDATE audit_entries SET request = '42' WHERE id = 4", Broken::Altered(4)),
            ("UPDATE audit_entries SET result = 'refused' WHERE id = 4", Broken::Altered(4)),
            ("UPDATE audit_entries SET object_id = 'ann', object = '5' WHERE id = 4", Broken::Altered(4)),
            ("UPDATE audit_entries SET hash = (SELECT hash FROM audit_chain) WHERE id = 4", Broken::Altered(4)),
            ("DELETE FROM audit_entries WHERE id = 1", Broken::Missing(1)),
            ("DELETE FROM audit_entries WHERE id = 4", Broken::Missing(4)),
            ("DELETE FROM audit_entries WHERE id > 7", Broken::Missing(8)),
            ("DELETE FROM audit_entries", Broken::Missing(1)),
            ("UPDATE audit_entries SET id = 10 WHERE id = 9", Broken::Missing(9)),
            ("DELETE FROM audit_chain", Broken::Ends),
            ("UPDATE audit_chain SET head_id = 8, head_hash = (SELECT hash FROM audit_entries WHERE id = 8)", Broken::Ends),
            ("UPDATE audit_chain SET anchor_id = 1, anchor_hash = (SELECT hash FROM audit_entries WHERE id = 1)", Broken::Ends),
        ];
        for (statement, broken) in harm {
            let statement = statement.replace("SELECT hash FROM audit_chain", "SELECT head_hash FROM audit_chain");
            let undone = conn.transaction::<(), Error, _>(|conn| {
                assert!(sql_query(&statement).execute(conn)? > 0, "{statement}");
                assert_eq!(verify(conn)?, Err(broken), "{statement}");
                Err(Error::Unavailable)
            });
            assert!(undone.is_err());
        }
        assert_eq!(verify(conn)?.unwrap().entries, 9);

        // What somebody else adds is found at either end, and another server's secret fits nothing.
        for id in [-3, 0, 10] {
            let foreign = format!(
                "INSERT INTO audit_entries SELECT {id}, at, actor_id, actor, session, ip, user_agent, action, object_kind, \
                 object_id, object, fields, changes, reason, request, result, hash FROM audit_entries WHERE id = 9"
            );
            let undone = conn.transaction::<(), Error, _>(|conn| {
                sql_query(&foreign).execute(conn)?;
                assert_eq!(verify(conn)?, Err(Broken::Foreign(id)));
                Err(Error::Unavailable)
            });
            assert!(undone.is_err());
        }
        assert_eq!(Chain::new(b"another").verify(conn)?, Err(Broken::Ends));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_is_old_goes_and_the_chain_holds_from_there() {
    on_both(|conn| {
        append(conn, 0..9)?;
        let (before, now) = (NOON + seconds(5), NOON + days(400));
        assert_eq!(chain().purge(conn, before, 3, now)?, 3);
        assert_eq!(chain().purge(conn, before, 3, now)?, 2);
        assert_eq!(chain().purge(conn, before, 3, now)?, 0);

        let walk = verify(conn)?.unwrap();
        assert_eq!((walk.entries, walk.swept, walk.span), (6, 5, Some((NOON + seconds(5), now))));
        let told: Vec<(String, String, String)> = audit_entries::table
            .filter(audit_entries::action.eq("audit.sweep"))
            .select((audit_entries::actor, audit_entries::object, audit_entries::changes))
            .order(audit_entries::id)
            .load(conn)?;
        let sweep = |changes: &str| ("system".to_owned(), "Audit log".to_owned(), changes.to_owned());
        let first = r#"[["entries","","3"],["up_to","","3"]]"#;
        assert_eq!(told, [sweep(first), sweep(r#"[["entries","","2"],["up_to","","5"]]"#)]);

        // What the sweep would take is missed all the same when somebody else takes it.
        sql_query("DELETE FROM audit_entries WHERE id = 6").execute(conn)?;
        assert_eq!(verify(conn)?, Err(Broken::Missing(6)));
        Ok(())
    })
    .await;
}

/// Two processes write to one log, some of their transactions fail, and there is one chain.
#[tokio::test(flavor = "multi_thread")]
async fn a_chain_does_not_fork_under_two_processes_and_a_failed_act_leaves_no_entry() {
    for kind in BOTH {
        let (db, folder) = bare(kind);
        let url = match kind {
            crate::support::database::Kind::Sqlite => {
                format!("sqlite://{}", folder.path().join("portcullis.db").display())
            }
            crate::support::database::Kind::Postgres => match db.target() {
                portcullis::db::Target::Postgres(url) => url.clone(),
                portcullis::db::Target::Sqlite(_) => unreachable!(),
            },
        };
        let other = Db::open(&url, 1, &Clock::manual(NOON)).unwrap();
        let write = |db: Db, number: u64| async move {
            let work = move |conn: &mut Conn| {
                append(conn, number..number + 1)?;
                if number.is_multiple_of(5) { Err(Error::Unavailable) } else { Ok(()) }
            };
            db.write(work).await.is_ok()
        };
        let both = (0..200).map(|number| write(if number % 2 == 0 { db.clone() } else { other.clone() }, number));
        let done = futures_util::future::join_all(both).await;
        assert_eq!(done.into_iter().filter(|done| *done).count(), 160);
        let walk = db.read(verify).await.unwrap().unwrap();
        assert_eq!((walk.entries, walk.head.0), (160, 160), "{kind:?}");
    }
}
