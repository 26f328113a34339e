//! A forgotten password.

use portcullis::model::social;
use serde_json::{Value, json};

use crate::support::app::{TestApp, minutes, no_limits};
use crate::support::client::Answer;
use crate::support::letters::{link, links, token_of};
use crate::support::people::PASSWORD;
use crate::support::statements::{sent, watch};

const NEW: &str = "battery staple 7";

async fn app() -> TestApp {
    TestApp::with(no_limits).await
}

fn dead() -> Value {
    json!({ "token": ["This link is invalid, has expired or was used before."] })
}

async fn ask(app: &TestApp, address: &str) {
    let told = json!({ "message": "Password reset email sent" });
    app.anonymous().post("/api/password/reset/", json!({ "email": address })).await.is(200, told);
}

async fn token(app: &TestApp) -> String {
    ask(app, "ann@example.org").await;
    token_of(&link(&app.letter_to("ann@example.org").await))
}

async fn set(app: &TestApp, token: &str, password: &str) -> Answer {
    app.anonymous().post("/api/password/reset/confirm/", json!({ "token": token, "password": password })).await
}

async fn sign_in(app: &TestApp, password: &str) -> u16 {
    let given = json!({ "username": "ann", "password": password });
    app.anonymous().post("/api/token/", given).await.status.as_u16()
}

/// EML-01.
#[actix_web::test]
async fn a_reset_sets_the_password_ends_every_session_and_signs_nobody_in() {
    let app = app().await;
    let ann = app.user("ann").await;
    let pair = ann.obtain().await;
    let token = token(&app).await;

    set(&app, &token, NEW).await.is(200, json!({ "message": "Password has been reset" }));

    assert_eq!((sign_in(&app, PASSWORD).await, sign_in(&app, NEW).await), (401, 200));
    ann.with(&pair.access).get("/api/hello/").await.status(401);
    ann.refresh(&pair.refresh).await.status(401);
    // EML-01: once.
    set(&app, &token, "another horse 5").await.is(400, dead());
    assert_eq!(sign_in(&app, NEW).await, 200);
}

/// Whoever made an account with another's address comes back by nothing; a key of one's own lives through a reset.
#[actix_web::test]
async fn a_reset_by_an_address_that_was_not_verified_ends_keys_and_links_too() {
    for is_verified in [false, true] {
        let app = app().await;
        let ann = app.user("ann").await;
        ann.change(|changes| changes.email_verified = Some(is_verified)).await;
        let key = ann.api_key(&["*"]).await.key;
        let (id, now) = (ann.id, app.clock.now());
        app.write(move |conn| social::link(conn, id, "acme", "https://acme.example", "666", now)).await;

        set(&app, &token(&app).await, NEW).await.status(200);

        let status = app.anonymous().get("/api/hello/").header("x-api-key", &key).await.status;
        let links = app.site.db.read(move |conn| social::of_user(conn, id)).await.unwrap().len();
        assert_eq!((status.as_u16(), links), if is_verified { (200, 1) } else { (401, 0) });
    }
}

/// EML-01, EML-02.
#[actix_web::test]
async fn a_link_is_good_for_an_hour_and_dies_with_the_password_and_the_address() {
    let app = app().await;
    let ann = app.user("ann").await;
    let (first, second) = (token(&app).await, token(&app).await);
    app.clock.advance(minutes(59));
    // An older letter is as good as a newer one, until one of them is used.
    set(&app, &first, NEW).await.status(200);
    set(&app, &second, PASSWORD).await.is(400, dead());

    let third = token(&app).await;
    app.clock.advance(minutes(60));
    set(&app, &third, PASSWORD).await.is(400, dead());

    app.clock.advance(minutes(24 * 60));
    let fourth = token(&app).await;
    ann.change(|changes| changes.email = Some("other@example.org".to_owned())).await;
    set(&app, &fourth, PASSWORD).await.is(400, dead());
    assert_eq!(sign_in(&app, NEW).await, 200);
}

