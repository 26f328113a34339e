//! Deleting the roles ticked in the list.

use actix_web::HttpResponse;

use crate::admin::bulk::{Answer, Outcome, Row};
use crate::admin::error::PageError;
use crate::admin::layout::see_other;
use crate::admin::roles::remove::remove;
use crate::admin::staff::Staff;
use crate::admin::visit::Flash;
use crate::admin::when::count_words;
use crate::auth::permissions::{Permission, Verb};
use crate::db::Conn;
use crate::error::Result;
use crate::model::role;
use crate::site::Site;

const DELETE: &str = "delete";

/// The acts that the viewer may do.
pub fn offered<N>(staff: &Staff<N>) -> Vec<(&'static str, String)> {
    if staff.may("roles", Verb::Delete) { vec![(DELETE, "Delete…".to_owned())] } else { Vec::new() }
}

/// Asks about deleting the roles ticked, or does it, once that was answered.
pub async fn handle(site: &Site, staff: &Staff, answer: Answer) -> Result<HttpResponse, PageError> {
    if answer.action != DELETE {
        return Ok(answer.nothing_chosen(staff));
    }
    if let Some(needed) = Permission::of("roles", Verb::Delete) {
        staff.require(site, needed).await?;
    }
    // The boxes are gone by then: back to where they are ticked.
    staff.recently(site, answer.back())?;
    let ids = answer.ids.clone();
    let rows = site.db.read(move |conn| rows(conn, &ids)).await?;
    let mut ask = answer.asked("/admin/roles/", ("role", "roles"), &rows, |roles| format!("Delete {roles}?"));
    ask.words = "This cannot be undone. The accounts that hold them stay.".to_owned();
    ask.dangerous = true;
    // Whatever is deleted in bulk is counted by whoever does it.
    ask.typed = Some(rows.len().to_string());
    if !ask.act.is_empty() {
        ask.act = if rows.len() == 1 { "Delete role".to_owned() } else { "Delete roles".to_owned() };
    }
    let frame = staff.frame(&[("Roles", "/admin/roles/"), ("Delete", "")]).within("/admin/roles/");
    if !answer.is_sure() {
        return ask.page(frame);
    }
    if !ask.is_met(&answer.confirm) {
        return ask.refused(frame, answer.sent);
    }
    let (grants, now, ids) = (site.grants.clone(), site.clock.now(), answer.ids.clone());
    let audit = staff.audits(site, "role.delete").because(answer.sent.value("reason"));
    let delete = move |conn: &mut Conn| {
        let mut outcome = Outcome::default();
        for id in ids {
            if let Some(role) = role::by_id(conn, id)? {
                outcome.also += remove(conn, &grants, audit.clone(), &role, now)?;
                outcome.done += 1;
            }
        }
        Ok(outcome)
    };
    let outcome = staff.write(site, delete).await?;
    let roles = count_words(outcome.done, "role", "roles");
    let flash = Flash::done(format!("{roles} {} deleted.", if outcome.done == 1 { "was" } else { "were" }))
        .adding(format!("They were held {}.", count_words(outcome.also, "time", "times")));
    staff.done(site, &flash);
    Ok(see_other(answer.back()))
}

fn rows(conn: &mut Conn, ids: &[i64]) -> Result<Vec<Row>> {
    let held = role::holder_counts(conn, ids)?;
    let mut rows = Vec::new();
    for id in ids {
        if let Some(role) = role::by_id(conn, *id)? {
            let users = count_words(held.get(id).copied().unwrap_or(0), "user", "users");
            rows.push(Row { name: role.name, about: format!("held by {users}"), left_out: None });
        }
    }
    Ok(rows)
}
