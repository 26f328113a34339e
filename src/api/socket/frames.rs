//! Messages of a WebSocket over the frames of actix-http: what actix-ws does, for sockets that are many and silent. Its channel
//! has room for 32 messages in each of them; here nothing is held for what is not said.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use actix_http::ws::{self, CloseReason, HandshakeError, OpCode, Parser, ProtocolError};
use actix_web::body::{BodyStream, MessageBody};
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{Bytes, BytesMut, Payload};
use actix_web::{HttpRequest, HttpResponse};
use bytestring::ByteString;
use futures_util::Stream;

/// What a client has sent, with the parts of a message put together.
#[derive(Debug, PartialEq, Eq)]
pub enum Message {
    /// Text, or what is said to be.
    Text(Bytes),
    /// Anything else.
    Binary,
    /// A ping, to be answered with the same bytes.
    Ping(Bytes),
    /// The answer to a ping.
    Pong,
    /// It says goodbye, and why.
    Close(Option<CloseReason>),
}

/// The connection is gone.
#[derive(Debug, PartialEq, Eq)]
pub struct Gone;

/// What the two halves and the answer's body share; all three live on one thread.
#[derive(Default)]
struct Pipe {
    /// Frames that the connection has not taken yet.
    waiting: BytesMut,
    /// Nothing more will be sent.
    over: bool,
    /// The connection takes nothing more.
    gone: bool,
    taker: Option<Waker>,
    sender: Option<Waker>,
    reader: Option<Waker>,
}

type Shared = Rc<RefCell<Pipe>>;

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// Answers a handshake: the 101, with `protocol` if there is one, and both halves of the socket. A message is `longest` bytes long at
/// most.
///
/// # Errors
/// What the request lacks to be a handshake (RFC 6455 §4.2.1).
pub fn accept(
    request: &HttpRequest,
    payload: Payload,
    protocol: Option<&'static str>,
    longest: usize,
) -> Result<(HttpResponse, Writer, Reader), HandshakeError> {
    let mut response = ws::handshake(request.head())?;
    if let Some(protocol) = protocol {
        response.insert_header((header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol)));
    }
    let pipe = Shared::default();
    let body = BodyStream::new(Outgoing(pipe.clone())).boxed();
    let response = response.message_body(body).map_err(|_| HandshakeError::NoWebsocketUpgrade)?;
    let reader = Reader { pipe: pipe.clone(), payload, read: BytesMut::new(), begun: None, longest, is_over: false };
    Ok((response.into(), Writer(pipe), reader))
}

/// The body of the answer: what is sent.
struct Outgoing(Shared);

impl Stream for Outgoing {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut pipe = self.0.borrow_mut();
        if !pipe.waiting.is_empty() {
            let frames = std::mem::take(&mut pipe.waiting).freeze();
            let sender = pipe.sender.take();
            drop(pipe);
            wake(sender);
            return Poll::Ready(Some(Ok(frames)));
        }
        if pipe.over {
            return Poll::Ready(None);
        }
        pipe.taker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        let mut pipe = self.0.borrow_mut();
        pipe.gone = true;
        let (sender, reader) = (pipe.sender.take(), pipe.reader.take());
        drop(pipe);
        wake(sender);
        wake(reader);
    }
}

/// The half that sends. Cheap to clone.
#[derive(Clone)]
pub struct Writer(Shared);

impl Writer {
    /// Sends text, as soon as the connection has taken what was sent before.
    pub async fn text(&self, text: &ByteString) -> Result<(), Gone> {
        self.send(OpCode::Text, text.as_bytes()).await
    }

    /// Asks for a sign of life.
    pub async fn ping(&self) -> Result<(), Gone> {
        self.send(OpCode::Ping, b"").await
    }

    /// Answers a ping.
    pub async fn pong(&self, bytes: &[u8]) -> Result<(), Gone> {
        self.send(OpCode::Pong, bytes).await
    }

    /// Says goodbye, behind what waits; nothing more is sent.
    pub fn close(&self, reason: CloseReason) {
        self.put(|pipe| {
            if !pipe.gone && !std::mem::replace(&mut pipe.over, true) {
                Parser::write_close(&mut pipe.waiting, Some(reason), false);
            }
        });
    }

    async fn send(&self, code: OpCode, bytes: &[u8]) -> Result<(), Gone> {
        self.room().await?;
        self.put(|pipe| Parser::write_message(&mut pipe.waiting, bytes, code, true, false));
        Ok(())
    }

