//! GET `/ws/`: a WebSocket (RFC 6455) that tells its user of their own tasks and of articles as they change.
//!
//! It lives no longer than the access token that opened it, and ends with the session, as every request would be refused:
//! the hub has it ask the gate again whenever the change log or the clock gives reason to. A browser cannot set headers, so
//! it offers the subprotocols `bearer, TOKEN`; a token in the address would end in logs.

mod frames;

use std::any::TypeId;
use std::borrow::Cow;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use actix_http::ws::{CloseCode, CloseReason, ProtocolError, handshake};
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpMessage, HttpRequest};
use bytestring::ByteString;
use serde::Deserialize;
use tokio::time::{Instant, interval_at, timeout};

use crate::auth::gate::{Admitted, Principal};
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::hub::{Seat, Word};
use crate::middleware::origin;
use crate::rest::answer::Answer;
use crate::rest::upgrade;
use crate::site::Site;
use crate::throttle::Subject;

use frames::{Frames, Message};

/// The subprotocol that is chosen when the token comes as one.
const BEARER: &str = "bearer";
/// The longest message that is read: a token is far shorter.
const LONGEST: usize = 16 * 1024;
/// How long an event may wait for room on the connection.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a goodbye may wait for a reader who is slow, behind an event or two.
const FAREWELL: Duration = Duration::from_secs(60);
/// How long the client's own goodbye is waited for.
const ANSWER: Duration = Duration::from_secs(1);

/// The token is over, or no good: show another at a new socket.
const SIGNED_OUT: (u16, &str) = (4401, "the token is no longer good");
/// No answer to a ping.
const SILENT: (u16, &str) = (4408, "no sign of life");
/// Events were not read as fast as they came.
const SLOW: (u16, &str) = (4429, "events are not read fast enough");

/// GET `/ws/`.
///
/// # Errors
/// 401 without a good token; 403 for a page of another origin, and for too many sockets; 400 for what is no handshake; 503
/// while the server stops.
pub async fn connect(site: Data<Site>, request: HttpRequest) -> Result<Answer> {
    let token = match site.gate.bearer(request.headers())? {
        Some(token) => token,
        None => offered(request.headers()).ok_or(Error::NotAuthenticated)?,
    };
    let who = site.gate.admit_token(&token, site.clock.now()).await?;
    site.throttle.holds().admit(&Subject::User(who.user), site.clock.now())?;
    let principal = Some(Arc::new(who.clone()));
    request.extensions_mut().insert(Admitted { principal, permission: TypeId::of::<()>() });
    if !is_welcome(&site, request.headers()) {
        return Err(Error::Refused("This page's origin may not open a socket.".into()));
    }
    let mut response = handshake(request.head())
        .map_err(|_| Error::Malformed("Expected a WebSocket handshake (RFC 6455).".to_owned()))?;
    if names(request.headers()).any(|name| name == BEARER) {
        response.insert_header((header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(BEARER)));
    }
    let seat = site.hub.join(who.user, end_of(&site, &who))?;
    upgrade::agree(&request, |stream, read| {
        Socket { guest: Guest { site, who }, seat, frames: Frames::new(stream, read, LONGEST) }.run()
    });
    Ok(Answer::upgrade(response.finish().map_into_boxed_body().into()))
}

/// The subprotocols that are offered, in their order.
fn names(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

/// The token among the subprotocols that are offered: the one after `bearer`.
fn offered(headers: &HeaderMap) -> Option<Cow<'_, str>> {
    let mut names = names(headers);
    names.find(|name| *name == BEARER)?;
    names.next().filter(|token| !token.is_empty()).map(Cow::Borrowed)
}

/// Whether the page that opens the socket may, if it is a page: what is no browser names no origin (RFC 6455 §10.2).
fn is_welcome(site: &Site, headers: &HeaderMap) -> bool {
    let listed = |origin: &str| site.settings.cors.allowed_origins.iter().any(|allowed| allowed == origin);
    let origin = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    origin::is_same_origin(headers) || origin.is_some_and(listed)
}

/// When the token is over that somebody has shown.
fn end_of(site: &Site, who: &Principal) -> Timestamp {
    let end = who.claims().and_then(|claims| claims.moment("exp")).unwrap_or_default();
    end + site.settings.jwt.leeway
}

/// What a client may send.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Said {
    /// Another token of the same user.
    Auth { token: String },
}

/// Why a socket is closed; `None` if the client is gone already, or has closed it.
type End = Option<CloseReason>;

fn end((code, words): (u16, &str)) -> End {
    Some(CloseReason { code: CloseCode::Other(code), description: Some(words.to_owned()) })
}

fn fault(code: CloseCode, words: &str) -> End {
    Some(CloseReason { code, description: Some(words.to_owned()) })
}

/// An open socket.
struct Socket {
    guest: Guest,
    seat: Seat,
    frames: Frames,
}

