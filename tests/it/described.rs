//! R11: the API's description of itself, judged by others: from the command line, by a validator of OpenAPI, and by
//! schemathesis, which tries every operation with requests that it makes up from the description, good ones and bad ones.

use std::fs;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use crate::support::process::{Home, Server, eventually};

const PASSWORD: &str = "gatekeeper of 9 gates";
/// How long a run may take before it counts as hanging: it does in a minute on two idle cores.
const PATIENCE: Duration = Duration::from_secs(300);

fn home() -> Home {
    Home::new()
        .with("PORTCULLIS_THROTTLE__LOGIN", "off")
        .with("PORTCULLIS_JWT__ACCESS_TOKEN_LIFETIME", "1h")
        // thousands of lines, in which what schemathesis says would be lost
        .with("PORTCULLIS_LOG__LEVEL", "error")
        .with_superuser("root", PASSWORD)
}

fn document(server: &Server) -> String {
    let client = reqwest::blocking::Client::builder().no_proxy().build().unwrap();
    let answer = client.get(format!("{}/api/schema/", server.origin())).send().unwrap();
    assert_eq!(answer.status(), 200);
    answer.text().unwrap()
}

/// A program of the tests' own Python, in the folder of `home`.
fn python(home: &Home, program: &str, arguments: &[&str], more: &[(&str, &str)]) -> Output {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut command = home.surroundings(tests.join(".venv/bin").join(program).to_str().unwrap());
    let (out, err) = (home.path().join("out"), home.path().join("err"));
    command.args(arguments).envs(more.iter().copied()).env("PYTHONDONTWRITEBYTECODE", "1");
    command.env("PYTHONPATH", tests.join("schemathesis"));
    command.stdout(fs::File::create(&out).unwrap()).stderr(fs::File::create(&err).unwrap());
    let mut child = command.spawn().expect("tests/.venv is missing: run make setup");
    let status = eventually(program, PATIENCE, || child.try_wait().unwrap());
    Output { status, stdout: fs::read(out).unwrap(), stderr: fs::read(err).unwrap() }
}

/// What a command said that went well.
#[track_caller]
fn said(output: &Output) -> String {
    let words = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (said, complained) = (words(&output.stdout), words(&output.stderr));
    assert!(output.status.success(), "{}\n{said}\n{complained}", output.status);
    said
}

#[test]
fn the_command_prints_what_the_server_answers_byte_for_byte() {
    let browser_mode = home().with("PORTCULLIS_JWT__REFRESH_COOKIE", "true");
    for home in [home(), browser_mode.with("PORTCULLIS_JWT__AUTH_HEADER_TYPES", "JWT")] {
        let server = home.serve();
        assert_eq!(said(&home.run(&["openapi"], "")), document(&server));
    }
}

#[test]
fn the_document_is_openapi_3_1() {
    let home = home();
    let document = said(&home.run(&["openapi"], ""));
    let judge = |document: &str| {
        fs::write(home.path().join("schema.json"), document).unwrap();
        python(&home, "openapi-spec-validator", &["--schema", "3.1", "schema.json"], &[])
    };
    assert_eq!(said(&judge(&document)).trim(), "schema.json: OK");
    assert!(!judge(&document.replace("\"info\"", "\"about\"")).status.success(), "the validator takes anything");
}

#[test]
fn schemathesis_finds_nothing_that_is_not_as_described() {
    let home = home();
    let server = home.serve();
    said(&home.run(&["createsuperuser", "--username", "spare", "--email", "spare@example.org"], PASSWORD));
    said(&home.run(&["user", "premium", "root"], ""));
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemathesis/schemathesis.toml");
    let (config, schema) = (format!("--config-file={}", config.display()), format!("{}/api/schema/", server.origin()));
    let surroundings = [("ORIGIN", server.origin()), ("PASSWORD", PASSWORD)];
    let run = python(&home, "schemathesis", &[&config, "run", &schema, "--checks=all", "--no-color"], &surroundings);
    let said = said(&run);
    let selected =
        said.lines().find_map(|line| line.trim().strip_prefix("Selected: ")).and_then(|line| line.split_once('/'));
    let (selected, all) = selected.unwrap_or_else(|| panic!("nothing was tried:\n{said}"));
    assert_eq!(selected, all, "operations were left out:\n{said}");
    assert!(all.parse::<usize>().unwrap() > 140, "{said}");
}
