//! Absolute links to where a request came.

use std::net::SocketAddr;

use actix_web::http::header;
use actix_web::{HttpRequest, web};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Where the server is, as application data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnUrl {
    /// The scheme and host by which clients know it; without it, they are the request's own.
    pub public: Option<String>,
    /// Where it listens, for a request that names no host.
    pub bind: SocketAddr,
}

/// `https://host`, without a slash at the end.
///
/// Without a public URL the host is the one that the client wrote. What proxies say about it is not believed: anybody could
/// say it.
pub fn origin(request: &HttpRequest) -> String {
    let own = request.app_data::<web::Data<OwnUrl>>();
    if let Some(url) = own.and_then(|own| own.public.as_deref()) {
        return url.trim_end_matches('/').to_owned();
    }
    let sent = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let authority = || request.uri().authority().map(|authority| authority.as_str());
    match (sent.or_else(authority).filter(|host| is_host(host)), own) {
        (Some(host), _) => format!("http://{host}"),
        (None, Some(own)) => format!("http://{}", own.bind),
        (None, None) => "http://localhost".to_owned(),
    }
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

    fn own(public: Option<&str>) -> web::Data<OwnUrl> {
        web::Data::new(OwnUrl { public: public.map(str::to_owned), bind: ([127, 0, 0, 1], 8000).into() })
    }

    #[test]
    fn links_follow_the_host_header_and_nobody_elses_word() {
        for (host, origin_) in [
            ("api.example:8443", "http://api.example:8443"),
            ("EXAMPLE.org", "http://EXAMPLE.org"),
            ("[::1]:80", "http://[::1]:80"),
            ("a.b.", "http://a.b."),
            ("evil.com/x?", "http://127.0.0.1:8000"),
            ("x@y", "http://127.0.0.1:8000"),
            ("", "http://127.0.0.1:8000"),
        ] {
            let request =
                TestRequest::get().insert_header(("host", host)).insert_header(("x-forwarded-host", "evil.com"));
            let request = request.insert_header(("forwarded", "host=evil.com;proto=https")).app_data(own(None));
            assert_eq!(origin(&request.to_http_request()), origin_, "{host}");
        }
    }

    #[test]
    fn a_public_url_rules_out_the_host_header() {
        let request = TestRequest::get().insert_header(("host", "evil.com"));
        let request = request.app_data(own(Some("https://portcullis.example/")));
        assert_eq!(origin(&request.to_http_request()), "https://portcullis.example");
    }
}
