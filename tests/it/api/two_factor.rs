//! Two-factor sign-in over the API: set up, asked for at every door, used once, and lost.

use diesel::prelude::*;
use futures_util::future::join_all;
use portcullis::db::schema::{recovery_codes, two_factor};
use serde_json::{Value, json};

use crate::support::app::{TestApp, minutes, no_limits, seconds};
use crate::support::authenticator::Authenticator;
use crate::support::client::{Answer, Client};
use crate::support::people::{PASSWORD, Person};

const ME: &str = "/api/users/me/two-factor/";
const CONFIRM: &str = "/api/users/me/two-factor/confirm/";
const CODES: &str = "/api/users/me/two-factor/recovery-codes/";

fn proof(otp: &str) -> Value {
    json!({ "current_password": PASSWORD, "otp": otp })
}

fn required() -> Value {
    json!({ "detail": "A code of your authenticator app is needed: send it as otp.", "code": "two_factor_required" })
}

fn invalid() -> Value {
    json!({ "detail": "The code is not right, or was used before.", "code": "two_factor_invalid" })
}

/// Somebody who has it on.
struct Guarded {
    person: Person,
    client: Client,
    app: TestApp,
    authenticator: Authenticator,
    codes: Vec<String>,
}

impl Guarded {
    async fn new(app: &TestApp, name: &str) -> Self {
        let person = app.user(name).await;
        let client = person.signed_in().await;
        let begun = client.post(ME, ()).await.status(201).json();
        let authenticator = Authenticator::new(begun["secret"].as_str().unwrap());
        let confirmed = client.post(CONFIRM, proof(&authenticator.code(app.clock.now()))).await.status(200).json();
        let codes = serde_json::from_value(confirmed["recovery_codes"].clone()).unwrap();
        app.clock.advance(minutes(2)); // the code that confirmed it is used up
        Self { person, client, app: app.clone(), authenticator, codes }
    }

    fn code(&self) -> String {
        self.authenticator.code(self.app.clock.now())
    }

    async fn sign_in(&self, otp: impl Into<Value>) -> Answer {
        let body = json!({ "username": self.person.name, "password": PASSWORD, "otp": otp.into() });
        self.app.anonymous().post("/api/token/", body).await
    }

    async fn left(&self) -> Value {
        self.client.get(ME).await.status(200).json()
    }
}

/// A code that is none, whatever the time.
fn wrong(guarded: &Guarded) -> String {
    let now = guarded.app.clock.now();
    let near: Vec<String> =
        (0..5).map(|step| guarded.authenticator.code(now + minutes(1) - seconds(30 * step))).collect();
    (0..).map(|number| format!("{number:06}")).find(|code| !near.contains(code)).unwrap()
}

#[actix_web::test]
async fn it_is_set_up_with_a_code_and_the_password_and_its_secret_is_told_once() {
    let app = TestApp::with(no_limits).await;
    let ann = app.user("ann").await;
    let client = ann.signed_in().await;
    client.get(ME).await.is(200, json!({ "enabled": false, "recovery_codes_left": 0 }));
    client
        .post(CONFIRM, proof("123456"))
        .await
        .is(400, json!({ "otp": ["This code is not right, or was used before."] }));

    let begun = client.post(ME, ()).await.status(201).json();
    let secret = begun["secret"].as_str().unwrap();
    let url = format!("otpauth://totp/Portcullis:ann?secret={secret}&issuer=Portcullis");
    assert_eq!(begun["otpauth_url"], url.as_str());
    let qr = begun["qr_svg"].as_str().unwrap();
    assert!(qr.starts_with("<svg ") && qr.ends_with("</svg>") && !qr.contains("style"), "{qr}");
    // Until it is confirmed nothing is asked for.
    ann.obtain().await;

    let code = Authenticator::new(secret).code(app.clock.now());
    let told = json!({ "current_password": ["Your old password was entered incorrectly. Please enter it again."] });
    client.post(CONFIRM, json!({ "current_password": "wrong", "otp": code })).await.is(400, told);
    let required = json!({ "current_password": ["This field is required."], "otp": ["This field is required."] });
    client.post(CONFIRM, json!({})).await.is(400, required);
    let codes = client.post(CONFIRM, proof(&code)).await.status(200).json();
    assert_eq!(codes["recovery_codes"].as_array().unwrap().len(), 10);
    client.get(ME).await.is(200, json!({ "enabled": true, "recovery_codes_left": 10 }));

    let on = json!({ "detail": "Two-factor sign-in is on already." });
    client.post(ME, ()).await.is(409, on);
    app.clock.advance(minutes(1));
    let code = Authenticator::new(secret).code(app.clock.now());
    client.post(CONFIRM, proof(&code)).await.status(400);

    // At rest neither the secret nor a code can be read.
    let (sealed, digests): (String, Vec<String>) = app
        .read(|conn| {
            let digests = recovery_codes::table.select(recovery_codes::digest).load(conn)?;
            Ok((two_factor::table.select(two_factor::secret).first(conn)?, digests))
        })
        .await;
    assert!(!sealed.contains(secret) && sealed.len() > 60, "{sealed}");
    assert!(digests.iter().all(|digest| digest.len() == 64 && hex::decode(digest).is_ok()), "{digests:?}");
}

