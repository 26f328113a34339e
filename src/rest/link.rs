//! Absolute links to where a request came.

use actix_web::http::header;
use actix_web::{HttpRequest, web};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The scheme and host by which clients know the server, as application data; without it, they are the request's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(pub String);

/// `https://host`, without a slash at the end.
///
/// Without a [`PublicUrl`] the host is the one that the client wrote. What proxies say about it is not believed: anybody
/// could say it.
pub fn origin(request: &HttpRequest) -> String {
    if let Some(PublicUrl(url)) = request.app_data::<web::Data<PublicUrl>>().map(|url| url.as_ref()) {
        return url.trim_end_matches('/').to_owned();
    }
    let sent = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let authority = || request.uri().authority().map(|authority| authority.as_str());
    let host = sent.or_else(authority).filter(|host| is_host(host));
    let scheme = if request.app_config().secure() { "https" } else { "http" };
    format!("{scheme}://{}", host.unwrap_or_else(|| request.app_config().host()))
}

fn is_host(host: &str) -> bool {
    !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte))
}

/// What a query string need not escape, as Python's `urlencode` has it.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'_').remove(b'.').remove(b'-').remove(b'~');

/// Pairs as a query string, sorted by name; equal names stay in their order.
pub fn query_string(pairs: &[(String, String)]) -> String {
    let mut sorted: Vec<_> = pairs.iter().collect();
    sorted.sort_by_key(|(name, _)| name.as_str());
    let escaped = |text: &str| utf8_percent_encode(text, ESCAPED).to_string().replace("%20", "+");
    let written = sorted.into_iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value)));
    written.collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn links_follow_the_host_header_and_nobody_elses_word() {
        for (host, origin_) in [
            ("api.example:8443", "http://api.example:8443"),
            ("EXAMPLE.org", "http://EXAMPLE.org"),
            ("[::1]:80", "http://[::1]:80"),
            ("a.b.", "http://a.b."),
            ("evil.com/x?", "http://localhost:8080"),
            ("x@y", "http://localhost:8080"),
            ("", "http://localhost:8080"),
        ] {
            let request =
                TestRequest::get().insert_header(("host", host)).insert_header(("x-forwarded-host", "evil.com"));
            let request = request.insert_header(("forwarded", "host=evil.com;proto=https")).to_http_request();
            assert_eq!(origin(&request), origin_, "{host}");
        }
    }

    #[test]
    fn a_public_url_rules_out_the_host_header() {
        let url = web::Data::new(PublicUrl("https://portcullis.example/".to_owned()));
        let request = TestRequest::get().insert_header(("host", "evil.com")).app_data(url).to_http_request();
        assert_eq!(origin(&request), "https://portcullis.example");
    }
}
