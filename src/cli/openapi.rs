//! `portcullis openapi`: the API's description, byte for byte as GET `/api/schema/` answers it. It touches no data.

use std::io::Write;

use anyhow::Context;

use crate::api::schema;
use crate::settings::Settings;

use super::in_words;

pub fn run(settings: &Settings) -> anyhow::Result<()> {
    let json = schema::print(settings, |_| ()).map_err(in_words)?;
    std::io::stdout().write_all(&json).context("cannot write to standard output")
}
