//! Tokens: what they say, which are believed, and for what.

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis::auth::token::{Access, EmailVerification, Kind, PasswordReset, Refresh, Sliding};
use portcullis::model::{role, user};
use portcullis::settings::TokenClaim;
use serde_json::{Value, json};

use crate::support::app::{TestApp, minutes, seconds};
use crate::support::people::{PASSWORD, Pair};
use crate::support::token::{KEY, claims, header, not_valid, own_key, refused, sealed, signed, token_of};

const WRONG: &str = "Token has wrong type";

#[actix_web::test]
async fn a_pair_says_who_when_and_of_which_session_and_no_more() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await;

    let pair = ann.obtain().await;

    let (access, refresh) = (claims(&pair.access), claims(&pair.refresh));
    let now = app.clock.now().seconds();
    let told = |kind: &str, lifetime: i64, given: &Value| {
        json!({
            "token_type": kind,
            "exp": now + lifetime,
            "iat": now,
            "jti": given["jti"],
            "user_id": ann.id.to_string(),
            "username": "ann",
            "is_staff": false,
            "sid": access["sid"],
            "gen": 0,
        })
    };
    assert_eq!(access.to_string(), told("access", 300, &access).to_string());
    assert_eq!(refresh.to_string(), told("refresh", 86_400, &refresh).to_string());
    assert_eq!(URL_SAFE_NO_PAD.decode(access["sid"].as_str().unwrap()).unwrap().len(), 16);
    assert_ne!(access["jti"], refresh["jti"]);
    for token in [access, refresh] {
        let jti = token["jti"].as_str().unwrap();
        assert!(jti.len() == 32 && jti.bytes().all(|byte| b"0123456789abcdef".contains(&byte)), "{jti}");
    }
}

#[actix_web::test]
async fn each_sign_in_is_a_session_of_its_own() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    let (one, other) = (ann.obtain().await, ann.obtain().await);
    assert_ne!(claims(&one.access)["sid"], claims(&other.access)["sid"]);
}

#[actix_web::test]
async fn whatever_is_wrong_with_a_sign_in_is_told_in_the_same_words() {
    let app = TestApp::new().await;
    app.user("ann").await;
    app.user("bob").inactive().await;
    for (name, password) in [("ann", "wrong"), ("nobody", PASSWORD), ("bob", PASSWORD), ("Ann", PASSWORD)] {
        let answer = app.anonymous().post("/api/token/", json!({ "username": name, "password": password })).await;
        assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"api\""), "{name}");
        answer.is(401, json!({ "detail": "No active account found with the given credentials" }));
    }
    app.anonymous()
        .post("/api/token/", json!({ "username": "" }))
        .await
        .is(400, json!({ "username": ["This field may not be blank."], "password": ["This field is required."] }));
}

#[actix_web::test]
async fn the_key_made_at_the_first_start_has_a_name_and_stays() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    let before = ann.obtain().await;

    let after = app.again().await;

    let kid = header(&before.access)["kid"].clone();
    assert!(kid.as_str().unwrap().starts_with("k-"), "{kid}");
    assert_eq!(header(&before.access), json!({ "alg": "HS256", "typ": "JWT", "kid": kid }));
    after.anonymous().bearing(&before.access).get("/api/hello/").await.is(200, json!({ "message": "Hello, ann" }));
}

#[actix_web::test]
async fn a_name_that_no_key_of_the_ring_has_is_refused_even_over_the_right_secret() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    let kid = app.site.signer.ring().active().kid().unwrap().to_owned();
    let file = fs::read_to_string(app.site.data_dir.join(&format!("keys/{kid}.key"))).unwrap();
    let secret = URL_SAFE_NO_PAD.decode(file.trim()).unwrap();
    let payload = token_of(&app, &ann, "access").to_string();
    let named = |kid: Value| sealed(&json!({ "alg": "HS256", "kid": kid }).to_string(), &payload, &secret);

    ann.with(&named(json!(kid))).get("/api/hello/").await.status(200);
    for other in [json!("k-00000000"), json!(""), json!("../root.secret"), json!(null), json!(1)] {
        ann.with(&named(other)).get("/api/hello/").await.is(401, not_valid("Token is invalid"));
    }
    let nameless = sealed(r#"{"alg":"HS256"}"#, &payload, &secret);
    ann.with(&nameless).get("/api/hello/").await.is(401, not_valid("Token is invalid"));
}

