//! `portcullis config`: every setting in force, and where it came from.

use crate::settings::Loaded;

use super::say;

pub fn run(loaded: &Loaded) -> anyhow::Result<()> {
    let shown = loaded.shown();
    let width = shown.iter().map(|setting| setting.key.len() + setting.value.len()).max().unwrap_or(0);
    for setting in shown {
        let room = (width + 4).saturating_sub(setting.key.len() + setting.value.len());
        say(&format!("{} = {}{}# {}", setting.key, setting.value, " ".repeat(room.min(60)), setting.origin))?;
    }
    Ok(())
}
