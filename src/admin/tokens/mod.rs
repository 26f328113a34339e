//! Outstanding tokens: the list of refresh and sliding tokens on record.

pub mod bulk;
pub mod detail;
pub mod restore;
pub mod revoke;

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use crate::admin::changelist::view::Found;
use crate::admin::changelist::{self, Asked, Changelist, Column, Filter, Sort, View as ListView};
use crate::admin::error::PageError;
use crate::admin::layout::{Frame, html, segment};
use crate::admin::staff::{Staff, Tokens, View};
use crate::admin::users::Badge;
use crate::admin::when::{Now, When};
use crate::auth::permissions::Verb;
use crate::db::Conn;
use crate::db::tally::Tally;
use crate::error::{Error, Result};
use crate::language::filters;
use crate::model::token_list::{self, TokenLine, TokenQuery, TokenState};
use crate::rest::payload::pairs;
use crate::site::Site;

/// The list of tokens on record.
pub static TOKENS: Changelist = Changelist {
    path: "/admin/tokens/",
    title: key!("Outstanding tokens"),
    nouns: nouns!("token", "tokens"),
    icon: "token",
    search: Some(key!("Token id, from 6 characters, or username")),
    searched: key!("Search looks at token ids from their beginning and whole usernames."),
    columns: &[
        Column::plain(key!("Token id"), ""),
        Column::plain(key!("User"), ""),
        Column::plain(key!("State"), ""),
        Column::plain(key!("Session"), "u-drop-1"),
        Column {
            name: "issued",
            label: key!("Issued"),
            class: "",
            sort: Some(Sort {
                by: Some(token_list::BY_ISSUED),
                descending_first: true,
                words: (key!("oldest first"), key!("newest first")),
            }),
        },
        Column {
            name: "expires",
            label: key!("Expires"),
            class: "",
            sort: Some(Sort {
                by: Some(token_list::BY_EXPIRES),
                descending_first: false,
                words: (key!("first to expire first"), key!("last to expire first")),
            }),
        },
        Column::plain(key!("Key id"), "u-drop-1"),
        Column::plain(key!("Actions"), "is-tight"),
    ],
    default: "issued",
};

const STATES: [(TokenState, &str, &str); 4] = [
    (TokenState::Live, "live", "Live"),
    (TokenState::Used, "used", "Used"),
    (TokenState::Revoked, "revoked", "Revoked"),
    (TokenState::Expired, "expired", "Expired"),
];

const WITHIN: [(&str, &str, u64); 3] =
    [("1h", "Within 1 hour", 3600), ("24h", "Within 24 hours", 86_400), ("7d", "Within 7 days", 604_800)];

/// Characters of a token's id that a list shows.
const SHORT: usize = 8;

/// The first characters of a token's id.
pub fn short(jti: &str) -> String {
    jti.chars().take(SHORT).collect()
}

/// How a token stands, as a badge.
pub fn badge(state: TokenState) -> Badge {
    let text = STATES.iter().find(|(one, ..)| *one == state).map_or("", |(_, _, label)| label).to_owned();
    let (kind, icon) = match state {
        TokenState::Live => ("ok", "ok"),
        TokenState::Used => ("", "refresh"),
        TokenState::Revoked => ("bad", "ban"),
        TokenState::Expired => ("", "clock"),
    };
    Badge { kind, text, icon }
}

/// How a token stands, as a code.
pub fn state_code(state: TokenState) -> &'static str {
    STATES.iter().find(|(one, ..)| *one == state).map_or("", |(_, code, _)| code)
}

/// A token as lists show it.
pub struct Row {
    /// Its place on record.
    pub id: i64,
    /// Its own id.
    pub jti: String,
    /// Its own id, short.
    pub short: String,
    /// Its page.
    pub path: String,
    /// Whose it is.
    pub user: Option<(i64, String)>,
    /// How it stands.
    pub state: Badge,
    /// Whether it can be revoked.
    pub is_live: bool,
    /// Its session.
    pub session: String,
    /// When it was issued.
    pub issued: When,
    /// When it expires.
    pub expires: When,
    /// The key that signed it.
    pub kid: String,
}

