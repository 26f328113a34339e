//! What settings must be beyond their type, and with each other.

use std::time::Duration;

use jsonwebtoken::{Algorithm, AlgorithmFamily};

use super::{Jwt, Settings, Store, social};

/// A key, and what is wrong with its value.
pub(super) type Complaint = (&'static str, String);

/// The fewest bytes of any HMAC secret: what SHA-256 has.
pub const SHORTEST_SECRET: usize = 32;
/// The most that clocks may differ: more would keep expired tokens alive.
const LONGEST_LEEWAY: Duration = Duration::from_secs(60);
/// The most memory of one hash: a gigabyte is beyond any advice, and a slip of the hand would take the machine down.
pub const MOST_MEMORY_KIB: u32 = 1024 * 1024;
/// The most passes of one hash, for the same reason.
pub const MOST_PASSES: u32 = 100;
/// Secrets that stand in public places, so that anyone can sign with them.
const SAMPLE_SECRETS: [&str; 4] =
    ["django-insecure-", "a-string-secret-at-least-", "a-valid-string-secret-that-is-at-least-", "your-256-bit-secret"];
/// Claims that have a meaning of their own in every token.
const OWN_CLAIMS: [&str; 10] = ["aud", "exp", "gen", "iat", "iss", "jti", "nbf", "refresh_exp", "sid", "token_type"];
/// A claim of RFC 7519 that may name the user, and nothing else: it must be text.
const SUBJECT: &str = "sub";

impl Settings {
    /// What is wrong with these settings, each complaint with its key; nothing if they can be used. For settings that
    /// were built in code: [`Settings::load`] asks it too, and adds where the value came from.
    pub fn complaints(&self) -> Vec<String> {
        self.all_rules().map(|(key, complaint)| format!("{key}: {complaint}")).collect()
    }

    /// The rules of the sections that there always are, and of the providers that somebody named.
    pub(super) fn all_rules(&self) -> impl Iterator<Item = (String, String)> {
        let own = self.rules().into_iter().map(|(key, complaint)| (key.to_owned(), complaint));
        own.chain(social::complaints(&self.social))
    }

    fn rules(&self) -> Vec<Complaint> {
        let mut complaints = Vec::new();
        let mut rule = |holds: bool, key: &'static str, complaint: &str| {
            if !holds {
                complaints.push((key, complaint.to_owned()));
            }
        };

        rule(self.server.body_limit > 0, "server.body_limit", "must be at least 1 byte");
        let believes_all = self.server.trusted_proxies.iter().any(|network| network.prefix_len() == 0);
        let proxies = "would believe anybody's X-Forwarded-For; name the networks of your proxies";
        rule(!believes_all, "server.trusted_proxies", proxies);
        let known_database = |url: &super::Secret| {
            ["sqlite://", "postgres://", "postgresql://"].iter().any(|scheme| url.expose().starts_with(scheme))
        };
        let database = "must start with sqlite:// or postgres://";
        rule(self.database.url.as_ref().is_none_or(known_database), "database.url", database);

        let known_store = match &self.throttle.store {
            Store::Memory | Store::Database => true,
            Store::Redis(url) => ["redis://", "redis+unix://"].iter().any(|scheme| url.expose().starts_with(scheme)),
        };
        let store =
            "must be memory, database, redis://HOST:PORT/NUMBER or redis+unix:///PATH; there is no TLS to Redis";
        rule(known_store, "throttle.store", store);

        let jwt = &self.jwt;
        for (key, lifetime) in [
            ("jwt.access_token_lifetime", jwt.access_token_lifetime),
            ("jwt.refresh_token_lifetime", jwt.refresh_token_lifetime),
            ("jwt.sliding_token_lifetime", jwt.sliding_token_lifetime),
            ("jwt.sliding_token_refresh_lifetime", jwt.sliding_token_refresh_lifetime),
            ("jwt.session_lifetime", jwt.session_lifetime),
            ("accounts.invitation_lifetime", self.accounts.invitation_lifetime),
            ("sockets.ping", self.sockets.ping),
            ("admin.session_idle", self.admin.session_idle),
            ("admin.session_lifetime", self.admin.session_lifetime),
            ("audit.keep", self.audit.keep),
            ("audit.keep_sign_ins", self.audit.keep_sign_ins),
        ] {
            rule(lifetime >= Duration::from_secs(1), key, "must be at least a second");
        }
        rule(
            jwt.leeway <= LONGEST_LEEWAY,
            "jwt.leeway",
            "must be at most 60s, for it lengthens the life of every token",
        );
        let word = |word: &String| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic());
        let words = !jwt.auth_header_types.is_empty() && jwt.auth_header_types.iter().all(word);
        rule(words, "jwt.auth_header_types", "must name at least one scheme, such as Bearer, each without spaces");
        rule(!jwt.auth_token_classes.is_empty(), "jwt.auth_token_classes", "must name at least one of access, sliding");
        rule(self.sockets.per_user > 0, "sockets.per_user", "must be at least 1");
        let hash = &self.passwords;
        rule(hash.queue > 0, "passwords.queue", "must be at least 1");
        rule((1..=MOST_PASSES).contains(&hash.passes), "passwords.passes", "must be from 1 to 100");
        rule((1..=64).contains(&hash.lanes), "passwords.lanes", "must be from 1 to 64");
        let enough = (hash.lanes.saturating_mul(8)..=MOST_MEMORY_KIB).contains(&hash.memory_kib);
        rule(enough, "passwords.memory_kib", "must be from 8 for each lane to 1048576, a gigabyte");

        // On loopback the server's own address will do: for trying things out with a mail catcher.
        let has_address = self.server.public_url.is_some() || self.server.bind.ip().is_loopback();
        complaints.extend(self.mail.complaints(has_address));
        complaints.extend(jwt.claim_complaints());
        complaints.extend(jwt.key_complaints());
        complaints
    }
}

