//! One entry of the audit log: all that it says, and its link in the chain.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;

use crate::admin::audit::{Row, Sees, fields, rows};
use crate::admin::error::PageError;
use crate::admin::layout::{Frame, html};
use crate::admin::staff::{AuditLog, Staff, View};
use crate::auth::permissions::Verb;
use crate::db::Conn;
use crate::device::Device;
use crate::error::Error;
use crate::language::filters;
use crate::model::audit::Change;
use crate::model::audit::list::{self, Stored};
use crate::site::Site;

/// A field before and after.
struct Changed {
    field: String,
    before: String,
    after: String,
}

#[derive(Template)]
#[template(path = "admin/audit/detail.html")]
struct Page {
    frame: Frame,
    row: Row,
    entry: Stored,
    device: Device,
    changes: Vec<Changed>,
    session_path: String,
    previous: Option<i64>,
}

/// The page of an entry.
pub async fn page(
    site: web::Data<Site>,
    staff: Staff<View<AuditLog>>,
    id: web::Path<i64>,
) -> Result<HttpResponse, PageError> {
    let (id, sees, now) = (*id, Sees::of(&staff), staff.now());
    let load = move |conn: &mut Conn| {
        let entry = list::by_id(conn, id)?.ok_or(Error::not_found())?;
        let row = rows(conn, vec![entry.line.clone()], sees, now)?.pop().ok_or(Error::not_found())?;
        Ok((entry, row))
    };
    let (entry, row) = site.db.read(load).await?;
    let changed = |change: &Change| Changed {
        field: fields::field(&change.field),
        before: change.before.clone(),
        after: change.after.clone(),
    };
    let names_session = !entry.session.is_empty() && !entry.session.starts_with("key-");
    let page = Page {
        frame: staff.frame(&[(&say!("Audit log"), "/admin/audit/"), (&say!("Entry {id}", id), "")]),
        device: Device::from_agent(&entry.user_agent),
        changes: entry.changes.iter().map(changed).collect(),
        session_path: match names_session && staff.may("sessions", Verb::View) {
            true => format!("/admin/sessions/{}/", entry.session),
            false => String::new(),
        },
        previous: entry.previous.as_ref().map(|_| id.saturating_sub(1)),
        row,
        entry,
    };
    html(StatusCode::OK, &page)
}