impl Row {
    /// A row of a list at `now`.
    pub fn new(line: TokenLine, now: Now) -> Self {
        let state = line.state(now.at);
        Self {
            id: line.id,
            short: short(&line.jti),
            path: format!("/admin/tokens/{}/", segment(&line.jti)),
            state: badge(state),
            is_live: line.is_good(now.at),
            issued: When::new(line.created_at, now),
            expires: When::new(line.expires_at, now),
            user: line.user.zip(line.username),
            session: line.session_id,
            kid: line.kid.unwrap_or_default(),
            jti: line.jti,
        }
    }
}

#[derive(Template)]
#[template(path = "admin/tokens/index.html")]
struct Page {
    frame: Frame,
    list: ListView,
    rows: Vec<Row>,
    may_see_users: bool,
    may_see_sessions: bool,
    may_revoke: bool,
    may_export: bool,
}

/// The list as a URL asks for it, which names a user exactly by `?user=`; `kids` are the keys there are.
pub fn asked(pairs: &[(String, String)], usual_rows: Option<usize>, kids: &[String]) -> Asked {
    let states: Vec<(&str, &str)> = STATES.iter().map(|(_, value, label)| (*value, *label)).collect();
    let within: Vec<(&str, &str)> = WITHIN.iter().map(|(value, label, _)| (*value, *label)).collect();
    let filters = [
        Filter::of("state", key!("State"), &states).sorted_by(|state| (state == "expired").then_some("expires")),
        Filter::of("expires", key!("Expires"), &within).sorted_by(|_| Some("expires")),
        Filter::of("kid", key!("Key id"), &[]).and(kids),
    ];
    let filters = Filter::named("user", "User", pairs).into_iter().chain(filters).collect();
    Asked::new(&TOKENS, pairs, usual_rows, filters)
}

/// What the list is narrowed to.
pub fn query(asked: &Asked) -> TokenQuery {
    let state = asked.choice("state").and_then(|value| STATES.iter().find(|(_, one, _)| *one == value));
    let within = asked.choice("expires").and_then(|value| WITHIN.iter().find(|(one, ..)| *one == value));
    TokenQuery {
        search: asked.q().to_owned(),
        user: None,
        username: asked.choice("user").map(str::to_owned),
        state: state.map(|(state, ..)| *state),
        expires_within: within.map(|(_, _, seconds)| Duration::from_secs(*seconds)),
        kid: asked.choice("kid").map(str::to_owned),
    }
}

/// The names of the keys in use.
pub fn kids(site: &Site) -> Vec<String> {
    site.signer.ring().keys().filter_map(|key| key.kid().map(str::to_owned)).collect()
}

fn load(conn: &mut Conn, tally: &Tally, asked: &Asked, now: Now) -> Result<(Found, Vec<Row>)> {
    let Some(keyset) = asked.keyset() else { return Err(Error::internal("tokens sort by no column")) };
    let query = query(asked);
    let counts = token_list::counts(conn, &query, tally, now.at)?;
    let page = token_list::page(conn, &query, &keyset, counts.matching, now.at)?;
    let found = Found::of(&page, counts, |line| line.place(&keyset.by));
    Ok((found, page.rows.into_iter().map(|line| Row::new(line, now)).collect()))
}

/// The list of tokens on record.
pub async fn index(
    site: web::Data<Site>,
    staff: Staff<View<Tokens>>,
    request: HttpRequest,
) -> Result<HttpResponse, PageError> {
    let pairs = pairs(request.query_string().as_bytes());
    let asked = asked(&pairs, staff.visit().usual_rows(), &kids(&site));
    let now = staff.now();
    let tally = changelist::tally(&site);
    let (asked, (found, rows)) = site
        .db
        .read(move |conn| {
            let loaded = load(conn, &tally, &asked, now)?;
            Ok((asked, loaded))
        })
        .await?;
    let may_revoke = staff.may("tokens", Verb::Revoke);
    let page = Page {
        frame: staff.frame(&[("Outstanding", "")]),
        list: asked
            .view(&found, &bulk::offered_on_outstanding(&staff))
            .when_empty(key!("Every sign-in puts a refresh or sliding token here."), None),
        rows,
        may_see_users: staff.may("users", Verb::View),
        may_see_sessions: staff.may("sessions", Verb::View),
        may_revoke,
        may_export: staff.may("tokens", Verb::Export),
    };
    staff.visit().remember_rows(html(StatusCode::OK, &page)?, asked.new_usual_rows())
}
