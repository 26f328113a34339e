//! The built binary and a real mail server: what arrives, by what road, and what the log keeps to itself.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::http::Http;
use crate::support::letters::token_of;
use crate::support::mail_server::{Certificate, MailServer};
use crate::support::process::{Home, Server, eventually};

const PATIENCE: Duration = Duration::from_secs(60);

fn home(server: &MailServer) -> Home {
    Home::new()
        .with("PORTCULLIS_PASSWORDS__MEMORY_KIB", "64")
        .with("PORTCULLIS_PASSWORDS__PASSES", "1")
        .with("PORTCULLIS_MAIL__VERIFY_URL", "https://auth.example/verify/{token}")
        .with("PORTCULLIS_MAIL__RESET_URL", "https://auth.example/reset/{token}")
        .with("PORTCULLIS_MAIL__INVITATION_URL", "https://auth.example/invitation/{token}")
        .with("PORTCULLIS_MAIL__BACKEND", "smtp")
        .with("PORTCULLIS_MAIL__FROM", "Auth <auth@example.org>")
        .with("PORTCULLIS_MAIL__SMTP_HOST", "localhost")
        .with("PORTCULLIS_MAIL__SMTP_PORT", &server.port.to_string())
        .with("PORTCULLIS_MAIL__SMTP_TLS", "none")
}

fn register(http: &Http, name: &str) {
    let given = json!({ "username": name, "password": "correct horse 9", "email": format!("{name}@example.org") });
    http.post("/api/register/", "", &given).unwrap().is(201);
}

fn token_in(letter: &Value) -> String {
    let text = letter["text"].as_str().unwrap();
    token_of(text.lines().find(|line| line.starts_with("https://auth.example/verify/")).unwrap())
}

#[track_caller]
fn logged(server: &Server, words: &str) {
    eventually(words, PATIENCE, || server.log().contains(words).then_some(()));
}

/// O2: no token, no link, whatever is done with it.
#[test]
fn a_letter_arrives_and_no_line_of_the_log_tells_its_link() {
    let mail = MailServer::start("accept");
    let server = home(&mail).with("PORTCULLIS_LOG__LEVEL", "trace").serve();
    let http = Http::new(server.origin());
    register(&http, "ann");
    let letter = mail.letter();
    assert_eq!((&letter["from"], &letter["to"]), (&json!("auth@example.org"), &json!(["ann@example.org"])));
    let host = server.origin().trim_start_matches("http://");
    assert_eq!(letter["subject"], format!("Verify your e-mail address for {host}"));
    let token = token_in(&letter);
    assert!(letter["html"].as_str().unwrap().contains(&token));

    http.get(&format!("/verify/{token}"), "").unwrap().is(200);
    http.get(&format!("//verify/{token}/?x={token}"), "").unwrap();
    http.post("/api/email/verify/confirm/", "", &json!({ "token": token })).unwrap().is(200);
    http.post("/api/email/verify/confirm/", "", &json!({ "token": token })).unwrap().is(400);
    http.get("/api/hello/", &token).unwrap().is(401);
    logged(&server, "GET /verify/… 200");
    logged(&server, "GET /api/hello/ 401");
    let log = server.log();
    assert!(log.contains("mail letter 1 (verification) went out"), "{log}");
    for piece in token.split('.') {
        assert!(!log.contains(piece) && !server.words().contains(piece), "{log}");
    }
    assert!(!log.contains("correct horse") && !log.contains("ann@example.org"), "{log}");
}

#[test]
fn by_starttls_or_tls_the_password_travels_hidden_and_a_strangers_certificate_gets_nothing() {
    for (mode, tls) in [("starttls", "starttls"), ("tls", "tls")] {
        let folder = tempfile::tempdir().unwrap();
        let certificate = Certificate::in_folder(folder.path());
        let mail = MailServer::start_with(mode, &certificate);
        let password = folder.path().join("password");
        std::fs::write(&password, "secret 7\n").unwrap();
        let home = home(&mail)
            .with("PORTCULLIS_MAIL__SMTP_TLS", tls)
            .with("PORTCULLIS_MAIL__SMTP_USER", "postman")
            .with("PORTCULLIS_MAIL__SMTP_PASSWORD_FILE", password.to_str().unwrap());
        let stranger = home.serve();
        register(&Http::new(stranger.origin()), "ann");
        logged(&stranger, "letter 1 (verification) did not go out, and is tried again in 15s: ");
        assert_eq!(mail.letters(), Vec::<Value>::new());
        stranger.stop(PATIENCE);

        // The same letter, once the certificate is believed: a start tries at once.
        let server = home.with("SSL_CERT_FILE", certificate.certificate.to_str().unwrap()).serve();
        let letter = mail.letter();
        assert_eq!((&letter["tls"], &letter["signed_in"]), (&json!(true), &json!(true)), "{letter}");
        assert_eq!(letter["to"], json!(["ann@example.org"]));
        assert!(!server.log().contains("secret 7"));
    }
}

