//! The language that the panel speaks, and the sentences it says.
//!
//! A sentence is written in English where it is said, and that English is its key in the catalogue (`en.toml` beside this
//! file holds them all): `say!("{username} was deactivated.", username)`, `{{ "Add user"|t }}` in a template. What belongs
//! into a sentence are named parts, so that a translation may put them elsewhere; where a number decides, both forms stand
//! there and the rules of the language choose (Unicode CLDR). No sentence is put together of pieces.
//!
//! Which language that is goes with the task that serves the visitor ([`speaking`]) and with what that task has done on
//! other threads ([`carried`]). Nobody else is spoken to: the API, the log, the audit log and exports stay as they are.

#[macro_use]
mod say;
mod catalogue;
pub mod filters;
mod number;

use std::future::Future;
use std::sync::Arc;

pub use catalogue::{CATALOGUE, ENGLISH, Language, Languages};
pub use number::{Countable, decimal, thousands};
pub use say::{Said, escaped};
use tokio::task_local;

task_local! {
    /// The language of whoever is served; English if there is none.
    static SPOKEN: Option<Arc<Language>>;
}

/// The language that is spoken here; `None` is English, as it stands in the source.
pub fn spoken() -> Option<Arc<Language>> {
    SPOKEN.try_with(Clone::clone).ok().flatten()
}

/// Does `work` in this language.
pub async fn speaking<T>(language: Option<Arc<Language>>, work: impl Future<Output = T>) -> T {
    SPOKEN.scope(language, work).await
}

/// The same work, to be done on another thread in the language that is spoken here.
pub fn carried<C, T>(work: impl FnOnce(&mut C) -> T) -> impl FnOnce(&mut C) -> T {
    let language = spoken();
    move |with: &mut C| match language {
        None => work(with),
        language => SPOKEN.sync_scope(language, || work(with)),
    }
}

/// Does `work` in English: what it says is kept, and read by whoever comes.
pub fn in_english<T>(work: impl FnOnce() -> T) -> T {
    SPOKEN.sync_scope(None, work)
}

/// The tag of the language that is spoken, for `<html lang>` (BCP 47).
pub fn tag() -> String {
    spoken().map_or_else(|| ENGLISH.to_owned(), |language| language.tag().to_owned())
}

/// Where its lines begin, for `<html dir>`: `ltr` or `rtl`.
pub fn direction() -> &'static str {
    spoken().map_or("ltr", |language| language.direction())
}
