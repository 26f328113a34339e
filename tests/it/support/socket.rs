//! The other end of a WebSocket, and the application behind a real port.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use futures_util::{SinkExt, StreamExt};
use portcullis::server;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Response;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::app::TestApp;

/// How long anything may take before it counts as hanging.
const PATIENCE: Duration = Duration::from_secs(20);

/// The application at a port of this machine, with what follows the change log and the clock. It shares its site with the
/// requests of the same [`TestApp`].
pub struct Listening {
    app: TestApp,
    pub address: SocketAddr,
    handle: ServerHandle,
}

impl Listening {
    pub async fn new(app: &TestApp) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        app.site.follower.follow(app.site.db.target(), app.clock.clone()).unwrap();
        let server = server::server(app.site.clone(), listener).unwrap();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        Self { app: app.clone(), address, handle }
    }

    /// A socket of whoever holds this access token.
    pub async fn socket(&self, access: &str) -> Socket {
        self.open(&[("authorization", &format!("Bearer {access}"))]).await.unwrap().0
    }

    /// Tries to open a socket with these headers.
    pub async fn open(&self, headers: &[(&str, &str)]) -> Result<(Socket, Response), Error> {
        Socket::open(self.address, headers).await
    }

    /// What is answered to a handshake with these headers and what is sent behind it, until the server closes the connection.
    pub async fn raw(&self, method: &str, path: &str, headers: &[(&str, &str)], behind: &str) -> String {
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", self.address);
        for (name, value) in HANDSHAKE.iter().chain(headers) {
            request += &format!("{name}: {value}\r\n");
        }
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(format!("{request}\r\n{behind}").as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("the connection is not closed").unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }
}

/// What a browser sends to open a socket.
pub const HANDSHAKE: [(&str, &str); 4] = [
    ("connection", "Upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

impl Drop for Listening {
    fn drop(&mut self) {
        self.app.site.follower.stop();
        drop(self.handle.stop(false));
    }
}

/// An open socket.
pub struct Socket(WebSocketStream<TcpStream>);

impl Socket {
    /// Opens one at the server of this address.
    pub async fn open(address: SocketAddr, headers: &[(&str, &str)]) -> Result<(Self, Response), Error> {
        let mut request = format!("ws://{address}/ws/").into_client_request().unwrap();
        for (name, value) in headers {
            let name: tokio_tungstenite::tungstenite::http::HeaderName = name.parse().unwrap();
            request.headers_mut().insert(name, HeaderValue::from_str(value).unwrap());
        }
        let stream = TcpStream::connect(address).await.unwrap();
        let (socket, response) = timeout(PATIENCE, client_async(request, stream)).await.unwrap()?;
        Ok((Self(socket), response))
    }

    async fn message(&mut self) -> Message {
        let next = timeout(PATIENCE, self.0.next()).await.expect("nothing came");
        next.expect("the connection is gone").unwrap()
    }

    /// The next event.
    pub async fn event(&mut self) -> Value {
        loop {
            match self.message().await {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("no event, but {other:?}"),
            }
        }
    }

    /// Fails unless all was told that was committed before: the server answers a ping after it.
    pub async fn is_open_and_told_nothing(&mut self) {
        self.send(Message::Ping(vec![7].into())).await;
        loop {
            match self.message().await {
                Message::Ping(_) => {}
                Message::Pong(bytes) => {
                    assert_eq!(bytes.as_ref(), [7]);
                    return;
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// The code that the server closes with, and how many events come before.
    pub async fn closed(&mut self) -> (u16, usize) {
        let mut events = 0;
        loop {
            match self.message().await {
                Message::Close(frame) => return (frame.expect("no code").code.into(), events),
                Message::Text(_) => events += 1,
                _ => {}
            }
        }
    }

    pub async fn send(&mut self, message: Message) {
        self.0.send(message).await.unwrap();
    }

    /// Shows another token.
    pub async fn authenticate(&mut self, token: &str) {
        self.send(Message::text(json!({ "type": "auth", "token": token }).to_string())).await;
    }
}
