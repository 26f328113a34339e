//! Which account somebody from a provider gets (SOC-02, SOC-03), on both databases.

use diesel::prelude::*;
use futures_util::future::join_all;
use portcullis::db::schema::users;
use portcullis::model::user::UserChanges;
use portcullis::model::{role, social, user};
use portcullis::settings::Registration;
use serde_json::{Value, json};

use super::{SignedIn, app_of, bring, google, invalid, rows};
use crate::support::app::{TestApp, minutes};
use crate::support::people::{PASSWORD, Pair};
use crate::support::provider::{Access, Provider, github_access};
use crate::support::token::claims;

/// The application on either database.
async fn on_both(provider: &Provider) -> [TestApp; 2] {
    [app_of(provider).await, TestApp::on_postgres_with(google(provider)).await]
}

async fn signed_in(app: &TestApp, token: &str) -> SignedIn {
    bring(app, "google", token).await.status(200).ok()
}

fn user_of(signed_in: &SignedIn) -> i64 {
    claims(&signed_in.access)["user_id"].as_str().unwrap().parse().unwrap()
}

async fn me(app: &TestApp, signed_in: &SignedIn) -> Value {
    app.anonymous().bearing(&signed_in.access).get("/api/users/me/").await.status(200).json()
}

fn no_account() -> Value {
    json!({ "detail": "No active account found with the given credentials" })
}

fn verified(changes: &mut UserChanges) {
    changes.email_verified = Some(true);
}

#[actix_web::test]
async fn an_account_whose_address_both_have_verified_is_linked_and_keeps_all_it_has() {
    let provider = Provider::start();
    for app in on_both(&provider).await {
        let ann = app.user("ann").await;
        ann.change(verified).await;
        let pair = ann.obtain().await;

        let linked = signed_in(&app, &provider.id_token(json!({ "email": "ann@EXAMPLE.org" }))).await;
        assert_eq!((user_of(&linked), linked.created), (ann.id, false));
        let hello = json!({ "message": "Hello, ann" });
        app.anonymous().bearing(&linked.access).get("/api/hello/").await.is(200, hello);
        ann.with(&pair.access).get("/api/hello/").await.status(200);
        ann.obtain().await;

        // From now on it is the subject that counts, whatever address the two have.
        ann.change(|changes| changes.email = Some("ann@new.example".into())).await;
        let again = signed_in(&app, &provider.id_token(json!({ "email": "ann@third.example" }))).await;
        assert_eq!((user_of(&again), again.created), (ann.id, false));
        assert_eq!(rows(&app).await, [1, 4, 1]);
    }
}

/// SOC-03, CVE-2024-38351: whoever registered with another's address waits in vain for its owner.
#[actix_web::test]
async fn an_account_that_could_not_prove_its_address_goes_to_the_owner_of_the_address() {
    let provider = Provider::start();
    for app in on_both(&provider).await {
        let given = json!({ "username": "mallory", "password": PASSWORD, "email": "ann@example.org" });
        let planted: Pair = app.anonymous().post("/api/register/", given).await.status(201).ok();
        let login = json!({ "username": "mallory", "password": PASSWORD });
        let second: Pair = app.anonymous().post("/api/token/", login.clone()).await.status(200).ok();
        let attacker = app.anonymous().bearing(&planted.access);
        attacker.get("/api/hello/").await.status(200);
        app.clock.advance(minutes(1));

        let ann = signed_in(&app, &provider.id_token(json!({}))).await;

        assert!(!ann.created);
        assert_eq!(me(&app, &ann).await["email_verified"], true);
        for pair in [&planted, &second] {
            let told = json!({ "detail": "The user's password has been changed.", "code": "password_changed" });
            app.anonymous().bearing(&pair.access).get("/api/hello/").await.is(401, told);
            app.anonymous().post("/api/token/refresh/", json!({ "refresh": pair.refresh })).await.status(401);
        }
        app.anonymous().post("/api/token/", login).await.is(401, no_account());
        app.anonymous().bearing(&ann.access).get("/api/hello/").await.status(200);
        assert_eq!(rows(&app).await, [1, 3, 1]);
        let again = signed_in(&app, &provider.id_token(json!({}))).await;
        assert_eq!(user_of(&again), user_of(&ann));
    }
}

/// SOC-03: and so are keys, and a second factor, which would keep the owner out.
#[actix_web::test]
async fn with_such_an_account_go_the_keys_and_codes_that_its_maker_had() {
    let provider = Provider::start();
    for app in on_both(&provider).await {
        let mallory = app.user("mallory").await;
        mallory.change(|changes| changes.email = Some("ann@example.org".into())).await;
        let key = mallory.api_key(&["*"]).await.key;
        mallory.authenticator().await;
        let by_key = || app.anonymous().get("/api/hello/").header("x-api-key", &key);
        by_key().await.status(200);

        let ann = signed_in(&app, &provider.id_token(json!({}))).await;

        assert_eq!(user_of(&ann), mallory.id);
        by_key().await.is(401, json!({ "detail": "Invalid API key" }));
        let client = app.anonymous().bearing(&ann.access);
        client.get("/api/users/me/two-factor/").await.is(200, json!({ "enabled": false, "recovery_codes_left": 0 }));
    }
}

