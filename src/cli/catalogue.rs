//! `portcullis catalogue`: every sentence of the panel, as a file of `admin.languages` has them.

use std::io::Write;

use crate::language::CATALOGUE;

/// Prints the catalogue.
pub fn run() -> anyhow::Result<()> {
    Ok(std::io::stdout().lock().write_all(CATALOGUE.as_bytes())?)
}
