//! The panel in another language: every sentence of every page, numbers, dates, and who is spoken to in which.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use actix_web::http::Method;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::Text;
use portcullis::db::Conn;
use tempfile::TempDir;

use super::audit::WALK;
use super::lists::seed::{Scale, seed};
use crate::support::panel::{Answer, Browser, PASSWORD, Panel};
use crate::support::pseudo::{self, plain_texts, said, words};

const SCALE: Scale = Scale { users: 1_200, sessions: 1_200, sign_ins: 3_000, audit: 400 };

/// What people typed: it is shown as it is.
const TYPED: [(&str, &[&str]); 9] = [
    ("users", &["username", "first_name", "last_name", "email"]),
    ("roles", &["name"]),
    ("articles", &["title"]),
    ("tasks", &["title"]),
    ("api_keys", &["name"]),
    ("sessions", &["name", "user_agent"]),
    ("audit_entries", &["actor", "object", "object_id", "reason", "user_agent"]),
    ("sign_ins", &["user_agent"]),
    ("outbox", &["address", "trouble"]),
];

/// Names of things that are called so in every language, and what the stories below type.
const NAMES: &str = "Portcullis panel test UTC Europe Oslo eyJ none Firefox Linux curl Chrome Safari Android iOS macOS Windows \
    Bearer JSON CSV API HTTP JWT SQLite PostgreSQL eve anna Help Helpers English";

/// A sentence of the panel that no list of known words lets through.
const SLIP: &str = "<p>Nobody translated this.</p>";

#[derive(QueryableByName)]
struct Word {
    #[diesel(sql_type = Text)]
    text: String,
}

async fn known(panel: &Panel) -> BTreeSet<String> {
    let read = |conn: &mut Conn| {
        let mut known: BTreeSet<String> = words(NAMES).map(str::to_owned).collect();
        for (table, columns) in TYPED {
            for column in columns {
                let all = sql_query(format!("SELECT DISTINCT coalesce({column}, '') AS text FROM {table}"));
                let all = all.load::<Word>(conn).unwrap();
                known.extend(all.iter().flat_map(|word| words(&word.text)).map(str::to_owned));
            }
        }
        Ok(known)
    };
    panel.app.read(read).await
}

/// A panel that speaks the language that nobody speaks, by this tag.
async fn speaking(folder: &TempDir, tag: &str) -> Panel {
    pseudo::write(folder.path(), tag);
    let path = folder.path().to_owned();
    Panel::with(|settings| settings.admin.languages = Some(path)).await
}

/// One that has been in use.
async fn used(folder: &TempDir, tag: &str) -> Panel {
    let panel = speaking(folder, tag).await;
    seed(panel.app.site.db.target(), SCALE, panel.now().micros(), |_| ());
    // Whole sentences that somebody wrote would hide ours.
    panel.write(|conn| sql_query("UPDATE roles SET description = ''").execute(conn).unwrap()).await;
    panel
}

/// Whether this has nothing of the language that nobody speaks.
fn is_english(text: &str) -> bool {
    !text.contains(['á', 'é', 'î', 'ö', 'ü', 'ẋ'])
}

async fn the_audit_log_is_english(panel: &Panel) {
    let all = "SELECT action || object || fields || changes || reason || result AS text FROM audit_entries";
    let entries = panel.app.read(move |conn| Ok(sql_query(all).load::<Word>(conn)?)).await;
    assert!(!entries.is_empty());
    for entry in entries {
        assert!(is_english(&entry.text), "{}", entry.text);
    }
}

/// The administrator, in a browser that asks for this language.
async fn reader<'p>(panel: &'p Panel, tag: &str) -> Browser<'p> {
    let mut root = panel.browser();
    root.language = tag.to_owned();
    root.sign_in("root", PASSWORD).await.leads_to("/admin/");
    root
}

/// Pages that were looked at, and what was said on them past the catalogue.
#[derive(Default)]
struct Eye {
    known: BTreeSet<String>,
    looked: usize,
    /// Each text, and the first page that has it.
    found: BTreeMap<String, String>,
}

