//! The token inspector: what this server makes of a token, and why.
//!
//! The token is read from the form and forgotten: no page, log line or row holds it. The verdict is that of the very
//! functions which decide for requests ([`crate::auth::inspect`]).

mod checks;
mod claims;
mod facts;
mod words;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;

use crate::admin::error::PageError;
use crate::admin::form::{Filled, Form};
use crate::admin::layout::{Frame, html};
use crate::admin::staff::{Inspector, Staff, View};
use crate::auth::inspect;
use crate::auth::token::Claims;
use crate::language::filters;
use crate::model::audit::{Change, Object};
use crate::rest::fields::{Fields, Input};
use crate::site::Site;

use checks::Check;
use claims::Claim;
use facts::{Facts, Owner};
pub use words::why_said;

/// The longest text that is looked at.
const LONGEST: usize = 8192;

/// What was pasted.
pub struct Pasted(String);

impl Input for Pasted {
    fn read(f: &mut Fields) -> Self {
        let text: String = f.text("token").required().max(LONGEST).value();
        let bare = match text.split_at_checked(7) {
            Some((word, rest)) if word.eq_ignore_ascii_case("bearer ") => rest,
            _ => &text,
        };
        Self(bare.split_whitespace().collect())
    }
}

/// What was found out about a token, as the page shows it.
struct Found {
    /// The token, by its ends alone.
    mask: String,
    characters: usize,
    is_accepted: bool,
    heading: String,
    sentence: String,
    told: Option<(u16, &'static str)>,
    act: Option<(&'static str, String)>,
    is_verified: bool,
    checks: Vec<Check>,
    claims: Vec<Claim>,
    owner: Option<Owner>,
    header: String,
    payload: String,
    signature: String,
}

#[derive(Template)]
#[template(path = "admin/inspector/page.html")]
struct Page {
    frame: Frame,
    form: Filled,
    found: Option<Found>,
}

fn show(
    staff: &Staff<View<Inspector>>,
    status: StatusCode,
    form: Filled,
    found: Option<Found>,
) -> Result<HttpResponse, PageError> {
    let frame = staff.frame(&[(&say!("Token inspector"), "")]);
    let frame = if form.is_refused() { frame.without_flash() } else { frame };
    html(status, &Page { frame, form, found })
}

/// The page to paste a token.
pub async fn page(staff: Staff<View<Inspector>>) -> Result<HttpResponse, PageError> {
    show(&staff, StatusCode::OK, Filled::default(), None)
}

/// What this server makes of the token that was pasted.
pub async fn inspect(
    site: web::Data<Site>,
    staff: Staff<View<Inspector>>,
    form: Form<Pasted>,
) -> Result<HttpResponse, PageError> {
    let Pasted(text) = match form.input {
        Ok(pasted) => pasted,
        // What was pasted is not shown again, whatever is wrong with it.
        Err(complaints) => {
            return show(&staff, StatusCode::UNPROCESSABLE_ENTITY, Filled::default().refused(complaints), None);
        }
    };
    let now = staff.now();
    let verdict = inspect::inspect(&site.gate, &site.grants, &text, now.at).await?;
    let facts = Facts::gather(&site, &staff, &verdict).await?;
    let facts_owner = facts.user.as_ref().map(|user| user.username.clone());
    let pretty = |object: &Option<serde_json::Map<String, serde_json::Value>>| {
        object.as_ref().and_then(|object| serde_json::to_string_pretty(object).ok()).unwrap_or_default()
    };
    let recorded = facts.recorded(&verdict);
    let found = Found {
        mask: mask(&text),
        characters: text.chars().count(),
        is_accepted: verdict.refused.is_none(),
        heading: facts.heading(&verdict),
        sentence: facts.sentence(&verdict, now),
        told: verdict.refused.map(|reject| (401, reject.code())),
        act: facts.act(&verdict),
        is_verified: verdict.claims.is_some(),
        checks: checks::of(&site, &verdict, &facts, now),
        claims: claims::of(&site, &verdict, &facts, now),
        header: pretty(&verdict.said.header),
        payload: pretty(&verdict.said.payload),
        signature: facts.signature(&verdict),
        owner: facts.owner,
    };
    // Who looked at which token, and never the token.
    let jti = verdict.claims.as_ref().and_then(Claims::jti).unwrap_or_default().to_owned();
    let owner = facts_owner.unwrap_or_default();
    let told = [Change::fact("verdict", recorded)];
    let audit = staff.audits(&site, "token.inspect").on(Object::new("token", jti, owner)).with(told);
    staff.write(&site, move |conn| audit.append(conn)).await?;
    show(&staff, StatusCode::OK, Filled::default(), Some(found))
}

/// A token by its ends: enough to know it by, and good for nothing. What does not look like one is not shown at all: people
/// paste passwords, too.
fn mask(text: &str) -> String {
    const ENDS: (usize, usize) = (8, 4);
    let looks_like_one = text.is_ascii() && text.matches('.').count() == 2 && text.len() >= 60;
    match (text.get(..ENDS.0), text.get(text.len().saturating_sub(ENDS.1)..)) {
        (Some(start), Some(end)) if looks_like_one => format!("{start}…{end}"),
        _ => say!("no token"),
    }
}
