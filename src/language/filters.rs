//! What templates say sentences with: `{{ "Add user"|t }}`, `{{ "{count} row"|n("{count} rows", "count", rows) }}`,
//! `{{ ("Type <code>{word}</code> to confirm"|t).with("word", word).rich() }}`.
#![allow(unused_braces)] // what the macro makes of a body of one expression has them
#![allow(missing_docs)] // it makes public types without

use super::{Countable, Said};

/// The sentence with this key.
#[askama::filter_fn]
pub fn t<K: AsRef<str>>(key: K, _: &dyn askama::Values) -> askama::Result<Said> {
    Ok(Said::of(key.as_ref().to_owned()))
}

/// The sentence for so many: the English for one is its key.
#[askama::filter_fn]
pub fn n<C: Countable>(
    one: &'static str,
    _: &dyn askama::Values,
    many: &'static str,
    name: &'static str,
    count: C,
) -> askama::Result<Said> {
    Ok(Said::counted(name, one, many, count.count()))
}