impl Eye {
    fn look(&mut self, path: &str, html: &str) {
        assert!(html.contains(r#"<html lang="en-XA" dir="ltr""#), "{path}: {html}");
        self.looked += 1;
        for text in plain_texts(html, &self.known) {
            self.found.entry(text).or_insert_with(|| path.to_owned());
        }
    }

    #[track_caller]
    fn has_found_nothing(self) {
        let found: Vec<String> = self.found.into_iter().map(|(text, path)| format!("{text:?} at {path}")).collect();
        assert!(found.is_empty(), "{} times said past the catalogue:\n{}", found.len(), found.join("\n"));
        assert!(self.looked > 5, "only {} pages", self.looked);
    }
}

/// An address without what tells one row from another.
fn kind(path: &str) -> String {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let plain = |part: &&str| part.chars().all(|c| c.is_ascii_lowercase() || c == '-') && part.len() < 20;
    let parts: Vec<&str> = path.split('/').map(|part| if plain(&part) { part } else { "*" }).collect();
    let mut names: Vec<&str> = query.split('&').filter_map(|pair| pair.split('=').next()).collect();
    names.sort_unstable();
    format!("{}?{}", parts.join("/"), names.join("&"))
}

/// Goes from page to page by their links, to so many of each kind.
async fn crawl(root: &Browser<'_>, eye: &mut Eye, most: usize) {
    let mut ahead = VecDeque::from(["/admin/".to_owned()]);
    let (mut met, mut kinds) = (BTreeSet::new(), BTreeMap::<String, usize>::new());
    while let Some(path) = ahead.pop_front() {
        let page = root.get(&path).await;
        if page.status == 303 || page.header("content-type").starts_with("text/csv") {
            continue;
        }
        eye.look(&path, &page.text);
        for link in
            page.hrefs(|link| link.starts_with("/admin/") && !link.contains("export.csv") && !link.contains("rows="))
        {
            let link = link.split('#').next().unwrap().to_owned();
            let of_its_kind = kinds.entry(kind(&link)).or_default();
            if *of_its_kind < most && met.insert(link.clone()) {
                *of_its_kind += 1;
                ahead.push_back(link);
            }
        }
    }
}

#[actix_web::test]
async fn every_page_that_links_lead_to_is_in_the_language_of_its_reader() {
    let folder = TempDir::new().unwrap();
    let panel = used(&folder, "en-XA").await;
    let mut eye = Eye { known: known(&panel).await, ..Eye::default() };
    let root = reader(&panel, "en-XA").await;
    crawl(&root, &mut eye, 2).await;
    eye.has_found_nothing();
}

#[actix_web::test]
async fn so_is_what_is_said_after_an_act() {
    let folder = TempDir::new().unwrap();
    let panel = speaking(&folder, "en-XA").await;
    panel.user("ann", |new| new.email = "ann@example.org".into()).await;
    let mut eye = Eye { known: known(&panel).await, ..Eye::default() };
    let root = reader(&panel, "en-XA").await;
    for (_, from, path, fields, ..) in WALK {
        let form = if path == from { root.submit(from, fields).await } else { root.send(from, path, fields).await };
        eye.look(&format!("{path}, done"), &root.get(form.header("location")).await.text);
    }
    the_audit_log_is_english(&panel).await;
    eye.has_found_nothing();
}

#[actix_web::test]
async fn so_is_what_is_said_of_forms_that_are_refused() {
    let folder = TempDir::new().unwrap();
    let panel = speaking(&folder, "en-XA").await;
    panel.user("ann", |_| ()).await;
    let (access, refresh) = panel.tokens("ann").await;
    let role = panel.role("Helpers", &["users.view"]).await;
    let mut eye = Eye { known: known(&panel).await, ..Eye::default() };
    let root = reader(&panel, "en-XA").await;
    let long = "x".repeat(300);
    let role = format!("/admin/roles/{role}/");
    for (path, fields) in [
        ("/admin/users/new/", vec![("username", "bad name"), ("email", "no"), ("password", "12"), ("password2", "3")]),
        ("/admin/users/new/", vec![("username", "root"), ("email", long.as_str()), ("time_zone", "Nowhere2/Town2")]),
        ("/admin/users/2/", vec![("username", "")]),
        ("/admin/users/2/password/", vec![("password", "ann"), ("password2", "ann")]),
        ("/admin/users/2/delete/", vec![("confirm", "somebody")]),
        ("/admin/roles/new/", vec![("name", "Helpers"), ("p", "users.view")]),
        (role.as_str(), vec![("name", "")]),
        ("/admin/blacklist/new/", vec![("token", "eyJ")]),
        ("/admin/api-keys/new/", vec![("name", ""), ("owner", "nobody"), ("expires", "soon")]),
        ("/admin/articles/new/", vec![("title", long.as_str()), ("author", "nobody")]),
        ("/admin/tasks/new/", vec![("title", ""), ("owner", ""), ("due_date", "tomorrow")]),
        ("/admin/mail/test/", vec![("address", "nowhere")]),
        ("/admin/me/password/", vec![("current_password", "wrong"), ("password", "a"), ("password2", "b")]),
        ("/admin/again/", vec![("password", "wrong")]),
        ("/admin/inspector/", vec![("token", "")]),
    ] {
        let refused = root.submit(path, &fields).await;
        assert_eq!(refused.status, 422, "{path} {fields:?}: {}", refused.words());
        eye.look(path, &refused.text);
    }
    let fields = [("username", "root"), ("password", "wrong"), ("next", "")];
    let mut stranger = panel.browser();
    stranger.language = "en-XA".to_owned();
    eye.look("/admin/login/", &stranger.send("/admin/login/", "/admin/login/", &fields).await.is(422).text);
    assert!(
        panel.browser().get("/admin/login/").await.text.contains("<html lang=\"en\""),
        "nobody asked for another language"
    );
    for token in ["eyJhbGciOiJub25lIn0.e30.", "not a token", access.as_str(), refresh.as_str()] {
        eye.look("/admin/inspector/", &root.submit("/admin/inspector/", &[("token", token)]).await.is(200).text);
    }
    for path in ["/admin/nothing/", "/admin/users/99/", "/admin/setup/x/", "/verify/x/", "/reset/x/", "/invitation/x/"]
    {
        eye.look(path, &root.get(path).await.is(404).text);
    }
    let rules = [
        ("/admin/users/1/deactivate/", 409, "You cannot deactivate yourself. Another administrator can."),
        ("/admin/users/2/two-factor/", 409, "ann has no two-factor sign-in."),
    ];
    for (path, status, why) in rules {
        let refused = root.send("/admin/", path, &[]).await.is(status);
        eye.look(path, &refused.text);
        assert_eq!(panel.last_entry().await.reason, why, "the audit log is English");
    }
    eye.has_found_nothing();
}

/// The page that an answer is or leads to.
async fn told(root: &Browser<'_>, answer: Answer) -> Answer {
    match answer.header("location").to_owned() {
        next if next.is_empty() => answer,
        next => root.get(&next).await,
    }
}

#[actix_web::test]
async fn so_is_what_is_asked_before_many_are_changed_and_what_is_said_of_it() {
    let folder = TempDir::new().unwrap();
    let panel = used(&folder, "en-XA").await;
    let mut eye = Eye { known: known(&panel).await, ..Eye::default() };
    let lists =
        ["users", "roles", "tokens", "blacklist", "sessions", "articles", "tasks", "api-keys", "mail", "throttling"];
    let mut acts = 0;
    for list in lists {
        // An act before may have ended her sessions.
        let root = reader(&panel, "en-XA").await;
        root.submit("/admin/again/", &[("password", PASSWORD)]).await.is(303);
        let from = format!("/admin/{list}/");
        let page = root.get(&from).await.is(200);
        let select = page.text.split("name=\"action\"").nth(1).and_then(|tail| tail.split("</select>").next());
        let actions = select.unwrap_or_default().split("<option value=\"").skip(2);
        let actions: Vec<&str> = actions.filter_map(|option| option.split('"').next()).collect();
        let ids: Vec<&str> = page
            .text
            .split("class=\"js-pick\" type=\"checkbox\" name=\"id\" value=\"")
            .skip(1)
            .filter_map(|tail| tail.split('"').next())
            .filter(|id| !id.starts_with("panel-") && *id != "1")
            .collect();
        for action in actions {
            for count in [1, 3] {
                let mut form = vec![("list", list), ("action", action), ("back", from.as_str())];
                form.extend(ids.iter().take(count).map(|id| ("id", *id)));
                let asked = root.send(&from, "/admin/confirm/", &form).await;
                eye.look(&format!("{list}: {action} {count}, asked"), &told(&root, asked).await.text);
                form.push(("sure", "yes"));
                let done = root.send(&from, "/admin/confirm/", &form).await;
                eye.look(&format!("{list}: {action} {count}, done"), &told(&root, done).await.text);
                acts += 1;
            }
        }
    }
    the_audit_log_is_english(&panel).await;
    assert!(acts >= 30, "only {acts} acts were tried");
    eye.has_found_nothing();
}

#[actix_web::test]
async fn a_visitor_is_spoken_to_as_they_chose_else_as_their_browser_asks() {
    let folder = TempDir::new().unwrap();
    pseudo::write(folder.path(), "ar");
    let panel = speaking(&folder, "en-XA").await;
    let is = |page: &str, tag: &str, dir: &str| {
        assert!(page.contains(&format!("<html lang=\"{tag}\" dir=\"{dir}\"")), "{tag}: {page}");
    };
    let mut root = panel.browser();
    for (asked, tag, dir) in [
        ("", "en", "ltr"),
        ("fr", "en", "ltr"),
        ("en-GB, en-XA;q=0.5", "en", "ltr"),
        ("fr, en;q=0.2, en-XA;q=0.5", "en-XA", "ltr"),
        ("ar-EG, en;q=0.5", "ar", "rtl"),
        ("*", "en", "ltr"),
        (";;q=,", "en", "ltr"),
    ] {
        root.language = asked.to_owned();
        is(&root.get("/admin/login/").await.text, tag, dir);
        is(&root.get("/verify/x/").await.text, tag, dir);
    }
    root.language = "ar".to_owned();
    root.sign_in("root", PASSWORD).await.leads_to("/admin/");
    is(&root.get("/admin/").await.text, "ar", "rtl");
    let page = "/admin/me/preferences/";
    root.get(page).await.says(&said("Language")).says("English");
    for (chosen, tag, dir, told) in [
        ("en", "en", "ltr", "Your preferences are kept.".to_owned()),
        ("en-XA", "en-XA", "ltr", said("Your preferences are kept.")),
        ("tlh", "ar", "rtl", said("Your preferences are kept.")),
        ("", "ar", "rtl", said("Your preferences are kept.")),
    ] {
        root.submit(page, &[("language", chosen), ("keys", "on")]).await.leads_to(page);
        let shown = root.get(page).await.says(&told);
        is(&shown.text, tag, dir);
    }
}

#[actix_web::test]
async fn a_server_without_translations_offers_none() {
    let panel = Panel::new().await;
    let mut root = panel.browser();
    root.language = "nb, en-XA".to_owned();
    root.sign_in("root", PASSWORD).await.leads_to("/admin/");
    root.get("/admin/me/preferences/").await.says("Theme").is_silent_on("Language");
}

#[actix_web::test]
async fn numbers_and_dates_are_written_as_the_language_has_them() {
    let folder = TempDir::new().unwrap();
    let panel = used(&folder, "en-XA").await;
    let root = reader(&panel, "en-XA").await;
    let english = panel.signed_in("root").await;
    english.get("/admin/users/").await.says("1,201 users").says("Users 1–50 of 1,201");
    root.get("/admin/users/").await.says("1’201").is_silent_on("1,201");
    let day = english.get("/admin/articles/").await;
    let full = day.text.split("<time datetime=\"").nth(1).unwrap().split("title=\"").nth(1).unwrap();
    let month = full.split(' ').nth(1).unwrap().to_owned();
    let page = root.get("/admin/articles/").await;
    assert!(page.text.contains(said(&month).trim()), "{month}: {}", page.text);
    let datetime = |page: &str| page.split("<time datetime=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert_eq!(datetime(&page.text), datetime(&day.text), "what machines read is the same");
}

#[actix_web::test]
async fn the_api_exports_and_the_audit_log_are_the_same_in_every_language() {
    let folder = TempDir::new().unwrap();
    let panel = used(&folder, "en-XA").await;
    let (root, english) = (reader(&panel, "en-XA").await, panel.signed_in("root").await);
    for list in ["users", "tokens", "articles", "tasks", "sign-ins", "audit"] {
        let path = format!("/admin/{list}/export.csv?rows=50");
        let (one, other) = (root.get(&path).await.is(200).text, english.get(&path).await.is(200).text);
        assert!(one.lines().count() > 2, "{list}: {one}");
        match list {
            // The second tells of the first.
            "audit" => assert!(other.lines().count() > one.lines().count() && is_english(&one), "{one}"),
            _ => assert_eq!(one, other, "{list}"),
        }
    }
    root.submit("/admin/users/2/", &[("username", "renamed"), ("is_active", "on")]).await.is(303);
    assert_eq!(panel.last_entry().await.action, "user.change");
    the_audit_log_is_english(&panel).await;
    let told = root.ask(Method::POST, "/api/token/", Some(&[("username", "")]), &[]).await.is(400);
    told.says("This field may not be blank.").says("This field is required.");
}

#[test]
fn a_sentence_past_the_catalogue_would_be_seen() {
    let mut eye = Eye::default();
    eye.look("/x/", &format!(r#"<html lang="en-XA" dir="ltr">{}{SLIP}</html>"#, said("This was.")));
    assert_eq!(eye.found.len(), 1, "{:?}", eye.found);
}
