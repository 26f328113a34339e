//! The server as clients meet it: the release binary as a process of its own, over a real socket.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use diesel::connection::SimpleConnection;
use portcullis::site::Site;

use crate::support::client::{Client, each, load, request};
use crate::support::process::{Process, cpu_of};
use crate::support::{block_on, folder, median, p99, row, site, user};

const PASSWORD: &str = "correct horse 9";
const CLIENTS: usize = 32;
const TURNS: usize = 7;
const TURN: Duration = Duration::from_millis(1200);

pub fn run() {
    starts();
    size();
    requests();
    sign_in();
    refusals();
    storm();
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn starts() {
    let [mut first, mut later, mut cpu, mut rss, mut anon] = [const { Vec::new() }; 5];
    for _ in 0..9 {
        let place = folder();
        let data = place.path().join("data");
        first.push(millis(Process::portcullis(&data, &[]).first_answer));
        let server = Process::portcullis(&data, &[]);
        later.push(millis(server.first_answer));
        cpu.push(millis(server.cpu()));
        thread::sleep(Duration::from_millis(500));
        rss.push(server.memory("VmRSS"));
        anon.push(server.memory("RssAnon"));
    }
    row("first start to first answer, the schema made", format!("{:.0} ms", median(first)));
    row("later start to first answer; CPU of it", format!("{:.0}; {:.0} ms", median(later), median(cpu)));
    row("idle memory: resident; of it anonymous", format!("{:.1}; {:.1} MiB", median(rss), median(anon)));
}

fn size() {
    let bytes = std::fs::metadata(env!("CARGO_BIN_EXE_portcullis")).unwrap().len();
    row("the binary, stripped", format!("{:.1} MB", bytes as f64 / 1e6));
}

/// Ann with twenty tasks among `tasks`, the others' spread over a thousand users, and `ended` sessions that have ended.
fn fill(site: &Site, tasks: u32, ended: u32) -> String {
    let access = user(site, "ann", PASSWORD, 1).remove(0).access;
    let now = site.clock.now();
    let (at, until, every) = (now.micros(), (now + Duration::from_secs(3600)).micros(), tasks.max(20) / 20);
    let numbers =
        |last: u32| format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {last})");
    let sql = [
        format!(
            "{} INSERT INTO users (username, password, date_joined, updated_at) SELECT 'user' || i, '!', {at}, {at} FROM n;",
            numbers(1000)
        ),
        format!(
            "{} INSERT INTO tasks (title, description, user_id, created_at, updated_at) \
             SELECT 'Buy milk ' || i, 'Two litres, and look at the date', \
             CASE WHEN i % {every} = 0 THEN 1 ELSE 2 + i % 1000 END, {at}, {at} FROM n;",
            numbers(tasks)
        ),
        // 22 characters of base64url whose last has no spare bits: a session's id.
        format!(
            "{} INSERT INTO changes (kind, subject, at, until) SELECT 'ended', substr(hex(randomblob(11)), 1, 21) || 'A', {at}, {until} FROM n WHERE {ended} > 0;",
            numbers(ended.max(1))
        ),
        "PRAGMA wal_checkpoint(TRUNCATE);".into(),
    ];
    site.db.target().connect().unwrap().batch_execute(&sql.concat()).unwrap();
    access
}

/// A server, and the request that is sent to it.
struct Contestant {
    name: &'static str,
    server: Rc<Process>,
    request: Vec<u8>,
    micros: Vec<f64>,
    rates: Vec<f64>,
}

impl Contestant {
    fn new(name: &'static str, server: impl Into<Rc<Process>>, path: &str, token: &str) -> Self {
        let server = server.into();
        Self { name, server, request: request("GET", path, Some(token), None), micros: Vec::new(), rates: Vec::new() }
    }

    fn turn(&mut self, length: Duration) {
        let before = self.server.cpu();
        let (answers, took) = load(self.server.address, &self.request, CLIENTS, length);
        thread::sleep(Duration::from_millis(20)); // its threads sleep again, and their account is settled
        self.micros.push((self.server.cpu() - before).as_nanos() as f64 / 1000.0 / answers as f64);
        self.rates.push(answers as f64 / took.as_secs_f64());
    }
}

