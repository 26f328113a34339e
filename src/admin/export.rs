//! A list as CSV (RFC 4180): the same search, filters and order, all rows, read by key a thousand at a time while they are
//! sent. Spreadsheets run what begins like a formula, so such cells are defused.

use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use futures_util::stream;

use crate::admin::changelist::Asked;
use crate::admin::error::PageError;
use crate::admin::sessions::moment;
use crate::admin::staff::{Articles, Export, Need, Staff, Tasks, Tokens, Users};
use crate::admin::{content, tokens, users};
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::db::keyset::{Keyset, Page, Place};
use crate::error::{Error, Result};
use crate::model::audit::{Change, Object};
use crate::model::token_list;
use crate::model::{content as pieces, user_list};
use crate::rest::payload::pairs;
use crate::site::Site;

/// Rows that are read at a time.
const BATCH: usize = 1000;
/// From here on the password is asked for again.
const MANY: i64 = 10_000;

/// A row: its cells, and where it stands in the order.
type Line = (Vec<Cell>, Place);

/// A cell, as the list has it.
enum Cell {
    Text(String),
    Number(i64),
    Time(Option<Timestamp>),
    Flag(bool),
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// What a list writes down: its name, the codes of its fields, how many rows there are, and a page of them.
struct Sheet<C, L> {
    name: &'static str,
    header: &'static [&'static str],
    asked: Asked,
    count: C,
    load: L,
}

