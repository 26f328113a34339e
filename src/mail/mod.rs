//! Letters: what they say, where their links lead, and how they go out. What is to be sent, and when, is the outbox's and
//! the postman's business.

pub mod letters;
pub mod links;
pub mod mailer;
mod own_words;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::ensure;
use tokio::sync::{Mutex, MutexGuard, Notify};

use crate::mail::links::Links;
use crate::mail::mailer::Mailer;
use crate::settings::{Server, Settings};

/// A letter, ready to go out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// The one address that it goes to.
    pub to: String,
    /// Its subject.
    pub subject: String,
    /// What it says, as plain text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
}

/// All that it takes to send letters. Cheap to clone.
#[derive(Clone)]
pub struct Mail {
    /// How they go out.
    pub mailer: Mailer,
    /// Where their links lead.
    pub links: Arc<Links>,
    bell: Arc<Notify>,
    desk: Arc<Mutex<()>>,
    templates: Option<PathBuf>,
}

impl Mail {
    /// By these settings.
    ///
    /// # Errors
    /// One sentence about a setting that cannot be used.
    pub fn new(settings: &Settings) -> anyhow::Result<Self> {
        let Server { public_url, bind, data_dir, .. } = &settings.server;
        let mail = &settings.mail;
        if let Some(folder) = &mail.templates_dir {
            ensure!(folder.is_dir(), "mail.templates_dir {} is no folder", folder.display());
        }
        Ok(Self {
            mailer: Mailer::new(mail, data_dir)?,
            links: Arc::new(Links::new(mail, public_url.clone(), *bind)),
            bell: Arc::default(),
            desk: Arc::default(),
            templates: mail.templates_dir.clone(),
        })
    }

    /// Says that a letter was written: to be called after the commit.
    pub fn ring(&self) {
        self.bell.notify_one();
    }

    /// The desk at which one letter is dealt with at a time: who holds it while the server stops lets the letter in hand go
    /// out, so that it is not sent again at the next start, and begins no other.
    pub async fn desk(&self) -> MutexGuard<'_, ()> {
        self.desk.lock().await
    }

    /// Waits until a letter was written.
    pub async fn rung(&self) {
        self.bell.notified().await;
    }
}
