//! Whose page has sent a request, as the browser says.

use actix_web::http::header::{self, HeaderMap, HeaderName};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether a page of ours has sent this, or no page at all: what is no browser says nothing.
pub fn is_same_origin(headers: &HeaderMap) -> bool {
    let text = |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    match (text(&SEC_FETCH_SITE), text(&header::ORIGIN)) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => origin.split_once("://").map(|(_, host)| host) == text(&header::HOST),
        (None, None) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_browser_says_whose_page_has_sent_a_form() {
        let host = (header::HOST, "auth.example");
        for (given, expected) in [
            (vec![(SEC_FETCH_SITE, "same-origin")], true),
            (vec![(SEC_FETCH_SITE, "none")], true),
            (vec![(SEC_FETCH_SITE, "same-site")], false),
            (vec![(SEC_FETCH_SITE, "cross-site")], false),
            (vec![(SEC_FETCH_SITE, "cross-site"), (header::ORIGIN, "https://auth.example")], false),
            (vec![(header::ORIGIN, "https://auth.example")], true),
            (vec![(header::ORIGIN, "https://evil.example")], false),
            (vec![(header::ORIGIN, "null")], false),
            (vec![], true),
        ] {
            let all: Vec<_> = given.iter().cloned().chain([host.clone()]).collect();
            assert_eq!(is_same_origin(&headers(&all)), expected, "{given:?}");
        }
    }
}
