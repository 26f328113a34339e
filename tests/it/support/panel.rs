//! The panel in process: a site with an administrator, and browsers that keep their cookies.

use std::cell::RefCell;
use std::collections::BTreeMap;

use actix_web::cookie::Cookie;
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap};
use actix_web::test::TestRequest;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use portcullis::clock::Timestamp;
use portcullis::db::schema::audit_entries;
use portcullis::db::{Conn, Target};
use portcullis::model::role;
use portcullis::model::user::{self, NewUser, User, UserChanges};
use portcullis::settings::Settings;
use serde_json::{Value, json};

use super::app::{TestApp, minutes, no_limits};
pub use super::people::PASSWORD;

/// An application, seen from its panel.
pub struct Panel {
    pub app: TestApp,
}

impl Panel {
    /// A panel with one administrator, `root`.
    pub async fn new() -> Self {
        Self::with(|_| ()).await
    }

    /// The same, with other settings.
    pub async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let panel = Self::without_administrator(change).await;
        panel.user("root", |new| (new.is_staff, new.is_superuser) = (true, true)).await;
        panel
    }

    /// One on PostgreSQL, whatever the other stories run on.
    pub async fn on_postgres() -> Self {
        let panel = Self { app: TestApp::on_postgres_with(no_limits).await };
        panel.user("root", |new| (new.is_staff, new.is_superuser) = (true, true)).await;
        panel
    }

    /// A panel that nobody has set up yet.
    pub async fn without_administrator(change: impl FnOnce(&mut Settings)) -> Self {
        let app = TestApp::with(|settings| {
            no_limits(settings);
            change(settings);
        });
        Self { app: app.await }
    }

    pub fn now(&self) -> Timestamp {
        self.app.clock.now()
    }

    /// From now on the database refuses to change a row of `table` that is as `when` says, as one on a full disk would.
    pub fn refuse_changes(&self, table: &str, when: &str) {
        let target = self.app.site.db.target();
        let refuse = match target {
            Target::Sqlite(_) => format!(
                "CREATE TRIGGER refused BEFORE UPDATE ON {table} WHEN {when} BEGIN SELECT RAISE(ABORT, 'full'); END"
            ),
            Target::Postgres(_) => format!(
                "CREATE FUNCTION refused() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE disk_full; END';
                 CREATE TRIGGER refused BEFORE UPDATE ON {table} FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION refused()"
            ),
        };
        target.connect().unwrap().batch_execute(&refuse).unwrap();
    }

    /// It changes them again.
    pub fn allow_changes(&self, table: &str) {
        let target = self.app.site.db.target();
        let on = if matches!(target, Target::Postgres(_)) { format!(" ON {table}") } else { String::new() };
        target.connect().unwrap().batch_execute(&format!("DROP TRIGGER refused{on}")).unwrap();
    }

    pub fn wait(&self, count: u64) {
        self.app.clock.advance(minutes(count));
    }

    /// Does something to the database.
    pub async fn write<T: Send + 'static>(&self, work: impl FnOnce(&mut Conn) -> T + Send + 'static) -> T {
        self.app.write(move |conn| Ok(work(conn))).await
    }

    /// Makes a user with the password of all tests. No rule looks at the name: imported ones may be anything.
    pub async fn user(&self, username: &str, change: impl FnOnce(&mut NewUser)) -> i64 {
        let now = self.now();
        let mut new = NewUser {
            username: username.to_owned(),
            email: format!("{username}@example.org"),
            password: self.app.site.passwords.hash(PASSWORD.into()).await.unwrap(),
            date_joined: now,
            updated_at: now,
            ..NewUser::default()
        };
        change(&mut new);
        self.write(move |conn| user::insert(conn, &new).unwrap().unwrap().id).await
    }

    /// Makes a member of the staff with one role that holds these permissions.
    pub async fn staff(&self, username: &str, permissions: &[&str]) -> i64 {
        let id = self.user(username, |new| new.is_staff = true).await;
        let role = self.role(&format!("Role of {username}"), permissions).await;
        self.give(role, id).await;
        id
    }

    pub async fn role(&self, name: &str, permissions: &[&str]) -> i64 {
        let (name, now) = (name.to_owned(), self.now());
        let permissions: Vec<String> = permissions.iter().map(|name| (*name).to_owned()).collect();
        self.write(move |conn| role::insert(conn, &name, "", &permissions, now).unwrap().unwrap().id).await
    }

    pub async fn give(&self, role: i64, user: i64) {
        let (grants, now) = (self.app.site.grants.clone(), self.now());
        self.write(move |conn| {
            role::give(conn, role, user, now).unwrap();
            grants.changed_in(conn, user, now).unwrap();
        })
        .await;
    }

    pub async fn change(&self, id: i64, change: impl FnOnce(&mut UserChanges)) {
        let (grants, now) = (self.app.site.grants.clone(), self.now());
        let mut changes = UserChanges { updated_at: now, ..UserChanges::default() };
        change(&mut changes);
        self.write(move |conn| {
            user::update(conn, id, &changes).unwrap().unwrap();
            grants.changed_in(conn, id, now).unwrap();
        })
        .await;
    }

    /// The user as the database has it.
    pub async fn row(&self, id: i64) -> Option<User> {
        self.app.read(move |conn| user::by_id(conn, id)).await
    }

    /// How many acts of this kind were done, as the audit log tells.
    pub async fn entries(&self, action: &str) -> i64 {
        let theirs = audit_entries::table.filter(audit_entries::action.eq(action.to_owned()));
        let theirs = theirs.filter(audit_entries::result.eq("done")).count();
        self.app.read(move |conn| Ok(theirs.get_result(conn)?)).await
    }

    /// The newest entry of the audit log.
    pub async fn last_entry(&self) -> Entry {
        let columns = (
            audit_entries::actor_id,
            audit_entries::action,
            audit_entries::object_id,
            audit_entries::reason,
            audit_entries::result,
        );
        let newest = audit_entries::table.order(audit_entries::id.desc()).select(columns);
        self.app.read(move |conn| Ok(newest.first(conn)?)).await
    }

    pub fn browser(&self) -> Browser<'_> {
        let agent = "Mozilla/5.0 (X11; Linux) Firefox/128.0".to_owned();
        Browser { panel: self, cookies: RefCell::default(), agent, language: String::new() }
    }

    /// A browser in which this user has signed in to the panel.
    pub async fn signed_in(&self, username: &str) -> Browser<'_> {
        let browser = self.browser();
        browser.sign_in(username, PASSWORD).await.leads_to("/admin/");
        browser
    }

    /// A request to the API: without a body a GET, with one a POST.
    pub async fn api(&self, path: &str, bearer: &str, body: Option<Value>) -> (u16, Value) {
        let request = match body {
            Some(body) => TestRequest::post().set_json(body),
            None => TestRequest::get(),
        };
        let mut request = request.uri(path).insert_header((header::USER_AGENT, "curl/8.5.0"));
        if !bearer.is_empty() {
            request = request.insert_header((header::AUTHORIZATION, format!("Bearer {bearer}")));
        }
        let answer = self.send(request).await;
        (answer.status, serde_json::from_str(&answer.text).unwrap_or(Value::Null))
    }

    /// A pair of tokens of this user: access and refresh.
    pub async fn tokens(&self, username: &str) -> (String, String) {
        let given = json!({ "username": username, "password": PASSWORD });
        let (status, pair) = self.api("/api/token/", "", Some(given)).await;
        assert_eq!(status, 200, "{pair}");
        (pair["access"].as_str().unwrap().to_owned(), pair["refresh"].as_str().unwrap().to_owned())
    }

    async fn send(&self, request: TestRequest) -> Answer {
        let request = request.peer_addr("127.0.0.1:40000".parse().unwrap()).insert_header((header::HOST, "panel.test"));
        let answer = self.app.send(request).await;
        Answer { status: answer.status.as_u16(), text: answer.text().to_owned(), headers: answer.headers }
    }
}