impl Jwt {
    /// The names of claims: each once, and none that has a meaning of its own.
    fn claim_complaints(&self) -> Vec<Complaint> {
        let mut complaints = Vec::new();
        let mut taken: Vec<&str> = Vec::new();
        let named = [
            ("jwt.token_type_claim", &self.token_type_claim, "token_type"),
            ("jwt.jti_claim", &self.jti_claim, "jti"),
            ("jwt.sliding_token_refresh_exp_claim", &self.sliding_token_refresh_exp_claim, "refresh_exp"),
            ("jwt.user_id_claim", &self.user_id_claim, SUBJECT),
            ("jwt.revoke_token_claim", &self.revoke_token_claim, ""),
        ];
        for (key, claim, own) in named {
            if claim.trim().is_empty() {
                complaints.push((key, "must not be blank".to_owned()));
            } else if claim != own && (OWN_CLAIMS.contains(&claim.as_str()) || claim == SUBJECT) {
                complaints.push((key, "must not be a claim that tokens have anyway".to_owned()));
            } else if taken.contains(&claim.as_str()) {
                complaints.push((key, format!("{claim:?} is the name of another claim already")));
            }
            taken.push(claim);
        }
        for name in self.token_claims.iter().map(|claim| claim.name()) {
            if taken.contains(&name) {
                complaints.push(("jwt.token_claims", format!("{name:?} is the name of another claim already")));
            }
            taken.push(name);
        }
        for name in self.static_claims.keys().map(String::as_str) {
            if name.is_empty() || name == SUBJECT || OWN_CLAIMS.contains(&name) || taken.contains(&name) {
                let complaint = format!("{name:?} is not a name of one's own: tokens have that claim anyway");
                complaints.push(("jwt.static_claims", complaint));
            }
        }
        if self.user_id_as_number && self.user_id_claim == SUBJECT {
            let complaint = "\"sub\" must be text (RFC 7519); rename jwt.user_id_claim or leave it out";
            complaints.push(("jwt.user_id_as_number", complaint.to_owned()));
        }
        complaints
    }

    fn key_complaints(&self) -> Vec<Complaint> {
        let mut complaints = Vec::new();
        let both =
            |text: bool, file: bool, other: &str| (text && file).then(|| format!("give it or {other}, not both"));
        let signing = both(self.signing_key.is_some(), self.signing_key_file.is_some(), "jwt.signing_key_file");
        let verifying = both(self.verifying_key.is_some(), self.verifying_key_file.is_some(), "jwt.verifying_key_file");
        let weak = self.signing_key.as_ref().and_then(|key| weakness(key.expose(), self.algorithm));
        complaints.extend(signing.map(|complaint| ("jwt.signing_key", complaint)));
        complaints.extend(weak.map(|complaint| ("jwt.signing_key", complaint)));
        complaints.extend(verifying.map(|complaint| ("jwt.verifying_key", complaint)));
        complaints
    }
}

/// The fewest bytes of a secret that signs with `algorithm`: as many as its hash has (RFC 7518 §3.2).
pub const fn shortest_secret(algorithm: Algorithm) -> usize {
    match algorithm {
        Algorithm::HS384 => 48,
        Algorithm::HS512 => 64,
        _ => SHORTEST_SECRET,
    }
}

