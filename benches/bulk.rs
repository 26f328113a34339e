//! Acts on thousands of rows in a panel that is in use: how long they keep others from writing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::sql_types::BigInt;
use diesel::{QueryableByName, RunQueryDsl, sql_query};
use portcullis::db::{Conn, Target};

use crate::panel::{self, Browser};
use crate::support::client::Client;
use crate::support::process::Process;
use crate::support::{block_on, folder, postgres, row};

/// What is done to the 5,000 whose name is Sofia, in this order.
const ACTS: [(&str, &str); 4] = [
    ("sign out everywhere", "sign-out"),
    ("deactivate", "deactivate"),
    ("activate", "activate"),
    ("delete, with all that is theirs", "delete"),
];
const ROWS: &str = "5000";

pub fn run() {
    for (name, url) in [("SQLite", None), ("PostgreSQL", Some(postgres::url()))] {
        let place = folder();
        let (url, target) = panel::seeded(name, place.path(), url);
        let server = Process::portcullis(place.path(), &[("DATABASE__URL", &url)]);
        block_on(async {
            let mut browser = Browser::sign_in(Client::connect(server.address).await).await;
            acts(name, &mut browser, &target).await;
        });
    }
}

/// Has each act done to all, and tells how long the longest transaction was.
async fn acts(name: &str, browser: &mut Browser, target: &Target) {
    for (what, action) in ACTS {
        let watch = Watch::begin(target);
        let begun = Instant::now();
        let fields = [("list", "users"), ("action", action), ("back", "/admin/users/"), ("all", "q=sofia")];
        let job = browser.post("/admin/confirm/", &[&fields[..], &[("sure", "yes"), ("confirm", ROWS)]].concat()).await;
        let page = loop {
            let page = browser.get(&job).await.body;
            if !page.contains(">Stop</button>") {
                break page;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        assert!(page.contains("<dt>Done</dt><dd>5,000</dd>"), "{page}");
        let took = begun.elapsed().as_secs_f64();
        let longest = watch.end();
        row(&format!("{name}: {what}, {ROWS} users"), format!("{took:.1} s, no lock longer than {longest:.0} ms"));
    }
}

/// Looks again and again how long somebody has been writing.
struct Watch {
    is_over: Arc<AtomicBool>,
    longest: JoinHandle<f64>,
}

impl Watch {
    fn begin(target: &Target) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let (mut conn, over) = (target.connect().unwrap(), is_over.clone());
        let longest = std::thread::spawn(move || {
            if matches!(conn, Conn::Sqlite(_)) {
                conn.batch_execute("PRAGMA busy_timeout = 0").unwrap();
            }
            let (mut longest, mut held_since) = (0.0_f64, None);
            while !over.load(Ordering::Relaxed) {
                let age = match &mut conn {
                    Conn::Postgres(_) => age(&mut conn),
                    // There is one lock, so what is seen of it from outside is all.
                    Conn::Sqlite(_) => match conn.batch_execute("BEGIN IMMEDIATE; ROLLBACK") {
                        Ok(()) => held_since.take().map_or(0.0, millis),
                        Err(_) => millis(*held_since.get_or_insert_with(Instant::now)),
                    },
                };
                longest = longest.max(age);
                std::thread::sleep(Duration::from_micros(200));
            }
            longest
        });
        Self { is_over, longest }
    }

    fn end(self) -> f64 {
        self.is_over.store(true, Ordering::Relaxed);
        self.longest.join().unwrap()
    }
}

fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

/// Milliseconds since the oldest transaction that has written began; the database's own (its statistics) lock no rows.
fn age(conn: &mut Conn) -> f64 {
    #[derive(QueryableByName)]
    struct Age {
        #[diesel(sql_type = BigInt)]
        micros: i64,
    }
    let ages = "SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start) * 1000000), 0)::bigint AS micros
        FROM pg_stat_activity WHERE backend_type = 'client backend' AND backend_xid IS NOT NULL AND pid <> pg_backend_pid()";
    sql_query(ages).get_result::<Age>(conn).unwrap().micros as f64 / 1000.0
}