/// Requests in turns with the bare server, which gets the same bytes.
fn requests() {
    let served = |tasks, ended, settings: &[(&str, &str)]| {
        let place = folder();
        let site = site(&place);
        let access = fill(&site, tasks, ended);
        drop(site);
        (Process::portcullis(place.path(), settings), access, place)
    };
    let (plain, token, _place) = served(10_000, 0, &[]);
    let idle = plain.memory("RssAnon");
    let (logged, logged_token, _logged) = served(20, 0, &[("LOG__LEVEL", "info,actix_server=warn")]);
    let (huge, huge_token, _huge) = served(1_000_000, 1_000_000, &[]);
    let revocations = huge.memory("RssAnon") - idle;
    let (lists, list_token, _lists) = served(10_000, 0, &[]);
    let (huge_lists, huge_list_token, _huge_lists) = served(1_000_000, 0, &[]);
    let (lists, huge_lists) = (Rc::new(lists), Rc::new(huge_lists));
    let (hello, tasks) = ("/api/hello/", "/api/tasks/");
    let sorted = "/api/tasks/?search=milk&ordering=-due_date,title&page=last";
    let mut all = [
        Contestant::new("bare route", Process::bare(), hello, &token),
        Contestant::new("hello, signed in", plain, hello, &token),
        Contestant::new("hello, signed in, log on", logged, hello, &logged_token),
        Contestant::new("hello, signed in, 1 M ended sessions", huge, hello, &huge_token),
        Contestant::new("10 of 20 own rows and their count, out of 10 k", lists.clone(), tasks, &list_token),
        Contestant::new("10 of 20 own rows and their count, out of 1 M", huge_lists.clone(), tasks, &huge_list_token),
        Contestant::new("the same searched and sorted, the last page, out of 10 k", lists, sorted, &list_token),
        Contestant::new(
            "the same searched and sorted, the last page, out of 1 M",
            huge_lists,
            sorted,
            &huge_list_token,
        ),
    ];
    for contestant in &mut all {
        contestant.turn(TURN / 4);
        contestant.micros.clear();
        contestant.rates.clear();
    }
    for _ in 0..TURNS {
        for contestant in &mut all {
            contestant.turn(TURN);
        }
    }
    let bare = all[0].micros.clone();
    for Contestant { name, micros, rates, .. } in &all {
        let of_bare = median(bare.iter().zip(micros).map(|(bare, this)| bare / this).collect());
        let (cpu, rate) = (median(micros.clone()), median(rates.clone()));
        row(name, format!("{cpu:.2} µs CPU, {of_bare:.2} of bare, {rate:.0} requests a second"));
    }
    let times = |one: &Contestant, other: &Contestant| {
        median(one.micros.iter().zip(&other.micros).map(|(one, other)| one / other).collect())
    };
    row("hello with 1 M ended sessions, of hello with none", format!("{:.3}", times(&all[3], &all[1])));
    row("own rows out of 1 M, of out of 10 k", format!("{:.2}", times(&all[5], &all[4])));
    row("own rows searched and sorted out of 1 M, of out of 10 k", format!("{:.2}", times(&all[7], &all[6])));
    row("1 M ended sessions: memory of the server", format!("{revocations:.0} MiB more"));
}

/// What a sign-in costs beside the hash that it must make.
fn sign_in() {
    const ROUND: u32 = 15;
    let place = folder();
    let site = site(&place);
    user(&site, "ann", PASSWORD, 0);
    drop(site);
    let server = Process::portcullis(place.path(), &[]);
    let params = Params::new(19 * 1024, 2, 1, Some(32)).unwrap();
    let mut area = vec![Block::new(); params.block_count()];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut alone = || {
        let before = cpu_of("/proc/thread-self".as_ref());
        for _ in 0..ROUND {
            let mut out = [0; 32];
            argon2.hash_password_into_with_memory(PASSWORD.as_bytes(), &[7; 16], &mut out, &mut area).unwrap();
        }
        thread::sleep(Duration::from_millis(5));
        millis(cpu_of("/proc/thread-self".as_ref()) - before) / f64::from(ROUND)
    };
    let address = server.address;
    let whole = || {
        let before = server.cpu();
        block_on(async {
            let mut client = Client::connect(address).await;
            for _ in 0..ROUND {
                assert_eq!(client.ask(&credentials()).await.status, 200);
            }
        });
        thread::sleep(Duration::from_millis(20));
        millis(server.cpu() - before) / f64::from(ROUND)
    };
    alone();
    whole();
    let turns: Vec<(f64, f64)> = (0..7).map(|_| (alone(), whole())).collect();
    let of = median(turns.iter().map(|(alone, whole)| whole / alone).collect());
    let hash = median(turns.iter().map(|(alone, _)| *alone).collect());
    row("one argon2id hash (19 MiB, 2 passes)", format!("{hash:.1} ms CPU"));
    row("a sign-in, of that", format!("{of:.3}"));
}