/// Quotes a cell where it must be (RFC 4180 §2), and defuses it where a spreadsheet would take it for a formula: after a
/// leading apostrophe nothing is run. A number is a number.
fn quoted(text: &str) -> String {
    const STARTS: [char; 10] = ['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'];
    let is_formula = text.starts_with(STARTS) && text.parse::<f64>().is_err();
    let text = if is_formula { format!("'{text}") } else { text.to_owned() };
    if text.contains(['"', ',', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

fn iso(at: Timestamp) -> String {
    let at: DateTime<Utc> = at.utc();
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn written(cells: &[Cell]) -> String {
    let cell = |cell: &Cell| match cell {
        Cell::Text(text) => quoted(text),
        Cell::Number(number) => number.to_string(),
        Cell::Time(at) => at.map(iso).unwrap_or_default(),
        Cell::Flag(flag) => flag.to_string(),
    };
    cells.iter().map(cell).collect::<Vec<_>>().join(",") + "\r\n"
}

async fn send<N, C, L>(site: web::Data<Site>, staff: &Staff<N>, sheet: Sheet<C, L>) -> Result<HttpResponse, PageError>
where
    N: Need,
    C: FnOnce(&mut Conn) -> Result<i64> + Send + 'static,
    L: Fn(&mut Conn, &Keyset, i64) -> Result<Page<Line>> + Clone + Send + 'static,
{
    let Some(keyset) = sheet.asked.keyset() else { return Err(Error::internal("a list sorts by no column").into()) };
    let rows = site.db.read(sheet.count).await?;
    if rows > MANY {
        // The way back is the list: from there it is one click again.
        staff.recently(&site, &sheet.asked.here())?;
    }
    let now = site.clock.now();
    let told = [Change::fact("rows", rows), Change::fact("query", sheet.asked.export())];
    let object = Object { kind: "list", id: sheet.name.to_owned(), name: sheet.name.to_owned() };
    let audit = staff.audits(&site, "list.export").on(object).with(told);
    staff.write(&site, move |conn| audit.append(conn)).await?;

    let stamp = now.utc().format("%Y%m%dT%H%M%SZ");
    let name = format!("attachment; filename=\"portcullis-{}-{stamp}.csv\"", sheet.name);
    let head = Bytes::from(sheet.header.join(",") + "\r\n");
    let from = Keyset { from: None, backwards: false, rows: BATCH, ..keyset };
    let load = sheet.load;
    let body = stream::unfold(Some((head, Some(from))), move |state| {
        let (site, load) = (site.clone(), load.clone());
        async move {
            let (ready, next) = state?;
            let Some(keyset) = next else { return Some((Ok(ready), None)) };
            let wanted = keyset.clone();
            match site.db.read(move |conn| load(conn, &wanted, rows)).await {
                Ok(page) => {
                    let text: String = page.rows.iter().map(|(cells, _)| written(cells)).collect();
                    let last = page.rows.last().map(|(_, place)| place.clone());
                    let next = last.filter(|_| page.has_after).map(|place| Keyset { from: Some(place), ..keyset });
                    Some((Ok(ready), Some((Bytes::from(text), next))))
                }
                // Half a file must not look like a whole one: the connection breaks off.
                Err(error) => Some((Err(error), None)),
            }
        }
    });
    Ok(HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8")
        .insert_header(("Content-Disposition", name))
        .streaming(body))
}

/// The lines of a page.
fn lines<R>(
    page: Page<R>,
    keyset: &Keyset,
    place: impl Fn(&R, &Keyset) -> Place,
    cells: impl Fn(R) -> Vec<Cell>,
) -> Page<Line> {
    let line = |row: R| {
        let place = place(&row, keyset);
        (cells(row), place)
    };
    Page { rows: page.rows.into_iter().map(line).collect(), has_before: page.has_before, has_after: page.has_after }
}

fn asked_pairs(request: &HttpRequest) -> Vec<(String, String)> {
    pairs(request.query_string().as_bytes())
}

/// The users as CSV.
pub async fn users(
    site: web::Data<Site>,
    staff: Staff<Export<Users>>,
    request: HttpRequest,
) -> Result<HttpResponse, PageError> {
    let roles = site.db.read(|conn| user_list::held(conn, &[])).await?.roles;
    let asked = users::asked(&asked_pairs(&request), None, &roles);
    let (query, at) = (users::query(&site, &asked).await?, moment(&site));
    let counted = query.clone();
    let sheet = Sheet {
        name: "users",
        header: &[
            "id",
            "username",
            "email",
            "email_verified",
            "is_active",
            "is_staff",
            "is_superuser",
            "last_login",
            "date_joined",
        ],
        asked,
        count: move |conn: &mut Conn| Ok(user_list::counts(conn, &counted, i64::MAX)?.1),
        load: move |conn: &mut Conn, keyset: &Keyset, matching: i64| {
            let page = user_list::page(conn, &query, keyset, matching, at)?;
            Ok(lines(
                page,
                keyset,
                |user, keyset| user.place(&keyset.by),
                |user| {
                    vec![
                        Cell::Number(user.id),
                        Cell::Text(user.username),
                        Cell::Text(user.email),
                        Cell::Flag(user.email_verified),
                        Cell::Flag(user.is_active),
                        Cell::Flag(user.is_staff),
                        Cell::Flag(user.is_superuser),
                        Cell::Time(user.last_login),
                        Cell::Time(Some(user.date_joined)),
                    ]
                },
            ))
        },
    };
    send(site, &staff, sheet).await
}

/// The outstanding tokens as CSV.
pub async fn tokens(
    site: web::Data<Site>,
    staff: Staff<Export<Tokens>>,
    request: HttpRequest,
) -> Result<HttpResponse, PageError> {
    let asked = tokens::asked(&asked_pairs(&request), None, &tokens::kids(&site));
    let (query, counted, now) = (tokens::query(&asked), tokens::query(&asked), site.clock.now());
    let sheet = Sheet {
        name: "tokens",
        header: &["jti", "user_id", "username", "state", "session", "created_at", "expires_at", "kid"],
        asked,
        count: move |conn: &mut Conn| Ok(token_list::counts(conn, &counted, i64::MAX, now)?.1),
        load: move |conn: &mut Conn, keyset: &Keyset, matching: i64| {
            let page = token_list::page(conn, &query, keyset, matching, now)?;
            Ok(lines(
                page,
                keyset,
                |line, keyset| line.place(&keyset.by),
                |line| {
                    let state = tokens::state_code(line.state(now));
                    vec![
                        Cell::Text(line.jti),
                        line.user.map_or_else(|| Cell::from(""), Cell::Number),
                        Cell::Text(line.username.unwrap_or_default()),
                        Cell::from(state),
                        Cell::Text(line.session_id),
                        Cell::Time(Some(line.created_at)),
                        Cell::Time(Some(line.expires_at)),
                        Cell::Text(line.kid.unwrap_or_default()),
                    ]
                },
            ))
        },
    };
    send(site, &staff, sheet).await
}

/// The articles as CSV, without their texts.
pub async fn articles(
    site: web::Data<Site>,
    staff: Staff<Export<Articles>>,
    request: HttpRequest,
) -> Result<HttpResponse, PageError> {
    let asked = content::articles::asked(&asked_pairs(&request), None);
    let now = site.clock.now();
    let (query, counted) = (content::articles::query(&asked, now), content::articles::query(&asked, now));
    let sheet = Sheet {
        name: "articles",
        header: &["id", "title", "author_id", "author", "created_at", "updated_at"],
        asked,
        count: move |conn: &mut Conn| Ok(pieces::count_articles(conn, &counted, i64::MAX)?.1),
        load: move |conn: &mut Conn, keyset: &Keyset, matching: i64| {
            let page = pieces::articles(conn, &query, keyset, matching)?;
            Ok(lines(
                page,
                keyset,
                |one, keyset| one.place(&keyset.by),
                |one| {
                    vec![
                        Cell::Number(one.id),
                        Cell::Text(one.title),
                        Cell::Number(one.author_id),
                        Cell::Text(one.author),
                        Cell::Time(Some(one.created_at)),
                        Cell::Time(Some(one.updated_at)),
                    ]
                },
            ))
        },
    };
    send(site, &staff, sheet).await
}

/// The tasks as CSV, without their descriptions.
pub async fn tasks(
    site: web::Data<Site>,
    staff: Staff<Export<Tasks>>,
    request: HttpRequest,
) -> Result<HttpResponse, PageError> {
    let asked = content::tasks::asked(&asked_pairs(&request), None);
    let now = site.clock.now();
    let (query, counted) = (content::tasks::query(&asked, now), content::tasks::query(&asked, now));
    let sheet = Sheet {
        name: "tasks",
        header: &["id", "title", "completed", "due_date", "user_id", "owner", "created_at", "updated_at"],
        asked,
        count: move |conn: &mut Conn| Ok(pieces::count_tasks(conn, &counted, i64::MAX)?.1),
        load: move |conn: &mut Conn, keyset: &Keyset, matching: i64| {
            let page = pieces::tasks(conn, &query, keyset, matching)?;
            Ok(lines(
                page,
                keyset,
                |one, keyset| one.place(&keyset.by),
                |one| {
                    vec![
                        Cell::Number(one.id),
                        Cell::Text(one.title),
                        Cell::Flag(one.completed),
                        Cell::Text(one.due_date.map(|day| day.to_string()).unwrap_or_default()),
                        Cell::Number(one.user_id),
                        Cell::Text(one.owner),
                        Cell::Time(Some(one.created_at)),
                        Cell::Time(Some(one.updated_at)),
                    ]
                },
            ))
        },
    };
    send(site, &staff, sheet).await
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_cell_is_quoted_where_it_must_be_and_never_a_formula() {
        for (given, expected) in [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"so\"", "\"say \"\"so\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            ("=1+1", "'=1+1"),
            ("+49 30", "'+49 30"),
            ("-5", "-5"),
            ("+5", "+5"),
            ("-cmd", "'-cmd"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("＝1", "'＝1"),
            ("\tx", "'\tx"),
            ("=HYPERLINK(\"x\",1)", "\"'=HYPERLINK(\"\"x\"\",1)\""),
        ] {
            assert_eq!(quoted(given), expected, "{given:?}");
        }
    }
}