#[actix_web::test]
async fn the_new_password_must_be_a_good_one_and_a_refusal_uses_nothing_up() {
    let app = app().await;
    app.user("ann").await;
    let token = token(&app).await;
    for (password, told) in [
        ("12345678", json!(["This password is too common.", "This password is entirely numeric."])),
        ("ann@example.org", json!(["The password is too similar to the email address."])),
        ("short 1", json!(["This password is too short. It must contain at least 8 characters."])),
    ] {
        set(&app, &token, password).await.is(400, json!({ "password": told }));
    }
    let told = json!({ "token": ["This field is required."], "password": ["This field is required."] });
    app.anonymous().post("/api/password/reset/confirm/", json!({})).await.is(400, told);
    set(&app, "nonsense", "12345678").await.is(400, dead());
    set(&app, &token, NEW).await.status(200);
}

/// CONTRACT 21: an address is not unique, and no account that has it is left out.
#[actix_web::test]
async fn a_letter_has_a_link_for_each_active_account_of_its_address() {
    let app = app().await;
    let same = async |name: &str| {
        let person = app.user(name).await;
        person.change(|changes| changes.email = Some("ann@example.org".to_owned())).await;
        person
    };
    app.user("ann").await;
    same("bob").await;
    same("gone").await.deactivate().await;
    ask(&app, "ann@example.org").await;

    let letter = app.letter_to("ann@example.org").await;
    assert!(letter.text.contains("for the accounts ann, bob at"), "{}", letter.text);
    let links = links(&letter);
    assert_eq!(links.len(), 2);
    set(&app, &token_of(&links[1]), NEW).await.status(200);
    assert_eq!(sign_in(&app, PASSWORD).await, 200, "ann's password stays");
    set(&app, &token_of(&links[0]), NEW).await.status(200);
}

/// EML-05: to the stored address, whatever the one that was typed looks like (CVE-2019-19844).
#[actix_web::test]
async fn a_look_alike_of_an_address_gets_no_letter() {
    let app = app().await;
    let mike = app.user("mike").await;
    mike.change(|changes| changes.email = Some("Mike@example.org".to_owned())).await;
    // A dotless i, a Kelvin sign, a long s.
    for typed in ["mıke@example.org", "mi\u{212a}e@example.org", "mike@example.org.evil.example", "mike@ſxample.org"]
    {
        app.anonymous().post("/api/password/reset/", json!({ "email": typed })).await;
    }
    assert_eq!(app.letters().await, []);
    ask(&app, "MIKE@EXAMPLE.ORG").await;
    app.letter_to("Mike@example.org").await;
}

#[actix_web::test]
async fn of_two_spellings_of_one_address_the_one_that_was_typed_gets_the_letter() {
    let app = app().await;
    for (name, address) in [("one", "Ann@example.org"), ("two", "ann@example.org")] {
        app.user(name).await.change(|changes| changes.email = Some(address.to_owned())).await;
    }
    ask(&app, "ann@example.org").await;
    let letter = app.letter_to("ann@example.org").await;
    assert!(letter.text.contains("the account two"), "{}", letter.text);
    assert_eq!(links(&letter).len(), 1);
}

/// EML-03.
#[actix_web::test]
async fn links_lead_to_the_servers_own_address_whatever_the_headers_say() {
    let app = app().await;
    app.user("ann").await;
    let request = app.anonymous().post("/api/password/reset/", json!({ "email": "ann@example.org" }));
    let request = request.header("x-forwarded-host", "evil.example").header("forwarded", "host=evil.example");
    request.header("origin", "https://evil.example").await.status(200);
    let letter = app.letter_to("ann@example.org").await;
    assert!(link(&letter).starts_with("http://127.0.0.1:8000/reset/"), "{}", letter.text);
    assert!(!letter.text.contains("evil") && !letter.text.contains("portcullis.test"), "{}", letter.text);

    let own = TestApp::with(|settings| {
        settings.server.public_url = Some("https://x.example/auth".to_owned());
        settings.mail.reset_url = Some("https://app.example/new-password?t={token}".to_owned());
    });
    let own = own.await;
    own.user("ann").await;
    ask(&own, "ann@example.org").await;
    let letter = own.letter_to("ann@example.org").await;
    assert!(link(&letter).starts_with("https://app.example/new-password?t=ey"), "{}", letter.text);
    own.anonymous().post("/api/email/verify/", json!({ "email": "ann@example.org" })).await.status(200);
    let letter = own.letter_to("ann@example.org").await;
    assert!(link(&letter).starts_with("https://x.example/auth/verify/ey"), "{}", letter.text);
}

