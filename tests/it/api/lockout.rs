//! What strangers fail must not keep an owner out, and what they try must tell them nothing.

use futures_util::future::join_all;
use portcullis::db::Conn;
use portcullis::ops::limits;
use portcullis::settings::{Rate, Settings};
use serde_json::{Value, json};

use crate::support::app::{TestApp, days, hours, minutes, seconds};
use crate::support::client::Answer;
use crate::support::panel::Panel;
use crate::support::people::PASSWORD;
use crate::support::statements::{sent, watch};

fn rate(text: &str) -> Option<Rate> {
    Some(text.parse().unwrap())
}

async fn try_at(app: &TestApp, address: &str, name: &str, password: &str) -> Answer {
    let body = json!({ "username": name, "password": password });
    app.anonymous().at(address).post("/api/token/", body).await
}

fn address(number: usize) -> String {
    format!("198.51.{}.{}", 100 + number / 250, number % 250)
}

const HOME: &str = "192.0.2.77";

/// AUT-05: a thousand at once, each from an address of its own; those that pass are all and only those that the limit allows.
#[actix_web::test]
async fn of_a_thousand_parallel_guesses_a_limit_of_a_hundred_lets_exactly_a_hundred_pass() {
    let app = TestApp::with(|settings| {
        settings.throttle.login_account = rate("100/hour");
        settings.passwords.queue = 2000;
    })
    .await;
    app.user("ann").await;
    let before = app.site.passwords.computed();

    let addresses: Vec<String> = (0..1000).map(address).collect();
    let answers = join_all(addresses.iter().map(|address| try_at(&app, address, "ann", "wrong"))).await;

    let of = |status: u16| answers.iter().filter(|answer| answer.status.as_u16() == status).count();
    assert_eq!((of(401), of(429)), (100, 900));
    assert_eq!(app.site.passwords.computed() - before, 100, "a refused guess costs no hash");
}

/// Right passwords are given back.
#[actix_web::test]
async fn right_passwords_use_nothing_up() {
    let app = TestApp::with(|settings| settings.throttle.login = rate("3/min")).await;
    app.user("ann").await;
    for _ in 0..20 {
        try_at(&app, HOME, "ann", PASSWORD).await.status(200);
    }
    for _ in 0..3 {
        try_at(&app, HOME, "ann", "wrong").await.status(401);
    }
    try_at(&app, HOME, "ann", PASSWORD).await.status(429);
}

/// AUT-04, AUT-08, at default settings: guessers get twenty guesses an hour, and the owner does not notice them where she
/// has signed in before.
#[actix_web::test]
async fn after_ten_thousand_wrong_passwords_from_five_hundred_addresses_the_owner_signs_in_where_she_is_known() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    try_at(&app, HOME, "ann", PASSWORD).await.status(200);
    let session = ann.signed_in().await;

    let mut guessed = 0;
    for round in 0..20 {
        for number in 0..500 {
            let password = if round == 19 { PASSWORD } else { "wrong" };
            let answer = try_at(&app, &address(number), "ann", password).await;
            match answer.status.as_u16() {
                401 => guessed += 1,
                _ => assert!(answer.status(429).header("retry-after").is_some(), "the right one looks the same"),
            }
        }
        app.clock.advance(seconds(3));
    }
    assert_eq!(guessed, 20);

    session.get("/api/hello/").await.status(200);
    let refused = try_at(&app, "203.0.113.5", "ann", PASSWORD).await.status(429);
    assert_eq!(refused.header("retry-after"), Some("3540"), "from anywhere else the lock ends by itself");
    try_at(&app, HOME, "ann", PASSWORD).await.status(200);
    // Where she is known guesses are limited as well: ten a minute, and twenty an hour.
    for _ in 0..2 {
        for _ in 0..10 {
            try_at(&app, HOME, "ann", "wrong").await.status(401);
        }
        try_at(&app, HOME, "ann", PASSWORD).await.status(429);
        app.clock.advance(minutes(1));
    }
    try_at(&app, HOME, "ann", PASSWORD).await.status(429);
    app.clock.advance(hours(1));
    try_at(&app, "203.0.113.5", "ann", PASSWORD).await.status(200);
}

