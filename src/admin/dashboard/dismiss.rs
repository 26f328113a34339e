//! What needs attention, put away for a day: by each viewer for themselves, so that nobody hides an attack from the others. What
//! is counted comes back as soon as there is more of it.

use std::time::Duration;

use actix_web::{HttpResponse, web};

use crate::admin::dashboard::attention;
use crate::admin::error::PageError;
use crate::admin::form::Form;
use crate::admin::layout::see_other;
use crate::admin::staff::Staff;
use crate::admin::visit::Flash;
use crate::db::Conn;
use crate::model::audit::Object;
use crate::model::dismissal;
use crate::rest::fields::{Fields, Input};
use crate::site::Site;

/// For how long.
const DAY: Duration = Duration::from_secs(86_400);

/// What is put away.
pub struct Put {
    rule: String,
    object: String,
}

impl Input for Put {
    fn read(f: &mut Fields) -> Self {
        let mut text = |name| f.text(name).blank().value();
        Self { rule: text("rule"), object: text("object") }
    }
}

/// Puts one thing away that the viewer sees.
pub async fn dismiss(site: web::Data<Site>, staff: Staff, form: Form<Put>) -> Result<HttpResponse, PageError> {
    let Ok((Put { rule, object }, _)) = form.checked() else { return Ok(see_other("/admin/")) };
    let (id, now, permissions) = (staff.id(), site.clock.now(), staff.state().permissions);
    let dangers = site.settings.dangers();
    let audit = staff.audits(&site, "attention.dismiss");
    let put = move |conn: &mut Conn| {
        let all = attention::all(conn, permissions, &dangers, now)?.1;
        let Some(alert) = all.into_iter().find(|alert| alert.rule == rule && alert.object == object) else {
            return Ok(None);
        };
        dismissal::put(conn, id, &(rule.clone(), object), alert.amount, now + DAY, now)?;
        audit.on(Object::new("attention", rule, alert.what.in_english())).append(conn)?;
        Ok(Some(alert.what))
    };
    let flash = match staff.write(&site, put).await? {
        Some(what) => Flash::done(said!("“{what}” is put away for a day.", what))
            .adding(said!("For you alone, and not if there is more of it before.")),
        None => Flash::warning(said!("That needs no attention any more.")),
    };
    staff.done(&site, &flash);
    Ok(see_other("/admin/"))
}