#[test]
fn where_starttls_is_asked_for_nothing_goes_out_without_it() {
    let mail = MailServer::start("accept");
    let server = home(&mail).with("PORTCULLIS_MAIL__SMTP_TLS", "starttls").serve();
    register(&Http::new(server.origin()), "ann");
    logged(&server, "letter 1 (verification) did not go out");
    assert_eq!(mail.letters(), Vec::<Value>::new());
}

/// O8, A6: a letter that was acknowledged outlives the process, also one that was just being delivered.
#[test]
fn a_letter_survives_a_kill_in_the_middle_of_its_delivery() {
    let silent = MailServer::start("hang");
    let home = home(&silent);
    let server = home.serve();
    register(&Http::new(server.origin()), "ann");
    eventually("the delivery's begin", PATIENCE, || (silent.connections() > 0).then_some(()));
    server.kill();

    let mail = MailServer::start("accept");
    let server = home.with("PORTCULLIS_MAIL__SMTP_PORT", &mail.port.to_string()).serve();
    let letter = mail.letter();
    assert_eq!(letter["to"], json!(["ann@example.org"]));
    let given = json!({ "token": token_in(&letter) });
    Http::new(server.origin()).post("/api/email/verify/confirm/", "", &given).unwrap().is(200);
    logged(&server, "letter 1 (verification) went out");
    assert_eq!(mail.letters().len(), 1);
}

/// O8: a stop lets the letter in hand go out, so that nobody gets it twice.
#[test]
fn a_letter_that_is_being_delivered_when_the_server_stops_is_not_sent_again() {
    let mail = MailServer::start("slow");
    let home = home(&mail);
    let server = home.serve();
    register(&Http::new(server.origin()), "ann");
    eventually("the delivery's begin", PATIENCE, || (mail.connections() > 0).then_some(()));
    assert!(server.stop(Duration::from_secs(5)).success());

    let server = home.serve();
    register(&Http::new(server.origin()), "bob");
    eventually("the second letter", PATIENCE, || {
        mail.letters().iter().any(|one| one["to"][0] == "bob@example.org").then_some(())
    });
    let all: Vec<_> = mail.letters().into_iter().map(|letter| letter["to"][0].clone()).collect();
    assert_eq!(all, ["ann@example.org", "bob@example.org"]);
}

/// The default: printed where the server was started, which is not its log.
#[test]
fn without_a_mail_server_letters_are_printed_and_commands_write_them_too() {
    let home = Home::new().with("PORTCULLIS_ACCOUNTS__REGISTRATION", "invitation");
    let server = home.serve();
    let invited = home.run(&["user", "invite", "Ann@EXAMPLE.org"], "");
    let told = String::from_utf8(invited.stdout).unwrap();
    assert!(told.starts_with("Ann@example.org is invited, until ") && invited.status.success(), "{told}");
    let start = format!("{}/invitation/", server.origin());
    let link = eventually("the printed letter", PATIENCE, || {
        let words = server.words();
        let line = words.lines().find(|line| line.starts_with(&start))?;
        words.contains("\n----\n").then(|| line.to_owned())
    });
    assert!(server.words().contains("---- letter to Ann@example.org: You are invited to 127.0.0.1:"));
    let token = token_of(&link);
    assert!(!server.log().contains(&token));
    let given = json!({ "username": "ann", "password": "correct horse 9", "invitation": token });
    Http::new(server.origin()).post("/api/register/", "", &given).unwrap().is(201);

    let wrong = home.run(&["user", "invite", "ann"], "");
    assert_eq!(String::from_utf8(wrong.stderr).unwrap(), "portcullis: \"ann\" is no e-mail address\n");
    let closed =
        home.with("PORTCULLIS_ACCOUNTS__REGISTRATION", "closed").run(&["user", "invite", "ann@example.org"], "");
    assert!(!closed.status.success() && String::from_utf8(closed.stderr).unwrap().contains("is closed"));
}
