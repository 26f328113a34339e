//! The binary as a process: what an operator sees at its start, beside it, and at its end.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::http::{Http, Pair};
use crate::support::process::{Home, Server, eventually};

const PASSWORD: &str = "correct horse 9";

fn register(server: &Server, name: &str) -> (Http, Pair) {
    let http = Http::new(server.origin());
    let pair =
        http.post("/api/register/", "", &json!({ "username": name, "password": PASSWORD })).unwrap().is(201).pair();
    (http, pair)
}

/// What a refused start said: exit status 1, nothing on standard output, one sentence on standard error.
#[track_caller]
fn refusal(home: &Home) -> String {
    let output = home.run(&["serve"], "");
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert_eq!(words.trim_end().lines().count(), 1, "one sentence, not:\n{words}");
    words
}

#[test]
fn in_an_empty_folder_it_starts_and_answers() {
    let home = Home::new();
    let server = home.serve();

    assert!(server.words().lines().next().unwrap().ends_with(" · data in ./data · SQLite"), "{}", server.words());
    let (http, pair) = register(&server, "john");
    let hello = http.get("/api/hello/", &pair.access).unwrap().is(200);
    assert_eq!(hello.body, json!({ "message": "Hello, john" }));
}

#[test]
fn what_it_keeps_only_its_own_user_can_read() {
    let home = Home::new();
    let server = home.serve();
    register(&server, "john");

    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let data = home.path().join("data");
    assert_eq!(mode(&data), 0o700);
    let list = |folder: &Path| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    let keys = data.join("keys");
    assert_eq!(mode(&keys), 0o700);
    let files: Vec<_> = [list(&data), list(&keys)].concat().into_iter().filter(|path| path.is_file()).collect();
    assert!(files.iter().any(|file| file.ends_with("portcullis.db")), "{files:?}");
    assert!(files.iter().any(|file| file.parent() == Some(&keys)), "{files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{file:?}");
    }
}

#[test]
fn it_prints_a_new_set_up_link_at_every_start_until_there_is_an_administrator() {
    let home = Home::new();
    let first = home.serve();
    let link = first.setup_link();
    assert!(link.starts_with(&format!("{}/admin/setup/", first.origin())), "{link}");
    assert!(first.stop(Duration::from_secs(5)).success());

    let second = home.serve();
    let token = |link: &str| link.rsplit('/').find(|part| !part.is_empty()).unwrap().to_owned();
    assert_ne!(token(&second.setup_link()), token(&link));
    second.kill();

    let made = home.run(&["createsuperuser", "--username", "root", "--email", "root@example.org"], "A long enough 1\n");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let third = home.serve();
    // It has answered, so all that it says at its start is said.
    Http::new(third.origin()).get("/api/hello/", "").unwrap().is(401);
    assert!(!third.words().contains("no administrator yet"), "{}", third.words());
}

#[test]
fn the_first_administrator_can_come_from_the_environment() {
    let home = Home::new().with_superuser("root", PASSWORD);
    let server = home.serve();
    let http = Http::new(server.origin());
    let pair =
        http.post("/api/token/", "", &json!({ "username": "root", "password": PASSWORD })).unwrap().is(200).pair();
    http.get("/api/admin-only/", &pair.access).unwrap().is(200);
    assert!(!server.words().contains("no administrator yet"), "{}", server.words());
}

#[test]
fn a_second_server_on_the_same_data_is_refused_and_told_who_holds_it() {
    let home = Home::new();
    let first = home.serve();
    let start = Instant::now();
    let words = refusal(&home);
    assert!(start.elapsed() < Duration::from_secs(2), "it took {:?}", start.elapsed());
    assert!(words.contains(&first.id().to_string()), "it does not name process {}: {words}", first.id());
    Http::new(first.origin()).get("/api/hello/", "").unwrap().is(401);
}

#[test]
fn a_command_in_a_wrong_folder_begins_nothing_there() {
    let home = Home::new();
    for command in [&["user", "staff", "ann"][..], &["keys", "list"], &["flushexpiredtokens"]] {
        let output = home.run(command, "");
        let words = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && words.contains("there is no data folder ./data"), "{command:?}: {words}");
        assert!(!home.path().join("data").exists(), "{command:?}");
    }
}

/// CFG-02.
#[test]
fn a_signing_key_that_others_can_read_is_said_in_the_log() {
    let home = Home::new().with("PORTCULLIS_JWT__SIGNING_KEY_FILE", "key");
    let key = home.path().join("key");
    fs::write(&key, "a secret of some forty characters, in a file").unwrap();
    for (mode, is_said) in [(0o644, true), (0o600, false)] {
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        let server = home.serve();
        Http::new(server.origin()).get("/api/hello/", "").unwrap().is(401);
        assert_eq!(server.log().contains("key can be read by others (mode 644)"), is_said, "{}", server.log());
        server.kill();
    }
}

