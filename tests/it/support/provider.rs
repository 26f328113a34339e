//! A provider of social sign-in on this machine: discovery, keys and userinfo as OpenID Connect has them, Google's tokeninfo,
//! introspection, and GitHub's API. What it says is a test's to choose, and what it was asked is written down.

use std::collections::HashMap;
use std::net::TcpListener;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use portcullis::settings::Social;
use portcullis::settings::social::Provider as Settings;
use serde_json::{Value, json};

use super::app::NOON;
use super::keys::{new_rsa, to_pem};

/// Our id at the provider, and another application's.
pub const CLIENT: &str = "ours.apps.example";
pub const OTHER_CLIENT: &str = "theirs.apps.example";
/// What we show it.
pub const SECRET: &str = "what only the application knows";

/// A key pair that signs ID tokens.
pub struct Pair {
    pub kid: &'static str,
    pub algorithm: Algorithm,
    pub pem: String,
    pub key: EncodingKey,
}

/// Two of RSA and one on a curve, made once a process.
pub static RSA: LazyLock<Pair> = LazyLock::new(|| rsa("first"));
pub static NEXT_RSA: LazyLock<Pair> = LazyLock::new(|| rsa("second"));
pub static EC: LazyLock<Pair> = LazyLock::new(|| {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let pem = to_pem("PRIVATE KEY", pair.to_pkcs8v1().unwrap().as_ref());
    let key = EncodingKey::from_ec_pem(pem.as_bytes()).unwrap();
    Pair { kid: "curve", algorithm: Algorithm::ES256, pem, key }
});

fn rsa(kid: &'static str) -> Pair {
    let pem = new_rsa();
    let key = EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap();
    Pair { kid, algorithm: Algorithm::RS256, pem, key }
}

impl Pair {
    /// The public half as the provider shows it.
    pub fn jwk(&self) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.key, self.algorithm).unwrap();
        jwk.common.key_id = Some(self.kid.into());
        serde_json::to_value(jwk).unwrap()
    }

    /// A token of these claims, the key named in its header.
    pub fn sign(&self, claims: &Value) -> String {
        let header = Header { kid: Some(self.kid.into()), ..Header::new(self.algorithm) };
        self.sign_as(&header, claims)
    }

    pub fn sign_as(&self, header: &Header, claims: &Value) -> String {
        jsonwebtoken::encode(header, claims, &self.key).unwrap()
    }
}

/// How the provider feels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Well,
    /// It answers 503.
    Down,
    /// It answers in half a minute.
    Slow,
    /// It takes a third of a second for each answer.
    Late,
    /// Its answers never end.
    Huge,
    /// It sends those who ask to `/elsewhere`, where all would be well.
    Redirecting,
    /// It answers with a page.
    Nonsense,
}

struct State {
    origin: String,
    mood: Mood,
    keys: Vec<Value>,
    /// Access tokens, and what is told of them.
    access: HashMap<String, Access>,
    asked: Vec<String>,
}

/// What the provider knows of an access token.
#[derive(Clone)]
pub struct Access {
    pub client: String,
    /// Of Google and OpenID: the claims of its holder; of GitHub: `{"id": …}`.
    pub holder: Value,
    /// GitHub's list of addresses.
    pub emails: Value,
}

/// A running provider; gone when it goes out of sight.
pub struct Provider {
    pub origin: String,
    state: Arc<Mutex<State>>,
    handle: ServerHandle,
}

impl Provider {
    /// One that signs with [`RSA`] and is well.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let keys = vec![RSA.jwk()];
        let state = State { origin: origin.clone(), mood: Mood::Well, keys, access: HashMap::new(), asked: Vec::new() };
        let state = Arc::new(Mutex::new(state));
        let (shared, (send, receive)) = (state.clone(), std::sync::mpsc::channel());
        std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let app = move || App::new().app_data(Data::new(shared.clone())).default_service(web::to(answer));
                let server = HttpServer::new(app).workers(1).disable_signals().listen(listener).unwrap().run();
                send.send(server.handle()).unwrap();
                server.await.unwrap();
            });
        });
        Self { origin, state, handle: receive.recv().unwrap() }
    }

    /// Settings in which it is Google.
    pub fn as_google(&self) -> Social {
        let google =
            Settings { client_id: vec![CLIENT.into()], issuer: Some(self.origin.clone()), ..Settings::default() };
        Social::from([("google".into(), google)])
    }

    /// Settings in which it is GitHub.
    pub fn as_github(&self) -> Social {
        let github = Settings {
            client_id: vec![CLIENT.into()],
            client_secret: Some(SECRET.into()),
            api_url: Some(self.origin.clone()),
            ..Settings::default()
        };
        Social::from([("github".into(), github)])
    }

    /// The claims of ann's ID token for us, with these changes; null takes a claim away.
    pub fn claims(&self, changes: Value) -> Value {
        let now = NOON.seconds();
        let mut claims = json!({
            "iss": self.origin,
            "aud": CLIENT,
            "sub": "1001",
            "email": "ann@example.org",
            "email_verified": true,
            "iat": now,
            "exp": now + 3600,
        });
        let object = claims.as_object_mut().unwrap();
        for (name, value) in changes.as_object().unwrap() {
            if value.is_null() {
                object.shift_remove(name);
            } else {
                object.insert(name.clone(), value.clone());
            }
        }
        claims
    }

    /// An ID token of these claims, signed with [`RSA`].
    pub fn id_token(&self, changes: Value) -> String {
        RSA.sign(&self.claims(changes))
    }

    /// Has it know an access token.
    pub fn knows(&self, token: &str, access: Access) {
        self.state.lock().unwrap().access.insert(token.into(), access);
    }

    pub fn feels(&self, mood: Mood) {
        self.state.lock().unwrap().mood = mood;
    }

    /// The keys that it shows from now on.
    pub fn shows(&self, keys: &[Value]) {
        self.state.lock().unwrap().keys = keys.to_vec();
    }

    /// Methods and addresses of what it was asked since the last call.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().asked)
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        // The order is given by the call; that it was carried out nobody waits for.
        drop(self.handle.stop(false));
    }
}

