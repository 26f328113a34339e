//! Servers as processes of their own, so that their CPU time and memory are theirs alone.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use actix_web::{App, HttpResponse, HttpServer, web};

use super::client;

/// The argument that makes this program the server that ours is compared with.
pub const BARE: &str = "--bare";
/// Threads that answer, in every server here.
pub const WORKERS: usize = 2;

/// What ours is compared with: one route that answers a small static JSON, and nothing around it.
pub fn serve_bare() {
    actix_web::rt::System::new().block_on(async {
        let hello =
            || async { HttpResponse::Ok().content_type("application/json").body(r#"{"message":"Hello, ann"}"#) };
        let server = HttpServer::new(move || App::new().route("/api/hello/", web::get().to(hello)));
        let server = server.workers(WORKERS).bind("127.0.0.1:0").unwrap();
        println!("bare on http://{}", server.addrs()[0]);
        server.run().await.unwrap();
    });
}

/// Asks `question` until it has an answer, and fails with `what` when it has none in time.
pub fn eventually<T>(what: &str, limit: Duration, mut question: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = question() {
            return answer;
        }
        assert!(start.elapsed() < limit, "{what}: not within {limit:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A server that runs; killed when it goes out of sight.
pub struct Process {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// From its start to its first answer.
    pub first_answer: Duration,
}

impl Process {
    /// The bare server.
    pub fn bare() -> Self {
        Self::start(Command::new(std::env::current_exe().unwrap()).arg(BARE), "/api/hello/")
    }

    /// The server with bare sockets.
    pub fn bare_sockets() -> Self {
        Self::start(Command::new(std::env::current_exe().unwrap()).arg(crate::sockets::BARE_SOCKETS), "/api/hello/")
    }

    /// The release binary on this data folder, with its log off unless `settings` say otherwise.
    pub fn portcullis(data: &Path, settings: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
        let workers = WORKERS.to_string();
        let standing = [
            ("SERVER__BIND", "127.0.0.1:0"),
            ("SERVER__WORKERS", &workers),
            ("SERVER__DATA_DIR", data.to_str().unwrap()),
            ("LOG__LEVEL", "off"),
            ("THROTTLE__LOGIN", "off"),
            ("JWT__ACCESS_TOKEN_LIFETIME", "1h"), // so that one token lasts a whole run
        ];
        for (name, value) in standing.iter().chain(settings) {
            command.env(format!("PORTCULLIS_{name}"), value);
        }
        let log = fs::File::create(data.with_extension("log")).unwrap();
        Self::start(command.stderr(log), "/healthz")
    }

    fn start(command: &mut Command, path: &str) -> Self {
        let begun = Instant::now();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut words = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut words).unwrap();
        let (_, rest) = words.split_once("http://").unwrap_or_else(|| panic!("it did not start: {words}"));
        let address = rest.split_whitespace().next().unwrap().parse().unwrap();
        let request = client::request("GET", path, None, None);
        // The line is printed a moment before the workers run; the kernel keeps the connection for them meanwhile.
        let answer = super::block_on(async { client::Client::connect(address).await.ask(&request).await });
        let first_answer = begun.elapsed();
        assert_eq!(answer.status, 200);
        Self { child, address, first_answer }
    }

    /// CPU time so far, user and system, of all its threads; exact for those that sleep.
    pub fn cpu(&self) -> Duration {
        let threads = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let of = |thread: fs::DirEntry| cpu_of(&thread.path());
        threads.map(|thread| of(thread.unwrap())).sum()
    }

    /// A line of `/proc/…/status` that counts kilobytes, in MiB: `VmRSS`, `RssAnon`, `VmHWM`.
    pub fn memory(&self, name: &str) -> f64 {
        memory_of(&self.child.id().to_string(), name)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// CPU time of the thread in this folder of `/proc`.
pub fn cpu_of(thread: &Path) -> Duration {
    let account = fs::read_to_string(thread.join("schedstat")).unwrap_or_default();
    Duration::from_nanos(account.split(' ').next().unwrap().parse().unwrap_or(0))
}

/// As [`Process::memory`], for any process, `self` too.
pub fn memory_of(process: &str, name: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}
