//! How a letter goes out: by a mail server, to the console, into a file, or into memory for tests.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::Context;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::{self, AsyncSmtpTransport};
use lettre::{AsyncTransport, Message, Tokio1Executor};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::clock::Timestamp;
use crate::mail::Letter;
use crate::settings::{self, MailBackend, SmtpTls};

/// Why a letter did not go out.
#[derive(Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It never will: the address, or the letter itself, was refused.
    ForGood(String),
    /// It may another time; the next letter may go out all the same.
    ForNow(String),
    /// It may another time, and no other would fare better: the mail server is not to be spoken to.
    Unreachable(String),
}

/// How letters go out. Cheap to clone.
#[derive(Clone)]
pub enum Mailer {
    /// By a mail server.
    Smtp(Box<Smtp>),
    /// Printed on standard output, which is not the log.
    Console,
    /// A file each, in this folder, for its owner alone.
    File(PathBuf, Mailbox),
    /// Kept, for tests.
    Memory(Arc<Mutex<Vec<Letter>>>),
}

/// A mail server.
#[derive(Clone)]
pub struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    patience: Duration,
}

/// Codes that are about us and not about the letter: what the administrator can mend (RFC 5321 §4.2.3, RFC 4954 §6).
const OUR_FAULT: [&str; 9] = ["500", "501", "502", "503", "504", "530", "534", "535", "538"];

impl Mailer {
    /// By these settings; files go to the data folder if no other is named.
    ///
    /// # Errors
    /// One sentence about what cannot be used.
    pub fn new(mail: &settings::Mail, data_dir: &Path) -> anyhow::Result<Self> {
        let from = || mail.from.parse::<Mailbox>().context("mail.from");
        Ok(match mail.backend {
            MailBackend::Console => Self::Console,
            MailBackend::Memory => Self::Memory(Arc::default()),
            MailBackend::File => {
                let folder = mail.folder.clone().unwrap_or_else(|| data_dir.join("mail"));
                std::fs::create_dir_all(&folder).with_context(|| format!("mail.folder {}", folder.display()))?;
                Self::File(folder, from()?)
            }
            MailBackend::Smtp => {
                let host = mail.smtp_host.clone().context("mail.smtp_host is not set")?;
                let parameters = || TlsParameters::new(host.clone()).context("mail.smtp_tls");
                let tls = match mail.smtp_tls {
                    SmtpTls::Starttls => Tls::Required(parameters()?),
                    SmtpTls::Tls => Tls::Wrapper(parameters()?),
                    SmtpTls::None => Tls::None,
                };
                let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&host)
                    .port(mail.smtp_port)
                    .tls(tls)
                    .timeout(Some(mail.smtp_timeout));
                if let (Some(user), Some(password)) = (&mail.smtp_user, &mail.smtp_password) {
                    transport = transport.credentials(Credentials::new(user.clone(), password.expose().to_owned()));
                }
                let smtp = Smtp { transport: transport.build(), from: from()?, patience: mail.smtp_timeout };
                Self::Smtp(Box::new(smtp))
            }
        })
    }

    /// Whether letters are printed and reach nobody.
    pub fn prints(&self) -> bool {
        matches!(self, Self::Console)
    }

    /// Delivers one letter, in no more than the time that settings allow. What is told of a failure holds nothing of the
    /// letter: it may be logged.
    ///
    /// # Errors
    /// Why it did not go out, and whether it ever will.
    pub async fn deliver(&self, letter: &Letter, now: Timestamp) -> Result<(), Trouble> {
        match self {
            Self::Memory(kept) => {
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(letter.clone());
                Ok(())
            }
            Self::Console => print(letter).await,
            Self::File(folder, from) => {
                let message = message(letter, from, now)?;
                let name = format!("{}-{}.eml", now.rfc3339().replace(':', ""), random().map_err(Trouble::ForNow)?);
                write(&folder.join(name), &message.formatted())
                    .map_err(|error| Trouble::ForNow(format!("mail.folder cannot be written: {error}")))
            }
            Self::Smtp(smtp) => {
                let message = message(letter, &smtp.from, now)?;
                match timeout(smtp.patience, smtp.transport.send(message)).await {
                    Ok(Ok(_)) => Ok(()),
                    Ok(Err(error)) => Err(refused(&error)),
                    Err(_) => Err(Trouble::Unreachable("the mail server took too long".to_owned())),
                }
            }
        }
    }
}

