//! How a database goes about a statement that it was sent.

use diesel::prelude::*;
use diesel::sql_types::Text;
use portcullis::db::{Conn, Target};
use serde_json::Value;

/// A statement, as [`super::statements`] has it, with its values in their places.
pub fn whole(statement: &str) -> String {
    let (sql, values) = statement.rsplit_once(" -- binds: ").unwrap_or((statement, "[]"));
    let values = values.strip_prefix('[').and_then(|values| values.strip_suffix(']')).unwrap();
    // As Rust prints them: texts in quotes, numbers, a day, a time in brackets.
    let mut values = split(values).into_iter().map(literal);
    let mut whole = String::new();
    let mut rest = sql;
    while let Some(at) = rest.find(['?', '$']) {
        whole.push_str(&rest[..at]);
        whole.push_str(&values.next().unwrap_or_else(|| panic!("too few values: {statement}")));
        rest = rest[at + 1..].trim_start_matches(|c: char| c.is_ascii_digit());
    }
    assert_eq!(values.next(), None, "{statement}");
    whole + rest
}

/// A value as SQL has it.
fn literal(value: &str) -> String {
    if let Some(list) = value.strip_prefix('[') {
        let all: Vec<String> = split(list.trim_end_matches(']')).into_iter().map(literal).collect();
        return if all.is_empty() { "'{}'".to_owned() } else { format!("ARRAY[{}]", all.join(", ")) };
    }
    let inner = if value.starts_with('"') { value } else { value.rsplit('(').next().unwrap().trim_end_matches(')') };
    match serde_json::from_str(inner) {
        Ok(Value::String(text)) => format!("'{}'", text.replace('\'', "''")),
        Ok(other) => other.to_string(),
        Err(_) => format!("'{inner}'"),
    }
}

/// Parts a list at its commas, but not at those in quotes or in a list of its own.
fn split(values: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth, mut quoted, mut escaped) = (Vec::new(), 0, 0, false, false);
    for (at, c) in values.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '[' => depth += 1,
            ']' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(values[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(values[start..].trim());
    parts.retain(|part| !part.is_empty());
    parts
}

/// How the database goes about it, a step a line.
pub fn plan(target: &Target, statement: &str) -> Vec<String> {
    plan_on(&mut target.connect().unwrap(), statement)
}

/// A connection on which PostgreSQL reads a table whole only where no index will do, however few rows it has.
pub fn by_indexes(target: &Target) -> Conn {
    let mut conn = target.connect().unwrap();
    if matches!(target, Target::Postgres(_)) {
        diesel::sql_query("SET enable_seqscan = off").execute(&mut conn).unwrap();
    }
    conn
}

/// The same on a connection that is there.
pub fn plan_on(conn: &mut Conn, statement: &str) -> Vec<String> {
    #[derive(QueryableByName)]
    struct Sqlite {
        #[diesel(sql_type = Text)]
        detail: String,
    }
    #[derive(QueryableByName)]
    struct Postgres {
        #[diesel(sql_type = Text, column_name = "QUERY PLAN")]
        line: String,
    }
    match conn {
        Conn::Sqlite(_) => {
            let steps = diesel::sql_query(format!("EXPLAIN QUERY PLAN {statement}")).load(conn).unwrap();
            steps.into_iter().map(|Sqlite { detail }| detail).collect()
        }
        Conn::Postgres(_) => {
            let steps = diesel::sql_query(format!("EXPLAIN {statement}")).load(conn).unwrap();
            steps.into_iter().map(|Postgres { line }| line).collect()
        }
    }
}