/// Whose socket it is.
struct Guest {
    site: Data<Site>,
    who: Principal,
}

impl Guest {
    /// Does what is urgent.
    async fn heed(&mut self, word: Word) -> Result<(), End> {
        match word {
            Word::Check => match self.site.gate.renew(&self.who, self.site.clock.now()).await {
                Ok(Some(who)) => self.who = who,
                Ok(None) => return Err(end(SIGNED_OUT)),
                Err(error) => {
                    log::error!("a socket was closed, since its user could not be looked up: {error}");
                    return Err(fault(CloseCode::Error, "please try again"));
                }
            },
            Word::Slow => return Err(end(SLOW)),
            Word::Stop => return Err(fault(CloseCode::Away, "the server stops")),
            Word::Event(_) => {}
        }
        Ok(())
    }
}

/// Waits for a frame to be taken, for as long as there is patience.
async fn patiently(sending: impl Future<Output = io::Result<()>>) -> Result<(), End> {
    timeout(PATIENCE, sending).await.map_err(|_| end(SLOW))?.map_err(|_| None)
}

impl Socket {
    async fn run(mut self) {
        let Err(Some(reason)) = self.talk().await else { return };
        let Self { mut frames, seat, .. } = self;
        drop(seat); // the place is free, however long the goodbye takes
        let goodbye = async {
            if let Ok(Ok(())) = timeout(FAREWELL, frames.close(reason)).await {
                // Whichever it is, the connection is closed.
                let _gone = timeout(ANSWER, frames.closed()).await;
            }
        };
        Box::pin(goodbye).await;
    }

    /// Listens and tells until there is a reason to end. It never returns `Ok`. What it does now and then is boxed, since idle
    /// sockets are many and would each hold room for it.
    async fn talk(&mut self) -> Result<(), End> {
        let ping = self.guest.site.settings.sockets.ping;
        let mut pings = interval_at(Instant::now() + ping, ping);
        let mut heard = true;
        loop {
            tokio::select! {
                biased;
                word = self.seat.next() => match word {
                    Word::Event(text) => Box::pin(self.tell(text)).await?,
                    urgent => Box::pin(self.guest.heed(urgent)).await?,
                },
                message = self.frames.next() => {
                    heard = true;
                    Box::pin(self.hear(message)).await?;
                }
                _ = pings.tick() => {
                    if !std::mem::take(&mut heard) {
                        return Err(end(SILENT));
                    }
                    Box::pin(patiently(self.frames.ping())).await?;
                }
            }
        }
    }

    /// Sends an event. While the connection has no room, what ends the socket does not wait.
    async fn tell(&mut self, text: ByteString) -> Result<(), End> {
        let sending = patiently(self.frames.text(&text));
        tokio::pin!(sending);
        loop {
            tokio::select! {
                biased;
                word = self.seat.urgent() => self.guest.heed(word).await?,
                sent = &mut sending => return sent,
            }
        }
    }

    async fn hear(&mut self, message: Option<Result<Message, ProtocolError>>) -> Result<(), End> {
        match message {
            Some(Ok(Message::Text(bytes))) => match std::str::from_utf8(&bytes) {
                Ok(text) => self.extend(text).await,
                Err(_) => Err(fault(CloseCode::Invalid, "this is not UTF-8")),
            },
            Some(Ok(Message::Binary)) => Err(fault(CloseCode::Unsupported, "text alone is understood")),
            Some(Ok(Message::Ping(bytes))) => patiently(self.frames.pong(&bytes)).await,
            Some(Ok(Message::Pong)) => Ok(()),
            Some(Ok(Message::Close(reason))) => Err(reason.or(fault(CloseCode::Normal, ""))),
            Some(Err(ProtocolError::Overflow)) => Err(fault(CloseCode::Size, "the message is too long")),
            None => Err(None),
            Some(Err(_)) => Err(fault(CloseCode::Protocol, "this is not RFC 6455")),
        }
    }

    /// Takes another token of the same user, which the socket lives by from now on.
    async fn extend(&mut self, text: &str) -> Result<(), End> {
        let Ok(Said::Auth { token }) = serde_json::from_str(text) else {
            return Err(fault(CloseCode::Policy, r#"only {"type": "auth", "token": …} is understood"#));
        };
        let Guest { site, who: known } = &mut self.guest;
        match site.gate.admit_token(&token, site.clock.now()).await {
            Ok(who) if who.user == known.user => {
                self.seat.extend(end_of(site, &who));
                *known = who;
                // What has ended the new token's session meanwhile was told while the old one was asked for.
                self.guest.heed(Word::Check).await
            }
            Ok(_) | Err(Error::Unauthorized(_)) => Err(end(SIGNED_OUT)),
            Err(error) => {
                log::error!("a socket was closed, since its new token could not be looked at: {error}");
                Err(fault(CloseCode::Error, "please try again"))
            }
        }
    }
}
