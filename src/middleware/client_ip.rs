//! Where a request comes from: the peer or, behind a trusted proxy, whom that names.

use std::net::{IpAddr, Ipv4Addr};

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderName, HeaderValue};
use ipnet::IpNet;

use crate::model::session::Device;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The client's address. `X-Forwarded-For` is read from its right end, and only as long as who wrote the entry is trusted:
/// anybody can send the header.
pub fn of(request: &HttpRequest, trusted: &[IpNet]) -> IpAddr {
    let peer = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
    let is_trusted = |ip: &IpAddr| trusted.iter().any(|network| network.contains(&ip.to_canonical()));
    if !is_trusted(&peer) {
        return peer;
    }
    let mut client = peer;
    let values: Vec<&HeaderValue> = request.headers().get_all(X_FORWARDED_FOR).collect();
    let entries = values.iter().rev().flat_map(|value| value.to_str().unwrap_or("").rsplit(','));
    for entry in entries {
        let Ok(ip) = entry.trim().parse::<IpAddr>() else { break };
        client = ip;
        if !is_trusted(&ip) {
            break;
        }
    }
    client
}

/// What sessions keep of where a request comes from.
pub fn device(request: &HttpRequest, trusted: &[IpNet]) -> Device {
    /// The longest User-Agent that is kept.
    const LONGEST: usize = 300;
    let agent = request.headers().get(actix_web::http::header::USER_AGENT).map(HeaderValue::as_bytes);
    let user_agent = String::from_utf8_lossy(agent.unwrap_or_default()).chars().take(LONGEST).collect();
    Device { ip: of(request, trusted).to_string(), user_agent }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn seen(peer: &str, forwarded: &[&str]) -> String {
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let mut request = TestRequest::default().peer_addr(format!("{peer}:1234").parse().unwrap());
        for value in forwarded {
            request = request.append_header((X_FORWARDED_FOR, *value));
        }
        of(&request.to_http_request(), &trusted).to_string()
    }

    #[test]
    fn a_strangers_header_counts_for_nothing() {
        assert_eq!(seen("192.0.2.9", &["203.0.113.1"]), "192.0.2.9");
    }

    #[test]
    fn a_proxys_header_is_read_from_the_right_until_somebody_untrusted() {
        assert_eq!(seen("10.0.0.1", &["203.0.113.1"]), "203.0.113.1");
        assert_eq!(seen("10.0.0.1", &["1.1.1.1, 203.0.113.1, 10.0.0.2"]), "203.0.113.1");
        assert_eq!(seen("10.0.0.1", &["1.1.1.1", "203.0.113.1"]), "203.0.113.1");
        assert_eq!(seen("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(seen("10.0.0.1", &["203.0.113.1, nonsense"]), "10.0.0.1");
    }
}
