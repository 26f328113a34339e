//! What the panel writes to the audit log: each handler its own act, and whatever was refused in one place.

use actix_web::HttpMessage;
use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{HttpRequest, web};

use crate::admin::error::PageError;
use crate::admin::session_store::DIGEST_KEY;
use crate::admin::staff::{Seen, Staff};
use crate::admin::users::sessions::PANEL;
use crate::admin::visit::Visit;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::middleware::client_ip;
use crate::middleware::edge::RequestId;
use crate::model::audit::{Audit, By, Object, Outcome};
use crate::model::{role, user};
use crate::rest::permission::is_safe;
use crate::site::Site;

/// The code of what is said of a server's first steps.
pub const STARTED: &str = "panel.started";

/// Every route that changes something: its address below `/admin`, the code of the act, and the kind of its object. Where the
/// form decides (`/confirm/`), the code is that of an act that was refused before the form was read.
pub const ACTS: [(&str, &str, &str); 56] = [
    ("/login/", "panel.sign_in", "user"),
    ("/login/code/", "panel.sign_in", "user"),
    ("/logout/", "panel.sign_out", "user"),
    ("/setup/{token}/", "panel.setup", "user"),
    ("/getting-started/", STARTED, "server"),
    ("/attention/dismiss/", "attention.dismiss", "attention"),
    ("/users/new/", "user.create", "user"),
    ("/users/invitations/{id}/revoke/", "invitation.revoke", "invitation"),
    ("/users/invitations/{id}/again/", "invitation.send_again", "invitation"),
    ("/users/{id}/", "user.change", "user"),
    ("/users/{id}/sessions/sign-out/", "session.end", "user"),
    ("/users/{id}/sign-out/", "user.sign_out", "user"),
    ("/users/{id}/password/", "user.password", "user"),
    ("/users/{id}/send-reset/", "user.send_reset", "user"),
    ("/users/{id}/two-factor/", "user.two_factor_reset", "user"),
    ("/users/{id}/deactivate/", "user.deactivate", "user"),
    ("/users/{id}/delete/", "user.delete", "user"),
    ("/roles/new/", "role.create", "role"),
    ("/roles/{id}/", "role.change", "role"),
    ("/roles/{id}/delete/", "role.delete", "role"),
    ("/blacklist/new/", "blacklist.add", "token"),
    ("/blacklist/sweep/", "token.sweep", "token"),
    ("/blacklist/{jti}/restore/", "token.restore", "token"),
    ("/tokens/{jti}/revoke/", "token.revoke", "token"),
    ("/sessions/sign-out-all/", "session.end_everybodys", "session"),
    ("/sessions/{sid}/sign-out/", "session.end", "session"),
    ("/inspector/", "token.inspect", "token"),
    ("/articles/new/", "article.create", "article"),
    ("/articles/{id}/", "article.change", "article"),
    ("/articles/{id}/delete/", "article.delete", "article"),
    ("/tasks/new/", "task.create", "task"),
    ("/tasks/{id}/", "task.change", "task"),
    ("/tasks/{id}/delete/", "task.delete", "task"),
    ("/api-keys/new/", "api_key.create", "api key"),
    ("/api-keys/{id}/rotate/", "api_key.rotate", "api key"),
    ("/api-keys/{id}/revoke/", "api_key.revoke", "api key"),
    ("/signing-keys/rotate/", "signing_key.rotate", "signing key"),
    ("/signing-keys/{kid}/", "signing_key.retire", "signing key"),
    ("/signing-keys/{kid}/condemn/", "signing_key.condemn", "signing key"),
    ("/mail/test/", "mail.test", "letter"),
    ("/mail/{id}/again/", "mail.send_again", "letter"),
    ("/throttling/{key}/clear/", "throttling.clear", "throttling"),
    ("/throttling/{key}/hold/", "throttling.hold", "throttling"),
    ("/throttling/{key}/never/", "throttling.never", "throttling"),
    ("/confirm/", "panel.bulk", ""),
    ("/jobs/{id}/stop/", "job.stop", "job"),
    ("/undo/", "panel.undo", "user"),
    ("/again/", "panel.password_again", "user"),
    ("/me/password/", "user.password", "user"),
    ("/me/preferences/", "user.preferences", "user"),
    ("/me/sessions/sign-out/", "session.end", "user"),
    ("/me/sessions/sign-out-others/", "session.end_others", "user"),
    ("/me/two-factor/start/", "user.two_factor_begin", "user"),
    ("/me/two-factor/confirm/", "user.two_factor_on", "user"),
    ("/me/two-factor/codes/", "user.two_factor_codes", "user"),
    ("/me/two-factor/disable/", "user.two_factor_off", "user"),
];

