//! Search for words without reading every row. A table that is searched has a column `search` (migration 0018): its texts in lower
//! case, each word behind two blanks. An index of its trigrams, which the database itself keeps, finds every word of three
//! characters or more, wherever it stands; a shorter one that stands alone is looked for where words begin, which is a trigram
//! again, since no word has a blank. SQLite asks the index by name (`MATCH`); PostgreSQL uses it for `LIKE`.
//!
//! SQLite's index is a stack of ever larger parts. Each write adds a small one, and when enough of a size have come together they
//! are made one; if they are large, that write takes long. So they are merged before, in steps ([`tidy`]).

use diesel::sql_types::BigInt;
use diesel::{QueryableByName, RunQueryDsl, sql_query};

use super::keyset::Value;
use super::rows::Rows;
use super::tally::Counted;
use super::{Conn, Db};
use crate::error::Result;

/// Characters of a word that an index of trigrams can find.
const TRIGRAM: usize = 3;
/// The tables that are searched.
const TABLES: [&str; 3] = ["users", "articles", "tasks"];
/// Pages of one step: some five milliseconds.
const STEP: i64 = 64;

/// Merges what has gathered in the indexes, a little in each transaction.
///
/// # Errors
/// The database's.
pub async fn tidy(db: &Db) -> Result<()> {
    while db.write(merge).await? {
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// Takes a step towards indexes of few large parts; whether there was one to take.
///
/// # Errors
/// The database's.
pub fn merge(conn: &mut Conn) -> Result<bool> {
    let Conn::Sqlite(_) = conn else { return Ok(false) };
    for table in TABLES {
        let before = changes(conn)?;
        let merge = format!("INSERT INTO {table}_search ({table}_search, rank) VALUES ('merge', {STEP})");
        sql_query(merge).execute(conn)?;
        if changes(conn)? - before > 1 {
            return Ok(true); // without a step to take, the statement itself is the one change
        }
    }
    Ok(false)
}

/// The rows that this connection has ever changed.
fn changes(conn: &mut Conn) -> Result<i64> {
    #[derive(QueryableByName)]
    struct Changes {
        #[diesel(sql_type = BigInt)]
        count: i64,
    }
    Ok(sql_query("SELECT total_changes() AS count").get_result::<Changes>(conn)?.count)
}

/// A part of a condition: SQL, each bit with the value that follows it.
type Part = Vec<(String, Option<Value>)>;

/// How the rows with one word are found.
enum Word {
    /// By SQLite's index, which is asked for this; and perhaps it is the id of a row.
    Phrase(String, Option<i64>),
    /// By a condition on their texts.
    Texts(Part),
}

/// Which rows of `table` have all of these words, letters of ASCII in any case; nothing if there are no words. They are found
/// by the index, or by a look at each. With `by_id` a word may also be the row's id.
pub fn search(conn: &Conn, table: &str, words: &[String], by_id: bool, by_look: bool) -> Option<Rows> {
    let (mut phrases, mut parts) = (Vec::new(), Vec::new());
    for word in read(conn, table, words, by_id, by_look) {
        match word {
            Word::Phrase(phrase, None) => phrases.push(phrase),
            Word::Phrase(phrase, Some(id)) => {
                let mut part = matched(table, phrase);
                part.push((" UNION SELECT ".to_owned(), Some(Value::Number(id))));
                parts.push(among_ids(table, part));
            }
            Word::Texts(part) => parts.push(part),
        }
    }
    if !phrases.is_empty() {
        parts.insert(0, among_ids(table, matched(table, phrases.join(" AND "))));
    }
    let joined = parts.into_iter().reduce(|mut all, part| {
        all.push((" AND ".to_owned(), None));
        all.extend(part);
        all
    })?;
    Some(Rows(joined))
}

/// The same rows, at most so many, to be counted by the index alone: none of them is read. Nothing if it takes more than that
/// to tell which they are.
pub fn by_index(conn: &Conn, table: &str, words: &[String], by_id: bool, most: i64) -> Option<Counted> {
    let words = read(conn, table, words, by_id, false);
    let mut found = if let [Word::Phrase(phrase, Some(id))] = words.as_slice() {
        let id = Some(Value::Number(*id));
        let mut found = vec![(format!("SELECT id FROM {table} WHERE id = "), id.clone())];
        found.push((" UNION ALL ".to_owned(), None));
        found.extend(matched(table, phrase.clone()));
        found.push((" AND rowid <> ".to_owned(), id));
        found
    } else {
        let phrase = |word: &Word| match word {
            Word::Phrase(phrase, None) => Some(phrase.clone()),
            _ => None,
        };
        let phrases: Vec<String> = words.iter().map(phrase).collect::<Option<_>>()?;
        if phrases.is_empty() {
            return None;
        }
        matched(table, phrases.join(" AND "))
    };
    found.push((" LIMIT ".to_owned(), Some(Value::Number(most))));
    Some(Box::new(Rows(found)))
}

fn read(conn: &Conn, table: &str, words: &[String], by_id: bool, by_look: bool) -> Vec<Word> {
    let is_indexed = matches!(conn, Conn::Sqlite(_)) && !by_look;
    let is_long = |word: &str| word.chars().count() >= TRIGRAM;
    let any_long = words.iter().any(|word| is_long(word));
    let read = |word: &String| {
        let id = if by_id { word.parse::<i64>().ok() } else { None };
        let word = word.to_ascii_lowercase();
        // A short word stands where words begin, unless a longer one leads to the rows.
        let blanks = if any_long { 0 } else { TRIGRAM.saturating_sub(word.chars().count()) };
        let sought = format!("{}{word}", " ".repeat(blanks));
        if is_indexed && is_long(&sought) {
            return Word::Phrase(format!("\"{}\"", sought.replace('"', "\"\"")), id);
        }
        let escaped = sought.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        let like = format!("({table}.search LIKE ");
        let mut part = vec![(like, Some(Value::Text(format!("%{escaped}%")))), (" ESCAPE '\\'".to_owned(), None)];
        if let Some(id) = id {
            part.push((format!(" OR {table}.id = "), Some(Value::Number(id))));
        }
        part.push((")".to_owned(), None));
        Word::Texts(part)
    };
    words.iter().map(read).collect()
}

/// The ids of the rows that SQLite's index finds.
fn matched(table: &str, phrases: String) -> Part {
    vec![(format!("SELECT rowid FROM {table}_search WHERE {table}_search MATCH "), Some(Value::Text(phrases)))]
}

/// The rows whose ids `query` selects.
fn among_ids(table: &str, mut query: Part) -> Part {
    query.insert(0, (format!("{table}.id IN ("), None));
    query.push((")".to_owned(), None));
    query
}
