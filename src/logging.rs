//! Where log lines go: to standard error, by a thread of its own, so that a reader who is slow stops no request.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use env_logger::{Builder, Target};

/// How many lines may wait to be written; more are dropped, and counted.
const WAITING: usize = 8192;

enum Message {
    Line(Vec<u8>),
    Flush(Sender<()>),
}

struct Pipe {
    lines: Sender<Message>,
    dropped: Arc<AtomicU64>,
}

impl Write for Pipe {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Err(TrySendError::Full(_)) = self.lines.try_send(Message::Line(line.to_vec())) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes what still waits when it is dropped.
pub struct Flusher(Sender<Message>);

impl Drop for Flusher {
    fn drop(&mut self) {
        let (done, written) = bounded(1);
        if self.0.try_send(Message::Flush(done)).is_ok() {
            let _ = written.recv_timeout(Duration::from_secs(1)); // a reader who has stopped reading is not waited for
        }
    }
}

/// Starts the log of a server: one line an event, by the filter `level` (`info`, `warn,portcullis=debug`).
///
/// # Errors
/// If there is a log already, or no thread to be had.
pub fn start(level: &str) -> anyhow::Result<Flusher> {
    let (lines, queue) = bounded(WAITING);
    let dropped = Arc::new(AtomicU64::new(0));
    let lost = dropped.clone();
    thread::Builder::new().name("log".into()).spawn(move || write_lines(&queue, &lost)).context("the log's thread")?;
    let pipe = Pipe { lines: lines.clone(), dropped };
    let mut builder = Builder::new();
    builder.parse_filters(level).target(Target::Pipe(Box::new(pipe))).format(format);
    builder.try_init().context("cannot start the log")?;
    Ok(Flusher(lines))
}

/// Starts the log of a command: warnings, straight to standard error.
///
/// # Errors
/// If there is a log already.
pub fn start_plain() -> anyhow::Result<()> {
    Builder::new().parse_filters("warn").format(format).try_init().context("cannot start the log")
}

fn format(buffer: &mut env_logger::fmt::Formatter, record: &log::Record<'_>) -> io::Result<()> {
    let (time, message) = (buffer.timestamp_millis(), record.args().to_string());
    // Control characters could make one event look like two.
    let message: String = message.chars().flat_map(escaped).collect();
    writeln!(buffer, "{time} {} {} {message}", record.level(), record.target())
}

fn escaped(c: char) -> impl Iterator<Item = char> {
    let (plain, control) = if c.is_control() { (None, Some(c.escape_default())) } else { (Some(c), None) };
    plain.into_iter().chain(control.into_iter().flatten())
}

fn write_lines(queue: &Receiver<Message>, dropped: &AtomicU64) {
    while let Ok(first) = queue.recv() {
        let mut out = Vec::new();
        let mut flushed = None;
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                Message::Line(line) => out.extend(line),
                Message::Flush(done) => flushed = Some(done),
            }
            next = if out.len() < 64 * 1024 { queue.try_recv().ok() } else { None };
        }
        let lost = dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            out.extend(format!("{lost} log lines were dropped: nobody read them fast enough\n").into_bytes());
        }
        // Nothing can be told about a log that cannot be written.
        let _ = io::stderr().write_all(&out);
        if let Some(done) = flushed {
            let _ = done.send(());
        }
    }
}
