//! Search finds what is there and nothing else, whichever way it goes about it, and its index is kept by every change.

use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Text};
use portcullis::db::keyset::Keyset;
use portcullis::db::schema::{articles, tasks, users};
use portcullis::db::tally::Tally;
use portcullis::db::{Conn, Target, migrate, search};
use portcullis::error::Result;
use portcullis::model::content::{self, ArticleFields, ContentQuery, TaskFields};
use portcullis::model::import::{self, ImportedUser};
use portcullis::model::session_list::Moment;
use portcullis::model::user::{self, NewUser, UserChanges};
use portcullis::model::user_list::{self, UserQuery};

use super::on_both;
use crate::support::app::NOON;
use crate::support::database::{Kind, bare};
use crate::support::postgres;

const AT: Moment = Moment { now: NOON, idle_since: NOON };

/// Username, e-mail, first name, last name.
const PEOPLE: [[&str; 4]; 9] = [
    ["ann", "ann@example.org", "Ann", "O'Neill"],
    ["anna.karenina", "ANNA@example.org", "Анна", "Каренина"],
    ["per_cent", "100%@example.com", "Per", "van der Cent"],
    ["quo\"te", "back\\slash@example.org", "Quo", ""],
    ["émile", "emile@example.org", "Émile", "Zola"],
    ["7777", "", "", ""],
    ["x", "x@y", "", ""],
    ["o'b", "b*@example.org", "AND", "NOT"],
    ["中村さくら", "nakamura@example.jp", "さくら", "中村"],
];

