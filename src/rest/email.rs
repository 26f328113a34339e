//! What an e-mail address may look like: Django's `EmailValidator`, to the letter.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Longest address at all (RFC 3696 section 3), in characters.
const MAX_ADDRESS: usize = 320;
/// Longest label of a domain name (RFC 1034 section 3.1), in characters.
const MAX_LABEL: usize = 63;
/// Longest text that is looked at as an IPv6 address.
const MAX_IPV6: usize = 39;

/// Whether `text` is an address: `user@domain`, the user a dotted or a quoted name, the domain a name, `localhost` or an
/// address in brackets.
pub fn is_email(text: &str) -> bool {
    if text.chars().count() > MAX_ADDRESS {
        return false;
    }
    text.rsplit_once('@').is_some_and(|(user, domain)| {
        (is_dot_atom(user) || is_quoted(user)) && (domain == "localhost" || is_domain(domain) || is_literal(domain))
    })
}

/// ASCII letters, and the four others that Python's `[A-Z]` takes when case is ignored.
fn is_letter(c: char) -> bool {
    c.is_ascii_alphabetic() || matches!(c, 'İ' | 'ı' | 'ſ' | '\u{212a}')
}

fn is_dot_atom(user: &str) -> bool {
    let may_stand = |c: char| is_letter(c) || c.is_ascii_digit() || "-!#$%&'*+/=?^_`{}|~".contains(c);
    user.split('.').all(|atom| !atom.is_empty() && atom.chars().all(may_stand))
}

fn is_quoted(user: &str) -> bool {
    let Some(inner) = user.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else { return false };
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        let fits = match c {
            '\\' => chars
                .next()
                .is_some_and(|c| matches!(c, '\u{1}'..='\t' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{7f}') || is_letter(c)),
            '\u{1}'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '!' | '#'..='[' | ']'..='\u{7f}' => true,
            other => is_letter(other),
        };
        if !fits {
            return false;
        }
    }
    true
}

fn is_domain(domain: &str) -> bool {
    let is_wide = |c: char| ('\u{a1}'..='\u{ffff}').contains(&c);
    let may_stand = |c: char| c == '-' || c.is_ascii_alphanumeric() || is_wide(c);
    let is_label = |label: &str| {
        (1..=MAX_LABEL).contains(&label.chars().count())
            && label.chars().all(may_stand)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_punycode = |label: &str| {
        let mut chars = label.chars();
        let prefix = chars.by_ref().take(4).collect::<String>();
        prefix.eq_ignore_ascii_case("xn--") && chars.all(|c| is_letter(c) || c.is_ascii_digit())
    };
    domain.rsplit_once('.').is_some_and(|(names, top)| {
        let is_top = top.chars().count() >= 2 && !top.chars().any(|c| c.is_ascii_digit()) || is_punycode(top);
        names.split('.').all(is_label) && is_label(top) && is_top
    })
}

fn is_literal(domain: &str) -> bool {
    let address = domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    address.is_some_and(|address| {
        address.parse::<Ipv4Addr>().is_ok() || (address.len() <= MAX_IPV6 && address.parse::<Ipv6Addr>().is_ok())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_are_taken_and_refused_as_django_does() {
        let label = |length| format!("a@{}.org", "l".repeat(length));
        for (address, taken) in [
            ("a@b.org", true),
            ("a@b", false),
            ("A@localhost", true),
            ("a@Localhost", false),
            ("a@[127.0.0.1]", true),
            ("a@[::1]", true),
            ("a@[1:2:3:4:5:6:7::]", true),
            ("a@[0127.0.0.1]", false),
            ("a@[::ffff:255.255.255.255]", true),
            ("a@[0000:0000:0000:0000:0000:ffff:255.255.255.255]", false),
            ("a@[1.2.3.4", false),
            ("a@[1.2.3.4]x", false),
            ("\"a b\"@x.org", false),
            ("\"a\\ b\"@x.org", true),
            ("\"a@b\"@x.org", true),
            ("\"\"@x.org", true),
            ("\"@x.org", false),
            ("\"a\\\"@x.org", false),
            ("\"\u{1}\"@x.org", true),
            ("\"\\\0\"@x.org", false),
            ("a@-x.org", false),
            ("a@x-.org", false),
            ("a@x--y.org", true),
            ("a@x.org.", false),
            ("a@.org", false),
            ("a@x..org", false),
            ("a@x.o1", false),
            ("a@x.123", false),
            ("a@x.c", false),
            ("a@x.xn--a1", true),
            ("a@x.XN--1", true),
            ("a@x.xn--", false),
            ("a@x.xn--ſ1", true),
            ("a@é.ü.ñé", true),
            ("a@x.¹²", true),
            ("a@😀.com", false),
            ("a@x_y.org", false),
            ("a..b@x.org", false),
            (".a@x.org", false),
            ("İıſ\u{212a}@x.org", true),
            ("é@x.org", false),
            ("a\u{a0}@x.org", false),
            ("a\0@x.org", false),
            ("a@b@x.org", false),
            ("@x.org", false),
            ("a@", false),
            ("", false),
        ] {
            assert_eq!(is_email(address), taken, "{address}");
        }
        assert!(is_email(&label(63)) && !is_email(&label(64)));
        let long = |length| format!("{}@ex.org", "x".repeat(length));
        assert!(is_email(&long(313)) && !is_email(&long(314)));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_stumble(text in "\\PC{0,20}@?[\\[\"\\\\a-c:.@é-]{0,20}") {
            is_email(&text);
        }
    }
}
