//! The list of all sessions, the API's and the panel's, as the panel searches, filters and pages through it.

use diesel::dsl::not;
use diesel::expression::SqlLiteral;
use diesel::prelude::*;
use diesel::sql_types::Untyped;

use crate::clock::Timestamp;
use crate::db::keyset::{self, Keyset, Page, Place, SortColumn};
use crate::db::schema::{panel_sessions, sessions, users};
use crate::db::sql::{self, Condition, among};
use crate::db::tally::{Counted, Counts, Tally};
use crate::db::way::Way;
use crate::db::{Backend, Conn};
use crate::error::Result;

/// Sorted by when they were last seen.
pub const BY_SEEN: SortColumn =
    SortColumn::new("sessions.last_seen_at", keyset::Kind::Number, "sessions.id").with_text_id();
/// Sorted by when they began.
pub const BY_STARTED: SortColumn =
    SortColumn::new("sessions.started_at", keyset::Kind::Number, "sessions.id").with_text_id();

/// The same orders of the panel's own.
const PANEL_BY_SEEN: SortColumn =
    SortColumn::new("panel_sessions.last_seen_at", keyset::Kind::Number, "panel_sessions.key_digest").with_text_id();
const PANEL_BY_STARTED: SortColumn =
    SortColumn::new("panel_sessions.started_at", keyset::Kind::Number, "panel_sessions.key_digest").with_text_id();

/// What a session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A refresh token and its access tokens.
    Pair,
    /// A sliding token.
    Sliding,
    /// The panel.
    Admin,
}

/// What of a session a list shows.
#[derive(Clone, Debug)]
pub struct SessionLine {
    /// Its id; of the panel's, the digest of its key.
    pub id: String,
    /// What it is for.
    pub kind: Kind,
    /// Whose it is.
    pub user: Option<i64>,
    /// That user's name.
    pub username: Option<String>,
    /// What its user calls it.
    pub name: String,
    /// The address at sign-in.
    pub ip: String,
    /// The User-Agent at sign-in.
    pub user_agent: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it was last seen.
    pub last_seen_at: Timestamp,
    /// Its absolute end.
    pub expires_at: Timestamp,
    /// Why it is over; `None` while it is not.
    pub ended: Option<String>,
}

impl SessionLine {
    /// Where the session stands in this order.
    pub fn place(&self, by: &SortColumn) -> Place {
        let id = keyset::Value::from(self.id.as_str());
        if by.column == by.id {
            return Place { value: id.clone(), id };
        }
        let at = if by.column == BY_STARTED.column { self.started_at } else { self.last_seen_at };
        Place { value: at.into(), id }
    }
}

/// Which sessions are wanted.
#[derive(Clone, Debug, Default)]
pub struct SessionQuery {
    /// Exactly a username or an id, or an address from its beginning.
    pub search: String,
    /// For this.
    pub kind: Option<Kind>,
    /// Living, or over.
    pub is_live: Option<bool>,
    /// From exactly this address.
    pub ip: Option<String>,
    /// Seen since then.
    pub seen_since: Option<Timestamp>,
}

/// What a list is asked at: now, and since when a session of the panel must have been used to live.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Now.
    pub now: Timestamp,
    /// A session of the panel that was not used since is over.
    pub idle_since: Timestamp,
}

type Rows = sessions::BoxedQuery<'static, Backend>;
type PanelRows = panel_sessions::BoxedQuery<'static, Backend>;

fn owner(search: &str) -> diesel::helper_types::SingleValue<OwnerOf> {
    users::table.filter(users::username.eq(search.to_owned())).select(users::id).single_value()
}
type OwnerOf = diesel::helper_types::Select<
    diesel::helper_types::Filter<users::table, diesel::helper_types::Eq<users::username, String>>,
    users::id,
>;

/// What narrows the list, but for whether they live or are over.
fn in_any_state(query: &SessionQuery) -> Vec<Condition<sessions::table>> {
    let mut all: Vec<Condition<sessions::table>> = Vec::new();
    if !query.search.is_empty() {
        let search = &query.search;
        let begins = sessions::ip.ge(search.clone()).and(sessions::ip.lt(format!("{search}{}", char::MAX)));
        let owned = sessions::user_id.eq(owner(search)).assume_not_null();
        all.push(Box::new(owned.or(sessions::id.eq(search.clone())).or(begins)));
    }
    match query.kind {
        Some(Kind::Pair) => all.push(Box::new(sessions::kind.eq("pair"))),
        Some(Kind::Sliding) => all.push(Box::new(sessions::kind.eq("sliding"))),
        Some(Kind::Admin) | None => {}
    }
    if let Some(ip) = &query.ip {
        all.push(Box::new(sessions::ip.eq(ip.clone())));
    }
    if let Some(since) = query.seen_since {
        all.push(Box::new(sessions::last_seen_at.ge(since)));
    }
    all
}