/// As search was before it had an index: each word is in one of the texts, letters of ASCII in any case, or is the id. Words of one and
/// two characters, where no longer one stands beside them, begin something.
fn has(texts: &[&str], id: i64, words: &[String]) -> bool {
    let short = words.iter().all(|word| word.chars().count() < 3);
    let texts: Vec<String> = texts.iter().map(|text| text.to_ascii_lowercase()).collect();
    words.iter().all(|word| {
        let lower = word.to_ascii_lowercase();
        let found = |text: &String| {
            if short { text.split(' ').any(|part| part.starts_with(&lower)) } else { text.contains(&lower) }
        };
        texts.iter().any(found) || word.parse() == Ok(id)
    })
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

const ASKED: [&str; 40] = [
    "ann",
    "ANN",
    "aNna",
    "neill",
    "o'n",
    "'",
    "анна",
    "Анна",
    "каренина",
    "%",
    "_",
    "r_c",
    "100%",
    "%@e",
    "\"",
    "o\"t",
    "\\",
    "k\\s",
    "émi",
    "Émile",
    "émile",
    "mile",
    "7",
    "77",
    "777",
    "7777",
    "1",
    "9",
    "x",
    "b*@",
    "and",
    "AND NOT",
    "not",
    "さく",
    "さくら",
    "中村",
    "ann o",
    "example.org a",
    "van cent",
    "zzz",
];

fn found(conn: &mut Conn, asked: &str, matching: i64) -> Result<Vec<i64>> {
    let query = UserQuery { words: words(asked), ..UserQuery::default() };
    let keyset = Keyset { by: user_list::BY_USERNAME, descending: false, from: None, backwards: false, rows: 100 };
    let page = user_list::page(conn, &query, &keyset, matching, AT)?;
    Ok(page.rows.into_iter().map(|line| line.id).collect())
}

fn add(conn: &mut Conn, [username, email, first, last]: [&str; 4]) -> Result<i64> {
    let new = NewUser {
        username: username.into(),
        email: email.into(),
        first_name: first.into(),
        last_name: last.into(),
        date_joined: NOON,
        updated_at: NOON,
        ..NewUser::default()
    };
    Ok(user::insert(conn, &new)?.unwrap().id)
}

/// SQLite compares its index with the table, row by row.
fn whole(conn: &mut Conn) -> Result<()> {
    if matches!(conn, Conn::Sqlite(_)) {
        for table in ["users", "articles", "tasks"] {
            sql_query(format!("INSERT INTO {table}_search ({table}_search, rank) VALUES ('integrity-check', 1)"))
                .execute(conn)?;
        }
    }
    Ok(())
}

fn count(conn: &mut Conn, asked: &str) -> Result<i64> {
    let query = UserQuery { words: words(asked), ..UserQuery::default() };
    Ok(user_list::counts(conn, &query, &Tally::exact())?.matching)
}

/// However many rows a search is taken to have, which decides how it is gone about, it finds the same.
#[tokio::test]
async fn a_search_finds_what_contains_its_words_whichever_way_it_goes() {
    on_both(|conn| {
        let mut people = Vec::new();
        for person in PEOPLE {
            people.push((add(conn, person)?, person));
        }
        for asked in ASKED {
            let mut expected: Vec<(&str, i64)> = Vec::new();
            for (id, person) in &people {
                if has(person, *id, &words(asked)) {
                    expected.push((person[0], *id));
                }
            }
            expected.sort_unstable();
            let expected: Vec<i64> = expected.into_iter().map(|(_, id)| id).collect();
            assert_eq!(count(conn, asked)?, i64::try_from(expected.len()).unwrap(), "{asked}");
            for matching in [0, 5_000, 50_001] {
                let found = found(conn, asked, matching)?;
                assert_eq!(found, expected, "{asked:?}, as of {matching}");
            }
        }
        Ok(())
    })
    .await;
}

/// All whose name is Zoe stand at one end of the names: a page may be filled by those nearby, or by nobody there.
#[tokio::test]
async fn pages_of_a_search_by_name_hold_each_once_wherever_they_stand() {
    on_both(|conn| {
        let mut zoes = Vec::new();
        for i in 10..50 {
            let name = if i % 2 == 0 { format!("zoe{i}") } else { format!("ann{i}") };
            let id = add(conn, [&name, "", "", ""])?;
            if i % 2 == 0 {
                zoes.push(id);
            }
        }
        for (descending, backwards, matching) in [(false, false), (true, false), (false, true), (true, true)]
            .iter()
            .flat_map(|(descending, backwards)| [0, 5_000].map(|matching| (*descending, *backwards, matching)))
        {
            let query = UserQuery { words: words("zoe"), ..UserQuery::default() };
            let by = user_list::BY_USERNAME;
            let mut keyset = Keyset { by, descending, from: None, backwards, rows: 3 };
            let (mut seen, mut pages) = (Vec::new(), 0);
            loop {
                let mut page = user_list::page(conn, &query, &keyset, matching, AT)?;
                if backwards {
                    page.rows.reverse();
                }
                pages += 1;
                seen.extend(page.rows.iter().map(|line| line.id));
                keyset.from = page.rows.last().map(|line| line.place(&by));
                if !(if backwards { page.has_before } else { page.has_after }) {
                    break;
                }
            }
            if descending != backwards {
                seen.reverse();
            }
            assert_eq!((&seen, pages), (&zoes, 7), "{descending} {backwards} {matching}");
        }
        Ok(())
    })
    .await;
}

fn title_count(conn: &mut Conn, asked: &str) -> Result<(i64, i64)> {
    let query = ContentQuery { words: words(asked), ..ContentQuery::default() };
    Ok((
        content::count_articles(conn, &query, &Tally::exact())?.matching,
        content::count_tasks(conn, &query, &Tally::exact())?.matching,
    ))
}

#[tokio::test]
async fn every_change_of_a_row_is_a_change_of_the_index() {
    on_both(|conn| {
        let ann = add(conn, PEOPLE[0])?;
        let bob = add(conn, ["bob", "bob@example.org", "Bob", "Builder"])?;
        let by = |user_id| TaskFields {
            title: "Oil the hinges".into(),
            description: "hidden".into(),
            completed: false,
            due_date: None,
            user_id,
        };
        let task = content::insert_task(conn, &by(ann), NOON)?;
        content::insert_task(conn, &by(bob), NOON)?;
        let article = ArticleFields { title: "On Gates".into(), body: "They close".into(), author_id: ann };
        content::insert_article(conn, &article, NOON)?;
        assert_eq!(
            (count(conn, "neill")?, title_count(conn, "hinges")?, title_count(conn, "gates")?),
            (1, (0, 2), (1, 0))
        );
        assert_eq!(
            (title_count(conn, "hidden")?, title_count(conn, "hi")?, title_count(conn, "g")?),
            ((0, 0), (0, 2), (1, 0))
        );

        let changes = UserChanges { last_name: Some("Smith".into()), updated_at: NOON, ..UserChanges::default() };
        user::update(conn, ann, &changes)?.unwrap();
        user::touch_last_login(conn, ann, NOON)?;
        content::update_task(conn, task, &TaskFields { title: "Paint the doors".into(), ..by(ann) }, NOON)?;
        assert_eq!((count(conn, "neill")?, count(conn, "smith")?, title_count(conn, "hinges")?), (0, 1, (0, 1)));
        whole(conn)?;

        // What an account takes with it is gone from the index too; what is undone was never there.
        let undone: diesel::QueryResult<()> = conn.transaction(|conn| {
            diesel::delete(users::table).execute(conn)?;
            Err(diesel::result::Error::RollbackTransaction)
        });
        assert!(undone.is_err());
        assert_eq!(title_count(conn, "doors")?, (0, 1));
        user::delete(conn, ann)?;
        assert_eq!(
            (count(conn, "smith")?, title_count(conn, "doors")?, title_count(conn, "gates")?),
            (0, (0, 0), (0, 0))
        );
        assert_eq!((count(conn, "bob")?, title_count(conn, "hinges")?), (1, (0, 1)));
        whole(conn)?;

        import::insert(
            conn,
            &ImportedUser {
                id: 500,
                username: "imported".into(),
                password: "!".into(),
                first_name: "Ida".into(),
                last_name: "Port".into(),
                email: "ida@example.net".into(),
                email_verified: false,
                phone_number: String::new(),
                date_of_birth: None,
                is_active: true,
                is_staff: false,
                is_superuser: false,
                is_premium: false,
                date_joined: NOON,
                last_login: None,
                updated_at: NOON,
            },
        )?;
        assert_eq!((count(conn, "mport")?, count(conn, "example.net")?, count(conn, "500")?), (1, 1, 1));
        diesel::update(users::table.find(500)).set(users::id.eq(600)).execute(conn)?;
        assert_eq!((count(conn, "600")?, count(conn, "ida")?), (1, 1));
        diesel::delete(tasks::table).execute(conn)?;
        diesel::delete(articles::table).execute(conn)?;
        assert_eq!(title_count(conn, "hinges")?, (0, 0));
        whole(conn)
    })
    .await;
}

/// Whoever may not make the extension is told what it is wanted for, and the schema stays as it was.
#[test]
fn without_the_extension_the_start_says_what_is_missing() {
    let url = postgres::url();
    let mut conn = Target::Postgres(url.clone()).connect().unwrap();
    for statement in [
        "DO $$ BEGIN CREATE ROLE limited LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
        "GRANT ALL ON SCHEMA public TO limited",
    ] {
        sql_query(statement).execute(&mut conn).unwrap();
    }
    let mut limited = Target::Postgres(url.replace("user=postgres", "user=limited")).connect().unwrap();
    let refusal = format!("{:#}", migrate::run(&mut limited).unwrap_err());
    assert!(refusal.contains("pg_trgm") && refusal.contains("CREATE EXTENSION"), "{refusal}");
    sql_query("CREATE EXTENSION pg_trgm").execute(&mut conn).unwrap();
    migrate::run(&mut limited).unwrap();
}

/// How many parts the index of users has on SQLite: each is a segment in FTS5's record of its structure, and has rows here.
fn parts(conn: &mut Conn) -> Result<i64> {
    #[derive(QueryableByName)]
    struct Parts {
        #[diesel(sql_type = BigInt)]
        count: i64,
    }
    let count = "SELECT count(DISTINCT segid) AS count FROM users_search_idx";
    Ok(sql_query(count).get_result::<Parts>(conn)?.count)
}

/// What writes have added to the index is merged by the sweep, and not by the writes themselves.
#[tokio::test]
async fn what_is_written_gathers_and_is_merged_in_steps() {
    let (db, _folder) = bare(Kind::Sqlite);
    for number in 10..40 {
        let add = move |conn: &mut Conn| add(conn, [&format!("ann{number}"), "", "", ""]);
        db.write(add).await.unwrap();
    }
    let before = db.read(parts).await.unwrap();
    assert!(before >= 30, "{before} parts: writes have merged");
    search::tidy(&db).await.unwrap();
    let after = db.read(parts).await.unwrap();
    assert!(after < 4, "{after} parts");
    assert!(!db.write(search::merge).await.unwrap(), "there is a step left");
    assert_eq!(db.read(|conn| count(conn, "ann")).await.unwrap(), 30);
    db.write(whole).await.unwrap();
}

/// On PostgreSQL nothing gathers: what is written is found by the index at once.
#[tokio::test]
async fn on_postgresql_nothing_is_put_aside() {
    #[derive(QueryableByName)]
    struct Index {
        #[diesel(sql_type = Text)]
        options: String,
    }
    let (db, _folder) = bare(Kind::Postgres);
    let options = |conn: &mut Conn| {
        let indexes = "SELECT array_to_string(reloptions, ' ') AS options FROM pg_class JOIN pg_am ON pg_am.oid = relam WHERE amname = 'gin'";
        Ok(sql_query(indexes).load::<Index>(conn)?)
    };
    let indexes = db.read(options).await.unwrap();
    assert_eq!(indexes.len(), 3);
    assert!(indexes.iter().all(|index| index.options == "fastupdate=off"));
    assert!(!db.write(search::merge).await.unwrap());
}
