//! Search for words without reading every row. A table that is searched has a column `search` (migration 0018): its texts in lower
//! case, each word behind two blanks. An index of its trigrams, which the database itself keeps, finds every word of three
//! characters or more, wherever it stands; a shorter one that stands alone is looked for where words begin, which is a trigram
//! again, since no word has a blank. SQLite asks the index by name (`MATCH`); PostgreSQL uses it for `LIKE`.

use super::Conn;
use super::keyset::{Kind, SortColumn, Value};
use super::rows::Rows;
use super::way::Way;

/// Characters of a word that an index of trigrams can find.
const TRIGRAM: usize = 3;
/// How rows are found by their words on SQLite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// All of them by the index.
    ByIndex,
    /// So many of them by the index, where nothing else narrows them: for a count with that limit.
    UpTo(i64),
    /// By a look at each row: for a page whose rows are met soon enough in the order of its list.
    ByLook,
}

impl Found {
    /// The rows of a page that are found this way. Those that are sorted by a text may stand all at its end, if the words are in it.
    pub fn of(way: Way, by: &SortColumn) -> Self {
        if way == Way::Many && by.kind == Kind::Number { Self::ByLook } else { Self::ByIndex }
    }
}

/// Which rows of `table` have all of these words, letters of ASCII in any case; nothing if there are no words. They are
/// [`Found`] by the index or by a look at their texts. With `by_id` a word may also be the row's id.
pub fn search(conn: &Conn, table: &str, words: &[String], by_id: bool, found: Found) -> Option<Rows> {
    let is_indexed = matches!(conn, Conn::Sqlite(_)) && found != Found::ByLook;
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
                Some(id) => parts.push(matched(table, phrase, Some(id), None)),
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
        let most = match found {
            Found::UpTo(most) if parts.is_empty() => Some(most),
            _ => None,
        };
        parts.insert(0, matched(table, phrases.join(" AND "), None, most));
    }
    let joined = parts.into_iter().reduce(|mut all, part| {
        all.push((" AND ".to_owned(), None));
        all.extend(part);
        all
    })?;
    Some(Rows(joined))
}

/// The rows that SQLite's index finds, at most so many, and perhaps the one with an id.
fn matched(table: &str, phrases: String, id: Option<Value>, most: Option<i64>) -> Vec<(String, Option<Value>)> {
    let found = format!("{table}.id IN (SELECT rowid FROM {table}_search WHERE {table}_search MATCH ");
    let mut part = vec![(found, Some(Value::Text(phrases)))];
    if let Some(id) = id {
        part.push((" UNION SELECT ".to_owned(), Some(id)));
    }
    if let Some(most) = most {
        part.push((" LIMIT ".to_owned(), Some(Value::Number(most))));
    }
    part.push((")".to_owned(), None));
    part
}
