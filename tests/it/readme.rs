//! What README.md tells people to type works as printed: this test types it, block by block, into one shell in an empty folder.
//!
//! The convention, for who writes the README:
//!
//! - A ` ```sh ` block is typed as it stands; each command must succeed. A ` ```console ` block is a transcript: a line that
//!   begins with `$ ` is typed (a trailing `\` goes on in the next line), and the lines after it are what must be answered.
//!   In an answer, `…` stands for anything within a line, `<words>` for one word, and a line that is only `…` for any
//!   number of lines.
//! - ` ```sh no-run ` (and any other language) is not typed: installing the tools, building, what needs another machine.
//! - All blocks share one shell, so a variable set in one is there in the next.
//! - `portcullis` and `cargo run [--release] [--] …` are the binary under test. When it serves, it does so beside the shell
//!   until the next one is started, as in a second terminal, and port 8000 stands for the port that it got.
//! - `eyJ…` in a command is the newest access token that an answer has shown.

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::support::process::{Home, PORTCULLIS, eventually, origin_in};

#[test]
fn what_the_readme_tells_to_type_works_as_printed() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = fs::read_to_string(&readme).unwrap_or_else(|error| panic!("{}: {error}", readme.display()));
    let blocks = blocks(&text);
    assert!(!blocks.is_empty(), "README.md has no ```sh or ```console block");
    let mut terminal = Terminal::open();
    for block in blocks {
        terminal.play(&block);
    }
}

/// Something to type and, in a transcript, what must come back.
#[derive(Debug, PartialEq)]
struct Entry {
    typed: String,
    answer: Option<Vec<String>>,
}

#[derive(Debug)]
struct Block {
    /// Its line in the README, for whoever must mend it.
    line: usize,
    entries: Vec<Entry>,
}

fn blocks(text: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        let Some(info) = line.trim_start().strip_prefix("```") else { continue };
        let indent = line.len() - line.trim_start().len();
        let body: Vec<&str> = lines
            .by_ref()
            .map(|(_, line)| line.get(indent..).unwrap_or_default())
            .take_while(|line| !line.starts_with("```"))
            .collect();
        let entries = match info.trim() {
            "sh" => script(&body),
            "console" => transcript(&body),
            _ => continue,
        };
        found.push(Block { line: at + 1, entries });
    }
    found
}

/// A block without answers: the commands that serve apart, what is between them in one piece.
fn script(lines: &[&str]) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut piece = Vec::new();
    let end = |piece: &mut Vec<&str>, entries: &mut Vec<Entry>| {
        let typed = std::mem::take(piece).join("\n");
        if !typed.trim().is_empty() {
            entries.push(Entry { typed, answer: None });
        }
    };
    for line in lines {
        if serves(line) {
            end(&mut piece, &mut entries);
        }
        piece.push(*line);
        if serves(line) {
            end(&mut piece, &mut entries);
        }
    }
    end(&mut piece, &mut entries);
    entries
}

fn transcript(lines: &[&str]) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut goes_on = false;
    for line in lines {
        let command = line.strip_prefix("$ ");
        match (command, entries.last_mut()) {
            (Some(command), _) if !goes_on => {
                entries.push(Entry { typed: command.to_owned(), answer: Some(Vec::new()) });
            }
            (_, Some(entry)) if goes_on => entry.typed.extend(["\n", *line]),
            (_, Some(Entry { answer: Some(answer), .. })) => answer.push((*line).to_owned()),
            _ => panic!("a console block begins with a line that begins with `$ `, not {line:?}"),
        }
        goes_on = (goes_on || command.is_some()) && line.ends_with('\\');
    }
    entries
}

/// Does this command start the server? `portcullis serve`, `cargo run --release`, with settings before it or flags after it.
fn serves(command: &str) -> bool {
    let command = command.split(" #").next().unwrap_or_default();
    let words: Vec<_> = command.split_whitespace().skip_while(|word| word.contains('=')).collect();
    match words.as_slice() {
        ["portcullis", "serve", ..] => true,
        ["cargo", "run", rest @ ..] => {
            let mut arguments = rest.iter().skip_while(|word| **word != "--").skip(1);
            arguments.next().is_none_or(|verb| *verb == "serve")
        }
        _ => false,
    }
}

