//! Finding anything by what one has in hand: a username, an address, an id, a token's id, the prefix of a key.

use std::net::IpAddr;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use crate::admin::error::PageError;
use crate::admin::layout::{Frame, html, segment};
use crate::admin::staff::Staff;
use crate::auth::permissions::Verb;
use crate::db::Conn;
use crate::device::Device;
use crate::error::Result;
use crate::language::filters;
use crate::model::session::{self, SessionId};
use crate::model::{found, token};
use crate::rest::payload::pairs;
use crate::site::Site;

/// Longest text that is looked for.
const LONGEST: usize = 200;
/// Results of a kind.
const MOST: i64 = 20;

/// Something that was found.
struct Hit {
    kind: &'static str,
    icon: &'static str,
    path: String,
    name: String,
    about: String,
}

#[derive(Template)]
#[template(path = "admin/search.html")]
struct Page {
    frame: Frame,
    q: String,
    hits: Vec<Hit>,
    more: Vec<(&'static str, String)>,
    is_nobody: bool,
}

/// What the viewer may see.
#[derive(Clone, Copy)]
struct Sees {
    users: bool,
    sessions: bool,
    tokens: bool,
    keys: bool,
}

fn find(conn: &mut Conn, q: &str, sees: Sees) -> Result<Vec<Hit>> {
    let mut hits = Vec::new();
    let hit = |kind, icon, path: String, name: String, about: String| Hit { kind, icon, path, name, about };
    if sees.users {
        for (id, name, email) in found::users(conn, q, MOST)? {
            hits.push(hit(key!("User"), "user", format!("/admin/users/{id}/"), name, email));
        }
    }
    if sees.tokens
        && let Some(token) = token::by_jti(conn, q)?
    {
        hits.push(hit(
            key!("Token"),
            "token",
            format!("/admin/tokens/{}/", segment(&token.jti)),
            token.jti,
            token.kind,
        ));
    }
    if sees.sessions {
        let by_id = match q.parse::<SessionId>() {
            Ok(id) => session::by_id(conn, id)?.map(|one| (one.id, one.user_agent, None)),
            Err(()) => None,
        };
        let from = if q.parse::<IpAddr>().is_ok() { found::sessions_from(conn, q, MOST)? } else { Vec::new() };
        for (id, agent, user) in by_id.into_iter().chain(from) {
            let about = user.map_or_else(String::new, |name: String| say!("of {name}", name));
            hits.push(hit(
                key!("Session"),
                "session",
                format!("/admin/sessions/{id}/"),
                Device::from_agent(&agent).name,
                about,
            ));
        }
    }
    if sees.keys {
        for (id, name, owner) in found::api_keys(conn, q, MOST)? {
            hits.push(hit(
                key!("API key"),
                "api-key",
                format!("/admin/api-keys/{id}/"),
                name,
                say!("of {name}", name = owner),
            ));
        }
    }
    Ok(hits)
}

/// The page of results.
pub async fn page(site: web::Data<Site>, staff: Staff, request: HttpRequest) -> Result<HttpResponse, PageError> {
    let asked = pairs(request.query_string().as_bytes());
    let given = asked.iter().rfind(|(name, _)| name == "q").map_or("", |(_, value)| value.as_str());
    let q: String = given.replace('\0', "").trim().chars().take(LONGEST).collect();
    let may_see = |area| staff.may(area, Verb::View);
    let sees = Sees {
        users: may_see("users"),
        sessions: may_see("sessions"),
        tokens: may_see("tokens"),
        keys: may_see("api-keys"),
    };
    let wanted = q.clone();
    let hits = if q.is_empty() { Vec::new() } else { site.db.read(move |conn| find(conn, &wanted, sees)).await? };
    let query: String = form_urlencoded::Serializer::new(String::new()).append_pair("q", &q).finish();
    let lists = [
        (sees.users, key!("Users"), "users"),
        (sees.tokens, key!("Outstanding tokens"), "tokens"),
        (sees.sessions, key!("Sessions"), "sessions"),
    ];
    let more = lists.into_iter().filter(|(sees, ..)| *sees);
    let page = Page {
        frame: staff.frame(&[(&say!("Search"), "")]),
        more: more.map(|(_, label, list)| (label, format!("/admin/{list}/?{query}"))).collect(),
        is_nobody: !(sees.users || sees.tokens || sees.sessions || sees.keys),
        hits,
        q,
    };
    html(StatusCode::OK, &page)
}
