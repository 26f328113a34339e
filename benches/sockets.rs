//! Sockets that are open and idle: what memory each costs the server, beside what actix itself costs.

use std::net::SocketAddr;

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::process::Process;
use crate::support::{block_on, folder, row, site, user};

/// The argument that makes this program a server with bare sockets of actix-ws.
pub const BARE_SOCKETS: &str = "--bare-sockets";

/// Enough that the server's own memory does not matter, and within the usual limit of open files.
const SOCKETS: usize = 10_000;

/// What ours are compared with: sockets of actix-ws, each read by a task and never written to.
pub fn serve_bare() {
    async fn socket(request: HttpRequest, body: web::Payload) -> actix_web::Result<HttpResponse> {
        let (response, session, mut stream) = actix_ws::handle(&request, body)?;
        actix_web::rt::spawn(async move {
            let _session = session;
            while let Some(Ok(_)) = stream.recv().await {}
        });
        Ok(response)
    }
    actix_web::rt::System::new().block_on(async {
        let server = HttpServer::new(|| {
            App::new().route("/ws/", web::get().to(socket)).route("/api/hello/", web::get().to(HttpResponse::Ok))
        });
        let server = server
            .keep_alive(std::time::Duration::from_secs(600))
            .workers(crate::support::process::WORKERS)
            .bind("127.0.0.1:0")
            .unwrap();
        println!("bare on http://{}", server.addrs()[0]);
        server.run().await.unwrap();
    });
}

pub fn run() {
    let place = folder();
    let opened = site(&place);
    let token = user(&opened, "ann", "correct horse 9", 1).remove(0).access;
    drop(opened);
    let most = (SOCKETS + 1000).to_string();
    let ours = Process::portcullis(place.path(), &[("SOCKETS__PER_USER", &most)]);
    let ours = each_costs(&ours, &upgrade(&format!("Authorization: Bearer {token}\r\n")));
    let bare = each_costs(&Process::bare_sockets(), &upgrade(""));
    let request = "GET /api/hello/ HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let kept = each_costs(&Process::bare_sockets(), request);
    row("an idle socket: resident memory", format!("{ours:.1} KB"));
    row("– a bare one of actix-ws", format!("{bare:.1} KB"));
    row("– a bare connection of actix-web that is kept after a request", format!("{kept:.1} KB"));
}

/// Kilobytes of resident memory that each open socket adds to the server.
fn each_costs(server: &Process, request: &str) -> f64 {
    block_on(async {
        let mut open = Vec::new();
        for _ in 0..SOCKETS / 10 {
            open.push(opened(server.address, request).await); // what is made once
        }
        let before = server.memory("VmRSS");
        for _ in 0..SOCKETS {
            open.push(opened(server.address, request).await);
        }
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        let after = server.memory("VmRSS");
        (after - before) * 1024.0 * 1.024 / SOCKETS as f64
    })
}

/// A handshake.
fn upgrade(headers: &str) -> String {
    format!(
        "GET /ws/ HTTP/1.1\r\nHost: localhost\r\n{headers}Connection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// A connection after its first answer, which has no body.
async fn opened(address: SocketAddr, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        assert!(stream.read_buf(&mut answer).await.unwrap() > 0, "{}", String::from_utf8_lossy(&answer));
    }
    assert!(
        answer.starts_with(b"HTTP/1.1 101 ") || answer.starts_with(b"HTTP/1.1 200 "),
        "{}",
        String::from_utf8_lossy(&answer)
    );
    stream
}