/// A13: whichever way somebody signs in to the API.
#[actix_web::test]
async fn who_has_two_factor_sign_in_shows_a_code_here_too() {
    let provider = Provider::start();
    for app in on_both(&provider).await {
        let ann = app.user("ann").await;
        ann.change(verified).await;
        let authenticator = ann.authenticator().await;
        app.clock.advance(minutes(2)); // the code that confirmed it is used up
        let code = authenticator.code(app.clock.now());
        let bring = async |otp: &str| {
            let given = json!({ "token": provider.id_token(json!({})), "otp": otp });
            app.anonymous().post("/api/auth/google/", given).await
        };

        let missing = "A code of your authenticator app is needed: send it as otp.";
        bring("").await.is(401, json!({ "detail": missing, "code": "two_factor_required" }));
        let wrong = if code == "000000" { "000001" } else { "000000" };
        let told = json!({ "detail": "The code is not right, or was used before.", "code": "two_factor_invalid" });
        bring(wrong).await.is(401, told.clone());
        assert_eq!(rows(&app).await[2], 0, "nobody was linked yet");
        assert_eq!(user_of(&bring(&code).await.status(200).ok::<SignedIn>()), ann.id);
        bring(&code).await.is(401, told);
    }
}

/// SOC-03: the attacker's own identity at a provider is a key to the account, too.
#[actix_web::test]
async fn with_such_an_account_go_the_links_that_its_maker_had() {
    let provider = Provider::start();
    for app in on_both(&provider).await {
        let mallory = app.user("mallory").await;
        mallory.change(verified).await;
        let own = provider.id_token(json!({ "sub": "666", "email": "mallory@example.org" }));
        assert_eq!(user_of(&signed_in(&app, &own).await), mallory.id);
        mallory
            .change(|changes| {
                changes.email = Some("ann@example.org".into());
                changes.email_verified = Some(false);
            })
            .await;
        let held = signed_in(&app, &own).await;

        let ann = signed_in(&app, &provider.id_token(json!({}))).await;

        assert_eq!(user_of(&ann), mallory.id);
        app.anonymous().bearing(&held.access).get("/api/hello/").await.status(401);
        let elsewhere = signed_in(&app, &own).await;
        assert!(elsewhere.created);
        assert_ne!(user_of(&elsewhere), user_of(&ann));
    }
}

/// A mistyped address must not make a stranger an administrator.
#[actix_web::test]
async fn an_account_that_may_do_more_is_never_handed_over() {
    let provider = Provider::start();
    for app in on_both(&provider).await {
        let (staff, root, member) =
            (app.user("staff").staff().await, app.user("root").superuser().await, app.user("member").await);
        let (id, now) = (member.id, app.clock.now());
        app.write(move |conn| {
            let role = role::insert(conn, "editors", "", &["articles.change".to_owned()], now)?.unwrap();
            role::give(conn, role.id, id, now)
        })
        .await;
        for (number, person) in [&staff, &root, &member].into_iter().enumerate() {
            let address = format!("{}@example.org", person.name);
            let pair = person.obtain().await;
            let token = provider.id_token(json!({ "sub": format!("sub-{number}"), "email": address }));
            let stranger = signed_in(&app, &token).await;
            assert!(stranger.created, "{}", person.name);
            let told = me(&app, &stranger).await;
            assert_eq!((&told["is_staff"], &told["roles"]), (&json!(false), &json!([])));
            person.with(&pair.access).get("/api/hello/").await.status(200);
            person.obtain().await;
        }
    }
}

#[actix_web::test]
async fn where_two_accounts_say_they_have_the_address_neither_gets_it() {
    let provider = Provider::start();
    for app in on_both(&provider).await {
        let (one, other) = (app.user("one").await, app.user("other").await);
        for person in [&one, &other] {
            person.change(|changes| changes.email = Some("ann@example.org".into())).await;
        }
        let pair = one.obtain().await;
        let ann = signed_in(&app, &provider.id_token(json!({}))).await;
        assert!(ann.created && user_of(&ann) != one.id && user_of(&ann) != other.id);
        one.with(&pair.access).get("/api/hello/").await.status(200);

        // One that has it verified comes before all that merely say so; of two, nobody knows which.
        let bob = provider.id_token(json!({ "sub": "1002", "email": "bob@example.org" }));
        for person in [&one, &other] {
            person.change(|changes| changes.email = Some("bob@example.org".into())).await;
        }
        one.change(verified).await;
        assert_eq!(user_of(&signed_in(&app, &bob).await), one.id);
        other.change(verified).await;
        let third = provider.id_token(json!({ "sub": "1003", "email": "bob@example.org" }));
        assert!(signed_in(&app, &third).await.created);
    }
}

