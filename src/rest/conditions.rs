//! Conditional requests (RFC 9110 §13): what a client knows of a resource, held against what it is now.
//!
//! Tags are strong (§8.8.1), since `If-Match` takes no others: the digest of the very bytes of an answer, which changes
//! whenever they do and needs no column. JSON spread over lines has other bytes under the same digest; there the view makes
//! the tag weak.

use std::future::{Ready, ready};

use actix_web::http::header::{self, EntityTag, Header, IfMatch, IfNoneMatch};
use actix_web::{FromRequest, HttpRequest, dev};
use aws_lc_rs::digest::{SHA256, digest};

use crate::error::{Error, Result};
use crate::rest::answer::Answer;

/// The conditions of a request: `If-Match` and `If-None-Match`; mostly there are none. There is no `Last-Modified`, so
/// conditions that name a date are ignored, as §13.1.3 and §13.1.4 say.
#[derive(Clone)]
pub struct Conditions {
    matches: Option<IfMatch>,
    none_matches: Option<IfNoneMatch>,
}

impl FromRequest for Conditions {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        let given = |name| request.headers().contains_key(name);
        // What cannot be read names no tag of ours: nothing is changed by it, and nothing left out.
        let matches = given(header::IF_MATCH).then(|| IfMatch::parse(request).unwrap_or(IfMatch::Items(Vec::new())));
        let none_matches =
            given(header::IF_NONE_MATCH).then(|| IfNoneMatch::parse(request).unwrap_or(IfNoneMatch::Items(Vec::new())));
        ready(Ok(Self { matches, none_matches }))
    }
}

impl Conditions {
    /// Whether a change of what `content` writes may go on: the bytes that a GET would answer. Asked in the transaction of the
    /// change: of two clients who have read the same, one alone can be right.
    ///
    /// # Errors
    /// 412 if not; what `content` returns, which is asked only if there are conditions.
    pub fn allow_change(&self, content: impl FnOnce() -> Result<Vec<u8>>) -> Result<()> {
        if self.matches.is_none() && self.none_matches.is_none() {
            return Ok(());
        }
        let tag = tag(&content()?);
        if self.is_matched(&tag) && !self.is_known(&tag) { Ok(()) } else { Err(Error::PreconditionFailed) }
    }

    /// The answer to a GET, with its tag; 304 without its body for whoever has it already.
    ///
    /// # Errors
    /// 412 if it is not what `If-Match` names.
    pub fn answer(&self, answer: Answer) -> Result<Answer> {
        let answer = answer.tagged();
        match answer.tag() {
            Some(tag) if !self.is_matched(tag) => Err(Error::PreconditionFailed),
            Some(tag) if self.is_known(tag) => Ok(answer.not_modified()),
            _ => Ok(answer),
        }
    }

    fn is_matched(&self, tag: &EntityTag) -> bool {
        match &self.matches {
            None | Some(IfMatch::Any) => true,
            Some(IfMatch::Items(named)) => named.iter().any(|one| one.strong_eq(tag)),
        }
    }

    fn is_known(&self, tag: &EntityTag) -> bool {
        match &self.none_matches {
            None => false,
            Some(IfNoneMatch::Any) => true,
            Some(IfNoneMatch::Items(named)) => named.iter().any(|one| one.weak_eq(tag)),
        }
    }
}

/// The strong tag of these bytes.
pub fn tag(content: &[u8]) -> EntityTag {
    let all = digest(&SHA256, content);
    let half = all.as_ref().get(..16).unwrap_or_default(); // 128 bits: nobody's two answers meet
    EntityTag::new_strong(hex::encode(half))
}