/// An entry of the audit log, as far as tests look at it.
#[derive(Debug, Queryable)]
pub struct Entry {
    pub actor_id: Option<i64>,
    pub action: String,
    pub object_id: String,
    pub reason: String,
    pub result: String,
}

/// A browser: its cookies, and how it calls itself.
pub struct Browser<'p> {
    panel: &'p Panel,
    cookies: RefCell<BTreeMap<String, String>>,
    pub agent: String,
    /// What it asks to be spoken to in; nothing if it does not say.
    pub language: String,
}

impl Browser<'_> {
    /// The page at `path`.
    pub async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, None, &[]).await
    }

    /// Sends a form as a page of ours would: with the token of the page at `from`.
    pub async fn send(&self, from: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        let token = self.get(from).await.hidden("csrf_token");
        let mut all = vec![("csrf_token", token.as_str())];
        all.extend_from_slice(fields);
        self.post(path, &all).await
    }

    /// Sends the form of the page at `path` to that path, its hidden fields with it.
    pub async fn submit(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let page = self.get(path).await;
        let mut all = vec![("csrf_token".to_owned(), page.hidden("csrf_token"))];
        if page.text.contains(r#"name="version""#) {
            all.push(("version".to_owned(), page.hidden("version")));
        }
        all.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let all: Vec<(&str, &str)> = all.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.post(path, &all).await
    }

    /// Sends exactly these fields.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.ask(Method::POST, path, Some(fields), &[]).await
    }

    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        fields: Option<&[(&str, &str)]>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request =
            TestRequest::with_uri(path).method(method).insert_header((header::USER_AGENT, self.agent.as_str()));
        if !self.language.is_empty() {
            request = request.insert_header((header::ACCEPT_LANGUAGE, self.language.as_str()));
        }
        for (name, value) in self.cookies.borrow().iter() {
            request = request.cookie(Cookie::new(name.clone(), value.clone()));
        }
        for header in headers {
            request = request.insert_header(*header);
        }
        if let Some(fields) = fields {
            request = request.set_form(fields);
        }
        let answer = self.panel.send(request).await;
        for value in answer.headers.get_all(header::SET_COOKIE) {
            let cookie = Cookie::parse_encoded(value.to_str().unwrap().to_owned()).unwrap();
            let mut cookies = self.cookies.borrow_mut();
            if cookie.max_age().is_some_and(|age| age.is_zero()) {
                cookies.remove(cookie.name());
            } else {
                cookies.insert(cookie.name().to_owned(), cookie.value().to_owned());
            }
        }
        answer
    }

    pub async fn sign_in(&self, username: &str, password: &str) -> Answer {
        self.sign_in_and_go_to(username, password, "/admin/").await
    }

    pub async fn sign_in_and_go_to(&self, username: &str, password: &str, next: &str) -> Answer {
        let fields = [("username", username), ("password", password), ("next", next)];
        self.send("/admin/login/", "/admin/login/", &fields).await
    }

    /// The cookie of the panel's session.
    pub fn session(&self) -> Option<String> {
        self.cookies.borrow().get("portcullis_admin").cloned()
    }

    pub fn set_session(&self, value: &str) {
        self.cookies.borrow_mut().insert("portcullis_admin".to_owned(), value.to_owned());
    }
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Fails unless the status is this one.
    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    /// Fails unless this redirects to `path`.
    #[track_caller]
    pub fn leads_to(self, path: &str) -> Self {
        assert_eq!((self.status, self.header("location")), (303, path), "{}", self.text);
        self
    }

    /// Fails unless the page says this, as a person reads it.
    #[track_caller]
    pub fn says(self, words: &str) -> Self {
        assert!(self.words().contains(words), "the page does not say {words:?}:\n{}", self.words());
        self
    }

    /// Fails if the page says this.
    #[track_caller]
    pub fn is_silent_on(self, words: &str) -> Self {
        assert!(!self.words().contains(words), "the page says {words:?}:\n{}", self.words());
        self
    }

    /// The page's text without its tags, blanks made one.
    pub fn words(&self) -> String {
        let (mut words, mut in_tag) = (String::new(), false);
        for c in self.text.chars() {
            match c {
                '<' => {
                    in_tag = true;
                    words.push(' ');
                }
                '>' => in_tag = false,
                c if !in_tag => words.push(c),
                _ => {}
            }
        }
        let plain = words.replace("&#60;", "<").replace("&#62;", ">").replace("&#34;", "\"").replace("&#39;", "'");
        plain.replace("&#38;", "&").split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The value of a hidden field.
    #[track_caller]
    pub fn hidden(&self, name: &str) -> String {
        let start = format!(r#"name="{name}" value=""#);
        let at = self.text.find(&start).unwrap_or_else(|| panic!("no field {name}: {}", self.text));
        self.text[at + start.len()..].split('"').next().unwrap().to_owned()
    }

    /// The addresses of all links that are wanted.
    pub fn hrefs(&self, wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let links = self.text.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
        links.map(|link| link.replace("&#38;", "&").replace("&amp;", "&")).filter(|link| wanted(link)).collect()
    }

    /// The address of the link with exactly this text.
    #[track_caller]
    pub fn link(&self, text: &str) -> Option<String> {
        self.text.split("<a ").skip(1).find_map(|link| {
            let (tag, rest) = link.split_once('>')?;
            let inside = Self { status: 0, headers: HeaderMap::new(), text: rest.split("</a>").next()?.to_owned() };
            let address = tag.split("href=\"").nth(1)?.split('"').next()?.replace("&#38;", "&");
            (inside.words() == text).then_some(address)
        })
    }
}
