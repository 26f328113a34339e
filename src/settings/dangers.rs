//! Settings that start the server and are dangerous all the same: what the panel warns of.

use std::time::Duration;

use super::{MailBackend, Settings};

/// An access token that lives longer is a password by another name.
const LONG: Duration = Duration::from_secs(3600);

impl Settings {
    /// What is dangerous in these settings, each in a sentence, the worst first.
    pub fn dangers(&self) -> Vec<&'static str> {
        let mut dangers = Vec::new();
        let mut warn = |is_so: bool, words: &'static str| {
            if is_so {
                dangers.push(words);
            }
        };
        let is_public = self.server.public_url.is_some() || !self.server.bind.ip().is_loopback();
        let everyone = self.server.trusted_proxies.iter().any(|network| network.prefix_len() == 0);
        let plain = self.server.public_url.as_ref().is_some_and(|url| {
            let host = url.strip_prefix("http://").map(|rest| rest.split(['/', ':']).next().unwrap_or_default());
            host.is_some_and(|host| host != "localhost" && !host.starts_with("127."))
        });
        warn(
            plain,
            key!("server.public_url begins with http: passwords and tokens can be read on the way. Serve over TLS."),
        );
        warn(
            self.server.public_url.is_none() && !self.server.bind.ip().is_loopback(),
            key!("server.bind is open to the network and server.public_url is not set: be sure that TLS is in front."),
        );
        warn(
            everyone,
            key!(
                "server.trusted_proxies trusts everyone: anybody can claim any address, and limits by address hold nobody."
            ),
        );
        warn(
            self.jwt.access_token_lifetime > LONG,
            key!(
                "jwt.access_token_lifetime is over an hour: other services that verify tokens by themselves learn late of a sign-out."
            ),
        );
        warn(
            self.jwt.rotate_refresh_tokens && !self.jwt.blacklist_after_rotation,
            key!(
                "jwt.blacklist_after_rotation is off: a refresh token that was copied works until it expires, and nobody notices."
            ),
        );
        warn(
            self.mail.backend == MailBackend::Console && is_public,
            key!("mail.backend is console: letters are printed where the server was started, and reach nobody."),
        );
        warn(
            !self.passwords.rules,
            key!("passwords.rules is off: accounts may have the commonest passwords there are."),
        );
        warn(
            self.throttle.login.is_none(),
            key!("throttle.login is off: nothing slows down those who guess passwords."),
        );
        dangers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_not_dangerous_and_each_danger_is_told() {
        assert_eq!(Settings::default().dangers(), Vec::<&str>::new());
        type Case = (&'static str, fn(&mut Settings));
        let cases: [Case; 8] = [
            ("server.public_url", |s| s.server.public_url = Some("http://auth.example.org".into())),
            ("server.bind", |s| s.server.bind = ([0, 0, 0, 0], 8000).into()),
            ("server.trusted_proxies", |s| s.server.trusted_proxies = vec![ipnet::Ipv4Net::default().into()]),
            ("jwt.access_token_lifetime", |s| s.jwt.access_token_lifetime = LONG * 2),
            ("jwt.blacklist_after_rotation", |s| s.jwt.blacklist_after_rotation = false),
            ("mail.backend", |s| s.server.public_url = Some("https://auth.example.org".into())),
            ("passwords.rules", |s| s.passwords.rules = false),
            ("throttle.login", |s| s.throttle.login = None),
        ];
        for (key, change) in cases {
            let mut settings = Settings::default();
            change(&mut settings);
            assert!(settings.dangers().iter().any(|words| words.starts_with(key)), "{key}: {:?}", settings.dangers());
        }
    }
}
