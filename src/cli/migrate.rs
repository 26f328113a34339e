//! `portcullis migrate`: the schema brought up to date, by itself. Opening the site does it; this only says so.

use crate::settings::Settings;

use super::{on_new_site, say};

pub fn run(settings: Settings) -> anyhow::Result<()> {
    on_new_site(settings, |site| async move { say(&format!("the {} database is up to date", site.db.target().name())) })
}