/// Those that are wanted, as conditions of which each is answered by one index; none if nothing narrows the list.
fn conditions(query: &SessionQuery, at: Moment) -> Vec<Condition<sessions::table>> {
    let with =
        |state: Option<Condition<sessions::table>>| sql::all(in_any_state(query).into_iter().chain(state).collect());
    let states: Vec<Option<Condition<sessions::table>>> = match query.is_live {
        None => vec![None],
        Some(true) => vec![Some(open(at))],
        Some(false) => {
            let ended = sessions::ended_at.is_not_null().and(sessions::expires_at.gt(at.now));
            vec![Some(Box::new(sessions::expires_at.le(at.now))), Some(Box::new(ended))]
        }
    };
    states.into_iter().filter_map(with).collect()
}

/// Neither ended nor expired.
fn open(at: Moment) -> Condition<sessions::table> {
    Box::new(sessions::expires_at.gt(at.now).and(sessions::ended_at.is_null()))
}

fn panel_matching(query: &SessionQuery, at: Moment) -> PanelRows {
    let mut rows = panel_sessions::table.filter(panel_sessions::user_id.is_not_null()).into_boxed();
    if !query.search.is_empty() {
        let search = &query.search;
        let ends = format!("{search}{}", char::MAX);
        let begins = panel_sessions::ip.ge(search.clone()).and(panel_sessions::ip.lt(ends));
        let owned = panel_sessions::user_id.eq(owner(search)).assume_not_null();
        let digest = search.strip_prefix(PANEL).unwrap_or(search).to_owned();
        rows = rows.filter(owned.or(panel_sessions::key_digest.eq(digest)).or(begins));
    }
    if let Some(ip) = &query.ip {
        rows = rows.filter(panel_sessions::ip.eq(ip.clone()));
    }
    if let Some(since) = query.seen_since {
        rows = rows.filter(panel_sessions::last_seen_at.ge(since));
    }
    let live = panel_sessions::expires_at.gt(at.now).and(panel_sessions::last_seen_at.gt(at.idle_since));
    match query.is_live {
        Some(true) => rows.filter(live),
        Some(false) => rows.filter(not(live)),
        None => rows,
    }
}

/// How the panel names a session of its own: this and the digest of its key.
pub const PANEL: &str = "panel-";

type Columns = (
    (String, String, Option<i64>, Option<String>, String, String, String),
    (Timestamp, Timestamp, Timestamp),
    (Option<Timestamp>, Option<String>),
);

fn lines(conn: &mut Conn, ids: Rows, order: SqlLiteral<Untyped>, now: Timestamp) -> Result<Vec<SessionLine>> {
    let rows: Vec<Columns> = sessions::table
        .left_join(users::table.on(sessions::user_id.eq(users::id.nullable())))
        .into_boxed::<Backend>()
        .filter(among("sessions.id", ids.select(sessions::id)))
        .order(order)
        .select((
            (
                sessions::id,
                sessions::kind,
                sessions::user_id,
                users::username.nullable(),
                sessions::name,
                sessions::ip,
                sessions::user_agent,
            ),
            (sessions::started_at, sessions::last_seen_at, sessions::expires_at),
            (sessions::ended_at, sessions::ended_why),
        ))
        .load(conn)?;
    let line = |((id, kind, user, username, name, ip, user_agent), times, end): Columns| {
        let (ended_at, why) = end;
        let (started_at, last_seen_at, expires_at) = times;
        let ended = if ended_at.is_some() {
            Some(why.unwrap_or_default())
        } else {
            (expires_at <= now).then(|| "expired".to_owned())
        };
        let kind = if kind == "sliding" { Kind::Sliding } else { Kind::Pair };
        SessionLine { id, kind, user, username, name, ip, user_agent, started_at, last_seen_at, expires_at, ended }
    };
    Ok(rows.into_iter().map(line).collect())
}

type PanelColumns = (String, Option<i64>, Option<String>, String, String, Timestamp, Timestamp, Timestamp);

fn panel_lines(conn: &mut Conn, ids: PanelRows, order: SqlLiteral<Untyped>, at: Moment) -> Result<Vec<SessionLine>> {
    let rows: Vec<PanelColumns> = panel_sessions::table
        .left_join(users::table.on(panel_sessions::user_id.eq(users::id.nullable())))
        .into_boxed::<Backend>()
        .filter(among("panel_sessions.key_digest", ids.select(panel_sessions::key_digest)))
        .order(order)
        .select((
            panel_sessions::key_digest,
            panel_sessions::user_id,
            users::username.nullable(),
            panel_sessions::ip,
            panel_sessions::user_agent,
            panel_sessions::started_at,
            panel_sessions::last_seen_at,
            panel_sessions::expires_at,
        ))
        .load(conn)?;
    let line = |(id, user, username, ip, user_agent, started_at, last_seen_at, expires_at): PanelColumns| {
        let is_live = expires_at > at.now && last_seen_at > at.idle_since;
        SessionLine {
            id,
            kind: Kind::Admin,
            user,
            username,
            name: String::new(),
            ip,
            user_agent,
            started_at,
            last_seen_at,
            expires_at,
            ended: (!is_live).then(|| "expired".to_owned()),
        }
    };
    Ok(rows.into_iter().map(line).collect())
}

