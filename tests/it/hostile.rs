//! Hostile tokens: what a stranger may send, and what somebody may send who holds a key but does not keep the rules. None is
//! accepted, none is a server error, and each is refused by the check that is there for it (JWT-01 to JWT-18).

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey};
use portcullis::auth::inspect::inspect;
use portcullis::auth::verdict::Reject;
use serde_json::{Value, json};

use crate::support::app::{TestApp, no_limits};
use crate::support::keys::{member, new_rsa, rsa_public, rsa_public_info, to_pem};
use crate::support::people::Person;
use crate::support::process::Home;
use crate::support::token::{KEY, not_valid, own_key, refused, seal, token_of};

/// An application whose key the test holds too.
struct Forge {
    app: TestApp,
    ann: Person,
    algorithm: Algorithm,
    /// The name of the key, if it has one.
    kid: Option<String>,
    key: EncodingKey,
    /// An address that tokens may point to. Somebody listens there, and must never be asked.
    elsewhere: String,
    listener: TcpListener,
}

/// What is wrong, the token, and the check that refuses it.
type Case = (String, String, Reject);

fn encode(part: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(part)
}

impl Forge {
    /// With a secret from the settings, which has no name.
    async fn hs256() -> Self {
        let app = TestApp::with(|settings| {
            own_key(settings);
            no_limits(settings);
        })
        .await;
        let ann = app.user("ann").await;
        let key = EncodingKey::from_secret(KEY.as_bytes());
        Self::new(app, ann, Algorithm::HS256, None, key)
    }

    /// With a key pair of the ring.
    async fn rs256() -> Self {
        let app = TestApp::with(|settings| {
            settings.jwt.algorithm = Algorithm::RS256;
            no_limits(settings);
        })
        .await;
        let ann = app.user("ann").await;
        let kid = app.site.signer.ring().active().kid().unwrap().to_owned();
        let pem = fs::read(app.site.data_dir.join(&format!("keys/{kid}.key"))).unwrap();
        let key = EncodingKey::from_rsa_pem(&pem).unwrap();
        Self::new(app, ann, Algorithm::RS256, Some(kid), key)
    }

    fn new(app: TestApp, ann: Person, algorithm: Algorithm, kid: Option<String>, key: EncodingKey) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let elsewhere = format!("http://{}/key", listener.local_addr().unwrap());
        Self { app, ann, algorithm, kid, key, elsewhere, listener }
    }

    /// The claims of a good access token.
    fn claims(&self) -> Value {
        token_of(&self.app, &self.ann, "access")
    }

    fn now(&self) -> i64 {
        self.app.clock.now().seconds()
    }

    /// The members of a good header, without its braces.
    fn members(&self) -> String {
        let kid = self.kid.as_ref().map(|kid| format!(r#","kid":"{kid}""#)).unwrap_or_default();
        format!(r#""alg":"{:?}","typ":"JWT"{kid}"#, self.algorithm)
    }

    /// The members of a header with another algorithm, given as JSON.
    fn header_of(&self, algorithm: &str) -> String {
        self.members().replacen(&format!("\"{:?}\"", self.algorithm), algorithm, 1)
    }

    fn sign(&self, message: &str) -> String {
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &self.key, self.algorithm).unwrap();
        format!("{message}.{signature}")
    }

    /// A token with this header, otherwise good.
    fn header(&self, header: impl AsRef<[u8]>) -> String {
        self.sign(&format!("{}.{}", encode(header), encode(self.claims().to_string())))
    }

    /// A token with this payload, otherwise good.
    fn payload(&self, payload: impl AsRef<[u8]>) -> String {
        self.sign(&format!("{}.{}", encode(format!("{{{}}}", self.members())), encode(payload)))
    }

    /// A token with one more member in its header, or another value of one.
    fn also(&self, member: &str) -> String {
        self.header(format!("{{{},{member}}}", self.members()))
    }

    /// A token with one more claim at the end, given as JSON, or another value of one.
    fn claim(&self, name: &str, value: &str) -> String {
        let mut claims = self.claims();
        claims.as_object_mut().unwrap().shift_remove(name);
        let text = claims.to_string();
        self.payload(format!("{},\"{name}\":{value}}}", text.strip_suffix('}').unwrap()))
    }

    fn without(&self, name: &str) -> String {
        let mut claims = self.claims();
        claims.as_object_mut().unwrap().shift_remove(name);
        self.payload(claims.to_string())
    }

    fn good(&self) -> String {
        self.payload(self.claims().to_string())
    }

    /// Fails unless every case is refused as it says, to people, to a bearer and in a body; tells of all that are not.
    async fn refuses(&self, cases: Vec<Case>) {
        let site = &self.app.site;
        let mut faults = Vec::new();
        self.ann.with(&self.good()).get("/api/hello/").await.is(200, json!({ "message": "Hello, ann" }));
        for (what, token, reject) in cases {
            let start = Instant::now();
            let verdict = inspect(&site.gate, &site.grants, &token, self.app.clock.now()).await.unwrap();
            let bearer = self.ann.with(&token).get("/api/hello/").await;
            let body = self.ann.refresh(&token).await;
            assert!(start.elapsed() < Duration::from_secs(2), "{what}: {:?}", start.elapsed());

            let told = format!(
                "{:?} | {} {} {:?} | {} {}",
                verdict.refused,
                bearer.status.as_u16(),
                bearer.text(),
                bearer.header("www-authenticate"),
                body.status.as_u16(),
                body.text()
            );
            let in_a_body = match token.len() {
                length if length < site.settings.server.body_limit => format!("401 {}", refused(in_a_body(reject))),
                _ => r#"413 {"detail":"The request body is too large."}"#.to_owned(),
            };
            let challenge = Some("Bearer realm=\"api\"");
            let expected = format!("{:?} | 401 {} {challenge:?} | {in_a_body}", Some(reject), to_a_bearer(reject));
            if told != expected {
                faults.push(format!("{what}: {token:.200}\n  told     {told}\n  expected {expected}"));
            }
        }
        assert!(faults.is_empty(), "\n{}", faults.join("\n"));
        assert!(self.listener.accept().is_err(), "a key was fetched from where a token pointed to");
        self.ann.with(&self.good()).get("/api/hello/").await.status(200);
    }
}

/// What a client is told of the token itself (CONTRACT 6).
fn message(reject: Reject) -> &'static str {
    match reject {
        Reject::Expired => "Token is expired",
        Reject::NoExp => "Token has no 'exp' claim",
        Reject::NoId => "Token has no id",
        Reject::NoType => "Token has no type",
        Reject::WrongType => "Token has wrong type",
        _ => "Token is invalid",
    }
}

