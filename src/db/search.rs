//! Search for words without reading every row. A table that is searched has a column `search` (migration 0018): its texts in lower
//! case, each word behind two blanks. An index of its trigrams, which the database itself keeps, finds every word of three
//! characters or more, wherever it stands; a shorter one that stands alone is looked for where words begin, which is a trigram
//! again, since no word has a blank. SQLite asks the index by name (`MATCH`); PostgreSQL uses it for `LIKE`.

use super::Conn;
use super::keyset::Value;
use super::rows::Rows;

/// Characters of a word that an index of trigrams can find.
const TRIGRAM: usize = 3;
/// Rows that are met on a walk in the order of a list sooner than all of them are taken from the index.
const EVERYWHERE: i64 = 20_000;

/// Which rows of `table` have all of these words, letters of ASCII in any case; nothing if there are no words. `matching` tells how
/// many rows they are, where that is known. With `by_id` a word may also be the row's id.
pub fn search(conn: &Conn, table: &str, words: &[String], by_id: bool, matching: Option<i64>) -> Option<Rows> {
    let is_indexed = matches!(conn, Conn::Sqlite(_)) && matching.is_none_or(|matching| matching <= EVERYWHERE);
    let is_long = |word: &str| word.chars().count() >= TRIGRAM;
    let any_long = words.iter().any(|word| is_long(word));
    let mut parts: Vec<Vec<(String, Option<Value>)>> = Vec::new();
    let mut phrases = Vec::new();
    for word in words {
        let id = if by_id { word.parse::<i64>().ok().map(Value::Number) } else { None };
        let word = word.to_ascii_lowercase();
        // A short word stands where words begin, unless a longer one leads to the rows.
        let blanks = if any_long { 0 } else { TRIGRAM.saturating_sub(word.chars().count()) };
        let sought = format!("{}{word}", " ".repeat(blanks));
        if is_indexed && is_long(&sought) {
            let phrase = format!("\"{}\"", sought.replace('"', "\"\""));
            match id {
                None => phrases.push(phrase),
                Some(id) => parts.push(matched(table, phrase, Some(id))),
            }
            continue;
        }
        let escaped = sought.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        let like = format!("{table}.search LIKE ");
        let mut part =
            vec![(format!("({like}"), Some(Value::Text(format!("%{escaped}%")))), (" ESCAPE '\\'".to_owned(), None)];
        if let Some(id) = id {
            part.push((format!(" OR {table}.id = "), Some(id)));
        }
        part.push((")".to_owned(), None));
        parts.push(part);
    }
    if !phrases.is_empty() {
        parts.insert(0, matched(table, phrases.join(" AND "), None));
    }
    let joined = parts.into_iter().reduce(|mut all, part| {
        all.push((" AND ".to_owned(), None));
        all.extend(part);
        all
    })?;
    Some(Rows(joined))
}

/// The rows that SQLite's index finds, and perhaps the one with an id.
fn matched(table: &str, phrases: String, id: Option<Value>) -> Vec<(String, Option<Value>)> {
    let found = format!("{table}.id IN (SELECT rowid FROM {table}_search WHERE {table}_search MATCH ");
    let mut part = vec![(found, Some(Value::Text(phrases)))];
    if let Some(id) = id {
        part.push((" UNION SELECT ".to_owned(), Some(id)));
    }
    part.push((")".to_owned(), None));
    part
}