#[actix_web::test]
async fn every_door_of_the_api_asks_for_a_code_after_the_right_password_alone() {
    let app = TestApp::with(no_limits).await;
    let ann = Guarded::new(&app, "ann").await;
    let with = |otp: Value| json!({ "username": "ann", "password": PASSWORD, "otp": otp });
    let without = json!({ "username": "ann", "password": PASSWORD });
    let wrong_password = json!({ "username": "ann", "password": "wrong", "otp": ann.code() });
    let nobody = json!({ "detail": "No active account found with the given credentials" });
    for path in ["/api/token/", "/api/v1/token/", "/api/token/sliding/"] {
        let post = async |body: &Value| app.anonymous().post(path, body.clone()).await;
        for missing in [&without, &with(json!(null)), &with(json!("")), &with(json!(" "))] {
            post(missing).await.is(401, required());
        }
        post(&with(wrong(&ann).into())).await.is(401, invalid());
        post(&with(json!(["123456"]))).await.is(400, json!({ "otp": ["Not a valid string."] }));
        post(&wrong_password).await.is(401, nobody.clone());
        post(&with(ann.code().into())).await.status(200);
        app.clock.advance(minutes(1));
    }
    // The older door knows one answer.
    let refused = json!({ "error": "Invalid credentials" });
    for body in [without, with(wrong(&ann).into())] {
        app.anonymous().post("/api/login/", body).await.is(401, refused.clone());
    }
    app.anonymous().post("/api/login/", with(ann.code().into())).await.status(200);
}

#[actix_web::test]
async fn a_setting_leaves_the_api_as_it_was() {
    let app = TestApp::with(|settings| {
        no_limits(settings);
        settings.accounts.two_factor_api = false;
    })
    .await;
    let ann = Guarded::new(&app, "ann").await;
    ann.sign_in(json!(null)).await.status(200);
    ann.sign_in(wrong(&ann)).await.status(200);
}

/// AUT-18.
#[actix_web::test]
async fn a_code_counts_once_and_within_a_step_of_its_time() {
    let app = TestApp::with(no_limits).await;
    let ann = Guarded::new(&app, "ann").await;
    let code = ann.code();
    ann.sign_in(code.clone()).await.status(200);
    ann.sign_in(code).await.is(401, invalid());
    let spaced = {
        app.clock.advance(seconds(30));
        let code = ann.code();
        format!("{} {}", &code[..3], &code[3..])
    };
    ann.sign_in(spaced).await.status(200);

    // One step late, one step early; and nothing before what was used last.
    app.clock.advance(minutes(5));
    let late = ann.code();
    app.clock.advance(seconds(30));
    ann.sign_in(late).await.status(200);
    let early = ann.authenticator.code(app.clock.now() + seconds(30));
    let present = ann.code();
    ann.sign_in(early).await.status(200);
    ann.sign_in(present).await.is(401, invalid());
    let old = ann.authenticator.code(app.clock.now() + minutes(5));
    app.clock.advance(minutes(6));
    ann.sign_in(old).await.is(401, invalid());
}