/// SOC-02: a company gives a former employee's address to the next.
#[actix_web::test]
async fn an_address_that_changed_hands_at_the_provider_brings_nobody_into_the_old_account() {
    let provider = Provider::start();
    for app in on_both(&provider).await {
        let first = signed_in(&app, &provider.id_token(json!({}))).await;
        let next = provider.id_token(json!({ "sub": "1002" }));
        let second = signed_in(&app, &next).await;
        assert!(second.created && user_of(&second) != user_of(&first));
        assert_eq!(user_of(&signed_in(&app, &next).await), user_of(&second));
        assert_eq!(user_of(&signed_in(&app, &provider.id_token(json!({}))).await), user_of(&first));
        assert_eq!(rows(&app).await, [2, 4, 2]);
    }
}

#[actix_web::test]
async fn who_is_switched_off_is_refused_as_at_any_sign_in() {
    let provider = Provider::start();
    for app in on_both(&provider).await {
        let token = provider.id_token(json!({}));
        let ann = app.user("ann").await;
        ann.change(verified).await;
        signed_in(&app, &token).await;
        ann.deactivate().await;
        bring(&app, "google", &token).await.is(401, no_account());
        // Another identity with the same address is no way around it, nor does it make a second account.
        let other = provider.id_token(json!({ "sub": "1002" }));
        bring(&app, "google", &other).await.is(401, no_account());
        assert_eq!(rows(&app).await, [1, 1, 1]);
        ann.activate().await;
        assert_eq!(user_of(&signed_in(&app, &token).await), ann.id);

        // One that could not prove the address keeps nobody out who can.
        let carl = app.user("carl").await;
        carl.deactivate().await;
        let token = provider.id_token(json!({ "sub": "1003", "email": "carl@example.org" }));
        assert!(signed_in(&app, &token).await.created);
    }
}

#[actix_web::test]
async fn a_name_that_somebody_has_is_made_free_by_a_few_digits() {
    let provider = Provider::start();
    for app in on_both(&provider).await {
        let squatter = json!({ "username": "ann@example.org", "password": PASSWORD });
        app.anonymous().post("/api/register/", squatter).await.status(201);
        let ann = signed_in(&app, &provider.id_token(json!({}))).await;
        assert!(ann.created);
        let name = me(&app, &ann).await["username"].as_str().unwrap().to_owned();
        assert!(name.starts_with("ann@example.org-") && name.len() == "ann@example.org".len() + 9, "{name}");

        // Not every address can be a name.
        let token = provider.id_token(json!({ "sub": "1002", "email": "o'neill@example.org" }));
        let told = me(&app, &signed_in(&app, &token).await).await;
        assert_eq!(told["email"], "o'neill@example.org");
        assert!(told["username"].as_str().unwrap().starts_with("o_neill@example.org-"), "{told}");
    }
}

#[actix_web::test]
async fn twenty_first_sign_ins_at_once_make_one_account() {
    let provider = Provider::start();
    for app in on_both(&provider).await {
        let token = provider.id_token(json!({}));
        let answers = join_all((0..20).map(|_| signed_in(&app, &token))).await;
        assert_eq!(answers.iter().filter(|answer| answer.created).count(), 1);
        assert!(answers.iter().all(|answer| user_of(answer) == user_of(&answers[0])));
        assert_eq!(rows(&app).await, [1, 20, 1]);
    }
}

#[actix_web::test]
async fn where_registration_is_closed_nobody_new_comes_in_and_those_who_are_there_do() {
    let provider = Provider::start();
    for open in on_both(&provider).await {
        let known = provider.id_token(json!({ "sub": "1002", "email": "bob@example.org" }));
        signed_in(&open, &known).await;
        let carl = open.user("carl").await;
        carl.change(verified).await;
        let app = open.again_with(|settings| settings.accounts.registration = Registration::Closed).await;

        let told = json!({ "detail": "You do not have permission to perform this action." });
        bring(&app, "google", &provider.id_token(json!({}))).await.is(403, told);
        assert_eq!(rows(&app).await, [2, 1, 1]);
        assert!(!signed_in(&app, &known).await.created);
        let carls = provider.id_token(json!({ "sub": "1003", "email": "carl@example.org" }));
        assert_eq!(user_of(&signed_in(&app, &carls).await), carl.id);
    }
}

