//! Social sign-in (A7, SOC-01 to SOC-04), against a provider that runs on this machine.

mod access_tokens;
mod accounts;
mod github;
mod id_tokens;
mod trouble;

use diesel::prelude::*;
use portcullis::db::schema::{sessions, social_accounts, users};
use portcullis::settings::Settings;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::app::{TestApp, no_limits};
use crate::support::client::Answer;
use crate::support::provider::Provider;

/// What signing in brings.
#[derive(Debug, Deserialize)]
struct SignedIn {
    refresh: String,
    access: String,
    created: bool,
}

/// An application that knows the provider as Google, in which people sign in as often as they like.
async fn app_of(provider: &Provider) -> TestApp {
    TestApp::with(google(provider)).await
}

fn google(provider: &Provider) -> impl FnOnce(&mut Settings) {
    let social = provider.as_google();
    move |settings| {
        no_limits(settings);
        settings.social = social;
    }
}

/// Brings a token to `/api/auth/{provider}/`.
async fn bring(app: &TestApp, provider: &str, token: &str) -> Answer {
    app.anonymous().post(&format!("/api/auth/{provider}/"), json!({ "token": token })).await
}

fn invalid(title: &str) -> Value {
    json!({ "error": format!("Invalid {title} token") })
}

/// How many users, sessions and links there are.
async fn rows(app: &TestApp) -> [i64; 3] {
    app.read(|conn| {
        Ok([
            users::table.count().get_result(conn)?,
            sessions::table.count().get_result(conn)?,
            social_accounts::table.count().get_result(conn)?,
        ])
    })
    .await
}
