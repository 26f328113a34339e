//! Letters in one's own words: `NAME.txt`, and `NAME.html` beside it, in the folder that `mail.templates_dir` names.
//! `{{ username }}`, `{{ link }}` and `{{ host }}` stand for themselves; a first line `Subject: …` is the subject.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::mail::Letter;
use crate::mail::letters::Link;

/// The words of one letter, read anew for each, so that an edit needs no restart.
pub struct Own {
    subject: Option<String>,
    text: String,
    html: String,
}

impl Own {
    /// The words for the letter `name`, if the folder has any.
    pub fn read(folder: &Path, name: &str) -> Option<Self> {
        let text = read(&folder.join(format!("{name}.txt")))?;
        let html = read(&folder.join(format!("{name}.html"))).unwrap_or_default();
        let subject = text.strip_prefix("Subject:").and_then(|rest| rest.split_once('\n'));
        Some(match subject {
            Some((subject, text)) => {
                Self { subject: Some(subject.trim().to_owned()), text: text.trim_start().to_owned(), html }
            }
            None => Self { subject: None, text, html },
        })
    }

    /// The letter: for several accounts their words one after the other.
    pub fn letter(&self, to: &str, subject: &str, host: &str, links: &[Link]) -> Letter {
        let each = |words: &str, written: fn(&str) -> String| -> String {
            links.iter().map(|link| filled(words, host, link, written)).collect()
        };
        let first = links.first().zip(self.subject.as_ref());
        Letter {
            to: to.to_owned(),
            subject: first.map_or_else(|| subject.to_owned(), |(link, own)| filled(own, host, link, plain)),
            text: each(&self.text, plain),
            html: each(&self.html, escaped),
        }
    }
}

fn read(path: &Path) -> Option<String> {
    match fs::read_to_string(path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => {
            log::error!(
                "mail.templates_dir: {} cannot be read, and the built-in words are used: {error}",
                path.display()
            );
            None
        }
    }
}

/// Fills in what stands between braces, each once: what is filled in is not looked at again.
fn filled(words: &str, host: &str, link: &Link, written: fn(&str) -> String) -> String {
    let mut out = String::new();
    let mut rest = words;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let Some((name, after)) = after.split_once("}}") else {
            out.push_str("{{");
            rest = after;
            continue;
        };
        match name.trim() {
            "username" => out.push_str(&written(&link.username)),
            "link" => out.push_str(&written(&link.url)),
            "host" => out.push_str(&written(host)),
            _ => out.extend(["{{", name, "}}"]),
        }
        rest = after;
    }
    out + rest
}

fn plain(text: &str) -> String {
    text.to_owned()
}

fn escaped(text: &str) -> String {
    let pairs = [("&", "&#38;"), ("<", "&#60;"), (">", "&#62;"), ("\"", "&#34;"), ("'", "&#39;")];
    pairs.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}
