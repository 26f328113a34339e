//! One user or address: what holds them back, and what may be done about it.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;

use crate::admin::error::PageError;
use crate::admin::layout::{Frame, html, segment};
use crate::admin::staff::{Staff, Throttling, View};
use crate::admin::throttling::acts::{cannot_hold, found};
use crate::admin::throttling::{HOLDS, Hold, LIST, Row, path_of, rows};
use crate::auth::permissions::Verb;
use crate::db::Conn;
use crate::language::filters;
use crate::model::throttled;
use crate::site::Site;
use crate::throttle::Subject;

#[derive(Template)]
#[template(path = "admin/throttling/detail.html")]
struct Page {
    frame: Frame,
    name: String,
    path: String,
    is_network: bool,
    user: Option<i64>,
    sign_ins: String,
    rows: Vec<Row>,
    may_change: bool,
    may_see_users: bool,
    may_see_sign_ins: bool,
    cannot_hold: String,
    holds: [Hold; 2],
}

/// The page of somebody.
pub async fn page(
    site: web::Data<Site>,
    staff: Staff<View<Throttling>>,
    key: web::Path<String>,
) -> Result<HttpResponse, PageError> {
    let (now, key) = (staff.now(), key.into_inner());
    let read = move |conn: &mut Conn| {
        let who = found(conn, &key)?;
        let lines = throttled::of(conn, &[who.subject.to_string()], now.at)?;
        let rows = rows(conn, lines, now)?;
        Ok((who, rows))
    };
    let (who, rows) = site.db.read(read).await?;
    let may_change = staff.may("throttling", Verb::Change);
    let cannot = cannot_hold(&site, &staff, &who).err().map(|refusal| refusal.to_words());
    let page = Page {
        frame: staff.frame(&[(&say!("Throttling"), LIST), (&who.name, "")]),
        path: path_of(&who.subject.to_string()),
        is_network: matches!(who.subject, Subject::Address(ip) if ip.is_ipv6()),
        user: match who.subject {
            Subject::User(id) => Some(id),
            Subject::Address(_) => None,
        },
        sign_ins: format!("/admin/sign-ins/?q={}", segment(&who.name)),
        rows,
        may_change,
        may_see_users: staff.may("users", Verb::View),
        may_see_sign_ins: staff.may("sign-ins", Verb::View),
        cannot_hold: cannot.filter(|_| may_change).unwrap_or_default(),
        holds: HOLDS,
        name: who.name,
    };
    html(StatusCode::OK, &page)
}