/// What Google and other OpenID providers know of a token that was made for us.
pub fn access(changes: Value) -> Access {
    let mut holder = json!({ "sub": "1001", "email": "ann@example.org", "email_verified": true });
    holder.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    Access { client: CLIENT.into(), holder, emails: json!([]) }
}

/// What GitHub knows of ann's token that was made for us.
pub fn github_access() -> Access {
    let emails = json!([
        { "email": "other@example.org", "primary": false, "verified": true, "visibility": null },
        { "email": "ann@example.org", "primary": true, "verified": true, "visibility": "private" },
    ]);
    Access { client: CLIENT.into(), holder: json!({ "login": "ann-on-github", "id": 583_231 }), emails }
}

async fn answer(request: HttpRequest, body: Bytes, state: Data<Arc<Mutex<State>>>) -> HttpResponse {
    let mood = {
        let mut state = state.lock().unwrap();
        state.asked.push(format!("{} {}", request.method(), request.uri()));
        state.mood
    };
    let path = request.path();
    match mood {
        Mood::Well => {}
        Mood::Redirecting if path.starts_with("/elsewhere") => {}
        Mood::Redirecting => {
            return HttpResponse::Found().insert_header(("location", format!("/elsewhere{path}"))).finish();
        }
        Mood::Down => return HttpResponse::ServiceUnavailable().finish(),
        Mood::Nonsense => return HttpResponse::Ok().content_type("text/html").body("<h1>Welcome</h1>"),
        Mood::Late => tokio::time::sleep(Duration::from_millis(300)).await,
        Mood::Slow => tokio::time::sleep(Duration::from_secs(30)).await,
        Mood::Huge => {
            let piece = Bytes::from_static(&[b' '; 16 * 1024]);
            return HttpResponse::Ok()
                .streaming(futures_util::stream::repeat_with(move || Ok::<_, actix_web::Error>(piece.clone())));
        }
    }
    let state = state.lock().unwrap();
    let header = request.headers().get("authorization").map_or("", |value| value.to_str().unwrap());
    let bearer = || header.strip_prefix("Bearer ").and_then(|token| state.access.get(token));
    let is_us = header == format!("Basic {}", STANDARD.encode(format!("{CLIENT}:{SECRET}")));
    let form: HashMap<String, String> = form_urlencoded::parse(&body).into_owned().collect();
    let told = match (request.method().as_str(), path.trim_start_matches("/elsewhere")) {
        ("GET", "/.well-known/openid-configuration") => Ok(json!({
            "issuer": state.origin,
            "jwks_uri": format!("{}/keys", state.origin),
            "userinfo_endpoint": format!("{}/userinfo", state.origin),
            "introspection_endpoint": format!("{}/introspect", state.origin),
        })),
        ("GET", "/keys") => Ok(json!({ "keys": state.keys })),
        // Google writes its truths as texts here.
        ("POST", "/tokeninfo") => bearer().ok_or(400).map(|access| {
            json!({ "aud": access.client, "azp": access.client, "sub": "1001", "email_verified": "true", "expires_in": "3599" })
        }),
        ("GET", "/userinfo") => bearer().ok_or(401).map(|access| access.holder.clone()),
        ("POST", "/introspect") if !is_us => Err(401),
        ("POST", "/introspect") => Ok(match form.get("token").and_then(|token| state.access.get(token)) {
            Some(access) => json!({ "active": true, "client_id": access.client, "sub": access.holder["sub"] }),
            None => json!({ "active": false }),
        }),
        ("POST", path) if path == format!("/applications/{CLIENT}/token") => {
            let given: Value = serde_json::from_slice(&body).unwrap_or_default();
            let access = given["access_token"].as_str().and_then(|token| state.access.get(token));
            match access {
                _ if !is_us => Err(401),
                // GitHub itself says 404 of another application's; one that did not would be believed less, not more.
                Some(access) => Ok(json!({ "app": { "client_id": access.client }, "user": access.holder })),
                None => Err(404),
            }
        }
        ("GET", "/user") => bearer().ok_or(401).map(|access| access.holder.clone()),
        ("GET", "/user/emails") => bearer().ok_or(401).map(|access| access.emails.clone()),
        _ => Err(404),
    };
    match told {
        Ok(told) => HttpResponse::Ok().json(told),
        Err(status) => {
            HttpResponse::build(actix_web::http::StatusCode::from_u16(status).unwrap()).json(json!({ "error": "no" }))
        }
    }
}
