//! The panel of a server that has been in use for a while: each list, each page of one thing and search, on both databases; and what a
//! page weighs.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use diesel::connection::SimpleConnection;
use diesel::sql_types::{BigInt, Text};
use diesel::{QueryableByName, RunQueryDsl, sql_query};
use portcullis::clock::Clock;
use portcullis::db::{Target, search};
use portcullis::settings::Settings;
use portcullis::site::Site;

use crate::support::client::{Answer, Client};
use crate::support::process::Process;
use crate::support::seed::{Scale, seed};
use crate::support::{block_on, folder, median, p95, postgres, row, user};

const PASSWORD: &str = "correct horse 9";
const SCALE: Scale = Scale { users: 100_000, sessions: 250_000, sign_ins: 1_000_000, audit: 200_000 };
/// Times that a page is asked for, and how long at most.
const TIMES: usize = 200;
const LONGEST: Duration = Duration::from_millis(1500);

/// What is asked for, by what the table calls it; `{token}` and `{deep}` are filled in.
const PAGES: [(&str, &str); 64] = [
    ("dashboard", "/admin/"),
    ("users", "/admin/users/"),
    ("users by name", "/admin/users/?sort=username"),
    ("users by last sign-in", "/admin/users/?sort=last_login"),
    ("users, active", "/admin/users/?status=active"),
    ("users, inactive (rare)", "/admin/users/?status=inactive"),
    ("users, staff (rare)", "/admin/users/?rank=staff"),
    ("users, superusers (rare)", "/admin/users/?rank=superuser"),
    ("users, locked", "/admin/users/?status=locked"),
    ("users, unverified", "/admin/users/?status=unverified"),
    ("users with a role", "/admin/users/?role=1"),
    ("users without a role", "/admin/users/?role=none"),
    ("users, last sign-in in 24 hours", "/admin/users/?seen=24h"),
    ("users, last sign-in over 90 days ago", "/admin/users/?seen=90d-ago"),
    ("users, never signed in", "/admin/users/?seen=never"),
    ("search of users: one", "/admin/users/?q=anna.adeyemi40000"),
    ("search of users: a name (5 %)", "/admin/users/?q=sofia"),
    ("search of users: everybody", "/admin/users/?q=example.org"),
    ("search of users: a name, by name", "/admin/users/?q=sofia&sort=username"),
    ("search of users: everybody, by name", "/admin/users/?q=example.org&sort=username"),
    ("search of users: nobody", "/admin/users/?q=xyzzyq"),
    ("search of users: one letter", "/admin/users/?q=s"),
    ("search of users: two letters, nobody", "/admin/users/?q=xq"),
    ("search of users: an id", "/admin/users/?q=40000"),
    ("roles", "/admin/roles/"),
    ("tokens", "/admin/tokens/"),
    ("tokens, page 10,000 of 1 M", "/admin/tokens/?{deep}"),
    ("tokens by expiry", "/admin/tokens/?sort=expires"),
    ("tokens, live", "/admin/tokens/?state=live"),
    ("tokens, used", "/admin/tokens/?state=used"),
    ("tokens, revoked", "/admin/tokens/?state=revoked"),
    ("tokens, expired", "/admin/tokens/?state=expired"),
    ("tokens that expire in 24 hours", "/admin/tokens/?expires=24h"),
    ("tokens of a user", "/admin/tokens/?q=anna.adeyemi40000"),
    ("token by its first 6 characters", "/admin/tokens/?q=abc123"),
    ("blacklist", "/admin/blacklist/"),
    ("blacklist by expiry", "/admin/blacklist/?sort=expires"),
    ("blacklist, by an administrator", "/admin/blacklist/?by=staff"),
    ("sessions", "/admin/sessions/"),
    ("sessions by start", "/admin/sessions/?sort=started"),
    ("sessions, live", "/admin/sessions/?state=live"),
    ("sessions, ended", "/admin/sessions/?state=ended"),
    ("sessions of an address", "/admin/sessions/?address=10.1.2.3"),
    ("sessions, sliding", "/admin/sessions/?kind=sliding"),
    ("API keys", "/admin/api-keys/"),
    ("API keys, unused", "/admin/api-keys/?unused=90d"),
    ("articles", "/admin/articles/"),
    ("search of articles: all", "/admin/articles/?q=gates"),
    ("search of articles: a name (5 %), by title", "/admin/articles/?q=keller&sort=title"),
    ("search of articles: one", "/admin/articles/?q=40000"),
    ("tasks", "/admin/tasks/"),
    ("tasks by day due", "/admin/tasks/?sort=due"),
    ("tasks, overdue", "/admin/tasks/?due=overdue"),
    ("audit log", "/admin/audit/"),
    ("audit log of one", "/admin/audit/?who=1001"),
    ("audit log, one action", "/admin/audit/?action=user.change"),
    ("sign-ins", "/admin/sign-ins/"),
    ("sign-ins, locked", "/admin/sign-ins/?outcome=locked"),
    ("sign-ins of an address", "/admin/sign-ins/?q=10.1.2.3"),
    ("user", "/admin/users/40000/"),
    ("user's sessions", "/admin/users/40000/sessions/"),
    ("user's sign-ins", "/admin/users/40000/sign-ins/"),
    ("token", "/admin/tokens/{token}/"),
    ("search for anything", "/admin/search/?q=anna.adeyemi40000"),
];

