//! Deleting a role: whoever held it no longer does.

use actix_web::{HttpResponse, web};

use crate::admin::confirm::{Confirmation, Confirmed, Effect};
use crate::admin::error::PageError;
use crate::admin::form::Form;
use crate::admin::layout::{Frame, see_other};
use crate::admin::staff::{Delete, Roles, Staff};
use crate::admin::visit::Flash;
use crate::auth::grants::Grants;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::model::audit::{Audit, Change as Changed, Object};
use crate::model::role::{self, Role};
use crate::site::Site;

async fn asked(site: &Site, id: i64) -> Result<(Role, Confirmation), PageError> {
    let load = move |conn: &mut Conn| {
        let role = role::by_id(conn, id)?.ok_or(Error::not_found())?;
        Ok((role::holders(conn, id)?.len(), role::permissions(conn, id)?.len(), role))
    };
    let (holders, permissions, role) = site.db.read(load).await?;
    let path = format!("/admin/roles/{id}/");
    let ask = Confirmation {
        heading: say!("Delete the role {name}?", name = role.name),
        words: say!("This cannot be undone. The accounts that hold it stay."),
        dangerous: true,
        card: key!("What goes with it"),
        effects: vec![
            Effect {
                what: key!("Users"),
                how_many: holders.to_string(),
                happens: key!("lose the role with their next request"),
                is_loss: holders > 0,
            },
            Effect {
                what: key!("Permissions"),
                how_many: permissions.to_string(),
                happens: key!("no longer given by it"),
                is_loss: false,
            },
        ],
        action: format!("{path}delete/"),
        typed: (holders > 0).then(|| role.name.clone()),
        act: say!("Delete role"),
        way_out: (say!("Keep the role"), path),
        ..Confirmation::default()
    };
    Ok((role, ask))
}

fn frame(staff: &Staff<Delete<Roles>>, role: &Role) -> Frame {
    let path = format!("/admin/roles/{}/", role.id);
    staff.frame(&[(&say!("Roles"), "/admin/roles/"), (&role.name, &path), (&say!("Delete"), "")])
}

/// Asks before a role is deleted.
pub async fn ask(
    site: web::Data<Site>,
    staff: Staff<Delete<Roles>>,
    id: web::Path<i64>,
) -> Result<HttpResponse, PageError> {
    let (role, ask) = asked(&site, *id).await?;
    ask.page(frame(&staff, &role))
}

/// Deletes a role.
pub async fn delete(
    site: web::Data<Site>,
    staff: Staff<Delete<Roles>>,
    id: web::Path<i64>,
    form: Form<Confirmed>,
) -> Result<HttpResponse, PageError> {
    let id = *id;
    let (role, ask) = asked(&site, id).await?;
    let typed = form.input.as_ref().map_or("", |answer| answer.confirm.as_str());
    if !ask.is_met(typed) {
        return ask.refused(frame(&staff, &role), form.sent);
    }
    let (grants, now) = (site.grants.clone(), site.clock.now());
    let audit = staff.audits(&site, "role.delete").because(form.sent.value("reason"));
    let gone = move |conn: &mut Conn| {
        let role = role::by_id(conn, id)?.ok_or(Error::not_found())?;
        remove(conn, &grants, audit, &role, now)
    };
    let holders = staff.write(&site, gone).await?;
    let flash = Flash::done(said!("The role {name} was deleted.", name = role.name))
        .adding(say!(count = holders => "{count} user held it." | "{count} users held it."));
    staff.done(&site, &flash);
    Ok(see_other("/admin/roles/"))
}

/// Removes a role inside the caller's transaction; returns how many held it.
///
/// # Errors
/// The database's.
pub fn remove(conn: &mut Conn, grants: &Grants, audit: Audit, role: &Role, now: Timestamp) -> Result<usize> {
    let holders = role::holders(conn, role.id)?;
    role::delete(conn, role.id)?;
    audit.on(Object::new("role", role.id, &role.name)).with([Changed::fact("holders", holders.len())]).append(conn)?;
    for user in &holders {
        grants.changed_in(conn, *user, now)?;
    }
    Ok(holders.len())
}
