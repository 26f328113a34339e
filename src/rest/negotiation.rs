//! What form of answer a client accepts. There is only JSON, so what is left to choose is its indentation, and whether to
//! answer at all. As in DRF, weights are ignored and the most specific media range counts.

use actix_web::HttpRequest;
use actix_web::http::header;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::rest::payload::pairs;
use crate::rest::{json, text};

/// How an answer is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rendering {
    /// Compact JSON.
    #[default]
    Json,
    /// JSON with each level indented by so many spaces.
    Indented(usize),
}

impl Rendering {
    /// Writes `value` so.
    pub fn write(self, value: &impl Serialize) -> Result<Vec<u8>> {
        json::to_vec(value).map(|bytes| self.spread(bytes))
    }

    /// Compact JSON rewritten so.
    pub fn spread(self, compact: Vec<u8>) -> Vec<u8> {
        match self {
            Self::Json => compact,
            Self::Indented(width) => json::indented(&compact, width),
        }
    }
}

/// Chooses the form of the answer from `suffix` (the `json` of `/tasks.json`), `?format=` and `Accept`.
///
/// Another format than JSON is a 404; a client that accepts neither JSON nor HTML gets a 406. Browsers, who ask for HTML,
/// get JSON.
pub fn accept(request: &HttpRequest, suffix: Option<&str>) -> Result<Rendering> {
    let asked = || pairs(request.query_string().as_bytes()).into_iter().rfind(|(name, _)| name == "format");
    let format = match suffix {
        Some(suffix) if !suffix.is_empty() => suffix.to_owned(),
        _ => asked().map(|(_, format)| format).unwrap_or_default(),
    };
    if !matches!(format.as_str(), "" | "json") {
        return Err(Error::not_found());
    }
    let mut headers = request.headers().get_all(header::ACCEPT).map(|value| text::latin1(value.as_bytes())).peekable();
    if headers.peek().is_none() {
        return Ok(Rendering::Json);
    }
    choose(&headers.collect::<Vec<_>>().join(","))
}

/// The most media ranges that are looked at, and the longest of them: DRF's bounds.
const MAX_RANGES: usize = 64;
const MAX_RANGE: usize = 256;

fn choose(accept: &str) -> Result<Rendering> {
    let ranges = accept.split(',').map(text::strip);
    let usable = ranges.filter(|range| !range.is_empty() && range.chars().count() <= MAX_RANGE).take(MAX_RANGES);
    let mut html = false;
    let mut best: Option<MediaRange> = None;
    for range in usable.map(MediaRange::parse) {
        html |= range.takes("text", "html");
        let better = best.as_ref().is_none_or(|best| range.precedence() > best.precedence());
        if better && range.takes("application", "json") {
            best = Some(range);
        }
    }
    match best {
        Some(range) => Ok(range.rendering()),
        None if html => Ok(Rendering::Json),
        None => Err(Error::NotAcceptable),
    }
}

/// One entry of `Accept`: `type/subtype`, either may be `*`, and parameters.
struct MediaRange {
    kind: String,
    subtype: String,
    parameters: Vec<(String, String)>,
}

impl MediaRange {
    fn parse(range: &str) -> Self {
        let mut parts = range.split(';');
        let essence = parts.next().map(text::strip).unwrap_or_default().to_lowercase();
        let (kind, subtype) = essence.split_once('/').unwrap_or((&essence, ""));
        let parameter = |part: &str| {
            let (name, value) = part.split_once('=')?;
            let value = text::strip(value);
            let unquoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
            Some((text::strip(name).to_lowercase(), unquoted.to_owned()))
        };
        Self { kind: kind.to_owned(), subtype: subtype.to_owned(), parameters: parts.filter_map(parameter).collect() }
    }

    fn takes(&self, kind: &str, subtype: &str) -> bool {
        (self.kind == "*" || self.kind == kind) && (self.subtype == "*" || self.subtype == subtype)
    }

    fn precedence(&self) -> u8 {
        match (self.kind.as_str(), self.subtype.as_str()) {
            ("*", _) => 0,
            (_, "*") => 1,
            _ if self.parameters.iter().all(|(name, _)| name == "q") => 2,
            _ => 3,
        }
    }

