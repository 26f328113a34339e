//! A visit: what a request says of its visitor, signed in or not. Cookies, the token of forms, theme and flash.

use actix_session::{Session, SessionExt};
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::admin::changelist::SIZE_COOKIE;
use crate::admin::error::PageError;
use crate::admin::layout::{Gate, html};
use crate::error::{Error, Result};
use crate::language::Said;
use crate::site::Site;

/// The cookie with the viewer's theme. Script reads and writes it, too: it is no secret.
pub const THEME_COOKIE: &str = "portcullis_theme";
/// The cookie of a viewer who wants no single-key shortcuts.
pub const KEYS_COOKIE: &str = "portcullis_keys";
/// The cookie that ties a form to a browser that is not signed in.
const GATE_COOKIE: &str = "portcullis_gate";
/// Where a session keeps the token of its forms.
const TOKEN_KEY: &str = "form_token";
const FLASH_KEY: &str = "flash";

/// What a request says of its visitor, signed in or not.
#[derive(Clone)]
pub struct Visit {
    request: HttpRequest,
    session: Session,
}

/// How the panel's cookies are set.
#[derive(Clone, Copy, Debug)]
pub struct CookieRules {
    /// Sent over TLS alone, under a name that begins with `__Host-`. Only on plain-HTTP loopback it cannot be.
    pub secure: bool,
}

impl CookieRules {
    /// The name that a cookie has.
    pub fn name(self, name: &str) -> String {
        if self.secure { format!("__Host-{name}") } else { name.to_owned() }
    }
}

/// What a page tells once about what was done just before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flash {
    /// `ok` or `warn`.
    pub kind: String,
    /// What was done, and to how many.
    pub what: String,
    /// The same for the log, which is English.
    #[serde(skip)]
    pub logged: String,
    /// What else follows from it.
    pub more: String,
    /// The act that *Undo* takes back, as [`crate::model::audit::Audit::act`] names it; empty if none can be.
    #[serde(default)]
    pub undo: String,
}

impl Flash {
    /// Something was done.
    pub fn done(what: impl Into<Said>) -> Self {
        Self::of("ok", &what.into())
    }

    /// Something was not done, or only in part.
    pub fn warning(what: impl Into<Said>) -> Self {
        Self::of("warn", &what.into())
    }

    fn of(kind: &str, what: &Said) -> Self {
        Self {
            kind: kind.to_owned(),
            what: what.to_string(),
            logged: what.in_english(),
            more: String::new(),
            undo: String::new(),
        }
    }

    /// With a button that takes this act back.
    pub fn undoing(mut self, act: &str) -> Self {
        act.clone_into(&mut self.undo);
        self
    }

    /// With what follows from it.
    pub fn adding(mut self, more: impl Into<String>) -> Self {
        self.more = more.into();
        self
    }
}

impl Visit {
    /// The visit that this request is.
    pub fn of(request: &HttpRequest) -> Self {
        Self { session: request.get_session(), request: request.clone() }
    }

    /// The request itself.
    pub fn request(&self) -> &HttpRequest {
        &self.request
    }

    /// The session, of the signed in and of others alike.
    pub fn session(&self) -> &Session {
        &self.session
    }

    fn cookies(&self) -> CookieRules {
        // Without rules the stricter ones hold.
        self.request.app_data::<web::Data<CookieRules>>().map_or(CookieRules { secure: true }, |rules| ***rules)
    }

    fn cookie(&self, name: &str) -> Option<String> {
        self.request.cookie(name).map(|cookie| cookie.value().to_owned())
    }