    /// Waits until nothing waits: there is one sender at a time.
    async fn room(&self) -> Result<(), Gone> {
        let room = |cx: &mut Context<'_>| {
            let mut pipe = self.0.borrow_mut();
            if pipe.gone || pipe.over {
                return Poll::Ready(Err(Gone));
            }
            if pipe.waiting.is_empty() {
                return Poll::Ready(Ok(()));
            }
            pipe.sender = Some(cx.waker().clone());
            Poll::Pending
        };
        poll_fn(room).await
    }

    fn put(&self, change: impl FnOnce(&mut Pipe)) {
        let mut pipe = self.0.borrow_mut();
        change(&mut pipe);
        let taker = pipe.taker.take();
        drop(pipe);
        wake(taker);
    }
}

/// The half that reads. Where it goes, the socket ends.
pub struct Reader {
    pipe: Shared,
    payload: Payload,
    read: BytesMut,
    /// A message of which the last part is still to come.
    begun: Option<(OpCode, BytesMut)>,
    longest: usize,
    is_over: bool,
}

impl Reader {
    /// The next message; `None` when the connection is gone. It can be dropped and asked again.
    pub async fn next(&mut self) -> Option<Result<Message, ProtocolError>> {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Message, ProtocolError>>> {
        loop {
            match self.message() {
                Ok(Some(message)) => return Poll::Ready(Some(Ok(message))),
                Err(fault) => return Poll::Ready(Some(Err(fault))),
                Ok(None) if self.is_over || self.pipe.borrow().gone => return Poll::Ready(None),
                Ok(None) => {}
            }
            if self.read.is_empty() {
                self.read = BytesMut::new(); // it holds on to the connection's own buffer
            }
            match Pin::new(&mut self.payload).poll_next(cx) {
                Poll::Ready(Some(Ok(bytes))) if self.read.is_empty() => self.read = BytesMut::from(bytes),
                Poll::Ready(Some(Ok(bytes))) => self.read.extend_from_slice(&bytes),
                Poll::Ready(Some(Err(_)) | None) => self.is_over = true,
                Poll::Pending => {
                    self.pipe.borrow_mut().reader = Some(cx.waker().clone());
                    return Poll::Pending;
                }
            }
        }
    }

    /// A whole message, if one has been read (RFC 6455 §5.4).
    fn message(&mut self) -> Result<Option<Message>, ProtocolError> {
        while let Some((is_last, code, bytes)) = Parser::parse(&mut self.read, true, self.longest)? {
            let bytes = bytes.unwrap_or_default();
            match code {
                OpCode::Ping | OpCode::Pong | OpCode::Close if !is_last => {
                    return Err(ProtocolError::ContinuationFragment(code));
                }
                OpCode::Ping => return Ok(Some(Message::Ping(bytes.freeze()))),
                OpCode::Pong => return Ok(Some(Message::Pong)),
                OpCode::Close => return Ok(Some(Message::Close(Parser::try_parse_close_payload(&bytes)?))),
                OpCode::Text | OpCode::Binary if self.begun.is_some() => {
                    return Err(ProtocolError::ContinuationStarted);
                }
                OpCode::Text | OpCode::Binary => self.begun = Some((code, bytes)),
                OpCode::Continue => {
                    let (_, begun) = self.begun.as_mut().ok_or(ProtocolError::ContinuationNotStarted)?;
                    if begun.len() + bytes.len() > self.longest {
                        return Err(ProtocolError::Overflow);
                    }
                    begun.extend_from_slice(&bytes);
                }
                OpCode::Bad => return Err(ProtocolError::BadOpCode),
            }
            if !is_last {
                continue;
            }
            return match self.begun.take() {
                Some((OpCode::Text, whole)) => Ok(Some(Message::Text(whole.freeze()))),
                _ => Ok(Some(Message::Binary)),
            };
        }
        Ok(None)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut pipe = self.pipe.borrow_mut();
        pipe.over = true;
        let taker = pipe.taker.take();
        drop(pipe);
        wake(taker);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use actix_web::FromRequest;
    use actix_web::test::TestRequest;
    use futures_util::{FutureExt, StreamExt};

    const LONGEST: usize = 20;

    /// A frame as a client sends it.
    fn frame(code: OpCode, is_last: bool, bytes: &str) -> Vec<u8> {
        let mut frame = BytesMut::new();
        Parser::write_message(&mut frame, bytes, code, is_last, true);
        frame.to_vec()
    }

    /// A socket whose client has sent this, and no more.
    async fn socket(sent: Vec<u8>) -> (HttpResponse, Writer, Reader) {
        let request = TestRequest::default()
            .insert_header((header::CONNECTION, "upgrade"))
            .insert_header((header::UPGRADE, "websocket"))
            .insert_header((header::SEC_WEBSOCKET_VERSION, "13"))
            .insert_header((header::SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ=="))
            .set_payload(sent);
        let (request, mut payload) = request.to_http_parts();
        let payload = Payload::from_request(&request, &mut payload).await.unwrap();
        accept(&request, payload, Some("bearer"), LONGEST).unwrap()
    }

    /// All that is read, and what was wrong at the end.
    async fn read(frames: &[Vec<u8>]) -> (Vec<Message>, Option<String>) {
        let (_response, _writer, mut reader) = socket(frames.concat()).await;
        let mut messages = Vec::new();
        loop {
            match reader.next().await {
                Some(Ok(message)) => messages.push(message),
                Some(Err(fault)) => return (messages, Some(format!("{fault:?}"))),
                None => return (messages, None),
            }
        }
    }

    #[actix_web::test]
    async fn the_parts_of_a_message_are_put_together_and_a_ping_may_come_between() {
        use OpCode::{Binary, Continue, Ping, Pong, Text};
        let frames = [
            frame(Text, false, "one"),
            frame(Ping, true, "there?"),
            frame(Continue, false, ""),
            frame(Continue, true, " two"),
            frame(Pong, true, ""),
            frame(Binary, true, "1"),
            frame(Text, true, ""),
        ];
        let text = |text: &'static str| Message::Text(Bytes::from_static(text.as_bytes()));
        let told =
            [Message::Ping(Bytes::from_static(b"there?")), text("one two"), Message::Pong, Message::Binary, text("")];
        assert_eq!(read(&frames).await, (Vec::from(told), None));
    }

    #[actix_web::test]
    async fn what_breaks_the_protocol_is_told() {
        use OpCode::{Continue, Ping, Text};
        let long = "x".repeat(LONGEST);
        let mut reserved = frame(Text, true, "1");
        *reserved.first_mut().unwrap() |= 0x40;
        let mut bare = BytesMut::new();
        Parser::write_message(&mut bare, "1", Text, true, false);
        for (frames, fault) in [
            (vec![frame(Continue, true, "1")], "ContinuationNotStarted"),
            (vec![frame(Text, false, "1"), frame(Text, true, "2")], "ContinuationStarted"),
            (vec![frame(Ping, false, "1")], "ContinuationFragment"),
            (vec![frame(Text, true, &format!("{long}x"))], "Overflow"),
            (vec![frame(Text, false, &long), frame(Continue, true, "x")], "Overflow"),
            (vec![reserved], "Io"),
            (vec![bare.to_vec()], "UnmaskedFrame"),
        ] {
            let (messages, told) = read(&frames).await;
            assert!(
                messages.is_empty() && told.as_ref().is_some_and(|told| told.starts_with(fault)),
                "{fault}: {told:?}"
            );
        }
    }

    #[actix_web::test]
    async fn a_sender_waits_until_the_connection_has_taken_what_was_sent_and_a_goodbye_is_the_last() {
        let (_response, writer, _reader) = socket(Vec::new()).await;
        let mut body = Outgoing(writer.0.clone());
        assert!(body.next().now_or_never().is_none());
        writer.text(&"one".into()).await.unwrap();
        assert!(writer.ping().now_or_never().is_none());
        let taken = async |body: &mut Outgoing| body.next().await.map(|bytes| bytes.unwrap_or_default());
        assert_eq!(taken(&mut body).await, Some(Bytes::from_static(b"\x81\x03one")));
        assert_eq!(writer.0.borrow().waiting.capacity(), 0);
        writer.close(ws::CloseCode::Normal.into());
        assert_eq!(taken(&mut body).await, Some(Bytes::from_static(b"\x88\x02\x03\xe8")));
        assert_eq!(taken(&mut body).await, None);
        assert_eq!(writer.ping().await, Err(Gone));
    }

    #[actix_web::test]
    async fn whoever_is_left_learns_that_the_other_is_gone() {
        let (response, writer, mut reader) = socket(Vec::new()).await;
        assert_eq!(response.headers().get("sec-websocket-protocol").unwrap(), "bearer");
        drop(response);
        assert_eq!(writer.text(&"one".into()).await, Err(Gone));
        assert!(reader.next().await.is_none());
        let (_response, writer, reader) = socket(Vec::new()).await;
        let mut body = Outgoing(writer.0.clone());
        drop(reader);
        assert!(body.next().await.is_none());
    }

    /// Sockets are many, and most say nothing most of the time.
    #[actix_web::test]
    async fn an_idle_socket_holds_no_buffer() {
        let (_response, writer, mut reader) = socket(frame(OpCode::Ping, true, "there?")).await;
        assert!(reader.next().await.is_some());
        assert!(reader.next().await.is_none());
        assert_eq!((reader.read.capacity(), writer.0.borrow().waiting.capacity()), (0, 0));
        assert!(
            size_of::<Pipe>() <= 128 && size_of::<Reader>() <= 192,
            "{} {}",
            size_of::<Pipe>(),
            size_of::<Reader>()
        );
    }
}
