//! Keys take their turn while clients are at work: nobody notices.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::http::{Http, Pair};
use crate::support::process::{Home, eventually};
use crate::support::token::header;

const CLIENTS: u32 = 5;
/// Of all clients together, a second.
const RATE: u32 = 500;
/// So many answers come between one rotation and the next.
const BETWEEN: usize = 400;
const ALGORITHMS: [&str; 6] = ["ES256", "RS256", "EdDSA", "HS512", "PS256", "HS256"];

/// Five hundred requests a second over kept connections; each client refreshes at every tenth of them.
#[test]
fn keys_rotate_under_load_and_no_request_is_refused() {
    let home = Home::new()
        .with("PORTCULLIS_PASSWORDS__MEMORY_KIB", "64")
        .with("PORTCULLIS_PASSWORDS__PASSES", "1")
        .with("PORTCULLIS_LOG__LEVEL", "warn");
    let server = home.serve();
    let (answers, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let start = Instant::now();
    let used: BTreeSet<String> = thread::scope(|scope| {
        let mut clients = Vec::new();
        for number in 0..CLIENTS {
            let (http, answers, over) = (Http::new(server.origin()), &answers, &over);
            clients.push(scope.spawn(move || Client::registered(http, number).work(answers, over)));
        }
        let some_more = |what: &str| {
            let enough = answers.load(Ordering::Relaxed) + BETWEEN;
            eventually(what, Duration::from_secs(60), || (answers.load(Ordering::Relaxed) >= enough).then_some(()));
        };
        some_more("answers under the first key");
        for algorithm in ALGORITHMS {
            let turned = home.run(&["keys", "rotate", "--algorithm", algorithm], "");
            assert!(turned.status.success(), "{}", String::from_utf8_lossy(&turned.stderr));
            some_more(&format!("answers under {algorithm}"));
        }
        over.store(true, Ordering::Relaxed);
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    let rate = answers.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64();
    println!("{} answers, {rate:.0} a second, tokens by {used:?}", answers.load(Ordering::Relaxed));
    for algorithm in ALGORITHMS {
        assert!(used.contains(algorithm), "no token by {algorithm}");
    }
    assert!(!server.log().contains("ERROR"), "{}", server.log());
}

struct Client {
    http: Http,
    pair: Pair,
}

impl Client {
    fn registered(http: Http, number: u32) -> Self {
        let account = json!({ "username": format!("client{number}"), "password": "correct horse 9" });
        let pair = http.post("/api/register/", "", &account).unwrap().is(201).pair();
        Self { http, pair }
    }

    /// Asks in time until it is over; every answer is a 200. Returns the algorithms of the tokens that it was given.
    fn work(mut self, answers: &AtomicUsize, over: &AtomicBool) -> BTreeSet<String> {
        let every = Duration::from_secs(1) * CLIENTS / RATE;
        let mut used = BTreeSet::new();
        let mut next = Instant::now();
        for count in 1.. {
            if over.load(Ordering::Relaxed) {
                break;
            }
            thread::sleep(next.saturating_duration_since(Instant::now()));
            next += every;
            if count % 10 == 0 {
                let given = json!({ "refresh": self.pair.refresh });
                self.pair = self.http.post("/api/token/refresh/", "", &given).unwrap().is(200).pair();
                used.insert(header(&self.pair.access)["alg"].as_str().unwrap().to_owned());
            } else {
                self.http.get("/api/hello/", &self.pair.access).unwrap().is(200);
            }
            answers.fetch_add(1, Ordering::Relaxed);
        }
        used
    }
}