pub fn run() {
    for (name, url) in [("SQLite", None), ("PostgreSQL", Some(postgres::url()))] {
        let place = folder();
        let (url, target) = seeded(name, place.path(), url);
        database(name, place.path(), &url, &target);
    }
}

/// Makes the database of these figures, at a URL or in a folder that is there, for whoever wants to look at it: the superuser
/// is `root`.
pub fn seed_one(folder: &str, url: Option<String>) {
    let (url, _) = seeded("seed", Path::new(folder), url);
    println!("  PORTCULLIS_DATABASE__URL={url} PORTCULLIS_SERVER__DATA_DIR={folder}; sign in as root, {PASSWORD:?}");
}

/// Fills a database of this name in the messages; its URL.
pub fn seeded(name: &str, place: &Path, url: Option<String>) -> (String, Target) {
    let url = url.unwrap_or_else(|| format!("sqlite://{}", place.join("portcullis.db").display()));
    let site = site(place, &url);
    user(&site, "root", PASSWORD, 0);
    let now = site.clock.now().micros();
    let target = site.db.target().clone();
    drop(site);
    let mut conn = target.connect().unwrap();
    conn.batch_execute("UPDATE users SET is_staff = TRUE, is_superuser = TRUE").unwrap();
    drop(conn);
    let begun = Instant::now();
    let told = |what: &str| {
        if std::io::stderr().is_terminal() {
            eprint!("\r\x1b[K  {name}: {what} … {:.0} s", begun.elapsed().as_secs_f64());
        }
    };
    seed(&target, SCALE, now, told);
    // As its sweeps would have left it, and on the disk: the first commit would wait for that.
    let mut conn = target.connect().unwrap();
    while search::merge(&mut conn).unwrap() {}
    drop(conn);
    if let Target::Sqlite(file) = &target {
        File::open(file).unwrap().sync_all().unwrap();
    }
    told("done\n");
    row(&format!("{name}: seeded in"), format!("{:.0} s", begun.elapsed().as_secs_f64()));
    (url, target)
}

fn database(name: &str, place: &Path, url: &str, target: &Target) {
    let (deep, token) = places(target);
    let server = Process::portcullis(place, &[("DATABASE__URL", url)]);
    block_on(async {
        let mut browser = Browser::sign_in(Client::connect(server.address).await).await;
        for (what, path) in PAGES {
            let path = path.replace("{deep}", &deep).replace("{token}", &token);
            let (begun, mut times) = (Instant::now(), Vec::new());
            for _ in 0..3 {
                browser.get(&path).await;
            }
            while times.len() < TIMES && (begun.elapsed() < LONGEST || times.len() < 5) {
                let asked = Instant::now();
                browser.get(&path).await;
                times.push(asked.elapsed().as_secs_f64() * 1000.0);
            }
            row(&format!("{name}: {what}"), format!("p50 {:.2} ms, p95 {:.2} ms", median(times.clone()), p95(times)));
        }
        if name == "SQLite" {
            weights(&mut browser).await;
        }
    });
}

fn site(place: &Path, url: &str) -> Site {
    let mut settings = Settings::default();
    settings.server.data_dir = place.into();
    settings.database.url = Some(url.to_owned().into());
    settings.throttle.login = None;
    Site::open(settings, Clock::system()).unwrap()
}