fn to_a_bearer(reject: Reject) -> Value {
    match reject {
        Reject::NoSubject => {
            json!({ "detail": "Token contained no recognizable user identification", "code": "token_not_valid" })
        }
        Reject::UnknownUser => json!({ "detail": "User not found", "code": "user_not_found" }),
        Reject::PasswordChanged => {
            json!({ "detail": "The user's password has been changed.", "code": "password_changed" })
        }
        other => not_valid(message(other)),
    }
}

/// As a refresh token, what is good apart from its user is of the wrong kind.
fn in_a_body(reject: Reject) -> &'static str {
    match reject {
        Reject::NoSubject | Reject::UnknownUser | Reject::PasswordChanged => message(Reject::WrongType),
        other => message(other),
    }
}

/// The same cases for every key: shape, header, payload, claims.
async fn whatever_the_key(forge: &Forge) {
    forge.refuses(shapes(forge)).await;
    forge.refuses(base64(forge)).await;
    forge.refuses(headers(forge)).await;
    forge.refuses(algorithms(forge)).await;
    forge.refuses(foreign_keys(forge)).await;
    forge.refuses(payloads(forge)).await;
    forge.refuses(claims(forge)).await;
}

#[actix_web::test]
async fn a_secret_of_the_settings_lets_no_hostile_token_in() {
    let forge = Forge::hs256().await;
    whatever_the_key(&forge).await;
    // Any text is a name of the only key while it has none; a name of another type is none.
    for kid in ["", "x", "../../dev/null"] {
        let named = forge.also(&json!({ "kid": kid }).to_string().replace(['{', '}'], ""));
        forge.ann.with(&named).get("/api/hello/").await.status(200);
    }
}

#[actix_web::test]
async fn a_key_pair_of_the_ring_lets_no_hostile_token_in() {
    let forge = Forge::rs256().await;
    whatever_the_key(&forge).await;
    forge.refuses(names_of_keys(&forge)).await;
    let jwks = forge.app.anonymous().get("/.well-known/jwks.json").await.status(200);
    forge.refuses(public_key_as_secret(&forge, jwks.text())).await;
}

fn case(what: impl Into<String>, token: String, reject: Reject) -> Case {
    (what.into(), token, reject)
}

