//! A test letter, to see whether letters arrive: to an address that is typed, by default one's own.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;

use crate::admin::error::PageError;
use crate::admin::form::{Filled, Form};
use crate::admin::layout::{Frame, html, see_other};
use crate::admin::mail::LIST;
use crate::admin::staff::{Change, Mail, Staff};
use crate::admin::visit::Flash;
use crate::db::Conn;
use crate::language::filters;
use crate::model::audit::Object;
use crate::model::outbox::{self, Kind};
use crate::model::user;
use crate::rest::fields::{Fields, Input};
use crate::site::Site;

/// The address.
pub struct To(String);

impl Input for To {
    fn read(f: &mut Fields) -> Self {
        Self(f.email("address").required().max(254).value())
    }
}

#[derive(Template)]
#[template(path = "admin/mail/test.html")]
struct Page {
    frame: Frame,
    form: Filled,
    is_printed: bool,
}

fn show(site: &Site, staff: &Staff<Change<Mail>>, status: StatusCode, form: Filled) -> Result<HttpResponse, PageError> {
    let frame = staff.frame(&[(&say!("E-mail log"), LIST), (&say!("Test message"), "")]);
    let frame = if form.is_refused() { frame.without_flash() } else { frame };
    html(status, &Page { frame, form, is_printed: site.mail.mailer.prints() })
}

/// The page to send one.
pub async fn page(site: web::Data<Site>, staff: Staff<Change<Mail>>) -> Result<HttpResponse, PageError> {
    let id = staff.id();
    let own = site.db.read(move |conn| user::by_id(conn, id)).await?.map(|user| user.email).unwrap_or_default();
    show(&site, &staff, StatusCode::OK, Filled::default().with("address", own))
}

/// Sends one.
pub async fn send(
    site: web::Data<Site>,
    staff: Staff<Change<Mail>>,
    form: Form<To>,
) -> Result<HttpResponse, PageError> {
    let (To(address), sent) = match form.checked() {
        Ok(checked) => checked,
        Err(sent) => return show(&site, &staff, StatusCode::UNPROCESSABLE_ENTITY, sent),
    };
    let (id, now, to) = (staff.id(), site.clock.now(), address.clone());
    let audit = staff.audits(&site, "mail.test");
    let write = move |conn: &mut Conn| {
        if outbox::has_had_its_share(conn, Kind::Test, &to, None, now)? {
            return Ok(None);
        }
        let number = outbox::test(conn, id, &to, now)?;
        audit.on(Object::new("letter", number, &to)).append(conn)?;
        Ok(Some(number))
    };
    let Some(number) = staff.write(&site, write).await? else {
        let words = say!(
            count = outbox::MOST => "{address} has had {count} test message within a day. Try another address."
            | "{address} has had {count} test messages within a day. Try another address.",
            address
        );
        return show(&site, &staff, StatusCode::UNPROCESSABLE_ENTITY, sent.refused_for("address", words));
    };
    site.mail.ring();
    let flash = Flash::done(said!("A test message to {address} is on its way.", address));
    staff.done(&site, &flash.adding(said!("What becomes of it stands here; open the page again in a moment.")));
    Ok(see_other(&format!("{LIST}{number}/")))
}
