//! A PostgreSQL server for the tests: started once a process at the first call, gone when the process is, however it ends.
//!
//! It listens on a Unix socket in a folder of its own and keeps nothing on disk for sure (`fsync=off`). A small shell waits
//! on a pipe that only this process holds; when the pipe closes (the end of the tests, a panic, a kill), it stops the server
//! and removes the folder. What a shell that was killed itself leaves behind, the next run sweeps.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use portcullis::db::{Target, migrate};

use super::process::eventually;

/// The URL of a fresh, empty database, for this caller alone.
pub fn url() -> String {
    server().url(&copy_of("template1"))
}

/// The URL of a fresh database with the present schema: a copy of one that is migrated once a process.
pub fn migrated() -> String {
    static TEMPLATE: OnceLock<String> = OnceLock::new();
    let template = TEMPLATE.get_or_init(|| {
        let name = copy_of("template1");
        migrate::run(&mut Target::Postgres(server().url(&name)).connect().unwrap()).unwrap();
        name
    });
    server().url(&copy_of(template))
}

/// The name of a new database, like this one.
fn copy_of(template: &str) -> String {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let name = format!("test_{}", MADE.fetch_add(1, Ordering::Relaxed));
    let mut maintenance = PgConnection::establish(&server().url("postgres")).unwrap();
    maintenance.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE {template}")).unwrap();
    name
}

struct Server {
    folder: PathBuf,
    /// Its standard input is the pipe: never dropped, so that it closes with the process.
    _warden: Child,
}

impl Server {
    fn url(&self, database: &str) -> String {
        format!("postgres:///{database}?host={}&user=postgres", self.folder.display())
    }
}

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(start)
}

const PREFIX: &str = "portcullis-postgres-";

/// Makes the cluster, starts it in the foreground, says so in `started`, and waits at the pipe for its end.
const WARDEN: &str = r#"
    trap '' INT HUP
    cd /
    {
        $as $bin/initdb --pgdata=$folder/data --username=postgres --auth=trust --encoding=UTF8 --locale=C.UTF-8 --no-sync &&
        $as $bin/pg_ctl --pgdata=$folder/data --log=$folder/server.log --wait --options="$options" start &&
        touch $folder/started || touch $folder/failed
    } >$folder/log 2>&1
    read -r _
    $as $bin/pg_ctl --pgdata=$folder/data --mode=immediate --silent stop
    rm -rf $folder
"#;

fn start() -> Server {
    let programs = programs();
    sweep(&programs);
    let folder = std::env::temp_dir().join(format!("{PREFIX}{}", std::process::id()));
    fs::create_dir(&folder).unwrap();
    // PostgreSQL refuses to run as root, so root hands the folder and the programs to the user that Debian made for it.
    let mut run_as = "";
    if fs::metadata(&folder).unwrap().uid() == 0 {
        assert!(Command::new("chown").arg("postgres").arg(&folder).status().unwrap().success());
        run_as = "runuser -u postgres --";
    }
    let options = format!(
        "-c listen_addresses= -c unix_socket_directories={} -c max_connections=400 \
         -c fsync=off -c synchronous_commit=off -c full_page_writes=off",
        folder.display()
    );
    let warden = Command::new("sh")
        .args(["-c", WARDEN])
        .envs([("folder", folder.as_os_str()), ("bin", programs.as_os_str())])
        .envs([("as", run_as), ("options", &options)])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    eventually("PostgreSQL's start", Duration::from_secs(60), || {
        if folder.join("failed").exists() {
            let log = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
            panic!("PostgreSQL did not start:\n{}{}", log("log"), log("server.log"));
        }
        folder.join("started").exists().then_some(())
    });
    Server { folder, _warden: warden }
}

/// Where Debian keeps `initdb` and `pg_ctl`: the newest version that is installed.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<_> = versions.map(|version| version.path().join("bin")).collect();
    folders.retain(|folder| folder.join("initdb").exists());
    folders.sort();
    folders.pop().expect("PostgreSQL is not installed; `make setup` installs it")
}

/// Stops and removes what runs of processes that are no more have left.
fn sweep(programs: &Path) {
    for entry in fs::read_dir(std::env::temp_dir()).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        let Some(process) = name.strip_prefix(PREFIX) else { continue };
        if Path::new("/proc").join(process).exists() {
            continue;
        }
        // The first line of this file is the server's process; it may be long dead.
        if let Ok(lines) = fs::read_to_string(entry.path().join("data/postmaster.pid")) {
            let server = lines.lines().next().unwrap_or_default();
            let runs = fs::read_link(format!("/proc/{server}/exe")).is_ok_and(|program| program.starts_with(programs));
            if runs {
                let _ = Command::new("sh").args(["-c", &format!("kill -QUIT {server}")]).status();
            }
        }
        let _ = fs::remove_dir_all(entry.path());
    }
}

#[test]
fn every_caller_gets_a_database_of_its_own() {
    let mut first = PgConnection::establish(&url()).unwrap();
    let mut second = PgConnection::establish(&url()).unwrap();
    first.batch_execute("CREATE TABLE mine (id int)").unwrap();
    second.batch_execute("CREATE TABLE mine (id int)").unwrap();
}