/// Where the 10,000th page of tokens begins, and the id of a token in the middle.
fn places(target: &Target) -> (String, String) {
    #[derive(QueryableByName)]
    struct Place {
        #[diesel(sql_type = BigInt)]
        id: i64,
        #[diesel(sql_type = BigInt)]
        created_at: i64,
        #[diesel(sql_type = Text)]
        jti: String,
    }
    let at =
        "SELECT id, created_at, jti FROM outstanding_tokens ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET 499949";
    let place: Place = sql_query(at).get_result(&mut target.connect().unwrap()).unwrap();
    let cursor = format!("[{},{},{}]", place.created_at, place.id, 499_950);
    (format!("after={}", URL_SAFE_NO_PAD.encode(cursor)), place.jti)
}

/// Somebody who is signed in to the panel.
pub struct Browser {
    client: Client,
    cookies: String,
}

impl Browser {
    pub async fn sign_in(mut client: Client) -> Self {
        let page = client.ask(&get("/admin/login/", "", "")).await;
        assert_eq!(page.status, 200, "{}", page.body);
        let form = [("username", "root"), ("password", PASSWORD), ("next", "/admin/")];
        let done = client.ask(&post("/admin/login/", &cookies(&page), &page, &form)).await;
        assert_eq!(done.status, 303, "{}", done.body);
        Self { cookies: cookies(&done), client }
    }

    /// Sends a form; the address that it leads to.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> String {
        let page = self.get("/admin/me/").await;
        let done = self.client.ask(&post(path, &self.cookies, &page, fields)).await;
        assert_eq!(done.status, 303, "{}", done.body);
        done.head.lines().find_map(|line| line.strip_prefix("location: ")).unwrap().to_owned()
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        let answer = self.client.ask(&get(path, &self.cookies, "")).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer
    }
}

fn get(path: &str, cookies: &str, more: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nCookie: {cookies}\r\n{more}\r\n").into_bytes()
}

/// A form with the token that `page` has for it.
fn post(path: &str, cookies: &str, page: &Answer, fields: &[(&str, &str)]) -> Vec<u8> {
    let token = page.body.split("name=\"csrf_token\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let mut form = form_urlencoded::Serializer::new(String::new());
    let form = form.append_pair("csrf_token", token).extend_pairs(fields).finish();
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nCookie: {cookies}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    )
    .into_bytes()
}

fn cookies(answer: &Answer) -> String {
    let set = answer.head.lines().filter_map(|line| line.split_once(": "));
    let set = set.filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
    set.map(|(_, cookie)| cookie.split(';').next().unwrap()).collect::<Vec<_>>().join("; ")
}

/// What a page and all that it needs weigh, by `gzip -9`; what is embedded comes compressed by brotli to those who take it.
async fn weights(browser: &mut Browser) {
    for (what, path) in [
        ("dashboard", "/admin/"),
        ("users", "/admin/users/"),
        ("tokens", "/admin/tokens/"),
        ("user", "/admin/users/40000/"),
    ] {
        let page = browser.get(path).await.body;
        let parts =
            page.split(['"', '\'']).filter(|text| text.starts_with("/admin/static/") || text.starts_with("/static/"));
        let parts: BTreeSet<&str> = parts.map(|part| part.split('#').next().unwrap()).collect();
        let own = gzipped(page.as_bytes());
        let mut all = own;
        for part in &parts {
            let answer = browser.client.ask(&get(part, "", "Accept-Encoding: br\r\n")).await;
            assert_eq!(answer.status, 200, "{part}");
            all += answer.length;
        }
        let told = format!(
            "{:.1} KB in {} requests; again {:.1} KB in 1",
            all as f64 / 1000.0,
            parts.len() + 1,
            own as f64 / 1000.0
        );
        row(&format!("weight, first visit: {what}"), told);
    }
}

fn gzipped(bytes: &[u8]) -> usize {
    let mut gzip = Command::new("gzip").arg("-9c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = gzip.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    let writer = std::thread::spawn(move || input.write_all(&bytes).unwrap());
    let length = gzip.wait_with_output().unwrap().stdout.len();
    writer.join().unwrap();
    length
}