/// One page of those that are wanted, the API's and the panel's in one order; `wanted` tells how many they are.
pub fn page(
    conn: &mut Conn,
    query: &SessionQuery,
    keyset: &Keyset,
    wanted: i64,
    at: Moment,
) -> Result<Page<SessionLine>> {
    let nothing = Page { rows: Vec::new(), has_before: false, has_after: false };
    let way = Way::to(conn, wanted);
    let of_api = |conn: &mut Conn| {
        keyset.load_by(&[way], |piece| {
            let narrowed = conditions(query, at).into_iter().reduce(|one, other| Box::new(one.or(other)));
            let narrowed = narrowed.map(|condition| way.narrowing(condition));
            let mut ids = sessions::table.filter(piece.condition()).into_boxed();
            if let Some(narrowed) = narrowed {
                ids = ids.filter(narrowed);
            }
            lines(conn, ids.order(piece.order()).limit(piece.limit), piece.order(), at.now)
        })
    };
    let by = match keyset.by.column {
        column if column == keyset.by.id => PANEL_BY_SEEN.id(),
        column if column == BY_STARTED.column => PANEL_BY_STARTED,
        _ => PANEL_BY_SEEN,
    };
    let panel_keyset = Keyset { by, ..keyset.clone() };
    let of_panel = |conn: &mut Conn| {
        panel_keyset.load(|piece| {
            let ids = panel_matching(query, at).filter(piece.condition());
            panel_lines(conn, ids.order(piece.order()).limit(piece.limit), piece.order(), at)
        })
    };
    let one = if query.kind == Some(Kind::Admin) { nothing.clone() } else { of_api(conn)? };
    let other = if matches!(query.kind, Some(Kind::Pair | Kind::Sliding)) { nothing } else { of_panel(conn)? };
    Ok(keyset.merge(one, other, |line| line.place(&keyset.by)))
}

/// How many there are, and how many are wanted.
pub fn counts(conn: &mut Conn, query: &SessionQuery, tally: &Tally, at: Moment) -> Result<Counts> {
    let of_panel = panel_sessions::table.filter(panel_sessions::user_id.is_not_null());
    let all: Vec<Counted> =
        vec![Box::new(sessions::table.select(sessions::id)), Box::new(of_panel.select(panel_sessions::key_digest))];
    let mut wanted: Vec<Counted> = Vec::new();
    let conditions = conditions(query, at);
    if conditions.is_empty() && query.kind != Some(Kind::Admin) {
        return tally.count(conn, "sessions", all, wanted); // what narrows the panel's own narrows the others
    }
    if query.kind != Some(Kind::Admin) {
        wanted.extend(conditions.into_iter().map(|condition| -> Counted {
            Box::new(sessions::table.into_boxed().filter(condition).select(sessions::id).limit(tally.limit()))
        }));
    }
    if !matches!(query.kind, Some(Kind::Pair | Kind::Sliding)) {
        wanted.push(Box::new(panel_matching(query, at).select(panel_sessions::key_digest).limit(tally.limit())));
    }
    tally.count(conn, "sessions", all, wanted)
}

/// One session of the panel.
pub fn of_panel(conn: &mut Conn, key_digest: &str, at: Moment) -> Result<Option<SessionLine>> {
    let one = panel_sessions::table.filter(panel_sessions::key_digest.eq(key_digest.to_owned())).into_boxed();
    Ok(panel_lines(conn, one, diesel::dsl::sql("panel_sessions.key_digest"), at)?.pop())
}

/// One session of the API.
pub fn of_api(conn: &mut Conn, id: &str, now: Timestamp) -> Result<Option<SessionLine>> {
    let one = sessions::table.filter(sessions::id.eq(id.to_owned())).into_boxed();
    Ok(lines(conn, one, diesel::dsl::sql("sessions.id"), now)?.pop())
}

/// Users with a session that is not over, by id, from `after` on; at most `most`.
pub fn signed_in_users(conn: &mut Conn, after: i64, most: i64, at: Moment) -> Result<Vec<i64>> {
    let of_api = sessions::table.filter(open(at));
    let of_api = of_api.filter(sessions::user_id.gt(after)).select(sessions::user_id);
    let mut ids: Vec<i64> = of_api
        .order(sessions::user_id)
        .distinct()
        .limit(most)
        .load::<Option<i64>>(conn)?
        .into_iter()
        .flatten()
        .collect();
    let of_panel = panel_sessions::table.filter(panel_sessions::user_id.gt(after)).select(panel_sessions::user_id);
    let of_panel: Vec<Option<i64>> = of_panel.order(panel_sessions::user_id).distinct().limit(most).load(conn)?;
    ids.extend(of_panel.into_iter().flatten());
    ids.sort_unstable();
    ids.dedup();
    ids.truncate(most.try_into().unwrap_or(usize::MAX));
    Ok(ids)
}
