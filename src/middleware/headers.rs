//! The headers that every answer carries (CONTRACT 8), set in one place.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};

const COOP: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const SAME_ORIGIN: HeaderValue = HeaderValue::from_static("same-origin");
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
const DENY: HeaderValue = HeaderValue::from_static("DENY");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const NOTHING: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
const ORIGIN: HeaderValue = HeaderValue::from_static("origin");
const A_YEAR: HeaderValue = HeaderValue::from_static("max-age=31536000");
const ACCEPT_ORIGIN: HeaderValue = HeaderValue::from_static("Accept, origin");

/// Adds what is missing. A page or an asset that has set its own policy or caching keeps it.
pub fn harden(status: StatusCode, headers: &mut HeaderMap) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    headers.insert(header::REFERRER_POLICY, SAME_ORIGIN);
    headers.insert(COOP, SAME_ORIGIN);
    match headers.get(header::VARY).map(HeaderValue::as_bytes) {
        None => _ = headers.insert(header::VARY, ORIGIN),
        Some(b"Accept") => _ = headers.insert(header::VARY, ACCEPT_ORIGIN),
        Some(_) => headers.append(header::VARY, ORIGIN),
    }
    if status == StatusCode::MOVED_PERMANENTLY {
        return; // a redirect shows nothing that could be framed
    }
    headers.insert(header::X_FRAME_OPTIONS, DENY);
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, NO_STORE);
    }
    if !headers.contains_key(header::CONTENT_SECURITY_POLICY) {
        headers.insert(header::CONTENT_SECURITY_POLICY, NOTHING);
    }
}

/// Tells browsers to come back by HTTPS alone, for a year (RFC 6797). Subdomains are not ours to speak for.
pub fn insist_on_https(headers: &mut HeaderMap) {
    headers.insert(header::STRICT_TRANSPORT_SECURITY, A_YEAR);
}
