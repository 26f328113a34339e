//! Where the links of letters lead: to a page of one's own front end, else of this server. Never to what a request's `Host`
//! header says: whoever asks for a letter could write that (CVE-2012-4520).

use std::net::SocketAddr;
use std::sync::OnceLock;

use url::Url;

use crate::settings::Mail;
use crate::settings::mail::TOKEN;

/// The addresses of links.
#[derive(Debug)]
pub struct Links {
    public_url: Option<String>,
    bind: SocketAddr,
    listens_at: OnceLock<SocketAddr>,
    verify: Option<String>,
    reset: Option<String>,
    invitation: Option<String>,
}

impl Links {
    /// By these settings; `bind` is where the server listens, for when it has no public address.
    pub fn new(mail: &Mail, public_url: Option<String>, bind: SocketAddr) -> Self {
        Self {
            public_url,
            bind,
            listens_at: OnceLock::new(),
            verify: mail.verify_url.clone(),
            reset: mail.reset_url.clone(),
            invitation: mail.invitation_url.clone(),
        }
    }

    /// Says where the server really listens: the port may have been the system's choice.
    pub fn listens_at(&self, address: SocketAddr) {
        if self.listens_at.set(address).is_err() {
            log::warn!("the address of links was set before");
        }
    }

    /// The server's own address, without a slash at its end.
    fn base(&self) -> String {
        if let Some(url) = &self.public_url {
            return url.clone();
        }
        let address = self.listens_at.get().unwrap_or(&self.bind);
        // "Every address of this machine" is none that a browser could go to.
        if address.ip().is_unspecified() {
            format!("http://localhost:{}", address.port())
        } else {
            format!("http://{address}")
        }
    }

    /// The name by which letters call the server.
    pub fn host(&self) -> String {
        let base = self.base();
        let url = Url::parse(&base).ok();
        let name = url.as_ref().and_then(|url| {
            let host = url.host_str()?;
            Some(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
        });
        name.unwrap_or(base)
    }

    /// The link that verifies an address.
    pub fn verify(&self, token: &str) -> String {
        self.to(self.verify.as_deref(), "verify", token)
    }

    /// The link to a new password.
    pub fn reset(&self, token: &str) -> String {
        self.to(self.reset.as_deref(), "reset", token)
    }

    /// The link to a new account.
    pub fn invitation(&self, token: &str) -> String {
        self.to(self.invitation.as_deref(), "invitation", token)
    }

    fn to(&self, own: Option<&str>, page: &str, token: &str) -> String {
        match own {
            Some(url) => url.replace(TOKEN, token),
            None => format!("{}/{page}/{token}", self.base()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn links(public_url: Option<&str>, bind: &str) -> Links {
        Links::new(&Mail::default(), public_url.map(ToOwned::to_owned), bind.parse().unwrap())
    }

    #[test]
    fn links_lead_to_the_public_address_with_its_path() {
        let links = links(Some("https://x.example/auth"), "127.0.0.1:8000");
        assert_eq!(links.verify("a.b.c"), "https://x.example/auth/verify/a.b.c");
        assert_eq!(links.reset("a.b.c"), "https://x.example/auth/reset/a.b.c");
        assert_eq!(links.invitation("a.b.c"), "https://x.example/auth/invitation/a.b.c");
        assert_eq!(links.host(), "x.example");
    }

    #[test]
    fn without_one_they_lead_to_where_the_server_listens() {
        let here = links(None, "127.0.0.1:0");
        here.listens_at("127.0.0.1:4321".parse().unwrap());
        assert_eq!(here.verify("t"), "http://127.0.0.1:4321/verify/t");
        assert_eq!(links(None, "0.0.0.0:8000").reset("t"), "http://localhost:8000/reset/t");
        assert_eq!(links(None, "[::]:8000").host(), "localhost:8000");
    }

    #[test]
    fn a_front_end_of_ones_own_gets_the_token_where_it_wants_it() {
        let reset_url = Some("https://app.example/#/reset?t={token}&x=1".to_owned());
        let mail = Mail { reset_url, ..Mail::default() };
        let links = Links::new(&mail, None, "127.0.0.1:8000".parse().unwrap());
        assert_eq!(links.reset("a.b"), "https://app.example/#/reset?t=a.b&x=1");
        assert_eq!(links.verify("a.b"), "http://127.0.0.1:8000/verify/a.b");
    }
}
