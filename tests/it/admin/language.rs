//! The panel in another language: every sentence of every page, numbers, dates, and who is spoken to in which.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::Text;
use portcullis::db::Conn;
use tempfile::TempDir;

use super::audit::WALK;
use super::lists::seed::{Scale, seed};
use crate::support::panel::{Browser, PASSWORD, Panel};
use crate::support::pseudo::{self, plain_texts, words};

const SCALE: Scale = Scale { users: 1_200, sessions: 1_200, sign_ins: 3_000, audit: 400 };

/// What people typed: it is shown as it is.
const TYPED: [(&str, &[&str]); 9] = [
    ("users", &["username", "first_name", "last_name", "email"]),
    ("roles", &["name", "description"]),
    ("articles", &["title", "body"]),
    ("tasks", &["title", "description"]),
    ("api_keys", &["name"]),
    ("sessions", &["name", "user_agent"]),
    ("audit_entries", &["actor", "object", "object_id", "reason", "user_agent"]),
    ("sign_ins", &["user_agent"]),
    ("outbox", &["address", "trouble"]),
];

/// Names of things that are called so in every language, and what the stories below type.
const NAMES: &str = "Portcullis panel test UTC Europe Oslo eyJ Firefox Linux curl Chrome Safari Android iOS macOS Windows \
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

/// A panel that has been in use, and speaks the language that nobody speaks.
async fn used(folder: &TempDir, tag: &str) -> Panel {
    pseudo::write(folder.path(), tag);
    let path = folder.path().to_owned();
    let panel = Panel::with(|settings| settings.admin.languages = Some(path)).await;
    seed(panel.app.site.db.target(), SCALE, panel.now().micros(), |_| ());
    panel
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
        for link in page.hrefs(|link| link.starts_with("/admin/") && !link.contains("export.csv")) {
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
    let mut root = panel.browser();
    root.language = "en-XA".to_owned();
    eye.look("/admin/login/", &root.get("/admin/login/").await.text);
    root.sign_in("root", PASSWORD).await.leads_to("/admin/");
    crawl(&root, &mut eye, 3).await;
    eye.has_found_nothing();
}

#[actix_web::test]
async fn so_is_what_is_said_after_an_act() {
    let folder = TempDir::new().unwrap();
    pseudo::write(folder.path(), "en-XA");
    let path = folder.path().to_owned();
    let panel = Panel::with(|settings| settings.admin.languages = Some(path)).await;
    panel.user("ann", |new| new.email = "ann@example.org".into()).await;
    let mut eye = Eye { known: known(&panel).await, ..Eye::default() };
    let mut root = panel.browser();
    root.language = "en-XA".to_owned();
    root.sign_in("root", PASSWORD).await.leads_to("/admin/");
    for (_, from, path, fields, ..) in WALK {
        let form = if path == from { root.submit(from, fields).await } else { root.send(from, path, fields).await };
        eye.look(&format!("{path}, done"), &root.get(form.header("location")).await.text);
    }
    eye.has_found_nothing();
}

#[test]
fn a_sentence_past_the_catalogue_would_be_seen() {
    let mut eye = Eye::default();
    eye.look("/x/", &format!(r#"<html lang="en-XA" dir="ltr">{}{SLIP}</html>"#, pseudo::said("This was.")));
    assert_eq!(eye.found.len(), 1, "{:?}", eye.found);
}
