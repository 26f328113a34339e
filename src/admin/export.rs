//! A list as CSV (RFC 4180): the same search, filters and order, all rows, read by key a thousand at a time while they are
//! sent. Spreadsheets run what begins like a formula, so such cells are defused.

use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use futures_util::stream;

use crate::admin::changelist::Asked;
use crate::admin::error::PageError;
use crate::admin::sessions::moment;
use crate::admin::staff::{Articles, AuditLog, Export, Need, SignIns, Staff, Tasks, Tokens, Users};
use crate::admin::{audit, content, sign_ins, tokens, users};
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::db::keyset::{Keyset, Page, Place, SortColumn};
use crate::db::tally::{Counts, Tally};
use crate::error::{Error, Result};
use crate::model::audit::list::{self as entries, Line as Entry};
use crate::model::audit::{Change, Object};
use crate::model::content::{self as pieces, Article as ArticleLine, Task as TaskLine};
use crate::model::session_list::Moment;
use crate::model::sign_in::{self, Line as Attempt};
use crate::model::token_list::{self, TokenLine};
use crate::model::user_list::{self, UserLine};
use crate::rest::payload::pairs;
use crate::site::Site;

/// Rows that are read at a time.
const BATCH: usize = 1000;
/// From here on the password is asked for again.
const MANY: i64 = 10_000;

/// A cell, as the list has it.
enum Cell {
    Text(String),
    Number(i64),
    Time(Timestamp),
    Flag(bool),
    Nothing,
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for Cell {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<Timestamp> for Cell {
    fn from(at: Timestamp) -> Self {
        Self::Time(at)
    }
}

impl From<bool> for Cell {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Nothing, Into::into)
    }
}

