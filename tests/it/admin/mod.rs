//! The panel, in process.

mod activity;
mod again;
mod api_keys;
mod attention;
mod audit;
mod blacklist;
mod bulk;
mod content;
mod dashboard;
mod doors;
mod export;
mod first_run;
mod forms;
mod hostile;
mod inspector;
mod invitations;
mod jobs;
mod language;
mod lists;
mod mail;
mod me;
mod people;
mod roles;
mod rules;
mod session_list;
mod sessions;
mod settings;
mod signing_keys;
mod throttling;
mod tokens;
mod two_factor;
mod undo;
mod users;
mod zones;

/// Every path of the panel's route table that is asked for by this kind of route, its holes filled.
fn paths(kind: &str) -> Vec<String> {
    let table = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/admin/mod.rs")).unwrap();
    let routes = table.lines().filter_map(|line| line.trim().strip_prefix(".route(\"")?.split_once("\", "));
    let of_kind = routes.filter(|(_, rest)| rest.starts_with(kind)).map(|(path, _)| path);
    let filled = |path: &str| {
        path.replace("{token}", "x")
            .replace("{jti}", "no-such-token")
            .replace("{id}", "1")
            .replace("{sid}", "no-such-session")
            .replace("{kid}", "no-such-key")
            .replace("{key}", "203.0.113.9")
    };
    let paths: Vec<String> = of_kind.map(|path| format!("/admin{}", filled(path))).collect();
    assert!(paths.len() > 5, "the route table is written in another way: {paths:?}");
    paths
}