/// A refusal by its code alone: what a server says beside it could repeat the letter.
fn refused(error: &smtp::Error) -> Trouble {
    match error.status() {
        Some(code) if error.is_permanent() && !OUR_FAULT.contains(&code.to_string().as_str()) => {
            Trouble::ForGood(format!("the mail server refused it with {code}"))
        }
        // About this recipient (RFC 5321 §4.2.3); what else a server puts off, it puts off for all.
        Some(code) if ["450", "451", "452"].contains(&code.to_string().as_str()) => {
            Trouble::ForNow(format!("the mail server answered {code}"))
        }
        Some(code) => Trouble::Unreachable(format!("the mail server answered {code}")),
        None => {
            let mut cause: &dyn std::error::Error = error;
            while let Some(deeper) = cause.source() {
                cause = deeper;
            }
            Trouble::Unreachable(format!("the mail server could not be spoken to: {cause}"))
        }
    }
}

/// The letter as it travels (RFC 5322), marked as written by a machine (RFC 3834 §5), so that nobody's absence answers.
fn message(letter: &Letter, from: &Mailbox, now: Timestamp) -> Result<Message, Trouble> {
    let unusable = |what: &str| Trouble::ForGood(format!("the {what} cannot stand in a letter"));
    // Parsed alone: what holds a second address or a line break is no address.
    let to: lettre::Address = letter.to.parse().map_err(|_| unusable("address"))?;
    let date = SystemTime::UNIX_EPOCH + Duration::from_secs(now.seconds().try_into().unwrap_or(0));
    let id = format!("<{}@{}>", random().map_err(Trouble::ForNow)?, from.email.domain());
    let head = Message::builder()
        .from(from.clone())
        .to(Mailbox::new(None, to))
        .subject(letter.subject.clone())
        .date(date)
        .message_id(Some(id))
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()));
    let text = letter.text.clone();
    let whole = if letter.html.is_empty() {
        head.singlepart(SinglePart::plain(text))
    } else {
        head.multipart(MultiPart::alternative_plain_html(text, letter.html.clone()))
    };
    whole.map_err(|_| unusable("text"))
}

fn random() -> Result<String, String> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| "the system has no random bytes".to_owned())?;
    Ok(hex::encode(bytes))
}

/// Whole or not at all, and readable by its owner alone: it holds a link.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let unfinished = path.with_extension("unfinished");
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(unfinished, path)
}

/// Prints on a thread of its own: a standard output that nobody reads must hold up nothing, not even the end of the server.
async fn print(letter: &Letter) -> Result<(), Trouble> {
    let Letter { to, subject, text, .. } = letter;
    let page = format!("---- letter to {to}: {subject}\n{}\n----\n", text.trim_end());
    let (done, printed) = oneshot::channel();
    let print = move || _ = done.send(std::io::stdout().lock().write_all(page.as_bytes()));
    let started = std::thread::Builder::new().name("console".into()).spawn(print);
    let stuck = |_| Trouble::ForNow("standard output is not read".to_owned());
    let lost = |_| Trouble::ForNow("standard output cannot be written".to_owned());
    started.map_err(lost)?;
    match timeout(Duration::from_secs(20), printed).await.map_err(stuck)? {
        Ok(written) => written.map_err(lost),
        Err(_) => Err(Trouble::ForNow("standard output cannot be written".to_owned())),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn letter(to: &str) -> Letter {
        let [subject, text, html] = ["Hello", "text", "<p>html</p>"].map(ToOwned::to_owned);
        Letter { to: to.to_owned(), subject, text, html }
    }

    /// EML-05.
    #[test]
    fn a_letter_goes_to_one_address_and_no_line_break_gets_into_its_head() {
        let from: Mailbox = "Portcullis <auth@example.org>".parse().unwrap();
        let now = Timestamp::from_seconds(1_767_268_800);
        for bad in ["", "ann", "a@b.example, c@d.example", "a@b.example\r\nBcc: c@d.example", "Ann <a@b.example>"] {
            let told = message(&letter(bad), &from, now).unwrap_err();
            assert_eq!(told, Trouble::ForGood("the address cannot stand in a letter".to_owned()), "{bad}");
        }
        let split = Letter { subject: "a\r\nBcc: c@d.example".to_owned(), ..letter("a@b.example") };
        let written = String::from_utf8(message(&split, &from, now).unwrap().formatted()).unwrap();
        assert!(!written.contains("\nBcc:"), "{written}");
        let written = String::from_utf8(message(&letter("a@b.example"), &from, now).unwrap().formatted()).unwrap();
        let head = written.split("\r\n\r\n").next().unwrap();
        for line in [
            "From: Portcullis <auth@example.org>",
            "To: a@b.example",
            "Subject: Hello",
            "Date: Thu, 01 Jan 2026 12:00:00 +0000",
            "Auto-Submitted: auto-generated",
        ] {
            assert!(head.lines().any(|one| one == line), "{line} in {head}");
        }
    }
}
