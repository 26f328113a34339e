//! What letters say: each in a text and as a page (`templates/mail/`), or in the words of a folder of one's own.

use askama::Template;

use crate::error::{Error, Result};
use crate::mail::own_words::Own;
use crate::mail::{Letter, Mail};

/// Whom a link of a letter is for, and where it leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The account's name; empty where there is none yet.
    pub username: String,
    /// Where to go.
    pub url: String,
}

/// What a letter says, in the order in which it is read.
struct Words {
    subject: String,
    opening: String,
    button: &'static str,
    links: Vec<Link>,
    closing: &'static str,
}

#[derive(Template)]
#[template(path = "mail/letter.txt")]
struct Text<'a> {
    words: &'a Words,
    host: &'a str,
}

#[derive(Template)]
#[template(path = "mail/letter.html")]
struct Page<'a> {
    words: &'a Words,
    host: &'a str,
}

impl Mail {
    /// Asks whether an address is that of these accounts.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn verification(&self, to: &str, links: Vec<Link>) -> Result<Letter> {
        let host = self.links.host();
        let words = Words {
            subject: format!("Verify your e-mail address for {host}"),
            opening: format!(
                "This address was given for {} at {host}. To say that it is yours, open the link and press the button there.",
                whose(&links)
            ),
            button: "Verify this address",
            links,
            closing: "The link is good once, and for 24 hours. If you know nothing of it, do nothing: the address stays unverified.",
        };
        self.written("verification", to, &words)
    }

    /// Lets the owner of these accounts set a new password.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn reset(&self, to: &str, links: Vec<Link>) -> Result<Letter> {
        let host = self.links.host();
        let words = Words {
            subject: format!("A new password for {host}"),
            opening: format!(
                "Somebody asked for a new password for {} at {host}. To set one, open the link.",
                whose(&links)
            ),
            button: "Set a new password",
            links,
            closing: "The link is good once, and for an hour. If it was not you who asked, do nothing: your password stays as it is.",
        };
        self.written("reset", to, &words)
    }

    /// Tells the address that an account had until now that it has another one.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn address_changed(&self, to: &str, username: &str) -> Result<Letter> {
        let host = self.links.host();
        let account = Link { username: username.to_owned(), url: String::new() };
        let words = Words {
            subject: format!("Your e-mail address at {host} was changed"),
            opening: format!(
                "{} at {host} has another e-mail address now. Letters about it no longer come here.",
                capital(&whose(&[account]))
            ),
            button: "",
            links: Vec::new(),
            closing: "If that was you, there is nothing to do. If it was not, somebody knows your password: tell whoever runs the server at once.",
        };
        self.written_for("address_changed", to, &words, username)
    }

    /// Asks somebody to make an account.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn invitation(&self, to: &str, url: String, until: &str) -> Result<Letter> {
        let host = self.links.host();
        let words = Words {
            subject: format!("You are invited to {host}"),
            opening: format!(
                "You are invited to make an account at {host}, until {until}. To choose a name and a password, open the link."
            ),
            button: "Make an account",
            links: vec![Link { username: String::new(), url }],
            closing: "The link is good once. If you do not want an account, do nothing.",
        };
        self.written("invitation", to, &words)
    }

    /// Shows that letters arrive.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn test(&self, to: &str) -> Result<Letter> {
        let host = self.links.host();
        let words = Words {
            subject: format!("A test letter from {host}"),
            opening: format!(
                "Somebody who looks after {host} asked for this letter, to see whether its letters arrive."
            ),
            button: "",
            links: Vec::new(),
            closing: "This one did. There is nothing to do.",
        };
        self.written("test", to, &words)
    }

    fn written(&self, name: &str, to: &str, words: &Words) -> Result<Letter> {
        self.written_for(name, to, words, "")
    }

    fn written_for(&self, name: &str, to: &str, words: &Words, username: &str) -> Result<Letter> {
        let host = self.links.host();
        if let Some(own) = self.templates.as_deref().and_then(|folder| Own::read(folder, name)) {
            let alone = [Link { username: username.to_owned(), url: String::new() }];
            let links = if words.links.is_empty() { &alone } else { words.links.as_slice() };
            return Ok(own.letter(to, &words.subject, &host, links));
        }
        Ok(Letter {
            to: to.to_owned(),
            subject: words.subject.clone(),
            text: Text { words, host: &host }.render().map_err(Error::internal)?,
            html: Page { words, host: &host }.render().map_err(Error::internal)?,
        })
    }
}