#[actix_web::test]
async fn a_key_given_by_setting_has_no_name_and_any_text_for_one_is_ignored() {
    let app = TestApp::with(own_key).await;
    let ann = app.user("ann").await;
    assert_eq!(header(&ann.obtain().await.access), json!({ "alg": "HS256", "typ": "JWT" }));

    let payload = token_of(&app, &ann, "access").to_string();
    let named = |kid: Value| sealed(&json!({ "alg": "HS256", "kid": kid }).to_string(), &payload, KEY.as_bytes());
    for kid in ["anything", "", "../../etc/passwd", "' OR 1=1 --"] {
        ann.with(&named(json!(kid))).get("/api/hello/").await.status(200);
    }
    for kid in [json!(1), json!(null), json!(["a"])] {
        ann.with(&named(kid)).get("/api/hello/").await.is(401, not_valid("Token is invalid"));
    }
}

/// JWT-14.
#[actix_web::test]
async fn no_kind_of_token_passes_as_another() {
    let app = TestApp::with(own_key).await;
    let ann = app.user("ann").await;
    let nobody = app.anonymous();
    for kind in [Access::TYPE, Refresh::TYPE, Sliding::TYPE, EmailVerification::TYPE, PasswordReset::TYPE] {
        let token = signed(&token_of(&app, &ann, kind));

        let bearer = ann.with(&token).get("/api/hello/").await;
        match kind {
            "access" => bearer.status(200),
            _ => bearer.is(401, not_valid(WRONG)),
        };
        let check = nobody.post("/api/token/check/", json!({ "token": token })).await;
        match kind {
            "access" => check.is(200, json!({ "valid": true, "user_id": ann.id.to_string() })),
            _ => check.is(400, json!({ "valid": false, "error": WRONG })),
        };
        nobody.post("/api/token/verify/", json!({ "token": token })).await.is(200, json!({}));
        for (path, field, own) in [
            ("/api/token/refresh/", "refresh", "refresh"),
            ("/api/token/sliding/refresh/", "token", "sliding"),
            ("/api/token/blacklist/", "refresh", "refresh"),
        ] {
            let answer = nobody.post(path, json!({ field: token })).await;
            if kind == own {
                answer.status(200)
            } else {
                answer.is(401, refused(WRONG))
            };
        }
    }
}

/// JWT-19.
#[actix_web::test]
async fn two_authorization_headers_are_none() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    let token = ann.obtain().await.access;
    let twice = ann.with(&token).get("/api/hello/").header("authorization", &format!("Bearer {token}")).await;
    twice.is(
        401,
        json!({
            "detail": "Authorization header must contain two space-delimited values",
            "code": "bad_authorization_header",
        }),
    );
}

#[actix_web::test]
async fn a_token_is_taken_from_the_authorization_header_alone_in_any_case_of_its_scheme() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    let token = ann.obtain().await.access;
    let nobody = app.anonymous();
    for (header, status) in [
        (format!("Bearer {token}"), 200),
        (format!("bearer {token}"), 200),
        (format!("BEARER \t {token} "), 200),
        (format!("JWT {token}"), 401),
        (token.clone(), 401),
        ("Bearer".to_owned(), 401),
        (String::new(), 401),
    ] {
        let answer = nobody.get("/api/hello/").header("authorization", &header).await;
        assert_eq!(answer.status.as_u16(), status, "{header:?}");
    }
    let elsewhere = nobody.get(&format!("/api/hello/?access_token={token}&token={token}"));
    elsewhere
        .header("cookie", &format!("access={token}"))
        .await
        .is(401, json!({ "detail": "Authentication credentials were not provided." }));
}

