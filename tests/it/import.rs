//! A Django site moves over: a real one, with simplejwt and allauth, made anew by `tests/interop/django_site.py`, from its
//! database or from what `dumpdata` wrote, beside a running server.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use portcullis::db::Target;
use portcullis::db::foreign::{Foreign, quoted};
use serde_json::{Value, json};

use crate::interop;
use crate::support::database::Kind;
use crate::support::http::Http;
use crate::support::postgres;
use crate::support::process::{Home, eventually};
use crate::support::token::not_valid;

const SECRET_KEY: &str = "r4nd0m-ch4racters-of-a-settings-file-of-some-years-ago";

/// A portcullis that nobody uses yet, on a database of this kind; and that database's address.
fn empty(kind: Kind) -> (Home, Target) {
    let home = Home::new()
        .with("PORTCULLIS_THROTTLE__LOGIN", "off")
        .with("PORTCULLIS_PASSWORDS__MEMORY_KIB", "64")
        .with("PORTCULLIS_PASSWORDS__PASSES", "1");
    match kind {
        Kind::Sqlite => {
            let file = home.path().join("data/portcullis.db");
            (home, Target::Sqlite(file))
        }
        Kind::Postgres => {
            let url = postgres::url();
            (home.with("PORTCULLIS_DATABASE__URL", &url), Target::Postgres(url))
        }
    }
}

/// Everything that a portcullis has in its database, but how far the server has come in the change log and what it counts by
/// the minute.
fn content(target: &Target) -> Vec<String> {
    let mut database = Foreign::open(target).unwrap();
    let mut all = Vec::new();
    for (table, columns) in database.tables().unwrap() {
        if ["followers", "metrics", "sqlite_sequence"].contains(&table.as_str()) {
            continue;
        }
        let members: Vec<_> = columns.iter().map(|column| (column.as_str(), quoted(column))).collect();
        let rows = database.rows(&members, &quoted(&table)).unwrap();
        all.extend(rows.into_iter().map(|row| format!("{table}: {row}")));
    }
    all.sort();
    all
}

/// One column of one table, in order.
fn column(target: &Target, table: &str, column: &str) -> Vec<Value> {
    let rows = Foreign::open(target).unwrap().rows(&[("it", column.into())], &format!("{table} ORDER BY {column}"));
    rows.unwrap().iter().map(|row| serde_json::from_str::<Value>(row).unwrap()["it"].clone()).collect()
}