/// A column: the code of its field, and a row's cell in it as it stands at a moment.
type Column<R> = (&'static str, fn(&R, Timestamp) -> Cell);

/// Counts the rows that there are and those wanted, the latter up to so many.
type Count<Q> = fn(&mut Conn, &Q, &Tally, Moment) -> Result<Counts>;

/// What a list writes down.
struct Sheet<Q, R: 'static> {
    name: &'static str,
    columns: &'static [Column<R>],
    asked: Asked,
    query: Q,
    /// How many rows the list has, and how many are wanted, counted up to so many.
    counts: Count<Q>,
    /// A page of those wanted, whose number is given.
    page: fn(&mut Conn, &Q, &Keyset, i64, Moment) -> Result<Page<R>>,
    /// Where a row stands in the order.
    place: fn(&R, &SortColumn) -> Place,
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

fn written<R>(columns: &[Column<R>], row: &R, now: Timestamp) -> String {
    let cell = |(_, cell): &Column<R>| match cell(row, now) {
        Cell::Text(text) => quoted(&text),
        Cell::Number(number) => number.to_string(),
        Cell::Time(at) => iso(at),
        Cell::Flag(flag) => flag.to_string(),
        Cell::Nothing => String::new(),
    };
    columns.iter().map(cell).collect::<Vec<_>>().join(",") + "\r\n"
}

async fn send<N, Q, R>(site: web::Data<Site>, staff: &Staff<N>, sheet: Sheet<Q, R>) -> Result<HttpResponse, PageError>
where
    N: Need,
    Q: Clone + Send + 'static,
    R: Send,
{
    let Some(keyset) = sheet.asked.keyset() else { return Err(Error::internal("a list sorts by no column").into()) };
    let Sheet { name, columns, asked, query, counts, page, place } = sheet;
    let at = moment(&site);
    let counted = query.clone();
    let rows = site.db.read(move |conn| Ok(counts(conn, &counted, &Tally::exact(), at)?.matching)).await?;
    if rows > MANY {
        // The way back is the list: from there it is one click again.
        staff.recently(&site, &asked.here())?;
    }
    let told = [Change::fact("rows", rows), Change::fact("query", asked.export())];
    let object = Object { kind: "list", id: name.to_owned(), name: name.to_owned() };
    let audit = staff.audits(&site, "list.export").on(object).with(told);
    staff.write(&site, move |conn| audit.append(conn)).await?;

    let file = format!("attachment; filename=\"portcullis-{name}-{}.csv\"", at.now.utc().format("%Y%m%dT%H%M%SZ"));
    let codes: Vec<&str> = columns.iter().map(|(code, _)| *code).collect();
    let head = Bytes::from(codes.join(",") + "\r\n");
    let from = Keyset { from: None, backwards: false, rows: BATCH, ..keyset };
    let body = stream::unfold(Some((head, Some(from))), move |state| {
        let (site, query) = (site.clone(), query.clone());
        async move {
            let (ready, next) = state?;
            let Some(keyset) = next else { return Some((Ok(ready), None)) };
            let wanted = keyset.clone();
            match site.db.read(move |conn| page(conn, &query, &wanted, rows, at)).await {
                Ok(page) => {
                    let text: String = page.rows.iter().map(|row| written(columns, row, at.now)).collect();
                    let last = page.rows.last().map(|row| place(row, &keyset.by));
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
        .insert_header(("Content-Disposition", file))
        .streaming(body))
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
    let sheet = Sheet {
        name: "users",
        columns: &[
            ("id", |user: &UserLine, _| user.id.into()),
            ("username", |user, _| user.username.as_str().into()),
            ("email", |user, _| user.email.as_str().into()),
            ("email_verified", |user, _| user.email_verified.into()),
            ("is_active", |user, _| user.is_active.into()),
            ("is_staff", |user, _| user.is_staff.into()),
            ("is_superuser", |user, _| user.is_superuser.into()),
            ("last_login", |user, _| user.last_login.into()),
            ("date_joined", |user, _| user.date_joined.into()),
        ],
        query: users::query(&asked, &users::locked(&site).await?, staff.now()),
        asked,
        counts: |conn, query, tally, _| user_list::counts(conn, query, tally),
        page: user_list::page,
        place: UserLine::place,
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
    let sheet = Sheet {
        name: "tokens",
        columns: &[
            ("jti", |token: &TokenLine, _| token.jti.as_str().into()),
            ("user_id", |token, _| token.user.into()),
            ("username", |token, _| token.username.as_deref().into()),
            ("state", |token, now| tokens::state_code(token.state(now)).into()),
            ("session", |token, _| token.session_id.as_str().into()),
            ("created_at", |token, _| token.created_at.into()),
            ("expires_at", |token, _| token.expires_at.into()),
            ("kid", |token, _| token.kid.as_deref().into()),
        ],
        query: tokens::query(&asked),
        asked,
        counts: |conn, query, tally, at| token_list::counts(conn, query, tally, at.now),
        page: |conn, query, keyset, matching, at| token_list::page(conn, query, keyset, matching, at.now),
        place: TokenLine::place,
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
    let sheet = Sheet {
        name: "articles",
        columns: &[
            ("id", |article: &ArticleLine, _| article.id.into()),
            ("title", |article, _| article.title.as_str().into()),
            ("author_id", |article, _| article.author_id.into()),
            ("author", |article, _| article.author.as_str().into()),
            ("created_at", |article, _| article.created_at.into()),
            ("updated_at", |article, _| article.updated_at.into()),
        ],
        query: content::articles::query(&asked, staff.now()),
        asked,
        counts: |conn, query, tally, _| pieces::count_articles(conn, query, tally),
        page: |conn, query, keyset, matching, _| pieces::articles(conn, query, keyset, matching),
        place: ArticleLine::place,
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
    let sheet = Sheet {
        name: "tasks",
        columns: &[
            ("id", |task: &TaskLine, _| task.id.into()),
            ("title", |task, _| task.title.as_str().into()),
            ("completed", |task, _| task.completed.into()),
            ("due_date", |task, _| task.due_date.map(|day| day.to_string()).as_deref().into()),
            ("user_id", |task, _| task.user_id.into()),
            ("owner", |task, _| task.owner.as_str().into()),
            ("created_at", |task, _| task.created_at.into()),
            ("updated_at", |task, _| task.updated_at.into()),
        ],
        query: content::tasks::query(&asked, staff.now()),
        asked,
        counts: |conn, query, tally, _| pieces::count_tasks(conn, query, tally),
        page: |conn, query, keyset, matching, _| pieces::tasks(conn, query, keyset, matching),
        place: TaskLine::place,
    };
    send(site, &staff, sheet).await
}

/// The audit log as CSV, with the names of the fields that changed.
pub async fn audit(
    site: web::Data<Site>,
    staff: Staff<Export<AuditLog>>,
    request: HttpRequest,
) -> Result<HttpResponse, PageError> {
    let pairs = asked_pairs(&request);
    let asked = site.db.read(move |conn| audit::asked(conn, &pairs, None)).await?;
    let sheet = Sheet {
        name: "audit",
        columns: &[
            ("id", |entry: &Entry, _| entry.id.into()),
            ("at", |entry, _| entry.at.into()),
            ("actor_id", |entry, _| entry.actor_id.into()),
            ("actor", |entry, _| entry.actor.as_str().into()),
            ("ip", |entry, _| entry.ip.as_str().into()),
            ("action", |entry, _| entry.action.as_str().into()),
            ("object_kind", |entry, _| entry.object_kind.as_str().into()),
            ("object_id", |entry, _| entry.object_id.as_str().into()),
            ("object", |entry, _| entry.object.as_str().into()),
            ("fields", |entry, _| entry.fields.as_str().into()),
            ("result", |entry, _| entry.result.as_str().into()),
        ],
        query: audit::query(&asked, staff.now()),
        asked,
        counts: |conn, query, tally, _| entries::counts(conn, query, tally),
        page: |conn, query, keyset, _, _| entries::page(conn, query, keyset),
        place: |entry, _| entry.place(),
    };
    send(site, &staff, sheet).await
}

/// The attempts to sign in as CSV. A name that nobody has is a digest here, too.
pub async fn sign_ins(
    site: web::Data<Site>,
    staff: Staff<Export<SignIns>>,
    request: HttpRequest,
) -> Result<HttpResponse, PageError> {
    let (asked, attempts) = (sign_ins::asked(&asked_pairs(&request), None), site.sign_in.attempts().clone());
    let now = staff.now();
    let query = move |conn: &mut Conn| {
        let query = sign_ins::query(conn, &asked, &attempts, now)?;
        Ok((asked, query))
    };
    let (asked, query) = site.db.read(query).await?;
    let sheet = Sheet {
        name: "sign-ins",
        columns: &[
            ("id", |attempt: &Attempt, _| attempt.id.into()),
            ("at", |attempt, _| attempt.at.into()),
            ("user_id", |attempt, _| attempt.user_id.into()),
            ("name_digest", |attempt, _| attempt.name_digest.as_str().into()),
            ("outcome", |attempt, _| attempt.outcome.as_str().into()),
            ("how", |attempt, _| attempt.how.as_str().into()),
            ("ip", |attempt, _| attempt.ip.as_str().into()),
            ("user_agent", |attempt, _| attempt.user_agent.as_str().into()),
            ("times", |attempt, _| i64::from(attempt.times).into()),
        ],
        query,
        asked,
        counts: |conn, query, tally, _| sign_in::counts(conn, query, tally),
        page: |conn, query, keyset, _, _| sign_in::page(conn, query, keyset),
        place: |attempt, _| attempt.place(),
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