fn credentials() -> Vec<u8> {
    request("POST", "/api/token/", None, Some(&format!(r#"{{"username":"ann","password":"{PASSWORD}"}}"#)))
}

/// Whether the time of a failed sign-in tells why it failed (AUT-02): two hundred of each kind, in turns.
fn refusals() {
    const ROUNDS: usize = 200;
    let place = folder();
    let site = site(&place);
    user(&site, "ann", PASSWORD, 0);
    user(&site, "gone", PASSWORD, 0);
    user(&site, "new", PASSWORD, 0);
    block_on(site.db.write(|conn| {
        diesel::RunQueryDsl::execute(
            diesel::sql_query(
                "UPDATE users SET is_active = (username <> 'gone'), email_verified = (username <> 'new')",
            ),
            conn,
        )?;
        Ok(())
    }))
    .unwrap();
    drop(site);
    let server = Process::portcullis(place.path(), &[("ACCOUNTS__REQUIRE_VERIFIED_EMAIL", "true")]);
    let ask = |name: &str, password: &str| {
        let body = format!(r#"{{"username":"{name}","password":"{password}"}}"#);
        request("POST", "/api/token/", None, Some(&body))
    };
    let kinds = [
        ("unknown", ask("nobody", PASSWORD)),
        ("wrong", ask("ann", "wrong horse 99")),
        ("inactive", ask("gone", PASSWORD)),
        ("unverified", ask("new", PASSWORD)),
    ];
    let mut times = kinds.each_ref().map(|_| Vec::new());
    block_on(async {
        let mut client = Client::connect(server.address).await;
        for round in 0..ROUNDS + 5 {
            for ((_, request), times) in kinds.iter().zip(&mut times) {
                let begun = Instant::now();
                assert_eq!(client.ask(request).await.status, 401);
                if round >= 5 {
                    times.push(millis(begun.elapsed()));
                }
            }
        }
    });
    let medians = times.map(median);
    let told: Vec<String> = kinds.iter().zip(medians).map(|((kind, _), time)| format!("{kind} {time:.2}")).collect();
    let most = medians.into_iter().fold(f64::MIN, f64::max);
    let least = medians.into_iter().fold(f64::MAX, f64::min);
    row("failed sign-ins, median of 200", format!("{} ms", told.join(", ")));
    row("– the slowest kind, of the fastest", format!("{:.3}", most / least));
}

/// A paced client, alone and while 64 others sign in at once.
fn storm() {
    let place = folder();
    let site = site(&place);
    let token = user(&site, "ann", PASSWORD, 1).remove(0).access;
    drop(site);
    let server = Process::portcullis(place.path(), &[]);
    let hello = request("GET", "/api/hello/", Some(&token), None);
    paced(server.address, &hello, Duration::from_millis(500));
    thread::sleep(Duration::from_millis(500));
    let (idle, idle_anon) = (server.memory("VmRSS"), server.memory("RssAnon"));
    let (mut alone, mut stormy, mut signed_in) = (Vec::new(), Vec::new(), 0);
    const PHASE: Duration = Duration::from_secs(4);
    for _ in 0..5 {
        alone.push(p99(paced(server.address, &hello, PHASE)));
        let over = Arc::new(AtomicBool::new(false));
        let crowd = {
            let (over, address) = (over.clone(), server.address);
            thread::spawn(move || sign_ins(address, &over))
        };
        thread::sleep(Duration::from_millis(300));
        stormy.push(p99(paced(server.address, &hello, PHASE)));
        over.store(true, Ordering::Relaxed);
        signed_in += crowd.join().unwrap();
    }
    let peak = server.memory("VmHWM");
    thread::sleep(Duration::from_secs(15));
    let (after, after_anon) = (server.memory("VmRSS"), server.memory("RssAnon"));
    let times = median(stormy.iter().zip(&alone).map(|(stormy, alone)| stormy / alone).collect());
    row("paced hello, p99 alone; under 64 sign-ins at once", format!("{:.2}; {:.2} ms", median(alone), median(stormy)));
    row("– of its own alone", format!("{times:.1}"));
    row("– sign-ins answered meanwhile", signed_in);
    row("– memory at the peak, over idle", format!("{:.1} MiB", peak - idle));
    row(
        "– memory 15 s after, over idle: resident; anonymous",
        format!("{:.1}; {:.1} MiB", after - idle, after_anon - idle_anon),
    );
}

/// Milliseconds that each answer took, of a request every 4 ms on one connection. One that had to wait for the one before
/// is counted from when it was due.
fn paced(address: SocketAddr, request: &[u8], length: Duration) -> Vec<f64> {
    const EVERY: Duration = Duration::from_millis(4);
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut waits, mut read) = (Vec::new(), [0; 4096]);
    let (begun, mut due) = (Instant::now(), Instant::now());
    while begun.elapsed() < length {
        let late = Instant::now() > due;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let from = if late { due } else { Instant::now() };
        stream.write_all(request).unwrap();
        let count = stream.read(&mut read).unwrap(); // it comes in one piece
        assert!(read[..count].starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&read[..count]));
        waits.push(millis(from.elapsed()));
        due += EVERY;
    }
    waits
}

/// 64 clients that sign in again and again; returns how often they did.
fn sign_ins(address: SocketAddr, over: &Arc<AtomicBool>) -> u64 {
    let (count, _) = each(64, |_| {
        let over = over.clone();
        async move {
            let (mut client, mut count) = (Client::connect(address).await, 0);
            while !over.load(Ordering::Relaxed) {
                assert_eq!(client.ask(&credentials()).await.status, 200);
                count += 1;
            }
            count
        }
    });
    count
}