/// Why `key` must not sign with `algorithm`; what a file brings is asked too. That a PEM key can be read is for the key
/// ring to find out.
pub fn weakness(key: &str, algorithm: Algorithm) -> Option<String> {
    let trimmed = key.trim();
    if trimmed.is_empty() {
        return Some("is blank; leave it out and a random one is made, or write 32 random bytes or more".into());
    }
    if algorithm.family() != AlgorithmFamily::Hmac {
        return None;
    }
    let mut characters = trimmed.chars();
    let first = characters.next();
    let shortest = shortest_secret(algorithm);
    let short = format!("is shorter than {shortest} bytes, so it can be guessed");
    let why = if trimmed.starts_with("-----BEGIN") {
        // A public key is known to all: as an HMAC secret it would let anyone sign (RFC 8725 §2.1).
        return Some(format!(
            "is a PEM key, which {algorithm:?} would take for a mere secret; set jwt.algorithm, to RS256 for instance"
        ));
    } else if SAMPLE_SECRETS.iter().any(|sample| trimmed.starts_with(sample)) {
        "is a sample that anyone can know"
    } else if key.trim_end_matches('\n').len() < shortest {
        &short // the last line's end is no part of it
    } else if characters.all(|character| Some(character) == first) {
        "is one character over and over, so it can be guessed"
    } else {
        return None;
    };
    Some(format!("{why}; write 32 random bytes or more, as `openssl rand -hex 32` prints them"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::settings::{Passwords, Secret};

    #[test]
    fn the_defaults_have_no_fault() {
        assert_eq!(Settings::default().complaints(), Vec::<String>::new());
    }

    #[test]
    fn every_fault_is_told_at_once() {
        let mut settings = Settings::default();
        settings.server.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap(), "::/0".parse().unwrap()];
        settings.jwt.access_token_lifetime = Duration::ZERO;
        settings.jwt.leeway = Duration::from_secs(61);
        settings.jwt.auth_header_types.clear();
        settings.jwt.signing_key_file = Some("key".into());
        settings.jwt.signing_key = Some(Secret::from("short"));
        settings.database.url = Some(Secret::from("mysql://ann:pw@db/x"));
        settings.passwords = Passwords { memory_kib: 8, lanes: 2, ..Passwords::default() };
        let told = settings.complaints().join("\n");
        let keys = "trusted_proxies access_token_lifetime leeway auth_header_types signing_key database.url memory_kib";
        for key in keys.split(' ') {
            assert!(told.contains(key), "{key} in {told}");
        }
        assert!(told.contains("not both") && told.contains("shorter than 32 bytes"), "{told}");
        assert!(!told.contains("mysql://ann") && !told.contains(": short"), "{told}");
    }

    #[test]
    fn no_two_claims_have_one_name() {
        type Change = fn(&mut Jwt);
        let told = |change: Change| {
            let mut settings = Settings::default();
            change(&mut settings.jwt);
            settings.complaints().join("\n")
        };
        let cases: [(&str, Change); 9] = [
            ("jwt.user_id_claim: must not be blank", |jwt| jwt.user_id_claim = " ".into()),
            ("jwt.user_id_claim: must not be a claim", |jwt| jwt.user_id_claim = "jti".into()),
            ("jwt.revoke_token_claim: \"user_id\" is", |jwt| jwt.revoke_token_claim = "user_id".into()),
            ("jwt.jti_claim: must not be a claim", |jwt| jwt.jti_claim = "sid".into()),
            ("jwt.sliding_token_refresh_exp_claim: \"x\" is", |jwt| {
                jwt.jti_claim = "x".into();
                jwt.sliding_token_refresh_exp_claim = "x".into();
            }),
            ("jwt.token_type_claim: must not be a claim", |jwt| jwt.token_type_claim = "sub".into()),
            ("jwt.token_claims: \"username\" is", |jwt| jwt.user_id_claim = "username".into()),
            ("jwt.static_claims: \"sub\" is not", |jwt| jwt.static_claims.extend([("sub".to_owned(), true.into())])),
            ("jwt.user_id_as_number: \"sub\" must", |jwt| {
                jwt.user_id_claim = "sub".into();
                jwt.user_id_as_number = true;
            }),
        ];
        for (start, change) in cases {
            let told = told(change);
            assert!(told.starts_with(start) && told.lines().count() == 1, "{start}… {told}");
        }
        let reserved = "token_type exp iat nbf jti sid gen sub iss aud refresh_exp user_id hash_password username";
        for name in reserved.split(' ') {
            let mut settings = Settings::default();
            settings.jwt.static_claims.insert(name.into(), 1.into());
            assert_eq!(settings.complaints().len(), 1, "{name}");
        }
        assert_eq!(told(|jwt| jwt.user_id_claim = "sub".into()), "");
        assert_eq!(told(|jwt| jwt.static_claims.extend([("tenant".to_owned(), "a".into())])), "");
    }

    #[test]
    fn a_weak_key_is_refused_whatever_its_weakness() {
        let weak = |key: &str| weakness(key, Algorithm::HS256);
        for key in [
            "",
            "                                        ",
            "thirty-one-bytes-are-one-to-few",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "django-insecure-8)3n#q@w!x5v$7k2m^0p*r4t_y6u&1i-o9",
            "a-string-secret-at-least-256-bits-long",
            "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n-----END PUBLIC KEY-----",
        ] {
            assert!(weak(key).is_some(), "{key}");
        }
        assert_eq!(weak("thirty-two-bytes-are-just-enough"), None);
        assert!(weak("thirty-one-bytes-are-one-to-few\n").is_some());
        let long = "0123456789abcdef".repeat(4);
        for (algorithm, enough) in [(Algorithm::HS256, 32), (Algorithm::HS384, 48), (Algorithm::HS512, 64)] {
            let of = |length: usize| weakness(long.get(..length).unwrap_or_default(), algorithm);
            assert_eq!(of(enough), None, "{algorithm:?}");
            assert!(of(enough - 1).is_some_and(|told| told.contains(&enough.to_string())), "{algorithm:?}");
        }
        assert_eq!(weakness("-----BEGIN PRIVATE KEY-----", Algorithm::RS256), None);
        assert!(weakness(" ", Algorithm::RS256).is_some());
    }
}