/// JWT-15.
#[actix_web::test]
async fn a_user_is_meant_by_exactly_the_id() {
    let app = TestApp::with(own_key).await;
    let ann = app.user("ann").await;
    let asking = async |user: Value| {
        let mut claims = token_of(&app, &ann, "access");
        claims["user_id"] = user;
        ann.with(&signed(&claims)).get("/api/hello/").await
    };
    let id = ann.id;
    asking(json!(id)).await.status(200);
    asking(json!(id.to_string())).await.status(200);
    for other in [
        json!(format!(" {id}")),
        json!(format!("+{id}")),
        json!(format!("0{id}")),
        json!(format!("{id}.0")),
        json!(id as f64),
        json!(true),
        json!([id]),
        json!(null),
        json!(""),
        json!(-id),
        json!(u64::MAX),
        json!("99999999999999999999"),
        json!("ann"),
    ] {
        let answer = asking(other.clone()).await;
        let told = json!({ "detail": "User not found", "code": "user_not_found" });
        assert_eq!((answer.status.as_u16(), answer.json()), (401, told), "{other}");
    }
    let mut claims = token_of(&app, &ann, "access");
    claims.as_object_mut().unwrap().shift_remove("user_id");
    ann.with(&signed(&claims))
        .get("/api/hello/")
        .await
        .is(401, json!({ "detail": "Token contained no recognizable user identification", "code": "token_not_valid" }));
}

/// JWT-12.
#[actix_web::test]
async fn a_token_dies_on_the_second_and_a_leeway_postpones_it() {
    for (leeway, last) in [(0, 299), (30, 329)] {
        let app = TestApp::with(|settings| settings.jwt.leeway = seconds(leeway)).await;
        let ann = app.user("ann").await.signed_in().await;
        app.clock.advance(seconds(last));
        ann.get("/api/hello/").await.status(200);
        app.clock.advance(seconds(1));
        ann.get("/api/hello/").await.is(401, not_valid("Token is expired"));
    }
}

/// JWT-17.
#[actix_web::test]
async fn issuer_and_audience_are_written_and_demanded_where_they_are_set() {
    let app = TestApp::with(|settings| {
        own_key(settings);
        settings.jwt.issuer = Some("https://id.example".into());
        settings.jwt.audience = vec!["shop".into()];
    })
    .await;
    let ann = app.user("ann").await;
    let pair = ann.obtain().await;
    let told = claims(&pair.access);
    assert_eq!((&told["iss"], &told["aud"]), (&json!("https://id.example"), &json!("shop")));
    ann.with(&pair.access).get("/api/hello/").await.status(200);
    for (name, value) in [
        ("iss", json!("https://id.example/")),
        ("iss", json!(["https://id.example"])),
        ("aud", json!("sho")),
        ("aud", json!([["shop"]])),
        ("aud", json!(["shop", 1])),
        ("aud", json!([])),
        ("aud", Value::Null),
    ] {
        let mut claims = told.clone();
        claims[name] = value;
        ann.with(&signed(&claims)).get("/api/hello/").await.is(401, not_valid("Token is invalid"));
    }
    let mut wider = told;
    wider["aud"] = json!(["mail", "shop"]);
    ann.with(&signed(&wider)).get("/api/hello/").await.status(200);
}

#[actix_web::test]
async fn the_last_sign_in_is_kept_where_a_setting_says_so() {
    for kept in [false, true] {
        let app = TestApp::with(|settings| settings.jwt.update_last_login = kept).await;
        let ann = app.user("ann").await;
        app.clock.advance(minutes(1));
        let client = ann.signed_in().await;
        let told = client.get("/api/users/me/").await.status(200).json();
        let expected = if kept { json!("2026-01-01T12:01:00Z") } else { Value::Null };
        assert_eq!(told["last_login"], expected);
    }
}

#[actix_web::test]
async fn a_token_tells_of_its_user_what_a_setting_asks_for() {
    use TokenClaim::{Email, FirstName, IsPremium, IsStaff, IsSuperuser, LastName, Roles, UserRole, Username};
    let app = TestApp::with(|settings| {
        settings.jwt.token_claims =
            vec![Username, Email, FirstName, LastName, IsStaff, IsSuperuser, IsPremium, Roles, UserRole];
    })
    .await;
    let (ann, now) = (app.user("ann").staff().premium().await, app.clock.now());
    let id = ann.id;
    app.write(move |conn| {
        let editor = role::insert(conn, "editor", "", &[], now)?.unwrap();
        role::give(conn, editor.id, id, now)?;
        let named = user::UserChanges { first_name: Some("Ann".into()), updated_at: now, ..Default::default() };
        user::update(conn, id, &named)
    })
    .await
    .unwrap();

    let pair = ann.obtain().await;
    let next: Pair = ann.refresh(&pair.refresh).await.ok();

    let expected = json!({
        "username": "ann",
        "email": "ann@example.org",
        "first_name": "Ann",
        "last_name": "",
        "is_staff": true,
        "is_superuser": false,
        "is_premium": true,
        "roles": ["editor"],
        "user_role": "editor",
    });
    for token in [pair.access, pair.refresh, next.access, next.refresh] {
        let claims = claims(&token);
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(&claims[name], value, "{name}");
        }
    }
    let registered = json!({ "username": "bob", "password": PASSWORD });
    let bob: Pair = app.anonymous().post("/api/register/", registered).await.status(201).ok();
    assert_eq!(claims(&bob.access)["user_role"], "user");
}