/// What a command says that succeeds.
#[track_caller]
fn said(home: &Home, arguments: &[&str]) -> String {
    let output = home.run(arguments, "");
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{arguments:?}: {words}");
    assert_eq!(words, "", "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What a command says that fails.
#[track_caller]
fn refusal(home: &Home, arguments: &[&str]) -> String {
    let output = home.run(arguments, "");
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {words}");
    assert_eq!(output.stdout, b"", "{arguments:?}");
    words
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

struct People<'a> {
    http: Http,
    told: &'a Value,
}

impl People<'_> {
    fn sign_in(&self, name: &str, password: &str) -> crate::support::http::Answer {
        self.http.post("/api/token/", "", &json!({ "username": name, "password": password })).unwrap()
    }

    fn refresh(&self, token: &Value) -> crate::support::http::Answer {
        self.http.post("/api/token/refresh/", "", &json!({ "refresh": token })).unwrap()
    }

    fn verify(&self, token: &Value) -> u16 {
        self.http.post("/api/token/verify/", "", &json!({ "token": token })).unwrap().status
    }

    fn token(&self, name: &str) -> &Value {
        &self.told["tokens"][name]
    }

    #[track_caller]
    fn hello(&self, access: &str, name: &str) {
        let answer = self.http.get("/api/hello/", access).unwrap().is(200);
        assert_eq!(answer.body, json!({ "message": format!("Hello, {name}") }));
    }
}

#[derive(Clone, Copy)]
enum From {
    Database,
    Dump,
}

#[test]
fn a_django_site_moves_over_from_its_sqlite_file() {
    moves_over(From::Database, Kind::Sqlite);
}

#[test]
fn a_django_site_moves_over_from_what_dumpdata_wrote() {
    moves_over(From::Dump, Kind::Sqlite);
}

#[test]
fn a_django_site_moves_over_from_postgresql_to_postgresql() {
    moves_over(From::Database, Kind::Postgres);
}

fn moves_over(from: From, kind: Kind) {
    let (home, target) = empty(kind);
    let home = home
        .with("PORTCULLIS_JWT__SIGNING_KEY", SECRET_KEY)
        .with("PORTCULLIS_JWT__AUTH_TOKEN_CLASSES", "access,sliding");
    let database = if kind == Kind::Sqlite { "site.sqlite3".to_owned() } else { postgres::url() };
    let told = interop::run(&home, "django_site.py", &["usual", &database, "site.json"], "");
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["secret_key"], SECRET_KEY);
    let source = match from {
        From::Database => database.as_str(),
        From::Dump => "site.json",
    };
    let server = home.serve();
    let people = People { http: Http::new(server.origin()), told: &told };

    // A dry run says all and does nothing; the run does what it said; the next finds nothing to do.
    let empty = content(&target);
    let dry = said(&home, &["import-django", source, "--dry-run"]);
    assert_eq!(content(&target), empty);
    people.sign_in("ann", text(&told["users"]["ann"])).is(401);
    let report = said(&home, &["import-django", source]);
    assert_eq!(dry, format!("{report}a dry run: nothing was changed\n"));
    tells_all(&report, kind);
    let full = content(&target);
    let again = said(&home, &["import-django", source]);
    assert_eq!(content(&target), full);
    assert!(again.ends_with("nothing to do: all of it is here already, or was refused\n"), "{again}");
    assert!(again.contains(" 0 imported, "), "{again}");
    assert!(!again.contains("note:"), "{again}");

    tokens_go_on(&people);
    let before = people.refresh(&people.token("text")["refresh"]).is(200).pair();
    everybody_signs_in(&people);
    for hash in column(&target, "users", "password") {
        let hash = text(&hash);
        // Those of `away`, who may not sign in, and of whom no password is known.
        assert!(
            hash.starts_with("$argon2id$v=19$m=64,") || hash == "!" || hash.starts_with("pbkdf2_sha256$"),
            "{hash}"
        );
    }
    let renewed = column(&target, "users", "password").iter().filter(|hash| text(hash).starts_with('$')).count();
    assert_eq!(renewed, told["users"].as_object().unwrap().len());
    // The new hash is of the same password: nobody is signed out by it.
    assert!(column(&target, "users", "generation").iter().all(|generation| *generation == json!(0)));
    people.hello(&before.access, "ann");
    people.hello(text(&people.token("text")["access"]), "ann");
    people.refresh(&json!(before.refresh)).is(200);
    everybody_signs_in(&people); // by the new hashes

    keeps_what_it_was(&people, &before.access);
    let given = json!({ "username": "newcomer", "password": "correct horse 9" });
    let newcomer = people.http.post("/api/register/", "", &given).unwrap().is(201).pair();
    let me = people.http.get("/api/users/me/", &newcomer.access).unwrap().is(200);
    assert!(me.body["id"].as_i64() > told["highest"].as_i64(), "{me:?} {}", told["highest"]);
    assert!(!server.log().contains("ERROR"), "{}", server.log());
}

