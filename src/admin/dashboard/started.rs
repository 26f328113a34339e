//! *Getting started*: what a new server still needs. Each step ticks itself off by what is there; the card can be put away.

use actix_web::{HttpResponse, web};

use crate::admin::audits;
use crate::admin::error::PageError;
use crate::admin::form::Form;
use crate::admin::layout::see_other;
use crate::admin::staff::{Settings, Staff, View};
use crate::admin::visit::Flash;
use crate::db::Conn;
use crate::error::Result;
use crate::model::audit::{Change, Object};
use crate::model::fact::{self, Fact, Steps};
use crate::rest::fields::{Fields, Input};
use crate::rest::link;
use crate::site::Site;

/// The card.
pub struct Started {
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// How many are done: "2 of 6".
    pub done: String,
    /// What gets a first token, to be typed in a shell.
    pub curl: String,
}

/// A step.
pub struct Step {
    /// What is to be done.
    pub what: &'static str,
    /// How.
    pub how: &'static str,
    /// Address and text of the page where it is done; none where it is not done in the panel.
    pub link: Option<(&'static str, &'static str)>,
    /// Whether it is.
    pub is_done: bool,
}

/// What is there, unless the card was put away.
///
/// # Errors
/// The database's.
pub fn read(conn: &mut Conn, viewer: i64) -> Result<Option<Steps>> {
    Ok(Some(fact::steps(conn, viewer)?).filter(|steps| !steps.is_away))
}

impl Started {
    /// The card, of what is there.
    pub fn new(site: &Site, staff: &Staff, there: Steps) -> Self {
        let step = |what, how, link, is_done| Step { what, how, link, is_done };
        let steps = vec![
            step(key!("Get a first token"), key!("Type this in a shell, with a password:"), None, there.token),
            step(
                key!("Invite a colleague"),
                key!("Nobody should be the only one who can help."),
                Some(("/admin/users/new/", key!("Add user"))),
                there.colleague,
            ),
            step(
                key!("Give them a role"),
                key!("A role is a named set of permissions; four are there to begin with."),
                Some(("/admin/users/", key!("Open users"))),
                there.role,
            ),
            step(
                key!("Send a test e-mail"),
                key!("Letters reset passwords and bring invitations."),
                Some(("/admin/mail/test/", key!("Send a test message"))),
                there.letter,
            ),
            step(
                key!("Set a backup"),
                key!("Copy the data folder, or dump the PostgreSQL database, each day and to another machine."),
                None,
                there.backup,
            ),
            step(
                key!("Serve over TLS"),
                key!("Put a proxy with a certificate in front, and set server.public_url to its https address."),
                Some(("/admin/settings/?q=public_url", key!("Server settings"))),
                site.settings.server.public_url.as_ref().is_some_and(|url| url.starts_with("https://")),
            ),
        ];
        let done = steps.iter().filter(|step| step.is_done).count();
        let done = say!("{done} of {all} done", done, all = steps.len());
        let origin = link::origin(staff.visit().request());
        let name = staff.state().username.replace(['"', '\\', '\''], "…");
        let curl = format!(
            "curl {origin}/api/token/ -H 'Content-Type: application/json' -d '{{\"username\": \"{name}\", \"password\": \"…\"}}'"
        );
        Self { steps, done, curl }
    }
}

/// Which button was pressed.
pub struct Told(String);

impl Input for Told {
    fn read(f: &mut Fields) -> Self {
        Self(f.text("told").required().value())
    }
}

/// Notes that backups are made, or puts the card away, for everybody.
pub async fn told(
    site: web::Data<Site>,
    staff: Staff<View<Settings>>,
    form: Form<Told>,
) -> Result<HttpResponse, PageError> {
    if !staff.state().superuser {
        return Err(PageError::Refused(said!("Only a superuser is shown how to get started.")));
    }
    let (fact, words) = match form.checked() {
        Ok((Told(told), _)) if told == "away" => (Fact::StartedAway, said!("Getting started was put away.")),
        Ok((Told(told), _)) if told == "backup" => (Fact::BackupSet, said!("That backups are made was noted.")),
        _ => return Ok(see_other("/admin/")),
    };
    let audit = staff.audits(&site, audits::STARTED);
    let note = move |conn: &mut Conn| {
        if fact::set(conn, fact, "yes")? {
            let object = Object { kind: "server", ..Object::default() };
            audit.on(object).with([Change::fact(fact.as_str(), "yes")]).append(conn)?;
        }
        Ok(())
    };
    staff.write(&site, note).await?;
    staff.done(&site, &Flash::done(words));
    Ok(see_other("/admin/"))
}
