//! The house keeps its plan (DESIGN 1.2): who may import whom, one place that knows of two databases, files of one subject.

use std::fs;
use std::path::{Path, PathBuf};

/// The floors from the ground up. A module imports only from floors below its own, and from its own folder.
const FLOORS: [&[&str]; 11] = [
    &["language"],
    &["error", "problem", "metrics", "clock", "zone", "settings", "data_dir", "device", "logging"],
    &["db", "model"],
    &["auth", "throttle", "mail", "hub", "assets"],
    &["site", "follower"],
    &["middleware", "letters"],
    &["rest"],
    &["api", "admin", "pages"],
    &["server", "ops"],
    &["cli"],
    &["main"],
];

/// The steps sideways that the plan allows, each one way: who, of whom.
const SIDEWAYS: [(&str, &str); 6] = [
    ("model", "db"),
    // Signing in is where guesses are counted and refused.
    ("auth", "throttle"),
    // The site holds what follows the change log, as it holds every other part.
    ("site", "follower"),
    // A zone is asked about moments, and is a setting.
    ("zone", "clock"),
    ("settings", "zone"),
    // What the panel does to articles and tasks, open sockets learn in the words of the API.
    ("admin", "api"),
];

/// What Cargo runs before the house stands, and the map of it.
const OUTSIDE: [&str; 2] = ["build.rs", "lib.rs"];

const LONGEST_FILE: usize = 400;

/// One file under `src/`.
struct Source {
    /// From `src/` on: `rest/list.rs`.
    name: String,
    text: String,
}

impl Source {
    /// The file or folder right under `src/` that it belongs to: `rest`.
    fn module(&self) -> &str {
        let first = self.name.split('/').next().unwrap();
        first.strip_suffix(".rs").unwrap_or(first)
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> Vec<Source> {
    let src = root().join("src");
    let mut files = Vec::new();
    collect(&src, "rs", &mut files);
    files.sort();
    let read = |path: PathBuf| Source {
        name: path.strip_prefix(&src).unwrap().to_str().unwrap().to_owned(),
        text: fs::read_to_string(&path).unwrap(),
    };
    files.into_iter().map(read).collect()
}

/// Every file under the folder with this ending; folders that begin with a dot are not ours.
fn collect(folder: &Path, ending: &str, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.file_name().unwrap().as_encoded_bytes().starts_with(b".") {
                collect(&path, ending, files);
            }
        } else if path.extension().is_some_and(|extension| extension == ending) {
            files.push(path);
        }
    }
}

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&module))
}

/// The text without comments: a doc link may point upwards, code may not.
fn code(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// Every path that begins at the root of the house, as it is written after `crate::`, with `{…}` opened.
fn imports(text: &str) -> Vec<String> {
    let code = code(text);
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|before| before.is_alphanumeric() || before == '_' || before == '$') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => found.extend(members(group)),
            None => found.push(path(rest)),
        }
    }
    found
}

/// `auth::gate::Gate` of `auth::gate::Gate::admit(…)` and of `auth::gate::{Gate, Proof}` alike: as far as names go.
fn path(text: &str) -> String {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(text.len());
    text[..end].trim_end_matches(':').to_owned()
}

