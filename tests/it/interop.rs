//! Others read our tokens, and we read theirs: the real PyJWT, the real jose and the real djangorestframework-simplejwt, as
//! programs in `tests/interop/` beside a running server. `make setup` brings the packages.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::http::{Http, Pair};
use crate::support::keys::{new_rsa, public_of};
use crate::support::process::{Home, Server};
use crate::support::token::{claims, header};

const PASSWORD: &str = "correct horse 9";

fn tests(path: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", path].iter().collect()
}

/// Runs one of the programs in `tests/interop/` to its end; what it wrote.
#[track_caller]
pub fn run(home: &Home, program: &str, arguments: &[&str], input: &str) -> String {
    let script = tests("interop").join(program);
    let mut command = if program.ends_with(".py") {
        let python = tests(".venv/bin/python");
        assert!(python.exists(), "tests/.venv is missing: run make setup");
        home.surroundings(python.to_str().unwrap())
    } else {
        assert!(tests(".tools/node_modules/jose").exists(), "jose is missing in tests/.tools: run make setup");
        home.surroundings("node")
    };
    let output = finish(command.arg(script).args(arguments).env("NO_PROXY", "127.0.0.1"), program, input);
    String::from_utf8(output).unwrap()
}

#[track_caller]
fn finish(command: &mut Command, program: &str, input: &str) -> Vec<u8> {
    let streams = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = streams.spawn().unwrap_or_else(|error| panic!("cannot run {program}: {error}"));
    // One that fell over at its start reads nothing; what it said is told below.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{program}:\n{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn sign_in(server: &Server) -> Pair {
    let given = json!({ "username": "ann", "password": PASSWORD });
    Http::new(server.origin()).post("/api/token/", "", &given).unwrap().is(200).pair()
}

/// A server on which ann may sign in as often as she likes.
fn with_ann(home: &Home) -> Server {
    let server = home.serve();
    let given = json!({ "username": "ann", "password": PASSWORD });
    Http::new(server.origin()).post("/api/register/", "", &given).unwrap().is(201);
    server
}

#[test]
fn tokens_of_every_algorithm_verify_elsewhere_by_the_published_keys() {
    let home = Home::new().with("PORTCULLIS_THROTTLE__LOGIN", "off");
    let server = with_ann(&home);
    let mut tokens = Vec::new();
    for algorithm in ["RS256", "PS256", "ES256", "ES384", "EdDSA"] {
        let turned = home.run(&["keys", "rotate", "--algorithm", algorithm], "");
        assert!(turned.status.success(), "{}", String::from_utf8_lossy(&turned.stderr));
        let pair = sign_in(&server);
        assert_eq!(header(&pair.access)["alg"], algorithm);
        tokens.extend([pair.access, pair.refresh]);
    }
    let jwks = format!("{}/.well-known/jwks.json", server.origin());
    let expected: Vec<Value> = tokens.iter().map(|token| claims(token)).collect();
    for program in ["pyjwt.py", "jose.mjs"] {
        let told = run(&home, program, &[&jwks], &format!("{}\n", tokens.join("\n")));
        let told: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(told, expected, "{program}");
    }
}

/// Both sides hold the same key, as while a site moves from one to the other.
fn exchange(algorithm: &str, signing: &str, verifying: &str) {
    let home = Home::new()
        .with("PORTCULLIS_THROTTLE__LOGIN", "off")
        .with("PORTCULLIS_JWT__ALGORITHM", algorithm)
        .with("PORTCULLIS_JWT__SIGNING_KEY_FILE", "key")
        .with("PORTCULLIS_JWT__AUTH_TOKEN_CLASSES", "access,sliding");
    fs::write(home.path().join("key"), signing).unwrap();
    let server = with_ann(&home);
    let http = Http::new(server.origin());
    let ours = sign_in(&server);
    let told = claims(&ours.access);

    let asked = json!({
        "algorithm": algorithm,
        "signing_key": signing,
        "verifying_key": verifying,
        "user_id": told["user_id"].as_str().unwrap().parse::<i64>().unwrap(),
        "access": ours.access,
        "refresh": ours.refresh,
    });
    let theirs: Value = serde_json::from_str(&run(&home, "simplejwt.py", &[], &asked.to_string())).unwrap();

    assert_eq!(theirs["read"], told);
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{value}")).to_owned();
    let hello = |access: &str| {
        let answer = http.get("/api/hello/", access).unwrap().is(200);
        assert_eq!(answer.body, json!({ "message": "Hello, ann" }));
    };
    let refreshed = text(&theirs["refreshed"]);
    assert_eq!(claims(&refreshed)["sid"], told["sid"]);
    hello(&refreshed);
    hello(&text(&theirs["sliding"]));
    for (name, pair) in theirs["pairs"].as_object().unwrap() {
        let (access, refresh) = (text(&pair["access"]), text(&pair["refresh"]));
        hello(&access);
        http.post("/api/token/verify/", "", &json!({ "token": access })).unwrap().is(200);
        let next = http.post("/api/token/refresh/", "", &json!({ "refresh": refresh })).unwrap().is(200).pair();
        hello(&next.access);
        // What simplejwt wrote is kept as it was, the type of the user's id too.
        for kept in ["user_id", "roles"] {
            for token in [&next.access, &next.refresh] {
                assert_eq!(claims(token)[kept], claims(&refresh)[kept], "{name}: {kept}");
            }
        }
        // A sign-out ends what was made of it here.
        http.post("/api/token/blacklist/", "", &json!({ "refresh": next.refresh })).unwrap().is(200);
        http.get("/api/hello/", &next.access).unwrap().is(401);
        http.post("/api/token/refresh/", "", &json!({ "refresh": refresh })).unwrap().is(401);
    }
}

#[test]
fn simplejwt_and_we_take_each_others_tokens_under_one_secret() {
    let secret = "a secret that both sides have, of quite enough bytes";
    exchange("HS256", secret, "");
}

#[test]
fn simplejwt_and_we_take_each_others_tokens_under_one_key_pair() {
    let private = new_rsa();
    exchange("RS256", &private, &public_of(&private));
}
