//! Signing in at a server that is stopped, killed and told by commands: what has failed is not forgotten, and who has lost
//! their second factor is let in again.

use std::time::Duration;

use diesel::prelude::*;
use portcullis::clock::Clock;
use portcullis::db::Target;
use portcullis::db::schema::sign_in_failures;
use serde_json::{Value, json};

use crate::support::authenticator::Authenticator;
use crate::support::http::Http;
use crate::support::process::{Home, Server, eventually};

const PASSWORD: &str = "correct horse 9";

fn sign_in(server: &Server, password: &str) -> (u16, Value) {
    let body = json!({ "username": "john", "password": password });
    let answer = Http::new(server.origin()).post("/api/token/", "", &body).unwrap();
    (answer.status, answer.body)
}

fn register(server: &Server) -> (Http, String) {
    let http = Http::new(server.origin());
    let body = json!({ "username": "john", "password": PASSWORD });
    let pair = http.post("/api/register/", "", &body).unwrap().is(201).pair();
    (http, pair.access)
}

#[test]
fn neither_a_restart_nor_a_kill_a_second_later_gives_guessers_another_try() {
    let home = Home::new().with("PORTCULLIS_THROTTLE__LOGIN", "2/hour");
    let server = home.serve();
    register(&server);
    assert_eq!(sign_in(&server, "wrong").0, 401);
    assert!(server.stop(Duration::from_secs(5)).success());

    let server = home.serve();
    assert_eq!(sign_in(&server, "wrong").0, 401);
    assert_eq!(sign_in(&server, PASSWORD).0, 429);
    let mut conn = Target::Sqlite(home.path().join("data/portcullis.db")).connect().unwrap();
    eventually("what has failed is written", Duration::from_secs(10), || {
        let kept: Vec<String> = sign_in_failures::table.select(sign_in_failures::times).load(&mut conn).unwrap();
        kept.iter().all(|times| times.split(' ').count() >= 2).then_some(())
    });
    server.kill();
    assert_eq!(sign_in(&home.serve(), PASSWORD).0, 429);
}

#[test]
fn a_command_resets_two_factor_sign_in() {
    let home = Home::new();
    let server = home.serve();
    let (http, access) = register(&server);
    let begun = http.post("/api/users/me/two-factor/", &access, &json!({})).unwrap().is(201);
    let code = Authenticator::new(begun.body["secret"].as_str().unwrap()).code(Clock::system().now());
    let proof = json!({ "current_password": PASSWORD, "otp": code });
    http.post("/api/users/me/two-factor/confirm/", &access, &proof).unwrap().is(200);
    assert_eq!(sign_in(&server, PASSWORD).1["code"], "two_factor_required");

    let reset = |name: &str| {
        let output = home.run(&["user", "reset-two-factor", name], "");
        (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    assert_eq!(reset("john"), (true, "john has no two-factor sign-in any more\n".to_owned()));
    assert_eq!(sign_in(&server, PASSWORD).0, 200);
    assert_eq!(reset("john"), (true, "john had no two-factor sign-in\n".to_owned()));
    assert_eq!(reset("nobody"), (false, "portcullis: there is no user \"nobody\"\n".to_owned()));
}
