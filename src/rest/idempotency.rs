//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a POST that was not answered can be sent again, and makes
//! nothing twice.
//!
//! The first answer is kept in the transaction of the row that it tells of, so there is either both or neither, whatever
//! happens between them. One transaction writes at a time: a second request with the key comes before or after the first,
//! never within, and gets its answer instead of the draft's 409. What was refused has made nothing, and is not kept.

use std::future::{Ready, ready};

use actix_web::http::header::HeaderValue;
use actix_web::{FromRequest, HttpRequest, dev, web};
use aws_lc_rs::hmac;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::model::idempotency;
use crate::rest::fields::Payload;
use crate::rest::json;
use crate::site::Site;

const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// The most characters of a key.
const LONGEST: usize = 255;
/// The longest answer that is kept, in bytes: with [`idempotency::MOST`] the most that one user can have kept.
const LONGEST_ANSWER: usize = 128 * 1024;

/// The key of a request, if it has one, and the path that it was sent to.
pub struct IdempotencyKey(Option<Sent>);

struct Sent {
    digests: hmac::Key,
    key: String,
    path: String,
}

impl FromRequest for IdempotencyKey {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(sent(request).map(Self))
    }
}

fn sent(request: &HttpRequest) -> Result<Option<Sent>> {
    let mut values = request.headers().get_all(IDEMPOTENCY_KEY);
    let Some(value) = values.next() else { return Ok(None) };
    let key = text(value).filter(|_| values.next().is_none()).ok_or_else(|| {
        Error::Malformed(format!("Idempotency-Key must be one string of 1 to {LONGEST} visible ASCII characters."))
    })?;
    let site = request.app_data::<web::Data<Site>>().ok_or_else(|| Error::internal("no site"))?;
    // Under a key of the server's own, since a body may hold what the database must not tell.
    let digests = hmac::Key::new(hmac::HMAC_SHA256, &site.secrets.derive("idempotency keys"));
    Ok(Some(Sent { digests, key, path: request.path().to_owned() }))
}

/// The key: a string of RFC 9651 §3.3.3, or its characters without the quotes, as most clients send it.
fn text(value: &HeaderValue) -> Option<String> {
    let value = value.to_str().ok()?.trim();
    let key = match value.strip_prefix('"') {
        Some(rest) => unquoted(rest)?,
        None if value.contains(['"', '\\', ',', ';', ' ']) => return None,
        None => value.to_owned(),
    };
    let fits = (1..=LONGEST).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    fits.then_some(key)
}

/// What stands between the quotes; the first is gone already.
fn unquoted(rest: &str) -> Option<String> {
    let mut key = String::new();
    let mut letters = rest.chars();
    loop {
        match letters.next()? {
            '"' => return letters.next().is_none().then_some(key),
            '\\' => key.push(letters.next().filter(|letter| matches!(letter, '"' | '\\'))?),
            letter => key.push(letter),
        }
    }
}

impl IdempotencyKey {
    /// The key together with the body that it stands for.
    ///
    /// # Errors
    /// The server's own.
    pub fn with(self, body: &Payload) -> Result<Once> {
        let Some(Sent { digests, key, path }) = self.0 else { return Ok(Once(None)) };
        let (kind, content) = match body {
            Payload::Json(object) => ("json", json::to_vec(object)?),
            Payload::Form(pairs) => ("form", json::to_vec(pairs)?),
            Payload::Multipart(pairs) => ("multipart", json::to_vec(pairs)?),
        };
        let digest = |parts: &[&[u8]]| {
            let mut context = hmac::Context::with_key(&digests);
            for part in parts {
                context.update(&part.len().to_be_bytes());
                context.update(part);
            }
            hex::encode(context.sign())
        };
        let request = digest(&[b"request", path.as_bytes(), kind.as_bytes(), &content]);
        Ok(Once(Some(Repeatable { key: digest(&[b"key", key.as_bytes()]), request })))
    }
}

/// Makes what a request asks for once, however often it is sent; a request without a key, each time.
pub struct Once(Option<Repeatable>);

/// Both as keyed digests.
struct Repeatable {
    key: String,
    request: String,
}

impl Once {
    /// What `make` makes, in JSON; or the JSON of the first time, `make` not being called. Belongs into the transaction that
    /// makes it.
    ///
    /// # Errors
    /// 422 if the user has sent the key with another request; 413 for an answer too long to be kept; what `make` returns.
    pub fn answer(
        &self,
        conn: &mut Conn,
        user: i64,
        now: Timestamp,
        make: impl FnOnce(&mut Conn) -> Result<Vec<u8>>,
    ) -> Result<Vec<u8>> {
        let Some(Repeatable { key, request }) = &self.0 else { return make(conn) };
        if let Some(first) = idempotency::find(conn, user, key, now)? {
            return if first.request == *request { Ok(first.answer.into_bytes()) } else { Err(Error::KeyReused) };
        }
        let answer = make(conn)?;
        if answer.len() > LONGEST_ANSWER {
            return Err(Error::TooLarge);
        }
        let text = std::str::from_utf8(&answer).map_err(Error::internal)?;
        idempotency::keep(conn, user, key, request, text, now)?;
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_quoted_string_or_plain_characters() {
        let read = |sent: &str| HeaderValue::from_str(sent).ok().as_ref().and_then(text);
        let longest = "k".repeat(LONGEST);
        for (sent, key) in [
            ("8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324"),
            ("\"8e03978e\"", "8e03978e"),
            ("\"a, b\"", "a, b"),
            (r#""say \"hi\" \\ ""#, r#"say "hi" \ "#),
            (&longest, &longest),
        ] {
            assert_eq!(read(sent).as_deref(), Some(key), "{sent}");
        }
        let too_long = "k".repeat(LONGEST + 1);
        for sent in
            ["", "\"\"", "\"", "\"open", "\"a\"b", "a\"b", "a b", "a, b", "\"a\"; v=1", r#""\n""#, "é", &too_long]
        {
            assert_eq!(read(sent), None, "{sent}");
        }
    }
}