#[test]
fn a_killed_server_does_not_hold_its_data() {
    let home = Home::new();
    home.serve().kill();
    home.serve();
}

#[test]
fn asked_to_stop_it_stops_within_five_seconds_and_well() {
    let home = Home::new();
    let server = home.serve();
    // A connection kept open, as clients do, must not keep it.
    let (http, pair) = register(&server, "john");
    http.get("/api/hello/", &pair.access).unwrap().is(200);
    assert_eq!(server.stop(Duration::from_secs(5)).code(), Some(0));
}

#[test]
fn a_misspelt_setting_stops_the_start_and_names_the_nearest() {
    let words = refusal(&Home::new().with("PORTCULLIS_JWT__ACCES_TOKEN_LIFETIME", "5m"));
    assert!(words.to_lowercase().contains("access_token_lifetime"), "{words}");
}

#[test]
fn a_value_that_is_none_stops_the_start_and_names_the_setting() {
    let words = refusal(&Home::new().with("PORTCULLIS_JWT__ACCESS_TOKEN_LIFETIME", "soon"));
    assert!(words.to_lowercase().contains("access_token_lifetime"), "{words}");
}

/// JWT-21.
#[test]
fn a_translation_that_cannot_be_right_stops_the_start_and_is_named() {
    let home = Home::new().with("PORTCULLIS_ADMIN__LANGUAGES", "languages").with_superuser("root", PASSWORD);
    assert!(refusal(&home).contains("the folder of languages, languages, cannot be read"));
    let folder = home.path().join("languages");
    fs::create_dir(&folder).unwrap();
    let begun = home.run(&["catalogue"], "");
    assert!(begun.status.success());
    let begun = String::from_utf8(begun.stdout).unwrap();
    fs::write(folder.join("nb.toml"), begun.replacen("= \"Add user\"", "= \"Legg til {hvem}\"", 1)).unwrap();
    let told = refusal(&home);
    assert!(told.contains("languages/nb.toml cannot be used") && told.contains("has a part {hvem}"), "{told}");
    fs::write(folder.join("nb.toml"), begun.replacen("= \"Sign in\"", "= \"Logg inn\"", 1)).unwrap();
    fs::write(folder.join("notes.txt"), "Not a language.").unwrap();
    let server = home.serve();
    let client = reqwest::blocking::Client::builder().no_proxy().build().unwrap();
    let asked = client.get(format!("{}/admin/login/", server.origin())).header("accept-language", "tlh, nb");
    let page = asked.send().unwrap().text().unwrap();
    assert!(page.contains("<html lang=\"nb\"") && page.contains("Logg inn"), "{page}");
}

#[test]
fn a_weak_or_unsuited_signing_key_stops_the_start_and_says_why() {
    let rsa = |option: &str| vec!["-algorithm".to_owned(), "RSA".into(), "-pkeyopt".into(), option.into()];
    let ec = |curve: &str| {
        vec!["-algorithm".to_owned(), "EC".into(), "-pkeyopt".into(), format!("ec_paramgen_curve:{curve}")]
    };
    for (algorithm, made, told) in [
        ("RS256", rsa("rsa_keygen_bits:1024"), "2048 bits"),
        ("PS512", rsa("rsa_keygen_bits:2040"), "2048 bits"),
        ("RS256", rsa("rsa_keygen_pubexp:3"), "exponent"),
        ("ES256", ec("P-384"), "P-256 for ES256"),
        ("ES384", ec("P-256"), "P-384 for ES384"),
        ("ES256", ec("secp256k1"), "P-256 for ES256"),
        ("ES256", rsa("rsa_keygen_bits:2048"), "no private key for ES256"),
        ("RS256", ec("P-256"), "no private key for RS256"),
        ("EdDSA", ec("P-256"), "no private key for EdDSA"),
        ("HS256", ec("P-256"), "jwt.algorithm"),
    ] {
        let home = Home::new();
        assert!(home.run(&["migrate"], "").status.success()); // a start that migrates says more than one sentence
        let home =
            home.with("PORTCULLIS_JWT__ALGORITHM", algorithm).with("PORTCULLIS_JWT__SIGNING_KEY_FILE", "key.pem");
        let mut openssl = Command::new("openssl");
        openssl.arg("genpkey").args(&made).args(["-out", "key.pem"]).current_dir(home.path());
        let openssl = openssl.output().expect("openssl is missing: run make setup");
        assert!(openssl.status.success(), "{}", String::from_utf8_lossy(&openssl.stderr));
        let words = refusal(&home);
        assert!(words.contains("jwt.signing_key") && words.contains(told), "{algorithm} {made:?}: {words}");
    }
    for (algorithm, secret, told) in [
        ("HS256", "x1".repeat(15), "32 bytes"),
        ("HS384", "x1".repeat(23), "48 bytes"),
        ("HS512", "x1".repeat(31), "64 bytes"),
        ("HS256", "x".repeat(40), "over and over"),
    ] {
        let home =
            Home::new().with("PORTCULLIS_JWT__ALGORITHM", algorithm).with("PORTCULLIS_JWT__SIGNING_KEY", &secret);
        let words = refusal(&home);
        assert!(words.contains("jwt.signing_key") && words.contains(told), "{algorithm}: {words}");
        assert!(!words.contains(&secret), "{words}");
    }
}