/// The members of `{clock::Clock, db::{Conn, Db}}`, given what follows its first brace.
fn members(group: &str) -> Vec<String> {
    let mut depth = 0_usize;
    let mut found = Vec::new();
    let mut start = 0;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            '}' | ',' if depth == 0 => {
                let member = path(group[start..at].trim());
                found.extend((!member.is_empty()).then_some(member));
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    found
}

/// The texts of all tests, this one apart.
fn tests() -> String {
    let mut files = Vec::new();
    collect(&root().join("tests"), "rs", &mut files);
    collect(&root().join("tests/conformance"), "py", &mut files);
    files.retain(|file| !file.ends_with("it/house.rs"));
    files.into_iter().map(|file| fs::read_to_string(file).unwrap()).collect()
}

/// What a file does against the plan, in words.
fn faults(source: &Source) -> Vec<String> {
    let module = source.module();
    let Some(own) = floor(module) else {
        return vec![format!(
            "{} stands on no floor: give `{module}` one in DESIGN 1.2 and in tests/it/house.rs",
            source.name
        )];
    };
    let fault = |import: String| {
        let other = import.split("::").next()?;
        if other == module || SIDEWAYS.contains(&(module, other)) {
            return None;
        }
        match floor(other) {
            Some(floor) if floor < own => None,
            Some(floor) => Some(format!("{} (floor {own}) imports {import} (floor {floor})", source.name)),
            // A macro or an item of lib.rs itself; a module would be found without a floor by its own file.
            None => None,
        }
    };
    imports(&source.text).into_iter().filter_map(fault).collect()
}

#[track_caller]
fn none(faults: Vec<String>) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn every_module_imports_from_the_floors_below_only() {
    let inside = sources().into_iter().filter(|source| !OUTSIDE.contains(&source.name.as_str()));
    none(inside.flat_map(|source| faults(&source)).collect());
}

#[test]
fn only_the_database_folder_knows_that_there_are_two_databases() {
    let outside = sources().into_iter().filter(|source| source.module() != "db");
    let fault = |source: Source| {
        let code = code(&source.text);
        let named = ["Conn::Sqlite", "Conn::Postgres"].into_iter().find(|name| code.contains(name))?;
        Some(format!("{} names {named}", source.name))
    };
    none(outside.filter_map(fault).collect());
}

#[test]
fn every_migration_has_its_pair_in_the_same_order() {
    let names = |database: &str| {
        let folder = root().join("migrations").join(database);
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        for name in &names {
            for script in ["up.sql", "down.sql"] {
                assert!(folder.join(name).join(script).exists(), "migrations/{database}/{name} has no {script}");
            }
        }
        names
    };
    let sqlite = names("sqlite");
    assert!(!sqlite.is_empty());
    assert_eq!(sqlite, names("postgres"));
}

#[test]
fn every_file_says_first_what_it_is_for() {
    let silent = sources().into_iter().filter(|source| !source.text.starts_with("//! "));
    none(silent.map(|source| format!("{} does not open with `//!`", source.name)).collect());
}

#[test]
fn no_file_is_longer_than_a_room_of_one_subject() {
    let fault = |source: Source| {
        // Its unit tests, which stand at the end, are not counted.
        let lines = source.text.lines().take_while(|line| *line != "#[cfg(test)]").count();
        (lines > LONGEST_FILE).then(|| format!("{} has {lines} lines, more than {LONGEST_FILE}", source.name))
    };
    none(sources().into_iter().filter_map(fault).collect());
}

#[test]
fn every_route_of_the_api_has_a_test_that_names_it() {
    let routes = fs::read_to_string(root().join("src/api/mod.rs")).unwrap();
    let code = code(&routes);
    let tests = tests();
    // The route table holds no other texts that begin with a slash; what has a hole in it is named piece by piece.
    let paths = code.split('"').skip(1).step_by(2).filter(|text| text.starts_with('/') && text.len() > 1);
    let named = |path: &str| path.split(['{', '}']).step_by(2).all(|piece| tests.contains(piece));
    none(paths.filter(|path| !named(path)).map(|path| format!("no test names {path}")).collect());
}

#[test]
fn the_test_of_the_floors_sees_what_it_should() {
    let file = |name: &str, text: &str| faults(&Source { name: name.into(), text: text.into() });
    assert_eq!(file("rest/list.rs", "use crate::api::tasks;"), ["rest/list.rs (floor 6) imports api::tasks (floor 7)"]);
    assert_eq!(
        file("auth/gate.rs", "use crate::{\n    clock::{Clock, Timestamp},\n    mail::Letter,\n};"),
        ["auth/gate.rs (floor 3) imports mail::Letter (floor 3)"]
    );
    assert_eq!(
        file("db/mod.rs", "fn f(user: &crate::model::user::User) {}"),
        ["db/mod.rs (floor 2) imports model::user::User (floor 2)"]
    );
    assert!(file("model/user.rs", "use crate::db::Conn;\nuse crate::model::role::Role;").is_empty());
    assert!(file("clock.rs", "//! Read by [`crate::site`].\nuse $crate::site;").is_empty());
    assert_eq!(file("stray.rs", "").len(), 1);
}