/// Fills the account's own count, from addresses of no importance.
async fn besiege(app: &TestApp, name: &str) {
    for number in 0..20 {
        try_at(app, &address(number), name, "wrong").await.status(401);
    }
    try_at(app, &address(20), name, PASSWORD).await.status(429);
}

#[actix_web::test]
async fn where_an_account_was_known_is_forgotten_with_its_password_and_after_half_a_year() {
    for forgotten in ["nothing", "password", "everywhere", "time"] {
        let app = TestApp::new().await;
        let ann = app.user("ann").await;
        try_at(&app, HOME, "ann", PASSWORD).await.status(200);
        let (mut password, expected) = (PASSWORD, if forgotten == "nothing" { 200 } else { 429 });
        match forgotten {
            "password" => {
                password = "battery staple 7";
                let body = json!({ "old_password": PASSWORD, "new_password": password });
                ann.signed_in().await.post("/api/password/change/", body).await.status(200);
            }
            "everywhere" => {
                ann.signed_in().await.post("/api/logout/all/", ()).await.is_empty(205);
            }
            "time" => app.clock.advance(days(181)),
            _ => {}
        }
        besiege(&app, "ann").await;
        assert_eq!(try_at(&app, HOME, "ann", password).await.status.as_u16(), expected, "{forgotten}");
        if forgotten == "password" {
            try_at(&app, "192.0.2.1", "ann", password).await.status(200); // where it was changed
        }
    }
}

#[actix_web::test]
async fn an_account_is_known_at_its_last_eight_places_and_an_ipv6_network_is_one() {
    let app = TestApp::new().await;
    app.user("ann").await;
    for place in 1..=9 {
        let address = format!("2001:db8:0:{place}::1");
        try_at(&app, &address, "ann", PASSWORD).await.status(200);
        app.clock.advance(seconds(1));
    }
    besiege(&app, "ann").await;
    try_at(&app, "2001:db8:0:1::1", "ann", PASSWORD).await.status(429);
    try_at(&app, "2001:db8:0:2:ffff::9", "ann", PASSWORD).await.status(200);
}

/// The cookie of a browser in browser mode: its `name=value`.
fn device_of(answer: &Answer) -> Option<String> {
    let cookies = answer.headers.get_all("set-cookie").map(|value| value.to_str().unwrap().to_owned());
    let cookie = cookies.into_iter().find(|cookie| cookie.contains("portcullis_device="))?;
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict") && cookie.contains("Path=/"), "{cookie}");
    Some(cookie.split(';').next().unwrap().to_owned())
}

fn browser_mode(settings: &mut Settings) {
    settings.jwt.refresh_cookie = true;
    settings.throttle.login_device = rate("3/hour");
}

#[actix_web::test]
async fn a_browser_that_signed_in_before_has_a_count_of_its_own_wherever_it_is() {
    let app = TestApp::with(browser_mode).await;
    app.user("ann").await;
    app.user("bob").await;
    let first = try_at(&app, HOME, "ann", PASSWORD).await.status(200);
    let device = device_of(&first).unwrap();
    let with_device = async |name: &str, password: &str| {
        let body = json!({ "username": name, "password": password });
        app.anonymous().at("203.0.113.9").post("/api/token/", body).header("cookie", &device).await
    };

    besiege(&app, "ann").await;
    with_device("ann", PASSWORD).await.status(200);
    // It is good for the one account, in whatever way it was changed for none ...
    besiege(&app, "bob").await;
    with_device("bob", PASSWORD).await.status(429);
    let forged = device.replacen('.', "1.", 1);
    let body = json!({ "username": "ann", "password": PASSWORD });
    app.anonymous().at("203.0.113.10").post("/api/token/", body).header("cookie", &forged).await.status(429);
    // ... and whoever steals it has three guesses an hour, which cost the owner nothing elsewhere.
    for _ in 0..3 {
        with_device("ann", "wrong").await.status(401);
    }
    let refused = with_device("ann", PASSWORD).await.status(429);
    assert_eq!(refused.header("retry-after"), Some("3600"));
    try_at(&app, HOME, "ann", PASSWORD).await.status(200);
    app.clock.advance(hours(1));
    with_device("ann", PASSWORD).await.status(200);
}