#[test]
fn a_port_that_is_taken_is_said_in_one_sentence() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().to_string();
    let words = refusal(&Home::new().with("PORTCULLIS_SERVER__BIND", &taken));
    assert!(words.contains(&taken), "{words}");
}

#[test]
fn a_folder_that_cannot_be_made_is_said_in_one_sentence() {
    let home = Home::new().with("PORTCULLIS_SERVER__DATA_DIR", "file/data");
    fs::write(home.path().join("file"), "in the way").unwrap();
    let words = refusal(&home);
    assert!(words.contains("file/data"), "{words}");
}

#[test]
fn a_sign_out_holds_through_a_kill_right_after_it() {
    let home = Home::new();
    let server = home.serve();
    let (http, pair) = register(&server, "john");
    http.post("/api/logout/", &pair.access, &json!({ "refresh": pair.refresh })).unwrap().is(205);
    server.kill();

    let server = home.serve();
    let http = Http::new(server.origin());
    let refused = http.get("/api/hello/", &pair.access).unwrap().is(401);
    assert_eq!(refused.body["code"], "token_not_valid");
    http.post("/api/token/refresh/", "", &json!({ "refresh": pair.refresh })).unwrap().is(401);
}

#[test]
fn a_command_beside_the_server_has_taken_effect_when_it_returns() {
    let home = Home::new();
    let server = home.serve();
    let (http, pair) = register(&server, "john");
    let user = |verb: &str| {
        let output = home.run(&["user", verb, "john"], "");
        assert!(output.status.success(), "user {verb}: {}", String::from_utf8_lossy(&output.stderr));
    };

    user("staff");
    http.get("/api/admin-only/", &pair.access).unwrap().is(200);
    user("unstaff");
    http.get("/api/admin-only/", &pair.access).unwrap().is(403);
    user("deactivate");
    http.get("/api/hello/", &pair.access).unwrap().is(401);
    user("activate");
    http.get("/api/hello/", &pair.access).unwrap().is(401);
}

/// CONTRACT 14: the tutorial's command, and one that makes a better key.
#[test]
fn a_command_gives_a_user_an_api_key() {
    let home = Home::new();
    let server = home.serve();
    let (http, pair) = register(&server, "john");
    let said = |arguments: &[&str], input: &str| {
        let output = home.run(&[&["user", "apikey"], arguments].concat(), input);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let hello = |key: &str| {
        let url = format!("{}/api/hello/", server.origin());
        let answer = reqwest::blocking::Client::new().get(url).header("X-API-Key", key).send().unwrap();
        answer.status().as_u16()
    };

    let words = said(&["john", "letmein"], "");
    assert!(words.contains("short enough to be guessed"), "{words}");
    assert_eq!((hello("letmein"), hello("letmeout")), (200, 401));
    let long = "from-standard-input-of-forty-characters-";
    assert_eq!(said(&["john", "-"], &format!("{long}\n")), "john has the API key\n");
    assert_eq!(hello(long), 200);
    let words = said(&["john"], "");
    let random = words.split([' ', ':']).find(|word| word.starts_with("pcl_")).unwrap();
    assert_eq!(hello(random), 200);

    for (arguments, reason) in [
        (["john", "letmein"], "in use already"),
        (["nobody", "another-key"], "nobody"),
        (["john", "two words"], "visible ASCII"),
        (["john", "ключ"], "visible ASCII"),
    ] {
        let output = home.run(&[&["user", "apikey"], &arguments[..]].concat(), "");
        let words = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && words.contains(reason), "{arguments:?}: {words}");
    }
    let keys = http.get("/api/keys/", &pair.access).unwrap().is(200);
    assert_eq!((&keys.body["count"], &keys.body["results"][0]["scopes"]), (&json!(3), &json!(["*"])));
    let deactivated = home.run(&["user", "deactivate", "john"], "");
    assert!(deactivated.status.success());
    assert_eq!(hello(random), 401);
    eventually("the lines of the requests", Duration::from_secs(5), || {
        server.log().contains("its owner is switched off").then_some(())
    });
    let log = server.log();
    assert!(log.contains(" by=key"), "{log}");
    for secret in ["letmein", "letmeout", long, random] {
        assert!(!log.contains(secret), "{secret:?} is in the log:\n{log}");
    }
}

