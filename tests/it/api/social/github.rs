//! GitHub's access tokens.

use serde_json::json;

use super::{SignedIn, bring, invalid, rows};
use crate::support::app::{TestApp, no_limits};
use crate::support::provider::{Access, OTHER_CLIENT, Provider, github_access};
use crate::support::token::claims;

const TOKEN: &str = "gho_16C7e42F292c6912E7710c838347Ae178B4a";

async fn app_of(provider: &Provider) -> TestApp {
    let social = provider.as_github();
    TestApp::with(|settings| {
        no_limits(settings);
        settings.social = social;
    })
    .await
}

#[actix_web::test]
async fn who_comes_with_a_token_of_our_application_gets_an_account_by_the_primary_address() {
    let provider = Provider::start();
    let app = app_of(&provider).await;
    provider.knows(TOKEN, github_access());
    let first: SignedIn = bring(&app, "github", TOKEN).await.status(200).ok();
    assert!(first.created);
    let me = app.anonymous().bearing(&first.access).get("/api/users/me/").await.json();
    assert_eq!((&me["username"], &me["email_verified"]), (&json!("ann@example.org"), &json!(true)));

    // It is the number that counts: names and addresses change hands.
    let renamed = json!({ "login": "somebody-else", "id": 583_231 });
    let emails = json!([{ "email": "ann@elsewhere.example", "primary": true, "verified": true }]);
    provider.knows(TOKEN, Access { holder: renamed, emails, ..github_access() });
    let second: SignedIn = bring(&app, "github", TOKEN).await.status(200).ok();
    assert!(!second.created);
    assert_eq!(claims(&second.access)["user_id"], claims(&first.access)["user_id"]);
    provider.knows("another", Access { holder: json!({ "login": "ann-on-github", "id": 7 }), ..github_access() });
    let third: SignedIn = bring(&app, "github", "another").await.status(200).ok();
    assert!(third.created, "who has her old address is not ann");
    assert_eq!(rows(&app).await, [2, 3, 2]);
}

/// SOC-01, SOC-02.
#[actix_web::test]
async fn a_token_of_another_application_or_of_an_unverified_address_is_refused() {
    let provider = Provider::start();
    let app = app_of(&provider).await;
    let address = |primary: bool, verified: bool| {
        json!([
            { "email": "first@example.org", "primary": false, "verified": true },
            { "email": "ann@example.org", "primary": primary, "verified": verified },
        ])
    };
    for (name, told) in [
        ("unknown", None),
        ("another application's", Some(Access { client: OTHER_CLIENT.into(), ..github_access() })),
        ("of an unverified address", Some(Access { emails: address(true, false), ..github_access() })),
        ("of no primary address", Some(Access { emails: address(false, true), ..github_access() })),
        ("of no address", Some(Access { emails: json!([]), ..github_access() })),
        ("of odd addresses", Some(Access { emails: json!({ "email": "ann@example.org" }), ..github_access() })),
        ("of nobody", Some(Access { holder: json!({ "login": "ann" }), ..github_access() })),
    ] {
        let token = name.replace(' ', "-");
        if let Some(told) = told {
            provider.knows(&token, told);
        }
        provider.asked();
        let answer = bring(&app, "github", &token).await;
        assert_ne!(provider.asked(), Vec::<String>::new(), "{name}: GitHub was not even asked");
        assert_eq!((answer.status.as_u16(), answer.json()), (400, invalid("GitHub")), "{name}");
    }
    assert_eq!(rows(&app).await, [0, 0, 0]);
}

#[actix_web::test]
async fn that_github_does_not_know_our_secret_is_not_the_clients_fault() {
    let provider = Provider::start();
    let mut social = provider.as_github();
    social.get_mut("github").unwrap().client_secret = Some("forgotten".into());
    let app = TestApp::with(|settings| settings.social = social).await;
    provider.knows(TOKEN, github_access());
    let told = json!({ "detail": "GitHub does not answer as it should. Nothing was changed; please try again." });
    bring(&app, "github", TOKEN).await.is(503, told);
}