/// EML-04: the same answer and the same work, counted in what is sent to the database.
#[actix_web::test]
async fn a_known_an_unknown_and_an_inactive_address_cost_the_same() {
    watch();
    let app = app().await;
    app.user("ann").await;
    app.user("gone").inactive().await;
    app.user("done").await.change(|changes| changes.email_verified = Some(true)).await;
    for path in ["/api/password/reset/", "/api/email/verify/"] {
        let mut works = Vec::new();
        for name in ["ann", "nobody", "gone", "done"] {
            sent(&app);
            let given = json!({ "email": format!("{name}@example.org") });
            let answer = app.anonymous().post(path, given).await;
            let statements = sent(&app);
            assert!(statements.iter().any(|one| one.starts_with("INSERT INTO")), "{statements:#?}");
            let shapes: Vec<String> =
                statements.iter().map(|one| one.split(" -- ").next().unwrap().to_owned()).collect();
            works.push((answer.status, answer.text().to_owned(), shapes));
        }
        assert!(works.iter().all(|work| *work == works[0]), "{works:#?}");
    }
}

/// EML-02: no state replaces the token. Without its rows in the database a letter works all the same.
#[actix_web::test]
async fn a_letter_works_without_any_row_of_its_own() {
    let app = app().await;
    app.user("ann").await;
    let token = token(&app).await;
    app.write(|conn| {
        use diesel::RunQueryDsl;
        use portcullis::db::schema::{outbox, used_letters};
        diesel::delete(outbox::table).execute(conn)?;
        Ok(diesel::delete(used_letters::table).execute(conn)?)
    })
    .await;
    set(&app, &token, NEW).await.status(200);
    set(&app, &token, PASSWORD).await.is(400, dead());
}

async fn ten_at_once(app: TestApp) {
    app.user("ann").await;
    let token = token(&app).await;
    let all = (0..10).map(|n| {
        let (app, token) = (app.clone(), token.clone());
        async move { set(&app, &token, &format!("battery staple {n}")).await.status.as_u16() }
    });
    let mut codes = futures_util::future::join_all(all).await;
    codes.sort_unstable();
    assert_eq!(codes, [vec![200], vec![400; 9]].concat());
}

#[actix_web::test]
async fn of_ten_who_use_one_letter_at_once_one_succeeds() {
    ten_at_once(app().await).await;
}

#[actix_web::test]
async fn of_ten_who_use_one_letter_at_once_one_succeeds_on_postgresql() {
    ten_at_once(TestApp::on_postgres_with(no_limits).await).await;
}

/// AUT-14: nothing in the database is a link or a token that could be used.
#[actix_web::test]
async fn the_outbox_holds_no_token() {
    let app = app().await;
    app.user("ann").await;
    ask(&app, "ann@example.org").await;
    let token = token_of(&link(&app.letter_to("ann@example.org").await));
    set(&app, &token, NEW).await.status(200);
    if let portcullis::db::Target::Sqlite(file) = app.site.db.target() {
        let mut bytes = std::fs::read(file).unwrap();
        bytes.extend(std::fs::read(file.with_extension("db-wal")).unwrap_or_default());
        let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(holds("ann@example.org"));
        assert!(!holds(&token) && !holds(token.rsplit('.').next().unwrap()));
    }
}