impl<N> Staff<N> {
    /// An entry for what the viewer does, to be appended in its transaction; `action` is a code such as `user.deactivate`.
    pub fn audits(&self, site: &Site, action: &str) -> Audit {
        let name = self.state().username.to_string();
        Audit::new(&site.audit, by(site, self.visit().request(), Some(self.id()), name), action, site.clock.now())
    }
}

/// Who acts in this request.
pub fn by(site: &Site, request: &HttpRequest, user: Option<i64>, name: String) -> By {
    let digest: Option<String> = Visit::of(request).session().get(DIGEST_KEY).ok().flatten();
    let number = request.extensions().get::<RequestId>().map(|RequestId(id)| id.to_string());
    By {
        user,
        name,
        session: digest.map(|digest| format!("{PANEL}{digest}")).unwrap_or_default(),
        device: client_ip::device(request, &site.settings.server.trusted_proxies),
        request: number.unwrap_or_default(),
    }
}

/// Writes an entry for whatever a permission or a rule kept the staff from. What strangers try is among the sign-ins: they
/// must not be able to fill a log that keeps everything.
pub async fn refusals(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let response = next.call(request).await?;
    let request = response.request();
    let error = response.response().error().and_then(|error| error.as_error::<PageError>());
    let (Some(seen), Some(why)) = (Seen::of(request), error.and_then(refused)) else { return Ok(response) };
    if let (Some(site), false) = (request.app_data::<web::Data<Site>>(), is_safe(request.method()))
        && let Err(error) = write_refusal(site, request, &seen, why).await
    {
        log::error!("a refused attempt could not be written to the audit log: {error}");
    }
    Ok(response)
}

/// Why somebody was refused, if it was by a permission or a rule.
fn refused(error: &PageError) -> Option<String> {
    match error {
        PageError::Lacks(permission, _) => Some(format!("needs {permission}")),
        PageError::Refused(words) | PageError::Rule(words) => Some(words.in_english()),
        PageError::Other(Error::Refused(words) | Error::Conflict(words)) => Some(words.in_english()),
        PageError::Other(Error::Forbidden) => Some("no longer allowed".to_owned()),
        _ => None,
    }
}

async fn write_refusal(site: &Site, request: &HttpRequest, seen: &Seen, why: String) -> Result<()> {
    let pattern = request.match_pattern().unwrap_or_default();
    let path = pattern.strip_prefix("/admin").unwrap_or_default();
    let Some((_, action, kind)) = ACTS.iter().find(|(known, ..)| *known == path) else { return Ok(()) };
    let by = by(site, request, Some(seen.id), seen.state.username.to_string());
    let audit = Audit::new(&site.audit, by, action, site.clock.now()).came_to(Outcome::Refused).because(&why);
    let id: Option<i64> = request.match_info().get("id").and_then(|id| id.parse().ok());
    let write = move |conn: &mut Conn| {
        let object = match id {
            Some(id) => Object::new(kind, id, name_of(conn, kind, id)?),
            None => Object { kind, ..Object::default() },
        };
        audit.on(object).append(conn)
    };
    site.db.write(write).await
}

fn name_of(conn: &mut Conn, kind: &str, id: i64) -> Result<String> {
    let name = match kind {
        "user" => user::by_id(conn, id)?.map(|user| user.username),
        "role" => role::by_id(conn, id)?.map(|role| role.name),
        _ => None,
    };
    Ok(name.unwrap_or_default())
}
