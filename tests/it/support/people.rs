//! The people of the stories.

use std::future::IntoFuture;

use futures_util::future::LocalBoxFuture;
use portcullis::model::role;
use portcullis::model::session::Ended;
use portcullis::model::user::{self, NewUser, User, UserChanges};
use serde::Deserialize;
use serde_json::json;

use super::app::TestApp;
use super::authenticator::Authenticator;
use super::client::{Answer, Client};
use super::token::claims;

/// Everybody's password.
pub const PASSWORD: &str = "correct horse 9";

/// Somebody with an account.
#[derive(Clone)]
pub struct Person {
    pub id: i64,
    pub name: String,
    app: TestApp,
}

/// What signing in brings.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Pair {
    pub refresh: String,
    pub access: String,
}

/// An API key, as its making brings it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct ApiKey {
    pub id: i64,
    pub prefix: String,
    pub key: String,
}

/// An account that is made when it is awaited.
#[must_use]
pub struct NewPerson {
    app: TestApp,
    name: String,
    flags: UserChanges,
}

impl TestApp {
    /// An account of this name: `app.user("ann").await`, `app.user("root").staff().await`.
    pub fn user(&self, name: &str) -> NewPerson {
        let flags = UserChanges { updated_at: self.clock.now(), ..UserChanges::default() };
        NewPerson { app: self.clone(), name: name.to_owned(), flags }
    }
}

impl NewPerson {
    pub fn staff(mut self) -> Self {
        self.flags.is_staff = Some(true);
        self
    }

    pub fn superuser(mut self) -> Self {
        self.flags.is_superuser = Some(true);
        self.staff()
    }

    pub fn premium(mut self) -> Self {
        self.flags.is_premium = Some(true);
        self
    }

    pub fn inactive(mut self) -> Self {
        self.flags.is_active = Some(false);
        self
    }
}

impl IntoFuture for NewPerson {
    type Output = Person;
    type IntoFuture = LocalBoxFuture<'static, Person>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { app, name, flags } = self;
        Box::pin(async move {
            let password = app.site.passwords.hash(PASSWORD.into()).await.unwrap();
            let now = app.clock.now();
            let new = NewUser {
                username: name.clone(),
                password,
                email: format!("{name}@example.org"),
                date_joined: now,
                updated_at: now,
                ..NewUser::default()
            };
            let made = move |conn: &mut _| {
                let user = user::insert(conn, &new)?.unwrap();
                user::update(conn, user.id, &flags)
            };
            let User { id, .. } = app.write(made).await.unwrap();
            Person { id, name, app }
        })
    }
}

impl Person {
    /// Signs in: a session of its own each time.
    pub async fn obtain(&self) -> Pair {
        let given = json!({ "username": self.name, "password": PASSWORD });
        self.app.anonymous().post("/api/token/", given).await.status(200).ok()
    }

    /// Signs in for one sliding token.
    pub async fn obtain_sliding(&self) -> String {
        let given = json!({ "username": self.name, "password": PASSWORD });
        let answer = self.app.anonymous().post("/api/token/sliding/", given).await.status(200);
        answer.json()["token"].as_str().unwrap().to_owned()
    }

    pub async fn refresh(&self, token: &str) -> Answer {
        self.app.anonymous().post("/api/token/refresh/", json!({ "refresh": token })).await
    }

    /// The client who bears this access token.
    pub fn with(&self, access: &str) -> Client {
        self.app.anonymous().bearing(access)
    }

    /// Makes an API key with these scopes, and says what the server answered.
    pub async fn api_key(&self, scopes: &[&str]) -> ApiKey {
        let given = json!({ "name": "script", "scopes": scopes });
        self.signed_in().await.post("/api/keys/", given).await.status(201).ok()
    }

    /// Signs in, and is the client who did.
    pub async fn signed_in(&self) -> Client {
        self.with(&self.obtain().await.access)
    }

    /// Switches two-factor sign-in on; the code that confirmed it is used up.
    pub async fn authenticator(&self) -> Authenticator {
        let client = self.signed_in().await;
        let begun = client.post("/api/users/me/two-factor/", ()).await.status(201).json();
        let authenticator = Authenticator::new(begun["secret"].as_str().unwrap());
        let proof = json!({ "current_password": PASSWORD, "otp": authenticator.code(self.app.clock.now()) });
        client.post("/api/users/me/two-factor/confirm/", proof).await.status(200);
        authenticator
    }
}

/// What an administrator does to an account.
impl Person {
    /// Gives a role of its own that holds these permissions.
    pub async fn permit(&self, permissions: &[&str]) {
        let names: Vec<String> = permissions.iter().map(|name| (*name).to_owned()).collect();
        let (grants, id, now) = (self.app.site.grants.clone(), self.id, self.app.clock.now());
        let name = format!("of {} {}", self.name, permissions.join(" "));
        let give = move |conn: &mut _| {
            let role = role::insert(conn, &name, "", &names, now)?.unwrap();
            role::give(conn, role.id, id, now)?;
            grants.changed_in(conn, id, now)
        };
        self.app.write(give).await;
    }

    pub async fn deactivate(&self) {
        self.set_active(false).await;
    }

    pub async fn activate(&self) {
        self.set_active(true).await;
    }

    async fn set_active(&self, active: bool) {
        let (grants, id, now) = (self.app.site.grants.clone(), self.id, self.app.clock.now());
        self.app.write(move |conn| grants.set_active_in(conn, id, active, now)).await;
    }

    /// Changes flags and other fields.
    pub async fn change(&self, change: impl FnOnce(&mut UserChanges)) {
        let (grants, id, now) = (self.app.site.grants.clone(), self.id, self.app.clock.now());
        let mut changes = UserChanges { updated_at: now, ..UserChanges::default() };
        change(&mut changes);
        let change = move |conn: &mut _| {
            user::update(conn, id, &changes)?.unwrap();
            grants.changed_in(conn, id, now)
        };
        self.app.write(change).await;
    }

    /// Ends the one session that `token` belongs to.
    pub async fn end_session_of(&self, token: &str) {
        let session = claims(token)["sid"].as_str().unwrap().parse().unwrap();
        let (grants, id, now) = (self.app.site.grants.clone(), self.id, self.app.clock.now());
        let end = move |conn: &mut _| grants.end_in(conn, session, Some(id), Ended::ByAdmin, None, now);
        assert!(self.app.write(end).await);
    }

    pub async fn delete(&self) {
        let (grants, id, now) = (self.app.site.grants.clone(), self.id, self.app.clock.now());
        let delete = move |conn: &mut _| {
            grants.end_all_in(conn, id, now)?;
            user::delete(conn, id)
        };
        self.app.write(delete).await;
    }
}
