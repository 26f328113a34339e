//! A Redis server for the tests: one a process, on a Unix socket in a folder of its own, gone when the process is, however it
//! ends: a small shell waits on a pipe that only this process holds.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::process::eventually;

/// A Redis of the test's own, which it may stop and start.
pub struct Redis {
    folder: PathBuf,
    /// Its standard input is the pipe.
    warden: Option<Child>,
}

/// The address of a fresh, empty database of the one server, for this caller alone.
pub fn url() -> String {
    static SERVER: OnceLock<Redis> = OnceLock::new();
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    format!("{}&db={}", SERVER.get_or_init(Redis::start).url(), GIVEN.fetch_add(1, Ordering::Relaxed))
}

const PREFIX: &str = "portcullis-redis-";

const WARDEN: &str = r#"
    trap '' INT HUP
    cd $folder
    redis-server --port 0 --unixsocket $folder/socket --save '' --databases 1000 --requirepass open >$folder/log 2>&1 &
    read -r stop
    kill -KILL $!
    [ "$stop" ] || rm -rf $folder
"#;

impl Redis {
    /// One that is running.
    pub fn start() -> Self {
        sweep();
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("{PREFIX}{}-{number}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        let mut redis = Self { folder, warden: None };
        redis.go_on();
        redis
    }

    /// Starts it again, empty.
    pub fn go_on(&mut self) {
        let mut command = Command::new("sh");
        command.args(["-c", WARDEN]).env("folder", &self.folder).stdin(Stdio::piped());
        self.warden = Some(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        let log = || fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        eventually("Redis' start (`make setup` installs it)", Duration::from_secs(30), || {
            log().contains("ready to accept connections").then_some(())
        });
    }

    /// Stops it; whoever asks finds nobody.
    pub fn stop(&mut self) {
        if let Some(mut warden) = self.warden.take() {
            warden.stdin.take().unwrap().write_all(b"stop\n").unwrap();
            warden.wait().unwrap();
        }
        let _ = fs::remove_file(self.folder.join("socket"));
        let _ = fs::remove_file(self.folder.join("log"));
    }

    /// Its address, with its password.
    pub fn url(&self) -> String {
        format!("redis+unix://{}?pass=open", self.folder.join("socket").display())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.stop();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Removes the folders of processes that are no more; their servers ended with them.
fn sweep() {
    for entry in fs::read_dir(std::env::temp_dir()).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        let process = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
