//! `/ws/`: what is told to whom, who may listen, and when it ends.

use std::time::{Duration, Instant};

use diesel::prelude::*;
use portcullis::db::schema::changes;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::support::app::{TestApp, minutes, seconds};
use crate::support::http::Http;
use crate::support::people::{PASSWORD, Pair};
use crate::support::process::{Home, eventually};
use crate::support::socket::{HANDSHAKE, Listening, Socket};
use crate::support::token::{claims, not_valid};

/// WSK-03 gives a second, and two where it is measured.
const AT_ONCE: Duration = Duration::from_secs(2);

fn event(name: &str, data: &Value) -> Value {
    json!({ "event": name, "data": data })
}

#[actix_web::test]
async fn a_socket_tells_of_ones_own_tasks_and_of_all_articles_as_they_change() {
    let app = TestApp::new().await;
    let (ann, bob) = (app.user("ann").await.obtain().await, app.user("bob").await.obtain().await);
    let live = Listening::new(&app).await;
    let (mut anns, mut bobs) = (live.socket(&ann.access).await, live.socket(&bob.access).await);
    let client = app.anonymous().bearing(&ann.access);

    let made: Value = client.post("/api/tasks/", json!({ "title": "Buy \"milk\" \u{e9}" })).await.ok();
    let path = format!("/api/tasks/{}/", made["id"]);
    app.clock.advance(seconds(1));
    let changed: Value = client.patch(&path, json!({ "completed": true })).await.ok();
    client.delete(&path).await.is_empty(204);
    let article: Value = client.post("/api/articles/", json!({ "title": "News", "body": "Text" })).await.ok();

    let told = event("article.created", &article);
    assert_eq!(anns.event().await, event("task.created", &made));
    assert_eq!(anns.event().await, event("task.updated", &changed));
    assert_eq!(anns.event().await, event("task.deleted", &changed));
    assert_eq!(anns.event().await, told);
    assert_eq!(bobs.event().await, told);
    bobs.is_open_and_told_nothing().await;

    // What was refused is not told.
    client.post("/api/tasks/", json!({ "title": "" })).await.status(400);
    client.delete(&path).await.status(404);
    anns.is_open_and_told_nothing().await;
}

/// A group commit holds many writes; each is told, in the order of their ids.
#[actix_web::test]
async fn events_come_in_the_order_of_the_commits() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await.obtain().await;
    let live = Listening::new(&app).await;
    let mut socket = live.socket(&ann.access).await;
    let client = app.anonymous().bearing(&ann.access);
    let posts = (0..50).map(|at| {
        let client = client.clone();
        async move { client.post("/api/tasks/", json!({ "title": at.to_string() })).await.status(201) }
    });
    futures_util::future::join_all(posts).await;
    let mut last = 0;
    for _ in 0..50 {
        let id = socket.event().await["data"]["id"].as_i64().unwrap();
        assert!(id > last, "{id} after {last}");
        last = id;
    }
    socket.is_open_and_told_nothing().await;
}

/// While nobody listens, the change log is not even written.
#[actix_web::test]
async fn with_no_socket_open_a_write_costs_what_it_did() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await.obtain().await;
    let events = async || {
        app.read(|conn| Ok(changes::table.filter(changes::kind.eq("event")).count().get_result::<i64>(conn)?)).await
    };
    let client = app.anonymous().bearing(&ann.access);
    client.post("/api/tasks/", json!({ "title": "x" })).await.status(201);
    assert_eq!(events().await, 0);
    let live = Listening::new(&app).await;
    let socket = live.socket(&ann.access).await;
    client.post("/api/tasks/", json!({ "title": "x" })).await.status(201);
    assert_eq!(events().await, 1);
    drop(socket);
    eventually("the socket is gone", AT_ONCE, || (!app.site.hub.has_sockets()).then_some(()));
    client.post("/api/tasks/", json!({ "title": "x" })).await.status(201);
    assert_eq!(events().await, 1);
}

/// A browser cannot set headers; what the server chooses must be one of what was offered, and never the token.
#[actix_web::test]
async fn a_browser_shows_its_token_as_a_subprotocol_which_is_never_echoed() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await.obtain().await;
    let live = Listening::new(&app).await;
    let offer = format!("bearer, {}", ann.access);
    let (mut socket, response) = live.open(&[("sec-websocket-protocol", &offer)]).await.unwrap();
    socket.is_open_and_told_nothing().await;
    assert_eq!(response.headers().get("sec-websocket-protocol").unwrap(), "bearer");
    assert!(!format!("{response:?}").contains(&ann.access));
}

