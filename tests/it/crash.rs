//! Killed at any moment, the server loses nothing that it has acknowledged (PRODUCT O8).
//!
//! Client threads register, sign in, refresh, sign out and write tasks over real sockets, each with a ledger of what the
//! server has *answered*. In the middle of it the server is killed without warning; after the next start the ledger must
//! hold, row by row. What was asked but not answered may have happened or not: the ledger then allows both.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use diesel::sql_types::{BigInt, Text};
use diesel::{Connection, QueryableByName, RunQueryDsl, SqliteConnection};
use serde_json::json;

use crate::support::dice::Dice;
use crate::support::http::{Http, Pair};
use crate::support::process::{Home, eventually};

const ROUNDS: usize = 30;
const CLIENTS: u64 = 8;
const PASSWORD: &str = "correct horse 9";

#[test]
fn killed_without_warning_again_and_again_it_loses_nothing_that_it_acknowledged() {
    // Spent means spent at once, so that the ledger knows; hashing as cheap as it may be; no limit on signing in.
    let home = Home::new()
        .with("PORTCULLIS_JWT__PARALLEL_REFRESH", "false")
        .with("PORTCULLIS_JWT__ACCESS_TOKEN_LIFETIME", "1h")
        .with("PORTCULLIS_PASSWORDS__MEMORY_KIB", "64")
        .with("PORTCULLIS_PASSWORDS__PASSES", "1")
        .with("PORTCULLIS_THROTTLE__LOGIN", "off");
    let mut clients: Vec<Client> = (0..CLIENTS).map(Client::new).collect();
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);

    for round in 0..ROUNDS {
        let server = home.serve();
        let acknowledged = AtomicUsize::new(0);
        thread::scope(|scope| {
            for client in &mut clients {
                let http = Http::new(server.origin());
                let acknowledged = &acknowledged;
                // Works until the connection breaks, which is the kill.
                scope.spawn(move || {
                    while client.act(&http).is_ok() {
                        acknowledged.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            let enough = 50 + dice.below(350);
            let limit = Duration::from_secs(20);
            eventually("enough answers", limit, || (acknowledged.load(Ordering::Relaxed) >= enough).then_some(()));
            server.kill();
        });

        let server = home.serve();
        let everything = round + 1 == ROUNDS;
        let checked: usize = thread::scope(|scope| {
            let mut checks = Vec::new();
            for client in &mut clients {
                let http = Http::new(server.origin());
                checks.push(scope.spawn(move || client.check(&http, everything)));
            }
            checks.into_iter().map(|check| check.join().unwrap()).sum()
        });
        println!("round {round}: {} answers, {checked} facts held", acknowledged.into_inner());
        // Every other restart is a kill of an idle server, the rest are ordinary stops.
        if round % 2 == 0 { server.kill() } else { assert!(server.stop(Duration::from_secs(5)).success()) }
    }

    assert_eq!(integrity(&home), ["ok"]);
}

/// What the database says of its own file.
fn integrity(home: &Home) -> Vec<String> {
    #[derive(QueryableByName)]
    struct Line {
        #[diesel(sql_type = Text)]
        integrity_check: String,
    }
    let file = home.path().join("data/portcullis.db");
    let mut conn = SqliteConnection::establish(file.to_str().unwrap()).unwrap();
    let lines: Vec<Line> = diesel::sql_query("PRAGMA integrity_check").load(&mut conn).unwrap();
    lines.into_iter().map(|line| line.integrity_check).collect()
}

/// One thread's people, and what the server has told it about them.
struct Client {
    number: u64,
    dice: Dice,
    accounts: Vec<Account>,
}

struct Account {
    name: String,
    /// The first is the one that registration brought; it is never signed out, so that the account can always be asked.
    sessions: Vec<Session>,
    tasks: Vec<Task>,
    /// Seen to be there after a restart; the tokens and tasks are looked at again, signing in anew is not.
    seen: bool,
}

struct Session {
    access: String,
    /// The newest refresh token; `None` since one was presented and the answer never came: it may be spent or not.
    refresh: Option<String>,
    spent: Vec<String>,
    state: State,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Live,
    Ended,
    /// Sign-out was asked for, the answer never came.
    Either,
}

struct Task {
    id: i64,
    /// The titles that it may have; `None` among them: it may be gone. Exactly one, once an answer came.
    may_be: Vec<Option<String>>,
}

impl Client {
    fn new(number: u64) -> Self {
        Self { number, dice: Dice(number + 1), accounts: Vec::new() }
    }

    /// One request. What it is about is uncertain from before it is sent until its answer is there.
    fn act(&mut self, http: &Http) -> reqwest::Result<()> {
        if self.accounts.is_empty() || self.dice.below(12) == 0 {
            return self.register(http);
        }
        let newest = self.accounts.len().min(4);
        let account = self.accounts.iter_mut().rev().nth(self.dice.below(newest)).unwrap();
        match self.dice.below(12) {
            0 | 1 => account.sign_in(http),
            2..=5 => account.refresh(http, &mut self.dice),
            6 | 7 => account.sign_out(http, &mut self.dice),
            8 | 9 => account.add_task(http, &mut self.dice),
            10 => account.rename_task(http, &mut self.dice),
            _ => account.delete_task(http, &mut self.dice),
        }
    }

    fn register(&mut self, http: &Http) -> reqwest::Result<()> {
        let name = format!("client{}.{:x}", self.number, self.dice.next());
        let body = json!({ "username": name, "password": PASSWORD });
        let pair = http.post("/api/register/", "", &body)?.is(201).pair();
        self.accounts.push(Account { name, sessions: vec![Session::new(pair)], tasks: Vec::new(), seen: false });
        Ok(())
    }

    /// Holds the server to the ledger: all that changed since the last restart, or `everything`. Returns how many facts.
    fn check(&mut self, http: &Http, everything: bool) -> usize {
        let newest = if everything { self.accounts.len() } else { 8 };
        self.accounts.iter_mut().rev().take(newest).map(|account| account.check(http).unwrap()).sum()
    }
}

impl Account {
    fn sign_in(&mut self, http: &Http) -> reqwest::Result<()> {
        let body = json!({ "username": self.name, "password": PASSWORD });
        let pair = http.post("/api/token/", "", &body)?.is(200).pair();
        self.sessions.push(Session::new(pair));
        Ok(())
    }

    fn refresh(&mut self, http: &Http, dice: &mut Dice) -> reqwest::Result<()> {
        let session = dice.one_of(&mut self.sessions).filter(|session| session.state == State::Live);
        let Some(session) = session else { return self.sign_in(http) };
        let Some(refresh) = session.refresh.take() else { return self.sign_in(http) };
        let pair = http.post("/api/token/refresh/", "", &json!({ "refresh": refresh }))?.is(200).pair();
        session.spent.push(refresh);
        session.access = pair.access;
        session.refresh = Some(pair.refresh);
        Ok(())
    }

    fn sign_out(&mut self, http: &Http, dice: &mut Dice) -> reqwest::Result<()> {
        let session = dice.one_of(&mut self.sessions[1..]).filter(|session| session.state == State::Live);
        let Some(session) = session else { return self.sign_in(http) };
        let Some(refresh) = &session.refresh else { return self.sign_in(http) };
        session.state = State::Either;
        http.post("/api/logout/", &session.access, &json!({ "refresh": refresh }))?.is(205);
        session.state = State::Ended;
        Ok(())
    }

    fn add_task(&mut self, http: &Http, dice: &mut Dice) -> reqwest::Result<()> {
        let title = format!("task {:x}", dice.next());
        let answer = http.post("/api/tasks/", self.bearer(), &json!({ "title": title }))?.is(201);
        self.tasks.push(Task { id: answer.body["id"].as_i64().unwrap(), may_be: vec![Some(title)] });
        Ok(())
    }

    fn rename_task(&mut self, http: &Http, dice: &mut Dice) -> reqwest::Result<()> {
        let bearer = self.bearer().to_owned();
        let task = dice.one_of(&mut self.tasks).filter(|task| !task.may_be.contains(&None));
        let Some(task) = task else { return self.add_task(http, dice) };
        let title = format!("task {:x}", dice.next());
        task.may_be.push(Some(title.clone()));
        http.patch(&task.path(), &bearer, &json!({ "title": title }))?.is(200);
        task.may_be = vec![Some(title)];
        Ok(())
    }

    fn delete_task(&mut self, http: &Http, dice: &mut Dice) -> reqwest::Result<()> {
        let bearer = self.bearer().to_owned();
        let task = dice.one_of(&mut self.tasks).filter(|task| !task.may_be.contains(&None));
        let Some(task) = task else { return self.add_task(http, dice) };
        task.may_be.push(None);
        http.delete(&task.path(), &bearer)?.is(204);
        task.may_be = vec![None];
        Ok(())
    }

    fn bearer(&self) -> &str {
        &self.sessions[0].access
    }

    fn check(&mut self, http: &Http) -> reqwest::Result<usize> {
        let mut facts = 0;
        if !self.seen {
            let body = json!({ "username": self.name, "password": PASSWORD });
            let answer = http.post("/api/token/", "", &body)?;
            assert_eq!(answer.status, 200, "{} had registered, but cannot sign in: {}", self.name, answer.body);
            self.seen = true;
            facts += 1;
        }
        for session in &self.sessions {
            facts += session.check(http, &self.name)?;
        }
        for task in &mut self.tasks {
            let answer = http.get(&task.path(), &self.sessions[0].access)?;
            let found = (answer.status == 200).then(|| answer.body["title"].as_str().unwrap().to_owned());
            assert!(task.may_be.contains(&found), "task {} is {found:?}, not one of {:?}", task.id, task.may_be);
            // Now it is certain again.
            task.may_be = vec![found];
            facts += 1;
        }
        Ok(facts)
    }
}

impl Session {
    fn new(pair: Pair) -> Self {
        Self { access: pair.access, refresh: Some(pair.refresh), spent: Vec::new(), state: State::Live }
    }

    fn check(&self, http: &Http, name: &str) -> reqwest::Result<usize> {
        // `verify` looks and changes nothing, so it can be asked about spent tokens without ending their session.
        let verify = |token: &str| http.post("/api/token/verify/", "", &json!({ "token": token }));
        let access = http.get("/api/hello/", &self.access)?;
        match self.state {
            State::Either => return Ok(0),
            State::Live => {
                assert_eq!(access.status, 200, "a live session of {name} is dead: {}", access.body);
                if let Some(refresh) = &self.refresh {
                    let answer = verify(refresh)?;
                    assert_eq!(answer.status, 200, "the refresh token of a live session of {name}: {}", answer.body);
                }
            }
            State::Ended => {
                assert_eq!(access.status, 401, "the access token of an ended session of {name} revived");
                let refresh = self.refresh.as_ref().unwrap();
                let answer = http.post("/api/token/refresh/", "", &json!({ "refresh": refresh }))?;
                assert_eq!(answer.status, 401, "the refresh token of an ended session of {name} revived");
            }
        }
        for spent in &self.spent {
            let answer = verify(spent)?;
            assert_eq!(answer.status, 400, "a spent refresh token of {name} is good again: {}", answer.body);
        }
        Ok(2 + self.spent.len())
    }
}

impl Task {
    fn path(&self) -> String {
        format!("/api/tasks/{}/", self.id)
    }
}

/// Threads post tasks, each under a key of its own, until the kill; whatever was not answered is sent again, and what was
/// answered too. Each task is there once, and the answer that came twice is the same.
#[test]
fn what_is_sent_again_after_a_kill_is_made_once() {
    let home =
        Home::new().with("PORTCULLIS_JWT__ACCESS_TOKEN_LIFETIME", "1h").with("PORTCULLIS_THROTTLE__LOGIN", "off");
    let mut posters = Vec::new();
    for round in 0..5 {
        let server = home.serve();
        let answered = AtomicUsize::new(0);
        if posters.is_empty() {
            let http = Http::new(server.origin());
            for number in 0..4 {
                let body = json!({ "username": format!("poster{number}"), "password": PASSWORD });
                let access = http.post("/api/register/", "", &body).unwrap().is(201).pair().access;
                posters.push(Poster { access, answers: Vec::new() });
            }
        }
        thread::scope(|scope| {
            for poster in &mut posters {
                let (http, answered) = (Http::new(server.origin()), &answered);
                scope.spawn(move || {
                    loop {
                        poster.answers.push(None);
                        let number = poster.answers.len() - 1;
                        match poster.post(&http, number) {
                            Ok(body) => poster.answers[number] = Some(body),
                            Err(_) => break, // the kill
                        }
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            let limit = Duration::from_secs(20);
            eventually("enough answers", limit, || (answered.load(Ordering::Relaxed) >= 60 + 7 * round).then_some(()));
            server.kill();
        });

        let server = home.serve();
        let http = Http::new(server.origin());
        for poster in &mut posters {
            for number in 0..poster.answers.len() {
                let again = poster.post(&http, number).unwrap();
                let first = poster.answers[number].get_or_insert_with(|| again.clone());
                assert_eq!(*first, again, "round {round}");
            }
            let made = http.get("/api/tasks/", &poster.access).unwrap().is(200);
            assert_eq!(made.body["count"], poster.answers.len(), "round {round}");
        }
        server.kill();
    }
}

/// One thread's answers, by the number of the task; `None` for what was not answered.
struct Poster {
    access: String,
    answers: Vec<Option<serde_json::Value>>,
}

impl Poster {
    fn post(&self, http: &Http, number: usize) -> reqwest::Result<serde_json::Value> {
        let body = json!({ "title": format!("task {number}") });
        Ok(http.post_once("/api/tasks/", &self.access, &body, &format!("key {number}"))?.is(201).body)
    }
}

/// R7: an ordinary stop writes all that was counted, and a server that is killed has written it a second before.
#[test]
fn whoever_has_used_up_a_rate_waits_on_after_a_stop_and_after_a_kill() {
    let home = Home::new().with("PORTCULLIS_THROTTLE__USER", "3/hour");
    let server = home.serve();
    let http = Http::new(server.origin());
    let mut accesses = Vec::new();
    for name in ["ann", "bob"] {
        let body = json!({ "username": name, "password": PASSWORD });
        accesses.push(http.post("/api/register/", "", &body).unwrap().is(201).pair().access);
    }
    let hello = |origin: &str, access: &str| Http::new(origin).get("/api/hello/", access).unwrap();
    for _ in 0..3 {
        hello(server.origin(), &accesses[0]).is(200);
    }
    hello(server.origin(), &accesses[0]).is(429);
    assert!(server.stop(Duration::from_secs(5)).success());

    let server = home.serve();
    hello(server.origin(), &accesses[0]).is(429);
    for _ in 0..3 {
        hello(server.origin(), &accesses[1]).is(200);
    }
    // Of Ann three, of Bob three, and the two registrations from their address.
    eventually("the counts are written", Duration::from_secs(10), || (counted(&home) == 8).then_some(()));
    server.kill();

    let server = home.serve();
    for access in &accesses {
        hello(server.origin(), access).is(429);
    }
}

/// How many requests the database holds as counted.
fn counted(home: &Home) -> i64 {
    #[derive(QueryableByName)]
    struct Sum {
        #[diesel(sql_type = BigInt)]
        sum: i64,
    }
    let file = home.path().join("data/portcullis.db");
    let mut conn = SqliteConnection::establish(file.to_str().unwrap()).unwrap();
    diesel::sql_query("SELECT coalesce(sum(count), 0) AS sum FROM throttle_counts")
        .get_result::<Sum>(&mut conn)
        .unwrap()
        .sum
}
