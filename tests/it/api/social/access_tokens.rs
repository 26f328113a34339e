//! Access tokens: they say nothing by themselves, so the provider is asked for whom they were made.

use portcullis::settings::social::Provider as ProviderSettings;
use serde_json::json;

use super::{SignedIn, app_of, bring, invalid, rows};
use crate::support::app::{TestApp, no_limits};
use crate::support::provider::{Access, CLIENT, OTHER_CLIENT, Provider, RSA, SECRET, access};
use jsonwebtoken::{Algorithm, Header};

const TOKEN: &str = "ya29.a0Ad52-an_access.token~of/Google";

#[actix_web::test]
async fn googles_access_token_is_good_if_it_was_made_for_us() {
    let provider = Provider::start();
    let app = app_of(&provider).await;
    provider.knows(TOKEN, access(json!({})));
    let first: SignedIn = bring(&app, "google", TOKEN).await.status(200).ok();
    assert!(first.created);
    let asked = provider.asked();
    assert!(asked.contains(&"POST /tokeninfo".to_owned()) && asked.contains(&"GET /userinfo".to_owned()), "{asked:?}");
    assert!(asked.iter().all(|asked| !asked.contains("ya29")), "an address holds the token: {asked:?}");

    // Somebody is the same by either token.
    let second: SignedIn = bring(&app, "google", &provider.id_token(json!({}))).await.status(200).ok();
    assert!(!second.created);
    assert_eq!(rows(&app).await, [1, 2, 1]);
}

/// SOC-01: another application's token would sign its owner in everywhere.
#[actix_web::test]
async fn an_access_token_that_was_made_for_another_application_is_refused() {
    let provider = Provider::start();
    let app = app_of(&provider).await;
    provider.knows(TOKEN, Access { client: OTHER_CLIENT.into(), ..access(json!({})) });
    bring(&app, "google", TOKEN).await.is(400, invalid("Google"));
    assert!(provider.asked().iter().all(|asked| !asked.contains("userinfo")), "it was used before it was checked");

    for (name, told) in [
        ("unknown to the provider", None),
        ("about somebody else", Some(access(json!({ "sub": "1002" })))),
        ("with an unverified address", Some(access(json!({ "email_verified": false })))),
        ("without an address", Some(access(json!({ "email": null })))),
    ] {
        let token = name.replace(' ', "-");
        if let Some(told) = told {
            provider.knows(&token, told);
        }
        provider.asked();
        let answer = bring(&app, "google", &token).await;
        assert_ne!(provider.asked(), Vec::<String>::new(), "{name}: Google was not even asked");
        assert_eq!((answer.status.as_u16(), answer.json()), (400, invalid("Google")), "{name}");
    }
    assert_eq!(rows(&app).await, [0, 0, 0]);
}

/// Text that cannot stand in a header, or would end it.
#[actix_web::test]
async fn an_access_token_that_is_no_token_is_refused() {
    let provider = Provider::start();
    let app = app_of(&provider).await;
    for token in ["a\r\nX-Evil: 1", "ünïcödé", "\u{1}", "a\nb"] {
        let answer = bring(&app, "google", token).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (400, invalid("Google")), "{token:?}");
    }
}

/// RFC 7662.
#[actix_web::test]
async fn another_providers_access_token_is_introspected_where_there_is_a_secret() {
    let provider = Provider::start();
    let acme = |secret: &str| ProviderSettings {
        client_id: vec![CLIENT.into()],
        client_secret: Some(secret.into()),
        issuer: Some(provider.origin.clone()),
        ..ProviderSettings::default()
    };
    let app = TestApp::with(|settings| {
        no_limits(settings);
        settings.social.insert("acme".into(), acme(SECRET));
    })
    .await;
    provider.knows("good", access(json!({})));
    provider.knows("theirs", Access { client: OTHER_CLIENT.into(), ..access(json!({})) });
    // A signed access token is one all the same, by what its header says.
    let header = Header { typ: Some("at+jwt".into()), kid: Some(RSA.kid.into()), ..Header::new(Algorithm::RS256) };
    let signed = RSA.sign_as(&header, &provider.claims(json!({})));
    provider.knows(&signed, access(json!({})));

    bring(&app, "acme", "theirs").await.is(400, invalid("Acme"));
    bring(&app, "acme", "unknown").await.is(400, invalid("Acme"));
    assert_eq!(rows(&app).await, [0, 0, 0]);
    for token in ["good", &signed] {
        bring(&app, "acme", token).await.status(200);
    }
    assert_eq!(rows(&app).await, [1, 2, 1]);

    // That the provider does not believe us is not the client's fault.
    let other = app
        .again_with(|settings| {
            settings.social.insert("acme".into(), acme("forgotten"));
        })
        .await;
    bring(&other, "acme", "good").await.status(503);
}
