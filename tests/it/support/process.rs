//! The built binary as a person runs it: a process in a folder of its own, on a port that the system chose, its log kept.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The binary under test.
pub const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");

/// How long a start, a stop or a command may take before it counts as hanging. Generous: figures belong in `benches/`.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks `question` until it has an answer, and fails with `what` when it has none in time.
#[track_caller]
pub fn eventually<T>(what: &str, limit: Duration, mut question: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = question() {
            return answer;
        }
        assert!(start.elapsed() < limit, "{what}: not within {limit:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A folder to serve from, empty at first and gone at the end, with the settings of every start in it.
pub struct Home {
    folder: TempDir,
    settings: Vec<(String, String)>,
}

impl Home {
    /// An empty folder, and the one setting that every test needs: a port of the system's choice.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("portcullis-test-").tempdir().unwrap();
        Self { folder, settings: Vec::new() }.with("PORTCULLIS_SERVER__BIND", "127.0.0.1:0")
    }

    /// One more variable in the environment of every start and command.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.settings.retain(|(known, _)| known != name);
        self.settings.push((name.into(), value.into()));
        self
    }

    /// A first superuser from the environment, made at the first start.
    pub fn with_superuser(self, name: &str, password: &str) -> Self {
        self.with("PORTCULLIS_SUPERUSER_USERNAME", name)
            .with("PORTCULLIS_SUPERUSER_EMAIL", &format!("{name}@example.org"))
            .with("PORTCULLIS_SUPERUSER_PASSWORD", password)
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The binary with these arguments, in this folder.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.surroundings(PORTCULLIS);
        command.args(arguments);
        command
    }

    /// A program in this folder, with these settings and none that this process was given.
    pub fn surroundings(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if is_ours(&name) {
                command.env_remove(name);
            }
        }
        command.current_dir(self.path()).envs(self.settings.iter().cloned());
        command
    }

    /// Runs a command to its end, with `input` on its standard input.
    #[track_caller]
    pub fn run(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that does not read its input may be gone before it is written; that is no fault of it.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let streams = [collect(child.stdout.take().unwrap()), collect(child.stderr.take().unwrap())];
        let status = ended(&mut child, &format!("portcullis {}", arguments.join(" ")), PATIENCE);
        let [stdout, stderr] = streams.map(|stream| stream.join().unwrap());
        Output { status, stdout, stderr }
    }

    /// Starts the server and waits until it listens.
    #[track_caller]
    pub fn serve(&self) -> Server {
        let mut command = self.command(&["serve"]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (words, log) = (Arc::default(), Arc::default());
        follow(child.stdout.take().unwrap(), Arc::clone(&words));
        follow(child.stderr.take().unwrap(), Arc::clone(&log));
        let mut server = Server { child, words, log, origin: String::new() };
        server.origin = eventually("the start line", PATIENCE, || {
            if let Some(status) = server.child.try_wait().unwrap() {
                panic!("the server ended at its start ({status}):\n{}", server.log());
            }
            origin_in(&server.words())
        });
        server
    }
}

/// A running server; killed when it goes out of sight.
pub struct Server {
    child: Child,
    words: Arc<Mutex<String>>,
    log: Arc<Mutex<String>>,
    origin: String,
}

impl Server {
    /// `http://127.0.0.1:43211`.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The process's number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has said so far to who started it, on standard output.
    pub fn words(&self) -> String {
        self.words.lock().unwrap().clone()
    }

    /// What it has written so far to its log, on standard error.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// The one-time link that it printed for the first administrator.
    #[track_caller]
    pub fn setup_link(&self) -> String {
        eventually("the set-up link", PATIENCE, || {
            let words = self.words();
            let (_, rest) = words.split_once("no administrator yet: open ")?;
            rest.contains('\n').then(|| rest.split_whitespace().next().unwrap().to_owned())
        })
    }

    /// Ends it without warning, as a power cut would.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop (SIGTERM) and waits until it has; fails when that takes longer than `limit`.
    #[track_caller]
    pub fn stop(mut self, limit: Duration) -> ExitStatus {
        // The shell's own `kill`: a test machine may lack the program, and the standard library has no signals.
        let asked = Command::new("sh").args(["-c", &format!("kill -TERM {}", self.id())]).status().unwrap();
        assert!(asked.success(), "the server was gone already:\n{}", self.log());
        ended(&mut self.child, "the server after SIGTERM", limit)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("---- words and log of the server ----\n{}{}", self.words(), self.log());
        }
    }
}

/// The address in the start line: `portcullis 0.1.0 on http://127.0.0.1:43211 · data in ./data · SQLite`.
pub fn origin_in(log: &str) -> Option<String> {
    let line = log.split_inclusive('\n').find(|line| line.starts_with("portcullis ") && line.ends_with('\n'))?;
    let (_, rest) = line.split_once(" on ")?;
    rest.split_whitespace().next().map(|origin| origin.trim_end_matches('/').to_owned())
}

fn is_ours(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with("PORTCULLIS_") || name == "RUST_LOG")
}

/// Waits for the end of a process and kills it when it does not come.
#[track_caller]
fn ended(child: &mut Child, what: &str, limit: Duration) -> ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if start.elapsed() > limit {
            let _ = child.kill();
            panic!("{what} did not end within {limit:?}");
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn collect(mut stream: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        bytes
    })
}

fn follow(stream: impl Read + Send + 'static, log: Arc<Mutex<String>>) {
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let mut log = log.lock().unwrap();
            log.push_str(&line);
            log.push('\n');
        }
    });
}
