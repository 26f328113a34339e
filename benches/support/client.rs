//! Clients: connections that are kept, one request after the other on each, over loopback.
//!
//! Of our own, because the load shares two cores with the server: a general client (reqwest) spends more on a request
//! than the server does, so it would measure itself.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

/// A request as bytes.
pub fn request(method: &str, path: &str, token: Option<&str>, body: Option<&str>) -> Vec<u8> {
    let token = token.map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
    let about_body = body.map_or_else(String::new, |body| {
        format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len())
    });
    let body = body.unwrap_or_default();
    format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\n{token}{about_body}\r\n{body}")
        .into_bytes()
}

/// What came back.
pub struct Answer {
    pub status: u16,
    /// Status line and headers.
    pub head: String,
    /// Bytes of the body.
    pub length: usize,
    pub body: String,
}

impl Answer {
    /// A member of the body that is text.
    pub fn text(&self, name: &str) -> String {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap_or_default();
        body[name].as_str().unwrap_or_else(|| panic!("no {name} in {} {}", self.status, self.body)).to_owned()
    }
}

/// A connection that is kept.
pub struct Client {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, read: Vec::with_capacity(4096) }
    }

    /// Sends a request and waits for the whole answer.
    pub async fn ask(&mut self, request: &[u8]) -> Answer {
        let (status, head) = self.exchange(request).await;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (before, body) = self.read.split_at(head);
        Answer { status, head: text(before), length: body.len(), body: text(body) }
    }

    /// The status, and the length of the head; what was read stays where it is.
    async fn exchange(&mut self, request: &[u8]) -> (u16, usize) {
        self.stream.write_all(request).await.unwrap();
        self.read.clear();
        let mut end = usize::MAX;
        let mut head = 0;
        while self.read.len() < end {
            assert!(self.stream.read_buf(&mut self.read).await.unwrap() > 0, "the server hung up");
            if head == 0
                && let Some(at) = self.read.windows(4).position(|four| four == b"\r\n\r\n")
            {
                head = at + 4;
                end = head + content_length(&self.read[..head]);
            }
        }
        let status = std::str::from_utf8(&self.read[9..12]).unwrap().parse().unwrap();
        (status, head)
    }
}

fn content_length(head: &[u8]) -> usize {
    let named = head
        .split(|byte| *byte == b'\n')
        .find(|line| line.len() > 15 && line[..15].eq_ignore_ascii_case(b"content-length:"));
    named.map_or(0, |line| std::str::from_utf8(&line[15..]).unwrap().trim().parse().unwrap())
}

/// So many clients send `request` again and again for a while; returns how many answers came and how long it took.
pub fn load(address: SocketAddr, request: &[u8], clients: usize, length: Duration) -> (u64, Duration) {
    let request: Rc<[u8]> = request.into();
    each(clients, move |_| {
        let request = request.clone();
        async move {
            let mut client = Client::connect(address).await;
            let (begun, mut answers) = (Instant::now(), 0);
            while begun.elapsed() < length {
                let (status, _) = client.exchange(&request).await;
                assert_eq!(status, 200);
                answers += 1;
            }
            answers
        }
    })
}

/// Runs so many clients at once on this thread; returns the sum of what they counted and how long it took.
pub fn each<F>(clients: usize, client: impl Fn(usize) -> F) -> (u64, Duration)
where
    F: Future<Output = u64> + 'static,
{
    super::block_on(async {
        let (local, begun) = (LocalSet::new(), Instant::now());
        let running: Vec<_> = (0..clients).map(|number| local.spawn_local(client(number))).collect();
        local.await;
        let mut sum = 0;
        for one in running {
            sum += one.await.unwrap();
        }
        (sum, begun.elapsed())
    })
}
