//! Messages of a WebSocket on a bare connection, in the frames of actix-http: for sockets that are many and silent. Nothing is
//! held for what is not said.

use std::io;

use actix_http::ws::{CloseReason, OpCode, Parser, ProtocolError};
use actix_web::web::{Bytes, BytesMut};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// How much is read at once.
const CHUNK: usize = 1024;

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

/// A socket after its handshake. Whatever is awaited here can be dropped and asked for again.
pub struct Frames {
    stream: TcpStream,
    /// What has been read, and is not a whole frame yet.
    read: BytesMut,
    /// A message of which the last part is still to come.
    begun: Option<(OpCode, BytesMut)>,
    /// Frames that the connection has not taken yet.
    waiting: BytesMut,
    longest: usize,
}

impl Frames {
    /// The socket on `stream`, of which `read` has been read. A message is `longest` bytes long at most.
    pub fn new(stream: TcpStream, read: BytesMut, longest: usize) -> Self {
        Self { stream, read, begun: None, waiting: BytesMut::new(), longest }
    }

    /// The next message; `None` when the connection is gone.
    pub async fn next(&mut self) -> Option<Result<Message, ProtocolError>> {
        loop {
            match self.message() {
                Ok(Some(message)) => return Some(Ok(message)),
                Err(fault) => return Some(Err(fault)),
                Ok(None) => {}
            }
            if self.fill().await.ok()? == 0 {
                return None;
            }
        }
    }

    /// Sends text.
    ///
    /// # Errors
    /// If the connection is gone.
    pub async fn text(&mut self, text: &str) -> io::Result<()> {
        self.send(OpCode::Text, text.as_bytes()).await
    }

    /// Asks for a sign of life.
    ///
    /// # Errors
    /// If the connection is gone.
    pub async fn ping(&mut self) -> io::Result<()> {
        self.send(OpCode::Ping, b"").await
    }

    /// Answers a ping.
    ///
    /// # Errors
    /// If the connection is gone.
    pub async fn pong(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.send(OpCode::Pong, bytes).await
    }

    /// Says goodbye, behind what waits. Nothing may be sent after it.
    ///
    /// # Errors
    /// If the connection is gone.
    pub async fn close(&mut self, reason: CloseReason) -> io::Result<()> {
        Parser::write_close(&mut self.waiting, Some(reason), false);
        self.flush().await
    }

    /// Says that nothing more will come, and waits until the client has closed the connection: with something unread on it the
    /// system would take back what the client has not read yet (RFC 6455 §7.1.1).
    ///
    /// # Errors
    /// If the connection is gone.
    pub async fn closed(&mut self) -> io::Result<()> {
        self.stream.shutdown().await?;
        loop {
            self.read.clear();
            if self.fill().await? == 0 {
                return Ok(());
            }
        }
    }

    /// Reads what there is, once there is something; nothing is the end.
    async fn fill(&mut self) -> io::Result<usize> {
        loop {
            if self.read.is_empty() {
                self.read = BytesMut::new(); // while it waits
            }
            self.stream.readable().await?;
            self.read.reserve(CHUNK);
            match self.stream.try_read_buf(&mut self.read) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
        }
    }

    async fn send(&mut self, code: OpCode, bytes: &[u8]) -> io::Result<()> {
        self.flush().await?;
        Parser::write_message(&mut self.waiting, bytes, code, true, false);
        self.flush().await
    }

    /// Waits until the connection has taken what waits.
    async fn flush(&mut self) -> io::Result<()> {
        while !self.waiting.is_empty() {
            self.stream.writable().await?;
            match self.stream.try_write(&self.waiting) {
                Ok(taken) => _ = self.waiting.split_to(taken),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        self.waiting = BytesMut::new();
        Ok(())
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use actix_http::ws::CloseCode;
    use futures_util::FutureExt;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    const LONGEST: usize = 20;

    /// A frame as a client sends it.
    fn frame(code: OpCode, is_last: bool, bytes: &str) -> Vec<u8> {
        let mut frame = BytesMut::new();
        Parser::write_message(&mut frame, bytes, code, is_last, true);
        frame.to_vec()
    }

    /// A socket and its client, who has sent these frames; the first byte came with the handshake.
    async fn socket(sent: &[Vec<u8>]) -> (Frames, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let sent = sent.concat();
        let (read, rest) = sent.split_at(sent.len().min(1));
        client.write_all(rest).await.unwrap();
        (Frames::new(server, BytesMut::from(read), LONGEST), client)
    }

    /// All that is read, and what was wrong at the end.
    async fn read(frames: &[Vec<u8>]) -> (Vec<Message>, Option<String>) {
        let (mut socket, mut client) = socket(frames).await;
        client.shutdown().await.unwrap();
        let mut messages = Vec::new();
        loop {
            match socket.next().await {
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

    /// What was begun is sent to its end, whoever stops waiting for it, and nothing comes between.
    #[actix_web::test]
    async fn a_frame_that_was_given_up_half_sent_is_whole_before_the_next() {
        let (mut socket, mut client) = socket(&[]).await;
        let long = "x".repeat(10_000_000);
        assert!(socket.text(&long).now_or_never().is_none(), "the system holds ten megabytes");
        assert!(socket.ping().now_or_never().is_none());
        let whole = async {
            let mut all = Vec::new();
            client.read_to_end(&mut all).await.unwrap();
            all
        };
        let goodbye = async {
            socket.close(CloseCode::Normal.into()).await.unwrap();
            drop(socket);
        };
        let (all, ()) = futures_util::join!(whole, goodbye);
        assert_eq!(all.len(), 10 + long.len() + 4);
        assert!(all.ends_with(b"x\x88\x02\x03\xe8"));
    }

    /// Whatever else comes, and be it nonsense.
    #[actix_web::test]
    async fn whoever_has_said_goodbye_reads_on_until_the_client_is_gone() {
        let (mut socket, mut client) = socket(&[frame(OpCode::Text, true, "1"), b"nonsense".to_vec()]).await;
        assert!(socket.closed().now_or_never().is_none());
        assert_eq!(client.read(&mut [0; 10]).await.unwrap(), 0);
        client.write_all(&[0; 100_000]).await.unwrap();
        drop(client);
        socket.closed().await.unwrap();
    }

    /// Sockets are many, and most say nothing most of the time.
    #[actix_web::test]
    async fn an_idle_socket_holds_no_buffer() {
        let (mut socket, mut client) = socket(&[frame(OpCode::Ping, true, "there?")]).await;
        assert!(socket.next().await.is_some());
        socket.text("told").await.unwrap();
        assert_eq!(client.read(&mut [0; 10]).await.unwrap(), 6);
        assert!(socket.next().now_or_never().is_none());
        assert_eq!((socket.read.capacity(), socket.waiting.capacity()), (0, 0));
        assert!(size_of::<Frames>() <= 192, "{}", size_of::<Frames>());
    }
}