/// Every odd row is in the report with a reason, and no hash is.
fn tells_all(report: &str, kind: Kind) {
    let mut expected = vec![
        r#"refused: user 16 "ａnn": its name, "ann", is that of user 10 here"#,
        r#"refused: user 17 "two words": its name cannot be taken: Enter a valid username."#,
        r#"": the name of a role has from 1 to 80 characters"#,
        r#"note: group "editors": contenttypes.view_contenttype has no counterpart here"#,
        r#"note: user 11 "bob": permissions of its own are not taken (1): here roles have them"#,
        r#"note: user 18 "ﬁona": is called "fiona" here"#,
        r#"note: user 19 "not_an_address": its e-mail address is left out: it is none"#,
        r#"note: user 20 "own_hash": its password hash is of no known format: nobody signs in by password until a new one is set"#,
        r#"note: user 21 "plain_text": its password hash is of no known format: "#,
        r#"note: user 22 "cut_short": its password hash is damaged: "#,
        r#"note: user 23 "absurd_rounds": its password hash would cost too much time or memory to check: "#,
        r#"note: user 24 "absurd_memory": its password hash would cost too much time or memory to check: "#,
        r#"note: user 25 "absurd_cost": its password hash would cost too much time or memory to check: "#,
        "roles: 2 imported, 0 here already, 1 refused\n",
        "tokens: 7 imported, 0 here already, 0 refused; of the imported 3 are blacklisted; left out: 1 that have expired, 1 of \
         nobody who is here\n",
    ];
    if kind == Kind::Sqlite {
        expected.extend([
            r#"x": its name cannot be taken: Ensure this field has no more than 150 characters."#,
            r#"refused: user -1 "below_zero": its id is no number that a user here can have"#,
            r#"refused: user 1152921504606846976 "long_id": its id is no number that a user here can have"#,
            r#"note: user 27 "long_first_name": its first name is left out: it is too long"#,
            "users: 23 imported, 0 here already, 5 refused\n",
        ]);
    } else {
        expected.push("users: 22 imported, 0 here already, 2 refused\n");
    }
    for line in expected {
        assert!(report.contains(line), "no {line:?} in:\n{report}");
    }
    for secret in ["pbkdf2_", "argon2$", "bcrypt$", "md5$", "hunter2", "eyJ"] {
        assert!(!report.contains(secret), "{report}");
    }
}

fn tokens_go_on(people: &People) {
    for name in ["text", "number"] {
        let pair = people.token(name);
        people.hello(text(&pair["access"]), "ann");
        assert_eq!(people.verify(&pair["refresh"]), 200);
        let next = people.refresh(&pair["refresh"]).is(200).pair();
        people.hello(&next.access, "ann");
    }
    for name in ["rotated", "signed_out"] {
        let refresh = &people.token(name)["refresh"];
        let refused = people.refresh(refresh).is(401);
        assert_eq!(refused.body, json!({ "detail": "Token is blacklisted", "code": "token_not_valid" }));
        assert_eq!(people.verify(refresh), 400);
    }
    people.hello(text(people.token("sliding")), "bob");
    let dead = people.http.get("/api/hello/", text(people.token("sliding_signed_out"))).unwrap().is(401);
    let mut told = not_valid("Token is blacklisted");
    told["messages"] = dead.body["messages"].clone();
    assert_eq!(dead.body, told);
    assert!(dead.body["messages"].to_string().contains("Token is blacklisted"), "{dead:?}");
    assert_eq!(people.verify(people.token("sliding_signed_out")), 400);
    people.refresh(&people.token("away")["refresh"]).is(401);
}

fn everybody_signs_in(people: &People) {
    let users = people.told["users"].as_object().unwrap();
    assert!(users.len() >= 14, "{users:?}");
    for (name, password) in users {
        let pair = people.sign_in(name, text(password)).is(200).pair();
        people.hello(&pair.access, name);
    }
    for (name, password) in [
        ("ann", "Ann's old password"),
        ("away", "away's old password"),
        ("gone", "gone's old password"),
        ("no_password", "!"),
        ("own_hash", "md5"),
        ("plain_text", "hunter2"),
        ("cut_short", "x"),
        ("absurd_rounds", "x"),
        ("absurd_memory", "x"),
        ("absurd_cost", "x"),
        ("two words", "of two words"),
        ("ann", "of another ann"),
    ] {
        people.sign_in(name, password).is(401);
    }
}

fn keeps_what_it_was(people: &People, access: &str) {
    let mut me = people.http.get("/api/users/me/", access).unwrap().is(200).body;
    let ann = &people.told["ann"];
    for name in ["date_joined", "last_login"] {
        let moment = me[name].take();
        assert!(text(&moment).starts_with(text(&ann[name])), "{name}: {moment} {ann}");
    }
    let kept = json!({
        "id": ann["id"], "username": "ann", "email": "ann@example.org", "first_name": "Ann", "last_name": "Ä.",
        "phone_number": "", "date_of_birth": null, "email_verified": true, "is_staff": true, "is_premium": false,
        "roles": ["editors", "readers"], "date_joined": null, "last_login": null,
    });
    assert_eq!(me, kept);
    people.http.get("/api/admin-only/", access).unwrap().is(200);
}

