//! Providers that are slow, down, huge or elsewhere (SOC-04); providers that are not there at all; and what is written down.

use std::io::Read;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use futures_util::future::{Either, join, join_all, select};
use portcullis::clock::Clock;
use portcullis::db::Target;
use portcullis::model::two_factor;
use serde_json::json;

use super::{app_of, bring, google, invalid, rows};
use crate::support::app::{NOON, TestApp};
use crate::support::http::Http;
use crate::support::process::{Home, eventually};
use crate::support::provider::{CLIENT, Mood, Provider, access};

/// The most that a client may wait, and what a busy machine adds.
const PATIENCE: Duration = Duration::from_millis(5500);

#[actix_web::test]
async fn a_provider_in_trouble_is_a_503_within_five_seconds_and_changes_nothing() {
    let told = json!({ "detail": "Google does not answer as it should. Nothing was changed; please try again." });
    for mood in [Mood::Down, Mood::Slow, Mood::Huge, Mood::Redirecting, Mood::Nonsense] {
        let provider = Provider::start();
        let app = app_of(&provider).await;
        app.user("bob").await;
        provider.knows("opaque", access(json!({})));
        provider.feels(mood);
        for token in [provider.id_token(json!({})), "opaque".to_owned()] {
            let start = Instant::now();
            let answer = bring(&app, "google", &token).await;
            // All but the slow one are seen through at once, not by waiting.
            let limit = if mood == Mood::Slow { PATIENCE } else { PATIENCE / 2 };
            assert!(start.elapsed() < limit, "{mood:?}: {:?}", start.elapsed());
            assert_eq!(answer.header("retry-after"), Some("5"), "{mood:?}");
            answer.is(503, told.clone());
        }
        assert_eq!(rows(&app).await, [1, 0, 0], "{mood:?}");
        assert!(provider.asked().iter().all(|asked| !asked.contains("/elsewhere")), "a redirect was followed");

        provider.feels(Mood::Well);
        app.clock.advance(Duration::from_secs(2));
        bring(&app, "google", &provider.id_token(json!({}))).await.status(200);
    }
}

#[actix_web::test]
async fn a_provider_in_trouble_holds_up_nobody_else() {
    let provider = Provider::start();
    let app = app_of(&provider).await;
    let bob = app.user("bob").await;
    provider.feels(Mood::Slow);
    let token = provider.id_token(json!({}));
    let others = async {
        let start = Instant::now();
        let client = bob.signed_in().await;
        for _ in 0..20 {
            client.get("/api/hello/").await.status(200);
        }
        start.elapsed()
    };
    let (slow, others) = join(bring(&app, "google", &token), others).await;
    slow.status(503);
    assert!(others < Duration::from_secs(2), "{others:?}");
}

/// Clients that wait are bounded: one more is told at once.
#[actix_web::test]
async fn no_more_than_sixty_four_wait_for_providers() {
    let provider = Provider::start();
    let app = app_of(&provider).await;
    provider.feels(Mood::Slow);
    let asks = async || {
        let start = Instant::now();
        bring(&app, "google", "opaque").await.status(503);
        start.elapsed()
    };
    let waits = join_all((0..70).map(|_| asks())).await;
    let told_at_once = waits.iter().filter(|wait| **wait < Duration::from_secs(3)).count();
    assert_eq!(told_at_once, 6, "{waits:?}");
    assert_eq!(provider.asked().len(), 64);
}

