//! The example of a service that verifies tokens by itself (`tests/examples/verifier.py`), against a running server.

use std::io::{BufRead, BufReader, Lines, Write};
use std::net::TcpListener;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::Duration;

use serde_json::json;

use crate::support::http::{Http, Pair};
use crate::support::process::{Home, Server, eventually};

const PASSWORD: &str = "correct horse 9";

/// The example as a process: a token in, a verdict out.
struct Verifier {
    process: Child,
    tokens: ChildStdin,
    verdicts: Lines<BufReader<ChildStdout>>,
}

impl Verifier {
    fn start(home: &Home, server: &Server, key: &str) -> Self {
        let tests = concat!(env!("CARGO_MANIFEST_DIR"), "/tests");
        let mut command = home.surroundings(&format!("{tests}/.venv/bin/python"));
        command.arg(format!("{tests}/examples/verifier.py")).arg(server.origin()).env("KEY", key);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("tests/.venv is missing: run make setup");
        let tokens = process.stdin.take().unwrap();
        let mut verdicts = BufReader::new(process.stdout.take().unwrap()).lines();
        assert_eq!(verdicts.next().unwrap().unwrap(), "ready");
        Self { process, tokens, verdicts }
    }

    fn says(&mut self, token: &str) -> String {
        writeln!(self.tokens, "{token}").unwrap();
        self.verdicts.next().unwrap().unwrap()
    }

    /// Fails unless the token is refused within a second.
    #[track_caller]
    fn learns_to_refuse(&mut self, token: &str, why: &str) {
        let refused = format!("refused: {why}");
        eventually(&refused, Duration::from_secs(1), || (self.says(token) == refused).then_some(()));
    }
}

impl Drop for Verifier {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn sign_in(http: &Http, name: &str) -> Pair {
    http.post("/api/token/", "", &json!({ "username": name, "password": PASSWORD })).unwrap().is(200).pair()
}

/// T17, API-18.
#[test]
fn a_service_that_verifies_by_itself_refuses_what_was_ended_within_a_second_also_after_a_lost_connection() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let home = Home::new()
        .with("PORTCULLIS_SERVER__BIND", &port.to_string())
        .with("PORTCULLIS_THROTTLE__LOGIN", "off")
        .with_superuser("root", PASSWORD);
    assert!(home.run(&["migrate"], "").status.success());
    assert!(home.run(&["keys", "rotate", "--algorithm", "ES256"], "").status.success());
    let server = home.serve();
    let http = Http::new(server.origin());
    let staff = sign_in(&http, "root").access;
    http.post("/api/register/", "", &json!({ "username": "ann", "password": PASSWORD })).unwrap().is(201);
    let [one, other, third] = [(); 3].map(|()| sign_in(&http, "ann"));
    let given = json!({ "name": "verifier", "scopes": ["services.view"] });
    let key = http.post("/api/keys/", &staff, &given).unwrap().is(201).body["key"].as_str().unwrap().to_owned();
    let mut verifier = Verifier::start(&home, &server, &key);

    assert_eq!(verifier.says(&one.access), "accepted");
    assert_eq!(verifier.says(&one.refresh), "refused: it is no access token");
    assert!(verifier.says("x").starts_with("refused: "));
    http.post("/api/logout/", &one.access, &json!({ "refresh": one.refresh })).unwrap().is(205);
    verifier.learns_to_refuse(&one.access, "its session has ended");
    assert_eq!(verifier.says(&other.access), "accepted");

    server.kill();
    let server = home.serve();
    let http = Http::new(server.origin());
    http.post("/api/logout/", &other.access, &json!({ "refresh": other.refresh })).unwrap().is(205);
    verifier.learns_to_refuse(&other.access, "its session has ended");
    assert_eq!(verifier.says(&third.access), "accepted");
    http.post("/api/logout/all/", &third.access, &json!({})).unwrap().is(205);
    verifier.learns_to_refuse(&third.access, "its user was signed out everywhere");
}
