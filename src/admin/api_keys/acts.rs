//! Another secret for an API key, and its end.

use std::time::Duration;

use actix_web::{HttpResponse, web};

use crate::admin::api_keys::create::show_secret;
use crate::admin::api_keys::find;
use crate::admin::confirm::{Confirmation, Confirmed, Effect};
use crate::admin::error::PageError;
use crate::admin::form::Form;
use crate::admin::layout::{Frame, see_other};
use crate::admin::staff::{ApiKeys, Change, Revoke, Staff};
use crate::admin::visit::Flash;
use crate::admin::when::{Now, When};
use crate::auth::api_keys;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::Result;
use crate::model::api_key;
use crate::model::api_key_list::KeyLine;
use crate::model::audit::{Audit, Change as Changed, Object};
use crate::rest::fields::{Fields, Input};
use crate::site::Site;

const LIST: &str = "/admin/api-keys/";
/// A key that was used lately is not ended by one press.
const LATELY: Duration = Duration::from_secs(7 * 86_400);
/// Hours for which the secret before goes on working.
const OVERLAPS: [u64; 3] = [0, 1, 24];

/// For how long the secret so far goes on working.
pub struct Overlap(u64);

impl Input for Overlap {
    fn read(f: &mut Fields) -> Self {
        let hours = f.integer("overlap_hours").value();
        Self(u64::try_from(hours).ok().filter(|hours| OVERLAPS.contains(hours)).unwrap_or(0))
    }
}

/// Gives a key another secret, and shows it this once.
pub async fn rotate(
    site: web::Data<Site>,
    staff: Staff<Change<ApiKeys>>,
    id: web::Path<i64>,
    form: Form<Overlap>,
) -> Result<HttpResponse, PageError> {
    let id = *id;
    staff.recently(&site, &format!("{LIST}{id}/"))?;
    let hours = form.input.map_or(0, |Overlap(hours)| hours);
    let secret = api_key::new_secret()?;
    let (actor, now, inserted) = (staff.actor(), site.clock.now(), secret.clone());
    let audit = staff.audits(&site, "api_key.rotate");
    let rotate = move |conn: &mut Conn| {
        let (line, target) = find(conn, id)?;
        if let Err(refusal) = actor.reach(&target) {
            return Ok(Err(refusal));
        }
        api_keys::changed_in(conn, id, now)?;
        let key = api_key::rotate(conn, id, &inserted, now + Duration::from_secs(hours * 3600), now)?;
        let told = [Changed::secret("key"), Changed::fact("overlap_hours", hours)];
        audit.on(Object::new("api key", id, &key.name)).with(told).append(conn)?;
        Ok(Ok((key, line.owner)))
    };
    let (key, owner) = staff.write(&site, rotate).await??;
    staff.note(&site, &format!("gave the API key {id} of {owner} another secret"));
    let note = match hours {
        0 => say!("The secret before is refused from now on."),
        count => say!(
            count => "The secret before goes on working for {count} hour."
                | "The secret before goes on working for {count} hours."
        ),
    };
    show_secret(&site, &staff, &key, &owner, &secret, note)
}

/// Whether a key was used lately: then its end takes more than one press.
pub fn is_in_use(line: &KeyLine, now: Timestamp) -> bool {
    line.key.last_used_at.is_some_and(|at| at + LATELY > now)
}

fn asked(line: &KeyLine, now: Now) -> Confirmation {
    let used = line.key.last_used_at;
    let is_in_use = is_in_use(line, now.at);
    Confirmation {
        heading: say!("Revoke the API key {name}?", name = line.key.name),
        words: say!("Whatever comes with it is refused from now on. It cannot be taken back."),
        dangerous: true,
        card: key!("What ends"),
        effects: vec![Effect {
            what: key!("Secrets"),
            how_many: say!("all"),
            happens: key!("refused on the next request"),
            is_loss: true,
        }],
        action: format!("{LIST}{}/revoke/", line.key.id),
        typed: is_in_use.then(|| line.key.name.clone()),
        act: say!("Revoke key"),
        way_out: (say!("Keep the key"), format!("{LIST}{}/", line.key.id)),
        facts_title: key!("The key"),
        facts: vec![
            (key!("Owner"), line.owner.clone()),
            (key!("Prefix"), line.key.prefix.clone()),
            (key!("Last used"), used.map_or_else(|| say!("never"), |at| When::new(at, now).full)),
        ],
        ..Confirmation::default()
    }
}

fn frame(staff: &Staff<Revoke<ApiKeys>>, line: &KeyLine) -> Frame {
    staff.frame(&[(&say!("API keys"), LIST), (&line.key.name, ""), (&say!("Revoke"), "")])
}

async fn load(site: &Site, staff: &Staff<Revoke<ApiKeys>>, id: i64) -> Result<KeyLine, PageError> {
    let (line, target) = site.db.read(move |conn| find(conn, id)).await?;
    staff.actor().reach(&target).map(|()| line)
}

/// Asks before a key is revoked.
pub async fn ask(
    site: web::Data<Site>,
    staff: Staff<Revoke<ApiKeys>>,
    id: web::Path<i64>,
) -> Result<HttpResponse, PageError> {
    let line = load(&site, &staff, *id).await?;
    asked(&line, staff.now()).page(frame(&staff, &line))
}

/// Revokes a key, with all its secrets.
pub async fn revoke(
    site: web::Data<Site>,
    staff: Staff<Revoke<ApiKeys>>,
    id: web::Path<i64>,
    form: Form<Confirmed>,
) -> Result<HttpResponse, PageError> {
    let (id, now) = (*id, staff.now());
    let line = load(&site, &staff, id).await?;
    let ask = asked(&line, now);
    let typed = form.input.as_ref().map_or("", |answer| answer.confirm.as_str());
    if !ask.is_met(typed) {
        return ask.refused(frame(&staff, &line), form.sent);
    }
    let actor = staff.actor();
    let audit = staff.audits(&site, "api_key.revoke").because(form.sent.value("reason"));
    let revoke = move |conn: &mut Conn| {
        let (line, target) = find(conn, id)?;
        if let Err(refusal) = actor.reach(&target) {
            return Ok(Err(refusal));
        }
        remove(conn, audit, &line, now.at)?;
        Ok(Ok(line))
    };
    let line = staff.write(&site, revoke).await??;
    let (name, owner) = (&line.key.name, &line.owner);
    let flash = Flash::done(said!("The API key {name} of {owner} was revoked.", name, owner));
    staff.done(&site, &flash.adding(say!("It is refused from now on.")));
    Ok(see_other(LIST))
}

/// Revokes a key inside the caller's transaction.
///
/// # Errors
/// The database's.
pub fn remove(conn: &mut Conn, audit: Audit, line: &KeyLine, now: Timestamp) -> Result<()> {
    let id = line.key.id;
    api_keys::changed_in(conn, id, now)?;
    api_key::delete(conn, id)?;
    let told = [Changed::fact("owner", &line.owner)];
    audit.on(Object::new("api key", id, &line.key.name)).with(told).append(conn)
}