/// WSK-01, WSK-02: all of it is told before the upgrade, in the words of any other request.
#[actix_web::test]
async fn only_a_good_access_token_opens_a_socket_and_never_from_the_address() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    let (pair, key) = (ann.obtain().await, ann.api_key(&["tasks.view"]).await);
    let open = async |path: &str, headers: &[(&str, &str)]| {
        let request = app.anonymous().get(path);
        HANDSHAKE.iter().chain(headers).fold(request, |request, (name, value)| request.header(name, value)).await
    };
    let missing = || json!({ "detail": "Authentication credentials were not provided." });
    let answer = open("/ws/", &[]).await;
    assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"api\""));
    answer.is(401, missing());
    open(&format!("/ws/?token={0}&access_token={0}", pair.access), &[]).await.is(401, missing());
    open("/ws/", &[("x-api-key", &key.key)]).await.is(401, missing());
    for protocols in ["bearer", "bearer,", &pair.access, &format!("{}, bearer", pair.access), "Bearer, x"] {
        open("/ws/", &[("sec-websocket-protocol", protocols)]).await.is(401, missing());
    }
    let refresh = format!("bearer, {}", pair.refresh);
    open("/ws/", &[("sec-websocket-protocol", &refresh)]).await.is(401, not_valid("Token has wrong type"));
    open("/ws/", &[("authorization", "Bearer a.b.c")]).await.is(401, not_valid("Token is invalid"));
    // The header goes before the subprotocol, and is not mended by it.
    let good = format!("bearer, {}", pair.access);
    let both = [("authorization", "Bearer a.b.c"), ("sec-websocket-protocol", good.as_str())];
    open("/ws/", &both).await.is(401, not_valid("Token is invalid"));

    let told = json!({ "detail": "Expected a WebSocket handshake (RFC 6455)." });
    app.anonymous().bearing(&pair.access).get("/ws/").await.is(400, told);
    app.anonymous().post("/ws/", ()).await.status(405);
    assert!(!app.site.hub.has_sockets());
}

#[actix_web::test]
async fn a_page_opens_a_socket_from_a_listed_origin_or_our_own() {
    let app = TestApp::with(|settings| settings.cors.allowed_origins = vec!["https://app.example".into()]).await;
    let ann = app.user("ann").await.obtain().await;
    let live = Listening::new(&app).await;
    let bearer = format!("Bearer {}", ann.access);
    let own = format!("http://{}", live.address);
    for (origin, welcome) in [
        ("https://app.example", true),
        (own.as_str(), true),
        ("https://evil.example", false),
        ("https://app.example.evil.example", false),
        ("http://app.example", false),
        ("null", false),
    ] {
        match live.open(&[("authorization", &bearer), ("origin", origin)]).await {
            Ok(_) => assert!(welcome, "{origin}"),
            Err(Error::Http(response)) => assert!(!welcome && response.status() == 403, "{origin} {response:?}"),
            Err(error) => panic!("{origin} {error}"),
        }
    }
    let site = [("authorization", bearer.as_str()), ("origin", own.as_str()), ("sec-fetch-site", "cross-site")];
    assert!(live.open(&site).await.is_err());
}

