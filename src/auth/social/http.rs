//! Asks other people's servers: over TLS whose roots are in the binary, without redirects or proxies, for JSON of a bounded
//! size within a bounded time.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use reqwest::{Client, RequestBuilder, redirect};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;

use crate::auth::social::{Refusal, Result};

/// The longest answer that is read. Google's keys are 2 KB, the longest discovery documents some 10.
const LONGEST: usize = 256 * 1024;

/// An HTTP client. Cheap to clone.
#[derive(Clone)]
pub struct Http(Client);

/// What came back.
pub struct Reply {
    /// 2xx or 4xx: anything else is a [`Refusal`].
    pub status: u16,
    /// The body; null where a refusal has none.
    pub json: Value,
}

impl Http {
    /// A client whose every exchange ends within `most`.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub fn new(most: Duration) -> anyhow::Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .context("TLS cannot be set up")?
            .with_root_certificates(roots)
            .with_no_client_auth();
        // No connection is kept: sign-ins are rare, and one that the other side has closed meanwhile would fail the next.
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .pool_max_idle_per_host(0)
            .user_agent("portcullis")
            .timeout(most)
            .build();
        client.map(Self).context("the client for social sign-in cannot be made")
    }

    /// Begins a GET.
    pub fn get(&self, url: &str) -> RequestBuilder {
        self.0.get(url)
    }

    /// Begins a POST.
    pub fn post(&self, url: &str) -> RequestBuilder {
        self.0.post(url)
    }
}

/// Sends a request and reads the answer.
///
/// # Errors
/// [`Refusal::Provider`] if there is none, or none that can be used.
pub async fn send(request: RequestBuilder) -> Result<Reply> {
    let mut response = request.send().await.map_err(|error| unreachable(&error))?;
    let status = response.status().as_u16();
    if !matches!(status, 200..=299 | 400..=499) || status == 429 {
        return Err(Refusal::Provider(format!("it answers {status}")));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unreachable(&error))? {
        if body.len() + chunk.len() > LONGEST {
            return Err(Refusal::Provider("its answer is too long".into()));
        }
        body.extend_from_slice(&chunk);
    }
    match serde_json::from_slice(&body) {
        Ok(json) => Ok(Reply { status, json }),
        Err(_) if status >= 400 => Ok(Reply { status, json: Value::Null }),
        Err(_) => Err(Refusal::Provider("its answer is no JSON".into())),
    }
}

/// What went wrong on the way, with what caused it. No address of ours holds a token, so that it may be told.
fn unreachable(error: &reqwest::Error) -> Refusal {
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        words.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    Refusal::Provider(words)
}