/// "the account ann", "the accounts ann and bob".
fn whose(links: &[Link]) -> String {
    match links {
        [one] => format!("the account {}", one.username),
        many => {
            let names: Vec<&str> = many.iter().map(|link| link.username.as_str()).collect();
            format!("the accounts {}", names.join(", "))
        }
    }
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::settings::{MailBackend, Settings};

    fn mail(change: impl FnOnce(&mut Settings)) -> Mail {
        let mut settings = Settings::default();
        settings.mail.backend = MailBackend::Memory;
        settings.server.public_url = Some("https://auth.example".to_owned());
        change(&mut settings);
        Mail::new(&settings).unwrap()
    }

    fn link(username: &str, url: &str) -> Link {
        Link { username: username.to_owned(), url: url.to_owned() }
    }

    #[test]
    fn a_letter_says_the_same_as_text_and_as_a_page() {
        let letter =
            mail(|_| ()).reset("ann@example.org", vec![link("ann", "https://auth.example/reset/a.b-c")]).unwrap();
        assert_eq!(letter.subject, "A new password for auth.example");
        let expected = "Hello,\n\nSomebody asked for a new password for the account ann at auth.example. To set one, open the link.\n\n\
            Set a new password:\nhttps://auth.example/reset/a.b-c\n\n\
            The link is good once, and for an hour. If it was not you who asked, do nothing: your password stays as it is.\n\n\
            -- \nauth.example";
        assert_eq!(letter.text, expected);
        assert!(letter.html.contains(r#"href="https://auth.example/reset/a.b-c""#), "{}", letter.html);
        assert!(letter.html.contains("your password stays as it is"), "{}", letter.html);
    }

    #[test]
    fn one_letter_has_a_link_for_each_account_of_its_address() {
        let links = vec![link("ann", "https://auth.example/reset/1"), link("o'neil", "https://auth.example/reset/2")];
        let letter = mail(|_| ()).reset("ann@example.org", links).unwrap();
        assert!(letter.text.contains("Set a new password for ann:\nhttps://auth.example/reset/1\n"), "{}", letter.text);
        assert!(letter.text.contains("for o'neil:\nhttps://auth.example/reset/2\n"), "{}", letter.text);
        assert!(letter.html.contains("o&#39;neil"), "{}", letter.html);
    }

    #[test]
    fn a_folder_of_ones_own_has_other_words() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("reset.txt", "Subject: Neues Passwort für {{ username }}\n\nHallo {{username}}, hier lang: {{ link }}\n");
        let mail = mail(|settings| settings.mail.templates_dir = Some(folder.path().to_owned()));
        let links = || vec![link("ann", "https://x.example/?a=1&b=2")];

        let letter = mail.reset("ann@example.org", links()).unwrap();
        assert_eq!(letter.subject, "Neues Passwort für ann");
        assert_eq!(letter.text, "Hallo ann, hier lang: https://x.example/?a=1&b=2\n");
        assert_eq!(letter.html, "");
        write("reset.html", "<a href=\"{{ link }}\">{{ host }}</a>\n");
        let letter = mail.reset("ann@example.org", links()).unwrap();
        assert_eq!(letter.html, "<a href=\"https://x.example/?a=1&#38;b=2\">auth.example</a>\n");
        // The others stay as they are.
        let letter = mail.verification("ann@example.org", links()).unwrap();
        assert_eq!(letter.subject, "Verify your e-mail address for auth.example");
    }
}