/// Who lets the ring sign brings the old secret in beside it.
#[test]
fn live_tokens_go_on_by_a_legacy_key_too() {
    let (home, _) = empty(Kind::Sqlite);
    let told = interop::run(&home, "django_site.py", &["usual", "site.sqlite3"], "");
    let told: Value = serde_json::from_str(&told).unwrap();
    let server = home.serve();
    let people = People { http: Http::new(server.origin()), told: &told };
    said(&home, &["import-django", "site.sqlite3"]);
    let pair = people.token("text");
    people.http.get("/api/hello/", text(&pair["access"])).unwrap().is(401);

    assert!(home.run(&["keys", "add", "--legacy"], SECRET_KEY).status.success());

    people.hello(text(&pair["access"]), "ann");
    let next = people.refresh(&pair["refresh"]).is(200).pair();
    people.hello(&next.access, "ann");
    people.refresh(&people.token("rotated")["refresh"]).is(401);
}

#[test]
fn a_user_model_of_ones_own_is_found_by_itself() {
    for source in ["site.sqlite3", "site.json"] {
        let (home, target) = empty(Kind::Sqlite);
        let home = home.with("PORTCULLIS_JWT__SIGNING_KEY", SECRET_KEY);
        let told = interop::run(&home, "django_site.py", &["members", "site.sqlite3", "site.json"], "");
        let told: Value = serde_json::from_str(&told).unwrap();
        let server = home.serve();
        let report = said(&home, &["import-django", source]);
        assert!(report.contains("users: 1 imported, 0 here already, 0 refused\n"), "{report}");

        let people = People { http: Http::new(server.origin()), told: &told };
        let name = "ann@example.org";
        people.hello(text(people.token("access")), name);
        let pair = people.sign_in(name, text(&told["users"][name])).is(200).pair();
        let me = people.http.get("/api/users/me/", &pair.access).unwrap().is(200).body;
        let of = |member: &str| me[member].clone();
        assert_eq!(
            ["username", "email", "phone_number", "date_of_birth", "is_premium", "roles"].map(of),
            [json!(name), json!(name), json!("+49 30 1234"), json!("1990-02-28"), json!(true), json!(["keepers"])]
        );
        // Beside what the roles hold that every new server begins with.
        let keepers = "role_permissions WHERE role_id = (SELECT id FROM roles WHERE name = 'keepers')";
        assert_eq!(column(&target, keepers, "permission"), ["users.change", "users.view"]);
        let named: &[&str] = if source.ends_with("json") {
            &["import-django", source, "--user-model", "members.Member"]
        } else {
            &["import-django", source, "--user-table", "members_member"]
        };
        assert!(said(&home, named).contains("users: 0 imported, 1 here already, 0 refused\n"));
    }
}