/// T17, KEY-03: the feed speaks to a key, until the key is revoked.
#[test]
fn the_revocation_feed_goes_on_as_long_as_its_key_is_good() {
    let home = Home::new();
    let server = home.serve();
    let (http, pair) = register(&server, "john");
    assert!(home.run(&["user", "staff", "john"], "").status.success());
    let given = json!({ "name": "verifier", "scopes": ["services.view"] });
    let key = http.post("/api/keys/", &pair.access, &given).unwrap().is(201).body;
    let mut stream = TcpStream::connect(server.origin().strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let head = format!(
        "GET /api/revocations/?cursor=0 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAccept: text/event-stream\r\n\
         X-API-Key: {}\r\n\r\n",
        key["key"].as_str().unwrap()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut heard = Vec::new();
    while !String::from_utf8_lossy(&heard).contains("event: revoked") {
        let mut some = [0; 1024];
        let count = stream.read(&mut some).unwrap();
        assert!(count > 0, "it ended before it spoke: {}", String::from_utf8_lossy(&heard));
        heard.extend_from_slice(&some[..count]);
    }
    http.delete(&format!("/api/keys/{}/", key["id"]), &pair.access).unwrap().is(204);
    stream.read_to_end(&mut heard).unwrap(); // ends only when the server closes
}

#[test]
fn a_command_about_nobody_says_so() {
    let home = Home::new();
    assert!(home.run(&["migrate"], "").status.success());
    let output = home.run(&["user", "deactivate", "nobody"], "");
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(words.contains("nobody"), "{words}");
}

#[test]
fn no_secret_is_in_its_log() {
    let home = Home::new();
    let server = home.serve();
    let (http, pair) = register(&server, "john");
    http.post("/api/token/", "", &json!({ "username": "john", "password": PASSWORD })).unwrap().is(200);
    http.post("/api/token/", "", &json!({ "username": "john", "password": "wrong horse 8" })).unwrap().is(401);
    http.get(&format!("/api/hello/?token={}", pair.access), &pair.access).unwrap().is(200);
    http.post("/api/token/refresh/", "", &json!({ "refresh": pair.refresh })).unwrap().is(200);
    eventually("the line of the last request", Duration::from_secs(5), || {
        server.log().contains("/api/token/refresh/").then_some(())
    });

    let log = server.log();
    for secret in [PASSWORD, "wrong horse 8", &pair.access, &pair.refresh] {
        assert!(!log.contains(secret), "{secret:?} is in the log:\n{log}");
    }
}

/// REV-01, ADM-06: what was asked for before a revocation and is finished after it is not done.
#[test]
fn a_body_that_arrives_after_the_logout_changes_nothing() {
    let home = Home::new();
    let server = home.serve();
    let (http, pair) = register(&server, "john");
    let mut stream = TcpStream::connect(server.origin().strip_prefix("http://").unwrap()).unwrap();
    let body = br#"{"title":"late"}"#;
    let head = format!(
        "POST /api/tasks/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        pair.access,
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).unwrap(); // the handler waits for the body now
    assert!(go_on.starts_with(b"HTTP/1.1 100"));

    http.post("/api/logout/", &pair.access, &json!({ "refresh": pair.refresh })).unwrap().is(205);
    stream.write_all(body).unwrap();

    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 401");
}

#[test]
fn another_programs_database_is_refused_and_left_as_it_is() {
    let home = Home::new();
    let data = home.path().join("data");
    fs::create_dir(&data).unwrap();
    let file = data.join("portcullis.db");
    let content = b"not a database at all, only some text";
    fs::write(&file, content).unwrap();
    assert!(refusal(&home).contains("not a SQLite database"));
    assert_eq!(fs::read(&file).unwrap(), content);
}

/// API-08: a sender who never finishes a body gets an answer, and loses the connection.
#[test]
fn a_body_that_nobody_reads_does_not_keep_its_connection() {
    let home = Home::new();
    let server = home.serve();
    let address = server.origin().strip_prefix("http://").unwrap();

    for path in ["/api/tasks/", "/nope/"] {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap(); // ends only when the server closes
        assert!(answer.starts_with("HTTP/1.1 40"), "{path}: {answer}");
    }
}
