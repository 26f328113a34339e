//! A mail server on loopback: the real aiosmtpd in `tests/smtp/server.py`, which behaves as it is told.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use portcullis::settings::{MailBackend, Settings, SmtpTls};
use serde_json::Value;

use super::process::eventually;

const PATIENCE: Duration = Duration::from_secs(60);

/// The running server; gone when it goes out of sight.
pub struct MailServer {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    pub port: u16,
}

impl MailServer {
    /// One that behaves by this mode; see the script for what there is.
    pub fn start(mode: &str) -> Self {
        Self::with(mode, &[])
    }

    /// One with a certificate.
    pub fn start_with(mode: &str, certificate: &Certificate) -> Self {
        Self::with(mode, &[&certificate.certificate, &certificate.key])
    }

    fn with(mode: &str, more: &[&PathBuf]) -> Self {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
        let mut command = Command::new(tests.join(".venv/bin/python"));
        command.arg(tests.join("smtp/server.py")).arg(mode).args(more);
        // Its own complaints, of clients that leave in the middle, are what the stories want.
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("tests/.venv is missing: run make setup");
        let (lines, out) = (Arc::<Mutex<Vec<String>>>::default(), child.stdout.take().unwrap());
        let kept = lines.clone();
        thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                kept.lock().unwrap().push(line);
            }
        });
        let port = eventually("the mail server's start", PATIENCE, || {
            lines.lock().unwrap().first().and_then(|line| line.strip_prefix("port ")?.parse().ok())
        });
        Self { child, lines, port }
    }

    /// The letters that it has taken.
    pub fn letters(&self) -> Vec<Value> {
        let lines = self.lines.lock().unwrap();
        lines.iter().filter(|line| line.starts_with('{')).map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// How many connections there have been.
    pub fn connections(&self) -> usize {
        self.lines.lock().unwrap().iter().filter(|line| *line == "connected").count()
    }

    /// The first letter, once it is there.
    #[track_caller]
    pub fn letter(&self) -> Value {
        eventually("a letter", PATIENCE, || self.letters().into_iter().next())
    }

    /// Settings that send letters to it, in clear.
    pub fn settings(&self, settings: &mut Settings) {
        by_smtp(settings, self.port);
    }
}

/// Settings that send letters to this port of this machine, in clear.
pub fn by_smtp(settings: &mut Settings, port: u16) {
    let mail = &mut settings.mail;
    (mail.backend, mail.smtp_tls) = (MailBackend::Smtp, SmtpTls::None);
    (mail.smtp_host, mail.smtp_port) = (Some("127.0.0.1".to_owned()), port);
    settings.server.public_url = Some("http://127.0.0.1:8000".to_owned());
}

impl Drop for MailServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A certificate for `localhost`, and its key.
pub struct Certificate {
    pub certificate: PathBuf,
    key: PathBuf,
}

impl Certificate {
    /// A new one, in this folder.
    pub fn in_folder(folder: &Path) -> Self {
        let made = Self { certificate: folder.join("mail.crt"), key: folder.join("mail.key") };
        let mut command = Command::new("openssl");
        command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]);
        command.args(["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]);
        command.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
        command.arg("-out").arg(&made.certificate).arg("-keyout").arg(&made.key);
        let made_it = command.stderr(Stdio::null()).status().unwrap().success();
        assert!(made_it, "openssl made no certificate");
        made
    }
}