/// One shell, kept from the first block to the last.
struct Terminal {
    home: Home,
    shell: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    server: Option<Served>,
    access: Option<String>,
}

/// A server that the README started.
struct Served {
    process: String,
    port: String,
}

/// What the shell prints when a command has succeeded; a command that fails ends the shell instead.
const DONE: &str = "--- done, as nothing else would say it ---";

impl Terminal {
    fn open() -> Self {
        let home = Home::new();
        // What people type is `portcullis` and `cargo run`; both are the binary under test. `curl` keeps its progress to itself.
        let bin = home.path().join(".bin");
        fs::create_dir(&bin).unwrap();
        std::os::unix::fs::symlink(PORTCULLIS, bin.join("portcullis")).unwrap();
        let cargo = "#!/bin/sh\nwhile [ $# -gt 0 ] && [ \"$1\" != -- ]; do shift; done\n\
                     [ $# -eq 0 ] || shift\n[ $# -gt 0 ] || set -- serve\nexec portcullis \"$@\"\n";
        fs::write(bin.join("cargo"), cargo).unwrap();
        fs::set_permissions(bin.join("cargo"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(bin.join(".curlrc"), "silent\nshow-error\nnoproxy = \"*\"\n").unwrap();

        let mut command = home.surroundings("bash");
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        command.args(["--norc", "--noprofile"]).env("PATH", path).env("CURL_HOME", &bin);
        let mut shell = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let input = shell.stdin.take().unwrap();
        let output = BufReader::new(shell.stdout.take().unwrap());
        let mut terminal = Self { home, shell, input, output, server: None, access: None };
        terminal.ask("exec 2>&1; set -eo pipefail");
        terminal
    }

    fn play(&mut self, block: &Block) {
        for entry in &block.entries {
            let answer = if serves(&entry.typed) { self.serve(&entry.typed) } else { self.ask(&entry.typed) };
            if let Some(access) = value_of("access", &answer) {
                self.access = Some(access);
            }
            if let Some(expected) = &entry.answer {
                let shown = match &self.server {
                    Some(server) => answer.replace(&format!(":{}", server.port), ":8000"),
                    None => answer,
                };
                let lines: VecDeque<&str> = shown.trim_end().lines().collect();
                assert!(
                    agree(expected, lines),
                    "README.md, block at line {}: `{}` should answer\n{}\nbut answered\n{shown}",
                    block.line,
                    entry.typed,
                    expected.join("\n"),
                );
            }
        }
    }

    /// Types a command, waits for its end, and returns what it printed.
    fn ask(&mut self, typed: &str) -> String {
        let mut typed = typed.to_owned();
        if let Some(server) = &self.server {
            for host in ["localhost", "127.0.0.1"] {
                typed = typed.replace(&format!("{host}:8000"), &format!("127.0.0.1:{}", server.port));
            }
        }
        if let Some(access) = &self.access {
            typed = typed.replace("eyJ…", access);
        }
        writeln!(self.input, "{typed}\nprintf '\\n%s\\n' '{DONE}'").unwrap();
        let mut answer = String::new();
        for line in self.output.by_ref().lines() {
            let line = line.unwrap();
            if line == DONE {
                return answer;
            }
            answer.push_str(&line);
            answer.push('\n');
        }
        panic!("README.md: this failed:\n{typed}\n{answer}");
    }

    /// Starts the server beside the shell and returns what it printed until it listened.
    fn serve(&mut self, typed: &str) -> String {
        self.stop();
        let log = self.home.path().join(".log");
        let command = typed.split(" #").next().unwrap();
        // The words of the server before would be taken for this one's.
        let _ = fs::remove_file(&log);
        let process = self.ask(&format!("{command} >.log 2>&1 </dev/null &\necho $!"));
        let read = || fs::read_to_string(&log).unwrap_or_default();
        let origin = eventually("the start line", Duration::from_secs(30), || origin_in(&read()));
        let port = origin.rsplit(':').next().unwrap().to_owned();
        self.server = Some(Served { process: process.trim().to_owned(), port });
        // The set-up link follows the start line, and the log of requests has not begun.
        let mut lines = 0;
        eventually("the end of the first words", Duration::from_secs(30), || {
            let now = read().lines().count();
            std::mem::replace(&mut lines, now).eq(&now).then_some(())
        });
        read()
    }

    fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            self.ask(&format!("kill {0} && wait {0}", server.process));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            let _ = Command::new("sh").args(["-c", &format!("kill -KILL {}", server.process)]).status();
        }
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

/// The text of a member in a line of JSON: `eyJ…` of `{"access":"eyJ…"}`.
fn value_of(name: &str, answer: &str) -> Option<String> {
    let (_, rest) = answer.split_once(&format!("\"{name}\":\""))?;
    rest.split('"').next().map(str::to_owned)
}

/// Is this answer what the transcript shows?
fn agree(expected: &[String], mut lines: VecDeque<&str>) -> bool {
    let Some((first, rest)) = expected.split_first() else { return lines.is_empty() };
    if first.trim() == "…" {
        return (0..=lines.len()).any(|skipped| agree(rest, lines.iter().skip(skipped).copied().collect()));
    }
    lines.pop_front().is_some_and(|line| fits(first.trim_end(), line.trim_end())) && agree(rest, lines)
}

/// Does this line have the shape of that one, in which `…` is anything and `<words>` is one word?
fn fits(shape: &str, line: &str) -> bool {
    let Some(hole) = shape.find(['…', '<']) else { return shape == line };
    let (before, from_hole) = shape.split_at(hole);
    let Some(line) = line.strip_prefix(before) else { return false };
    let (after, one_word) = match from_hole.strip_prefix('…') {
        Some(after) => (after, false),
        None => match from_hole.split_once('>') {
            Some((_, after)) => (after, true),
            None => return from_hole == line,
        },
    };
    let ends = line.char_indices().map(|(at, _)| at).chain([line.len()]);
    let mut candidates = ends.filter(|end| !(one_word && (*end == 0 || line[..*end].contains(char::is_whitespace))));
    candidates.any(|end| fits(after, &line[end..]))
}

#[test]
fn a_transcript_is_commands_and_what_they_answer() {
    let text = "# Title\n```console\n$ portcullis serve\nportcullis … on <address>\n$ curl a \\\n    b\n{}\n```\n\
                ```sh no-run\nmake\n```\n```sh\nX=1\nportcullis serve # here\necho $X\n```\n";
    let blocks = blocks(text);
    let [console, sh] = blocks.as_slice() else { panic!("{blocks:?}") };
    let entry = |typed: &str, answer: Option<&str>| Entry {
        typed: typed.into(),
        answer: answer.map(|line| vec![line.to_owned()]),
    };
    assert_eq!(console.line, 2);
    let spoken = [entry("portcullis serve", Some("portcullis … on <address>")), entry("curl a \\\n    b", Some("{}"))];
    assert_eq!(console.entries, spoken);
    assert_eq!(sh.entries, [entry("X=1", None), entry("portcullis serve # here", None), entry("echo $X", None)]);
}

#[test]
fn holes_in_an_answer_stand_for_what_they_say() {
    assert!(fits(r#"{"refresh":"eyJ…","access":"eyJ…"}"#, r#"{"refresh":"eyJhbG","access":"eyJ0eX"}"#));
    assert!(fits("open http://x/setup/<one-time token>/", "open http://x/setup/abc/"));
    assert!(!fits("open http://x/setup/<one-time token>/", "open http://x/setup/a b/"));
    assert!(!fits("a … c", "a b d"));
    assert!(agree(&["a".into(), "…".into(), "z".into()], ["a", "b", "c", "z"].into()));
    assert!(!agree(&["a".into()], ["a", "b"].into()));
}

#[test]
fn the_server_is_told_from_other_commands() {
    for command in
        ["portcullis serve", "cargo run --release   # or so", "A=1 portcullis serve --demo", "cargo run -- serve"]
    {
        assert!(serves(command), "{command}");
    }
    for command in ["portcullis user staff ann", "cargo build", "cargo run --release -- migrate", "curl localhost:8000"]
    {
        assert!(!serves(command), "{command}");
    }
}