/// REV-12.
#[actix_web::test]
async fn rights_are_read_from_the_account_and_never_from_a_claim() {
    let app = TestApp::with(own_key).await;
    let ann = app.user("ann").await;
    let mut claims = token_of(&app, &ann, "access");
    claims["is_staff"] = json!(true);
    claims["is_superuser"] = json!(true);
    let forbidden = json!({ "detail": "You do not have permission to perform this action." });
    ann.with(&signed(&claims)).get("/api/admin-only/").await.is(403, forbidden);
}

#[actix_web::test]
async fn a_token_can_be_looked_at_by_its_bearer() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    let token = ann.obtain().await.access;
    let told = claims(&token);
    let answer = ann.with(&token).get("/api/token/info/").await;
    let names = ["token_type", "exp", "iat", "jti", "user_id"];
    answer.is(200, names.iter().map(|name| ((*name).to_owned(), told[*name].clone())).collect());
}

#[actix_web::test]
async fn a_token_can_be_checked_by_anybody_who_has_it() {
    let app = TestApp::new().await;
    let ann = app.user("ann").await;
    let pair = ann.obtain().await;
    let check = async |body: Value| app.anonymous().post("/api/token/check/", body).await;
    let good = json!({ "valid": true, "user_id": ann.id.to_string() });
    let bad = |message: &str| json!({ "valid": false, "error": message });

    check(json!({ "token": pair.access })).await.is(200, good);
    check(json!({ "token": pair.refresh })).await.is(400, bad(WRONG));
    check(json!({ "token": "nonsense" })).await.is(400, bad("Token is invalid"));
    check(json!({})).await.is(400, bad("Token is invalid"));
    check(json!({ "token": null })).await.is(400, bad("Token is invalid"));
    app.clock.advance(minutes(5));
    check(json!({ "token": pair.access })).await.is(400, bad("Token is expired"));
}

/// `jwt.check_revoke_token` (CONTRACT 21): a mark that changes with the password and tells nothing of it.
#[actix_web::test]
async fn a_mark_of_the_password_ends_the_tokens_of_the_old_one() {
    let app = TestApp::with(|settings| {
        own_key(settings);
        settings.jwt.check_revoke_token = true;
    })
    .await;
    let ann = app.user("ann").await;
    let pair = ann.obtain().await;
    let mark = claims(&pair.access)["hash_password"].clone();
    let text = mark.as_str().unwrap();
    assert!(text.len() == 32 && text.bytes().all(|byte| b"0123456789ABCDEF".contains(&byte)), "{text}");
    assert_eq!(claims(&ann.obtain().await.refresh)["hash_password"], mark);
    ann.with(&pair.access).get("/api/hello/").await.status(200);

    let changed = json!({ "detail": "The user's password has been changed.", "code": "password_changed" });
    let marked = |mark: &str| {
        let mut claims = token_of(&app, &ann, "access");
        claims["hash_password"] = json!(mark);
        signed(&claims)
    };
    ann.with(&marked(text)).get("/api/hello/").await.status(200);
    for other in [&text.to_lowercase(), "", &"0".repeat(32)] {
        ann.with(&marked(other)).get("/api/hello/").await.is(401, changed.clone());
    }
    ann.with(&signed(&token_of(&app, &ann, "access"))).get("/api/hello/").await.is(401, changed);

    // A refresh token without its mark is refused, and spent by that.
    let unmarked = signed(&token_of(&app, &ann, "refresh"));
    ann.refresh(&unmarked).await.is(401, json!({ "detail": "The user's password has been changed." }));
    ann.refresh(&unmarked).await.is(401, refused("Token is blacklisted"));
}