#[actix_web::test]
async fn a_browser_is_forgotten_with_the_password_and_the_one_that_changes_it_is_known_again() {
    let app = TestApp::with(browser_mode).await;
    let ann = app.user("ann").await;
    let first = try_at(&app, HOME, "ann", PASSWORD).await.status(200);
    let old = device_of(&first).unwrap();
    let access = first.json()["access"].as_str().unwrap().to_owned();
    let body = json!({ "old_password": PASSWORD, "new_password": "battery staple 7" });
    let changed = ann.with(&access).post("/api/password/change/", body).await.status(200);
    let new = device_of(&changed).unwrap();

    besiege(&app, "ann").await;
    let body = json!({ "username": "ann", "password": "battery staple 7" });
    for (device, expected) in [(old, 429), (new, 200)] {
        let answer = app.anonymous().at("203.0.113.9").post("/api/token/", body.clone()).header("cookie", &device);
        assert_eq!(answer.await.status.as_u16(), expected);
    }
}

#[actix_web::test]
async fn clients_that_keep_no_cookies_are_sent_none() {
    let app = TestApp::new().await;
    app.user("ann").await;
    let answer = try_at(&app, HOME, "ann", PASSWORD).await.status(200);
    assert_eq!(answer.header("set-cookie"), None);
}

#[actix_web::test]
async fn the_panel_knows_its_browsers_too() {
    let panel = Panel::with(|settings| settings.throttle = Settings::default().throttle).await;
    let known = panel.signed_in("root").await;
    let token = known.get("/admin/users/").await.hidden("csrf_token");
    known.post("/admin/logout/", &[("csrf_token", &token)]).await.leads_to("/admin/login/?note=out");
    besiege(&panel.app, "root").await;
    // All browsers of a test are at one address, whose own count is used up here.
    for number in 0..20 {
        try_at(&panel.app, "127.0.0.1", &format!("user{number}"), "wrong").await.status(401);
    }
    panel.browser().sign_in("root", PASSWORD).await.is(429);
    known.sign_in("root", PASSWORD).await.leads_to("/admin/");
}

/// AUT-06: NFKC makes one name of these; none of them but the first is the account's.
#[actix_web::test]
async fn spellings_of_a_name_share_a_count() {
    let app = TestApp::with(|settings| settings.throttle.login = rate("3/min")).await;
    app.user("ann").await;
    for name in ["ａnn", "a\u{ff4e}n", "ａｎｎ"] {
        try_at(&app, HOME, name, PASSWORD).await.status(401);
    }
    try_at(&app, HOME, "ann", PASSWORD).await.status(429);
    try_at(&app, HOME, "Ann", PASSWORD).await.status(401);
}

#[actix_web::test]
async fn a_restart_forgets_no_failure_and_its_rows_tell_nothing_and_go() {
    let app = TestApp::new().await;
    app.user("ann").await;
    besiege(&app, "ann").await;
    try_at(&app, HOME, "bob", "wrong").await.status(401);
    assert!(limits::keep(&app.site).await.unwrap() > 0);
    assert_eq!(limits::keep(&app.site).await.unwrap(), 0);

    let again = app.again().await;
    app.clock.advance(minutes(10));
    let refused = try_at(&again, "203.0.113.5", "ann", PASSWORD).await.status(429);
    assert_eq!(refused.header("retry-after"), Some("3000"));
    app.clock.advance(minutes(50));
    try_at(&again, "203.0.113.5", "ann", PASSWORD).await.status(200);

    let rows = async || app.read(kept_keys).await;
    let kept = rows().await;
    assert_eq!(kept.len(), 1 + 20 + 20 + 3, "an account, its addresses and pairs; another account, address and pair");
    assert!(kept.iter().all(|key| key.len() == 32 && hex::decode(key).is_ok()), "{kept:?}");
    limits::sweep(&app.site.db, app.clock.now() + hours(1)).await.unwrap();
    assert_eq!(rows().await, Vec::<String>::new());
}

