//! The e-mail log: what went out, what waits, what was given up and why. No page of it shows a token: letters are made as they
//! go out, and what is shown is made anew, its links cut.

pub mod again;
pub mod bulk;
pub mod detail;
pub mod test;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use crate::admin::audit::{since, when};
use crate::admin::changelist::view::Found;
use crate::admin::changelist::{self, Asked, Changelist, Column, Filter, Sort, View as ListView};
use crate::admin::error::PageError;
use crate::admin::layout::{Frame, html};
use crate::admin::staff::{Mail, Staff, View};
use crate::admin::users::Badge;
use crate::admin::when::{Now, When};
use crate::auth::permissions::Verb;
use crate::db::Conn;
use crate::db::tally::Tally;
use crate::error::{Error, Result};
use crate::language::{Said, filters, thousands};
use crate::model::outbox::Kind;
use crate::model::outbox_list::{self, Line, Query, State};
use crate::rest::payload::pairs;
use crate::site::Site;

/// Where the list is.
pub const LIST: &str = "/admin/mail/";

static LETTERS: Changelist = Changelist {
    path: LIST,
    title: key!("E-mail log"),
    nouns: nouns!("letter", "letters"),
    icon: "mail",
    search: Some(key!("Address, or how it begins")),
    searched: key!("Search looks at addresses from their beginning."),
    columns: &[
        Column {
            name: "time",
            label: key!("Time"),
            class: "",
            sort: Some(Sort {
                by: Some(outbox_list::BY_TIME),
                descending_first: true,
                words: (key!("oldest first"), key!("newest first")),
            }),
        },
        Column::plain(key!("To"), ""),
        Column::plain(key!("Kind"), ""),
        Column::plain(key!("State"), ""),
        Column::plain(key!("Tries"), "is-num"),
        Column::plain(key!("Last error"), "u-drop-1"),
        Column::plain(key!("Action"), "is-tight"),
    ],
    default: "time",
};

const STATES: [(State, &str, &str); 3] = [
    (State::Waiting, "waiting", key!("Waiting")),
    (State::Sent, "sent", key!("Sent")),
    (State::Failed, "failed", key!("Failed")),
];

const KINDS: [(Kind, &str); 5] = [
    (Kind::Verification, key!("Verification")),
    (Kind::Reset, key!("Password reset")),
    (Kind::AddressChanged, key!("Address changed")),
    (Kind::Invitation, key!("Invitation")),
    (Kind::Test, key!("Test")),
];

/// Characters of an error that the list shows.
const SHOWN: usize = 60;

/// A letter as lists show it.
struct Row {
    id: i64,
    path: String,
    at: When,
    to: String,
    kind: String,
    state: Badge,
    tries: String,
    trouble: String,
}

/// What a kind of letter is called.
fn kind(line: &Line) -> Said {
    let known = KINDS.iter().find(|(one, _)| one.as_str() == line.kind);
    known.map_or_else(|| Said::of(line.kind.clone()), |(_, words)| Said::of(*words))
}

/// How a letter stands, as a badge.
fn badge(line: &Line) -> Badge {
    let state = line.state();
    let text = STATES.iter().find(|(one, ..)| *one == state).map_or("", |(.., words)| words);
    let (kind, icon) = match state {
        State::Waiting if line.trouble.is_empty() => ("", "clock"),
        State::Waiting => ("warn", "clock"),
        State::Sent => ("ok", "ok"),
        State::Failed => ("bad", "fail"),
    };
    Badge { kind, text: Said::of(text).to_string(), icon }
}

impl Row {
    fn new(line: Line, now: Now) -> Self {
        let mut trouble: String = line.trouble.chars().take(SHOWN).collect();
        if trouble.len() < line.trouble.len() {
            trouble.push('…');
        }
        Self {
            id: line.id,
            path: format!("{LIST}{}/", line.id),
            at: When::new(line.created_at, now),
            kind: kind(&line).to_string(),
            state: badge(&line),
            tries: thousands(line.attempts),
            trouble,
            to: line.address,
        }
    }
}

#[derive(Template)]
#[template(path = "admin/mail/index.html")]
struct Page {
    frame: Frame,
    list: ListView,
    rows: Vec<Row>,
    may_send: bool,
    is_printed: bool,
}

/// The list as a URL asks for it.
pub fn asked(pairs: &[(String, String)], usual_rows: Option<usize>) -> Asked {
    let states = STATES.map(|(_, code, words)| (code, words));
    let kinds = KINDS.map(|(one, words)| (one.as_str(), words));
    let filters = vec![Filter::of("state", key!("State"), &states), Filter::of("kind", key!("Kind"), &kinds), when()];
    Asked::new(&LETTERS, pairs, usual_rows, filters)
}

/// What the list is narrowed to.
pub fn query(asked: &Asked, now: Now) -> Query {
    let state = asked.choice("state").and_then(|code| STATES.iter().find(|(_, one, _)| *one == code));
    Query {
        address: asked.q().to_owned(),
        state: state.map(|(state, ..)| *state),
        kind: asked.choice("kind").map(str::to_owned),
        since: since(asked, now),
    }
}

fn load(conn: &mut Conn, tally: &Tally, asked: &Asked, now: Now) -> Result<(Found, Vec<Row>)> {
    let Some(keyset) = asked.keyset() else { return Err(Error::internal("letters sort by no column")) };
    let query = query(asked, now);
    let page = outbox_list::page(conn, &query, &keyset)?;
    let counts = outbox_list::counts(conn, &query, tally)?;
    let found = Found::of(&page, counts, Line::place);
    Ok((found, page.rows.into_iter().map(|line| Row::new(line, now)).collect()))
}

/// The list of letters.
pub async fn index(
    site: web::Data<Site>,
    staff: Staff<View<Mail>>,
    request: HttpRequest,
) -> Result<HttpResponse, PageError> {
    let pairs = pairs(request.query_string().as_bytes());
    let (asked, now) = (asked(&pairs, staff.visit().usual_rows()), staff.now());
    let tally = changelist::tally(&site);
    let read = move |conn: &mut Conn| {
        let loaded = load(conn, &tally, &asked, now)?;
        Ok((asked, loaded))
    };
    let (asked, (found, rows)) = site.db.read(read).await?;
    let may_send = staff.may("mail", Verb::Change);
    let page = Page {
        frame: staff.frame(&[(&say!("E-mail log"), "")]),
        list: asked
            .view(&found, &bulk::offered(&staff))
            .when_empty(key!("Letters appear here as soon as they are asked for."), None),
        rows,
        may_send,
        is_printed: site.mail.mailer.prints(),
    };
    staff.visit().remember_rows(html(StatusCode::OK, &page)?, asked.new_usual_rows())
}