#[actix_web::test]
async fn a_deleted_account_takes_its_links_along() {
    let provider = Provider::start();
    for app in on_both(&provider).await {
        let ann = app.user("ann").await;
        ann.change(verified).await;
        signed_in(&app, &provider.id_token(json!({}))).await;
        let id = ann.id;
        let links = app.read(move |conn| social::of_user(conn, id)).await;
        let told: Vec<_> = links.iter().map(|link| (link.provider.as_str(), link.subject.as_str())).collect();
        assert_eq!(told, [("google", "1001")]);
        ann.delete().await;
        assert_eq!(rows(&app).await[2], 0);
        let anew = signed_in(&app, &provider.id_token(json!({}))).await;
        assert!(anew.created && user_of(&anew) != id);
    }
}

#[actix_web::test]
async fn one_person_may_come_from_two_providers() {
    let (provider, hub) = (Provider::start(), Provider::start());
    let (google, mut github) = (google(&provider), hub.as_github());
    let app = TestApp::with(|settings| {
        google(settings);
        settings.social.append(&mut github);
    })
    .await;
    hub.knows("gho_ann", github_access());
    let first = signed_in(&app, &provider.id_token(json!({}))).await;
    let second: SignedIn = bring(&app, "github", "gho_ann").await.status(200).ok();
    assert_eq!((user_of(&second), second.created), (user_of(&first), false));
    // The same number at both is not the same person.
    let bob = json!([{ "email": "bob@example.org", "primary": true, "verified": true }]);
    hub.knows("gho_bob", Access { holder: json!({ "login": "bob", "id": 1001 }), emails: bob, ..github_access() });
    let third: SignedIn = bring(&app, "github", "gho_bob").await.status(200).ok();
    assert!(third.created && user_of(&third) != user_of(&first));
    bring(&app, "github", "gho_nobody").await.is(400, invalid("GitHub"));
}

#[actix_web::test]
async fn who_came_so_has_no_password_that_anybody_could_guess() {
    let provider = Provider::start();
    let app = app_of(&provider).await;
    let ann = signed_in(&app, &provider.id_token(json!({}))).await;
    let id = user_of(&ann);
    let stored = app.read(move |conn| Ok(users::table.find(id).select(users::password).first::<String>(conn)?)).await;
    assert!(stored.starts_with('!') && stored.len() == 41, "{stored}");
    for password in ["!", &stored, "ann@example.org"] {
        let login = json!({ "username": "ann@example.org", "password": password });
        app.anonymous().post("/api/token/", login).await.is(401, no_account());
    }
    let change = json!({ "old_password": stored, "new_password": "battery staple 7" });
    app.anonymous().bearing(&ann.access).post("/api/password/change/", change).await.status(400);
}

#[actix_web::test]
async fn where_addresses_must_be_verified_those_of_providers_are() {
    let provider = Provider::start();
    let social = google(&provider);
    let app = TestApp::with(|settings| {
        social(settings);
        settings.accounts.require_verified_email = true;
    })
    .await;
    let ann = signed_in(&app, &provider.id_token(json!({}))).await;
    app.anonymous().bearing(&ann.access).get("/api/hello/").await.status(200);
    // She changes her address here and has not verified the new one.
    let (id, now) = (user_of(&ann), app.clock.now());
    let unverified = UserChanges { email_verified: Some(false), updated_at: now, ..UserChanges::default() };
    let grants = app.site.grants.clone();
    app.write(move |conn| {
        user::update(conn, id, &unverified)?.unwrap();
        grants.changed_in(conn, id, now)
    })
    .await;
    let told = json!({ "detail": "Email not verified.", "code": "email_not_verified" });
    bring(&app, "google", &provider.id_token(json!({}))).await.is(401, told);
    app.anonymous().bearing(&ann.access).get("/api/hello/").await.status(401);
}

#[actix_web::test]
async fn in_browser_mode_the_refresh_token_is_in_the_cookie_alone() {
    let provider = Provider::start();
    let social = google(&provider);
    let app = TestApp::with(|settings| {
        social(settings);
        settings.jwt.refresh_cookie = true;
        settings.server.public_url = Some("https://auth.example".into());
    })
    .await;
    let answer = bring(&app, "google", &provider.id_token(json!({}))).await.status(200);
    let body = answer.json();
    assert_eq!(body.as_object().unwrap().keys().collect::<Vec<_>>(), ["access", "created"]);
    let cookie = answer.header("set-cookie").unwrap();
    assert!(
        cookie.starts_with("__Host-portcullis_refresh=eyJ") && cookie.contains("HttpOnly; SameSite=Strict; Secure")
    );
    let cookie = cookie.split(';').next().unwrap();
    app.anonymous().post("/api/token/refresh/", json!({})).header("Cookie", cookie).await.status(200);
}