fn kept_keys(conn: &mut Conn) -> portcullis::error::Result<Vec<String>> {
    use diesel::prelude::*;
    use portcullis::db::schema::sign_in_failures;
    Ok(sign_in_failures::table.select(sign_in_failures::key).load(conn)?)
}

/// DOS-02: what is refused writes nothing, and whatever fails writes a row for each key and second, not for each request.
#[actix_web::test]
async fn a_flood_writes_no_row_a_request() {
    watch();
    let app = TestApp::new().await;
    app.user("ann").await;
    besiege(&app, "ann").await;
    sent(&app);
    for number in 0..100 {
        try_at(&app, &address(number), "ann", "wrong").await.status(429);
    }
    let statements = sent(&app);
    assert!(statements.len() <= 100, "one question each: is the account known there");
    assert!(statements.iter().all(|statement| statement.starts_with("SELECT")), "{statements:#?}");
    let wrong = || async { try_at(&app, HOME, "nobody", "wrong").await };
    for _ in 0..10 {
        wrong().await.status(401);
    }
    sent(&app);
    for _ in 0..100 {
        wrong().await.status(429);
    }
    assert_eq!(sent(&app), Vec::<String>::new(), "from one address not even that");
    assert!(limits::keep(&app.site).await.unwrap() <= 1 + 21 + 21 + 3);
}

/// AUT-01, AUT-02: the same answer for the same work.
#[actix_web::test]
async fn unknown_wrong_inactive_and_unverified_are_one_answer_at_one_price() {
    watch();
    let app = TestApp::with(|settings| {
        settings.throttle.login = None;
        settings.accounts.require_verified_email = true;
    })
    .await;
    app.user("ann").await;
    app.user("gone").inactive().await;
    let passwords = app.site.passwords.clone();
    let long = "x".repeat(2000);
    let paths = [("/api/token/", 401), ("/api/v1/token/", 401), ("/api/token/sliding/", 401), ("/api/login/", 401)];
    for (path, status) in paths {
        let mut seen: Vec<(Value, String, u64, Vec<String>)> = Vec::new();
        for (name, password) in
            [("nobody", PASSWORD), ("ann", "wrong"), ("ann", long.as_str()), ("gone", PASSWORD), ("gone", "wrong")]
        {
            sent(&app);
            let before = passwords.computed();
            let answer = app.anonymous().post(path, json!({ "username": name, "password": password })).await;
            let asked = sent(&app).into_iter().map(|asked| asked.split(" -- binds").next().unwrap().to_owned());
            let work = (passwords.computed() - before, asked.collect::<Vec<_>>());
            let answer = answer.status(status);
            seen.push((answer.json(), format!("{:?}", answer.headers), work.0, work.1));
        }
        assert!(seen.windows(2).all(|two| two[0] == two[1]), "{path}: {seen:#?}");
        assert!(seen[0].2 == 1 && seen[0].3.len() <= 2, "{path}: one hash and what is asked for it: {:?}", seen[0]);
    }
    // The unverified are told what is missing, once the password was right; for the same work.
    try_at(&app, HOME, "ann", "wrong").await.status(401);
    let asked = sent(&app).len();
    let before = passwords.computed();
    let told = json!({ "detail": "Email not verified.", "code": "email_not_verified" });
    try_at(&app, HOME, "ann", PASSWORD).await.is(401, told);
    assert_eq!((passwords.computed() - before, sent(&app).len()), (1, asked));
}

/// What was not looked at has not failed.
#[actix_web::test]
async fn an_attempt_that_finds_the_server_busy_does_not_count() {
    let app = TestApp::with(|settings| {
        settings.throttle.login = rate("5/min");
        (settings.passwords.queue, settings.passwords.hashing_threads) = (1, 1);
        settings.passwords.memory_kib = 64 * 1024;
    })
    .await;
    app.user("ann").await;
    let mut busy = 0;
    for _ in 0..20 {
        let answers = join_all((0..4).map(|_| try_at(&app, HOME, "ann", PASSWORD))).await;
        busy += answers.iter().filter(|answer| answer.status == 503).count();
        assert!(answers.iter().all(|answer| answer.status != 429));
        if busy >= 6 {
            return;
        }
    }
    panic!("the server was never busy enough");
}