/// The keys are for all: a client that goes away does not stop their reading.
#[actix_web::test]
async fn a_client_that_leaves_takes_nothing_from_those_who_come_after() {
    let provider = Provider::start();
    let app = app_of(&provider).await;
    provider.feels(Mood::Late);
    let token = provider.id_token(json!({}));
    let asked = async |what: &str| {
        let start = Instant::now();
        while !provider.asked().iter().any(|asked| asked == what) {
            assert!(start.elapsed() < Duration::from_secs(5), "nobody asked {what}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let left =
        select(Box::pin(bring(&app, "google", &token)), Box::pin(asked("GET /.well-known/openid-configuration")));
    assert!(matches!(left.await, Either::Right(_)), "it was answered before it could leave");
    asked("GET /keys").await;
    bring(&app, "google", &token).await.status(200);
    assert_eq!(provider.asked(), Vec::<String>::new(), "the keys were read twice");
}

#[actix_web::test]
async fn a_provider_that_nobody_reaches_is_a_503() {
    let provider = Provider::start();
    let mut social = provider.as_google();
    // A port that nobody listens at: it was ours a moment ago.
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    social.get_mut("google").unwrap().issuer = Some(format!("http://{gone}"));
    let app = TestApp::with(|settings| settings.social = social).await;
    bring(&app, "google", &provider.id_token(json!({}))).await.status(503);
    bring(&app, "google", "opaque").await.status(503);
}

/// What is sent to an `https` address goes over TLS, and a server that nobody vouches for gets nothing.
#[actix_web::test]
async fn a_provider_is_spoken_to_over_tls() {
    let provider = Provider::start();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut social = provider.as_google();
    social.get_mut("google").unwrap().issuer = Some(format!("https://{}", listener.local_addr().unwrap()));
    let app = TestApp::with(|settings| settings.social = social).await;
    let hello = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut first = [0; 5];
        stream.read_exact(&mut first).unwrap();
        first
    });
    bring(&app, "google", "opaque").await.status(503);
    // The record of a handshake (RFC 8446 §5.1).
    assert_eq!(hello.join().unwrap()[..2], [0x16, 0x03]);
}

#[actix_web::test]
async fn a_discovery_document_that_speaks_for_another_is_not_believed() {
    let provider = Provider::start();
    let mut social = provider.as_google();
    let google = social.get_mut("google").unwrap();
    google.issuer = Some(provider.origin.replace("127.0.0.1", "localhost"));
    let app = TestApp::with(|settings| settings.social = social).await;
    bring(&app, "google", &provider.id_token(json!({}))).await.status(503);
}

#[actix_web::test]
async fn a_provider_that_is_not_configured_is_no_path_at_all() {
    let provider = Provider::start();
    let nowhere = async |app: &TestApp, path: &str| {
        let post = app.anonymous().post(path, json!({ "token": "x" })).await;
        let options = app.anonymous().options(path).await;
        [post, options].map(|answer| (answer.status, answer.text().to_owned(), answer.header("allow").is_some()))
    };
    let none = TestApp::new().await;
    let google = app_of(&provider).await;
    for (app, path) in [
        (&none, "/api/auth/google/"),
        (&none, "/api/v1/auth/github/"),
        (&none, "/api/auth/google"),
        (&google, "/api/auth/github/"),
        (&google, "/api/auth/Google/"),
        (&google, "/api/auth/google2/"),
        (&google, "/api/auth/googl/"),
        (&google, "/api/auth//"),
    ] {
        let told = nowhere(app, path).await;
        assert_eq!(told, nowhere(app, "/api/nowhere/at/all/").await, "{path}");
        assert_eq!(told[0].0, 404, "{path}");
    }
    let redirect = google.anonymous().post("/api/auth/google", json!({})).await.status(301);
    assert_eq!(redirect.header("location"), Some("/api/auth/google/"));
}

#[actix_web::test]
async fn social_sign_in_counts_like_any_other() {
    let provider = Provider::start();
    let social = google(&provider);
    let app = TestApp::with(|settings| {
        social(settings);
        settings.throttle.login = Some("3/min".parse().unwrap());
        settings.throttle.login_address = Some("6/min".parse().unwrap());
    })
    .await;
    for _ in 0..6 {
        bring(&app, "google", "eyJhbGciOiJub25lIn0.e30.").await.is(400, invalid("Google"));
    }
    provider.asked();
    bring(&app, "google", &provider.id_token(json!({}))).await.status(429);
    bring(&app, "google", "opaque").await.status(429);
    assert_eq!(provider.asked(), Vec::<String>::new(), "the provider was asked all the same");
}

/// The whole of it as an operator has it: settings in the environment, a process, its log.
#[test]
fn the_log_tells_who_came_and_never_a_token() {
    let provider = Provider::start();
    let home = Home::new()
        .with("PORTCULLIS_SOCIAL__GOOGLE__CLIENT_ID", CLIENT)
        .with("PORTCULLIS_SOCIAL__GOOGLE__ISSUER", &provider.origin)
        .with("PORTCULLIS_LOG__LEVEL", "trace");
    let server = home.serve();
    let http = Http::new(server.origin());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let good = provider.id_token(json!({ "iat": now, "exp": now + 60 }));
    let old = provider.id_token(json!({ "iat": NOON.seconds(), "exp": now - 1 }));
    provider.knows("ya29.opaque-and-secret", access(json!({ "sub": "1002" })));

    let post = |token: &str| http.post("/api/auth/google/", "", &json!({ "token": token })).unwrap();
    let pair = post(&good).is(200).pair();
    post(&old).is(400);
    post("ya29.opaque-and-secret").is(400);
    provider.feels(Mood::Down);
    post("ya29.another").is(503);

    let log = eventually("the log", Duration::from_secs(10), || {
        let log = server.log();
        log.contains("Google cannot be asked: it answers 503").then_some(log)
    });
    for line in [
        "INFO sign_in user=1 signed in from 127.0.0.1",
        "WARN sign_in failed sign-in from 127.0.0.1",
        "WARN token refused: Google: expired",
        "WARN token refused: Google: subject",
        "POST /api/auth/google/ 200",
    ] {
        assert!(log.contains(line), "no {line:?} in\n{log}");
    }
    let signature = |token: &str| token.rsplit('.').next().unwrap().to_owned();
    for secret in [signature(&good), signature(&old), signature(&pair.access), signature(&pair.refresh)] {
        assert!(!log.contains(&secret), "a token is in the log");
    }
    assert!(!log.contains("opaque-and-secret") && !log.contains("ya29.another"), "an access token is in the log");
}

/// Ban tools read the log: who is asked for a code has done nothing wrong yet.
#[test]
fn a_code_that_is_still_to_come_is_no_failed_sign_in() {
    let provider = Provider::start();
    let home = Home::new()
        .with("PORTCULLIS_SOCIAL__GOOGLE__CLIENT_ID", CLIENT)
        .with("PORTCULLIS_SOCIAL__GOOGLE__ISSUER", &provider.origin);
    let server = home.serve();
    let http = Http::new(server.origin());
    let now = Clock::system().now();
    let token = provider.id_token(json!({ "iat": now.seconds(), "exp": now.seconds() + 60 }));
    let post = || http.post("/api/auth/google/", "", &json!({ "token": token })).unwrap();
    post().is(200);
    let mut conn = Target::Sqlite(home.path().join("data/portcullis.db")).connect().unwrap();
    two_factor::begin(&mut conn, 1, "sealed", now).unwrap();
    assert!(two_factor::confirm(&mut conn, 1, "sealed", now).unwrap());

    assert_eq!(post().is(401).body["code"], "two_factor_required");

    let log = eventually("the log", Duration::from_secs(10), || {
        let log = server.log();
        log.contains("POST /api/auth/google/ 401").then_some(log)
    });
    assert!(!log.contains("failed sign-in"), "{log}");
}
