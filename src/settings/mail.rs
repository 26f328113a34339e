//! `[mail]`: how letters go out, and where their links lead.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use lettre::message::Mailbox;
use serde::{Deserialize, Serialize};
use url::Url;

use super::rules::Complaint;
use super::value::{self, Secret};

/// What the links of letters say in place of the token.
pub const TOKEN: &str = "{token}";

/// How letters go out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailBackend {
    /// Printed on standard output.
    #[default]
    Console,
    /// By a mail server.
    Smtp,
    /// A file each.
    File,
    /// Kept in memory: for tests, and no value of a setting.
    #[serde(skip)]
    Memory,
}

/// How the connection to the mail server is kept from listeners.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SmtpTls {
    /// Turned to TLS before anything is said (RFC 3207); a server that cannot is refused.
    #[default]
    Starttls,
    /// TLS from the first byte (RFC 8314 §3).
    Tls,
    /// Not at all.
    None,
}

/// How letters go out, and where their links lead.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Mail {
    /// How letters go out: `console` prints them, `smtp` sends them, `file` writes a file each. The console by default, so
    /// that a first try needs no mail server.
    pub backend: MailBackend,
    /// The sender, as an address or `Name <address>`.
    pub from: String,
    /// The mail server's name. None by default.
    pub smtp_host: Option<String>,
    /// Its port. 587, where mail is handed in; with `tls` it is mostly 465.
    pub smtp_port: u16,
    /// `starttls`, `tls` or `none`. STARTTLS, which is demanded and never done without.
    pub smtp_tls: SmtpTls,
    /// The name to sign in with at the mail server. None by default: no sign-in.
    pub smtp_user: Option<String>,
    /// The password for it. None by default.
    pub smtp_password: Option<Secret>,
    /// How long one letter may take. 20 seconds: a server that takes longer is tried again later.
    #[serde(with = "value::duration")]
    pub smtp_timeout: Duration,
    /// The folder for the files of `file`. None by default: `mail` in the data folder.
    pub folder: Option<PathBuf>,
    /// Whether a new address is asked by a letter whether it is the user's: at registration, and when it is changed. On:
    /// what nobody asks for, nobody verifies.
    pub verify_new_addresses: bool,
    /// Where the link of a verification leads, with `{token}`: a page of one's own front end. None by default: a page of
    /// this server.
    pub verify_url: Option<String>,
    /// Where the link of a password reset leads, with `{token}`. None by default, as before.
    pub reset_url: Option<String>,
    /// Where the link of an invitation leads, with `{token}`. None by default, as before.
    pub invitation_url: Option<String>,
    /// A folder with letters of one's own in place of the built-in ones. None by default.
    pub templates_dir: Option<PathBuf>,
}

impl Default for Mail {
    fn default() -> Self {
        Self {
            backend: MailBackend::Console,
            from: "Portcullis <portcullis@localhost>".into(),
            smtp_host: None,
            smtp_port: 587,
            smtp_tls: SmtpTls::Starttls,
            smtp_user: None,
            smtp_password: None,
            smtp_timeout: Duration::from_secs(20),
            folder: None,
            verify_new_addresses: true,
            verify_url: None,
            reset_url: None,
            invitation_url: None,
            templates_dir: None,
        }
    }
}

impl Mail {
    /// What is wrong with these settings; `has_address` says whether links can lead to the server itself.
    pub(super) fn complaints(&self, has_address: bool) -> Vec<Complaint> {
        let mut complaints = Vec::new();
        let mut rule = |holds: bool, key: &'static str, complaint: &str| {
            if !holds {
                complaints.push((key, complaint.to_owned()));
            }
        };
        let from = self.from.parse::<Mailbox>().is_ok();
        rule(from, "mail.from", "is no address; write auth@example.org or Example <auth@example.org>");
        let urls = [
            ("mail.verify_url", &self.verify_url),
            ("mail.reset_url", &self.reset_url),
            ("mail.invitation_url", &self.invitation_url),
        ];
        for (key, url) in urls {
            let leads = |url: &String| url.matches(TOKEN).count() == 1 && Url::parse(&url.replace(TOKEN, "x")).is_ok();
            let complaint =
                "must be a whole address with {token} in it, such as https://app.example.org/verify?token={token}";
            rule(url.as_ref().is_none_or(leads), key, complaint);
        }
        let second = Duration::from_secs(1);
        let bearable = (second..=Duration::from_secs(120)).contains(&self.smtp_timeout);
        rule(bearable, "mail.smtp_timeout", "must be from 1s to 2m");
        if self.backend == MailBackend::Smtp {
            rule(self.smtp_host.is_some(), "mail.smtp_host", "must be set where mail.backend is smtp");
            let leads = has_address || urls.iter().all(|(_, url)| url.is_some());
            let complaint = "smtp needs server.public_url too: without it the links in letters lead nowhere";
            rule(leads, "mail.backend", complaint);
        }
        let both = self.smtp_user.is_some() == self.smtp_password.is_some();
        rule(both, "mail.smtp_user", "needs mail.smtp_password, and the other way round");
        let is_here = |host: &str| host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
        let hidden = self.smtp_tls != SmtpTls::None || self.smtp_host.as_deref().is_none_or(is_here);
        let complaint = "none would send mail.smtp_password over the network for all to read; use starttls or tls";
        rule(hidden || self.smtp_password.is_none(), "mail.smtp_tls", complaint);
        complaints
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_send_no_letter_or_a_password_in_clear_stops_the_start() {
        type Change = fn(&mut Mail);
        let cases: [(&str, Change); 9] = [
            ("mail.from: is no address", |mail| mail.from = "nobody".into()),
            ("mail.from: is no address", |mail| mail.from = "a@b.example\r\nBcc: c@d.example".into()),
            ("mail.verify_url: must be", |mail| mail.verify_url = Some("https://x.example/".into())),
            ("mail.reset_url: must be", |mail| mail.reset_url = Some("/reset/{token}".into())),
            ("mail.smtp_timeout: must be", |mail| mail.smtp_timeout = Duration::ZERO),
            ("mail.smtp_host: must be set", |mail| mail.backend = MailBackend::Smtp),
            ("mail.smtp_user: needs", |mail| mail.smtp_user = Some("ann".into())),
            ("mail.smtp_user: needs", |mail| mail.smtp_password = Some("secret".into())),
            ("mail.smtp_tls: none would", |mail| {
                (mail.smtp_host, mail.smtp_tls) = (Some("mail.example".into()), SmtpTls::None);
                (mail.smtp_user, mail.smtp_password) = (Some("ann".into()), Some("secret".into()));
            }),
        ];
        for (start, change) in cases {
            let mut mail = Mail::default();
            change(&mut mail);
            let told = mail.complaints(true);
            let told: Vec<_> = told.iter().map(|(key, complaint)| format!("{key}: {complaint}")).collect();
            assert!(told.len() == 1 && told.concat().starts_with(start), "{start}… {told:?}");
        }
        let smtp = |mail: &mut Mail| (mail.backend, mail.smtp_host) = (MailBackend::Smtp, Some("mail.example".into()));
        let mut mail = Mail::default();
        smtp(&mut mail);
        assert_eq!(mail.complaints(true), []);
        assert_eq!(mail.complaints(false).len(), 1, "links need an address");
        let here = |name: &str| Some(format!("https://app.example/{name}#{{token}}"));
        (mail.verify_url, mail.reset_url, mail.invitation_url) = (here("v"), here("r"), here("i"));
        assert_eq!(mail.complaints(false), []);
    }
}