#[test]
fn a_source_that_is_none_is_told_in_a_sentence() {
    let (home, _) = empty(Kind::Sqlite);
    assert!(home.run(&["migrate"], "").status.success());
    let file = |name: &str, content: &[u8]| fs::write(home.path().join(name), content).unwrap();
    file("words.txt", b"Dear Sir or Madam");
    file("nothing", b"");
    file("packed.json.gz", &[0x1f, 0x8b, 8, 0]);
    file("cut.json", br#"[{"model": "auth.user", "pk": 1, "fields": {"#);
    file("no_users.json", br#"[{"model": "auth.group", "pk": 1, "fields": {"name": "x", "permissions": []}}]"#);
    let user = |model: &str, pk: &str| {
        format!(r#"{{"model": "{model}", {pk} "fields": {{"username": "x", "password": "!", "last_login": null}}}}"#)
    };
    file("natural.json", format!("[{}]", user("auth.user", "")).as_bytes());
    file("uuids.json", format!("[{}]", user("auth.user", r#""pk": "0b7e","#)).as_bytes());
    let two = format!("[{}, {}]", user("auth.user", r#""pk": 1,"#), user("crm.customer", r#""pk": 1,"#));
    file("two.json", two.as_bytes());
    table(&home.path().join("other.db"), "CREATE TABLE notes (id INTEGER PRIMARY KEY, password TEXT)");
    table(
        &home.path().join("two.db"),
        "CREATE TABLE auth_user (id INTEGER PRIMARY KEY, username TEXT, password TEXT, last_login TEXT);
         CREATE TABLE crm_customer (id INTEGER PRIMARY KEY, username TEXT, password TEXT, last_login TEXT)",
    );
    table(
        &home.path().join("uuids.db"),
        "CREATE TABLE auth_user (id TEXT PRIMARY KEY, username TEXT, password TEXT, last_login TEXT);
         INSERT INTO auth_user VALUES ('0b7e', 'x', '!', NULL)",
    );
    for (arguments, words) in [
        (vec!["missing.db"], "cannot read missing.db"),
        (vec!["words.txt"], "neither a SQLite file nor what dumpdata writes"),
        (vec!["nothing"], "neither a SQLite file nor what dumpdata writes"),
        (vec!["packed.json.gz"], "gunzip it first"),
        (vec!["cut.json"], "EOF while parsing"),
        (vec!["no_users.json"], "it holds no users"),
        (vec!["natural.json"], "--natural-primary"),
        (vec!["uuids.json"], "whole numbers"),
        (vec!["two.json"], "say which by --user-model: auth.user, crm.customer"),
        (vec!["two.json", "--user-model", "crm.client"], "no users of the model crm.client"),
        (vec!["two.json", "--user-table", "auth_user"], "a dump has no tables"),
        (vec!["other.db"], "no table of it looks like Django's users"),
        (vec!["other.db", "--user-table", "notes"], "notes is no table of users"),
        (vec!["two.db"], "say which by --user-table: auth_user, crm_customer"),
        (vec!["two.db", "--user-model", "crm.Client"], "there is no table crm_client"),
        (vec!["uuids.db"], "whole numbers"),
        (vec!["postgres:///nowhere?host=/nonexistent&password=hunter2"], "cannot connect to PostgreSQL"),
    ] {
        let told = refusal(&home, &[vec!["import-django"], arguments].concat());
        assert!(told.contains(words), "{words:?} is not in {told}");
        assert!(!told.contains("hunter2"), "{told}");
    }
    assert!(said(&home, &["import-django", "two.json", "--user-model", "crm.Customer"]).contains("users: 1 imported"));
}

fn table(file: &Path, sql: &str) {
    SqliteConnection::establish(file.to_str().unwrap()).unwrap().batch_execute(sql).unwrap();
}

/// A dump with so many users, of whom nobody has a password.
fn many(home: &Home, count: usize) {
    let user = |id: usize| {
        json!({ "model": "auth.user", "pk": id, "fields": {
            "username": format!("user{id}"), "password": "!", "last_login": null, "is_active": true,
            "date_joined": "2020-01-01T00:00:00Z", "groups": [], "user_permissions": [],
        }})
    };
    let users: Vec<Value> = (1..=count).map(user).collect();
    fs::write(home.path().join("many.json"), json!(users).to_string()).unwrap();
}

#[test]
fn an_import_that_is_killed_is_run_again_and_the_server_answers_meanwhile() {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        const COUNT: usize = 3000;
        let (home, target) = empty(kind);
        many(&home, COUNT);
        let server = home.serve();
        let http = Http::new(server.origin());
        let count = || column(&target, "users", "id").len();

        let mut command = home.command(&["import-django", "many.json"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        eventually("some hundred users", Duration::from_secs(60), || (count() >= 300).then_some(()));
        child.kill().unwrap();
        child.wait().unwrap();
        let then = count();
        assert!(then < COUNT, "it was killed too late to tell anything");
        assert_eq!(then % 50, 0, "half a batch is in");

        let mut command = home.command(&["import-django", "many.json"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut newcomers = 0;
        while child.try_wait().unwrap().is_none() {
            let given = json!({ "username": format!("new{newcomers}"), "password": "correct horse 9" });
            let start = Instant::now();
            let pair = http.post("/api/register/", "", &given).unwrap().is(201).pair();
            assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
            let me = http.get("/api/users/me/", &pair.access).unwrap().is(200).body;
            assert!(me["id"].as_u64() > Some(COUNT as u64), "{me}");
            newcomers += 1;
        }
        assert!(child.wait().unwrap().success());
        assert!(newcomers > 0);
        assert_eq!(count(), COUNT + newcomers);
        let again = said(&home, &["import-django", "many.json"]);
        assert!(again.contains(&format!("users: 0 imported, {COUNT} here already, 0 refused\n")), "{again}");
    }
}