/// Whoever asks for another protocol where none is spoken is answered in HTTP (RFC 9110 §7.8). What would come next on the
/// connection might be anything, so it is closed.
#[actix_web::test]
async fn elsewhere_a_handshake_is_a_request_like_any_other() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await.obtain().await;
    let live = Listening::new(&app).await;
    let bearer = format!("Bearer {}", ann.access);
    let answer = live.raw("GET", "/api/tasks/", &[("authorization", &bearer)], "").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("connection: close\r\n"), "{answer}");
    assert!(answer.ends_with(r#"{"count":0,"next":null,"previous":null,"results":[]}"#), "{answer}");
    // A handshake has no body: whatever follows belongs to the other protocol.
    let told = [("authorization", bearer.as_str()), ("content-type", "application/json"), ("content-length", "14")];
    let answer = live.raw("POST", "/api/tasks/", &told, r#"{"title": "x"}"#).await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("This field is required."), "{answer}");
    let answer = live.raw("GET", "/ws/", &[], "").await;
    assert!(answer.starts_with("HTTP/1.1 401 ") && answer.contains("were not provided"), "{answer}");
}

/// What is sent behind the handshake, before its answer, is the first message.
#[actix_web::test]
async fn a_client_need_not_wait_for_the_answer_to_its_handshake() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await.obtain().await;
    let live = Listening::new(&app).await;
    let unmasked = "\u{1}\u{0}"; // refused as such, and so it was read
    let answer = live.raw("GET", "/ws/", &[("authorization", &format!("Bearer {}", ann.access))], unmasked).await;
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    assert!(answer.contains("this is not RFC 6455"), "{answer}");
}

/// WSK-03.
async fn all_that_ends_a_token_closes_its_socket(app: TestApp) {
    let live = Listening::new(&app).await;
    let names = ["out", "everywhere", "password", "ended", "revoked", "off", "gone", "late"];
    for name in names {
        let person = app.user(name).await;
        let (pair, other): (Pair, Pair) = (person.obtain().await, person.obtain().await);
        let client = person.with(&pair.access);
        let (mut socket, mut beside) = (live.socket(&pair.access).await, live.socket(&other.access).await);
        socket.is_open_and_told_nothing().await;
        match name {
            "out" => drop(client.post("/api/logout/", json!({ "refresh": pair.refresh })).await.is_empty(205)),
            "everywhere" => drop(client.post("/api/logout/all/", ()).await.is_empty(205)),
            "password" => {
                let change = json!({ "old_password": PASSWORD, "new_password": "battery staple 7" });
                client.post("/api/password/change/", change).await.status(200);
            }
            "ended" => {
                let path = format!("/api/sessions/{}/", claims(&pair.access)["sid"].as_str().unwrap());
                person.with(&other.access).delete(&path).await.is_empty(204);
            }
            "revoked" => {
                let service = app.user("service").staff().await.signed_in().await;
                service.post("/api/token/revoke/", json!({ "token": pair.access })).await.status(200);
            }
            "off" => person.deactivate().await,
            "gone" => person.delete().await,
            _ => app.clock.advance(minutes(5)),
        }
        let since = Instant::now();
        assert_eq!(socket.closed().await, (4401, 0), "{name}");
        assert!(since.elapsed() < AT_ONCE, "{name}: {:?}", since.elapsed());
        match name {
            "out" | "ended" | "revoked" => beside.is_open_and_told_nothing().await,
            _ => assert_eq!(beside.closed().await, (4401, 0), "{name}"),
        }
    }
}

#[actix_web::test]
async fn a_socket_closes_at_once_when_its_token_is_over_for_whatever_reason() {
    all_that_ends_a_token_closes_its_socket(TestApp::new().await).await;
}

#[actix_web::test]
async fn a_socket_closes_at_once_when_its_token_is_over_for_whatever_reason_on_postgresql() {
    all_that_ends_a_token_closes_its_socket(TestApp::on_postgres().await).await;
}

#[actix_web::test]
async fn another_token_of_the_same_user_extends_a_socket_and_any_other_ends_it() {
    let app = TestApp::new().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let first = ann.obtain().await;
    let live = Listening::new(&app).await;
    let mut socket = live.socket(&first.access).await;
    let (mut foreign, mut bad) = (live.socket(&first.access).await, live.socket(&first.access).await);

    app.clock.advance(minutes(3));
    let second: Pair = ann.refresh(&first.refresh).await.ok();
    socket.authenticate(&second.access).await;
    socket.is_open_and_told_nothing().await;
    foreign.authenticate(&bob.obtain().await.access).await;
    assert_eq!(foreign.closed().await, (4401, 0));
    bad.authenticate(&second.refresh).await;
    assert_eq!(bad.closed().await, (4401, 0));

    app.clock.advance(minutes(3));
    let task: Value = ann.signed_in().await.post("/api/tasks/", json!({ "title": "x" })).await.ok();
    assert_eq!(socket.event().await, event("task.created", &task));
    app.clock.advance(minutes(2));
    assert_eq!(socket.closed().await, (4401, 0));
}

/// WSK-04.
#[actix_web::test]
async fn what_a_client_sends_is_bounded() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await.obtain().await;
    let live = Listening::new(&app).await;
    let long = "x".repeat(16 * 1024 + 1);
    for (message, code) in [
        (Message::text(long), 1009),
        (Message::binary(vec![1]), 1003),
        (Message::text("hello"), 1008),
        (Message::text(r#"{"type": "subscribe"}"#), 1008),
    ] {
        let mut socket = live.socket(&ann.access).await;
        socket.send(message).await;
        assert_eq!(socket.closed().await, (code, 0));
    }
}

/// WSK-04.
#[actix_web::test]
async fn a_user_has_so_many_sockets_and_no_more() {
    let app = TestApp::with(|settings| settings.sockets.per_user = 2).await;
    let (ann, bob) = (app.user("ann").await.obtain().await, app.user("bob").await.obtain().await);
    let live = Listening::new(&app).await;
    let (first, _second) = (live.socket(&ann.access).await, live.socket(&ann.access).await);
    let third = live.open(&[("authorization", &format!("Bearer {}", ann.access))]).await;
    let Err(Error::Http(refused)) = third else { panic!("a third socket was opened") };
    assert_eq!(refused.status(), 403);
    live.socket(&bob.access).await.is_open_and_told_nothing().await;

    drop(first);
    let open = async || live.open(&[("authorization", &format!("Bearer {}", ann.access))]).await.is_ok();
    let since = Instant::now();
    while !open().await {
        assert!(since.elapsed() < AT_ONCE, "the place is not given back");
    }
}

/// WSK-04: a client that does not answer is let go of.
#[actix_web::test]
async fn a_socket_that_answers_no_ping_is_closed() {
    let app = TestApp::with(|settings| settings.sockets.ping = seconds(1)).await;
    let ann = app.user("ann").await.obtain().await;
    let live = Listening::new(&app).await;
    let mut socket = live.socket(&ann.access).await;
    // Pongs are sent by whoever reads; this one does not until it is too late.
    let since = Instant::now();
    while app.site.hub.has_sockets() {
        assert!(since.elapsed() < seconds(10), "still open");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(since.elapsed() > seconds(1), "closed before it was pinged");
    assert_eq!(socket.closed().await, (4408, 0));
}

/// WSK-04: the queue of a reader who does not keep up is not grown for it.
#[actix_web::test]
async fn a_slow_reader_is_closed_and_holds_up_nobody() {
    let app = TestApp::new().await;
    let (ann, bob) = (app.user("ann").await.obtain().await, app.user("bob").await.obtain().await);
    let live = Listening::new(&app).await;
    let (mut slow, mut quick) = (live.socket(&ann.access).await, live.socket(&bob.access).await);
    let client = app.anonymous().bearing(&ann.access);
    // Twenty megabytes: more than the system's buffers, the connection's and the queue hold together.
    let (sent, body) = (100, "x".repeat(200_000));
    for _ in 0..sent {
        client.post("/api/articles/", json!({ "title": "Long", "body": body })).await.status(201);
        quick.event().await;
    }
    let (code, events) = slow.closed().await;
    assert_eq!(code, 4429);
    assert!(events < sent, "{events} of {sent}");
    quick.is_open_and_told_nothing().await;
}

/// Servers over one PostgreSQL: events and ends alike go by the change log.
#[actix_web::test]
async fn what_happens_in_one_server_is_told_by_another_on_postgresql() {
    let one = TestApp::on_postgres().await;
    let other = one.again().await;
    let ann = one.user("ann").await;
    let pair = ann.obtain().await;
    let (_one, live) = (Listening::new(&one).await, Listening::new(&other).await);
    let mut socket = live.socket(&pair.access).await;
    eventually("the other server knows that somebody listens", AT_ONCE, || one.site.hub.is_heard().then_some(()));
    assert!(!one.site.hub.has_sockets());

    let task: Value = ann.with(&pair.access).post("/api/tasks/", json!({ "title": "x" })).await.ok();
    assert_eq!(socket.event().await, event("task.created", &task));
    ann.with(&pair.access).post("/api/logout/", json!({ "refresh": pair.refresh })).await.is_empty(205);
    let since = Instant::now();
    assert_eq!(socket.closed().await, (4401, 0));
    assert!(since.elapsed() < AT_ONCE);
}

/// REL-11, with the binary.
#[actix_web::test]
async fn a_server_that_stops_says_goodbye() {
    let home = Home::new().with_superuser("root", PASSWORD);
    let server = home.serve();
    let origin = server.origin().to_owned();
    let at = origin.clone();
    // The plain client blocks, and must not even be dropped elsewhere.
    let access = tokio::task::spawn_blocking(move || {
        let sign_in = json!({ "username": "root", "password": PASSWORD });
        Http::new(&at).post("/api/token/", "", &sign_in).unwrap().is(200).pair().access
    });
    let access = access.await.unwrap();
    let address = origin.strip_prefix("http://").unwrap().parse().unwrap();
    let bearer = format!("Bearer {access}");
    let (mut socket, _) = Socket::open(address, &[("authorization", &bearer)]).await.unwrap();
    socket.is_open_and_told_nothing().await;
    let stopped = tokio::task::spawn_blocking(move || {
        let since = Instant::now();
        let status = server.stop(seconds(5));
        (status, since.elapsed())
    });
    assert_eq!(socket.closed().await, (1001, 0));
    drop(socket);
    let (status, took) = stopped.await.unwrap();
    assert!(status.success(), "{status}");
    assert!(took < seconds(3), "the socket held it up: {took:?}");
}