    /// `light`, `dark`, or nothing: as the system.
    pub fn theme(&self) -> &'static str {
        match self.cookie(THEME_COOKIE).as_deref() {
            Some("light") => "light",
            Some("dark") => "dark",
            _ => "",
        }
    }

    /// Whether the viewer wants single keys to do something.
    pub fn has_keys(&self) -> bool {
        self.cookie(KEYS_COOKIE).as_deref() != Some("off")
    }

    /// How many rows the viewer's lists have, if that was ever chosen.
    pub fn usual_rows(&self) -> Option<usize> {
        self.cookie(SIZE_COOKIE)?.parse().ok()
    }

    /// Path and query, to come back to.
    pub fn here(&self) -> String {
        self.request.uri().path_and_query().map_or("/admin/", |here| here.as_str()).to_owned()
    }

    /// The name of the server: the one that it was given, else from its public address, else as it was asked for.
    pub fn host(&self) -> String {
        let site = self.request.app_data::<web::Data<Site>>();
        site.and_then(|site| site.about().name).unwrap_or_else(|| self.address())
    }

    /// The host of the server: from its public address, else as it was asked for.
    pub fn address(&self) -> String {
        if let Some(name) = self.request.app_data::<web::Data<ServerName>>() {
            return name.0.clone();
        }
        let host = self.request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
        host.unwrap_or("this server").to_owned()
    }

    /// The token that this browser's forms carry; `None` where there is neither session nor gate cookie yet.
    fn expected_token(&self) -> Option<String> {
        match self.session.get::<String>(TOKEN_KEY) {
            Ok(Some(token)) => Some(token),
            _ => self.cookie(&self.cookies().name(GATE_COOKIE)).filter(|token| token.len() >= TOKEN_LENGTH),
        }
    }

    /// The token of this browser's forms; empty where there is none.
    pub fn token(&self) -> String {
        self.expected_token().unwrap_or_default()
    }

    /// Whether this is the token of this browser's forms.
    ///
    /// # Errors
    /// A 401 page if the session has ended meanwhile, else a 403 page.
    pub fn check_token(&self, token: &str) -> Result<(), PageError> {
        let expected = self.expected_token();
        if expected.is_some_and(|expected| is_equal(&expected, token)) {
            return Ok(());
        }
        let is_signed_in = self.session.contains_key(TOKEN_KEY);
        let needs_session = !OPEN.iter().any(|path| self.request.path().starts_with(path));
        Err(if needs_session && !is_signed_in { PageError::SessionEnded } else { PageError::StrangeForm })
    }

    /// Gives the session, which has just become somebody's, a token for its forms.
    ///
    /// # Errors
    /// If the system has no random bytes.
    pub fn begin_session(&self) -> Result<()> {
        self.session.insert(TOKEN_KEY, new_token()?).map_err(|error| Error::internal(error.to_string()))
    }

    /// Leaves a flash for the next page. It is lost on those who are not signed in.
    pub fn flash(&self, flash: &Flash) {
        if self.session.contains_key(TOKEN_KEY)
            && let Err(error) = self.session.insert(FLASH_KEY, flash)
        {
            log::warn!("a flash was lost: {error}");
        }
    }

    /// What was left for this page; it is told once.
    pub fn take_flash(&self) -> Option<Flash> {
        if !self.session.contains_key(FLASH_KEY) {
            return None; // removing would count as a change and be written
        }
        self.session.remove_as(FLASH_KEY)?.ok()
    }

    /// A page for those who are not signed in. Its form's token is in a cookie of the browser: nothing is stored here, so
    /// that strangers fill no table.
    ///
    /// # Errors
    /// If the system has no random bytes.
    pub fn gate_page<T: Template>(
        &self,
        status: StatusCode,
        page: impl FnOnce(Gate) -> T,
    ) -> Result<HttpResponse, PageError> {
        let known = self.expected_token();
        let token = match &known {
            Some(token) => token.clone(),
            None => new_token()?,
        };
        let gate = Gate { theme: self.theme(), here: self.here(), host: self.host(), token: token.clone() };
        let mut response = html(status, &page(gate))?;
        if known.is_none() {
            let rules = self.cookies();
            let cookie = Cookie::build(rules.name(GATE_COOKIE), token)
                .path("/")
                .secure(rules.secure)
                .http_only(true)
                .same_site(SameSite::Lax)
                .finish();
            response.add_cookie(&cookie).map_err(|error| Error::internal(error.to_string()))?;
        }
        Ok(response)
    }

    /// The answer, with the size of lists that was chosen in this request.
    ///
    /// # Errors
    /// If the size cannot stand in a cookie.
    pub fn remember_rows(&self, mut page: HttpResponse, rows: Option<usize>) -> Result<HttpResponse, PageError> {
        if let Some(rows) = rows {
            let cookie = self.preference(SIZE_COOKIE, rows.to_string());
            page.add_cookie(&cookie).map_err(|error| Error::internal(error.to_string()))?;
        }
        Ok(page)
    }

    /// A cookie that remembers how the panel looks.
    pub fn preference(&self, name: &'static str, value: String) -> Cookie<'static> {
        Cookie::build(name, value)
            .path("/admin")
            .secure(self.cookies().secure)
            .same_site(SameSite::Lax)
            .max_age(actix_web::cookie::time::Duration::days(365))
            .finish()
    }
}

/// Where forms are sent without being signed in.
const OPEN: [&str; 3] = ["/admin/login/", "/admin/setup/", "/admin/preferences/"];

/// The server's own name, where settings give one.
pub struct ServerName(pub String);

const TOKEN_BYTES: usize = 32;
const TOKEN_LENGTH: usize = 43;

fn new_token() -> Result<String> {
    let mut bytes = [0; TOKEN_BYTES];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::internal("the system has no random bytes"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

fn is_equal(a: &str, b: &str) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(a.as_bytes(), b.as_bytes()).is_ok()
}
