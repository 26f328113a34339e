//! Another program's database, to be read and never written: its tables, and their rows as JSON texts.

use std::collections::BTreeMap;

use anyhow::Context;
use diesel::connection::SimpleConnection;
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel::{Connection, PgConnection, QueryResult, QueryableByName, RunQueryDsl, SqliteConnection};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::conn::{Conn, Target};

/// What ends the path in a SQLite URI, or begins an escape in it.
const SPECIAL: &AsciiSet = &CONTROLS.add(b'%').add(b'?').add(b'#');

/// A connection that can only read.
pub struct Foreign {
    conn: Conn,
}

/// The names of the tables, each with its columns.
pub type Tables = BTreeMap<String, Vec<String>>;

#[derive(QueryableByName)]
struct Column {
    #[diesel(sql_type = Text)]
    table_name: String,
    #[diesel(sql_type = Text)]
    column_name: String,
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

#[derive(QueryableByName)]
struct Highest {
    #[diesel(sql_type = Nullable<BigInt>)]
    highest: Option<i64>,
}

/// A name in SQL.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl Foreign {
    /// Opens the database. On PostgreSQL all is read as it is at this moment; on SQLite each read is one of its own, since a
    /// long one would keep the program that owns the file from writing.
    ///
    /// # Errors
    /// The database's own words.
    pub fn open(target: &Target) -> anyhow::Result<Self> {
        let conn = match target {
            Target::Sqlite(path) => {
                let path = path.to_string_lossy();
                let uri = format!("file:{}?mode=ro", utf8_percent_encode(&path, SPECIAL));
                let open = || -> anyhow::Result<SqliteConnection> {
                    let mut conn = SqliteConnection::establish(&uri)?;
                    conn.batch_execute("PRAGMA busy_timeout = 5000; PRAGMA query_only = ON")?;
                    Ok(conn)
                };
                Conn::Sqlite(open().with_context(|| format!("cannot read {path}"))?)
            }
            Target::Postgres(url) => {
                let mut conn = PgConnection::establish(url).context("cannot connect to PostgreSQL")?;
                conn.batch_execute("SET TIME ZONE 'UTC'; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
                Conn::Postgres(conn)
            }
        };
        Ok(Self { conn })
    }

    /// The tables that a name without a schema finds.
    ///
    /// # Errors
    /// The database's.
    pub fn tables(&mut self) -> QueryResult<Tables> {
        let columns = match self.conn {
            Conn::Postgres(_) => {
                "SELECT CAST(table_name AS TEXT) AS table_name, CAST(column_name AS TEXT) AS column_name \
                 FROM information_schema.columns WHERE table_schema = ANY (current_schemas(false))"
            }
            Conn::Sqlite(_) => {
                "SELECT m.name AS table_name, p.name AS column_name \
                 FROM sqlite_master m, pragma_table_info(m.name) p WHERE m.type = 'table'"
            }
        };
        let columns: Vec<Column> = diesel::sql_query(columns).load(&mut self.conn)?;
        let mut tables = Tables::new();
        for Column { table_name, column_name } in columns {
            tables.entry(table_name).or_default().push(column_name);
        }
        Ok(tables)
    }

    /// Rows as JSON objects: each of `members` is a name and the SQL of its value; `rest` is what follows FROM.
    ///
    /// # Errors
    /// The database's.
    pub fn rows(&mut self, members: &[(&str, String)], rest: &str) -> QueryResult<Vec<String>> {
        let object = match self.conn {
            Conn::Postgres(_) => "json_build_object",
            Conn::Sqlite(_) => "json_object",
        };
        let member = |(name, value): &(&str, String)| match self.conn {
            Conn::Postgres(_) => format!("'{name}', {value}"),
            // Any column of SQLite may hold bytes, which are no JSON.
            Conn::Sqlite(_) => format!("'{name}', CASE typeof({value}) WHEN 'blob' THEN NULL ELSE {value} END"),
        };
        let members: Vec<String> = members.iter().map(member).collect();
        let query = format!("SELECT CAST({object}({}) AS TEXT) AS line FROM {rest}", members.join(", "));
        let lines: Vec<Line> = diesel::sql_query(query).load(&mut self.conn)?;
        Ok(lines.into_iter().map(|row| row.line).collect())
    }

    /// The highest id up to `most` that the table has or had, as far as the database knows.
    ///
    /// # Errors
    /// The database's.
    pub fn highest_id(&mut self, table: &str, most: i64) -> QueryResult<i64> {
        let literal = table.replace('\'', "''");
        let keeps = self.tables()?.contains_key("sqlite_sequence");
        let given = match self.conn {
            Conn::Postgres(_) => {
                format!("SELECT max(last_value) AS highest FROM pg_sequences WHERE sequencename = '{literal}_id_seq'")
            }
            Conn::Sqlite(_) if keeps => {
                format!("SELECT max(seq) AS highest FROM sqlite_sequence WHERE name = '{literal}'")
            }
            Conn::Sqlite(_) => "SELECT NULL AS highest".to_owned(),
        };
        let present = format!("SELECT CAST(max(id) AS BIGINT) AS highest FROM {} WHERE id <= {most}", quoted(table));
        let mut highest = 0;
        for query in [given, present] {
            let row: Highest = diesel::sql_query(query).get_result(&mut self.conn)?;
            highest = highest.max(row.highest.filter(|id| *id <= most).unwrap_or(0));
        }
        Ok(highest)
    }
}