#[actix_web::test]
async fn of_one_code_that_is_sent_many_times_at_once_one_passes() {
    let app = TestApp::with(no_limits).await;
    let ann = Guarded::new(&app, "ann").await;
    for code in [ann.code(), ann.codes[0].clone()] {
        let answers = join_all((0..20).map(|_| ann.sign_in(code.clone()))).await;
        let passed = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(passed, 1);
        assert!(answers.iter().all(|answer| answer.status == 200 || answer.json() == invalid()));
    }
    assert_eq!(ann.left().await["recovery_codes_left"], 9);
}

#[actix_web::test]
async fn recovery_codes_count_once_and_can_be_made_anew() {
    let app = TestApp::with(no_limits).await;
    let ann = Guarded::new(&app, "ann").await;
    let bob = Guarded::new(&app, "bob").await;
    ann.sign_in(ann.codes[0].clone()).await.status(200);
    ann.sign_in(ann.codes[0].clone()).await.is(401, invalid());
    ann.sign_in(ann.codes[1].to_uppercase().replace('-', " ")).await.status(200);
    ann.sign_in(bob.codes[0].clone()).await.is(401, invalid());
    assert_eq!(ann.left().await["recovery_codes_left"], 8);

    ann.client.post(CODES, proof(&wrong(&ann))).await.status(400);
    let anew = ann.client.post(CODES, proof(&ann.code())).await.status(200).json();
    assert_eq!(ann.left().await, json!({ "enabled": true, "recovery_codes_left": 10 }));
    ann.sign_in(ann.codes[2].clone()).await.is(401, invalid());
    ann.sign_in(anew["recovery_codes"][9].clone()).await.status(200);
}

#[actix_web::test]
async fn it_is_switched_off_with_the_password_and_a_code() {
    let app = TestApp::with(no_limits).await;
    let ann = Guarded::new(&app, "ann").await;
    let off = async |body: Value| ann.client.delete(ME).body(body).await;
    off(json!({ "otp": ann.code() })).await.is(400, json!({ "current_password": ["This field is required."] }));
    off(json!({ "current_password": "wrong", "otp": ann.code() })).await.status(400);
    off(proof(&wrong(&ann))).await.is(400, json!({ "otp": ["This code is not right, or was used before."] }));
    assert_eq!(ann.left().await["enabled"], true);
    off(proof(&ann.codes[0])).await.is_empty(204);
    ann.left().await;
    ann.client.get(ME).await.is(200, json!({ "enabled": false, "recovery_codes_left": 0 }));
    ann.person.obtain().await;
    app.anonymous().get(ME).await.status(401);
    app.anonymous().delete(ME).body(proof("1")).await.status(401);
}

/// The counts of signing in hold for codes as well, here and at every door.
#[actix_web::test]
async fn codes_are_guessed_no_faster_than_passwords() {
    let app = TestApp::with(|settings| settings.throttle.login = Some("3/min".parse().unwrap())).await;
    let ann = Guarded::new(&app, "ann").await;
    // The password alone is no failure.
    for _ in 0..9 {
        ann.sign_in(json!(null)).await.is(401, required());
    }
    for _ in 0..2 {
        ann.sign_in(wrong(&ann)).await.is(401, invalid());
    }
    ann.client.post(CODES, proof(&wrong(&ann))).await.status(400);
    ann.sign_in(ann.code()).await.status(429);
    ann.client.delete(ME).body(proof(&ann.code())).await.status(429);
    app.clock.advance(minutes(1));
    ann.sign_in(ann.code()).await.status(200);
}

#[actix_web::test]
async fn a_deleted_user_leaves_nothing_of_it() {
    let app = TestApp::with(no_limits).await;
    let ann = Guarded::new(&app, "ann").await;
    ann.person.delete().await;
    let left: (i64, i64) = app
        .read(|conn| Ok((two_factor::table.count().get_result(conn)?, recovery_codes::table.count().get_result(conn)?)))
        .await;
    assert_eq!(left, (0, 0));
}
