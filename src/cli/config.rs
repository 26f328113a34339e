//! `portcullis config`: every setting in force, and where it came from.

use crate::settings::Loaded;

use super::say;

pub fn run(loaded: &Loaded) -> anyhow::Result<()> {
    let lines: Vec<_> = loaded.shown().into_iter().map(|s| (format!("{} = {}", s.key, s.value), s.origin)).collect();
    // One long list does not push everything else to the right.
    let width = lines.iter().map(|(line, _)| line.chars().count()).filter(|width| *width <= 60).max().unwrap_or(0);
    for (line, origin) in lines {
        say(&format!("{line:<width$}  # {origin}"))?;
    }
    Ok(())
}