    /// `indent` as DRF bounds it: from 0, which is none, to 8.
    fn rendering(&self) -> Rendering {
        let indent = self.parameters.iter().rfind(|(name, _)| name == "indent").map(|(_, value)| text::strip(value));
        let digits = indent.map(|indent| indent.strip_prefix('+').unwrap_or(indent)).unwrap_or_default();
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Rendering::Json;
        }
        match digits.parse().unwrap_or(usize::MAX).min(8) {
            0 => Rendering::Json,
            width => Rendering::Indented(width),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use Rendering::{Indented, Json};
    use actix_web::test::TestRequest;
    use proptest::prelude::*;

    #[test]
    fn what_can_be_json_gets_json() {
        for (accept, rendering) in [
            ("*/*", Json),
            ("application/*", Json),
            ("*/json", Json),
            ("application/json;indent=4", Indented(4)),
            ("application/json; indent=x", Json),
            ("application/json;indent=0", Json),
            ("application/json;indent=9", Indented(8)),
            ("application/json;indent=99999999999999999999999", Indented(8)),
            ("application/json;indent=-3", Json),
            ("application/json;indent=+4", Indented(4)),
            ("application/json; indent= 4 ", Indented(4)),
            ("application/json;indent=\"4\"", Indented(4)),
            ("Application/Json ; INDENT=2", Indented(2)),
            ("*/*;indent=3", Indented(3)),
            ("application/*;indent=3", Indented(3)),
            ("text/html;level=1, application/json;indent=2", Indented(2)),
            ("text/html, application/json;indent=2", Indented(2)),
            ("application/json, application/json;indent=2", Indented(2)),
            ("*/*;indent=3, application/json", Json),
            ("application/json;q=0.1;indent=2", Indented(2)),
            ("application/json;indent=2;indent=3", Indented(3)),
            ("application/json;version=2", Json),
            ("*/*;q=0", Json),
            ("application/json;", Json),
            ("application/json;indent", Json),
            (",,application/json,,", Json),
            ("garbage, */*", Json),
            ("text/plain;indent=3, */*", Json),
            ("application/json;indent=\u{d9}\u{a4}", Json),
        ] {
            assert_eq!(choose(accept).unwrap(), rendering, "{accept}");
        }
    }

    #[test]
    fn browsers_get_json_too() {
        for accept in ["text/html", "text/*", "*/html", "text/html;indent=3", "text/html, application/xhtml+xml"] {
            assert_eq!(choose(accept).unwrap(), Json, "{accept}");
        }
    }

    #[test]
    fn what_can_be_neither_json_nor_html_is_not_acceptable() {
        let long = format!("application/json;{}", "x".repeat(300));
        let many = format!("{}application/json", "a/b,".repeat(64));
        for accept in [
            "",
            " ",
            "*",
            "*/",
            "/",
            "/json",
            "application",
            "application /json",
            "application/json/x",
            "garbage",
            "application/xml",
            "text/csv",
            "text/plain",
            "\u{e9}\u{ff}",
            "application/json\u{e9}",
            &long,
            &many,
        ] {
            assert!(matches!(choose(accept), Err(Error::NotAcceptable)), "{accept}");
        }
    }

    #[test]
    fn too_long_a_range_does_not_hide_what_follows() {
        assert_eq!(choose(&format!("{}, application/json", "x".repeat(300))).unwrap(), Json);
        assert_eq!(choose(&format!("{}application/json", "a/b,".repeat(63))).unwrap(), Json);
    }

    #[test]
    fn only_the_json_format_exists() {
        for (uri, suffix, exists) in [
            ("/", None, true),
            ("/?format=json", None, true),
            ("/?format=jso%6e", None, true),
            ("/?format=", None, true),
            ("/?format", None, true),
            ("/?format=xml&format=json", None, true),
            ("/?format=json&format=xml", None, false),
            ("/?format=JSON", None, false),
            ("/?format=api", None, false),
            ("/?format=json%20", None, false),
            ("/", Some("json"), true),
            ("/?format=xml", Some("json"), true),
            ("/?format=json", Some("xml"), false),
        ] {
            let answer = accept(&TestRequest::with_uri(uri).to_http_request(), suffix);
            match answer {
                Ok(Json) => assert!(exists, "{uri} {suffix:?}"),
                Err(Error::NotFound(words)) => assert!(!exists && words == "Not found.", "{uri} {suffix:?}"),
                other => panic!("{uri} {suffix:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn the_format_is_looked_at_before_the_accept_header() {
        let request = TestRequest::with_uri("/?format=xml").insert_header(("accept", "application/xml"));
        assert!(matches!(accept(&request.to_http_request(), None), Err(Error::NotFound(_))));
    }

    #[test]
    fn several_accept_headers_count_as_one() {
        let request = TestRequest::get().append_header(("accept", "application/xml"));
        let request = request.append_header(("accept", "application/json;indent=1")).to_http_request();
        assert_eq!(accept(&request, None).unwrap(), Indented(1));
    }

    proptest! {
        #[test]
        fn no_accept_header_makes_it_stumble(accept in "(([a-z*]{0,5}[/;=,\" ]){0,9}|\\PC{0,40})") {
            let _ = choose(&accept);
        }
    }
}