/// JWT-09, JWT-18.
fn shapes(forge: &Forge) -> Vec<Case> {
    let good = forge.good();
    let parts: Vec<&str> = good.split('.').collect();
    let (h, p, s) = (parts[0], parts[1], parts[2]);
    let json = |value: Value| value.to_string();
    let jwe = encode(r#"{"alg":"dir","enc":"A128GCM"}"#);
    let mut cases: Vec<Case> = [
        ("a point", ".".to_owned()),
        ("two points", "..".to_owned()),
        ("three points", "...".to_owned()),
        ("a word", "nonsense".to_owned()),
        ("null", "null".to_owned()),
        ("[object Object]", "[object_Object]".to_owned()),
        ("one part", h.to_owned()),
        ("two parts", format!("{h}.{p}")),
        ("four parts", format!("{good}.x")),
        ("a point behind", format!("{good}.")),
        ("a point in front", format!(".{good}")),
        ("an empty part between", format!("{h}..{p}.{s}")),
        ("no header", format!(".{p}.{s}")),
        ("the token twice", format!("{good}.{good}")),
        ("two tokens with a comma", format!("{good},{good}")),
        ("JWE", format!("{jwe}..{p}.{p}.{s}")),
        ("JWE with a good header", format!("{h}.{p}.{p}.{p}.{s}")),
        ("flattened JSON", json(json!({ "protected": h, "payload": p, "signature": s }))),
        ("general JSON", json(json!({ "payload": p, "signatures": [{ "protected": h, "signature": s }] }))),
        ("the token in quotes", format!("\"{good}\"")),
        ("points as percent signs", good.replace('.', "%2E")),
        ("the token in base64 again", encode(&good)),
        ("a NUL written out", format!("{good}%00")),
        ("1 MB of one letter", "A".repeat(1 << 20)),
        ("1 MB of points", ".".repeat(1 << 20)),
        ("1 MB of payload, signed", forge.claim("more", &json!("x".repeat(1 << 20)).to_string())),
        ("1 MB of header, signed", forge.also(&format!("\"more\":\"{}\"", "x".repeat(1 << 20)))),
        ("1 MB of signature", format!("{h}.{p}.{}", "A".repeat(1 << 20))),
        ("a little too long, signed", forge.claim("more", &json!("x".repeat(12_300)).to_string())),
    ]
    .into_iter()
    .map(|(what, token)| case(what, token, Reject::Malformed))
    .collect();
    cases.push(case("no payload", format!("{h}..{s}"), Reject::Signature));
    cases.push(case("no signature", format!("{h}.{p}."), Reject::Signature));
    cases.push(case("half a signature", format!("{h}.{p}.{}", &s[..20]), Reject::Signature));
    cases.push(case(
        "the signature twice",
        format!("{h}.{p}.{}", encode([decode(s), decode(s)].concat())),
        Reject::Signature,
    ));
    cases.push(case(
        "a byte behind the signature",
        format!("{h}.{p}.{}", encode([decode(s), vec![0]].concat())),
        Reject::Signature,
    ));
    cases.push(case(
        "a byte before the signature",
        format!("{h}.{p}.{}", encode([vec![0], decode(s)].concat())),
        Reject::Signature,
    ));
    cases.push(case(
        "a signature of zeros",
        format!("{h}.{p}.{}", encode(vec![0; decode(s).len()])),
        Reject::Signature,
    ));
    cases.push(case("the header as payload", format!("{h}.{h}.{s}"), Reject::Signature));
    let other = forge.without("exp");
    cases.push(case(
        "another token's signature",
        format!("{h}.{p}.{}", other.rsplit_once('.').unwrap().1),
        Reject::Signature,
    ));
    for bit in [0, 1, 7, 100, 255] {
        let mut bytes = decode(s);
        bytes[bit / 8] ^= 1 << (bit % 8);
        cases.push(case(
            format!("bit {bit} of the signature changed"),
            format!("{h}.{p}.{}", encode(bytes)),
            Reject::Signature,
        ));
    }
    cases
}

fn decode(part: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(part).unwrap()
}

/// JWT-08: each is the same bytes, written in another way.
fn base64(forge: &Forge) -> Vec<Case> {
    // A token each of whose parts leaves spare bits, and whose signature has a letter that the other alphabet writes otherwise.
    let mut claims = forge.claims();
    let mut padding = String::new();
    let good = loop {
        claims["jti"] = json!(padding);
        let header = format!("{{{},\"x\":\"{}\"}}", forge.members(), "y".repeat(padding.len() % 3));
        let token = forge.sign(&format!("{}.{}", encode(header), encode(claims.to_string())));
        let parts: Vec<&str> = token.split('.').collect();
        if parts.iter().all(|part| part.len() % 4 != 0) && parts[2].contains(['-', '_']) {
            break token;
        }
        padding.push('z');
        assert!(padding.len() < 1000);
    };
    let parts: Vec<String> = good.split('.').map(str::to_owned).collect();
    let mut cases = Vec::new();
    for (place, name) in ["header", "payload", "signature"].into_iter().enumerate() {
        let part = &parts[place];
        let pad = "=".repeat(4 - part.len() % 4);
        for (what, other) in [
            ("padded", format!("{part}{pad}")),
            ("padded too much", format!("{part}====")),
            ("with loose final bits", loose(part)),
            ("with a letter too many", format!("{part}A")),
            ("with a percent sign in it", format!("{}%{}", &part[..4], &part[4..])),
            ("with an escape behind it", format!("{part}%3D")),
            ("with a plus sign behind it", format!("{part}+")),
            ("with a tilde behind it", format!("{part}~")),
            ("with a plus sign in front", format!("+{part}")),
        ] {
            let mut parts = parts.clone();
            parts[place] = other;
            // What changes the signed text without being a fault of the form is told by the signature.
            let token = parts.join(".");
            let reject = match (name, URL_SAFE_NO_PAD.decode(&parts[place])) {
                ("header", _) | (_, Err(_)) if name != "payload" => Reject::Malformed,
                _ => Reject::Signature,
            };
            cases.push(case(format!("{name} {what}"), token, reject));
        }
    }
    let standard = STANDARD_NO_PAD.encode(decode(&parts[2]));
    assert_ne!(standard, parts[2]);
    cases.push(case(
        "signature in the other alphabet",
        format!("{}.{}.{standard}", parts[0], parts[1]),
        Reject::Malformed,
    ));
    // Signed in that form, by somebody who holds the key.
    for (what, payload) in [
        ("padded", format!("{}{}", parts[1], "=".repeat(4 - parts[1].len() % 4))),
        ("with loose final bits", loose(&parts[1])),
    ] {
        cases.push(case(
            format!("payload {what}, and signed so"),
            forge.sign(&format!("{}.{payload}", parts[0])),
            Reject::Malformed,
        ));
    }
    cases.push(case(
        "header with loose final bits, and signed so",
        forge.sign(&format!("{}.{}", loose(&parts[0]), parts[1])),
        Reject::Malformed,
    ));
    cases
}

/// The same bytes, with a bit set in the last letter that none of them uses.
fn loose(part: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (start, last) = part.split_at(part.len() - 1);
    let place = ALPHABET.iter().position(|byte| *byte == last.as_bytes()[0]).unwrap();
    format!("{start}{}", char::from(ALPHABET[place + 1]))
}

/// JWT-04, JWT-06, JWT-07, JWT-09.
fn headers(forge: &Forge) -> Vec<Case> {
    let members = forge.members();
    let good = format!("{{{members}}}");
    let utf16: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut cases: Vec<Case> = [
        ("empty", Vec::new()),
        ("a list", format!("[{good}]").into_bytes()),
        ("a text", br#""HS256""#.to_vec()),
        ("a number", b"1".to_vec()),
        ("null", b"null".to_vec()),
        ("no JSON", b"HS256".to_vec()),
        ("two objects", format!("{good}{good}").into_bytes()),
        ("an object and a byte", format!("{good}x").into_bytes()),
        ("an object and a NUL", format!("{good}\0").into_bytes()),
        ("behind a byte order mark", format!("\u{feff}{good}").into_bytes()),
        ("in UTF-16", utf16),
        ("not UTF-8", [br#"{"x":""#, &b"\xff"[..], br#"","#, members.as_bytes(), b"}"].concat()),
        ("cut short", good.as_bytes()[..good.len() - 1].to_vec()),
        ("with a comma too many", format!("{{{members},}}").into_bytes()),
        ("in single quotes", good.replace('"', "'").into_bytes()),
        ("with a comment", format!("{{{members}/**/}}").into_bytes()),
        ("with NaN", format!("{{{members},\"x\":NaN}}").into_bytes()),
        ("with half a surrogate", format!("{{{members},\"x\":\"\\ud800\"}}").into_bytes()),
        ("deep", format!("{{{members},\"x\":{}{}}}", "[".repeat(5_000), "]".repeat(5_000)).into_bytes()),
    ]
    .into_iter()
    .map(|(what, header)| case(format!("header {what}"), forge.header(header), Reject::Malformed))
    .collect();
    for kid in ["null", "1", "1.5", "-1", "true", "[]", r#"["k"]"#, "{}", "1e400"] {
        cases.push(case(format!("kid {kid}"), forge.also(&format!("\"kid\":{kid}")), Reject::Malformed));
    }
    for crit in ["[]", "null", r#"["exp"]"#, r#"["b64"]"#, r#"["urn:x"]"#, r#""exp""#, "{}", "0", "false"] {
        cases.push(case(format!("crit {crit}"), forge.also(&format!("\"crit\":{crit}")), Reject::Critical));
    }
    for b64 in ["false", r#""false""#, "null", "0", "[]"] {
        cases.push(case(format!("b64 {b64}"), forge.also(&format!("\"b64\":{b64}")), Reject::Critical));
    }
    cases.push(case("crit and b64", forge.also(r#""b64":false,"crit":["b64"]"#), Reject::Critical));
    cases.push(case("crit twice", forge.also(r#""crit":["x"],"crit":[]"#), Reject::Critical));
    cases.push(case("crit in other letters of JSON", forge.also(r#""\u0063rit":["x"]"#), Reject::Critical));
    let raw = forge.claims().to_string().replace('.', "");
    let unencoded = forge.sign(&format!("{}.{raw}", encode(format!("{{{members},\"b64\":false,\"crit\":[\"b64\"]}}"))));
    cases.push(case("a payload that is not encoded", unencoded, Reject::Critical));
    cases
}

/// JWT-01, JWT-03, JWT-07.
fn algorithms(forge: &Forge) -> Vec<Case> {
    let mut cases = Vec::new();
    let text = |name: &str| json!(name).to_string();
    let mut wrong: Vec<String> = [
        "none",
        "None",
        "NONE",
        "nOnE",
        "noNE",
        " none",
        "none ",
        "none\0",
        "n\u{43e}ne",
        "",
        " ",
        "null",
        "HS1",
        "dir",
    ]
    .map(text)
    .into();
    wrong.extend(["HS384", "HS512", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"].map(text));
    wrong.extend(
        ["hs256", "rs256", "HS256 ", "RS256\0", "ES256K", "RSA-OAEP", "A128KW", "PBES2-HS256+A128KW"].map(text),
    );
    wrong.push(text(if forge.algorithm == Algorithm::HS256 { "RS256" } else { "HS256" }));
    let own = text(&format!("{:?}", forge.algorithm));
    wrong.extend(["null", "false", "true", "0", "1.5", "1e400", "[]", "{}"].map(str::to_owned));
    wrong.extend([format!("[{own}]"), format!("{{\"alg\":{own}}}"), format!("{own},\"alg\":\"none\"")]);
    for algorithm in wrong {
        let header = format!("{{{}}}", forge.header_of(&algorithm));
        let signed = forge.header(&header);
        let (message, _) = signed.rsplit_once('.').unwrap();
        cases.push(case(format!("alg {algorithm}, unsigned"), format!("{message}."), Reject::Algorithm));
        cases.push(case(format!("alg {algorithm}, no signature"), format!("{message}.AA"), Reject::Algorithm));
        cases.push(case(format!("alg {algorithm}, signed"), signed, Reject::Algorithm));
    }
    let rest = forge.members().split_once(',').unwrap().1.to_owned();
    for (what, header) in [
        ("no alg", format!("{{{rest}}}")),
        ("ALG", format!("{{\"ALG\":{own},{rest}}}")),
        ("alg with a blank", format!("{{\"alg \":{own},{rest}}}")),
    ] {
        cases.push(case(what, forge.header(header), Reject::Algorithm));
    }
    // Without any member: a ring does not know whose it is, a single key is told nothing of how it is signed.
    let reject = if forge.kid.is_some() { Reject::UnknownKey } else { Reject::Algorithm };
    cases.push(case("an empty header", forge.header("{}"), reject));
    cases
}

/// JWT-02, JWT-05, JWT-10: signed with a key that is the sender's own, and tells where it is to be found.
fn foreign_keys(forge: &Forge) -> Vec<Case> {
    let mut cases = Vec::new();
    let good = format!("{{{}}}", forge.members());
    let claims = forge.claims().to_string();
    if forge.algorithm == Algorithm::HS256 {
        for (what, secret) in [
            ("the empty secret", ""),
            ("a NUL", "\0"),
            ("another secret", "another secret of quite enough bytes"),
            ("the secret and a line's end", &format!("{KEY}\n")),
            ("the secret in base64", &encode(KEY)),
            ("simplejwt's sample", "django-insecure-"),
            ("secret", "secret"),
            ("null", "null"),
        ] {
            let token = seal(&format!("{}.{}", encode(&good), encode(&claims)), secret.as_bytes());
            cases.push(case(what, token, Reject::Signature));
        }
        return cases;
    }
    let pem = new_rsa();
    let own = EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap();
    let jwk = serde_json::to_value(jsonwebtoken::jwk::Jwk::from_encoding_key(&own, Algorithm::RS256).unwrap()).unwrap();
    let info = base64::engine::general_purpose::STANDARD.encode(rsa_public_info(&jwk));
    let url = &forge.elsewhere;
    for (what, member) in [
        ("nothing", "\"x\":1".to_owned()),
        ("jwk", format!("\"jwk\":{jwk}")),
        ("jku", format!("\"jku\":\"{url}\"")),
        ("x5u", format!("\"x5u\":\"{url}\"")),
        ("x5c", format!("\"x5c\":[\"{info}\"]")),
        ("x5t", "\"x5t\":\"AAAA\",\"x5t#S256\":\"AAAA\"".to_owned()),
        ("everything", format!("\"jwk\":{jwk},\"jku\":\"{url}\",\"x5u\":\"{url}\",\"x5c\":[\"{info}\"]")),
    ] {
        let sign = |header: String| {
            let message = format!("{}.{}", encode(header), encode(&claims));
            let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &own, Algorithm::RS256).unwrap();
            format!("{message}.{signature}")
        };
        let named = sign(format!("{{{},{member}}}", forge.members()));
        cases.push(case(format!("a key of the sender's, under our name, with {what}"), named, Reject::Signature));
        let nameless = sign(format!("{{\"alg\":\"RS256\",{member}}}"));
        cases.push(case(format!("a key of the sender's, without a name, with {what}"), nameless, Reject::UnknownKey));
        let other = sign(format!("{{\"alg\":\"RS256\",\"kid\":\"{url}\",{member}}}"));
        cases.push(case(format!("a key of the sender's, under its own name, with {what}"), other, Reject::UnknownKey));
    }
    cases
}

/// JWT-04.
fn names_of_keys(forge: &Forge) -> Vec<Case> {
    let own = forge.kid.clone().unwrap();
    let huge = "k".repeat(10_000);
    let names = [
        "",
        " ",
        "k-00000000",
        "../../../../dev/null",
        "/dev/null",
        "file:///dev/null",
        "root.secret",
        "' OR 1=1 --",
        "x' UNION SELECT 'AA==' --",
        "%",
        "_",
        "*",
        "|whoami",
        "$(id)",
        "k-\0",
        "\u{202e}k",
        "http://127.0.0.1/key",
        &huge,
        &format!("{own} "),
        &format!(" {own}"),
        &format!("{own}\0"),
        &format!("{own}.key"),
        &format!("./{own}"),
        &own.to_uppercase(),
        &own[..own.len() - 1],
    ];
    let mut cases = Vec::new();
    for name in names {
        let header = format!("{{\"alg\":\"RS256\",\"kid\":{}}}", json!(name));
        cases.push(case(format!("kid {name:.40?}"), forge.header(&header), Reject::UnknownKey));
        // With the secret that such a name might lead to.
        let message = format!("{}.{}", encode(header.replace("RS256", "HS256")), encode(forge.claims().to_string()));
        cases.push(case(format!("kid {name:.40?} and no secret"), seal(&message, b""), Reject::UnknownKey));
    }
    cases.push(case("no kid", forge.header(r#"{"alg":"RS256"}"#), Reject::UnknownKey));
    cases.push(case("KID", forge.header(format!(r#"{{"alg":"RS256","KID":"{own}"}}"#)), Reject::UnknownKey));
    cases.push(case("kid twice", forge.also("\"kid\":\"x\""), Reject::UnknownKey));
    cases
}

/// JWT-02: everybody has the public key.
fn public_key_as_secret(forge: &Forge, jwks: &str) -> Vec<Case> {
    let key = serde_json::from_str::<Value>(jwks).unwrap()["keys"][0].clone();
    let (info, bare) = (rsa_public_info(&key), rsa_public(&key));
    let pems = [to_pem("PUBLIC KEY", &info), to_pem("RSA PUBLIC KEY", &bare)];
    let mut secrets: Vec<(String, Vec<u8>)> = vec![
        ("DER of X.509".into(), info),
        ("DER of PKCS#1".into(), bare),
        ("the JWK".into(), key.to_string().into_bytes()),
        ("the JWKS".into(), jwks.as_bytes().to_vec()),
        ("the modulus".into(), member(&key, "n")),
        ("the modulus as text".into(), key["n"].as_str().unwrap().into()),
        ("the exponent".into(), member(&key, "e")),
        ("the name".into(), key["kid"].as_str().unwrap().into()),
        ("nothing".into(), Vec::new()),
    ];
    for pem in pems {
        let label = pem.lines().next().unwrap().to_owned();
        let lines: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        secrets.push((format!("{label} with its last line's end"), pem.clone().into_bytes()));
        secrets.push((format!("{label} without"), pem.trim_end().into()));
        secrets.push((format!("{label} with CR LF"), pem.replace('\n', "\r\n").into_bytes()));
        secrets.push((format!("{label}, its base64 alone"), lines.into_bytes()));
    }
    let claims = encode(forge.claims().to_string());
    let mut cases = Vec::new();
    for (what, secret) in secrets {
        for (how, header, reject) in [
            ("as HS256", forge.header_of("\"HS256\""), Reject::Algorithm),
            ("under the name RS256", forge.members(), Reject::Signature),
            ("as HS256 without a kid", "\"alg\":\"HS256\"".to_owned(), Reject::UnknownKey),
        ] {
            let token = seal(&format!("{}.{claims}", encode(format!("{{{header}}}"))), &secret);
            cases.push(case(format!("{what} {how}"), token, reject));
        }
    }
    cases
}

/// JWT-07, JWT-09, JWT-11.
fn payloads(forge: &Forge) -> Vec<Case> {
    let good = forge.claims().to_string();
    let open = good.strip_suffix('}').unwrap();
    let utf16: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let text = |text: &str| text.as_bytes().to_vec();
    let mut cases: Vec<Case> = [
        ("empty", Vec::new()),
        ("a blank", text(" ")),
        ("a list", format!("[{good}]").into_bytes()),
        ("a text", json!(good).to_string().into_bytes()),
        ("a number", text("1")),
        ("null", text("null")),
        ("two objects", format!("{good}{good}").into_bytes()),
        ("an object and a byte", format!("{good}x").into_bytes()),
        ("an object and a NUL", format!("{good}\0").into_bytes()),
        ("behind a byte order mark", format!("\u{feff}{good}").into_bytes()),
        ("in UTF-16", utf16),
        ("not UTF-8", [open.as_bytes(), b",\"x\":\"\xff\"}"].concat()),
        ("overlong UTF-8", [open.as_bytes(), b",\"x\":\"\xc0\xaf\"}"].concat()),
        ("cut short", text(open)),
        ("with a comma too many", format!("{open},}}").into_bytes()),
        ("in single quotes", good.replace('"', "'").into_bytes()),
        ("with NaN", format!("{open},\"x\":NaN}}").into_bytes()),
        ("with Infinity", format!("{open},\"exp\":Infinity}}").into_bytes()),
        ("with a number in hexadecimal", format!("{open},\"exp\":0x7fffffff}}").into_bytes()),
        ("with a leading zero", format!("{open},\"exp\":099999999999}}").into_bytes()),
        ("with half a surrogate", format!("{open},\"x\":\"\\ud800\"}}").into_bytes()),
        ("deep lists", format!("{open},\"x\":{}{}}}", "[".repeat(5_000), "]".repeat(5_000)).into_bytes()),
        ("deep objects", format!("{open},\"x\":{}1{}}}", "{\"a\":".repeat(1_500), "}".repeat(1_500)).into_bytes()),
        ("deep and never closed", format!("{open},\"x\":{}", "[".repeat(11_000)).into_bytes()),
        ("a token", text(&forge.good())),
    ]
    .into_iter()
    .map(|(what, payload)| case(format!("payload {what}"), forge.payload(payload), Reject::Payload))
    .collect();
    // Of equal names the last counts.
    let last = forge.now() + 300;
    for (name, first, second, reject) in [
        ("exp", last.to_string(), "1".to_owned(), Reject::Expired),
        ("exp", last.to_string(), "null".to_owned(), Reject::Payload),
        ("e\\u0078p", last.to_string(), "1".to_owned(), Reject::Expired),
        ("token_type", "\"access\"".to_owned(), "\"sliding\"".to_owned(), Reject::WrongType),
        ("user_id", forge.ann.id.to_string(), "999999".to_owned(), Reject::UnknownUser),
        ("iat", "1".to_owned(), last.to_string(), Reject::NotYetValid),
        ("jti", "\"a\"".to_owned(), "1".to_owned(), Reject::Payload),
    ] {
        let twice = forge.payload(format!("{open},\"{name}\":{first},\"{name}\":{second}}}"));
        cases.push(case(format!("{name} {first}, then {second}"), twice, reject));
    }
    cases
}

/// JWT-11 to JWT-15.
fn claims(forge: &Forge) -> Vec<Case> {
    use Reject::{
        Expired, NoExp, NoId, NoSubject, NoType, NotYetValid, PasswordChanged, Payload, UnknownUser, WrongType,
    };
    let (now, id) = (forge.now(), forge.ann.id);
    let soon = now + 60;
    let mut cases = Vec::new();
    let mut add = |name: &str, value: &str, reject| {
        cases.push(case(format!("{name} = {value:.60}"), forge.claim(name, value), reject));
    };
    let text_of_soon = format!("\"{soon}\"");
    let list_of_soon = format!("[{soon}]");
    for name in ["exp", "iat", "nbf"] {
        for value in [
            text_of_soon.as_str(),
            &list_of_soon,
            "null",
            "true",
            "false",
            "\"\"",
            "{}",
            "[]",
            "1e400",
            "-1e400",
            "1e26",
            "1e308",
            "-1e308",
            "253402300800",
            "9223372036854775807",
            "9223372036854775808",
            "18446744073709551615",
            "99999999999999999999999999999999999999999999",
        ] {
            add(name, value, Payload);
        }
    }
    let half_past = format!("{now}.0");
    for value in [
        "0",
        "-0",
        "-1",
        "1.5",
        "-1.5",
        "1e-400",
        "1E3",
        "-9223372036854775808",
        "-9223372036854775809",
        "-253402300800",
        &now.to_string(),
        &half_past,
    ] {
        add("exp", value, Expired);
    }
    for name in ["iat", "nbf"] {
        for value in
            [soon.to_string(), format!("{now}.5"), format!("{soon}.25"), (now + 1).to_string(), "253402300799".into()]
        {
            add(name, &value, NotYetValid);
        }
    }
    for name in ["jti", "sub"] {
        for value in ["null", "1", "1.5", "true", "[]", "[\"a\"]", "{}"] {
            add(name, value, Payload);
        }
    }
    for value in [
        "null",
        "1",
        "true",
        "[]",
        "[\"access\"]",
        "{}",
        "\"\"",
        "\"Access\"",
        "\"ACCESS\"",
        "\"access \"",
        "\" access\"",
        "\"access\\u0000\"",
        "\"\\u0430ccess\"",
        "\"sliding\"",
        "\"email_verification\"",
        "\"password_reset\"",
        "\"ticket\"",
    ] {
        add("token_type", value, WrongType);
    }
    let text = |value: &str| json!(value).to_string();
    for value in [
        "null".into(),
        "false".into(),
        "true".into(),
        "[]".into(),
        "{}".into(),
        format!("[{id}]"),
        "\"\"".into(),
        "0".into(),
        format!("{id}.0"),
        format!("{id}e0"),
        "1e400".into(),
        format!("-{id}"),
        "999999".into(),
        "18446744073709551616".into(),
        text(&format!("0{id}")),
        text(&format!("+{id}")),
        text(&format!(" {id}")),
        text(&format!("{id}\n")),
        text(&format!("{id}\0")),
        text("\u{661}"),
        text("ann"),
        text("' OR 1=1 --"),
        text(&"9".repeat(5_000)),
    ] {
        add("user_id", &value, UnknownUser);
    }
    for value in ["-1", "-9223372036854775808"] {
        add("gen", value, PasswordChanged);
    }
    for (name, reject) in [("exp", NoExp), ("jti", NoId), ("token_type", NoType), ("user_id", NoSubject)] {
        cases.push(case(format!("no {name}"), forge.without(name), reject));
    }
    cases.push(case("nothing", forge.payload("{}"), NoExp));
    cases
}

#[actix_web::test]
async fn what_is_odd_and_not_hostile_is_let_in() {
    for forge in [Forge::hs256().await, Forge::rs256().await] {
        let now = forge.now();
        let own = json!(format!("{:?}", forge.algorithm)).to_string();
        let members = forge.members();
        for token in [
            forge.claim("exp", &format!("{}.0e0", now + 1)),
            forge.claim("exp", &format!("{}.5", now + 1)),
            forge.claim("exp", "253402300799"),
            forge.claim("nbf", "-9223372036854775808"),
            forge.claim("iat", "-9223372036854775809"),
            forge.without("iat"),
            forge.claim("more", &json!("x".repeat(8_000)).to_string()),
            forge.payload(format!(" {}\n", forge.claims())),
            forge.header(format!("{{{}}}", forge.header_of(&format!("\"none\",\"alg\":{own}")))),
            forge.header(format!(
                " {{ {members} , \"b64\":true, \"cty\":\"x\", \"jku\":\"http://x\", \"jwk\":{{}} }}\n"
            )),
            forge.claim("user_id", &forge.ann.id.to_string()),
            forge.claim("sub", "\"anybody\""),
        ] {
            forge.ann.with(&token).get("/api/hello/").await.is(200, json!({ "message": "Hello, ann" }));
        }
    }
}

/// Between the scheme and the end of the header there is one token, and it is text.
#[actix_web::test]
async fn white_space_makes_two_tokens_of_one_or_an_ill_formed_one() {
    let forge = Forge::hs256().await;
    let good = forge.good();
    let (start, end) = good.split_at(40);
    for white in [" ", "\t", "  "] {
        forge.ann.with(&format!("{start}{white}{end}")).get("/api/hello/").await.is(
            401,
            json!({
                "detail": "Authorization header must contain two space-delimited values",
                "code": "bad_authorization_header",
            }),
        );
    }
    for token in [
        String::new(),
        format!("{start} {end}"),
        format!("{start}\n{end}"),
        format!("{start}\0{end}"),
        format!("{start}\u{a0}{end}"),
        format!("{start}\u{200b}{end}"),
        format!("{good}\u{301}"),
        format!("{good}\n\n\0"),
        good.replace('.', "\u{3002}"),
    ] {
        let answer = forge.app.anonymous().post("/api/token/verify/", json!({ "token": token })).await;
        if token.is_empty() {
            answer.is(400, json!({ "token": ["This field may not be blank."] }));
        } else {
            let status = answer.status.as_u16();
            assert!(status == 401 || (status == 400 && token.contains('\0')), "{token:?}: {}", answer.text());
        }
    }
}

/// JWT-18: a server refuses before it has read it all.
#[test]
fn a_token_of_a_megabyte_is_refused_by_a_running_server_too() {
    let home = Home::new();
    let server = home.serve();
    let address = server.origin().strip_prefix("http://").unwrap();
    let start = Instant::now();
    for token in ["A".repeat(1 << 20), format!("{}.{}.{}", "A".repeat(30_000), "A".repeat(30_000), "A".repeat(30_000))]
    {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        // It may hang up before all is sent.
        let head = format!(
            "GET /api/hello/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        let _ = stream.write_all(head.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    assert!(start.elapsed() < Duration::from_secs(10));
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /api/hello/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
}
